import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SecretInput, TerminalInput } from '../../../src/commands/context.js';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import { keysList } from '../../../src/commands/keys/keys-list.js';
import { keysNew } from '../../../src/commands/keys/keys-new.js';
import { keysPublic } from '../../../src/commands/keys/keys-public.js';
import { sign } from '../../../src/commands/keys/sign.js';
import { trustAdd } from '../../../src/commands/keys/trust-add.js';
import { trustList } from '../../../src/commands/keys/trust-list.js';
import { trustRemove } from '../../../src/commands/keys/trust-remove.js';
import { trustRequire } from '../../../src/commands/keys/trust-require.js';
import { trustThreshold } from '../../../src/commands/keys/trust-threshold.js';
import { importCommand } from '../../../src/commands/packages/import.js';
import { verify } from '../../../src/commands/packages/verify.js';
import { serializePublicKey } from '../../../src/formats/minisign/public-key.js';
import { createSigningKey, describePublicKey, keysPathOf } from '../../../src/settings/signing-keys.js';
import { runMain } from '../../cli/fake-process.js';
import { failureOf } from '../../helpers/package-builder.js';
import { CHEAP, placeSignature, testKey } from '../../helpers/signing.js';
import { makeUpdate, NOW, testFolder, writeUpdates } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

const signal = new AbortController().signal;
const PASSWORD = 'hunter2-Sesam';

/** Somebody who types these answers, one after the other. */
function typing(...answers: string[]): { secrets: SecretInput; terminal: TerminalInput; asked: string[] } {
  const asked: string[] = [];
  const next = async (question: string) => {
    asked.push(question);
    return answers.shift() ?? expect.fail(`nobody answers: ${question}`);
  };
  return {
    asked,
    secrets: { ask: next, fromVariable: next, fromFile: next },
    terminal: {
      isInteractive: async () => true,
      confirm: async (question) => (await next(question)) === 'y',
    },
  };
}

function newSide() {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const run = (command: CommandDeclaration, given: GivenArguments = {}) =>
    runCommand(command, storePath, given);
  return { folder, keysPath: keysPathOf(folder), run };
}
type Side = ReturnType<typeof newSide>;

const as = (command: unknown) => command as CommandDeclaration;
const add = (side: Side, key: string, name: string) =>
  side.run(as(trustAdd), { positionals: { 'public-key': key }, options: { name, yes: true } });

/** @returns a package, signed by those keys, and another one that is not */
async function signedPackage(...keys: number[]): Promise<string> {
  const path = await writeUpdates(join(testFolder(), 'export.cab'), [makeUpdate(1)]);
  for (const [index, n] of keys.entries()) {
    placeSignature(path, await testKey(n), readFileSync(path), index + 1);
  }
  return path;
}
const publicLine = async (n: number) =>
  serializePublicKey((await testKey(n)).publicKey).split('\n')[1] as string;

describe('keys new', () => {
  test('without a password warns, and shows what others need and nothing secret', async () => {
    const side = newSide();
    const outcome = await side.run(as(keysNew), { options: { 'no-password': true } });
    expect(outcome.warnings).toEqual(['KEY_WITHOUT_PASSWORD']);
    expect(outcome.result).toMatchObject({
      name: 'default',
      keyId: expect.stringMatching(/^[0-9A-F]{16}$/),
      words: expect.stringMatching(/^(?:[a-z]+ ){7}[a-z]+$/),
      publicKey: expect.stringMatching(/^RW/),
      isProtected: false,
    });
    const secret = readFileSync(join(side.keysPath, 'default.key'), 'utf8').split('\n')[1] as string;
    expect(JSON.stringify(outcome)).not.toContain(secret.slice(60, 100));
    const shown = await side.run(as(keysPublic));
    expect(shown.result).toEqual(outcome.result);
    expect((await side.run(as(keysList))).result).toEqual({ keys: [outcome.result] });
  });

  test('asks twice where it is typed unseen, and makes no key of two that differ', async () => {
    const side = newSide();
    const { asked, ...typist } = typing(PASSWORD, `${PASSWORD}2`);
    const error = await failureOf(() => side.run(as(keysNew), typist));
    expect(error.code).toBe('PASSWORD_WRONG');
    expect(asked).toEqual(['Password of the key default (not shown)', 'The same again']);
    expect(existsSync(side.keysPath)).toBe(false);
    expect(JSON.stringify([error.message, error.hint])).not.toContain(PASSWORD);
  });

  test('asks for no password when the name is taken', async () => {
    const side = newSide();
    await side.run(as(keysNew), { options: { 'no-password': true } });
    expect((await failureOf(() => side.run(as(keysNew), typing()))).code).toBe('TARGET_EXISTS');
  });

  test.each([
    [{ 'password-env': 'A', 'password-file': 'b' }],
    [{ 'password-env': 'A', 'no-password': true }],
    [{ 'password-file': 'b', 'no-password': true }],
  ])('refuses %j', async (given) => {
    const options = { 'password-env': undefined, 'password-file': undefined, 'no-password': false, ...given };
    const input = { positionals: { name: undefined }, options, assignments: {} };
    expect((await failureOf(() => keysNew.check?.(input, NOW))).message).toContain('exclude each other');
  });
});

