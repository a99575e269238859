import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');

/** What each room may import, besides itself. Imports point down only (README, "Layout"). */
const BASE = ['model', 'errors'];
const DOMAIN = ['formats', 'platform', 'model', 'events', 'errors'];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ['*'],
  cli: ['commands', 'model', 'events', 'errors'],
  commands: [
    'carry',
    'sync',
    'store',
    'packages',
    'content',
    'health',
    'transfer',
    'query',
    'settings',
    'serve',
    'model',
    'events',
    'errors',
  ],
  store: DOMAIN,
  settings: DOMAIN,
  packages: ['store', ...DOMAIN],
  transfer: ['platform', 'model', 'events', 'errors'],
  content: ['store', 'transfer', ...DOMAIN],
  health: ['content', 'settings', 'store', 'transfer', ...DOMAIN],
  query: ['store', ...DOMAIN],
  carry: ['packages', 'content', 'transfer', 'settings', 'store', ...DOMAIN],
  sync: ['transfer', 'store', 'content', 'packages', ...DOMAIN],
  serve: ['transfer', 'store', 'content', ...DOMAIN],
  formats: BASE,
  platform: ['errors'],
  model: ['errors'],
  events: ['model'],
  errors: [],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
  readonly line: string;
}

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(SRC, name));
}

function roomOf(path: string): string {
  return (relative(SRC, path).split(sep)[0] as string).replace(/\.[jt]s$/, '');
}

function importsOf(path: string): Import[] {
  const source = readFileSync(path, 'utf8');
  const imports: Import[] = [];
  for (const match of source.matchAll(
    /(import|export)\s+(type\s+)?(?:[^'";]*?\bfrom\s*)?'(\.[^']+)'|import\(\s*'(\.[^']+)'\s*\)|new URL\(\s*'(\.[^']+)'/g,
  )) {
    const specifier = (match[3] ?? match[4] ?? match[5]) as string;
    imports.push({
      from: path,
      to: resolve(dirname(path), specifier),
      typeOnly: match[2] !== undefined,
      line: match[0].replaceAll(/\s+/g, ' '),
    });
  }
  return imports;
}

test('every import points down the layers', () => {
  const wrong: string[] = [];
  for (const file of sourceFiles()) {
    const room = roomOf(file);
    const allowed = ALLOWED[room];
    if (allowed === undefined) {
      wrong.push(`${relative(SRC, file)}: room "${room}" is not in the table`);
      continue;
    }
    for (const { to, typeOnly, line } of importsOf(file)) {
      const target = roomOf(to);
      if (target === room || allowed.includes('*')) continue;
      if (!allowed.includes(target)) wrong.push(`${relative(SRC, file)}: ${line}`);
      else if (room === 'cli' && target === 'commands' && !typeOnly)
        wrong.push(`${relative(SRC, file)}: types only: ${line}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no file imports itself in a circle', () => {
  const graph = new Map<string, string[]>();
  for (const file of sourceFiles()) {
    graph.set(
      file,
      importsOf(file)
        .filter((each) => !each.typeOnly)
        .map((each) => each.to.replace(/\.js$/, '.ts')),
    );
  }
  const circles: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push(
        [...trail.slice(trail.indexOf(file)), file].map((each) => relative(SRC, each)).join(' → '),
      );
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test('SQL and the driver stay inside src/store and src/platform', () => {
  const wrong = sourceFiles().filter(
    (file) =>
      !['store', 'platform'].includes(roomOf(file)) &&
      /platform\/sqlite|\b(INSERT INTO|SELECT .* FROM|CREATE TABLE)\b/.test(readFileSync(file, 'utf8')),
  );
  expect(wrong.map((file) => relative(SRC, file))).toEqual([]);
});

test('only main.ts and the bin file reach for process exit, argv and the standard streams', () => {
  const wrong = sourceFiles().filter(
    (file) =>
      roomOf(file) !== 'main' &&
      /\bprocess\.(exit|exitCode|argv|stdout|stderr|stdin)\b|\bconsole\./.test(readFileSync(file, 'utf8')),
  );
  expect(wrong.map((file) => relative(SRC, file))).toEqual([]);
});

test('formats work in memory: no process, no file and no connection of their own', () => {
  const allowed = ['buffer', 'crypto', 'util', 'zlib'];
  const wrong = sourceFiles()
    .filter((file) => roomOf(file) === 'formats')
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/\bfrom 'node:([a-z_/]+)'|\bimport\('node:([a-z_/]+)'/g)]
        .filter(([, name, later]) => !allowed.includes(name ?? later ?? ''))
        .map(([text]) => `${relative(SRC, file)}: ${text}`),
    );
  expect(wrong).toEqual([]);
});
