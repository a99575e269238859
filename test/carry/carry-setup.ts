/** Two servers with a gap between them: stores and content directories of their own, packages carried over by file. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type ExportTransferOptions,
  type ExportTransferSummary,
  exportTransfer,
} from '../../src/carry/export-transfer.js';
import {
  type ImportTransferOptions,
  type ImportTransferSummary,
  importTransfer,
} from '../../src/carry/import-transfer.js';
import type { TransferRequest } from '../../src/carry/prepare-transfer.js';
import type { ComparedSettings } from '../../src/carry/transfer-settings.js';
import { type ContentRunner, openContentRunner } from '../../src/content/content-runner.js';
import { OWN_FOLDER } from '../../src/content/layout.js';
import type { ProgressEvent } from '../../src/events.js';
import type { SecretKey } from '../../src/formats/minisign/secret-key.js';
import { createSecretKey, parseSecretKey } from '../../src/formats/minisign/secret-key.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { type BuiltFile, fileOf, placeFile } from '../content/content-builder.js';
import { type CatalogueItem, generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { type BuiltUpdate, importFile, now, testFolder, writeUpdates } from '../store/update-builder.js';

export const SAME_SETTINGS: ComparedSettings = {
  languages: ['en'],
  expressFiles: false,
  contentPolicy: 'wanted',
  products: [],
  classifications: [],
};

/** One side of the gap. */
export interface Site {
  readonly folder: string;
  readonly store: MetadataStore;
  readonly contentFolder: string;
  readonly carryPath: string;
  /** paths below the content folder → SHA-256 */
  content(): Record<string, string>;
}

export async function openSite(name = 'site'): Promise<Site> {
  const folder = join(testFolder(), name);
  mkdirSync(folder);
  const store = await openMetadataStore(join(folder, 'metadata.sqlite'), { mode: 'write', now });
  onTestFinished(() => store.close());
  const contentFolder = join(folder, 'WsusContent');
  mkdirSync(contentFolder);
  return {
    folder,
    store,
    contentFolder,
    carryPath: join(folder, 'carry'),
    content: () => contentOf(contentFolder),
  };
}

/** Every file in the folders `00` … `FF`, by its digest. */
export function contentOf(contentFolder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(contentFolder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(contentFolder, name);
    if (name.startsWith(OWN_FOLDER) || !statSync(path).isFile()) continue;
    found[relative(contentFolder, path).split(sep).join('/')] = createHash('sha256')
      .update(readFileSync(path))
      .digest('hex');
  }
  return found;
}

/** What lies in our own folder of the content directory, beside what tells targets apart. */
export function leftovers(site: Site): string[] {
  const own = join(site.contentFolder, OWN_FOLDER);
  const inPartial = (() => {
    try {
      return readdirSync(join(own, 'partial'));
    } catch {
      return [];
    }
  })();
  const inCarry = (() => {
    try {
      return readdirSync(site.carryPath).filter((name) => !name.startsWith('sent-'));
    } catch {
      return [];
    }
  })();
  return [...inPartial, ...inCarry];
}

/** Imports updates from a package, and puts those of the files they call for into the content directory. */
export async function feed(
  site: Site,
  updates: readonly BuiltUpdate[],
  files: readonly BuiltFile[] = [],
): Promise<void> {
  await importFile(site.store, await writeUpdates(join(testFolder(), 'feed.cab'), updates));
  const called = await (await site.store.contentIndex()).find(files.map(({ sha1 }) => sha1));
  for (const file of files) if (called.has(file.sha1)) placeFile(site.contentFolder, file);
}

/** A catalogue with content, as updates and files. */
export function catalogue(
  revisions: number,
  seed: number,
  maxFileSize: number,
): { readonly updates: readonly BuiltUpdate[]; readonly files: readonly BuiltFile[] } {
  const items: CatalogueItem[] = [...generateCatalogue({ revisions, seed, maxFileSize })];
  const files = new Map<string, BuiltFile>();
  for (const { content } of items) {
    for (const { bytes, fileName } of content) {
      const file = fileOf(bytes, fileName);
      files.set(file.sha1, file);
    }
  }
  return {
    updates: items.map(({ identity, document }) => ({ identity, document })),
    files: [...files.values()],
  };
}

/** Everything of a site, for one place. */
export function requestOf(site: Site, runner: ContentRunner): TransferRequest {
  return {
    store: site.store,
    contentFolder: site.contentFolder,
    runner,
    destination: 'isolated',
    base: { kind: 'full' },
    filter: undefined,
    filterText: {},
    kinds: ['payload', 'express', 'licence'],
    need: undefined,
    settings: SAME_SETTINGS,
    toolVersion: '0.0.0',
    createdAt: undefined,
    now,
    signal: new AbortController().signal,
    report: () => {},
  };
}

export async function exportFrom(
  site: Site,
  path: string,
  options: Partial<ExportTransferOptions> = {},
): Promise<ExportTransferSummary> {
  const runner = openContentRunner(0);
  try {
    return await exportTransfer({
      ...requestOf(site, runner),
      path,
      carryPath: site.carryPath,
      volumeSize: undefined,
      signers: [],
      nextKey: undefined,
      record: (sent, carried) => site.store.carryState().recordSent(sent, carried),
      ...options,
    });
  } finally {
    await runner.close();
  }
}

export interface CarriedOver extends ImportTransferSummary {
  readonly warnings: readonly string[];
}

export async function importInto(
  site: Site,
  paths: readonly string[],
  options: Partial<ImportTransferOptions> = {},
): Promise<CarriedOver> {
  const runner = openContentRunner(0);
  const warnings: string[] = [];
  try {
    const summary = await importTransfer({
      paths,
      store: site.store,
      contentFolder: site.contentFolder,
      journalsPath: join(site.folder, 'copies'),
      carryPath: site.carryPath,
      runner,
      trust: { keys: [], threshold: 1 },
      allowUnsigned: true,
      acceptGap: undefined,
      settings: SAME_SETTINGS,
      strict: false,
      dryRun: false,
      now,
      signal: new AbortController().signal,
      threads: 0,
      ...options,
      report: (event: ProgressEvent) => {
        if (event.type === 'warning') warnings.push(event.code);
        options.report?.(event);
      },
    });
    return { ...summary, warnings };
  } finally {
    await runner.close();
  }
}

/** A key without a password. */
export async function makeKey(): Promise<SecretKey> {
  const signal = new AbortController().signal;
  const { text } = await createSecretKey({ password: undefined, signal });
  return parseSecretKey(Buffer.from(text), 'test.key').open(undefined, signal);
}
