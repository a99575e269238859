import { beforeAll, describe, expect, test } from 'vitest';
import { parsePublicKey } from '../../../src/formats/minisign/public-key.js';
import type { SecretKey } from '../../../src/formats/minisign/secret-key.js';
import {
  createContentHash,
  hashContent,
  parseSignature,
  serializeSignature,
  signDigest,
  verifySignature,
} from '../../../src/formats/minisign/signature.js';
import { failureOf } from '../../helpers/package-builder.js';
import { fc } from '../../helpers/properties.js';
import { signatureText, testKey } from '../../helpers/signing.js';

const bytes = (text: string) => Buffer.from(text);
const NAMES = { signature: 'a.minisig', content: 'a' };
const HELLO = bytes('hello\n');

/** By minisign 0.11, over "hello" and a line feed. */
const THEIR_KEY = parsePublicKey(
  bytes('RWT/tIJ5IzJnsSXSmRchgXW+MbTQWMq+w+jn3aRxUvavk0EkRjGXwZ01'),
  'key',
).publicKey;
const THEIRS = `untrusted comment: signature from minisign secret key
RUT/tIJ5IzJnsWMwaNv02T0+TT8sRA4Ym2lUp9RBYQIjBJhLY+Uf0Hdlx6Xl7eP9j52CmZCdOyQVhLMvukroVWgPMpQcJrWJ3gE=
trusted comment: timestamp:1795249288\tfile:f.txt\thashed
NQHJDLNRc2jXl9KHUVkiaqNsPG4X/lDChE1ZI1Md+x3UhG4UF4UPenCHZQFz6S78qKtAl5S5F3MxMb+3H2xwBA==
`;
const THEIRS_LEGACY = `untrusted comment: signature from minisign secret key
RWT/tIJ5IzJnsdLryPq4j0Z8ZiWR8AorwsKd1FvW6vfdbl2RsId6WO73ddYPdAy18UVimKNrj6t01Q3fWBRwy+N77A3Fg7t9GQY=
trusted comment: timestamp:1795249288\tfile:f.txt
5d3+xJUF3BKoSHightrioTjgtvF/La11IWwCGv6v+ENKseKw+D9UAd5QETH3QhEbvE9jJkM6g9RRCH4lJaXUAw==
`;

let key: SecretKey;
beforeAll(async () => {
  key = await testKey(1);
});

test('signatures of minisign, new and old, are verified', () => {
  const prehashed = parseSignature(bytes(THEIRS), NAMES.signature);
  expect(prehashed).toMatchObject({
    keyId: 'B16732237982B4FF',
    isPrehashed: true,
    trustedComment: 'timestamp:1795249288\tfile:f.txt\thashed',
  });
  verifySignature(prehashed, THEIR_KEY, hashContent(HELLO), NAMES);
  const legacy = parseSignature(bytes(THEIRS_LEGACY), NAMES.signature);
  expect(legacy.isPrehashed).toBe(false);
  verifySignature(legacy, THEIR_KEY, HELLO, NAMES);
  for (const text of [THEIRS, THEIRS_LEGACY]) {
    expect(serializeSignature(parseSignature(bytes(text), 'x'))).toBe(text);
  }
});

test('whatever is signed is verified again, in any pieces, and nothing else is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 100 })),
      fc
        .string({ unit: 'grapheme', maxLength: 60 })
        .filter(
          (text) => !/[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u.test(text),
        ),
      fc.nat(),
      (chunks, trusted, place) => {
        const hash = createContentHash();
        for (const chunk of chunks) hash.update(chunk);
        const digest = hash.digest();
        const content = Buffer.concat(chunks);
        expect(Buffer.from(digest)).toEqual(hashContent(content));
        const text = serializeSignature(signDigest(key, digest, { trusted }));
        const signature = parseSignature(bytes(text), NAMES.signature);
        expect(signature.trustedComment).toBe(trusted);
        verifySignature(signature, key.publicKey, digest, NAMES);
        const other = Buffer.concat([content, Buffer.from([place & 0xff])]);
        expect(() => verifySignature(signature, key.publicKey, hashContent(other), NAMES)).toThrow(
          'does not fit',
        );
      },
    ),
    { numRuns: 100 },
  );
});

