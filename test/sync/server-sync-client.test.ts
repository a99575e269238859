import { expect, test } from 'vitest';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { formatIdentity, type UpdateIdentity } from '../../src/model/update-identity.js';
import type { HttpPost } from '../../src/transfer/http-post.js';
import type { UpstreamItem, UpstreamQuirks } from '../helpers/fake-upstream.js';
import { childNamed } from '../helpers/soap-tree.js';
import { collect, type Fetched, flatten, setUp, smallCatalogue } from './client-setup.js';

const isConfig = ({ document }: UpstreamItem) =>
  ['Category', 'Detectoid'].includes(parseUpdateDocument(document).updateType);
const keys = (items: readonly { readonly identity: UpdateIdentity }[]) =>
  new Set(items.map(({ identity }) => formatIdentity(identity)));
const identities = (items: readonly UpstreamItem[]) => items.map(({ identity }) => identity);
const all = { anchor: undefined, getConfig: false } as const;

function expectAll(fetched: Fetched, items: readonly UpstreamItem[]): void {
  expect(new Set(fetched.documents.keys())).toEqual(keys(items));
  for (const { identity, document, files } of items) {
    const key = formatIdentity(identity);
    expect(Buffer.compare(fetched.documents.get(key) as Uint8Array, document), key).toBe(0);
    expect(fetched.fileSha1s.get(key)).toEqual(files.map(({ sha1 }) => sha1));
    for (const { sha1, muUrl } of files)
      expect(fetched.urls.get(sha1)).toBe(muUrl === '' ? undefined : muUrl);
  }
}

const VARIANTS: readonly (readonly [string, UpstreamQuirks])[] = [
  ['a WSUS server', {}],
  ['Microsoft Update', { kind: 'microsoft-update' }],
  ['a server that answers 80 of 100', { answerAtMost: 80 }],
  ['a server without gzip and with plain documents', { gzip: false, documents: 'plain' }],
  ['a server that compresses every document', { documents: 'compressed', compression: 'mszip' }],
  ['a slow server', { slowMs: 2 }],
  ['a server that takes 7 revisions at once', { maxUpdatesPerRequest: 7 }],
  ['a server that sends more than it was asked for', { sendsUnrequested: true }],
  ['a server whose clock is hours behind', { clockOffsetMs: -5 * 3_600_000 }],
  ['a server whose clock is hours ahead', { clockOffsetMs: 5 * 3_600_000 }],
];

test.each(VARIANTS)('from authorization to the last document, against %s', async (_name, quirks) => {
  await using setup = await setUp(quirks);
  const { client, upstream } = setup;
  const items = smallCatalogue();
  await client.authorize();
  const { config, anchorLoss } = await client.getConfigData();
  expect(anchorLoss).toBeUndefined();
  expect(config.catalogOnlySync).toBe(quirks.kind === 'microsoft-update');
  expect(client.updateBatchSize).toBe(quirks.maxUpdatesPerRequest ?? 100);

  const categories = await client.getRevisionIdList({ anchor: undefined, getConfig: true });
  const configItems = items.filter(isConfig);
  expect(keys(categories.revisions.map((identity) => ({ identity })))).toEqual(keys(configItems));
  const first = await collect(client.getUpdateData(categories.revisions));
  expectAll(first, configItems);

  const facts = [...first.documents.values()].map((document) => parseUpdateDocument(document));
  const idsOf = (...types: string[]) =>
    facts
      .filter(({ category }) => types.includes(category?.categoryType ?? ''))
      .map(({ identity }) => ({ id: identity.updateId, delta: false }));
  const updates = await client.getRevisionIdList({
    anchor: undefined,
    getConfig: false,
    categories: idsOf('Product', 'ProductFamily'),
    classifications: idsOf('UpdateClassification'),
  });
  const listed = items.filter((item) =>
    keys(updates.revisions.map((identity) => ({ identity }))).has(formatIdentity(item.identity)),
  );
  expect(listed.length).toBeGreaterThan(10);
  expectAll(await collect(client.getUpdateData(updates.revisions)), listed);
  for (const size of upstream.batchSizes) expect(size).toBeLessThanOrEqual(client.updateBatchSize);
  expect([upstream.countCalls('GetAuthorizationCookie'), upstream.countCalls('GetCookie')]).toEqual([1, 1]);
});

