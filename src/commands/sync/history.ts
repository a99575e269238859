import { WsusutilError } from '../../errors.js';
import type { HistoryEntry, HistoryMessage } from '../../store/metadata-store.js';
import type { CommandContext } from '../context.js';
import { type CommandInput, defineCommand } from '../declaration.js';
import type { FieldsView, Outcome, TableView } from '../outcome.js';
import { formatCount, formatSize, isoInstant } from '../quantities.js';
import {
  countsOf,
  describeCounts,
  describeResult,
  errorOf,
  numberFact,
  runToJson,
  textFact,
} from './history-report.js';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100_000;

const POSITIONALS = [
  { name: 'id', description: 'Number of one run: all that is known of it', required: false, kind: 'text' },
] as const;

const OPTIONS = {
  syncs: {
    type: 'boolean',
    description: "Synchronisations only, with the columns of the WSUS console's list of them",
  },
  limit: {
    type: 'string',
    value: 'count',
    description: `At most this many, the newest (default: ${DEFAULT_LIMIT})`,
  },
} as const;

export const history = defineCommand({
  name: 'history',
  summary: 'List what was imported, exported and synchronised, or tell all about one run',
  description: [
    'Lists the runs that changed the store or the content directory, or wrote a package; the newest comes first. With the id of one it shows its facts, and of a synchronisation everything it said.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: POSITIONALS,
  options: OPTIONS,
  examples: ['wsusutil history', 'wsusutil history --syncs --limit 5', 'wsusutil history 12'],
  check(input) {
    idOf(input);
    limitOf(input);
  },
  async run(input, context) {
    const id = idOf(input);
    return id === undefined
      ? listRuns(context, input.options.syncs, limitOf(input) ?? DEFAULT_LIMIT)
      : showRun(context, id);
  },
});

type Input = CommandInput<typeof POSITIONALS, typeof OPTIONS>;

/** @throws WsusutilError `USAGE` */
function idOf({ positionals, options }: Input): number | undefined {
  const text = positionals.id;
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new WsusutilError('USAGE', `"${text}" is not the id of a run`, {
      hint: 'Ids are the numbers in the first column of "wsusutil history".',
    });
  }
  if (options.syncs || options.limit !== undefined) {
    throw new WsusutilError(
      'USAGE',
      `--${options.syncs ? 'syncs' : 'limit'} is for the list, and <id> for one run`,
      { hint: 'Leave one of them out.' },
    );
  }
  return Number(text);
}

/** @throws WsusutilError `USAGE` */
function limitOf({ options }: Input): number | undefined {
  if (options.limit === undefined) return undefined;
  const limit = /^\d{1,6}$/.test(options.limit) ? Number(options.limit) : 0;
  if (limit === 0 || limit > MAX_LIMIT) {
    throw new WsusutilError('USAGE', `"${options.limit}" is not a count`, {
      hint: `Give a number from 1 to ${MAX_LIMIT}.`,
    });
  }
  return limit;
}

async function listRuns(context: CommandContext, syncsOnly: boolean, limit: number): Promise<Outcome> {
  const store = await context.openStore('read');
  let found: readonly HistoryEntry[];
  try {
    found = await store.listHistory(limit + 1, syncsOnly ? 'sync' : undefined); // one more: is there more?
  } finally {
    await store.close();
  }
  const runs = found.slice(0, limit);
  const hasMore = found.length > limit;
  const table = syncsOnly ? syncTable(runs) : runTable(runs);
  return {
    status: 'complete',
    result: { shown: runs.length, hasMore, runs: runs.map(runToJson) },
    view: [
      {
        ...table,
        forCsv: false,
        ...(hasMore ? { footer: () => `The newest ${formatCount(runs.length)}; --limit shows more.` } : {}),
      },
      csvTable(runs),
    ],
  };
}

function runTable(runs: readonly HistoryEntry[]): TableView {
  return {
    kind: 'table',
    columns: [
      { title: 'Id', align: 'right' },
      { title: 'Finished (UTC)' },
      { title: 'Action' },
      { title: 'Result' },
      { title: 'Counts', flexible: true },
      { title: 'About', secondary: true },
    ],
    rows: runs.map((run) => [
      String(run.id),
      instant(run.finishedAt),
      run.action,
      run.outcome,
      describeCounts(run),
      run.package,
    ]),
    emptyText: 'Nothing has been imported, exported or synchronised yet.',
  };
}