describe('trust', () => {
  test('add shows the words, and takes the key in once they are confirmed', async () => {
    const side = newSide();
    const path = join(side.folder, 'anna.pub');
    writeFileSync(path, serializePublicKey((await testKey(1)).publicKey));
    const { asked, ...typist } = typing('n', 'y');
    const given = { positionals: { 'public-key': path }, ...typist };
    const refused = await failureOf(() => side.run(as(trustAdd), given));
    expect(refused.code).toBe('SAFETY_REFUSED');
    expect((await side.run(as(trustList))).result.keys).toEqual([]);
    const { result } = await side.run(as(trustAdd), given);
    const words = (result.key as { words: string }).words;
    expect(asked[0]).toContain(words);
    expect(refused.message).toContain(words);
    expect((await side.run(as(trustList))).result).toEqual({
      threshold: 1,
      requireSignature: false,
      keys: [
        {
          name: 'anna',
          keyId: (await testKey(1)).publicKey.keyId,
          words,
          publicKey: await publicLine(1),
          addedAt: '2026-11-01T12:00:00Z',
          comment: expect.stringContaining('minisign public key'),
          successorOf: null,
        },
      ],
    });
  });

  test('add without a terminal refuses, shows the words and says how to go on', async () => {
    const side = newSide();
    const key = await publicLine(1);
    const error = await failureOf(() => side.run(as(trustAdd), { positionals: { 'public-key': key } }));
    expect(error.code).toBe('SAFETY_REFUSED');
    expect(error.hint).toContain('--yes');
    expect(error.details).toMatchObject({ words: expect.stringContaining(' ') });
    expect((await add(side, key, 'anna')).result).toMatchObject({ wasThere: false });
    expect((await add(side, key, 'anna')).result).toMatchObject({ wasThere: true });
    expect((await failureOf(() => add(side, key, 'berta'))).code).toBe('TARGET_EXISTS');
  });

  test('threshold and remove warn where no package could be signed well enough', async () => {
    const side = newSide();
    await add(side, await publicLine(1), 'anna');
    const raised = await side.run(as(trustThreshold), { positionals: { number: '2' } });
    expect(raised).toMatchObject({ warnings: ['TOO_FEW_KEYS'], result: { threshold: 2, before: 1 } });
    expect((await add(side, await publicLine(2), 'berta')).warnings).toEqual([]);
    const removed = await side.run(as(trustRemove), { positionals: { key: 'ANNA' } });
    expect(removed.warnings).toEqual(['TOO_FEW_KEYS']);
    expect((await side.run(as(trustList))).result.keys).toMatchObject([{ name: 'berta' }]);
    expect((await failureOf(() => side.run(as(trustRemove), { positionals: { key: 'anna' } }))).code).toBe(
      'NOT_FOUND',
    );
  });

  test.each(['0', '17', '1.5', 'two', '-1'])('threshold %s is refused', async (number) => {
    const input = { positionals: { number }, options: {}, assignments: {} };
    expect((await failureOf(() => trustThreshold.check?.(input, NOW))).code).toBe('USAGE');
  });

  test('require takes on and off only', async () => {
    const side = newSide();
    for (const [state, requireSignature] of [
      ['ON', true],
      ['off', false],
    ] as const) {
      const { result } = await side.run(as(trustRequire), { positionals: { state } });
      expect(result).toEqual({ requireSignature, before: !requireSignature });
    }
    const input = { positionals: { state: 'yes' }, options: {}, assignments: {} };
    expect((await failureOf(() => trustRequire.check?.(input, NOW))).code).toBe('USAGE');
  });
});

test('sign asks for the password of a key that has one, and verify takes the signature', async () => {
  const side = newSide();
  await createSigningKey(side.keysPath, 'anna', { password: PASSWORD, signal, cost: CHEAP });
  const path = await signedPackage();
  const wrong = await failureOf(() =>
    side.run(as(sign), { positionals: { file: path }, ...typing('wrong-Sesam') }),
  );
  expect(wrong.code).toBe('PASSWORD_WRONG');
  expect(JSON.stringify([wrong.message, wrong.hint, wrong.details])).not.toContain('wrong-Sesam');
  const outcome = await side.run(as(sign), { positionals: { file: path }, ...typing(PASSWORD) });
  expect(outcome.result).toMatchObject({ signaturePath: `${path}.minisig`, key: { name: 'anna' } });
  expect(JSON.stringify(outcome)).not.toContain(PASSWORD);
  const key = join(side.keysPath, 'anna.pub');
  const checked = await newSide().run(as(verify), {
    positionals: { package: path },
    options: { 'public-key': [key] },
  });
  expect(checked.result.signatures).toMatchObject({ isRequired: true, signers: [{ name: key }] });
  const none = await failureOf(() => side.run(as(sign), { positionals: { file: `${path}.minisig` } }));
  expect(none.code).toBe('USAGE');
});