test('nothing is new at an anchor, and later publications are', async () => {
  const items = smallCatalogue();
  await using setup = await setUp({}, { items: items.slice(0, -5) });
  const { client, upstream } = setup;
  const { anchor } = await client.getRevisionIdList(all);
  expect((await client.getRevisionIdList({ ...all, anchor })).revisions).toEqual([]);
  upstream.publish(items.slice(-5));
  const later = await client.getRevisionIdList({ ...all, anchor });
  expect(keys(later.revisions.map((identity) => ({ identity })))).toEqual(
    keys(items.slice(-5).filter((item) => !isConfig(item))),
  );
});

test('bundles are listed with their children, which no filter names', async () => {
  await using setup = await setUp();
  const bundle = smallCatalogue().find(
    ({ document, classifications, categories }) =>
      parseUpdateDocument(document).bundledUpdates.length > 0 &&
      classifications.length > 0 &&
      categories.length > 0,
  ) as UpstreamItem;
  const { revisions } = await setup.client.getRevisionIdList({
    ...all,
    categories: bundle.categories.map((id) => ({ id, delta: false })),
    classifications: bundle.classifications.map((id) => ({ id, delta: false })),
  });
  const listed = keys(revisions.map((identity) => ({ identity })));
  const children = parseUpdateDocument(bundle.document).bundledUpdates.flatMap(({ members }) =>
    members.map(formatIdentity),
  );
  for (const child of children) expect(listed).toContain(child);
});

test('a filter with one list only is never sent', async () => {
  await using setup = await setUp();
  await expect(setup.client.getRevisionIdList({ ...all, categories: [] })).rejects.toThrow(/both/);
  expect(setup.upstream.calls).toEqual([]);
});

test('every call carries its quoted SOAPAction, and one cookie serves them all', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  await client.getConfigData();
  await Promise.all([
    client.getRevisionIdList(all),
    client.getRevisionIdList({ ...all, getConfig: true }),
    client.getConfigData(),
  ]);
  expect(upstream.countCalls('GetCookie')).toBe(1);
  expect(upstream.calls.map(({ headers }) => headers.soapaction)).toContain(
    '"http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService/GetAuthorizationCookie"',
  );
  const [, , getCookie] = upstream.calls;
  expect(getCookie?.request.children.map(({ local, text }) => [local, text])).toEqual([
    ['authCookies', ''],
    ['protocolVersion', '1.20'],
  ]);
});

test('parallel calls that find no cookie obtain one together', async () => {
  await using setup = await setUp();
  await Promise.all([1, 2, 3, 4].map(() => setup.client.getRevisionIdList(all)));
  expect(setup.upstream.countCalls('GetCookie')).toBe(1);
});

test('a cookie is renewed five minutes before it ends, with the old one, in every time zone', async () => {
  await using setup = await setUp();
  const { client, upstream, clock } = setup;
  await client.getConfigData();
  clock.offsetMs = 234 * 60_000;
  await client.getConfigData();
  expect(upstream.countCalls('GetCookie')).toBe(1);
  clock.offsetMs = 236 * 60_000;
  await client.getConfigData();
  expect(upstream.countCalls('GetCookie')).toBe(2);
  expect(upstream.countCalls('GetAuthorizationCookie')).toBe(1);
  const renewal = upstream.calls.filter(({ operation }) => operation === 'GetCookie')[1];
  expect(childNamed(renewal?.request, 'oldCookie')).toBeDefined();
});

test('cookies that live a minute are renewed at half of it, as often as it takes', async () => {
  await using setup = await setUp({ cookieLifeMs: 60_000, maxUpdatesPerRequest: 10 });
  const { client, upstream, clock } = setup;
  clock.stepMs = 8_000;
  await client.getConfigData();
  expectAll(await collect(client.getUpdateData(identities(smallCatalogue()))), smallCatalogue());
  expect(upstream.countCalls('GetUpdateData')).toBe(17);
  expect(upstream.countCalls('GetCookie')).toBeGreaterThan(3);
  expect(upstream.countCalls('GetCookie')).toBeLessThan(10);
  expect(upstream.countCalls('GetAuthorizationCookie')).toBe(1);
});

test('a session goes on in the next run, and starts over if the upstream has forgotten it', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  await client.authorize();
  const next = setup.newClient({ session: JSON.parse(JSON.stringify(client.session)) });
  await next.getConfigData();
  expect(upstream.countCalls('GetCookie')).toBe(1);
  upstream.plan({ on: 'GetConfigData', voidCookies: true });
  await next.getConfigData();
  expect([upstream.countCalls('GetCookie'), upstream.countCalls('GetAuthorizationCookie')]).toEqual([2, 2]);
});

