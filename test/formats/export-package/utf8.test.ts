import { expect, test } from 'vitest';
import { passUnits, utf16Length } from '../../../src/formats/export-package/utf8.js';
import { fc } from '../../helpers/properties.js';

const stretch = fc.tuple(fc.constantFrom('a', 'é', '€', '🙂', 'aé', '🙂€a'), fc.nat(1500));
const text = fc
  .array(stretch, { maxLength: 6 })
  .map((stretches) => stretches.map(([unit, times]) => unit.repeat(times)).join(''));

test('the length of a string in .NET, whatever characters it has and however long it is', () => {
  fc.assert(
    fc.property(text, (value) => {
      expect(utf16Length(Buffer.from(value))).toBe(value.length);
    }),
  );
});

test('so many units end at the character that completes them', () => {
  fc.assert(
    fc.property(text, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(9), (value, share, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, '🙂'), Buffer.from(value)]);
      const wanted = Math.floor(value.length * share);
      const { size, units } = passUnits(bytes, offset, bytes.length, wanted);
      const isSplit = /[\ud800-\udbff]/.test(value[wanted - 1] ?? '');
      expect(units).toBe(isSplit ? wanted + 1 : wanted);
      expect(bytes.toString('utf8', offset, offset + size)).toBe(value.slice(0, units));
    }),
  );
});
