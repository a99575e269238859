import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = resolve(import.meta.dirname, '../../dist/platform/sqlite.js');

/** Runs `body` in a process of its own, with `openDatabase` and a `gc` that collects everything nobody holds. */
async function runCollecting(body: string): Promise<string> {
  if (!existsSync(MODULE)) throw new Error('dist/ is missing: run "npm run build" before this test');
  const script = `
    import { openDatabase } from ${JSON.stringify(pathToFileURL(MODULE).href)};
    async function collect() {
      for (let round = 0; round < 3; round++) {
        gc();
        await new Promise((turn) => setImmediate(turn)); // finalizers run between turns
      }
    }
    ${body}`;
  const args = ['--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim();
}

const NUMBERS =
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n';

test('rows go on although nobody holds the statement and the database any more', async () => {
  const output = await runCollecting(`
    const rows = await (async () => (await openDatabase(':memory:')).prepare('${NUMBERS}').iterate())();
    let sum = 0;
    for (const row of rows) {
      if (row.i % 10 === 1) await collect();
      sum += row.i;
    }
    console.log(sum);`);
  expect(output).toBe('1275');
});

test('a statement can be used although nobody holds the database any more', async () => {
  const output = await runCollecting(`
    const statement = await (async () => (await openDatabase(':memory:')).prepare('SELECT ? + 1 AS sum'))();
    await collect();
    const one = statement.get(1).sum;
    await collect();
    console.log(one, statement.all(2)[0].sum, [...statement.iterate(3)][0].sum);`);
  expect(output).toBe('2 3 4');
});
