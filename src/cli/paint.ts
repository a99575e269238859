/** The few ways text is set off. Without colour each gives its text back. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  warning(text: string): string;
  error(text: string): string;
}

const same = (text: string): string => text;

export const plainPaint: Paint = { bold: same, dim: same, warning: same, error: same };

export interface ColourChoice {
  readonly isTerminal: boolean;
  readonly noColor: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `--no-color` and NO_COLOR win, then FORCE_COLOR, then: colours on a terminal that is not dumb. */
export function wantsColour({ isTerminal, noColor, env }: ColourChoice): boolean {
  if (noColor || (env.NO_COLOR !== undefined && env.NO_COLOR !== '')) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTerminal && env.TERM !== 'dumb';
}

/** Loads chalk only when something will be coloured. */
export async function loadPaint(choice: ColourChoice): Promise<Paint> {
  if (!wantsColour(choice)) return plainPaint;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { bold: chalk.bold, dim: chalk.dim, warning: chalk.yellow, error: chalk.red };
}

/** True when box-drawing characters and `…` will arrive as such. */
export function wantsUnicode(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (platform === 'win32') return env.WT_SESSION !== undefined || env.TERM_PROGRAM === 'vscode';
  if (env.TERM === 'linux') return false;
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return locale !== undefined && /utf-?8/i.test(locale);
}
