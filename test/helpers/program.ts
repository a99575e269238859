import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const binPath = join(root, 'bin/wsusutil.js');

export interface ProgramResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of the system's temporary one; remove it with the function that comes with it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'wsusutil-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts the built program with a data directory of its own and no variables that change its output. */
export function startProgram(
  args: readonly string[],
  dataDirectory: string,
  variables: NodeJS.ProcessEnv = {},
): ChildProcess {
  if (!existsSync(join(root, 'dist/main.js'))) {
    throw new Error('dist/ is missing: run "npm run build" before the end-to-end tests');
  }
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_OPTIONS: ___, ...env } = process.env;
  return spawn(process.execPath, [binPath, ...args], {
    env: { ...env, WSUSUTIL_HOME: dataDirectory, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the built program to its end. */
export async function runProgram(
  args: readonly string[],
  dataDirectory: string,
  variables: NodeJS.ProcessEnv = {},
): Promise<ProgramResult> {
  return finish(startProgram(args, dataDirectory, variables));
}

export function finish(child: ChildProcess): Promise<ProgramResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolvePromise, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolvePromise({ exitCode, stdout, stderr }));
  });
}
