/**
 * Reads one volume, and accepts only what its manifest pins. Names, sizes, types and times of all files are known
 * once the manifest is read, so nothing in a tar header is interpreted: its bytes are those expected, or it is refused.
 */
import { createHash, type Hash } from 'node:crypto';
import { throwIfInterrupted, WsusutilError } from '../../errors.js';
import type { Sha256Hex } from '../../model/digest.js';
import { groupDigits } from '../group-digits.js';
import { createContentHash } from '../minisign/signature.js';
import { ByteQueue } from './byte-queue.js';
import { MANIFEST_NAME, partName, signatureName, VOLUME_NAME } from './entry-names.js';
import { incomplete, malformed, mismatch, quoted } from './errors.js';
import {
  MAX_SIGNATURE_SIZE,
  MAX_SIGNATURES,
  MAX_VOLUME_JSON_SIZE,
  TRANSFER_LIMITS,
  type TransferLimits,
} from './limits.js';
import {
  type EntryPart,
  type EntryPiece,
  isKnownKind,
  listPieces,
  manifestTime,
  type TransferEntry,
  type TransferManifest,
} from './manifest.js';
import { ManifestParser } from './parse-manifest.js';
import {
  BLOCK_SIZE,
  describeTarHeader,
  encodeTarHeader,
  paddingOf,
  type TarHeaderFacts,
  TRAILER_SIZE,
} from './tar-header.js';
import { serializeVolumeJson } from './volume-size.js';

