import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeDocument } from '../../src/formats/export-package/document-encoding.js';
import type { PackageEntry, PackageFile, PackageHeader } from '../../src/model/export-package.js';
import { readPackage } from '../../src/packages/read-package.js';
import {
  type CatalogueOptions,
  catalogueHeader,
  generateCatalogue,
} from '../helpers/catalogue/generate-catalogue.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'wsusutil-catalogue-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

interface Content {
  header: PackageHeader | undefined;
  files: PackageFile[];
  entries: PackageEntry[];
  documents: string[];
}

/** Nothing in a generated package is odd. */
function warn(code: string, message: string): void {
  throw new Error(`${code}: ${message}`);
}

async function read(path: string): Promise<Content> {
  const content: Content = { header: undefined, files: [], entries: [], documents: [] };
  for await (const part of readPackage(path, { signal: new AbortController().signal, warn })) {
    if (part.type === 'header') content.header = part.header;
    else if (part.type === 'files') content.files.push(...part.files);
    else if (part.type === 'entries') content.entries.push(...part.entries);
    else if (part.type === 'records') {
      for (const { start, end } of part.batch.records) {
        const bytes = part.batch.bytes.subarray(start, end);
        const document = part.batch.encoding === 'plain' ? bytes : decodeDocument(bytes, part.batch.encoding);
        content.documents.push(Buffer.from(document).toString('utf8'));
      }
    }
  }
  return content;
}

function generated(options: CatalogueOptions): Content {
  const items = [...generateCatalogue(options)];
  return {
    header: catalogueHeader(options),
    files: items.flatMap(({ files }) => files),
    entries: items.map(({ entry }) => entry),
    documents: items.map(({ document }) => document.toString('utf8')),
  };
}

test.each(['cab', 'xml.gz'])('a catalogue written as .%s is read back whole', async (format) => {
  const options = { revisions: 700, seed: 11 };
  const path = join(scratch, `catalogue.${format}`);
  const summary = await writeCatalogue(path, options);
  expect(summary.revisions).toBe(700);
  expect(summary.packageSize).toBe((await stat(path)).size);
  expect(await read(path)).toEqual(generated(options));
});

test('the fixture package holds what scripts/make-fixtures.mjs makes, in less than 300 kB', async () => {
  const fixture = resolve(import.meta.dirname, '../../fixtures/packages/sample.cab');
  expect(await read(fixture)).toEqual(generated({ revisions: 400, seed: 2026 }));
  expect((await stat(fixture)).size).toBeLessThan(300_000);
});
