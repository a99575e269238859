import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { acknowledge, listReceipts } from '../../src/carry/acknowledge.js';
import { MAX_RECEIPT_SEQUENCE, writeReceipt } from '../../src/carry/receipt.js';
import { looksSigned, readSignedReceipt, writeSignedReceipt } from '../../src/carry/signed-receipt.js';
import type { SecretKey } from '../../src/formats/minisign/secret-key.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { testKey } from '../helpers/signing.js';
import { makeUpdate, now, testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, openSite } from './carry-setup.js';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const subject = fc.record({
  destination: fc.string({ minLength: 1, maxLength: 20 }),
  sequence: fc.integer({ min: 1, max: MAX_RECEIPT_SEQUENCE }),
  manifest: fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase()),
});
const LINE = /^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){4}$/;

let key: SecretKey;
let other: SecretKey;
beforeAll(async () => {
  [key, other] = [await testKey(1), await testKey(2)];
});

test('a signed receipt is five lines, for its package and of its key only, however it is typed', () => {
  fc.assert(
    fc.property(subject, subject, fc.boolean(), (about, another, isLower) => {
      const lines = writeSignedReceipt(about, key);
      expect(lines).toHaveLength(5);
      for (const line of lines) expect(line).toMatch(LINE);
      const typed = lines.join('\n').replaceAll('-', ' ').replaceAll('1', 'l').replaceAll('0', 'O');
      expect(looksSigned(typed)).toBe(true);
      expect(looksSigned(writeReceipt(about))).toBe(false);
      const receipt = readSignedReceipt(isLower ? typed.toLowerCase() : typed);
      expect(receipt.sequence).toBe(about.sequence);
      expect(receipt.mayBeOf(key.publicKey.keyId)).toBe(true);
      expect(receipt.mayBeOf(other.publicKey.keyId)).toBe(false);
      expect(receipt.isSignedFor(about, key.publicKey.key)).toBe(true);
      expect(receipt.isSignedFor(about, other.publicKey.key)).toBe(false);
      if (JSON.stringify(about) !== JSON.stringify(another)) {
        expect(receipt.isSignedFor(another, key.publicKey.key)).toBe(false);
        expect(
          receipt.isSignedFor({ ...about, destination: `${about.destination}x` }, key.publicKey.key),
        ).toBe(false);
      }
    }),
    { numRuns: 50 },
  );
});

test('one or two wrong letters are told by their line, and so are lines in another order', () => {
  const position = fc.nat(24);
  const letter = fc.constantFrom(...ALPHABET);
  const lines = writeSignedReceipt({ destination: 'ship', sequence: 7, manifest: 'AB'.repeat(32) }, key);
  fc.assert(
    fc.property(fc.nat(4), position, letter, position, letter, (line, at, one, alsoAt, two) => {
      const changed = lines.map((each) => each.replaceAll('-', ''));
      const typed = [...(changed[line] as string)];
      [typed[at], typed[alsoAt]] = [one, two];
      if (typed.join('') === changed[line]) return;
      changed[line] = typed.join('');
      expect(() => readSignedReceipt(changed.join(' '))).toThrow(`Line ${line + 1} of the receipt`);
    }),
    { numRuns: 500 },
  );
  const [first, second, ...rest] = lines as [string, string, ...string[]];
  expect(() => readSignedReceipt([second, first, ...rest].join(' '))).toThrow('Line 1');
});

test('what is left out or too much is told, and a changed number is no receipt of anybody', () => {
  const about = { destination: 'ship', sequence: 7, manifest: 'AB'.repeat(32) };
  const lines = writeSignedReceipt(about, key);
  expect(() => readSignedReceipt(lines.slice(0, 3).join(' '))).toThrow('line 4 is missing');
  expect(() =>
    readSignedReceipt([...lines.slice(0, 2), lines[2]?.slice(1), ...lines.slice(3)].join(' ')),
  ).toThrow('Line 3');
  expect(() => readSignedReceipt([...lines, 'A'].join(' '))).toThrow('goes on');
  expect(() => readSignedReceipt(lines.join(' ').replace('S', '?'))).toThrow('Line 1');
});

test('outside, a receipt counts if the key that signed it is trusted there', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const path = join(testFolder(), '1.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  await importInto(inside, [path]);
  const [given] = await listReceipts(inside.store.carryState(), undefined);
  const accepted = given?.accepted as NonNullable<typeof given>['accepted'];
  const code = writeSignedReceipt(accepted, key).join(' ');
  const state = outside.store.carryState();
  const trusting = (...keys: SecretKey[]) => ({
    keys: keys.map(({ publicKey }, index) => ({ name: `side ${index}`, publicKey })),
  });
  const acknowledgedAt = async () => (await state.listSent())[0]?.acknowledgedAt;

  expect((await failureOf(() => acknowledge(state, code, trusting(), now()))).code).toBe('SIGNER_UNTRUSTED');
  expect((await failureOf(() => acknowledge(state, code, trusting(other), now()))).code).toBe(
    'SIGNER_UNTRUSTED',
  );
  // Somebody who has the package, and a key that says it is another one.
  const forger: SecretKey = { ...other, publicKey: { ...other.publicKey, keyId: key.publicKey.keyId } };
  const forged = writeSignedReceipt(accepted, { publicKey: forger.publicKey, sign: (m) => other.sign(m) });
  expect((await failureOf(() => acknowledge(state, forged.join(' '), trusting(key), now()))).code).toBe(
    'SIGNATURE_INVALID',
  );
  const elsewhere = writeSignedReceipt({ ...accepted, destination: 'elsewhere' }, key).join(' ');
  expect((await failureOf(() => acknowledge(state, elsewhere, trusting(key), now()))).code).toBe(
    'SIGNATURE_INVALID',
  );
  const later = writeSignedReceipt({ ...accepted, sequence: 2 }, key).join(' ');
  expect((await failureOf(() => acknowledge(state, later, trusting(key), now()))).code).toBe('NOT_FOUND');
  expect(await acknowledgedAt()).toBeUndefined();

  expect(await acknowledge(state, code, trusting(other, key), now())).toMatchObject({
    sent: { sequence: 1 },
    signer: { name: 'side 1', keyId: key.publicKey.keyId },
  });
  expect(await acknowledgedAt()).toBe(now().getTime());
});
