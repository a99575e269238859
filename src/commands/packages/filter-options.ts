import { checkFilter, type FilterArguments, resolveFilter } from '../../query/resolve-filter.js';
import type { MetadataStore, RevisionFilter } from '../../store/metadata-store.js';

/** Options by which `updates` and `export` choose updates. */
export const FILTER_OPTIONS = {
  product: {
    type: 'strings',
    value: 'name|id',
    description: 'Updates for this product, or for all below this family or company',
  },
  classification: {
    type: 'strings',
    value: 'name|id',
    description: 'Updates of this classification',
  },
  since: {
    type: 'string',
    value: 'date|age',
    description: 'Updates created on or after this date (2026-10-01) or within this time (30d, 12h, 6w)',
  },
} as const;

interface GivenFilters {
  readonly product: readonly string[];
  readonly classification: readonly string[];
  readonly since: string | undefined;
}

export function filterArgumentsOf(options: GivenFilters): FilterArguments {
  return { products: options.product, classifications: options.classification, since: options.since };
}

/** Options by which `export` and the commands about content choose updates, with all that those need. */
export const CHOICE_OPTIONS = {
  ...FILTER_OPTIONS,
  language: {
    type: 'strings',
    value: 'tag',
    description: 'Updates for this language, and those for any language; documents stay whole',
  },
  update: { type: 'strings', value: 'id', description: 'This update, by its id' },
  'exclude-superseded': { type: 'boolean', description: 'Leave out updates that a newer one supersedes' },
  'exclude-expired': { type: 'boolean', description: 'Leave out expired updates' },
} as const;

export interface GivenChoice extends GivenFilters {
  readonly language: readonly string[];
  readonly update: readonly string[];
  readonly 'exclude-superseded': boolean;
  readonly 'exclude-expired': boolean;
}

/** @throws WsusutilError `USAGE` for a date or id that is none */
export function checkChoice(options: GivenChoice, now: Date): void {
  checkFilter(argumentsOf(options), now);
}

/**
 * @returns undefined: no option was given, everything is chosen
 * @throws WsusutilError `NOT_FOUND` for a product, classification or language the store does not know
 */
export async function resolveChoice(
  options: GivenChoice,
  store: MetadataStore,
  now: Date,
): Promise<RevisionFilter | undefined> {
  const leavesOut = options['exclude-superseded'] || options['exclude-expired'];
  return namesUpdates(options) || leavesOut ? resolveFilter(argumentsOf(options), store, now) : undefined;
}

/** The choice as it was asked for, to be written down; what was left out is left out. */
export function choiceTextOf(
  options: GivenChoice,
): Readonly<Record<string, string | boolean | readonly string[]>> {
  const given: Record<string, string | boolean | readonly string[]> = {};
  for (const name of Object.keys(CHOICE_OPTIONS) as (keyof GivenChoice)[]) {
    const value = options[name];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    given[name] = value;
  }
  return given;
}

function argumentsOf(options: GivenChoice): FilterArguments {
  return {
    ...filterArgumentsOf(options),
    languages: options.language,
    updateIds: options.update,
    ...(options['exclude-superseded'] ? { superseded: false } : {}),
    ...(options['exclude-expired'] ? { expired: false } : {}),
    newestOnly: false,
    deployableOnly: namesUpdates(options),
  };
}

/** Options that name what is wanted, against those that only leave something out. */
function namesUpdates(options: GivenChoice): boolean {
  return (
    options.product.length + options.classification.length + options.language.length + options.update.length >
      0 || options.since !== undefined
  );
}
