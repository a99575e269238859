/**
 * The members of a real package, `package.xml` and `metadata.txt`, as two gzip files: how a transfer package carries
 * metadata. Both have the framing that `write-package.ts` describes.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { BatchMemory } from '../formats/export-package/batch-memory.js';
import { serializeRecords } from '../formats/export-package/metadata-writer.js';
import { writePackageXml } from '../formats/export-package/package-xml-writer.js';
import type { Sha256Hex } from '../model/digest.js';
import type { PackagePart } from '../model/export-package.js';
import { createAtomicFile } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import { compress, DEFAULT_GZIP_LEVEL } from './compress.js';
import { inflate, TruncatedGzip } from './inflate.js';
import { openMemberReaders, type ReadPackageOptions } from './read-package.js';
import type { PackageContent } from './write-package.js';

export const PACKAGE_XML_NAME = 'package.xml.gz';
export const METADATA_NAME = 'metadata.txt.gz';

/** Paths of both members. */
export interface MemberPaths {
  readonly packageXml: string;
  readonly metadata: string;
}

export interface MemberFile {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex;
}

export function memberPathsIn(folder: string): MemberPaths {
  return { packageXml: join(folder, PACKAGE_XML_NAME), metadata: join(folder, METADATA_NAME) };
}

export interface WriteMembersOptions {
  readonly signal: AbortSignal;
  /** documents written so far */
  onProgress?(updates: number): void;
}

/**
 * Writes both members into a folder; the same content gives the same bytes.
 *
 * @throws WsusutilError `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `UPDATE_MALFORMED`, `INTERRUPTED`
 */
export async function writeMemberFiles(
  folder: string,
  content: PackageContent,
  options: WriteMembersOptions,
): Promise<{ readonly packageXml: MemberFile; readonly metadata: MemberFile }> {
  const paths = memberPathsIn(folder);
  const xml = writePackageXml(
    content.header,
    content.files(),
    interruptible(content.entries(), options.signal),
  );
  return {
    packageXml: await writeGzip(paths.packageXml, xml),
    metadata: await writeGzip(paths.metadata, recordsOf(content, options)),
  };
}

async function* interruptible<T>(
  batches: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  for await (const batch of batches) {
    throwIfInterrupted(signal, 'writing metadata');
    yield batch;
  }
}

async function* recordsOf(
  content: PackageContent,
  { signal, onProgress }: WriteMembersOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let updates = 0;
  for await (const batch of interruptible(content.records(), signal)) {
    if (batch.length === 0) continue;
    updates += batch.length;
    onProgress?.(updates);
    yield serializeRecords(batch);
  }
}

async function writeGzip(
  path: string,
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<MemberFile> {
  const file = await createAtomicFile(path, { replace: false });
  try {
    const hash = createHash('sha256');
    await compress(pieces, file, hash, DEFAULT_GZIP_LEVEL);
    const { size } = file;
    await file.commit();
    return { path, size, sha256: hash.digest('hex').toUpperCase() };
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/**
 * The parts of both members, in order: header, files, entries, then records.
 *
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `PACKAGE_TRUNCATED`, `PACKAGE_MEMBERS_DISAGREE`,
 *   `GZIP_MALFORMED`, those of the codecs, `INTERRUPTED`
 */
export async function* readMemberFiles(
  paths: MemberPaths,
  options: ReadPackageOptions & { readonly memory?: BatchMemory | undefined },
): AsyncGenerator<PackagePart, void, undefined> {
  const { xmlReader, metadataReader, agreement, takeParts } = openMemberReaders(options);
  const sources = [await openFileSource(paths.packageXml)];
  try {
    sources.push(await openFileSource(paths.metadata));
    const total = sources.reduce((sum, { size }) => sum + size, 0);
    options.onProgress?.(0, total);
    let before = 0;
    for (const [index, source] of sources.entries()) {
      const reader = index === 0 ? xmlReader : metadataReader;
      try {
        for await (const bytes of inflate(source.chunks())) {
          throwIfInterrupted(options.signal, `reading ${source.path}`);
          reader.write(bytes);
          yield* takeParts();
          options.onProgress?.(before + source.reached, total);
        }
      } catch (error) {
        if (!(error instanceof TruncatedGzip)) throw error;
        throw new WsusutilError('PACKAGE_TRUNCATED', `${source.path} is cut off: its gzip data has no end`, {
          hint: 'Carry the package again; it is not complete.',
          cause: error,
        });
      }
      reader.end();
      yield* takeParts();
      before += source.size;
    }
    agreement.check();
  } finally {
    for (const source of sources) await source.close();
  }
}
