/** Completion scripts, made from the declarations. Each script is complete in itself and calls nothing of ours. */
import type { CommandDeclaration, OptionSpec, PositionalSpec } from '../commands/declaration.js';
import { firstWords, groupOf, groupsOf, memberOf } from './command-groups.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { HELP_TOPICS } from './help.js';

export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script for `shell`, ending in a line break. */
export function completionScript(shell: Shell, declarations: readonly CommandDeclaration[]): string {
  const lines = { bash, zsh, fish, powershell }[shell](declarations);
  return `${lines.join('\n')}\n`;
}

type Completes = 'file' | 'directory' | readonly string[] | undefined;

interface OptionWords {
  readonly name: string;
  readonly spec: OptionSpec;
  readonly value: Completes;
}

function optionsOf(declaration: CommandDeclaration): OptionWords[] {
  return Object.entries<OptionSpec>({ ...declaration.options, ...GLOBAL_OPTIONS })
    .filter(([name]) => name !== 'csv' || declaration.csv === true)
    .map(([name, spec]) => ({ name, spec, value: spec.choices ?? spec.completes }));
}

/** What the argument at `index` may be; the last one again when it takes all that is left. */
function positionalAt(declaration: CommandDeclaration, index: number): PositionalSpec | undefined {
  const last = declaration.positionals.at(-1);
  return declaration.positionals[index] ?? (last?.variadic === true ? last : undefined);
}

/** A group of commands, and what may follow its name. */
interface Group {
  readonly name: string;
  readonly members: readonly CommandDeclaration[];
  /** there is a command of its name, too: what follows is a second word, or an argument of that */
  readonly isCommand: boolean;
}

function groupsIn(declarations: readonly CommandDeclaration[]): Group[] {
  return groupsOf(declarations.map(({ name }) => name)).map((name) => ({
    name,
    members: declarations.filter((each) => groupOf(each.name) === name),
    isCommand: declarations.some((each) => each.name === name),
  }));
}

function firstWordsOf(declarations: readonly CommandDeclaration[]): string[] {
  return firstWords(declarations.map(({ name }) => name));
}

function membersOf({ members }: Group): string[] {
  return members.map(({ name }) => memberOf(name));
}

const GLOBAL_FLAGS: readonly string[] = [
  ...Object.keys(GLOBAL_OPTIONS).map((name) => `--${name}`),
  '--help',
  '--version',
];

/** Words for the first argument of a command that takes a word of ours. */
function wordsOf(
  declaration: CommandDeclaration,
  declarations: readonly CommandDeclaration[],
): readonly string[] {
  if (declaration.name === 'help') return [...firstWordsOf(declarations), ...HELP_TOPICS];
  if (declaration.name === 'completion') return SHELLS;
  return [
    ...groupsIn(declarations).flatMap((group) => (group.name === declaration.name ? membersOf(group) : [])),
    ...(declaration.assignments ?? []).map(({ name }) => `${name}=`),
    ...(declaration.positionals[0]?.suggests ?? []),
  ];
}

