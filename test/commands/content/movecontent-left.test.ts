/** What nobody calls for is not moved: it is counted, told, written into the log, and stays where it was. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { movecontent } from '../../../src/commands/content/movecontent.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const [a, b, orphan] = [makeFile('a', 3000), makeFile('b', 3000), makeFile('orphan', 500)];

async function setUp() {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, [a, b])]);
  await store.close();
  const tree = join(folder, 'WsusContent');
  for (const file of [a, b]) placeFile(tree, file);
  const target = testFolder();
  return {
    storePath,
    tree,
    target,
    async move(options: Readonly<Record<string, boolean>> = {}) {
      const steps: string[] = [];
      const outcome = await runCommand(movecontent, storePath, {
        positionals: { contentpath: target },
        options,
        onEvent: (event) => {
          if (event.type === 'step') steps.push(event.message);
        },
      });
      return { ...outcome, steps };
    },
  };
}

test.each([false, true])('foreign files are counted and stay, -skipcopy %s', async (skipcopy) => {
  const { storePath, tree, target, move } = await setUp();
  const places = [
    placeFile(tree, orphan),
    join(tree, 'notes.txt'),
    join(tree, a.path.slice(0, 2), 'readme.txt'),
    join(tree, 'link'),
  ];
  writeFileSync(places[1] as string, 'notes');
  writeFileSync(places[2] as string, 'read me');
  symlinkSync('/nowhere', places[3] as string);
  writeFileSync(join(tree, 'anonymousCheckFile.txt'), '');
  mkdirSync(join(tree, '.wsusutil/quarantine'), { recursive: true });
  writeFileSync(join(tree, '.wsusutil/quarantine/old'), 'ours');
  const { result, view, steps } = await move({ skipcopy });
  expect(result).toMatchObject({
    leftBehind: {
      files: 4,
      bytes: 500 + 5 + 7,
      reasons: { orphan: { files: 1 }, 'foreign-name': { files: 2 }, link: { files: 1 } },
    },
  });
  for (const place of places) expect(steps.filter((step) => step.endsWith(`: ${place}`))).toHaveLength(1);
  expect(readdirSync(tree)).toContain('link');
  for (const place of places.slice(0, 3)) expect(existsSync(place)).toBe(true);
  const arrived = readdirSync(join(target, 'WsusContent'), { recursive: true, encoding: 'utf8' });
  expect(arrived.filter((name) => /readme|notes|link/.test(name) || name.includes(orphan.sha1))).toEqual([]);
  expect(JSON.stringify(view)).toContain(
    'What no update calls for (4 entries, 512 bytes) was not moved and stays at the old place',
  );
  const store = await openMetadataStore(storePath, { mode: 'read', now });
  const [entry] = await store.listHistory(1, 'movecontent');
  await store.close();
  expect(entry).toMatchObject({ details: { leftBehind: { files: 4, bytes: 512 } } });
});

test('nothing is said of foreign files where there are none', async () => {
  const { move } = await setUp();
  const { result, view } = await move();
  expect(result).toMatchObject({ leftBehind: { files: 0 }, leftBehindFiles: [] });
  expect(JSON.stringify(view)).not.toContain('ot moved');
});

test('an old place that is gone keeps nobody from switching', async () => {
  const { tree, move } = await setUp();
  rmSync(tree, { recursive: true });
  expect((await move({ skipcopy: true })).result).toMatchObject({ leftBehind: { files: 0 } });
});

test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
  'an old place that cannot be read any more keeps nobody from switching',
  async () => {
    const { tree, move } = await setUp();
    chmodSync(tree, 0o000);
    try {
      const { result, steps } = await move({ skipcopy: true });
      expect(result).toMatchObject({ leftBehind: null });
      expect(steps.join('\n')).toContain('What stays at the old place is not known');
    } finally {
      chmodSync(tree, 0o700);
    }
  },
);
