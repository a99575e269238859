/** Small packages made by hand, and what reading one gives. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWsusutilError, type WsusutilError } from '../../src/errors.js';
import { writeCabinet } from '../../src/formats/cab/write-cabinet.js';
import { decodeDocument } from '../../src/formats/export-package/document-encoding.js';
import type { PackageRecord } from '../../src/formats/export-package/metadata-writer.js';
import { serializeRecords } from '../../src/formats/export-package/metadata-writer.js';
import { writePackageXml } from '../../src/formats/export-package/package-xml-writer.js';
import type {
  PackageEntry,
  PackageFile,
  PackageHeader,
  PackagePart,
} from '../../src/model/export-package.js';
import type { UpdateIdentity } from '../../src/model/update-identity.js';
import { type ReadPackageOptions, readPackage } from '../../src/packages/read-package.js';
import type { PackageContent } from '../../src/packages/write-package.js';

export const SAMPLE_HEADER: PackageHeader = {
  serverId: 'aaaaaaaa-0000-4000-8000-000000000001',
  creationTime: '2026-10-31T08:15:00Z',
  formatVersion: '1.0',
  protocolVersion: '1.20',
  languages: [
    { id: 0, shortName: 'all', longName: 'all', enabled: true },
    { id: 1028, shortName: 'zh-tw', longName: 'Chinese (Traditional)', enabled: false },
  ],
};

const SHA1S = ['00112233445566778899AABBCCDDEEFF01020304', '00112233445566778899AABBCCDDEEFF01020305'];

export const SAMPLE_FILES: readonly PackageFile[] = [
  { sha1: SHA1S[0]!, muUrl: 'http://download.example.test/d/x.cab?a=1&b=2', fileName: 'x "1" <é>.cab' },
  { sha1: SHA1S[1]!, muUrl: 'http://download.example.test/d/y.psf', fileName: 'y.psf' },
];

/** The n-th sample update: every third has files and categories, documents hold what framing may stumble over. */
export function sampleUpdate(n: number): { entry: PackageEntry; record: PackageRecord } {
  const identity = {
    updateId: `11111111-2222-4333-8444-${n.toString(16).padStart(12, '0')}`,
    revisionNumber: 100 + n,
  };
  const isUpdate = n % 3 === 2;
  const text = `<upd:Update xmlns:upd="http://schemas.microsoft.com/msus/2002/12/Update"><upd:UpdateIdentity UpdateID="${identity.updateId}" RevisionNumber="${identity.revisionNumber}" />\r\n<!-- a, b ]]&gt; --><t>é🙂 &lt;&amp;&#x41; ${'x'.repeat(n % 50)}</t>\n</upd:Update>`;
  return {
    entry: {
      identity,
      fileSha1s: isUpdate ? SHA1S : [],
      categories: isUpdate ? ['22222222-3333-4444-8555-666666666601'] : [],
      classifications: isUpdate ? ['0fa1201d-4330-4fa8-8ae9-b877473b6441'] : [],
    },
    record: { identity, document: Buffer.from(text) },
  };
}

export interface SampleParts {
  readonly header: PackageHeader;
  readonly files: readonly PackageFile[];
  readonly entries: readonly PackageEntry[];
  readonly records: readonly PackageRecord[];
}

export function sampleParts(count: number): SampleParts {
  const updates = Array.from({ length: count }, (_, n) => sampleUpdate(n));
  return {
    header: SAMPLE_HEADER,
    files: SAMPLE_FILES,
    entries: updates.map(({ entry }) => entry),
    records: updates.map(({ record }) => record),
  };
}

export function contentOf(parts: SampleParts): PackageContent {
  return {
    header: parts.header,
    files: () => [parts.files],
    entries: () => [parts.entries],
    records: () => [parts.records],
  };
}

export async function packageXmlOf(
  parts: Pick<SampleParts, 'header' | 'files' | 'entries'>,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of writePackageXml(parts.header, [parts.files], [parts.entries])) pieces.push(piece);
  return Buffer.concat(pieces);
}

export function metadataOf(records: readonly PackageRecord[]): Buffer {
  return serializeRecords(records);
}

/** A cabinet of the given members, in memory. */
export async function cabinetOf(
  members: readonly (readonly [name: string, bytes: Uint8Array])[],
): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  await writeCabinet(
    members.map(([name, data]) => ({
      name,
      size: data.length,
      modifiedAt: new Date(SAMPLE_HEADER.creationTime),
      chunks: (async function* () {
        yield data;
      })(),
    })),
    {
      async write(piece) {
        bytes = Buffer.concat([bytes, piece]);
      },
      async writeAt(position, piece) {
        bytes.set(piece, position);
      },
    },
  );
  return bytes;
}

/** A folder for the files of one test file; remove it with `remove`. */
export function temporaryFolder(): {
  readonly path: string;
  put(name: string, bytes: Uint8Array | string): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'wsusutil-package-'));
  return {
    path,
    put(name, bytes) {
      const file = join(path, name);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export interface ReadResult extends SampleParts {
  readonly types: readonly PackagePart['type'][];
  readonly encodings: readonly string[];
  /** codes */
  readonly warnings: readonly string[];
  /** what the warnings say */
  readonly messages: readonly string[];
  readonly progress: readonly (readonly [number, number])[];
}

/** Reads a whole package; documents come decoded. */
export async function readWhole(
  path: string,
  options: Partial<ReadPackageOptions> = {},
): Promise<ReadResult> {
  const files: PackageFile[] = [];
  const entries: PackageEntry[] = [];
  const records: { identity: UpdateIdentity; document: Buffer }[] = [];
  const types: PackagePart['type'][] = [];
  const encodings = new Set<string>();
  const warnings: string[] = [];
  const messages: string[] = [];
  const progress: (readonly [number, number])[] = [];
  let header: PackageHeader | undefined;
  for await (const part of readPackage(path, {
    signal: new AbortController().signal,
    warn: (code, message) => {
      warnings.push(code);
      messages.push(message);
    },
    onProgress: (done, total) => progress.push([done, total]),
    ...options,
  })) {
    if (types.at(-1) !== part.type) types.push(part.type);
    if (part.type === 'header') header = part.header;
    else if (part.type === 'files') files.push(...part.files);
    else if (part.type === 'entries') entries.push(...part.entries);
    else if (part.type === 'records') {
      encodings.add(part.batch.encoding);
      for (const { identity, start, end } of part.batch.records) {
        const source = part.batch.bytes.subarray(start, end);
        records.push({ identity, document: Buffer.from(decodeDocument(source, part.batch.encoding)) });
      }
    }
  }
  if (header === undefined) throw new Error('no header');
  return { header, files, entries, records, types, encodings: [...encodings], warnings, messages, progress };
}

/** The four things a package carries, with documents as text: comparing bytes one by one is slow. */
export function summarize({ header, files, entries, records }: SampleParts): unknown {
  return {
    header,
    files,
    entries,
    records: records.map(({ identity, document }) => ({
      ...identity,
      text: Buffer.from(document).toString(),
    })),
  };
}

/** What `action` throws; anything but a {@link WsusutilError} is an error of the test's own. */
export async function failureOf(action: () => unknown): Promise<WsusutilError> {
  try {
    await action();
  } catch (error) {
    if (isWsusutilError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
