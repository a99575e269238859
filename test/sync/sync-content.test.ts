import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WsusutilError } from '../../src/errors.js';
import type { UpdateIdentity } from '../../src/model/update-identity.js';
import { type ContentSyncSummary, synchroniseContent } from '../../src/sync/sync-content.js';
import { type BuiltFile, makeFile, placeFile, testRunner, updateWith } from '../content/content-builder.js';
import type { Fault } from '../helpers/content-origin.js';
import type { UpstreamItem } from '../helpers/fake-upstream.js';
import { failureOf } from '../helpers/package-builder.js';
import { seededRandom } from '../helpers/seeded-random.js';
import {
  type BuiltUpdate,
  importUpdates,
  openTestStore,
  testFolder,
  withDocument,
} from '../store/update-builder.js';
import { setUp } from './client-setup.js';
import { addKeys, hasFile, setUpContent, startHolder, testClient } from './content-setup.js';
import { ManualClock } from './manual-clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NONE = { files: 0, bytes: 0 };

const licence = makeFile('licence', 50, 'eula.txt');
const small = makeFile('small', 3_000);
const large = makeFile('large', 300_000, 'large.cab');
const all = [licence, small, large];
const update = updateWith(1, [small, large], { licences: [licence] });

function partialsIn(folder: string): string[] {
  const place = join(folder, '.wsusutil/partial');
  return existsSync(place) ? readdirSync(place).sort() : [];
}

function leavePartial(folder: string, file: BuiltFile, bytes: Buffer): void {
  const path = join(folder, '.wsusutil/partial', file.sha1);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

function encrypted(built: BuiltUpdate): BuiltUpdate {
  return withDocument(built, (text) => text.replaceAll('<upd:File ', '<upd:File IsEncrypted="true" '));
}

/** A document that claims a size its file does not have. */
function withSize(built: BuiltUpdate, file: BuiltFile, size: number): BuiltUpdate {
  return withDocument(built, (text) => text.replaceAll(`Size="${file.bytes.length}"`, `Size="${size}"`));
}

/** `problem file name` of what is not there. */
function unsynced({ unsyncedFiles }: ContentSyncSummary): string[] {
  return unsyncedFiles.map(({ problem, fileName }) => `${problem} ${fileName}`).sort();
}

describe('what is wanted', () => {
  test('comes from the content of the upstream, licence texts first, and is whole', async () => {
    const setup = await setUpContent({ updates: [update], held: all, atMicrosoft: all });
    const summary = await setup.sync({ concurrency: 1 });
    expect(all.filter(setup.has)).toEqual(all);
    expect(setup.upstream.requests[0]?.path).toBe(setup.upstream.pathOf(licence));
    expect(setup.microsoft.requests).toEqual([]);
    expect(partialsIn(setup.folder)).toEqual([]);
    expect(summary).toMatchObject({
      wanted: { files: 3, bytes: 303_050, licence: { files: 1, bytes: 50 } },
      present: NONE,
      downloaded: { files: 3, bytes: 303_050, licences: { files: 1, bytes: 50 } },
      fromMicrosoft: NONE,
      unsyncedFiles: [],
      stillMissing: NONE,
      isComplete: true,
    });
  });

  test('comes from where the metadata says if the upstream holds none; a file without an address is told', async () => {
    const setup = await setUpContent({ updates: [update], held: all, atMicrosoft: [licence, small] });
    const summary = await setup.sync({ source: { contentUrl: undefined, allowMicrosoft: true } });
    expect(all.filter(setup.has)).toEqual([licence, small]);
    expect(setup.upstream.requests).toEqual([]);
    expect(summary.fromMicrosoft).toEqual({ files: 2, bytes: 3_050 });
    expect(unsynced(summary)).toEqual(['no-source large.cab']);
    expect(summary.isComplete).toBe(false);
    expect(setup.warnings()).toEqual(['FILE_WITHOUT_URL']);
  });

  test('is not asked for again once it is there', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    await setup.sync();
    const before = setup.upstream.requests.length;
    const again = await setup.sync();
    expect(setup.upstream.requests).toHaveLength(before);
    expect(again).toMatchObject({ present: { files: 3 }, downloaded: NONE, isComplete: true });
  });

  test('is not asked for if it was put there by hand', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    placeFile(setup.folder, large);
    const summary = await setup.sync();
    expect(setup.upstream.startsOf(large)).toEqual([]);
    expect(summary).toMatchObject({ present: { files: 1, bytes: 300_000 }, downloaded: { files: 2 } });
  });

  test('takes the place of a damaged file', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    placeFile(setup.folder, large, large.path, large.bytes.subarray(1));
    await setup.sync();
    expect(setup.has(large)).toBe(true);
  });

  test('is licence texts only, or nothing, by choice', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    expect(await setup.sync({ policy: 'none' })).toMatchObject({ wanted: NONE, isComplete: true });
    expect(setup.upstream.requests).toEqual([]);
    expect(readdirSync(setup.folder)).toEqual([]);
    await setup.sync({ policy: 'licences' });
    expect(all.filter(setup.has)).toEqual([licence]);
  });

  test('is kept without SHA-256 too, and told', async () => {
    const old = withDocument(update, (text) =>
      text.replaceAll(/<upd:AdditionalDigest.*?<\/upd:AdditionalDigest>/g, ''),
    );
    const setup = await setUpContent({ updates: [old], held: all });
    const summary = await setup.sync();
    expect(all.filter(setup.has)).toEqual(all);
    expect(summary.isComplete).toBe(true);
    expect(summary.withoutSha256.files).toBeGreaterThanOrEqual(2);
    expect(setup.warnings()).toEqual(['CONTENT_WITHOUT_SHA256']);
  });

  test('is not fetched to elsewhere if the directory with the earlier files is gone', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    await setup.sync();
    rmSync(setup.folder, { recursive: true });
    expect((await failureOf(() => setup.sync())).code).toBe('SAFETY_REFUSED');
    expect(existsSync(setup.folder)).toBe(false);
    mkdirSync(setup.folder);
    expect(await setup.sync()).toMatchObject({ downloaded: { files: 3 }, isComplete: true });
  });
});

