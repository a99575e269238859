import type { ProgressEvent } from '../events.js';
import type { Edge } from './edge.js';
import type { OutputStream } from './output.js';
import { wantsUnicode } from './paint.js';
import type { Reporter } from './reporter.js';

/**
 * Draws events where people or scripts follow the run.
 *
 * @param hasLog the end of the log is written when this is closed, and that may fail: what says so must be at hand
 */
export async function createEdgeReporter(
  edge: Edge,
  barStream: OutputStream,
  hasLog: boolean,
): Promise<Reporter> {
  const { globals, stdout, stderr, paint, platform, env } = edge;
  const clock = () => performance.now();
  if (globals.jsonEvents) {
    const { createJsonReporter } = await import('./json-reporter.js');
    return createJsonReporter(stdout, clock);
  }
  if (globals.json) {
    const { silentReporter } = await import('./reporter.js');
    return silentReporter;
  }
  const load = async () => {
    const { createProgressBar, createTerminalReporter } = await import('./terminal-reporter.js');
    const hasBar = stderr.isTerminal && !globals.quiet && env.TERM !== 'dumb';
    return createTerminalReporter({
      output: stderr,
      bar: hasBar ? await createProgressBar(barStream) : undefined,
      clock,
      paint,
      unicode: wantsUnicode(platform, env),
      quiet: globals.quiet,
      verbose: globals.verbose,
    });
  };
  return hasLog ? load() : deferred(load);
}

/** Loaded when there is something to draw: commands that only read say nothing, and are to be quick. */
function deferred(load: () => Promise<Reporter>): Reporter {
  const waiting: ProgressEvent[] = [];
  let reporter: Reporter | undefined;
  let loading: Promise<void> | undefined;
  const start = async () => {
    reporter = await load();
    for (const event of waiting.splice(0)) reporter.report(event);
  };
  return {
    report(event) {
      if (reporter !== undefined) {
        reporter.report(event);
        return;
      }
      waiting.push(event);
      loading ??= start();
      loading.catch(() => {}); // told by `close`
    },
    async close() {
      await loading;
      await reporter?.close();
    },
  };
}
