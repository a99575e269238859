/** Which content a synchronisation fetches (server-sync-protocol 16.2, 17.4, 17.5). */
import type { UpdateId } from '../model/update-identity.js';
import { selectWithNeeds } from '../packages/select-revisions.js';
import type { ContentScope } from '../store/content-index.js';
import type { MetadataStore, RevisionFilter } from '../store/metadata-store.js';

/** `licences`: licence texts only, which clients fetch while they scan; `wanted`: files of wanted updates too. */
export type ContentPolicy = 'none' | 'licences' | 'wanted';

export interface ContentChoice {
  readonly policy: ContentPolicy;
  /** short tags, e.g. `en`, `zh-cn`; files for other languages are left out, licence texts are not */
  readonly languages: 'all' | readonly string[];
  /** files of `PatchingType` `Express` (.psf) too */
  readonly expressFiles: boolean;
  /** ids of products, families or companies; undefined or empty: all that the store holds */
  readonly products?: readonly UpdateId[] | undefined;
  /** undefined or empty: all that the store holds */
  readonly classifications?: readonly UpdateId[] | undefined;
}

/**
 * Scopes in the order in which their files are to be fetched; no file is in two of them.
 *
 * Licence texts are those of newest revisions that are not expired: also a superseded update can be approved. Other
 * files are those of newest revisions that are neither expired nor superseded. Both with all they need, as
 * `checkhealth` counts them.
 */
export async function selectContent(
  store: MetadataStore,
  { policy, languages, expressFiles, products, classifications }: ContentChoice,
): Promise<readonly ContentScope[]> {
  if (policy === 'none') return [];
  const filter: RevisionFilter = {
    expired: false,
    deployableOnly: true,
    ...(products === undefined ? {} : { categories: products }),
    ...(classifications === undefined ? {} : { classifications }),
  };
  const graph = await store.dependencyGraph();
  const withLicences = await selectWithNeeds(store, filter, graph);
  if (policy === 'licences') return [{ keys: withLicences, kinds: ['licence'] }];
  const languageFilter: RevisionFilter = languages === 'all' ? {} : { languages };
  let wanted = await selectWithNeeds(store, { ...filter, superseded: false, ...languageFilter }, graph);
  if (languages !== 'all') {
    // Bundles for any language hold parts for each of them.
    const ofLanguages = new Set(await store.listKeys({ ...languageFilter, newestOnly: false }));
    wanted = wanted.filter((key) => ofLanguages.has(key));
  }
  return [
    // The file of one update may be the licence text of another: it must be in one of the scopes.
    { keys: [...new Set([...withLicences, ...wanted])], kinds: ['licence'] },
    { keys: wanted, kinds: expressFiles ? ['payload', 'express'] : ['payload'] },
  ];
}
