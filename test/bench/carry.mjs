// The table of transfer packages: content that was checked before, written into a package, verified, and imported
// elsewhere; and the package of a large catalogue in which nothing is new.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeContentTree } from './content-tree.mjs';
import { interleave, isInstalled, run } from './measure.mjs';
import { ratioRow } from './report.mjs';

const MEGABYTE = 1e6;
/** 0.9 times the throughput */
const LIMIT = 1 / 0.9;
const MEMORY_LIMIT = 300 * MEGABYTE;
const SINCE_LAST_LIMIT_MS = 2000;
/** Of all bytes, as many lie in small files, the rest in large ones. */
const SMALL_SHARE = 0.3;
const TOOLS = ['tar', 'sha256sum', 'tee', 'mkfifo', 'sync', 'sh'];

/** Reads the sources, hashes, writes; what was written is on the disk when it ends. */
const EXPORT_FLOOR = 'tar -cf - -C "$1" . | tee "$2" | sha256sum && sync "$2"';
/** Hashes the package while its files are written; they are on the disk when it ends. */
const IMPORT_FLOOR =
  'mkfifo "$3" && { sha256sum <"$3" & tee "$3" <"$1" | tar -xf - -C "$2" && wait && sync -f "$2"; }';

/**
 * As an update server has them: most are of 50 to 500 KB, most bytes lie in files of 10 to 300 MB.
 *
 * @returns {number[]} sizes that add up to `total`, roughly
 */
export function contentSizes(total) {
  const sizes = [];
  let left = total * SMALL_SHARE;
  for (let n = 0; left > 0; n++) {
    const size = 50_000 + ((n * 7919) % 450_000);
    sizes.push(size);
    left -= size;
  }
  left += total * (1 - SMALL_SHARE);
  for (let n = 0; left > 0; n++) {
    const size = Math.min(left, 10 * MEGABYTE + ((n * 37) % 30) * 10 * MEGABYTE);
    sizes.push(size);
    left -= size;
  }
  return sizes;
}

/**
 * @param {object} bench
 * @param {(...args: string[]) => [string, string[]]} bench.wsusutil
 * @param {number} bench.size bytes of content
 * @param {(files: { sha1: string, sha256: string, size: number }[], tree: string) => Promise<string>} bench.content a data
 *   directory that calls for these files, and whose content directory `tree` is
 * @param {string} bench.filled a data directory with a large catalogue, and no content
 */
export async function benchCarry(bench) {
  return [...(await packageRows(bench)), ...(await sinceLastRows(bench))];
}

async function packageRows({ wsusutil, size, content, rounds, scratch, fresh }) {
  const sizes = contentSizes(size);
  const named = `${(size / 1e9).toFixed(1)} GB in ${sizes.length} files`;
  const what = { export: `export of ${named}`, verify: 'verify of it', import: 'import of it' };
  const missing = TOOLS.find((tool) => !isInstalled(tool) && tool !== 'sh');
  if (missing !== undefined) {
    return Object.values(what).map((each) => ({ what: each, skipped: `${missing} is not installed` }));
  }
  const tree = fresh('carry-tree');
  const directory = await content(makeContentTree(tree, sizes), tree);
  // What an update server has done before anybody exports: it knows its files.
  await run(...wsusutil('reset', '--offline', '--data-dir', directory, '--quiet'));

  const carry = fresh('carry.tar');
  const floorCopy = fresh('floor.tar');
  const inside = fresh('carry-inside');
  const unpacked = fresh('carry-unpacked');
  const peaks = { export: 0, verify: 0, import: 0 };
  /** Nothing that was measured before is written out at the expense of this. */
  const settled = () => run('sync', []);
  const measure = async (name, ...command) => {
    await settled();
    const { ms, peakBytes } = await run(...command, { memory: scratch });
    peaks[name] = Math.max(peaks[name], peakBytes ?? Number.NaN);
    return ms;
  };
  const floor = async (script, ...paths) => {
    await settled();
    return (await run('sh', ['-c', script, 'sh', ...paths])).ms;
  };
  const wsusContent = join(tree, 'WsusContent');
  const result = await interleave(rounds, {
    exportFloor: async () => {
      await rm(floorCopy, { force: true });
      return floor(EXPORT_FLOOR, wsusContent, floorCopy);
    },
    export: async () => {
      await rm(carry, { force: true });
      return measure('export', ...wsusutil('export', carry, '--data-dir', directory, '--quiet'));
    },
    verifyFloor: () => floor('sha256sum "$1"', carry),
    verify: () => measure('verify', ...wsusutil('verify', carry, '--quiet')),
    importFloor: async () => {
      await rm(unpacked, { recursive: true, force: true });
      await mkdir(unpacked);
      return floor(IMPORT_FLOOR, carry, unpacked, fresh('pipe'));
    },
    import: async () => {
      await rm(inside, { recursive: true, force: true });
      await rm(unpacked, { recursive: true, force: true });
      return measure(
        'import',
        ...wsusutil('import', carry, '--allow-unsigned', '--data-dir', inside, '--quiet'),
      );
    },
  });
  for (const path of [tree, carry, floorCopy, inside, unpacked]) {
    await rm(path, { recursive: true, force: true });
  }
  const memoryRow = (name) =>
    Number.isNaN(peaks[name])
      ? { what: `${what[name]}: peak memory`, skipped: `not measured on ${process.platform}` }
      : {
          what: `${what[name]}: peak memory`,
          measured: `${(peaks[name] / MEGABYTE).toFixed(0)} MB`,
          floor: '',
          target: `under ${MEMORY_LIMIT / MEGABYTE} MB`,
          met: peaks[name] < MEMORY_LIMIT,
        };
  return [
    ratioRow(what.export, result.export, result.exportFloor, 'tar | tee file | sha256sum; sync', LIMIT),
    memoryRow('export'),
    ratioRow(what.verify, result.verify, result.verifyFloor, 'sha256sum of it', LIMIT),
    memoryRow('verify'),
    ratioRow(what.import, result.import, result.importFloor, 'tee >(sha256sum) | tar -x; sync', LIMIT),
    memoryRow('import'),
  ];
}

async function sinceLastRows({ wsusutil, filled, revisions, rounds, fresh }) {
  const first = fresh('first.tar');
  await run(...wsusutil('export', first, '--data-dir', filled, '--quiet'));
  await rm(first);
  const path = fresh('nothing-new.tar');
  const result = await interleave(Math.max(rounds, 5), {
    bare: async () => (await run(process.execPath, ['-e', '0'])).ms,
    export: async () => {
      const { ms } = await run(...wsusutil('export', path, '--since-last', '--data-dir', filled, '--quiet'));
      await rm(path);
      return ms;
    },
  });
  return [
    {
      what: `export --since-last, ${revisions} revisions and nothing new`,
      measured: `${(result.export / result.bare).toFixed(1)}x (${Math.round(result.export)} ms)`,
      floor: `node -e 0 (${Math.round(result.bare)} ms)`,
      target: `at most ${SINCE_LAST_LIMIT_MS} ms`,
      met: result.export <= SINCE_LAST_LIMIT_MS,
    },
  ];
}
