import type { SqlDatabase } from '../platform/sqlite.js';
import type { DependencyGraph, RevisionKey } from './metadata-store.js';
import { numberOf } from './rows.js';

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
  for (const row of database
    .prepare('SELECT revision_key, update_key, revision_number FROM revisions ORDER BY revision_key')
    .iterate()) {
    const index = keys.length;
    const updateKey = numberOf(row['update_key']);
    keys.push(numberOf(row['revision_key']));
    indexByKey.set(keys[index] as number, index);
    numbers.push(numberOf(row['revision_number']));
    const revisions = revisionsByUpdate.get(updateKey);
    if (revisions === undefined) revisionsByUpdate.set(updateKey, [index]);
    else revisions.push(index);
  }
  for (const revisions of revisionsByUpdate.values()) revisions.sort((a, b) => numbers.at(a) - numbers.at(b));

  const prerequisites = loadEdges(database, 'prerequisites', 'update_key', indexByKey, keys.length);
  const bundled = loadEdges(
    database,
    'bundled_updates',
    'update_key, revision_number',
    indexByKey,
    keys.length,
  );
  return {
    keys,
    indexOf: (key) => indexByKey.get(key),
    *needsOf(index) {
      for (const edge of prerequisites.of(index)) {
        const revisions = revisionsByUpdate.get(prerequisites.target(edge));
        if (revisions !== undefined) yield revisions;
      }
      for (const edge of bundled.of(index)) {
        const number = bundled.number(edge);
        const exact = revisionsByUpdate
          .get(bundled.target(edge))
          ?.filter((each) => numbers.at(each) === number);
        if (exact !== undefined && exact.length > 0) yield exact;
      }
    },
  };
}

function loadEdges(
  database: SqlDatabase,
  table: string,
  columns: string,
  indexByKey: ReadonlyMap<RevisionKey, number>,
  count: number,
) {
  const starts = new Int32Array(count + 1);
  const targets = new IntList();
  const revisionNumbers = new IntList();
  let last = 0;
  for (const row of database
    .prepare(`SELECT revision_key, ${columns} FROM ${table} ORDER BY revision_key, clause, position`)
    .iterate()) {
    const index = indexByKey.get(numberOf(row['revision_key'])) as number;
    while (last < index) starts[++last] = targets.length;
    targets.push(numberOf(row['update_key']));
    if ('revision_number' in row) revisionNumbers.push(numberOf(row['revision_number']));
  }
  while (last < count) starts[++last] = targets.length;
  return {
    *of(index: number): Generator<number> {
      for (let edge = starts[index] as number; edge < (starts[index + 1] as number); edge++) yield edge;
    },
    target: (edge: number) => targets.at(edge),
    number: (edge: number) => revisionNumbers.at(edge),
  };
}