function bash(declarations: readonly CommandDeclaration[]): string[] {
  // One word per line, and only line breaks separate: file names may have spaces.
  const words = (list: readonly string[]) =>
    `COMPREPLY=($(compgen -W $'${list.map((word) => word.replaceAll(/['\\]/g, '\\$&')).join('\\n')}' -- "$cur"))`;
  const valued = (completes: Completes) => {
    if (completes === 'directory') return `COMPREPLY=($(compgen -d -- "$cur"))`;
    if (completes === 'file') return `COMPREPLY=($(compgen -f -- "$cur"))`;
    return words(completes ?? []);
  };
  const groups = groupsIn(declarations);
  const lines = [
    '# bash completion for wsusutil',
    '_wsusutil() {',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
    '  local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= index=1 position=0 word',
    "  local IFS=$'\\n'",
    '  COMPREPLY=()',
    '  while [ "$index" -lt "$COMP_CWORD" ]; do',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
    '    word=${COMP_WORDS[index]}',
    '    case $word in',
    '      --data-dir) index=$((index + 1)) ;;',
    '      -*) ;;',
    '      *) if [ -z "$command" ]; then command=$(printf %s "$word" | tr A-Z a-z)',
    ...(groups.length === 0
      ? []
      : [
          // Behind a group's name comes the second word of the command's, and only then its arguments.
          `        elif case "$command $(printf %s "$word" | tr A-Z a-z)" in ${secondWordPatterns(groups).join('|')}) true ;; *) false ;; esac; then`,
          '          command="$command $(printf %s "$word" | tr A-Z a-z)"',
        ]),
    '        else position=$((position + 1)); fi ;;',
    '    esac',
    '    index=$((index + 1))',
    '  done',
    '  if [ -z "$command" ]; then',
    `    if [ "$previous" = --data-dir ]; then ${valued('directory')}; return; fi`,
    `    ${words([...firstWordsOf(declarations), ...GLOBAL_FLAGS])}`,
    '    return',
    '  fi',
    '  case $command in',
  ];
  for (const group of groups.filter(({ isCommand }) => !isCommand)) {
    lines.push(
      `    ${group.name})`,
      `      if [ "$previous" = --data-dir ]; then ${valued('directory')}; return; fi`,
      `      ${words([...membersOf(group), ...GLOBAL_FLAGS])}`,
      '      ;;',
    );
  }
  for (const declaration of declarations) {
    const options = optionsOf(declaration);
    lines.push(`    ${pattern(declaration.name)})`);
    const withValue = options.filter(({ spec }) => spec.type !== 'boolean');
    lines.push('      case $previous in');
    for (const { name, value } of withValue) lines.push(`        --${name}) ${valued(value)}; return ;;`);
    lines.push('      esac');
    const flags = options.map(({ name }) => `--${name}`).concat('--help');
    lines.push(`      case $cur in -*) ${words(flags)}; return ;; esac`);
    const own = wordsOf(declaration, declarations);
    if (own.length > 0) {
      if (declaration.name === 'help' && groups.length > 0) {
        lines.push('      case $previous in');
        for (const group of groups)
          lines.push(`        ${group.name}) ${words(membersOf(group))}; return ;;`);
        lines.push('      esac');
      }
      lines.push(`      ${words(own)}`);
      if (own.some((word) => word.endsWith('='))) {
        lines.push('      compopt -o nospace 2>/dev/null');
        lines.push('      if [ "$previous" = = ]; then COMPREPLY=($(compgen -d -- "$cur")); fi');
        lines.push('      if [ "$cur" = = ]; then COMPREPLY=($(compgen -d)); fi');
      }
    } else {
      const count = declaration.positionals.length;
      const isOpen = declaration.positionals.at(-1)?.variadic === true;
      lines.push('      case $position in');
      for (let index = 0; index < count; index++) {
        const { kind } = positionalAt(declaration, index) as PositionalSpec;
        const place = isOpen && index === count - 1 ? '*' : String(index);
        if (kind !== 'text') lines.push(`        ${place}) ${valued(kind)} ;;`);
      }
      lines.push('      esac');
    }
    lines.push('      ;;');
  }
  lines.push('  esac', '}', 'complete -o filenames -F _wsusutil wsusutil');
  return lines;
}

