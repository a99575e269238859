// node test/bench/fetch-documents.mjs <upstream> [--concurrency N]
// The network's half of a synchronisation: everything a first one fetches, parsed and decoded by the program's own
// client, and dropped. Prints the documents and their bytes.
import { parseArgs } from 'node:util';
import { ServerSyncClient } from '../../dist/sync/server-sync-client.js';
import { openHttpPost } from '../../dist/transfer/http-post.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string', default: '4' } },
});
const concurrency = Number(values.concurrency);
const { post, close } = openHttpPost({ userAgent: 'wsusutil/bench', connections: concurrency });

const client = new ServerSyncClient({
  upstream: new URL(positionals[0]),
  account: { name: 'bench.corp.example', guid: '7d1f0c52-3b6e-4a0d-9f3a-52c1b8e0a417' },
  post,
  signal: new AbortController().signal,
  report: () => {},
});
await client.getConfigData();
const listed = [];
for (const getConfig of [true, false]) {
  const { revisions } = await client.getRevisionIdList({ anchor: undefined, getConfig });
  for (const identity of revisions) listed.push(identity);
}
let next = 0;
let documents = 0;
let size = 0;
const worker = async () => {
  while (next < listed.length) {
    const batch = listed.slice(next, next + client.updateBatchSize);
    next += batch.length;
    for await (const events of client.getUpdateData(batch)) {
      for (const event of events) {
        if (event.type === 'unavailable' || event.type === 'unreadable') throw new Error(event.type);
        if (event.type !== 'document') continue;
        documents++;
        size += event.document.length;
      }
    }
  }
};
await Promise.all(Array.from({ length: concurrency }, worker));
await close();
console.log(documents, size);
