/** Says what a file is before it is read as a package, and if it is none, what happened to it. */
import { WsusutilError } from '../errors.js';
import type { CabinetDirectory } from '../formats/cab/read-cabinet.js';
import { IDENTIFY_SIZE, type Identified, identify } from '../formats/export-package/identify.js';
import { groupDigits } from '../formats/group-digits.js';
import { type PackageFormat, packageFormatOf } from '../model/export-package.js';
import type { FileSource } from '../platform/file-source.js';

/** CFHEADER up to and with `cbCabinet` ([MS-CAB] 2.1) */
const CABINET_SIZE_OFFSET = 8;
const CABINET_HEADER_SIZE = 36;
/** `cbCFHeader`, `cbCFFolder` and `cbCFData` stand before the reserve */
const RESERVE_SIZES_SIZE = 4;
/** what signtool reserves: a mark, offset and size of the signature, zeros */
const SIGNATURE_RESERVE_SIZE = 20;
const CONVERSION_HINT =
  'The damage cannot be undone: transfer the original again in binary mode (in ftp, type "binary" first; for Git, mark *.cab and *.gz as binary).';
const DOWNLOAD_HINT =
  'Download or copy the package again, in binary mode, and look at what the server really sends.';
/**
 * Random bytes hold a CR LF pair every 65,536 bytes. Below three pairs expected, their absence says nothing
 * (package-formats 0.2a).
 */
const BYTES_PER_LINE_END = 65_536;
const MIN_EXPECTED_LINE_ENDS = 3;
/** LF that all stand behind a CR: this many do not by chance. */
const MIN_CONVERTED_LINE_FEEDS = 8;

/**
 * Finds the container of a package by content, checks that the name agrees (in the real tool the extension chooses
 * the format), and refuses everything else with what it is.
 *
 * @throws WsusutilError `PACKAGE_EMPTY`, `NOT_A_PACKAGE`, `PACKAGE_TRUNCATED`, `PACKAGE_LINE_ENDINGS`
 */
export async function sniffPackage(source: FileSource): Promise<PackageFormat> {
  const found = identify(await source.read(0, IDENTIFY_SIZE));
  const expected = packageFormatOf(source.path);
  switch (found.kind) {
    case 'cabinet':
      if (expected === 'xml.gz') {
        throw notAPackage(
          `${source.path} is a cabinet, although its name says gzip`,
          'Rename it so that it ends in .cab: the extension chooses the format, and renaming converts nothing.',
        );
      }
      await checkCabinetSize(source);
      return 'cab';
    case 'gzip':
      if (expected === 'cab') {
        throw notAPackage(
          `${source.path} is a gzip file, not a cabinet`,
          'If it is a package, rename it so that it ends in .xml.gz: the extension chooses the format.',
        );
      }
      return 'xml.gz';
    default:
      throw refusal(source.path, found);
  }
}

/**
 * What stands inside a gzip file, told by its first plain bytes.
 *
 * @throws WsusutilError `NOT_A_PACKAGE` for anything but XML
 */
export function checkInflated(path: string, beginning: Uint8Array): void {
  const found = identify(beginning);
  const inside = (what: string, hint: string) =>
    notAPackage(`${path}: inside the gzip file is ${what}`, hint);
  switch (found.kind) {
    case 'xml':
      return;
    case 'cabinet':
      throw inside('a cabinet', 'Unpack it with gunzip and name the result .cab.');
    case 'metadata':
      throw inside(
        'the text of metadata.txt, without the rest of a package',
        'Give the package as the exporting server wrote it.',
      );
    case 'gzip':
      throw inside('another gzip file', 'Unpack it once with gunzip and try the result.');
    case 'empty':
      throw new WsusutilError('PACKAGE_EMPTY', `${path} is a gzip file of nothing`, {
        hint: 'The export failed; look at its log on the exporting server and export again.',
      });
    case 'html':
      throw inside(htmlPage(found.title), DOWNLOAD_HINT);
    case 'other':
      throw inside(
        found.description,
        'A package is one XML document; give the file that wsusutil export wrote.',
      );
  }
}

