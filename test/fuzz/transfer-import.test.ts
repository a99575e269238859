/**
 * `import` of transfer packages that were damaged or forged, signed and unsigned: refused with a known code, or taken
 * as a whole; the store is as before then, or as after an import that can be taken back; the content directory holds
 * nothing but files that are what their names say; memory is bounded. `npm run fuzz` runs it for longer.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { undoLastImport } from '../../src/carry/undo.js';
import type { CommandDeclaration } from '../../src/commands/declaration.js';
import { trustAdd } from '../../src/commands/keys/trust-add.js';
import { importCommand } from '../../src/commands/packages/import.js';
import { type ErrorCode, isWsusutilError } from '../../src/errors.js';
import { serializePublicKey } from '../../src/formats/minisign/public-key.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { exportFrom, feed, openSite } from '../carry/carry-setup.js';
import { runCommand } from '../commands/command-context.js';
import { makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { testKey } from '../helpers/signing.js';
import { makeUpdate, now, problemsOf, testFolder } from '../store/update-builder.js';
import { mutateTar } from './tar-mutations.js';

/** What damage may come to. */
const CODES: readonly ErrorCode[] = [
  'NOT_A_PACKAGE',
  'PACKAGE_EMPTY',
  'PACKAGE_LINE_ENDINGS',
  'TRANSFER_MALFORMED',
  'TRANSFER_INCOMPLETE',
  'TRANSFER_MISMATCH',
  'TRANSFER_UNSUPPORTED',
  'SIGNATURE_INVALID',
  'SIGNATURE_MISSING',
  'SIGNER_UNTRUSTED',
  'CHAIN_BROKEN',
  'LIMIT_EXCEEDED',
  'DISK_FULL',
];
/** What it may come to where somebody who needs not sign forges the metadata too. */
const FORGED_CODES: readonly ErrorCode[] = [
  ...CODES,
  'PACKAGE_MALFORMED',
  'PACKAGE_TRUNCATED',
  'PACKAGE_UNSUPPORTED',
  'PACKAGE_MEMBERS_DISAGREE',
  'GZIP_MALFORMED',
  'XML_MALFORMED',
  'UPDATE_MALFORMED',
  'UPDATE_IDENTITY_MISMATCH',
];
const MAX_MEMORY_OF_A_RUN = 200e6;

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const firstSeed = number('FUZZ_SEED', 1);
const seconds = number('FUZZ_SECONDS', 0);
const runs = number('FUZZ_RUNS', seconds > 0 ? Number.POSITIVE_INFINITY : 200);

