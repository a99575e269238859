import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { WriteBehind } from '../../src/platform/write-behind.js';
import { seededRandom } from '../helpers/seeded-random.js';

const folder = mkdtempSync(join(tmpdir(), 'wsusutil-behind-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'file');

test('pieces of any size become one file, whatever their memory is used for afterwards', async () => {
  const sizes = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 60_000, max: 1_300_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(sizes, { maxLength: 12 }), fc.nat(), async (lengths, seed) => {
      const random = seededRandom(seed);
      const handle = await open(path, 'w');
      const writing = new WriteBehind(handle);
      const shared = Buffer.alloc(1_300_000);
      const expected: Buffer[] = [];
      for (const length of lengths) {
        const piece = shared.subarray(0, length).fill(random.below(256));
        expected.push(Buffer.from(piece));
        await writing.write(piece);
        shared.fill(0);
      }
      await writing.flush();
      expect(writing.size).toBe(lengths.reduce((sum, each) => sum + each, 0));
      await handle.close();
      expect(readFileSync(path).equals(Buffer.concat(expected))).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test('the disk is asked for what was written before the end, by one call at a time', async () => {
  const handle = await open(path, 'w');
  let under = 0;
  let most = 0;
  let syncs = 0;
  const watched = watch(handle, {
    async datasync() {
      syncs++;
      most = Math.max(most, ++under);
      await handle.datasync();
      under--;
    },
  });
  const writing = new WriteBehind(watched);
  const piece = Buffer.alloc(1 << 20, 1);
  for (let n = 0; n < 100; n++) await writing.write(piece);
  await writing.flush();
  expect([under, most]).toEqual([0, 1]);
  expect(syncs).toBeGreaterThan(0);
  await handle.close();
});

test('what goes wrong behind is told by the next call, also where the system tells of it once only', async () => {
  for (const broken of ['write', 'datasync'] as const) {
    const handle = await open(path, 'w');
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    let isTold = false;
    const failing = watch(handle, {
      async [broken]() {
        if (isTold) return { bytesWritten: 1 << 30 };
        isTold = true;
        throw full;
      },
    });
    const writing = new WriteBehind(failing);
    const piece = Buffer.alloc(1 << 20, 1);
    const write = async () => {
      for (let n = 0; n < 64; n++) await writing.write(piece);
      await writing.flush();
    };
    await expect(write()).rejects.toBe(full);
    await writing.settle();
    await expect(writing.flush()).rejects.toBe(full);
    await handle.close();
  }
});

/** The file, with some of its calls replaced. */
function watch(handle: FileHandle, replaced: Partial<Record<'write' | 'datasync', unknown>>): FileHandle {
  return new Proxy(handle, {
    get: (target, name) => {
      const own = Reflect.get(replaced, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
