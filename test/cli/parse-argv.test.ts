import { describe, expect, test } from 'vitest';
import {
  findCommand,
  parseInput,
  scanTokens,
  splitCommand,
  unknownCommand,
} from '../../src/cli/parse-argv.js';
import { defineCommand } from '../../src/commands/declaration.js';
import { fc } from '../helpers/properties.js';

const sample = defineCommand({
  name: 'export',
  summary: '',
  description: [],
  inRealTool: true,
  needsDataDirectory: true,
  csv: false,
  positionals: [
    { name: 'package', description: '', required: true, kind: 'file' },
    { name: 'logfile', description: '', required: false, kind: 'file' },
  ],
  options: {
    skipcopy: { type: 'boolean', description: '' },
    'no-links': { type: 'boolean', description: '' },
    title: { type: 'string', value: 'text', description: '' },
    format: { type: 'string', choices: ['CAB', 'gzip'], description: '' },
    product: { type: 'strings', value: 'name', description: '' },
  },
  async run() {
    return { status: 'complete', result: {} };
  },
});

const setup = defineCommand({
  name: 'postinstall',
  summary: '',
  description: [],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [],
  options: { servicing: { type: 'boolean', description: '' } },
  assignments: [
    { name: 'CONTENT_DIR', value: 'path', description: '' },
    { name: 'SQL_INSTANCE_NAME', value: 'server', description: '' },
  ],
  async run() {
    return { status: 'complete', result: {} };
  },
});

const parse = (...tokens: string[]) => parseInput(scanTokens(tokens, sample), sample);
const parseSetup = (...tokens: string[]) => parseInput(scanTokens(tokens, setup), setup);

describe('spellings of the real tool', () => {
  test.each([
    [['a.cab', 'b.log', '-skipcopy']],
    [['a.cab', 'b.log', '--skipcopy']],
    [['a.cab', 'b.log', '/skipcopy']],
    [['-SkipCopy', 'a.cab', 'b.log']],
    [['a.cab', '/SKIPCOPY', 'b.log']],
    [['a.cab', '--SKIPCOPY', '--', 'b.log']],
  ])('%j sets the option and both positionals', async (tokens) => {
    const input = await parse(...tokens);
    expect(input.options.skipcopy).toBe(true);
    expect(input.positionals).toEqual({ package: 'a.cab', logfile: 'b.log' });
  });

  test.each([['/?'], ['-?'], ['/help'], ['/HELP'], ['--help'], ['-h'], ['-Help']])(
    '%s asks for help in any position',
    (token) => {
      expect(scanTokens([token], sample).wantsHelp).toBe(true);
      expect(scanTokens(['a.cab', 'b.log', token], sample).wantsHelp).toBe(true);
    },
  );

  test.each([
    [['POSTINSTALL', 'CONTENT_DIR=/x'], 0],
    [['--data-dir', 'export', 'Export', 'a.cab'], 2],
    [['-JSON', '/quiet', 'export'], 2],
    [['--data-dir=/x', 'export'], 1],
    [['/?', 'export'], 1],
    [['--', 'export'], 1],
    [['--json'], -1],
    [[], -1],
  ])('the command in %j is at %i', (tokens, index) => {
    expect(findCommand(tokens)).toBe(index);
  });

  test('a path that begins with a slash is a positional', async () => {
    const input = await parse('/srv/skipcopy', '/skipcopy.log');
    expect(input.positionals).toEqual({ package: '/srv/skipcopy', logfile: '/skipcopy.log' });
    expect(input.options.skipcopy).toBe(false);
  });

  test('assignments take any case, spaces and Windows quotation marks', async () => {
    expect((await parseSetup('content_dir=D:\\My Updates')).assignments).toEqual({
      CONTENT_DIR: 'D:\\My Updates',
    });
    expect((await parseSetup('Content_Dir=D:\\WSUS"', '/servicing')).assignments.CONTENT_DIR).toBe(
      'D:\\WSUS',
    );
    expect((await parseSetup('SQL_INSTANCE_NAME=SRV\\A=B')).assignments.SQL_INSTANCE_NAME).toBe('SRV\\A=B');
  });

  test('a file name with an equals sign is a positional where there are no assignments', async () => {
    expect((await parse('a=b.cab')).positionals.package).toBe('a=b.cab');
  });
});