describe('whatever happens on the way', () => {
  const status = (code: number): Fault => ({ type: 'status', status: code });

  test.each<readonly [string, readonly Fault[], readonly number[]]>([
    ['a reset', [{ type: 'reset', after: 70_000 }], [0, 70_000]],
    ['a body that ends early', [{ type: 'ends-early', after: 123 }], [0, 123]],
    ['a busy server', [status(503), status(429), status(500)], [0, 0, 0, 0]],
    ['a range that is refused', [{ type: 'reset', after: 5 }, status(416)], [0, 5, 0]],
    ['a range that is passed over', [{ type: 'reset', after: 5 }, { type: 'ignores-range' }], [0, 5]],
    ['another range than asked for', [{ type: 'reset', after: 5 }, { type: 'wrong-range' }], [0, 5, 0]],
    ['wrong bytes', [{ type: 'wrong-bytes' }], [0, 0]],
    ['more bytes', [{ type: 'more-bytes' }], [0, 0]],
    ['all of it', [{ type: 'reset', after: 9 }, status(502), { type: 'wrong-bytes' }], [0, 9, 9, 0]],
  ])('a file is right after %s', async (_, faults, starts) => {
    const setup = await setUpContent({ updates: [update], held: all });
    setup.upstream.fail(setup.upstream.pathOf(large), ...faults);
    const summary = await setup.sync();
    expect(summary).toMatchObject({ downloaded: { files: 3, bytes: 303_050 }, isComplete: true });
    expect(all.filter(setup.has)).toEqual(all);
    expect(setup.upstream.startsOf(large)).toEqual(starts);
  });

  test('what an earlier run left is read again, and only the rest is fetched', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    leavePartial(setup.folder, large, large.bytes.subarray(0, 200_000));
    expect(await setup.plan()).toMatchObject({ missing: { bytes: 303_050 }, toFetch: 103_050 });
    await setup.sync();
    expect(setup.upstream.startsOf(large)).toEqual([200_000]);
    expect(setup.has(large)).toBe(true);
  });

  test('what an earlier run left of something else is not kept', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    leavePartial(setup.folder, large, Buffer.alloc(200_000, 1));
    await setup.sync();
    expect(setup.upstream.startsOf(large)).toEqual([200_000, 0]);
    expect(setup.has(large)).toBe(true);
  });

  test('a file whose bytes stay wrong is not kept, the others come, and the run is incomplete', async () => {
    const setup = await setUpContent({ updates: [update], held: [licence, small] });
    setup.upstream.hold({ ...large, bytes: Buffer.alloc(large.bytes.length, 3) });
    const summary = await setup.sync();
    expect(all.filter(setup.has)).toEqual([licence, small]);
    expect(existsSync(join(setup.folder, large.path))).toBe(false);
    expect(partialsIn(setup.folder)).toEqual([]);
    expect(unsynced(summary)).toEqual(['failed large.cab']);
    expect(summary).toMatchObject({ stillMissing: { files: 1, bytes: 300_000 }, isComplete: false });
    expect(setup.warnings()).toEqual(['CONTENT_NOT_DOWNLOADED']);
  });

  test('a damaged file stays until a good one takes its place', async () => {
    const setup = await setUpContent({ updates: [update], held: [licence, small] });
    const path = placeFile(setup.folder, large, large.path, large.bytes.subarray(1));
    expect(unsynced(await setup.sync())).toEqual(['not-held large.cab']);
    expect(statSync(path).size).toBe(299_999);
  });

  test('an upstream that cannot be reached fails every file, soon, without naming a password', async () => {
    const setup = await setUpContent({ updates: [update] });
    const source = { contentUrl: 'http://user:geheim@127.0.0.1:1/Content', allowMicrosoft: false };
    const summary = await setup.sync({ source });
    expect(summary.unsynced.failed.files).toBe(3);
    expect(JSON.stringify([summary, setup.events])).not.toContain('geheim');
  });

  test('a full disk ends the run and what is under way, and what came stays', async () => {
    const setup = await setUpContent({ updates: [update], held: [licence, large] });
    setup.upstream.fail(setup.upstream.pathOf(large), { type: 'stalls', after: 100_000 });
    const http = testClient();
    let tellStalled = () => {};
    const isStalled = new Promise<void>((done) => {
      tellStalled = done;
    });
    async function* fullDisk(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(0);
      await isStalled;
      throw new WsusutilError('DISK_FULL', 'The disk is full');
    }
    const error = await failureOf(() =>
      setup.sync({
        http: {
          get: async (url, headers, signal) =>
            url.endsWith(small.path)
              ? { status: 200, headers: {}, body: fullDisk(), discard: async () => {} }
              : http.get(url, headers, signal),
          close: () => http.close(),
        },
        report: (event) => {
          if (event.type === 'progress' && event.bytes === 100_050) tellStalled();
        },
      }),
    );
    expect(error.code).toBe('DISK_FULL');
    expect(all.filter(setup.has)).toEqual([licence]);
    expect(partialsIn(setup.folder)).toEqual([large.sha1]);
    setup.upstream.hold(small);
    expect(await setup.sync()).toMatchObject({ present: { files: 1 }, isComplete: true });
    expect(setup.upstream.startsOf(large)).toEqual([0, 100_000]);
  });
});

