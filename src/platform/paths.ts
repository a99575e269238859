import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';

/** What decides where the data directory lies; handed in so that each platform's rule can be tested. */
export interface PathSurroundings {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** the user's home directory; the system's answer when left out */
  readonly home?: string;
}

/**
 * The data directory: `--data-dir`, else `WSUSUTIL_HOME`, else the platform's usual place. The superuser gets
 * the same rule, so that `sudo` is never needed and never silently works on other data than `WSUSUTIL_HOME`.
 *
 * @param fromOption value of `--data-dir`; relative to the working directory
 * @returns an absolute path; nothing is looked at or created
 */
export function resolveDataDirectory(
  fromOption: string | undefined,
  { platform, env, workingDirectory, home }: PathSurroundings,
): string {
  const path = platform === 'win32' ? win32 : posix;
  if (fromOption !== undefined) return path.resolve(workingDirectory, fromOption);
  const fromEnv = env.WSUSUTIL_HOME;
  if (fromEnv !== undefined && fromEnv !== '') return path.resolve(workingDirectory, fromEnv);
  const homePath = home ?? homedir();
  switch (platform) {
    case 'win32':
      return path.join(env.ProgramData ?? env.PROGRAMDATA ?? 'C:\\ProgramData', 'wsusutil');
    case 'darwin':
      return path.join(homePath, 'Library', 'Application Support', 'wsusutil');
    default: {
      // XDG Base Directory: a relative path in the variable is to be ignored.
      const xdg = env.XDG_DATA_HOME;
      return xdg !== undefined && path.isAbsolute(xdg)
        ? path.join(xdg, 'wsusutil')
        : path.join(homePath, '.local', 'share', 'wsusutil');
    }
  }
}

/** False also for what cannot be looked at. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}
