/**
 * From argv to a command's typed input, in two steps. `findCommand` and `scanTokens` know the spellings of the
 * real tool, which no option parser takes: `-skipcopy`, `/servicing`, `/?`, `CONTENT_DIR=D:\WSUS`, any case.
 * What they rewrite to `--name` and `--name=value` is then parsed by commander, built from the declaration.
 */
import { createRequire } from 'node:module';
import type * as Commander from 'commander';
import type { CommandDeclaration, OptionSpec, OptionSpecs } from '../commands/declaration.js';
import { WsusutilError } from '../errors.js';
import { nearestName } from '../model/nearest-name.js';
import { firstWords, groupOf, groupsOf, memberOf, membersOf } from './command-groups.js';
import { GLOBAL_OPTIONS, type GlobalOptions } from './global-options.js';

const HELP_TOKENS: ReadonlySet<string> = new Set(['/?', '-?', '--?', '/help', '-help', '--help', '-h', '/h']);
const VERSION_TOKENS: ReadonlySet<string> = new Set(['-version', '--version', '/version']);

/** What was found in argv, before the command's own arguments are judged. Never fails. */
export interface ScannedArguments {
  readonly globals: GlobalOptions;
  readonly wantsHelp: boolean;
  readonly wantsVersion: boolean;
  /** options as `--name` or `--name=value`, then `--`, then the positionals */
  readonly forCommander: readonly string[];
  /** positionals, in order */
  readonly positionals: readonly string[];
  /** upper-case name → value */
  readonly assignments: Readonly<Record<string, string>>;
  /** the first word that looks like an option and is none, as typed */
  readonly unknownOption: string | undefined;
  /** the first thing wrong with the arguments as such; undefined: nothing so far */
  readonly problem: string | undefined;
}

/** A command's input while it is not known which command it is for. */
export interface AnyCommandInput {
  readonly positionals: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly options: Readonly<Record<string, boolean | string | readonly string[] | undefined>>;
  readonly assignments: Readonly<Record<string, string>>;
}

/** The command's name as typed, and what else was typed. */
export interface SplitArguments {
  /** two words with a blank between where the first one is a group's; undefined: no name was given */
  readonly name: string | undefined;
  readonly rest: readonly string[];
}

/**
 * Takes the command's name out of argv. Options may stand before, between and behind its two words. Where the first word
 * is a command as well, a second one that makes no other is its first argument.
 *
 * @param names of all commands, lower case
 */
export function splitCommand(tokens: readonly string[], names: readonly string[]): SplitArguments {
  const { word: first, rest } = takeWord(tokens);
  const group = first?.toLowerCase();
  if (group === undefined || !groupsOf(names).includes(group)) return { name: first, rest };
  const second = takeWord(rest);
  const isMember = second.word !== undefined && membersOf(group, names).includes(second.word.toLowerCase());
  if (names.includes(group) && !isMember) return { name: first, rest };
  return second.word === undefined
    ? { name: first, rest }
    : { name: `${first} ${second.word}`, rest: second.rest };
}

function takeWord(tokens: readonly string[]): { word: string | undefined; rest: readonly string[] } {
  const at = findCommand(tokens);
  return { word: tokens[at], rest: tokens.filter((_, index) => index !== at) };
}

/** Index of the first token that is neither an option nor an option's value; -1 when there is none. */
export function findCommand(tokens: readonly string[]): number {
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] as string;
    if (token === '--') return index + 1 < tokens.length ? index + 1 : -1;
    const option = readOption(token, GLOBAL_OPTIONS);
    if (option !== undefined) {
      if (option.spec.type !== 'boolean' && option.value === undefined) index++;
    } else if (!isHelp(token) && !isVersion(token) && (!token.startsWith('-') || token === '-')) {
      return index;
    }
  }
  return -1;
}

/**
 * Sorts `tokens` (argv without the command's name) into options, assignments and positionals.
 *
 * @param declaration undefined while the command is not known: global options only
 */
