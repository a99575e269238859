/** Help texts, made from the declarations; 80 columns wide. */
import type { CommandDeclaration, OptionSpec } from '../commands/declaration.js';
import type { CommandEntry } from '../commands/index.js';
import { groupOf, groupsOf } from './command-groups.js';
import { exitCodeRows } from './exit-codes.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { wrap } from './text.js';

const WIDTH = 80;
const INDENT = '  ';
/** a longer term pushes its explanation to the next line */
const MAX_TERM_WIDTH = 26;

/** Topics of `help <topic>` that are no commands. */
export const HELP_TOPICS = ['exit-codes'] as const;

/** First line after wrong arguments, in the words of the real tool. */
export const INCOMPLETE_PARAMETERS =
  'Incomplete or invalid parameters specified. See below for correct format and options:';

/** `wsusutil help` */
export function overviewHelp(entries: readonly CommandEntry[]): string[] {
  const list = (inRealTool: boolean) =>
    entryTerms(
      entries.filter((entry) => groupOf(entry.name) === undefined && entry.inRealTool === inRealTool),
    );
  const groups = groupsOf(entries.map(({ name }) => name)).flatMap((group) => [
    '',
    `Commands of "wsusutil ${group}":`,
    ...entryTerms(entriesOf(group, entries)),
  ]);
  return [
    'wsusutil: manage the update metadata and content of Windows Server Update',
    'Services on any machine, without Windows.',
    '',
    usageOf(undefined),
    '',
    "Commands of Microsoft's wsusutil:",
    ...list(true),
    '',
    'Commands of this program only:',
    ...list(false),
    ...groups,
    '',
    'Options of every command:',
    ...terms([
      ...optionTerms(GLOBAL_OPTIONS),
      ['--help', 'Show help; also -h, -?, /? and /help'],
      ['--version', 'Show the version'],
    ]),
    '',
    ...wrap(
      'Names of commands and options are taken in any case; options as --name, -name or /name, before or behind the arguments. A path that begins with a dash goes after "--".',
      WIDTH,
    ),
    '',
    'More: wsusutil help <command>, wsusutil help exit-codes',
  ];
}

/** `wsusutil help content`: the commands of which `content` is the first word. */
export function groupHelp(group: string, entries: readonly CommandEntry[]): string[] {
  return [
    usageOf(group),
    '',
    'Commands:',
    ...entryTerms(entriesOf(group, entries)),
    '',
    `More: wsusutil help ${group} <command>`,
  ];
}

/**
 * `wsusutil help <command>`
 *
 * @param entries of all commands: those whose name begins with this one's are named
 */
export function commandHelp(
  declaration: CommandDeclaration,
  entries: readonly CommandEntry[] = [],
): string[] {
  const lines: string[] = [];
  const section = (title: string, body: readonly string[]) => {
    if (body.length > 0) lines.push('', title, ...body);
  };
  for (const paragraph of declaration.description) {
    if (lines.length > 0) lines.push('');
    lines.push(...wrap(paragraph, WIDTH));
  }
  const usage = wrap(usageLine(declaration), WIDTH - INDENT.length * 2);
  section(
    'Usage:',
    usage.map((line, index) => (index === 0 ? INDENT : INDENT.repeat(3)) + line),
  );
  section(
    'Parameters:',
    terms([
      ...declaration.positionals.map(
        ({ name, description, required }) =>
          [required ? `<${name}>` : `[${name}]`, description] as [string, string],
      ),
      ...(declaration.assignments ?? []).map(
        ({ name, value, description }) => [`${name}=<${value}>`, description] as [string, string],
      ),
    ]),
  );
  section('Options:', terms(optionTerms(declaration.options)));
  section('Notes:', indented(declaration.notes ?? []));
  section(
    'Examples:',
    (declaration.examples ?? []).map((example) => INDENT + example),
  );
  section(`Commands of "wsusutil ${declaration.name}":`, entryTerms(entriesOf(declaration.name, entries)));
  const globals = Object.keys(GLOBAL_OPTIONS)
    .filter((name) => name !== 'csv' || declaration.csv === true)
    .map((name) => `--${name}`);
  lines.push('', ...wrap(`Also: ${globals.join(', ')} (see "wsusutil help").`, WIDTH));
  return lines;
}

/** `wsusutil help exit-codes` */
export function exitCodesHelp(): string[] {
  return [
    'Exit codes:',
    ...terms(
      exitCodeRows().map(({ exitCode, meaning, codes }) => [
        String(exitCode).padStart(3),
        codes.length === 0 ? meaning : `${meaning} (${codes.join(', ')})`,
      ]),
    ),
  ];
}

/** How a command is written, in one line. @param topic a command, or the name of a group; undefined: any command */
export function usageOf(topic: CommandDeclaration | string | undefined): string {
  if (typeof topic === 'object') return `Usage: ${usageLine(topic)}`;
  return `Usage: wsusutil ${topic === undefined ? '' : `${topic} `}<command> [arguments] [options]`;
}

/** `wsusutil export <package> [logfile] [options]` */
function usageLine(declaration: CommandDeclaration): string {
  const parts = ['wsusutil', declaration.name];
  for (const { name, required, variadic } of declaration.positionals) {
    const dots = variadic === true ? '…' : '';
    parts.push(required ? `<${name}>${dots}` : `[${name}]${dots}`);
  }
  for (const { name, value } of declaration.assignments ?? []) parts.push(`[${name}=<${value}>]`);
  if (Object.keys(declaration.options).length > 0) parts.push('[options]');
  return parts.join(' ');
}

function entriesOf(group: string, entries: readonly CommandEntry[]): CommandEntry[] {
  return entries.filter(({ name }) => groupOf(name) === group);
}

function entryTerms(entries: readonly CommandEntry[]): string[] {
  return terms(entries.map(({ name, summary }) => [name, summary] as const));
}

function optionTerms(options: Readonly<Record<string, OptionSpec>>): [string, string][] {
  return Object.entries(options).map(([name, spec]) => {
    const facts = [spec.description];
    if (spec.choices !== undefined) facts.push(`(${spec.choices.join(', ')})`);
    if (spec.type === 'strings') facts.push('(may be repeated)');
    return [
      spec.type === 'boolean' ? `--${name}` : `--${name} <${spec.value ?? 'value'}>`,
      facts.join(' '),
    ] as [string, string];
  });
}

function terms(pairs: readonly (readonly [term: string, explanation: string])[]): string[] {
  const termWidth = Math.min(MAX_TERM_WIDTH, Math.max(0, ...pairs.map(([term]) => term.length)));
  const hanging = INDENT.length + termWidth + 2;
  return pairs.flatMap(([term, explanation]) => {
    const lines = wrap(explanation, WIDTH - hanging);
    const rest = lines.map((line) => ' '.repeat(hanging) + line);
    if (term.length > termWidth) return [INDENT + term, ...rest];
    return [`${INDENT}${term.padEnd(termWidth)}  ${lines[0] ?? ''}`.trimEnd(), ...rest.slice(1)];
  });
}

function indented(paragraphs: readonly string[]): string[] {
  return paragraphs.flatMap((paragraph, index) => [
    ...(index === 0 ? [] : ['']),
    ...wrap(paragraph, WIDTH - INDENT.length).map((line) => INDENT + line),
  ]);
}
