import { expect, test } from 'vitest';
import { nearestName } from '../../src/model/nearest-name.js';

test.each([
  ['exprot', 'export'],
  ['IMPROT', 'import'],
  ['postinst', 'postinstall'],
  ['cat', 'categories'],
  ['zzz', undefined],
  ['', undefined],
  ['x'.repeat(10_000), undefined],
])('%s was probably meant as %s', (typed, expected) => {
  expect(nearestName(typed, ['import', 'export', 'postinstall', 'categories'])).toBe(expected);
});