export function scanTokens(
  tokens: readonly string[],
  declaration: CommandDeclaration | undefined,
): ScannedArguments {
  const specs: OptionSpecs = { ...GLOBAL_OPTIONS, ...declaration?.options };
  const globals: Record<string, string | true> = {};
  const options: string[] = [];
  const positionals: string[] = [];
  const assignments: Record<string, string> = {};
  const seen = new Set<string>();
  let wantsHelp = false;
  let wantsVersion = false;
  let unknownOption: string | undefined;
  let problem: string | undefined;
  const blame = (text: string) => {
    problem ??= text;
  };

  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] as string;
    if (token === '--') {
      positionals.push(...tokens.slice(index + 1));
      break;
    }
    const option = readOption(token, specs);
    if (option === undefined) {
      const assignment = readAssignment(token, declaration);
      if (isHelp(token)) wantsHelp = true;
      else if (isVersion(token)) wantsVersion = true;
      else if (assignment !== undefined) {
        if (assignment.problem !== undefined) blame(assignment.problem);
        else if (assignment.name in assignments) blame(`${assignment.name}= is given twice`);
        else assignments[assignment.name] = assignment.value;
      } else if (token.startsWith('-') && token !== '-') unknownOption ??= token;
      else positionals.push(token);
      continue;
    }
    const { name, spec } = option;
    let value = option.value;
    if (spec.type === 'boolean') {
      if (value !== undefined) blame(`option --${name} takes no value, got "${value}"`);
    } else if (value === undefined) {
      const next = tokens[index + 1];
      // `--data-dir --json` is a forgotten value, not a folder called `--json`.
      if (next !== undefined && !(next.startsWith('-') && readOption(next, specs) !== undefined)) {
        value = next;
        index++;
      } else {
        blame(`option --${name} is missing its <${spec.value ?? 'value'}>`);
        continue;
      }
    }
    if (spec.type === 'string' && seen.has(name)) blame(`option --${name} is given twice`);
    seen.add(name);
    if (name in GLOBAL_OPTIONS) globals[name] = value ?? true;
    else options.push(value === undefined ? `--${name}` : `--${name}=${canonicalChoice(value, spec)}`);
  }

  if (globals['data-dir'] === '') blame('option --data-dir is missing its <dir>');
  for (const [one, other] of [
    ['json', 'json-events'],
    ['json', 'csv'],
    ['json-events', 'csv'],
    ['quiet', 'verbose'],
  ] as const) {
    if (one in globals && other in globals) blame(`options --${one} and --${other} exclude each other`);
  }
  if ('csv' in globals && declaration !== undefined && declaration.csv !== true) {
    blame(`option --csv is for commands that print a table; ${declaration.name} does not`);
  }
  return {
    globals: {
      dataDirectory: typeof globals['data-dir'] === 'string' ? globals['data-dir'] : undefined,
      json: 'json' in globals,
      jsonEvents: 'json-events' in globals,
      csv: 'csv' in globals,
      quiet: 'quiet' in globals,
      verbose: 'verbose' in globals,
      noColor: 'no-color' in globals,
    },
    wantsHelp,
    wantsVersion,
    forCommander: [...options, '--', ...positionals],
    positionals,
    assignments,
    unknownOption,
    problem,
  };
}

/**
 * The command's input, typed as its declaration says.
 *
 * @param names of all commands, lower case: with them a slip in the second word of a name is told
 * @throws WsusutilError `USAGE` with one line that says precisely what is wrong
 */
