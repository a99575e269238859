import { beforeAll, describe, expect, test } from 'vitest';
import { WsusutilError } from '../../../src/errors.js';
import { TRANSFER_LIMITS } from '../../../src/formats/transfer-package/limits.js';
import {
  serializeManifest,
  type TransferEntry,
  type TransferManifest,
} from '../../../src/formats/transfer-package/manifest.js';
import { parseManifest } from '../../../src/formats/transfer-package/parse-manifest.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { type BuiltPackage, buildPackage, sealManifest } from './transfer-builder.js';

let built: BuiltPackage;
let manifest: TransferManifest;
let cutPackage: BuiltPackage;

beforeAll(async () => {
  built = await buildPackage();
  manifest = built.manifest;
  cutPackage = await buildPackage({ sizes: [60_000, 10], volumeSize: 30_000 });
});

const refusal = (bytes: Buffer, limits = TRANSFER_LIMITS): WsusutilError => {
  try {
    parseManifest(bytes, limits);
  } catch (error) {
    if (error instanceof WsusutilError) return error;
    throw error;
  }
  throw new Error('it was read');
};
const sealed = (changes: Partial<TransferManifest>) =>
  serializeManifest(sealManifest({ ...manifest, ...changes }));
/** With its text changed: what stands in it is no longer what it sums up, but that is looked at last. */
const edited = (from: string | RegExp, to: string) =>
  Buffer.from(built.manifestBytes.toString().replace(from, to));
const withEntry = (changes: Partial<TransferEntry>, index = -1) =>
  sealed({
    entries: manifest.entries.map((entry) =>
      entry === manifest.entries.at(index) ? { ...entry, ...changes } : entry,
    ),
  });

test('the bytes of a manifest are as the format says', async () => {
  const text = built.manifestBytes.toString();
  expect(text.split('\n').slice(0, 12)).toEqual([
    '{"format":"wsusutil-transfer",',
    '"formatVersion":1,',
    '"criticalKinds":[],',
    '"serverId":"0ee4a1d3-5d3f-4b6f-a0e5-2f0a3c8f2a11",',
    '"destination":"plant 7",',
    '"sequence":1,',
    '"follows":null,',
    '"followsSequence":null,',
    '"createdAt":"2026-11-20T12:34:56Z",',
    '"toolVersion":"0.1.0",',
    '"filters":{"product":["Windows 11"],"since":"2026-01-01"},',
    '"options":{"languages":["en","de"],"expressFiles":false,"contentPolicy":"all"},',
  ]);
  expect(text.endsWith('}\n]}\n')).toBe(true);
  expect(JSON.parse(text)).toMatchObject({ formatVersion: 1, entries: { length: 7 } });
});

test('names of paths that are unsafe somewhere are refused', () => {
  for (const path of [
    '',
    '/settings.json',
    '../settings.json',
    'metadata/../../x',
    'metadata/./x',
    'metadata//x',
    'metadata/',
    'metadata/x/y',
    'metadata\\x',
    'metadata/a:b',
    'metadata/a\u0000b',
    'metadata/a\u007fb',
    'metadata/a\nb',
    'metadata/a\u202eb',
    'metadata/a.',
    'metadata/a ',
    'metadata/ a',
    'metadata/CON',
    'metadata/nul.txt',
    'metadata/Com1.gz',
    'metadata/COM¹',
    'metadata/lpt9 .x',
    'metadata/conin$',
    'metadata/a*',
    'metadata/a?',
    'metadata/a|b',
    'metadata/a<b',
    `metadata/${'a'.repeat(192)}`,
    'metadata/a\u0308',
    'manifest.json',
    'manifest.json.minisig',
    'volume.json',
    'Settings.json',
    'other.json',
    'other/x',
    'wsuscontent/AA/x',
    `WsusContent/AA/${'B'.repeat(40)}.cab`,
    `WsusContent/BB/${'B'.repeat(39)}.cab`,
    `WsusContent/bb/${'b'.repeat(40)}.cab`,
    `WsusContent/BB/${'B'.repeat(40)}.CAB`,
    `WsusContent/BB/${'B'.repeat(40)}.cab.exe`,
    `WsusContent/BB/${'B'.repeat(40)}.cab/x`,
    'C:/x',
    '~/x',
  ]) {
    expect([path, refusal(withEntry({ path, kind: 'metadata' }, 0)).code]).toEqual([
      path,
      'TRANSFER_MALFORMED',
    ]);
  }
});

