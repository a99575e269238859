/** Import, verify and undo need no network, and could not use one: nothing that they load can open a socket. */
import dgram from 'node:dgram';
import dns from 'node:dns';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { undoLastImport } from '../../src/carry/undo.js';
import { verifyTransfer } from '../../src/carry/verify-transfer.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { now, testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, openSite } from './carry-setup.js';

const SRC = resolve(import.meta.dirname, '../../src');

/** Everything a module loads, at once or later; modules of Node.js and of others by name. */
function closureOf(path: string, found = new Set<string>()): Set<string> {
  const name = path.replace(/\.js$/, '.ts');
  if (found.has(name)) return found;
  found.add(name);
  // To tell whether a text is an address opens no connection.
  const source = readFileSync(name, 'utf8').replaceAll(
    /^import \{ isIP(?:v[46])? \} from 'node:net';$/gm,
    '',
  );
  const imports =
    /^\s*(?:import|export)\s+(?!type\s)(?:[^'";]*?\bfrom\s*)?'([^']+)'|import\(\s*'([^']+)'\s*\)|new URL\(\s*'([^']+)'/gm;
  for (const match of source.matchAll(imports)) {
    const specifier = (match[1] ?? match[2] ?? match[3]) as string;
    if (!specifier.startsWith('.')) found.add(specifier);
    else if (existsSync(join(dirname(name), specifier.replace(/\.js$/, '.ts')))) {
      closureOf(join(dirname(name), specifier), found);
    }
  }
  return found;
}

test.each([
  'carry/import-transfer',
  'carry/verify-transfer',
  'carry/export-transfer',
  'carry/acknowledge',
  'carry/undo',
  'store/undo-import',
  'commands/packages/import',
  'commands/packages/verify',
  'commands/packages/undo',
  'commands/packages/receipt',
  'commands/packages/acknowledge',
])('%s loads nothing that knows the network', (name) => {
  const closure = [...closureOf(join(SRC, `${name}.ts`))];
  expect(closure.length).toBeGreaterThan(0);
  const wrong = closure.filter(
    (each) =>
      relative(SRC, each).startsWith('transfer') ||
      relative(SRC, each).startsWith('sync') ||
      /^(node:)?(net|tls|http|https|http2|dgram|dns|child_process)(\/|$)/.test(each),
  );
  expect(wrong).toEqual([]);
});

test('no socket is opened and no name looked up by a carry', async () => {
  const spies = [
    vi.spyOn(net.Socket.prototype, 'connect'),
    vi.spyOn(net.Server.prototype, 'listen'),
    vi.spyOn(dns, 'lookup'),
    vi.spyOn(dgram, 'createSocket'),
  ];
  const [outside, inside] = [await openSite('outside'), await openSite('inside')];
  const file = makeFile('one');
  await feed(outside, [updateWith(1, [file])], [file]);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  await verifyTransfer({
    paths: [path],
    trust: undefined,
    signal: new AbortController().signal,
    report: () => {},
  });
  await importInto(inside, [path]);
  await undoLastImport(inside.store, now);
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
});
