import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import { importCommand } from '../../../src/commands/packages/import.js';
import { undo } from '../../../src/commands/packages/undo.js';
import { history as historyCommand } from '../../../src/commands/sync/history.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { exportFrom, feed, openSite } from '../../carry/carry-setup.js';
import { makeFile, updateWith } from '../../content/content-builder.js';
import { buildByHand, readOne, sealManifest } from '../../formats/transfer-package/transfer-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { testKey } from '../../helpers/signing.js';
import { makeUpdate, now, testFolder, writeUpdates } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const as = (command: unknown) => command as CommandDeclaration;

function newSide() {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const take = (path: string, options: Record<string, boolean> = {}) =>
    runCommand(as(importCommand), storePath, { positionals: { package: path }, options });
  const look = async () => {
    const store = await openMetadataStore(storePath, { mode: 'read', now });
    try {
      return { fingerprint: await store.fingerprint(), history: await store.listHistory(10) };
    } finally {
      await store.close();
    }
  };
  return { folder, storePath, take, look };
}

async function packages(folder: string) {
  const outside = await openSite('outside');
  const file = makeFile('file', 2_000);
  await feed(outside, [updateWith(1, [file])], [file]);
  const first = join(folder, '1.tar');
  await exportFrom(outside, first);
  await feed(outside, [makeUpdate(2)]);
  const second = join(folder, '2.tar');
  await exportFrom(outside, second, { base: { kind: 'last' } });
  const signed = join(folder, 'signed.tar');
  await exportFrom(outside, signed, { destination: 'signed', signers: [await testKey(1)] });
  return { first, second, signed };
}

test('a package that is refused stands in the history with the reason, and changes nothing else', async () => {
  const { first, second, signed } = await packages(testFolder());
  const { take, look, folder, storePath } = newSide();
  expect((await failureOf(() => take(first))).code).toBe('SIGNATURE_MISSING');
  expect((await failureOf(() => take(signed))).code).toBe('SIGNER_UNTRUSTED');
  expect((await failureOf(() => take(second, { 'allow-unsigned': true }))).code).toBe('CHAIN_BROKEN');
  const { history, fingerprint } = await look();
  const about = { action: 'import', details: { destination: 'isolated', volumes: 1 } };
  expect(history).toMatchObject([
    {
      ...about,
      package: second,
      outcome: 'CHAIN_BROKEN',
      details: { sequence: 2, message: expect.stringContaining('builds on package 1') },
    },
    { ...about, package: signed, outcome: 'SIGNER_UNTRUSTED', details: { destination: 'signed' } },
    { ...about, package: first, outcome: 'SIGNATURE_MISSING', details: { sequence: 1 } },
  ]);
  const listed = await runCommand(as(historyCommand), storePath);
  expect(JSON.stringify(listed.view)).toContain('which is not trusted here');
  expect(existsSync(join(folder, 'WsusContent'))).toBe(false);
  expect(readdirSync(folder).filter((name) => name === 'carry')).toEqual([]);

  await take(first, { 'allow-unsigned': true });
  const rows = JSON.stringify((await runCommand(as(historyCommand), storePath)).view);
  expect(rows).toContain('package 1 for isolated, 1 revisions');
  expect(rows).not.toContain('1 sequence');
  expect((await failureOf(() => take(first, { 'allow-unsigned': true }))).code).toBe('CHAIN_BROKEN');
  const after = await look();
  expect(after.history.map(({ outcome }) => outcome).slice(0, 2)).toEqual(['CHAIN_BROKEN', 'complete']);
  expect(after.fingerprint).not.toBe(fingerprint);
});

test('a refused package does not stand in the way of undo', async () => {
  const { first, second } = await packages(testFolder());
  const { take, look, storePath } = newSide();
  await take(first, { 'allow-unsigned': true });
  const { fingerprint } = await look();
  await take(second, { 'allow-unsigned': true });
  await failureOf(() => take(first, { 'allow-unsigned': true }));
  await runCommand(as(undo), storePath);
  expect((await look()).fingerprint).toBe(fingerprint);
});

test('a rehearsal leaves no trace, whatever comes of it', async () => {
  const { first, second } = await packages(testFolder());
  const { take, look } = newSide();
  await take(first, { 'allow-unsigned': true });
  const before = await look();
  expect((await failureOf(() => take(first, { 'dry-run': true }))).code).toBe('SIGNATURE_MISSING');
  await take(second, { 'dry-run': true, 'allow-unsigned': true });
  expect(await look()).toEqual(before);
});

test('a .cab whose signatures are refused stands in the history of a store that is there', async () => {
  const path = await writeUpdates(join(testFolder(), 'export.cab'), [makeUpdate(1)]);
  const { take, look, storePath } = newSide();
  const options = { 'require-signature': true };
  expect((await failureOf(() => take(path, options))).code).toBe('SIGNATURE_MISSING');
  expect(existsSync(storePath)).toBe(false);
  await take(path);
  expect((await failureOf(() => take(path, options))).code).toBe('SIGNATURE_MISSING');
  expect((await look()).history[0]).toMatchObject({
    action: 'import',
    package: path,
    outcome: 'SIGNATURE_MISSING',
    details: { message: `${path} is not signed` },
  });
});

test('a package without metadata is refused for that, not for a file that nobody knows', async () => {
  const { first } = await packages(testFolder());
  const { manifest, bodies } = await readOne(readFileSync(first));
  const entries = manifest.entries.filter(({ kind }) => kind !== 'metadata');
  const { volumes } = await buildByHand(sealManifest({ ...manifest, entries }), bodies);
  writeFileSync(first, volumes[0] as Buffer);
  const error = await failureOf(() => newSide().take(first, { 'allow-unsigned': true }));
  expect(error.code).toBe('TRANSFER_MALFORMED');
  expect(error.message).toContain('holds no metadata/package.xml.gz');
});
