/**
 * Takes files of wanted sizes out of one archive, in a thread of its own: libarchive.js throws for a damaged archive
 * where nobody can catch it, which ends the thread and not the program.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

export interface ArchiveJob {
  readonly path: string;
  /** where members are written, under numbers: their own names are never used as paths */
  readonly folder: string;
  /** bytes; other members are not unpacked */
  readonly sizes: Float64Array;
  readonly maxMembers: number;
  readonly maxMemberSize: number;
}

export type ArchiveMessage =
  /** @param name for messages only */
  | { readonly type: 'member'; readonly path: string; readonly name: string; readonly size: number }
  | { readonly type: 'skipped'; readonly count: number }
  | { readonly type: 'encrypted' }
  | { readonly type: 'empty' }
  | { readonly type: 'too-many'; readonly count: number }
  | { readonly type: 'end' };

/** The few methods that are called; the library's Node entry has no types. */
interface LibArchive {
  readonly Archive: {
    open(blob: Blob): Promise<{
      hasEncryptedData(): Promise<boolean | null>;
      getFilesArray(): Promise<
        readonly {
          readonly path: string;
          readonly file: { readonly name: string; readonly size: number; extract(): Promise<Blob> };
        }[]
      >;
      close(): Promise<void>;
    }>;
  };
}

async function unpack(job: ArchiveJob, tell: (message: ArchiveMessage) => void): Promise<void> {
  const library = 'libarchive.js/dist/libarchive-node.mjs';
  const { Archive } = (await import(library)) as LibArchive;
  const archive = await Archive.open(new Blob([readFileSync(job.path)]));
  if ((await archive.hasEncryptedData()) === true) {
    tell({ type: 'encrypted' });
    return;
  }
  const members = await archive.getFilesArray();
  if (members.length === 0) {
    tell({ type: 'empty' }); // what the library says of many a damaged archive
    return;
  }
  if (members.length > job.maxMembers) {
    tell({ type: 'too-many', count: members.length });
    return;
  }
  const sizes = new Set(job.sizes);
  let skipped = 0;
  let number = 0;
  for (const { path, file } of members) {
    if (!sizes.has(file.size) || file.size > job.maxMemberSize) {
      skipped++;
      continue;
    }
    const bytes = Buffer.from(await (await file.extract()).arrayBuffer());
    const target = join(job.folder, String(number++));
    writeFileSync(target, bytes);
    tell({ type: 'member', path: target, name: `${path}${file.name}`, size: bytes.length });
  }
  tell({ type: 'skipped', count: skipped });
  tell({ type: 'end' });
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  await unpack(workerData as ArchiveJob, (message) => port.postMessage(message));
}
