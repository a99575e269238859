import type { Report } from '../events.js';
import type { DataDirectory } from '../settings/data-directory.js';
import type { MetadataStore } from '../store/metadata-store.js';

export type { DataDirectory } from '../settings/data-directory.js';

/** What a command is handed. `main.ts` builds it once; tests build their own. */
export interface CommandContext {
  /** aborted by Ctrl-C; every long operation takes it */
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly report: Report;
  /** package version, e.g. `0.1.0` */
  readonly toolVersion: string;
  /** worker threads a heavy command may start; 0: do everything on this thread */
  readonly threads: number;
  /**
   * The same for a command whose own thread is busy all the time. 2026-11-22: with two beside it on two processors, an
   * import of 100,000 revisions took 4 % (`.cab`) to 13 % (`.xml.gz`) longer than with one: they take turns.
   */
  readonly threadsBeside: number;
  /** processors this process may use: as many threads read and hash content files */
  readonly processors: number;
  /** Resolves, and creates on first use (with a DATA_DIRECTORY_CREATED warning event). */
  dataDirectory(): Promise<DataDirectory>;
  /** Where it and its things lie; creates nothing, and takes settings that are not valid for the defaults. */
  findDataDirectory(): Promise<DataDirectory>;
  /** Whether there is a store already; creates nothing. */
  hasStore(): Promise<boolean>;
  /**
   * Opens the metadata store of the data directory, creating both on first use.
   * `write` holds the directory's writer lock until the store is closed.
   *
   * @throws WsusutilError `STORE_LOCKED`, `STORE_TOO_NEW`, `STORE_CORRUPT`
   */
  openStore(mode: 'read' | 'write'): Promise<MetadataStore>;
  /** A sentence for stdout right now (the real tool's start line); silent with --json and --quiet. */
  announce(line: string): void;
  /** Path of the log this run writes, if it writes one. */
  readonly logPath: string | undefined;
  /** Where passwords come from, which are never arguments; left out in tests that need none. */
  readonly secrets?: SecretInput;
  /** Whom to ask; left out in tests where nobody is there. */
  readonly terminal?: TerminalInput;
  /** What only the edge can write down about the program; left out in tests that need none of it. */
  readonly manual?: Manual;
  /** What timers must know; left out in tests that need none of it. */
  machine?(): Promise<Machine>;
}

/** This machine, who uses it, and how this program is started on it. All paths are absolute. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly nodePath: string;
  readonly scriptPath: string;
  /** data directory without `--data-dir` and `WSUSUTIL_HOME` */
  readonly usualDataDirectory: string;
  /** folders of systemd for units of an administrator, and of this user */
  readonly unitFolders: { readonly system: string; readonly user: string };
  /** systemd has started this machine */
  readonly hasSystemd: boolean;
  /** undefined on Windows */
  readonly userId: number | undefined;
  /** on Windows with the domain: `CORP\wsus` */
  readonly userName: string;
}

/** Each gives one line, not empty; no error holds any of it. `platform/secret-input.ts` says which there are. */
export interface SecretInput {
  /** Asks on a terminal without echo; elsewhere the one line that standard input holds. */
  ask(question: string): Promise<string>;
  fromVariable(name: string): Promise<string>;
  fromFile(path: string): Promise<string>;
}

/** Questions that are answered with yes or no. */
export interface TerminalInput {
  /** whether somebody sits at a terminal */
  isInteractive(): Promise<boolean>;
  confirm(question: string): Promise<boolean>;
}

/** Texts made from the declarations of all commands. */
export interface Manual {
  /**
   * Lines of help for a command, a group of commands or a topic.
   *
   * @param words its name, in any case; none: the overview
   * @throws WsusutilError `USAGE` for an unknown topic, or for words that are more than one
   */
  help(words: readonly string[]): Promise<readonly string[]>;
  /** A completion script for `bash`, `zsh`, `fish` or `powershell`. */
  completion(shell: string): Promise<string>;
}