test('a cookie rejected in the middle is obtained again and the same revisions are asked for', async () => {
  await using setup = await setUp({ maxUpdatesPerRequest: 20 });
  const { client, upstream } = setup;
  await client.getConfigData();
  upstream.plan({ on: 'GetUpdateData', after: 2, voidCookies: true });
  expectAll(await collect(client.getUpdateData(identities(smallCatalogue()))), smallCatalogue());
  expect(upstream.countCalls('GetCookie')).toBe(2);
});

test('workers whose cookie was replaced meanwhile take the new one', async () => {
  await using setup = await setUp({ maxUpdatesPerRequest: 10, slowMs: 1 });
  const { client, upstream } = setup;
  await client.getConfigData();
  upstream.plan({ on: 'GetUpdateData', after: 3, voidCookies: true });
  const items = smallCatalogue();
  const parts = [0, 1, 2, 3].map((part) => items.filter((_, index) => index % 4 === part));
  const fetched = await Promise.all(parts.map((part) => collect(client.getUpdateData(identities(part)))));
  for (const [index, each] of fetched.entries()) expectAll(each, parts[index] as UpstreamItem[]);
  expect(upstream.countCalls('GetCookie')).toBe(2);
});

test('an upstream that takes none of its cookies is given up after two of them', async () => {
  await using setup = await setUp();
  setup.upstream.plan({ on: 'GetConfigData', times: 99, voidCookies: true });
  await expect(setup.client.getConfigData()).rejects.toMatchObject({
    code: 'UPSTREAM_FAULT',
    faultCode: 'InvalidCookie',
  });
  expect(setup.upstream.countCalls('GetConfigData')).toBe(3);
});

test('an authorization that is no longer taken is obtained again, twice at most', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  upstream.plan({ on: 'GetCookie', fault: { code: 'InvalidAuthorizationCookie' } });
  await client.authorize();
  expect(upstream.countCalls('GetAuthConfig')).toBe(2);
  await using other = await setUp();
  other.upstream.plan({ on: 'GetCookie', times: 99, fault: { code: 'InvalidAuthorizationCookie' } });
  await expect(other.client.authorize()).rejects.toMatchObject({ faultCode: 'InvalidAuthorizationCookie' });
  expect(other.upstream.countCalls('GetCookie')).toBe(2);
});

test('an anchor that is not understood is dropped once, and the answer says so', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  const ids = [{ id: '72e7624a-5b00-45d2-b92f-e561c0a6a160', delta: true }];
  const answer = await client.getRevisionIdList({
    ...all,
    anchor: 'garbage',
    categories: ids,
    classifications: ids,
  });
  expect(answer.anchorLoss).toBe('refused');
  const filters = upstream.calls.flatMap(({ request }) => childNamed(request, 'filter') ?? []);
  expect(filters.map((filter) => childNamed(filter, 'Anchor')?.text)).toEqual(['garbage', undefined]);
  const last = childNamed(filters[1], 'Categories')?.children[0];
  expect(childNamed(last, 'Delta')?.text).toBe('false');
  expect((await client.getConfigData('garbage')).anchorLoss).toBe('refused');
});

test('a server that was replaced voids its old anchors, not its new ones', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  const { anchor: old } = await setup.newClient().getRevisionIdList(all);
  upstream.plan({ on: 'GetRevisionIdList', fault: { code: 'ServerChanged' } });
  const full = await client.getRevisionIdList({ ...all, anchor: old });
  expect([full.anchorLoss, client.hasServerChanged]).toEqual(['server-changed', true]);
  expect(full.revisions.length).toBeGreaterThan(10);
  expect((await client.getRevisionIdList({ ...all, anchor: old })).anchorLoss).toBe('server-changed');
  const fresh = await client.getRevisionIdList({ ...all, anchor: full.anchor });
  expect([fresh.anchorLoss, fresh.revisions]).toEqual([undefined, []]);
  upstream.plan({ on: 'GetConfigData', fault: { code: 'ServerChanged' } });
  await expect(client.getConfigData()).rejects.toMatchObject({ faultCode: 'ServerChanged' });
});

