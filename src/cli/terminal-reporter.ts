import type { WarningCode } from '../events.js';
import type { Output, OutputStream } from './output.js';
import type { Paint } from './paint.js';
import { progressBarText, progressText, StageMeter } from './progress.js';
import type { Reporter } from './reporter.js';
import { cut, formatCount, neutralize, redact } from './text.js';

/** Elsewhere than on a terminal: one line every five seconds. */
const PLAIN_EVERY_MS = 5_000;
/** A stage shorter than this gets no bar; it would only flicker. */
const BAR_AFTER_MS = 300;
const REDRAWS_PER_SECOND = 8;
/** Columns left free behind the bar: a terminal shows `^C` there, which must not push the cursor to the next line. */
const ECHO_WIDTH = 3;
/** Of each kind so many warnings are shown; the rest is counted, and is in the log. */
const WARNINGS_SHOWN_PER_CODE = 20;

/** The line that is drawn over and over on a terminal. */
export interface ProgressBar {
  /** @param line asked for the text at each redraw */
  show(line: () => string): void;
  /** Takes the line away again. */
  hide(): void;
}

export interface TerminalReporterOptions {
  /** standard error */
  readonly output: Output;
  /** undefined: not a terminal, so plain lines now and then */
  readonly bar: ProgressBar | undefined;
  /** milliseconds that never go back */
  readonly clock: () => number;
  readonly paint: Paint;
  readonly unicode: boolean;
  /** no progress; warnings only counted */
  readonly quiet: boolean;
  /** steps too */
  readonly verbose: boolean;
}

/** Progress, warnings and, when asked for, steps on standard error. */
export function createTerminalReporter(options: TerminalReporterOptions): Reporter {
  const { output, bar, clock, paint, unicode, quiet, verbose } = options;
  const warningCounts = new Map<WarningCode, number>();
  let meter: StageMeter | undefined;
  let stageStartedMs = 0;
  let lastPlainMs = clock();
  let isBarShown = false;
  let isClosed = false;

  const say = (line: string) => {
    if (isBarShown) bar?.hide();
    isBarShown = false;
    void output.write(`${line}\n`);
  };

  return {
    report(event) {
      switch (event.type) {
        case 'stage-started':
          if (isBarShown) bar?.hide();
          isBarShown = false;
          meter = new StageMeter(event, clock);
          stageStartedMs = clock();
          return;
        case 'progress': {
          meter?.update(event);
          // What was under way when the run was interrupted may still tell of itself, behind the error.
          if (quiet || isClosed || meter === undefined) return;
          const current = meter;
          if (bar !== undefined) {
            if (isBarShown || clock() - stageStartedMs < BAR_AFTER_MS) return;
            isBarShown = true;
            bar.show(() => progressBarText(current.read(), output.width - ECHO_WIDTH, unicode));
          } else if (clock() - lastPlainMs >= PLAIN_EVERY_MS) {
            lastPlainMs = clock();
            say(progressText(current.read()));
          }
          return;
        }
        case 'stage-finished':
          if (isBarShown) bar?.hide();
          isBarShown = false;
          meter = undefined;
          return;
        case 'warning': {
          const count = (warningCounts.get(event.code) ?? 0) + 1;
          warningCounts.set(event.code, count);
          if (quiet || count > WARNINGS_SHOWN_PER_CODE) return;
          const message = neutralize(redact(event.message));
          say(`${paint.warning('warning:')} ${message} ${paint.dim(`[${event.code}]`)}`);
          return;
        }
        case 'step':
          if (verbose || (event.isNews === true && !quiet)) say(paint.dim(neutralize(redact(event.message))));
      }
    },
    close() {
      isClosed = true;
      if (isBarShown) bar?.hide();
      isBarShown = false;
      if (quiet) {
        const total = [...warningCounts.values()].reduce((sum, each) => sum + each, 0);
        if (total > 0) say(`${formatCount(total)} ${total === 1 ? 'warning' : 'warnings'}`);
        return;
      }
      for (const [code, count] of warningCounts) {
        const more = count - WARNINGS_SHOWN_PER_CODE;
        if (more > 0)
          say(`${paint.warning('warning:')} and ${formatCount(more)} more ${paint.dim(`[${code}]`)}`);
      }
    },
  };
}

/** A bar on a terminal, by cli-progress, which also takes care of when to redraw. */
export async function createProgressBar(stream: OutputStream): Promise<ProgressBar> {
  const { default: cliProgress } = await import('cli-progress');
  let line = () => '';
  const bar = new cliProgress.SingleBar({
    stream,
    format: () => cut(line(), Math.max(1, (stream.columns ?? 80) - ECHO_WIDTH)),
    fps: REDRAWS_PER_SECOND,
    clearOnComplete: true,
    hideCursor: false, // a killed process could not bring it back
    linewrap: true,
    gracefulExit: false, // main() handles the signals
    forceRedraw: true,
  });
  return {
    show(text) {
      line = text;
      bar.start(1, 0);
    },
    hide() {
      bar.stop();
    },
  };
}
