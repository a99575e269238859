import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WsusutilError } from '../../../src/errors.js';
import { byteSourceOf } from '../../../src/formats/bytes.js';
import { extractCabinet, openCabinet, readMembers } from '../../../src/formats/cab/read-cabinet.js';
import { listSharedCabinets } from '../../helpers/shared-cabinets.js';
import { sharedData, withSharedData } from '../../helpers/shared-data.js';

/** Cabinets the manifest's reference refuses, or reads in a way this reader does not: code and words for each. */
const REFUSALS: Readonly<Record<string, readonly [code: string, message: RegExp]>> = {
  'cab/libmspack/bad_nofiles.cab': ['CAB_MALFORMED', /no files/],
  'cab/libmspack/bad_nofolders.cab': ['CAB_MALFORMED', /no folders/],
  'cab/libmspack/bad_signature.cab': ['CAB_MALFORMED', /not a cabinet/],
  'cab/libmspack/cve-2010-2800-mszip-infinite-loop.cab': ['CAB_MALFORMED', /Block 0 of folder 0 \(mszip\)/],
  'cab/libmspack/cve-2014-9556-qtm-infinite-loop.cab': ['CAB_COMPRESSION', /Quantum/],
  'cab/libmspack/cve-2014-9732-folders-segfault.cab': ['CAB_COMPRESSION', /Folder 1 .* unknown method/],
  'cab/libmspack/filename-read-violation-1.cab': ['CAB_MALFORMED', /name is empty/],
  'cab/libmspack/filename-read-violation-2.cab': ['CAB_MALFORMED', /0 blocks hold at most 0 bytes/],
  'cab/libmspack/lzx-main-tree-no-lengths.cab': ['CAB_MALFORMED', /Block 0 of folder 0 \(lzx\).*tree/],
  'cab/libmspack/mszip_lzx_qtm.cab': ['CAB_COMPRESSION', /Folder 2 .* Quantum/],
  // Junk, then two cabinets: which of them is meant is not ours to guess, so it is told where the first lies.
  'cab/libmspack/search_basic.cab': [
    'CAB_MALFORMED',
    /a cabinet of 253 bytes was found inside the file, at offset 6/,
  ],
};

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

withSharedData('the real cabinets', (folder) => {
  const cabinets = sharedData === undefined ? [] : listSharedCabinets(folder);
  const refused = cabinets.filter(({ path }) => path in REFUSALS || path.includes('/partial_'));
  const spanned = cabinets.filter(({ path, isPartOfSet }) => isPartOfSet && !path.includes('/partial_'));
  const good = cabinets.filter((each) => !refused.includes(each) && !spanned.includes(each));

  test('are all accounted for, and none the reference reads is refused without a reason', () => {
    expect(cabinets.length).toBeGreaterThanOrEqual(76);
    expect(good.filter(({ isSound, extracted }) => !isSound || extracted.length === 0)).toEqual([]);
    expect(refused.filter(({ isSound }) => isSound).map(({ path }) => path)).toEqual([
      'cab/libmspack/mszip_lzx_qtm.cab',
      'cab/libmspack/search_basic.cab',
    ]);
  });

  test.each(good)(
    '$path gives every member as the reference does, at once and streamed',
    async ({ bytes, extracted }) => {
      const expected = extracted.map((member) => `${member.bytes} ${member.sha256}`).sort();
      const members = extractCabinet(bytes);
      expect(members.map(({ data }) => `${data.length} ${sha256(data)}`).sort()).toEqual(expected);
      const printable = extracted.filter(({ name }) => !name.includes('\\x')).map(({ name }) => name);
      expect(members.map(({ member }) => member.name)).toEqual(expect.arrayContaining(printable));

      const hashes = new Map<unknown, ReturnType<typeof createHash>>();
      const streamed: string[] = [];
      for await (const { member, bytes: run, isLast } of readMembers(
        await openCabinet(byteSourceOf(bytes)),
      )) {
        const hash = hashes.get(member) ?? createHash('sha256');
        hashes.set(member, hash.update(run));
        if (isLast) streamed.push(`${member.size} ${hash.digest('hex')}`);
      }
      expect(streamed.sort()).toEqual(expected);
    },
  );

  test.each(spanned)('$path is refused as part of a set', ({ bytes }) => {
    expect(codeOf(() => extractCabinet(bytes))).toBe('CAB_SPANNED');
  });

  test.each(refused)('$path is refused for what is wrong with it', ({ path, bytes }) => {
    const [code, message] = REFUSALS[path] ?? [
      'CAB_TRUNCATED',
      /the file ends at \d+; the cabinet says \d+ bytes/,
    ];
    expect(codeOf(() => extractCabinet(bytes), message)).toBe(code);
  });

  test('of a cabinet with a Quantum folder the other folders are read', () => {
    const { bytes, extracted } = cabinets.find(({ path }) => path.endsWith('mszip_lzx_qtm.cab'))!;
    const members = extractCabinet(bytes, { wanted: ({ folderIndex }) => folderIndex < 2 });
    expect(members.map(({ member }) => member.name)).toEqual(['mszip.txt', 'lzx.txt']);
    for (const { member, data } of members) {
      expect(sha256(data)).toBe(extracted.find(({ name }) => name === member.name)?.sha256);
    }
  });

  test('of a cabinet with an unknown method the members in the other folder are read', () => {
    const { bytes } = cabinets.find(({ path }) => path.includes('cve-2014-9732'))!;
    const members = extractCabinet(bytes, { wanted: ({ folderIndex }) => folderIndex === 0 });
    expect(members.map(({ member }) => member.name)).toEqual(['1', '3']);
  });

  test('names in other code pages are read with the right encoding', () => {
    const namesIn = (file: string, nameEncoding?: string) =>
      extractCabinet(readFileSync(join(folder, 'cab', file)), { nameEncoding }).map(
        ({ member }) => member.name,
      );
    expect(namesIn('cabextract/encoding-koi8.cab', 'koi8-r')).toContain('Да.');
    expect(namesIn('cabextract/encoding-latin1.cab')).toContain('àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ');
    expect(namesIn('libarchive/test_read_format_cab_filename_cp932.cab', 'shift_jis')).toContain(
      '表だよ/漢字.txt',
    );
  });

  test('bytes after the cabinet, such as a signature, show in the sizes', async () => {
    const { bytes } = cabinets.find(({ path }) => path.endsWith('test-signed.cab'))!;
    const { header, actualSize } = await openCabinet(byteSourceOf(bytes));
    expect([header.declaredSize, actualSize]).toEqual([139, 2_179]);
  });

  test('a package that lost bytes to a conversion of line ends tells both sizes', () => {
    const { bytes } = cabinets.find(({ path }) => path.endsWith('2015-06-10-WSUS.cab'))!;
    const converted = Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
    expect(converted.length).toBeLessThan(bytes.length);
    try {
      extractCabinet(converted);
      expect.unreachable();
    } catch (error) {
      expect((error as WsusutilError).details).toMatchObject({
        declaredSize: 504_377,
        actualSize: converted.length,
      });
    }
  });

  test('take no more than 100 MB beyond what they declare', () => {
    for (const { bytes } of cabinets) {
      const before = process.memoryUsage.rss();
      codeOf(() => extractCabinet(bytes));
      expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1_048_576 + 15_000_000);
    }
  });
});

/** The code of the cabinet error thrown, whose message must match; `undefined` if none is. */
function codeOf(action: () => unknown, message = /./): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof WsusutilError)) throw error;
    expect(error.message).toMatch(message);
    return error.code;
  }
}
