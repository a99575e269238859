import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SecretKey } from '../../src/formats/minisign/secret-key.js';
import { hashContent, parseSignature } from '../../src/formats/minisign/signature.js';
import {
  checkSignatures,
  judgeSignatures,
  requireSigners,
  type SignatureTrust,
  signaturePathOf,
} from '../../src/packages/check-signatures.js';
import { signFile } from '../../src/packages/sign-file.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { placeSignature, signatureText, testKey } from '../helpers/signing.js';
import {
  importFile,
  makeUpdate,
  now,
  openTestStore,
  testFolder,
  writeUpdates,
} from '../store/update-builder.js';

const signal = new AbortController().signal;
const options = { signal, report: () => {} };
const CONTENT = Buffer.from('a package, as it were');
let anna: SecretKey;
let berta: SecretKey;
let carla: SecretKey;
beforeAll(async () => {
  [anna, berta, carla] = (await Promise.all([1, 2, 3].map(testKey))) as [SecretKey, SecretKey, SecretKey];
});

function trust(
  threshold: number,
  ...keys: [name: string, key: SecretKey, successorOf?: string][]
): SignatureTrust {
  return {
    threshold,
    keys: keys.map(([name, { publicKey }, successorOf]) => ({
      name,
      publicKey,
      ...(successorOf === undefined ? {} : { successorOf }),
    })),
  };
}

function newPackage(): string {
  const path = join(testFolder(), 'export.cab');
  writeFileSync(path, CONTENT);
  return path;
}
const check = (path: string, who: SignatureTrust) => checkSignatures(path, who, options);

test('a package without signatures has no signers, and is refused only where some are demanded', async () => {
  const path = newPackage();
  const verdict = await check(path, trust(1, ['anna', anna]));
  expect(verdict).toMatchObject({ signers: [], missing: 1 });
  const error = await failureOf(() => requireSigners(verdict, path));
  expect(error).toMatchObject({ code: 'SIGNATURE_MISSING', message: `${path} is not signed` });
  expect(error.hint).toContain('export.cab.minisig');
});

test('of three who are trusted, two have to sign: any two', async () => {
  const who = trust(2, ['anna', anna], ['berta', berta], ['carla', carla]);
  for (const [one, other] of [
    [anna, berta],
    [carla, anna],
    [berta, carla],
  ] as const) {
    const path = newPackage();
    placeSignature(path, one, CONTENT);
    const half = await check(path, who);
    expect(half.missing).toBe(1);
    const error = await failureOf(() => requireSigners(half, path));
    expect(error.message).toContain('is signed by 1 of the 2 it takes');
    placeSignature(path, other, CONTENT, 2);
    const whole = await check(path, who);
    expect(whole).toMatchObject({ missing: 0, signers: [{}, {}] });
    requireSigners(whole, path);
  }
});

test('each signer counts once, however often and with however many keys that follow each other', async () => {
  const path = newPackage();
  placeSignature(path, anna, CONTENT);
  placeSignature(path, anna, CONTENT, 2);
  placeSignature(path, berta, CONTENT, 3);
  const successor = anna.publicKey.keyId;
  const verdict = await check(path, trust(2, ['anna', anna], ['anna (2)', berta, successor]));
  expect(verdict).toMatchObject({ missing: 1, signers: [{ name: 'anna', trustedComment: 'signature 1' }] });
  const successorsOnly = await check(
    path,
    trust(2, ['anna', anna, 'F'.repeat(16)], ['anna (2)', berta, 'F'.repeat(16)]),
  );
  expect(successorsOnly.missing).toBe(1);
});

test('the count of signers is that of the trusted who signed, in any order, with gaps between the numbers', async () => {
  const all = [anna, berta, carla];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 16 })), { maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      async (placed, threshold) => {
        const path = newPackage();
        const last = new Map<number, number>();
        for (const [who, number] of placed) {
          placeSignature(path, all[who] as SecretKey, CONTENT, number);
          last.set(number, who);
        }
        const verdict = await check(path, trust(threshold, ['a', anna], ['b', berta], ['c', carla]));
        const signers = new Set(last.values()).size;
        expect(verdict.signers).toHaveLength(signers);
        expect(verdict.missing).toBe(Math.max(0, threshold - signers));
        rmSync(path);
      },
    ),
    { numRuns: 30 },
  );
});

