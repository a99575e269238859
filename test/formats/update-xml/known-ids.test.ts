import { expect, test } from 'vitest';
import { KnownIds } from '../../../src/formats/update-xml/known-ids.js';
import { fc } from '../../helpers/properties.js';

function codesOf(text: string): Uint16Array {
  return Uint16Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

function find(ids: KnownIds, text: string): string | undefined {
  return ids.find(codesOf(`"${text}"`), 1, text.length + 1);
}

test('an id that was added is found in any case, and no other', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 50 }), (list) => {
      const [stranger, ...added] = list as [string, ...string[]];
      const ids = new KnownIds();
      for (const id of added) ids.add(id);
      for (const id of added) {
        expect(find(ids, id)).toBe(id);
        expect(find(ids, id.toUpperCase())).toBe(id);
      }
      expect(find(ids, stranger)).toBeUndefined();
    }),
  );
});

test('what is no GUID is not found', () => {
  const id = '0fa1201d-4330-4fa8-8ae9-b877473b6441';
  const ids = new KnownIds();
  ids.add(id);
  fc.assert(
    fc.property(fc.nat(35), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), (at, unit) => {
      const changed = id.slice(0, at) + unit + id.slice(at + 1);
      expect(find(ids, changed)).toBe(changed.toLowerCase() === id ? id : undefined);
    }),
  );
  expect(find(ids, id.slice(1))).toBeUndefined();
  expect(find(ids, `${id}0`)).toBeUndefined();
});

test('a table that is full starts anew and goes on finding', () => {
  const ids = new KnownIds();
  const idOf = (n: number) => `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  for (let n = 0; n < 40_000; n++) {
    ids.add(idOf(n));
    expect(find(ids, idOf(n)) === idOf(n)).toBe(true);
  }
  expect(find(ids, idOf(0))).toBeUndefined();
});
