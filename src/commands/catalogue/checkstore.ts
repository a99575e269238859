import { defineCommand } from '../declaration.js';
import { formatQuantity } from '../quantities.js';

export const checkstore = defineCommand({
  name: 'checkstore',
  summary: 'Check the metadata store: database, links and every document',
  description: [
    "Runs SQLite's own integrity check, checks the links between the store's tables, and inflates every document and compares it with its digest. Nothing is changed.",
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {},
  async run(_input, context) {
    const { path } = await context.dataDirectory();
    const store = await context.openStore('read');
    try {
      const problems: { check: string; message: string }[] = [];
      context.report({ type: 'stage-started', stage: 'checking', unit: 'revisions', total: undefined });
      let checked = 0;
      const onProgress = (done: number, total: number) => {
        checked = done;
        context.report({ type: 'progress', stage: 'checking', done, total, bytes: 0, totalBytes: undefined });
      };
      for await (const problem of store.check(onProgress, context.signal)) problems.push(problem);
      context.report({ type: 'stage-finished', stage: 'checking', done: checked });
      const fingerprint = await store.fingerprint();
      return {
        status: problems.length === 0 ? 'complete' : 'incomplete',
        result: { documents: checked, fingerprint, problems },
        view: {
          kind: 'lines',
          lines:
            problems.length === 0
              ? [
                  (await store.isEmpty())
                    ? `The store in ${path} is empty: there is nothing to check. "wsusutil import" fills it; --data-dir names another one.`
                    : `The store is sound: ${formatQuantity(checked, 'document')} checked.`,
                ]
              : [
                  ...problems.map(({ check, message }) => `${check}: ${message}`),
                  `${formatQuantity(problems.length, 'problem')} found. Restore the store from a backup, or move it away and import the packages again.`,
                ],
        },
      };
    } finally {
      await store.close();
    }
  },
});
