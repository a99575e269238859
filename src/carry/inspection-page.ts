/**
 * A page that someone signs before a package goes on: one HTML file without script, images or links, that a browser
 * shows and prints the same anywhere. Every text of the package is escaped, and can reach nothing.
 */

import { groupDigits } from '../formats/group-digits.js';
import type { CategoryShare } from '../formats/transfer-package/manifest.js';
import { createAtomicFile } from '../platform/atomic-file.js';
import type { InspectedFixes, TransferInspection } from './inspect-transfer.js';

/** Rows of one table; a browser must be able to print the page. */
const MAX_ROWS = 10_000;

const STYLE = `
body{font:14px/1.4 sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#000;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin:1.6em 0 .4em}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top}
th{background:#eee}td.n{text-align:right;white-space:nowrap}code{font:12px monospace;overflow-wrap:anywhere}
.warn{border:2px solid #000;padding:.5em 1em;font-weight:bold}tr{break-inside:avoid}thead{display:table-header-group}
.sign td{height:2.5em}`.trim();

/** Text given to the file at once. */
const WRITE_LENGTH = 64 * 1024;

/**
 * Writes the page, whole or not at all.
 *
 * @throws WsusutilError `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function saveInspectionPage(
  path: string,
  inspection: TransferInspection,
  toolVersion: string,
): Promise<void> {
  const file = await createAtomicFile(path, { replace: false });
  try {
    let text = '';
    for (const piece of writeInspectionPage(inspection, toolVersion)) {
      text += piece;
      if (text.length < WRITE_LENGTH) continue;
      await file.write(Buffer.from(text));
      text = '';
    }
    await file.write(Buffer.from(text));
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** The page in pieces. @param toolVersion of the program that makes it */
export function* writeInspectionPage(
  inspection: TransferInspection,
  toolVersion: string,
): Generator<string, void, undefined> {
  const { manifest, digest, volumes, missingVolumes, signatures, fixes } = inspection;
  const { counts, options } = manifest;
  yield `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'">
<meta name="viewport" content="width=device-width">
<title>Transfer package ${text(manifest.destination)} ${manifest.sequence}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>Transfer package ${isolated(manifest.destination)}, number ${manifest.sequence}</h1>
`;
  yield `<p class="warn">This page says what the package states of itself. Its files and signatures were not checked here.</p>\n`;
  yield* table(
    [],
    [
      ['SHA-256 of the manifest', code(digest)],
      ['Exported by server', code(manifest.serverId)],
      ['Destination', isolated(manifest.destination)],
      ['Number in its chain', String(manifest.sequence)],
      [
        'Builds on',
        manifest.follows === null
          ? 'nothing: complete in itself'
          : `number ${manifest.followsSequence}, ${code(manifest.follows)}`,
      ],
      ['Made', `${text(manifest.createdAt)}, with wsusutil ${text(manifest.toolVersion)}`],
      [
        'Chosen',
        Object.keys(manifest.filters).length === 0
          ? 'everything'
          : isolated(describeFilters(manifest.filters)),
      ],
      [
        'Content',
        `${text(options.contentPolicy)}; languages: ${text(options.languages.join(', ') || 'none')}; express files: ${options.expressFiles ? 'yes' : 'no'}`,
      ],
      [
        'Updates',
        `${groupDigits(counts.updates)} (${groupDigits(counts.revisions)} revisions, ${groupDigits(counts.metadataSize)} bytes)`,
      ],
      ['Content files', `${groupDigits(counts.contentFiles)} (${groupDigits(counts.contentSize)} bytes)`],
      ['Licence texts', `${groupDigits(counts.licences)} (${groupDigits(counts.licenceSize)} bytes)`],
      ['Announces the key', manifest.nextKey === null ? 'none' : code(manifest.nextKey)],
    ],
  );

  yield '<h2>Signatures</h2>\n<p>Not verified: whoever signed is only known after a check against a list of trusted keys.</p>\n';
  if (signatures.length === 0) yield '<p class="warn">The package is not signed.</p>\n';
  else {
    yield* table(
      ['File', 'Key', 'Comment'],
      signatures.map(({ name, keyId, trustedComment }) => [
        code(name),
        keyId === undefined ? 'not a signature of minisign' : code(keyId),
        isolated(trustedComment ?? ''),
      ]),
    );
  }

  yield '<h2>Volumes</h2>\n';
  if (missingVolumes.length > 0) {
    yield `<p class="warn">Not seen: ${missingVolumes.length === 1 ? 'volume' : 'volumes'} ${missingVolumes.join(', ')}.</p>\n`;
  }
  yield* table(
    ['Volume', 'Bytes of its files and headers', 'Seen'],
    manifest.volumes.map(({ number, size }) => [
      String(number),
      numeric(size),
      text(
        volumes
          .filter((each) => each.number === number)
          .map(({ only, problem }) => problem ?? (only === undefined ? 'yes' : 'some of its files'))
          .join('; ') || 'no',
      ),
    ]),
  );

  yield* fixesSection(fixes);
  yield* sharesSection('Products', manifest.products);
  yield* sharesSection('Classifications', manifest.classifications);

  yield '<h2>Files</h2>\n';
  yield* cut(manifest.entries.length, 'wsusutil inspect --csv lists all.');
  yield* table(
    ['File', 'Kind', 'Bytes', 'SHA-256', 'Volume'],
    manifest.entries
      .slice(0, MAX_ROWS)
      .map(({ path, kind, size, sha256, volume, parts }) => [
        code(path),
        text(kind),
        numeric(size),
        code(sha256),
        parts === undefined ? String(volume) : parts.map((part) => part.volume).join(', '),
      ]),
  );

  yield '<h2>Released by</h2>\n';
  yield* table(
    ['Name', 'Role', 'Date', 'Signature'],
    Array.from({ length: 3 }, () => ['', '', '', '']),
    'sign',
  );
  yield `<p>Made with wsusutil ${text(toolVersion)}.</p>\n</body>\n</html>\n`;
}

