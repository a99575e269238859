import { announcedLanguages, isUnrestricted } from '../../model/language.js';
import type { HistoryEntry } from '../../store/metadata-store.js';
import { defineCommand } from '../declaration.js';
import { readLanguageChoice } from '../language-choice.js';
import { formatCount, formatInstant, formatQuantity, formatSize, isoInstant } from '../quantities.js';
import { describeLastSync, runToJson } from '../sync/history-report.js';

export const status = defineCommand({
  name: 'status',
  summary: 'Show what the store holds, its size, and the last import and export',
  description: ['Shows what the metadata store of the data directory holds.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {},
  async run(_input, context) {
    const directory = await context.dataDirectory();
    const store = await context.openStore('read');
    try {
      const found = await store.status();
      const fingerprint = await store.fingerprint();
      const { newestByType: types } = found;
      const chosen = await readLanguageChoice(directory.settingsPath);
      const languages = announcedLanguages(found.languages, chosen);
      const enabled = languages.filter((each) => each.enabled);
      return {
        status: 'complete',
        result: {
          dataDirectory: directory.path,
          contentDirectory: directory.contentRoot,
          fingerprint,
          ...found,
          languages,
          languageSelection: chosen,
          createdAt: isoInstant(found.createdAt),
          lastImport: jsonOf(found.lastImport),
          lastExport: jsonOf(found.lastExport),
          lastSync: jsonOf(found.lastSync),
        },
        view: {
          kind: 'fields',
          fields: [
            ['Data directory', directory.path],
            ['Content directory', directory.contentRoot],
            ['Server id', found.serverId],
            [
              'Updates',
              `${formatCount(found.updates)}: ${formatCount(types.Software)} software, ${formatQuantity(types.Driver, 'driver')}, ${formatQuantity(types.Category, 'category', 'categories')}, ${formatQuantity(types.Detectoid, 'detectoid')}`,
            ],
            ['Revisions', `${formatCount(found.revisions)}, old ones of the same updates included`],
            ['Expired', formatCount(found.expired)],
            ['Superseded', formatCount(found.superseded)],
            [
              'Content files',
              found.files === 0
                ? 'none named'
                : `${formatCount(found.files)} named (${formatSize(found.fileBytes)}), ${formatCount(found.licenceFiles)} of them licence texts`,
            ],
            [
              'Languages',
              enabled.length === languages.length
                ? `all ${languages.length}`
                : `${enabled.map((each) => each.shortName).join(', ') || 'none'} (${isUnrestricted(chosen) ? `of ${languages.length}` : 'selected'})`,
            ],
            ['Documents', formatSize(found.documentBytes)],
            [
              'Store',
              found.documentBytes === 0
                ? formatSize(found.storeBytes)
                : `${formatSize(found.storeBytes)} (${Math.round((found.storeBytes / found.documentBytes) * 100)} % of the documents)`,
            ],
            ['Last import', describeRun(found.lastImport)],
            ['Last export', describeRun(found.lastExport)],
            ['Last synchronisation', describeLastSync(found.lastSync)],
            ['Fingerprint', fingerprint],
          ],
        },
      };
    } finally {
      await store.close();
    }
  },
});

function jsonOf(entry: HistoryEntry | undefined): Readonly<Record<string, unknown>> | undefined {
  return entry === undefined ? undefined : runToJson(entry);
}

function describeRun(entry: HistoryEntry | undefined): string {
  if (entry === undefined) return 'never';
  return `${formatInstant(entry.finishedAt)}, ${entry.package}: ${entry.outcome}`;
}
