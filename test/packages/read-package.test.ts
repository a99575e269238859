import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { PackageEntry } from '../../src/model/export-package.js';
import { readPackage } from '../../src/packages/read-package.js';
import { writePackage } from '../../src/packages/write-package.js';
import {
  cabinetOf,
  contentOf,
  failureOf,
  metadataOf,
  packageXmlOf,
  readWhole,
  type SampleParts,
  sampleParts,
  summarize,
  temporaryFolder,
} from '../helpers/package-builder.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const PARTS = sampleParts(40);

async function cabinet(
  parts: SampleParts,
  names: readonly [string, string] = ['package.xml', 'metadata.txt'],
  others: readonly (readonly [string, Uint8Array])[] = [],
): Promise<Buffer> {
  const bytes = { 'package.xml': await packageXmlOf(parts), 'metadata.txt': metadataOf(parts.records) };
  const members = names.map((name) => [name, bytes[name.toLowerCase() as keyof typeof bytes]] as const);
  return cabinetOf([...members, ...others]);
}

test('a cabinet is read: header, files, entries, then records', async () => {
  const path = folder.put('plain.cab', await cabinet(PARTS));
  const result = await readWhole(path);
  expect(summarize(result)).toEqual(summarize(PARTS));
  expect(result.types).toEqual(['header', 'files', 'entries', 'records']);
  expect(result.encodings).toEqual(['plain']);
  expect(result.warnings).toEqual([]);
  const [done, total] = result.progress.at(-1)!;
  expect(done).toBe(total);
  expect(result.progress[0]).toEqual([0, total]);
  expect(result.progress.map(([at]) => at)).toEqual(
    result.progress.map(([at]) => at).toSorted((a, b) => a - b),
  );
});

test('the size of a package is told before its first part: an import starts its threads by it', async () => {
  const path = folder.put('first.cab', await cabinet(PARTS));
  let size: number | undefined;
  for await (const _part of readPackage(path, {
    signal: new AbortController().signal,
    warn: () => {},
    onProgress: (_done, total) => {
      size ??= total;
    },
  })) {
    expect(size).toBe(statSync(path).size);
    break;
  }
  expect(size).toBeDefined();
});

test('members in the other order, in other case, and with company are read with a warning', async () => {
  const other = ['readme.txt', Buffer.from('hello')] as const;
  const path = folder.put('other.cab', await cabinet(PARTS, ['METADATA.TXT', 'Package.XML'], [other]));
  const result = await readWhole(path);
  expect(summarize(result)).toEqual(summarize(PARTS));
  expect(result.types[0]).toBe('records');
  expect(result.warnings).toEqual(['MEMBER_ORDER', 'UNKNOWN_MEMBER']);
});

test('a package without updates is read', async () => {
  const empty = { ...sampleParts(0), files: [] };
  const result = await readWhole(folder.put('none.cab', await cabinet(empty)));
  expect(result).toMatchObject({ entries: [], records: [] });
});

