import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { refuseBadTargets, type Targets } from '../../src/cli/targets.js';
import { writeError } from '../../src/platform/atomic-file.js';
import { openError, refuseOtherThanFile } from '../../src/platform/file-source.js';
import { temporaryFolder } from '../helpers/program.js';

function refuse(overrides: (folder: string) => Partial<Targets>): () => void {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  writeFileSync(join(folder.path, 'there.log'), '');
  const targets = {
    platform: 'linux',
    logPath: undefined,
    otherPaths: [],
    targetPath: undefined,
    takesLog: true,
    inputPaths: [],
    errorOf: { reading: openError, writing: writeError },
    refuseOtherThanFile,
    ...overrides(folder.path),
  } as const;
  return () => refuseBadTargets(targets);
}

test('an existing log or package is refused', () => {
  expect(refuse((folder) => ({ logPath: join(folder, 'there.log') }))).toThrow(/there\.log already exists/);
  expect(refuse((folder) => ({ targetPath: join(folder, 'there.log') }))).toThrow(/already exists/);
  expect(
    refuse((folder) => ({ targetPath: join(folder, 'new.cab'), logPath: join(folder, 'new.log') })),
  ).not.toThrow();
});

test('a folder where a package is to be read is refused', () => {
  expect(refuse((folder) => ({ inputPaths: [folder] }))).toThrow(/is a folder, not a regular file/);
});

test('a dangling link in the place of the package is refused too', () => {
  expect(
    refuse((folder) => {
      symlinkSync(join(folder, 'nowhere'), join(folder, 'link.cab'));
      return { targetPath: join(folder, 'link.cab') };
    }),
  ).toThrow(/already exists/);
});

test.each(['x.cab', 'x.XML.GZ', 'x.tar'])('a log called %s is refused', (name) => {
  expect(refuse((folder) => ({ logPath: join(folder, name) }))).toThrow(/named like a package/);
});

test('package and log must be two files, links and case included', () => {
  const same = (folder: string) => ({
    logPath: join(folder, 'a'),
    otherPaths: [{ name: 'package', path: join(folder, 'a') }],
  });
  expect(refuse(same)).toThrow('<package> and the log are the same file');
  expect(
    refuse((folder) => {
      mkdirSync(join(folder, 'real'));
      symlinkSync(join(folder, 'real'), join(folder, 'link'));
      return {
        logPath: join(folder, 'real', 'a'),
        otherPaths: [{ name: 'package', path: join(folder, 'link', 'a') }],
      };
    }),
  ).toThrow('the same file');
  expect(
    refuse((folder) => ({
      platform: 'win32',
      logPath: join(folder, 'A.log'),
      otherPaths: [{ name: 'package', path: join(folder, 'a.LOG') }],
    })),
  ).toThrow('the same file');
});

test('a package that is not there is said before anything is touched', () => {
  expect(refuse((folder) => ({ inputPaths: [join(folder, 'none.cab')] }))).toThrow(
    /There is no file .*none\.cab/,
  );
});

test('a name that is too long is said to be', () => {
  const name = 'a'.repeat(262);
  expect(refuse((folder) => ({ inputPaths: [join(folder, name)] }))).toThrow(
    /no file .*the name is too long$/,
  );
  expect(refuse((folder) => ({ targetPath: join(folder, name) }))).toThrow(/write .*the name is too long$/);
  expect(refuse((folder) => ({ logPath: join(folder, name) }))).toThrow(/write .*the name is too long$/);
});