export interface ReadVolumeOptions {
  /** what messages call the volume, e.g. its path */
  readonly name: string;
  readonly limits?: TransferLimits | undefined;
  /** bytes of the volume's file, for messages */
  readonly size?: number | undefined;
  /** Of a volume read before: this one must belong to the same set, and its manifest is not parsed again. */
  readonly known?: KnownManifest | undefined;
  /**
   * Told of each file that is damaged in a way that leaves the place of the next one known; reading goes on with
   * that. The body of a damaged file ends with the same error. Left out: the first damage ends everything.
   */
  readonly onDamage?: ((error: WsusutilError, piece: EntryPiece) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface KnownManifest {
  readonly digest: Sha256Hex;
  readonly manifest: TransferManifest;
}

/** In this order: the manifest, its signatures, the volume, and its entries. */
export type VolumePart =
  | {
      readonly type: 'manifest';
      readonly digest: Sha256Hex;
      /** BLAKE2b-512 of its bytes, which is what signatures are for */
      readonly signedDigest: Uint8Array;
      readonly manifest: TransferManifest;
    }
  /** not checked here; `number` is from 1 */
  | { readonly type: 'signature'; readonly number: number; readonly bytes: Buffer }
  /** `only`: the volume holds just these entries, by index in the manifest */
  | { readonly type: 'volume'; readonly number: number; readonly only: readonly number[] | undefined }
  | {
      readonly type: 'entry';
      readonly entry: TransferEntry;
      /** undefined: the whole entry */
      readonly part: EntryPart | undefined;
      readonly piece: EntryPiece;
      /**
       * The content, to be read once and before the next part is asked for; what is not read is checked all the
       * same. It ends with `TRANSFER_MISMATCH` if it is not what the manifest says: nothing may be kept before that
       * end. The bytes belong to the source, and may change with the next ones.
       */
      readonly body: AsyncIterable<Uint8Array>;
    }
  /** an entry of a kind this version does not know; it was checked */
  | { readonly type: 'skipped'; readonly entry: TransferEntry; readonly piece: EntryPiece };

/**
 * Reads a volume to its end. Only when the generator has ended was the volume whole.
 *
 * @throws WsusutilError `NOT_A_PACKAGE`; `TRANSFER_MALFORMED` for anything at another place or of another kind than
 *   the manifest says; `TRANSFER_INCOMPLETE` where it is cut off; `TRANSFER_MISMATCH` for a digest, or a volume of
 *   another set than `known`; those of {@link ManifestParser}; `INTERRUPTED`
 */
export async function* readVolume(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadVolumeOptions,
): AsyncGenerator<VolumePart, void, undefined> {
  const reader = new VolumeReader(new ByteQueue(chunks), options);
  try {
    yield* reader.read();
  } finally {
    await reader.close();
  }
}

class VolumeReader {
  readonly #bytes: ByteQueue;
  readonly #options: ReadVolumeOptions;
  readonly #name: string;

  constructor(bytes: ByteQueue, options: ReadVolumeOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#name = options.name;
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }

  async *read(): AsyncGenerator<VolumePart, void, undefined> {
    const { size, mtime } = await this.#readManifestHeader();
    const { digest, signedDigest, manifest } = await this.#readManifest(size);
    if (mtime !== manifestTime(manifest)) {
      throw malformed(`${this.#name}: the time of ${MANIFEST_NAME} is not the one it states`);
    }
    yield { type: 'manifest', digest, signedDigest, manifest };

    let header = await this.#block(`the files behind ${MANIFEST_NAME}`);
    for (let number = 1; describeTarHeader(header).name === signatureName(number); number++) {
      if (number > MAX_SIGNATURES) {
        throw new WsusutilError('LIMIT_EXCEEDED', `${this.#name} has more than ${MAX_SIGNATURES} signatures`);
      }
      yield {
        type: 'signature',
        number,
        bytes: await this.#smallFile(header, signatureName(number), MAX_SIGNATURE_SIZE, mtime),
      };
      header = await this.#block(VOLUME_NAME);
    }

    const volumeJson = await this.#smallFile(header, VOLUME_NAME, MAX_VOLUME_JSON_SIZE, mtime);
    const { number, only } = this.#parseVolumeJson(volumeJson, manifest, digest);
    yield { type: 'volume', number, only };

    const wanted = only === undefined ? undefined : new Set(only);
    for (const piece of listPieces(manifest, number)) {
      if (wanted?.has(piece.index) === false) continue;
      if (!(await this.#checkHeader(piece, manifest, number))) continue;
      const body = new Body(piece, this.#bytes, this.#options);
      if (isKnownKind(piece.entry.kind)) {
        yield { type: 'entry', entry: piece.entry, part: piece.part, piece, body: body.chunks() };
        await body.finish();
      } else {
        await body.finish();
        yield { type: 'skipped', entry: piece.entry, piece };
      }
    }
    await this.#checkEnd();
  }

  /** Of the first file, of which nothing is known but its name. */
  async #readManifestHeader(): Promise<{ size: number; mtime: number }> {
    const limit = (this.#options.limits ?? TRANSFER_LIMITS).manifestSize;
    const header = await this.#bytes.take(BLOCK_SIZE);
    if (header.length === 0) {
      throw new WsusutilError('PACKAGE_EMPTY', `${this.#name} is empty`, { hint: 'Copy it again.' });
    }
    const facts = header.length === BLOCK_SIZE ? describeTarHeader(header) : undefined;
    if (facts?.isChecksumRight !== true && !header.toString('latin1', 0, 13).startsWith(MANIFEST_NAME)) {
      throw new WsusutilError('NOT_A_PACKAGE', `${this.#name} is not a tar file`, {
        hint: 'Give a .tar that wsusutil export wrote.',
      });
    }
    if (facts === undefined) throw incomplete(`${this.#name} is cut off in its first header`);
    if (facts.name !== MANIFEST_NAME && facts.isChecksumRight) {
      throw new WsusutilError(
        'NOT_A_PACKAGE',
        `${this.#name} is a tar file, but no transfer package: its first file is ${quoted(facts.name)}, not ${MANIFEST_NAME}`,
        { hint: 'Give a .tar that wsusutil export wrote, not one that was packed again.' },
      );
    }
    const { size, mtime } = facts;
    if (size === undefined || mtime === undefined) throw this.#wrongHeader(facts, MANIFEST_NAME);
    if (!encodeTarHeader({ name: MANIFEST_NAME, size, mtime }).equals(header)) {
      throw this.#wrongHeader(facts, MANIFEST_NAME);
    }
    if (size > limit) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `${this.#name} has a manifest of ${groupDigits(size)} bytes; at most ${groupDigits(limit)} are read`,
      );
    }
    return { size, mtime };
  }

  /** @param size bytes, of the file whose content comes next */
  async #readManifest(
    size: number,
  ): Promise<{ digest: Sha256Hex; signedDigest: Uint8Array; manifest: TransferManifest }> {
    const { known, limits, name } = this.#options;
    const sha256 = createHash('sha256');
    const signed = createContentHash();
    const parser = known === undefined ? new ManifestParser(limits) : undefined;
    const parsing = <T>(step: () => T): T => {
      try {
        return step();
      } catch (error) {
        throw naming(name, error);
      }
    };
    for (let left = size; left > 0; ) {
      throwIfInterrupted(this.#options.signal, `reading ${name}`);
      const bytes = await this.#bytes.some(left);
      if (bytes === undefined) throw this.#cutOff(MANIFEST_NAME);
      left -= bytes.length;
      sha256.update(bytes);
      signed.update(bytes);
      if (parser !== undefined) parsing(() => parser.write(bytes));
    }
    await this.#stepOverPadding(MANIFEST_NAME, size);
    const digest = sha256.digest('hex').toUpperCase();
    if (known !== undefined && known.digest !== digest) {
      throw mismatch(
        `${name} belongs to another package: its manifest is ${digest}, that of the other volumes ${known.digest}`,
        'Give the volumes of one package only.',
      );
    }
    const manifest = known?.manifest ?? parsing(() => (parser as ManifestParser).end());
    return { digest, signedDigest: signed.digest(), manifest };
  }

  #parseVolumeJson(
    bytes: Buffer,
    manifest: TransferManifest,
    digest: Sha256Hex,
  ): { number: number; only: readonly number[] | undefined } {
    const wrong = (what: string) => malformed(`${this.#name}: ${VOLUME_NAME} ${what}`);
    const text = bytes.toString('latin1');
    const match = /^\{"manifest":"([0-9A-F]{64})","volume":([1-9]\d{0,4})(?:,"only":\[([\d,]*)\])?\}\n$/.exec(
      text,
    );
    if (match === null) throw wrong('is not what wsusutil writes');
    const number = Number(match[2]);
    const only = match[3] === undefined ? undefined : match[3].split(',').map(Number);
    if (serializeVolumeJson(match[1] as string, number, only) !== text) {
      throw wrong('is not what wsusutil writes');
    }
    if (match[1] !== digest) {
      throw mismatch(
        `${this.#name}: ${VOLUME_NAME} is for the manifest ${match[1]}, and this one is ${digest}`,
      );
    }
    if (number > manifest.volumes.length) {
      throw wrong(`says it is volume ${number} of a package of ${manifest.volumes.length}`);
    }
    let previous = -1;
    for (const index of only ?? []) {
      const entry = manifest.entries[index];
      if (index <= previous || entry === undefined) throw wrong('lists entries that are not there');
      previous = index;
      if (entry.volume !== number && entry.parts?.some((part) => part.volume === number) !== true) {
        throw wrong(`lists ${entry.path}, which lies in another volume`);
      }
    }
    return { number, only };
  }

  /** @returns false if the header is damaged, was reported, and the entry stepped over */
  async #checkHeader(piece: EntryPiece, manifest: TransferManifest, number: number): Promise<boolean> {
    const { name, size } = piece;
    throwIfInterrupted(this.#options.signal, `reading ${this.#name}`);
    const expected = encodeTarHeader({ name, size, mtime: manifestTime(manifest) });
    const offset = this.#bytes.offset;
    const header = await this.#bytes.take(expected.length);
    if (header.equals(expected)) return true;
    const error = this.#judgeHeader(header, expected, offset, piece, manifest, number);
    const { onDamage } = this.#options;
    if (onDamage === undefined || error.code !== 'TRANSFER_MISMATCH') throw error;
    onDamage(error, piece);
    await this.#skip(name, size + paddingOf(size));
    return false;
  }

  #judgeHeader(
    header: Buffer,
    expected: Buffer,
    offset: number,
    piece: EntryPiece,
    manifest: TransferManifest,
    number: number,
  ): WsusutilError {
    const { name, size } = piece;
    if (header.length < BLOCK_SIZE) return this.#cutOff(name);
    const facts = describeTarHeader(header.subarray(0, BLOCK_SIZE));
    const where = `at offset ${groupDigits(offset)}, where ${name} should begin`;
    if (facts.isZero) return incomplete(`${this.#name} ends ${where}`);
    const damaged = mismatch(`${this.#name}: the tar header is damaged ${where}`);
    if (!facts.isChecksumRight) return damaged;
    if (header.subarray(0, BLOCK_SIZE).equals(expected.subarray(0, BLOCK_SIZE))) {
      return header.length < expected.length ? this.#cutOff(name) : damaged; // behind its first block
    }
    if (facts.type !== 'file') {
      return malformed(
        `${this.#name} holds a ${facts.type} ${quoted(facts.name)} ${where}`,
        'Do not unpack the package: something was put into it. Ask for it again.',
      );
    }
    if (facts.name === name) {
      return facts.size === size
        ? malformed(`${this.#name}: the header of ${name} is not the one wsusutil writes`)
        : malformed(
            `${this.#name}: ${name} has ${facts.size === undefined ? 'no size' : `${groupDigits(facts.size)} bytes`} here, and ${groupDigits(size)} in the manifest`,
          );
    }
    for (const other of manifest.entries) {
      const { path, parts } = other;
      const found =
        path === facts.name || parts?.some((_, index) => partName(path, index + 1) === facts.name) === true;
      if (!found) continue;
      return malformed(
        `${this.#name} holds ${quoted(facts.name)} ${where}: it is out of order, there twice, or in the wrong volume (this is volume ${number})`,
      );
    }
    return malformed(
      `${this.#name} holds ${quoted(facts.name)} ${where}; the manifest knows no such file`,
      'Do not unpack the package: something was put into it. Ask for it again.',
    );
  }

  /** A file of a known name below a limit. @param header its first block */
  async #smallFile(header: Buffer, name: string, limit: number, mtime: number): Promise<Buffer> {
    const facts = describeTarHeader(header);
    const { size } = facts;
    if (size === undefined || !encodeTarHeader({ name, size, mtime }).equals(header)) {
      throw this.#wrongHeader(facts, name);
    }
    if (size > limit) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `${this.#name}: ${name} has ${groupDigits(size)} bytes; at most ${groupDigits(limit)} are read`,
      );
    }
    return this.#content(name, size);
  }

  async #content(name: string, size: number): Promise<Buffer> {
    throwIfInterrupted(this.#options.signal, `reading ${this.#name}`);
    const bytes = await this.#bytes.take(size);
    if (bytes.length < size) throw this.#cutOff(name);
    await this.#stepOverPadding(name, size);
    return bytes;
  }

  async #stepOverPadding(name: string, size: number): Promise<void> {
    if (await checkPadding(this.#bytes, size, this.#name, name)) return;
    throw malformed(`${this.#name} holds bytes behind ${name} that belong to nothing`);
  }

  async #block(before: string): Promise<Buffer> {
    const block = await this.#bytes.take(BLOCK_SIZE);
    if (block.length < BLOCK_SIZE) throw this.#cutOff(before);
    return block;
  }

  async #skip(name: string, size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      throwIfInterrupted(this.#options.signal, `reading ${this.#name}`);
      const bytes = await this.#bytes.some(left);
      if (bytes === undefined) throw this.#cutOff(name);
      left -= bytes.length;
    }
  }

  async #checkEnd(): Promise<void> {
    const offset = this.#bytes.offset;
    const trailer = await this.#bytes.take(TRAILER_SIZE);
    if (trailer.length >= BLOCK_SIZE && !trailer.subarray(0, BLOCK_SIZE).every((byte) => byte === 0)) {
      const facts = describeTarHeader(trailer.subarray(0, BLOCK_SIZE));
      throw malformed(
        facts.isChecksumRight
          ? `${this.#name} holds another ${facts.type}, ${quoted(facts.name)}, behind all that its manifest knows`
          : `${this.#name}: there is something at offset ${groupDigits(offset)}, where it should end`,
        'Do not unpack the package: something was put into it, or it is damaged. Ask for it again.',
      );
    }
    if (trailer.length < TRAILER_SIZE) throw incomplete(`${this.#name} is cut off at its very end`);
    if (!trailer.every((byte) => byte === 0)) {
      throw malformed(
        `${this.#name}: there is something at offset ${groupDigits(offset)}, where it should end`,
      );
    }
    const end = this.#bytes.offset;
    if ((await this.#bytes.some(1)) === undefined) return;
    const { size } = this.#options;
    throw new WsusutilError(
      'TRANSFER_MALFORMED',
      `${this.#name} goes on behind its end: it is whole, and has ${groupDigits(end)} bytes; ${size === undefined ? 'what stands behind it belongs' : `${groupDigits(size - end)} more behind it belong`} to nothing`,
      {
        hint: 'Copy the volume from the medium once more; something was put behind it on the way.',
        details: { end },
      },
    );
  }

  #cutOff(name: string): WsusutilError {
    return incomplete(
      `${this.#name} is cut off after ${groupDigits(this.#bytes.offset)} bytes, before or in ${name}`,
    );
  }

  #wrongHeader({ name, type, isZero, isChecksumRight }: TarHeaderFacts, expected: string): WsusutilError {
    if (isZero) return incomplete(`${this.#name} ends where ${expected} should begin`);
    if (!isChecksumRight) {
      return malformed(`${this.#name}: the tar header is damaged where ${expected} should begin`);
    }
    return malformed(
      name === expected && type === 'file'
        ? `${this.#name}: the header of ${expected} is not the one wsusutil writes`
        : `${this.#name} holds a ${type} ${quoted(name)} where ${expected} should be`,
    );
  }
}

