import { defineCommand } from '../declaration.js';
import { checkNames, DESELECT_OPTIONS, deselectCategories, NAME_POSITIONALS } from './category-selection.js';

export const productsDeselect = defineCommand({
  name: 'products deselect',
  summary: 'Deselect products: they are synchronised no longer',
  description: ['Takes them out of the selection. What the store holds of them stays.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: NAME_POSITIONALS,
  options: DESELECT_OPTIONS,
  examples: ['wsusutil products deselect "Windows 11"', 'wsusutil products deselect --all'],
  check({ positionals, options }) {
    checkNames(positionals.name, options);
  },
  run: ({ positionals, options }, context) =>
    deselectCategories('products', positionals.name, options, context),
});
