import { defineCommand } from '../declaration.js';
import { checkNames, DESELECT_OPTIONS, deselectCategories, NAME_POSITIONALS } from './category-selection.js';

export const classificationsDeselect = defineCommand({
  name: 'classifications deselect',
  summary: 'Deselect classifications: they are synchronised no longer',
  description: ['Takes them out of the selection. What the store holds of them stays.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: NAME_POSITIONALS,
  options: DESELECT_OPTIONS,
  examples: [
    'wsusutil classifications deselect "Security Updates"',
    'wsusutil classifications deselect --all',
  ],
  check({ positionals, options }) {
    checkNames(positionals.name, options);
  },
  run: ({ positionals, options }, context) =>
    deselectCategories('classifications', positionals.name, options, context),
});
