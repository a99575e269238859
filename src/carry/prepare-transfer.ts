/** What a transfer package will hold, before anything of it is written. */

import type { ContentRunner } from '../content/content-runner.js';
import type { ListedFile } from '../content/missing-list.js';
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import { CONTENT_FOLDER } from '../formats/transfer-package/entry-names.js';
import type { DraftEntry, TransferDraft } from '../formats/transfer-package/layout.js';
import type { CategoryShare, FilterValue } from '../formats/transfer-package/manifest.js';
import type { ContentFileKind } from '../model/content-file.js';
import { contentPath } from '../model/content-file.js';
import type { PackageHeader } from '../model/export-package.js';
import { announcedLanguages } from '../model/language.js';
import type { UpdateId } from '../model/update-identity.js';
import { FORMAT_VERSION, PROTOCOL_VERSION, selectRevisions } from '../packages/export-package.js';
import type { PackageContent } from '../packages/write-package.js';
import type { Carried, KeyRange } from '../store/carry-state.js';
import type { MetadataStore, RevisionFilter, RevisionKey } from '../store/metadata-store.js';
import { type BaseChoice, chooseBase, type Link } from './chain.js';
import { type GatheredContent, gatherContent, type SourceFile } from './gather-content.js';
import { listedFilesOnly } from './need-list.js';
import { type ComparedSettings, serializeSettings } from './transfer-settings.js';

/** What is asked for. */
export interface TransferRequest {
  readonly store: MetadataStore;
  /** the folder that holds `00` … `FF`; undefined: there is none */
  readonly contentFolder: string | undefined;
  readonly runner: ContentRunner;
  readonly destination: string;
  readonly base: BaseChoice;
  /** undefined: everything */
  readonly filter: RevisionFilter | undefined;
  /** the filter as it was asked for, for the manifest */
  readonly filterText: Readonly<Record<string, FilterValue>>;
  /** kinds of content files that go along */
  readonly kinds: readonly ContentFileKind[];
  /** only these content files, and no metadata; undefined: what the destination lacks */
  readonly need: readonly ListedFile[] | undefined;
  /** settings of this side, for the other to compare */
  readonly settings: ComparedSettings;
  readonly toolVersion: string;
  /** when it says it was made; undefined: now */
  readonly createdAt: Date | undefined;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface PreparedTransfer {
  readonly link: Link;
  /** revisions whose metadata goes along, in the order of the package */
  readonly keys: readonly RevisionKey[];
  readonly content: GatheredContent;
  readonly metadata: PackageContent;
  /** bytes of the documents that go along */
  readonly documentBytes: number;
  readonly settingsBytes: Buffer;
  /** without entries */
  readonly draft: Omit<TransferDraft, 'entries'>;
  /** what the destination has when this package is imported, beside what it had */
  readonly carried: Carried;
}

/**
 * Inside `store.readConsistently`, so that metadata and lists are of one moment.
 *
 * @throws WsusutilError `NOT_FOUND` if the filter matches nothing or there is no such base; `READ_FAILED`,
 *   `INTERRUPTED`
 */
export async function prepareTransfer(request: TransferRequest): Promise<PreparedTransfer> {
  const { store, destination, signal, need, kinds } = request;
  const state = store.carryState();
  const link = chooseBase(destination, await state.listSent(destination), request.base);
  const before: Carried =
    link.base === undefined
      ? { revisions: [], files: new Set() }
      : await state.carriedUpTo(destination, link.base.sequence);
  const selection = await selectRevisions(request);
  const keys = need === undefined ? selection.keys.filter((key) => !isInRanges(before.revisions, key)) : [];
  throwIfInterrupted(signal, 'preparing a package; nothing was written');
  const content = await gatherContent({
    wantsExpress: request.settings.expressFiles,
    ...request,
    scope: need === undefined && !selection.isAll ? { keys: selection.keys, kinds } : { kinds },
    only: need === undefined ? undefined : listedFilesOnly(need),
    // What is asked for is missing there, whatever was sent.
    held: need === undefined ? before.files : new Set(),
  });
  const createdAt = `${(request.createdAt ?? request.now()).toISOString().slice(0, 19)}Z`;
  const languages = announcedLanguages(await store.languages(), request.settings.languages);
  const header: PackageHeader = {
    serverId: store.serverId,
    creationTime: createdAt,
    formatVersion: FORMAT_VERSION,
    protocolVersion: PROTOCOL_VERSION,
    languages,
  };
  const { updates, documentBytes, products, classifications } = await measureShares(
    store,
    keys,
    need === undefined ? selection.keys : [],
    content.files,
    signal,
  );
  const fileKeys = selection.isAll && keys.length === selection.keys.length ? undefined : keys;
  return {
    link,
    keys,
    content,
    documentBytes,
    metadata: {
      header,
      files: () => store.exportFiles(fileKeys),
      entries: () => store.exportRows(keys),
      records: () => store.readDocuments(keys),
    },
    settingsBytes: serializeSettings({
      ...request.settings,
      missing: content.missing,
      leftOut: content.leftOut,
    }),
    draft: {
      serverId: store.serverId,
      destination,
      sequence: link.sequence,
      follows: link.base?.manifest ?? null,
      followsSequence: link.base?.sequence ?? null,
      createdAt,
      toolVersion: request.toolVersion,
      filters: request.filterText,
      options: {
        languages: languages.filter(({ enabled }) => enabled).map(({ shortName }) => shortName),
        expressFiles: kinds.includes('express'),
        contentPolicy: need === undefined ? policyOf(kinds) : 'needed',
      },
      counts: { updates, revisions: keys.length },
      products,
      classifications,
      nextKey: null,
    },
    carried: { revisions: rangesOf(keys), files: new Set(content.files.map(({ sha1 }) => sha1)) },
  };
}

function policyOf(kinds: readonly ContentFileKind[]): string {
  if (kinds.length === 0) return 'none';
  return kinds.includes('payload') ? 'all' : 'licences';
}

/** Where a content file lies in a package. */
export function draftOfContent({ sha1, sha256, size, kind, fileName }: SourceFile): DraftEntry {
  return {
    path: `${CONTENT_FOLDER}/${contentPath(sha1, fileName)}`,
    kind: kind === 'licence' ? 'licence' : 'content',
    size,
    sha256,
    sha1,
  };
}

function isInRanges(ranges: readonly KeyRange[], key: RevisionKey): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = ranges[middle] as KeyRange;
    if (key < first) high = middle - 1;
    else if (key > last) low = middle + 1;
    else return true;
  }
  return false;
}

