// The table of `wsusutil serve`: servers in processes of their own, their processor time and memory looked at while they run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isInstalled, lookAt, median, run } from './measure.mjs';
import { ratioRow } from './report.mjs';

const PULL_LIMIT = 2;
/** 0.8 times the throughput */
const CONTENT_LIMIT = 1 / 0.8;
const IDLE_DOWNSTREAMS = 200;
const IDLE_MEMORY_LIMIT = 300e6;
const CONTENT_SIZE = 1024 ** 3;
/** Pulls before those that are measured: compiled code, documents in memory. Both servers get them. */
const WARM_PULLS = 10;
/** Pulls in one measurement: processor time comes in steps of 10 ms. */
const PULLS = 8;

/**
 * Starts a server that prints `Serving … http://…` when it listens.
 *
 * @returns {Promise<{ urls: string[], usage(): ReturnType<typeof lookAt>, stop(): Promise<void> }>} usage: of its process,
 *   since its start
 */
export async function startServer(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const urls = await new Promise((settle, fail) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      const line = /^Serving.*\n/m.exec(output)?.[0];
      if (line !== undefined) settle(line.match(/https?:\/\/[^\s,]+/g) ?? []);
    });
    exited.then(([code]) => fail(new Error(`${command} ${args.join(' ')} ended with ${code}`)), fail);
  });
  return {
    urls,
    usage: () => lookAt(child.pid),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

const script = (name, ...args) => [process.execPath, [join(import.meta.dirname, name), ...args]];

/**
 * @param {object} bench
 * @param {(...args: string[]) => [string, string[]]} bench.wsusutil
 * @param {string} bench.directory a data directory with the catalogue in it
 * @param {(size: number) => Promise<{ tree: string, sha1: string, directory: string }>} bench.content makes a file of that size
 *   and a data directory that has found it right
 */
export async function benchServe(bench) {
  return [...(await pullRows(bench)), ...(await idleRows(bench)), ...(await contentRows(bench))];
}

async function pullRows({ wsusutil, directory, rounds, fresh }) {
  const what = 'pull of everything, processor time of the server';
  if (lookAt(process.pid) === undefined) return [{ what, skipped: `not measured on ${process.platform}` }];
  // Without a limit of rate: its only address asks for everything again and again.
  const serve = () =>
    startServer(...wsusutil('serve', '--port', '0', '--rate', 'off', '--metrics', '--data-dir', directory));
  const cpuOf = async (server, ...options) => {
    const before = server.usage().cpuMs;
    await run(...script('pull.mjs', server.urls[0], ...options));
    return server.usage().cpuMs - before;
  };
  const rows = [];
  const told = (name, actual, floor) => ({
    ...ratioRow(name, actual, floor, 'the same bytes from memory', 1),
    measured: `${(actual / floor).toFixed(2)}x (${Math.round(actual)} ms to ${Math.round(floor)} ms)`,
  });
  const forInformation = (row) => ({ ...row, target: '', met: undefined });

  const cold = await serve();
  const first = await cpuOf(cold);
  await untilPrepared(cold);
  await cold.stop();
  for (const options of [[], ['--gzip']]) {
    const name = options.length === 0 ? what : `${what}, gzip`;
    const record = fresh('record');
    const server = await serve();
    await untilPrepared(server);
    const warm = { serve: server, floor: undefined };
    const started = await cpuOf(server);
    await run(...script('pull.mjs', server.urls[0], '--record', record, ...options));
    warm.floor = await startServer(...script('memory-server.mjs', record));
    const startedFloor = await cpuOf(warm.floor, ...options);
    try {
      for (let n = 1; n < WARM_PULLS; n++) {
        for (const each of Object.values(warm)) await cpuOf(each, ...options);
      }
      const samples = { serve: [], floor: [] };
      for (let round = 0; round < Math.max(rounds, 3); round++) {
        for (const [each, list] of Object.entries(samples)) {
          let spent = 0;
          for (let n = 0; n < PULLS; n++) spent += await cpuOf(warm[each], ...options);
          list.push(spent / PULLS);
        }
      }
      const steady = told(
        `${name}: steady, documents prepared`,
        median(samples.serve),
        median(samples.floor),
      );
      const ratio = median(samples.serve) / median(samples.floor);
      rows.push({ ...steady, target: `at most ${PULL_LIMIT}x`, met: ratio <= PULL_LIMIT });
      if (options.length === 0) {
        rows.push(
          forInformation(told(`${name}: first of a process, documents prepared`, started, startedFloor)),
          forInformation(told(`${name}: first ever, documents made on the way`, first, startedFloor)),
        );
      }
    } finally {
      for (const each of Object.values(warm)) await each.stop();
      rmSync(record);
    }
  }
  return rows;
}

/** Waits until every document lies ready. */
async function untilPrepared(server) {
  const figureOf = (text, name) => Number(new RegExp(`^wsusutil_${name} (\\d+)$`, 'm').exec(text)?.[1]);
  for (;;) {
    const text = await (await fetch(new URL('metrics', server.urls[0]))).text();
    if (figureOf(text, 'documents_prepared') >= figureOf(text, 'revisions')) return;
    await sleep(500);
  }
}

async function idleRows({ wsusutil, directory }) {
  const rows = [];
  const name = `memory with ${IDLE_DOWNSTREAMS} idle downstreams`;
  if (lookAt(process.pid) === undefined)
    return [{ what: name, skipped: `not measured on ${process.platform}` }];
  for (const isSecure of [false, true]) {
    const what = isSecure ? `${name}, TLS` : name;
    if (isSecure) {
      await run(
        ...wsusutil('configuressl', 'localhost', '--self-signed', '--data-dir', directory, '--quiet'),
      );
    }
    const server = await startServer(
      ...wsusutil(
        'serve',
        '--port',
        '0',
        '--metrics',
        '--data-dir',
        directory,
        ...(isSecure ? [] : ['--no-ssl']),
      ),
    );
    const [command, args] = script('pull.mjs', server.urls[0], '--idle', String(IDLE_DOWNSTREAMS));
    const clients = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const ended = once(clients, 'exit').then(([code]) => {
        throw new Error(`the downstreams ended with ${code}`);
      });
      await Promise.race([once(clients.stdout, 'data'), ended]);
      ended.catch(() => {});
      const { peakBytes, residentBytes } = server.usage();
      rows.push({
        what,
        measured: `${(residentBytes / 1e6).toFixed(0)} MB, at most ${(peakBytes / 1e6).toFixed(0)} MB`,
        floor: '',
        target: `under ${IDLE_MEMORY_LIMIT / 1e6} MB`,
        met: peakBytes < IDLE_MEMORY_LIMIT,
      });
    } finally {
      clients.stdin.end();
      await server.stop();
    }
  }
  return rows;
}