describe('a disk that is too small', () => {
  const huge = withSize(update, large, 9e15);

  test('is noticed before anything is fetched, with both numbers', async () => {
    const setup = await setUpContent({ updates: [huge], held: all });
    const error = await failureOf(() => setup.sync());
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toContain('9,000,000,000,003,050 bytes');
    expect(error.details).toMatchObject({ needed: 9_000_000_000_003_050 });
    expect(setup.upstream.requests).toEqual([]);
  });

  test('is told by a plan', async () => {
    const setup = await setUpContent({ updates: [huge], held: all });
    expect(await setup.plan()).toMatchObject({ toFetch: 9_000_000_000_003_050, fits: false });
    expect(await setup.plan({ policy: 'licences' })).toMatchObject({ toFetch: 50, fits: true });
  });
});

describe('a plan', () => {
  test('says how much comes from which hosts, and changes nothing', async () => {
    const setup = await setUpContent({ updates: [update], held: all, atMicrosoft: [licence, small] });
    placeFile(setup.folder, licence);
    const host = (url: string) => new URL(url).host;
    expect(await setup.plan()).toMatchObject({
      wanted: { files: 3, bytes: 303_050 },
      present: { files: 1, bytes: 50 },
      missing: { files: 2, bytes: 303_000, licences: NONE },
      withoutSource: NONE,
      hosts: [{ host: host(setup.upstream.url), files: 2, bytes: 303_000 }],
      fits: true,
    });
    expect(await setup.plan({ source: { contentUrl: undefined, allowMicrosoft: true } })).toMatchObject({
      withoutSource: { files: 1, bytes: 300_000 },
      hosts: [{ host: host(setup.microsoft.url), files: 1, bytes: 3_000 }],
    });
    expect(setup.upstream.requests).toEqual([]);
    expect((await (await setup.store.contentIndex()).states()).verified.files).toBe(0);
    expect(partialsIn(setup.folder)).toEqual([]);
  });

  test('needs no directory', async () => {
    const setup = await setUpContent({ updates: [update] });
    rmSync(setup.folder, { recursive: true });
    expect(await setup.plan()).toMatchObject({ missing: { files: 3 }, fits: true });
    expect(existsSync(setup.folder)).toBe(false);
  });
});

