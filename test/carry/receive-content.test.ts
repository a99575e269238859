/** What fails while content files are written leaves no file, no open handle and no lost buffer. */
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import type { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { type ContentEntry, ContentReceiver } from '../../src/carry/receive-content.js';
import { type ContentRunner, openContentRunner } from '../../src/content/content-runner.js';
import { CopyJournal } from '../../src/content/copy-journal.js';
import { OWN_FOLDER } from '../../src/content/layout.js';
import { temporaryNameOf } from '../../src/content/partial-folder.js';
import { WsusutilError } from '../../src/errors.js';
import type { Sha256Hex } from '../../src/model/digest.js';
import { type BuiltFile, makeFile } from '../content/content-builder.js';
import { openSite } from './carry-setup.js';

const SMALL = makeFile('small', 1_000);
const LARGE = makeFile('large', 700_000);
const BUFFER_SIZE = 512 * 1024;

const faults = vi.hoisted(() => ({ close: false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<{ open: typeof openFile }>();
  const open: typeof openFile = async (...args) => {
    const handle = await real.open(...args);
    if (!faults.close) return handle;
    const close = handle.close.bind(handle);
    handle.close = async () => {
      await close();
      throw new Error('the close failed');
    };
    return handle;
  };
  return { ...real, open };
});

afterEach(() => {
  vi.restoreAllMocks();
  faults.close = false;
});

/** A receiver for an empty content folder with `00` … `FF`. @param failing once, as soon as it is set, a listing fails */
async function openReceiver() {
  const { contentFolder, folder, store } = await openSite();
  for (const { sha1 } of [SMALL, LARGE]) mkdirSync(join(contentFolder, sha1.slice(-2)));
  const real = openContentRunner(0);
  const failing = { once: false };
  const runner: ContentRunner = {
    ...real,
    async list(path) {
      if (!failing.once) return real.list(path);
      failing.once = false;
      throw new Error('the listing failed');
    },
  };
  const journal = await CopyJournal.open({ folder: join(folder, 'copies'), contentFolder });
  const index = await store.contentIndex();
  const receiver = await ContentReceiver.open({ contentFolder, index, journal, runner });
  onTestFinished(async () => {
    await receiver.close();
    await journal.close();
    await real.close();
  });
  const partial = join(contentFolder, OWN_FOLDER, 'partial');
  return { receiver, failing, partial };
}

function entryOf({ sha1, sha256, bytes }: BuiltFile): ContentEntry {
  return {
    path: `content/${sha1.slice(-2)}/${sha1}.exe`,
    kind: 'payload',
    volume: 1,
    size: bytes.length,
    sha1,
    sha256: sha256 as Sha256Hex,
  } as ContentEntry;
}

async function* bodyOf({ bytes }: BuiltFile, failure?: Error): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 500);
  if (failure !== undefined) throw failure;
  yield bytes.subarray(500);
}

/** Files in the folder that this process has open. */
function openIn(folder: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

function countBuffers(): () => number {
  const spy = vi.spyOn(Buffer, 'allocUnsafeSlow');
  return () => spy.mock.calls.filter(([size]) => size === BUFFER_SIZE).length;
}

test('a content folder that cannot be listed: nothing of a large file stays', async () => {
  const { receiver, failing, partial } = await openReceiver();
  failing.once = true;
  await expect(receiver.write(entryOf(LARGE), bodyOf(LARGE))).rejects.toThrow('the listing failed');
  expect(readdirSync(partial)).toEqual([]);
  expect(openIn(partial)).toEqual([]);
});

test('a content folder that cannot be listed: the buffer of a small file is used again', async () => {
  const { receiver, failing } = await openReceiver();
  const buffers = countBuffers();
  failing.once = true;
  await expect(receiver.write(entryOf(SMALL), bodyOf(SMALL))).rejects.toThrow('the listing failed');
  await receiver.write(entryOf(SMALL), bodyOf(SMALL));
  await receiver.finish();
  expect(buffers()).toBe(1);
  expect(receiver.written).toEqual({ files: 1, bytes: 1_000 });
});

test('a package that ends in the middle of a small file: its buffer is used again', async () => {
  const { receiver } = await openReceiver();
  const buffers = countBuffers();
  await expect(receiver.write(entryOf(SMALL), bodyOf(SMALL, new Error('cut off')))).rejects.toThrow(
    'cut off',
  );
  await receiver.write(entryOf(SMALL), bodyOf(SMALL));
  await receiver.finish();
  expect(buffers()).toBe(1);
});

test('a small file that cannot be made: its buffer is used again', async () => {
  const { receiver, partial } = await openReceiver();
  const buffers = countBuffers();
  mkdirSync(join(partial, temporaryNameOf(SMALL.sha1)));
  await receiver.write(entryOf(SMALL), bodyOf(SMALL));
  await expect(receiver.finish()).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
  await receiver.write(entryOf(SMALL), bodyOf(SMALL)).catch(() => {});
  expect(buffers()).toBe(1);
});

test('a file that cannot even be closed: the first failure is told, and the file goes', async () => {
  const { receiver, partial } = await openReceiver();
  faults.close = true;
  const cause = new WsusutilError('TRANSFER_MISMATCH', 'not what the manifest says');
  await expect(receiver.write(entryOf(LARGE), bodyOf(LARGE, cause))).rejects.toBe(cause);
  expect(readdirSync(partial)).toEqual([]);
});