function zsh(declarations: readonly CommandDeclaration[]): string[] {
  const action = (completes: Completes) => {
    if (completes === 'directory') return '_files -/';
    if (completes === 'file') return '_files';
    return completes === undefined ? ' ' : `(${completes.join(' ')})`;
  };
  const quoted = (text: string) => shellQuote(text);
  const describe = (text: string) => text.replaceAll(/[[\]:]/g, (found) => `\\${found}`);
  const groups = groupsIn(declarations);
  const described = (name: string, summary: string) => `    ${quoted(`${name}:${describe(summary)}`)}`;
  const lines = [
    '#compdef wsusutil',
    '_wsusutil() {',
    '  local -a commands',
    '  commands=(',
    ...declarations
      .filter(({ name }) => groupOf(name) === undefined)
      .map(({ name, summary }) => described(name, summary)),
    ...groups
      .filter(({ isCommand }) => !isCommand)
      .map((group) => described(group.name, `Commands: ${membersOf(group).join(', ')}`)),
    '  )',
    '  local index=2 place=2 command= word',
    '  while (( index < CURRENT )); do',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
    '    case ${words[index]} in',
    '      --data-dir) (( index++ )) ;;',
    '      -*) ;;',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
    '      *) word=${command:+$command }${words[index]:l}',
    ...(groups.length === 0
      ? ['        command=$word place=$index; break ;;']
      : [
          `        case $word in ${[...secondWordPatterns(groups)].join('|')}) ;; *' '*) break ;; esac`,
          '        command=$word place=$index',
          `        case $command in ${groups.map(({ name }) => name).join('|')}) ;; *) break ;; esac ;;`,
        ]),
    '    esac',
    '    (( index++ ))',
    '  done',
    '  if [[ -z $command ]]; then',
    "    _describe -t commands 'wsusutil command' commands",
    '    return',
    '  fi',
    ...groups
      .filter(({ isCommand }) => !isCommand)
      .flatMap((group) => [
        `  if [[ $command = ${group.name} ]]; then`,
        '    commands=(',
        ...group.members.map(({ name, summary }) => `  ${described(memberOf(name), summary)}`),
        '    )',
        `    _describe -t commands 'wsusutil ${group.name} command' commands`,
        '    return',
        '  fi',
      ]),
    '  shift $(( place - 1 )) words',
    '  (( CURRENT -= place - 1 ))',
    '  case $command in',
  ];
  for (const declaration of declarations) {
    const specs = optionsOf(declaration).map(({ name, spec, value }) => {
      const repeat = spec.type === 'strings' ? '*' : '';
      const description = `[${describe(spec.description)}]`;
      return spec.type === 'boolean'
        ? `--${name}${description}`
        : `${repeat}--${name}=${description}:${spec.value ?? 'value'}:${action(value)}`;
    });
    const words = wordsOf(declaration, declarations);
    if (declaration.name === 'help') {
      specs.push(`1:command:(${words.join(' ')})`);
      const seconds = [...new Set(groups.flatMap(membersOf))];
      if (seconds.length > 0) specs.push(`2:command:(${seconds.join(' ')})`);
    } else if (words.length > 0) specs.push(`*:argument:(${words.join(' ')})`);
    else {
      declaration.positionals.forEach(({ name, kind, variadic, required }, index) => {
        const place = variadic === true ? '*' : `${index + 1}`;
        const colon = required || variadic === true ? ':' : '::';
        specs.push(`${place}${colon}${describe(name)}:${action(kind === 'text' ? undefined : kind)}`);
      });
    }
    lines.push(`    ${pattern(declaration.name)})`, '      _arguments \\');
    lines.push(
      ...specs.map((spec, index) => `        ${quoted(spec)}${index < specs.length - 1 ? ' \\' : ''}`),
      '      ;;',
    );
  }
  lines.push(
    '  esac',
    '}',
    'if [[ $funcstack[1] = _wsusutil ]]; then _wsusutil "$@"; else compdef _wsusutil wsusutil; fi',
  );
  return lines;
}

function fish(declarations: readonly CommandDeclaration[]): string[] {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const line = (command: string, rest: string) =>
    `complete -c wsusutil -n ${quoted(`__wsusutil_is ${quoted(command)}`)} ${rest}`;
  const groups = groupsIn(declarations);
  const lines = [
    '# fish completion for wsusutil',
    'function __wsusutil_is --description "Whether this command is being typed"',
    '  set -l command',
    '  set -l skip 1',
    '  for word in (commandline -opc)',
    '    if test $skip = 1',
    '      set skip 0',
    '      continue',
    '    end',
    '    set word (string lower -- $word)',
    '    switch $word',
    "      case '--data-dir'",
    '        set skip 1',
    "      case '-*'",
    "      case '*'",
    ...groups
      .filter(({ isCommand }) => isCommand)
      .map(
        (group) =>
          `        test "$command" = ${group.name}; and not contains -- $word ${membersOf(group).join(' ')}; and break`,
      ),
    '        set -a command $word',
    `        contains -- "$command" ${groups.map(({ name }) => name).join(' ')}; or break`,
    '    end',
    '  end',
    '  test "$command" = "$argv[1]"',
    'end',
    'complete -c wsusutil -f',
  ];
  const flag = (name: string, spec: OptionSpec, value: Completes) => {
    let rest = `-l ${name} -d ${quoted(spec.description)}`;
    if (spec.type !== 'boolean') rest += ' -r';
    if (value === 'file') rest += ' -F';
    else if (value === 'directory') rest += ` -a ${quoted('(__fish_complete_directories)')}`;
    else if (value !== undefined) rest += ` -a ${quoted(value.join(' '))}`;
    return rest;
  };
  for (const { name, summary } of declarations) {
    const group = groupOf(name);
    lines.push(line(group ?? '', `-a ${memberOf(name)} -d ${quoted(summary)}`));
  }
  const bareGroups = groups.filter(({ isCommand }) => !isCommand);
  for (const group of bareGroups) {
    lines.push(line('', `-a ${group.name} -d ${quoted(`Commands: ${membersOf(group).join(', ')}`)}`));
  }
  for (const place of ['', ...bareGroups.map(({ name }) => name)]) {
    for (const [name, spec] of Object.entries<OptionSpec>(GLOBAL_OPTIONS)) {
      lines.push(line(place, flag(name, spec, spec.completes)));
    }
  }
  for (const declaration of declarations) {
    const command = declaration.name;
    for (const { name, spec, value } of optionsOf(declaration))
      lines.push(line(command, flag(name, spec, value)));
    const described = groups.flatMap((group) => (group.name === command ? membersOf(group) : []));
    const words = wordsOf(declaration, declarations).filter((word) => !described.includes(word));
    if (words.length > 0) lines.push(line(command, `-a ${quoted(words.join(' '))}`));
    if (command === 'help' && groups.length > 0) {
      lines.push(line(command, `-a ${quoted([...new Set(groups.flatMap(membersOf))].join(' '))}`));
    }
    if (declaration.positionals.some(({ kind }) => kind === 'file')) lines.push(line(command, '-F'));
    else if (declaration.positionals.some(({ kind }) => kind === 'directory')) {
      lines.push(line(command, `-a ${quoted('(__fish_complete_directories)')}`));
    }
  }
  return lines;
}