describe('what the upstream does not give out', () => {
  test('is listed, and the rest comes', async () => {
    const setup = await setUpContent({ updates: [update], held: [small], atMicrosoft: all });
    const summary = await setup.sync();
    expect(unsynced(summary)).toEqual(['not-held eula.txt', 'not-held large.cab']);
    expect(summary).toMatchObject({
      downloaded: { files: 1 },
      stillMissing: { files: 2, bytes: 300_050, licences: { files: 1, bytes: 50 } },
      isComplete: false,
    });
    expect(summary.unsyncedFiles[0]?.reason).toContain('404');
    expect(setup.microsoft.requests).toEqual([]);
    expect(setup.warnings()).toEqual(['CONTENT_NOT_HELD']);
    expect(partialsIn(setup.folder)).toEqual([]);
  });

  test('comes from Microsoft where that is allowed, licence texts before other files', async () => {
    const setup = await setUpContent({ updates: [update], held: [small], atMicrosoft: all });
    setup.upstream.hold({ ...large, bytes: Buffer.alloc(large.bytes.length) });
    const steps: string[] = [];
    const summary = await setup.sync({
      source: { ...setup.source, allowMicrosoft: true },
      concurrency: 1,
      report: (event) => {
        if (event.type === 'step' && event.message.startsWith('downloaded')) steps.push(event.message);
      },
    });
    expect(summary).toMatchObject({
      downloaded: { files: 3 },
      fromMicrosoft: { files: 2, bytes: 300_050 },
      isComplete: true,
    });
    expect(all.filter(setup.has)).toEqual(all);
    expect(steps[0]).toContain(licence.sha1);
  });

  test('nor Microsoft is told once, with the answer of the upstream', async () => {
    const setup = await setUpContent({ updates: [update], held: [licence, small], atMicrosoft: [large] });
    setup.microsoft.fail(setup.microsoft.pathOf(large), { type: 'status', status: 403 });
    const summary = await setup.sync({ source: { ...setup.source, allowMicrosoft: true } });
    expect(unsynced(summary)).toEqual(['not-held large.cab']);
    expect(summary.unsyncedFiles[0]?.url).toContain('/Content/');
    expect(setup.microsoft.startsOf(large)).toEqual([0]);
  });

  test('comes on the next run once the upstream holds it', async () => {
    const setup = await setUpContent({ updates: [update], held: [small] });
    await setup.sync();
    setup.upstream.hold(licence, large);
    expect(await setup.sync()).toMatchObject({
      present: { files: 1 },
      downloaded: { files: 2 },
      isComplete: true,
    });
    expect(setup.upstream.startsOf(small)).toEqual([0]);
  });
});