/** Content of one piece: read by the consumer or not, it is checked to its end, padding included. */
class Body {
  readonly #piece: EntryPiece;
  readonly #bytes: ByteQueue;
  readonly #options: ReadVolumeOptions;
  readonly #sha256: Hash = createHash('sha256');
  readonly #sha1: Hash | undefined;
  #left: number;
  #state: 'open' | 'good' | 'damaged' = 'open';

  constructor(piece: EntryPiece, bytes: ByteQueue, options: ReadVolumeOptions) {
    this.#piece = piece;
    this.#bytes = bytes;
    this.#options = options;
    this.#left = piece.size;
    this.#sha1 = piece.part === undefined && piece.entry.sha1 !== undefined ? createHash('sha1') : undefined;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** Reads what is left; throws what is wrong with it unless that was reported or thrown already. */
  async finish(): Promise<void> {
    try {
      while (this.#state === 'open' && (await this.#next()) !== undefined);
    } catch (error) {
      if (this.#state !== 'damaged' || this.#options.onDamage === undefined) throw error;
    }
    if (this.#state === 'damaged' && this.#options.onDamage === undefined) throw this.#damage();
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { name } = this.#options;
    throwIfInterrupted(this.#options.signal, `reading ${name}`);
    if (this.#state !== 'open') return undefined;
    if (this.#left > 0) {
      const chunk = await this.#bytes.some(this.#left);
      if (chunk === undefined) {
        throw incomplete(
          `${name} is cut off in ${this.#piece.name}, ${groupDigits(this.#left)} bytes before its end`,
        );
      }
      this.#left -= chunk.length;
      this.#sha256.update(chunk);
      this.#sha1?.update(chunk);
      return chunk;
    }
    const isPadded = await checkPadding(this.#bytes, this.#piece.size, name, this.#piece.name);
    const isGood =
      isPadded &&
      this.#sha256.digest('hex').toUpperCase() === this.#piece.sha256 &&
      (this.#sha1 === undefined || this.#sha1.digest('hex').toUpperCase() === this.#piece.entry.sha1);
    this.#state = isGood ? 'good' : 'damaged';
    if (isGood) return undefined;
    const error = this.#damage();
    this.#options.onDamage?.(error, this.#piece);
    throw error;
  }

  #damage(): WsusutilError {
    return mismatch(
      `${this.#options.name}: ${this.#piece.name} is not what the manifest says; it was changed or damaged`,
    );
  }
}

/** Steps over the rest of the last block. @returns false if that is not all zeros */
async function checkPadding(bytes: ByteQueue, size: number, volume: string, name: string): Promise<boolean> {
  const padding = paddingOf(size);
  if (padding === 0) return true;
  const zeros = await bytes.take(padding);
  if (zeros.length < padding) throw incomplete(`${volume} is cut off behind ${name}`);
  return zeros.every((byte) => byte === 0);
}

/** The same error with the volume in its message. */
function naming(name: string, error: unknown): unknown {
  if (!(error instanceof WsusutilError)) return error;
  return new WsusutilError(error.code, `${name}: ${error.message}`, {
    hint: error.hint,
    details: error.details,
    cause: error,
  });
}
