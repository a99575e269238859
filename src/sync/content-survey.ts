/**
 * What a synchronisation calls for of content files, what of it is there, and where the rest would come from. Reads no
 * file and changes nothing. Source: server-sync-protocol 8, 16.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkContent, type FileFinding } from '../content/check-content.js';
import type { ContentRunner } from '../content/content-runner.js';
import { type Amount, NONE, plus } from '../content/content-tally.js';
import { type ContentTree, hasContentFolder, openContentTree } from '../content/content-tree.js';
import { freeSpaceAt } from '../content/free-space.js';
import { partialFolderOf } from '../content/layout.js';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import { type ContentFileKind, contentPath, type WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentIndex, ContentSelection } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import { type SyncClock, systemClock } from './clock.js';
import { type ContentChoice, selectContent } from './select-content.js';

export interface PollPace {
  /** the first pause; each one without a new file is twice as long */
  readonly firstMs: number;
  /** the longest pause */
  readonly maxMs: number;
  /** pauses in a row without a new file, summed, after which waiting ends */
  readonly limitMs: number;
}

export interface ContentSource {
  /**
   * Root of the upstream's content, e.g. `http://wsus:8530/Content`; undefined: it holds none (`CatalogOnlySync`), files
   * come from where the metadata says
   */
  readonly contentUrl: string | undefined;
  /** what the upstream does not give out is fetched from where the metadata says */
  readonly allowMicrosoft: boolean;
  /** Asks the upstream to fetch files it does not hold; undefined: it is not asked. Gives those it does not know. */
  readonly downloadFiles?:
    | ((sha1s: readonly Sha1Hex[]) => Promise<{ readonly unknown: readonly Sha1Hex[] }>)
    | undefined;
  /** default: 5 s to 5 min, for 30 min */
  readonly poll?: PollPace | undefined;
}

export interface ContentPlanOptions extends ContentChoice {
  readonly store: MetadataStore;
  /** the folder that holds `00` … `FF`; need not be there */
  readonly contentFolder: string;
  readonly source: ContentSource;
  readonly runner: ContentRunner;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** default {@link systemClock} */
  readonly clock?: SyncClock | undefined;
}

export interface ContentSyncPlan {
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  readonly present: Amount;
  /** missing or damaged */
  readonly missing: Amount & { readonly licences: Amount };
  /** of the missing: without a known address, when there is no upstream to take them from */
  readonly withoutSource: Amount;
  /** where the others come from, most bytes first */
  readonly hosts: readonly (Amount & { readonly host: string })[];
  /** bytes of the missing that are not here yet: broken-off downloads go on */
  readonly toFetch: number;
  /** bytes; undefined: the system does not say */
  readonly free: number | undefined;
  readonly fits: boolean;
}

/**
 * What `synchroniseContent` would fetch. Changes nothing; the store may be open to read.
 *
 * @throws WsusutilError `INTERRUPTED`, `READ_FAILED`, `SAFETY_REFUSED`
 */
export async function planContentSync(options: ContentPlanOptions): Promise<ContentSyncPlan> {
  return withSurvey(options, async (survey) => {
    const { store, source } = options;
    const hosts = new Map<string, Amount>();
    let withoutSource = NONE;
    for await (const findings of survey.look()) {
      const missing = findings.filter(isMissing).map(({ file }) => file);
      const urls = await urlsOf(missing, source.contentUrl, store);
      for (const { sha1, size } of missing) {
        const host = hostOf(urls.get(sha1));
        if (host === undefined) withoutSource = plus(withoutSource, size);
        else hosts.set(host, plus(hosts.get(host) ?? NONE, size));
      }
    }
    const { wanted, present, missing, toFetch } = survey;
    const free = await freeSpaceAt(options.contentFolder);
    return {
      wanted,
      present,
      missing,
      withoutSource,
      hosts: [...hosts].map(([host, amount]) => ({ host, ...amount })).sort((a, b) => b.bytes - a.bytes),
      toFetch,
      free,
      fits: free === undefined || toFetch <= free,
    };
  });
}

export async function withSurvey<T>(
  options: ContentPlanOptions,
  work: (survey: ContentSurvey) => Promise<T>,
): Promise<T> {
  const index = await options.store.contentIndex();
  const selections: ContentSelection[] = [];
  try {
    for (const scope of await selectContent(options.store, options)) {
      throwIfInterrupted(options.signal, 'choosing content files');
      selections.push(await index.select(scope));
    }
    return await work(new ContentSurvey(options, index, selections));
  } finally {
    for (const selection of selections) await selection.close();
  }
}