function refusal(path: string, found: Exclude<Identified, { kind: 'cabinet' | 'gzip' }>): WsusutilError {
  switch (found.kind) {
    case 'empty':
      return new WsusutilError('PACKAGE_EMPTY', `${path} is empty`, {
        hint: 'A server whose metadata exceeds the 2 GB a cabinet can hold writes an empty .cab: export to a name that ends in .xml.gz.',
      });
    case 'html':
      return notAPackage(
        `${path} is ${htmlPage(found.title)}: the download was not the package`,
        DOWNLOAD_HINT,
      );
    case 'metadata':
      return notAPackage(
        `${path} is the metadata.txt of a package, not the package`,
        'Give the .cab it was taken from.',
      );
    case 'xml':
      return found.root?.toLowerCase() === 'exportpackage'
        ? notAPackage(
            `${path} is the uncompressed XML of a package (root ${found.root})`,
            'If it is the content of an .xml.gz package, compress it with gzip; if it is package.xml, give the .cab it was taken from.',
          )
        : notAPackage(
            `${path} is an XML document${found.root === undefined ? '' : ` with the root <${found.root}>`}`,
            'Give a .cab or .xml.gz file that wsusutil export wrote.',
          );
    case 'other':
      return notAPackage(
        `${path} is ${found.description}`,
        'Give a .cab or .xml.gz file that wsusutil export wrote.',
      );
  }
}

/** Compares what the cabinet says of its size with the file. Bytes behind the end are allowed ({@link bytesBehind}). */
async function checkCabinetSize(source: FileSource): Promise<void> {
  const header = await source.read(0, CABINET_HEADER_SIZE);
  if (header.length < CABINET_SIZE_OFFSET + 4) {
    throw new WsusutilError(
      'PACKAGE_TRUNCATED',
      `${source.path} is a cabinet cut off inside its header: it has ${groupDigits(source.size)} bytes`,
      { hint: 'Copy or export the package again.' },
    );
  }
  const declared = new DataView(header.buffer, header.byteOffset).getUint32(CABINET_SIZE_OFFSET, true);
  if (declared === source.size) return;
  const sizes = `the cabinet says ${groupDigits(declared)} bytes, the file has ${groupDigits(source.size)}`;
  const details = { declaredSize: declared, actualSize: source.size };
  const conversion = await findConversion(source, declared);
  if (conversion !== undefined) {
    throw new WsusutilError('PACKAGE_LINE_ENDINGS', `${source.path}: ${sizes}, and ${conversion}`, {
      hint: `Line endings were converted on the way. ${CONVERSION_HINT}`,
      details,
    });
  }
  if (declared > source.size) {
    throw new WsusutilError('PACKAGE_TRUNCATED', `${source.path} is cut off: ${sizes}`, {
      hint: 'Copy or download the package again; it is not complete.',
      details,
    });
  }
}

/**
 * Bytes of the file behind the end of its cabinet. A signature by signtool stands there and is none of them: the header's
 * reserve names its place ([Authenticode], "CAB File").
 */
export async function bytesBehind(source: FileSource, { header }: CabinetDirectory): Promise<number> {
  const { declaredSize, headerReserveSize } = header;
  if (declaredSize >= source.size) return 0;
  if (headerReserveSize >= SIGNATURE_RESERVE_SIZE) {
    const reserve = await source.read(CABINET_HEADER_SIZE + RESERVE_SIZES_SIZE, SIGNATURE_RESERVE_SIZE);
    const fields = new DataView(reserve.buffer, reserve.byteOffset, reserve.length);
    const [offset, size] = [fields.getUint32(4, true), fields.getUint32(8, true)];
    if (offset === declaredSize && size > 0 && offset + size <= source.size)
      return source.size - offset - size;
  }
  return source.size - declaredSize;
}

