import type { Report } from '../events.js';
import type { MetadataStore } from '../store/metadata-store.js';

/** What every run over a package is handed. */
export interface PackageRun {
  readonly store: MetadataStore;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** worker threads for large packages; 0: none */
  readonly threads: number;
}
