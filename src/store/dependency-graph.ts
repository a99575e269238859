import { WsusutilError } from '../errors.js';
import type { SqlDatabase, SqlRow } from '../platform/sqlite.js';
import type { DependencyGraph, RevisionKey } from './metadata-store.js';
import { textOf } from './rows.js';

/**
 * Rows come as one text: a third of the time of having the driver hand over half a million values, and, for clauses, of
 * parsing them one by one.
 */
const ROWS_PER_PAGE = 4096;
/** fewer: a row has as many clauses as its document */
const CLAUSES_PER_PAGE = 256;

/** clauses: kind, then update keys */
type PrerequisiteRow = readonly [key: RevisionKey, clauses: readonly (readonly number[])[]];

/** Grows as it is filled; 4 bytes an element, so that a million revisions with ten edges each stay at 40 MB. */
class IntList {
  #items = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#items.length) {
      const larger = new Int32Array(this.#items.length * 2);
      larger.set(this.#items);
      this.#items = larger;
    }
    this.#items[this.length++] = value;
  }

  at(index: number): number {
    return this.#items[index] as number;
  }
}

/** Loads who needs whom for the whole store. */
export function loadDependencyGraph(database: SqlDatabase): DependencyGraph {
  const keys: RevisionKey[] = [];
  const indexByKey = new Map<RevisionKey, number>();
  const revisionsByUpdate = new Map<number, number[]>();
  const numbers = new IntList();
  const page = database.prepare(`
    SELECT group_concat(revision_key || ',' || update_key || ',' || revision_number) AS page FROM (
      SELECT revision_key, update_key, revision_number FROM revisions WHERE revision_key > ?
      ORDER BY revision_key LIMIT ${ROWS_PER_PAGE})`);
  for (let last = 0; ; ) {
    const fields = numbersOf(page.get(last));
    if (fields.length === 0) break;
    for (let at = 0; at < fields.length; at += 3) {
      const index = keys.length;
      const updateKey = fields[at + 1] as number;
      keys.push(fields[at] as number);
      indexByKey.set(fields[at] as number, index);
      numbers.push(fields[at + 2] as number);
      const revisions = revisionsByUpdate.get(updateKey);
      if (revisions === undefined) revisionsByUpdate.set(updateKey, [index]);
      else revisions.push(index);
    }
    last = requireLater(keys.at(-1) ?? 0, last);
  }
  for (const revisions of revisionsByUpdate.values()) revisions.sort((a, b) => numbers.at(a) - numbers.at(b));

  const prerequisites = loadPrerequisites(database, indexByKey, keys.length);
  const bundled = loadBundled(database, indexByKey, keys.length);
  return {
    keys,
    indexOf: (key) => indexByKey.get(key),
    // An array, not a generator: a selection asks this of every revision.
    needsOf(index) {
      const needs: (readonly number[])[] = [];
      for (let edge = prerequisites.start(index); edge < prerequisites.start(index + 1); edge++) {
        const revisions = revisionsByUpdate.get(prerequisites.targets.at(edge));
        if (revisions !== undefined) needs.push(revisions);
      }
      for (let edge = bundled.start(index); edge < bundled.start(index + 1); edge++) {
        const number = bundled.numbers.at(edge);
        const exact = revisionsByUpdate
          .get(bundled.targets.at(edge))
          ?.filter((each) => numbers.at(each) === number);
        if (exact !== undefined && exact.length > 0) needs.push(exact);
      }
      return needs;
    },
  };
}

/** Edges of all revisions one behind the other, and where each revision's begin. */
class EdgeLists {
  readonly #starts: Int32Array;
  readonly targets = new IntList();
  #last = 0;

  constructor(count: number) {
    this.#starts = new Int32Array(count + 1);
  }

  /** Rows must come in rising order of index. */
  begin(index: number): void {
    while (this.#last < index) this.#starts[++this.#last] = this.targets.length;
  }

  end(): this {
    this.begin(this.#starts.length - 1);
    return this;
  }

  /** Of an index, its first edge; it has those up to the first one of the next index. */
  start(index: number): number {
    return this.#starts[index] as number;
  }
}

type Indices = ReadonlyMap<RevisionKey, number>;

function loadPrerequisites(database: SqlDatabase, indexByKey: Indices, count: number): EdgeLists {
  const edges = new EdgeLists(count);
  const page = database.prepare(`
    SELECT '[' || group_concat('[' || revision_key || ',' || clauses || ']') || ']' AS page FROM (
      SELECT revision_key, clauses FROM prerequisites WHERE revision_key > ?
      ORDER BY revision_key LIMIT ${CLAUSES_PER_PAGE})`);
  for (let last = 0; ; ) {
    const text = textOf(page.get(last)?.page);
    if (text === undefined) break;
    const rows = JSON.parse(text) as PrerequisiteRow[];
    for (const [key, clauses] of rows) {
      edges.begin(indexByKey.get(key) as number);
      for (const clause of clauses) {
        for (let member = 1; member < clause.length; member++) edges.targets.push(clause[member] as number);
      }
    }
    last = requireLater(rows.at(-1)?.[0] ?? 0, last);
  }
  return edges.end();
}

function loadBundled(
  database: SqlDatabase,
  indexByKey: Indices,
  count: number,
): EdgeLists & { numbers: IntList } {
  const edges = Object.assign(new EdgeLists(count), { numbers: new IntList() });
  const page = database.prepare(`
    SELECT group_concat(
      revision_key || ',' || clause || ',' || position || ',' || update_key || ',' || revision_number) AS page
    FROM (SELECT * FROM bundled_updates WHERE (revision_key, clause, position) > (?, ?, ?)
      ORDER BY revision_key, clause, position LIMIT ${ROWS_PER_PAGE})`);
  for (let last: readonly [number, number, number] = [0, -1, -1]; ; ) {
    const fields = numbersOf(page.get(...last));
    if (fields.length === 0) break;
    for (let at = 0; at < fields.length; at += 5) {
      edges.begin(indexByKey.get(fields[at] as number) as number);
      edges.targets.push(fields[at + 3] as number);
      edges.numbers.push(fields[at + 4] as number);
    }
    const next = fields.slice(-5, -2) as [number, number, number];
    if (next[0] === last[0] && next[1] === last[1]) requireLater(next[2], last[2]);
    else if (next[0] === last[0]) requireLater(next[1], last[1]);
    else requireLater(next[0], last[0]);
    last = next;
  }
  edges.end();
  return edges;
}

/** Numbers of a page, one behind the other. */
function numbersOf(row: SqlRow | undefined): readonly number[] {
  const text = textOf(row?.page);
  return text === undefined ? [] : (JSON.parse(`[${text}]`) as number[]);
}

/** Pages of a damaged database may go round in a circle. @throws WsusutilError `STORE_CORRUPT` */
function requireLater(next: number, last: number): number {
  if (next > last) return next;
  throw new WsusutilError('STORE_CORRUPT', 'The store is damaged: its rows are out of order', {
    hint: 'Restore it from a backup, or move it away and import the packages again.',
  });
}