/** What is called for, and what of it is there. */
export class ContentSurvey {
  readonly #options: ContentPlanOptions;
  readonly index: ContentIndex;
  /** licence texts first */
  readonly selections: readonly ContentSelection[];
  readonly wanted: ContentSyncPlan['wanted'];
  present: Amount = NONE;
  missing: ContentSyncPlan['missing'] = { ...NONE, licences: NONE };
  toFetch = 0;

  constructor(options: ContentPlanOptions, index: ContentIndex, selections: readonly ContentSelection[]) {
    this.#options = options;
    this.index = index;
    this.selections = selections;
    this.wanted = selections.reduce(
      (sum, { totals }) => ({
        ...sumOf(sum, totals),
        payload: sumOf(sum.payload, totals.payload),
        express: sumOf(sum.express, totals.express),
        licence: sumOf(sum.licence, totals.licence),
      }),
      { ...NONE, payload: NONE, express: NONE, licence: NONE },
    );
  }

  /** By presence, size and what earlier checks found; nothing is read. */
  async *look(): AsyncGenerator<readonly FileFinding[], void, undefined> {
    const { contentFolder, runner } = this.#options;
    if (this.wanted.files === 0) return;
    await this.#refuseIfGone();
    const partials = await partialSizes(contentFolder);
    const tree = await openContentTree(contentFolder, runner);
    for (const selection of this.selections) {
      if (selection.totals.files > 0) yield* this.#lookFor(selection, tree, partials);
    }
  }

  async *#lookFor(
    selection: ContentSelection,
    tree: ContentTree,
    partials: ReadonlyMap<Sha1Hex, number>,
  ): AsyncGenerator<readonly FileFinding[], void, undefined> {
    const { clock = systemClock } = this.#options;
    const steps = checkContent({
      ...this.#options,
      now: () => clock.now(),
      tree,
      selection,
      index: this.index,
      records: 'of-this-tree',
      depth: 'quick',
      strays: false,
    });
    for await (const findings of steps) {
      const files: FileFinding[] = [];
      for (const finding of findings) {
        if (finding.type === 'unchanged') this.present = sumOf(this.present, finding);
        if (finding.type !== 'file') continue;
        files.push(finding);
        const { sha1, size, kind } = finding.file;
        if (!isMissing(finding)) {
          this.present = plus(this.present, size);
          continue;
        }
        const { licences } = this.missing;
        this.missing = {
          ...plus(this.missing, size),
          licences: kind === 'licence' ? plus(licences, size) : licences,
        };
        this.toFetch += size - Math.min(size, partials.get(sha1) ?? 0);
      }
      yield files;
    }
  }

  /** A disk that is not mounted must not be taken for an empty directory: all would be fetched again, to elsewhere. */
  async #refuseIfGone(): Promise<void> {
    const { contentFolder } = this.#options;
    if (await hasContentFolder(contentFolder)) return;
    const { files } = (await this.index.states()).verified;
    if (files === 0) return;
    throw new WsusutilError(
      'SAFETY_REFUSED',
      `There is no content directory at ${contentFolder}, where ${groupDigits(files)} files were verified before`,
      {
        hint: 'Mount its disk. If the files are really gone, make an empty folder there and run the command again.',
        details: { contentFolder, files },
      },
    );
  }
}

export function sumOf(one: Amount, other: Amount): Amount {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes };
}

export function isMissing({ record }: FileFinding): boolean {
  return record.state === 'absent' || record.state === 'corrupt';
}

/** @param contentUrl undefined: where the metadata says; files without an address are left out then */
export async function urlsOf(
  files: readonly WantedFile[],
  contentUrl: string | undefined,
  store: MetadataStore,
): Promise<ReadonlyMap<Sha1Hex, string>> {
  if (contentUrl === undefined) return store.fileLocations(files.map(({ sha1 }) => sha1));
  const base = contentUrl.replace(/\/+$/, '');
  return new Map(files.map(({ sha1, fileName }) => [sha1, `${base}/${contentPath(sha1, fileName)}`]));
}

function hostOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  try {
    return new URL(url).host;
  } catch {
    return undefined;
  }
}

/** Bytes of broken-off downloads. */
async function partialSizes(contentFolder: string): Promise<ReadonlyMap<Sha1Hex, number>> {
  const folder = partialFolderOf(contentFolder);
  const sizes = new Map<Sha1Hex, number>();
  for (const name of await readdir(folder).catch(() => [])) {
    const facts = await lstat(join(folder, name)).catch(() => undefined);
    if (facts?.isFile() === true) sizes.set(name, facts.size);
  }
  return sizes;
}
