// The catalogue generator is TypeScript, which Node 20 cannot run: compile it, with the parts of src/ that it uses,
// into a cache folder. The types have been checked by `npm test`, so this takes a quarter of a second.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
/** `outDir` of test/helpers/catalogue/tsconfig.json */
const output = join(root, 'node_modules/.cache/wsusutil-generator');

/** @returns {Promise<typeof import('../helpers/catalogue/write-catalogue.js') & typeof import('../helpers/catalogue/generate-catalogue.js') & typeof import('../helpers/catalogue/documents.js') & typeof import('../helpers/catalogue/wire-catalogue.js')>} */
export async function loadGenerator() {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'test/helpers/catalogue/tsconfig.json');
  const result = spawnSync(process.execPath, [compiler, '-p', project], {
    encoding: 'utf8',
  });
  if (result.status !== 0)
    throw new Error(`the generator does not compile:\n${result.stdout}${result.stderr}`);
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, 'package.json'), '{ "type": "module" }\n'); // a folder below node_modules inherits none
  const load = (name) => import(pathToFileURL(join(output, 'test/helpers/catalogue', name)).href);
  return {
    ...(await load('generate-catalogue.js')),
    ...(await load('write-catalogue.js')),
    ...(await load('documents.js')),
    ...(await load('wire-catalogue.js')),
  };
}
