import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openFileSource } from '../../src/platform/file-source.js';

const folder = mkdtempSync(join(tmpdir(), 'wsusutil-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(size: number): { path: string; bytes: Buffer } {
  const path = join(folder, `${size}.bin`);
  const bytes = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz0');
  writeFileSync(path, bytes);
  return { path, bytes };
}

test('reads anywhere give the bytes that stand there, fewer only at the end', async () => {
  const { path, bytes } = put(1_500_000);
  const source = await openFileSource(path);
  expect(source.size).toBe(bytes.length);
  for (const [position, length] of [
    [0, 10],
    [5, 600_000],
    [524_280, 20],
    [524_288, 20],
    [10, 5],
    [1_499_990, 100],
    [1_500_000, 10],
    [2_000_000, 10],
    [100, 0],
    [0, 5_000_000],
  ] as const) {
    const read = await source.read(position, length);
    expect(Buffer.compare(read, bytes.subarray(position, position + length))).toBe(0);
  }
  await source.close();
});

test('bytes read before are not changed by later reads', async () => {
  const { path, bytes } = put(1_200_000);
  const source = await openFileSource(path);
  const first = await source.read(0, 1000);
  await source.read(700_000, 1000);
  await source.read(0, 600_000);
  expect(Buffer.compare(first, bytes.subarray(0, 1000))).toBe(0);
  await source.close();
});

test('chunks are the whole file, and how far it was read can be asked', async () => {
  for (const size of [0, 1, 524_288, 1_500_000]) {
    const { path, bytes } = put(size);
    const source = await openFileSource(path);
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.chunks()) {
      chunks.push(chunk);
      expect(source.reached).toBe(chunks.reduce((sum, each) => sum + each.length, 0));
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    await source.close();
  }
});

test('a missing file and a folder are told apart', async () => {
  const missing = join(folder, 'none');
  await expect(openFileSource(missing)).rejects.toMatchObject({
    code: 'INPUT_NOT_FOUND',
    message: `There is no file ${missing}`,
  });
  await expect(openFileSource(folder)).rejects.toMatchObject({
    code: 'INPUT_NOT_FOUND',
    message: `${folder} is a folder, not a regular file`,
  });
});

test.skipIf(process.platform === 'win32')('a pipe and a device are refused, without waiting', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await expect(openFileSource(pipe)).rejects.toMatchObject({
    code: 'INPUT_NOT_FOUND',
    message: `${pipe} is a pipe, not a regular file`,
    hint: 'Save its content to a file first and give the path of that.',
  });
  await expect(openFileSource('/dev/null')).rejects.toMatchObject({
    message: '/dev/null is a device, not a regular file',
  });
});
