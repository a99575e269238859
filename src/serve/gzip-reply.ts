/** Replies in gzip, put together from pieces that are compressed once and sent to many downstreams. */
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const deflate = promisify(deflateRaw);

export class GzipReplies {
  /** Pieces of lists, which live as long as the list is kept → deflate blocks that end at a byte. */
  readonly #packed = new WeakMap<Uint8Array, Uint8Array>();

  /**
   * One member, as the oldest clients want it.
   *
   * @param pieces binary ones must never change: what they become is kept as long as they are
   */
  async compress(pieces: readonly (string | Uint8Array)[]): Promise<readonly Uint8Array[]> {
    const blocks: Uint8Array[] = [HEADER];
    let checksum = 0;
    let size = 0;
    for (const piece of pieces) {
      const plain = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
      if (plain.length === 0) continue; // crc32 of nothing starts anew
      checksum = crc32(plain, checksum);
      size += plain.length;
      blocks.push(await this.#pack(plain, typeof piece !== 'string'));
    }
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(checksum, 0);
    trailer.writeUInt32LE(size % 2 ** 32, 4);
    blocks.push(await deflate(Buffer.alloc(0)), trailer);
    return blocks;
  }

  async #pack(plain: Uint8Array, isKept: boolean): Promise<Uint8Array> {
    const known = isKept ? this.#packed.get(plain) : undefined;
    if (known !== undefined) return known;
    const packed = await deflate(plain, {
      level: constants.Z_BEST_SPEED,
      finishFlush: constants.Z_FULL_FLUSH,
    });
    if (isKept) this.#packed.set(plain, packed);
    return packed;
  }
}
