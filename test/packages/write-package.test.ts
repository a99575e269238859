import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { XMLValidator } from 'fast-xml-parser';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import type { PackageFormat } from '../../src/model/export-package.js';
import { measurePackage, writePackage } from '../../src/packages/write-package.js';
import {
  contentOf,
  failureOf,
  metadataOf,
  packageXmlOf,
  readWhole,
  sampleParts,
  summarize,
  temporaryFolder,
} from '../helpers/package-builder.js';

const { signal } = new AbortController();
const FORMATS: readonly PackageFormat[] = ['cab', 'xml.gz'];
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

describe.each(FORMATS)('%s', (format) => {
  const target = () => `${folder.path}/out.${format}`;

  test('what was written is read back, and the result describes the file', async () => {
    const parts = sampleParts(3000);
    const progress: (readonly [number, number])[] = [];
    const written = await writePackage(target(), format, contentOf(parts), {
      signal,
      onProgress: (updates, bytes) => progress.push([updates, bytes]),
    });
    const bytes = readFileSync(target());
    expect(written).toMatchObject({
      size: bytes.length,
      updates: 3000,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(progress.at(-1)).toEqual([3000, written.uncompressedSize]);
    expect(summarize(await readWhole(target()))).toEqual(summarize(parts));
    expect(readdirSync(folder.path)).toEqual([`out.${format}`]);
    const measured = await measurePackage(contentOf(parts), format);
    expect(measured).toMatchObject({ updates: 3000, uncompressedSize: written.uncompressedSize, fits: true });
  });

  test('the same content gives the same bytes, however it is batched', async () => {
    const parts = sampleParts(300);
    async function* inBatches<T>(items: readonly T[], size: number) {
      for (let at = 0; at < items.length; at += size) {
        yield items.slice(at, at + size);
        yield [];
      }
    }
    const first = await writePackage(target(), format, contentOf(parts), { signal });
    const second = await writePackage(
      `${folder.path}/second.${format}`,
      format,
      {
        header: parts.header,
        files: () => inBatches(parts.files, 1),
        entries: () => inBatches(parts.entries, 7),
        records: () => inBatches(parts.records, 11),
      },
      { signal },
    );
    expect(second).toEqual(first);
  });

  test('a package without updates is written', async () => {
    await writePackage(target(), format, contentOf({ ...sampleParts(0), files: [] }), { signal });
    expect(await readWhole(target())).toMatchObject({ files: [], entries: [], records: [] });
  });

  test('an existing file is not touched', async () => {
    folder.put(`out.${format}`, 'precious');
    const error = await failureOf(() =>
      writePackage(target(), format, contentOf(sampleParts(2)), { signal }),
    );
    expect(error.code).toBe('TARGET_EXISTS');
    expect(readFileSync(target(), 'utf8')).toBe('precious');
    expect(readdirSync(folder.path)).toEqual([`out.${format}`]);
  });

  test('an interruption leaves nothing behind', async () => {
    const controller = new AbortController();
    const error = await failureOf(() =>
      writePackage(target(), format, contentOf(sampleParts(3000)), {
        signal: controller.signal,
        onProgress: () => controller.abort(),
      }),
    );
    expect(error.code).toBe('INTERRUPTED');
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('a failure of the source leaves nothing behind', async () => {
    const parts = sampleParts(10);
    const content = {
      ...contentOf(parts),
      records: () =>
        (function* () {
          yield parts.records.slice(0, 5);
          throw new Error('the disk went away');
        })(),
    };
    await expect(writePackage(target(), format, content, { signal })).rejects.toThrow('the disk went away');
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('a source is let go when the writing fails or ends', async () => {
    const parts = sampleParts(10);
    let open = 0;
    function* guarded<T>(items: readonly T[]): Generator<readonly T[]> {
      open++;
      try {
        for (const item of items) yield [item];
      } finally {
        open--;
      }
    }
    const content = (count: number) => ({
      header: parts.header,
      files: () => guarded(parts.files),
      entries: () => guarded(parts.entries),
      records: () => guarded(parts.records.slice(0, count)),
    });
    await expect(writePackage(target(), format, content(7), { signal })).rejects.toThrow(/entr/);
    expect(open).toBe(0);
    await writePackage(target(), format, content(10), { signal });
    expect(open).toBe(0);
  });

  test('documents of several mebibytes among small ones are written and read', async () => {
    const parts = sampleParts(6);
    const records = parts.records.map((each, n) => ({
      ...each,
      document: n % 2 === 0 ? each.document : Buffer.from(`<a>${'<b>é🙂\r\n</b>'.repeat(150_000 * n)}</a>`),
    }));
    await writePackage(target(), format, contentOf({ ...parts, records }), { signal });
    const result = await readWhole(target());
    expect(result.records.map((each, n) => Buffer.compare(each.document, records[n]!.document))).toEqual(
      Array(6).fill(0),
    );
  });

  test('a document that is not text is refused', async () => {
    const parts = sampleParts(2);
    const records = [parts.records[0]!, { ...parts.records[1]!, document: Buffer.from([0x3c, 0xff]) }];
    const error = await failureOf(() =>
      writePackage(target(), format, contentOf({ ...parts, records }), { signal }),
    );
    expect(error.code).toBe('UPDATE_MALFORMED');
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('entries and documents that do not match are our mistake', async () => {
    const parts = sampleParts(3);
    for (const records of [parts.records.slice(1), [...parts.records, parts.records[0]!]]) {
      await expect(
        writePackage(target(), format, contentOf({ ...parts, records }), { signal }),
      ).rejects.toThrow(/entr/);
    }
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

test('a cabinet holds package.xml, then metadata.txt, dated with the creation time', async () => {
  const parts = sampleParts(5);
  const path = `${folder.path}/out.cab`;
  const written = await writePackage(path, 'cab', contentOf(parts), { signal });
  const members = extractCabinet(readFileSync(path));
  expect(members.map(({ member }) => member.name)).toEqual(['package.xml', 'metadata.txt']);
  expect(Buffer.from(members[0]!.data)).toEqual(await packageXmlOf(parts));
  expect(Buffer.from(members[1]!.data)).toEqual(metadataOf(parts.records));
  expect(written.uncompressedSize).toBe(members[0]!.data.length + members[1]!.data.length);
});

test('a size of metadata.txt that the caller knows spares a pass over the documents', async () => {
  const parts = sampleParts(5);
  let passes = 0;
  const content = {
    ...contentOf(parts),
    records: () => {
      passes++;
      return [parts.records];
    },
  };
  const metadataSize = metadataOf(parts.records).length;
  await writePackage(`${folder.path}/out.cab`, 'cab', content, { signal, metadataSize });
  expect(passes).toBe(1);
  await expect(
    writePackage(`${folder.path}/wrong.cab`, 'cab', content, { signal, metadataSize: metadataSize + 1 }),
  ).rejects.toThrow('metadata.txt');
  expect(readdirSync(folder.path)).toEqual(['out.cab']);
});

test('content beyond what a cabinet holds is refused before anything is written', async () => {
  const content = contentOf(sampleParts(5));
  const options = { signal, metadataSize: 2_147_450_880 };
  expect(await measurePackage(content, 'cab', options)).toMatchObject({ fits: false });
  const error = await failureOf(() => writePackage(`${folder.path}/out.cab`, 'cab', content, options));
  expect(error).toMatchObject({ code: 'CAB_TOO_LARGE', hint: expect.stringContaining('.xml.gz') });
  expect(error.hint).toContain('--split');
  expect(readdirSync(folder.path)).toEqual([]);
});

test('an .xml.gz is one gzip member that tells nothing of where it was made', async () => {
  const parts = sampleParts(5);
  const path = `${folder.path}/out.xml.gz`;
  const written = await writePackage(path, 'xml.gz', contentOf(parts), { signal });
  const bytes = readFileSync(path);
  expect(bytes.toString('hex', 0, 10)).toBe('1f8b0800000000000000');
  const text = gunzipSync(bytes);
  expect(bytes.readUInt32LE(bytes.length - 4)).toBe(text.length); // one member: its ISIZE is that of all
  expect(text.length).toBe(written.uncompressedSize);
  expect(XMLValidator.validate(text.toString().replace('\ufeff', ''))).toBe(true);
});

test('the layout of the .xml.gz document is the documented one', async () => {
  const parts = sampleParts(3);
  const path = `${folder.path}/out.xml.gz`;
  const record = { identity: parts.entries[2]!.identity, document: Buffer.from('<a b="&lt;">\r\n</a>') };
  await writePackage(
    path,
    'xml.gz',
    contentOf({ ...parts, entries: [parts.entries[2]!], records: [record] }),
    {
      signal,
      level: 9,
    },
  );
  const text = gunzipSync(readFileSync(path)).toString();
  const head = (await packageXmlOf({ ...parts, entries: [] })).toString();
  expect(text).toBe(
    `${head.slice(0, head.indexOf('<Updates'))}<updates><update UpdateId="11111111-2222-4333-8444-000000000002" RevisionNumber="102"><Files><File Digest="ABEiM0RVZneImaq7zN3u/wECAwQ=" /><File Digest="ABEiM0RVZneImaq7zN3u/wECAwU=" /></Files><Categories><Category Value="22222222-3333-4444-8555-666666666601" /></Categories><Classifications><Classification Value="0fa1201d-4330-4fa8-8ae9-b877473b6441" /></Classifications><metadata>&lt;a b="&amp;lt;">&#xD;\n&lt;/a></metadata></update></updates></ExportPackage>`,
  );
});
