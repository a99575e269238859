import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { main } from '../../src/main.js';
import { acquireWriterLock } from '../../src/platform/writer-lock.js';
import { type FakeProcess, fakeProcess } from '../cli/fake-process.js';
import { binPath, temporaryFolder } from '../helpers/program.js';

function run(args: readonly string[], terminal = false): FakeProcess {
  return fakeProcess(args, { terminal });
}

test('the first Ctrl-C ends the work in order, the second at once', async () => {
  const fake = run(['postinstall']);
  const data = fake.env.WSUSUTIL_HOME as string;
  const lock = await acquireWriterLock(join(data, 'writer.lock'), {
    command: 'import',
    now: () => new Date(),
  });
  const done = main(fake);
  fake.signal('SIGINT');
  expect(fake.exits).toEqual([]);
  fake.signal('SIGTERM');
  expect(fake.exits).toEqual([130]);
  expect(await done).toBe(130);
  expect(fake.listenerCount).toBe(3); // a late signal must not kill a process that has done its work
  await lock.release();
});

test('a run leaves no lock and no open store behind', async () => {
  const fake = run(['status']);
  expect(await main(fake)).toBe(0);
  const lock = await acquireWriterLock(join(fake.env.WSUSUTIL_HOME as string, 'writer.lock'), {
    command: 'import',
    now: () => new Date(),
    waitMs: 0,
  });
  await lock.release();
});

test('colours are used on a terminal and not with --no-color', async () => {
  const coloured = run(['import', 'none.cab'], true);
  await main(coloured);
  expect(coloured.stderr.text).toContain('\u001b[31merror:');
  const plain = run(['import', 'none.cab', '--no-color'], true);
  await main(plain);
  expect(plain.stderr.text).toMatch(/^error: /);
  expect(plain.stderr.text).not.toContain('\u001b[');
});

test('--json prints one document and --json-events ends with the same one', async () => {
  const one = run(['status', '--json', '--data-dir', temporary()]);
  expect(await main(one)).toBe(0);
  const document = JSON.parse(one.stdout.text) as Record<string, unknown>;
  expect(Object.keys(document).slice(0, 4)).toEqual(['command', 'status', 'exitCode', 'warnings']);
  expect(one.stderr.text).toBe('');
  const page = run(['checkhealth', '--json', '--data-dir', temporary()]); // its own count of warnings is another key
  await main(page);
  expect(JSON.parse(page.stdout.text)).toMatchObject({ warnings: [], warningCount: expect.any(Number) });
  const events = run(['status', '--json-events', '--data-dir', temporary()]);
  expect(await main(events)).toBe(0);
  const last = JSON.parse(events.stdout.text.trimEnd().split('\n').at(-1) as string) as Record<
    string,
    unknown
  >;
  expect(Object.keys(last)).toEqual(['type', ...Object.keys(document)]);
});

test('a Node that is too old is told so', () => {
  const script = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.1' } });
    await import(${JSON.stringify(pathToFileURL(binPath).href)});`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'wsusutil needs Node.js 20.19 or later; this is 18.20.1.\n',
  });
});

test('a checkout that was not built says how to build it', () => {
  const path = temporary();
  mkdirSync(join(path, 'bin'));
  copyFileSync(binPath, join(path, 'bin/wsusutil.js'));
  writeFileSync(join(path, 'package.json'), '{"type":"module"}');
  const { status, stderr } = spawnSync(process.execPath, [join(path, 'bin/wsusutil.js')], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('run "npm ci"');
});

function temporary(): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return folder.path;
}
