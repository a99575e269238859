/** Debian's minisign reads what we write, and we read what it writes. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  formatPublicKey,
  parsePublicKey,
  serializePublicKey,
} from '../../src/formats/minisign/public-key.js';
import { createSecretKey, parseSecretKey, type SecretKey } from '../../src/formats/minisign/secret-key.js';
import {
  hashContent,
  parseSignature,
  serializeSignature,
  signDigest,
  verifySignature,
} from '../../src/formats/minisign/signature.js';
import { exportFrom, feed, importInto, openSite } from '../carry/carry-setup.js';
import { readOne, writeOne } from '../formats/transfer-package/transfer-builder.js';
import { CHEAP } from '../helpers/signing.js';
import { makeUpdate, testFolder } from '../store/update-builder.js';

const isInstalled = spawnSync('minisign', ['-v']).error === undefined;
const reason = isInstalled ? '' : ' (skipped: minisign is not installed)';
const signal = new AbortController().signal;
const PASSWORD = 'Käse und Brot';

/** @param input what is typed */
function minisign(folder: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync('minisign', args, { cwd: folder, input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`minisign ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

function setUp(): { folder: string; path: (name: string) => string; content: Buffer } {
  const folder = testFolder();
  const content = Buffer.from('a package, as it were');
  writeFileSync(join(folder, 'a.cab'), content);
  return { folder, path: (name) => join(folder, name), content };
}

describe.skipIf(!isInstalled)(`minisign${reason}`, () => {
  test('verifies our signature with our public key', async () => {
    const { folder, path, content } = setUp();
    const made = await createSecretKey({ password: undefined, signal });
    const key = await parseSecretKey(Buffer.from(made.text), 'a.key').open(undefined, signal);
    const trusted = 'timestamp:1795249288\tfile:a.cab\thashed';
    const text = serializeSignature(signDigest(key, hashContent(content), { trusted }));
    writeFileSync(path('a.cab.minisig'), text);
    writeFileSync(path('a.pub'), serializePublicKey(made.publicKey));
    expect(minisign(folder, ['-V', '-p', 'a.pub', '-m', 'a.cab'])).toContain(trusted);
    expect(minisign(folder, ['-V', '-H', '-Q', '-P', formatPublicKey(made.publicKey), '-m', 'a.cab'])).toBe(
      `${trusted}\n`,
    );
    writeFileSync(path('a.cab'), 'another');
    expect(() => minisign(folder, ['-V', '-p', 'a.pub', '-m', 'a.cab'])).toThrow('failed');
  });

  test('verifies the manifest of a transfer package, taken out with tar; and what it signs is taken', async () => {
    const { folder, path } = setUp();
    const made = await createSecretKey({ password: undefined, signal });
    writeFileSync(path('a.key'), made.text);
    writeFileSync(path('a.pub'), serializePublicKey(made.publicKey));
    const key = await parseSecretKey(Buffer.from(made.text), 'a.key').open(undefined, signal);
    const outside = await openSite('outside');
    await feed(outside, [makeUpdate(1)]);
    await exportFrom(outside, path('carry.tar'), { signers: [key] });
    const signed = ['manifest.json', 'manifest.json.minisig'];
    const { status } = spawnSync('tar', ['-xf', 'carry.tar', ...signed], { cwd: folder });
    expect(status).toBe(0);
    expect(minisign(folder, ['-V', '-p', 'a.pub', '-m', 'manifest.json'])).toContain(
      'package 1 for isolated',
    );

    const { manifest, bodies } = await readOne(readFileSync(path('carry.tar')));
    const manifestBytes = readFileSync(path('manifest.json'));
    const trust = { keys: [{ name: 'outside', publicKey: made.publicKey }], threshold: 1 };
    for (const kind of ['-H', '-l']) {
      minisign(folder, ['-S', kind, '-W', '-s', 'a.key', '-m', 'manifest.json', '-t', `kind ${kind}`]);
      const signatures = [readFileSync(path('manifest.json.minisig'))];
      const built = { manifest, manifestBytes, digest: '', files: bodies, signatures };
      writeFileSync(path('by-minisign.tar'), await writeOne(built, 1));
      const options = { trust, allowUnsigned: false };
      const inside = await openSite(`inside${kind}`);
      const { verdict } = await importInto(inside, [path('by-minisign.tar')], options);
      expect(verdict.signers.map(({ trustedComment }) => trustedComment)).toEqual([`kind ${kind}`]);
    }
  });

  test.each([
    ['without a password', undefined],
    ['with one', PASSWORD],
  ])('signs with our key %s, and writes the very signature that we do', async (_, password) => {
    const { folder, path, content } = setUp();
    const made = await createSecretKey({ password, signal, cost: CHEAP });
    writeFileSync(path('a.key'), made.text);
    minisign(folder, ['-S', '-s', 'a.key', '-m', 'a.cab', '-t', 'by both'], `${PASSWORD}\n`);
    const key = await parseSecretKey(Buffer.from(made.text), 'a.key').open(password, signal);
    const ours = serializeSignature(signDigest(key, hashContent(content), { trusted: 'by both' }));
    expect(readFileSync(path('a.cab.minisig'), 'utf8')).toBe(ours);
  });

  test('recreates the public key that we hand out', async () => {
    const { folder, path } = setUp();
    const made = await createSecretKey({ password: undefined, signal });
    writeFileSync(path('a.key'), made.text);
    minisign(folder, ['-R', '-s', 'a.key', '-p', 'a.pub']);
    const text = readFileSync(path('a.pub'), 'utf8');
    expect(formatPublicKey(parsePublicKey(Buffer.from(text), 'a.pub').publicKey)).toBe(
      formatPublicKey(made.publicKey),
    );
  });

  async function theirKey(password?: string): Promise<ReturnType<typeof setUp> & { key: SecretKey }> {
    const all = setUp();
    const { folder, path } = all;
    const protection = password === undefined ? ['-W'] : [];
    minisign(folder, ['-G', ...protection, '-p', 'b.pub', '-s', 'b.key'], `${password}\n${password}\n`);
    const file = parseSecretKey(readFileSync(path('b.key')), 'b.key');
    expect(file.isProtected).toBe(password !== undefined);
    const key = await file.open(password, signal);
    const { publicKey } = parsePublicKey(readFileSync(path('b.pub')), 'b.pub');
    expect(formatPublicKey(key.publicKey)).toBe(formatPublicKey(publicKey));
    return { ...all, key };
  }

  test('makes keys that we open without a password', async () => {
    await theirKey();
  });

  test('makes keys that we open with one, at its usual cost', { timeout: 180_000 }, async () => {
    await theirKey(PASSWORD);
  });

  test.each([
    ['as it does by itself', [], true],
    ['the old way', ['-l'], false],
  ])('makes signatures that we verify: %s', async (_, options, isPrehashed) => {
    const { folder, path, content, key } = await theirKey();
    minisign(folder, ['-S', ...options, '-s', 'b.key', '-m', 'a.cab']);
    const signature = parseSignature(readFileSync(path('a.cab.minisig')), 'a.cab.minisig');
    expect(signature.isPrehashed).toBe(isPrehashed);
    const message = isPrehashed ? hashContent(content) : content;
    verifySignature(signature, key.publicKey, message, { signature: 's', content: 'c' });
  });
});
