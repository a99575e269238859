/** What stands at the top of a log; the name of a log that nobody named, and how long such a log stays. */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CommandDeclaration } from '../commands/declaration.js';
import type { AnyCommandInput } from './parse-argv.js';

/**
 * `import-20261120T123456Z.log`, `content-copy-20261120T123456Z.log`; with a number if a run in the same second took
 * the name.
 */
export function freeLogPath(logsPath: string, command: string, startedAt: Date): string {
  const stamp = startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const stem = command.replaceAll(' ', '-');
  for (let attempt = 1; ; attempt++) {
    const path = join(logsPath, `${stem}-${stamp}${attempt === 1 ? '' : `-${attempt}`}.log`);
    if (!existsSync(path)) return path;
  }
}

/** A name that {@link freeLogPath} gives; whatever else lies in the folder is somebody's own. */
const OWN_LOG = /^[a-z]+(?:-[a-z]+)*-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:-\d+)?\.log$/;
const LOG_AGE_MS = 365 * 86_400_000;
/** The newest logs stay whatever their age: a clock that is far ahead must not take them all. */
const MIN_LOGS_KEPT = 100;

/**
 * Removes logs with names of {@link freeLogPath} that are more than a year old by name and by last change, but for the
 * newest hundred. Never throws: a log that cannot be removed is in nobody's way.
 *
 * @returns how many went
 */
export function removeOldLogs(logsPath: string, now: Date): number {
  let removed = 0;
  try {
    const before = now.getTime() - LOG_AGE_MS;
    const own = readdirSync(logsPath)
      .flatMap((name) => {
        const startedAt = startOf(name);
        return startedAt === undefined ? [] : [{ path: join(logsPath, name), startedAt }];
      })
      .sort((a, b) => b.startedAt - a.startedAt);
    for (const { path, startedAt } of own.slice(MIN_LOGS_KEPT)) {
      if (startedAt >= before) continue;
      const facts = lstatSync(path);
      if (!facts.isFile() || facts.mtimeMs >= before) continue;
      rmSync(path);
      removed++;
    }
  } catch {
    // What is left goes another time.
  }
  return removed;
}

function startOf(name: string): number | undefined {
  const [, year, month, day, hour, minute, second] = OWN_LOG.exec(name) ?? [];
  if (year === undefined) return undefined;
  const startedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(startedAt) ? undefined : startedAt;
}

/** What the command was given, one line each; secrets by name only. */
export function inputLines(
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
