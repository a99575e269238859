import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { extractCabinet } from '../../../src/formats/cab/read-cabinet.js';
import { makeFixtureCabinets } from '../../helpers/fixture-cabinets.js';

const FOLDER = resolve(import.meta.dirname, '../../../fixtures/cab');

test('the fixtures are what their recipe makes', () => {
  const recipe = makeFixtureCabinets();
  if (process.env.WRITE_FIXTURES === '1') {
    for (const [name, bytes] of recipe) writeFileSync(join(FOLDER, name), bytes);
  }
  const cabinets = readdirSync(FOLDER).filter((name) => name.endsWith('.cab'));
  expect(cabinets.sort()).toEqual([...recipe.keys()].sort());
  for (const name of cabinets) {
    // Deflate may come out otherwise in another zlib; its plain bytes may not.
    if (name.includes('mszip') || name.startsWith('three')) continue;
    expect(Buffer.compare(readFileSync(join(FOLDER, name)), recipe.get(name) as Buffer)).toBe(0);
  }
});

test('the fixtures give what they were made from', () => {
  for (const [name, made] of makeFixtureCabinets()) {
    if (name === 'spanned.cab') continue;
    const stored = extractCabinet(readFileSync(join(FOLDER, name)));
    const fresh = extractCabinet(made);
    expect(stored.map(({ member }) => member)).toEqual(fresh.map(({ member }) => member));
    for (const [index, { data }] of stored.entries())
      expect(Buffer.compare(data, fresh[index]!.data)).toBe(0);
  }
});
