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
    load: async () => (await import('./settings/postinstall.js')).postinstall,
  },
  {
    name: 'export',
    summary: 'Export update metadata to a package',
    inRealTool: true,
    load: async () => (await import('./packages/export.js')).exportCommand,
  },
  {
    name: 'import',
    summary: 'Import update metadata from a package',
    inRealTool: true,
    load: async () => (await import('./packages/import.js')).importCommand,
  },
  {
    name: 'verify',
    summary: 'Check that a package is whole and consistent',
    inRealTool: false,
    load: async () => (await import('./packages/verify.js')).verify,
  },
  {
    name: 'inspect',
    summary: 'Show what a package says of itself, and what its updates fix; needs no store',
    inRealTool: false,
    load: async () => (await import('./packages/inspect.js')).inspect,
  },
  {
    name: 'sign',
    summary: 'Sign a package; the signature goes beside it, to be carried with it',
    inRealTool: false,
    load: async () => (await import('./keys/sign.js')).sign,
  },
  {
    name: 'keys new',
    summary: 'Make a key that signs packages',
    inRealTool: false,
    load: async () => (await import('./keys/keys-new.js')).keysNew,
  },
  {
    name: 'keys list',
    summary: 'Show the keys that sign packages',
    inRealTool: false,
    load: async () => (await import('./keys/keys-list.js')).keysList,
  },
  {
    name: 'keys public',
    summary: 'Show the public part of a key, for those who check your packages',
    inRealTool: false,
    load: async () => (await import('./keys/keys-public.js')).keysPublic,
  },
  {
    name: 'trust add',
    summary: 'Trust the packages that a key signs',
    inRealTool: false,
    load: async () => (await import('./keys/trust-add.js')).trustAdd,
  },
  {
    name: 'trust list',
    summary: 'Show whose signatures count, and how many it takes',
    inRealTool: false,
    load: async () => (await import('./keys/trust-list.js')).trustList,
  },
  {
    name: 'trust remove',
    summary: 'Trust a key no longer',
    inRealTool: false,
    load: async () => (await import('./keys/trust-remove.js')).trustRemove,
  },
  {
    name: 'trust threshold',
    summary: 'Set how many signers a package needs',
    inRealTool: false,
    load: async () => (await import('./keys/trust-threshold.js')).trustThreshold,
  },
  {
    name: 'trust require',
    summary: 'Set whether .cab and .xml.gz packages must be signed',
    inRealTool: false,
    load: async () => (await import('./keys/trust-require.js')).trustRequire,
  },
  {
    name: 'plan export',
    summary: 'Show what a transfer package would hold: volumes, bytes, time; write nothing',
    inRealTool: false,
    load: async () => (await import('./packages/plan-export.js')).planExport,
  },
  {
    name: 'receipt',
    summary: 'Print the code that tells the other side which transfer package was imported last',
    inRealTool: false,
    load: async () => (await import('./packages/receipt.js')).receipt,
  },
  {
    name: 'acknowledge',
    summary: 'Take in the code of "receipt": the next package for that place builds on what it holds',
    inRealTool: false,
    load: async () => (await import('./packages/acknowledge.js')).acknowledgeCommand,
  },
  {
    name: 'undo',
    summary: 'Take the metadata back to what it was before the last import; content files stay',
    inRealTool: false,
    load: async () => (await import('./packages/undo.js')).undo,
  },
  {
    name: 'sync',
    summary: 'Synchronise with Microsoft Update or an upstream WSUS server, and say what came',
    inRealTool: false,
    load: async () => (await import('./sync/sync.js')).sync,
  },
  {
    name: 'reset',
    summary: 'Check every content file the metadata calls for, and repair what is missing or damaged',
    inRealTool: true,
    load: async () => (await import('./content/reset.js')).reset,
  },
  {
    name: 'movecontent',
    summary: 'Move the content directory to another place, verified; the old one stays',
    inRealTool: true,
    load: async () => (await import('./content/movecontent.js')).movecontent,
  },
  {
    name: 'content plan',
    summary: 'Show which content files an export or a target needs, and whether they fit',
    inRealTool: false,
    load: async () => (await import('./content/content-plan.js')).contentPlan,
  },
  {
    name: 'content copy',
    summary: 'Copy the content files the metadata calls for to another directory, verified',
    inRealTool: false,
    load: async () => (await import('./content/content-copy.js')).contentCopy,
  },
  {
    name: 'content verify',
    summary: 'Check the files of any content directory against the metadata; change nothing',
    inRealTool: false,
    load: async () => (await import('./content/content-verify.js')).contentVerify,
  },
  {
    name: 'content prune',
    summary: 'Take out of the content directory what no kept update needs; a preview without --yes',
    inRealTool: false,
    load: async () => (await import('./content/content-prune.js')).contentPrune,
  },
  {
    name: 'content add',
    summary: 'Take in content files found elsewhere, recognised by their hashes',
    inRealTool: false,
    load: async () => (await import('./content/content-add.js')).contentAdd,
  },
  {
    name: 'serve',
    summary: 'Be the upstream server: hand metadata and content files to downstream servers',
    inRealTool: false,
    load: async () => (await import('./serve/serve.js')).serve,
  },
  {
    name: 'configuressl',
    summary: 'Set up SSL for "serve": name, certificate and port',
    inRealTool: true,
    load: async () => (await import('./serve/configuressl.js')).configuressl,
  },
  {
    name: 'client-policy',
    summary: 'Print what clients have to be told: Group Policy values and a registry file',
    inRealTool: false,
    load: async () => (await import('./serve/client-policy.js')).clientPolicy,
  },
  {
    name: 'config',
    summary: 'Show the settings: update source, proxies, what to synchronise, schedule',
    inRealTool: false,
    load: async () => (await import('./settings/config.js')).config,
  },
  {
    name: 'config get',
    summary: 'Show one setting',
    inRealTool: false,
    load: async () => (await import('./settings/config-get.js')).configGet,
  },
  {
    name: 'config set',
    summary: 'Change one setting',
    inRealTool: false,
    load: async () => (await import('./settings/config-set.js')).configSet,
  },
  {
    name: 'config unset',
    summary: 'Set settings back to their defaults',
    inRealTool: false,
    load: async () => (await import('./settings/config-unset.js')).configUnset,
  },
  {
    name: 'products',
    summary: 'Show the products, and which of them are synchronised',
    inRealTool: false,
    load: async () => (await import('./settings/products.js')).products,
  },
  {
    name: 'products select',
    summary: 'Select products to synchronise',
    inRealTool: false,
    load: async () => (await import('./settings/products-select.js')).productsSelect,
  },
  {
    name: 'products deselect',
    summary: 'Deselect products: they are synchronised no longer',
    inRealTool: false,
    load: async () => (await import('./settings/products-deselect.js')).productsDeselect,
  },
  {
    name: 'classifications',
    summary: 'Show the classifications, and which of them are synchronised',
    inRealTool: false,
    load: async () => (await import('./settings/classifications.js')).classifications,
  },
  {
    name: 'classifications select',
    summary: 'Select classifications to synchronise',
    inRealTool: false,
    load: async () => (await import('./settings/classifications-select.js')).classificationsSelect,
  },
  {
    name: 'classifications deselect',
    summary: 'Deselect classifications: they are synchronised no longer',
    inRealTool: false,
    load: async () => (await import('./settings/classifications-deselect.js')).classificationsDeselect,
  },
  {
    name: 'languages',
    summary: 'Show the languages, and which of them are synchronised',
    inRealTool: false,
    load: async () => (await import('./settings/languages.js')).languages,
  },
  {
    name: 'languages select',
    summary: 'Select languages whose files are synchronised',
    inRealTool: false,
    load: async () => (await import('./settings/languages-select.js')).languagesSelect,
  },
  {
    name: 'languages deselect',
    summary: 'Deselect languages: their files are synchronised no longer',
    inRealTool: false,
    load: async () => (await import('./settings/languages-deselect.js')).languagesDeselect,
  },
  {
    name: 'configuresslproxy',
    summary: 'Set a second proxy that is used for HTTPS only',
    inRealTool: true,
    load: async () => (await import('./settings/configuresslproxy.js')).configuresslproxy,
  },
  {
    name: 'updates',
    summary: 'List and search updates',
    inRealTool: false,
    load: async () => (await import('./catalogue/updates.js')).updates,
  },
  {
    name: 'update',
    summary: 'Show everything known about one update',
    inRealTool: false,
    load: async () => (await import('./catalogue/update.js')).update,
  },
  {
    name: 'categories',
    summary: 'Show companies, product families, products and classifications',
    inRealTool: false,
    load: async () => (await import('./catalogue/categories.js')).categories,
  },
  {
    name: 'status',
    summary: 'Show what the store holds, its size, and the last import and export',
    inRealTool: false,
    load: async () => (await import('./catalogue/status.js')).status,
  },
  {
    name: 'history',
    summary: 'List what was imported, exported and synchronised, or tell all about one run',
    inRealTool: false,
    load: async () => (await import('./sync/history.js')).history,
  },
  {
    name: 'schedule',
    summary: 'Show when synchronisation runs by itself, and the timer for it',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule.js')).schedule,
  },
  {
    name: 'schedule set',
    summary: 'Set when synchronisation runs by itself',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule-set.js')).scheduleSet,
  },
  {
    name: 'schedule print',
    summary: 'Print the timer for the schedule, whatever starts it',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule-print.js')).schedulePrint,
  },
  {
    name: 'schedule install',
    summary: 'Write the timer for the schedule, and say how it is started',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule-install.js')).scheduleInstall,
  },
  {
    name: 'schedule remove',
    summary: 'Take out the timer that schedule install wrote, and say how it is stopped',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule-remove.js')).scheduleRemove,
  },
  {
    name: 'schedule next',
    summary: 'Show the next times at which synchronisation runs by itself',
    inRealTool: false,
    load: async () => (await import('./schedule/schedule-next.js')).scheduleNext,
  },
  {
    name: 'checkstore',
    summary: 'Check the metadata store: database, links and every document',
    inRealTool: false,
    load: async () => (await import('./catalogue/checkstore.js')).checkstore,
  },
  {
    name: 'checkhealth',
    summary: 'Say on one page whether everything is fit to carry, and what to do where it is not',
    inRealTool: true,
    load: async () => (await import('./health/checkhealth.js')).checkhealth,
  },
  {
    name: 'healthmonitoring',
    summary: 'Show or set the thresholds and switches of checkhealth',
    inRealTool: true,
    load: async () => (await import('./health/healthmonitoring.js')).healthmonitoring,
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
