import type { CommandContext } from './context.js';
import type { Outcome } from './outcome.js';

/**
 * What a command takes and does. One declaration feeds the parser, `help <command>`, the shell completions and
 * the README's table; `run` opens, calls the domain and returns an outcome. It does not print, exit or read
 * `process`.
 */
export interface CommandDeclaration<
  P extends readonly PositionalSpec[] = readonly PositionalSpec[],
  O extends OptionSpecs = OptionSpecs,
> {
  /** lower case, one word or two with a blank between; users may write it in any case */
  readonly name: string;
  /** one line for the list of commands */
  readonly summary: string;
  /** paragraphs for `help <command>`, above the usage line */
  readonly description: readonly string[];
  /** Microsoft's tool has a command of this name */
  readonly inRealTool: boolean;
  readonly positionals: P;
  readonly options: O;
  /** `NAME=value` arguments (`postinstall CONTENT_DIR=D:\WSUS`); names in any case */
  readonly assignments?: readonly AssignmentSpec[];
  /** paragraphs below the options: limits, what has not been proven, examples */
  readonly notes?: readonly string[];
  readonly examples?: readonly string[];
  /**
   * Set when the command writes a text log: the name of the positional that holds its path. Left out on the
   * command line, the log goes to the data directory's `logs/`.
   */
  readonly logPositional?: string;
  /**
   * Name of the positional the command creates. Refused before anything is touched when it exists already or is
   * the same file as the log.
   */
  readonly targetPositional?: string;
  /** its outcome has a table, so `--csv` is accepted */
  readonly csv?: boolean;
  /**
   * Sets up the data directory (`postinstall`): creating it is no news, a log is always written to `logs/`, and
   * a failure reads `Fatal Error: <reason>` with exit code 1, as in Microsoft's tool.
   */
  readonly isSetup?: boolean;
  /** false: runs without a data directory (`verify`, `help`); it must not be created then */
  readonly needsDataDirectory: boolean;
  /** works through a whole catalogue: its heap may grow as that of a busy program */
  readonly isHeavy?: boolean;
  /** mostly done, or waiting for others, before compiling its functions has paid off */
  readonly isBrief?: boolean;
  /**
   * Judges the arguments as far as that takes neither store nor file; called before anything is said or made.
   *
   * @throws WsusutilError `USAGE`
   */
  check?(input: CommandInput<P, O>, now: Date): void;
  run(input: CommandInput<P, O>, context: CommandContext): Promise<Outcome>;
}

export interface PositionalSpec {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** takes all that is left; only the last one may */
  readonly variadic?: boolean;
  /** for shell completion */
  readonly kind: 'file' | 'directory' | 'text';
  /** words it may well be, for shell completion; any other is taken too */
  readonly suggests?: readonly string[];
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** Keyed by the long name without dashes (`dry-run`); `-name`, `--name` and `/name` are accepted in any case. */
export interface OptionSpec {
  /** `strings` may be given several times */
  readonly type: 'boolean' | 'string' | 'strings';
  /** name of the value in help, e.g. `date` */
  readonly value?: string;
  readonly description: string;
  /** matched in any case, handed on as written here */
  readonly choices?: readonly string[];
  /** the value never appears in the log */
  readonly secret?: boolean;
  /** a timer gives it, not a person: the run says its result and nothing besides */
  readonly unattended?: boolean;
  /** for shell completion of the value */
  readonly completes?: 'file' | 'directory';
}

export interface AssignmentSpec {
  readonly name: string;
  readonly value: string;
  readonly description: string;
}

type OptionValue<S extends OptionSpec> = S['type'] extends 'boolean'
  ? boolean
  : S['type'] extends 'strings'
    ? readonly string[]
    : string | undefined;

export interface CommandInput<P extends readonly PositionalSpec[], O extends OptionSpecs> {
  readonly positionals: {
    readonly [K in P[number] as K['name']]: K extends { variadic: true }
      ? readonly string[]
      : K extends { required: true }
        ? string
        : string | undefined;
  };
  readonly options: { readonly [K in keyof O]: OptionValue<O[K]> };
  /** upper-case name → value */
  readonly assignments: Readonly<Record<string, string>>;
}

/** Keeps the literal types of a declaration, so that `run` sees its own options typed. */
export function defineCommand<const P extends readonly PositionalSpec[], const O extends OptionSpecs>(
  declaration: CommandDeclaration<P, O>,
): CommandDeclaration<P, O> {
  return declaration;
}
