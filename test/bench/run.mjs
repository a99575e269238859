// npm run bench [-- <table> ...] [-- --revisions N] [--gigabytes N] [--rounds N] [--large] [--cli <script>]
//
// Tables: startup, import, export, query, store, content, carry, sync, serve; all of them if none is named. Each measures
// the program as people run it, a process from start to end, against a floor measured in the same rounds: medians of
// interleaved runs. The table of transfer packages needs four times its gigabytes on the disk.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCarry } from './carry.mjs';
import { inventFiles, makeContentTree, writeContentPackage } from './content-tree.mjs';
import { loadGenerator } from './generator.mjs';
import { interleave, isInstalled, median, run } from './measure.mjs';
import { overheadRow, printTable, ratioRow } from './report.mjs';
import { benchServe } from './serve.mjs';
import { startUpstream } from './upstream.mjs';

const root = resolve(import.meta.dirname, '../..');
const TABLES = ['startup', 'import', 'export', 'query', 'store', 'content', 'carry', 'sync', 'serve'];
const MEGABYTE = 1e6;

const IMPORT_LIMIT = 4;
const IMPORT_MEMORY_LIMIT = 400 * MEGABYTE;
const AGAIN_LIMIT = 1 / 3;
const EXPORT_GZIP_LIMIT = 1.5;
const EXPORT_CABINET_LIMIT = 2;
const COLD_IMPORT_LIMIT = 20;
const STORE_SHARE_LIMIT = 0.2;
const HELP_ALLOWANCE_MS = 60;
const QUERY_ALLOWANCE_MS = 50;
/** 0.9 times the throughput */
const VERIFY_LIMIT = 1 / 0.9;
const QUICK_LIMIT = 3;
const CONTENT_MEMORY_LIMIT = 400 * MEGABYTE;
const SYNC_LIMIT = 1.5;
const SYNC_MEMORY_LIMIT = 400 * MEGABYTE;
const SYNC_REQUEST_LIMIT = 6;
/** `--revisions` beyond this many counts for the other tables only. */
const SYNC_REVISIONS = 20_000;
/** calls at once, as `wsusutil sync` makes them to a WSUS server */
const SYNC_CONCURRENCY = 2;
const UPSTREAMS = [
  { latency: 5, gzip: false },
  { latency: 5, gzip: true },
  { latency: 50, gzip: false },
];
/** Files of the trees below: many small ones and few large ones, and more tiny ones than a server has. */
const SMALL_FILES = 20_000;
const LARGE_FILES = 40;
const LARGE_SIZE = 100 * MEGABYTE;
const TINY_FILES = 500_000;
const KNOWN_FILES = 1_000_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    revisions: { type: 'string', default: '100000' },
    gigabytes: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    large: { type: 'boolean', default: false },
    cli: { type: 'string', default: join(root, 'bin/wsusutil.js') },
  },
});
const revisions = Number(values.revisions);
const gigabytes = Number(values.gigabytes);
const rounds = Number(values.rounds);
const seed = Number(values.seed);
const unknown = positionals.filter((table) => !TABLES.includes(table));
if (unknown.length > 0 || ![revisions, rounds, seed].every(Number.isInteger) || !(gigabytes > 0)) {
  console.error(
    `usage: npm run bench -- [${TABLES.join(' | ')}] [--revisions N] [--gigabytes N] [--rounds N] [--seed S] [--large]`,
  );
  process.exit(2);
}
const tables = positionals.length === 0 ? TABLES : TABLES.filter((table) => positionals.includes(table));

const scratch = await mkdtemp(join(tmpdir(), 'wsusutil-bench-'));
process.once('SIGINT', () => {
  rm(scratch, { recursive: true, force: true }).finally(() => process.exit(130));
});
const allRows = [];
let names = 0;
/** A path in the scratch folder that nothing has used. */
const fresh = (name) => join(scratch, `${++names}-${name}`);
const wsusutil = (...args) => [process.execPath, [values.cli, ...args]];
const importInto = (dataDirectory, packagePath, ...options) =>
  wsusutil('import', packagePath, fresh('import.log'), '--data-dir', dataDirectory, '--quiet', ...options);

function show(title, rows) {
  allRows.push(...rows);
  printTable(title, rows);
}

async function startup() {
  const result = await interleave(Math.max(rounds, 15), {
    bare: async () => (await run(process.execPath, ['-e', '0'])).ms,
    help: async () => (await run(...wsusutil('--help'))).ms,
  });
  show('Start', [
    overheadRow('wsusutil --help', result.help, result.bare, 'node -e 0', 2, HELP_ALLOWANCE_MS),
  ]);
}

