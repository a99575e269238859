import { describe, expect, test } from 'vitest';
import { WsusutilError } from '../../../src/errors.js';
import {
  type PackageXmlExtent,
  type PackageXmlForm,
  PackageXmlReader,
} from '../../../src/formats/export-package/package-xml-reader.js';
import { entrySize } from '../../../src/formats/export-package/package-xml-writer.js';
import type { PackageEntry, PackageFile, PackageHeader } from '../../../src/model/export-package.js';
import {
  failureOf,
  packageXmlOf,
  SAMPLE_HEADER,
  sampleParts,
  sampleUpdate,
} from '../../helpers/package-builder.js';
import { fc } from '../../helpers/properties.js';

interface Result {
  header: PackageHeader | undefined;
  readonly files: PackageFile[];
  readonly entries: PackageEntry[];
  readonly warnings: string[];
  records: number;
}

function read(
  text: string | Uint8Array,
  size = Number.POSITIVE_INFINITY,
  form: PackageXmlForm = 'package.xml',
  limits = {},
  extent: PackageXmlExtent = 'full',
): Result {
  const result: Result = { header: undefined, files: [], entries: [], warnings: [], records: 0 };
  const reader = new PackageXmlReader(
    form,
    {
      header: (header) => {
        result.header = header;
      },
      files: (files) => result.files.push(...files),
      entries: (entries) => result.entries.push(...entries),
      identities: (identities) => {
        for (const identity of identities) {
          result.entries.push({ identity, fileSha1s: [], categories: [], classifications: [] });
        }
      },
      records: (batch) => {
        result.records += batch.records.length;
        expect(result.entries.length).toBeGreaterThanOrEqual(result.records);
      },
      warn: (code) => result.warnings.push(code),
    },
    limits,
    undefined,
    extent,
  );
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += size) reader.write(bytes.subarray(at, at + size));
  reader.end();
  return result;
}

const ROOT =
  '<ExportPackage ServerID="aaaaaaaa-0000-4000-8000-000000000001" CreationTime="2026-10-31T08:15:00Z" FormatVersion="1.0" ProtocolVersion="1.20">';
const ID = '11111111-2222-4333-8444-555555555501';
const update = (inner: string, attributes = `UpdateId="${ID}" RevisionNumber="26"`) =>
  `${ROOT}<Languages /><Files /><Updates><Update ${attributes}>${inner}</Update></Updates></ExportPackage>`;

test('the layout is the one of real packages', async () => {
  const parts = sampleParts(3);
  const text = (await packageXmlOf({ ...parts, entries: [parts.entries[0]!, parts.entries[2]!] })).toString();
  expect(text).toBe(
    '\ufeff<?xml version="1.0" encoding="utf-8"?><ExportPackage ServerID="aaaaaaaa-0000-4000-8000-000000000001" CreationTime="2026-10-31T08:15:00Z" FormatVersion="1.0" ProtocolVersion="1.20">' +
      '<Languages><Language Id="0" ShortName="all" LongName="all" Enabled="1" /><Language Id="1028" ShortName="zh-tw" LongName="Chinese (Traditional)" Enabled="0" /></Languages>' +
      '<Files><File Digest="ABEiM0RVZneImaq7zN3u/wECAwQ=" MUUrl="http://download.example.test/d/x.cab?a=1&amp;b=2" Name="x &quot;1&quot; &lt;é&gt;.cab" />' +
      '<File Digest="ABEiM0RVZneImaq7zN3u/wECAwU=" MUUrl="http://download.example.test/d/y.psf" Name="y.psf" /></Files>' +
      '<Updates><Update UpdateId="11111111-2222-4333-8444-000000000000" RevisionNumber="100"><Files /><Categories /><Classifications /></Update>' +
      '<Update UpdateId="11111111-2222-4333-8444-000000000002" RevisionNumber="102"><Files><File Digest="ABEiM0RVZneImaq7zN3u/wECAwQ=" /><File Digest="ABEiM0RVZneImaq7zN3u/wECAwU=" /></Files>' +
      '<Categories><Category Value="22222222-3333-4444-8555-666666666601" /></Categories><Classifications><Classification Value="0fa1201d-4330-4fa8-8ae9-b877473b6441" /></Classifications></Update></Updates></ExportPackage>',
  );
});

