import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WsusutilError } from '../../src/errors.js';
import { writePackage } from '../../src/packages/write-package.js';
import {
  cabinetOf,
  contentOf,
  failureOf,
  metadataOf,
  packageXmlOf,
  readWhole,
  sampleParts,
  summarize,
  temporaryFolder,
} from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { importFile, makeUpdate, openTestStore, writeUpdates } from '../store/update-builder.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const PARTS = sampleParts(10);
let cab: Buffer;
let gz: Buffer;
beforeAll(async () => {
  cab = await cabinetOf([
    ['package.xml', await packageXmlOf(PARTS)],
    ['metadata.txt', metadataOf(PARTS.records)],
  ]);
  const path = `${folder.path}/good.xml.gz`;
  await writePackage(path, 'xml.gz', contentOf(PARTS), { signal: new AbortController().signal });
  gz = readFileSync(path);
});

const diagnose = (name: string, bytes: Uint8Array | string) =>
  failureOf(() => readWhole(folder.put(name, bytes)));

test('a file that is not there, and a folder, are told apart', async () => {
  expect(await failureOf(() => readWhole(`${folder.path}/none.cab`))).toMatchObject({
    code: 'INPUT_NOT_FOUND',
    message: expect.stringContaining('There is no file'),
  });
  expect(await failureOf(() => readWhole(folder.path))).toMatchObject({
    code: 'INPUT_NOT_FOUND',
    message: expect.stringContaining('is a folder'),
  });
});

test('an empty file is named with the likely reason', async () => {
  const error = await diagnose('empty.cab', '');
  expect(error.code).toBe('PACKAGE_EMPTY');
  expect(error.hint).toContain('2 GB');
  expect((await diagnose('empty.xml.gz', '')).code).toBe('PACKAGE_EMPTY');
  expect((await diagnose('nothing.xml.gz', gzipSync(''))).code).toBe('PACKAGE_EMPTY');
});

describe('a file of another kind is named', () => {
  test.each([
    [
      'HTML',
      '\n<!DOCTYPE html>\n<html><head><title>404\n Not Found</title></head></html>',
      'an HTML page, title "404 Not Found": the download was not the package',
    ],
    ['XHTML', '<?xml version="1.0"?><!-- x --><html xmlns="y"><body/></html>', 'an HTML page'],
    ['ZIP', Buffer.from('504b030414000000', 'hex'), 'a ZIP archive'],
    ['7z', Buffer.from('377abcaf271c0004', 'hex'), 'a 7-Zip archive'],
    ['EXE', Buffer.from('4d5a900003000000', 'hex'), 'a Windows program'],
    ['MSI', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'MSI'],
    ['InstallShield', Buffer.from('4953632800000000', 'hex'), 'InstallShield'],
    [
      'tar',
      Buffer.concat([Buffer.alloc(257, 0x61), Buffer.from('ustar\x0000'), Buffer.alloc(248)]),
      'a tar archive',
    ],
    ['zeros', Buffer.alloc(5000), 'nothing but zero bytes'],
    ['text', 'wsusutil export finished', 'plain text that begins "wsusutil export finished"'],
    ['bytes', Buffer.from('0102030405060708', 'hex'), 'unknown kind, beginning 0102030405060708'],
    ['metadata.txt', metadataOf(sampleParts(1).records), 'metadata.txt'],
    ['XML', '<?xml version="1.0"?><Project/>', 'an XML document with the root <Project>'],
    ['package.xml', '\ufeff<?xml version="1.0"?><ExportPackage/>', 'uncompressed XML of a package'],
    ['UTF-16 text', Buffer.from('\ufeffhello', 'utf16le'), 'plain text'],
  ])('%s', async (_name, bytes, expected) => {
    for (const name of ['other.cab', 'other.xml.gz']) {
      const error = await diagnose(name, bytes);
      expect(error.code).toBe('NOT_A_PACKAGE');
      expect(error.message).toContain(expected);
      expect(error.hint).toBeDefined();
    }
  });
});

