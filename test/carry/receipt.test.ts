import { join } from 'node:path';
import { expect, test } from 'vitest';
import { acknowledge, listReceipts } from '../../src/carry/acknowledge.js';
import { MAX_RECEIPT_SEQUENCE, readReceipt, writeReceipt } from '../../src/carry/receipt.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { makeUpdate, now, testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, openSite } from './carry-setup.js';

const subject = fc.record({
  destination: fc.string({ minLength: 1, maxLength: 20 }),
  sequence: fc.integer({ min: 1, max: MAX_RECEIPT_SEQUENCE }),
  manifest: fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase()),
});

test('a receipt is for its package, however it is typed', () => {
  fc.assert(
    fc.property(subject, fc.boolean(), (about, isLower) => {
      const code = writeReceipt(about);
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){4}$/);
      const typed = code.replaceAll('-', ' ').replaceAll('1', 'l').replaceAll('0', 'O');
      const receipt = readReceipt(isLower ? ` ${typed.toLowerCase()}` : typed);
      expect(receipt.sequence).toBe(about.sequence);
      expect(receipt.isFor(about)).toBe(true);
    }),
  );
});

test('a receipt is for no other package', () => {
  fc.assert(
    fc.property(subject, subject, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(readReceipt(writeReceipt(one)).isFor(other)).toBe(false);
    }),
  );
});

test('a letter that was mistyped, or two that changed places, are told', () => {
  fc.assert(
    fc.property(
      subject,
      fc.nat(24),
      fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'),
      (about, at, letter) => {
        const code = writeReceipt(about).replaceAll('-', '');
        const mistyped = `${code.slice(0, at)}${letter}${code.slice(at + 1)}`;
        const swapped = `${code.slice(0, at)}${code
          .slice(at, at + 2)
          .split('')
          .reverse()
          .join('')}${code.slice(at + 2)}`;
        for (const wrong of [mistyped, swapped]) {
          if (wrong !== code) expect(() => readReceipt(wrong)).toThrow('mistyped');
        }
      },
    ),
  );
});

test('a text that is no receipt is refused', () => {
  for (const text of ['', 'abc', '?'.repeat(25), 'A'.repeat(26)]) {
    expect(() => readReceipt(text)).toThrow('25 letters');
  }
});

test('what was received inside moves the baseline outside', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const folder = testFolder();
  await exportFrom(outside, join(folder, '1.tar'));
  await feed(outside, [makeUpdate(2)]);
  await exportFrom(outside, join(folder, '2.tar'), { base: { kind: 'last' } });

  const inside = await openSite('inside');
  expect((await failureOf(() => listReceipts(inside.store.carryState(), undefined))).code).toBe('NOT_FOUND');
  await importInto(inside, [join(folder, '1.tar')]);
  const [receipt] = await listReceipts(inside.store.carryState(), undefined);
  const sent = await acknowledge(outside.store.carryState(), receipt?.code ?? '', { keys: [] }, now());
  expect(sent).toMatchObject({ sent: { destination: 'isolated', sequence: 1 }, signer: undefined });

  const { manifest } = await exportFrom(outside, join(folder, '3.tar'), { base: { kind: 'last' } });
  expect(manifest).toMatchObject({ sequence: 3, followsSequence: 1, counts: { revisions: 1 } });
  await importInto(inside, [join(folder, '3.tar')]);
  expect(await inside.store.fingerprint()).toBe(await outside.store.fingerprint());

  const foreign = writeReceipt({ destination: 'isolated', sequence: 1, manifest: 'AB'.repeat(32) });
  expect(
    (await failureOf(() => acknowledge(outside.store.carryState(), foreign, { keys: [] }, now()))).code,
  ).toBe('NOT_FOUND');
});
