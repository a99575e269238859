/** The last words of a run: its results, the end of its log, the result document, what went wrong. */
import type { CommandDeclaration } from '../commands/declaration.js';
import type { CommandEntry } from '../commands/index.js';
import type { Outcome } from '../commands/outcome.js';
import { errorText, isWsusutilError, WsusutilError } from '../errors.js';
import { type Edge, wantsDocument, writeDocument } from './edge.js';
import { type ExitCode, exitCodeOf } from './exit-codes.js';
import type { WarningCollector } from './json-reporter.js';
import type { LogFile } from './log-file.js';
import { loadPaint, wantsUnicode } from './paint.js';
import { describeFailure, failureLines } from './report-failure.js';

/** How a command ended. */
export interface Finished {
  readonly exitCode: ExitCode;
  readonly outcome?: Outcome;
  /** with an outcome: the work is done, but it could not be printed */
  readonly error?: unknown;
}

/** Draws the outcome's views on standard output. */
export async function drawOutcome(edge: Edge, outcome: Outcome): Promise<void> {
  const { globals, stdout, stderr, platform, env } = edge;
  if (outcome.view === undefined) return;
  const [{ renderViews }, { neutralize }, paint] = await Promise.all([
    import('./render.js'),
    import('./text.js'),
    loadPaint({ isTerminal: stdout.isTerminal, noColor: globals.noColor, env }),
  ]);
  await renderViews('kind' in outcome.view ? [outcome.view] : outcome.view, stdout, {
    paint,
    unicode: wantsUnicode(platform, env),
    csv: globals.csv,
    onEmpty: globals.quiet ? undefined : (text) => void stderr.write(`${neutralize(text)}\n`),
  });
}

/** The end of a run whose results standard output did not take; what was done before stays done. */
export function unprinted(declaration: CommandDeclaration, finished: Finished, error: unknown): Finished {
  const exitCode = exitCodeOf(error);
  const { outcome } = finished;
  if (outcome?.logLine === undefined || !isWsusutilError(error)) return { exitCode, error };
  return {
    exitCode,
    outcome,
    error: new WsusutilError(error.code, `The result could not be printed: ${error.message}`, {
      hint:
        outcome.status === 'complete'
          ? `The ${declaration.name} itself is complete; it need not be run again.`
          : `The ${declaration.name} itself is finished, but something is missing or was refused.`,
      cause: error,
    }),
  };
}

/**
 * Ends the log, writes the result document, and says what failed.
 *
 * @returns the exit code: that of `finished`, or that of a document that could not be written
 */
export async function tellEnd(
  edge: Edge,
  declaration: CommandDeclaration,
  ended: Finished,
  {
    collector,
    log,
    isLogNews,
    commands,
  }: {
    readonly collector: WarningCollector;
    readonly log: LogFile | undefined;
    /** nobody has named the log yet, neither the operator nor the command */
    readonly isLogNews: boolean;
    readonly commands: readonly CommandEntry[];
  },
): Promise<ExitCode> {
  const { globals, stdout, stderr, paint } = edge;
  const endOfLog = log !== undefined && (log.hasBegun || ended.exitCode !== 2) ? log : undefined;
  if (endOfLog !== undefined) {
    for (const line of logEnding(ended)) endOfLog.line(line);
    endOfLog.close();
  }
  let finished = ended;
  if (wantsDocument(edge)) {
    try {
      await writeDocument(edge, resultDocument(declaration, ended, collector, endOfLog));
    } catch (error) {
      if (ended.error === undefined) finished = unprinted(declaration, ended, error);
    }
  }
  const { error, exitCode } = finished;
  if (isWsusutilError(error, 'USAGE')) {
    await tellUsage(edge, commands, declaration, error);
    return exitCode;
  }
  if (error !== undefined) {
    const isFatal = declaration.isSetup === true && exitCode === 1 && !wantsDocument(edge);
    if (isFatal) {
      await stdout.write(`Fatal Error: ${describeFailure(error).message}\n`);
      await stdout.flush().catch(() => {}); // the failure of the setup is what counts
    }
    const summary = isFatal ? `${declaration.name} failed` : undefined;
    await stderr.write(`${failureLines(error, { verbose: globals.verbose, paint, summary }).join('\n')}\n`);
  }
  const hasMore = error !== undefined || collector.warnings.length > 0;
  if (hasMore && isLogNews && endOfLog?.isThere === true && !wantsDocument(edge)) {
    await stderr.write(`Log: ${endOfLog.path}\n`);
  }
  return exitCode;
}

