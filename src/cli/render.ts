/** Draws a command's views on standard output: for people on a terminal, for tools in a pipe. */
import type {
  FieldsView,
  LinesView,
  RawView,
  TableView,
  TreeNode,
  TreeView,
  View,
} from '../commands/outcome.js';
import type { Output } from './output.js';
import type { Paint } from './paint.js';
import { cut, displayWidth, limitMarks, neutralize, pad, wrap } from './text.js';

export interface RenderOptions {
  readonly paint: Paint;
  /** box-drawing characters may be used on a terminal */
  readonly unicode: boolean;
  readonly csv: boolean;
  /** told the text of a table without rows where the output itself must not hold it: in a pipe, with --csv */
  readonly onEmpty?: ((text: string) => void) | undefined;
}

/** Rows looked at to find the widths of columns; later rows are drawn as they come. */
const SAMPLED_ROWS = 500;
const MIN_FLEXIBLE_WIDTH = 10;
/** Columns on a second line give the flexible one this much room, if it has use for it. */
const COMFORTABLE_WIDTH = 40;
const SECOND_LINE_INDENT = '    ';
const MIN_TREE_LABEL_WIDTH = 20;
const COLUMN_GAP = '  ';
/** Columns of a terminal that a cell, a note and a value of a field are cut to whatever room there is. */
const MAX_CELL_WIDTH = 200;
const MAX_VALUE_WIDTH = 10_000;
/** bytes gathered before they are written */
const CHUNK_SIZE = 32_768;

/** Writes the views one below the other, a blank line between; stops when the reader has gone. */
export async function renderViews(
  views: readonly View[],
  output: Output,
  options: RenderOptions,
): Promise<void> {
  let gathered = '';
  let isFirst = true;
  for (const view of views) {
    if (view.kind === 'raw') {
      await output.write(gathered);
      gathered = '';
      await output.write(output.isTerminal ? visibleText(view) : view.bytes);
      continue;
    }
    if (options.csv && view.kind !== 'table') continue; // a CSV file holds one table and nothing else
    if (view.kind === 'table' && view.forCsv === !options.csv) continue;
    if (!isFirst && !options.csv) gathered += '\n';
    isFirst = false;
    for await (const line of linesOf(view, output, options)) {
      gathered += line;
      if (gathered.length >= CHUNK_SIZE) {
        await output.write(gathered);
        gathered = '';
        if (output.isClosed) return;
      }
    }
  }
  await output.write(gathered);
}

async function* linesOf(
  view: Exclude<View, RawView>,
  output: Output,
  options: RenderOptions,
): AsyncGenerator<string> {
  switch (view.kind) {
    case 'table':
      if (options.csv) yield* csvLines(view, output.isTerminal, options);
      else if (output.isTerminal) yield* tableLines(view, output.width, options);
      else yield* tabSeparatedLines(view, options);
      return;
    case 'lines':
      for (const line of drawLines(view, output.isTerminal ? output.width : undefined)) yield `${line}\n`;
      return;
    case 'fields':
      for (const line of drawFields(view, output.isTerminal ? output.width : undefined, options.paint)) {
        yield `${line}\n`;
      }
      return;
    case 'tree':
      for (const line of drawTree(view, output.isTerminal ? output.width : undefined, options)) {
        yield `${line}\n`;
      }
  }
}

/** @param width undefined: lines stay as they are, for scripts that look for them */
function drawLines(view: LinesView, width: number | undefined): string[] {
  const lines = view.lines.map(neutralize);
  if (width === undefined) return lines;
  return lines.map(limitMarks).flatMap((line) => (displayWidth(line) > width ? wrap(line, width) : [line]));
}