test('a name in a message can do nothing to a terminal', () => {
  const { message } = refusal(withEntry({ path: 'metadata/\u001b[2J\u202e\u009bx' }, 0));
  expect(message).not.toMatch(/[\p{C}]/u);
});

test('two names that are one file on some system are refused, twice the same name too', () => {
  const [first] = manifest.entries as [TransferEntry];
  for (const [one, other] of [
    ['metadata/a.gz', 'metadata/a.gz'],
    ['metadata/a.gz', 'metadata/A.GZ'],
    ['metadata/straße', 'metadata/STRASSE'],
    ['metadata/ä', 'metadata/Ä'],
    ['metadata/k', 'metadata/\u212a'.normalize('NFC')],
    ['metadata/σ', 'metadata/ς'],
  ] as const) {
    const entries = [one, other].map((path) => ({ ...first, path }));
    expect([other, refusal(sealed({ entries })).code]).toEqual([other, 'TRANSFER_MALFORMED']);
  }
});

test('a name that a part of another file takes is refused', () => {
  const whole = cutPackage.manifest.entries.find(({ parts }) => parts !== undefined) as TransferEntry;
  const path = 'metadata/x';
  const entries: TransferEntry[] = [
    {
      path,
      kind: 'metadata',
      size: whole.size,
      sha256: whole.sha256,
      volume: whole.volume,
      parts: whole.parts ?? [],
    },
    { path: 'metadata/X.PART-0002', kind: 'metadata', size: 1, sha256: whole.sha256, volume: 1 },
  ];
  const bytes = serializeManifest(sealManifest({ ...cutPackage.manifest, entries }));
  expect(refusal(bytes).message).toContain('one file on some systems');
});

describe('the text', () => {
  test('written in any other way is refused: blanks, order, fields twice, more fields, escapes', () => {
    for (const [from, to] of [
      ['"sequence":1,', '"sequence": 1,'],
      ['"sequence":1,', '"sequence":1.0,'],
      ['"sequence":1,', '"sequence":1,\n"sequence":1,'],
      ['"sequence":1,', '"sequence":1,"extra":2,'],
      ['"plant 7"', '"plant\\u00207"'],
      ['"kind":"metadata","size"', '"kind":"metadata","kind":"metadata","size"'],
      ['"kind":"metadata",', '"kind":"metadata","link":"/etc",'],
      ['"kind":"metadata",', '"kind":"metadata", '],
      ['{"path":"settings', '{"__proto__":{},"path":"settings'],
      [/\]\}\n$/, ']} \n'],
      [/\]\}\n$/, ']}\n\n'],
      [/\]\}\n$/, ']}\n{}\n'],
      ['},\n{"path":"settings', '},\n\n{"path":"settings'],
      ['"entries":[\n', '"entries":[ \n'],
      ['"plant 7"', '"plant 7'],
    ] as const) {
      const code = refusal(edited(from, to)).code;
      expect([to, code]).toEqual([to, 'TRANSFER_MALFORMED']);
    }
    expect(refusal(edited('{"format"', '\ufeff{"format"')).code).toBe('NOT_A_PACKAGE');
    expect(parseManifest(edited('plant 7', 'plant \ud83d\ude00')).destination).toBe('plant \ud83d\ude00');
    const broken = Buffer.from(built.manifestBytes);
    broken[broken.indexOf('plant')] = 0xff;
    expect(refusal(broken).message).toContain('not UTF-8');
  });

  test('line endings changed on the way are recognized', () => {
    expect(refusal(edited(/\n/g, '\r\n')).code).toBe('PACKAGE_LINE_ENDINGS');
  });

  test('cut off anywhere it is refused', () => {
    for (let size = 0; size < built.manifestBytes.length; size += 7) {
      expect(['TRANSFER_INCOMPLETE', 'TRANSFER_MALFORMED', 'NOT_A_PACKAGE']).toContain(
        refusal(built.manifestBytes.subarray(0, size)).code,
      );
    }
  });

  test('mutated anywhere it is refused with an error of ours, or reads back as it is', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(random.chance(0.5) ? built.manifestBytes : cutPackage.manifestBytes);
      for (let changes = random.integer(1, 3); changes > 0; changes--) {
        const start = random.below(bytes.length);
        if (random.chance(0.5))
          bytes.write(random.pick(['0', '9', '"', ',', '[', '{', '-', 'A', 'null']), start);
        else bytes.copyWithin(start, random.below(bytes.length), random.below(bytes.length));
      }
      try {
        expect(serializeManifest(parseManifest(bytes)).equals(bytes)).toBe(true);
      } catch (error) {
        if (!(error instanceof WsusutilError)) throw error;
      }
    }
  });

  test('of a later version is refused as such, whatever it looks like', () => {
    const error = refusal(Buffer.from('{"format":"wsusutil-transfer",\n"formatVersion":2,\nnew things\r\n'));
    expect(error.code).toBe('TRANSFER_UNSUPPORTED');
    expect(error.message).toContain('format version 2');
    expect(refusal(Buffer.from('{"name":"x"}\n')).code).toBe('NOT_A_PACKAGE');
  });
});

