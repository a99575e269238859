import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const builtModule = resolve(import.meta.dirname, '../../dist/platform/heap-growth.js');

test('the engine knows the setting: it would complain on stderr', () => {
  const script = `
    const { growHeapAsIfBusy } = await import(${JSON.stringify(pathToFileURL(builtModule).href)});
    growHeapAsIfBusy();
    console.log('done');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect({ stdout, stderr }).toEqual({ stdout: 'done\n', stderr: '' });
});