export async function parseInput(
  scanned: ScannedArguments,
  declaration: CommandDeclaration,
  names: readonly string[] = [],
): Promise<AnyCommandInput> {
  if (scanned.problem !== undefined) throw usageError(scanned.problem);
  if (scanned.unknownOption !== undefined) throw unknownOption(scanned.unknownOption, declaration);
  // Its CommonJS form loads faster than the other, which wraps it: 7.5 of 9 ms.
  const { Command, CommanderError, Option } = createRequire(import.meta.url)('commander') as typeof Commander;
  const command = new Command(declaration.name)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} })
    .helpOption(false)
    .helpCommand(false)
    .allowExcessArguments(false);
  for (const positional of declaration.positionals) {
    const dots = positional.variadic === true ? '...' : '';
    command.argument(
      positional.required ? `<${positional.name}${dots}>` : `[${positional.name}${dots}]`,
      positional.description,
    );
  }
  const options = Object.entries(declaration.options).map(([name, spec]) => {
    const option = new Option(spec.type === 'boolean' ? `--${name}` : `--${name} <value>`, spec.description);
    if (spec.choices !== undefined) option.choices(spec.choices);
    if (spec.type === 'strings') {
      option.argParser((value: string, before: string[] | undefined) => {
        const checked = canonicalChoice(value, spec);
        if (spec.choices !== undefined && !spec.choices.includes(checked)) {
          throw usageError(`option --${name}: "${value}" is none of ${spec.choices.join(', ')}`);
        }
        return [...(before ?? []), checked];
      });
    }
    command.addOption(option);
    return { name, spec, option };
  });

  try {
    command.parse([...scanned.forCommander], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const first = scanned.positionals[0] ?? '';
    const members = membersOf(declaration.name, names);
    const isMeantForMember =
      declaration.positionals.length === 0 || nearestName(first, members) !== undefined;
    if (error.code === 'commander.excessArguments' && members.length > 0 && isMeantForMember) {
      throw unknownMember(`${declaration.name} ${first}`, declaration.name, names);
    }
    throw usageError(explain(error.code, error.message, declaration, scanned));
  }

  const parsed = command.opts<Record<string, unknown>>();
  const values: Record<string, boolean | string | readonly string[] | undefined> = {};
  for (const { name, spec, option } of options) {
    const value = parsed[option.attributeName()];
    if (spec.type === 'boolean') values[name] = option.negate ? value === false : value === true;
    else if (spec.type === 'strings') values[name] = Array.isArray(value) ? value.map(String) : [];
    else values[name] = typeof value === 'string' ? value : undefined;
  }
  const positionals: Record<string, string | readonly string[] | undefined> = {};
  declaration.positionals.forEach((positional, index) => {
    const given = scanned.positionals[index];
    if (positional.variadic === true) positionals[positional.name] = scanned.positionals.slice(index);
    else if (given === '') throw usageError(`<${positional.name}> is empty`);
    else positionals[positional.name] = given;
  });
  return { positionals, options: values, assignments: scanned.assignments };
}

export function usageError(message: string, hint?: string): WsusutilError {
  return new WsusutilError('USAGE', message, { hint });
}

/** A word that nothing is known of: the help of all that is known would only hide which one. */
function unknownWord(word: string, message: string, near: string | undefined, hint: string): WsusutilError {
  const advice = near === undefined ? '' : `, did you mean ${near}?`;
  return new WsusutilError('USAGE', `${message}${advice}`, {
    hint,
    details: { unknownWord: word, ...(near === undefined ? {} : { didYouMean: near }) },
  });
}

/** Commands of Microsoft's tool, and planned ones of ours, that somebody may type and this version does not have. */
const MISSING_COMMANDS: ReadonlySet<string> = new Set([
  'listfrontendservers',
  'deletefrontendserver',
  'listinactiveapprovals',
  'removeinactiveapprovals',
  'deleteunneededrevisions',
  'usecustomwebsite',
  'migratesus',
]);

/**
 * What is wrong with a name that no command has.
 *
 * @param name as typed; of two words where the first one is a group's
 * @param names of all commands, lower case
 * @param topics other words that may stand in its place
 */
export function unknownCommand(
  name: string,
  names: readonly string[],
  topics: readonly string[] = [],
): WsusutilError {
  const wanted = name.toLowerCase();
  const group = groupsOf(names).find((each) => each === (groupOf(wanted) ?? wanted));
  if (group !== undefined) return unknownMember(name, group, names);
  if (MISSING_COMMANDS.has(name.toLowerCase())) {
    return unknownWord(
      name,
      `${name.toLowerCase()} is not in this version yet`,
      undefined,
      '"wsusutil help" lists the commands there are.',
    );
  }
  // `copy` is short for a command, not a slip of the finger.
  const whole = names.find((each) => groupOf(each) !== undefined && memberOf(each) === wanted);
  const near = whole ?? nearestName(name, [...firstWords(names), ...names, ...topics]);
  return unknownWord(name, `unknown command "${name}"`, near, '"wsusutil help" lists the commands.');
}

/** What is wrong with a group's name alone, or with what follows it. */
function unknownMember(name: string, group: string, names: readonly string[]): WsusutilError {
  const members = names.filter((each) => groupOf(each) === group);
  const hint = `Commands of ${group}: ${members.map(memberOf).join(', ')}. "wsusutil help ${group}" explains them.`;
  if (groupOf(name) === undefined) return usageError(`missing <command> behind ${group}`, hint);
  const near = nearestName(memberOf(name), members.map(memberOf));
  return unknownWord(
    name,
    `unknown command "${name}"`,
    near === undefined ? undefined : `${group} ${near}`,
    hint,
  );
}

