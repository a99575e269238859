/** import, export, verify and checkstore as operators run them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WsusutilError } from '../../src/errors.js';
import { recordSize } from '../../src/formats/export-package/metadata-writer.js';
import type { PackageEntry } from '../../src/model/export-package.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import type { ImportOptions, ImportSummary } from '../../src/packages/import-package.js';
import { writePackage } from '../../src/packages/write-package.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import type { OpenStoreOptions } from '../../src/store/open-store.js';
import { generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { catalogueContent, writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { failureOf } from '../helpers/package-builder.js';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { withSharedData } from '../helpers/shared-data.js';
import { idOf, makeUpdate, now, storedOrder, writeUpdates } from '../store/update-builder.js';

function folder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

async function json(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, stderr, document: JSON.parse(stdout) };
}

withSharedData('the real package of 2020', (data) => {
  const real = join(data, 'wsusutil-export', '2020-04-21-WSUS.cab');

  test('goes through import, export and import again, with logs as the real tool writes them', async () => {
    const root = folder();
    const home = join(root, 'home');
    const log = join(root, 'import.log');
    const imported = await runProgram(['import', real, log], home);
    expect(imported.exitCode).toBe(0);
    expect(imported.stdout).toContain('Updates are being imported. Please do not stop this program.\n');
    expect(imported.stdout).toContain('All updates are successfully imported.\n');
    expect(readFileSync(log, 'utf8')).toContain('Successfully imported metadata from 2020-04-21-WSUS.cab');
    const first = (await json(['status'], home)).document.fingerprint;

    for (const name of ['copy.cab', 'copy.xml.gz']) {
      const exported = await runProgram(['EXPORT', join(root, name), join(root, `${name}.log`)], home);
      expect(exported.exitCode).toBe(0);
      expect(exported.stdout).toContain('All updates are successfully exported.\n');
      expect(readFileSync(join(root, `${name}.log`), 'utf8')).toContain(
        `Successfully exported metadata to ${name}`,
      );
      const verified = await json(['verify', join(root, name), '--strict'], join(root, 'unused'));
      expect(verified).toMatchObject({ exitCode: 0, document: { revisions: 3690, missingReferences: 0 } });
      const other = join(root, `home of ${name}`);
      expect((await runProgram(['import', join(root, name), '--strict'], other)).exitCode).toBe(0);
      expect((await json(['status'], other)).document.fingerprint).toBe(first);
      expect((await json(['checkstore'], other)).document).toMatchObject({
        problems: [],
        fingerprint: first,
      });
    }
    expect(existsSync(join(root, 'unused'))).toBe(false);
    const again = await json(['import', real], home);
    expect(again.document).toMatchObject({ newUpdates: 0, newRevisions: 0, present: 3690, conflicts: 0 });
  });
});

describe('what import answers', () => {
  test('a conflict is exit code 3 with both digests, --strict is 27', async () => {
    const root = folder();
    const first = await writeUpdates(join(root, 'a.cab'), [makeUpdate(1)]);
    const other = await writeUpdates(join(root, 'b.cab'), [
      makeUpdate(1, { comment: 'other' }),
      makeUpdate(2),
    ]);
    await runProgram(['import', first], root);
    const before = (await json(['status'], root)).document;
    const refused = await json(['import', other, '--strict'], root);
    expect(refused).toMatchObject({ exitCode: 27, document: { error: { code: 'STRICT_REFUSED' } } });
    expect((await json(['status'], root)).document).toMatchObject({
      fingerprint: before.fingerprint,
      revisions: 1,
    });
    const imported = await json(['import', other], root);
    expect(imported.exitCode).toBe(3);
    expect(imported.document).toMatchObject({
      status: 'incomplete',
      newUpdates: 1,
      conflicts: 1,
      conflictList: [
        {
          identity: { updateId: idOf(1), revisionNumber: 1 },
          storedDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
          packageDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      ],
    });
    const text = await runProgram(['import', other], root);
    expect(text.exitCode).toBe(3);
    expect(text.stderr).toContain('[REVISION_CONFLICT]');
    expect(text.stderr).toContain(imported.document.conflictList[0].packageDigest);
  });

  test('a missing prerequisite is exit code 3 and named', async () => {
    const root = folder();
    const path = await writeUpdates(join(root, 'a.cab'), [
      makeUpdate(1, { prerequisites: [{ id: idOf(9) }] }),
    ]);
    const { exitCode, stderr } = await runProgram(['import', path], root);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`${idOf(1)}:1 needs ${idOf(9)}, which neither the package nor the store has`);
    const verified = await runProgram(['verify', path, '--strict'], root);
    expect(verified.exitCode).toBe(27);
  });

  test('--dry-run changes nothing', async () => {
    const root = folder();
    const path = await writeUpdates(join(root, 'a.cab'), [makeUpdate(1)]);
    const { exitCode, stdout } = await runProgram(['import', path, '--dry-run'], root);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Nothing was changed (--dry-run).');
    expect((await json(['status'], root)).document).toMatchObject({ revisions: 0 });
  });
});

describe('names that are taken or make no sense', () => {
  test.each([
    ['an existing package', ['export', 'taken.cab'], 'taken.cab already exists'],
    ['an existing log', ['export', 'new.cab', 'taken.log'], 'taken.log already exists'],
    ['an existing log of an import', ['import', 'in.cab', 'taken.log'], 'taken.log already exists'],
    ['equal names', ['export', 'same.bin', 'same.bin'], 'are the same file'],
    ['the package as its own log', ['import', 'in.cab', 'in.cab'], 'are the same file'],
    ['a log that is named like a package', ['export', 'new.cab', 'log.xml.gz'], 'named like a package'],
    ['a package that is not there', ['import', 'missing.cab', 'new.log'], 'missing.cab'],
  ])('%s: exit code 2, nothing touched', async (_, [command = '', ...names], message) => {
    const root = folder();
    writeFileSync(join(root, 'taken.cab'), 'a');
    writeFileSync(join(root, 'taken.log'), 'b');
    await writeUpdates(join(root, 'in.cab'), [makeUpdate(1)]);
    const before = readdirSync(root);
    const home = join(root, 'home');
    const { exitCode, stderr } = await runProgram([command, ...names.map((name) => join(root, name))], home);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(readdirSync(root)).toEqual(before);
    expect(readFileSync(join(root, 'taken.cab'), 'utf8')).toBe('a');
    expect(readFileSync(join(root, 'taken.log'), 'utf8')).toBe('b');
  });
});

test('a filtered export says what it chose and what was added', async () => {
  const root = folder();
  const path = await writeUpdates(join(root, 'a.cab'), [
    makeUpdate(9),
    makeUpdate(1, { prerequisites: [{ id: idOf(9) }] }),
    makeUpdate(2),
  ]);
  await runProgram(['import', path], root);
  const { exitCode, document } = await json(['export', join(root, 'x.cab'), '--update', idOf(1)], root);
  expect(exitCode).toBe(0);
  expect(document).toMatchObject({ revisions: 2, chosen: 1, byType: { Software: 2 } });
  const nothing = await json(['export', join(root, 'y.cab'), '--update', idOf(77)], root);
  expect(nothing).toMatchObject({ exitCode: 28, document: { error: { code: 'NOT_FOUND' } } });
  expect(existsSync(join(root, 'y.cab'))).toBe(false);
});

/** What the built program runs: worker threads start from the files in `dist/`. */
interface Built {
  readonly importPackage: (options: ImportOptions) => Promise<ImportSummary>;
  readonly openMetadataStore: (path: string, options: OpenStoreOptions) => Promise<MetadataStore>;
}

