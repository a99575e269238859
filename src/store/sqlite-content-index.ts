import { setImmediate } from 'node:timers/promises';
import { throwIfInterrupted } from '../errors.js';
import {
  type ContentFileKind,
  type ContentProblem,
  type ContentRecord,
  type ContentState,
  formatStamp,
  parseStamp,
  type WantedFile,
} from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '../platform/sqlite.js';
import type {
  ContentIndex,
  ContentRun,
  ContentScope,
  ContentSelection,
  ContentTotals,
  FileUsers,
  FolderExpectation,
  StateTotals,
} from './content-index.js';
import { runsOf } from './document-reader.js';
import type { RevisionKey, RevisionSummary } from './metadata-store.js';
import { bytesOf, IS_SUPERSEDED, jsonKeys, numberOf, SUMMARY_COLUMNS, summaryOf, textOf } from './rows.js';
import { CONTENT_PROBLEM_CODES, CONTENT_STATE_CODES, FILE_KIND_CODES } from './schema.js';

const FILES_PER_PAGE = 4096;
/**
 * SQLite hears no signal while a statement runs, so what goes over all files is asked in slices of about so many: a
 * quarter of a second each. Eight slices of a million files take a fifth longer than one statement.
 */
const FILES_PER_SLICE = 125_000;
const KEYS_PER_QUERY = 1024;
const SHA1_SIZE = 20;
/** values of a byte */
const FOLDER_COUNT = 256;
/** before the file's name in a line of {@link PAGE_TEXT} */
const LINE_FIELDS = 10;
const INDEXED_TO = 'content_files_to';
const UNFINISHED_RUN = 'unfinished_content_run';
/**
 * A page of files as one text: a line per file, blanks between. The driver takes half a microsecond per value it hands
 * over, which was most of the time of a check of presence; this way it took a third. What may hold blanks comes last.
 */
const PAGE_TEXT = `SELECT group_concat(line, char(10)) AS page FROM (
  SELECT hex(f.sha1) || ' ' || coalesce(hex(f.sha256), '') || ' ' || f.size || ' ' || f.kind || ' ' ||
    coalesce(f.checked_at, '') || ' ' || f.state || ' ' || coalesce(f.problem, '') || ' ' ||
    coalesce(f.stamp, '  ') || ' ' || replace(f.file_name, char(10), ' ') AS line`;
const FILE_COLUMNS =
  'f.sha1, f.sha256, f.size, f.kind, f.file_name, f.state, f.problem, f.checked_at, f.stamp';

/** Runs a piece of work; what SQLite says against it becomes an error for people. */
type Guard = <T>(work: () => T) => T;

/** {@link ContentIndex} over the store's connection. */
export class SqliteContentIndex implements ContentIndex {
  readonly #database: SqlDatabase;
  readonly #mode: 'read' | 'write';
  readonly #guard: Guard;
  readonly #filesPerSlice: number;
  #selections = 0;
  /** newest revision whose files are in the table of this connection's own, if it only reads */
  #indexedTo: RevisionKey | undefined;
  #catchingUp: Promise<void> = Promise.resolve();

  /** To be called before each use: {@link catchUp}. */
  constructor(
    database: SqlDatabase,
    mode: 'read' | 'write',
    guard: Guard,
    filesPerSlice: number = FILES_PER_SLICE,
  ) {
    this.#filesPerSlice = filesPerSlice;
    this.#database = database;
    this.#mode = mode;
    this.#guard = guard;
  }

  async select(scope: ContentScope, signal?: AbortSignal): Promise<ContentSelection> {
    const kinds = scope.kinds?.map((kind) => FILE_KIND_CODES[kind]);
    const ofKind = kinds === undefined ? '' : ` AND f.kind IN (${kinds.join(',')})`;
    const slices = this.#guard(() => this.#slices());
    await turn(signal);
    const database = this.#database;
    if (scope.keys === undefined) {
      const from = `content_files f WHERE 1${ofKind}`;
      return Selection.open({ database, from, slices, guard: this.#guard, onClose: () => {}, signal });
    }
    const table = `selected_files_${this.#selections++}`;
    const drop = () => database.exec(`DROP TABLE ${table}`);
    const keys = jsonKeys(scope.keys);
    this.#guard(() =>
      database.exec(
        `CREATE TEMP TABLE ${table} (folder BLOB, sha1 BLOB, PRIMARY KEY (folder, sha1)) WITHOUT ROWID`,
      ),
    );
    try {
      for (const [from, to] of slices) {
        // Sorted first, rows go behind one another: a third of the time of inserting them where they belong.
        this.#guard(() =>
          database
            .prepare(
              `INSERT INTO ${table} SELECT DISTINCT substr(sha1, 20, 1) AS folder, sha1 FROM revision_files
               WHERE revision_key IN (SELECT value FROM json_each(?)) AND folder >= ? AND folder < ?
               ORDER BY folder, sha1`,
            )
            .run(keys, from, to),
        );
        await turn(signal);
      }
      return await Selection.open({
        database,
        from: `${table} s CROSS JOIN content_files f ON f.folder = s.folder AND f.sha1 = s.sha1 WHERE 1${ofKind}`,
        slices,
        guard: this.#guard,
        onClose: drop,
        signal,
      });
    } catch (error) {
      this.#guard(drop);
      throw error;
    }
  }

