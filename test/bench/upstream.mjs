// Starts upstream-server.mjs in a process of its own and talks to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/**
 * @param {{ revisions: number, seed: number, latency: number, gzip: boolean }} options latency in milliseconds
 * @returns {Promise<{ url: string, countCalls(): Promise<number>, stop(): Promise<void> }>}
 */
export async function startUpstream({ revisions, seed, latency, gzip }) {
  const args = ['--revisions', revisions, '--seed', seed, '--latency', latency].map(String);
  const script = join(import.meta.dirname, 'upstream-server.mjs');
  const child = spawn(process.execPath, [script, ...args, ...(gzip ? ['--gzip'] : [])], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = await new Promise((settle, fail) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      const end = output.indexOf('\n');
      if (end >= 0) settle(output.slice(0, end));
    });
    exited.then(([code]) => fail(new Error(`upstream-server.mjs ended with ${code}`)), fail);
  });
  return {
    url,
    async countCalls() {
      const calls = await (await fetch(new URL('calls', url))).json();
      return Object.values(calls).reduce((sum, count) => sum + count, 0);
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