describe('a container under the wrong name is named, with the name it needs', () => {
  test('a cabinet', async () => {
    const error = await diagnose('really.xml.gz', cab);
    expect(error).toMatchObject({ code: 'NOT_A_PACKAGE', hint: expect.stringContaining('.cab') });
    expect(error.message).toContain('is a cabinet');
  });

  test('a gzip file', async () => {
    const error = await diagnose('really.cab', gz);
    expect(error).toMatchObject({ code: 'NOT_A_PACKAGE', hint: expect.stringContaining('.xml.gz') });
  });

  test.each([
    ['a cabinet', () => cab, 'inside the gzip file is a cabinet'],
    ['metadata.txt', () => metadataOf(PARTS.records), 'metadata.txt'],
    ['gzip', () => gzipSync('x'), 'another gzip file'],
    ['HTML', () => Buffer.from('<html>'), 'an HTML page'],
    ['tar', () => Buffer.concat([Buffer.alloc(257, 0x61), Buffer.from('ustar')]), 'a tar archive'],
  ])('%s inside gzip', async (_name, bytes, expected) => {
    const error = await diagnose('inside.xml.gz', gzipSync(bytes()));
    expect(error.code).toBe('NOT_A_PACKAGE');
    expect(error.message).toContain(expected);
  });
});

describe('another cabinet is named by what it holds', () => {
  test('any', async () => {
    const error = await diagnose('driver.cab', await cabinetOf([['driver.inf', Buffer.from('x')]]));
    expect(error).toMatchObject({ code: 'NOT_A_PACKAGE' });
    expect(error.message).toContain('without package.xml and metadata.txt: it holds driver.inf');
  });

  test('one of the two members', async () => {
    const error = await diagnose('half.cab', await cabinetOf([['package.xml', await packageXmlOf(PARTS)]]));
    expect(error.message).toContain('without metadata.txt: it holds package.xml');
  });

  test('the offline scan file', async () => {
    const members = ['index.xml', 'package.cab', 'package2.cab'].map(
      (name) => [name, Buffer.from('x')] as const,
    );
    expect((await diagnose('wsusscn2.cab', await cabinetOf(members))).message).toContain('wsusscn2.cab');
  });

  test('a member twice', async () => {
    const xml = await packageXmlOf(PARTS);
    const bytes = await cabinetOf([
      ['package.xml', xml],
      ['metadata.txt', metadataOf(PARTS.records)],
      ['PACKAGE.XML', xml],
    ]);
    expect((await diagnose('twice.cab', bytes)).code).toBe('PACKAGE_MALFORMED');
  });
});

test('a cabinet cut off anywhere is said to be cut off, with both sizes', async () => {
  for (let size = 4; size < cab.length; size += size < 120 ? 1 : 97) {
    const error = await diagnose('cut.cab', cab.subarray(0, size));
    expect([size, error.code]).toEqual([size, 'PACKAGE_TRUNCATED']);
    if (size >= 12) expect(error.details).toMatchObject({ declaredSize: cab.length, actualSize: size });
  }
});

test('an .xml.gz cut off anywhere is said to be cut off', async () => {
  for (let size = 2; size < gz.length; size += size < 30 ? 1 : 61) {
    const error = await diagnose('cut.xml.gz', gz.subarray(0, size));
    expect([size, error.code]).toEqual([size, 'PACKAGE_TRUNCATED']);
  }
  expect((await diagnose('cut.xml.gz', gz.subarray(0, gz.length - 1))).code).toBe('PACKAGE_TRUNCATED');
});

