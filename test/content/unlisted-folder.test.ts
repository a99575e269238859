/** A folder that cannot be listed (permissions, a failing disk) says nothing about the files in it. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkContent, type FileFinding } from '../../src/content/check-content.js';
import type { ContentRunner } from '../../src/content/content-runner.js';
import { openContentTree } from '../../src/content/content-tree.js';
import { importUpdates, now, openTestStore, testFolder } from '../store/update-builder.js';
import { makeFile, placeFile, testRunner, updateWith } from './content-builder.js';

const [a, b] = [makeFile('a'), makeFile('b')];

/** Refuses one folder, as the system would. */
function refusing(runner: ContentRunner, folder: string): ContentRunner {
  return {
    ...runner,
    concurrency: runner.concurrency,
    bytesRead: 0,
    summarize: async (path, name) => (path === folder ? undefined : runner.summarize(path, name)),
    list: async (path) => (path === folder ? { reason: 'EACCES: permission denied' } : runner.list(path)),
  };
}

test.each(['quick', 'full'] as const)(
  'files in it are unreadable, not lost, in a %s check',
  async (depth) => {
    const { store } = await openTestStore();
    await importUpdates(store, [updateWith(1, [a, b])]);
    const tree = testFolder();
    for (const file of [a, b]) placeFile(tree, file);
    const index = await store.contentIndex();
    const check = async (runner: ContentRunner): Promise<ReadonlyMap<string, FileFinding>> => {
      const selection = await index.select({});
      const findings = new Map<string, FileFinding>();
      const steps = checkContent({
        tree: await openContentTree(tree, runner),
        selection,
        index,
        records: 'of-this-tree',
        depth,
        strays: true,
        runner,
        now,
        signal: new AbortController().signal,
        report: () => {},
      });
      for await (const step of steps) {
        for (const each of step) if (each.type === 'file') findings.set(each.file.sha1, each);
      }
      await selection.close();
      return findings;
    };
    const first = await check(testRunner());
    await index.record([...first].map(([sha1, { record }]) => ({ sha1, record })));
    const closed = join(tree, a.path.slice(0, 2));
    const found = await check(refusing(testRunner(), closed));
    expect(found.get(a.sha1)).toMatchObject({
      record: { state: 'corrupt', problem: 'unreadable' },
      path: undefined,
      detail: 'EACCES: permission denied',
    });
    expect(found.get(b.sha1)?.record.problem).toBeUndefined();
  },
);
