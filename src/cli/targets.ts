/** Refusals that come before anything is touched: names of the files a command reads or is about to create. */
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { WsusutilError } from '../errors.js';
import { usageError } from './parse-argv.js';

/** A log of such a name is a package, and the arguments were swapped. */
const PACKAGE_NAMES = /\.(cab|xml\.gz|tar)$/i;

export interface Targets {
  readonly platform: NodeJS.Platform;
  /** absolute; undefined: no log was named */
  readonly logPath: string | undefined;
  /** other paths on the command line that may be the same file as the log */
  readonly otherPaths: readonly { readonly name: string; readonly path: string }[];
  /** absolute path of the file the command creates */
  readonly targetPath: string | undefined;
  /** false: the command writes no log, so no advice is about one */
  readonly takesLog: boolean;
  /** absolute paths of files the command reads */
  readonly inputPaths: readonly string[];
  /** What the operating system said about a path, as an error for the operator. */
  readonly errorOf: {
    readonly reading: (error: unknown, path: string) => WsusutilError;
    readonly writing: (error: unknown, path: string) => WsusutilError;
  };
  /** Refuses what is there and is no file that could be read. */
  readonly refuseOtherThanFile: (facts: Stats, path: string) => void;
}

/**
 * @throws WsusutilError `USAGE` for a log named like a package or equal to another argument, `TARGET_EXISTS`,
 *   `INPUT_NOT_FOUND`, also for a folder; `READ_FAILED`, `READ_ONLY` or `WRITE_FAILED` for a path that cannot be looked at
 */
export function refuseBadTargets({
  platform,
  logPath,
  otherPaths,
  targetPath,
  takesLog,
  inputPaths,
  errorOf,
  refuseOtherThanFile,
}: Targets): void {
  if (logPath !== undefined) {
    for (const other of otherPaths) {
      if (sameFile(logPath, other.path, platform)) {
        throw usageError(
          `<${other.name}> and the log are the same file: ${logPath}`,
          'Give the log another name, or leave it out.',
        );
      }
    }
    const ending = PACKAGE_NAMES.exec(logPath)?.[0];
    if (ending !== undefined) {
      throw usageError(
        `the log "${logPath}" is named like a package (${ending}); the package comes first, then the log`,
        'Swap the two, or name the log something.log.',
      );
    }
  }
  for (const path of inputPaths) {
    const facts = lookAt(path, statSync, errorOf.reading);
    if (facts === undefined) {
      throw new WsusutilError('INPUT_NOT_FOUND', `There is no file ${path}`, {
        hint: takesLog ? 'Check the path; the package comes first, then the log.' : 'Check the path.',
        details: { path },
      });
    }
    refuseOtherThanFile(facts, path);
  }
  for (const path of [targetPath, logPath]) {
    if (path !== undefined && lookAt(path, lstatSync, errorOf.writing) !== undefined)
      throw targetExists(path);
  }
}

function targetExists(path: string): WsusutilError {
  return new WsusutilError('TARGET_EXISTS', `${path} already exists`, {
    hint: 'Choose a new name; an existing file is never overwritten.',
    details: { path },
  });
}

function lookAt(
  path: string,
  look: typeof statSync | typeof lstatSync,
  errorOf: Targets['errorOf']['reading'],
): Stats | undefined {
  try {
    return look(path, { throwIfNoEntry: false });
  } catch (error) {
    throw errorOf(error, path);
  }
}

function sameFile(one: string, other: string, platform: NodeJS.Platform): boolean {
  const [a, b] = [one, other].map((path) => {
    const real = realPath(path);
    return platform === 'win32' || platform === 'darwin' ? real.toLowerCase() : real;
  });
  return a === b;
}

/** The path with links resolved, as far as it exists. */
function realPath(path: string): string {
  const full = resolve(path);
  for (const [folder, rest] of [
    [full, ''],
    [dirname(full), basename(full)],
  ] as const) {
    try {
      return join(realpathSync(folder), rest);
    } catch {
      // Not there yet: its folder may be.
    }
  }
  return full;
}
