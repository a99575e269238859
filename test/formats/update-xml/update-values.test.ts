import { expect, test } from 'vitest';
import {
  parseInstant,
  readBoolean,
  readFamiliarUpdateId,
  readUpdateId,
} from '../../../src/formats/update-xml/update-values.js';
import { XmlReader } from '../../../src/formats/xml/xml-reader.js';
import { fc } from '../../helpers/properties.js';

test.each([
  ['2004-02-28T18:17:34.1032476-08:00', '2004-02-29T02:17:34.103Z'],
  ['2014-07-01T21:00:04.639Z', '2014-07-01T21:00:04.639Z'],
  ['2022-05-10T17:00:06+05:30', '2022-05-10T11:30:06.000Z'],
  ['2022-05-10T17:00:06', '2022-05-10T17:00:06.000Z'],
  ['2022-05-10T17:00:06.5', '2022-05-10T17:00:06.500Z'],
  ['2022-05-10', '2022-05-10T00:00:00.000Z'],
  ['2000-02-29', '2000-02-29T00:00:00.000Z'],
])('%s is the instant %s', (text, expected) => {
  expect(new Date(parseInstant(text) as number).toISOString()).toBe(expected);
});

test.each([
  '',
  'yesterday',
  '2022-13-01',
  '2022-00-01',
  '2022-02-30',
  '2022-05-10T24:00:00Z',
  '2022-05-10 17:00:06',
  '2022-5-1',
])('"%s" is no instant', (text) => {
  expect(parseInstant(text)).toBeUndefined();
});

test('every date the engine writes is read back', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }),
      (date) => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime());
      },
    ),
  );
});

test('booleans are read with any capitals, and nothing else', () => {
  expect(
    [undefined, 'true', '1', 'True', ' FALSE ', '0'].map((text) => readBoolean(text, true, 'x')),
  ).toEqual([true, true, true, true, false, false]);
  expect(() => readBoolean('yes', true, 'IsBeta')).toThrow('IsBeta is "yes", expected true or false');
});

test('an id is the same however it is written and however often it is asked for', () => {
  const id = '0fa1201d-4330-4fa8-8ae9-b877473b6441';
  const forms = [id, id.toUpperCase(), `{${id}}`, id, `&#x30;${id.slice(1)}`, id];
  const xml = `<r>${forms.map((text) => `<a UpdateID="${text}"/>`).join('')}<b/><c UpdateID="${id}0"/></r>`;
  for (const read of [readUpdateId, readFamiliarUpdateId]) {
    const found: string[] = [];
    const reader = new XmlReader({
      start(element) {
        if (element.local === 'a') found.push(read(element, 'x'));
        if (element.local === 'b') {
          expect(() => read(element, 'Prerequisites')).toThrow('Prerequisites: UpdateID is missing');
        }
        if (element.local === 'c') expect(() => read(element, 'x')).toThrow(`UpdateID is "${id}0"`);
      },
      end() {},
      text() {},
    });
    reader.write(xml);
    reader.end();
    expect(found).toEqual(forms.map(() => id));
  }
});
