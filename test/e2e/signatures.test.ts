/** From a key to an import that demands its signature, with the built program. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { binPath, finish, type ProgramResult, runProgram, temporaryFolder } from '../helpers/program.js';

const SAMPLE = resolve(import.meta.dirname, '../../fixtures/packages/sample.cab');
const PASSWORD = 'hunter2-Sesam';

function folder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

/** Runs the program with the password in its environment and on a pipe. */
function runWithPassword(args: readonly string[], home: string): Promise<ProgramResult> {
  const child = spawn(process.execPath, [binPath, ...args], {
    env: { ...process.env, WSUSUTIL_HOME: home, KEY_PASSWORD: PASSWORD },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(`${PASSWORD}\n`);
  return finish(child);
}

/** Every file below a folder, as bytes. */
function contents(path: string): Buffer[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((each) => statSync(each).isFile())
    .map((each) => readFileSync(each));
}

test('a package is signed outside, and inside nothing else is taken', { timeout: 240_000 }, async () => {
  const outside = folder();
  const inside = folder();
  const path = join(folder(), 'export.cab');
  copyFileSync(SAMPLE, path);

  const made = await runWithPassword(
    ['keys', 'new', 'anna', '--password-env', 'KEY_PASSWORD', '--json'],
    outside,
  );
  expect(made.exitCode, made.stderr).toBe(0);
  const { publicKeyPath, words } = JSON.parse(made.stdout);
  const signed = await runWithPassword(['sign', path, '--verbose'], outside); // from the pipe
  expect(signed.exitCode, signed.stderr).toBe(0);
  for (const text of [made, signed].flatMap(({ stdout, stderr }) => [stdout, stderr])) {
    expect(text).not.toContain(PASSWORD);
  }
  for (const bytes of contents(outside)) expect(bytes.includes(PASSWORD)).toBe(false);
  const minisign = spawnSync('minisign', ['-V', '-p', publicKeyPath, '-m', path], { encoding: 'utf8' });
  if (minisign.error === undefined) expect(minisign.stderr + minisign.stdout).toContain('signature verified');

  const run = (...args: string[]) => runProgram(args, inside);
  expect((await run('verify', path)).exitCode).toBe(35);
  expect((await run('verify', path, '--public-key', publicKeyPath)).exitCode).toBe(0);
  const asked = await run('trust', 'add', publicKeyPath);
  expect(asked.exitCode).toBe(29);
  expect(asked.stderr).toContain(words);
  const added = await run('trust', 'add', publicKeyPath, '--yes');
  expect(added.stdout).toContain(words);
  expect((await run('trust', 'require', 'on')).exitCode).toBe(0);

  const unsigned = await run('import', SAMPLE, '--json');
  expect(unsigned.exitCode).toBe(35);
  expect(JSON.parse(unsigned.stdout).error.code).toBe('SIGNATURE_MISSING');
  const imported = await run('import', path, join(inside, 'import.log'));
  expect(imported.exitCode, imported.stderr).toBe(0);
  expect(imported.stdout).toContain('Signed by anna, key ');
  expect(readFileSync(join(inside, 'import.log'), 'utf8')).toContain('Signed by anna, key ');

  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('x')]));
  const changed = await run('import', path, '--allow-unsigned');
  expect(changed.exitCode).toBe(35);
  expect(changed.stderr).toContain('SIGNATURE_INVALID');
  expect((await run('status', '--json')).stdout).toContain('400');
});
