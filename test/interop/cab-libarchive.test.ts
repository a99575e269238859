/** A second opinion on every real cabinet: two builds of libarchive. Where they succeed, the contents are ours. */
import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { ArchiveReader, libarchiveWasm } from 'libarchive-wasm';
import { expect, test } from 'vitest';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import { buildCabinet, lzxFolder } from '../helpers/cabinet-builder.js';
import { writeToMemory } from '../helpers/cabinet-writing.js';
import { randomText, seededRandom } from '../helpers/seeded-random.js';
import { listSharedCabinets } from '../helpers/shared-cabinets.js';
import { sharedData, withSharedData } from '../helpers/shared-data.js';

/** one line a member, sorted: size and SHA-256 (names may be in code pages libarchive takes otherwise) */
type Contents = readonly string[];

const describeMember = (data: Uint8Array) =>
  `${data.length} ${createHash('sha256').update(data).digest('hex')}`;

/** The contents as this project reads them; `undefined` if it refuses. */
function ours(bytes: Uint8Array): Contents | undefined {
  try {
    return extractCabinet(bytes)
      .map(({ data }) => describeMember(data))
      .sort();
  } catch {
    return undefined;
  }
}

/** The contents as libarchive-wasm reads them; `undefined` if it refuses. */
async function byLibarchiveWasm(bytes: Uint8Array): Promise<Contents | undefined> {
  const library = await libarchiveWasm();
  try {
    const reader = new ArchiveReader(library, new Int8Array(bytes));
    try {
      const contents: string[] = [];
      for (const entry of reader.entries()) {
        const size = entry.getSize();
        const data = entry.readData();
        if (data === undefined || data.length !== size) {
          if (size !== 0) return undefined; // it gave up inside the member
          contents.push(describeMember(new Uint8Array(0)));
        } else contents.push(describeMember(new Uint8Array(data)));
      }
      return contents.sort();
    } finally {
      reader.free();
    }
  } catch {
    return undefined;
  }
}

/** The contents as libarchive.js reads them; `undefined` if it refuses, by whatever way it ends. */
function byLibarchiveJs(bytes: Uint8Array): Promise<Contents | undefined> {
  return new Promise((resolve) => {
    const options = { workerData: bytes, stdout: true, stderr: true };
    const worker = new Worker(new URL('libarchive-js-worker.mjs', import.meta.url), options);
    const finish = (contents: Contents | undefined) => {
      resolve(contents);
      void worker.terminate();
    };
    worker.once('message', finish);
    worker.once('error', () => finish(undefined));
    worker.once('exit', () => finish(undefined));
  });
}

const READERS = [
  ['libarchive-wasm', byLibarchiveWasm],
  ['libarchive.js', byLibarchiveJs],
] as const;

const TEXT = randomText(seededRandom(1), 200_000);

test.each(READERS)('%s reads a cabinet of the writer as this project does', async (_name, read) => {
  const cabinet = await writeToMemory([
    { name: 'package.xml', data: TEXT.subarray(0, 40_000) },
    { name: 'metadata.txt', data: TEXT },
  ]);
  const contents = await read(cabinet);
  expect(contents).toHaveLength(2);
  expect(contents).toEqual(ours(cabinet));
});

test.each(READERS)('%s reads LZX data made for the tests as this project does', async (_name, read) => {
  for (const windowBits of [15, 18, 21]) {
    const folder = lzxFolder(TEXT, {
      windowBits,
      blocks: [
        { type: 'verbatim', size: 30_000 },
        { type: 'aligned', size: 60_000 },
        { type: 'uncompressed', size: 20_000 },
      ],
    });
    const cabinet = buildCabinet({ folders: [folder], members: [{ name: 'a', size: TEXT.length }] });
    expect(await read(cabinet)).toEqual([describeMember(TEXT)]);
    expect(ours(cabinet)).toEqual([describeMember(TEXT)]);
  }
});

withSharedData('the real cabinets', (folder) => {
  const cabinets = sharedData === undefined ? [] : listSharedCabinets(folder);

  test.each(READERS)('%s finds in them what this project finds, where both succeed', async (_name, read) => {
    let bothSucceed = 0;
    for (const { path, bytes } of cabinets) {
      const mine = ours(bytes);
      if (mine === undefined) continue;
      const theirs = await read(bytes);
      if (theirs === undefined || theirs.length === 0) continue;
      // libarchive.js keys members by name and loses those in code pages it cannot tell apart.
      const hasOddNames = /encoding-|cp932/.test(path);
      const contents = hasOddNames ? theirs.filter((line) => mine.includes(line)) : theirs;
      expect({ path, contents }).toEqual({
        path,
        contents: hasOddNames ? mine.slice(0, theirs.length) : mine,
      });
      bothSucceed++;
    }
    expect(bothSucceed).toBeGreaterThanOrEqual(25);
  });

  test.each(READERS)('%s survives, here, the damaged ones', async (_name, read) => {
    for (const { path, bytes } of cabinets.filter(({ isSound }) => !isSound)) {
      const theirs = await read(bytes);
      expect({ path, isRefusedOrEmpty: theirs === undefined || theirs.length <= 3 }).toEqual({
        path,
        isRefusedOrEmpty: true,
      });
    }
  });

  test.each(READERS)('%s agrees about the real export packages', async (_name, read) => {
    const packages = cabinets.filter(({ path }) => path.startsWith('wsusutil-export/'));
    expect(packages).toHaveLength(2);
    for (const { bytes } of packages) {
      const contents = await read(bytes);
      expect(contents).toHaveLength(2);
      expect(contents).toEqual(ours(bytes));
    }
  });
});
