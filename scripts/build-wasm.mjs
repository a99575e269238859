// node scripts/build-wasm.mjs [--check]
// Makes the WebAssembly modules in src/ of their AssemblyScript sources beside them. They are committed, so that nobody
// needs the compiler who does not change one; with --check they are only compared (exit code 1: not what it makes).
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import asc from 'assemblyscript/asc';

const root = resolve(import.meta.dirname, '..');
/** each folder's `<core>-core/<core>.ts` makes `<core>-module.ts`; memory in pages of 64 KiB at first */
const MODULES = [
  { folder: 'src/formats/cab', core: 'lzx', memory: 3 },
  { folder: 'src/formats/cab', core: 'mszip', memory: 7 },
  { folder: 'src/formats/export-package', core: 'text', memory: 1 },
  { folder: 'src/packages', core: 'facts', memory: 2 },
];

for (const { folder, core, memory } of MODULES) {
  const source = `${folder}/${core}-core/${core}.ts`;
  const target = join(root, folder, `${core}-module.ts`);
  const made = `/** Made by \`npm run build:wasm\` of ${core}-core/${core}.ts: a WebAssembly module, in Base64. */
export const ${core.toUpperCase()}_MODULE =
  '${(await compile(source, memory)).toString('base64')}';
`;
  if (!process.argv.includes('--check')) writeFileSync(target, made);
  else if (readFileSync(target, 'utf8') !== made) {
    console.error(
      `${folder}/${basename(target)} is not what ${source} compiles to: run "npm run build:wasm"`,
    );
    process.exitCode = 1;
  }
}

async function compile(source, memory) {
  let module;
  const { error, stderr } = await asc.main(
    [
      source,
      ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd'],
      ...['--initialMemory', String(memory), '--baseDir', root, '--outFile', 'module.wasm'],
    ],
    {
      writeFile(_name, contents) {
        module = Buffer.from(contents);
      },
    },
  );
  if (error === null) return module;
  console.error(`${stderr}\n${error.message}`);
  process.exit(1);
}