test('a cut .xml.gz lists the elements that are not closed, innermost first', async () => {
  const random = Array.from({ length: 3000 }, (_, n) => ((n * 2654435761) >>> 0).toString(36)).join(' ');
  const [first] = PARTS.records;
  const long = {
    ...sampleParts(1),
    records: [{ identity: first!.identity, document: Buffer.from(`<a>${random}</a>`) }],
  };
  const path = `${folder.path}/long.xml.gz`;
  await writePackage(path, 'xml.gz', contentOf(long), { signal: new AbortController().signal });
  const bytes = readFileSync(path);
  const error = await diagnose('cut.xml.gz', bytes.subarray(0, bytes.length >> 1));
  expect(error.message).toContain(' updates (elements not closed: metadata, update, updates, ExportPackage)');
  expect(error.message).toContain(`stops after ${(bytes.length >> 1).toLocaleString('en-US')} bytes and`);
  const whole = await diagnose(
    'cut.xml.gz',
    gzipSync(
      '<ExportPackage ServerID="aaaaaaaa-0000-4000-8000-000000000001" CreationTime="2026-10-31T08:15:00Z" FormatVersion="1.0" ProtocolVersion="1.20"><updates>',
    ),
  );
  expect(whole).toMatchObject({
    code: 'PACKAGE_TRUNCATED',
    message: expect.stringContaining(' updates (elements not closed: updates, ExportPackage)'),
    details: { openElements: ['updates', 'ExportPackage'] },
  });
});

test('gzip data with a wrong bit or checksum is damaged, not cut off', async () => {
  const flipped = Buffer.from(gz);
  flipped[flipped.length - 6]! ^= 0xff; // CRC-32
  expect((await diagnose('bad.xml.gz', flipped)).code).toBe('GZIP_MALFORMED');
  const header = Buffer.from(gz);
  header[2] = 7;
  expect((await diagnose('bad.xml.gz', header)).code).toBe('GZIP_MALFORMED');
});

test('a flipped bit in gzip data that turns up in a document is told as what it is, with the name of the file', async () => {
  const updates = Array.from({ length: 3_000 }, (_, n) => makeUpdate(n + 1));
  const path = await writeUpdates(`${folder.path}/updates.xml.gz`, updates);
  // Stored, not deflated: the bit is in the text, long before the checksum.
  const plain = gunzipSync(readFileSync(path)).toString('utf8').replace('?>', '?>\r\n');
  const bytes = gzipSync(plain, { level: 0 });
  const at = bytes.indexOf('UpdateIdentity', bytes.indexOf('metadata'));
  bytes[at]! ^= 1;
  const damaged = folder.put('flipped.xml.gz', bytes);
  const { store } = await openTestStore();
  for (const isThorough of [true, false]) {
    const error = await failureOf(() => importFile(store, damaged, { isThorough }));
    expect(error.message).toContain(`${damaged}: The gzip data is damaged (incorrect data check)`);
    expect(error.code).toBe('GZIP_MALFORMED');
  }
  expect(await store.isEmpty()).toBe(true);
});

test.each(['cab', 'xml.gz'])(
  'a document that is wrong in sound .%s is told with the name of the file',
  async (format) => {
    const { identity, document } = makeUpdate(1);
    const broken = Buffer.from(document.toString().replace(/<\/Update>|<\/upd:Update>/, ''));
    const path = await writeUpdates(`${folder.path}/broken.${format}`, [{ identity, document: broken }]);
    const { store } = await openTestStore();
    const error = await failureOf(() => importFile(store, path));
    expect(error.code).toMatch(/^(XML|UPDATE)_MALFORMED$/);
    expect(error.message.startsWith(`${path}: Record 1 (`)).toBe(true);
  },
);

test('a flipped byte in a cabinet never goes unnoticed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: cab.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, mask) => {
        const damaged = Buffer.from(cab);
        damaged[at]! ^= mask;
        const path = folder.put('flipped.cab', damaged);
        try {
          // Dates, attributes and a few reserved fields of the header carry no meaning for the content.
          expect(summarize(await readWhole(path))).toEqual(summarize(PARTS));
        } catch (error) {
          expect(error).toBeInstanceOf(WsusutilError);
        }
      },
    ),
    { numRuns: 150 },
  );
});

