import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatPublicKey, type PublicKey } from '../../src/formats/minisign/public-key.js';
import {
  countSigners,
  findTrustedKey,
  NO_TRUST,
  parseTrustList,
  readTrustList,
  serializeTrustList,
  signerIdOf,
  type TrustedKey,
  type TrustList,
  trustPathOf,
  withAnnouncedKey,
  withKey,
  withoutKey,
  writeTrustList,
} from '../../src/settings/trust-list.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { testKey } from '../helpers/signing.js';
import { testFolder } from '../store/update-builder.js';

const ADDED = '2026-11-21T08:00:00Z';
let keys: readonly PublicKey[];
beforeAll(async () => {
  keys = (await Promise.all([0, 1, 2, 3, 4, 5].map(testKey))).map(({ publicKey }) => publicKey);
});
const keyOf = (n: number, name = `signer ${n}`): TrustedKey => ({
  name,
  publicKey: keys[n] as PublicKey,
  addedAt: ADDED,
});
const listOf = (...of: TrustedKey[]): TrustList => of.reduce(withKey, NO_TRUST);

test('without a file nobody is trusted, and nothing is demanded', async () => {
  expect(await readTrustList(trustPathOf(testFolder()))).toEqual(NO_TRUST);
});

test('what is written is read again', async () => {
  const path = trustPathOf(testFolder());
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 5 })),
      fc.integer({ min: 1, max: 16 }),
      fc.boolean(),
      fc.option(fc.stringMatching(/^[\p{L}\p{N} ]{1,100}$/u), { nil: undefined }),
      (numbers, threshold, requireSignature, comment) => {
        const list: TrustList = {
          keys: numbers.map((n) => ({ ...keyOf(n), ...(comment === undefined ? {} : { comment }) })),
          threshold,
          requireSignature,
        };
        expect(parseTrustList(serializeTrustList(list), path)).toEqual(list);
      },
    ),
    { numRuns: 50 },
  );
  const list = { ...listOf(keyOf(1)), threshold: 2, requireSignature: true };
  await writeTrustList(path, list);
  expect(await readTrustList(path)).toEqual(list);
  await expect(writeTrustList(path, { ...list, threshold: 0 })).rejects.toThrow('threshold');
  expect(await readTrustList(path)).toEqual(list);
});

describe('a trust list is refused', () => {
  const good = () => JSON.parse(serializeTrustList(listOf(keyOf(1), keyOf(2))));
  test.each<[string, (document: ReturnType<typeof good>) => unknown, string]>([
    ['that is no object', () => [], 'does not hold a JSON object'],
    ['with an unknown key', (document) => ({ ...document, x: 1 }), 'an unknown key "x" in it'],
    ['without a version', ({ formatVersion: _, ...rest }) => rest, 'has formatVersion missing'],
    ['of a later version', (document) => ({ ...document, formatVersion: 2 }), 'has formatVersion 2'],
    ['with threshold 0', (document) => ({ ...document, threshold: 0 }), 'a threshold that'],
    ['with threshold 1.5', (document) => ({ ...document, threshold: 1.5 }), 'a threshold that'],
    ['with threshold "2"', (document) => ({ ...document, threshold: '2' }), 'a threshold that'],
    ['with a policy of 1', (document) => ({ ...document, requireSignature: 1 }), 'a requireSignature that'],
    ['without keys', (document) => ({ ...document, keys: undefined }), 'keys that are no list'],
    [
      'with endless keys',
      (document) => ({ ...document, keys: Array(101).fill(document.keys[0]) }),
      'keys that are no list of at most 100',
    ],
    [
      'with a key twice',
      ({ keys, ...rest }) => ({ ...rest, keys: [keys[0], keys[0]] }),
      'is trusted already',
    ],
    [
      'with a name twice',
      ({ keys, ...rest }) => ({ ...rest, keys: [keys[0], { ...keys[1], name: 'SIGNER 1' }] }),
      'has the name of another key',
    ],
    [
      'with another thing in a key',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], secret: 1 }] }),
      'an unknown key "secret" in keys[0]',
    ],
    ['with no name', ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], name: ' ' }] }), 'a wrong name'],
    [
      'with a name that rings',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], name: 'a\u0007' }] }),
      'a wrong name',
    ],
    [
      'with a cut key',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], publicKey: 'RWx' }] }),
      'a wrong publicKey',
    ],
    [
      'with no instant',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], addedAt: '2026-13-45T99:00:00Z' }] }),
      'a wrong addedAt',
    ],
    [
      'with a comment that rings',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], comment: '\u0007' }] }),
      'a wrong comment',
    ],
    [
      'with a wrong predecessor',
      ({ keys, ...rest }) => ({ ...rest, keys: [{ ...keys[0], successorOf: 'x' }] }),
      'a wrong successorOf',
    ],
  ])('%s', async (_, change, reason) => {
    const text = JSON.stringify(change(good()));
    const error = await failureOf(() => parseTrustList(text, 'trust.json'));
    expect(error.code).toBe('SETTINGS_INVALID');
    expect(error.message).toContain(reason);
  });

  test('that is no JSON, too long or a folder', async () => {
    const path = trustPathOf(testFolder());
    for (const text of ['{', 'x'.repeat(1024 * 1024 + 1)]) {
      writeFileSync(path, text);
      expect((await failureOf(() => readTrustList(path))).code).toBe('SETTINGS_INVALID');
    }
    const folder = trustPathOf(testFolder());
    mkdirSync(folder);
    expect((await failureOf(() => readTrustList(folder))).code).toBe('READ_FAILED');
    expect(existsSync(folder)).toBe(true);
    expect(readFileSync(path, 'utf8')).toHaveLength(1024 * 1024 + 1);
  });
});

