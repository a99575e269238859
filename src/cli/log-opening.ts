/** What stands at the top of a log, and the name of a log that nobody named. */
import { existsSync } from 'node:fs';
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
