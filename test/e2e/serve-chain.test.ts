/** A chain of servers, each the program itself: what the last one holds is what the first one holds. */
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { catalogueItems, startFakeUpstream } from '../helpers/fake-upstream.js';
import { finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';

const REVISIONS = 300;

function newDirectory(settings: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const path = join(folder.path, 'data');
  mkdirSync(path);
  writeFileSync(
    join(path, 'settings.json'),
    JSON.stringify({ formatVersion: 1, contentPolicy: 'wanted', updateSource: 'upstream', ...settings }),
  );
  return path;
}

/** A port such that the one below is free too: that is where a downstream looks for content. */
async function freePair(): Promise<number> {
  const listen = async (port: number): Promise<Server | undefined> => {
    const server = createServer();
    return new Promise((resolve) => {
      server.once('error', () => resolve(undefined));
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  };
  for (;;) {
    const upper = (await listen(0)) as Server;
    const address = upper.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const lower = await listen(port - 1);
    for (const server of [upper, lower]) {
      if (server === undefined) continue;
      server.close();
      await once(server, 'close');
    }
    if (lower !== undefined) return port;
  }
}

/** Gives a data directory a certificate and has it served. */
async function serve(
  directory: string,
): Promise<{ port: number; caFile: string; stop: () => Promise<void> }> {
  const port = await freePair();
  const set = await runProgram(
    ['configuressl', 'localhost', '--self-signed', '--port', String(port)],
    directory,
  );
  expect([set.exitCode, set.stdout]).toEqual([0, `https://localhost:${port}\n`]);
  const child = startProgram(['serve'], directory);
  const ended = finish(child);
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  await expect.poll(() => said, { timeout: 30_000 }).toContain(`https://127.0.0.1:${port}/`);
  return {
    port,
    caFile: join(directory, 'server-certificate.pem'),
    async stop() {
      child.kill('SIGTERM');
      const { exitCode, stderr } = await ended;
      if (process.platform !== 'win32')
        expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining('REQUEST')]);
    },
  };
}

async function synchronise(directory: string): Promise<void> {
  const { exitCode, stdout, stderr } = await runProgram(['sync'], directory);
  expect([exitCode, stderr.includes('[')], stdout + stderr).toEqual([0, false]);
}

async function fingerprintOf(directory: string): Promise<unknown> {
  const { stdout } = await runProgram(['status', '--json'], directory);
  const { fingerprint, revisions } = JSON.parse(stdout);
  expect(revisions).toBe(REVISIONS);
  return fingerprint;
}

/** Path below the content directory → bytes. */
function contentOf(directory: string): ReadonlyMap<string, string> {
  const folder = join(directory, 'WsusContent');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes('.wsusutil'),
  );
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path, 'latin1')]),
  );
}

test('over TLS through three servers: the last holds the metadata and the content files of the first', async () => {
  const origin = await startFakeUpstream([
    ...catalogueItems({ revisions: REVISIONS, seed: 8, maxFileSize: 40_000 }),
  ]);
  onTestFinished(() => origin[Symbol.asyncDispose]());
  const first = newDirectory({ upstreamServer: '127.0.0.1', upstreamPort: Number(origin.url.port) });
  await synchronise(first);

  const directories = [first];
  for (let link = 0; link < 2; link++) {
    const server = await serve(directories[link] as string);
    const next = newDirectory({
      upstreamServer: 'localhost',
      upstreamPort: server.port,
      upstreamSsl: true,
      caFile: server.caFile,
    });
    await synchronise(next);
    directories.push(next);
    await server.stop();
  }
  const [a, b, c] = directories as [string, string, string];
  expect(contentOf(a).size).toBeGreaterThan(20);
  expect(contentOf(b)).toEqual(contentOf(a));
  expect(contentOf(c)).toEqual(contentOf(a));
  expect(await fingerprintOf(c)).toBe(await fingerprintOf(a));
  expect((await runProgram(['checkstore'], c)).exitCode).toBe(0);
}, 120_000);