test('where only identities are wanted the rest of an entry is passed over, in pieces of any size', async () => {
  const bytes = await packageXmlOf(sampleParts(300));
  const full = read(bytes);
  const empty = { fileSha1s: [], categories: [], classifications: [] };
  for (const size of [1, 7, 4096, bytes.length]) {
    const result = read(bytes, size, 'package.xml', {}, 'identities');
    expect(result).toEqual({
      ...full,
      entries: full.entries.map(({ identity }) => ({ identity, ...empty })),
    });
  }
});

test.each(['package.xml', 'xml.gz'] as const)(
  'a list that is passed over may hold nonsense, but its elements nest: %s',
  (form) => {
    const metadata = form === 'xml.gz' ? '<metadata>&lt;x/></metadata>' : '';
    const nonsense = update(
      `${metadata}<Files><File Digest="none"/></Files><Categories><Category/></Categories>`,
    );
    expect(read(nonsense, 3, form, {}, 'identities')).toMatchObject({
      entries: [{ identity: { updateId: ID, revisionNumber: 26 }, fileSha1s: [] }],
      records: form === 'xml.gz' ? 1 : 0,
    });
    expect(() => read(nonsense, 3, form)).toThrow('Digest is "none"');
    const crossed = update(`${metadata}<Files><File></Files></File>`);
    expect(() => read(crossed, 3, form, {}, 'identities')).toThrow('</Files> where </File> is expected');
  },
);

test('what was written is read back, in pieces of any size', async () => {
  const parts = sampleParts(2500);
  const bytes = await packageXmlOf(parts);
  for (const size of [1, 2, 5, 4096, bytes.length]) {
    const { header, files, entries } = read(bytes, size);
    expect(header).toEqual(parts.header);
    expect(files).toEqual(parts.files);
    expect(entries).toEqual(parts.entries);
  }
});

test('an entry takes as many bytes as its size says', async () => {
  const none = await packageXmlOf({ header: SAMPLE_HEADER, files: [], entries: [sampleUpdate(1).entry] });
  const both = await packageXmlOf({
    header: SAMPLE_HEADER,
    files: [],
    entries: [sampleUpdate(1).entry, sampleUpdate(2).entry],
  });
  expect(both.length - none.length).toBe(entrySize(sampleUpdate(2).entry));
});

test('a package without languages, files or updates is written and read', async () => {
  const bytes = await packageXmlOf({ header: { ...SAMPLE_HEADER, languages: [] }, files: [], entries: [] });
  expect(bytes.toString()).toContain('<Languages /><Files /><Updates /></ExportPackage>');
  expect(read(bytes)).toMatchObject({ header: { languages: [] }, files: [], entries: [] });
});

test('any names and URLs come back', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ muUrl: text, fileName: text }), { maxLength: 5 }), async (rows) => {
      const files = rows.map((row) => ({ ...row, sha1: '00112233445566778899AABBCCDDEEFF01020304' }));
      let bytes: Buffer;
      try {
        bytes = await packageXmlOf({ header: SAMPLE_HEADER, files, entries: [] });
      } catch (error) {
        expect(error).toMatchObject({ code: 'UPDATE_MALFORMED' });
        return;
      }
      expect(read(bytes, 7).files).toEqual(files);
    }),
    { numRuns: 100 },
  );
});

test('line ends and tabs in a name survive; a character XML cannot carry is refused', async () => {
  const files = [{ sha1: '00112233445566778899AABBCCDDEEFF01020304', muUrl: 'a\tb\r\nc', fileName: "it's" }];
  expect(read(await packageXmlOf({ header: SAMPLE_HEADER, files, entries: [] })).files).toEqual(files);
  for (const fileName of ['a\0', 'a\u0001', '\ud800', '\uffff']) {
    const error = await failureOf(() =>
      packageXmlOf({ header: SAMPLE_HEADER, files: [{ ...files[0]!, fileName }], entries: [] }),
    );
    expect(error.code).toBe('UPDATE_MALFORMED');
  }
});

