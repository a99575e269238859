/**
 * The attacks that The Update Framework's specification lists (section 1.5.2), each tried on a transfer package. What an
 * attacker has here is the medium: they can replace, mix, hold back and rewrite what is carried, and lack the keys.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SecretKey } from '../../src/formats/minisign/secret-key.js';
import type { SignatureTrust } from '../../src/packages/check-signatures.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { makeUpdate, testFolder } from '../store/update-builder.js';
import {
  type CarriedOver,
  exportFrom,
  feed,
  importInto,
  makeKey,
  openSite,
  type Site,
} from './carry-setup.js';

function trustIn(keys: readonly SecretKey[], threshold = 1): SignatureTrust {
  return {
    keys: keys.map(({ publicKey }, index) => ({ name: `signer ${index + 1}`, publicKey })),
    threshold,
  };
}

interface Scene {
  readonly outside: Site;
  readonly inside: Site;
  readonly key: SecretKey;
  readonly folder: string;
  /** Exports a signed package. */
  send(name: string, options?: Parameters<typeof exportFrom>[2]): Promise<string>;
  /** Imports as a careful place does: signed, or not at all. */
  receive(paths: readonly string[], options?: Parameters<typeof importInto>[2]): Promise<CarriedOver>;
  /** Fails, and leaves the inside as it was, but for files that are what was signed. */
  refuse(paths: readonly string[], options?: Parameters<typeof importInto>[2]): Promise<string>;
}

async function setScene(): Promise<Scene> {
  const [outside, inside, key] = [await openSite('outside'), await openSite('inside'), await makeKey()];
  const folder = testFolder();
  const file = makeFile('good', 20_000);
  await feed(outside, [updateWith(1, [file])], [file]);
  const receive: Scene['receive'] = (paths, options) =>
    importInto(inside, paths, { trust: trustIn([key]), allowUnsigned: false, ...options });
  return {
    outside,
    inside,
    key,
    folder,
    async send(name, options) {
      const path = join(folder, name);
      await exportFrom(outside, path, { signers: [key], ...options });
      return path;
    },
    receive,
    async refuse(paths, options) {
      const state = async () => [
        await inside.store.fingerprint(),
        await inside.store.carryState().listAccepted(),
      ];
      const before = await state();
      const error = await failureOf(() => receive(paths, options));
      expect(await state()).toEqual(before);
      expect(outside.content()).toMatchObject(inside.content());
      return error.code;
    },
  };
}

test('arbitrary installation: a package of somebody else is refused, and so is one without signature', async () => {
  const { refuse, send, folder } = await setScene();
  const attacker = await openSite('attacker');
  const evil = makeFile('evil', 5_000);
  await feed(attacker, [updateWith(66, [evil])], [evil]);
  const signed = join(folder, 'signed.tar');
  await exportFrom(attacker, signed, { signers: [await makeKey()] });
  expect(await refuse([signed])).toBe('SIGNER_UNTRUSTED');
  expect(await refuse([signed], { allowUnsigned: true })).toBe('SIGNER_UNTRUSTED');
  expect(await refuse([await send('unsigned.tar', { signers: [] })])).toBe('SIGNATURE_MISSING');
});

test('arbitrary installation: whatever byte of the manifest or its signature is changed, the package is refused', async () => {
  const { refuse, send } = await setScene();
  const path = await send('carry.tar');
  const good = readFileSync(path);
  const manifestEnd = good.indexOf('volume.json');
  for (let at = 512; at < manifestEnd; at += 97) {
    const changed = Buffer.from(good);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(path, changed);
    expect(await refuse([path])).toMatch(
      /^(TRANSFER_MALFORMED|TRANSFER_MISMATCH|TRANSFER_INCOMPLETE|TRANSFER_UNSUPPORTED|SIGNATURE_INVALID|SIGNER_UNTRUSTED|SIGNATURE_MISSING|NOT_A_PACKAGE|PACKAGE_LINE_ENDINGS|LIMIT_EXCEEDED)$/,
    );
  }
}, 60_000);

test('endless data: what is behind the end of a volume, or more of a file than was said, is refused', async () => {
  const { refuse, send } = await setScene();
  const path = await send('carry.tar');
  const good = readFileSync(path);
  writeFileSync(path, Buffer.concat([good, Buffer.alloc(1 << 20)]));
  expect(await refuse([path])).toBe('TRANSFER_MALFORMED');
  const at = good.indexOf('WsusContent/', good.indexOf('volume.json'));
  const longer = Buffer.from(good);
  longer.write('77777777777', at + 124); // the size in the tar header
  writeFileSync(path, longer);
  expect(await refuse([path])).toMatch(/^TRANSFER_(MALFORMED|MISMATCH)$/);
});

