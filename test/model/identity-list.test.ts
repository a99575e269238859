import { expect, test } from 'vitest';
import { IDENTITY_SIZE, IdentityList, identityFromBytes } from '../../src/model/identity-list.js';
import { RecordList } from '../../src/model/record-list.js';
import { fc } from '../helpers/properties.js';

const identity = fc.record({
  updateId: fc.uuid(),
  revisionNumber: fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)),
});

test('a list gives back what was put in, one by one, as bytes or out of a text, however long it grows', () => {
  fc.assert(
    fc.property(fc.array(identity, { maxLength: 300 }), fc.nat(3), (identities, capacity) => {
      const list = new IdentityList(capacity);
      for (const [index, each] of identities.entries()) {
        if (index % 3 === 0) list.push(each);
        else if (index % 3 === 1) list.pushBytes(IdentityList.of([each]).bytes);
        else list.pushText(`<a b="${each.updateId}">`, 6, each.revisionNumber);
      }
      expect([...list]).toEqual(identities);
      expect(list.length).toBe(identities.length);
      expect(list.bytes).toHaveLength(identities.length * IDENTITY_SIZE);
      for (const [index, each] of identities.entries()) {
        expect(list.at(index)).toEqual(each);
        expect(list.revisionNumberAt(index)).toBe(each.revisionNumber);
        expect(identityFromBytes(list.bytes, index * IDENTITY_SIZE)).toEqual(each);
        expect(identities[list.indexOf(each)]).toEqual(each);
      }
      expect(list.at(identities.length)).toBeUndefined();
      expect(list.indexOf({ updateId: '00000000-0000-0000-0000-000000000000', revisionNumber: 7 })).toBe(-1);
    }),
  );
});

test('records keep where their documents stand', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ identity, start: fc.nat(), end: fc.nat() }), { maxLength: 400 }),
      (records) => {
        const list = new RecordList();
        for (const [index, { identity: each, start, end }] of records.entries()) {
          if (index % 2 === 0) list.push(each, start, end);
          else list.pushBytes(IdentityList.of([each]).bytes, start, end);
        }
        expect([...list]).toEqual(records);
        expect([...list.spans]).toEqual(records.flatMap(({ start, end }) => [start, end]));
      },
    ),
  );
});
