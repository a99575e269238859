import { expect, test } from 'vitest';
import { ClauseWriter } from '../../src/store/clause-writer.js';
import { fc } from '../helpers/properties.js';

test('it writes what JSON.stringify writes, however many there are', () => {
  const writer = new ClauseWriter(); // one for all, as in an import
  const number = fc.oneof(
    fc.nat(),
    fc.nat(1000),
    fc.maxSafeNat(),
    fc.constantFrom(9, 10, 99, 100, 2 ** 53 - 1),
  );
  const clause = fc
    .tuple(fc.nat(2), fc.array(number, { maxLength: 200 }))
    .map(([kind, keys]) => [kind, ...keys]);
  fc.assert(
    fc.property(fc.array(clause, { minLength: 1, maxLength: 30 }), (clauses) => {
      for (const [kind, ...keys] of clauses) {
        writer.open(kind as number);
        for (const key of keys) writer.add(key);
        writer.close();
      }
      expect(writer.take()).toBe(JSON.stringify(clauses));
    }),
  );
});