test('extraneous dependencies: a file that the manifest does not name is refused', async () => {
  const { refuse, send } = await setScene();
  const path = await send('carry.tar');
  const good = readFileSync(path);
  const at = good.lastIndexOf('WsusContent/');
  const more = Buffer.concat([good.subarray(0, good.length - 1024), good.subarray(at)]);
  writeFileSync(path, more);
  expect(await refuse([path])).toBe('TRANSFER_MALFORMED');
});

test('fast-forward: nobody without the key can push the number of the chain up', async () => {
  const { refuse, receive, send, outside, inside } = await setScene();
  const first = await send('1.tar');
  const good = readFileSync(first);
  const forged = Buffer.from(good.toString('latin1').replace('"sequence":1,', '"sequence":9,'), 'latin1');
  writeFileSync(first, forged);
  // The digest in volume.json is wrong, too, but nobody gets that far.
  expect(await refuse([first])).toMatch(/^SIGNATURE_INVALID|TRANSFER_MISMATCH$/);
  writeFileSync(first, good);
  await receive([first]);
  await feed(outside, [makeUpdate(2)]);
  await receive([await send('2.tar', { base: { kind: 'last' } })]);
  expect((await inside.store.carryState().listAccepted()).map(({ sequence }) => sequence)).toEqual([1, 2]);
});

test('indefinite freeze: an old package given again is refused, and one that is old is told', async () => {
  const { refuse, receive, send } = await setScene();
  const path = await send('1.tar', { now: () => new Date('2026-01-01T00:00:00Z') });
  const { warnings } = await receive([path]);
  expect(warnings).toContain('PACKAGE_AGE');
  expect(await refuse([path])).toBe('CHAIN_BROKEN');
});

test('malicious mirrors: whatever medium a volume comes from, its content must be what was signed', async () => {
  const { refuse, receive, send, folder } = await setScene();
  const path = await send('carry.tar');
  const good = readFileSync(path);
  const mirror = join(folder, 'mirror.tar');
  const file = makeFile('good', 20_000);
  const at = good.indexOf(file.bytes);
  expect(at).toBeGreaterThan(0);
  const changed = Buffer.from(good);
  makeFile('evil', 20_000).bytes.copy(changed, at);
  writeFileSync(mirror, changed);
  expect(await refuse([mirror])).toBe('TRANSFER_MISMATCH');
  await receive([path]);
});

test('mix-and-match: volumes of two packages, each of them signed, are no package', async () => {
  const { refuse, send, folder } = await setScene();
  await send('a.tar', { volumeSize: 16_384 });
  await send('b.tar', { volumeSize: 16_384 });
  const volume = (name: string, number: number) => join(folder, `${name}.part${number}of3.tar`);
  expect(await refuse([volume('a', 1), volume('b', 2), volume('b', 3)])).toBe('TRANSFER_MISMATCH');
});

test('rollback: an older package of the chain is refused after a newer one', async () => {
  const { refuse, receive, send, outside } = await setScene();
  const first = await send('1.tar');
  await feed(outside, [makeUpdate(2)]);
  const second = await send('2.tar');
  await receive([second]);
  expect(await refuse([first])).toBe('CHAIN_BROKEN');
  expect(await refuse([first], { acceptGap: 'because' })).toBe('CHAIN_BROKEN');
});

test('slow retrieval: a package is read from files, and an import that takes too long can be stopped', async () => {
  const { refuse, receive, send } = await setScene();
  const path = await send('carry.tar');
  const controller = new AbortController();
  controller.abort();
  expect(await refuse([path], { signal: controller.signal })).toBe('INTERRUPTED');
  await receive([path]);
});

test('key compromise: with two of three signers asked for, one stolen key is not enough', async () => {
  const { refuse, receive, outside, folder } = await setScene();
  const keys = [await makeKey(), await makeKey(), await makeKey()] as const;
  const trust = trustIn(keys, 2);
  const path = join(folder, 'stolen.tar');
  await exportFrom(outside, path, { signers: [keys[0]] });
  expect(await refuse([path], { trust })).toBe('SIGNATURE_MISSING');
  const twice = join(folder, 'twice.tar');
  await exportFrom(outside, twice, { signers: [keys[0], keys[0]] });
  expect(await refuse([twice], { trust })).toBe('SIGNATURE_MISSING');
  const both = join(folder, 'both.tar');
  await exportFrom(outside, both, { signers: [keys[0], keys[2]] });
  const { verdict } = await receive([both], { trust });
  expect(verdict.signers).toHaveLength(2);
});

test('a volume that is swapped between the check and the reading is noticed', async () => {
  const { receive, send, folder, inside, outside } = await setScene();
  const path = await send('carry.tar');
  const other = join(folder, 'other.tar');
  await exportFrom(outside, other, { destination: 'other', signers: [] });
  const error = await failureOf(() =>
    receive([path], {
      report: (event) => {
        if (event.type === 'stage-started' && event.stage === 'copying') copyFileSync(other, path);
      },
    }),
  );
  expect(error.code).toBe('TRANSFER_MISMATCH');
  expect(await inside.store.isEmpty()).toBe(true);
});
