import { beforeAll, describe, expect, test } from 'vitest';
import { WsusutilError } from '../../../src/errors.js';
import { type EntryPiece, serializeManifest } from '../../../src/formats/transfer-package/manifest.js';
import { type ReadVolumeOptions, readVolume } from '../../../src/formats/transfer-package/read-volume.js';
import { BLOCK_SIZE, encodeTarHeader } from '../../../src/formats/transfer-package/tar-header.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import {
  type BuiltPackage,
  buildByHand,
  buildPackage,
  inPieces,
  joinTar,
  packWithOther,
  type RawEntry,
  readOne,
  sealManifest,
  sha,
  splitTar,
} from './transfer-builder.js';

let built: BuiltPackage;
let volume: Buffer;
let entries: RawEntry[];
const mtime = Date.parse('2026-11-20T12:34:56Z') / 1000;

beforeAll(async () => {
  built = await buildPackage({ signatures: [Buffer.from('untrusted comment: x\n')] });
  volume = built.volumes[0] as Buffer;
  entries = splitTar(volume);
});

const at = (name: string) => entries.findIndex((entry) => entry.name === name);
const bytesOf = (list: readonly RawEntry[]) => list.map(({ bytes }) => bytes);

/** The volume with `bytes` put before the entry at `index`, in place of `count` of its entries. */
const spliced = (index: number, count: number, ...bytes: Buffer[]) =>
  joinTar([...bytesOf(entries.slice(0, index)), ...bytes, ...bytesOf(entries.slice(index + count))]);

const refusal = async (bytes: Buffer, options: Partial<ReadVolumeOptions> = {}): Promise<WsusutilError> => {
  try {
    await readOne(bytes, options);
  } catch (error) {
    return error as WsusutilError;
  }
  throw new Error('it was read');
};

describe('whatever was changed', () => {
  test('any single flipped byte is refused', { timeout: 120_000 }, async () => {
    const copy = Buffer.from(volume);
    const taken: number[] = [];
    const isHeader = (position: number) =>
      entries.some(({ offset }) => position >= offset && position < offset + BLOCK_SIZE);
    for (let position = 0; position < volume.length; position++) {
      if (!isHeader(position) && position % 5 !== 0) continue; // headers whole, a fifth of the rest
      const original = copy[position] as number;
      copy[position] = original ^ (1 << (position % 8));
      await readOne(copy, { chunkSize: copy.length }).then(
        () => taken.push(position),
        (error: unknown) => {
          if (!(error instanceof WsusutilError)) throw error;
        },
      );
      copy[position] = original;
    }
    // What signs the manifest is not for this reader to judge.
    const signature = entries[1] as RawEntry;
    const signatureEnd = signature.offset + BLOCK_SIZE + 21;
    expect(taken.filter((each) => each < signature.offset + BLOCK_SIZE || each >= signatureEnd)).toEqual([]);
    expect(taken.length).toBeGreaterThan(0);
  });

  test('a volume cut off anywhere is refused as incomplete', async () => {
    for (let size = 1; size < volume.length; size++) {
      if (size % BLOCK_SIZE > 1 && size % BLOCK_SIZE < BLOCK_SIZE - 1) continue; // about the edges of blocks
      const { code } = await refusal(volume.subarray(0, size));
      expect([size, code]).toEqual([size, size < 13 ? 'NOT_A_PACKAGE' : 'TRANSFER_INCOMPLETE']);
    }
    expect((await refusal(Buffer.alloc(0))).code).toBe('PACKAGE_EMPTY');
  });

  test('a volume that goes on behind its end is refused, with zeros too', async () => {
    for (const more of [Buffer.alloc(1), Buffer.alloc(512), Buffer.alloc(10_240), Buffer.from('x')]) {
      const bytes = Buffer.concat([volume, more]);
      const { code, message } = await refusal(bytes, { size: bytes.length });
      expect(code).toBe('TRANSFER_MALFORMED');
      const count = (size: number) => size.toLocaleString('en-US');
      expect(message).toContain(
        `goes on behind its end: it is whole, and has ${count(volume.length)} bytes; ${count(more.length)} more behind it`,
      );
    }
  });

  test('mutated volumes are refused with an error of ours, or give what was packed', async () => {
    const random = seededRandom(20261121);
    for (let round = 0; round < 600; round++) {
      let bytes = Buffer.from(volume);
      for (let changes = random.integer(1, 4); changes > 0; changes--) {
        const start = random.below(bytes.length);
        const block = Math.floor(start / BLOCK_SIZE) * BLOCK_SIZE;
        const other = random.below(Math.floor(bytes.length / BLOCK_SIZE)) * BLOCK_SIZE;
        bytes = random.pick([
          () => Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + random.integer(1, 600))]),
          () => Buffer.concat([bytes.subarray(0, block), bytes.subarray(block + BLOCK_SIZE)]),
          () =>
            Buffer.concat([
              bytes.subarray(0, block),
              bytes.subarray(other, other + 1024),
              bytes.subarray(block),
            ]),
          () =>
            Buffer.concat([
              bytes.subarray(0, start),
              random.bytes(random.integer(1, 40)),
              bytes.subarray(start),
            ]),
          () => {
            bytes.copy(bytes, block, other, other + BLOCK_SIZE);
            return bytes;
          },
          () => {
            random.bytes(random.integer(1, 30)).copy(bytes, start);
            return bytes;
          },
        ])();
      }
      await readOne(bytes).then(
        ({ bodies }) => {
          for (const [name, body] of bodies) expect(body.equals(built.files.get(name) as Buffer)).toBe(true);
        },
        (error: unknown) => expect(error).toHaveProperty('name', 'WsusutilError'),
      );
    }
  });
});

