import type { ProgressEvent, WarningCode } from '../events.js';
import type { Output } from './output.js';
import type { Reporter } from './reporter.js';
import { redact } from './text.js';

const PROGRESS_EVERY_MS = 250;
/** Warnings beyond this are only counted in the result document; the log has them all. */
const MAX_WARNINGS_IN_RESULT = 1_000;

/**
 * `--json-events`: one JSON line per event on standard output. Progress comes at most four times a second; the
 * last of a stage is never left out.
 */
export function createJsonReporter(output: Output, clock: () => number): Reporter {
  let lastProgressMs = Number.NEGATIVE_INFINITY;
  let heldBack: ProgressEvent | undefined;
  const write = (event: ProgressEvent) => {
    const safe = 'message' in event ? { ...event, message: redact(event.message) } : event;
    void output.write(`${JSON.stringify(safe)}\n`);
  };
  return {
    report(event) {
      if (event.type === 'progress') {
        if (clock() - lastProgressMs < PROGRESS_EVERY_MS) {
          heldBack = event;
          return;
        }
        lastProgressMs = clock();
      } else if (event.type === 'stage-finished' && heldBack !== undefined) {
        write(heldBack);
      }
      heldBack = undefined;
      write(event);
    },
    close() {
      if (heldBack !== undefined) write(heldBack);
      heldBack = undefined;
    },
  };
}

/** The warnings of a run, for the result document. */
export interface WarningCollector extends Reporter {
  readonly warnings: readonly { readonly code: WarningCode; readonly message: string }[];
  /** how many came after the list was full */
  readonly omitted: number;
}

export function createWarningCollector(): WarningCollector {
  const warnings: { code: WarningCode; message: string }[] = [];
  let omitted = 0;
  return {
    warnings,
    get omitted() {
      return omitted;
    },
    report(event) {
      if (event.type !== 'warning') return;
      if (warnings.length < MAX_WARNINGS_IN_RESULT) {
        warnings.push({ code: event.code, message: redact(event.message) });
      } else omitted++;
    },
    close() {},
  };
}