describe('DownloadFiles', () => {
  const poll = { firstMs: 1_000, maxMs: 8_000, limitMs: 60_000 };

  /** What the upstream knows of, whether it holds it or not. */
  function itemOf(n: number, files: readonly BuiltFile[]): UpstreamItem {
    const built = updateWith(n, files);
    return {
      identity: built.identity as UpdateIdentity,
      document: built.document,
      files: files.map(({ sha1 }) => ({ sha1, muUrl: '' })),
      categories: [],
      classifications: [],
    };
  }

  async function setUpWishes(known: readonly BuiltFile[], clock = new ManualClock('2026-11-10T12:00:00Z')) {
    const { client, upstream, ...rest } = await setUp({}, { items: [itemOf(1, known)] });
    return {
      client,
      wishes: upstream,
      clock,
      downloadFiles: (sha1s: readonly string[]) => client.downloadFiles(sha1s),
      [Symbol.asyncDispose]: rest[Symbol.asyncDispose],
    };
  }

  test('has the upstream fetch what it answers 404 for, and the files come when they are there', async () => {
    await using upstream = await setUpWishes(all);
    const clock: ManualClock = new ManualClock('2026-11-10T12:00:00Z', () => {
      if (clock.pauses.length === 2) setup.upstream.hold(licence);
      if (clock.pauses.length === 4) setup.upstream.hold(large);
      return true;
    });
    const setup = await setUpContent({ updates: [update], held: [small], clock });
    const source = { ...setup.source, downloadFiles: upstream.downloadFiles, poll };
    const summary = await setup.sync({ source });
    expect(upstream.wishes.downloads).toEqual([licence.sha1, large.sha1]);
    expect(clock.pauses).toEqual([1_000, 2_000, 4_000, 1_000, 2_000]);
    expect(all.filter(setup.has)).toEqual(all);
    expect(summary).toMatchObject({
      requestedUpstream: { files: 2, bytes: 300_050 },
      downloaded: { files: 3, licences: { files: 1 } },
      isComplete: true,
    });
  });

  test('is asked for a hundred files at a time', async () => {
    const files = Array.from({ length: 230 }, (_, n) => makeFile(`many${n}`, 10));
    await using upstream = await setUpWishes(files);
    const clock = new ManualClock('2026-11-10T12:00:00Z', () => {
      setup.upstream.hold(...files);
      return true;
    });
    const setup = await setUpContent({ updates: [updateWith(1, files)], clock });
    const summary = await setup.sync({
      source: { ...setup.source, downloadFiles: upstream.downloadFiles, poll },
    });
    expect(upstream.wishes.countCalls('DownloadFiles')).toBe(3);
    expect(summary).toMatchObject({ requestedUpstream: { files: 230 }, downloaded: { files: 230 } });
  });

  test('ends after the limit, with growing pauses, and the file is listed as not held', async () => {
    await using upstream = await setUpWishes(all);
    const setup = await setUpContent({ updates: [update], held: [licence, small] });
    const summary = await setup.sync({
      source: { ...setup.source, downloadFiles: upstream.downloadFiles, poll },
    });
    expect(setup.clock.pauses).toEqual([
      1_000,
      2_000,
      4_000,
      ...Array.from({ length: 6 }, () => 8_000),
      5_000,
    ]);
    expect(unsynced(summary)).toEqual(['not-held large.cab']);
    expect(setup.warnings()).toEqual(['DOWNLOADS_WAIT', 'CONTENT_NOT_HELD']);
  });

  test('leaves out what the upstream does not know, without waiting for it', async () => {
    await using upstream = await setUpWishes([licence, small]);
    const setup = await setUpContent({ updates: [update], held: [licence, small] });
    const summary = await setup.sync({
      source: { ...setup.source, downloadFiles: upstream.downloadFiles, poll },
    });
    expect(setup.clock.pauses).toEqual([]);
    expect(unsynced(summary)).toEqual(['unknown large.cab']);
    expect(summary.isComplete).toBe(false);
  });

  test('that is refused does not end the run', async () => {
    await using upstream = await setUpWishes(all);
    upstream.wishes.plan({ on: 'DownloadFiles', times: 100, fault: { code: 'InvalidParameters' } });
    const setup = await setUpContent({ updates: [update], held: [licence, small] });
    const summary = await setup.sync({
      source: { ...setup.source, downloadFiles: upstream.downloadFiles, poll },
    });
    expect(summary.downloaded.files).toBe(2);
    expect(unsynced(summary)).toEqual(['not-held large.cab']);
    expect(setup.clock.pauses).toEqual([]);
  });

  test('is not called for files that come', async () => {
    await using upstream = await setUpWishes(all);
    const setup = await setUpContent({ updates: [update], held: [licence, small], atMicrosoft: [large] });
    await setup.sync({
      source: { ...setup.source, allowMicrosoft: true, downloadFiles: upstream.downloadFiles, poll },
    });
    expect(upstream.wishes.countCalls('DownloadFiles')).toBe(0);
  });

  test('is waited for only until an interruption', async () => {
    await using upstream = await setUpWishes(all);
    const clock = new ManualClock('2026-11-10T12:00:00Z', () => {
      queueMicrotask(() => setup.controller.abort());
      return false;
    });
    const setup = await setUpContent({ updates: [update], held: [licence, small], clock });
    const source = { ...setup.source, downloadFiles: upstream.downloadFiles, poll };
    expect((await failureOf(() => setup.sync({ source }))).code).toBe('INTERRUPTED');
    expect([licence, small].every(setup.has)).toBe(true);
  });
});

