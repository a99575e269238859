/**
 * Composition root: reads argv, builds the one CommandContext, runs one command, draws its outcome and gives
 * back the exit code. Everything a run does not need is loaded on demand, so that `--help` starts quickly.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type ExitCode, exitCodeOf } from './cli/exit-codes.js';
import type { GlobalOptions } from './cli/global-options.js';
import type { LogFile } from './cli/log-file.js';
import { type Output, type OutputStream, openOutput } from './cli/output.js';
import { loadPaint, type Paint, wantsUnicode } from './cli/paint.js';
import { type AnyCommandInput, findCommand, scanTokens, unknownCommand } from './cli/parse-argv.js';
import type { Reporter } from './cli/reporter.js';
import type { CommandContext, DataDirectory, Manual } from './commands/context.js';
import type { CommandDeclaration } from './commands/declaration.js';
import { type CommandEntry, commands } from './commands/index.js';
import type { Outcome } from './commands/outcome.js';
import { errorText, isWsusutilError, WsusutilError } from './errors.js';
import type { ProgressEvent } from './events.js';
import type { MetadataStore } from './store/metadata-store.js';

/** What main() needs of Node's `process`; a test hands in its own. */
export interface ProcessLike {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  cwd(): string;
  on(event: NodeJS.Signals, listener: () => void): unknown;
  removeListener(event: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** More workers than this do not make SQLite faster. */
const MAX_THREADS = 8;

/** One run of the program, with what belongs to it. */
interface Run {
  readonly process: ProcessLike;
  readonly globals: GlobalOptions;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly paint: Paint;
  readonly signal: AbortSignal;
}

interface Finished {
  readonly exitCode: ExitCode;
  readonly outcome?: Outcome;
  readonly error?: unknown;
}

/** Runs the command argv names. Never throws; the caller sets the exit code. */
export async function main(process: ProcessLike): Promise<number> {
  const stdout = openOutput(process.stdout, 'standard output');
  const stderr = openOutput(process.stderr, 'standard error');
  const interruption = new AbortController();
  const onSignal = () => {
    if (interruption.signal.aborted) {
      void endNow(process, interruption.signal.reason);
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
    return await runArguments(process, stdout, stderr, interruption.signal);
  } finally {
    for (const signal of STOP_SIGNALS) process.removeListener(signal, onSignal);
    await stderr.flush().catch(() => {}); // there is nobody left to tell
  }
}

/** A second Ctrl-C: no waiting for the command to end by itself, but no half-written file either. */
async function endNow(process: ProcessLike, reason: unknown): Promise<void> {
  const { removeUnfinishedFiles } = await import('./platform/atomic-file.js');
  removeUnfinishedFiles();
  process.exit(exitCodeOf(reason));
}

async function runArguments(
  process: ProcessLike,
  stdout: Output,
  stderr: Output,
  signal: AbortSignal,
): Promise<number> {
  const tokens = process.argv.slice(2);
  const commandIndex = findCommand(tokens);
  const name = tokens[commandIndex];
  const rest = tokens.filter((_, index) => index !== commandIndex);
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
  const run: Run = { process, globals, stdout, stderr, paint, signal };

  if (scanned.wantsVersion) return printLines(run, 'version', [readVersion()]);
  const isHelp = scanned.wantsHelp || isPlainHelp;
  if (isHelp && scanned.problem === undefined && (name !== undefined || scanned.wantsHelp)) {
    const topic = entry?.name === 'help' ? scanned.positionals[0] : name;
    try {
      return await printLines(run, 'help', await manual.help(topic));
    } catch (error) {
      return await reportUsage(run, undefined, error);
    }
  }
  if (entry === undefined || declaration === undefined) {
    const { usageError } = await import('./cli/parse-argv.js');
    const unknown = scanned.forCommander.find((token) => token.startsWith('--') && token !== '--');
    const problem =
      name !== undefined
        ? unknownCommand(
            name,
            commands.map((each) => each.name),
          )
        : (scanned.problem ?? (unknown === undefined ? 'missing <command>' : `unknown option ${unknown}`));
    return reportUsage(run, undefined, usageError(problem));
  }
  let input: AnyCommandInput;
  try {
    const { parseInput } = await import('./cli/parse-argv.js');
    input = await parseInput(scanned, declaration);
  } catch (error) {
    return reportUsage(run, declaration, error);
  }
  return runCommand(run, declaration, input);
}

/** Runs one command and says how it went. */
async function runCommand(
  run: Run,
  declaration: CommandDeclaration,
  input: AnyCommandInput,
): Promise<ExitCode> {
  const { globals, stdout, signal } = run;
  const toolVersion = readVersion();
  const now = () => new Date();
  const speaks = !globals.json && !globals.jsonEvents;

  const reporters: Reporter[] = [];
  const report = (event: ProgressEvent): void => {
    for (const reporter of reporters) reporter.report(event);
  };
  const { createWarningCollector } = await import('./cli/json-reporter.js');
  const collector = createWarningCollector();
  reporters.push(collector, await createEdgeReporter(run));

  const openStores = new Set<MetadataStore>();
  let log: LogFile | undefined;
  let finished: Finished;
  try {
    const place = await locate(run, declaration, input, now());
    log = await createLog(run, declaration, input, place, { now, toolVersion, report });
    const context = createContext(run, declaration, place, log, {
      now,
      toolVersion,
      report,
      openStores,
    });
    if (log !== undefined) reporters.unshift(log);
    const outcome = await declaration.run(input as Parameters<CommandDeclaration['run']>[0], context);
    finished = { exitCode: outcome.status === 'complete' ? 0 : 3, outcome };
  } catch (thrown) {
    const error = signal.aborted && !isWsusutilError(thrown, 'INTERRUPTED') ? signal.reason : thrown;
    const usual = exitCodeOf(error);
    finished = {
      exitCode: declaration.isSetup === true && usual !== 2 && usual !== 130 ? 1 : usual,
      error,
    };
  }
  for (const reporter of reporters) if (reporter !== log) reporter.close();

  // Drawing comes before closing: a table may still be reading its rows from the store.
  try {
    if (finished.outcome !== undefined && speaks) await drawOutcome(run, finished.outcome);
    await stdout.flush();
  } catch (error) {
    finished = { exitCode: exitCodeOf(error), error };
  }
  for (const store of openStores) {
    await store.close().catch((error: unknown) => {
      if (finished.error === undefined) finished = { exitCode: exitCodeOf(error), error };
    });
  }
  await tellEnd(run, declaration, finished, collector, log);
  return finished.exitCode;
}

/** The last words: log line, result document, or the failure. */
async function tellEnd(
  run: Run,
  declaration: CommandDeclaration,
  finished: Finished,
  collector: import('./cli/json-reporter.js').WarningCollector,
  log: LogFile | undefined,
): Promise<void> {
  const { globals, stdout, stderr, paint } = run;
  const { describeFailure, failureLines } = await import('./cli/report-failure.js');
  const { error, exitCode, outcome } = finished;
  const failure = error === undefined ? undefined : describeFailure(error);
  if (log !== undefined && (log.hasBegun || exitCode !== 2)) {
    log.line(
      failure === undefined
        ? (outcome?.logLine ?? `Finished: ${outcome?.status}`)
        : `Failed: ${failure.code}: ${failure.message}`,
    );
    log.close();
  }
  if (globals.json || globals.jsonEvents) {
    const document = {
      ...(globals.jsonEvents ? { type: 'result' } : {}),
      command: declaration.name,
      status: outcome !== undefined && error === undefined ? outcome.status : 'failed',
      exitCode,
      warnings: collector.warnings,
      ...(collector.omitted > 0 ? { warningsOmitted: collector.omitted } : {}),
      ...(error === undefined ? outcome?.result : {}),
      ...(failure === undefined ? {} : { error: failure }),
    };
    await stdout.write(`${JSON.stringify(document, undefined, globals.jsonEvents ? undefined : 2)}\n`);
    await stdout.flush().catch(() => {});
  }
  if (error === undefined) return;
  if (isWsusutilError(error, 'USAGE')) {
    await tellUsage(run, declaration, error.message);
    return;
  }
  if (declaration.isSetup === true && exitCode === 1 && !globals.json && !globals.jsonEvents) {
    await stdout.write(`Fatal Error: ${failure?.message ?? errorText(error)}\n`);
    await stdout.flush().catch(() => {});
  }
  await stderr.write(`${failureLines(error, { verbose: globals.verbose, paint }).join('\n')}\n`);
}

/** Wrong arguments: what was wrong, then the command's help, on standard error; exit code 2. */
async function reportUsage(
  run: Run,
  declaration: CommandDeclaration | undefined,
  error: unknown,
): Promise<ExitCode> {
  const { globals, stdout, stderr, paint } = run;
  const { describeFailure, failureLines } = await import('./cli/report-failure.js');
  const exitCode = exitCodeOf(error);
  if (globals.json || globals.jsonEvents) {
    const document = {
      ...(globals.jsonEvents ? { type: 'result' } : {}),
      command: declaration?.name ?? null,
      status: 'failed',
      exitCode,
      warnings: [],
      error: describeFailure(error),
    };
    await stdout.write(`${JSON.stringify(document, undefined, globals.jsonEvents ? undefined : 2)}\n`);
  }
  if (isWsusutilError(error, 'USAGE')) await tellUsage(run, declaration, error.message);
  else await stderr.write(`${failureLines(error, { verbose: globals.verbose, paint }).join('\n')}\n`);
  return exitCode;
}

async function tellUsage(
  run: Run,
  declaration: CommandDeclaration | undefined,
  problem: string,
): Promise<void> {
  const { commandHelp, INCOMPLETE_PARAMETERS, overviewHelp } = await import('./cli/help.js');
  const { neutralize } = await import('./cli/text.js');
  const help =
    declaration === undefined || declaration.name === 'help'
      ? overviewHelp(commands)
      : commandHelp(declaration);
  await run.stderr.write(`${[INCOMPLETE_PARAMETERS, neutralize(problem), '', ...help].join('\n')}\n`);
}

async function printLines(run: Run, command: string, lines: readonly string[]): Promise<ExitCode> {
  const { globals, stdout, stderr } = run;
  if (globals.json || globals.jsonEvents) {
    const document = {
      ...(globals.jsonEvents ? { type: 'result' } : {}),
      command,
      status: 'complete',
      exitCode: 0,
      warnings: [],
      text: lines.join('\n'),
    };
    await stdout.write(`${JSON.stringify(document, undefined, globals.jsonEvents ? undefined : 2)}\n`);
  } else {
    await stdout.write(`${lines.join('\n')}\n`);
  }
  try {
    await stdout.flush();
    return 0;
  } catch (error) {
    await stderr.write(`error: ${errorText(error)}\n`);
    return exitCodeOf(error);
  }
}

async function drawOutcome(run: Run, outcome: Outcome): Promise<void> {
  const { process, globals, stdout } = run;
  if (outcome.view === undefined) return;
  const views = 'kind' in outcome.view ? [outcome.view] : outcome.view;
  const { renderViews } = await import('./cli/render.js');
  await renderViews(views, stdout, {
    paint: await loadPaint({
      isTerminal: stdout.isTerminal,
      noColor: globals.noColor,
      env: process.env,
    }),
    unicode: wantsUnicode(process.platform, process.env),
    csv: globals.csv,
  });
}

/** Draws events where people or scripts follow the run. */
async function createEdgeReporter(run: Run): Promise<Reporter> {
  const { process, globals, stdout, stderr, paint } = run;
  const clock = () => performance.now();
  if (globals.jsonEvents) {
    const { createJsonReporter } = await import('./cli/json-reporter.js');
    return createJsonReporter(stdout, clock);
  }
  if (globals.json) {
    const { silentReporter } = await import('./cli/reporter.js');
    return silentReporter;
  }
  const { createProgressBar, createTerminalReporter } = await import('./cli/terminal-reporter.js');
  const hasBar = stderr.isTerminal && !globals.quiet && process.env.TERM !== 'dumb';
  return createTerminalReporter({
    output: stderr,
    bar: hasBar ? await createProgressBar(process.stderr) : undefined,
    clock,
    paint,
    unicode: wantsUnicode(process.platform, process.env),
    quiet: globals.quiet,
    verbose: globals.verbose,
  });
}

/** Names of what a run may touch, worked out before anything is. Absolute paths. */
interface Place {
  readonly dataDirectoryPath: string;
  readonly log: { readonly path: string; readonly isNamed: boolean } | undefined;
}

async function locate(
  { process, globals }: Run,
  declaration: CommandDeclaration,
  input: AnyCommandInput,
  startedAt: Date,
): Promise<Place> {
  const { resolveDataDirectory } = await import('./platform/paths.js');
  const dataDirectoryPath = resolveDataDirectory(globals.dataDirectory, {
    platform: process.platform,
    env: process.env,
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
  const { refuseBadTargets } = await import('./cli/targets.js');
  refuseBadTargets({
    platform: process.platform,
    logPath: namedLog,
    targetPath: pathOf(declaration.targetPositional),
    otherPaths: paths,
    inputPaths: paths
      .filter(
        ({ name, kind, required }) => required && kind === 'file' && name !== declaration.targetPositional,
      )
      .map(({ path }) => path),
  });
  let log: Place['log'];
  if (namedLog !== undefined) log = { path: namedLog, isNamed: true };
  else if (declaration.logPositional !== undefined || declaration.isSetup === true) {
    const { logsPathOf } = await import('./settings/data-directory.js');
    const path = freeLogPath(logsPathOf(dataDirectoryPath), declaration.name, startedAt);
    log = { path, isNamed: false };
  }
  return { dataDirectoryPath, log };
}

/** `import-20261120T123456Z.log`, with a number if a run in the same second took the name. */
function freeLogPath(logsPath: string, command: string, startedAt: Date): string {
  const stamp = startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (let attempt = 1; ; attempt++) {
    const path = join(logsPath, `${command}-${stamp}${attempt === 1 ? '' : `-${attempt}`}.log`);
    if (!existsSync(path)) return path;
  }
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
  const { writeError } = await import('./platform/atomic-file.js');
  const { makeDirectory } = await import('./platform/make-directory.js');
  const { createDataDirectory } = await import('./settings/data-directory.js');
  const warn = (error: unknown) => {
    report({
      type: 'warning',
      code: 'LOG_NOT_WRITTEN',
      message: `The log ${log.path} is not written: ${writeError(error, log.path).message}`,
    });
  };
  return createLogFile({
    path: log.path,
    now,
    opening: [
      `wsusutil ${toolVersion}: ${declaration.name}`,
      ...(declaration.needsDataDirectory ? [`data directory: ${place.dataDirectoryPath}`] : []),
      ...inputLines(declaration, input, run.process.cwd()),
    ],
    prepare() {
      if (log.isNamed) return;
      makeDataDirectory(declaration, place, createDataDirectory, report);
      makeDirectory(dirname(log.path));
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

/** What the command was given, one line each; secrets by name only. */
function inputLines(
  declaration: CommandDeclaration,
  input: AnyCommandInput,
  workingDirectory: string,
): string[] {
  const lines: string[] = [];
  for (const { name, kind } of declaration.positionals) {
    const value = input.positionals[name];
    for (const each of typeof value === 'string' ? [value] : (value ?? [])) {
      lines.push(`${name}: ${kind === 'text' ? each : resolve(workingDirectory, each)}`);
    }
  }
  for (const [name, value] of Object.entries(input.options)) {
    if (value === false || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const isSecret = declaration.options[name]?.secret === true;
    const shown = value === true ? '' : isSecret ? ' (not logged)' : ` ${[value].flat().join(', ')}`;
    lines.push(`option --${name}${shown}`);
  }
  for (const [name, value] of Object.entries(input.assignments)) lines.push(`${name}=${value}`);
  return lines;
}

function createContext(
  run: Run,
  declaration: CommandDeclaration,
  place: Place,
  log: LogFile | undefined,
  { now, toolVersion, report, openStores }: Tools & { readonly openStores: Set<MetadataStore> },
): CommandContext {
  const { globals, stdout, signal } = run;
  const dataDirectory = async (): Promise<DataDirectory> => {
    if (!declaration.needsDataDirectory) {
      throw new Error(`${declaration.name} declares that it needs no data directory`);
    }
    log?.begin();
    const { createDataDirectory, readDataDirectory } = await import('./settings/data-directory.js');
    makeDataDirectory(declaration, place, createDataDirectory, report);
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
    threads: Math.min(MAX_THREADS, availableParallelism() - 1),
    logPath: log === undefined ? undefined : place.log?.path,
    manual,
    dataDirectory,
    async openStore(mode) {
      const directory = await dataDirectory();
      if (mode === 'write') {
        const store = await openForWriting(directory);
        openStores.add(store);
        return store;
      }
      // First use: an empty store is a store, not an error.
      if (!existsSync(directory.storePath)) await (await openForWriting(directory)).close();
      const { openMetadataStore } = await import('./store/open-store.js');
      const store: MetadataStore = await openMetadataStore(directory.storePath, {
        mode: 'read',
        now,
        onClose: async () => {
          openStores.delete(store);
        },
      });
      openStores.add(store);
      return store;
    },
    announce(line) {
      log?.line(line);
      if (!globals.json && !globals.jsonEvents && !globals.quiet) void stdout.write(`${line}\n`);
    },
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
const manual: Manual = {
  async help(topic) {
    const { commandHelp, exitCodesHelp, HELP_TOPICS, overviewHelp } = await import('./cli/help.js');
    if (topic === undefined) return overviewHelp(commands);
    const wanted = topic.toLowerCase();
    if (wanted === 'exit-codes') return exitCodesHelp();
    const entry = commands.find((each) => each.name === wanted);
    if (entry !== undefined) return commandHelp(await entry.load());
    const { usageError } = await import('./cli/parse-argv.js');
    throw usageError(unknownCommand(topic, [...commands.map((each) => each.name), ...HELP_TOPICS]));
  },
  async completion(shell) {
    const { completionScript, SHELLS } = await import('./cli/completion.js');
    const known = SHELLS.find((each) => each === shell);
    if (known === undefined) throw new Error(`unknown shell ${shell}`);
    return completionScript(known, await Promise.all(commands.map((entry: CommandEntry) => entry.load())));
  },
};

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
