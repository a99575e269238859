/**
 * Composition root: reads argv, builds the one CommandContext, runs one command, draws its outcome and gives
 * back the exit code. Everything a run does not need is loaded on demand, so that `--help` starts quickly.
 */
import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, homedir, userInfo } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { groupOf, groupsOf } from './cli/command-groups.js';
import { type Edge, wantsDocument } from './cli/edge.js';
import { type ExitCode, exitCodeOf } from './cli/exit-codes.js';
import type { LogFile } from './cli/log-file.js';
import { type Output, type OutputStream, openOutput } from './cli/output.js';
import { loadPaint } from './cli/paint.js';
import {
  type AnyCommandInput,
  parseInput,
  scanTokens,
  splitCommand,
  unknownCommand,
  unknownOption,
  usageError,
} from './cli/parse-argv.js';
import type { Reporter } from './cli/reporter.js';
import type { Finished } from './cli/tell-end.js';
import type {
  CommandContext,
  DataDirectory,
  Machine,
  Manual,
  SecretInput,
  TerminalInput,
} from './commands/context.js';
import type { CommandDeclaration } from './commands/declaration.js';
import { commands as allCommands, type CommandEntry } from './commands/index.js';
import { isWsusutilError, WsusutilError } from './errors.js';
import type { ProgressEvent } from './events.js';
import type { SecretStream } from './platform/secret-input.js';
import type { MetadataStore } from './store/metadata-store.js';

