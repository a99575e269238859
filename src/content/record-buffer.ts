import type { ContentRecord } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentIndex } from '../store/content-index.js';

/** Each write is synced to the disk: many records at once, but never many seconds of work unsaved. */
const RECORDS_PER_WRITE = 4096;
const MAX_UNSAVED_MS = 2_000;

/** Collects what was found out and writes it down in portions. */
export class RecordBuffer {
  readonly #index: ContentIndex;
  #waiting: { sha1: Sha1Hex; record: ContentRecord }[] = [];
  #savedAt = performance.now();

  constructor(index: ContentIndex) {
    this.#index = index;
  }

  async add(sha1: Sha1Hex, record: ContentRecord): Promise<void> {
    this.#waiting.push({ sha1, record });
    if (this.#waiting.length >= RECORDS_PER_WRITE || performance.now() - this.#savedAt >= MAX_UNSAVED_MS) {
      await this.flush();
    }
  }

  async flush(): Promise<void> {
    this.#savedAt = performance.now();
    if (this.#waiting.length === 0) return;
    const entries = this.#waiting;
    this.#waiting = [];
    await this.#index.record(entries);
  }
}
