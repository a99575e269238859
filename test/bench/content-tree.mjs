// Content directories with real digests, and packages of updates that call for their files.
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGenerator } from './generator.mjs';

const FILES_PER_UPDATE = 50;
const LANGUAGES = [{ id: 1033, shortName: 'en', longName: 'English', enabled: true }];

/**
 * @param {string} folder becomes `<folder>/WsusContent/…`
 * @param {number[]} sizes bytes, one per file
 * @returns {{ sha1: string, sha256: string, size: number }[]}
 */
export function makeContentTree(folder, sizes) {
  const content = join(folder, 'WsusContent');
  for (let n = 0; n < 256; n++) {
    mkdirSync(join(content, n.toString(16).toUpperCase().padStart(2, '0')), { recursive: true });
  }
  const buffer = randomFillSync(Buffer.alloc(sizes.reduce((most, size) => Math.max(most, size), 0)));
  return sizes.map((size, n) => {
    const bytes = buffer.subarray(0, size);
    if (size >= 8) bytes.writeDoubleLE(n + Math.random(), 0);
    const sha1 = createHash('sha1').update(bytes).digest('hex').toUpperCase();
    writeFileSync(join(content, sha1.slice(-2), `${sha1}.exe`), bytes);
    return { sha1, sha256: createHash('sha256').update(bytes).digest('hex').toUpperCase(), size };
  });
}

/** As many made-up files as asked for; nothing of them is on disk. */
export function* inventFiles(count) {
  for (let n = 0; n < count; n++) {
    const sha256 = createHash('sha256').update(String(n)).digest('hex').toUpperCase();
    yield { sha1: sha256.slice(0, 40), sha256, size: 1000 + n };
  }
}

/**
 * Writes a package of updates that call for these files.
 *
 * @param {string} path
 * @param {Iterable<{ sha1: string, sha256: string, size: number }>} files
 */
export async function writeContentPackage(path, files) {
  const { serializeDocument } = await loadGenerator();
  const { writePackage } = await import('../../dist/packages/write-package.js');
  const { recordSize } = await import('../../dist/formats/export-package/metadata-writer.js');
  const records = [];
  let group = [];
  const flush = () => {
    if (group.length === 0) return;
    const n = records.length;
    const identity = {
      updateId: `bbbbbbbb-0000-4000-8000-${n.toString(16).padStart(12, '0')}`,
      revisionNumber: 1,
    };
    const text = serializeDocument({
      identity,
      prefixes: [],
      properties: {
        UpdateType: 'Software',
        DefaultPropertiesLanguage: 'en',
        ExplicitlyDeployable: 'true',
        PublicationState: 'Published',
        CreationDate: '2026-01-01T00:00:00Z',
      },
      localized: [{ language: 'en', title: `Update ${n}` }],
      files: group.map(({ sha1, sha256, size }) => ({
        sha1,
        sha256,
        size,
        fileName: `${sha1.slice(0, 8).toLowerCase()}.exe`,
        modified: '2026-01-01T00:00:00Z',
      })),
    });
    records.push({ identity, document: Buffer.from(text) });
    group = [];
  };
  for (const file of files) if (group.push(file) === FILES_PER_UPDATE) flush();
  flush();
  const header = {
    serverId: '00000000-0000-4000-8000-000000000001',
    creationTime: '2026-11-01T00:00:00.000Z',
    formatVersion: '1.0',
    protocolVersion: '1.20',
    languages: LANGUAGES,
  };
  await writePackage(
    path,
    'xml.gz',
    {
      header,
      files: () => [],
      entries: () => [
        records.map(({ identity }) => ({ identity, fileSha1s: [], categories: [], classifications: [] })),
      ],
      records: () => [records],
    },
    {
      signal: new AbortController().signal,
      metadataSize: records.reduce((sum, { document }) => sum + recordSize(document.length), 0),
    },
  );
}
