import { WsusutilError } from '../../errors.js';
import type { ContentFileKind } from '../../model/content-file.js';
import { selectWithNeeds } from '../../packages/select-revisions.js';
import type { ContentScope } from '../../store/content-index.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import type { CommandContext } from '../context.js';
import type { CommandInput } from '../declaration.js';
import { CHOICE_OPTIONS, resolveChoice } from '../packages/filter-options.js';

/** Options by which commands about content choose files: those of the updates an export with them would hold. */
export const CONTENT_SCOPE_OPTIONS = {
  ...CHOICE_OPTIONS,
  'no-express': {
    type: 'boolean',
    description: 'Leave out express files (.psf), which only servers that store them need',
  },
} as const;

const WITHOUT_EXPRESS: readonly ContentFileKind[] = ['payload', 'licence'];

/**
 * @throws WsusutilError `NOT_FOUND` if an option names something unknown or nothing passes
 */
export async function resolveContentScope(
  store: MetadataStore,
  options: CommandInput<readonly [], typeof CONTENT_SCOPE_OPTIONS>['options'],
  context: Pick<CommandContext, 'now'>,
): Promise<ContentScope> {
  const filter = await resolveChoice(options, store, context.now());
  const kinds = options['no-express'] ? { kinds: WITHOUT_EXPRESS } : {};
  if (filter === undefined) return kinds;
  const keys = await selectWithNeeds(store, filter);
  if (keys.length === 0) {
    throw new WsusutilError('NOT_FOUND', 'No update in the store matches these filters', {
      hint: 'Try the same filters with "wsusutil updates" to see what they match.',
    });
  }
  return { ...kinds, keys };
}