function powershell(declarations: readonly CommandDeclaration[]): string[] {
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const list = (words: readonly string[]) => `@(${words.map(quoted).join(', ')})`;
  const groups = groupsIn(declarations);
  const lines = [
    '# PowerShell completion for wsusutil',
    'Register-ArgumentCompleter -Native -CommandName wsusutil -ScriptBlock {',
    '  param($wordToComplete, $commandAst, $cursorPosition)',
    '  $words = @{',
    ...declarations.map(
      (declaration) =>
        `    ${quoted(declaration.name)} = ${list([
          ...wordsOf(declaration, declarations),
          ...optionsOf(declaration).map(({ name }) => `--${name}`),
          '--help',
        ])}`,
    ),
    ...groups
      .filter(({ isCommand }) => !isCommand)
      .map((group) => `    ${quoted(group.name)} = ${list([...membersOf(group), ...GLOBAL_FLAGS])}`),
    '  }',
    '  $values = @{',
    ...groups.map((group) => `    ${quoted(`help ${group.name}`)} = ${list(membersOf(group))}`),
    ...declarations.flatMap((declaration) =>
      optionsOf(declaration).flatMap(({ name, value }) =>
        typeof value === 'object'
          ? [`    ${quoted(`${declaration.name} --${name}`)} = ${list([...value])}`]
          : [],
      ),
    ),
    '  }',
    '  $given = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })',
    "  if ($wordToComplete -ne '' -and $given.Count -gt 0) { $given = @($given | Select-Object -SkipLast 1) }",
    `  $groups = ${list(groups.map(({ name }) => name))}`,
    "  $command = ''",
    '  $skip = $false',
    '  foreach ($word in $given) {',
    '    if ($skip) { $skip = $false; continue }',
    "    if ($word -eq '--data-dir') { $skip = $true; continue }",
    "    if ($word -like '-*') { continue }",
    '    $next = "$command $word".Trim().ToLowerInvariant()',
    "    if ($command -ne '' -and -not $words.ContainsKey($next)) { break }",
    '    $command = $next',
    '    if ($groups -notcontains $command) { break }',
    '  }',
    `  $candidates = ${list([...firstWordsOf(declarations), ...GLOBAL_FLAGS])}`,
    '  if ($words.ContainsKey($command)) {',
    '    $candidates = $words[$command]',
    '    $key = "$command $($given | Select-Object -Last 1)"',
    '    if ($values.ContainsKey($key)) { $candidates = $values[$key] }',
    '  }',
    '  $candidates | Where-Object { $_ -like "$wordToComplete*" } |',
    "    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }",
    '}',
  ];
  return lines;
}

/** Patterns of `case` for names of two words: those of a group that is a command, any behind the name of another. */
function secondWordPatterns(groups: readonly Group[]): string[] {
  return groups.flatMap((group) =>
    group.isCommand
      ? group.members.map(({ name }) => shellQuote(name))
      : [`${shellQuote(`${group.name} `)}*`],
  );
}

/** The name as a pattern of `case`, which a blank would end. */
function pattern(name: string): string {
  return name.includes(' ') ? shellQuote(name) : name;
}

/** In single quotes, as a POSIX shell takes any text. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
