import { defineCommand } from '../declaration.js';
import { LIST_OPTIONS, listSelection, TEXT_POSITIONALS } from './category-selection.js';

export const classifications = defineCommand({
  name: 'classifications',
  summary: 'Show the classifications, and which of them are synchronised',
  description: ['Shows the classifications, with a mark for those that are selected.'],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: TEXT_POSITIONALS,
  options: LIST_OPTIONS,
  examples: [
    'wsusutil classifications',
    'wsusutil classifications --selected',
    'wsusutil classifications select "Security Updates"',
  ],
  run: ({ positionals, options }, context) =>
    listSelection('classifications', positionals.text, options, context),
});
