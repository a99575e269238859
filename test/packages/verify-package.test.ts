import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rehearseImport, verifyPackage } from '../../src/packages/verify-package.js';
import { failureOf } from '../helpers/package-builder.js';
import { withSharedData } from '../helpers/shared-data.js';
import {
  idOf,
  importFile,
  makeUpdate,
  now,
  openTestStore,
  testFolder,
  withDocument,
  writeUpdates,
} from '../store/update-builder.js';

async function verify(path: string, strict = false) {
  const warnings: string[] = [];
  const summary = await verifyPackage({
    path,
    now,
    signal: new AbortController().signal,
    threads: 0,
    strict,
    report: (event) => {
      if (event.type === 'warning') warnings.push(event.code);
    },
  });
  return { ...summary, warnings };
}

test.each(['cab', 'xml.gz'])('a whole .%s is counted', async (format) => {
  const path = await writeUpdates(join(testFolder(), `x.${format}`), [
    makeUpdate(9, { type: 'Detectoid' }),
    makeUpdate(1, { prerequisites: [{ id: idOf(9) }] }),
    makeUpdate(1, { revision: 2 }),
  ]);
  expect(await verify(path, true)).toMatchObject({
    revisions: 3,
    newUpdates: 2,
    newRevisions: 1,
    newByType: { Detectoid: 1, Software: 2 },
    missingCount: 0,
    warnings: [],
  });
});

test('what is not in the package itself is missing', async () => {
  const path = await writeUpdates(join(testFolder(), 'x.cab'), [
    makeUpdate(1, { prerequisites: [{ id: idOf(9) }] }),
  ]);
  expect(await verify(path)).toMatchObject({ missingCount: 1, warnings: ['PREREQUISITE_MISSING'] });
  expect((await failureOf(() => verify(path, true))).code).toBe('STRICT_REFUSED');
});

test('two documents for one revision are told', async () => {
  const path = await writeUpdates(join(testFolder(), 'x.cab'), [
    makeUpdate(1),
    makeUpdate(1, { comment: 'x' }),
  ]);
  expect(await verify(path)).toMatchObject({ conflictCount: 1, warnings: ['REVISION_CONFLICT'] });
});

test('verify looks into applicability rules, an import passes over them', async () => {
  const path = await writeUpdates(join(testFolder(), 'x.cab'), [
    withDocument(makeUpdate(1), (text) =>
      text.replace(
        '</upd:Update>',
        '<upd:ApplicabilityRules><a b=&c;/></upd:ApplicabilityRules></upd:Update>',
      ),
    ),
  ]);
  expect((await failureOf(() => verify(path))).code).toBe('UPDATE_MALFORMED');
  const rehearsal = {
    path,
    now,
    signal: new AbortController().signal,
    report: () => {},
    threads: 0,
    strict: false,
  };
  expect(await rehearseImport(rehearsal)).toMatchObject({ newUpdates: 1, dryRun: true });
  const { store } = await openTestStore();
  expect(await importFile(store, path)).toMatchObject({ newUpdates: 1 });
});

test.each(['cab', 'xml.gz'])('rules that do not nest are refused by both, in a .%s', async (format) => {
  const path = await writeUpdates(join(testFolder(), `x.${format}`), [
    withDocument(makeUpdate(1), (text) =>
      text.replace(
        '</upd:Update>',
        '<upd:ApplicabilityRules><a><b></a></b></upd:ApplicabilityRules></upd:Update>',
      ),
    ),
  ]);
  const { store } = await openTestStore();
  for (const attempt of [() => verify(path), () => importFile(store, path)]) {
    expect((await failureOf(attempt)).code).toBe('UPDATE_MALFORMED');
  }
});

test('a document that does not parse is named', async () => {
  const path = await writeUpdates(join(testFolder(), 'x.cab'), [
    makeUpdate(1),
    withDocument(makeUpdate(2), (text) => text.slice(0, -5)),
  ]);
  const error = await failureOf(() => verify(path));
  expect(error.code).toBe('UPDATE_MALFORMED');
  expect(error.message).toContain(`Record 2 (${idOf(2)}:1)`);
});

withSharedData('the real packages', (data) => {
  test.each([
    ['2015-06-10-WSUS.cab', 2358],
    ['2020-04-21-WSUS.cab', 3690],
  ])('%s is whole', async (name, revisions) => {
    expect(await verify(join(data, 'wsusutil-export', name), true)).toMatchObject({
      revisions,
      missingCount: 0,
      conflictCount: 0,
      warnings: [],
    });
  });
});
