/**
 * `wsusutil checkhealth`: is it fit to carry? Each check is small, looks at one thing and says what to do. Nothing is
 * changed, so that it runs on read-only media and while another process writes.
 */
import { access, constants, lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { freeSpaceAt, nearestFolder } from '../content/free-space.js';
import { OWN_FOLDER } from '../content/layout.js';
import {
  type ErrorCode,
  errorText,
  isWsusutilError,
  throwIfInterrupted,
  type WsusutilError,
} from '../errors.js';
import { groupDigits } from '../formats/group-digits.js';
import type { ContentFileKind } from '../model/content-file.js';
import { findTemporaryFiles } from '../platform/temporary-files.js';
import { readLockState } from '../platform/writer-lock.js';
import type { DataDirectory } from '../settings/data-directory.js';
import {
  type HealthMonitoring,
  isSwitchedOn,
  numericValues,
  type SwitchName,
} from '../settings/health-monitoring.js';
import type { Settings } from '../settings/settings.js';
import type { StateTotals } from '../store/content-index.js';
import { judgeSyncs, listUpdateSyncs } from '../store/last-syncs.js';
import type { HistoryEntry, MetadataStore, RevisionKey } from '../store/metadata-store.js';

const MEGABYTE = 1_000_000;
const DAY_MS = 86_400_000;
/** A clock may be this far behind what was written before. */
const CLOCK_TOLERANCE_MS = 300_000;
/** Runs whose times are compared with the clock. */
const RECENT_RUNS = 100;
/** A write that takes longer without a byte is over, where nothing is known of the process. */
const LEFTOVER_AGE_MS = 3_600_000;
/** Problems of the store that are told one by one. */
const MAX_STORE_PROBLEMS = 5;

const IMPORT = 'Import a package with "wsusutil import", or run "wsusutil sync".';
const RESTORE = 'Restore the store from a backup, or move it away and import the packages again.';
const NO_SETTINGS = 'not looked at: the settings that say where it is are not valid';

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
  readonly settings: Settings | SettingsProblem;
  /** the content folder itself; undefined: the settings that say where it is are not valid */
  readonly contentFolder: string | undefined;
  readonly store: MetadataStore | StoreProblem;
  /** revisions whose files are wanted: newest, neither expired nor superseded, with all they need */
  readonly selectWanted: (store: MetadataStore) => Promise<readonly RevisionKey[]>;
  /** every document too, as checkstore does */
  readonly full: boolean;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** Why the settings cannot be read: a finding like any other, and no reason to leave the rest unseen. */
export interface SettingsProblem {
  readonly settingsError: WsusutilError;
}

/** Why there is no store to look into. */
export interface StoreProblem {
  readonly storeError: WsusutilError;
}

type Finding = Omit<HealthFinding, 'name'>;

/** What the checks share, with what could be read at all. */
interface Facts extends HealthOptions {
  readonly monitoring: HealthMonitoring | undefined;
  /** files of wanted updates, as the last check of the content directory found them; counted once */
  readonly countWanted: (store: MetadataStore) => Promise<readonly StateTotals[]>;
}

type Check = (facts: Facts) => Promise<Finding>;

/** Each check with the switch of healthmonitoring that turns it off. */
const CHECKS: readonly (readonly [name: string, offSwitch: SwitchName | undefined, check: Check])[] = [
  ['Metadata store', undefined, checkStore],
  ['Settings', undefined, checkSettings],
  ['Catalogue', 'CheckForCatalogSyncFailures', withStore(checkCatalogue)],
  ['Licence texts', 'CheckForContentSyncFailures', withStore(checkLicences)],
  ['Wanted files', 'CheckForContentSyncFailures', withStore(checkPayload)],
  ['Damaged files', 'CheckForContentSyncFailures', withStore(checkDamaged)],
  ['Unfinished work', undefined, withStore(checkUnfinished)],
  ['Leftovers', undefined, checkLeftovers],
  ['Content directory', 'CheckAcls', checkAccess],
  ['Disk space', 'CheckForLowDiskSpace', checkSpace],
  ['Writer lock', undefined, checkLock],
  ['Clock', undefined, checkClock],
];

/** @throws WsusutilError `INTERRUPTED`; anything else that goes wrong in a check is a finding */
export async function checkHealth(options: HealthOptions): Promise<readonly HealthFinding[]> {
  const { settings } = options;
  const monitoring = 'settingsError' in settings ? undefined : settings.healthMonitoring;
  let counting: Promise<readonly StateTotals[]> | undefined;
  const facts: Facts = {
    ...options,
    monitoring,
    countWanted: (store) => {
      counting ??= countWanted(store, options);
      return counting;
    },
  };
  const findings: HealthFinding[] = [];
  for (const [name, offSwitch, check] of CHECKS) {
    throwIfInterrupted(options.signal, 'checking health');
    if (offSwitch !== undefined && !isSwitchedOn(monitoring, offSwitch)) {
      findings.push({ name, ...off(`switched off (healthmonitoring ${offSwitch})`) });
      continue;
    }
    try {
      findings.push({ name, ...(await check(facts)) });
    } catch (error) {
      if (isWsusutilError(error, 'INTERRUPTED')) throw error;
      if (isWsusutilError(error, 'STORE_CORRUPT') && findings[0]?.level === 'error') {
        findings.push({ name, ...off('not to be told from a damaged store') }); // which is said once
        continue;
      }
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

function off(says: string): Finding {
  return { level: 'off', says, whatToDo: undefined };
}

type WithStore = Facts & { readonly store: MetadataStore };

function hasStore(facts: Facts): facts is WithStore {
  return !('storeError' in facts.store);
}

/** A check that has nothing to look at without a store; why there is none is said by the check of the store. */
function withStore(check: (facts: WithStore) => Promise<Finding>): Check {
  return async (facts) => (hasStore(facts) ? check(facts) : off('not looked at without the metadata store'));
}

async function checkStore({ store, full, signal }: Facts): Promise<Finding> {
  if ('storeError' in store) {
    const { message, hint } = store.storeError;
    return problem(message, hint ?? RESTORE);
  }
  if (await store.isEmpty()) return problem('it is empty', IMPORT);
  const problems: string[] = [];
  let count = 0;
  for await (const { message } of full ? store.check(() => {}, signal) : store.quickCheck(signal)) {
    count++;
    if (problems.length < MAX_STORE_PROBLEMS) problems.push(message);
  }
  if (count > problems.length)
    problems.push(`${groupDigits(count - problems.length)} more, see "checkstore"`);
  return count === 0
    ? ok(full ? 'sound, every document checked' : 'sound (--full also reads every document)')
    : problem(problems.join('; '), RESTORE);
}

async function checkSettings({ settings, directory }: Facts): Promise<Finding> {
  if ('settingsError' in settings) {
    const { message, hint } = settings.settingsError;
    return problem(message, hint ?? 'Correct the file, or remove it to start from the defaults.');
  }
  const isThere = (await lstat(directory.settingsPath).catch(() => undefined)) !== undefined;
  return ok(isThere ? `${directory.settingsPath} is valid` : 'none; the defaults apply');
}

/** Packages that are refused with these leave the catalogue as it is, and importing them again does not help. */
const REFUSALS: readonly string[] = [
  'CHAIN_BROKEN',
  'SIGNATURE_INVALID',
  'SIGNATURE_MISSING',
  'SIGNER_UNTRUSTED',
] satisfies ErrorCode[];
const MAX_RUNS_SEEN = 1_000;

/** The last import or synchronisation that counts: no refusal, and not taken back by "undo". */
async function lastOfCatalogue(store: WithStore['store']): Promise<LastRun> {
  const imports = await store.listHistory(MAX_RUNS_SEEN, 'import');
  const undos = await store.listHistory(MAX_RUNS_SEEN, 'undo');
  const undone = new Set(undos.map(({ details }) => details.importedAt));
  const isRefusal = ({ outcome }: HistoryEntry) => REFUSALS.includes(outcome);
  const kept = imports.find((run) => !isRefusal(run) && !undone.has(new Date(run.finishedAt).toISOString()));
  const { last: lastSync, probe } = judgeSyncs(await listUpdateSyncs(store));
  const isSync = lastSync !== undefined && lastSync.finishedAt > (kept?.finishedAt ?? 0);
  const last = isSync ? lastSync : kept;
  const refused = imports.find(isRefusal);
  return {
    last,
    badSync: isSync || lastSync?.outcome === 'complete' ? undefined : lastSync,
    probe: probe !== undefined && probe.finishedAt >= (last?.finishedAt ?? 0) ? probe : undefined,
    refused: refused !== undefined && refused.finishedAt >= (last?.finishedAt ?? 0) ? refused : undefined,
  };
}

interface LastRun {
  readonly last: HistoryEntry | undefined;
  /** the last synchronisation, if it was before the import that is the last run, and not complete */
  readonly badSync: HistoryEntry | undefined;
  /** the newest synchronisation since then that failed before it changed anything */
  readonly probe: HistoryEntry | undefined;
  /** the newest refusal since then */
  readonly refused: HistoryEntry | undefined;
}

/** What was imported or synchronised last, whichever came later. */
async function checkCatalogue({ store, monitoring, now }: WithStore): Promise<Finding> {
  const { last, badSync, probe, refused } = await lastOfCatalogue(store);
  const tried =
    probe === undefined
      ? ''
      : `; ${probe.package} was tried since then, and nothing came: ${probe.outcome} (wsusutil history ${probe.id})`;
  if (last === undefined) return problem(`no updates were imported or synchronised${tried}`, IMPORT);
  const isSync = last.action === 'sync';
  const { finishedAt, outcome } = last;
  const since =
    refused === undefined ? '' : `; ${refused.package} was refused since then: ${refused.outcome}`;
  const said = `${isSync ? 'synchronised' : 'imported'} ${formatMinute(finishedAt)}, ${last.package}: ${outcome}${since}${tried}`;
  if (outcome !== 'complete' && outcome !== 'incomplete') {
    return problem(
      said,
      isSync
        ? `Run "wsusutil sync" again; "wsusutil history ${last.id}" says what was wrong.`
        : 'Import the package again; its log says what was wrong.',
    );
  }
  const [days = 0] = numericValues(monitoring, 'CatalogSyncIntervalInDays');
  const age = Math.floor((now().getTime() - finishedAt) / DAY_MS);
  if (days > 0 && age > days) {
    return warning(
      `${said}; that was ${groupDigits(age)} days ago`,
      isSync ? 'Run "wsusutil sync", or set a schedule.' : 'Bring a newer package.',
    );
  }
  if (badSync !== undefined && outcome === 'complete') {
    return warning(
      `${said}; the last synchronisation before, ended ${formatMinute(badSync.finishedAt)}, was not complete: ${badSync.outcome}`,
      `Run "wsusutil sync" again; "wsusutil history ${badSync.id}" says what was wrong.`,
    );
  }
  return outcome === 'incomplete'
    ? warning(
        said,
        isSync
          ? `"wsusutil history ${last.id}" says what did not come.`
          : 'Something the updates need was missing; its log lists it.',
      )
    : ok(said);
}

async function checkLicences({ store, countWanted }: WithStore): Promise<Finding> {
  return judgeFiles(
    await countWanted(store),
    'licence',
    'licence texts',
    'Clients fetch them while they scan. Run "wsusutil reset", or bring them with "wsusutil content add".',
  );
}

async function checkPayload({ store, countWanted }: WithStore): Promise<Finding> {
  return judgeFiles(
    await countWanted(store),
    'payload',
    'files of current updates',
    'Run "wsusutil reset", or "wsusutil reset --offline --missing-list need.json" and bring the files.',
  );
}

function judgeFiles(
  totals: readonly StateTotals[],
  kind: ContentFileKind,
  what: string,
  whatToDo: string,
): Finding {
  const count = (...states: readonly StateTotals['state'][]) =>
    totals.reduce(
      (files, each) => files + (each.kind === kind && states.includes(each.state) ? each.files : 0),
      0,
    );
  const missing = count('absent', 'corrupt');
  const unchecked = count('unchecked');
  const there = count('verified', 'unverified');
  const all = missing + unchecked + there;
  const look = 'Run "wsusutil reset --check".';
  if (all === 0) return ok('none are called for');
  if (missing > 0) {
    return problem(`${groupDigits(missing)} of ${groupDigits(all)} ${what} are missing or damaged`, whatToDo);
  }
  if (unchecked === all) return warning(`${groupDigits(all)} ${what} were never checked`, look);
  return unchecked > 0
    ? warning(
        `${groupDigits(there)} of ${groupDigits(all)} there, ${groupDigits(unchecked)} never checked`,
        look,
      )
    : ok(`all ${groupDigits(all)} there`);
}

async function countWanted(
  store: MetadataStore,
  { selectWanted, signal }: HealthOptions,
): Promise<readonly StateTotals[]> {
  const keys = await selectWanted(store);
  throwIfInterrupted(signal, 'checking health');
  const selection = await (await store.contentIndex(signal)).select({ keys }, signal);
  try {
    return await selection.states(signal);
  } finally {
    await selection.close();
  }
}

async function checkDamaged({ store, signal }: WithStore): Promise<Finding> {
  const { corrupt, verified, unverified } = await (await store.contentIndex(signal)).states();
  if (corrupt.files > 0) {
    return problem(
      `${groupDigits(corrupt.files)} damaged when last checked`,
      'Run "wsusutil reset"; with --quarantine they are moved aside.',
    );
  }
  return ok(
    verified.files + unverified.files === 0
      ? 'none known'
      : `none; ${groupDigits(verified.files)} files verified, ${groupDigits(unverified.files)} not read yet`,
  );
}

async function checkUnfinished({ store, contentFolder, signal }: WithStore): Promise<Finding> {
  const run = await (await store.contentIndex(signal)).unfinishedRun();
  if (run !== undefined) {
    return warning(
      `a reset that began ${formatMinute(run.startedAt)} was not finished`,
      'Run "wsusutil reset" again; it goes on there.',
    );
  }
  if (contentFolder === undefined) return ok('none');
  const partial = await readdir(join(contentFolder, OWN_FOLDER, 'partial')).catch(() => []);
  return partial.length > 0
    ? warning(
        `${groupDigits(partial.length)} downloads or copies were broken off`,
        'Run the interrupted command again; what is not needed any more goes with "wsusutil content prune".',
      )
    : ok('none');
}

/** Temporary files of killed writes. Folders of content files are left to `content prune`, which lists them anyway. */
async function checkLeftovers({ directory, contentFolder, now }: Facts): Promise<Finding> {
  const left: string[] = [];
  for (const folder of [directory.path, directory.contentRoot, contentFolder]) {
    if (folder === undefined) continue;
    for (const { path, writer, modifiedAt } of await findTemporaryFiles(folder)) {
      const isOld = now().getTime() - modifiedAt > LEFTOVER_AGE_MS;
      if (writer !== 'ended' && !(writer === 'unknown' && isOld)) continue;
      if (!left.includes(path)) left.push(path);
    }
  }
  const [first] = left;
  return first === undefined
    ? ok('none')
    : warning(
        left.length === 1
          ? `${first} is left of a write that was killed`
          : `${first} and ${groupDigits(left.length - 1)} more are left of writes that were killed`,
        'Delete them; nothing needs them any more.',
      );
}

async function checkAccess(facts: Facts): Promise<Finding> {
  const { contentFolder, directory } = facts;
  if (contentFolder === undefined) return off(NO_SETTINGS);
  const found = await stat(contentFolder).catch(() => undefined);
  if (found === undefined) {
    const calledFor = hasStore(facts)
      ? Object.values(await (await facts.store.contentIndex(facts.signal)).states()).some(
          ({ files }) => files > 0,
        )
      : false;
    if (!calledFor) return ok(`${contentFolder} is not there, and no file is known to be called for`);
    return problem(
      `${contentFolder} is not there`,
      `Mount its disk, or set its place with "wsusutil postinstall CONTENT_DIR=<dir>" (now ${directory.contentRoot}).`,
    );
  }
  if (!found.isDirectory()) {
    return problem(
      `${contentFolder} is not a folder`,
      'Move it away; "wsusutil postinstall" makes the folder.',
    );
  }
  try {
    await access(contentFolder, constants.R_OK | constants.X_OK);
    await readdir(contentFolder); // Windows answers `access` without looking at permissions
  } catch (error) {
    return problem(
      `${contentFolder} cannot be read by this account (${codeOf(error)})`,
      'Mend its permissions.',
    );
  }
  try {
    await access(contentFolder, constants.W_OK);
  } catch (error) {
    return warning(
      `${contentFolder} cannot be written by this account (${codeOf(error)})`,
      'Mend its permissions, unless it is meant to be read-only.',
    );
  }
  return ok(`${contentFolder} can be read and written`);
}

/** The disks of store and content directory, each once. */
async function checkSpace({ directory, contentFolder, monitoring }: Facts): Promise<Finding> {
  const [errorLevel = 0, warningLevel = 0] = numericValues(monitoring, 'DiskSpaceInMegabytes');
  const disks = new Map<number, { path: string; free: number }>();
  for (const path of [directory.path, contentFolder]) {
    if (path === undefined) continue;
    const free = await freeSpaceAt(path);
    const { dev } = await stat(await nearestFolder(path));
    if (free !== undefined && !disks.has(dev)) disks.set(dev, { path, free });
  }
  const known = [...disks.values()].sort((a, b) => a.free - b.free);
  const [least] = known;
  if (least === undefined) return off('the system does not say how much is free');
  const says = known
    .map(({ path, free }) => `${groupDigits(Math.floor(free / MEGABYTE))} MB free at ${path}`)
    .join(', ');
  const whatToDo =
    'Free space, run "wsusutil content prune", or move the content with "wsusutil movecontent".';
  if (least.free < errorLevel * MEGABYTE) {
    return problem(`${says}; below ${groupDigits(errorLevel)} MB is too little`, whatToDo);
  }
  return least.free < warningLevel * MEGABYTE
    ? warning(`${says}; below ${groupDigits(warningLevel)} MB is little`, whatToDo)
    : ok(says);
}

async function checkLock({ directory }: Facts): Promise<Finding> {
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

/**
 * The clock against what was written before, by this program and by the file systems: nothing can be of later than now.
 * Nothing is written to ask a file system for its time, so one that is behind stays unseen.
 */
async function checkClock(facts: Facts): Promise<Finding> {
  const { directory, contentFolder, now } = facts;
  let latest = { time: 0, what: '' };
  const consider = (time: number, what: string) => {
    if (time > latest.time) latest = { time, what };
  };
  if (hasStore(facts)) {
    for (const { action, finishedAt } of await facts.store.listHistory(RECENT_RUNS)) {
      consider(finishedAt, `the last ${action} ended`);
    }
  }
  for (const path of [directory.storePath, directory.settingsPath, contentFolder]) {
    if (path === undefined) continue;
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) consider(found.mtimeMs, `${path} was written`);
  }
  const present = now().getTime();
  return latest.time > present + CLOCK_TOLERANCE_MS
    ? warning(
        `it says ${formatMinute(present)}, but ${latest.what} ${formatMinute(latest.time)}`,
        'Set the clock of this machine, or of the file server; certificates, schedules and grace times depend on it.',
      )
    : ok(formatMinute(present));
}

/** `2026-11-20 12:34 UTC` */
function formatMinute(milliseconds: number): string {
  const time = new Date(milliseconds);
  if (Number.isNaN(time.getTime())) return 'at no time there is';
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : errorText(error);
}
