/** What an operator types to choose updates → a {@link RevisionFilter}. */
import { WsusutilError } from '../errors.js';
import { DEFAULT_LANGUAGES, type PackageLanguage } from '../model/language.js';
import { nearestName } from '../model/nearest-name.js';
import { UPDATE_TYPES, type UpdateType } from '../model/revision.js';
import { parseUpdateId, type UpdateId } from '../model/update-identity.js';
import type { CategoryRow, MetadataStore, RevisionFilter } from '../store/metadata-store.js';

const MAX_SUGGESTIONS = 5;

/** Values as given on the command line; empty lists and undefined mean no condition. */
export interface FilterArguments {
  readonly words?: readonly string[] | undefined;
  readonly title?: string | undefined;
  /** names or ids of products, families, companies */
  readonly products?: readonly string[] | undefined;
  /** names or ids */
  readonly classifications?: readonly string[] | undefined;
  /** `software`, `driver`, `category`, `detectoid`, `all` */
  readonly types?: readonly string[] | undefined;
  /** with or without "KB" */
  readonly kbs?: readonly string[] | undefined;
  readonly cves?: readonly string[] | undefined;
  readonly severities?: readonly string[] | undefined;
  /** `2026-10-01`, or an age such as `30d` */
  readonly since?: string | undefined;
  readonly superseded?: boolean | undefined;
  readonly expired?: boolean | undefined;
  readonly languages?: readonly string[] | undefined;
  readonly updateIds?: readonly string[] | undefined;
  readonly newestOnly?: boolean | undefined;
  readonly deployableOnly?: boolean | undefined;
}

/**
 * Judges everything in `given` that needs no store.
 *
 * @throws WsusutilError `USAGE`
 */
export function checkFilter(given: FilterArguments, now: Date): void {
  typeCondition(given.types);
  given.kbs?.forEach(parseKb);
  given.updateIds?.forEach(requireUpdateId);
  if (given.since !== undefined) parseSince(given.since, now);
}

/**
 * @throws WsusutilError `USAGE` if a value cannot be read, `NOT_FOUND` if no category or language has such a name
 */
export async function resolveFilter(
  given: FilterArguments,
  store: MetadataStore,
  now: Date,
): Promise<RevisionFilter> {
  const needsCategories = hasValues(given.products) || hasValues(given.classifications);
  const categories = needsCategories ? await store.listCategories() : [];
  const isClassification = (row: CategoryRow) => row.categoryType === 'UpdateClassification';
  const products = categories.filter((row) => !isClassification(row));
  const classifications = categories.filter(isClassification);
  const languages = hasValues(given.languages) ? await resolveLanguages(given.languages, store) : undefined;
  return {
    ...(hasValues(given.words) ? { words: given.words } : {}),
    ...(given.title === undefined ? {} : { title: given.title }),
    ...(hasValues(given.products)
      ? { categories: given.products.flatMap((name) => findCategories('product', name, products)) }
      : {}),
    ...(hasValues(given.classifications)
      ? {
          classifications: given.classifications.flatMap((name) =>
            findCategories('classification', name, classifications),
          ),
        }
      : {}),
    ...typeCondition(given.types),
    ...(hasValues(given.kbs) ? { kbArticleIds: given.kbs.map(parseKb) } : {}),
    ...(hasValues(given.cves) ? { cveIds: given.cves } : {}),
    ...(hasValues(given.severities) ? { severities: given.severities } : {}),
    ...(given.since === undefined ? {} : { createdSince: parseSince(given.since, now) }),
    ...(given.superseded === undefined ? {} : { superseded: given.superseded }),
    ...(given.expired === undefined ? {} : { expired: given.expired }),
    ...(languages === undefined ? {} : { languages }),
    ...(hasValues(given.updateIds) ? { updateIds: given.updateIds.map(requireUpdateId) } : {}),
    ...(given.newestOnly === undefined ? {} : { newestOnly: given.newestOnly }),
    ...(given.deployableOnly === true ? { deployableOnly: true } : {}),
  };
}

/**
 * Reads a date or an age: `2026-10-01`, `2026-10-01T12:00:00Z`, `30d`, `12h`, `6w`. A date without a time is
 * midnight UTC.
 *
 * @returns milliseconds since 1970
 * @throws WsusutilError `USAGE`
 */
export function parseSince(text: string, now: Date): number {
  const age = /^(\d{1,6})([hdw])$/i.exec(text.trim());
  if (age !== null) {
    const hours = { h: 1, d: 24, w: 168 }[(age[2] as string).toLowerCase() as 'h' | 'd' | 'w'];
    return now.getTime() - Number(age[1]) * hours * 3_600_000;
  }
  const time = parseInstant(text.trim());
  if (Number.isNaN(time)) {
    throw new WsusutilError('USAGE', `"${text}" is neither a date nor an age`, {
      hint: 'Write a date as 2026-10-01, or an age as 30d, 12h or 6w.',
    });
  }
  return time;
}

