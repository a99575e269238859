// Prints tables of ratios. An absolute time says something about the machine; a ratio against a floor measured in
// the same run says something about the program.

/**
 * @typedef {{ what: string, measured: string, floor: string, target: string, met: boolean | undefined }} Row met undefined: for information
 * @typedef {{ what: string, skipped: string }} SkippedRow
 */

const HEADINGS = ['', 'measured', 'against', 'target', 'met'];

/** @param {string} title @param {(Row | SkippedRow)[]} rows */
export function printTable(title, rows) {
  const cells = rows.map((row) =>
    'skipped' in row
      ? [row.what, `skipped: ${row.skipped}`]
      : [row.what, row.measured, row.floor, row.target, row.met === undefined ? '' : row.met ? 'yes' : 'NO'],
  );
  const full = cells.filter((row) => row.length === HEADINGS.length);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(
      heading.length,
      ...full.map((row) => row[column].length),
      ...(column === 0 ? cells.map((row) => row[0].length) : []),
    ),
  );
  const line = (row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  console.log(`\n${title}\n`);
  console.log(line(HEADINGS));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const row of cells) console.log(line(row));
}

/** A row whose measure is `actual / floor`. @returns {Row} */
export function ratioRow(what, actual, floor, floorName, limit) {
  const ratio = actual / floor;
  return {
    what,
    measured: `${ratio.toFixed(2)}x`,
    floor: floorName,
    target: `at most ${formatFactor(limit)}`,
    met: ratio <= limit,
  };
}

function formatFactor(limit) {
  return limit < 1 ? `1/${Math.round(1 / limit)}` : `${Number(limit.toFixed(2))}x`;
}

/** A row whose measure is how much longer than `factor` floors it took. @returns {Row} */
export function overheadRow(what, actual, floor, floorName, factor, allowanceMs) {
  const over = actual - factor * floor;
  const base = factor === 1 ? '' : `${factor} x `;
  return {
    what,
    measured: `${base}floor ${over < 0 ? '-' : '+'} ${Math.abs(over).toFixed(0)} ms (${(actual / floor).toFixed(2)}x)`,
    floor: floorName,
    target: `at most ${base}floor + ${allowanceMs} ms`,
    met: over <= allowanceMs,
  };
}
