/** Sides of a gap for tests of the built program: data directories with a catalogue and its content. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { contentPath } from '../../src/model/content-file.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { now, problemsOf } from '../store/update-builder.js';
import { type CatalogueOptions, generateCatalogue } from './catalogue/generate-catalogue.js';
import { writeCatalogue } from './catalogue/write-catalogue.js';
import { runProgram, temporaryFolder } from './program.js';

/** A new folder, which goes with the test. */
export function newFolder(): string {
  const made = temporaryFolder();
  onTestFinished(made.remove);
  return made.path;
}

/** A server with metadata and content. @returns its data directory */
export async function connectedSide(options: CatalogueOptions): Promise<string> {
  const outside = newFolder();
  const cab = join(newFolder(), 'catalogue.cab');
  await writeCatalogue(cab, options);
  expect((await runProgram(['import', cab], outside)).exitCode).toBe(0);
  const store = await openMetadataStore(join(outside, 'metadata.sqlite'), { mode: 'write', now });
  const index = await store.contentIndex();
  for (const { content } of generateCatalogue(options)) {
    const called = await index.find(content.map(({ sha1 }) => sha1));
    for (const { sha1, fileName, bytes } of content) {
      if (!called.has(sha1)) continue;
      const path = join(outside, 'WsusContent', ...contentPath(sha1, fileName).split('/'));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
  }
  await store.close();
  return outside;
}

/** What a store holds, and what is wrong with it. */
export async function lookInto(dataDirectory: string) {
  const store = await openMetadataStore(join(dataDirectory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    return {
      fingerprint: await store.fingerprint(),
      problems: await problemsOf(store),
      accepted: (await store.carryState().listAccepted()).map(({ manifest }) => manifest),
    };
  } finally {
    await store.close();
  }
}

/** Runs the program with `--json`. */
export async function runJson(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, stderr, document: JSON.parse(stdout) as Record<string, unknown> };
}
