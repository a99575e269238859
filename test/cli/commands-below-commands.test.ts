/** `config` is a command and the first word of others. */
import { describe, expect, test } from 'vitest';
import { membersOf } from '../../src/cli/command-groups.js';
import { completionScript } from '../../src/cli/completion.js';
import { commandHelp } from '../../src/cli/help.js';
import { parseInput, scanTokens, splitCommand, unknownCommand } from '../../src/cli/parse-argv.js';
import { defineCommand } from '../../src/commands/declaration.js';
import { commands } from '../../src/commands/index.js';
import { failureOf } from '../helpers/package-builder.js';

const names = commands.map(({ name }) => name);
const split = (...tokens: string[]) => splitCommand(tokens, names);

test.each([
  [['config'], 'config', []],
  [['config', '--json'], 'config', ['--json']],
  [['config', 'get', 'useProxy'], 'config get', ['useProxy']],
  [
    ['--json', 'CONFIG', '--data-dir', 'x', 'Get', 'useProxy'],
    'CONFIG Get',
    ['--json', '--data-dir', 'x', 'useProxy'],
  ],
  [['products', 'windows'], 'products', ['windows']],
  [['products', '--ids', 'select', 'x'], 'products select', ['--ids', 'x']],
  [['content', 'windows'], 'content windows', []],
])('%j is the command %s', (tokens, name, rest) => {
  expect(split(...tokens)).toEqual({ name, rest });
});

const listing = (positionals: 0 | 1) =>
  defineCommand({
    name: 'products',
    summary: '',
    description: [],
    inRealTool: false,
    needsDataDirectory: true,
    positionals:
      positionals === 0 ? [] : [{ name: 'text', description: '', required: false, kind: 'text' as const }],
    options: {},
    async run() {
      return { status: 'complete', result: {} };
    },
  });

describe('a second word that makes no command', () => {
  const parse = (positionals: 0 | 1, ...tokens: string[]) => {
    const declaration = listing(positionals);
    return parseInput(scanTokens(tokens, declaration), declaration, names);
  };

  test('is an argument where one is taken', async () => {
    expect((await parse(1, 'slect')).positionals).toEqual({ text: 'slect' });
  });

  test('is a slip in the name where none is, or where more follows it', async () => {
    for (const [positionals, ...tokens] of [
      [0, 'slect'],
      [1, 'slect', 'Windows 11'],
    ] as [0 | 1, ...string[]][]) {
      const error = await failureOf(() => parse(positionals, ...tokens));
      expect(error.message).toBe('unknown command "products slect", did you mean products select?');
    }
    expect((await failureOf(() => parse(1, 'windows', 'office'))).message).toContain('unexpected argument');
  });

  test('is told with what there is', () => {
    expect(unknownCommand('config ste', names).message).toContain('did you mean config set?');
    expect(membersOf('config', names)).toEqual(['get', 'set', 'unset']);
    expect(membersOf('import', names)).toEqual([]);
  });
});

test('help for the command names those below it', async () => {
  const entry = commands.find(({ name }) => name === 'config');
  const help = commandHelp(await (entry as (typeof commands)[number]).load(), commands).join('\n');
  for (const name of ['config get', 'config set', 'config unset']) expect(help).toContain(name);
});

test('PowerShell offers the second words, the options of the command alone, and suggestions', async () => {
  const script = completionScript('powershell', await Promise.all(commands.map((entry) => entry.load())));
  const line = script.split('\n').find((each) => each.startsWith("    'config' = "));
  expect(line).toContain("'get', 'set', 'unset'");
  expect(line).toContain("'--changed'");
  expect(script.split('\n').find((each) => each.startsWith("    'config get' = "))).toContain("'useProxy'");
});