/**
 * What is wrong with a word that looks like an option.
 *
 * @param declaration undefined: the command is not known either
 */
export function unknownOption(token: string, declaration: CommandDeclaration | undefined): WsusutilError {
  const typed = token.replace(/=[\s\S]*$/, '');
  const known = [
    ...Object.keys(declaration?.options ?? {}),
    ...Object.keys(GLOBAL_OPTIONS),
    'help',
    'version',
  ];
  const near = nearestName(typed.replace(/^--?/, ''), known);
  const help =
    declaration === undefined
      ? '"wsusutil help" lists the commands, and the options that all of them take.'
      : `"wsusutil help ${declaration.name}" explains its options.`;
  const positionals = declaration?.positionals ?? [];
  const isForPath = positionals.some(({ kind }) => kind !== 'text');
  const hint =
    near !== undefined || positionals.length === 0
      ? help
      : isForPath
        ? `${help} A path that begins with a dash is written ./${token}, or comes after "--".`
        : `${help} A word that begins with a dash comes after "--".`;
  return unknownWord(typed, `unknown option ${typed}`, near === undefined ? undefined : `--${near}`, hint);
}

function explain(
  code: string,
  message: string,
  declaration: CommandDeclaration,
  scanned: ScannedArguments,
): string {
  if (code === 'commander.missingArgument') {
    const missing = declaration.positionals.filter(
      (each, index) => each.required && scanned.positionals[index] === undefined,
    );
    return `missing ${missing.map((each) => `<${each.name}>`).join(' ')}`;
  }
  if (code === 'commander.excessArguments') {
    const extra = scanned.positionals[declaration.positionals.length] ?? '';
    const most = declaration.positionals.length;
    return `unexpected argument "${extra}": ${declaration.name} takes ${
      most === 0 ? 'no arguments' : `at most ${most}, got ${scanned.positionals.length}`
    }`;
  }
  return message.replace(/^error: /, '').replace(/\s*\n\(?(Did you mean [^)]*)\)?/, ', $1');
}

function readOption(
  token: string,
  specs: OptionSpecs,
): { name: string; spec: OptionSpec; value: string | undefined } | undefined {
  const match = /^(--?|\/)([^=]+)(?:=([\s\S]*))?$/.exec(token);
  if (match === null) return undefined;
  const [, prefix, typed, value] = match;
  // `/abs/path` is a place on Unix: a slash counts only in front of exactly an option's name.
  if (prefix === '/' && value !== undefined) return undefined;
  const wanted = (typed as string).toLowerCase();
  if (!Object.hasOwn(specs, wanted)) return undefined;
  return { name: wanted, spec: specs[wanted] as OptionSpec, value };
}

function readAssignment(
  token: string,
  declaration: CommandDeclaration | undefined,
): { name: string; value: string; problem?: string } | undefined {
  const specs = declaration?.assignments ?? [];
  if (specs.length === 0) return undefined;
  const match = /^([A-Za-z][A-Za-z0-9_]*)=([\s\S]*)$/.exec(token);
  if (match === null) return undefined;
  const name = (match[1] as string).toUpperCase();
  // Windows turns `CONTENT_DIR="D:\WSUS\"` into a value that ends in a quotation mark.
  const value = (match[2] as string).replace(/^"|"$/g, '');
  const known = specs.map((spec) => spec.name.toUpperCase());
  if (!known.includes(name)) {
    const near = nearestName(name, known);
    return {
      name,
      value,
      problem: `unknown property ${name}=${near === undefined ? '' : `, did you mean ${near}=?`}`,
    };
  }
  return value.trim() === '' ? { name, value, problem: `${name}= has no value` } : { name, value };
}

function canonicalChoice(value: string, spec: OptionSpec): string {
  return spec.choices?.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? value;
}

function isHelp(token: string): boolean {
  return HELP_TOKENS.has(token.toLowerCase());
}

function isVersion(token: string): boolean {
  return VERSION_TOKENS.has(token.toLowerCase());
}
