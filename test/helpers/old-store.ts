import { deflateRawSync } from 'node:zlib';
import { openDatabase } from '../../src/platform/sqlite.js';
import { CODECS, unpackAtMost } from '../../src/store/document-block.js';

const MAX_BLOCK_SIZE = 1 << 24;

/** What each version added, taken away again; by the version before it. */
const BACK_TO: Readonly<Record<number, string>> = {
  3: `DROP TABLE sent_packages; DROP TABLE accepted_packages; DROP TABLE import_marks;
      DELETE FROM store_info WHERE name = 'revision_keys_to'`,
  2: `DROP TABLE sync_state; DROP TABLE owed_revisions; DROP TABLE history_messages;
      DROP TABLE decryption_keys; DROP TABLE driver_sets`,
  1: `DROP TABLE content_files; DELETE FROM store_info WHERE name = 'content_files_to'`,
};

/** Makes a closed store of today one as an earlier version of the program left it. */
export async function bringBack(path: string, version: 1 | 2 | 3 | 4): Promise<void> {
  const database = await openDatabase(path);
  for (const [table, column] of [
    ['document_blocks', 'data'],
    ['localized_titles', 'titles'],
  ] as const) {
    const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE block_key = ?`);
    for (const row of database.prepare(`SELECT block_key, ${column} AS packed FROM ${table}`).all()) {
      const plain = unpackAtMost(CODECS.brotli, row.packed as Uint8Array, MAX_BLOCK_SIZE);
      update.run(deflateRawSync(plain), row.block_key as number);
    }
    database.exec(`ALTER TABLE ${table} DROP COLUMN codec`);
  }
  for (let earlier = 3; earlier >= version; earlier--) database.exec(BACK_TO[earlier] as string);
  database.exec(`PRAGMA user_version = ${version}`);
  database.close();
}