/** What main() needs of Node's `process`; a test hands in its own. */
export interface ProcessLike {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** left out: nothing can be asked, and nothing is piped in */
  readonly stdin?: SecretStream;
  cwd(): string;
  on(event: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** The store takes results on one thread: more workers than two wait for it, at 60 MB each. */
const MAX_THREADS = 2;

/** What a second Ctrl-C has to do, at once and without waiting for anything to load. */
interface LastResort {
  /** does nothing until a command could have begun a file */
  removeUnfinishedFiles: () => void;
  /** Set once the work is done: no signal can change any more how the run ended. */
  exitCode: ExitCode | undefined;
}

/** One run of the program, with what belongs to it. */
interface Run extends Edge {
  readonly process: ProcessLike;
  readonly commands: readonly CommandEntry[];
  readonly manual: Manual;
  readonly signal: AbortSignal;
  readonly lastResort: LastResort;
}

/**
 * Runs the command argv names and ends the process; where that is a test's own, gives back the exit code. Never
 * throws. The handlers of signals stay to the very end: a late Ctrl-C would otherwise kill the process after it has
 * said that all went well.
 *
 * @param commands what may be run; a test hands in its own
 */
export async function main(
  process: ProcessLike,
  commands: readonly CommandEntry[] = allCommands,
): Promise<number> {
  const stdout = openOutput(process.stdout, 'standard output');
  const stderr = openOutput(process.stderr, 'standard error');
  const interruption = new AbortController();
  setMaxListeners(0, interruption.signal); // every transfer under way listens
  const lastResort: LastResort = { removeUnfinishedFiles: () => {}, exitCode: undefined };
  const onSignal = () => {
    if (interruption.signal.aborted) {
      lastResort.removeUnfinishedFiles();
      process.exit(lastResort.exitCode ?? exitCodeOf(interruption.signal.reason));
      return;
    }
    interruption.abort(
      new WsusutilError('INTERRUPTED', 'Interrupted', {
        hint: 'Nothing half-finished was left behind; run the command again to start over.',
      }),
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    const exitCode = await runArguments(process, commands, stdout, stderr, interruption.signal, lastResort);
    lastResort.exitCode = exitCode;
    return exitCode;
  } finally {
    await stderr.flush().catch(() => {}); // there is nobody left to tell
    // Everything is written. Ending by itself, Node would first take down the handlers, and a signal would kill it.
    if (lastResort.exitCode !== undefined) process.exit(lastResort.exitCode);
  }
}

async function runArguments(
  process: ProcessLike,
  commands: readonly CommandEntry[],
  stdout: Output,
  stderr: Output,
  signal: AbortSignal,
  lastResort: LastResort,
): Promise<ExitCode> {
  const names = commands.map((each) => each.name);
  const { name, rest } = splitCommand(process.argv.slice(2), names);
  const entry = commands.find((each) => each.name === name?.toLowerCase());
  // Listing the commands must not load one of them.
  const early = scanTokens(rest, undefined);
  const isPlainHelp = name === undefined || (entry?.name === 'help' && early.positionals.length === 0);
  const declaration = entry === undefined || isPlainHelp ? undefined : await entry.load();
  const scanned = declaration === undefined ? early : scanTokens(rest, declaration);
  const { globals } = scanned;
  const paint = await loadPaint({
    isTerminal: stderr.isTerminal,
    noColor: globals.noColor,
    env: process.env,
  });
  const { platform, env } = process;
  const manual = createManual(commands);
  const edge: Edge = { platform, env, globals, stdout, stderr, paint };
  const run: Run = { ...edge, process, commands, manual, signal, lastResort };
  const refuse = async (
    topic: CommandDeclaration | string | undefined,
    error: unknown,
  ): Promise<ExitCode> => {
    const { tellRefusal } = await import('./cli/tell-end.js');
    return tellRefusal(run, commands, topic, error);
  };
  const print = async (command: string, lines: readonly string[]): Promise<ExitCode> => {
    const { tellLines } = await import('./cli/tell-end.js');
    return tellLines(run, command, lines);
  };

  const first = name === undefined ? undefined : (groupOf(name) ?? name).toLowerCase();
  const group = groupsOf(names).find((each) => each === first);
  if (scanned.wantsVersion) return print('version', [readVersion()]);
  const isHelp = scanned.wantsHelp || isPlainHelp;
  if (isHelp && scanned.problem === undefined && (name !== undefined || scanned.wantsHelp)) {
    const words = entry?.name === 'help' ? scanned.positionals : name === undefined ? [] : name.split(' ');
    try {
      return await print('help', await manual.help(words));
    } catch (error) {
      return await refuse(group, error);
    }
  }
  if (entry === undefined || declaration === undefined) {
    if (name !== undefined) {
      return refuse(group, unknownCommand(name, names));
    }
    return refuse(
      undefined,
      scanned.problem === undefined && scanned.unknownOption !== undefined
        ? unknownOption(scanned.unknownOption, undefined)
        : usageError(
            scanned.problem ?? 'missing <command>',
            '"wsusutil help <command>" explains one of the commands above.',
          ),
    );
  }
  let input: AnyCommandInput;
  try {
    input = await parseInput(scanned, declaration, names);
    declaration.check?.(input as Parameters<CommandDeclaration['run']>[0], new Date());
  } catch (error) {
    return refuse(declaration, error);
  }
  return runCommand(run, declaration, input);
}

function isUnattended({ options }: CommandDeclaration, input: AnyCommandInput): boolean {
  return Object.entries(options).some(
    ([name, { unattended }]) => unattended === true && input.options[name] === true,
  );
}

/** Runs one command and says how it went. */
async function runCommand(
  run: Run,
  declaration: CommandDeclaration,
  input: AnyCommandInput,
): Promise<ExitCode> {
  const { process, commands, stdout, signal, lastResort } = run;
  const toolVersion = readVersion();
  const now = () => new Date();

  const reporters: Reporter[] = [];
  const { report, release } = createGate(declaration, (event) => {
    for (const reporter of reporters) reporter.report(event);
  });
  const { createWarningCollector } = await import('./cli/json-reporter.js');
  const collector = createWarningCollector();
  const { createEdgeReporter } = await import('./cli/edge-reporter.js');
  reporters.push(collector, await createEdgeReporter(run, process.stderr, writesLog(declaration)));

  const openStores = new Set<MetadataStore>();
  let log: LogFile | undefined;
  let isLogNamed = false;
  let isLogNews = false;
  let finished: Finished;
  try {
    const place = await locate(run, declaration, input, now());
    log = await createLog(run, declaration, input, place, { now, toolVersion, report });
    isLogNamed = place.log?.isNamed === true;
    // postinstall names its log at the start, as Microsoft's does.
    isLogNews =
      place.log?.isNamed === false && declaration.isSetup !== true && !isUnattended(declaration, input);
    const context = createContext(run, declaration, place, log, {
      now,
      toolVersion,
      report,
      openStores,
      onAnnounced: release,
    });
    if (log !== undefined) reporters.unshift(log);
    ({ removeUnfinishedFiles: lastResort.removeUnfinishedFiles } = await import(
      './platform/unfinished-files.js'
    ));
    if (declaration.isHeavy === true) (await import('./platform/engine.js')).growHeapAsIfBusy();
    if (declaration.isBrief === true) (await import('./platform/engine.js')).compileLater();
    const outcome = await declaration.run(input as Parameters<CommandDeclaration['run']>[0], context);
    finished = { exitCode: outcome.status === 'complete' ? 0 : 3, outcome };
    // A list that is still to be drawn can be broken off; what was written into a store or a file cannot.
    if (outcome.logLine !== undefined) lastResort.exitCode = finished.exitCode;
  } catch (thrown) {
    const namedLog = isLogNamed && log?.isThere === true ? log.path : undefined;
    const error = signal.aborted ? interruptionOf(thrown, signal.reason, namedLog) : thrown;
    const usual = exitCodeOf(error);
    finished = {
      exitCode: declaration.isSetup === true && usual !== 2 && usual !== 130 ? 1 : usual,
      error,
    };
  }
  release();
  for (const reporter of reporters) if (reporter !== log) await reporter.close();

  // Drawing comes before closing: a table may still be reading its rows from the store.
  const { drawOutcome, tellEnd, unprinted } = await import('./cli/tell-end.js');
  try {
    if (finished.outcome !== undefined && !wantsDocument(run)) await drawOutcome(run, finished.outcome);
    await stdout.flush();
  } catch (error) {
    finished = unprinted(declaration, finished, error);
    if (lastResort.exitCode !== undefined) lastResort.exitCode = finished.exitCode;
  }
  for (const store of openStores) {
    await store.close().catch((error: unknown) => {
      if (finished.error === undefined) finished = { exitCode: exitCodeOf(error), error };
    });
  }
  return tellEnd(run, declaration, finished, { collector, log, isLogNews, commands });
}

/**
 * The domain says where it stopped; what became of the work, the reason given with the signal.
 *
 * @param namedLog named on the command line, and there: the same command would be refused for it
 */
function interruptionOf(thrown: unknown, reason: unknown, namedLog: string | undefined): unknown {
  const told = isWsusutilError(thrown, 'INTERRUPTED') ? thrown : reason;
  if (!isWsusutilError(told) || !isWsusutilError(reason)) return told;
  if (told !== reason && told.hint !== undefined) return told;
  return new WsusutilError('INTERRUPTED', told.message, {
    hint:
      namedLog === undefined
        ? reason.hint
        : `Nothing half-finished was left behind. To start over, run the command again with another name for the log: ${namedLog} stays.`,
    details: told.details,
    cause: told,
  });
}

/**
 * Lets events through, except that the news of a created data directory waits for the start sentence, which comes
 * first wherever both are shown; a command that has no such sentence does not keep it waiting.
 */
function createGate(
  declaration: CommandDeclaration,
  pass: (event: ProgressEvent) => void,
): { report: (event: ProgressEvent) => void; release: () => void } {
  const waiting: ProgressEvent[] = [];
  let isOpen = declaration.logPositional === undefined;
  const release = () => {
    isOpen = true;
    for (const event of waiting.splice(0)) pass(event);
  };
  return {
    release,
    report(event) {
      if (!isOpen && event.type === 'warning' && event.code === 'DATA_DIRECTORY_CREATED') {
        waiting.push(event);
        return;
      }
      release();
      pass(event);
    },
  };
}

/** Names of what a run may touch, worked out before anything is. Absolute paths. */
interface Place {
  readonly dataDirectoryPath: string;
  readonly log: { readonly path: string; readonly isNamed: boolean } | undefined;
}

async function locate(
  { process, globals, platform, env }: Run,
  declaration: CommandDeclaration,
  input: AnyCommandInput,
  startedAt: Date,
): Promise<Place> {
  const { resolveDataDirectory } = await import('./platform/paths.js');
  const dataDirectoryPath = resolveDataDirectory(globals.dataDirectory, {
    platform,
    env,
    workingDirectory: process.cwd(),
  });
  const pathOf = (name: string | undefined): string | undefined => {
    const value = name === undefined ? undefined : input.positionals[name];
    return typeof value === 'string' ? resolve(process.cwd(), value) : undefined;
  };
  const namedLog = pathOf(declaration.logPositional);
  const paths = declaration.positionals.flatMap((spec) => {
    const path = pathOf(spec.name);
    return spec.name === declaration.logPositional || spec.kind === 'text' || path === undefined
      ? []
      : [{ ...spec, path }];
  });
  if (namedLog !== undefined || paths.length > 0) {
    const [{ refuseBadTargets }, { writeError }, { openError, refuseOtherThanFile }] = await Promise.all([
      import('./cli/targets.js'),
      import('./platform/atomic-file.js'),
      import('./platform/file-source.js'),
    ]);
    refuseBadTargets({
      platform,
      errorOf: { reading: openError, writing: writeError },
      refuseOtherThanFile,
      logPath: namedLog,
      takesLog: declaration.logPositional !== undefined,
      targetPath: pathOf(declaration.targetPositional),
      otherPaths: paths,
      inputPaths: paths
        .filter(
          ({ name, kind, required }) => required && kind === 'file' && name !== declaration.targetPositional,
        )
        .map(({ path }) => path),
    });
  }
  let log: Place['log'];
  if (namedLog !== undefined) log = { path: namedLog, isNamed: true };
  else if (input.options['dry-run'] === true && !existsSync(dataDirectoryPath)) {
    log = undefined; // a dry run does not create the folder its log would lie in
  } else if (writesLog(declaration)) {
    const { logsPathOf } = await import('./settings/data-directory.js');
    const { freeLogPath } = await import('./cli/log-opening.js');
    const path = freeLogPath(logsPathOf(dataDirectoryPath), declaration.name, startedAt);
    log = { path, isNamed: false };
  }
  return { dataDirectoryPath, log };
}

function writesLog({ logPositional, isSetup }: CommandDeclaration): boolean {
  return logPositional !== undefined || isSetup === true;
}

interface Tools {
  readonly now: () => Date;
  readonly toolVersion: string;
  readonly report: (event: ProgressEvent) => void;
}

async function createLog(
  run: Run,
  declaration: CommandDeclaration,
  input: AnyCommandInput,
  place: Place,
  { now, toolVersion, report }: Tools,
): Promise<LogFile | undefined> {
  const { log } = place;
  if (log === undefined) return undefined;
  const { createLogFile } = await import('./cli/log-file.js');
  const { inputLines, removeOldLogs } = await import('./cli/log-opening.js');
  const { writeError } = await import('./platform/atomic-file.js');
  const { makeDirectory } = await import('./platform/make-directory.js');
  const { createDataDirectory } = await import('./settings/create-data-directory.js');
  const warn = (error: unknown) => {
    report({
      type: 'warning',
      code: 'LOG_NOT_WRITTEN',
      message: `The log ${log.path} is not written: ${writeError(error, log.path).message}`,
    });
  };
  const opening = [
    `wsusutil ${toolVersion}: ${declaration.name}`,
    ...(declaration.needsDataDirectory ? [`data directory: ${place.dataDirectoryPath}`] : []),
    ...inputLines(declaration, input, run.process.cwd()),
  ];
  return createLogFile({
    path: log.path,
    now,
    opening,
    prepare() {
      if (log.isNamed) return;
      makeDataDirectory(declaration, place, createDataDirectory, report);
      makeDirectory(dirname(log.path));
      const removed = removeOldLogs(dirname(log.path), now());
      if (removed > 0) opening.push(`Removed logs of more than a year ago: ${removed}`);
    },
    onCreateFailed(error) {
      const problem = writeError(error, log.path);
      // A log the operator asked for by name must be there; only a full disk is no reason to stop.
      if (log.isNamed && problem.code !== 'DISK_FULL') throw problem;
      warn(problem);
    },
    onWriteFailed: warn,
  });
}

function createContext(
  run: Run,
  declaration: CommandDeclaration,
  place: Place,
  log: LogFile | undefined,
  {
    now,
    toolVersion,
    report,
    openStores,
    onAnnounced,
  }: Tools & { readonly openStores: Set<MetadataStore>; readonly onAnnounced: () => void },
): CommandContext {
  const { globals, manual, stdout, signal } = run;
  const processors = availableParallelism();
  const dataDirectory = async (): Promise<DataDirectory> => {
    if (!declaration.needsDataDirectory) {
      throw new Error(`${declaration.name} declares that it needs no data directory`);
    }
    log?.begin();
    const { isDirectory } = await import('./platform/paths.js');
    const { readDataDirectory } = await import('./settings/data-directory.js');
    if (!isDirectory(place.dataDirectoryPath)) {
      const { createDataDirectory } = await import('./settings/create-data-directory.js');
      makeDataDirectory(declaration, place, createDataDirectory, report);
    }
    return readDataDirectory(place.dataDirectoryPath);
  };
  const openForWriting = async (directory: DataDirectory): Promise<MetadataStore> => {
    const [{ acquireWriterLock }, { openMetadataStore }] = await Promise.all([
      import('./platform/writer-lock.js'),
      import('./store/open-store.js'),
    ]);
    const lock = await acquireWriterLock(directory.lockPath, { command: declaration.name, now, signal });
    try {
      const store: MetadataStore = await openMetadataStore(directory.storePath, {
        mode: 'write',
        now,
        onClose: async () => {
          openStores.delete(store);
          await lock.release();
        },
      });
      return store;
    } catch (error) {
      await lock.release();
      throw error;
    }
  };
  return {
    signal,
    now,
    report,
    toolVersion,
    threads: processors > 1 ? MAX_THREADS : 0,
    threadsBeside: Math.min(MAX_THREADS, processors - 1),
    processors,
    logPath: log === undefined ? undefined : place.log?.path,
    manual,
    secrets: createSecretInput(run),
    terminal: createTerminalInput(run),
    machine: () => describeMachine(run),
    dataDirectory,
    async findDataDirectory() {
      const { findDataDirectory } = await import('./settings/data-directory.js');
      return findDataDirectory(place.dataDirectoryPath);
    },
    async hasStore() {
      if (!existsSync(place.dataDirectoryPath)) return false;
      const { readDataDirectory } = await import('./settings/data-directory.js');
      return existsSync((await readDataDirectory(place.dataDirectoryPath)).storePath);
    },
    async openStore(mode) {
      const directory = await dataDirectory();
      if (mode === 'write') {
        const store = await openForWriting(directory);
        openStores.add(store);
        return store;
      }
      // First use: an empty store is a store, not an error.
      if (!existsSync(directory.storePath)) await (await openForWriting(directory)).close();
      const { isOldStore, openMetadataStore } = await import('./store/open-store.js');
      const openToRead = async () => {
        const store: MetadataStore = await openMetadataStore(directory.storePath, {
          mode: 'read',
          now,
          onClose: async () => {
            openStores.delete(store);
          },
        });
        return store;
      };
      const store = await openToRead().catch(async (error: unknown) => {
        if (!isOldStore(error)) throw error;
        await (await openForWriting(directory)).close(); // brings it forward
        return openToRead();
      });
      openStores.add(store);
      return store;
    },
    announce(line) {
      if (!wantsDocument(run) && !globals.quiet) void stdout.write(`${line}\n`);
      log?.line(line);
      onAnnounced();
    },
  };
}

/** Touches standard input only when something is asked for: to look at it would keep the process waiting. */
async function openTerminal({ process, stderr, signal }: Run) {
  const { Readable } = await import('node:stream');
  const input = process.stdin ?? Readable.from([]);
  return { input, prompt: (text: string) => void stderr.write(text), signal };
}

function createSecretInput(run: Run): SecretInput {
  const open = async () => {
    const { openSecretInput } = await import('./platform/secret-input.js');
    return openSecretInput({ ...(await openTerminal(run)), env: run.process.env });
  };
  return {
    ask: async (question) => (await open()).ask(question),
    fromVariable: async (name) => (await open()).fromVariable(name),
    fromFile: async (path) => (await open()).fromFile(path),
  };
}

function createTerminalInput(run: Run): TerminalInput {
  const open = async () => {
    const { openTerminalInput } = await import('./platform/terminal-input.js');
    return openTerminalInput(await openTerminal(run));
  };
  return {
    isInteractive: async () => (await open()).isInteractive,
    confirm: async (question) => (await open()).confirm(question),
  };
}

function makeDataDirectory(
  declaration: CommandDeclaration,
  { dataDirectoryPath }: Place,
  create: (path: string) => boolean,
  report: (event: ProgressEvent) => void,
): void {
  if (!create(dataDirectoryPath)) return;
  const message = `Created the data directory ${dataDirectoryPath}`;
  if (declaration.isSetup === true) report({ type: 'step', message });
  else report({ type: 'warning', code: 'DATA_DIRECTORY_CREATED', message });
}

/** Texts made from all declarations. */
function createManual(commands: readonly CommandEntry[]): Manual {
  const names = commands.map((each) => each.name);
  return {
    async help(words) {
      const { commandHelp, exitCodesHelp, groupHelp, HELP_TOPICS, overviewHelp } = await import(
        './cli/help.js'
      );
      if (words.length === 0) return overviewHelp(commands);
      const topic = words.join(' ');
      const wanted = topic.toLowerCase();
      if (wanted === 'exit-codes') return exitCodesHelp();
      const entry = commands.find((each) => each.name === wanted);
      if (entry !== undefined) return commandHelp(await entry.load(), commands);
      const groups = groupsOf(names);
      if (groups.includes(wanted)) return groupHelp(wanted, commands);
      const most = groups.includes((words[0] as string).toLowerCase()) ? 2 : 1;
      if (words.length > most) {
        throw usageError(`unexpected argument "${words[most]}": help explains one command at a time`);
      }
      throw unknownCommand(topic, names, HELP_TOPICS);
    },
    async completion(shell) {
      const { completionScript, SHELLS } = await import('./cli/completion.js');
      const known = SHELLS.find((each) => each === shell);
      if (known === undefined) throw new Error(`unknown shell ${shell}`);
      return completionScript(known, await Promise.all(commands.map((entry) => entry.load())));
    },
  };
}

async function describeMachine({ platform, env, process }: Run): Promise<Machine> {
  const { resolveDataDirectory } = await import('./platform/paths.js');
  const { uid, username } = userInfo();
  const { XDG_CONFIG_HOME: config, USERDOMAIN: domain } = env;
  return {
    platform,
    nodePath: execPath,
    scriptPath: fileURLToPath(new URL('../bin/wsusutil.js', import.meta.url)),
    usualDataDirectory: resolveDataDirectory(undefined, {
      platform,
      env: { ...env, WSUSUTIL_HOME: undefined },
      workingDirectory: process.cwd(),
    }),
    unitFolders: {
      system: '/etc/systemd/system',
      user: join(
        config !== undefined && isAbsolute(config) ? config : join(homedir(), '.config'),
        'systemd',
        'user',
      ),
    },
    hasSystemd: existsSync('/run/systemd/system'), // sd_booted(3)
    userId: uid < 0 ? undefined : uid,
    userName: platform === 'win32' && domain !== undefined ? `${domain}\\${username}` : username,
  };
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
