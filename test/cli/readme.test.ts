import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parseInput, scanTokens, splitCommand } from '../../src/cli/parse-argv.js';
import { commands } from '../../src/commands/index.js';
import { binPath, temporaryFolder } from '../helpers/program.js';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8').replaceAll('\r\n', '\n');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  scripts: Record<string, string>;
};

interface ShownCommand {
  readonly line: string;
  readonly output: readonly string[];
}

/** The fenced blocks of a language, without their fences. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] as string,
  );
}

/** What the README shows being typed at a prompt, with what it says came back. */
function shownRuns(): ShownCommand[] {
  return blocks('console').flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((run) => {
        const [line, ...output] = run.trimEnd().split('\n');
        return { line: line as string, output };
      }),
  );
}

/** Words as a shell splits them; double quotes only. */
function words(line: string): string[] {
  return [...line.replace(/\s+#.*$/, '').matchAll(/"([^"]*)"|(\S+)/g)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
}

const typed = [
  ...shownRuns().map(({ line }) => line),
  ...blocks('sh').flatMap((block) => block.split('\n')),
  ...blocks('Dockerfile').flatMap((block) =>
    [...block.matchAll(/^CMD (\[.*\])$/gm)].map((match) =>
      (JSON.parse(match[1] as string) as string[]).join(' '),
    ),
  ),
].filter((line) => line.startsWith('wsusutil '));

/** What differs from run to run: instants, ids, digests, and sizes that depend on the version of zlib. */
function masked(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<instant>')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>')
    .replaceAll(/\d+ KB, SHA-256 [0-9a-f]{64}/g, '<digest>');
}

test('the README shows runs and command lines to check', () => {
  expect(shownRuns().length).toBeGreaterThan(3);
  expect(typed.length).toBeGreaterThan(10);
});

test.each(typed)('the program takes: %s', async (line) => {
  const tokens = words(line).slice(1);
  const split = splitCommand(
    tokens,
    commands.map(({ name }) => name),
  );
  const entry = commands.find(({ name }) => name === split.name);
  expect(entry, split.name).toBeDefined();
  const declaration = await entry?.load();
  if (declaration === undefined) return;
  const { rest } = split;
  await parseInput(scanTokens(rest, declaration), declaration);
});

const FOLDER_SHOWN = '/srv/demo';

/** Types what the README shows into an empty folder, beside the sample package; `use` gets what came of it. */
function runShown(use: (runs: readonly ShownCommand[], log: string) => void): void {
  const { path, remove } = temporaryFolder();
  const folder = realpathSync(path);
  try {
    copyFileSync(join(root, 'fixtures/packages/sample.cab'), join(folder, 'sample.cab'));
    const { FORCE_COLOR: _, NODE_OPTIONS: __, ...env } = process.env;
    const runs = shownRuns().map(({ line }) => {
      // Both streams into one file, as on one terminal.
      const screenPath = join(folder, 'screen');
      const screen = openSync(screenPath, 'w');
      const { status } = spawnSync(process.execPath, [binPath, ...words(line).slice(1)], {
        cwd: folder,
        stdio: ['ignore', screen, screen],
        env: { ...env, LC_ALL: 'C.UTF-8' },
      });
      closeSync(screen);
      const text = readFileSync(screenPath, 'utf8').replaceAll(folder, FOLDER_SHOWN);
      expect(status, `${line}\n${text}`).toBe(0);
      return { line, output: text.trimEnd().split('\n') };
    });
    use(runs, readFileSync(join(folder, 'import.log'), 'utf8').replaceAll(folder, FOLDER_SHOWN));
  } finally {
    remove();
  }
}

const LOG_BLOCK = /^```text\n(\d{4}-[\s\S]*?)^```$/m;

test.skipIf(process.env.WRITE_README === undefined)(
  'WRITE_README=1 puts what comes now into the README',
  { timeout: 60_000 },
  () => {
    runShown((runs, log) => {
      let next = 0;
      const text = readme
        .replaceAll(/^(\$ wsusutil .*)\n[\s\S]*?(?=^(?:\n\$ |```))/gm, (_, line: string) =>
          [line, ...(runs[next++] as ShownCommand).output, ''].join('\n'),
        )
        .replace(LOG_BLOCK, () => `\`\`\`text\n${log}\`\`\``);
      writeFileSync(join(root, 'README.md'), text);
    });
  },
);

test.skipIf(process.platform === 'win32' || process.env.WRITE_README !== undefined)(
  'what the README shows being typed gives what it shows (WRITE_README=1 writes it anew)',
  { timeout: 60_000 },
  () => {
    runShown((runs, log) => {
      const shown = shownRuns();
      for (const [index, { line, output }] of runs.entries()) {
        // Two streams on one terminal: which of two lines comes first is not settled, which lines come is.
        expect(output.map(masked).sort(), line).toEqual(shown[index]?.output.map(masked).sort());
      }
      expect(log.split('\n').map(masked)).toEqual(LOG_BLOCK.exec(readme)?.[1]?.split('\n').map(masked));
    });
  },
);

test('the table of commands has every command, and "not yet" has none of them', () => {
  const [, there = '', notYet = ''] =
    /^## Commands$([\s\S]*?)^\*\*Not yet\*\*([\s\S]*?)^### /m.exec(readme) ?? [];
  const first = (table: string) =>
    [...table.matchAll(/^\| (.*?) \|/gm)].flatMap((row) =>
      [...(row[1] as string).matchAll(/`([a-z-]+(?: [a-z]+)?)`/g)].map((match) => match[1] as string),
    );
  const names = commands.map(({ name }) => name);
  expect(first(there).sort()).toEqual([...names].sort());
  expect(first(notYet).filter((name) => names.includes(name))).toEqual([]);
});

test('every npm script, file and version the README names is there', () => {
  const scripts = [...readme.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] as string);
  expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  const files = [
    ...readme.matchAll(/`((?:src|test|fixtures|scripts|bin)\/[\w./-]+)`|\]\((?!http)([\w./-]+)\)/g),
  ].map((match) => (match[1] ?? match[2]) as string);
  expect(files.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  const packed = [...readme.matchAll(/wsusutil-(\d+\.\d+\.\d+)\.tgz/g)].map((match) => match[1]);
  expect(new Set(packed)).toEqual(new Set([manifest.version]));
});

test('the changelog has an entry for this version', () => {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  expect(changelog).toContain(`\n## [${manifest.version}]`);
});
