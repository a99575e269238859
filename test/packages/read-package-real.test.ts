import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import { writePackage } from '../../src/packages/write-package.js';
import {
  contentOf,
  failureOf,
  packageXmlOf,
  type ReadResult,
  readWhole,
  temporaryFolder,
} from '../helpers/package-builder.js';
import { withSharedData } from '../helpers/shared-data.js';

const { signal } = new AbortController();

withSharedData('real packages', (data) => {
  describe.each([
    {
      name: '2015-06-10-WSUS.cab',
      updates: 2358,
      serverId: '8fbe62ef-d79b-4f33-84ad-7f41cedc4966',
      creationTime: '2015-06-10T16:47:55Z',
      protocolVersion: '1.8',
      metadataSize: 10_452_547,
    },
    {
      name: '2020-04-21-WSUS.cab',
      updates: 3690,
      serverId: '1e1ea3fe-5bb5-44ee-9820-b8cf11c01b4b',
      creationTime: '2020-04-21T23:50:06Z',
      protocolVersion: '1.20',
      metadataSize: 13_795_267,
    },
  ])('$name', ({ name, updates, metadataSize, ...header }) => {
    const folder = temporaryFolder();
    const path = join(data, 'wsusutil-export', name);
    let result: ReadResult;
    beforeAll(async () => {
      result = await readWhole(path);
    });
    afterAll(() => folder.remove());

    test('holds what is known of it', () => {
      expect(result.header).toMatchObject({ ...header, formatVersion: '1.0' });
      expect(result.header.languages).toHaveLength(39);
      expect(result.header.languages.filter((each) => each.enabled).map((each) => each.shortName)).toEqual([
        'en',
      ]);
      expect(result.entries).toHaveLength(updates);
      expect(result.records).toHaveLength(updates);
      expect(result.files).toEqual([]);
      expect(result.warnings).toEqual([]);
      expect(result.types).toEqual(['header', 'entries', 'records']);
      const first = result.records[0]!;
      expect(first.identity).toEqual({ updateId: 'e6cf1350-c01b-414d-a61f-263d14d133b4', revisionNumber: 1 });
      expect(first.document.toString()).toHaveLength(0x1cae); // as its head says, in UTF-16 units
    });

    test('gives its package.xml and metadata.txt byte for byte when written again', async () => {
      const [packageXml, metadata] = extractCabinet(readFileSync(path));
      expect((await packageXmlOf(result)).equals(packageXml!.data)).toBe(true);
      const copy = join(folder.path, 'copy.cab');
      await writePackage(copy, 'cab', contentOf(result), { signal, metadataSize });
      const [copiedXml, copiedMetadata] = extractCabinet(readFileSync(copy));
      expect(Buffer.compare(copiedXml!.data, packageXml!.data)).toBe(0);
      expect(Buffer.compare(copiedMetadata!.data, metadata!.data)).toBe(0);
    });

    test('goes through .xml.gz without losing a byte', async () => {
      const copy = join(folder.path, 'copy.xml.gz');
      await writePackage(copy, 'xml.gz', contentOf(result), { signal });
      const again = await readWhole(copy);
      const digest = ({ records }: ReadResult) => {
        const hash = createHash('sha256');
        for (const { identity, document } of records) hash.update(`${identity.updateId} `).update(document);
        return hash.digest('hex');
      };
      expect(digest(again)).toBe(digest(result));
      expect(again.entries).toEqual(result.entries);
      expect(again.header).toEqual(result.header);
    });

    test('is recognised after every CR LF has become LF', async () => {
      const original = readFileSync(path);
      const converted = Buffer.from(original.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
      const error = await failureOf(() => readWhole(folder.put('converted.cab', converted)));
      expect(error.code).toBe('PACKAGE_LINE_ENDINGS');
      expect(error.message).toContain(`the cabinet says ${original.length.toLocaleString('en-US')} bytes`);
    });
  });
});