describe('an encrypted file', () => {
  const secret = makeFile('secret', 5_000, 'secret.cab');
  const served = { ...secret, bytes: makeFile('cipher', 5_000).bytes };

  test('is kept if what is served verifies', async () => {
    const setup = await setUpContent({ updates: [encrypted(updateWith(1, [secret]))], held: [secret] });
    expect(await setup.sync()).toMatchObject({ downloaded: { files: 1 }, isComplete: true });
    expect(setup.has(secret)).toBe(true);
  });

  test('that does not verify is told as such, is no damage, and is not fetched again for a month', async () => {
    const setup = await setUpContent({ updates: [encrypted(updateWith(1, [secret]))], held: [served] });
    const summary = await setup.sync();
    expect(unsynced(summary)).toEqual(['encrypted secret.cab']);
    expect(summary).toMatchObject({ stillMissing: NONE, isComplete: true });
    expect(existsSync(join(setup.folder, secret.path))).toBe(false);
    expect(setup.warnings()).toEqual(['CONTENT_ENCRYPTED']);
    const asked = setup.upstream.requests.length;

    expect(unsynced(await setup.sync())).toEqual(['encrypted secret.cab']);
    expect(setup.upstream.requests).toHaveLength(asked);
    const index = await setup.store.contentIndex();
    expect((await index.states()).corrupt.files).toBe(0);

    setup.clock.moveTo(setup.clock.at + 31 * DAY_MS);
    setup.upstream.hold(secret);
    expect(await setup.sync()).toMatchObject({ downloaded: { files: 1 }, unsyncedFiles: [] });
  });

  test('is known by its key too', async () => {
    const setup = await setUpContent({ updates: [updateWith(1, [secret, small])], held: [served, small] });
    await addKeys(setup.store, secret);
    expect(unsynced(await setup.sync())).toEqual(['encrypted secret.cab']);
  });

  test('of another size than the plain one is told as encrypted as well', async () => {
    const longer = { ...secret, bytes: Buffer.alloc(5_008) };
    const setup = await setUpContent({ updates: [encrypted(updateWith(1, [secret]))], held: [longer] });
    expect(unsynced(await setup.sync())).toEqual(['encrypted secret.cab']);
  });
});

