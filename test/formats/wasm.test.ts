import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

test('the modules are what the compiler makes of their sources', () => {
  const script = join(import.meta.dirname, '../../scripts/build-wasm.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}, 60_000);

test('where there is no WebAssembly, packages are read all the same, and LZX says why it is not', () => {
  const url = (path: string) =>
    JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist', path)).href);
  const script = `
    const { decodeDocument } = await import(${url('formats/export-package/document-encoding.js')});
    const { takeLzxDecoder } = await import(${url('formats/cab/lzx.js')});
    console.log(Buffer.from(decodeDocument(Buffer.from('&lt;a/>'), 'escaped')).toString());
    try { takeLzxDecoder(15, 0); } catch ({ code, message, hint }) { console.log(code, message, hint); }`;
  const args = ['--jitless', '--input-type=module', '-e', script];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stdout).toMatch(
    /^<a\/>\nCAB_COMPRESSION LZX cannot be decoded without WebAssembly: .+ --jitless\.\n$/,
  );
});
