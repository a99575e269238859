import { defineCommand } from '../declaration.js';
import { listLanguages } from './language-selection.js';

export const languages = defineCommand({
  name: 'languages',
  summary: 'Show the languages, and which of them are synchronised',
  description: [
    'Shows the languages of content files with a mark for those that are selected, and whether the upstream has files for them, as far as it has said so at the last synchronisation.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: [],
  options: { selected: { type: 'boolean', description: 'Only those that are selected' } },
  examples: ['wsusutil languages', 'wsusutil languages select --only de en'],
  run: ({ options }, context) => listLanguages(options, context),
});
