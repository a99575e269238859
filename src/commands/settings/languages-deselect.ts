import { defineCommand } from '../declaration.js';
import { deselectLanguages } from './language-selection.js';

export const languagesDeselect = defineCommand({
  name: 'languages deselect',
  summary: 'Deselect languages: their files are synchronised no longer',
  description: [
    'Takes languages out of the selection; at least one stays. While all are selected, the others of the table that "wsusutil languages" shows remain.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'language',
      description: 'Tags as de and pt-br, or names as German, in any case',
      required: true,
      variadic: true,
      kind: 'text',
    },
  ],
  options: {},
  examples: ['wsusutil languages deselect fr', 'wsusutil languages deselect "Chinese (Traditional)"'],
  run: ({ positionals }, context) => deselectLanguages(positionals.language, context),
});
