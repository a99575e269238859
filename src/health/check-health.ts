/**
 * `wsusutil checkhealth`: is it fit to carry? Each check is small, looks at one thing and says what to do. Nothing is
 * changed, so that it runs on read-only media and while another process writes.
 */
import { access, constants, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freeSpaceAt } from '../content/free-space.js';
import { OWN_FOLDER } from '../content/layout.js';
import { errorText, isWsusutilError, throwIfInterrupted } from '../errors.js';
import { readLockState } from '../platform/writer-lock.js';
import type { DataDirectory } from '../settings/data-directory.js';
import { type HealthMonitoring, isSwitchedOn, numericValues } from '../settings/health-monitoring.js';
import type { ContentIndex } from '../store/content-index.js';
import type { HistoryEntry, MetadataStore, RevisionKey } from '../store/metadata-store.js';

const MEGABYTE = 1_000_000;
const DAY_MS = 86_400_000;
/** A clock may be this far behind what was written before. */
const CLOCK_TOLERANCE_MS = 300_000;
/** Problems of the store that are told one by one. */
const MAX_STORE_PROBLEMS = 5;

/** `off`: switched off by healthmonitoring, or there is nothing to look at. */
export type HealthLevel = 'ok' | 'warning' | 'error' | 'off';

export interface HealthFinding {
  /** e.g. `Disk space` */
  readonly name: string;
  readonly level: HealthLevel;
  /** what was found */
  readonly says: string;
  /** what to do about it; undefined: nothing */
  readonly whatToDo: string | undefined;
}

