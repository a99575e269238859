import type { Transferable } from 'node:worker_threads';
import { compressMszipBlocks } from '../formats/cab/write-cabinet.js';
import { type DocumentResult, type DocumentTask, processDocuments } from './document-work.js';

/** Work of this folder that threads can do. */
export type PackageTask =
  | { readonly kind: 'documents'; readonly task: DocumentTask }
  | { readonly kind: 'mszip'; readonly plain: Uint8Array; readonly dictionary: Uint8Array };

export type PackageTaskResult =
  | { readonly kind: 'documents'; readonly result: DocumentResult }
  | { readonly kind: 'mszip'; readonly blocks: readonly Uint8Array[] };

export function performTask(task: PackageTask): PackageTaskResult {
  return task.kind === 'documents'
    ? { kind: 'documents', result: processDocuments(task.task) }
    : { kind: 'mszip', blocks: compressMszipBlocks(task.plain, task.dictionary) };
}

/** Buffers of a result that nobody else uses: they can move to another thread instead of being copied. */
export function ownedBuffers(result: PackageTaskResult): readonly Transferable[] {
  const views =
    result.kind === 'mszip'
      ? result.blocks
      : result.result.blocks.flatMap((block) =>
          block.titles === undefined ? [block.data] : [block.data, block.titles],
        );
  // Small results of zlib may share Node's buffer pool, which must not move.
  return views
    .filter((view) => view.byteLength === view.buffer.byteLength)
    .map((view) => view.buffer as ArrayBuffer);
}