function* fixesSection(fixes: InspectedFixes | undefined): Generator<string, void, undefined> {
  yield '<h2>What it fixes</h2>\n';
  if (fixes === undefined) {
    yield '<p>Not known: the package has no update documents, or the volume with them was not given.</p>\n';
    return;
  }
  const { updates, kbArticleIds, cveIds, severities } = fixes;
  yield `<p>${groupDigits(updates.length)} software updates, ${groupDigits(kbArticleIds.length)} KB articles, ${groupDigits(cveIds.length)} CVEs.</p>\n`;
  yield* table(
    ['Severity', 'Updates'],
    [...severities].map(([severity, count]) => [isolated(severity || 'none given'), numeric(count)]),
  );
  yield* cut(updates.length, 'wsusutil inspect --json lists all.');
  yield* table(
    ['Update', 'KB', 'Severity', 'CVE'],
    updates
      .slice(0, MAX_ROWS)
      .map(
        ({
          title,
          updateId,
          revisionNumber,
          kbArticleIds: kbs,
          cveIds: cves,
          severity,
          securityBulletinIds,
        }) => [
          `${isolated(title)}<br>${code(`${updateId}:${revisionNumber}`)}`,
          isolated(kbs.map((kb) => `KB${kb}`).join(', ')),
          isolated(severity),
          isolated([...securityBulletinIds, ...cves].join(', ')),
        ],
      ),
  );
}

function* sharesSection(title: string, shares: readonly CategoryShare[]): Generator<string, void, undefined> {
  if (shares.length === 0) return;
  yield `<h2>${title}</h2>\n`;
  yield* table(
    ['Name', 'Updates', 'Bytes of content'],
    shares.map((each) => [isolated(each.title), numeric(each.updates), numeric(each.size)]),
  );
}

function* cut(count: number, hint: string): Generator<string, void, undefined> {
  if (count <= MAX_ROWS) return;
  yield `<p class="warn">The first ${groupDigits(MAX_ROWS)} of ${groupDigits(count)}; ${text(hint)}</p>\n`;
}

/** `product: Windows 11, Office; since: 2026-01-01` */
export function describeFilters(filters: TransferInspection['manifest']['filters']): string {
  return Object.entries(filters)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : String(value)}`)
    .join('; ');
}

const NUMERIC = 'class="n"';

/** @param rows cells of markup */
function* table(
  columns: readonly string[],
  rows: Iterable<readonly string[]>,
  name?: string,
): Generator<string, void, undefined> {
  yield name === undefined ? '<table>\n' : `<table class="${name}">\n`;
  if (columns.length > 0) {
    yield `<thead><tr>${columns.map((each) => `<th>${text(each)}</th>`).join('')}</tr></thead>\n`;
  }
  yield '<tbody>\n';
  for (const row of rows) {
    const cells = row.map((cell, index) => {
      if (columns.length === 0 && index === 0) return `<th>${cell}</th>`;
      return cell.startsWith(NUMERIC)
        ? `<td ${NUMERIC}>${cell.slice(NUMERIC.length)}</td>`
        : `<td>${cell}</td>`;
    });
    yield `<tr>${cells.join('')}</tr>\n`;
  }
  yield '</tbody></table>\n';
}

/** A cell to align right; {@link text} never begins that way, since it escapes quotes. */
function numeric(value: number): string {
  return `${NUMERIC}${groupDigits(value)}`;
}

function code(value: string): string {
  return `<code>${isolated(value)}</code>`;
}

/** Text that cannot change the direction of what stands around it. */
function isolated(value: string): string {
  return `<bdi>${text(value)}</bdi>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an element or an attribute; characters that show as nothing, or turn what follows, become U+FFFD. */
function text(value: string): string {
  return value
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (each) => (/[\t\n\r]/.test(each) ? ' ' : '\uFFFD'))
    .replaceAll(/[&<>"']/g, (each) => ESCAPES[each] as string);
}
