import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import type { FieldsView, TableView } from '../../../src/commands/outcome.js';
import { inspect } from '../../../src/commands/packages/inspect.js';
import { serializeRecords } from '../../../src/formats/export-package/metadata-writer.js';
import {
  type BuildOptions,
  type BuiltPackage,
  buildPackage,
  writeOne,
} from '../../formats/transfer-package/transfer-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { signatureText, testKey } from '../../helpers/signing.js';
import { idOf, makeUpdate, testFolder, writeUpdates } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

const HOSTILE = '</td><script>alert(1)</script>"\'&\u202egpj.exe\u001b[2J';
const UPDATES = [
  makeUpdate(1, {
    title: 'Windows <b>fix</b>',
    kb: ['5001234', '900'],
    cves: ['CVE-2026-0002'],
    severity: 'Important',
  }),
  makeUpdate(2, {
    title: 'Second',
    kb: ['900'],
    cves: ['CVE-2026-0002', 'CVE-2026-00010'],
    severity: 'Critical',
  }),
  makeUpdate(3, { title: 'Old text', revision: 1, severity: 'Low' }),
  makeUpdate(3, { title: 'New text', revision: 2 }),
  makeUpdate(4, { title: 'Only bundled', deployable: false }),
  makeUpdate(5, { categoryType: 'Product', title: 'A product' }),
];
const METADATA = gzipSync(serializeRecords(UPDATES));

async function place(
  options: BuildOptions = {},
): Promise<{ built: BuiltPackage; paths: string[]; folder: string }> {
  const built = await buildPackage({ metadata: METADATA, ...options });
  const folder = testFolder();
  const paths = built.volumes.map((bytes, index) => {
    const path = join(folder, `carry-${index + 1}.tar`);
    writeFileSync(path, bytes);
    return path;
  });
  return { built, paths, folder };
}

const run = (paths: readonly string[], options: NonNullable<GivenArguments['options']> = {}) =>
  runCommand(inspect as unknown as CommandDeclaration, join(testFolder(), 'metadata.sqlite'), {
    positionals: { package: paths },
    options,
  });

const fieldsOf = ({ view }: Awaited<ReturnType<typeof run>>) =>
  new Map(
    ([view].flat() as readonly FieldsView[])
      .filter(({ kind }) => kind === 'fields')
      .flatMap(({ fields }) => fields.map(([label, value]) => [label, value] as const)),
  );

