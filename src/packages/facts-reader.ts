/**
 * Update documents the way Microsoft's servers write them → rows of the store, in WebAssembly (facts-core/facts.ts).
 * What is unusual is left to `parseUpdateDocument`.
 */
import { isUtf8 } from 'node:buffer';
import {
  memoryOf,
  type WasmConstant,
  type WasmMemory,
  WasmModule,
  WasmUnavailable,
} from '../formats/wasm.js';
import { IDENTITY_SIZE } from '../model/identity-list.js';
import { type UpdateId, updateIdToBytes } from '../model/update-identity.js';
import {
  type BatchTables,
  type DocumentPlace,
  FILE_DIGESTS_SIZE,
  type RevisionBatch,
  UPDATE_ID_SIZE,
} from '../store/revision-batch.js';
import type { BlockMemory } from './block-packer.js';
import { FACTS_MODULE } from './facts-module.js';

/** What facts-core/facts.ts exports. */
interface FactsCore {
  readonly memory: WasmMemory;
  readonly MAX_SIZE: WasmConstant;
  readonly SLACK: WasmConstant;
  readonly EXPECTED: WasmConstant;
  readonly IDS: WasmConstant;
  readonly FILE_DIGESTS: WasmConstant;
  readonly TITLES: WasmConstant;
  readonly ROWS: WasmConstant;
  readonly ROWS_SIZE: WasmConstant;
  readonly MAX_ROW_SIZE: WasmConstant;
  readonly DOCUMENTS: WasmConstant;
  prepare(seed: number): void;
  beginBatch(): void;
  read(start: number, size: number, block: number, blockOffset: number): number;
  positionOfExpected(): number;
  addFile(): number;
  takeRows(): number;
  countIds(): number;
  countFiles(): number;
  rowsSize(): number;
  titlesSize(): number;
}

/** Bits of `read`'s answer; 0: unusual. */
const IS_SECURED = 2;
/** ids that follow each other must not be foreseeable for whoever makes documents */
const SEEDS = 2 ** 48;
/** Room for documents that a thread keeps; single ones may be as large as 32 MiB. */
const MAX_KEPT_ROOM = 4 << 20;

const module = new WasmModule<FactsCore>(FACTS_MODULE);
/** Of the thread. null: there is no WebAssembly here. */
let spare: FactsReader | null | undefined;

/**
 * The thread's reader, for one batch after the other.
 *
 * @returns undefined where there is no WebAssembly
 */
export function openFactsReader(): FactsReader | undefined {
  if (spare === null) return undefined;
  try {
    if (spare === undefined || spare.isFull || spare.roomSize > MAX_KEPT_ROOM) spare = new FactsReader();
    spare.begin();
    return spare;
  } catch (error) {
    if (!(error instanceof WasmUnavailable)) throw error;
    spare = null;
    return undefined;
  }
}

export interface ReadFacts {
  /** there are files, or addresses, that are given out apart */
  readonly isSecured: boolean;
  /** JSON of titles in other languages, where they differ from the one in the row: lower-case tag → title */
  readonly titles: Uint8Array | undefined;
}

/** Holds a batch's rows while it is read, those of documents too that others have read. */
class FactsReader implements BatchTables, BlockMemory {
  readonly #core: FactsCore;
  readonly #start: number;
  #memory: Buffer;
  /** documents, once the memory could not grow */
  #elsewhere: Buffer | undefined;
  /** rows in order; the newest are still in the memory */
  #rows: string[] = [];
  /** what found no room in the memory */
  #moreIds = new Map<UpdateId, number>();
  #moreFileDigests: Uint8Array[] = [];

  /** @throws WasmUnavailable */
  constructor() {
    this.#core = module.instantiate();
    this.#start = this.#core.DOCUMENTS.value;
    this.#memory = bufferOfMemory(this.#core, this.#start);
    this.#core.prepare(Math.floor(Math.random() * SEEDS));
  }

  /** its memory cannot grow */
  get isFull(): boolean {
    return this.#elsewhere !== undefined;
  }

  /** bytes for documents */
  get roomSize(): number {
    return this.#memory.length - this.#start;
  }

  begin(): void {
    this.#core.beginBatch();
    this.#rows = [];
    this.#moreIds = new Map();
    this.#moreFileDigests = [];
  }

