// node scripts/make-fixtures.mjs: makes fixtures/packages/ again, the same content every time.
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { loadGenerator } from '../test/bench/generator.mjs';

const REVISIONS = 400;
const SEED = 2026;

const folder = resolve(import.meta.dirname, '../fixtures/packages');
const path = join(folder, 'sample.cab');
const { writeCatalogue } = await loadGenerator();
await mkdir(folder, { recursive: true });
await rm(path, { force: true });
await writeCatalogue(path, { revisions: REVISIONS, seed: SEED });
console.log(`${path}: ${REVISIONS} revisions, ${(await stat(path)).size} bytes`);
