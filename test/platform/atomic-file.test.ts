import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createAtomicFile, writeError, writeFileAtomically } from '../../src/platform/atomic-file.js';
import { removeUnfinishedFiles } from '../../src/platform/unfinished-files.js';
import { temporaryFolder } from '../helpers/program.js';

function newFolder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

test('a file may have the longest name the file system takes', async () => {
  const folder = newFolder();
  const name = `${'a'.repeat(251)}.cab`;
  const file = await createAtomicFile(join(folder, name), { replace: false });
  await file.write(Buffer.from('x'));
  await file.commit();
  expect(readdirSync(folder)).toEqual([name]);
});

test('a name that is too long is refused before anything is written', async () => {
  const folder = newFolder();
  const path = join(folder, `${'a'.repeat(252)}.cab`);
  await expect(createAtomicFile(path, { replace: false })).rejects.toMatchObject({
    code: 'WRITE_FAILED',
    message: `Cannot write ${path}: the name is too long`,
    hint: 'Choose a shorter name.',
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('an error names the target and not the temporary file', async () => {
  const path = join(newFolder(), 'target');
  mkdirSync(path);
  const failure = await writeFileAtomically(path, Buffer.from('x')).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'WRITE_FAILED' });
  expect(String(failure)).toContain(path);
  expect(String(failure)).not.toContain('.tmp');
  expect(writeError(new Error('no idea'), path).message).toBe(`Cannot write ${path}: no idea`);
});

test('a file that could not get its name is no longer one to remove when the process ends', async () => {
  const folder = newFolder();
  const path = join(folder, 'target');
  const file = await createAtomicFile(path, { replace: false });
  const temporary = join(folder, readdirSync(folder)[0] as string);
  writeFileSync(path, 'of another');
  await expect(file.commit()).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
  expect(existsSync(temporary)).toBe(false);
  writeFileSync(temporary, 'of another');
  removeUnfinishedFiles();
  expect(existsSync(temporary)).toBe(true);
});