export interface HealthOptions {
  readonly directory: DataDirectory;
  /** the content folder itself */
  readonly contentFolder: string;
  readonly store: MetadataStore;
  readonly monitoring: HealthMonitoring | undefined;
  /** revisions whose files are wanted: newest, neither expired nor superseded, with all they need */
  readonly wantedKeys: readonly RevisionKey[];
  /** every document too, as checkstore does */
  readonly full: boolean;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

type Finding = Omit<HealthFinding, 'name'>;

/** @throws WsusutilError `INTERRUPTED`; anything else that goes wrong in a check is a finding */
export async function checkHealth(options: HealthOptions): Promise<readonly HealthFinding[]> {
  const { monitoring } = options;
  const checks: readonly (readonly [name: string, isOn: boolean, check: () => Promise<Finding>])[] = [
    ['Metadata store', true, () => checkStore(options)],
    ['Settings', true, async () => ok(`${options.directory.settingsPath} is valid`)],
    ['Last import', isSwitchedOn(monitoring, 'CheckForCatalogSyncFailures'), () => checkLastImport(options)],
    [
      'Licence texts',
      isSwitchedOn(monitoring, 'CheckForContentSyncFailures'),
      () => checkFiles(options, 'licence'),
    ],
    [
      'Wanted files',
      isSwitchedOn(monitoring, 'CheckForContentSyncFailures'),
      () => checkFiles(options, 'payload'),
    ],
    ['Damaged files', isSwitchedOn(monitoring, 'CheckForContentSyncFailures'), () => checkDamaged(options)],
    ['Unfinished work', true, () => checkUnfinished(options)],
    ['Content directory', isSwitchedOn(monitoring, 'CheckAcls'), () => checkAccess(options)],
    ['Disk space', isSwitchedOn(monitoring, 'CheckForLowDiskSpace'), () => checkSpace(options)],
    ['Writer lock', true, () => checkLock(options)],
    ['Clock', true, () => checkClock(options)],
  ];
  const findings: HealthFinding[] = [];
  for (const [name, isOn, check] of checks) {
    throwIfInterrupted(options.signal, 'checking health');
    if (!isOn) {
      findings.push({ name, level: 'off', says: 'switched off with healthmonitoring', whatToDo: undefined });
      continue;
    }
    try {
      findings.push({ name, ...(await check()) });
    } catch (error) {
      if (isWsusutilError(error, 'INTERRUPTED')) throw error;
      findings.push({
        name,
        level: 'error',
        says: errorText(error),
        whatToDo: isWsusutilError(error) ? error.hint : undefined,
      });
    }
  }
  return findings;
}

function ok(says: string): Finding {
  return { level: 'ok', says, whatToDo: undefined };
}

function warning(says: string, whatToDo: string): Finding {
  return { level: 'warning', says, whatToDo };
}

function problem(says: string, whatToDo: string): Finding {
  return { level: 'error', says, whatToDo };
}

async function checkStore({ store, full, signal }: HealthOptions): Promise<Finding> {
  if (await store.isEmpty()) return problem('it is empty', 'Import a package with "wsusutil import".');
  const problems: string[] = [];
  const found = full ? store.check(() => {}, signal) : store.quickCheck(signal);
  for await (const { message } of found) {
    problems.push(message);
    if (problems.length === MAX_STORE_PROBLEMS) break;
  }
  return problems.length === 0
    ? ok(full ? 'sound, every document checked' : 'sound ("checkstore" also reads every document)')
    : problem(
        problems.join('; '),
        'Restore the store from a backup, or move it away and import the packages again.',
      );
}

async function checkLastImport({ store, monitoring, now }: HealthOptions): Promise<Finding> {
  const [last] = (await store.listHistory(1000)).filter(({ action }) => action === 'import');
  if (last === undefined)
    return problem('nothing was ever imported', 'Import a package with "wsusutil import".');
  const said = `${new Date(last.finishedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC, ${last.package}: ${last.outcome}`;
  if (last.outcome !== 'complete' && last.outcome !== 'incomplete') {
    return problem(said, 'Import the package again; its log says what was wrong.');
  }
  const [days = 0] = numericValues(monitoring, 'CatalogSyncIntervalInDays');
  const age = Math.floor((now().getTime() - last.finishedAt) / DAY_MS);
  if (days > 0 && age > days) {
    return warning(`${said}; that was ${age} days ago`, 'Bring a newer package.');
  }
  return last.outcome === 'incomplete'
    ? warning(said, 'Something the updates need was missing; its log lists it.')
    : ok(said);
}

/** Files of wanted updates, as the last check of the content directory found them. */
async function checkFiles(options: HealthOptions, what: 'licence' | 'payload'): Promise<Finding> {
  const index = await options.store.contentIndex();
  const scope = { keys: options.wantedKeys, kinds: [what] } as const;
  const counts = await countStates(index, scope, options.signal);
  const words = what === 'licence' ? 'licence texts' : 'files of current updates';
  if (counts.all === 0) return ok('none are called for');
  if (counts.unchecked === counts.all) {
    return warning(`${counts.all} ${words} were never checked`, 'Run "wsusutil reset --check".');
  }
  if (counts.missing > 0) {
    const says = `${counts.missing} of ${counts.all} ${words} are missing or damaged`;
    return what === 'licence'
      ? problem(
          says,
          'Clients fetch them while they scan. Run "wsusutil reset", or bring them with "wsusutil content add".',
        )
      : problem(
          says,
          'Run "wsusutil reset", or "wsusutil reset --offline --missing-list need.json" and bring the files.',
        );
  }
  return counts.unchecked > 0
    ? warning(
        `${counts.all - counts.unchecked} of ${counts.all} there, ${counts.unchecked} never checked`,
        'Run "wsusutil reset --check".',
      )
    : ok(`all ${counts.all} there`);
}

async function countStates(
  index: ContentIndex,
  scope: Parameters<ContentIndex['select']>[0],
  signal: AbortSignal,
): Promise<{ all: number; missing: number; unchecked: number }> {
  const selection = await index.select(scope);
  try {
    const counts = { all: selection.totals.files, missing: 0, unchecked: 0 };
    for (let folder = 0; folder < 256; folder++) {
      throwIfInterrupted(signal, 'checking health');
      let after: string | undefined;
      for (;;) {
        const page = await selection.page(folder, after);
        if (page.length === 0) break;
        after = page.at(-1)?.sha1;
        for (const { record } of page) {
          if (record === undefined) counts.unchecked++;
          else if (record.state === 'absent' || record.state === 'corrupt') counts.missing++;
        }
      }
    }
    return counts;
  } finally {
    await selection.close();
  }
}

async function checkDamaged({ store }: HealthOptions): Promise<Finding> {
  const { corrupt, verified, unverified } = await (await store.contentIndex()).states();
  if (corrupt.files > 0) {
    return problem(
      `${corrupt.files} files are damaged`,
      'Run "wsusutil reset"; with --quarantine they are moved aside.',
    );
  }
  return ok(
    verified.files + unverified.files === 0
      ? 'none known'
      : `none; ${verified.files} files verified, ${unverified.files} not read yet`,
  );
}

async function checkUnfinished({ store, contentFolder }: HealthOptions): Promise<Finding> {
  const run = await (await store.contentIndex()).unfinishedRun();
  if (run !== undefined) {
    return warning(
      `a reset that began ${new Date(run.startedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC was not finished`,
      'Run "wsusutil reset" again; it goes on there.',
    );
  }
  const partial = await readdir(join(contentFolder, OWN_FOLDER, 'partial')).catch(() => []);
  return partial.length > 0
    ? warning(
        `${partial.length} downloads or copies were broken off`,
        'Run the command again that was interrupted; it goes on with them.',
      )
    : ok('none');
}

async function checkAccess({ contentFolder, directory, store }: HealthOptions): Promise<Finding> {
  const facts = await lstat(contentFolder).catch(() => undefined);
  if (facts === undefined) {
    const states = Object.values(await (await store.contentIndex()).states());
    if (states.every(({ files }) => files === 0))
      return ok(`${contentFolder} is not there, and no file is called for`);
    return problem(
      `${contentFolder} is not there`,
      `Mount its disk, or set its place with "wsusutil postinstall CONTENT_DIR=<dir>" (now ${directory.contentRoot}).`,
    );
  }
  try {
    await access(contentFolder, constants.R_OK | constants.X_OK);
  } catch {
    return problem(`${contentFolder} cannot be read by this account`, 'Mend its permissions.');
  }
  try {
    await access(contentFolder, constants.W_OK);
  } catch {
    return warning(
      `${contentFolder} cannot be written by this account`,
      'Mend its permissions, unless it is meant to be read-only.',
    );
  }
  return ok(`${contentFolder} can be read and written`);
}

async function checkSpace({ directory, contentFolder, monitoring }: HealthOptions): Promise<Finding> {
  const [errorLevel = 0, warningLevel = 0] = numericValues(monitoring, 'DiskSpaceInMegabytes');
  const places = await Promise.all(
    [directory.path, contentFolder].map(async (path) => ({ path, free: await freeSpaceAt(path) })),
  );
  const known = places.filter((place): place is { path: string; free: number } => place.free !== undefined);
  const least = known.sort((a, b) => a.free - b.free)[0];
  if (least === undefined) return ok('the system does not say how much is free');
  const says = `${Math.floor(least.free / MEGABYTE)} MB free at ${least.path}`;
  const whatToDo =
    'Free space, run "wsusutil content prune", or move the content with "wsusutil movecontent".';
  if (least.free < errorLevel * MEGABYTE) return problem(`${says}, below ${errorLevel} MB`, whatToDo);
  if (least.free < warningLevel * MEGABYTE) return warning(`${says}, below ${warningLevel} MB`, whatToDo);
  return ok(says);
}

async function checkLock({ directory }: HealthOptions): Promise<Finding> {
  const state = await readLockState(directory.lockPath);
  switch (state.kind) {
    case 'free':
      return ok('free');
    case 'held':
      return ok(`held by ${state.holder ?? 'another process'}, which is writing now`);
    case 'left-behind':
      return warning(
        `${state.holder} ended without giving it back`,
        'It was killed; the lock itself is free. Run what it did again.',
      );
  }
}

async function checkClock({ store, now }: HealthOptions): Promise<Finding> {
  const { createdAt } = await store.status();
  const history: readonly HistoryEntry[] = await store.listHistory(100);
  const latest = Math.max(createdAt, ...history.map(({ finishedAt }) => finishedAt));
  const present = now().getTime();
  if (latest > present + CLOCK_TOLERANCE_MS) {
    return warning(
      `it says ${now().toISOString()}, but something was written at ${new Date(latest).toISOString()}`,
      'Set the clock; certificates, schedules and grace times depend on it.',
    );
  }
  return ok(now().toISOString().slice(0, 16).replace('T', ' ').concat(' UTC'));
}
