import { expect, test } from 'vitest';
import { formatIdentity } from '../../src/model/update-identity.js';
import { IdentitySet } from '../../src/sync/identity-set.js';
import { fc } from '../helpers/properties.js';

const identity = fc.record({
  // few ids, so that many of them come twice
  updateId: fc.nat(20).map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
  revisionNumber: fc.oneof(fc.nat(3), fc.constant(2 ** 32 - 1)),
});

test('each revision is new once, as in a set of texts', () => {
  fc.assert(
    fc.property(fc.array(identity, { maxLength: 200 }), (identities) => {
      const set = new IdentitySet(identities.length);
      const texts = new Set<string>();
      for (const each of identities) {
        expect(set.add(each)).toBe(!texts.has(formatIdentity(each)));
        texts.add(formatIdentity(each));
      }
    }),
  );
});

test('more than was announced is a defect of ours', () => {
  const set = new IdentitySet(1);
  set.add({ updateId: 'a', revisionNumber: 1 });
  expect(set.add({ updateId: 'a', revisionNumber: 1 })).toBe(false);
  expect(() => set.add({ updateId: 'b', revisionNumber: 1 })).toThrow('full');
});