test('a busy server is waited for with growing pauses, six tries in all', async () => {
  await using setup = await setUp();
  const { client, upstream, clock } = setup;
  upstream.plan({ on: 'GetConfigData', times: 3, fault: { code: 'ServerBusy' } });
  await client.getConfigData();
  expect(clock.pauses).toEqual([5_000, 10_000, 20_000]);
  upstream.plan({ on: 'GetConfigData', times: 99, fault: { code: 'ServerBusy' } });
  await expect(client.getConfigData()).rejects.toMatchObject({ faultCode: 'ServerBusy' });
  expect(upstream.countCalls('GetConfigData')).toBe(4 + 6);
});

test('pauses are drawn between nothing and their full length, but never below what the server asks for', async () => {
  let drawn = 0;
  const random = () => [0.25, 0.5, 0][drawn++] as number;
  await using setup = await setUp({}, { random });
  const { client, upstream, clock } = setup;
  upstream.plan({ on: 'GetConfigData', times: 2, fault: { code: 'ServerBusy' } });
  await client.getConfigData();
  expect(clock.pauses).toEqual([0.25 * 5_000, 0.5 * 10_000]);
  upstream.plan({ on: 'GetConfigData', status: { code: 503, headers: { 'Retry-After': '7' } } });
  await client.getConfigData();
  expect(clock.pauses.slice(2)).toEqual([7_000]);
});

test('HTTP 503 is tried five times and obeys Retry-After', async () => {
  await using setup = await setUp();
  const { client, upstream, clock } = setup;
  upstream.plan({ on: 'GetAuthConfig', status: { code: 503, headers: { 'Retry-After': '120' } } });
  await client.authorize();
  expect(clock.pauses).toEqual([120_000]);
  upstream.plan({ on: 'GetConfigData', times: 99, status: { code: 503 } });
  await expect(client.getConfigData()).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE', status: 503 });
  expect(upstream.countCalls('GetConfigData')).toBe(5);
  expect(clock.pauses.slice(1)).toEqual([1_000, 2_000, 4_000, 8_000]);
});

test('the first pause of a call is told, and each long one; a step says nothing of a try that does not come', async () => {
  await using setup = await setUp();
  const { client, upstream, steps, news } = setup;
  upstream.plan({ on: 'GetAuthConfig', times: 99, status: { code: 503 } });
  await expect(client.authorize()).rejects.toMatchObject({ status: 503 });
  const pauses = (lines: readonly string[]) => lines.map((line) => /; trying again in .*$/.exec(line)?.[0]);
  expect(pauses(steps)).toEqual([1, 2, 4, 8].map((seconds) => `; trying again in ${seconds} s`));
  expect(pauses(news)).toEqual([1, 8].map((seconds) => `; trying again in ${seconds} s`));
  expect(news[0]).toContain(upstream.url.host);
});

test.each([401, 403, 404, 302, 405])('HTTP %i is not tried again', async (code) => {
  await using setup = await setUp();
  setup.upstream.plan({
    on: 'GetAuthConfig',
    times: 9,
    status: {
      code,
      headers: { 'WWW-Authenticate': 'Negotiate, NTLM', Location: 'http://user:pw@other/x?y' },
    },
  });
  const failure = setup.client.authorize();
  await expect(failure).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED', status: code });
  await expect(failure).rejects.not.toThrow(/pw/);
  if (code === 401) await expect(failure).rejects.toThrow(/Negotiate, NTLM/);
  expect(setup.upstream.countCalls('GetAuthConfig')).toBe(1);
});

test('a 500 without a fault is a passing trouble', async () => {
  await using setup = await setUp();
  setup.upstream.plan({ on: 'GetConfigData', times: 2, status: { code: 500 } });
  await setup.client.getConfigData();
  expect(setup.upstream.countCalls('GetConfigData')).toBe(3);
});

test('a page in place of a service is refused in words that help', async () => {
  await using setup = await setUp();
  setup.upstream.plan({
    on: 'GetAuthConfig',
    status: { code: 200, body: '<html><body>Sign in</body></html>' },
  });
  await expect(setup.client.authorize()).rejects.toMatchObject({ code: 'UPSTREAM_MALFORMED' });
});

test.each([
  ['reset', { resetAfter: 20_000 }],
  ['cut off', { cutAfter: 20_000 }],
])(
  'what was in a body that is %s comes after all, each document with its files’ places',
  async (_name, trouble) => {
    for (const gzip of [true, false]) {
      await using setup = await setUp({ gzip });
      const { client, upstream } = setup;
      upstream.plan({ on: 'GetUpdateData', times: 2, ...trouble });
      expectAll(await collect(client.getUpdateData(identities(smallCatalogue()))), smallCatalogue());
      expect(upstream.countCalls('GetUpdateData')).toBeGreaterThan(3);
    }
  },
);