/** Columns as the console names them, as far as 80 columns have room. */
function syncTable(runs: readonly HistoryEntry[]): TableView {
  const count = (run: HistoryEntry, name: string) => {
    const value = numberFact(run, name);
    return value === undefined ? '' : formatCount(value);
  };
  return {
    kind: 'table',
    columns: [
      { title: 'Id', align: 'right' },
      { title: 'Started (UTC)' },
      { title: 'Finished' },
      { title: 'Type', secondary: true },
      { title: 'Result' },
      { title: 'New', align: 'right' },
      { title: 'Revised', align: 'right' },
      { title: 'Expired', align: 'right' },
      { title: 'Files', align: 'right', secondary: true },
      { title: 'Size', align: 'right', secondary: true },
      { title: 'Error', secondary: true },
    ],
    rows: runs.map((run) => {
      const bytes = numberFact(run, 'bytes');
      return [
        String(run.id),
        instant(run.startedAt),
        endOf(run),
        typeOf(run),
        describeResult(run.outcome),
        count(run, 'newUpdates'),
        count(run, 'revisedUpdates'),
        count(run, 'expiredUpdates'),
        count(run, 'files'),
        bytes === undefined ? '' : formatSize(bytes),
        errorOf(run),
      ];
    }),
    emptyText: 'Nothing has been synchronised yet.',
  };
}

/** The facts of a synchronisation have columns of their own; those of other runs are in `--json`. */
function csvTable(runs: readonly HistoryEntry[]): TableView {
  const facts = ['newUpdates', 'revisedUpdates', 'expiredUpdates', 'files', 'bytes'];
  const columns = ['id', 'action', 'about', 'startedAt', 'finishedAt', 'trigger', 'outcome', ...facts];
  return {
    kind: 'table',
    forCsv: true,
    columns: columns.map((title) => ({ title })),
    rows: runs.map((run) => [
      String(run.id),
      run.action,
      run.package,
      isoInstant(run.startedAt),
      isoInstant(run.finishedAt),
      textFact(run, 'trigger') ?? '',
      run.outcome,
      ...facts.map((name) => String(numberFact(run, name) ?? '')),
    ]),
    emptyText: 'There is no such run.',
  };
}

async function showRun(context: CommandContext, id: number): Promise<Outcome> {
  const store = await context.openStore('read');
  try {
    const run = await store.findHistory(id);
    if (run === undefined) {
      const [newest] = await store.listHistory(1);
      throw new WsusutilError('NOT_FOUND', `The history has no run ${id}`, {
        hint:
          newest === undefined
            ? 'Nothing has been imported, exported or synchronised yet.'
            : `The newest is ${newest.id}; "wsusutil history" lists them.`,
      });
    }
    const { messages, ...facts } = run;
    return {
      status: 'complete',
      result: {
        run: {
          ...runToJson(facts),
          messages: messages.map((message) => ({ ...message, at: isoInstant(message.at) })),
        },
      },
      view: [
        {
          kind: 'fields',
          fields: [
            ['Run', `${run.id}: ${run.action}`],
            ['About', run.package],
            ['Started', `${instant(run.startedAt, 19)} UTC`],
            ['Finished', `${instant(run.finishedAt, 19)} UTC`],
            ['Type', run.action === 'sync' ? typeOf(run) : undefined],
            ['Result', resultOf(run)],
            ['Reason', textFact(run, 'message')],
            ...packageFields(run),
            ...countsOf(run.details).map(({ words, value }) => [capitalized(words), value] as const),
          ],
        },
        {
          kind: 'lines',
          lines:
            messages.length === 0
              ? [
                  run.action === 'sync'
                    ? 'It left no messages.'
                    : 'Messages are kept here of synchronisations; those of other runs are in their logs.',
                ]
              : messages.map((message) => lineOf(message, run.startedAt)),
        },
      ],
    };
  } finally {
    await store.close();
  }
}

/** What is known of the transfer package a run was about; empty if it was about none. */
function packageFields(run: HistoryEntry): FieldsView['fields'] {
  const { signers } = run.details;
  const signedBy = Array.isArray(signers)
    ? signers.map((keyId) => `key ${keyId}`).join(', ') || 'nobody'
    : undefined;
  const fields = [
    ['For', textFact(run, 'destination')],
    ['Manifest', textFact(run, 'manifest')],
    ['Signed by', signedBy],
    ['Gap accepted', textFact(run, 'gapReason')],
  ] as const;
  return fields.filter(([, value]) => value !== undefined);
}

function resultOf(run: HistoryEntry): string {
  const error = errorOf(run);
  const result = describeResult(run.outcome);
  return error === '' ? result : `${result}: ${error}`;
}

/** The day is said once a run has gone on past midnight. */
function lineOf({ at, level, message }: HistoryMessage, startedAt: number): string {
  const isSameDay = instant(at, 10) === instant(startedAt, 10);
  const time = isSameDay ? instant(at, 19).slice(11) : instant(at, 19);
  return `${time} ${level === 'step' ? '' : `${level}: `}${message}`;
}

function typeOf(run: HistoryEntry): string {
  return capitalized(textFact(run, 'trigger') ?? '');
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The time alone if it was on the day it began. */
function endOf({ startedAt, finishedAt }: HistoryEntry): string {
  const end = instant(finishedAt);
  return end.slice(0, 10) === instant(startedAt).slice(0, 10) ? end.slice(11) : end;
}

/** In UTC. @param length 10: the day; 16: `2026-11-20 12:34`; 19: with seconds */
function instant(milliseconds: number, length = 16): string {
  return isoInstant(milliseconds).slice(0, length).replace('T', ' ');
}