describe('a transfer that converted line ends is recognised', () => {
  // A large cabinet of bytes that do not compress: pairs of CR LF occur as often as in any compressed file.
  async function large(): Promise<Buffer> {
    const bytes = Buffer.alloc(400_000);
    let state = 12345;
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      bytes[i] = state >>> 16;
    }
    return cabinetOf([
      ['package.xml', bytes],
      ['metadata.txt', bytes],
    ]);
  }

  test('CR LF to LF', async () => {
    const bytes = await large();
    const text = bytes.toString('latin1');
    const converted = Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1');
    expect(converted.length).toBeLessThan(bytes.length);
    const error = await diagnose('unix.cab', converted);
    expect(error.code).toBe('PACKAGE_LINE_ENDINGS');
    expect(error.hint).toContain('in binary mode (in ftp, type "binary" first');
    expect(error.message).toContain(
      `the cabinet says ${bytes.length.toLocaleString('en-US')} bytes, the file has ${converted.length.toLocaleString('en-US')}, and holds no CR LF pair`,
    );
  });

  test('LF to CR LF', async () => {
    const bytes = await large();
    const converted = Buffer.from(bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1');
    const error = await diagnose('windows.cab', converted);
    expect(error.code).toBe('PACKAGE_LINE_ENDINGS');
    expect(error.message).toContain('LF stands behind a CR');
  });

  let largeCount = 0;
  /** An .xml.gz of some 500 KB; what goes into it does not compress well. */
  async function largeGzip(): Promise<Buffer> {
    const random = seededRandom(7);
    const parts = sampleParts(400);
    const path = `${folder.path}/large${++largeCount}.xml.gz`;
    const records = parts.records.map(({ identity }) => ({
      identity,
      document: Buffer.from(`<a>${random.bytes(1_200).toString('hex')}</a>`),
    }));
    const { signal } = new AbortController();
    await writePackage(path, 'xml.gz', contentOf({ ...parts, records }), { signal });
    return readFileSync(path);
  }

  test('CR LF to LF in an .xml.gz, wherever the first pair stood', async () => {
    const bytes = await largeGzip();
    const pairs = bytes.toString('latin1').split('\r\n').length - 1;
    expect(pairs).toBeGreaterThan(0);
    const converted = Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
    const error = await diagnose('unix.xml.gz', converted);
    expect(error.code).toBe('PACKAGE_LINE_ENDINGS');
    expect(error.message).toContain('the file holds no CR LF pair');
    expect(error.hint).toContain('in binary mode (in ftp, type "binary" first');
  });

  test('LF to CR LF in an .xml.gz', async () => {
    const bytes = await largeGzip();
    const converted = Buffer.from(bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1');
    const error = await diagnose('windows.xml.gz', converted);
    expect(error.code).toBe('PACKAGE_LINE_ENDINGS');
    expect(error.message).toContain('LF stands behind a CR');
  });

  test('but a sound .xml.gz of a wrong document is not blamed on it, and damage of another kind is named', async () => {
    const text = `<ExportPackage>${' '.repeat(200)}</Wrong>`;
    const noise = Buffer.from(
      seededRandom(8).bytes(400_000).toString('latin1').replaceAll('\r\n', '\r-'),
      'latin1',
    );
    // The extra field of a gzip header may hold anything; this one has no pair, as if they had been converted.
    const extra = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 0xff, 0xff]),
      noise.subarray(0, 65_535),
    ]);
    const sound = Buffer.concat([
      extra,
      gzipSync(text).subarray(10),
      ...Array(6).fill(Buffer.concat([extra, gzipSync('').subarray(10)])),
    ]);
    expect(sound.includes('\r\n')).toBe(false);
    expect((await diagnose('sound.xml.gz', sound)).code).toBe('PACKAGE_UNSUPPORTED');
    const bytes = await largeGzip();
    const codes = new Set<string>();
    for (let at = 5_000; at < bytes.length; at += 40_001) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 0x55;
      codes.add((await diagnose('flipped.xml.gz', flipped)).code);
    }
    expect([...codes]).toEqual(['GZIP_MALFORMED']);
  });

  test('but a file that is only cut off is not blamed on it', async () => {
    const bytes = await large();
    expect((await diagnose('cut.cab', bytes.subarray(0, -3))).code).toBe('PACKAGE_TRUNCATED');
  });
});
