import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serializePublicKey } from '../../src/formats/minisign/public-key.js';
import {
  checkKeyName,
  createSigningKey,
  findSigningKey,
  keysPathOf,
  listSigningKeys,
  looksLikePublicKey,
  openSigningKey,
  readPublicKey,
} from '../../src/settings/signing-keys.js';
import { failureOf } from '../helpers/package-builder.js';
import { CHEAP, testKey } from '../helpers/signing.js';
import { testFolder } from '../store/update-builder.js';

const signal = new AbortController().signal;
const make = (keysPath: string, name: string, password?: string) =>
  createSigningKey(keysPath, name, { password, signal, cost: CHEAP });

test('a key is two files, of which only its owner can read the secret one', async () => {
  const keysPath = keysPathOf(testFolder());
  const key = await make(keysPath, 'anna', 'geheim');
  expect(key).toMatchObject({
    name: 'anna',
    path: join(keysPath, 'anna.key'),
    publicPath: join(keysPath, 'anna.pub'),
    isProtected: true,
    isExposed: false,
  });
  expect(readFileSync(key.publicPath, 'utf8')).toBe(serializePublicKey(key.publicKey));
  if (process.platform !== 'win32') expect(statSync(key.path).mode & 0o777).toBe(0o600);
  expect(readFileSync(key.path, 'latin1')).not.toContain('geheim');
  const found = await findSigningKey(keysPath, 'ANNA');
  expect(found.key).toEqual(key);
  const opened = await openSigningKey(found, 'geheim', signal);
  expect(opened.publicKey).toEqual(key.publicKey);
  expect((await failureOf(() => openSigningKey(found, 'falsch', signal))).code).toBe('PASSWORD_WRONG');
});

test('keys are listed by name, and the only one need not be named', async () => {
  const keysPath = keysPathOf(testFolder());
  expect(await listSigningKeys(keysPath)).toEqual([]);
  const none = await failureOf(() => findSigningKey(keysPath, undefined));
  expect(none).toMatchObject({ code: 'NOT_FOUND', hint: 'Run "wsusutil keys new" to make one.' });
  await make(keysPath, 'berta');
  expect((await findSigningKey(keysPath, undefined)).key.name).toBe('berta');
  await make(keysPath, 'anna');
  writeFileSync(join(keysPath, 'notes.txt'), 'x');
  expect((await listSigningKeys(keysPath)).map(({ name }) => name)).toEqual(['anna', 'berta']);
  const several = await failureOf(() => findSigningKey(keysPath, undefined));
  expect(several).toMatchObject({ code: 'USAGE', hint: 'Name one. There are: anna, berta.' });
  expect((await failureOf(() => findSigningKey(keysPath, 'carla'))).code).toBe('NOT_FOUND');
});

test('a key is never overwritten, not in another case either', async () => {
  const keysPath = keysPathOf(testFolder());
  const { path, publicPath } = await make(keysPath, 'anna');
  const before = [readFileSync(path), readFileSync(publicPath)];
  for (const name of ['anna', 'Anna']) {
    expect((await failureOf(() => make(keysPath, name))).code).toBe('TARGET_EXISTS');
  }
  expect([readFileSync(path), readFileSync(publicPath)]).toEqual(before);
});

test('a public key that a killed run left behind is no key, and is replaced', async () => {
  const keysPath = keysPathOf(testFolder());
  mkdirSync(keysPath);
  writeFileSync(join(keysPath, 'anna.pub'), 'left behind');
  expect(await listSigningKeys(keysPath)).toEqual([]);
  const { publicKey, publicPath } = await make(keysPath, 'anna');
  expect(readFileSync(publicPath, 'utf8')).toBe(serializePublicKey(publicKey));
});

test('nothing is left of a key that could not be made', async () => {
  const keysPath = keysPathOf(testFolder());
  const interrupted = AbortSignal.abort();
  const error = await failureOf(() =>
    createSigningKey(keysPath, 'anna', { password: 'geheim', signal: interrupted, cost: CHEAP }),
  );
  expect(error.code).toBe('INTERRUPTED');
  expect(existsSync(keysPath)).toBe(false);
});

describe('a key is refused', () => {
  test('without its public file, or with that of another', async () => {
    const keysPath = keysPathOf(testFolder());
    const { publicPath } = await make(keysPath, 'anna');
    writeFileSync(publicPath, serializePublicKey((await testKey(1)).publicKey));
    const found = await findSigningKey(keysPath, 'anna');
    const swapped = await failureOf(() => openSigningKey(found, undefined, signal));
    expect(swapped.message).toContain('is not the public key of');
    rmSync(publicPath);
    const missing = await failureOf(() => listSigningKeys(keysPath));
    expect(missing).toMatchObject({ code: 'KEY_INVALID' });
    expect(missing.hint).toContain('minisign -R');
  });

  test('when its file is damaged, which is named', async () => {
    const keysPath = keysPathOf(testFolder());
    const { path } = await make(keysPath, 'anna');
    writeFileSync(path, 'damaged');
    const error = await failureOf(() => listSigningKeys(keysPath));
    expect(error.code).toBe('KEY_INVALID');
    expect(error.message).toContain(path);
  });
});

test.skipIf(process.platform === 'win32')('a secret key that others can read is told', async () => {
  const keysPath = keysPathOf(testFolder());
  const { path } = await make(keysPath, 'anna');
  chmodSync(path, 0o640);
  expect(await listSigningKeys(keysPath)).toMatchObject([{ isExposed: true }]);
});

test.each(['', '.', '..', 'a/b', 'a\\b', 'a b', '-a', 'a.', 'NUL', 'con.x', 'ä', 'a'.repeat(65), 'a:b'])(
  'no key is called %j',
  async (name) => {
    expect((await failureOf(() => checkKeyName(name))).code).toBe('USAGE');
  },
);

test.each(['a', 'anna', 'Anna-2', 'a.b_c', '2026', 'console'])('a key may be called %s', (name) => {
  checkKeyName(name);
});

test('a public key is told from a path, and read from either', async () => {
  const { publicKey } = await testKey(1);
  const path = join(testFolder(), 'anna.pub');
  const text = serializePublicKey(publicKey);
  writeFileSync(path, text);
  const line = text.split('\n')[1] as string;
  expect([looksLikePublicKey(line), looksLikePublicKey(path), looksLikePublicKey('RW.pub')]).toEqual([
    true,
    false,
    false,
  ]);
  expect((await readPublicKey(line, true)).publicKey).toEqual(publicKey);
  expect((await readPublicKey(path, false)).publicKey).toEqual(publicKey);
  expect((await failureOf(() => readPublicKey(`${path}x`, false))).code).toBe('INPUT_NOT_FOUND');
  writeFileSync(path, 'x'.repeat(1_000_000));
  expect((await failureOf(() => readPublicKey(path, false))).code).toBe('KEY_INVALID');
});