test('names in any case, upper-case ids, white space and unknown elements are accepted', () => {
  const { header, entries, files } = read(`<?xml version="1.0"?>
    <exportpackage SERVERID="AAAAAAAA-0000-4000-8000-000000000001" creationtime="2026-10-31T08:15:00Z" formatversion="1.0" protocolversion="1.20" New="1">
      <LANGUAGES><language id="0" SHORTNAME="all" longname="all" enabled="True" more="x"/></LANGUAGES>
      <Novelty><File Digest="no"/></Novelty>
      <files><FILE digest="ABEiM0RVZneImaq7zN3u/wECAwQ=" muurl="u" name="n"><deep><File/></deep></FILE></files>
      <updates>
        <UPDATE updateid="${ID.toUpperCase()}" revisionnumber="026">
          <novelty><Category Value="no"/></novelty><metadata><Category Value="no"/></metadata>
          <CATEGORIES><category VALUE="{22222222-3333-4444-8555-66666666660A}"/></CATEGORIES>
        </UPDATE>
      </updates>
    </exportpackage>`);
  expect(header?.languages).toEqual([{ id: 0, shortName: 'all', longName: 'all', enabled: true }]);
  expect(files).toHaveLength(1);
  expect(entries).toEqual([
    {
      identity: { updateId: ID, revisionNumber: 26 },
      fileSha1s: [],
      categories: ['22222222-3333-4444-8555-66666666660a'],
      classifications: [],
    },
  ]);
});

test('another format version is warned of', () => {
  const text = update('').replace('FormatVersion="1.0"', 'FormatVersion="2.0"');
  expect(read(text).warnings).toEqual(['NEWER_FORMAT_VERSION']);
  expect(read(update('')).warnings).toEqual([]);
});

describe('what is wrong is named', () => {
  test.each([
    ['another root', '<Root a="1"/>', '<Root a="1"> in no namespace'],
    ['no server', update('').replace(/ServerID="[^"]*"/, ''), 'ServerID'],
    ['a server that is no GUID', update('').replace('aaaaaaaa-', 'x'), 'a GUID'],
    ['a time that is none', update('').replace('2026-10-31', '2026-13-45'), 'CreationTime'],
    ['no update id', update('', 'RevisionNumber="1"'), 'UpdateId'],
    ['an id that is none', update('', 'UpdateId="1" RevisionNumber="1"'), 'UpdateId is "1"'],
    ['a hexadecimal revision', update('', `UpdateId="${ID}" RevisionNumber="1a"`), 'a decimal number'],
    ['a revision too large', update('', `UpdateId="${ID}" RevisionNumber="4294967296"`), '4294967296'],
    [
      'a digest that is none',
      update('<Files><File Digest="AAAA"/></Files>'),
      `update ${ID} revision 26: Digest`,
    ],
    [
      'the name of a type for a category',
      update('<Categories><Category Value="Microsoft.PackageGraph.X"/></Categories>'),
      'Microsoft.PackageGraph.X',
    ],
    ['no updates', `${ROOT}</ExportPackage>`, 'no list of updates'],
    [
      'languages last',
      `${update('').replace('</ExportPackage>', '')}<Languages><Language Id="0" ShortName="a" LongName="a" Enabled="1"/></Languages></ExportPackage>`,
      'behind Files or Updates',
    ],
    [
      'a language that is no number',
      update('').replace('<Languages />', '<Languages><Language Id="x"/></Languages>'),
      'Id is "x"',
    ],
  ])('%s', async (_name, text, expected) => {
    const error = await failureOf(() => read(text));
    expect(error.code).toBe('PACKAGE_MALFORMED');
    expect(error.message).toContain(expected);
    expect(error.hint).toBeDefined();
  });

  test('bytes that are not UTF-8, at any cut', async () => {
    const bytes = Buffer.concat([Buffer.from(ROOT), Buffer.from([0x20, 0xc3, 0x28])]);
    for (const size of [1, 2, 1000]) {
      const error = await failureOf(() => read(bytes, size));
      expect(error.message).toContain(`offset ${ROOT.length + 1}`);
    }
  });

  test('UTF-16', async () => {
    for (const bytes of [Buffer.from(`\ufeff${update('')}`, 'utf16le'), Buffer.from(update(''), 'utf16le')]) {
      expect((await failureOf(() => read(bytes))).code).toBe('PACKAGE_UNSUPPORTED');
    }
  });
});

test('a file cut anywhere is truncated or malformed, and an open element is named', async () => {
  const bytes = await packageXmlOf(sampleParts(3));
  for (let size = 0; size < bytes.length; size++) {
    const error = await failureOf(() => read(bytes.subarray(0, size)));
    expect(['PACKAGE_TRUNCATED', 'XML_MALFORMED', 'PACKAGE_MALFORMED']).toContain(error.code);
    if (size > 400) expect(error.message).toContain('ExportPackage');
  }
});

test('limits on updates, languages and references hold', async () => {
  const two = await packageXmlOf(sampleParts(2));
  expect((await failureOf(() => read(two, 100, 'package.xml', { maxRecords: 1 }))).code).toBe(
    'LIMIT_EXCEEDED',
  );
  expect(read(two, 100, 'package.xml', { maxRecords: 2 }).entries).toHaveLength(2);
  const languages = '<Language Id="0" ShortName="a" LongName="a" Enabled="1"/>'.repeat(1001);
  const many = update('').replace('<Languages />', `<Languages>${languages}</Languages>`);
  expect((await failureOf(() => read(many))).code).toBe('LIMIT_EXCEEDED');
  const categories = `<Category Value="${ID}"/>`.repeat(100_001);
  expect((await failureOf(() => read(update(`<Categories>${categories}</Categories>`)))).code).toBe(
    'LIMIT_EXCEEDED',
  );
});

test('a DOCTYPE and its entities are refused', async () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaa">]>${update('')}`;
  expect((await failureOf(() => read(bomb))).code).toBe('XML_MALFORMED');
});