describe('bytes behind the end', () => {
  test.each([1, 5000])('of a cabinet do no harm, and are told: %i', async (size) => {
    const bytes = Buffer.concat([await cabinet(PARTS), Buffer.alloc(size, 0x33)]);
    const { warnings, messages, ...result } = await readWhole(folder.put('longer.cab', bytes));
    expect(summarize(result)).toEqual(summarize(PARTS));
    expect(warnings).toEqual(['BYTES_BEHIND_END']);
    expect(messages[0]).toContain(
      size === 1 ? '1 byte stands behind the end of the cabinet' : '5,000 bytes stand behind',
    );
  });

  test('that are the signature of signtool are none, what is behind that is', async () => {
    const plain = await cabinet(PARTS);
    const reserve = Buffer.alloc(24);
    reserve.writeUInt16LE(20, 0); // cbCFHeader
    const signature = Buffer.alloc(1024, 0x30);
    const signed = Buffer.concat([plain.subarray(0, 36), reserve, plain.subarray(36), signature]);
    const end = plain.length + reserve.length;
    signed.writeUInt32LE(end, 8); // cbCabinet
    signed.writeUInt32LE(plain.readUInt32LE(16) + reserve.length, 16); // coffFiles
    signed.writeUInt16LE(4, 30); // flags: there is a reserve
    signed.writeUInt32LE(0x00100000, 40);
    signed.writeUInt32LE(end, 44);
    signed.writeUInt32LE(signature.length, 48);
    for (let folderAt = 60; folderAt < plain.readUInt32LE(16) + reserve.length; folderAt += 8) {
      signed.writeUInt32LE(signed.readUInt32LE(folderAt) + reserve.length, folderAt); // coffCabStart
    }
    expect((await readWhole(folder.put('signed.cab', signed))).warnings).toEqual([]);
    const longer = await readWhole(folder.put('longer.cab', Buffer.concat([signed, Buffer.from('abc')])));
    expect(longer.messages[0]).toContain('3 bytes stand');
  });

  test.each([512, 300_000])(
    'of gzip data are told if they are zeros, and refused otherwise: %i',
    async (size) => {
      const path = `${folder.path}/good-${size}.xml.gz`;
      await writePackage(path, 'xml.gz', contentOf(PARTS), { signal: new AbortController().signal });
      const good = readFileSync(path);
      const put = (more: Buffer) => folder.put('longer.xml.gz', Buffer.concat([good, more]));
      const padded = await readWhole(put(Buffer.alloc(size)));
      expect(padded.warnings).toEqual(['BYTES_BEHIND_END']);
      expect(padded.messages[0]).toContain(
        `${size.toLocaleString('en-US')} bytes stand behind the end of the gzip data`,
      );
      const error = await failureOf(() => readWhole(put(Buffer.alloc(size, 0x33))));
      expect(error).toMatchObject({ code: 'GZIP_MALFORMED', details: { bytesBehindEnd: size } });
      expect(error.message).toContain(
        `its gzip data is whole and takes ${good.length.toLocaleString('en-US')} bytes, and ${size.toLocaleString('en-US')} more`,
      );
    },
  );
});

describe('the two members must list the same updates in the same order', () => {
  const [a, b, c, d] = sampleParts(4).entries as [PackageEntry, PackageEntry, PackageEntry, PackageEntry];
  const name = (entry: PackageEntry) => `${entry.identity.updateId}:${entry.identity.revisionNumber}`;
  const parts = sampleParts(4);
  const recordOf = (entry: PackageEntry) => parts.records[parts.entries.indexOf(entry)] ?? parts.records[0]!;
  const build = (xml: readonly PackageEntry[], metadata: readonly PackageEntry[], isXmlFirst = true) =>
    cabinet(
      {
        ...parts,
        entries: xml.map((each) => parts.entries[[a, b, c, d].indexOf(each)]!),
        records: metadata.map((each) => recordOf(parts.entries[[a, b, c, d].indexOf(each)]!)),
      },
      isXmlFirst ? ['package.xml', 'metadata.txt'] : ['metadata.txt', 'package.xml'],
    );

  test.each([
    [
      'missing',
      [a, b, c],
      [a, c],
      `update 2: package.xml has ${name(b)}, metadata.txt has ${name(c)}: ${name(b)} is missing from metadata.txt`,
    ],
    [
      'missing at the end',
      [a, b, c],
      [a, b],
      `update 3: package.xml has ${name(c)}, metadata.txt has no more updates: ${name(c)} is missing from metadata.txt`,
    ],
    [
      'extra',
      [a, c],
      [a, b, c],
      `update 2: package.xml has ${name(c)}, metadata.txt has ${name(b)}: ${name(b)} is missing from package.xml`,
    ],
    [
      'extra at the end',
      [a],
      [a, d],
      `update 2: package.xml has no more updates, metadata.txt has ${name(d)}: ${name(d)} is missing from package.xml`,
    ],
    ['replaced', [a, b], [a, d], `${name(b)} is missing from metadata.txt, and ${name(d)} from package.xml`],
    ['reordered', [a, b, c, d], [a, d, c, b], `the order differs, metadata.txt has ${name(b)} as update 4`],
    ['repeated', [a, b], [a, b, a], 'an update is listed once more in metadata.txt'],
    ['all missing', [a, b], [], 'update 1: '],
  ] as const)('%s', async (_name, xml, metadata, expected) => {
    const path = folder.put('disagree.cab', await build(xml, metadata));
    const error = await failureOf(() => readWhole(path));
    expect(error.code).toBe('PACKAGE_MEMBERS_DISAGREE');
    expect(error.message).toContain(expected);
    expect(error.message).toContain(
      `package.xml lists ${xml.length} updates, metadata.txt ${metadata.length}`,
    );
  });

  test('with the members the other way round', async () => {
    const path = folder.put('disagree.cab', await build([a, c], [a, b, c], false));
    const error = await failureOf(() => readWhole(path));
    expect(error.message).toContain(`${name(b)} is missing from package.xml`);
    expect(error.message).toContain('metadata.txt lists 3 updates, package.xml 2');
  });

  test('a revision that differs is a difference', async () => {
    const [first] = parts.entries;
    const changed = { ...first!, identity: { ...first!.identity, revisionNumber: 999 } };
    const path = folder.put(
      'disagree.cab',
      await cabinet({ ...parts, entries: [changed, ...parts.entries.slice(1)] }),
    );
    expect((await failureOf(() => readWhole(path))).message).toContain(':999 is missing from metadata.txt');
  });
});