/** @param width undefined: never break a value */
function* drawFields(view: FieldsView, width: number | undefined, paint: Paint): Generator<string> {
  const fields = view.fields
    .map(([label, value]) => [label, fieldValues(value)] as const)
    .filter(([, values]) => values.length > 0);
  const shorten = (text: string) => (width === undefined ? text : cut(text, MAX_VALUE_WIDTH));
  if (view.title !== undefined) yield paint.bold(shorten(neutralize(view.title)));
  const indent = view.title === undefined ? '' : '  ';
  const labelWidth = Math.max(0, ...fields.map(([label]) => displayWidth(label) + 1)) + 1;
  const hanging = ' '.repeat(indent.length + labelWidth);
  for (const [label, values] of fields) {
    let isFirst = true;
    for (const value of values) {
      const room = width === undefined ? undefined : Math.max(MIN_FLEXIBLE_WIDTH, width - hanging.length);
      for (const line of room === undefined ? [value] : wrap(shorten(value), room)) {
        yield isFirst ? `${indent}${paint.dim(pad(`${label}:`, labelWidth))}${line}` : hanging + line;
        isFirst = false;
      }
    }
  }
}

function fieldValues(value: FieldsView['fields'][number][1]): string[] {
  if (value === undefined || value === '') return [];
  if (typeof value === 'object') return value.map(neutralize);
  return [neutralize(String(value))];
}

async function* tableLines(view: TableView, width: number, { paint }: RenderOptions): AsyncGenerator<string> {
  const { columns } = view;
  const safe = (cell: string) => cut(neutralize(cell), Math.max(width, MAX_CELL_WIDTH));
  const sample: (readonly string[])[] = [];
  const rows = iterate(view.rows);
  let next = await rows.next();
  for (; next.done !== true && sample.length < SAMPLED_ROWS; next = await rows.next()) {
    sample.push(next.value.map(safe));
  }
  if (sample.length === 0) {
    yield `${neutralize(view.emptyText)}\n`;
    return;
  }
  const isWhole = next.done === true;
  // A column is left out when nothing stands in it; further rows than these may have something.
  const isUsed = (index: number): boolean =>
    !isWhole && !Array.isArray(view.rows)
      ? true
      : (Array.isArray(view.rows) ? (view.rows as readonly (readonly string[])[]) : sample).some(
          (row) => (row[index] ?? '') !== '',
        );
  const layout = layOut(
    columns.flatMap((column, index) =>
      isUsed(index)
        ? [
            {
              index,
              column,
              width: sample.reduce(
                (widest, row) => Math.max(widest, displayWidth(row[index] ?? '')),
                displayWidth(column.title),
              ),
            },
          ]
        : [],
    ),
    width,
  );
  const draw = (cells: readonly string[]): string[] =>
    layout
      .flatMap((line, lineIndex) => {
        const [only] = line;
        if (lineIndex > 0 && line.length === 1 && only !== undefined) {
          const room = Math.max(MIN_FLEXIBLE_WIDTH, width - SECOND_LINE_INDENT.length);
          const cell = cells[only.index] ?? '';
          // A sentence alone on its line is broken between words; a path or an id stays in one piece.
          if (displayWidth(cell) > room && cell.includes(' ')) {
            return wrap(cell, room).map((part) => SECOND_LINE_INDENT + part);
          }
        }
        return (
          (lineIndex === 0 ? '' : SECOND_LINE_INDENT) +
          line
            .map(({ index, column, width: columnWidth }) => {
              const cell = cells[index] ?? '';
              const fitted = column.flexible === true ? cut(cell, columnWidth) : cell;
              return pad(fitted, columnWidth, column.align ?? 'left');
            })
            .join(COLUMN_GAP)
        ).trimEnd();
      })
      .filter((line, lineIndex) => lineIndex === 0 || line !== '');
  for (const line of draw(columns.map(({ title }) => title))) yield `${paint.bold(line)}\n`;
  for (const row of sample) yield `${draw(row).join('\n')}\n`;
  for (; next.done !== true; next = await rows.next()) {
    yield `${draw(next.value.map(safe)).join('\n')}\n`;
  }
  if (view.footer !== undefined) yield `\n${paint.dim(neutralize(view.footer()))}\n`;
}

interface PlacedColumn {
  readonly index: number;
  readonly column: TableView['columns'][number];
  readonly width: number;
}

/**
 * Columns by line: on one while there is room, otherwise with secondary ones on a second, the last of them first,
 * until the flexible column has a comfortable width; what is still too much is taken from that.
 */
