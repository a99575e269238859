/** Updates made by hand, as small as a test needs them, and packages of them. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProgressEvent } from '../../src/events.js';
import { recordSize } from '../../src/formats/export-package/metadata-writer.js';
import { type PackageHeader, packageFormatOf } from '../../src/model/export-package.js';
import type { UpdateId, UpdateIdentity } from '../../src/model/update-identity.js';
import { type ImportOptions, type ImportSummary, importPackage } from '../../src/packages/import-package.js';
import { writePackage } from '../../src/packages/write-package.js';
import type { MetadataStore, StoreProblem } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import {
  type Clause,
  type EulaText,
  elements,
  type FileText,
  type LocalizedText,
  serializeDocument,
} from '../helpers/catalogue/documents.js';
import { SAMPLE_HEADER, temporaryFolder } from '../helpers/package-builder.js';

export const NOW = new Date('2026-11-01T12:00:00Z');
export const now = (): Date => NOW;

/** A GUID that shows its number. */
export function idOf(n: number): UpdateId {
  return `aaaaaaaa-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

export interface UpdateOptions {
  readonly revision?: number;
  /** `Software` when left out */
  readonly type?: 'Category' | 'Detectoid' | 'Software' | 'Driver';
  readonly categoryType?: 'Company' | 'ProductFamily' | 'Product' | 'UpdateClassification';
  readonly title?: string;
  /** besides the title in English */
  readonly titles?: Readonly<Record<string, string>>;
  readonly prerequisites?: readonly Clause[];
  readonly bundled?: readonly (readonly UpdateIdentity[])[];
  readonly superseded?: readonly UpdateId[];
  readonly state?: string;
  readonly createdAt?: string;
  readonly severity?: string;
  readonly deployable?: boolean;
  readonly kb?: readonly string[];
  readonly cves?: readonly string[];
  readonly languages?: readonly string[];
  readonly files?: readonly FileText[];
  readonly eulaFiles?: readonly EulaText[];
  /** what makes two documents of one revision differ */
  readonly comment?: string;
}

export interface BuiltUpdate {
  readonly identity: UpdateIdentity;
  readonly document: Buffer;
}

/** Update number `n`. */
export function makeUpdate(n: number, options: UpdateOptions = {}): BuiltUpdate {
  const type = options.type ?? (options.categoryType === undefined ? 'Software' : 'Category');
  const identity = { updateId: idOf(n), revisionNumber: options.revision ?? 1 };
  const localized: LocalizedText[] = [
    { language: 'en', title: options.title ?? `Update ${n}` },
    ...Object.entries(options.titles ?? {}).map(([language, title]) => ({ language, title })),
  ];
  const text = serializeDocument({
    identity,
    prefixes: type === 'Category' ? ['cat'] : [],
    properties: {
      UpdateType: type,
      DefaultPropertiesLanguage: 'en',
      ExplicitlyDeployable: (options.deployable ?? type === 'Software') ? 'true' : 'false',
      MsrcSeverity: options.severity,
      PublicationState: options.state ?? 'Published',
      CreationDate: options.createdAt ?? '2026-01-01T00:00:00Z',
    },
    propertyElements:
      elements('Language', options.languages ?? []) +
      elements('KBArticleID', options.kb ?? []) +
      elements('CveID', options.cves ?? []),
    localized,
    ...(options.prerequisites === undefined ? {} : { prerequisites: options.prerequisites }),
    ...(options.bundled === undefined ? {} : { bundled: options.bundled }),
    ...(options.superseded === undefined ? {} : { superseded: options.superseded }),
    ...(options.files === undefined ? {} : { files: options.files }),
    ...(options.eulaFiles === undefined ? {} : { eulaFiles: options.eulaFiles }),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    ...(type === 'Category'
      ? {
          handlerData: `<upd:HandlerSpecificData xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="cat:Category"><cat:CategoryInformation${options.categoryType === undefined ? '' : ` CategoryType="${options.categoryType}"`} /></upd:HandlerSpecificData>`,
        }
      : {}),
  });
  return { identity, document: Buffer.from(text) };
}

/** The same update with its document changed. */
export function withDocument(update: BuiltUpdate, change: (text: string) => string): BuiltUpdate {
  return { identity: update.identity, document: Buffer.from(change(update.document.toString())) };
}

/** A folder that goes when the running test ends. */
export function testFolder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

/** Writes a package of these updates, in this order. The document alone says what they need. */
export async function writeUpdates(
  path: string,
  updates: readonly BuiltUpdate[],
  header: PackageHeader = SAMPLE_HEADER,
): Promise<string> {
  const entries = updates.map(({ identity }) => ({
    identity,
    fileSha1s: [],
    categories: [],
    classifications: [],
  }));
  await writePackage(
    path,
    packageFormatOf(path),
    { header, files: () => [], entries: () => [entries], records: () => [updates] },
    {
      signal: new AbortController().signal,
      metadataSize: updates.reduce((sum, { document }) => sum + recordSize(document.length), 0),
    },
  );
  return path;
}

export interface TestStore {
  readonly path: string;
  readonly store: MetadataStore;
}

/** A store in a folder of its own (or at `path`), closed when the running test ends. */
export async function openTestStore(path = join(testFolder(), 'metadata.sqlite')): Promise<TestStore> {
  const store = await openMetadataStore(path, { mode: 'write', now });
  onTestFinished(() => store.close());
  return { path, store };
}

export interface ImportResult extends ImportSummary {
  readonly warnings: readonly string[];
}

/** Imports a package file; warnings by code. */
export async function importFile(
  store: MetadataStore,
  path: string,
  options: Partial<ImportOptions> = {},
): Promise<ImportResult> {
  const warnings: string[] = [];
  const summary = await importPackage({
    path,
    store,
    now,
    signal: new AbortController().signal,
    threads: 0,
    strict: false,
    dryRun: false,
    report: (event: ProgressEvent) => {
      if (event.type === 'warning') warnings.push(event.code);
    },
    ...options,
  });
  return { ...summary, warnings };
}

let packageNumber = 0;

/** Packs these updates and imports them; no two packages have the same bytes, so that each is read. */
export async function importUpdates(
  store: MetadataStore,
  updates: readonly BuiltUpdate[],
  { header, ...options }: Partial<ImportOptions> & { readonly header?: PackageHeader } = {},
): Promise<ImportResult> {
  const path = join(testFolder(), `package-${++packageNumber}.cab`);
  const made = new Date(Date.parse(SAMPLE_HEADER.creationTime) + packageNumber * 1000).toISOString();
  const own = { ...SAMPLE_HEADER, creationTime: made.replace(/\.\d+/, '') };
  return importFile(store, await writeUpdates(path, updates, header ?? own), options);
}

/** Problems that `check` finds. */
export async function problemsOf(store: MetadataStore): Promise<readonly StoreProblem[]> {
  const problems: StoreProblem[] = [];
  for await (const problem of store.check(() => {}, new AbortController().signal)) problems.push(problem);
  return problems;
}

/** Identities of all revisions in the store's own order. */
export async function storedOrder(store: MetadataStore): Promise<string[]> {
  const order: string[] = [];
  for await (const batch of store.readDocuments(await store.listKeys())) {
    for (const { identity } of batch) order.push(`${identity.updateId}:${identity.revisionNumber}`);
  }
  return order;
}

/** The stored document of a revision. */
export async function documentOf(store: MetadataStore, identity: UpdateIdentity): Promise<Buffer> {
  const found = (await store.findUpdate(identity.updateId)).find(
    (each) => each.identity.revisionNumber === identity.revisionNumber,
  );
  if (found === undefined) throw new Error('the store has no such revision');
  for await (const [only] of store.readDocuments([found.key])) {
    if (only !== undefined) return Buffer.from(only.document);
  }
  throw new Error('the store has no such document');
}

/** Takes back the last import. */
export const undone = (store: MetadataStore) =>
  store.undoImport((facts) => ({
    action: 'undo',
    package: facts.package,
    startedAt: 0,
    finishedAt: 1,
    outcome: 'complete',
    details: {},
  }));
