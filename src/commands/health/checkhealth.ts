import { openContentRunner } from '../../content/content-runner.js';
import { usualContentFolder } from '../../content/layout.js';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { checkHealth, type HealthFinding, type HealthLevel } from '../../health/check-health.js';
import { selectWithNeeds } from '../../packages/select-revisions.js';
import { readSettings } from '../../settings/settings.js';
import { openMetadataStore } from '../../store/open-store.js';
import { ownContentFolder } from '../content/content-folder.js';
import type { DataDirectory } from '../context.js';
import { defineCommand } from '../declaration.js';
import type { View } from '../outcome.js';
import { formatQuantity } from '../quantities.js';
import { networkPage } from './network-page.js';

const LEVEL_TEXTS: Readonly<Record<HealthLevel, string>> = {
  ok: 'ok',
  warning: 'WARNING',
  error: 'ERROR',
  off: 'off',
};

/** Updates whose files are wanted. */
const WANTED = { superseded: false, expired: false, deployableOnly: true } as const;

export const checkhealth = defineCommand({
  name: 'checkhealth',
  summary: 'Say on one page whether everything is fit to carry, and what to do where it is not',
  description: [
    'Looks at the metadata store, the settings, the last import, licence texts and files of current updates, disk space, unfinished work, the writer lock and the clock. Nothing is changed or made, so it also works on read-only media and while another process writes. "healthmonitoring" sets thresholds and switches checks off.',
    'Files are judged by what the last reset found; current updates are those that are neither expired nor superseded.',
    'With --network it looks at the network instead: whether every server of the update source that is set can be reached, step by step (name, connection, proxy, TLS, ping of the web service), and which connections a firewall must let through. No update is fetched; a store is not needed.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [],
  options: {
    full: { type: 'boolean', description: 'Read every document of the store too, as checkstore does' },
    network: {
      type: 'boolean',
      description:
        'Test the connections to the update source instead, and list what a firewall must let through',
    },
  },
  notes: ['Exit code 0: fit, warnings or not. 3: at least one error.'],
  examples: ['wsusutil checkhealth', 'wsusutil checkhealth --json', 'wsusutil checkhealth --network'],
  check({ options }) {
    if (options.full && options.network) {
      throw new WsusutilError('USAGE', 'options --full and --network exclude each other', {
        hint: 'Leave one of them out.',
      });
    }
  },
  async run({ options }, context) {
    if (options.network) return networkPage(context);
    const { now, signal } = context;
    const directory = await context.findDataDirectory();
    const settings = await readSettings(directory.settingsPath).catch((error: unknown) => ({
      settingsError: expected(error),
    }));
    // Not by the context, which makes a store where there is none.
    const store = await openMetadataStore(directory.storePath, { mode: 'read', now }).catch(
      (error: unknown) => ({
        storeError: expected(error),
      }),
    );
    try {
      const findings = await checkHealth({
        directory,
        settings,
        contentFolder: 'settingsError' in settings ? undefined : await contentFolderOf(directory),
        store,
        selectWanted: (opened) => selectWithNeeds(opened, WANTED),
        full: options.full,
        now,
        signal,
      });
      const errors = findings.filter(({ level }) => level === 'error').length;
      const warnings = findings.filter(({ level }) => level === 'warning').length;
      return {
        status: errors === 0 ? 'complete' : 'incomplete',
        result: { isFit: errors === 0, errorCount: errors, warningCount: warnings, checks: findings },
        view: viewOf(findings, errors, warnings),
      };
    } finally {
      if (!('storeError' in store)) await store.close();
    }
  },
});

/** What went wrong as a finding; a defect of the program stays what it is. */
function expected(error: unknown): WsusutilError {
  if (isWsusutilError(error)) return error;
  throw error;
}

/** What cannot be listed is judged where its permissions are. */
async function contentFolderOf(directory: DataDirectory): Promise<string> {
  const runner = openContentRunner(0);
  try {
    return await ownContentFolder(directory, runner);
  } catch (error) {
    expected(error);
    return usualContentFolder(directory.contentRoot);
  } finally {
    await runner.close();
  }
}

function viewOf(findings: readonly HealthFinding[], errors: number, warnings: number): readonly View[] {
  const toDo = findings.flatMap(({ name, level, whatToDo }) =>
    whatToDo === undefined || level === 'ok' ? [] : [[name, whatToDo] as const],
  );
  const verdict =
    errors > 0
      ? `Not fit to carry: ${formatQuantity(errors, 'error')}, ${formatQuantity(warnings, 'warning')}.`
      : warnings > 0
        ? `Fit to carry, with ${formatQuantity(warnings, 'warning')}.`
        : 'Fit to carry.';
  return [
    {
      kind: 'fields',
      fields: findings.map(({ name, level, says }) => [name, `${LEVEL_TEXTS[level]}: ${says}`]),
    },
    ...(toDo.length === 0 ? [] : [{ kind: 'fields', title: 'What to do', fields: toDo } as const]),
    { kind: 'lines', lines: [verdict] },
  ];
}
