import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** How npm says that it cannot talk to a registry. */
const UNREACHABLE = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED|network/;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'wsusutil-package-'));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
});

/** The npm that runs the tests, under the Node that runs them. */
function npm(cwd: string, ...args: string[]): SpawnSyncReturns<string> {
  const script = process.env.npm_execpath;
  // An installing npm must not see what the outer one set for its own run (npm_config_*, npm_package_*).
  const environment = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|command)/.test(name),
  );
  const options = {
    cwd,
    encoding: 'utf8',
    env: {
      ...Object.fromEntries(environment),
      PATH: [dirname(process.execPath), process.env.PATH].join(process.platform === 'win32' ? ';' : ':'),
    },
  } as const;
  return script?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [script, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}

interface PackReport {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function pack(): PackReport {
  // Scripts off: `npm test` has built already, and a second build would pull dist/ away from under other tests.
  const { status, stdout, stderr } = npm(
    ROOT,
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    scratch,
  );
  expect(status, stderr).toBe(0);
  // npm 12 gives an object keyed by name, earlier ones a list.
  const [report] = Object.values(JSON.parse(stdout) as Record<string, PackReport>);
  return report as PackReport;
}

test('the package holds the program and nothing of its making', () => {
  const paths = pack().files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(['bin/wsusutil.js', 'dist/main.js', 'LICENSE', 'fixtures/packages/sample.cab']),
  );
  const roots = new Set(paths.map((path) => path.split('/')[0]));
  for (const unwanted of ['src', 'test', 'scripts', 'node_modules', '.ci'])
    expect(roots).not.toContain(unwanted);
});

test('the packed program installs without development dependencies, and runs', ({ skip }) => {
  const { filename } = pack();
  const target = join(scratch, 'installed');
  const installed = npm(
    scratch,
    ...['install', '--prefix', target, join(scratch, filename), '--omit=dev', '--prefer-offline'],
    ...['--no-audit', '--no-fund', '--fetch-retries=0'],
  );
  if (installed.status !== 0 && UNREACHABLE.test(installed.stderr)) {
    skip('npm cannot reach a registry for the dependencies');
  }
  expect(installed.status, installed.stderr).toBe(0);

  const program = join(target, 'node_modules/wsusutil/bin/wsusutil.js');
  const direct = spawnSync(process.execPath, [program, '--version'], { encoding: 'utf8' });
  expect(direct.stdout.trim()).toContain(version);
  expect(direct.status, direct.stderr).toBe(0);

  const byName = npm(target, 'exec', '--offline', '--', 'wsusutil', '--version');
  expect(byName.stdout.trim()).toContain(version);
  expect(byName.status, byName.stderr).toBe(0);
});
