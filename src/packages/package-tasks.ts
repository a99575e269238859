import type { Transferable } from 'node:worker_threads';
import { compressMszipBlocks } from '../formats/cab/write-cabinet.js';
import { type FileDigest, hashFileNow } from '../platform/hash-file.js';
import { movableBuffersOf } from '../store/revision-batch.js';
import { type DocumentResult, type DocumentTask, processDocuments } from './document-work.js';

/** Work of this folder that threads can do. */
export type PackageTask =
  | { readonly kind: 'documents'; readonly task: DocumentTask }
  | { readonly kind: 'mszip'; readonly plain: Uint8Array; readonly dictionary: Uint8Array }
  | { readonly kind: 'digest'; readonly path: string };

export type PackageTaskResult =
  | { readonly kind: 'documents'; readonly result: DocumentResult }
  | { readonly kind: 'mszip'; readonly blocks: readonly Uint8Array[] }
  | { readonly kind: 'digest'; readonly digest: FileDigest };

export function performTask(task: PackageTask): PackageTaskResult {
  switch (task.kind) {
    case 'documents':
      return { kind: 'documents', result: processDocuments(task.task) };
    case 'mszip':
      return { kind: 'mszip', blocks: compressMszipBlocks(task.plain, task.dictionary) };
    case 'digest':
      return { kind: 'digest', digest: hashFileNow(task.path) };
  }
}

/** Buffers of a result that nobody else uses: they can move to another thread instead of being copied. */
export function ownedBuffers(result: PackageTaskResult): readonly Transferable[] {
  switch (result.kind) {
    case 'documents':
      return [...movableBuffersOf(result.result.batch), result.result.bytes.buffer as ArrayBuffer];
    case 'mszip':
      return result.blocks
        .filter((block) => block.byteLength === block.buffer.byteLength)
        .map((block) => block.buffer as ArrayBuffer);
    case 'digest':
      return [];
  }
}