/** Scripts look at the last line: advice comes before it. */
function logEnding({ error, outcome }: Finished): string[] {
  if (outcome?.logLine !== undefined) return [outcome.logLine];
  if (error === undefined) return [`Finished: ${outcome?.status}`];
  const { code, message, hint } = describeFailure(error);
  return [...(hint === undefined ? [] : [`Hint: ${hint}`]), `Failed: ${code}: ${message}`];
}

function resultDocument(
  declaration: CommandDeclaration,
  { error, exitCode, outcome }: Finished,
  collector: WarningCollector,
  log: LogFile | undefined,
): Record<string, unknown> {
  const place = log?.isThere === true ? { logPath: log.path } : {};
  return {
    command: declaration.name,
    status: outcome !== undefined && error === undefined ? outcome.status : 'failed',
    exitCode,
    warnings: collector.warnings,
    ...(collector.omitted > 0 ? { warningsOmitted: collector.omitted } : {}),
    ...(error === undefined ? outcome?.result : { error: describeFailure(error), ...place }),
  };
}

/**
 * Arguments that were refused before anything was done.
 *
 * @param topic what they were meant for: a command, or the name of a group; undefined: not known
 */
export async function tellRefusal(
  edge: Edge,
  commands: readonly CommandEntry[],
  topic: CommandDeclaration | string | undefined,
  error: unknown,
): Promise<ExitCode> {
  const exitCode = exitCodeOf(error);
  if (wantsDocument(edge)) {
    await writeDocument(edge, {
      command: typeof topic === 'object' ? topic.name : null,
      status: 'failed',
      exitCode,
      warnings: [],
      error: describeFailure(error),
    }).catch(() => {}); // standard error says it too
  }
  if (isWsusutilError(error, 'USAGE')) await tellUsage(edge, commands, topic, error);
  else {
    const { globals, stderr, paint } = edge;
    await stderr.write(`${failureLines(error, { verbose: globals.verbose, paint }).join('\n')}\n`);
  }
  return exitCode;
}

/**
 * The first line and the help as in Microsoft's tool; the problem again at the end, because the help is longer
 * than a screen. After a word that nothing is known of, how the command is written stands for the help.
 */
async function tellUsage(
  { globals, stderr, paint }: Edge,
  commands: readonly CommandEntry[],
  topic: CommandDeclaration | string | undefined,
  error: unknown,
): Promise<void> {
  const { commandHelp, groupHelp, INCOMPLETE_PARAMETERS, overviewHelp, usageOf } = await import('./help.js');
  const { neutralize } = await import('./text.js');
  const failure = failureLines(error, { verbose: globals.verbose, paint });
  if (isWsusutilError(error) && error.details?.unknownWord !== undefined) {
    const place = typeof topic === 'object' && topic.name === 'help' ? undefined : topic;
    await stderr.write(`${[INCOMPLETE_PARAMETERS, usageOf(place), '', ...failure].join('\n')}\n`);
    return;
  }
  const help =
    typeof topic === 'string'
      ? groupHelp(topic, commands)
      : topic === undefined || topic.name === 'help'
        ? overviewHelp(commands)
        : commandHelp(topic, commands);
  const lines = [
    INCOMPLETE_PARAMETERS,
    neutralize(describeFailure(error).message),
    '',
    ...help,
    '',
    ...failure,
  ];
  await stderr.write(`${lines.join('\n')}\n`);
}

/** Help and version: lines on standard output, or a document with them. */
export async function tellLines(edge: Edge, command: string, lines: readonly string[]): Promise<ExitCode> {
  try {
    if (wantsDocument(edge)) {
      const text = lines.join('\n');
      await writeDocument(edge, { command, status: 'complete', exitCode: 0, warnings: [], text });
    } else {
      await edge.stdout.write(`${lines.join('\n')}\n`);
      await edge.stdout.flush();
    }
    return 0;
  } catch (error) {
    await edge.stderr.write(`error: ${errorText(error)}\n`);
    return exitCodeOf(error);
  }
}
