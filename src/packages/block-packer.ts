/** Documents on their way into the blocks that a store keeps them in. */
import { type PackingEffort, packBlock } from '../store/document-block.js';
import type { DocumentBlock, DocumentPlace } from '../store/revision-batch.js';

/** Documents are packed until a block has this many bytes: reading one inflates one block, a third of a millisecond. */
const BLOCK_SIZE = 256 << 10;
/** What a thread keeps of its memory when a batch is done; single documents may be as large as 32 MiB. */
const MAX_KEPT_MEMORY = 4 << 20;

/** Memory for the block that is being filled: documents are decoded to where they are read and packed from. */
export interface BlockMemory {
  /** At least `size` bytes, with what was in them before; what was given out earlier is void. */
  grow(size: number): Buffer;
}

/** A thread's memory, for one packer after the other. */
let spare = Buffer.alloc(0);

const plainMemory: BlockMemory = {
  grow(size) {
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(spare);
    spare = larger;
    return spare;
  },
};

export class BlockPacker {
  readonly #effort: PackingEffort;
  readonly #source: BlockMemory;
  #memory: Buffer;
  readonly #blocks: DocumentBlock[] = [];
  /** JSON of each document's titles in other languages, with its offset as key, separated by commas */
  #titles: Uint8Array[] = [];
  /** bytes of the documents in the memory */
  #size = 0;

  constructor(effort: PackingEffort, memory = plainMemory) {
    this.#effort = effort;
    this.#source = memory;
    this.#memory = memory === plainMemory ? spare : memory.grow(0);
  }

  /** Memory behind the documents that are kept; good until the next call of anything here. */
  roomFor(size: number): Uint8Array {
    if (this.#size >= BLOCK_SIZE) this.#close();
    const end = this.#size + size;
    if (end > this.#memory.length) this.#memory = this.#source.grow(Math.max(end, 2 * BLOCK_SIZE));
    return this.#memory.subarray(this.#size, end);
  }

  /**
   * Puts a document behind those that are kept; {@link keep} keeps it. Where it was, if in the room, is void.
   *
   * @param document anywhere, also in the room given for it
   */
  place(document: Uint8Array): DocumentPlace {
    const room = this.roomFor(document.length);
    const isThere = document.buffer === room.buffer && document.byteOffset === room.byteOffset;
    if (!isThere) room.set(document);
    return { block: this.#blocks.length, blockOffset: this.#size, documentSize: document.length };
  }

  /** The document that was put there last; good until the next call of anything here. */
  documentAt({ blockOffset, documentSize }: DocumentPlace): Uint8Array {
    return this.#memory.subarray(blockOffset, blockOffset + documentSize);
  }

  /**
   * @param place the last that was given out
   * @param titles JSON of the titles in languages other than the default one: lower-case tag → title; undefined: none
   */
  keep(place: DocumentPlace, titles: Uint8Array | undefined): void {
    if (titles !== undefined) {
      const separator = this.#titles.length === 0 ? '{' : ',';
      this.#titles.push(Buffer.from(`${separator}"${place.blockOffset}":`), titles);
    }
    this.#size += place.documentSize;
  }

  finish(): readonly DocumentBlock[] {
    if (this.#size > 0) this.#close();
    if (spare.length > MAX_KEPT_MEMORY) spare = Buffer.alloc(0);
    return this.#blocks;
  }

  #close(): void {
    const hasTitles = this.#titles.length > 0;
    this.#blocks.push({
      data: packBlock(this.#memory.subarray(0, this.#size), this.#effort),
      size: this.#size,
      titles: hasTitles
        ? packBlock(Buffer.concat([...this.#titles, Buffer.from('}')]), this.#effort)
        : undefined,
    });
    this.#titles = [];
    this.#size = 0;
  }
}
