/** One command line in the languages of those who start it. All paths are absolute. */
import { WsusutilError } from '../../errors.js';

/** What a timer starts. */
export interface ScheduledCommand {
  readonly nodePath: string;
  readonly scriptPath: string;
  readonly dataDirectory: string;
}

/** Program and arguments. */
export function argumentsOf({ nodePath, scriptPath, dataDirectory }: ScheduledCommand): readonly string[] {
  const words = [nodePath, scriptPath, 'sync', '--scheduled', '--data-dir', dataDirectory];
  for (const word of words) {
    // A line break would end a cron line, and begin another one of somebody else's choosing.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(word)) {
      throw new WsusutilError(
        'SAFETY_REFUSED',
        `The path ${JSON.stringify(word)} holds a control character; it cannot stand in a timer`,
        { hint: 'Rename the folder.' },
      );
    }
  }
  return words;
}

/**
 * `ExecStart=` and lists of paths (systemd.syntax, systemd.service "Command lines").
 *
 * @param isArgument false: the program itself, or a path of a setting; variables are not looked for there
 */
export function quoteForSystemd(word: string, isArgument = true): string {
  const specified = word.replaceAll('%', '%%');
  const text = isArgument ? specified.replaceAll('$', '$$$$') : specified; // "$$" in a replacement is one "$"
  if (/^[\w@%+=:,./$-]+$/.test(text) && text !== ';') return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A POSIX shell. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What CommandLineToArgvW takes apart again: backslashes count only before a quotation mark. */
export function quoteForWindows(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  return `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
