import { setImmediate } from 'node:timers/promises';
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
const KEYS_PER_QUERY = 1024;
const SHA1_SIZE = 20;
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
  #selections = 0;
  /** newest revision whose files are in the table of this connection's own, if it only reads */
  #indexedTo: RevisionKey | undefined;

  /** To be called before each use: {@link catchUp}. */
  constructor(database: SqlDatabase, mode: 'read' | 'write', guard: Guard) {
    this.#database = database;
    this.#mode = mode;
    this.#guard = guard;
  }

  async select(scope: ContentScope): Promise<ContentSelection> {
    return this.#guard(() => {
      const kinds = scope.kinds?.map((kind) => FILE_KIND_CODES[kind]);
      const ofKind = kinds === undefined ? '' : ` AND f.kind IN (${kinds.join(',')})`;
      if (scope.keys === undefined) {
        return new Selection(this.#database, `content_files f WHERE 1${ofKind}`, this.#guard, () => {});
      }
      const table = `selected_files_${this.#selections++}`;
      this.#database.exec(
        `CREATE TEMP TABLE ${table} (folder BLOB, sha1 BLOB, PRIMARY KEY (folder, sha1)) WITHOUT ROWID`,
      );
      // Sorted first, rows go behind one another: a third of the time of inserting them where they belong.
      this.#database
        .prepare(
          `INSERT INTO ${table} SELECT DISTINCT substr(sha1, 20, 1) AS folder, sha1 FROM revision_files
           WHERE revision_key IN (SELECT value FROM json_each(?)) ORDER BY folder, sha1`,
        )
        .run(jsonKeys(scope.keys));
      return new Selection(
        this.#database,
        `${table} s CROSS JOIN content_files f ON f.folder = s.folder AND f.sha1 = s.sha1 WHERE 1${ofKind}`,
        this.#guard,
        () => this.#database.exec(`DROP TABLE ${table}`),
      );
    });
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
    const rows = this.#guard(() =>
      this.#database
        .prepare(
          `SELECT sha1, revision_key, size, kind FROM revision_files
           ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY sha1, revision_key`,
        )
        .iterate(...(keys === undefined ? [] : [jsonKeys(keys)])),
    );
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
  catchUp(): void {
    const to = numberOf(
      this.#database.prepare('SELECT coalesce(max(revision_key), 0) AS newest FROM revisions').get()?.newest,
    );
    if (this.#mode === 'read' && this.#indexedTo === to) return;
    if (this.#mode === 'read') this.#database.exec('DROP TABLE IF EXISTS temp.content_files');
    this.#insertNewest(numberOf(this.#info(INDEXED_TO)), to);
    this.#indexedTo = to;
  }

  #insertNewest(from: RevisionKey, to: RevisionKey): void {
    if (from >= to) return;
    if (this.#mode === 'read') {
      const table = this.#database
        .prepare("SELECT sql FROM main.sqlite_schema WHERE name = 'content_files'")
        .get();
      this.#database.exec((textOf(table?.sql) ?? '').replace('CREATE TABLE', 'CREATE TEMP TABLE'));
      this.#database.exec('INSERT INTO temp.content_files SELECT * FROM main.content_files');
      this.#insertFiles('temp', from);
      return;
    }
    this.#transaction(() => {
      this.#insertFiles('main', from);
      this.#database.prepare('UPDATE store_info SET value = ? WHERE name = ?').run(String(to), INDEXED_TO);
    });
  }

  /** Where documents disagree about a file, the first one counts, except that a licence text is one for all. */
  #insertFiles(schema: 'main' | 'temp', from: RevisionKey): void {
    const { licence } = FILE_KIND_CODES;
    this.#database
      .prepare(
        `INSERT INTO ${schema}.content_files (folder, sha1, sha256, size, kind, file_name)
         SELECT substr(sha1, 20, 1) AS folder, sha1, sha256, size, kind, file_name FROM revision_files
         WHERE revision_key > ? ORDER BY folder, sha1, revision_key, position
         ON CONFLICT (folder, sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256),
           kind = CASE WHEN ${licence} IN (kind, excluded.kind) THEN ${licence} ELSE min(kind, excluded.kind) END
         WHERE sha256 IS NULL AND excluded.sha256 IS NOT NULL OR kind <> excluded.kind`,
      )
      .run(from);
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

class Selection implements ContentSelection {
  readonly totals: ContentSelection['totals'];
  readonly #page: SqlStatement;
  readonly #expectation: SqlStatement;
  readonly #states: SqlStatement;
  readonly #guard: Guard;
  readonly #onClose: () => void;

  /** @param from tables and conditions, with `f` for `content_files` */
  constructor(database: SqlDatabase, from: string, guard: Guard, onClose: () => void) {
    this.#guard = guard;
    const none = { files: 0, bytes: 0 };
    const totals = { payload: none, express: none, licence: none, files: 0, bytes: 0 };
    const sums = database.prepare(
      `SELECT f.kind, count(*) AS files, sum(f.size) AS bytes FROM ${from} GROUP BY f.kind`,
    );
    for (const row of sums.iterate()) {
      const sum = { files: numberOf(row.files), bytes: numberOf(row.bytes) };
      totals[kindOf(row.kind)] = sum;
      totals.files += sum.files;
      totals.bytes += sum.bytes;
    }
    this.totals = totals;
    const place = from.includes(' s ') ? 's' : 'f';
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
       FROM ${from} GROUP BY f.kind, f.state, f.checked_at IS NULL`,
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

  async states(): Promise<readonly StateTotals[]> {
    return this.#guard(() =>
      this.#states.all().map((row) => ({
        kind: kindOf(row.kind),
        state: row.unchecked === 1 ? 'unchecked' : stateOf(row.state),
        files: numberOf(row.files),
        bytes: numberOf(row.bytes),
      })),
    );
  }

  async close(): Promise<void> {
    this.#guard(this.#onClose);
  }
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