describe('worker threads', () => {
  const shared = temporaryFolder();
  const path = join(shared.path, 'large.cab');
  const options = { revisions: 4600, seed: 31 };
  let built: Built;

  beforeAll(async () => {
    const load = (name: string) =>
      import(pathToFileURL(join(import.meta.dirname, '../../dist', name)).href) as Promise<unknown>;
    const [packages, stores] = await Promise.all([
      load('packages/import-package.js') as Promise<Pick<Built, 'importPackage'>>,
      load('store/open-store.js') as Promise<Pick<Built, 'openMetadataStore'>>,
    ]);
    built = { importPackage: packages.importPackage, openMetadataStore: stores.openMetadataStore };
    const { documentSize } = await writeCatalogue(path, options);
    expect(documentSize).toBeGreaterThan(25 << 20); // below that no thread starts
  });
  afterAll(shared.remove);

  async function importWith(threads: number, packagePath = path) {
    const store = await built.openMetadataStore(join(folder(), 'metadata.sqlite'), { mode: 'write', now });
    onTestFinished(() => store.close());
    const run = () =>
      built.importPackage({
        path: packagePath,
        store,
        now,
        signal: new AbortController().signal,
        report: () => {},
        threads,
        strict: false,
        dryRun: false,
      });
    return { store, run };
  }

  test('give the same store in the same order as none', async () => {
    const results = [];
    for (const threads of [0, 1, 3]) {
      const { store, run } = await importWith(threads);
      const summary = await run();
      const rows: PackageEntry[] = [];
      for await (const batch of store.exportRows(await store.listKeys())) rows.push(...batch);
      results.push({
        summary,
        rows,
        order: await storedOrder(store),
        fingerprint: await store.fingerprint(),
        ratio: await store.compressionRatio(),
      });
    }
    const [none, ...others] = results;
    expect(none?.order).toEqual(
      [...generateCatalogue(options)].map(({ identity }) => formatIdentity(identity)),
    );
    for (const each of others) {
      expect(each.fingerprint).toBe(none?.fingerprint);
      expect(each.order).toEqual(none?.order);
      expect(each.summary).toEqual(none?.summary);
      expect(each.rows).toEqual(none?.rows);
    }
  });

  test('report a malformed document as without them, and the store stays empty', async () => {
    const broken = options.revisions - 40;
    const content = catalogueContent(options);
    let size = 0;
    let number = 0;
    for (const { document } of generateCatalogue(options)) size += recordSize(document.length);
    const damaged = join(folder(), 'damaged.cab');
    await writePackage(
      damaged,
      'cab',
      {
        ...content,
        async *records() {
          number = 0;
          for await (const batch of content.records()) {
            yield batch.map((record) => {
              if (++number !== broken) return record;
              // same length: the closing tag of the root is spoilt
              const document = Buffer.from(record.document);
              document.write('</upd:Updaze>', document.length - 13);
              return { ...record, document };
            });
          }
        },
      },
      { signal: new AbortController().signal, metadataSize: size },
    );
    const failures = [];
    for (const threads of [0, 2]) {
      const { store, run } = await importWith(threads, damaged);
      // The error is of the built program's own class.
      const error = await failureOf(() =>
        run().catch((thrown: WsusutilError) => {
          throw new WsusutilError(thrown.code, thrown.message, {
            hint: thrown.hint,
            details: thrown.details,
          });
        }),
      );
      failures.push({ code: error.code, message: error.message, hint: error.hint, details: error.details });
      expect(await store.isEmpty()).toBe(true);
      expect((await store.listHistory(1))[0]?.outcome).toBe(error.code);
    }
    expect(failures[0]?.message).toContain(`Record ${broken} `);
    expect(failures[0]?.details).toMatchObject({ record: broken });
    expect(failures[1]).toEqual(failures[0]);
  });
});
