import { expect, test } from 'vitest';
import { fromDosDateTime, toDosDateTime } from '../../../src/formats/cab/dos-datetime.js';
import { fc } from '../../helpers/properties.js';

test('writes the date and time of the worked example', () => {
  expect(toDosDateTime(new Date('2026-01-02T03:04:06Z'))).toEqual({ date: 0x5c22, time: 0x1883 });
});

test('reads back what it wrote, to two seconds', () => {
  const from = Date.UTC(1980, 0, 1);
  const to = Date.UTC(2107, 11, 31, 23, 59, 59);
  fc.assert(
    fc.property(fc.integer({ min: from, max: to }), (ms) => {
      const read = fromDosDateTime(toDosDateTime(new Date(ms)));
      expect(read?.getTime()).toBe(ms - (ms % 2000));
    }),
  );
});

test('holds instants outside the format to its first and last', () => {
  expect(fromDosDateTime(toDosDateTime(new Date(0)))).toEqual(new Date('1980-01-01T00:00:00Z'));
  expect(fromDosDateTime(toDosDateTime(new Date('2200-01-01')))).toEqual(new Date('2107-12-31T23:59:58Z'));
  expect(fromDosDateTime(toDosDateTime(new Date(Number.NaN)))).toEqual(new Date('1980-01-01T00:00:00Z'));
});

test.each([
  ['zeros, as in update blobs', 0, 0],
  ['month 13', (20 << 9) | (13 << 5) | 1, 0],
  ['day 0', (20 << 9) | (1 << 5), 0],
  ['31 February', (20 << 9) | (2 << 5) | 31, 0],
  ['hour 24', (20 << 9) | (1 << 5) | 1, 24 << 11],
  ['minute 60', (20 << 9) | (1 << 5) | 1, 60 << 5],
  ['second 60', (20 << 9) | (1 << 5) | 1, 30],
])('reads %s as no date', (_name, date, time) => {
  expect(fromDosDateTime({ date, time })).toBeUndefined();
});