// ---- the generated catalogue, made once for all tables

let generated;
/** @returns {Promise<{ paths: Record<'xml.gz' | 'cab', string>, documentSize: number, updateId: string }>} */
function packages() {
  generated ??= makePackages(revisions);
  return generated;
}

async function makePackages(count) {
  const { writeCatalogue, generateCatalogue } = await loadGenerator();
  const paths = { 'xml.gz': fresh(`${count}.xml.gz`), cab: fresh(`${count}.cab`) };
  let documentSize = 0;
  for (const path of Object.values(paths))
    ({ documentSize } = await writeCatalogue(path, { revisions: count, seed }));
  // A bundle from the middle: neither the first page of the store nor the last.
  let updateId = '';
  let position = 0;
  for (const item of generateCatalogue({ revisions: count, seed })) {
    if (item.document.includes('<upd:BundledUpdates>')) updateId = item.identity.updateId;
    if (++position > count / 2 && updateId !== '') break;
  }
  return { paths, documentSize, updateId };
}

/** Data directories with the catalogue in them, by format; made on first use. */
const filled = new Map();
async function filledDirectory(format) {
  if (!filled.has(format)) {
    const directory = fresh(`data-${format}`);
    await run(...importInto(directory, (await packages()).paths[format]));
    filled.set(format, directory);
  }
  return filled.get(format);
}

async function storeFile(dataDirectory) {
  const names = await readdir(dataDirectory, { recursive: true });
  const name = names.find((one) => one.endsWith('.sqlite'));
  if (name === undefined) throw new Error(`no .sqlite file in ${dataDirectory}: ${names.join(', ')}`);
  return join(dataDirectory, name);
}

/** Bytes of the database, its write-ahead log included. */
async function storeSize(dataDirectory) {
  const path = await storeFile(dataDirectory);
  const wal = await stat(`${path}-wal`).catch(() => ({ size: 0 }));
  return (await stat(path)).size + wal.size;
}