test('a document is never handed on without the places of its files, wherever the body breaks', async () => {
  const items = smallCatalogue();
  await using setup = await setUp({ gzip: false, maxUpdatesPerRequest: 30 });
  const { client, upstream } = setup;
  await client.getConfigData();
  for (let n = 1; n < 40; n += 2) upstream.plan({ on: 'GetUpdateData', after: n, cutAfter: 7_000 * n });
  const located = new Map(items.map(({ identity, files }) => [formatIdentity(identity), files]));
  let documents = 0;
  for await (const events of client.getUpdateData(identities(items))) {
    const places = new Set(
      events.flatMap((event) => (event.type === 'file-location' ? [event.location.sha1] : [])),
    );
    for (const event of events) {
      if (event.type !== 'document') continue;
      documents++;
      for (const { sha1 } of located.get(formatIdentity(event.identity)) ?? [])
        expect(places).toContain(sha1);
    }
  }
  expect(documents).toBe(items.length);
});

test('a server whose longer answers always break off is asked for less at a time', async () => {
  const items = smallCatalogue();
  await using setup = await setUp({ gzip: false });
  const { client, upstream } = setup;
  const most = 200_000;
  upstream.plan({ on: 'GetUpdateData', times: 1_000, cutAfter: most });
  expectAll(await collect(client.getUpdateData(identities(items))), items);
  expect(Math.max(...upstream.batchSizes)).toBeGreaterThan(1);
});

test('a list whose body breaks is read again from its beginning', async () => {
  await using setup = await setUp({ gzip: false });
  setup.upstream.plan({ on: 'GetRevisionIdList', times: 2, resetAfter: 2_000 });
  const { revisions } = await setup.client.getRevisionIdList(all);
  expect(revisions).toHaveLength(keys(revisions.map((identity) => ({ identity }))).size);
  expect(revisions).toHaveLength(smallCatalogue().filter((item) => !isConfig(item)).length);
});

const ghost = (number: number): UpdateIdentity => ({
  updateId: `99999999-2222-4333-8444-${String(number).padStart(12, '0')}`,
  revisionNumber: 1,
});

test.each([
  ['faults for the whole batch', 'fault', 'InternalServerError'],
  ['names the missing', 'missing-revisions', 'MissingRevisions'],
  ['leaves the missing out', 'leave-out', 'NotReturned'],
] as const)(
  'unknown revisions do not cost their batch when the server %s',
  async (_name, unknownRevision, reason) => {
    const ghosts = [ghost(1), ghost(2), ghost(3)];
    await using setup = await setUp({ unknownRevision, ghosts });
    const { client, upstream } = setup;
    const { revisions } = await client.getRevisionIdList(all);
    expect(revisions).toEqual(expect.arrayContaining(ghosts));
    const fetched = await collect(client.getUpdateData(revisions));
    expectAll(
      fetched,
      smallCatalogue().filter((item) => !isConfig(item)),
    );
    expect(new Set(fetched.unavailable)).toEqual(new Set(ghosts.map(formatIdentity)));
    expect([...fetched.reasons]).toEqual([reason]);
    if (unknownRevision === 'missing-revisions')
      expect(upstream.countCalls('GetUpdateData')).toBe(Math.ceil(revisions.length / 50) + 1);
  },
);

test('an internal error that passes costs one repeat', async () => {
  await using setup = await setUp();
  setup.upstream.plan({ on: 'GetUpdateData', fault: { code: 'InternalServerError' } });
  const items = smallCatalogue().slice(0, 30);
  expectAll(await collect(setup.client.getUpdateData(identities(items))), items);
  expect([setup.upstream.countCalls('GetUpdateData'), setup.clock.pauses]).toEqual([2, [2_000]]);
});

test('a damaged document leaves the others alone', async () => {
  const items = smallCatalogue().slice(0, 12);
  const damaged = [items[3], items[8]].map((item) => (item as UpstreamItem).identity);
  await using setup = await setUp({ damaged });
  const fetched = await collect(setup.client.getUpdateData(identities(items)));
  expect(fetched.unreadable).toEqual(damaged.map(formatIdentity));
  expect(fetched.documents.size).toBe(10);
});

