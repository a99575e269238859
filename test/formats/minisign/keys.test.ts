import { describe, expect, test } from 'vitest';
import { FINGERPRINT_WORDS } from '../../../src/formats/minisign/fingerprint-words.js';
import {
  fingerprintWords,
  formatPublicKey,
  parsePublicKey,
  serializePublicKey,
} from '../../../src/formats/minisign/public-key.js';
import { createSecretKey, parseSecretKey } from '../../../src/formats/minisign/secret-key.js';
import { failureOf } from '../../helpers/package-builder.js';
import { fc } from '../../helpers/properties.js';
import { CHEAP, repeatable, secretKeyText, testKey } from '../../helpers/signing.js';

const signal = new AbortController().signal;
const bytes = (text: string) => Buffer.from(text);
/** Made by minisign 0.11 for these tests, without a password, and used nowhere else. */
const THEIR_PUBLIC = 'RWT/tIJ5IzJnsSXSmRchgXW+MbTQWMq+w+jn3aRxUvavk0EkRjGXwZ01';
const THEIR_SECRET =
  'RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/7SCeSMyZ7FYUbxjc8gEVanqEarxz0Q1Ypnu34vLtC8ojUS7IWB6/iXSmRchgXW+MbTQWMq+w+jn3aRxUvavk0EkRjGXwZ01AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const secretFile = (base64: string) => bytes(`untrusted comment: minisign encrypted secret key\n${base64}\n`);

/** The Base64 of a secret key with some of its bytes changed. */
function changed(base64: string, change: (key: Buffer) => void): Buffer {
  const key = Buffer.from(base64, 'base64');
  change(key);
  return secretFile(key.toString('base64'));
}

describe('a public key', () => {
  test('is read as a file, as a line, with CRLF and a byte order mark', () => {
    const file = `untrusted comment: minisign public key B16732237982B4FF\n${THEIR_PUBLIC}\n`;
    for (const text of [file, file.trimEnd(), file.replaceAll('\n', '\r\n'), `\uFEFF${file}`]) {
      const { publicKey, comment } = parsePublicKey(bytes(text), 'a.pub');
      expect(publicKey.keyId).toBe('B16732237982B4FF');
      expect(comment).toBe('minisign public key B16732237982B4FF');
      expect(serializePublicKey(publicKey)).toBe(file);
    }
    expect(parsePublicKey(bytes(`${THEIR_PUBLIC}\n`), 'the argument').comment).toBeUndefined();
  });

  test.each<[string, string | Buffer, string]>([
    ['nothing', '', 'is empty'],
    ['blank lines', '\n\r\n', 'is empty'],
    ['a comment alone', 'untrusted comment: x\n', 'ends before the public key'],
    ['a third line', `untrusted comment: x\n${THEIR_PUBLIC}\n${THEIR_PUBLIC}\n`, 'has 3 lines'],
    ['two keys', `${THEIR_PUBLIC}\n${THEIR_PUBLIC}\n`, 'begins with "untrusted comment: "'],
    ['a short line', THEIR_PUBLIC.slice(0, -1), 'has 55 characters where the 56'],
    ['other letters', THEIR_PUBLIC.replace('T', '-'), 'not proper Base64'],
    ['another algorithm', `ED${THEIR_PUBLIC.slice(2)}`, 'another kind than Ed25519'],
    ['a cursor movement', `untrusted comment: \u001b[2J\n${THEIR_PUBLIC}`, 'characters that are not shown'],
    ['a turned direction', `untrusted comment: \u202e\n${THEIR_PUBLIC}`, 'characters that are not shown'],
    ['a long comment', `untrusted comment: ${'x'.repeat(1001)}\n${THEIR_PUBLIC}`, 'is 1001 bytes long'],
    ['a long file', 'x'.repeat(4097), 'is 4097 bytes long'],
    ['other bytes', Buffer.from([0xff, 0xfe, 0x41]), 'is not text in UTF-8'],
    ['a secret key', secretFile(THEIR_SECRET), 'is a secret key'],
    [
      'a key of order 1',
      Buffer.concat([bytes('Ed'), Buffer.alloc(8), Buffer.from([1]), Buffer.alloc(31)]).toString('base64'),
      'of small order',
    ],
  ])('of %s is refused', async (_, content, reason) => {
    const error = await failureOf(() => parsePublicKey(Buffer.from(content as string), 'a.pub'));
    expect(error.code).toBe('KEY_INVALID');
    expect(error.message).toMatch(/^a\.pub /);
    expect(error.message).toContain(reason);
  });

  test('that was cut off anywhere is refused', async () => {
    const file = `untrusted comment: minisign public key B16732237982B4FF\n${THEIR_PUBLIC}`;
    for (let length = 0; length < file.length; length++) {
      const error = await failureOf(() => parsePublicKey(bytes(file.slice(0, length)), 'a.pub'));
      expect(error.code, String(length)).toBe('KEY_INVALID');
    }
  });
});

