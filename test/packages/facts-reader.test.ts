/** The reader in WebAssembly against the one that defines what a document says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeDocument } from '../../src/formats/export-package/document-encoding.js';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { IdentityList } from '../../src/model/identity-list.js';
import { RecordList } from '../../src/model/record-list.js';
import { pickLocalized } from '../../src/model/revision.js';
import { type UpdateIdentity, updateIdFromBytes } from '../../src/model/update-identity.js';
import { type DocumentTask, processDocuments } from '../../src/packages/document-work.js';
import { openFactsReader } from '../../src/packages/facts-reader.js';
import { readPackage } from '../../src/packages/read-package.js';
import {
  fileDigestsOf,
  type RevisionBatch,
  RevisionPacker,
  UPDATE_ID_SIZE,
  unpackRows,
} from '../../src/store/revision-batch.js';
import { type CatalogueItem, generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { type SeededRandom, seededRandom } from '../helpers/seeded-random.js';
import { withSharedData } from '../helpers/shared-data.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/update-xml');
const NO_DIGEST = Buffer.alloc(32);
const SOUGHT = { updateId: '00000000-0000-0000-0000-000000000000', revisionNumber: 0 };

interface Read {
  readonly rows: unknown;
  readonly titles: string | undefined;
  readonly isSecured: boolean;
}

/** The rows with what their positions stand for. */
function plainRows(batch: RevisionBatch): unknown {
  const idAt = (position: number) => updateIdFromBytes(batch.updateIds, position * UPDATE_ID_SIZE);
  return unpackRows(batch).map((row) => ({
    ...row,
    update: idAt(row.update),
    prerequisites: row.prerequisites.map(([kind, ...members]) => [kind, ...members.map(idAt)]),
    bundled: row.bundled.map(([clause, position, update, revision]) => [
      clause,
      position,
      idAt(update),
      revision,
    ]),
    superseded: row.superseded.map(idAt),
    files: row.files.map((file) => {
      const { sha1, sha256 } = fileDigestsOf(batch, file);
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
      return { ...file, digests: [hex(sha1), sha256 === null ? null : hex(sha256)] };
    }),
  }));
}

const placeOf = (document: Uint8Array) => ({ block: 7, blockOffset: 0, documentSize: document.length });

function readDirectly(document: Uint8Array, identity: UpdateIdentity): Read | undefined {
  const reader = openFactsReader();
  if (reader === undefined) throw new Error('no WebAssembly');
  reader.grow(document.length).set(document);
  const read = reader.read(IdentityList.of([identity]).bytes, 0, placeOf(document));
  if (read === undefined) return undefined;
  const packer = new RevisionPacker(reader);
  packer.addDigest(NO_DIGEST);
  const titles = read.titles === undefined ? undefined : Buffer.from(read.titles).toString();
  return { rows: plainRows(packer.pack([])), titles, isSecured: read.isSecured };
}

/** @throws WsusutilError if it is no update document */
function readAsDefined(document: Uint8Array): Read & { readonly identity: UpdateIdentity } {
  const facts = parseUpdateDocument(document, 'indexed');
  const title = pickLocalized(facts.localized, undefined, facts.defaultLanguage)?.title ?? '';
  const packer = new RevisionPacker();
  packer.add(facts, title, NO_DIGEST, placeOf(document));
  const others = new Map<string, string>();
  for (const { language, title: other } of facts.localized) {
    if (other !== undefined && other !== title) others.set(language.toLowerCase(), other);
  }
  return {
    identity: facts.identity,
    rows: plainRows(packer.pack([])),
    titles:
      facts.localized.length < 2 || others.size === 0
        ? undefined
        : JSON.stringify(Object.fromEntries(others)),
    isSecured: facts.hasSecuredFragment || facts.files.some((file) => file.isEncrypted),
  };
}