  grow(size: number): Buffer {
    const slack = this.#core.SLACK.value;
    if (this.#elsewhere === undefined) {
      try {
        this.#memory = bufferOfMemory(this.#core, this.#start + size + slack);
        return this.#memory.subarray(this.#start, this.#memory.length - slack);
      } catch (error) {
        // There is not so much address space: others read the documents from here on.
        if (!(error instanceof WasmUnavailable)) throw error;
      }
    }
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set((this.#elsewhere ?? this.#memory.subarray(this.#start)).subarray(0, size));
    this.#elsewhere = larger;
    return larger;
  }

  /**
   * Reads the document at `place` of the memory and adds its row.
   *
   * @param identities as `IdentityList` has them; what stands at `offset` is the document's
   * @returns undefined if it is unusual, wrong included: nothing was added
   */
  read(identities: Uint8Array, offset: number, place: DocumentPlace): ReadFacts | undefined {
    const core = this.#core;
    const { documentSize, block, blockOffset } = place;
    if (this.#elsewhere !== undefined || documentSize > core.MAX_SIZE.value) return undefined;
    const start = this.#start + blockOffset;
    if (!isUtf8(this.#memory.subarray(start, start + documentSize))) return undefined;
    if (core.rowsSize() + core.MAX_ROW_SIZE.value > core.ROWS_SIZE.value) this.#takeRows();
    this.#expect(identities, offset, IDENTITY_SIZE);
    const answer = core.read(start, documentSize, block, blockOffset);
    if (answer === 0) return undefined;
    const titlesSize = core.titlesSize();
    const titles = core.TITLES.value;
    return {
      isSecured: (answer & IS_SECURED) !== 0,
      titles:
        titlesSize === 0
          ? undefined
          : Uint8Array.prototype.slice.call(this.#memory, titles, titles + titlesSize),
    };
  }

  positionOf(id: UpdateId): number {
    this.#expect(updateIdToBytes(id), 0, UPDATE_ID_SIZE);
    const position = this.#core.positionOfExpected();
    if (position >= 0) return position;
    const known = this.#moreIds.get(id);
    if (known !== undefined) return known;
    const added = this.#core.countIds() + this.#moreIds.size;
    this.#moreIds.set(id, added);
    return added;
  }

  addFileDigests(bytes: Uint8Array): number {
    const position = this.#core.addFile();
    if (position < 0) return this.#core.countFiles() + this.#moreFileDigests.push(bytes) - 1;
    this.#memory.set(bytes, this.#core.FILE_DIGESTS.value + position * FILE_DIGESTS_SIZE);
    return position;
  }

  addRow(json: string): void {
    this.#takeRows();
    this.#rows.push(json);
  }

  take(): Pick<RevisionBatch, 'updateIds' | 'fileDigests' | 'rows'> {
    this.#takeRows();
    const { IDS, FILE_DIGESTS } = this.#core;
    const idsSize = this.#core.countIds() * UPDATE_ID_SIZE;
    const digestsSize = this.#core.countFiles() * FILE_DIGESTS_SIZE;
    return {
      updateIds: joined(
        this.#memory.subarray(IDS.value, IDS.value + idsSize),
        [...this.#moreIds.keys()].map(updateIdToBytes),
      ),
      fileDigests: joined(
        this.#memory.subarray(FILE_DIGESTS.value, FILE_DIGESTS.value + digestsSize),
        this.#moreFileDigests,
      ),
      rows: `[${this.#rows.join(',')}]`,
    };
  }

  #expect(bytes: Uint8Array, offset: number, size: number): void {
    const start = this.#core.EXPECTED.value;
    for (let at = 0; at < size; at++) this.#memory[start + at] = bytes[offset + at] as number;
  }

  #takeRows(): void {
    const size = this.#core.takeRows();
    if (size === 0) return;
    const start = this.#core.ROWS.value;
    this.#rows.push(this.#memory.toString('latin1', start, start + size));
  }
}

/** @throws WasmUnavailable */
function bufferOfMemory(core: FactsCore, size: number): Buffer {
  const memory = memoryOf(core.memory, size);
  return Buffer.from(memory.buffer, 0, memory.length);
}

/** Bytes of their own memory, which can move to another thread. */
function joined(first: Uint8Array, rest: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(rest.reduce((sum, { length }) => sum + length, first.length));
  bytes.set(first);
  let at = first.length;
  for (const each of rest) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}