describe('one signature spoils all, though others suffice:', () => {
  const setUp = () => {
    const path = newPackage();
    placeSignature(path, anna, CONTENT);
    return { path, second: signaturePathOf(path, 2), who: trust(1, ['anna', anna], ['berta', berta]) };
  };

  test('of a key that is not trusted', async () => {
    const { path, who } = setUp();
    placeSignature(path, carla, CONTENT, 2);
    const error = await failureOf(() => check(path, who));
    expect(error.code).toBe('SIGNER_UNTRUSTED');
    expect(error.message).toContain(carla.publicKey.keyId);
  });

  test('over other content', async () => {
    const { path, who } = setUp();
    placeSignature(path, berta, Buffer.from('another'), 2);
    expect((await failureOf(() => check(path, who))).code).toBe('SIGNATURE_INVALID');
  });

  test('that claims the id of a trusted key', async () => {
    const { path, who, second } = setUp();
    const text = signatureText(carla, CONTENT);
    const [untrusted, line = '', ...rest] = text.split('\n');
    const forged = Buffer.from(line, 'base64');
    Buffer.from(berta.publicKey.keyId, 'hex').reverse().copy(forged, 2);
    writeFileSync(second, [untrusted, forged.toString('base64'), ...rest].join('\n'));
    expect((await failureOf(() => check(path, who))).message).toContain('does not fit');
  });

  test.each<[string, (path: string) => void]>([
    ['that is empty', (path) => writeFileSync(path, '')],
    ['that is a login page', (path) => writeFileSync(path, '<html>')],
    ['that is endless', (path) => writeFileSync(path, Buffer.alloc(1 << 20, 'x'))],
  ])('%s', async (_, place) => {
    const { path, who, second } = setUp();
    place(second);
    const error = await failureOf(() => check(path, who));
    expect(error.code).toBe('SIGNATURE_INVALID');
    expect(error.message).toContain(second);
  });

  test('that is a folder', async () => {
    const { path, who, second } = setUp();
    mkdirSync(second);
    await expect(check(path, who)).rejects.toThrow('is a folder');
  });
});

test('a package that was changed by one bit does not fit its signature', async () => {
  const path = newPackage();
  placeSignature(path, anna, CONTENT);
  for (let at = 0; at < CONTENT.length; at++) {
    const changed = Buffer.from(CONTENT);
    changed[at] = (changed[at] as number) ^ 1;
    writeFileSync(path, changed);
    expect((await failureOf(() => check(path, trust(1, ['anna', anna])))).code).toBe('SIGNATURE_INVALID');
  }
});

test('a package that is exchanged between the check and the commit is not imported', async () => {
  const path = await writeUpdates(join(testFolder(), 'export.cab'), [makeUpdate(1)]);
  const other = await writeUpdates(join(testFolder(), 'other.cab'), [makeUpdate(2)]);
  placeSignature(path, anna, readFileSync(path));
  const { confirm } = await check(path, trust(1, ['anna', anna]));
  writeFileSync(path, readFileSync(other));
  const { store } = await openTestStore();
  const error = await failureOf(() => importFile(store, path, { confirm }));
  expect(error.code).toBe('SIGNATURE_INVALID');
  expect(error.message).toContain('was changed after its signature was checked');
  expect(await store.isEmpty()).toBe(true);
});

test('where the content is not at hand, a signature of the old kind is refused', async () => {
  const text = signatureText(anna, CONTENT);
  const signature = { ...parseSignature(Buffer.from(text), 's'), isPrehashed: false };
  const content = { name: 'manifest.json', digest: hashContent(CONTENT), content: undefined };
  const error = await failureOf(() =>
    judgeSignatures([{ name: 's', signature }], content, trust(1, ['anna', anna])),
  );
  expect(error.message).toContain("minisign's old kind");
});

describe('signing', () => {
  const sign = (path: string, key: SecretKey, comment?: string) =>
    signFile(path, key, { ...options, now, comment });

  test('puts each signer under the next number, and none twice', async () => {
    const path = newPackage();
    const first = await sign(path, anna);
    expect(first).toMatchObject({
      signaturePath: `${path}.minisig`,
      size: CONTENT.length,
      wasSigned: false,
      trustedComment: `timestamp:${now().getTime() / 1000}\tfile:export.cab\thashed`,
    });
    const second = await sign(path, berta, 'seen and approved');
    expect(second.signaturePath).toBe(`${path}.2.minisig`);
    expect(await sign(path, anna)).toEqual({ ...first, wasSigned: true });
    const verdict = await check(path, trust(2, ['anna', anna], ['berta', berta]));
    expect(verdict).toMatchObject({ missing: 0, signers: [{}, { trustedComment: 'seen and approved' }] });
  });

  test('says that the file was changed since, and writes nothing', async () => {
    const path = newPackage();
    await sign(path, anna);
    writeFileSync(path, 'changed');
    const error = await failureOf(() => sign(path, anna));
    expect(error.code).toBe('SIGNATURE_INVALID');
    await expect(check(path, trust(1, ['anna', anna]))).rejects.toThrow('does not fit');
  });

  test('ends at the sixteenth signature', async () => {
    const path = newPackage();
    for (let number = 1; number <= 16; number++) placeSignature(path, anna, CONTENT, number);
    expect((await failureOf(() => sign(path, berta))).code).toBe('LIMIT_EXCEEDED');
  });

  test('takes no comment that could not be shown', async () => {
    const path = newPackage();
    expect((await failureOf(() => sign(path, anna, 'a\nb'))).code).toBe('USAGE');
    expect(await check(path, trust(1, ['anna', anna]))).toMatchObject({ signers: [] });
  });

  test.skipIf(process.platform === 'win32')(
    'leaves out a name of the file that could not be shown',
    async () => {
      const path = join(testFolder(), 'a\u001b[2J.cab');
      writeFileSync(path, CONTENT);
      expect((await sign(path, anna)).trustedComment).toMatch(/^timestamp:\d+\thashed$/);
    },
  );

  test('stops when it is interrupted', async () => {
    const path = newPackage();
    const interrupted = { report: () => {}, signal: AbortSignal.abort(), now, comment: undefined };
    expect((await failureOf(() => signFile(path, anna, interrupted))).code).toBe('INTERRUPTED');
    expect(await check(path, trust(1, ['anna', anna]))).toMatchObject({ signers: [] });
  });
});
