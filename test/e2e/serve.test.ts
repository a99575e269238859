/** The program as a server: what it says, how it stops, and how it runs as a service. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';

const folder = temporaryFolder();
const home = join(folder.path, 'home');

beforeAll(async () => {
  const path = join(folder.path, 'catalogue.cab');
  await writeCatalogue(path, { revisions: 200, seed: 5 });
  const { exitCode } = await runProgram(['import', path, join(folder.path, 'import.log')], home);
  expect(exitCode).toBe(0);
}, 60_000);
afterAll(() => folder.remove());

/** Starts it and waits for its line. */
async function start(args: readonly string[] = []) {
  const child = startProgram(['serve', '--port', '0', ...args], home);
  const ended = finish(child);
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  await expect.poll(() => said, { timeout: 30_000 }).toContain('Serving');
  const [url = '', clear] = said.match(/https?:\/\/[^\s,]+/g) ?? [];
  return { child, ended, url, clear, said: () => said };
}

test.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGINT'] as const)(
  'a server that gets %s finishes and ends well',
  async (signal) => {
    const log = join(folder.path, `access-${signal}.log`);
    const { child, ended, url } = await start(['--access-log', log, '--log-format', 'json', '--metrics']);
    expect((await fetch(new URL('health/ready', url))).status).toBe(200);
    expect((await fetch(new URL('health/live', url))).status).toBe(200);
    expect(await (await fetch(new URL('metrics', url))).text()).toContain('wsusutil_revisions 200\n');
    child.kill(signal);
    const { exitCode, stdout, stderr } = await ended;
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^Serving 200 revisions on http:\/\/127\.0\.0\.1:\d+\/\nStopping; .*\nStopped after 3 requests\.\n$/,
    );
    const lines = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ path, status }) => [path, status])).toEqual([
      ['/health/ready', 200],
      ['/health/live', 200],
      ['/metrics', 200],
    ]);
  },
  60_000,
);

test('a server synchronises another program', async () => {
  const { child, ended, url } = await start();
  const other = join(folder.path, 'other');
  const { port } = new URL(url);
  for (const words of [
    ['updateSource', 'upstream'],
    ['upstreamServer', '127.0.0.1'],
    ['upstreamPort', port],
  ]) {
    expect((await runProgram(['config', 'set', ...words], other)).exitCode).toBe(0);
  }
  const { exitCode, stdout } = await runProgram(['sync', '--categories-only'], other);
  expect([exitCode, stdout]).toEqual([0, expect.any(String)]);
  const status = JSON.parse((await runProgram(['status', '--json'], other)).stdout);
  expect(status.newestByType?.Category ?? JSON.stringify(status)).not.toBe(0);
  child.kill('SIGTERM');
  await ended;
}, 90_000);

test('a running server tells the languages that are selected now', async () => {
  const { child, ended, url } = await start();
  const other = join(folder.path, 'german');
  const settings = {
    updateSource: 'upstream',
    upstreamServer: '127.0.0.1',
    upstreamPort: Number(new URL(url).port),
  };
  mkdirSync(other);
  writeFileSync(
    join(other, 'settings.json'),
    JSON.stringify({ formatVersion: 1, languages: ['de'], ...settings }),
  );
  const sync = async () => (await runProgram(['sync', '--categories-only'], other)).stderr;
  expect(await sync()).not.toContain('LANGUAGE');
  await runProgram(['languages', 'select', '--only', 'fr'], home);
  expect(await sync()).toContain('no files for de');
  await runProgram(['languages', 'select', 'de'], home);
  expect(await sync()).not.toContain('LANGUAGE');
  await runProgram(['languages', 'select', '--all'], home);
  child.kill('SIGTERM');
  await ended;
}, 90_000);

