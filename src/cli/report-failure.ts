import { isWsusutilError } from '../errors.js';
import type { Paint } from './paint.js';
import { neutralize, redact } from './text.js';

/** A chain of causes longer than this is cut. */
const MAX_CAUSES = 8;

/** The `error` of a result document. Plain JSON values, credentials removed. */
export interface FailureDocument {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What scripts are told about a failure; a defect of ours has the code `INTERNAL`. */
export function describeFailure(error: unknown): FailureDocument {
  if (!isWsusutilError(error)) {
    return { code: 'INTERNAL', message: redact(textOf(error)), hint: DEFECT_HINT };
  }
  return {
    code: error.code,
    message: redact(error.message),
    ...(error.hint === undefined ? {} : { hint: redact(error.hint) }),
    ...(error.details === undefined ? {} : { details: redactValues(error.details) }),
  };
}

const DEFECT_HINT =
  'This is a defect of wsusutil. Please report it with the output of the same command with --verbose.';

/**
 * What people are told about a failure: one line, one line of advice; with `verbose` the chain of causes, and
 * for a defect of ours the stack. `summary` stands for a message that has been said already.
 */
export function failureLines(
  error: unknown,
  options: { verbose: boolean; paint: Paint; summary?: string | undefined },
): string[] {
  const { paint, verbose } = options;
  const failure = describeFailure(error);
  const { code, hint } = failure;
  const message = options.summary ?? failure.message;
  const lines = [`${paint.error('error:')} ${neutralize(message)} ${paint.dim(`[${code}]`)}`];
  if (hint !== undefined) lines.push(`${paint.bold('hint:')} ${neutralize(hint)}`);
  if (!verbose) return lines;
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause !== undefined && depth < MAX_CAUSES; depth++) {
    lines.push(paint.dim(`caused by: ${neutralize(redact(textOf(cause)))}`));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (!isWsusutilError(error) && error instanceof Error && error.stack !== undefined) {
    lines.push(...error.stack.split('\n').map((line) => paint.dim(neutralize(redact(line)))));
  }
  return lines;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}

function redactValues(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(details, (_key, value: unknown) => {
      if (typeof value === 'string') return redact(value);
      return typeof value === 'bigint' ? value.toString() : value;
    }),
  ) as Record<string, unknown>;
}
