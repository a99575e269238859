/** Upstreams that are ill, or hostile, and what still comes from them. */
import { expect, test } from 'vitest';
import { isSyncComplete } from '../../src/sync/synchronise.js';
import type { UpstreamItem } from '../helpers/fake-upstream.js';
import { makeUpdate } from '../store/update-builder.js';
import { startDownstream } from './sync-setup.js';

const ALL = { chooseFilter: () => undefined };

function item(n: number, options: Parameters<typeof makeUpdate>[1] = {}): UpstreamItem {
  const { identity, document } = makeUpdate(n, options);
  return { identity, document, files: [], categories: [], classifications: [] };
}

const items = (count: number, from = 1) => Array.from({ length: count }, (_, i) => item(from + i));

test('revisions that are not there do not end a run by standing together in the list', async () => {
  const ghosts = items(40, 5_000).map(({ identity }) => identity);
  await using downstream = await startDownstream({ ghosts, unknownRevision: 'leave-out' }, items(1_000));
  const summary = await downstream.sync(ALL);
  expect(summary).toMatchObject({ revisions: 1_000, unavailableCount: 40 });
  expect(isSyncComplete(summary)).toBe(false);
});

test('of a server that gives out half of what it lists, the runs bring everything it has', async () => {
  const good = items(600, 10);
  const ghosts = items(600, 5_000).map(({ identity }) => identity);
  await using downstream = await startDownstream({ ghosts, unknownRevision: 'leave-out' }, good);
  let held = 0;
  for (let run = 0; run < 20; run++) {
    await downstream
      .sync(ALL)
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'UPSTREAM_FAULT' }));
    await downstream.reopen();
    held = (await downstream.store.status()).revisions;
    if (held === good.length) break;
  }
  expect(held).toBe(good.length);
});

test('what did not come once does not make an upstream look ill the next time', async () => {
  const ghosts = items(40, 5_000).map(({ identity }) => identity);
  await using downstream = await startDownstream({ ghosts, unknownRevision: 'leave-out' }, items(1_000));
  const { upstream } = downstream.setup;
  await downstream.sync(ALL);
  for (let run = 0; run < 2; run++) {
    await downstream.reopen();
    expect(await downstream.sync(ALL)).toMatchObject({ unavailableCount: 40 });
  }
  upstream.change({ ghosts: [] });
  upstream.publish([...items(10, 5_000), ...items(3, 8_000)]);
  await downstream.sync(ALL);
  expect(await downstream.sync(ALL)).toMatchObject({ unavailableCount: 30 });
  expect((await downstream.store.status()).revisions).toBe(1_013);
});

test('bundles whose children nobody gives out do not end a run', async () => {
  const bundles = items(30, 100).map((_, i) =>
    item(100 + i, { bundled: [[{ updateId: makeUpdate(9_000 + i).identity.updateId, revisionNumber: 1 }]] }),
  );
  await using downstream = await startDownstream({ unknownRevision: 'leave-out' }, bundles);
  const summary = await downstream.sync(ALL);
  expect(summary).toMatchObject({ revisions: 30, missingCount: 30 });
});

test('a server that is replaced in the middle of the documents is asked for full lists by the next run', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 50 }, items(200));
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateData', after: 2, fault: { code: 'ServerChanged' } });
  expect(await downstream.sync(ALL)).toMatchObject({ revisions: 200 });
  await downstream.reopen();
  expect(await downstream.sync(ALL)).toMatchObject({ listed: 200, revisions: 0 });
  expect(await downstream.sync(ALL)).toMatchObject({ listed: 0, revisions: 0 });
});

test('a clock that was in the future at the last full list does not put off the next one', async () => {
  await using downstream = await startDownstream({}, items(5));
  await downstream.sync({ ...ALL, now: () => new Date('2099-01-01') });
  expect(await downstream.sync(ALL)).toMatchObject({ listed: 5 });
  expect(await downstream.sync(ALL)).toMatchObject({ listed: 0 });
});

test('a server that gives out nothing is given up soon', async () => {
  const ghosts = items(500, 5_000).map(({ identity }) => identity);
  await using downstream = await startDownstream({ ghosts, unknownRevision: 'leave-out' }, []);
  await expect(downstream.sync(ALL)).rejects.toMatchObject({
    code: 'UPSTREAM_FAULT',
    details: { unavailable: 21, asked: 500 },
  });
  expect(downstream.setup.upstream.countCalls('GetUpdateData')).toBeLessThan(120);
});

test('what came before an upstream failed is kept, however little it is', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 10 }, items(100));
  downstream.setup.upstream.plan({ on: 'GetUpdateData', after: 5, times: 20, status: { code: 404 } });
  await expect(downstream.sync({ ...ALL, concurrency: 1 })).rejects.toMatchObject({
    code: 'UPSTREAM_REFUSED',
  });
  await downstream.reopen();
  expect((await downstream.store.status()).revisions).toBe(50);
});

test('an answer that one revision spoils costs that revision, and the others come', async () => {
  const all = items(150);
  const blank = [all[40], all[41], all[149]].flatMap((each) => (each === undefined ? [] : [each.identity]));
  await using downstream = await startDownstream({ blank }, all);
  const summary = await downstream.sync(ALL);
  expect(summary).toMatchObject({ revisions: 147, unavailableCount: 3 });
  expect(new Set(summary.unavailable.map(({ reason }) => reason))).toEqual(new Set(['UPSTREAM_MALFORMED']));
});

test('a server that answers every call for documents with a page is given up soon, in words that help', async () => {
  await using downstream = await startDownstream({}, items(150));
  const { upstream } = downstream.setup;
  upstream.plan({
    on: 'GetUpdateData',
    times: 1_000,
    status: { code: 200, body: '<html><p>log in<br></html>' },
  });
  await expect(downstream.sync(ALL)).rejects.toMatchObject({ code: 'UPSTREAM_MALFORMED' });
  expect(upstream.countCalls('GetUpdateData')).toBeLessThan(40);
});

test('what came before an interruption is kept, however little it is', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 10 }, items(100));
  const { controller, upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateData', after: 5, hang: true });
  const end = downstream.sync({ ...ALL, concurrency: 1 });
  end.catch(() => {});
  while (upstream.countCalls('GetUpdateData') < 6) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await expect(end).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await downstream.reopen();
  expect((await downstream.store.status()).revisions).toBe(50);
});
