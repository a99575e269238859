/** Which languages there are to choose from, and which of them an upstream has files for. */
import { DEFAULT_LANGUAGES, type PackageLanguage, withOwnFlags } from '../model/language.js';
import type { MetadataStore } from '../store/metadata-store.js';

/** What `sync` remembers of an upstream: its language table, as JSON (sync/synchronise.ts). */
const LANGUAGES_VALUE = 'languages';
/** The row that stands for files of any language; it is nobody's choice. */
const NEUTRAL = 'all';

export interface KnownLanguage {
  /** lower case, `de` */
  readonly shortName: string;
  readonly longName: string;
  /** whether the upstream has files for it; undefined: it has not said */
  readonly isOffered: boolean | undefined;
}

/**
 * The table of the upstream, from the last synchronisation with it. Without one the names that the store knows: which
 * of them the store has enabled tells nothing about another server.
 *
 * @param upstream its root, a normalized URL; undefined: none is set
 */
export async function readUpstreamLanguages(
  store: MetadataStore,
  upstream: string | undefined,
): Promise<readonly KnownLanguage[]> {
  const text =
    upstream === undefined ? undefined : (await store.syncState().values(upstream)).get(LANGUAGES_VALUE);
  const theirs = text === undefined ? undefined : parseTable(text);
  if (theirs !== undefined) {
    return withOwnFlags(theirs)
      .filter(isChoosable)
      .map(({ shortName, longName, enabled }) => knownLanguage(shortName, longName, enabled));
  }
  const ours = await store.languages();
  return (ours.length === 0 ? DEFAULT_LANGUAGES : ours)
    .filter(isChoosable)
    .map(({ shortName, longName }) => knownLanguage(shortName, longName, undefined));
}

/**
 * Those of `chosen` that the upstream has no files for.
 *
 * @param chosen short names; `all` lacks nothing
 */
export function lackingLanguages(
  chosen: 'all' | readonly string[],
  known: readonly KnownLanguage[],
): readonly string[] {
  // A table that does not say what is offered does not say what is lacking.
  if (chosen === 'all' || known.every(({ isOffered }) => isOffered === undefined)) return [];
  const offered = new Set(
    known.filter(({ isOffered }) => isOffered === true).map(({ shortName }) => shortName),
  );
  return chosen.filter((shortName) => !offered.has(shortName));
}

function knownLanguage(shortName: string, longName: string, isOffered: boolean | undefined): KnownLanguage {
  return { shortName: shortName.toLowerCase(), longName, isOffered };
}

function isChoosable({ id, shortName }: PackageLanguage): boolean {
  return id !== 0 && shortName.toLowerCase() !== NEUTRAL;
}

/** Undefined for a value of another version of this program. */
function parseTable(text: string): readonly PackageLanguage[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Array.isArray(value) && value.length > 0 && value.every(isLanguage) ? value : undefined;
}

function isLanguage(value: unknown): value is PackageLanguage {
  if (typeof value !== 'object' || value === null) return false;
  const { id, shortName, longName, enabled } = value as Partial<Record<keyof PackageLanguage, unknown>>;
  return (
    typeof id === 'number' &&
    typeof shortName === 'string' &&
    typeof longName === 'string' &&
    typeof enabled === 'boolean'
  );
}
