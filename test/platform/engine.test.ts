import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const builtModule = resolve(import.meta.dirname, '../../dist/platform/engine.js');

test.each(['growHeapAsIfBusy', 'compileLater'])(
  'the engine knows what %s sets: it would complain on stderr',
  (name) => {
    const script = `
    const engine = await import(${JSON.stringify(pathToFileURL(builtModule).href)});
    engine.${name}();
    console.log('done');`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'done\n', stderr: '' });
  },
);