function rangesOf(keys: readonly RevisionKey[]): readonly KeyRange[] {
  const ranges: [number, number][] = [];
  for (const key of [...keys].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && key === last[1] + 1) last[1] = key;
    else ranges.push([key, key]);
  }
  return ranges;
}

/** Categories that a manifest lists; the largest come first. */
const MAX_SHARES = 20_000;

async function measureShares(
  store: MetadataStore,
  keys: readonly RevisionKey[],
  allKeys: readonly RevisionKey[],
  files: readonly SourceFile[],
  signal: AbortSignal,
): Promise<{
  readonly updates: number;
  readonly documentBytes: number;
  readonly products: readonly CategoryShare[];
  readonly classifications: readonly CategoryShare[];
}> {
  const sizes = new Map(files.map(({ sha1, size }) => [sha1, size]));
  const isNew = new Set(keys);
  const updates = new Set<UpdateId>();
  let documentBytes = 0;
  const shares = { products: new Map<UpdateId, Share>(), classifications: new Map<UpdateId, Share>() };
  const shareOf = (map: Map<UpdateId, Share>, id: UpdateId): Share => {
    const known = map.get(id);
    if (known !== undefined) return known;
    const share = { updates: new Set<UpdateId>(), files: new Set<string>(), size: 0 };
    map.set(id, share);
    return share;
  };
  for await (const rows of store.exportRows(sizes.size === 0 ? keys : allKeys)) {
    throwIfInterrupted(signal, 'preparing a package; nothing was written');
    for (const row of rows) {
      const comesAlong = isNew.has(row.key);
      if (comesAlong) {
        updates.add(row.identity.updateId);
        documentBytes += row.documentSize;
      }
      const here = row.fileSha1s.filter((sha1) => sizes.has(sha1));
      if (!comesAlong && here.length === 0) continue;
      const groups = [
        ...row.categories.map((id) => shareOf(shares.products, id)),
        ...row.classifications.map((id) => shareOf(shares.classifications, id)),
      ];
      for (const share of groups) {
        if (comesAlong) share.updates.add(row.identity.updateId);
        for (const sha1 of here) {
          if (share.files.has(sha1)) continue;
          share.files.add(sha1);
          share.size += sizes.get(sha1) ?? 0;
        }
      }
    }
  }
  const titles = await store.titlesOf([...shares.products.keys(), ...shares.classifications.keys()]);
  const listed = (map: ReadonlyMap<UpdateId, Share>): CategoryShare[] =>
    [...map]
      .map(([id, share]) => ({
        id,
        title: titleFor(titles.get(id) ?? '') || id,
        updates: share.updates.size,
        size: share.size,
      }))
      .sort((a, b) => b.size - a.size || b.updates - a.updates || (a.id < b.id ? -1 : 1))
      .slice(0, MAX_SHARES);
  return {
    updates: updates.size,
    documentBytes,
    products: listed(shares.products),
    classifications: listed(shares.classifications),
  };
}

interface Share {
  readonly updates: Set<UpdateId>;
  readonly files: Set<string>;
  size: number;
}

/** A manifest takes no control characters, and no text without an end. */
function titleFor(title: string): string {
  return title
    .slice(0, 500)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, ' ')
    .trim();
}