async function contentRows({ wsusutil, content, rounds, fresh }) {
  const names = { false: 'content file of 1 GiB', true: 'content file of 1 GiB, TLS' };
  const missing = ['nginx', 'curl', 'openssl'].find((tool) => !isInstalled(tool));
  if (missing !== undefined) {
    return Object.values(names).map((what) => ({ what, skipped: `${missing} is not installed` }));
  }
  const { tree, sha1, directory } = await content(CONTENT_SIZE);
  const folder = fresh('nginx');
  const nginx = await startNginx(folder, join(tree, 'WsusContent'));
  const path = `Content/${sha1.slice(-2)}/${sha1}.exe`;
  const fetchFrom = async (url) => {
    const { stdout, status } = spawnSync(
      'curl',
      ['-sSfk', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', new URL(path, url).href],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [size, seconds] = stdout.split(' ').map(Number);
    if (status !== 0 || size !== CONTENT_SIZE) throw new Error(`${url}: ${status}, ${stdout}`);
    return seconds * 1000;
  };
  const rows = [];
  try {
    for (const isSecure of [false, true]) {
      if (isSecure) {
        await run(
          ...wsusutil('configuressl', 'localhost', '--self-signed', '--data-dir', directory, '--quiet'),
        );
      }
      const server = await startServer(
        ...wsusutil('serve', '--port', '0', '--content-over-ssl', '--data-dir', directory),
      );
      try {
        const urls = { serve: server.urls[0], nginx: isSecure ? nginx.secureUrl : nginx.url };
        const samples = { serve: [], nginx: [] };
        for (const url of Object.values(urls)) await fetchFrom(url);
        for (let round = 0; round < Math.max(rounds, 5); round++) {
          for (const [each, list] of Object.entries(samples)) list.push(await fetchFrom(urls[each]));
        }
        const speed = median(samples.nginx) / median(samples.serve);
        rows.push({
          ...ratioRow(names[isSecure], median(samples.serve), median(samples.nginx), 'nginx', CONTENT_LIMIT),
          measured: `${speed.toFixed(2)}x (${(CONTENT_SIZE / 1e3 / median(samples.serve)).toFixed(0)} MB/s)`,
          target: 'at least 0.8x',
        });
      } finally {
        await server.stop();
      }
    }
  } finally {
    await nginx.stop();
  }
  return rows;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** As it comes, with sendfile, over the same folder; `/Content` is the folder that holds `00` … `FF`. */
async function startNginx(folder, contentFolder) {
  mkdirSync(folder);
  const [port, securePort] = [await freePort(), await freePort()];
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-keyout', key, '-out', certificate],
  ]);
  const configuration = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    configuration,
    `daemon off; pid ${folder}/pid; error_log stderr error; worker_processes auto;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; access_log off; default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${securePort} ssl;
    ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;
    location = / { return 204; }
    location /Content/ { alias ${contentFolder}/; }
  }
}
`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', configuration], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}/`;
  for (let attempt = 0; ; attempt++) {
    try {
      await fetch(url);
      break;
    } catch (error) {
      if (attempt === 50 || child.exitCode !== null) throw error;
      await sleep(100);
    }
  }
  return {
    url,
    secureUrl: `https://127.0.0.1:${securePort}/`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
