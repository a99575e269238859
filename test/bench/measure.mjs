// Runs processes and times them. Wall time is measured around the whole process, start included: that is what a
// person waits for.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** How often the fallback looks at a process's memory. */
const POLL_INTERVAL_MS = 20;

const hasGnuTime =
  process.platform === 'linux' && spawnSync('/usr/bin/time', ['--version'], { stdio: 'ignore' }).status === 0;

/** @returns {boolean} whether a program of this name starts */
export function isInstalled(name) {
  const { error } = spawnSync(name, ['--version'], { stdio: 'ignore' });
  return error === undefined;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, stdoutPath?: string, memory?: string }} [options]
 *   stdoutPath: where its output goes, nowhere if left out; memory: a scratch folder, to measure peak memory and
 *   processor time too
 * @returns {Promise<{ ms: number, peakBytes: number | undefined, cpuMs: number | undefined }>} cpuMs: user and system
 * @throws Error if it does not exit with 0
 */
export async function run(command, args, options = {}) {
  const stdout = options.stdoutPath === undefined ? 'ignore' : openSync(options.stdoutPath, 'w');
  const memoryPath = options.memory === undefined ? undefined : join(options.memory, 'peak-memory');
  const wrap = memoryPath !== undefined && hasGnuTime;
  const program = wrap ? '/usr/bin/time' : command;
  const programArgs = wrap ? ['-f', '%M %U %S', '-o', memoryPath, command, ...args] : args;
  try {
    const startedAt = performance.now();
    const child = spawn(program, programArgs, { cwd: options.cwd, stdio: ['ignore', stdout, 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr = (stderr + text).slice(-4_000);
    });
    let polled;
    const poll =
      memoryPath !== undefined && !wrap && process.platform === 'linux'
        ? setInterval(() => {
            polled = lookAt(child.pid) ?? polled;
          }, POLL_INTERVAL_MS)
        : undefined;
    const status = await new Promise((settle, fail) => {
      child.on('error', fail).on('close', (code, signal) => settle(code ?? signal));
    });
    const ms = performance.now() - startedAt;
    clearInterval(poll);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stderr.trim()}`);
    if (!wrap) return { ms, peakBytes: polled?.peakBytes, cpuMs: polled?.cpuMs };
    const [kilobytes, user, system] = readFileSync(memoryPath, 'utf8').trim().split(' ').map(Number);
    return { ms, peakBytes: kilobytes * 1024, cpuMs: (user + system) * 1000 };
  } finally {
    if (stdout !== 'ignore') closeSync(stdout);
    if (memoryPath !== undefined) rmSync(memoryPath, { force: true });
  }
}

/** Ticks per second of the times in /proc, on every Linux that people run. */
const CLOCK_TICKS = 100;

/**
 * A running process, on Linux.
 *
 * @returns {{ peakBytes: number, residentBytes: number, cpuMs: number } | undefined} cpuMs: user and system, since its
 *   start; undefined once it has ended, and on other systems
 */
export function lookAt(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(status);
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    if (match === null || resident === null) return undefined;
    // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const residentBytes = Number(resident[1]) * 1024;
    return { peakBytes: Number(match[1]) * 1024, residentBytes, cpuMs: (ticks * 1000) / CLOCK_TICKS };
  } catch {
    return undefined; // it has ended
  }
}

/**
 * Runs every measurement once per round, in turn, so that a slow spell of the machine meets all of them alike.
 *
 * @param {number} rounds
 * @param {Record<string, (round: number) => Promise<number>>} measurements each resolves to milliseconds
 * @returns {Promise<Record<string, number>>} name → median in milliseconds
 */
export async function interleave(rounds, measurements) {
  const samples = Object.fromEntries(Object.keys(measurements).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(measurements)) samples[name].push(await measure(round));
  }
  return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, median(list)]));
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