/** A date, with or without a time; without a zone it is UTC. NaN if it is none. */
function parseInstant(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)?(Z|[+-]\d\d:\d\d)?$/i.exec(text);
  if (match === null) return Number.NaN;
  const [, day = '', time = 'T00:00', zone = 'Z'] = match;
  // Date.parse takes 30 February for 2 March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return Number.NaN;
  return Date.parse(`${day}${time}${zone}`);
}

function typeCondition(given: readonly string[] | undefined): { types?: readonly UpdateType[] } {
  if (!hasValues(given)) return {};
  if (given.some((name) => name.toLowerCase() === 'all')) return {};
  return {
    types: given.map((name) => {
      const type = UPDATE_TYPES.find((each) => each.toLowerCase() === name.toLowerCase());
      if (type === undefined) {
        throw new WsusutilError('USAGE', `There is no update type "${name}"`, {
          hint: `The types are ${UPDATE_TYPES.map((each) => each.toLowerCase()).join(', ')} and all.`,
        });
      }
      return type;
    }),
  };
}

function findCategories(kind: string, name: string, rows: readonly CategoryRow[]): readonly UpdateId[] {
  const id = parseUpdateId(name);
  if (id !== undefined) {
    const found = rows.find((row) => row.updateId === id);
    if (found === undefined) {
      throw new WsusutilError('NOT_FOUND', `The store has no ${kind} with the id ${id}`, {
        hint: '"wsusutil categories --ids" lists them.',
      });
    }
    return [found.updateId];
  }
  const wanted = name.trim().toLowerCase();
  const found = rows.filter((row) => row.title.trim().toLowerCase() === wanted);
  if (found.length > 0) return found.map((row) => row.updateId);
  throw new WsusutilError('NOT_FOUND', `The store has no ${kind} named "${name}"`, {
    hint: suggestTitles(name, rows) ?? '"wsusutil categories" lists the names.',
  });
}

/** `Did you mean "Windows 10", "Windows 11"?`; undefined if no title is like `name`. */
export function suggestTitles(name: string, rows: readonly CategoryRow[]): string | undefined {
  const wanted = name.trim().toLowerCase();
  const titles = rows.map((row) => row.title.trim());
  const nearest = nearestName(wanted, titles);
  const containing = wanted === '' ? [] : titles.filter((title) => title.toLowerCase().includes(wanted));
  const suggestions = [...new Set([...(nearest === undefined ? [] : [nearest]), ...containing])];
  if (suggestions.length === 0) return undefined;
  return `Did you mean ${suggestions
    .slice(0, MAX_SUGGESTIONS)
    .map((each) => `"${each}"`)
    .join(', ')}?`;
}

/** Tags (`de`) or long names of languages, in any case → the tags the store has them under. */
async function resolveLanguages(given: readonly string[], store: MetadataStore): Promise<readonly string[]> {
  const known = await store.languages();
  return given.map((text) => {
    const wanted = text.trim().toLowerCase();
    const found = known.find(
      (each) => each.shortName.toLowerCase() === wanted || each.longName.toLowerCase() === wanted,
    );
    if (found === undefined) throw unknownLanguage(text, known);
    return found.shortName;
  });
}

/**
 * The language titles are asked for in. Documents have texts in languages that the package's list left out, so
 * every language of WSUS will do; of one with a region the language alone (`de-at` → `de`).
 *
 * @throws WsusutilError `NOT_FOUND`
 */
export async function resolveTitleLanguage(text: string, store: MetadataStore): Promise<string> {
  const languages = await store.languages();
  const all = [...languages, ...DEFAULT_LANGUAGES];
  const wanted = text.trim().toLowerCase();
  const find = (tag: string) =>
    all.find((each) => each.shortName.toLowerCase() === tag || each.longName.toLowerCase() === tag);
  const found = find(wanted) ?? find(wanted.replace(/[-_].*$/, ''));
  if (found === undefined) throw unknownLanguage(text, languages.length === 0 ? all : languages);
  return found.shortName;
}

function unknownLanguage(text: string, known: readonly PackageLanguage[]): WsusutilError {
  return new WsusutilError('NOT_FOUND', `"${text}" is no language of this store`, {
    hint: `Languages are ${known.map((each) => each.shortName).join(', ')}.`,
  });
}

function parseKb(text: string): string {
  const match = /^(?:kb)?(\d{1,10})$/i.exec(text.trim());
  if (match === null) {
    throw new WsusutilError('USAGE', `"${text}" is not a KB number`, {
      hint: 'Write it as KB5013943 or 5013943.',
    });
  }
  return match[1] as string;
}

function requireUpdateId(text: string): UpdateId {
  const id = parseUpdateId(text);
  if (id === undefined) {
    throw new WsusutilError('USAGE', `"${text}" is not an update id`, {
      hint: 'Give a GUID; "wsusutil updates <words>" finds ids.',
    });
  }
  return id;
}

function hasValues(list: readonly string[] | undefined): list is readonly string[] {
  return list !== undefined && list.length > 0;
}