describe('entries that are not those of the manifest', () => {
  test('one left out is named', async () => {
    const error = await refusal(spliced(at('settings.json'), 1));
    expect(error.code).toBe('TRANSFER_MALFORMED');
    expect(error.message).toContain('where settings.json should begin');
  });

  test('the last one left out is named', async () => {
    const error = await refusal(spliced(entries.length - 1, 1));
    expect(error.code).toBe('TRANSFER_INCOMPLETE');
    expect(error.message).toContain(entries.at(-1)?.name);
  });

  test('one that is there twice, or in another place, is named', async () => {
    const settings = entries[at('settings.json')] as RawEntry;
    const twice = await refusal(spliced(at('settings.json'), 0, settings.bytes));
    expect(twice.message).toContain('there twice');
    const moved = await refusal(
      joinTar([...bytesOf(entries.filter((each) => each !== settings)), settings.bytes]),
    );
    expect(moved.code).toBe('TRANSFER_MALFORMED');
    const behind = await refusal(spliced(entries.length, 0, settings.bytes));
    expect(behind.message).toContain(
      'holds another file, "settings.json", behind all that its manifest knows',
    );
  });

  test('files that nobody listed are refused, wherever they would be written', async () => {
    for (const name of [
      '../../etc/cron.d/x',
      '/etc/passwd',
      'WsusContent/../../x',
      'C:\\Windows\\x.dll',
      'metadata/extra.txt',
      'SETTINGS.JSON',
      'settings.json ',
      'évil',
    ]) {
      const extra = await packWithOther([
        { header: { name, mode: 0o644, mtime: new Date(mtime * 1000) }, bytes: Buffer.from('extra') },
      ]);
      for (const index of [1, 2, 3, at('settings.json'), entries.length]) {
        const error = await refusal(spliced(index, 0, extra));
        expect([name, index, error.code]).toEqual([name, index, 'TRANSFER_MALFORMED']);
      }
    }
  });

  test('links, devices, directories and pipes are refused by what they are', async () => {
    const types = {
      symlink: 'symbolic link',
      link: 'hard link',
      directory: 'directory',
      'block-device': 'block device',
      'character-device': 'character device',
      fifo: 'pipe',
      'contiguous-file': 'contiguous file',
    } as const;
    for (const [type, words] of Object.entries(types)) {
      const instead = await packWithOther([
        {
          header: {
            name: 'settings.json',
            type: type as 'symlink',
            linkname: '/etc/passwd',
            mode: 0o644,
            mtime: new Date(mtime * 1000),
          },
        },
      ]);
      const error = await refusal(spliced(at('settings.json'), 1, instead));
      expect(error.code).toBe('TRANSFER_MALFORMED');
      expect(error.message).toContain(`holds a ${words} `);
    }
  });

  test('pax headers that rename or resize, GNU long names and sparse files are refused', async () => {
    const settings = entries[at('settings.json')] as RawEntry;
    const content = settings.bytes.subarray(BLOCK_SIZE);
    const header = { name: 'settings.json', mode: 0o644, mtime: new Date(mtime * 1000), size: 3 };
    const attempts: Buffer[] = [
      await packWithOther([
        { header: { ...header, pax: { path: '../evil' } }, bytes: content.subarray(0, 3) },
      ]),
      await packWithOther([
        { header: { ...header, pax: { size: '99999999' } }, bytes: content.subarray(0, 3) },
      ]),
      await packWithOther([{ header: { ...header, pax: {} }, bytes: content.subarray(0, 3) }]),
    ];
    for (const type of ['L', 'K', 'S', 'g', 'x', 'N', 'V', 'M', 'Z']) {
      const changed = Buffer.from(encodeTarHeader({ name: 'settings.json', size: 3, mtime }));
      changed.write(type, 156, 'latin1');
      changed.write('        ', 148, 'latin1');
      const sum = changed.reduce((all, byte) => all + byte, 0);
      changed.write(`${sum.toString(8).padStart(6, '0')} `, 148, 'latin1');
      attempts.push(Buffer.concat([changed, content]));
    }
    for (const attempt of attempts) {
      for (const index of [1, at('settings.json')]) {
        expect((await refusal(spliced(index, index === 1 ? 0 : 1, attempt))).code).toBe('TRANSFER_MALFORMED');
      }
    }
  });

  test('a declared size other than that of the manifest is refused before the content is read', async () => {
    const settings = entries[at('settings.json')] as RawEntry;
    for (const size of [0, 2, 4, 8 ** 11 - 1, 9 * 1024 ** 3]) {
      const forged = Buffer.concat([
        encodeTarHeader({ name: 'settings.json', size, mtime }),
        settings.bytes.subarray(BLOCK_SIZE),
      ]);
      const error = await refusal(spliced(at('settings.json'), 1, forged));
      expect(error.code).toBe('TRANSFER_MALFORMED');
    }
  });

  test('other owners, times and modes are refused: there is one way to write a volume', async () => {
    const settings = entries[at('settings.json')] as RawEntry;
    for (const header of [
      { uid: 1000 },
      { mode: 0o755 },
      { mtime: new Date(0) },
      { uname: 'root' },
      { gname: 'wheel' },
    ]) {
      const other = await packWithOther([
        {
          header: { name: 'settings.json', mode: 0o644, mtime: new Date(mtime * 1000), ...header },
          bytes: settings.bytes.subarray(BLOCK_SIZE, BLOCK_SIZE + 3),
        },
      ]);
      const error = await refusal(spliced(at('settings.json'), 1, other));
      expect(error.message).toContain('is not the one wsusutil writes');
    }
  });
});