const ID = '11111111-2222-4333-8444-000000000000';
const DOCUMENT = '<upd:Update xmlns:upd="urn:x" a="1">é🙂<metadata>&amp;</metadata></upd:Update>';
const gzipOf = (metadata: string, around = (text: string) => text) =>
  gzipSync(
    around(
      `<?xml version="1.0" encoding="utf-8"?><ExportPackage ServerID="aaaaaaaa-0000-4000-8000-000000000001" CreationTime="2026-10-31T08:15:00Z" FormatVersion="1.0" ProtocolVersion="1.20"><Languages/><Files/><updates><update UpdateId="${ID}" RevisionNumber="100">${metadata}</update></updates></ExportPackage>`,
    ),
  );
const escapeText = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

describe('an .xml.gz package', () => {
  test.each([
    ['plain', ` \n${DOCUMENT}\n `],
    ['escaped', escapeText(DOCUMENT)],
    ['cdata', `<![CDATA[${DOCUMENT}]]>`],
    ['base64', Buffer.from(DOCUMENT).toString('base64')],
  ])('is read with the document as %s', async (encoding, inner) => {
    const path = folder.put(`${encoding}.xml.gz`, gzipOf(`<metadata>${inner}</metadata>`));
    const result = await readWhole(path);
    expect(result.encodings).toEqual([encoding]);
    expect(result.records).toEqual([
      { identity: { updateId: ID, revisionNumber: 100 }, document: Buffer.from(DOCUMENT) },
    ]);
    expect(result.entries).toHaveLength(1);
    expect(result.types).toEqual(['header', 'entries', 'records']);
  });

  test('is read with names in any case, a mark at the start, and in several gzip members', async () => {
    const text = (inner: string) =>
      `\ufeff<EXPORTPACKAGE serverid="aaaaaaaa-0000-4000-8000-000000000001" CREATIONTIME="2026-10-31T08:15:00Z" formatversion="1.0" protocolversion="1.20"><Updates><UPDATE updateid="${ID}" REVISIONNUMBER="100"><categories/><MetaData>${inner}</MetaData></UPDATE></Updates></EXPORTPACKAGE>`;
    const bytes = Buffer.from(text(escapeText(DOCUMENT)));
    const path = folder.put(
      'Upper.XML.GZ',
      Buffer.concat([gzipSync(bytes.subarray(0, 99)), gzipSync(bytes.subarray(99))]),
    );
    expect((await readWhole(path)).records[0]?.document.toString()).toBe(DOCUMENT);
  });

  test('may mix the ways documents are embedded', async () => {
    const next = (n: number) => `</update><update UpdateId="${ID.slice(0, -1)}${n}" RevisionNumber="${n}">`;
    const path = folder.put(
      'mixed.xml.gz',
      gzipOf(
        `<metadata>${escapeText(DOCUMENT)}</metadata>${next(1)}<metadata>${DOCUMENT}</metadata>${next(2)}<metadata>${DOCUMENT}</metadata>${next(3)}<metadata><![CDATA[${DOCUMENT}]]></metadata>`,
      ),
    );
    const result = await readWhole(path);
    expect(result.encodings).toEqual(['escaped', 'plain', 'cdata']);
    expect(result.records.map((each) => each.document.toString())).toEqual(Array(4).fill(DOCUMENT));
    expect(result.records.map((each) => each.identity)).toEqual(result.entries.map((each) => each.identity));
  });

  test.each([
    [
      'another root',
      gzipSync('<catalog xmlns="urn:c" v="1"><item><name>x</name></item><item/></catalog>'),
      ['<catalog v="1"> in namespace urn:c', 'catalog > item (2)', 'catalog > item > name (1)'],
    ],
    [
      'no metadata',
      gzipOf('<Files/><document>x</document>'),
      ['has no metadata element', 'ExportPackage > updates > update > document (1)'],
    ],
    [
      'two metadata elements',
      gzipOf(`<metadata>${escapeText(DOCUMENT)}</metadata><metadata/>`),
      ['two metadata elements'],
    ],
    [
      'no updates',
      gzipSync(
        '<ExportPackage ServerID="aaaaaaaa-0000-4000-8000-000000000001" CreationTime="2026-10-31T08:15:00Z" FormatVersion="1.0" ProtocolVersion="1.20"><list><u/></list></ExportPackage>',
      ),
      ['no list of updates', 'ExportPackage > list > u (1)'],
    ],
    [
      'other attributes',
      gzipSync('<ExportPackage Version="7"><updates/></ExportPackage>'),
      ['no attribute ServerID (it has Version)'],
    ],
    ['an empty metadata element', gzipOf('<metadata/>'), ['holds nothing']],
    ['metadata of another kind', gzipOf('<metadata>{"json": 1}</metadata>'), ['json', 'neither markup']],
  ])('of an unknown layout is refused with what was found: %s', async (_name, bytes, expected) => {
    const error = await failureOf(() => readWhole(folder.put('unknown.xml.gz', bytes)));
    expect(error.code).toBe('PACKAGE_UNSUPPORTED');
    for (const text of expected) expect(error.message).toContain(text);
    expect(error.hint).toBeDefined();
  });
});

test('an aborted signal interrupts the reading', async () => {
  const many = sampleParts(9000);
  const path = folder.put('many.cab', await cabinet(many));
  const controller = new AbortController();
  const error = await failureOf(async () => {
    for await (const _part of readPackage(path, { signal: controller.signal, warn: () => {} }))
      controller.abort();
  });
  expect(error.code).toBe('INTERRUPTED');
  expect((await failureOf(() => readWhole(path, { signal: controller.signal }))).code).toBe('INTERRUPTED');
});

test('limits reach the codecs', async () => {
  const path = folder.put('limited.cab', await cabinet(PARTS));
  expect((await failureOf(() => readWhole(path, { limits: { maxRecords: 39 } }))).code).toBe(
    'LIMIT_EXCEEDED',
  );
  expect((await failureOf(() => readWhole(path, { limits: { maxDocumentSize: 50 } }))).code).toBe(
    'LIMIT_EXCEEDED',
  );
  const gz = folder.put('limited.xml.gz', gzipOf(`<metadata>${escapeText(DOCUMENT)}</metadata>`));
  expect((await failureOf(() => readWhole(gz, { limits: { maxDocumentSize: 40 } }))).code).toBe(
    'LIMIT_EXCEEDED',
  );
});