test('values are taken from the next word or behind an equals sign, and keep their case', async () => {
  const input = await parse(
    'x',
    '--TITLE=-Foo',
    '-product',
    'Windows 11',
    '--product=Office',
    '/format',
    'cab',
  );
  expect(input.options).toEqual({
    skipcopy: false,
    'no-links': false,
    title: '-Foo',
    format: 'CAB',
    product: ['Windows 11', 'Office'],
  });
});

test('an option whose name begins with no- is an option like any other', async () => {
  expect((await parse('x', '--no-links')).options['no-links']).toBe(true);
});

test('global options are found anywhere and never reach the command', async () => {
  const scanned = scanTokens(['x', '-JSON', '--Data-Dir', '/d', '/verbose'], sample);
  expect(scanned.globals).toMatchObject({ json: true, dataDirectory: '/d', verbose: true, quiet: false });
  expect((await parseInput(scanned, sample)).positionals.logfile).toBeUndefined();
});

describe('the line on what was wrong', () => {
  test.each([
    [[], 'missing <package>'],
    [[''], '<package> is empty'],
    [['a', 'b', 'c'], 'unexpected argument "c": export takes at most 2, got 3'],
    [['a', '--skipcpoy'], 'unknown option --skipcpoy, did you mean --skipcopy?'],
    [['a', '-skipcpoy'], 'unknown option -skipcpoy, did you mean --skipcopy?'],
    [['a', '--jsno'], 'unknown option --jsno, did you mean --json?'],
    [['a', '--zzzzzzzzz'], 'unknown option --zzzzzzzzz'],
    [['a', '--title'], 'option --title is missing its <text>'],
    [['a', '--title', '--skipcopy'], 'option --title is missing its <text>'],
    [['a', '--title', 'x', '--title', 'y'], 'option --title is given twice'],
    [['a', '--skipcopy=yes'], 'option --skipcopy takes no value, got "yes"'],
    [['a', '--data-dir'], 'option --data-dir is missing its <dir>'],
    [['a', '--json', '--json-events'], 'options --json and --json-events exclude each other'],
    [['a', '--csv'], 'option --csv is for commands that print a table; export does not'],
  ])('%j: %s', async (tokens, message) => {
    await expect(parse(...tokens)).rejects.toMatchObject({ code: 'USAGE', message });
  });

  test('names the choices', async () => {
    await expect(parse('a', '--format', 'zip')).rejects.toThrow(/zip.*CAB, gzip/);
  });

  test('names the property that was probably meant', async () => {
    await expect(parseSetup('CONTENT_DR=/x')).rejects.toThrow(
      'unknown property CONTENT_DR=, did you mean CONTENT_DIR=?',
    );
    await expect(parseSetup('CONTENT_DIR=')).rejects.toThrow('CONTENT_DIR= has no value');
    await expect(parseSetup('CONTENT_DIR=/a', 'content_dir=/b')).rejects.toThrow(
      'CONTENT_DIR= is given twice',
    );
  });

  test('suggests a command', () => {
    expect(unknownCommand('exprot', ['import', 'export']).message).toBe(
      'unknown command "exprot", did you mean export?',
    );
    expect(unknownCommand('frobnicate', ['import', 'export'])).toMatchObject({
      code: 'USAGE',
      message: 'unknown command "frobnicate"',
      hint: '"wsusutil help" lists the commands.',
    });
  });
});

test('any words behind -- come out as the positionals they are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), async (one, two) => {
      expect((await parse('--skipcopy', '--', one, two)).positionals).toEqual({ package: one, logfile: two });
    }),
  );
});

test('no words make it fail with anything but USAGE', async () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '--title',
      '/?',
      '--',
      '-',
      '--json',
      '--product=',
      '__proto__',
      '--__proto__',
      '--constructor=1',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
      await parse(...words).catch((error: unknown) => expect(error).toMatchObject({ code: 'USAGE' }));
      await parseSetup(...words).catch((error: unknown) => expect(error).toMatchObject({ code: 'USAGE' }));
      findCommand(words);
    }),
  );
});

test.each([
  [['content', 'copy', 'x'], 'content copy', ['x']],
  [['Content', '--json', 'COPY', 'x'], 'Content COPY', ['--json', 'x']],
  [['--data-dir', 'content', 'content', 'copy'], 'content copy', ['--data-dir', 'content']],
  [['content'], 'content', []],
  [['content', '--help'], 'content', ['--help']],
  [['reset', 'copy'], 'reset', ['copy']],
  [[], undefined, []],
])('%j names %s', (tokens, name, rest) => {
  expect(splitCommand(tokens, ['reset', 'content copy', 'content add'])).toEqual({ name, rest });
});