test('the rate of an address is an option: refused with the time to wait, or off', async () => {
  const firstRefused = async (url: string) => {
    for (let n = 0; n < 50; n++) {
      const response = await fetch(new URL('nothing', url));
      if (response.status !== 404)
        return { n, status: response.status, wait: response.headers.get('retry-after') };
    }
    return undefined;
  };
  const slow = await start(['--rate', '1']);
  const refused = await firstRefused(slow.url);
  expect(refused).toMatchObject({ status: 429, wait: '1' });
  expect(refused?.n).toBeGreaterThanOrEqual(5);
  const open = await start(['--rate', 'off']);
  expect(await firstRefused(open.url)).toBeUndefined();
  for (const { child, ended } of [slow, open]) {
    child.kill('SIGTERM');
    expect((await ended).exitCode).toBe(0);
  }
  for (const rate of ['0', '-1', '1.5', 'fast', '1000001']) {
    const { exitCode, stderr } = await runProgram(['serve', '--rate', rate], home);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('not a number of requests per second')]);
  }
}, 60_000);

test.skipIf(process.platform !== 'linux')(
  'connections that say nothing or half of something cost little memory, and the server answers meanwhile',
  async () => {
    const { child, ended, url } = await start();
    const { port } = new URL(url);
    const half =
      'POST /ServerSyncWebService/ServerSyncWebService.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n';
    const sockets = Array.from({ length: 450 }, (_, n) => {
      const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
      if (n % 3 > 0) socket.write(n % 3 === 1 ? half.slice(0, 80) : `${half}${'x'.repeat(100_000)}`);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect((await fetch(new URL('health/ready', url))).status).toBe(200);
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    expect(Number(peak)).toBeLessThan(300_000);
    for (const socket of sockets) socket.destroy();
    child.kill('SIGTERM');
    expect((await ended).exitCode).toBe(0);
  },
  60_000,
);

test('a port that is taken is told, with its exit code', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { exitCode, stderr } = await runProgram(['serve', '--port', String(port)], home);
  expect([exitCode, stderr]).toEqual([37, expect.stringContaining('the port is taken')]);
  await new Promise((resolve) => taken.close(resolve));
}, 30_000);

test('with SSL it listens twice', async () => {
  const own = join(folder.path, 'ssl');
  mkdirSync(own);
  const set = await runProgram(['configuressl', 'localhost', '--self-signed'], own);
  expect([set.exitCode, set.stdout]).toEqual([0, 'https://localhost:8531\n']);
  const child = startProgram(['serve', '--port', '0'], own);
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ended = finish(child);
  await expect
    .poll(() => said, { timeout: 30_000 })
    .toMatch(/on https:\/\/127\.0\.0\.1:\d+\/, content on http:\/\/127\.0\.0\.1:\d+\//);
  child.kill('SIGTERM');
  await ended;
}, 60_000);

const hasAnalyze = (() => {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test('the help for an installation has the options in it, and a unit that systemd takes', async () => {
  const { exitCode, stdout } = await runProgram(
    [
      'serve',
      '--install-help',
      '--port',
      '80',
      '--allow-address',
      '192.0.2.0/24',
      '--access-log',
      '/var/log/a b/x.log',
      '--json',
    ],
    home,
  );
  expect(exitCode).toBe(0);
  const { systemdUnit } = JSON.parse(stdout) as { systemdUnit: string };
  expect(systemdUnit).toContain(
    'serve --port 80 --allow-address 192.0.2.0/24 --access-log "/var/log/a b/x.log" --data-dir ',
  );
  expect(systemdUnit).toContain('AmbientCapabilities=CAP_NET_BIND_SERVICE\n');
  expect(systemdUnit).toContain('ReadWritePaths="/var/log/a b"\n');
  const { stdout: page } = await runProgram(['serve', '--install-help', '--metrics'], home);
  for (const part of [
    'systemctl daemon-reload && systemctl enable --now wsusutil-serve',
    'ProtectSystem=strict',
    'Windows: a program has to be made a service by a wrapper',
    'serve --metrics --data-dir',
    'GET /health/ready',
  ]) {
    expect(page).toContain(part);
  }
  if (!hasAnalyze) return;
  const unit = join(folder.path, 'wsusutil-serve.service');
  writeFileSync(unit, systemdUnit);
  execFileSync('systemd-analyze', ['verify', '--man=no', unit], { stdio: 'pipe' });
}, 30_000);