function layOut(placed: readonly PlacedColumn[], width: number): PlacedColumn[][] {
  const first = [...placed];
  const second: PlacedColumn[] = [];
  const natural = first.find(({ column }) => column.flexible === true)?.width ?? 0;
  const roomForFlexible = () =>
    width -
    first.reduce(
      (sum, each) => sum + (each.column.flexible === true ? 0 : each.width) + COLUMN_GAP.length,
      -COLUMN_GAP.length,
    );
  while (roomForFlexible() < Math.min(natural, COMFORTABLE_WIDTH)) {
    const last = first.findLastIndex(({ column }) => column.secondary === true);
    if (last < 0) break;
    second.push(...first.splice(last, 1));
  }
  const room = Math.max(MIN_FLEXIBLE_WIDTH, roomForFlexible());
  const fitted = first.map((each) =>
    each.column.flexible === true ? { ...each, width: Math.min(each.width, room) } : each,
  );
  second.sort((a, b) => a.index - b.index);
  return second.length === 0 ? [fitted] : [fitted, second];
}

/** One row per line whatever is in it; no footer, no cutting. */
async function* tabSeparatedLines(view: TableView, { onEmpty }: RenderOptions): AsyncGenerator<string> {
  yield `${view.columns.map(({ title }) => title).join('\t')}\n`;
  let isEmpty = true;
  for await (const row of view.rows) {
    isEmpty = false;
    yield `${row.map(neutralize).join('\t')}\n`;
  }
  if (isEmpty) onEmpty?.(view.emptyText);
}

/** RFC 4180: CR LF, quotation marks doubled. */
async function* csvLines(
  view: TableView,
  isTerminal: boolean,
  { onEmpty }: RenderOptions,
): AsyncGenerator<string> {
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell) => (isTerminal ? neutralize(cell) : cell))
      .map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
      .join(',')}\r\n`;
  yield line(view.columns.map(({ title }) => title));
  let isEmpty = true;
  for await (const row of view.rows) {
    isEmpty = false;
    yield line(row);
  }
  if (isEmpty) onEmpty?.(view.emptyText);
}

/** @param width undefined: not a terminal, nothing is cut */
function* drawTree(
  view: TreeView,
  width: number | undefined,
  { paint, unicode }: RenderOptions,
): Generator<string> {
  const [branch, lastBranch, through, nothing] =
    unicode && width !== undefined ? ['├─ ', '└─ ', '│  ', '   '] : ['|- ', '`- ', '|  ', '   '];
  const shorten = (text: string) => (width === undefined ? text : cut(text, Math.max(width, MAX_CELL_WIDTH)));
  if (view.title !== undefined) yield paint.bold(shorten(neutralize(view.title)));

  const draw = (node: TreeNode, prefix: string, isRoot: boolean): string => {
    const label = neutralize(node.label);
    const note = node.note === undefined || node.note === '' ? '' : `  ${shorten(neutralize(node.note))}`;
    const room =
      width === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(MIN_TREE_LABEL_WIDTH, width - prefix.length - displayWidth(note));
    const fitted = cut(label, room);
    return paint.dim(prefix) + (isRoot ? paint.bold(fitted) : fitted) + paint.dim(note);
  };

  // A stack of our own: how deep a tree goes is up to whoever wrote the package.
  const stack: { node: TreeNode; indent: string; isLast: boolean; isRoot: boolean }[] = [];
  const push = (nodes: readonly TreeNode[], indent: string, isRoot: boolean) => {
    for (let index = nodes.length - 1; index >= 0; index--) {
      stack.push({ node: nodes[index] as TreeNode, indent, isLast: index === nodes.length - 1, isRoot });
    }
  };
  push(view.roots, '', true);
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { node, indent, isLast, isRoot } = entry;
    yield draw(node, isRoot ? '' : indent + (isLast ? lastBranch : branch), isRoot);
    push(node.children, isRoot ? '' : indent + (isLast ? nothing : through), false);
  }
}

/** A document on a terminal: its line breaks and tabs stay, other controls are made visible. */
function visibleText(view: RawView): string {
  const text = new TextDecoder().decode(view.bytes);
  const visible = text
    .split('\n')
    .map((line) => line.replace(/\r$/, '').split('\t').map(neutralize).join('\t'))
    .join('\n');
  return visible.endsWith('\n') ? visible : `${visible}\n`;
}

async function* iterate<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
