import { defineCommand } from '../declaration.js';
import { checkNames, NAME_POSITIONALS, SELECT_OPTIONS, selectCategories } from './category-selection.js';

export const classificationsSelect = defineCommand({
  name: 'classifications select',
  summary: 'Select classifications to synchronise',
  description: ['Selects classifications by name or id.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: NAME_POSITIONALS,
  options: SELECT_OPTIONS,
  examples: [
    'wsusutil classifications select "Security Updates" "Critical Updates"',
    'wsusutil classifications select --only "Security Updates"',
  ],
  check({ positionals, options }) {
    checkNames(positionals.name, options);
  },
  run: ({ positionals, options }, context) =>
    selectCategories('classifications', positionals.name, options, context),
});
