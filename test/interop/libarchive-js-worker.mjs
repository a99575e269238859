// Opens one cabinet with libarchive.js and answers with a line per member. A thread of its own, because the library
// throws for a damaged cabinet where nobody can catch it.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { Archive } from 'libarchive.js/dist/libarchive-node.mjs';

const archive = await Archive.open(new Blob([workerData]));
const contents = [];
for (const { file } of await archive.getFilesArray()) {
  const data = Buffer.from(await (await file.extract()).arrayBuffer());
  contents.push(`${data.length} ${createHash('sha256').update(data).digest('hex')}`);
}
parentPort.postMessage(contents.sort());