test('HTTP 413 and two time-outs halve the batch', async () => {
  const items = smallCatalogue().slice(0, 40);
  await using setup = await setUp({ documents: 'plain' }, { timeoutMs: 1_000 });
  const { client, upstream } = setup;
  await client.getConfigData();
  upstream.plan({ on: 'GetUpdateData', status: { code: 413 } });
  upstream.plan({ on: 'GetUpdateData', after: 1, times: 2, hang: true });
  expectAll(await collect(client.getUpdateData(identities(items))), items);
  expect(upstream.batchSizes.reduce((sum, size) => sum + size, 0)).toBe(40);
  expect(Math.max(...upstream.batchSizes)).toBeLessThanOrEqual(20);
  expect(upstream.batchSizes).toContain(10);
});

test('a duplicate is asked for once', async () => {
  await using setup = await setUp();
  const items = smallCatalogue().slice(0, 3);
  expectAll(await collect(setup.client.getUpdateData([...identities(items), ...identities(items)])), items);
  expect(setup.upstream.batchSizes).toEqual([3]);
});

test('nothing is asked for when nothing is wanted', async () => {
  await using setup = await setUp();
  expectAll(await collect(setup.client.getUpdateData([])), []);
  expect(setup.upstream.calls).toEqual([]);
});

test('a caller that stops in the middle ends the connection and may go on with other calls', async () => {
  await using setup = await setUp({ slowMs: 5 });
  for await (const event of flatten(setup.client.getUpdateData(identities(smallCatalogue())))) {
    if (event.type === 'document') break;
  }
  await setup.client.getConfigData();
});

