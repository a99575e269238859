import { errorText, WsusutilError } from '../errors.js';
import { updateIdFromBytes } from '../model/update-identity.js';
import type { SqlDatabase, SqlStatement } from '../platform/sqlite.js';
import { unpackBlock } from './document-block.js';
import type { RevisionKey, StoredDocument } from './metadata-store.js';
import { bytesOf, jsonKeys, numberOf } from './rows.js';

const KEYS_PER_QUERY = 512;
/** Documents handed out at once, bytes. */
const BATCH_SIZE = 1 << 20;

/** Reads documents out of their blocks; the block last used stays unpacked. */
export class DocumentReader {
  readonly #database: SqlDatabase;
  readonly #path: string;
  readonly #block: SqlStatement;
  #blockKey = -1;
  #blockBytes: Uint8Array = new Uint8Array(0);

  constructor(database: SqlDatabase, path: string) {
    this.#database = database;
    this.#path = path;
    this.#block = database.prepare('SELECT codec, size, data FROM document_blocks WHERE block_key = ?');
  }

  /** In rising order of key within each run of {@link KEYS_PER_QUERY}; ask in rising order for the order asked. */
  *read(keys: Iterable<RevisionKey>): Generator<readonly StoredDocument[]> {
    const statement = this.#database.prepare(`
      SELECT r.revision_key, u.update_id, r.revision_number, r.block_key, r.block_offset, r.document_size
      FROM json_each(?) AS wanted
      JOIN revisions r ON r.revision_key = wanted.value
      JOIN updates u ON u.update_key = r.update_key
      ORDER BY wanted.key`);
    let batch: StoredDocument[] = [];
    let batchSize = 0;
    for (const run of runsOf(keys, KEYS_PER_QUERY)) {
      const rows = statement.all(jsonKeys(run));
      if (rows.length !== run.length) {
        throw new WsusutilError(
          'NOT_FOUND',
          `The store ${this.#path} has no revision under one of the keys asked for`,
        );
      }
      for (const row of rows) {
        const document = this.readSlice(
          numberOf(row.block_key),
          numberOf(row.block_offset),
          numberOf(row.document_size),
        );
        batch.push({
          key: numberOf(row.revision_key),
          identity: {
            updateId: updateIdFromBytes(bytesOf(row.update_id)),
            revisionNumber: numberOf(row.revision_number),
          },
          document,
        });
        batchSize += document.length;
        if (batchSize >= BATCH_SIZE) {
          yield batch;
          batch = [];
          batchSize = 0;
        }
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** @throws WsusutilError `NOT_FOUND`, `STORE_CORRUPT` */
  readOne(key: RevisionKey): Uint8Array {
    for (const [only] of this.read([key])) {
      if (only !== undefined) return only.document;
    }
    throw new WsusutilError('NOT_FOUND', `The store ${this.#path} has no revision with key ${key}`);
  }

  /** A part of a block, whoever it belongs to. */
  readSlice(blockKey: number, offset: number, size: number): Uint8Array {
    if (blockKey !== this.#blockKey) {
      this.#blockBytes = this.#unpack(blockKey);
      this.#blockKey = blockKey;
    }
    if (offset + size > this.#blockBytes.length)
      throw this.#corrupt(blockKey, 'is shorter than its documents');
    return this.#blockBytes.subarray(offset, offset + size);
  }

  #unpack(blockKey: number): Uint8Array {
    const row = this.#block.get(blockKey);
    if (row === undefined) throw this.#corrupt(blockKey, 'is missing');
    try {
      return unpackBlock(numberOf(row.codec), bytesOf(row.data), numberOf(row.size));
    } catch (cause) {
      throw this.#corrupt(blockKey, errorText(cause), cause);
    }
  }

  #corrupt(blockKey: number, what: string, cause?: unknown): WsusutilError {
    return new WsusutilError(
      'STORE_CORRUPT',
      `Document block ${blockKey} of the store ${this.#path} ${what}`,
      {
        hint: 'Run "wsusutil checkstore" for all that is damaged; then restore the store from a backup, or move it away and import the packages again.',
        cause,
      },
    );
  }
}

export function* runsOf<T>(items: Iterable<T>, length: number): Generator<T[]> {
  let run: T[] = [];
  for (const item of items) {
    run.push(item);
    if (run.length === length) {
      yield run;
      run = [];
    }
  }
  if (run.length > 0) yield run;
}
