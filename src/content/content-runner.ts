import { createInlineRunner, openWorkerPool, type TaskRunner } from '../platform/worker-pool.js';
import {
  CONTROL_BYTES,
  CONTROL_STOP,
  type ContentTask,
  type ContentTaskResult,
  type FileCopy,
  type FileReading,
  type FileToCopy,
  type FileToRead,
  type FolderListing,
  performContentTask,
} from './content-tasks.js';

/** Lists folders and hashes files on other threads. */
export interface ContentRunner {
  /** calls worth having under way at once */
  readonly concurrency: number;
  /** bytes hashed so far, files that are being read included */
  readonly bytesRead: number;
  list(folder: string): Promise<FolderListing | { readonly reason: string }>;
  /** Names and stamps of a folder of the layout as one text; undefined if it holds anything else. */
  summarize(folder: string, name: string): Promise<string | undefined>;
  /** Reads files one after the other, in the order given. */
  read(files: readonly FileToRead[]): Promise<readonly FileReading[]>;
  /** Copies files to temporary names, one after the other, in the order given. */
  copy(files: readonly FileToCopy[]): Promise<readonly FileCopy[]>;
  /** Has what is under way end soon, in the middle of a file if need be, and leave nothing half-written. */
  stop(): void;
  /** Ends the threads, in the middle of a file if need be. */
  close(): Promise<void>;
}

/** @param threads 0: everything on the calling thread */
export function openContentRunner(threads: number): ContentRunner {
  const tasks: TaskRunner<ContentTask, ContentTaskResult> =
    threads === 0
      ? createInlineRunner(performContentTask)
      : openWorkerPool(new URL('./content-worker.js', import.meta.url), threads, 'on demand');
  const control = new BigInt64Array(new SharedArrayBuffer(16));
  return {
    concurrency: tasks.concurrency,
    get bytesRead() {
      return Number(Atomics.load(control, CONTROL_BYTES));
    },
    async list(folder) {
      const result = await tasks.run({ type: 'list', folder });
      if (result.type !== 'list') throw new Error('a list task gave something else');
      return result.listing;
    },
    async summarize(folder, name) {
      const result = await tasks.run({ type: 'summarize', folder, name });
      if (result.type !== 'summarize') throw new Error('a summarize task gave something else');
      return result.listing;
    },
    async read(files) {
      const result = await tasks.run({ type: 'read', files, control });
      if (result.type !== 'read') throw new Error('a read task gave something else');
      return result.readings;
    },
    async copy(files) {
      const result = await tasks.run({ type: 'copy', files, control });
      if (result.type !== 'copy') throw new Error('a copy task gave something else');
      return result.copies;
    },
    stop() {
      Atomics.store(control, CONTROL_STOP, 1n);
    },
    async close() {
      Atomics.store(control, CONTROL_STOP, 1n);
      await tasks.close();
    },
  };
}
