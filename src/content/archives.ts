/** Archives that somebody packed content files into: zip, 7z, iso, rar, tar, and these compressed. */
import { open, stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { errorText, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { ArchiveJob, ArchiveMessage } from './archive-worker.js';

/** The library holds the archive and a member of it in memory, which WebAssembly limits. */
export const MAX_ARCHIVE_SIZE = 1 << 30;
const MAX_MEMBER_SIZE = 1 << 30;
const MAX_MEMBERS = 1_000_000;
/** Without a word from the library for this long, it is stopped. */
const MAX_SILENCE_MS = 300_000;
const SNIFF_SIZE = 0x8006;

/** Signatures at their offsets; cabinets are content files themselves and not opened. */
const SIGNATURES: readonly (readonly [name: string, offset: number, signature: Buffer])[] = [
  ['zip', 0, Buffer.from('PK\x03\x04', 'latin1')],
  ['zip', 0, Buffer.from('PK\x05\x06', 'latin1')],
  ['7z', 0, Buffer.from('7z\xBC\xAF\x27\x1C', 'latin1')],
  ['rar', 0, Buffer.from('Rar!\x1A\x07', 'latin1')],
  ['tar', 257, Buffer.from('ustar', 'latin1')],
  ['iso', 0x8001, Buffer.from('CD001', 'latin1')],
  ['gzip', 0, Buffer.from('\x1F\x8B\x08', 'latin1')],
  ['xz', 0, Buffer.from('\xFD7zXZ\x00', 'latin1')],
  ['bzip2', 0, Buffer.from('BZh', 'latin1')],
];

/** What kind of archive a file is, by its first bytes; undefined: none. */
export async function sniffArchive(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(SNIFF_SIZE);
    const { bytesRead } = await handle.read(bytes, 0, SNIFF_SIZE, 0);
    const found = SIGNATURES.find(
      ([, offset, signature]) =>
        offset + signature.length <= bytesRead &&
        bytes.subarray(offset, offset + signature.length).equals(signature),
    );
    return found?.[0];
  } finally {
    await handle.close();
  }
}

export interface UnpackedMember {
  /** a temporary file; whoever takes it may move it */
  readonly path: string;
  /** in the archive, for messages */
  readonly name: string;
  readonly size: number;
}

/**
 * Takes members of wanted sizes out of an archive, one by one, into files in `folder`.
 *
 * @returns how many members had other sizes
 * @throws WsusutilError `ARCHIVE_MALFORMED`, `ARCHIVE_UNSUPPORTED`, `LIMIT_EXCEEDED`, `INTERRUPTED`
 */
export async function* unpackArchive(
  path: string,
  folder: string,
  sizes: ReadonlySet<number>,
  signal: AbortSignal,
): AsyncGenerator<UnpackedMember, number, undefined> {
  const { size } = await stat(path);
  if (size > MAX_ARCHIVE_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `The archive ${path} is ${size} bytes long; archives up to ${MAX_ARCHIVE_SIZE} are opened`,
      { hint: 'Unpack it with another program and add the folder.' },
    );
  }
  const job: ArchiveJob = {
    path,
    folder,
    sizes: Float64Array.from(sizes),
    maxMembers: MAX_MEMBERS,
    maxMemberSize: MAX_MEMBER_SIZE,
  };
  const worker = new Worker(new URL('./archive-worker.js', import.meta.url), {
    workerData: job,
    stderr: true,
  });
  const inbox: (ArchiveMessage | { readonly type: 'failed'; readonly error: unknown })[] = [];
  let wake: () => void = () => {};
  const put = (message: (typeof inbox)[number]) => {
    inbox.push(message);
    wake();
  };
  worker.on('message', put);
  worker.on('error', (error) => put({ type: 'failed', error }));
  worker.on('exit', () => put({ type: 'failed', error: new Error('it ends in the middle') }));
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  let skipped = 0;
  try {
    for (;;) {
      throwIfInterrupted(signal, `unpacking ${path}`);
      const message = inbox.shift();
      if (message === undefined) {
        const isSilent = await waitForMessage(inbox, (resume) => {
          wake = resume;
        });
        if (isSilent) throw malformed(path, `nothing came out of it for ${MAX_SILENCE_MS / 1000} seconds`);
        continue;
      }
      switch (message.type) {
        case 'member':
          yield message;
          break;
        case 'skipped':
          skipped = message.count;
          break;
        case 'end':
          return skipped;
        case 'encrypted':
          throw new WsusutilError('ARCHIVE_UNSUPPORTED', `The archive ${path} is encrypted`, {
            hint: 'Unpack it with the program that packed it and add the folder.',
          });
        case 'empty':
          throw malformed(path, 'it lists no files; it is empty, damaged or cut off');
        case 'too-many':
          throw new WsusutilError(
            'LIMIT_EXCEEDED',
            `The archive ${path} has ${message.count} members; up to ${MAX_MEMBERS} are read`,
            { hint: 'Unpack it with another program and add the folder.' },
          );
        case 'failed':
          throw malformed(path, errorText(message.error));
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    worker.removeAllListeners();
    worker.on('error', () => {}); // what it throws while it is stopped
    await worker.terminate();
  }
}

/** @returns true if nothing came in time */
async function waitForMessage(
  inbox: readonly unknown[],
  setWake: (wake: () => void) => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), MAX_SILENCE_MS);
      setWake(() => resolve(false));
      if (inbox.length > 0) resolve(false);
    });
  } finally {
    clearTimeout(timer);
  }
}

function malformed(path: string, why: string): WsusutilError {
  return new WsusutilError('ARCHIVE_MALFORMED', `The archive ${path} cannot be read: ${why.slice(0, 300)}`, {
    hint: 'Copy or pack it again; test it with the program that packed it.',
  });
}