/** What a conversion of line ends has left behind; undefined if the file does not look like one. */
async function findConversion(source: FileSource, declared: number): Promise<string | undefined> {
  const expectedPairs = declared / BYTES_PER_LINE_END;
  const missing = declared - source.size;
  if (missing > 0) {
    const isLikely = expectedPairs >= MIN_EXPECTED_LINE_ENDS && missing <= 10 + 4 * expectedPairs;
    if (!isLikely) return undefined;
    const { pairs } = await countLineEnds(source, (count) => count.pairs > 0);
    return pairs === 0 ? 'holds no CR LF pair' : undefined;
  }
  // Every LF has become CR LF: 256 times as frequent, so that a few kilobytes are enough to tell.
  const surplus = -missing;
  const { pairs, lineFeeds } = await countLineEnds(source, (count) => count.pairs < count.lineFeeds);
  const isLikely =
    pairs === lineFeeds && pairs >= MIN_CONVERTED_LINE_FEEDS && surplus <= pairs && surplus >= pairs / 2;
  return isLikely ? `each of its ${groupDigits(lineFeeds)} LF stands behind a CR` : undefined;
}

/**
 * Refuses a gzip file that cannot be inflated if a conversion of line ends looks like the reason. The size it should
 * have is not known, so the pattern alone must tell.
 *
 * @param damage what is wrong with the gzip data; `cut` has likelier reasons, so that more is asked of the pattern
 * @throws WsusutilError `PACKAGE_LINE_ENDINGS`
 */
export async function refuseConvertedGzip(
  source: FileSource,
  damage: 'damaged' | 'cut',
  cause: Error,
): Promise<void> {
  const conversion = await findGzipConversion(source, damage === 'cut' ? 2 : 1);
  if (conversion === undefined) return;
  throw new WsusutilError(
    'PACKAGE_LINE_ENDINGS',
    `${source.path}: the gzip data is ${damage === 'cut' ? 'cut off' : 'damaged'}, and ${conversion}`,
    { hint: `Line endings were probably converted on the way. ${CONVERSION_HINT}`, cause },
  );
}

async function findGzipConversion(source: FileSource, caution: number): Promise<string | undefined> {
  if (source.size >= caution * MIN_EXPECTED_LINE_ENDS * BYTES_PER_LINE_END) {
    const { pairs } = await countLineEnds(source, (count) => count.pairs > 0);
    if (pairs === 0) return 'the file holds no CR LF pair';
  }
  const { pairs, lineFeeds } = await countLineEnds(source, (count) => count.pairs < count.lineFeeds);
  return pairs === lineFeeds && pairs >= MIN_CONVERTED_LINE_FEEDS
    ? `each of its ${groupDigits(lineFeeds)} LF stands behind a CR`
    : undefined;
}

interface LineEndCount {
  readonly pairs: number;
  readonly lineFeeds: number;
}

/** @param isEnough asked after every piece whether the counts so far settle the question */
async function countLineEnds(
  source: FileSource,
  isEnough: (count: LineEndCount) => boolean,
): Promise<LineEndCount> {
  let pairs = 0;
  let lineFeeds = 0;
  let last = 0;
  for await (const chunk of source.chunks()) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
      lineFeeds++;
      if ((at === 0 ? last : bytes[at - 1]) === 0x0d) pairs++;
    }
    last = bytes[bytes.length - 1] ?? last;
    if (isEnough({ pairs, lineFeeds })) break;
  }
  return { pairs, lineFeeds };
}

function htmlPage(title: string | undefined): string {
  return title === undefined ? 'an HTML page' : `an HTML page, title ${JSON.stringify(title)}`;
}

function notAPackage(message: string, hint: string): WsusutilError {
  return new WsusutilError('NOT_A_PACKAGE', message, { hint });
}
