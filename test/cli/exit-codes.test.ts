import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import {
  EXIT_CODES,
  EXIT_MEANINGS,
  exitCodeOf,
  exitCodeRows,
  exitCodesMarkdown,
} from '../../src/cli/exit-codes.js';
import { exitCodesHelp } from '../../src/cli/help.js';
import { WsusutilError } from '../../src/errors.js';

const readmePath = resolve(import.meta.dirname, '../../README.md');

test('every number that is used has a meaning, and every meaning above 3 is used', () => {
  const used = new Set<number>(Object.values(EXIT_CODES));
  expect([...used].filter((exitCode) => !(exitCode in EXIT_MEANINGS))).toEqual([]);
  const unused = Object.keys(EXIT_MEANINGS)
    .map(Number)
    .filter((exitCode) => exitCode > 3 && !used.has(exitCode));
  expect(unused).toEqual([]);
});

test('a defect of ours ends with 1', () => {
  expect(exitCodeOf(new Error('x'))).toBe(1);
  expect(exitCodeOf('x')).toBe(1);
  expect(exitCodeOf(new WsusutilError('STORE_LOCKED', 'x'))).toBe(11);
});

test('help lists every number within 80 columns', () => {
  const text = exitCodesHelp().join('\n');
  for (const { exitCode } of exitCodeRows()) expect(text).toMatch(new RegExp(`^ *${exitCode} {2}`, 'm'));
  expect(exitCodesHelp().every((line) => line.length <= 80)).toBe(true);
});

test.skipIf(!existsSync(readmePath))('the table in the README is the one in the code', () => {
  const readme = readFileSync(readmePath, 'utf8').replaceAll('\r\n', '\n');
  const between = /<!-- exit-codes -->\n+([\s\S]*?)\n+<!-- \/exit-codes -->/.exec(readme)?.[1];
  expect(between).toBe(exitCodesMarkdown());
});