test('a signature with any one bit changed is refused', () => {
  const text = bytes(signatureText(key, HELLO));
  const untrusted = text.indexOf('\n');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length - 2 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const damaged = Buffer.from(text);
      damaged[at] = (damaged[at] as number) ^ (1 << bit);
      const verify = () => {
        const signature = parseSignature(damaged, NAMES.signature);
        const message = signature.isPrehashed ? hashContent(HELLO) : HELLO;
        verifySignature(signature, key.publicKey, message, NAMES);
      };
      const isPrefix = at < 'untrusted comment: '.length;
      if (at < untrusted && !isPrefix) return; // nothing vouches for that comment
      expect(verify).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }));
    }),
    { numRuns: 400 },
  );
});

test('each part that does not fit is named', async () => {
  const signature = parseSignature(bytes(signatureText(key, HELLO)), NAMES.signature);
  const digest = hashContent(HELLO);
  const other = (await testKey(2)).publicKey;
  const refusals = [
    () => verifySignature(signature, other, digest, NAMES),
    () => verifySignature(signature, { ...other, keyId: signature.keyId }, digest, NAMES),
    () => verifySignature({ ...signature, trustedComment: 'now' }, key.publicKey, digest, NAMES),
  ];
  const messages = await Promise.all(refusals.map(async (each) => (await failureOf(each)).message));
  expect(messages).toEqual([
    `a.minisig was made with the key ${signature.keyId}, not with ${other.keyId}`,
    'a.minisig does not fit a: one of them was changed after it was signed',
    'a.minisig carries a trusted comment that was changed after it was signed',
  ]);
});

test('a signature that was cut off anywhere is refused, but for its last line feed', async () => {
  const text = signatureText(key, HELLO);
  parseSignature(bytes(text.slice(0, -1)), 'a.minisig');
  for (let length = 0; length < text.length - 1; length++) {
    const error = await failureOf(() => parseSignature(bytes(text.slice(0, length)), 'a.minisig'));
    expect(error.code, String(length)).toBe('SIGNATURE_INVALID');
  }
});

describe('a signature file', () => {
  const [untrusted, signature, trusted, global] = THEIRS.split('\n') as [string, string, string, string];
  const file = (...lines: string[]) => `${lines.join('\n')}\n`;
  test.each<[string, string | Buffer, string]>([
    ['nothing in it', '', 'is empty'],
    ['16 KiB and a byte', 'x'.repeat(16 * 1024 + 1), 'is 16385 bytes long'],
    ['bytes that are no text', Buffer.from([0x80]), 'is not text in UTF-8'],
    ['no comment', file(signature, trusted, global), 'begins with "untrusted comment: "'],
    ['no signature', file(untrusted, '', trusted, global), 'ends before the signature'],
    [
      'a short signature',
      file(untrusted, signature.slice(4), trusted, global),
      'has 96 characters where the 100',
    ],
    ['no trusted comment', file(untrusted, signature), 'ends before its trusted comment'],
    ['another line for it', file(untrusted, signature, global, trusted), 'begins with "trusted comment: "'],
    [
      'no last signature',
      file(untrusted, signature, trusted),
      'ends before the signature of the trusted comment',
    ],
    ['a fifth line', file(untrusted, signature, trusted, global, 'x'), 'has 5 lines, 4 are expected'],
    [
      'a bell in the trusted comment',
      file(untrusted, signature, `${trusted}\u0007`, global),
      'has a trusted comment that holds characters that are not shown',
    ],
    [
      'one that is too long',
      file(untrusted, signature, `${trusted}${'x'.repeat(8192)}`, global),
      'at most 8192 are expected',
    ],
    [
      'another algorithm',
      file(untrusted, `AA${signature.slice(2)}`, trusted, global),
      'another kind than Ed25519',
    ],
    [
      'loose Base64',
      file(untrusted, signature.replace(/.=$/, '/='), trusted, global),
      'a signature that is not proper Base64',
    ],
  ])('with %s is refused', async (_, content, reason) => {
    const error = await failureOf(() => parseSignature(Buffer.from(content as string), 'a.minisig'));
    expect(error.code).toBe('SIGNATURE_INVALID');
    expect(error.message).toMatch(/^a\.minisig /);
    expect(error.message).toContain(reason);
    expect(error.hint).toBeDefined();
  });
});

test.each(['two\nlines', 'a bell \u0007', 'x'.repeat(1001)])(
  'nothing is signed with the comment %j',
  async (trusted) => {
    const error = await failureOf(() => signDigest(key, hashContent(HELLO), { trusted }));
    expect(error.code).toBe('USAGE');
  },
);
