// npm run quickstart: the tool from an empty folder to two copies of a catalogue, each command shown as it is typed.
// Everything happens in a scratch folder that is removed again; nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const program = join(root, 'bin/wsusutil.js');
const scratch = mkdtempSync(join(tmpdir(), 'wsusutil-quickstart-'));

process.once('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

copyFileSync(join(root, 'fixtures/packages/sample.cab'), join(scratch, 'sample.cab'));

say('Set up a data directory, and import a package into it.');
wsusutil('postinstall', '--data-dir', 'first');
wsusutil('import', 'sample.cab', 'import.log', '--data-dir', 'first');

say('Look at what it holds.');
wsusutil('categories', '--data-dir', 'first');
wsusutil('updates', 'cumulative', '--limit', '10', '--data-dir', 'first');

say('Export it in both formats, as for a disconnected network.');
wsusutil('export', 'export.cab', 'export-cab.log', '--data-dir', 'first');
wsusutil('export', 'export.xml.gz', 'export-gzip.log', '--data-dir', 'first');
say('On the other side, import each into a server of its own.');
wsusutil('import', 'export.cab', 'import-cab.log', '--data-dir', 'second');
wsusutil('import', 'export.xml.gz', 'import-gzip.log', '--data-dir', 'third');

say('Compare the three: the fingerprint is a digest over every revision and its document.');
const stores = ['first', 'second', 'third'].map((name) => ({ name, ...describe(name) }));
for (const { name, revisions, fingerprint } of stores) {
  console.log(`${name.padEnd(6)}  ${revisions} revisions  ${fingerprint}`);
}
const [first] = stores;
const same = stores.every(
  (one) => one.fingerprint === first.fingerprint && one.revisions === first.revisions,
);
if (!same) fail('the stores differ');
wsusutil('checkstore', '--data-dir', 'third');
console.log(`\nQuickstart complete: three stores hold the same ${first.revisions} revisions.`);

function say(sentence) {
  console.log(`\n# ${sentence}`);
}

function echo(args) {
  const typed = args.map((arg) => (/^[\w./=-]+$/.test(arg) ? arg : `"${arg}"`));
  console.log(`\n$ wsusutil ${typed.join(' ')}`);
}

/** Runs the real program, its output straight to this terminal. */
function wsusutil(...args) {
  echo(args);
  const { status, error } = spawnSync(process.execPath, [program, ...args], {
    cwd: scratch,
    stdio: 'inherit',
  });
  if (error !== undefined) fail(error.message);
  if (status !== 0) fail(`"wsusutil ${args.join(' ')}" ended with exit code ${status}`);
}

/** @returns {{ revisions: number, fingerprint: string }} */
function describe(directory) {
  const args = ['status', '--json', '--data-dir', directory];
  echo(args);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: scratch,
    encoding: 'utf8',
  });
  if (status !== 0) fail(`"wsusutil ${args.join(' ')}" ended with exit code ${status}\n${stderr}`);
  const { revisions, fingerprint } = JSON.parse(stdout);
  if (typeof fingerprint !== 'string') fail(`status --json names no fingerprint:\n${stdout}`);
  return { revisions, fingerprint };
}

function fail(reason) {
  console.error(`\nquickstart: ${reason}`);
  process.exit(1);
}
