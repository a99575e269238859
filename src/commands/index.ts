import type { CommandDeclaration } from './declaration.js';

/**
 * One line per command. Name, summary and origin are repeated here from the declaration, so that listing the
 * commands loads none of them; a test compares the two.
 */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Microsoft's tool has a command of this name */
  readonly inRealTool: boolean;
  load(): Promise<CommandDeclaration>;
}

/** All commands, in help order. A name of two words (`content copy`) belongs to the group of its first word. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'postinstall',
    summary: 'Set up the data directory, or correct where content files are kept',
    inRealTool: true,
    load: async () => (await import('./postinstall.js')).postinstall,
  },
  {
    name: 'export',
    summary: 'Export update metadata to a package',
    inRealTool: true,
    load: async () => (await import('./export.js')).exportCommand,
  },
  {
    name: 'import',
    summary: 'Import update metadata from a package',
    inRealTool: true,
    load: async () => (await import('./import.js')).importCommand,
  },
  {
    name: 'verify',
    summary: 'Check that a package is whole and consistent',
    inRealTool: false,
    load: async () => (await import('./verify.js')).verify,
  },
  {
    name: 'reset',
    summary: 'Check every content file the metadata calls for, and repair what is missing or damaged',
    inRealTool: true,
    load: async () => (await import('./reset.js')).reset,
  },
  {
    name: 'movecontent',
    summary: 'Move the content directory to another place, verified; the old one stays',
    inRealTool: true,
    load: async () => (await import('./movecontent.js')).movecontent,
  },
  {
    name: 'content plan',
    summary: 'Show which content files an export or a target needs, and whether they fit',
    inRealTool: false,
    load: async () => (await import('./content-plan.js')).contentPlan,
  },
  {
    name: 'content copy',
    summary: 'Copy the content files the metadata calls for to another directory, verified',
    inRealTool: false,
    load: async () => (await import('./content-copy.js')).contentCopy,
  },
  {
    name: 'content verify',
    summary: 'Check the files of any content directory against the metadata; change nothing',
    inRealTool: false,
    load: async () => (await import('./content-verify.js')).contentVerify,
  },
  {
    name: 'content prune',
    summary: 'Take out of the content directory what no kept update needs; a preview without --yes',
    inRealTool: false,
    load: async () => (await import('./content-prune.js')).contentPrune,
  },
  {
    name: 'content add',
    summary: 'Take in content files found elsewhere, recognised by their hashes',
    inRealTool: false,
    load: async () => (await import('./content-add.js')).contentAdd,
  },
  {
    name: 'serve',
    summary: 'Be the upstream server: hand metadata and content files to downstream servers',
    inRealTool: false,
    load: async () => (await import('./serve.js')).serve,
  },
  {
    name: 'updates',
    summary: 'List and search updates',
    inRealTool: false,
    load: async () => (await import('./updates.js')).updates,
  },
  {
    name: 'update',
    summary: 'Show everything known about one update',
    inRealTool: false,
    load: async () => (await import('./update.js')).update,
  },
  {
    name: 'categories',
    summary: 'Show companies, product families, products and classifications',
    inRealTool: false,
    load: async () => (await import('./categories.js')).categories,
  },
  {
    name: 'status',
    summary: 'Show what the store holds, its size, and the last import and export',
    inRealTool: false,
    load: async () => (await import('./status.js')).status,
  },
  {
    name: 'checkstore',
    summary: 'Check the metadata store: database, links and every document',
    inRealTool: false,
    load: async () => (await import('./checkstore.js')).checkstore,
  },
  {
    name: 'checkhealth',
    summary: 'Say on one page whether everything is fit to carry, and what to do where it is not',
    inRealTool: true,
    load: async () => (await import('./checkhealth.js')).checkhealth,
  },
  {
    name: 'healthmonitoring',
    summary: 'Show or set the thresholds and switches of checkhealth',
    inRealTool: true,
    load: async () => (await import('./healthmonitoring.js')).healthmonitoring,
  },
  {
    name: 'help',
    summary: 'List the commands, or explain one of them',
    inRealTool: true,
    load: async () => (await import('./help.js')).help,
  },
  {
    name: 'completion',
    summary: 'Print a completion script for a shell',
    inRealTool: false,
    load: async () => (await import('./completion.js')).completion,
  },
];
