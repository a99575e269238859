/**
 * The text log of a run: `2026-11-20T12:34:56Z message`, one step per line, UTC. Each line goes to the operating
 * system at once, so a killed run leaves behind what it said.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { ProgressEvent } from '../events.js';
import type { Reporter } from './reporter.js';
import { formatCount, neutralize, redact } from './text.js';

export interface LogFile extends Reporter {
  /** False until something has been said: a refusal before that leaves no file behind. */
  readonly hasBegun: boolean;
  readonly path: string;
  /** the file could be created: it is worth looking into */
  readonly isThere: boolean;
  /** Creates the file with its opening lines. A second call does nothing. */
  begin(): void;
  line(message: string): void;
}

export interface LogFileOptions {
  readonly path: string;
  readonly now: () => Date;
  /** the first lines: version, command, options */
  readonly opening: readonly string[];
  /** Makes the folder and throws if that fails. Called before the file is created. */
  readonly prepare: () => void;
  /** Decides by throwing whether a log that cannot be created ends the run. */
  readonly onCreateFailed: (error: unknown) => void;
  /** Called once when writing fails later; the run goes on without its log. */
  readonly onWriteFailed: (error: unknown) => void;
}

/** Opens nothing yet; see `begin`. */
export function createLogFile(options: LogFileOptions): LogFile {
  const { path, now, opening, prepare, onCreateFailed, onWriteFailed } = options;
  let descriptor: number | undefined;
  let hasBegun = false;
  let isThere = false;

  const line = (message: string) => {
    begin();
    if (descriptor === undefined) return;
    const text = `${now().toISOString().replace(/\.\d+/, '')} ${neutralize(redact(message))}\n`;
    try {
      writeFully(descriptor, Buffer.from(text));
    } catch (error) {
      close();
      onWriteFailed(error);
    }
  };

  const begin = () => {
    if (hasBegun) return;
    hasBegun = true;
    try {
      prepare();
      descriptor = openSync(path, 'wx', 0o644);
      isThere = true;
    } catch (error) {
      onCreateFailed(error);
      return;
    }
    for (const each of opening) line(each);
  };

  const close = () => {
    if (descriptor === undefined) return;
    const open = descriptor;
    descriptor = undefined;
    try {
      closeSync(open);
    } catch (error) {
      onWriteFailed(error);
    }
  };

  return {
    path,
    get hasBegun() {
      return hasBegun;
    },
    get isThere() {
      return isThere;
    },
    begin,
    line,
    report(event) {
      const text = logText(event);
      if (text !== undefined) line(text);
    },
    close,
  };
}

/** What the log says about an event; undefined: nothing, as for each step of a progress bar. */
function logText(event: ProgressEvent): string | undefined {
  switch (event.type) {
    case 'stage-started':
      return `${event.stage} started${event.total === undefined ? '' : `: ${formatCount(event.total)} ${event.unit}`}`;
    case 'stage-finished':
      return `${event.stage} finished: ${formatCount(event.done)}`;
    case 'warning':
      return `Warning [${event.code}]: ${event.message}`;
    case 'step':
      return event.message;
    case 'progress':
      return undefined;
  }
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(descriptor, bytes, written);
}
