// node test/bench/make-package.mjs <path> --revisions N --seed S
// Writes a generated catalogue as an export package: `.xml.gz` by its name, anything else a cabinet.
import { parseArgs } from 'node:util';
import { loadGenerator } from './generator.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { revisions: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const path = positionals[0];
const revisions = Number(values.revisions);
const seed = Number(values.seed);
if (path === undefined || positionals.length > 1 || !Number.isInteger(revisions) || !Number.isInteger(seed)) {
  console.error('usage: node test/bench/make-package.mjs <path> --revisions N --seed S');
  process.exit(2);
}
const { writeCatalogue } = await loadGenerator();
const summary = await writeCatalogue(path, { revisions, seed });
console.log(
  `${path}: ${summary.revisions} revisions, ${summary.documentSize} bytes of documents, ${summary.packageSize} bytes of package`,
);