describe('the words of a key', () => {
  test('come from a list of 2048, of which no two begin with the same four letters', () => {
    expect(FINGERPRINT_WORDS).toHaveLength(2048);
    expect(new Set(FINGERPRINT_WORDS.map((word) => word.slice(0, 4))).size).toBe(2048);
    expect([...FINGERPRINT_WORDS].sort()).toEqual(FINGERPRINT_WORDS);
  });

  test('are these for this key, on both sides of the telephone', () => {
    const { publicKey } = parsePublicKey(bytes(THEIR_PUBLIC), 'key');
    expect(fingerprintWords(publicKey).join(' ')).toMatchInlineSnapshot(
      `"onion vault brick vanish tourist grab biology lucky"`,
    );
  });

  test('differ when the key or its id does', async () => {
    const keys = await Promise.all([1, 2, 3].map(testKey));
    const all = keys.flatMap(({ publicKey }) => [
      fingerprintWords(publicKey),
      fingerprintWords({ ...publicKey, keyId: '0123456789ABCDEF' }),
    ]);
    expect(new Set(all.map((words) => words.join(' '))).size).toBe(6);
  });
});

describe('a secret key', () => {
  test('opens with its password only, and signs as the one it was made as', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 60 }), fc.nat(), async (password, n) => {
        const { publicKey, text } = await createSecretKey({
          password,
          signal,
          cost: CHEAP,
          random: repeatable(n),
        });
        const file = parseSecretKey(bytes(text), 'a.key');
        expect(file.isProtected).toBe(true);
        const opened = await file.open(password, signal);
        expect(formatPublicKey(opened.publicKey)).toBe(formatPublicKey(publicKey));
        const error = await failureOf(() => file.open(`${password}x`, signal));
        expect(error.code).toBe('PASSWORD_WRONG');
        expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain(`${password}x`);
      }),
      { numRuns: 10 },
    );
  });

  test('shows nothing of itself', async () => {
    const { text } = await createSecretKey({ password: undefined, signal, random: repeatable(9) });
    const opened = await parseSecretKey(bytes(text), 'a.key').open(undefined, signal);
    expect(Object.keys(opened)).toEqual(['publicKey', 'sign']);
    expect(Object.keys(opened.publicKey)).toEqual(['keyId', 'key']);
  });

  test('of minisign without a password is read, though its checksum is zero', async () => {
    const file = parseSecretKey(secretFile(THEIR_SECRET), 'a.key');
    expect(file.isProtected).toBe(false);
    const { publicKey } = await file.open(undefined, signal);
    expect(formatPublicKey(publicKey)).toBe(THEIR_PUBLIC);
  });

  test('that was damaged is refused, wherever it was', async () => {
    const text = await secretKeyText(1, 'geheim');
    const base64 = text.split('\n')[1] as string;
    for (let at = 0; at < 158; at++) {
      if (at >= 38 && at < 54) continue; // the cost, see below: it could be dear
      const file = changed(base64, (key) => {
        key[at] = (key[at] as number) ^ 0x40;
      });
      const error = await failureOf(() => parseSecretKey(file, 'a.key').open('geheim', signal));
      expect(['KEY_INVALID', 'PASSWORD_WRONG'], String(at)).toContain(error.code);
    }
  });

  test('whose public part is not its own is refused: to sign with it would give it away', async () => {
    const file = changed(THEIR_SECRET, (key) => key.fill(9, 94, 126));
    const error = await failureOf(() => parseSecretKey(file, 'a.key').open(undefined, signal));
    expect(error.message).toBe('a.key holds a public key that is not the one of its secret key');
  });

  test.each<[string, (key: Buffer) => void, string]>([
    ['another algorithm', (key) => key.write('Xx', 0), 'another kind than Ed25519'],
    ['another protection', (key) => key.write('Ar', 2), 'protected in a way'],
    ['another checksum', (key) => key.write('S2', 4), 'checksum of a kind'],
    ['endless memory', (key) => key.fill(0xff, 46, 54), 'asks for more'],
    ['1 byte above the most memory', (key) => key.writeBigUInt64LE(2n ** 30n + 1n, 46), 'asks for more'],
    ['endless work', (key) => key.writeBigUInt64LE(2n ** 62n, 38), 'asks for more'],
    ['work without end', (key) => key.fill(0xff, 38, 46), 'asks for more'],
  ])('that asks for %s is refused before any of it is done', async (_, change, reason) => {
    const base64 = (await secretKeyText(1, 'geheim')).split('\n')[1] as string;
    const error = await failureOf(() => parseSecretKey(changed(base64, change), 'a.key'));
    expect(error.code).toBe('KEY_INVALID');
    expect(error.message).toContain(reason);
  });

  test('that was cut off anywhere is refused', async () => {
    const text = (await secretKeyText(1)).trimEnd();
    for (let length = 0; length < text.length; length++) {
      const error = await failureOf(() => parseSecretKey(bytes(text.slice(0, length)), 'a.key'));
      expect(error.code, String(length)).toBe('KEY_INVALID');
    }
  });

  test('takes no password that minisign could not read', async () => {
    const error = await failureOf(() => createSecretKey({ password: 'ä'.repeat(512), signal, cost: CHEAP }));
    expect(error.code).toBe('USAGE');
  });

  test('is neither made nor opened once the run is interrupted', async () => {
    const interrupted = AbortSignal.abort();
    const text = await secretKeyText(1, 'geheim');
    for (const action of [
      () => createSecretKey({ password: 'geheim', signal: interrupted, cost: CHEAP }),
      () => parseSecretKey(bytes(text), 'a.key').open('geheim', interrupted),
    ]) {
      expect((await failureOf(action)).code).toBe('INTERRUPTED');
    }
  });
});