test('an interruption ends a call that hangs, a body and a pause', async () => {
  await using setup = await setUp();
  const { client, upstream, controller } = setup;
  upstream.plan({ on: 'GetConfigData', hang: true });
  const call = client.getConfigData();
  while (upstream.countCalls('GetConfigData') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await expect(client.getConfigData()).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await expect(collect(client.getUpdateData([ghost(1)]))).rejects.toMatchObject({ code: 'INTERRUPTED' });

  await using other = await setUp({ slowMs: 5, gzip: false });
  const fetching = (async () => {
    for await (const event of flatten(other.client.getUpdateData(identities(smallCatalogue())))) {
      if (event.type === 'document') other.controller.abort();
    }
  })();
  await expect(fetching).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test('files are asked for in hundreds, and those nobody knows are told', async () => {
  await using setup = await setUp();
  const { client, upstream } = setup;
  const known = [...new Set(smallCatalogue().flatMap(({ files }) => files.map(({ sha1 }) => sha1)))];
  const unknown = ['A9993E364706816ABA3E25717850C26C9CD0D89D', 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709'];
  expect(await client.downloadFiles([...known, ...unknown])).toEqual({ unknown });
  expect(new Set(upstream.downloads)).toEqual(new Set(known));
});

test('a wish to download is not repeated after a broken connection, as it changes the server', async () => {
  await using setup = await setUp();
  setup.upstream.plan({ on: 'DownloadFiles', resetAfter: 10 });
  await expect(
    setup.client.downloadFiles(['A9993E364706816ABA3E25717850C26C9CD0D89D']),
  ).rejects.toMatchObject({
    code: 'UPSTREAM_UNREACHABLE',
  });
  expect(setup.upstream.countCalls('DownloadFiles')).toBe(1);
});

test('an upstream without content is not asked to download', async () => {
  await using setup = await setUp({ kind: 'microsoft-update' });
  await setup.client.getConfigData();
  await expect(
    setup.client.downloadFiles(['A9993E364706816ABA3E25717850C26C9CD0D89D']),
  ).rejects.toMatchObject({
    code: 'UPSTREAM_INCOMPATIBLE',
  });
});

test('keys, related revisions, drivers and a ping are answered', async () => {
  await using setup = await setUp({ kind: 'microsoft-update' });
  const { client, upstream } = setup;
  await client.getConfigData();
  const withFile = smallCatalogue().find(({ files }) => files.length > 0) as UpstreamItem;
  const [keysOf] = await client.getUpdateDecryptionData([withFile.identity]);
  expect(keysOf?.identity).toEqual(withFile.identity);
  expect(keysOf?.files.map(({ sha1 }) => sha1)).toEqual(withFile.files.map(({ sha1 }) => sha1));
  expect(await client.getRelatedRevisions(withFile.identity.updateId)).toHaveLength(1);

  const driver = smallCatalogue()
    .map(({ document }) => parseUpdateDocument(document))
    .find(({ drivers }) => drivers.length > 0);
  const hardwareId = driver?.drivers[0]?.hardwareId as string;
  const ids = Array.from({ length: 150 }, (_, index) => ghost(index).updateId);
  const list = await client.getDriverIdList({
    anchor: undefined,
    categories: [],
    computerIds: ids.map((id) => ({ id, delta: false })),
    pnpHardwareIds: [{ id: hardwareId, delta: false }],
  });
  expect(list.newRevisions).toContainEqual(driver?.identity);
  expect(list.newDriverSets).toEqual(ids);
  upstream.plan({ on: 'GetDriverSetData', fault: { code: 'TooManyIds' } });
  const sets = await client.getDriverSetData(ids);
  expect(sets.map(({ driverSetId }) => driverSetId)).toEqual(ids);
  expect(sets[0]?.xml).toBe(`<DriverSet Id="${ids[0]}"/>`);
  expect((await client.ping()).isSuccess).toBe(true);
});

test('drivers by inventory are not asked for where they are not offered', async () => {
  await using setup = await setUp();
  const filter = { anchor: undefined, categories: [], computerIds: [], pnpHardwareIds: [] };
  await setup.client.getConfigData();
  await expect(setup.client.getDriverIdList(filter)).rejects.toMatchObject({ code: 'UPSTREAM_INCOMPATIBLE' });
  await expect(setup.client.getDriverSetData([ghost(1).updateId])).rejects.toMatchObject({
    code: 'UPSTREAM_INCOMPATIBLE',
  });
});

test('authorization stays with the upstream', async () => {
  for (const serviceUrl of [
    'http://other.example/x.asmx',
    'https://127.0.0.1/x.asmx',
    'ftp:x',
    'http:///%zz',
  ]) {
    await using setup = await setUp({ serviceUrl });
    await expect(setup.client.authorize(), serviceUrl).rejects.toMatchObject({
      code: 'UPSTREAM_INCOMPATIBLE',
    });
    expect(setup.upstream.countCalls('GetAuthorizationCookie')).toBe(0);
  }
  await using slashed = await setUp({ serviceUrl: '//DSSAuthWebService/DSSAuthWebService.asmx' });
  await slashed.client.authorize();
});

test('another major version is named together with ours', async () => {
  await using setup = await setUp({}, { protocolVersion: '2.0' });
  await expect(setup.client.authorize()).rejects.toMatchObject({
    code: 'UPSTREAM_INCOMPATIBLE',
    message: expect.stringContaining('2.0'),
  });
});

test('an account name that is none is refused by the upstream and explained', async () => {
  await using setup = await setUp(
    {},
    { account: { name: 'no name!', guid: '7d1f0c52-3b6e-4a0d-9f3a-52c1b8e0a417' } },
  );
  await expect(setup.client.authorize()).rejects.toMatchObject({
    faultCode: 'InvalidParameters',
    hint: expect.stringContaining('account name'),
  });
});

test('no cookie and no key shows in an error or a step', async () => {
  await using setup = await setUp();
  const { client, upstream, steps } = setup;
  await client.authorize();
  const { authorizationCookie, cookie } = client.session;
  upstream.plan({ on: 'GetConfigData', times: 1, fault: { code: 'InvalidCookie' } });
  upstream.plan({ on: 'GetConfigData', times: 9, fault: { code: 'InvalidParameters', message: 'cookie' } });
  const error: unknown = await client.getConfigData().catch((thrown: unknown) => thrown);
  const shown = JSON.stringify([error, (error as Error).message, (error as Error).stack, steps]);
  for (const secret of [
    authorizationCookie?.cookieData,
    cookie?.encryptedData,
    client.session.cookie?.encryptedData,
  ]) {
    expect(secret).toBeDefined();
    expect(shown).not.toContain(secret);
  }
});

test('an address with credentials or another scheme is refused', () => {
  const post: HttpPost = () => Promise.reject(new Error('not used'));
  const open = async (url: string) => {
    await using setup = await setUp({}, { upstream: new URL(url), post });
    return setup.client;
  };
  return Promise.all(
    ['ftp://wsus/', 'http://user:secret@wsus/'].map((url) =>
      expect(open(url)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.not.stringContaining('secret'),
      }),
    ),
  );
});
