import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_LANGUAGES, type LanguageChoice } from '../../src/model/language.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { SAMPLE_HEADER } from '../helpers/package-builder.js';
import { withSharedData } from '../helpers/shared-data.js';
import {
  idOf,
  importFile,
  importUpdates,
  makeUpdate,
  openTestStore,
  problemsOf,
  testFolder,
} from '../store/update-builder.js';
import { clientOf, startServer, syncFrom, warningsOf } from './serve-setup.js';

test('a chain of three servers: the last store holds every revision of the first, byte for byte', async () => {
  const first = await openTestStore();
  const package_ = join(testFolder(), 'catalogue.cab');
  await writeCatalogue(package_, { revisions: 400, seed: 11 });
  await importFile(first.store, package_);

  const second = await openTestStore();
  const summary = await syncFrom(await startServer(first.path), second.store);
  const third = await openTestStore();
  await syncFrom(await startServer(second.path), third.store);

  expect(summary.revisions).toBe((await first.store.status()).revisions);
  expect(await second.store.fingerprint()).toBe(await first.store.fingerprint());
  expect(await third.store.fingerprint()).toBe(await first.store.fingerprint());
  const known = async (store: typeof first.store) => {
    const { files, fileBytes, languages } = await store.status();
    return { files, fileBytes, languages };
  };
  expect(await known(third.store)).toEqual(await known(first.store));
});

test('a downstream is told what the server is set to at that moment', async () => {
  const upstream = await openTestStore();
  const english = DEFAULT_LANGUAGES.map((row) => ({ ...row, enabled: row.shortName === 'en' }));
  await importUpdates(upstream.store, [software(10)], { header: { ...SAMPLE_HEADER, languages: english } });
  let chosen: LanguageChoice = 'all';
  const server = await startServer(upstream.path, { languageChoice: async () => chosen });
  const downstream = await openTestStore();
  const lackOf = async (...languages: string[]) => {
    const lacks: string[] = [];
    await syncFrom(server, downstream.store, {
      languages,
      report: (event) => {
        if (event.type === 'warning') lacks.push(event.message);
      },
    });
    return lacks;
  };
  expect(await lackOf('en')).toEqual([]);
  expect(await downstream.store.languages()).toEqual(english);
  expect(await lackOf('de')).toEqual([expect.stringContaining('no files for de')]);
  chosen = ['de', 'en'];
  expect(await lackOf('de', 'en')).toEqual([]);
  chosen = ['fr'];
  expect(await lackOf('de')).toEqual([expect.stringContaining('no files for de')]);
  // What this server has chosen is in its settings; its table is that of the upstream.
  expect((await downstream.store.languages()).filter(({ enabled }) => enabled)).toMatchObject([
    { shortName: 'fr' },
  ]);
});

test('what came since the last time is all that the next synchronisation lists', async () => {
  const upstream = await openTestStore();
  await importUpdates(upstream.store, [
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'UpdateClassification' }),
    software(10),
  ]);
  const server = await startServer(upstream.path);
  const downstream = await openTestStore();
  await syncFrom(server, downstream.store);
  const nothing = await syncFrom(server, downstream.store);
  expect(nothing.listed).toBe(0);

  await importUpdates(upstream.store, [software(11), makeUpdate(3, { categoryType: 'Product' })]);
  const summary = await syncFrom(server, downstream.store);
  expect(summary.revisions).toBe(2);
  expect(await downstream.store.fingerprint()).toBe(await upstream.store.fingerprint());
});

test('a bundle that is old but was incomplete is in the list that follows its completion', async () => {
  const upstream = await openTestStore();
  const part = software(20);
  const bundle = makeUpdate(21, { prerequisites: chosen(), bundled: [[part.identity]] });
  await importUpdates(upstream.store, [
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'UpdateClassification' }),
    bundle,
  ]);
  const server = await startServer(upstream.path);
  expect(warningsOf(server)).toEqual(['REVISIONS_NOT_OFFERED']);
  const client = clientOf(server);
  const filter = { getConfig: false, categories: all(1), classifications: all(2) };
  const before = await client.getRevisionIdList({ ...filter, anchor: undefined });
  expect(before.revisions).toEqual([]);

  await importUpdates(upstream.store, [makeUpdate(20, {})]);
  const after = await client.getRevisionIdList({ ...filter, anchor: before.anchor });
  expect(after.revisions.map(formatIdentity)).toEqual(
    [part, bundle].map(({ identity }) => formatIdentity(identity)),
  );
});

test('downstreams of a server whose store grows at the same time are whole at every moment', async () => {
  const upstream = await openTestStore();
  const config = [
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'UpdateClassification' }),
  ];
  await importUpdates(upstream.store, config);
  const server = await startServer(upstream.path);
  const downstream = await openTestStore();
  let isGrowing = true;
  const grow = async () => {
    for (let n = 100; n < 160; n += 3) {
      const detectoid = makeUpdate(n, { type: 'Detectoid' });
      const part = makeUpdate(n + 1, { comment: 'x'.repeat(5_000) });
      const bundle = makeUpdate(n + 2, {
        prerequisites: [...chosen(), { id: detectoid.identity.updateId }],
        bundled: [[part.identity]],
      });
      // Each in an import of its own, and the wrong way round.
      for (const update of [bundle, part, detectoid]) await importUpdates(upstream.store, [update]);
    }
  };
  const growing = grow().finally(() => {
    isGrowing = false;
  });
  while (isGrowing) {
    await syncFrom(server, downstream.store);
    expect(await problemsOf(downstream.store)).toEqual([]);
  }
  await growing;
  await syncFrom(server, downstream.store);
  expect(await downstream.store.fingerprint()).toBe(await upstream.store.fingerprint());
});

withSharedData('real categories and detectoids', (directory) => {
  test('come through a server byte for byte, older revisions included', async () => {
    const upstream = await openTestStore();
    await importFile(upstream.store, join(directory, 'wsusutil-export/2020-04-21-WSUS.cab'));
    const downstream = await openTestStore();
    await syncFrom(await startServer(upstream.path), downstream.store, { categoriesOnly: true });
    expect((await downstream.store.status()).revisions).toBe(3690);
    expect(await downstream.store.fingerprint()).toBe(await upstream.store.fingerprint());
  });
});

function chosen() {
  return [{ anyOf: [idOf(1)] }, { anyOf: [idOf(2)], isCategory: true }];
}

function software(n: number) {
  return makeUpdate(n, { prerequisites: chosen() });
}

function all(n: number) {
  return [{ id: idOf(n), delta: true }];
}
