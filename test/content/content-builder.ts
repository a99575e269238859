/** Content files with real bytes, updates that call for them, and trees of them on disk. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ContentRunner, openContentRunner } from '../../src/content/content-runner.js';
import { contentPath } from '../../src/model/content-file.js';
import { type BuiltUpdate, makeUpdate, type UpdateOptions } from '../store/update-builder.js';

export interface BuiltFile {
  readonly bytes: Buffer;
  readonly sha1: string;
  readonly sha256: string;
  readonly fileName: string;
  /** below the content folder, as the layout wants it */
  readonly path: string;
}

/** A file whose bytes follow from `seed`. */
export function makeFile(seed: string, size = 1000, fileName = `${seed}.exe`): BuiltFile {
  const bytes = Buffer.alloc(size);
  for (let offset = 0, part = seed; offset < size; offset += 32) {
    const digest = createHash('sha256').update(part).digest();
    digest.copy(bytes, offset);
    part = digest.toString('hex');
  }
  return fileOf(bytes, fileName);
}

export function fileOf(bytes: Buffer, fileName: string): BuiltFile {
  const sha1 = createHash('sha1').update(bytes).digest('hex').toUpperCase();
  const sha256 = createHash('sha256').update(bytes).digest('hex').toUpperCase();
  return { bytes, sha1, sha256, fileName, path: contentPath(sha1, fileName) };
}

/** An update that calls for these files. */
export function updateWith(
  n: number,
  files: readonly BuiltFile[],
  options: UpdateOptions & {
    readonly licences?: readonly BuiltFile[];
    readonly express?: readonly BuiltFile[];
  } = {},
): BuiltUpdate {
  const { licences = [], express = [], ...rest } = options;
  const textOf = (file: BuiltFile, patchingType: string) => ({
    sha1: file.sha1,
    sha256: file.sha256,
    fileName: file.fileName,
    size: file.bytes.length,
    modified: '2026-01-01T00:00:00Z',
    patchingType,
  });
  return makeUpdate(n, {
    ...rest,
    files: [
      ...files.map((file) => textOf(file, 'SelfContained')),
      ...express.map((file) => textOf(file, 'Express')),
    ],
    eulaFiles: licences.map((file) => ({
      sha1: file.sha1,
      sha256: file.sha256,
      fileName: file.fileName,
      size: file.bytes.length,
      language: 'en',
    })),
  });
}

/** Puts a file into a content folder, under its own name or another one (with `/`). Gives its path. */
export function placeFile(
  contentFolder: string,
  file: BuiltFile,
  path = file.path,
  bytes = file.bytes,
): string {
  const place = join(contentFolder, ...path.split('/'));
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, bytes);
  return place;
}

/** Hashes on this thread; closed when the running test ends. */
export function testRunner(): ContentRunner {
  const runner = openContentRunner(0);
  onTestFinished(() => runner.close());
  return runner;
}
