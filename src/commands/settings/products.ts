import { defineCommand } from '../declaration.js';
import { LIST_OPTIONS, listSelection, TEXT_POSITIONALS } from './category-selection.js';

export const products = defineCommand({
  name: 'products',
  summary: 'Show the products, and which of them are synchronised',
  description: [
    'Shows companies, families and products as a tree, with a mark for what is selected. A family or a company that is selected stands for all products below it, those that come later too.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: TEXT_POSITIONALS,
  options: LIST_OPTIONS,
  examples: ['wsusutil products', 'wsusutil products --selected', 'wsusutil products select "Windows 11"'],
  run: ({ positionals, options }, context) => listSelection('products', positionals.text, options, context),
});
