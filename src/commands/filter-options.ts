import type { FilterArguments } from '../query/resolve-filter.js';

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
