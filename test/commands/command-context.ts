/** A command run in this process, on a store of its own. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type {
  CommandContext,
  DataDirectory,
  Machine,
  SecretInput,
  TerminalInput,
} from '../../src/commands/context.js';
import type {
  AssignmentSpec,
  CommandDeclaration,
  OptionSpecs,
  PositionalSpec,
} from '../../src/commands/declaration.js';
import type { Outcome } from '../../src/commands/outcome.js';
import type { ProgressEvent } from '../../src/events.js';
import { defaultSettings, readSettings } from '../../src/settings/settings.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { NOW } from '../store/update-builder.js';

export interface CommandResult extends Outcome {
  readonly announced: readonly string[];
  readonly warnings: readonly string[];
}

/** Arguments as the command line gives them; options that are left out are false, undefined or an empty list. */
export interface GivenArguments {
  /** Ctrl-C */
  readonly signal?: AbortSignal;
  /** what is typed, in the environment, and in files */
  readonly secrets?: SecretInput;
  /** who is asked */
  readonly terminal?: TerminalInput;
  /** is handed every event */
  readonly onEvent?: (event: ProgressEvent) => void;
  readonly machine?: Machine;
  readonly assignments?: Readonly<Record<string, string>>;
  readonly positionals?: Readonly<Record<string, string | readonly string[]>>;
  readonly options?: Readonly<Record<string, string | boolean | readonly string[]>>;
}

/** Runs a command on the store at `storePath`. */
export async function runCommand<P extends readonly PositionalSpec[], O extends OptionSpecs>(
  command: CommandDeclaration<P, O> & { readonly assignments?: readonly AssignmentSpec[] },
  storePath: string,
  given: GivenArguments = {},
): Promise<CommandResult> {
  const announced: string[] = [];
  const warnings: string[] = [];
  const settingsPath = `${storePath}.settings.json`;
  const settings = await readSettings(settingsPath).catch(() => defaultSettings());
  const directory: DataDirectory = {
    path: dirname(storePath),
    storePath,
    settingsPath,
    contentRoot: settings.contentDirectory ?? dirname(storePath),
    logsPath: dirname(storePath),
    journalsPath: `${storePath}.copies`,
    lockPath: `${storePath}.lock`,
  };
  const { machine } = given;
  const context: CommandContext = {
    ...(machine === undefined ? {} : { machine: async () => machine }),
    signal: given.signal ?? new AbortController().signal,
    now: () => NOW,
    report: (event) => {
      given.onEvent?.(event);
      if (event.type === 'warning') warnings.push(event.code);
    },
    toolVersion: '0.0.0',
    threads: 0,
    threadsBeside: 0,
    processors: 1,
    logPath: undefined,
    ...(given.secrets === undefined ? {} : { secrets: given.secrets }),
    ...(given.terminal === undefined ? {} : { terminal: given.terminal }),
    announce: (line) => announced.push(line),
    dataDirectory: async () => directory,
    findDataDirectory: async () => directory,
    hasStore: async () => existsSync(storePath),
    openStore: (mode) => openMetadataStore(storePath, { mode, now: () => NOW }),
  };
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type }]) => [
      name,
      given.options?.[name] ?? { boolean: false, string: undefined, strings: [] }[type],
    ]),
  );
  const positionals = Object.fromEntries(
    command.positionals.map(({ name, variadic }) => [
      name,
      given.positionals?.[name] ?? (variadic === true ? [] : undefined),
    ]),
  );
  const input = { positionals, options, assignments: given.assignments ?? {} };
  const outcome = await command.run(input as unknown as Parameters<typeof command.run>[0], context);
  return { ...outcome, announced, warnings };
}
