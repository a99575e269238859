// node test/bench/make-package.mjs <path> --revisions N --seed S
// Writes a generated catalogue as an export package: `.xml.gz` by its name, anything else a cabinet.
import { parseArgs } from 'node:util';
import { loadGenerator } from './generator.mjs';

const USAGE = 'usage: node test/bench/make-package.mjs <path> [--revisions N] [--seed S]';

const { path, revisions, seed } = readArguments();
const { writeCatalogue } = await loadGenerator();
const summary = await writeCatalogue(path, { revisions, seed });
console.log(
  `${path}: ${summary.revisions} revisions, ${summary.documentSize} bytes of documents, ${summary.packageSize} bytes of package`,
);

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        revisions: { type: 'string', default: '1000' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    refuse(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  if (positionals.length !== 1) refuse(`one path is needed, ${positionals.length} were given`);
  return {
    path: positionals[0],
    revisions: wholeNumber('revisions', values.revisions),
    seed: wholeNumber('seed', values.seed),
  };
}

function wholeNumber(name, text) {
  if (!/^\d{1,15}$/.test(text)) refuse(`--${name} takes a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function refuse(problem) {
  console.error(`${problem}\n${USAGE}`);
  process.exit(2);
}
