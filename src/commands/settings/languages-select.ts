import { defineCommand } from '../declaration.js';
import { checkNames } from './category-selection.js';
import { selectLanguages } from './language-selection.js';

export const languagesSelect = defineCommand({
  name: 'languages select',
  summary: 'Select languages whose files are synchronised',
  description: [
    'Selects languages by tag or name. At first all are selected; --only begins a selection. Those that the upstream has no files for are named. What is selected is what downstream servers and packages are told, at once; while all are, the table stands that came with the first import or the last synchronisation.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'language',
      description: 'Tags as de and pt-br, or names as German, in any case; all for every language',
      required: false,
      variadic: true,
      kind: 'text',
    },
  ],
  options: {
    only: { type: 'boolean', description: 'Select these and nothing else' },
    all: { type: 'boolean', description: 'Select all languages, those that come later too' },
  },
  examples: ['wsusutil languages select --only de en', 'wsusutil languages select --all'],
  check({ positionals, options }) {
    checkNames(positionals.language, options);
  },
  run: ({ positionals, options }, context) => selectLanguages(positionals.language, options, context),
});
