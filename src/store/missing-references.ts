/** What the new revisions of an import need and nobody has: looked up at its end, in one pass each. */
import { setImmediate } from 'node:timers/promises';
import { throwIfInterrupted } from '../errors.js';
import { updateIdFromBytes } from '../model/update-identity.js';
import type { SqlDatabase, SqlRow } from '../platform/sqlite.js';
import type { MissingReference, RevisionKey } from './metadata-store.js';
import { bytesOf, clausesOf, numberOf } from './rows.js';

/** Members of one clause that are named; a hostile clause has a quarter of a million. */
const MAX_NAMED_MEMBERS = 10;
/** Rows and members looked at before signals are heard. */
const STEPS_PER_TURN = 50_000;

export interface MissingReferences {
  /** the first ones */
  readonly missing: readonly MissingReference[];
  readonly missingCount: number;
}

/** Lets signals and timers through now and then. */
export class Pacer {
  readonly #signal: AbortSignal;
  #steps = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws WsusutilError `INTERRUPTED` */
  async step(count = 1): Promise<void> {
    this.#steps += count;
    if (this.#steps < STEPS_PER_TURN) return;
    this.#steps = 0;
    await setImmediate();
    throwIfInterrupted(this.#signal, 'importing; the store is as it was before');
  }
}

interface Member {
  readonly updateKey: number;
  readonly revisionNumber: number | undefined;
}

/**
 * @param open new revisions that came before a prerequisite of theirs, or before one that they bundle
 * @param limit references that are returned; all are counted
 */
export async function findMissingReferences(
  database: SqlDatabase,
  open: { readonly prerequisites: readonly RevisionKey[]; readonly bundles: readonly RevisionKey[] },
  limit: number,
  pacer: Pacer,
): Promise<MissingReferences> {
  const collector = new MissingCollector(database, limit);
  await addMissingPrerequisites(database, open.prerequisites, collector, pacer);
  await addMissingBundledRevisions(database, open.bundles, collector, pacer);
  return { missing: collector.missing, missingCount: collector.count };
}

/**
 * Which of `present`, revisions that the store had before, are worth a look, each once: they may lack what they lacked
 * then. Mostly none are.
 */
export function openAmong(
  database: SqlDatabase,
  present: readonly RevisionKey[],
): { readonly prerequisites: readonly RevisionKey[]; readonly bundles: readonly RevisionKey[] } {
  if (present.length === 0) return { prerequisites: [], bundles: [] };
  const isAwaited = database
    .prepare('SELECT 1 FROM updates WHERE awaited_by IS NOT NULL AND newest_revision_key IS NULL LIMIT 1')
    .get();
  const bundles = database
    .prepare(`
      SELECT DISTINCT b.revision_key FROM bundled_updates b
      LEFT JOIN revisions held ON held.update_key = b.update_key AND held.revision_number = b.revision_number
      WHERE held.revision_key IS NULL`)
    .all();
  if (isAwaited === undefined && bundles.length === 0) return { prerequisites: [], bundles: [] };
  const once = new Set(present); // a package may hold one twice
  return {
    prerequisites: isAwaited === undefined ? [] : [...once],
    bundles: bundles.map((row) => numberOf(row.revision_key)).filter((key) => once.has(key)),
  };
}

/** Clauses of which not one member has a revision. */
async function addMissingPrerequisites(
  database: SqlDatabase,
  unsatisfied: readonly RevisionKey[],
  collector: MissingCollector,
  pacer: Pacer,
): Promise<void> {
  const load = database.prepare('SELECT clauses FROM prerequisites WHERE revision_key = ?');
  const look = database.prepare('SELECT newest_revision_key FROM updates WHERE update_key = ?');
  const known = new Map<number, boolean>();
  const isHere = (updateKey: number) => {
    let here = known.get(updateKey);
    if (here === undefined) {
      here = (look.get(updateKey)?.newest_revision_key ?? null) !== null;
      if (known.size >= STEPS_PER_TURN) known.clear();
      known.set(updateKey, here);
    }
    return here;
  };
  for (const key of unsatisfied) {
    for (const [, ...members] of clausesOf(load.get(key)?.clauses)) {
      await pacer.step(members.length);
      if (members.some(isHere)) continue;
      collector.add(
        'prerequisite',
        key,
        members.slice(0, MAX_NAMED_MEMBERS).map((updateKey) => ({ updateKey, revisionNumber: undefined })),
        members.length,
      );
    }
  }
}

/** Bundled revisions that are not there; in an AtLeastOne clause one present member is enough. */
async function addMissingBundledRevisions(
  database: SqlDatabase,
  unsatisfied: readonly RevisionKey[],
  collector: MissingCollector,
  pacer: Pacer,
): Promise<void> {
  const load = database.prepare(`
    SELECT b.clause, b.update_key, b.revision_number, held.revision_key IS NOT NULL AS is_here
    FROM bundled_updates b
    LEFT JOIN revisions held ON held.update_key = b.update_key AND held.revision_number = b.revision_number
    WHERE b.revision_key = ? ORDER BY b.clause, b.position`);
  for (const key of unsatisfied) {
    const clauses = new Map<number, SqlRow[]>();
    for (const row of load.all(key)) {
      const clause = numberOf(row.clause);
      const members = clauses.get(clause);
      if (members === undefined) clauses.set(clause, [row]);
      else members.push(row);
    }
    for (const members of clauses.values()) {
      await pacer.step(members.length);
      if (members.some((row) => row.is_here === 1)) continue;
      const named = members.slice(0, MAX_NAMED_MEMBERS).map((row) => ({
        updateKey: numberOf(row.update_key),
        revisionNumber: numberOf(row.revision_number),
      }));
      collector.add('bundled', key, named, members.length);
    }
  }
}

/** Counts all, names the first. */
class MissingCollector {
  readonly missing: MissingReference[] = [];
  count = 0;
  readonly #limit: number;
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase, limit: number) {
    this.#database = database;
    this.#limit = limit;
  }

  add(
    kind: MissingReference['kind'],
    key: RevisionKey,
    members: readonly Member[],
    anyOfCount: number,
  ): void {
    if (++this.count > this.#limit) return;
    const id = this.#database.prepare('SELECT update_id FROM updates WHERE update_key = ?');
    const owner = this.#database
      .prepare(
        'SELECT u.update_id, r.revision_number FROM revisions r JOIN updates u ON u.update_key = r.update_key WHERE r.revision_key = ?',
      )
      .get(key);
    this.missing.push({
      kind,
      neededBy: {
        updateId: updateIdFromBytes(bytesOf(owner?.update_id)),
        revisionNumber: numberOf(owner?.revision_number),
      },
      anyOf: members.map(({ updateKey, revisionNumber }) => ({
        updateId: updateIdFromBytes(bytesOf(id.get(updateKey)?.update_id)),
        revisionNumber,
      })),
      anyOfCount,
    });
  }
}