describe('fields', () => {
  test('of another type or range are refused', () => {
    for (const [from, to] of [
      ['"sequence":1', '"sequence":0'],
      ['"sequence":1', '"sequence":-1'],
      ['"sequence":1', '"sequence":9007199254740993'],
      ['"sequence":1', '"sequence":"1"'],
      ['"sequence":1', '"sequence":null'],
      ['"serverId":"0ee', '"serverId":"0EE'],
      ['"plant 7"', '""'],
      ['"plant 7"', '"a\\u001bb"'],
      ['"plant 7"', '"a\u202eb"'],
      ['2026-11-20T12', '2026-11-31T12'],
      ['2026-11-20T12', '2026-11-20T25'],
      ['12:34:56Z', '12:34:56.000Z'],
      ['"criticalKinds":[]', '"criticalKinds":{}'],
      ['"criticalKinds":[]', '"criticalKinds":["A"]'],
      ['"expressFiles":false', '"expressFiles":0'],
      ['"languages":["en","de"]', '"languages":"en"'],
      ['"filters":{', '"filters":{"__proto__":"x",'],
      ['"filters":{', '"filters":{"since2":-1,'],
      ['"nextKey":null', '"nextKey":"RWQ"'],
      ['"nextKey":null', `"nextKey":"${Buffer.alloc(42).toString('base64')}"`],
      ['"number":1,', '"number":2,'],
      ['"follows":null,', `"follows":"${'a'.repeat(64)}",`],
    ] as const) {
      expect([to, refusal(edited(from, to)).code]).toEqual([to, 'TRANSFER_MALFORMED']);
    }
  });

  test('that belong together must agree', () => {
    const digest = 'A'.repeat(64);
    expect(refusal(sealed({ follows: digest })).code).toBe('TRANSFER_MALFORMED');
    expect(refusal(sealed({ followsSequence: 1, sequence: 2 })).code).toBe('TRANSFER_MALFORMED');
    expect(refusal(sealed({ follows: digest, followsSequence: 2, sequence: 2 })).code).toBe(
      'TRANSFER_MALFORMED',
    );
    expect(parseManifest(sealed({ follows: digest, followsSequence: 1, sequence: 2 })).sequence).toBe(2);
    const nextKey = Buffer.concat([Buffer.from('Ed'), Buffer.alloc(40, 7)]).toString('base64');
    expect(parseManifest(sealed({ nextKey })).nextKey).toBe(nextKey);
  });

  test('of entries must fit their kind, their name and the volumes', () => {
    expect(refusal(withEntry({ kind: 'metadata' })).message).toContain('says of WsusContent/');
    expect(refusal(withEntry({ kind: 'content' }, 0)).code).toBe('TRANSFER_MALFORMED');
    expect(refusal(withEntry({ sha1: 'A'.repeat(40) })).message).toContain('another SHA-1 than its name');
    expect(refusal(withEntry({ sha1: 'A'.repeat(40) }, 0)).message).toContain('which only content has');
    expect(refusal(withEntry({ sha256: 'a'.repeat(64) }, 0)).code).toBe('TRANSFER_MALFORMED');
    const { volumes } = manifest;
    const [first] = manifest.entries as [TransferEntry];
    const beyond = serializeManifest({ ...manifest, volumes, entries: [{ ...first, volume: 2 }] });
    expect(refusal(beyond).message).toContain('volume 2 of 1');
    expect(refusal(serializeManifest({ ...manifest, entries: [] })).code).toBe('TRANSFER_MALFORMED');
  });

  test('that are sums must be those of the entries', () => {
    const { counts, volumes } = manifest;
    for (const name of ['metadataSize', 'licences', 'licenceSize', 'contentFiles', 'contentSize'] as const) {
      const bytes = serializeManifest({ ...manifest, counts: { ...counts, [name]: counts[name] + 1 } });
      expect([name, refusal(bytes).code]).toEqual([name, 'TRANSFER_MISMATCH']);
    }
    const [volume] = volumes as [(typeof volumes)[number]];
    const larger = serializeManifest({ ...manifest, volumes: [{ ...volume, size: volume.size + 512 }] });
    expect(refusal(larger).code).toBe('TRANSFER_MISMATCH');
    const empty = { number: 2, size: 3072 };
    expect(refusal(serializeManifest({ ...manifest, volumes: [volume, empty] })).code).not.toBe('USAGE');
  });

  test('of parts must add up, in volumes that follow one another', () => {
    const { entries, volumes } = cutPackage.manifest;
    const index = entries.findIndex(({ parts }) => parts !== undefined);
    const entry = entries[index] as TransferEntry;
    const parts = entry.parts as NonNullable<TransferEntry['parts']>;
    expect(parts.length).toBeGreaterThan(2);
    const changed = (changes: Partial<TransferEntry>) =>
      refusal(
        serializeManifest({
          ...cutPackage.manifest,
          volumes,
          entries: entries.map((each) => (each === entry ? { ...each, ...changes } : each)),
        }),
      ).code;
    expect(changed({ size: entry.size - 1 })).toBe('TRANSFER_MISMATCH');
    expect(changed({ parts: [...parts].reverse() })).toBe('TRANSFER_MALFORMED');
    expect(changed({ parts: parts.slice(0, 1) })).toBe('TRANSFER_MALFORMED');
    expect(changed({ parts: [] })).toBe('TRANSFER_MALFORMED');
    expect(changed({ parts: parts.map((each) => ({ ...each, volume: parts[0]?.volume ?? 1 })) })).toBe(
      'TRANSFER_MALFORMED',
    );
    expect(changed({ volume: entry.volume + 1 })).toBe('TRANSFER_MALFORMED');
  });

  test('beyond a limit are refused', () => {
    expect(refusal(built.manifestBytes, { ...TRANSFER_LIMITS, entries: 6 }).code).toBe('LIMIT_EXCEEDED');
    expect(refusal(built.manifestBytes, { ...TRANSFER_LIMITS, manifestSize: 100 }).code).toBe(
      'LIMIT_EXCEEDED',
    );
    expect(refusal(cutPackage.manifestBytes, { ...TRANSFER_LIMITS, volumes: 1 }).code).toBe('LIMIT_EXCEEDED');
    expect(refusal(edited('"languages":["en"', `"languages":["${'x'.repeat(1001)}"`)).code).toBe(
      'TRANSFER_MALFORMED',
    );
  });
});