test('a key is added once; its id, its secret and its name belong to it alone', async () => {
  const list = listOf(keyOf(1));
  expect(withKey(list, keyOf(1))).toBe(list);
  const sameId = { ...keyOf(2), publicKey: { ...keyOf(2).publicKey, keyId: keyOf(1).publicKey.keyId } };
  const sameSecret = { ...keyOf(2), publicKey: { ...keyOf(1).publicKey, keyId: '0123456789ABCDEF' } };
  for (const key of [keyOf(1, 'another'), keyOf(2, 'Signer 1'), sameId, sameSecret]) {
    expect((await failureOf(() => withKey(list, key))).code).toBe('TARGET_EXISTS');
  }
});

test('a key is found by name, id and itself, and taken out', async () => {
  const list = listOf(keyOf(1), keyOf(2));
  const { publicKey } = keyOf(2);
  for (const wanted of ['SIGNER 2', publicKey.keyId.toLowerCase(), formatPublicKey(publicKey)]) {
    expect(findTrustedKey(list, wanted).name).toBe('signer 2');
  }
  expect(withoutKey(list, findTrustedKey(list, 'signer 2'))).toEqual(listOf(keyOf(1)));
  const error = await failureOf(() => findTrustedKey(list, 'signer 3'));
  expect(error).toMatchObject({ code: 'NOT_FOUND', hint: 'Trusted are: signer 1, signer 2.' });
});

describe('a key that a package announced', () => {
  const line = (n: number) => formatPublicKey(keys[n] as PublicKey);

  test('is trusted as another key of the same signer, along the whole line', () => {
    const first = keyOf(1, 'anna');
    let list = withAnnouncedKey(listOf(first, keyOf(5)), line(2), first, ADDED);
    const second = findTrustedKey(list, 'anna (2)');
    list = withAnnouncedKey(withoutKey(list, first), line(3), second, ADDED);
    const third = findTrustedKey(list, 'anna (3)');
    expect([second, third].map(signerIdOf)).toEqual([first.publicKey.keyId, first.publicKey.keyId]);
    expect(countSigners(list)).toBe(2);
    expect(parseTrustList(serializeTrustList(list), 'trust.json')).toEqual(list);
  });

  test('changes nothing when it is trusted already, and is refused when it is no key', async () => {
    const first = keyOf(1);
    const list = listOf(first, keyOf(2));
    expect(withAnnouncedKey(list, line(2), first, ADDED)).toBe(list);
    const error = await failureOf(() => withAnnouncedKey(list, 'RWx', first, ADDED));
    expect(error.code).toBe('KEY_INVALID');
  });
});
