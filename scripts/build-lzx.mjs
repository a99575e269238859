// node scripts/build-lzx.mjs [--check]
// Makes src/formats/cab/lzx-module.ts of src/formats/cab/lzx-core/lzx.ts. It is committed, so that nobody needs the compiler
// who does not change the decoder; with --check it is only compared (exit code 1: it is not what the compiler makes).
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import asc from 'assemblyscript/asc';

const root = resolve(import.meta.dirname, '..');
const source = 'src/formats/cab/lzx-core/lzx.ts';
const target = resolve(root, 'src/formats/cab/lzx-module.ts');

let module;
const { error, stderr } = await asc.main(
  [
    source,
    ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd'],
    ...['--initialMemory', '3', '--baseDir', root, '--outFile', 'lzx.wasm'],
  ],
  {
    writeFile(_name, contents) {
      module = contents;
    },
  },
);
if (error !== null) {
  console.error(`${stderr}\n${error.message}`);
  process.exit(1);
}
const made = `/** Made by \`npm run build:lzx\` of lzx-core/lzx.ts: a WebAssembly module, in Base64. */
export const LZX_MODULE =
  '${Buffer.from(module).toString('base64')}';
`;
if (!process.argv.includes('--check')) writeFileSync(target, made);
else if (readFileSync(target, 'utf8') !== made) {
  console.error(
    'src/formats/cab/lzx-module.ts is not what lzx-core/lzx.ts compiles to: run "npm run build:lzx"',
  );
  process.exit(1);
}
