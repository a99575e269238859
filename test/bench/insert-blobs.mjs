// node test/bench/insert-blobs.mjs <store> <fresh file>
// The floor of an import: the compressed documents of a finished store, inserted into an empty database with the
// driver, page size and durability that the store uses, checkpoint included. Prints the milliseconds of that alone.
import { openDatabase } from '../../dist/platform/sqlite.js';

const PAGE_SIZE = 16_384;
const [storePath, freshPath] = process.argv.slice(2);
const store = await openDatabase(storePath, { readOnly: true });
const blobs = store
  .prepare('SELECT data FROM document_blocks')
  .all()
  .map((row) => row.data);
store.close();

const startedAt = performance.now();
const fresh = await openDatabase(freshPath);
fresh.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
fresh.exec('CREATE TABLE document_blocks (block_key INTEGER PRIMARY KEY, data BLOB NOT NULL); BEGIN;');
const insert = fresh.prepare('INSERT INTO document_blocks (data) VALUES (?)');
for (const blob of blobs) insert.run(blob);
fresh.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE);');
fresh.close();
console.log(performance.now() - startedAt);
