import { defineCommand } from '../declaration.js';
import { checkNames, NAME_POSITIONALS, SELECT_OPTIONS, selectCategories } from './category-selection.js';

export const productsSelect = defineCommand({
  name: 'products select',
  summary: 'Select products to synchronise',
  description: [
    'Selects products by name or id. A family or a company stands for all products below it, those that come later too; a product does not stand for its family. A name that several have is not guessed: their ids are listed.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: NAME_POSITIONALS,
  options: SELECT_OPTIONS,
  examples: [
    'wsusutil products select "Windows 11" "Microsoft Edge"',
    'wsusutil products select --only "Windows 11"',
  ],
  check({ positionals, options }) {
    checkNames(positionals.name, options);
  },
  run: ({ positionals, options }, context) =>
    selectCategories('products', positionals.name, options, context),
});