  async find(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, WantedFile>> {
    return this.#guard(() => {
      const find = this.#database.prepare(
        `SELECT ${FILE_COLUMNS} FROM content_files f WHERE f.folder = ? AND f.sha1 = ?`,
      );
      const found = new Map<Sha1Hex, WantedFile>();
      for (const sha1 of sha1s) {
        const row = find.get(...keyOf(sha1));
        if (row !== undefined) found.set(sha1, wantedFileOf(row));
      }
      return found;
    });
  }

  async sizes(): Promise<ReadonlySet<number>> {
    return this.#guard(() => {
      const sizes = new Set<number>();
      const rows = this.#database.prepare('SELECT DISTINCT size FROM content_files');
      for (const row of rows.iterate()) sizes.add(numberOf(row.size));
      return sizes;
    });
  }

  async users(sha1s: readonly Sha1Hex[], limit: number) {
    return this.#guard(() => {
      const wanted = JSON.stringify(sha1s);
      const counts = this.#database.prepare(`
        SELECT sha1, revision_key FROM revision_files WHERE sha1 IN (SELECT unhex(value) FROM json_each(?))
        ORDER BY sha1, revision_key`);
      const keysOf = new Map<Sha1Hex, { keys: Set<RevisionKey>; count: number }>();
      const summaries = new Map<RevisionKey, RevisionSummary | undefined>();
      let last: RevisionKey | undefined;
      for (const row of counts.iterate(wanted)) {
        const sha1 = hexOf(row.sha1);
        const key = numberOf(row.revision_key);
        let entry = keysOf.get(sha1);
        if (entry === undefined) {
          entry = { keys: new Set(), count: 0 };
          keysOf.set(sha1, entry);
          last = undefined;
        }
        if (key === last) continue; // one document may list a file twice
        last = key;
        entry.count++;
        if (entry.keys.size < limit) {
          entry.keys.add(key);
          summaries.set(key, undefined);
        }
      }
      const select = this.#database.prepare(`
        SELECT ${SUMMARY_COLUMNS}, ${IS_SUPERSEDED} AS is_superseded
        FROM json_each(?) wanted JOIN revisions r ON r.revision_key = wanted.value
        JOIN updates u ON u.update_key = r.update_key`);
      for (const run of runsOf([...summaries.keys()], KEYS_PER_QUERY)) {
        for (const row of select.iterate(jsonKeys(run)))
          summaries.set(numberOf(row.revision_key), summaryOf(row));
      }
      return new Map(
        [...keysOf].map(([sha1, { keys, count }]) => [
          sha1,
          {
            count,
            revisions: [...keys].flatMap((key) => {
              const summary = summaries.get(key);
              return summary === undefined ? [] : [summary];
            }),
          },
        ]),
      );
    });
  }

  async *filesByDigest(scope: ContentScope) {
    const { keys, kinds } = scope;
    const conditions = [
      ...(keys === undefined ? [] : ['revision_key IN (SELECT value FROM json_each(?))']),
      ...(kinds === undefined ? [] : [`kind IN (${kinds.map((kind) => FILE_KIND_CODES[kind]).join(',')})`]),
    ];
    // Sorted by SQLite, in its temporary file: a million files would take more memory than a command may.
    const statement = this.#guard(() =>
      this.#database.prepare(
        `SELECT sha1, revision_key, size, kind FROM revision_files
         WHERE ${[...conditions, 'sha1 >= ? AND sha1 < ?'].join(' AND ')} ORDER BY sha1, revision_key`,
      ),
    );
    const wanted = keys === undefined ? [] : [jsonKeys(keys)];
    const slices = this.#guard(() => this.#slices());
    const rows = joined(slices.map((slice) => () => statement.iterate(...wanted, ...slice)));
    let batch: FileUsers[] = [];
    let file: { digest: Uint8Array; users: RevisionKey[]; size: number; kind: ContentFileKind } | undefined;
    for (;;) {
      const step = this.#guard(() => rows.next());
      const digest = step.done === true ? undefined : bytesOf(step.value.sha1);
      if (file !== undefined && (digest === undefined || Buffer.compare(file.digest, digest) !== 0)) {
        batch.push(file);
        file = undefined;
      }
      if (batch.length === FILES_PER_PAGE || (digest === undefined && batch.length > 0)) {
        await setImmediate(); // as for a page
        yield batch;
        batch = [];
      }
      if (step.done === true || digest === undefined) return;
      const key = numberOf(step.value.revision_key);
      const kind = kindOf(step.value.kind);
      if (file === undefined) file = { digest, users: [key], size: numberOf(step.value.size), kind };
      else {
        if (file.users.at(-1) !== key) file.users.push(key);
        if (kind === 'licence') file.kind = kind;
      }
    }
  }

  async *digestsOf({ keys, kinds }: Required<ContentScope>) {
    const digits = 2 * SHA1_SIZE;
    for (const run of runsOf(keys, KEYS_PER_QUERY)) {
      const text = this.#guard(() =>
        textOf(
          this.#database
            .prepare(
              `SELECT group_concat(hex(sha1), '') AS digests FROM revision_files
               WHERE revision_key IN (SELECT value FROM json_each(?))
                 AND kind IN (${kinds.map((kind) => FILE_KIND_CODES[kind]).join(',')})`,
            )
            .get(jsonKeys(run))?.digests,
        ),
      );
      const digests: Sha1Hex[] = [];
      for (let at = 0; at < (text?.length ?? 0); at += digits)
        digests.push(text?.slice(at, at + digits) ?? '');
      yield digests;
    }
  }

  async record(
    entries: readonly { readonly sha1: Sha1Hex; readonly record: ContentRecord }[],
  ): Promise<void> {
    return this.#guard(() => {
      const update = this.#database.prepare(`
        UPDATE content_files SET state = ?, problem = ?, checked_at = ?, stamp = ?
        WHERE folder = ? AND sha1 = ?`);
      this.#transaction(() => {
        for (const { sha1, record } of entries) {
          update.run(
            CONTENT_STATE_CODES[record.state],
            record.problem === undefined ? null : CONTENT_PROBLEM_CODES[record.problem],
            record.checkedAt,
            record.stamp === undefined ? null : formatStamp(record.stamp),
            ...keyOf(sha1),
          );
        }
      });
    });
  }

  async states() {
    return this.#guard(() => {
      const none = { files: 0, bytes: 0 };
      const states: Record<ContentState, ContentTotals> = {
        absent: none,
        verified: none,
        unverified: none,
        corrupt: none,
      };
      const rows = this.#database.prepare(
        'SELECT state, count(*) AS files, sum(size) AS bytes FROM content_files GROUP BY state',
      );
      for (const row of rows.iterate()) {
        states[stateOf(row.state)] = { files: numberOf(row.files), bytes: numberOf(row.bytes) };
      }
      return states;
    });
  }

  async unfinishedRun(): Promise<ContentRun | undefined> {
    return this.#guard(() => {
      const text = textOf(this.#info(UNFINISHED_RUN));
      return text === undefined ? undefined : (JSON.parse(text) as ContentRun);
    });
  }

  async setUnfinishedRun(run: ContentRun | undefined): Promise<void> {
    return this.#guard(() => {
      if (run === undefined)
        this.#database.prepare('DELETE FROM store_info WHERE name = ?').run(UNFINISHED_RUN);
      else {
        this.#database
          .prepare('INSERT OR REPLACE INTO store_info VALUES (?, ?)')
          .run(UNFINISHED_RUN, JSON.stringify(run));
      }
    });
  }

  /**
   * Brings `content_files` up to the newest revision. A connection that only reads makes a table of its own of that
   * name, in SQLite's temporary file, which hides the stored one.
   */
  async catchUp(signal: AbortSignal | undefined): Promise<void> {
    if (this.#mode === 'write') {
      this.#guard(() => this.#catchUpForGood());
      return;
    }
    const before = this.#catchingUp;
    const work = before.then(() => this.#catchUpHere(signal));
    this.#catchingUp = work.catch(() => {}); // one after the other; each says for itself what went wrong
    return work;
  }

  #catchUpForGood(): void {
    const from = numberOf(this.#info(INDEXED_TO));
    const to = this.#newestRevision();
    if (from >= to) return;
    this.#transaction(() => {
      this.#insertFiles('main', from, to, WHOLE);
      this.#database.prepare('UPDATE store_info SET value = ? WHERE name = ?').run(String(to), INDEXED_TO);
    });
  }

  /** In slices, each of which is a transaction: what is left of one that was broken off is drawn up again. */
  async #catchUpHere(signal: AbortSignal | undefined): Promise<void> {
    const slices = this.#guard(() => {
      const to = this.#newestRevision();
      if (this.#indexedTo === to) return [];
      this.#indexedTo = undefined;
      this.#database.exec('DROP TABLE IF EXISTS temp.content_files');
      const from = numberOf(this.#info(INDEXED_TO));
      if (from >= to) {
        this.#indexedTo = to;
        return [];
      }
      const table = this.#database
        .prepare("SELECT sql FROM main.sqlite_schema WHERE name = 'content_files'")
        .get();
      this.#database.exec((textOf(table?.sql) ?? '').replace('CREATE TABLE', 'CREATE TEMP TABLE'));
      return this.#slices().map((slice) => ({ slice, from, to }));
    });
    await turn(signal); // to count them is to read them all
    for (const { slice, from, to } of slices) {
      this.#guard(() => {
        this.#database
          .prepare(
            'INSERT INTO temp.content_files SELECT * FROM main.content_files WHERE folder >= ? AND folder < ?',
          )
          .run(...slice);
        this.#insertFiles('temp', from, to, slice);
      });
      await turn(signal);
    }
    const done = slices.at(-1);
    if (done !== undefined) this.#indexedTo = done.to;
  }

  #newestRevision(): RevisionKey {
    return numberOf(
      this.#database.prepare('SELECT coalesce(max(revision_key), 0) AS newest FROM revisions').get()?.newest,
    );
  }

  /** Parts of about equal size; a file counts for each revision that lists it. */
  #slices(): readonly Slice[] {
    const { files } = this.#database.prepare('SELECT count(*) AS files FROM revision_files').get() ?? {};
    return slicesOf(Math.ceil(numberOf(files) / this.#filesPerSlice));
  }

  /** Where documents disagree about a file, the first one counts, except that a licence text is one for all. */
  #insertFiles(schema: 'main' | 'temp', from: RevisionKey, to: RevisionKey, slice: Slice): void {
    const { licence } = FILE_KIND_CODES;
    this.#database
      .prepare(
        `INSERT INTO ${schema}.content_files (folder, sha1, sha256, size, kind, file_name)
         SELECT substr(sha1, 20, 1) AS folder, sha1, sha256, size, kind, file_name FROM revision_files
         WHERE revision_key > ? AND revision_key <= ? AND folder >= ? AND folder < ?
         ORDER BY folder, sha1, revision_key, position
         ON CONFLICT (folder, sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256),
           kind = CASE WHEN ${licence} IN (kind, excluded.kind) THEN ${licence} ELSE min(kind, excluded.kind) END
         WHERE sha256 IS NULL AND excluded.sha256 IS NOT NULL OR kind <> excluded.kind`,
      )
      .run(from, to, ...slice);
  }

  /** A savepoint, as there may be an import around it: the dry run of a synchronisation looks at content too. */
  #transaction(work: () => void): void {
    this.#database.exec('SAVEPOINT content_index');
    try {
      work();
    } catch (error) {
      try {
        this.#database.exec('ROLLBACK TO content_index; RELEASE content_index');
      } catch {
        // SQLite has rolled back by itself (disk full, I/O error).
      }
      throw error;
    }
    this.#database.exec('RELEASE content_index');
  }

  #info(name: string): SqlValue | undefined {
    return this.#database.prepare('SELECT value FROM store_info WHERE name = ?').get(name)?.value;
  }
}

/** Digests from the first one up to, and not including, the second. */
type Slice = readonly [from: Uint8Array, to: Uint8Array];

const PAST_THE_LAST = Buffer.alloc(SHA1_SIZE + 1, 0xff);
const WHOLE: Slice = [Buffer.alloc(0), PAST_THE_LAST];

/** By the first byte of a digest, or by a folder, which is a digest's last byte. */
function slicesOf(wanted: number): readonly Slice[] {
  const count = Math.min(FOLDER_COUNT, wanted);
  if (count <= 1) return [WHOLE];
  const start = (part: number) =>
    part === 0
      ? WHOLE[0]
      : part === count
        ? PAST_THE_LAST
        : Buffer.of(Math.floor((FOLDER_COUNT * part) / count));
  return Array.from({ length: count }, (_, part) => [start(part), start(part + 1)]);
}

/** Lets signals be heard, and others have their turn. @throws WsusutilError `INTERRUPTED` */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  throwIfInterrupted(signal, 'finding the files that the metadata calls for');
}

/** One after the other, each asked for when the one before is through. */
function* joined<T>(parts: readonly (() => Iterable<T>)[]): Generator<T> {
  for (const part of parts) yield* part();
}

interface SelectionParts {
  readonly database: SqlDatabase;
  /** tables and conditions, with `f` for `content_files` */
  readonly from: string;
  readonly slices: readonly Slice[];
  readonly guard: Guard;
  readonly onClose: () => void;
  readonly signal: AbortSignal | undefined;
}

class Selection implements ContentSelection {
  readonly totals: ContentSelection['totals'];
  readonly #page: SqlStatement;
  readonly #expectation: SqlStatement;
  readonly #states: SqlStatement;
  readonly #guard: Guard;
  readonly #slices: readonly Slice[];
  readonly #onClose: () => void;

  static async open(parts: SelectionParts): Promise<Selection> {
    const { database, from, slices, guard, signal } = parts;
    const none = { files: 0, bytes: 0 };
    const totals = { payload: none, express: none, licence: none, files: 0, bytes: 0 };
    const sums = guard(() =>
      database.prepare(
        `SELECT f.kind, count(*) AS files, sum(f.size) AS bytes FROM ${from}
         AND ${placeIn(from)}.folder >= ? AND ${placeIn(from)}.folder < ? GROUP BY f.kind`,
      ),
    );
    for (const slice of slices) {
      for (const row of guard(() => sums.all(...slice))) {
        const sum = { files: numberOf(row.files), bytes: numberOf(row.bytes) };
        totals[kindOf(row.kind)] = added(totals[kindOf(row.kind)], sum);
        Object.assign(totals, added(totals, sum));
      }
      await turn(signal);
    }
    return guard(() => new Selection(parts, totals));
  }

  private constructor(
    { database, from, slices, guard, onClose }: SelectionParts,
    totals: ContentSelection['totals'],
  ) {
    this.#guard = guard;
    this.#slices = slices;
    this.totals = totals;
    const place = placeIn(from);
    this.#page = database.prepare(
      `${PAGE_TEXT} FROM ${from} AND ${place}.folder = ? AND ${place}.sha1 > ?
       ORDER BY ${place}.sha1 LIMIT ${FILES_PER_PAGE})`,
    );
    const isVerified = `state = ${CONTENT_STATE_CODES.verified} AND stamp LIKE size || ' %'`;
    this.#expectation = database.prepare(
      `SELECT group_concat(hex(sha1) || ' ' || stamp, char(10)) AS listing, count(*) AS files, total(size) AS bytes,
         total(NOT verified) AS others
       FROM (SELECT sha1, stamp, size, ${isVerified} AS verified FROM (
         SELECT f.* FROM ${from} AND ${place}.folder = ? ORDER BY ${place}.sha1))`,
    );
    this.#states = database.prepare(
      `SELECT f.kind, f.state, f.checked_at IS NULL AS unchecked, count(*) AS files, sum(f.size) AS bytes
       FROM ${from} AND ${place}.folder >= ? AND ${place}.folder < ?
       GROUP BY f.kind, f.state, f.checked_at IS NULL`,
    );
    this.#onClose = onClose;
  }

  async page(folder: number, after: Sha1Hex | undefined): Promise<readonly WantedFile[]> {
    await setImmediate(); // who asks for page after page hears signals and timers, and others get their turn
    const start = after === undefined ? Buffer.alloc(0) : Buffer.from(after, 'hex');
    const text = this.#guard(() => textOf(this.#page.get(Buffer.of(folder), start)?.page));
    return text === undefined ? [] : text.split('\n').map(wantedFileOfLine);
  }

  async expectation(folder: number): Promise<FolderExpectation | undefined> {
    return this.#guard(() => {
      const row = this.#expectation.get(Buffer.of(folder)) ?? {};
      if (numberOf(row.others) > 0) return undefined;
      return {
        listing: textOf(row.listing) ?? '',
        files: numberOf(row.files),
        bytes: numberOf(row.bytes),
      };
    });
  }

  async states(signal?: AbortSignal): Promise<readonly StateTotals[]> {
    const found = new Map<string, StateTotals>();
    for (const slice of this.#slices) {
      for (const row of this.#guard(() => this.#states.all(...slice))) {
        const kind = kindOf(row.kind);
        const state = row.unchecked === 1 ? 'unchecked' : stateOf(row.state);
        const sum = { files: numberOf(row.files), bytes: numberOf(row.bytes) };
        const name = `${kind} ${state}`;
        found.set(name, { kind, state, ...added(found.get(name) ?? { files: 0, bytes: 0 }, sum) });
      }
      await turn(signal);
    }
    return [...found.values()];
  }

  async close(): Promise<void> {
    this.#guard(this.#onClose);
  }
}

/** The table that a selection goes along. */
function placeIn(from: string): 's' | 'f' {
  return from.includes(' s ') ? 's' : 'f';
}

function added(one: ContentTotals, other: ContentTotals): ContentTotals {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes };
}

function keyOf(sha1: Sha1Hex): [folder: Uint8Array, sha1: Uint8Array] {
  const bytes = Buffer.from(sha1, 'hex');
  return [bytes.subarray(-1), bytes];
}

function wantedFileOf(row: SqlRow): WantedFile {
  return {
    sha1: hexOf(row.sha1),
    sha256: row.sha256 === null ? undefined : hexOf(row.sha256),
    size: numberOf(row.size),
    fileName: textOf(row.file_name) ?? '',
    kind: kindOf(row.kind),
    record: row.checked_at === null ? undefined : recordOf(row),
  };
}

/** A line of {@link PAGE_TEXT}. */
function wantedFileOfLine(line: string): WantedFile {
  const [
    sha1 = '',
    sha256 = '',
    size,
    kind,
    checkedAt = '',
    state,
    problem = '',
    foundSize = '',
    modifiedAt,
    fileId = '',
  ] = line.split(' ', LINE_FIELDS);
  let nameAt = 0;
  for (let field = 0; field < LINE_FIELDS; field++) nameAt = line.indexOf(' ', nameAt) + 1;
  return {
    sha1,
    sha256: sha256 === '' ? undefined : sha256,
    size: Number(size),
    fileName: line.slice(nameAt),
    kind: KINDS[Number(kind)] as ContentFileKind,
    record:
      checkedAt === ''
        ? undefined
        : {
            state: STATES[Number(state)] as ContentState,
            problem: problem === '' ? undefined : PROBLEMS[Number(problem)],
            checkedAt: Number(checkedAt),
            stamp:
              foundSize === ''
                ? undefined
                : { size: Number(foundSize), modifiedAt: Number(modifiedAt), fileId },
          },
  };
}

function recordOf(row: SqlRow): ContentRecord {
  return {
    state: stateOf(row.state),
    problem: row.problem === null ? undefined : PROBLEMS[numberOf(row.problem)],
    checkedAt: numberOf(row.checked_at),
    stamp: row.stamp === null ? undefined : parseStamp(textOf(row.stamp) ?? ''),
  };
}

function hexOf(value: SqlValue | undefined): string {
  return Buffer.from(bytesOf(value)).toString('hex').toUpperCase();
}

const KINDS = namesByCode(FILE_KIND_CODES);
const STATES = namesByCode(CONTENT_STATE_CODES);
const PROBLEMS: readonly (ContentProblem | undefined)[] = namesByCode(CONTENT_PROBLEM_CODES);

function kindOf(value: SqlValue | undefined): ContentFileKind {
  return KINDS[numberOf(value)] as ContentFileKind;
}

function stateOf(value: SqlValue | undefined): ContentState {
  return STATES[numberOf(value)] as ContentState;
}

/** Names in the places of their codes. */
function namesByCode<K extends string>(codes: Readonly<Record<K, number>>): readonly (K | undefined)[] {
  const names: (K | undefined)[] = [];
  for (const name of Object.keys(codes) as K[]) names[codes[name]] = name;
  return names;
}
