import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { contentFolderOf } from '../../content/content-tree.js';
import { setUpContentDirectory } from '../../settings/data-directory.js';
import { defineCommand } from '../declaration.js';

const FINISHED = 'Post install has successfully completed';

export const postinstall = defineCommand({
  name: 'postinstall',
  summary: 'Set up the data directory, or correct where content files are kept',
  description: [
    'Creates the data directory with its settings and metadata store, and the WsusContent folder for content files. Running it again is safe: it keeps the metadata, and is the way to correct CONTENT_DIR.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  isSetup: true,
  positionals: [],
  options: {
    servicing: {
      type: 'boolean',
      description: 'Accepted for old scripts; there is nothing to service here, so it only checks the setup',
    },
  },
  assignments: [
    {
      name: 'CONTENT_DIR',
      value: 'path',
      description:
        'Folder in which WsusContent is created, or WsusContent itself; content files already elsewhere are not moved. Left out: as set before, at first the data directory',
    },
    {
      name: 'SQL_INSTANCE_NAME',
      value: 'server',
      description: 'Accepted with a warning: the metadata store is embedded, no SQL Server is used',
    },
  ],
  notes: [
    'Other commands create the data directory on first use, so postinstall is needed only to choose another place for content files.',
  ],
  examples: ['wsusutil postinstall CONTENT_DIR=/srv/wsus', 'wsusutil postinstall CONTENT_DIR=D:\\WSUS'],
  async run({ options, assignments }, context) {
    if (context.logPath !== undefined) context.announce(`Log file is located at ${context.logPath}`);
    context.announce('Post install is starting');
    const instance = assignments.SQL_INSTANCE_NAME;
    if (instance !== undefined) {
      context.report({
        type: 'warning',
        code: 'ARGUMENT_IGNORED',
        message: `SQL_INSTANCE_NAME=${instance} is ignored: wsusutil keeps its metadata in an embedded store and uses no SQL Server`,
      });
    }
    if (options.servicing) {
      context.report({
        type: 'warning',
        code: 'ARGUMENT_IGNORED',
        message: '/servicing has nothing to do: the store of wsusutil brings itself up to date when opened',
      });
    }
    const given = assignments.CONTENT_DIR;
    const before = await context.dataDirectory();
    const store = await context.openStore('write'); // creates it, and holds the writer lock for the settings
    const runner = openContentRunner(0);
    try {
      const root = given === undefined ? undefined : resolve(given);
      const contentPath = await contentFolderOf(root ?? before.contentRoot, runner);
      const directory = await setUpContentDirectory(before, root, contentPath);
      context.report({ type: 'step', message: `data directory: ${directory.path}` });
      context.report({ type: 'step', message: `content directory: ${contentPath}` });
      return {
        status: 'complete',
        result: {
          dataDirectory: directory.path,
          contentDirectory: directory.contentRoot,
          contentPath,
          logPath: context.logPath ?? null,
        },
        view: { kind: 'lines', lines: [FINISHED] },
        logLine: FINISHED,
      };
    } finally {
      await runner.close();
      await store.close();
    }
  },
});