for (const isSigned of [true, false]) {
  const what = isSigned ? 'a signed package' : 'an unsigned package that is taken all the same';
  test(`${what}, damaged, is refused by name or imported as a whole`, {
    timeout: (seconds + 600) * 1_000,
  }, async () => {
    const outside = await openSite('outside');
    const files = [makeFile('a', 3_000), makeFile('b', 10), makeFile('c', 20_000)];
    const licence = makeFile('licence', 700, 'eula.txt');
    await feed(
      outside,
      [
        updateWith(1, files.slice(0, 2), { licences: [licence] }),
        updateWith(2, files.slice(2)),
        makeUpdate(3),
      ],
      [...files, licence],
    );
    const key = await testKey(1);
    const original = join(testFolder(), 'carry.tar');
    await exportFrom(outside, original, { signers: isSigned ? [key] : [] });
    const good = readFileSync(original);

    const inside = testFolder();
    const storePath = join(inside, 'metadata.sqlite');
    const publicKey = serializePublicKey(key.publicKey).split('\n')[1] as string;
    await runCommand(trustAdd as unknown as CommandDeclaration, storePath, {
      positionals: { 'public-key': publicKey },
      options: { name: 'outside', yes: true },
    });
    placeFile(join(inside, 'WsusContent'), makeFile('before', 100));
    const empty = await look(storePath);

    const path = join(testFolder(), 'damaged.tar');
    const outcomes = new Map<string, number>();
    const deadline = seconds > 0 ? Date.now() + seconds * 500 : Number.POSITIVE_INFINITY;
    for (let seed = firstSeed; seed < firstSeed + runs && Date.now() < deadline; seed++) {
      const { how, bytes } = await mutateTar(good, isSigned, seededRandom(seed));
      writeFileSync(path, bytes);
      const memoryBefore = process.memoryUsage.rss();
      const outcome = await importOutcome(path, storePath, !isSigned);
      const told = `seed ${seed}, ${how}: ${outcome}`;
      expect(process.memoryUsage.rss() - memoryBefore, told).toBeLessThan(MAX_MEMORY_OF_A_RUN);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const after = await look(storePath);
      expect(after.problems, told).toEqual([]);
      expectWholeFiles(join(inside, 'WsusContent'), told);
      expect(
        readdirSync(inside).filter((name) => !KNOWN_NAMES.test(name)),
        told,
      ).toEqual([]);
      if (outcome === 'imported') {
        if (isSigned) expect(withoutComment(bytes, good).equals(withoutComment(good, good)), told).toBe(true);
        const store = await openMetadataStore(storePath, { mode: 'write', now });
        await undoLastImport(store, now);
        await store.close();
      } else {
        expect(how === 'reseal' ? FORGED_CODES : CODES, told).toContain(outcome);
        expect(after.history[0], told).toMatchObject({ action: 'import', outcome });
      }
      expect((await look(storePath)).fingerprint, told).toBe(empty.fingerprint);
      expect((await look(storePath)).accepted, told).toEqual([]);
    }
    if (seconds > 0) process.stdout.write(`${what}: ${JSON.stringify([...outcomes])}\n`);

    // What was kept of all that does not spoil the right one.
    expect(await importOutcome(original, storePath, !isSigned)).toBe('imported');
    expect((await look(storePath)).fingerprint).toBe(await outside.store.fingerprint());
    if (runs < 100) return;
    expect([...outcomes.keys()]).toEqual(
      expect.arrayContaining(['TRANSFER_MALFORMED', 'TRANSFER_INCOMPLETE', 'TRANSFER_MISMATCH']),
    );
    if (isSigned) expect([...outcomes.keys()]).toContain('SIGNATURE_INVALID');
    else expect([...outcomes.keys()]).toContain('imported');
  });
}

/** But for the one line of a signature that nobody signs. */
function withoutComment(tar: Buffer, original: Buffer): Buffer {
  const at = original.indexOf('untrusted comment: ');
  return Buffer.from(tar).fill(0, at, original.indexOf('\n', at));
}

/** Of a data directory: nothing is written beside these. */
const KNOWN_NAMES = /^(?:metadata\.sqlite.*|WsusContent|carry|trust(?:ed)?.*|keys)$/;

async function importOutcome(path: string, storePath: string, allowUnsigned: boolean): Promise<string> {
  try {
    await runCommand(importCommand as unknown as CommandDeclaration, storePath, {
      positionals: { package: path },
      options: { 'allow-unsigned': allowUnsigned },
    });
    return 'imported';
  } catch (error) {
    if (isWsusutilError(error)) return error.code;
    throw error;
  }
}

async function look(storePath: string) {
  const store = await openMetadataStore(storePath, { mode: 'read', now });
  try {
    return {
      fingerprint: await store.fingerprint(),
      problems: await problemsOf(store),
      accepted: await store.carryState().listAccepted(),
      history: await store.listHistory(1),
    };
  } finally {
    await store.close();
  }
}

/** Every file in the folders `00` … `FF` is what its name says. */
function expectWholeFiles(contentFolder: string, told: string): void {
  for (const name of readdirSync(contentFolder, { recursive: true, encoding: 'utf8' })) {
    const place = join(contentFolder, name);
    if (!/^[0-9A-F]{2}.[0-9A-F]{40}/.test(name) || !statSync(place).isFile()) continue;
    const sha1 = createHash('sha1').update(readFileSync(place)).digest('hex').toUpperCase();
    expect(name.slice(3, 43), told).toBe(sha1);
  }
}
