import { createHash } from 'node:crypto';
import { throwIfInterrupted } from '../../errors.js';
import { groupDigits } from '../group-digits.js';
import { MANIFEST_NAME, signatureName, VOLUME_NAME } from './entry-names.js';
import { mismatch } from './errors.js';
import {
  type EntryPiece,
  listPieces,
  manifestDigest,
  manifestTime,
  type TransferEntry,
  type TransferManifest,
} from './manifest.js';
import { encodeTarHeader, paddingOf, TRAILER_SIZE } from './tar-header.js';
import { serializeVolumeJson } from './volume-size.js';

/** Small pieces go out together, so that a volume of many small files takes few writes. */
const WRITE_SIZE = 256 * 1024;
const CHANGED = 'Check the content directory with "wsusutil content verify", then export again.';

export interface WriteVolumeOptions {
  /** what {@link serializeManifest} makes of `manifest`, and what the signatures are for */
  readonly manifestBytes: Uint8Array;
  readonly manifest: TransferManifest;
  /** files of signatures, the first one first */
  readonly signatures: readonly Uint8Array[];
  /** of the volume, from 1 */
  readonly number: number;
  /** Paths to write; the others of this volume are left out, and `volume.json` says so. Default: all. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Bytes `from` up to `from + size` of the entry's file. */
  open(entry: TransferEntry, from: number, size: number): AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of one volume. Content is hashed while it goes out; what was yielded up to an error is to be thrown away.
 *
 * @throws WsusutilError `TRANSFER_MISMATCH` for a file that is not what the manifest says; `INTERRUPTED`; those of
 *   `open`
 */
export async function* writeVolume(options: WriteVolumeOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { manifest, manifestBytes, signatures, number, only, signal } = options;
  const mtime = manifestTime(manifest);
  const pieces = [...listPieces(manifest, number)].filter(({ entry }) => only?.has(entry.path) ?? true);
  if (pieces.length === 0) throw new Error(`nothing to write in volume ${number}`);
  const volumeJson = Buffer.from(
    serializeVolumeJson(
      manifestDigest(manifestBytes),
      number,
      only === undefined ? undefined : pieces.map(({ index }) => index),
    ),
  );

  let small: Uint8Array[] = [];
  let smallSize = 0;
  const flush = (): Uint8Array => {
    const bytes = Buffer.concat(small, smallSize);
    small = [];
    smallSize = 0;
    return bytes;
  };
  const hold = (bytes: Uint8Array) => {
    small.push(bytes);
    smallSize += bytes.length;
  };
  const holdFile = (name: string, bytes: Uint8Array) => {
    hold(encodeTarHeader({ name, size: bytes.length, mtime }));
    hold(bytes);
    hold(Buffer.alloc(paddingOf(bytes.length)));
  };

  holdFile(MANIFEST_NAME, manifestBytes);
  for (const [index, signature] of signatures.entries()) holdFile(signatureName(index + 1), signature);
  holdFile(VOLUME_NAME, volumeJson);
  for (const piece of pieces) {
    throwIfInterrupted(signal, `writing ${piece.name}`);
    hold(encodeTarHeader({ name: piece.name, size: piece.size, mtime }));
    for await (const chunk of checked(piece, options)) {
      throwIfInterrupted(signal, `writing ${piece.name}`);
      if (smallSize + chunk.length < WRITE_SIZE) {
        hold(Buffer.from(chunk)); // a copy: `open` may use its memory again
        continue;
      }
      if (smallSize > 0) yield flush();
      yield chunk;
    }
    hold(Buffer.alloc(paddingOf(piece.size)));
    if (smallSize >= WRITE_SIZE) yield flush();
  }
  hold(Buffer.alloc(TRAILER_SIZE));
  yield flush();
}

/** Content of a piece; fails at its end, or as soon as there is too much of it. */
async function* checked(
  piece: EntryPiece,
  { open }: WriteVolumeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { entry, from, name, size } = piece;
  const sha256 = createHash('sha256');
  const sha1 = piece.part === undefined && entry.sha1 !== undefined ? createHash('sha1') : undefined;
  let sizeSeen = 0;
  for await (const chunk of open(entry, from, size)) {
    if (chunk.length === 0) continue;
    sizeSeen += chunk.length;
    if (sizeSeen > size) {
      throw mismatch(`${entry.path} has more than the ${groupDigits(size)} bytes it should have`, CHANGED);
    }
    sha256.update(chunk);
    sha1?.update(chunk);
    yield chunk;
  }
  if (sizeSeen !== size) {
    throw mismatch(
      `${name} has ${groupDigits(sizeSeen)} bytes and should have ${groupDigits(size)}`,
      CHANGED,
    );
  }
  const found = sha256.digest('hex').toUpperCase();
  if (found !== piece.sha256) {
    throw mismatch(`${name} was changed: its SHA-256 is ${found} and should be ${piece.sha256}`, CHANGED);
  }
  const foundSha1 = sha1?.digest('hex').toUpperCase();
  if (foundSha1 !== undefined && foundSha1 !== entry.sha1) {
    throw mismatch(`${name} has the SHA-1 ${foundSha1}, not the one it is named after`, CHANGED);
  }
}