/** @returns true if WebAssembly has read it; then JavaScript has read the same */
function agree(document: Uint8Array): boolean {
  let defined: ReturnType<typeof readAsDefined>;
  try {
    defined = readAsDefined(document);
  } catch {
    const written = /UpdateID="([0-9a-f-]{36})" RevisionNumber="([0-9]{1,9})"/i.exec(
      Buffer.from(document).toString('latin1'),
    );
    const identity =
      written === null
        ? SOUGHT
        : { updateId: (written[1] as string).toLowerCase(), revisionNumber: Number(written[2]) };
    expect(readDirectly(document, identity), Buffer.from(document).toString()).toBeUndefined();
    return false;
  }
  const { identity, ...expected } = defined;
  const direct = readDirectly(document, identity);
  if (direct === undefined) return false;
  expect(direct, Buffer.from(document).toString()).toEqual(expected);
  return true;
}

const generated = [...generateCatalogue({ revisions: 600, seed: 20 })].map(({ document }) => document);
const fixtures = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.xml'))
  .map((name) => readFileSync(join(FIXTURES, name)));

test('the documents of a catalogue: nearly all are read, and read alike', () => {
  const read = generated.filter(agree).length;
  expect(read).toBeGreaterThan(generated.length * 0.99);
});

test('documents in other words', () => {
  let count = 0;
  let read = 0;
  for (const document of [...fixtures, ...generated.slice(0, 80)]) {
    const text = document.toString();
    const variants = [
      text.replaceAll('upd:', '').replaceAll('xmlns:upd=', 'xmlns='),
      text.replaceAll('upd:', 'some-other.prefix_:').replaceAll('xmlns:upd', 'xmlns:some-other.prefix_'),
      text.replaceAll(/"([^"<>']*)"/g, "'$1'"),
      text.replaceAll('>', ' >').replaceAll('<!-- ', '<!--').replaceAll('-- >', '-->'),
      text.replaceAll('><', '>\r\n\t<'),
      text.replaceAll(/=("|')/g, ' =\n$1'),
      text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, (id) => id.toUpperCase()),
      text.replaceAll(/Title>([^<])/g, 'Title>&quot;\\"\r\n&#x1F600;&amp;\t\u00e9\u2028\ud83d\ude00$1'),
      text.replaceAll(/FileName="/g, 'FileName="\u00e4 &amp; \u4e2d\ud83d\ude00 '),
    ];
    for (const variant of variants) if (agree(Buffer.from(variant))) read++;
    count += variants.length;
  }
  expect(read).toBeGreaterThan(count * 0.8); // one way of writing is wrong in documents with empty elements
});

// biome-ignore format: a list
const TOKENS = [
  '<!-- a -->', '<!-- a -- b -->', '<![CDATA[x]]>', '<?pi x?>', '<a>', '</a>', '<a/>', '<upd:Title/>', '<Title>',
  ' ', '\n', '\r\n', '\t', '\u0000', '\u0008', '\u007f', '\u00a0', '\ufeff', '\ufffe', '\u2003', '&amp;', '&lt;', '&#65;',
  '&#x41;', '&#0;', '&#xD;', '&#99999999;', '&unknown;', '&', ']]>', '"', "'", '=', '/', '>', '<', ':', '-', '{', '}', '\\',
  ' xmlns="http://schemas.microsoft.com/msus/2002/12/Update"', ' xmlns=""', ' xmlns:upd="urn:x"', ' xmlns:a=""',
  ' xmlns:xml="urn:x"', ' xml:lang="de"', ' a:b="1"', ' upd:UpdateID="x"', ' b="1" b="2"', ' IsCategory="TRUE"', 'true', '1',
  '<upd:AtLeastOne>', '</upd:AtLeastOne>', '<upd:AtLeastOne IsCategory="true" />', '<upd:SecuredFragment />',
  '<upd:UpdateIdentity UpdateID="56309036-4c77-4dd9-951a-99ee9c246a94" RevisionNumber="7" />', '<upd:Language>en</upd:Language>',
  '<upd:KBArticleID>KB123</upd:KBArticleID>', '<upd:CveID>cve-1</upd:CveID>', '<upd:Title>x</upd:Title>', 'KB', '.', '0', '9', '\u00e9',
  '<upd:AdditionalDigest Algorithm="SHA256">3EBU1k6dRUPo6X57Xw3+IxxClMKaZ1eZWYGa/+QAbBg=</upd:AdditionalDigest>', 'T', 'Z', '+02:00',
  '<upd:HandlerSpecificData></upd:HandlerSpecificData>', '<upd:BundledUpdates>', '</upd:BundledUpdates>', ' IsEncrypted="true"',
];

function damage(text: string, random: SeededRandom): string {
  let damaged = text;
  for (let times = random.integer(1, 3); times > 0; times--) {
    const at = random.below(damaged.length + 1);
    const length = random.chance(0.5) ? random.integer(1, 4) : random.integer(1, 80);
    switch (random.below(5)) {
      case 0:
        damaged = damaged.slice(0, at) + random.pick(TOKENS) + damaged.slice(at);
        break;
      case 1:
        damaged = damaged.slice(0, at) + random.pick(TOKENS) + damaged.slice(at + length);
        break;
      case 2:
        damaged = damaged.slice(0, at) + damaged.slice(at + length);
        break;
      case 3: {
        // What begins with markup, once more: elements and attributes are cut out whole most of the time.
        const from = damaged.indexOf('<', at);
        const to = damaged.indexOf('>', from + length) + 1;
        if (from >= 0 && to > 0) damaged = damaged.slice(0, to) + damaged.slice(from, to) + damaged.slice(to);
        break;
      }
      default: {
        const from = damaged.indexOf('"', at);
        if (from >= 0) damaged = damaged.slice(0, from + 1) + random.pick(TOKENS) + damaged.slice(from + 1);
      }
    }
  }
  return random.chance(0.02) ? damaged.slice(0, random.below(damaged.length)) : damaged;
}

test('damaged documents: what is read is read alike, and nothing that is wrong', () => {
  const random = seededRandom(Number(process.env.PROPERTY_SEED ?? 20_261_122));
  const small = [...fixtures, ...generated.filter((document) => document.length < 6_000)].map((document) =>
    document.toString(),
  );
  const rounds = Number(process.env.FACTS_ROUNDS ?? 6_000);
  let read = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(damage(random.pick(small), random));
    if (random.chance(0.05)) bytes[random.below(bytes.length)] = random.below(256);
    if (agree(bytes)) read++;
  }
  expect(read).toBeGreaterThan(rounds / 8);
});

test('documents of ever new names and prefixes', () => {
  const plain = generated.find((document) => document.length < 6_000) as Buffer;
  for (let n = 0; n < 300; n++) {
    const names = Array.from({ length: 12 }, (_, k) => `<n${n}-${k} a${n}.${k}="1"/>`).join('');
    const own = `<p${n}:x xmlns:p${n}="urn:${n}">${names}</p${n}:x>`;
    agree(Buffer.from(plain.toString().replace('</upd:Properties>', `${own}</upd:Properties>`)));
  }
  const crowd = Array.from({ length: 200 }, (_, n) => {
    // All of one hash: "Aa" and "BB" have the same.
    const name = n.toString(2).padStart(8, '0').replaceAll('0', 'Aa').replaceAll('1', 'BB');
    return `<${name}/>`;
  });
  agree(Buffer.from(plain.toString().replace('</upd:Properties>', `${crowd.join('')}</upd:Properties>`)));
  agree(plain); // what was crowded out is learned again with the next document
  expect(agree(plain)).toBe(true);
  const languages = Array.from(
    { length: 1_000 },
    (_, n) =>
      `<upd:LocalizedProperties><upd:Language>a${'b'.repeat(150)}-${n}</upd:Language><upd:Title>${n}</upd:Title></upd:LocalizedProperties>`,
  );
  const end = '</upd:LocalizedPropertiesCollection>';
  expect(agree(Buffer.from(plain.toString().replace(end, `${languages.join('')}${end}`)))).toBe(false);
});

test('a document cut anywhere', () => {
  for (const document of fixtures) {
    for (let size = 0; size < document.length; size++) agree(document.subarray(0, size));
  }
});

describe('in a batch', () => {
  const items = [...generateCatalogue({ revisions: 150, seed: 3 })];

  const taskOf = (documents: readonly Buffer[], extent: DocumentTask['extent']): DocumentTask => {
    const records = new RecordList();
    let at = 0;
    for (const [index, document] of documents.entries()) {
      records.push((items[index] as CatalogueItem).identity, at, at + document.length);
      at += document.length;
    }
    return {
      bytes: Buffer.concat(documents),
      encoding: 'plain',
      identities: records.identities.bytes,
      spans: records.spans,
      firstRecord: 1,
      known: undefined,
      effort: 'stored',
      extent,
      source: 'package',
      passesOverUnreadable: true,
    };
  };

  test('documents of both kinds give what JavaScript alone gives', () => {
    // `full` is JavaScript's.
    const documents = items.map(({ document }, index) =>
      index % 3 === 0 ? Buffer.from(`<?a b?>${document.toString()}`) : document,
    );
    const mixed = processDocuments(taskOf(documents, 'indexed'));
    const alone = processDocuments(taskOf(documents, 'full'));
    expect(plainRows(mixed.batch)).toEqual(plainRows(alone.batch));
    expect(mixed.batch.digests).toEqual(alone.batch.digests);
    expect(mixed.batch.blocks).toEqual(alone.batch.blocks);
    expect({ verdicts: mixed.verdicts, secured: mixed.secured }).toEqual({
      verdicts: alone.verdicts,
      secured: alone.secured,
    });
  });

  test.each(['indexed', 'full'] as const)('white space around a document is none of it: %s', (extent) => {
    const documents = items.map(({ document }, index) =>
      // In a section line ends are normalised.
      Buffer.from(`${index % 2 === 0 ? '<?a b?>' : ''}${document.toString().replaceAll(/\r\n?/g, '\n')}`),
    );
    const wrapped = documents.map((document) =>
      Buffer.from(`\n      <![CDATA[${document.toString()}]]>\n  `),
    );
    const result = processDocuments({ ...taskOf(wrapped, extent), encoding: 'cdata' });
    expect(new Set(result.verdicts)).toEqual(new Set(['new']));
    expect(plainRows(result.batch)).toEqual(plainRows(processDocuments(taskOf(documents, extent)).batch));
  });

  test('a document that is wrong leaves nothing, and is told in the words of JavaScript', () => {
    const documents = items.map(({ document }, index) =>
      index === 5
        ? Buffer.from(document.toString().replace('RevisionNumber="', 'RevisionNumber="1'))
        : document,
    );
    const { verdicts, batch } = processDocuments(taskOf(documents, 'indexed'));
    expect(verdicts[5]).toMatchObject({ problem: { code: 'UPDATE_IDENTITY_MISMATCH' } });
    expect(unpackRows(batch)).toHaveLength(items.length - 1);
  });
});

test('more ids and files than there is room for', () => {
  const reader = openFactsReader();
  if (reader === undefined) throw new Error('no WebAssembly');
  const idOf = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
  const count = 33_000;
  const positions = Array.from({ length: count }, (_, n) => reader.positionOf(idOf(n)));
  expect(positions).toEqual(Array.from({ length: count }, (_, n) => n));
  expect([0, 32_767, 32_768, count - 1].map((n) => reader.positionOf(idOf(n)))).toEqual([
    0,
    32_767,
    32_768,
    count - 1,
  ]);
  const digests = (n: number) => Buffer.alloc(52, n % 251);
  for (let n = 0; n < 17_000; n++) expect(reader.addFileDigests(digests(n))).toBe(n);
  reader.addRow('{}');
  const { updateIds, fileDigests, rows } = reader.take();
  expect(updateIdFromBytes(updateIds, 32_999 * UPDATE_ID_SIZE)).toBe(idOf(32_999));
  expect(fileDigests.subarray(16_500 * 52, 16_501 * 52)).toEqual(new Uint8Array(digests(16_500)));
  expect(rows).toBe('[{}]');
});

withSharedData('the documents of real servers', (directory) => {
  test.each(['2015-06-10-WSUS.cab', '2020-04-21-WSUS.cab'])(
    '%s: nearly all are read, and read alike',
    async (name) => {
      let count = 0;
      let read = 0;
      const path = join(directory, 'wsusutil-export', name);
      const signal = new AbortController().signal;
      for await (const part of readPackage(path, { signal, warn: () => {} })) {
        if (part.type !== 'records') continue;
        const { bytes, encoding, records } = part.batch;
        for (const { start, end } of records) {
          count++;
          if (agree(decodeDocument(bytes.subarray(start, end), encoding))) read++;
        }
      }
      expect(read).toBeGreaterThan(count * 0.99);
    },
  );
});