describe('a time window', () => {
  const window = { from: 20 * 60, to: 5 * 60 };
  const night = { window, timeZone: 'UTC' };
  const isOpenAt = (clock: ManualClock) => clock.now().getUTCHours() >= 20 || clock.now().getUTCHours() < 5;
  /** Time passes while nothing may be downloaded, and stands still while it may. */
  const clockAt = (start: string) => new ManualClock(start, (clock) => !isOpenAt(clock));

  test('is waited for', async () => {
    const clock = clockAt('2026-11-10T12:00:00Z');
    const setup = await setUpContent({ updates: [update], held: all, clock });
    let openedAt: string | undefined;
    const summary = await setup.sync({
      ...night,
      report: (event) => {
        if (event.type === 'step' && event.message.startsWith('downloaded')) {
          openedAt ??= clock.now().toISOString();
        }
      },
    });
    expect(openedAt).toBe('2026-11-10T20:00:00.000Z');
    expect(summary.isComplete).toBe(true);
  });

  test('is not waited for if there is nothing to fetch', async () => {
    const clock = clockAt('2026-11-10T12:00:00Z');
    const setup = await setUpContent({ updates: [update], clock });
    for (const file of all) placeFile(setup.folder, file);
    await setup.sync(night);
    expect(clock.pauses).toEqual([]);
  });

  test('that closes with the last file is not waited for again', async () => {
    const clock = clockAt('2026-11-10T21:00:00Z');
    const setup = await setUpContent({ updates: [update], held: [licence], clock });
    for (const file of [small, large]) placeFile(setup.folder, file);
    await setup.sync({
      ...night,
      source: { ...setup.source, allowMicrosoft: true },
      report: (event) => {
        if (event.type === 'step' && event.message.startsWith('downloaded')) {
          clock.moveTo('2026-11-11T05:00:00Z');
        }
      },
    });
    expect(setup.has(licence)).toBe(true);
    expect(clock.now().toISOString()).toBe('2026-11-11T05:00:00.000Z');
  });

  test('that closes pauses what is under way, which goes on where it stopped when it opens again', async () => {
    const clock = clockAt('2026-11-10T21:00:00Z');
    const setup = await setUpContent({ updates: [update], held: all, clock });
    setup.upstream.fail(setup.upstream.pathOf(large), { type: 'stalls', after: 100_000 });
    const told: string[] = [];
    const summary = await setup.sync({
      ...night,
      report: (event) => {
        if (event.type === 'warning') told.push(event.message);
        // The two others are there and the large one stands still.
        if (event.type === 'progress' && event.bytes === 103_050) clock.moveTo('2026-11-11T05:00:00Z');
      },
    });
    expect(setup.upstream.startsOf(large)).toEqual([0, 100_000]);
    expect(setup.upstream.startsOf(small)).toEqual([0]);
    expect(clock.now().toISOString()).toBe('2026-11-11T20:00:00.000Z');
    expect(summary).toMatchObject({ downloaded: { files: 3, bytes: 303_050 }, isComplete: true });
    expect(all.filter(setup.has)).toEqual(all);
    expect(told).toEqual([
      'Downloads wait for the time window 20:00-05:00, which opens at 2026-11-11T20:00:00.000Z',
    ]);
  });

  test('holds for what the upstream is asked for again, too', async () => {
    const poll = { firstMs: 9 * HOUR_MS, maxMs: 9 * HOUR_MS, limitMs: 99 * HOUR_MS };
    const clock = new ManualClock('2026-11-10T20:30:00Z', (own, ms) => {
      if (ms === poll.firstMs) setup.upstream.hold(large);
      return ms === poll.firstMs || !isOpenAt(own);
    });
    const setup = await setUpContent({ updates: [update], held: [licence, small], clock });
    const http = testClient();
    const askedAt: string[] = [];
    const summary = await setup.sync({
      ...night,
      http: {
        get: (url, headers, signal) => {
          if (url.endsWith(large.path)) askedAt.push(clock.now().toISOString());
          return http.get(url, headers, signal);
        },
        close: () => http.close(),
      },
      source: { ...setup.source, downloadFiles: async () => ({ unknown: [] }), poll },
    });
    expect(summary.isComplete).toBe(true);
    expect(askedAt).toEqual(['2026-11-10T20:30:00.000Z', '2026-11-11T20:00:00.000Z']);
  });

  test('is not waited for after an interruption', async () => {
    const clock = new ManualClock('2026-11-10T12:00:00Z', () => false);
    const setup = await setUpContent({ updates: [update], held: all, clock });
    const run = failureOf(() =>
      setup.sync({
        ...night,
        report: (event) => {
          if (event.type === 'warning') queueMicrotask(() => setup.controller.abort());
        },
      }),
    );
    expect((await run).code).toBe('INTERRUPTED');
    expect(setup.upstream.requests).toEqual([]);
  });

  test('in a zone nobody knows is refused before anything is done', async () => {
    const setup = await setUpContent({ updates: [update], held: all });
    const error = await failureOf(() => setup.sync({ window, timeZone: 'Mars/Olympus' }));
    expect(error.code).toBe('USAGE');
  });
});

