import type { SqlDatabase } from '../platform/sqlite.js';
import type { DependencyGraph, RevisionKey } from './metadata-store.js';
import { clausesOf, numberOf } from './rows.js';

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
    const updateKey = numberOf(row.update_key);
    keys.push(numberOf(row.revision_key));
    indexByKey.set(keys[index] as number, index);
    numbers.push(numberOf(row.revision_number));
    const revisions = revisionsByUpdate.get(updateKey);
    if (revisions === undefined) revisionsByUpdate.set(updateKey, [index]);
    else revisions.push(index);
  }
  for (const revisions of revisionsByUpdate.values()) revisions.sort((a, b) => numbers.at(a) - numbers.at(b));

  const prerequisites = loadPrerequisites(database, indexByKey, keys.length);
  const bundled = loadBundled(database, indexByKey, keys.length);
  return {
    keys,
    indexOf: (key) => indexByKey.get(key),
    *needsOf(index) {
      for (const edge of prerequisites.of(index)) {
        const revisions = revisionsByUpdate.get(prerequisites.targets.at(edge));
        if (revisions !== undefined) yield revisions;
      }
      for (const edge of bundled.of(index)) {
        const number = bundled.numbers.at(edge);
        const exact = revisionsByUpdate
          .get(bundled.targets.at(edge))
          ?.filter((each) => numbers.at(each) === number);
        if (exact !== undefined && exact.length > 0) yield exact;
      }
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

  *of(index: number): Generator<number> {
    for (let edge = this.#starts[index] as number; edge < (this.#starts[index + 1] as number); edge++)
      yield edge;
  }
}

type Indices = ReadonlyMap<RevisionKey, number>;

function loadPrerequisites(database: SqlDatabase, indexByKey: Indices, count: number): EdgeLists {
  const edges = new EdgeLists(count);
  const rows = database.prepare('SELECT revision_key, clauses FROM prerequisites ORDER BY revision_key');
  for (const row of rows.iterate()) {
    edges.begin(indexByKey.get(numberOf(row.revision_key)) as number);
    for (const [, ...members] of clausesOf(row.clauses))
      for (const member of members) edges.targets.push(member);
  }
  return edges.end();
}

function loadBundled(
  database: SqlDatabase,
  indexByKey: Indices,
  count: number,
): EdgeLists & { numbers: IntList } {
  const edges = Object.assign(new EdgeLists(count), { numbers: new IntList() });
  const rows = database.prepare(`
    SELECT revision_key, update_key, revision_number FROM bundled_updates ORDER BY revision_key, clause, position`);
  for (const row of rows.iterate()) {
    edges.begin(indexByKey.get(numberOf(row.revision_key)) as number);
    edges.targets.push(numberOf(row.update_key));
    edges.numbers.push(numberOf(row.revision_number));
  }
  edges.end();
  return edges;
}