describe('of a transfer package', () => {
  test('it tells destination, chain, contents, and what the updates fix', async () => {
    const { built, paths } = await place({
      draft: { sequence: 4, follows: 'AB'.repeat(32), followsSequence: 3 },
    });
    const outcome = await run(paths);
    expect(outcome.status).toBe('complete');
    expect(outcome.result).toMatchObject({
      manifest: built.digest,
      destination: 'plant 7',
      sequence: 4,
      followsSequence: 3,
      missingVolumes: [],
      signatures: [],
      counts: { contentFiles: 3 },
      fixes: {
        kbArticleIds: ['900', '5001234'],
        cveIds: ['CVE-2026-0002', 'CVE-2026-00010'],
        severities: { Critical: 1, Important: 1, '': 1 },
        updates: [
          { title: 'Second', severity: 'Critical' },
          { title: 'Windows <b>fix</b>', kbArticleIds: ['5001234', '900'] },
          { title: 'New text', revisionNumber: 2, updateId: idOf(3) },
        ],
      },
    });
    const fields = fieldsOf(outcome);
    expect(fields.get('Signed with')).toBe('nothing: it is not signed');
    expect(fields.get('Builds on')).toContain('number 3, manifest ABAB');
    expect(fields.get('Volumes')).toContain('1 (');
    expect(JSON.parse(JSON.stringify(outcome.result))).toEqual(outcome.result);
  });

  test('it names the keys of signatures, and that nobody verified them', async () => {
    const draft = await buildPackage({ metadata: METADATA });
    const key = await testKey(1);
    const signature = signatureText(key, draft.manifestBytes, 'carry 4');
    const { paths } = await place({ signatures: [Buffer.from(signature), Buffer.from('no signature')] });
    const outcome = await run(paths);
    expect(outcome.result.signatures).toEqual([
      {
        name: 'manifest.json.minisig',
        keyId: key.publicKey.keyId,
        trustedComment: 'carry 4',
        isVerified: false,
      },
      { name: 'manifest.json.2.minisig', isVerified: false },
    ]);
    expect(fieldsOf(outcome).get('Signed with')).toEqual([
      `key ${key.publicKey.keyId}, not verified`,
      'manifest.json.2.minisig: not a signature of minisign',
    ]);
  });

  test('it names volumes that are missing, cut off, or hold only some of their files', async () => {
    const { built, paths } = await place({ sizes: [30_000, 30_000, 30_000], volumeSize: 45_000 });
    expect(paths.length).toBeGreaterThan(2);
    expect((await run([...paths].reverse())).status).toBe('complete');

    const some = await run(paths.slice(1));
    expect(some.status).toBe('incomplete');
    expect(some.result.missingVolumes).toEqual([1]);
    expect(some.result.fixes).toBeNull();

    const last = paths.at(-1) as string;
    const bytes = readFileSync(last);
    writeFileSync(last, bytes.subarray(0, bytes.length - 1));
    const cut = await run(paths);
    expect(cut.status).toBe('incomplete');
    expect(JSON.stringify(cut.view)).toContain('it is cut off');

    const path = built.manifest.entries.find(({ volume }) => volume === paths.length)?.path as string;
    writeFileSync(last, await writeOne(built, paths.length, new Set([path])));
    const patch = await run(paths);
    expect(patch.status).toBe('complete');
    expect(fieldsOf(patch).get('Volumes')).toContain(`with some of its files only: ${paths.length}`);
  });

  test('of one volume, it finds those beside it', async () => {
    const built = await buildPackage({
      metadata: METADATA,
      sizes: [30_000, 30_000, 30_000],
      volumeSize: 45_000,
    });
    const folder = testFolder();
    const paths = built.volumes.map((bytes, index) => {
      const path = join(folder, `carry.part${index + 1}of${built.volumes.length}.tar`);
      writeFileSync(path, bytes);
      return path;
    });
    expect(paths.length).toBeGreaterThan(1);
    const { status, result } = await run(paths.slice(-1));
    expect([status, result.missingVolumes]).toEqual(['complete', []]);
    expect(result.fixes).not.toBeNull();
  });

  test('update documents that are cut over volumes are read from all of them', async () => {
    const random = seededRandom(3);
    const many = Array.from({ length: 120 }, (_, n) =>
      makeUpdate(n + 10, { kb: [String(n)], title: random.bytes(400).toString('base64') }),
    );
    const { built, paths } = await place({ metadata: gzipSync(serializeRecords(many)), volumeSize: 20_000 });
    expect(built.manifest.entries[0]?.parts?.length).toBeGreaterThan(1);
    const { result } = await run(paths);
    expect(result.fixes).toMatchObject({ updates: { length: 120 } });
    expect((await run(paths.slice(0, 1))).result.fixes).toBeNull();
  });

  test('the page is complete in itself, and nothing of the package gets out of its place', async () => {
    const { paths, folder } = await place({
      metadata: gzipSync(
        serializeRecords([makeUpdate(1, { title: '&lt;/td>&lt;script>alert(2)&lt;/script>', kb: ['7'] })]),
      ),
      draft: {
        products: [{ id: idOf(9), title: HOSTILE, updates: 1, size: 2 }],
        filters: { product: [HOSTILE] },
        destination: `x<img src=x onerror=y>"'`,
      },
    });
    const html = join(folder, 'carry.html');
    await run(paths, { html });
    const page = readFileSync(html, 'utf8');
    expect(page.startsWith('<!DOCTYPE html>')).toBe(true);
    expect(
      page
        .match(/<[a-z]+/g)
        ?.map((tag) => tag.slice(1))
        .filter((tag) => !KNOWN_TAGS.has(tag)),
    ).toEqual([]);
    expect(page).not.toMatch(/<[a-z][^>]*\s(?:on\w+|src|href)\s*=/i);
    for (const hidden of ['\u202e', '\u001b']) expect(page).not.toContain(hidden);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('KB7');
    expect(page).toContain("default-src 'none'");
    expect(page.trimEnd().endsWith('</html>')).toBe(true);
    expect(await failureOf(() => run(paths, { html }))).toMatchObject({ code: 'TARGET_EXISTS' });
  });

  test('--csv lists every file with its digests', async () => {
    const { built, paths } = await place({ sizes: [30_000, 30_000], volumeSize: 45_000 });
    const { view } = await run(paths.slice(0, 1));
    const tables = ([view].flat() as readonly TableView[]).filter(
      ({ kind, forCsv }) => kind === 'table' && forCsv !== false,
    );
    expect(tables).toHaveLength(1);
    const rows: (readonly string[])[] = [];
    for await (const row of (tables[0] as TableView).rows) rows.push(row);
    expect(rows).toHaveLength(built.manifest.entries.length);
    expect(rows[0]?.slice(0, 3)).toEqual(['metadata/metadata.txt.gz', 'metadata', String(METADATA.length)]);
    expect(new Set(rows.map((row) => row[6]))).toEqual(new Set(['yes', 'no']));
  });

  test('volumes of two packages, and damaged update documents, are refused', async () => {
    const one = await place();
    const other = await place({ seed: 9 });
    expect(await failureOf(() => run([...one.paths, ...other.paths]))).toMatchObject({
      code: 'TRANSFER_MISMATCH',
    });
    const [path] = one.paths as [string];
    const bytes = readFileSync(path);
    const at = bytes.indexOf(METADATA) + 40;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
    expect(await failureOf(() => run([path]))).toMatchObject({ name: 'WsusutilError' });
  });
});

const KNOWN_TAGS = new Set(
  'html head meta title style body h h1 h2 p table thead tbody tr th td code bdi br'.split(' '),
);

test('of an export package it tells the header', async () => {
  for (const name of ['export.cab', 'export.xml.gz']) {
    const path = await writeUpdates(join(testFolder(), name), [makeUpdate(1)]);
    const outcome = await run([path]);
    expect(outcome.result).toMatchObject({ format: name.slice(7), signature: null });
    expect(fieldsOf(outcome).get('Made')).toContain('by server');
    writeFileSync(`${path}.minisig`, 'x');
    expect(fieldsOf(await run([path])).get('Signature')).toContain('not verified');
  }
});

test('packages of several kinds, addresses, and a page of an export package are refused before anything is read', () => {
  const check = (paths: string[], html?: string) =>
    inspect.check?.({ positionals: { package: paths }, options: { html }, assignments: {} }, new Date(0));
  expect(() => check(['a.tar', 'b.cab'])).toThrow(/one package at a time/);
  expect(() => check(['a.cab', 'b.cab'])).toThrow(/one package at a time/);
  expect(() => check(['https://x/a.tar'])).toThrow(/not the address/);
  expect(() => check(['a.cab'], 'x.html')).toThrow(/--html is for transfer packages/);
  expect(check(['a.tar', 'b.TAR'], 'x.html')).toBeUndefined();
});