test('arbitrary damage ends in a result or a clear error', async () => {
  const good = await packageXmlOf(sampleParts(4));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, bytes) => {
      const damaged = Buffer.from(good);
      damaged.set(bytes.subarray(0, damaged.length - at), at);
      for (const form of ['package.xml', 'xml.gz'] as const) {
        try {
          read(damaged, 100, form);
        } catch (error) {
          expect(error).toBeInstanceOf(WsusutilError);
        }
      }
    }),
    { numRuns: 300 },
  );
});

describe('rows', () => {
  const parts = sampleParts(40);
  const usual = packageXmlOf(parts).then((bytes) => bytes.toString());
  const identities = (text: string, size?: number) => {
    const { header, files, entries } = read(text, size, 'package.xml', {}, 'identities');
    return { header, files, identities: entries.map(({ identity }) => identity) };
  };

  test('written in another way are the same rows', async () => {
    const text = await usual;
    const expected = identities(text);
    expect(expected.files).toEqual(read(text).files);
    expect(expected.identities).toEqual(read(text).entries.map(({ identity }) => identity));
    const variants = [
      text.replaceAll(' />', '/>'),
      text.replaceAll(/="([^"]*)"/g, "='$1'"),
      text.replaceAll('<File ', '<File\n'),
      text.replaceAll('><', '>\r\n  <'),
      text.replaceAll('RevisionNumber=', 'Other="1" RevisionNumber='),
      text.replaceAll('</Update>', '<!-- a --><Other><a/></Other></Update>'),
      text.replaceAll(/UpdateId="([^"]*)"/g, (_, id: string) => `UpdateId="{${id.toUpperCase()}}"`),
    ];
    for (const variant of variants) expect(identities(variant)).toEqual(expected);
    const encoded = text.replaceAll('MUUrl="http', 'MUUrl="&#104;ttp');
    expect(identities(encoded)).toEqual(expected);
    for (const size of [1, 7, 64, 1000]) expect(identities(text, size)).toEqual(expected);
  });

  test('that are damaged are refused in the same words', async () => {
    const text = await usual;
    const damages: [string, string][] = [
      ['Digest="', 'Digest="='],
      ['=" MUUrl', '1=" MUUrl'],
      [' Name="', ' Nome="'],
      ['MUUrl="', 'MUUrl="<'],
      ['</Files><Updates>', '</Updates>'],
      ['</Classifications></Update>', '</Update>'],
      ['UpdateId="', 'UpdateId="1'],
      ['RevisionNumber="', 'RevisionNumber="99999999999'],
    ];
    for (const [from, to] of damages) {
      expect(text).toContain(from);
      const damaged = text.replace(from, to);
      const failure = await failureOf(async () => identities(damaged));
      expect(failure, from).toBeInstanceOf(WsusutilError);
      expect(failure.message, from).toBe((await failureOf(async () => read(damaged))).message);
    }
  });
});