/** The floor of inserting what a store holds: what insert-blobs.mjs prints. */
async function insertionTime(dataDirectory) {
  const target = fresh('insertion.sqlite');
  const script = join(import.meta.dirname, 'insert-blobs.mjs');
  const child = spawn(process.execPath, [script, await storeFile(dataDirectory), target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) output += chunk;
  for (const suffix of ['', '-wal', '-shm']) await rm(target + suffix, { force: true });
  const ms = Number(output);
  if (output === '' || Number.isNaN(ms)) throw new Error('insert-blobs.mjs failed');
  return ms;
}

const DECOMPRESS = {
  'xml.gz': { tool: 'gzip', args: ['-dc'], name: 'gzip -dc' },
  cab: { tool: 'cabextract', args: ['-q', '-p'], name: 'cabextract -p' },
};

async function importTable() {
  await importRows(await packages(), revisions);
  if (values.large) await importRows(await makePackages(revisions * 2), revisions * 2);
}

async function importRows({ paths }, count) {
  const rows = [];
  const first = {};
  for (const format of ['xml.gz', 'cab']) {
    const { tool, args, name } = DECOMPRESS[format];
    const what = `import of a new .${format}`;
    const directory = fresh(`data-${format}`);
    let peak = 0;
    const result = await interleave(rounds, {
      import: async () => {
        await rm(directory, { recursive: true, force: true });
        const { ms, peakBytes } = await run(...importInto(directory, paths[format]), { memory: scratch });
        peak = Math.max(peak, peakBytes ?? Number.NaN);
        return ms;
      },
      ...(isInstalled(tool) ? { floor: async () => (await run(tool, [...args, paths[format]])).ms } : {}),
      insertion: () => insertionTime(directory),
    });
    first[format] = result.import;
    if (count === revisions) filled.set(format, directory);
    rows.push(
      result.floor === undefined
        ? { what, skipped: `${tool} is not installed` }
        : ratioRow(
            what,
            result.import,
            result.floor + result.insertion,
            `${name} + raw insertion`,
            IMPORT_LIMIT,
          ),
      Number.isNaN(peak)
        ? { what: `${what}: peak memory`, skipped: `not measured on ${process.platform}` }
        : {
            what: `${what}: peak memory`,
            measured: `${(peak / MEGABYTE).toFixed(0)} MB`,
            floor: '',
            target: `under ${IMPORT_MEMORY_LIMIT / MEGABYTE} MB`,
            met: peak < IMPORT_MEMORY_LIMIT,
          },
    );
    if (count === revisions) continue;
    await rm(directory, { recursive: true, force: true });
  }
  if (count === revisions) {
    const again =
      (store, format, ...options) =>
      async () =>
        (await run(...importInto(filled.get(store), paths[format], ...options))).ms;
    // With --strict a package is read even if its very bytes were imported before, as any other with the same updates.
    const result = await interleave(rounds, {
      'xml.gz again': again('xml.gz', 'xml.gz'),
      'cab again': again('cab', 'cab'),
      'xml.gz again, all of it read': again('xml.gz', 'xml.gz', '--strict'),
      'cab again, all of it read': again('cab', 'cab', '--strict'),
      'xml.gz into the store of the cab': again('cab', 'xml.gz', '--strict'),
      'cab into the store of the xml.gz': again('xml.gz', 'cab', '--strict'),
    });
    for (const [what, ms] of Object.entries(result)) {
      const format = what.startsWith('cab') ? 'cab' : 'xml.gz';
      const row = ratioRow(`import of the .${what}`, ms, first[format], 'the first import', AGAIN_LIMIT);
      rows.push(what.endsWith('again') ? row : { ...row, target: '', met: undefined });
    }
  }
  show(`Import, ${count} revisions`, rows);
}

async function exportTable() {
  const directory = await filledDirectory('xml.gz');
  const exportTo = (path) =>
    wsusutil('export', path, fresh('export.log'), '--data-dir', directory, '--quiet');
  const rows = [];

  // The floors need what the export holds, unpacked: one export before the rounds.
  const gzip = fresh('first.xml.gz');
  const cabinet = fresh('first.cab');
  await run(...exportTo(gzip));
  await run(...exportTo(cabinet));
  const what = { gzip: 'export to .xml.gz', cabinet: 'export to .cab' };

  if (isInstalled('gzip')) {
    const xml = fresh('first.xml');
    await run('gzip', ['-dc', gzip], { stdoutPath: xml });
    const result = await interleave(rounds, {
      export: () => timed(exportTo, 'round.xml.gz'),
      floor: async () => (await run('gzip', ['-6', '-c', xml], { stdoutPath: join(scratch, 'floor.gz') })).ms,
    });
    rows.push(ratioRow(what.gzip, result.export, result.floor, 'gzip -6 of the same XML', EXPORT_GZIP_LIMIT));
    await rm(xml);
  } else rows.push({ what: what.gzip, skipped: 'gzip is not installed' });

  const missing = ['gcab', 'cabextract'].find((tool) => !isInstalled(tool));
  if (missing === undefined) {
    const members = fresh('members');
    await run('cabextract', ['-q', '-d', members, cabinet]);
    const result = await interleave(rounds, {
      export: () => timed(exportTo, 'round.cab'),
      floor: async () => {
        const target = fresh('floor.cab');
        const { ms } = await run('gcab', ['-c', '-z', target, 'package.xml', 'metadata.txt'], {
          cwd: members,
        });
        await rm(target);
        return ms;
      },
    });
    rows.push(
      ratioRow(what.cabinet, result.export, result.floor, 'gcab -c -z of its members', EXPORT_CABINET_LIMIT),
    );
    await rm(members, { recursive: true });
  } else rows.push({ what: what.cabinet, skipped: `${missing} is not installed` });
  show(`Export, ${revisions} revisions`, rows);
}

async function timed(commandFor, name) {
  const path = fresh(name);
  const { ms } = await run(...commandFor(path));
  await rm(path);
  return ms;
}

async function query() {
  const directory = await filledDirectory('xml.gz');
  const { updateId } = await packages();
  const result = await interleave(Math.max(rounds, 9), {
    help: async () => (await run(...wsusutil('--help'))).ms,
    update: async () => (await run(...wsusutil('update', updateId, '--data-dir', directory))).ms,
  });
  show(`One update out of ${revisions}, cold process`, [
    overheadRow('wsusutil update <id>', result.update, result.help, 'wsusutil --help', 1, QUERY_ALLOWANCE_MS),
  ]);
}

async function store() {
  const rows = [];
  const real = resolve(root, '../shared/data/wsusutil-export/2020-04-21-WSUS.cab');
  const what = 'import of the real package of 2020, cold';
  const tool = 'cabextract';
  if (!existsSync(real)) rows.push({ what, skipped: 'the real package is not on this machine' });
  else {
    const directory = fresh('data-real');
    const result = await interleave(Math.max(rounds, 5), {
      bare: async () => (await run(process.execPath, ['-e', '0'])).ms,
      import: async () => {
        await rm(directory, { recursive: true, force: true });
        return (await run(...importInto(directory, real))).ms;
      },
    });
    rows.push(ratioRow(what, result.import, result.bare, 'node -e 0', COLD_IMPORT_LIMIT));
    if (isInstalled(tool)) {
      const members = fresh('members');
      await run(tool, ['-q', '-d', members, real]);
      const { size } = await stat(join(members, 'metadata.txt'));
      rows.push(shareRow('database of the real package', await storeSize(directory), size));
    } else rows.push({ what: 'database of the real package', skipped: `${tool} is not installed` });
  }
  const directory = await filledDirectory('cab');
  const { documentSize } = await packages();
  // For information: how well made-up documents shrink says little about real ones.
  const row = shareRow(
    `database of ${revisions} generated revisions`,
    await storeSize(directory),
    documentSize,
  );
  rows.push({ ...row, target: '', met: undefined });
  show('Store', rows);
}

function shareRow(what, size, xmlSize) {
  const share = size / xmlSize;
  return {
    what,
    measured: `${(100 * share).toFixed(1)} %`,
    floor: 'the XML it holds',
    target: `at most ${100 * STORE_SHARE_LIMIT} %`,
    met: share <= STORE_SHARE_LIMIT,
  };
}

/** A data directory that knows these files; the content lies where its settings say. */
async function contentDirectory(name, files, contentRoot) {
  const directory = fresh(`data-${name}`);
  const path = fresh(`${name}.xml.gz`);
  await writeContentPackage(path, files);
  if (contentRoot !== undefined) {
    await run(...wsusutil('postinstall', `CONTENT_DIR=${contentRoot}`, '--data-dir', directory, '--quiet'));
  }
  await run(...importInto(directory, path));
  await rm(path);
  return directory;
}

/** Both digests of every file by openssl, one process per processor, one after the other. */
async function opensslTime(folder) {
  let total = 0;
  for (const digest of ['-sha1', '-sha256']) {
    const script = `find "$1" -type f -print0 | xargs -0 -n 500 -P ${availableParallelism()} openssl dgst ${digest}`;
    total += (await run('sh', ['-c', script, 'sh', folder])).ms;
  }
  return total;
}

async function content() {
  const rows = [];
  const what = {
    verify: `content verify, ${SMALL_FILES} small and ${LARGE_FILES} large files`,
    copy: 'content copy of them',
    quick: `reset --quick, ${TINY_FILES} known files`,
    memory: `reset with ${KNOWN_FILES} file rows: peak memory`,
  };
  if (isInstalled('openssl') && isInstalled('xargs')) {
    const tree = fresh('tree');
    const small = Array.from({ length: SMALL_FILES }, (_, n) => 500 + ((n * 7919) % 100_000));
    const files = makeContentTree(tree, [...small, ...Array.from({ length: LARGE_FILES }, () => LARGE_SIZE)]);
    const directory = await contentDirectory('tree', files, tree);
    const result = await interleave(rounds, {
      floor: () => opensslTime(tree),
      verify: async () =>
        (await run(...wsusutil('content', 'verify', '--data-dir', directory, '--quiet'))).ms,
    });
    rows.push(
      ratioRow(
        what.verify,
        result.verify,
        result.floor,
        'openssl dgst -sha1 and -sha256 on all cores',
        VERIFY_LIMIT,
      ),
    );
    const copied = fresh('copied');
    const empty = async () => {
      await rm(copied, { recursive: true, force: true });
      await mkdir(copied);
    };
    const script = 'cp -R "$1" "$2" && find "$2" -type f -print0 | xargs -0 -n 500 sha256sum';
    const copies = await interleave(rounds, {
      floor: async () => {
        await empty();
        return (await run('sh', ['-c', script, 'sh', tree, copied])).ms;
      },
      copy: async () => {
        await empty();
        const args = ['content', 'copy', copied, '--link', 'never', '--data-dir', directory, '--quiet'];
        return (await run(...wsusutil(...args))).ms;
      },
    });
    rows.push(ratioRow(what.copy, copies.copy, copies.floor, 'cp -R, then sha256sum', VERIFY_LIMIT));
    await rm(copied, { recursive: true });
    await rm(tree, { recursive: true });
  } else {
    rows.push({ what: what.verify, skipped: 'openssl or xargs is not installed' });
    rows.push({ what: what.copy, skipped: 'openssl or xargs is not installed' });
  }

  const tiny = fresh('tiny');
  const files = makeContentTree(
    tiny,
    Array.from({ length: TINY_FILES }, () => 64),
  );
  const known = await contentDirectory('tiny', files, tiny);
  await run(...wsusutil('reset', '--offline', '--data-dir', known, '--quiet'));
  const quick = await interleave(rounds, {
    ...(isInstalled('find')
      ? { floor: async () => (await run('find', [tiny, '-type', 'f', '-printf', '%s\\n'])).ms }
      : {}),
    quick: async () =>
      (await run(...wsusutil('reset', '--quick', '--offline', '--data-dir', known, '--quiet'))).ms,
  });
  rows.push(
    quick.floor === undefined
      ? { what: what.quick, skipped: 'find is not installed' }
      : ratioRow(what.quick, quick.quick, quick.floor, "find -printf '%s\\n'", QUICK_LIMIT),
  );
  await rm(tiny, { recursive: true });

  const many = await contentDirectory('many', inventFiles(KNOWN_FILES), undefined);
  // Exit code 3, since all of them are missing, is what this run ends with.
  const script = [
    `"$@" --quiet; test $? = 3`,
    'sh',
    ...wsusutil('reset', '--offline', '--data-dir', many).flat(),
  ];
  const { peakBytes } = await run('sh', ['-c', ...script], { memory: scratch });
  rows.push(
    peakBytes === undefined
      ? { what: what.memory, skipped: `not measured on ${process.platform}` }
      : {
          what: what.memory,
          measured: `${(peakBytes / MEGABYTE).toFixed(0)} MB`,
          floor: '',
          target: `under ${CONTENT_MEMORY_LIMIT / MEGABYTE} MB`,
          met: peakBytes < CONTENT_MEMORY_LIMIT,
        },
  );
  show('Content directory', rows);
}

async function sync() {
  const count = Math.min(revisions, SYNC_REVISIONS);
  const { paths } = await makePackages(count);
  const bench = (script, url, gzip = false) => [
    process.execPath,
    [
      join(import.meta.dirname, script),
      url,
      '--concurrency',
      String(SYNC_CONCURRENCY),
      ...(gzip ? ['--gzip'] : []),
    ],
  ];
  const rows = [];
  for (const { latency, gzip } of UPSTREAMS) {
    const upstream = await startUpstream({ revisions: count, seed, latency, gzip });
    try {
      const directory = fresh('data-sync');
      const synchronise = wsusutil(
        ...['sync', '--upstream', upstream.url, '--metadata-only', '--data-dir', directory, '--quiet'],
      );
      const emptied = async (path, command) => {
        await rm(path, { recursive: true, force: true });
        return command;
      };
      const imported = fresh('data-imported');
      const result = await interleaveUsage(rounds, {
        raw: () => bench('raw-posts.mjs', upstream.url, gzip),
        fetch: () => bench('fetch-documents.mjs', upstream.url),
        'xml.gz': () => emptied(imported, importInto(imported, paths['xml.gz'])),
        cab: () => emptied(imported, importInto(imported, paths.cab)),
        sync: () => emptied(directory, synchronise),
      });
      const before = await upstream.countCalls();
      await run(...synchronise);
      const requests = (await upstream.countCalls()) - before;
      rows.push(
        ...syncRows(`${latency} ms${gzip ? ', gzip' : ''}`, result, requests, gzip ? undefined : SYNC_LIMIT),
      );
    } finally {
      await upstream.stop();
    }
  }
  show(`Synchronisation, ${count} revisions from an upstream with latency`, rows);
}

/** @param limit undefined: no target; raw HTTP does not undo gzip, so that it is no floor */
function syncRows(where, result, requests, limit) {
  const name = (floor) => (floor === 'raw' ? 'raw HTTP of the same bodies' : 'import of the .xml.gz');
  const slower = (unit) => (result.raw[unit] > result['xml.gz'][unit] ? 'raw' : 'xml.gz');
  const ratio = (what, unit, one, other, limit) =>
    result[one][unit] === undefined || result[other][unit] === undefined
      ? { what, skipped: `not measured on ${process.platform}` }
      : limit === undefined
        ? { ...ratioRow(what, result[one][unit], result[other][unit], other, 1), target: '', met: undefined }
        : ratioRow(what, result[one][unit], result[other][unit], name(other), limit);
  const { peakBytes } = result.sync;
  return [
    ratio(`${where}: sync`, 'ms', 'sync', slower('ms'), limit),
    ratio(`${where}: sync, processor time`, 'cpuMs', 'sync', slower('cpuMs'), limit),
    ratio(`${where}: fetch and decode alone, processor time`, 'cpuMs', 'fetch', 'xml.gz'),
    ratio(`${where}: raw HTTP, processor time`, 'cpuMs', 'raw', 'xml.gz'),
    ratio(`${where}: import of the .cab, processor time`, 'cpuMs', 'cab', 'xml.gz'),
    peakBytes === undefined
      ? { what: `${where}: sync: peak memory`, skipped: `not measured on ${process.platform}` }
      : {
          what: `${where}: sync: peak memory`,
          measured: `${(peakBytes / MEGABYTE).toFixed(0)} MB`,
          floor: '',
          target: `under ${SYNC_MEMORY_LIMIT / MEGABYTE} MB`,
          met: peakBytes < SYNC_MEMORY_LIMIT,
        },
    {
      what: `${where}: requests when nothing has changed`,
      measured: String(requests),
      floor: '',
      target: `at most ${SYNC_REQUEST_LIMIT}`,
      met: requests <= SYNC_REQUEST_LIMIT,
    },
  ];
}

async function serve() {
  const count = Math.min(revisions, SYNC_REVISIONS);
  const { paths } = await makePackages(count);
  const directory = fresh('data-serve');
  await run(...importInto(directory, paths['xml.gz']));
  const content = async (size) => {
    const tree = fresh('tree-serve');
    const [file] = makeContentTree(tree, [size]);
    const known = await contentDirectory('serve-content', [file], tree);
    await run(...wsusutil('reset', '--offline', '--data-dir', known, '--quiet'));
    return { tree, sha1: file.sha1, directory: known };
  };
  const rows = await benchServe({ wsusutil, directory, content, rounds, scratch, fresh });
  show(`Serving ${count} revisions, and content`, rows);
}

async function carry() {
  const rows = await benchCarry({
    wsusutil,
    size: gigabytes * 1e9,
    content: (files, tree) => contentDirectory('carry', files, tree),
    filled: await filledDirectory('xml.gz'),
    revisions,
    rounds,
    scratch,
    fresh,
  });
  show('Transfer packages', rows);
}

/**
 * As `interleave`, with processor time and memory.
 *
 * @param {Record<string, () => [string, string[]] | Promise<[string, string[]]>>} commands made anew for each round
 * @returns {Promise<Record<string, { ms: number, cpuMs: number | undefined, peakBytes: number | undefined }>>} medians;
 *   of memory the maximum
 */
async function interleaveUsage(rounds, commands) {
  const usage = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, make] of Object.entries(commands)) {
      const command = await make();
      usage[name].push(await run(...command, { memory: scratch }));
    }
  }
  const values = (list, unit) => list.map((each) => each[unit]).filter((value) => value !== undefined);
  return Object.fromEntries(
    Object.entries(usage).map(([name, list]) => {
      const cpu = values(list, 'cpuMs');
      const peaks = values(list, 'peakBytes');
      return [
        name,
        {
          ms: median(values(list, 'ms')),
          cpuMs: cpu.length === 0 ? undefined : median(cpu),
          peakBytes: peaks.length === 0 ? undefined : Math.max(...peaks),
        },
      ];
    }),
  );
}

try {
  const measure = {
    startup,
    import: importTable,
    export: exportTable,
    query,
    store,
    content,
    carry,
    sync,
    serve,
  };
  console.log(
    `Node ${process.version}, ${process.platform}-${process.arch}; medians of ${rounds} interleaved rounds`,
  );
  for (const table of tables) {
    try {
      await measure[table]();
    } catch (error) {
      // One table that cannot be measured does not cost the others.
      console.log(`\n${table} could not be measured: ${error.message}`);
      process.exitCode = 1;
    }
  }
  const judged = allRows.filter((row) => row.met !== undefined);
  const met = judged.filter((row) => row.met).length;
  console.log(
    `\n${met} of ${judged.length} targets met, ${allRows.filter((row) => 'skipped' in row).length} rows skipped`,
  );
} finally {
  await rm(scratch, { recursive: true, force: true });
}