describe.each([
  ['import', as(importCommand)],
  ['verify', as(verify)],
])('%s', (_, command) => {
  const take = (side: Side, path: string, options: GivenArguments['options'] = {}) =>
    side.run(command, { positionals: { package: path }, options });

  test('checks a signature that is there, names who signed, and takes a package without one', async () => {
    const side = newSide();
    expect((await take(side, await signedPackage())).result.signatures).toEqual({
      isRequired: false,
      threshold: 1,
      signers: [],
    });
    const path = await signedPackage(1);
    const unknown = await failureOf(() => take(side, path));
    expect(unknown.code).toBe('SIGNER_UNTRUSTED');
    await add(side, await publicLine(1), 'anna');
    const { result, view } = await take(side, path);
    expect(result.signatures).toMatchObject({
      signers: [{ name: 'anna', signatureName: 'export.cab.minisig', trustedComment: 'signature 1' }],
    });
    expect(JSON.stringify(view)).toContain('by anna, key');
  });

  test('demands as many signers as it takes, by policy or by option', async () => {
    const side = newSide();
    await add(side, await publicLine(1), 'anna');
    await add(side, await publicLine(2), 'berta');
    const unsigned = await signedPackage();
    const option = { 'require-signature': true };
    expect((await failureOf(() => take(side, unsigned, option))).code).toBe('SIGNATURE_MISSING');
    await side.run(as(trustRequire), { positionals: { state: 'on' } });
    await side.run(as(trustThreshold), { positionals: { number: '2' } });
    for (const path of [unsigned, await signedPackage(1), await signedPackage(1, 1)]) {
      expect((await failureOf(() => take(side, path))).code).toBe('SIGNATURE_MISSING');
    }
    const { result, warnings } = await take(side, await signedPackage(2, 1));
    expect(result.signatures).toMatchObject({ isRequired: true, threshold: 2, signers: [{}, {}] });
    expect(warnings).toEqual([]);
  });

  test('with --allow-unsigned takes what is not signed, and nothing that is signed wrongly', async () => {
    const side = newSide();
    await add(side, await publicLine(1), 'anna');
    await side.run(as(trustRequire), { positionals: { state: 'on' } });
    const option = { 'allow-unsigned': true };
    expect((await take(side, await signedPackage(), option)).warnings).toContain('TOO_FEW_SIGNATURES');
    const untrusted = await signedPackage(2);
    expect((await failureOf(() => take(side, untrusted, option))).code).toBe('SIGNER_UNTRUSTED');
    const changed = await signedPackage(1);
    writeFileSync(changed, Buffer.concat([readFileSync(changed), Buffer.from([0])]));
    expect((await failureOf(() => take(side, changed, option))).code).toBe('SIGNATURE_INVALID');
  });

  test('says so where fewer signed than it takes, though none is demanded', async () => {
    const side = newSide();
    await add(side, await publicLine(1), 'anna');
    await add(side, await publicLine(2), 'berta');
    await side.run(as(trustThreshold), { positionals: { number: '2' } });
    expect((await take(side, await signedPackage(1))).warnings).toContain('TOO_FEW_SIGNATURES');
  });

  test('refuses to demand and to allow at once', async () => {
    const options = { 'require-signature': true, 'allow-unsigned': true, 'public-key': [] };
    const input = { positionals: { package: 'a.cab' }, options, assignments: {} };
    const error = await failureOf(() => command.check?.(input as never, NOW));
    expect(error.message).toContain('exclude each other');
  });
});

test('a package that is refused for its signature leaves no store behind', async () => {
  const side = newSide();
  const path = await signedPackage(1);
  await failureOf(() => side.run(as(importCommand), { positionals: { package: path } }));
  expect(existsSync(join(side.folder, 'metadata.sqlite'))).toBe(false);
});

test('the words of a key are not cut on a terminal of 80 columns', async () => {
  const side = newSide();
  const { publicKey } = await createSigningKey(side.keysPath, 'default', { password: undefined, signal });
  await add(side, join(side.keysPath, 'default.pub'), 'Somebody with a long name');
  const { words } = describePublicKey(publicKey);
  for (const args of [
    ['keys', 'list'],
    ['trust', 'list'],
  ]) {
    const { stdout } = await runMain(args, side.folder, { terminal: true, columns: 80 });
    expect(stdout).toContain(words);
  }
});