test('a run that is killed again and again fetches nothing twice that is there', async () => {
  const random = seededRandom(20261110);
  const files = Array.from({ length: 24 }, (_, n) => makeFile(`kill${n}`, random.integer(1, 1_500_000)));
  const origin = await startHolder('/Content', ...files);
  const pristine = join(testFolder(), 'metadata.sqlite');
  const made = await openTestStore(pristine);
  await importUpdates(made.store, [updateWith(1, files.slice(4), { licences: files.slice(0, 4) })]);
  await made.store.close();
  const folder = join(testFolder(), 'WsusContent');
  mkdirSync(folder);
  const http = testClient();
  const runner = testRunner();

  const newCopy = () => {
    const path = join(testFolder(), 'metadata.sqlite');
    copyFileSync(pristine, path);
    return path;
  };
  let path = newCopy();
  let kills = 0;
  for (let isDone = false; !isDone; ) {
    expect(kills).toBeLessThan(200);
    // As after a kill that left no time to write down what came: the store knows nothing of it.
    if (random.chance(0.5)) path = newCopy();
    const { store } = await openTestStore(path);
    const sizes = new Map(
      files.map((file) => {
        const partial = join(folder, '.wsusutil/partial', file.sha1);
        return [file, existsSync(partial) ? statSync(partial).size : 0];
      }),
    );
    const there = new Set(files.filter((file) => hasFile(folder, file)));
    const before = origin.requests.length;
    const controller = new AbortController();
    let eventsLeft = random.below(25);
    const options = {
      store,
      contentFolder: folder,
      source: { contentUrl: `${origin.url}/Content`, allowMicrosoft: false },
      http,
      runner,
      policy: 'wanted' as const,
      languages: 'all' as const,
      expressFiles: false,
      signal: controller.signal,
      report: () => {
        if (eventsLeft-- <= 0 && kills < 60) controller.abort();
      },
    };
    isDone = await synchroniseContent(options).then(
      ({ isComplete }) => isComplete,
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'INTERRUPTED' });
        kills++;
        return false;
      },
    );
    const known = await (await store.contentIndex()).find(files.map(({ sha1 }) => sha1));
    await store.close();
    for (const file of files) {
      const isNew = hasFile(folder, file) && !there.has(file);
      if (isNew) expect(known.get(file.sha1)?.record?.state).toBe('verified');
    }
    const asked = new Map(origin.requests.slice(before).map(({ path: name, start }) => [name, start]));
    for (const file of files) {
      const start = asked.get(origin.pathOf(file));
      if (there.has(file)) expect(start).toBeUndefined();
      else if (start !== undefined) expect(start).toBe(sizes.get(file));
    }
  }
  for (const file of files) expect(hasFile(folder, file)).toBe(true);
  expect(partialsIn(folder)).toEqual([]);
  expect(kills).toBeGreaterThan(3);
}, 120_000);