describe('the files every volume begins with', () => {
  test('other tar files and other files are no packages', async () => {
    const other = await packWithOther([{ header: { name: 'a/b.txt' }, bytes: Buffer.from('x') }]);
    expect((await refusal(joinTar([other]))).message).toContain('its first file is "a/b.txt"');
    for (const bytes of [Buffer.from('MSCF\0\0\0\0'), Buffer.alloc(5000), Buffer.alloc(5000, 'x')]) {
      expect((await refusal(bytes)).code).toBe('NOT_A_PACKAGE');
    }
  });

  test('a manifest that claims to be huge is refused by its header alone', async () => {
    for (const size of [512 * 1024 * 1024 + 1, 8 ** 11 - 1]) {
      const error = await refusal(encodeTarHeader({ name: 'manifest.json', size, mtime }));
      expect(error.code).toBe('LIMIT_EXCEEDED');
    }
    expect((await refusal(encodeTarHeader({ name: 'manifest.json', size: 9 * 1024 ** 3, mtime }))).code).toBe(
      'NOT_A_PACKAGE',
    );
    const before = process.memoryUsage().arrayBuffers;
    const cut = await refusal(encodeTarHeader({ name: 'manifest.json', size: 500 * 1024 * 1024, mtime }));
    expect(cut.code).toBe('TRANSFER_INCOMPLETE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  });

  test('signatures are handed on in their order; too many, too large or numbered otherwise are refused', async () => {
    const one = (name: string, size = 10) =>
      Buffer.concat([encodeTarHeader({ name, size, mtime }), Buffer.alloc(Math.ceil(size / 512) * 512)]);
    const second = spliced(2, 0, one('manifest.json.2.minisig', 512));
    expect((await readOne(second)).signatures.map(({ length }) => length)).toEqual([21, 512]);
    expect((await refusal(spliced(2, 0, one('manifest.json.3.minisig')))).code).toBe('TRANSFER_MALFORMED');
    expect((await refusal(spliced(1, 1, one('manifest.json.minisig', 16_896)))).code).toBe('LIMIT_EXCEEDED');
    const many = Array.from({ length: 16 }, (_, i) => one(`manifest.json.${i + 2}.minisig`));
    expect((await refusal(spliced(2, 0, ...many))).code).toBe('LIMIT_EXCEEDED');
  });

  test('a volume of another package is refused beside those read before', async () => {
    const other = await buildPackage({ seed: 5 });
    const error = await refusal(volume, { known: other });
    expect(error.code).toBe('TRANSFER_MISMATCH');
    expect(error.message).toContain('belongs to another package');
    expect((await readOne(volume, { known: built })).number).toBe(1);
  });

  test('volume.json of another manifest, another volume or another form is refused', async () => {
    const write = (text: string) => {
      const bytes = Buffer.alloc(Math.ceil(text.length / 512) * 512);
      bytes.write(text);
      const header = encodeTarHeader({ name: 'volume.json', size: text.length, mtime });
      return spliced(2, 1, Buffer.concat([header, bytes]));
    };
    const digest = built.digest;
    expect((await readOne(write(`{"manifest":"${digest}","volume":1}\n`))).number).toBe(1);
    expect((await refusal(write(`{"manifest":"${'A'.repeat(64)}","volume":1}\n`))).code).toBe(
      'TRANSFER_MISMATCH',
    );
    for (const text of [
      `{"manifest":"${digest}","volume":2}\n`,
      `{"manifest":"${digest}","volume":0}\n`,
      `{"manifest":"${digest}","volume":1} \n`,
      `{"manifest":"${digest}","volume":1,"only":[]}\n`,
      `{"manifest":"${digest}","volume":1,"only":[3,2]}\n`,
      `{"manifest":"${digest}","volume":1,"only":[2,2]}\n`,
      `{"manifest":"${digest}","volume":1,"only":[99]}\n`,
      `{"manifest":"${digest}","volume":1,"only":[1],"x":1}\n`,
      '{}\n',
    ]) {
      expect([text, (await refusal(write(text))).code]).toEqual([text, 'TRANSFER_MALFORMED']);
    }
  });
});

describe('reading on', () => {
  test('the body of a damaged file ends with an error, and so does the volume if nobody reads it', async () => {
    const damaged = Buffer.from(volume);
    const last = entries.at(-1) as RawEntry;
    damaged[last.offset + BLOCK_SIZE + 10] = (damaged[last.offset + BLOCK_SIZE + 10] as number) ^ 1;
    const read = async () => {
      for await (const part of readVolume(inPieces(damaged, 512), { name: 'x' })) {
        expect(part.type).not.toBe('skipped');
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'TRANSFER_MISMATCH' });
    // Caught, and gone on with: the volume is still not whole.
    const stubborn = async () => {
      for await (const part of readVolume(inPieces(damaged, 512), { name: 'x' })) {
        if (part.type !== 'entry') continue;
        try {
          for await (const chunk of part.body) expect(chunk.length).toBeGreaterThan(0);
        } catch {}
      }
    };
    await expect(stubborn()).rejects.toMatchObject({ code: 'TRANSFER_MISMATCH' });
  });

  test('with onDamage every damaged file is named and the others are read', async () => {
    const damaged = Buffer.from(volume);
    const spoil = (offset: number) => {
      damaged[offset] = (damaged[offset] as number) ^ 0x55;
    };
    const settings = entries[at('settings.json')] as RawEntry;
    const xml = entries[at('metadata/package.xml.gz')] as RawEntry;
    const last = entries.at(-1) as RawEntry;
    spoil(settings.offset + 20); // its header
    spoil(xml.offset + BLOCK_SIZE + 3); // its content
    spoil(last.offset + last.bytes.length - 1); // its padding
    const reported: EntryPiece[] = [];
    const good: string[] = [];
    const parts = readVolume(inPieces(damaged, 700), {
      name: 'x',
      onDamage: (_, piece) => reported.push(piece),
    });
    for await (const part of parts) {
      if (part.type !== 'entry') continue;
      try {
        for await (const chunk of part.body) expect(chunk.length).toBeGreaterThan(0);
        good.push(part.piece.name);
      } catch (error) {
        expect(error).toMatchObject({ code: 'TRANSFER_MISMATCH' });
      }
    }
    expect(reported.map(({ name }) => name)).toEqual(['metadata/package.xml.gz', 'settings.json', last.name]);
    expect(good).toHaveLength(built.files.size - 3);
    const unread: string[] = [];
    for await (const part of readVolume(inPieces(damaged, 700), {
      name: 'x',
      onDamage: (_, piece) => unread.push(piece.name),
    })) {
      expect(part.type).not.toBe('skipped');
    }
    expect(unread).toEqual(reported.map(({ name }) => name));
  });

  test('a reader that stops in the middle of a file is given the next one', async () => {
    const names: string[] = [];
    for await (const part of readVolume(inPieces(volume, 100), { name: 'x' })) {
      if (part.type !== 'entry') continue;
      names.push(part.piece.name);
      for await (const _ of part.body) break;
    }
    expect(names).toHaveLength(built.files.size);
  });

  test('the source is let go when the reader stops, and Ctrl-C ends reading', async () => {
    let isClosed = false;
    async function* source() {
      try {
        yield* inPieces(volume, 512);
      } finally {
        isClosed = true;
      }
    }
    for await (const part of readVolume(source(), { name: 'x' })) if (part.type === 'entry') break;
    expect(isClosed).toBe(true);
    const signal = AbortSignal.abort();
    expect((await refusal(volume, { signal })).code).toBe('INTERRUPTED');
  });

  test('a kind of a later version is skipped but checked, and refused when it is critical', async () => {
    const bytes = Buffer.from('{"approved":[]}\n');
    const files = new Map([...built.files, ['approvals.json', bytes]]);
    const manifest = sealManifest({
      ...built.manifest,
      entries: [
        ...built.manifest.entries,
        {
          path: 'approvals.json',
          kind: 'approvals',
          size: bytes.length,
          sha256: sha('sha256', bytes),
          volume: 1,
        },
      ],
    });
    const later = await buildByHand(manifest, files);
    const types: string[] = [];
    for await (const part of readVolume(inPieces(later.volumes[0] as Buffer, 4096), { name: 'x' })) {
      types.push(part.type);
    }
    expect(types.at(-1)).toBe('skipped');
    const damaged = Buffer.from(later.volumes[0] as Buffer);
    damaged.write('X', damaged.indexOf(bytes), 'latin1');
    expect((await refusal(damaged)).code).toBe('TRANSFER_MISMATCH');

    const critical = sealManifest({ ...manifest, criticalKinds: ['approvals'] });
    expect(serializeManifest(critical).length).toBeGreaterThan(100);
    const error = await refusal((await buildByHand(critical, files)).volumes[0] as Buffer);
    expect(error.code).toBe('TRANSFER_UNSUPPORTED');
  });
});
