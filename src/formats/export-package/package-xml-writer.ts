/** `package.xml` as the real tool writes it: UTF-8 with byte order mark, one line (package-formats 0.2a, 1.3). */
import { WsusutilError } from '../../errors.js';
import { digestToBase64 } from '../../model/digest.js';
import type { PackageEntry, PackageFile, PackageHeader } from '../../model/export-package.js';

const DECLARATION = '<?xml version="1.0" encoding="utf-8"?>';
/** What XML 1.0 has no way to carry: most control characters, halves of pairs, U+FFFE and U+FFFF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones looked for
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u;

/** The beginning of the file up to and with the language table. */
export function serializeHeader(header: PackageHeader): string {
  const languages = header.languages.map(
    (each) =>
      `<Language Id="${each.id}" ShortName="${attributeText(each.shortName)}" LongName="${attributeText(each.longName)}" Enabled="${each.enabled ? 1 : 0}" />`,
  );
  return (
    `\ufeff${DECLARATION}<ExportPackage ServerID="${attributeText(header.serverId)}"` +
    ` CreationTime="${attributeText(header.creationTime)}" FormatVersion="${attributeText(header.formatVersion)}"` +
    ` ProtocolVersion="${attributeText(header.protocolVersion)}">${list('Languages', languages)}`
  );
}

/** Rows of the top-level `Files`, without the element around them. */
export function serializeFiles(files: readonly PackageFile[]): string {
  let text = '';
  for (const { sha1, muUrl, fileName } of files) {
    text += `<File Digest="${digestToBase64(sha1)}" MUUrl="${attributeText(muUrl)}" Name="${attributeText(fileName)}" />`;
  }
  return text;
}

/** `UpdateId` and `RevisionNumber` of an entry, as attributes. */
export function identityAttributes({ identity }: PackageEntry): string {
  return `UpdateId="${identity.updateId}" RevisionNumber="${identity.revisionNumber}"`;
}

/** `Files`, `Categories` and `Classifications` of an entry. */
export function serializeReferences(entry: PackageEntry): string {
  return (
    list(
      'Files',
      entry.fileSha1s.map((sha1) => `<File Digest="${digestToBase64(sha1)}" />`),
    ) +
    list(
      'Categories',
      entry.categories.map((id) => `<Category Value="${id}" />`),
    ) +
    list(
      'Classifications',
      entry.classifications.map((id) => `<Classification Value="${id}" />`),
    )
  );
}

function serializeEntry(entry: PackageEntry): string {
  return `<Update ${identityAttributes(entry)}>${serializeReferences(entry)}</Update>`;
}

/** Exact bytes an entry takes in `package.xml`. */
export function entrySize(entry: PackageEntry): number {
  return serializeEntry(entry).length; // ids, numbers and Base64: one byte a character
}

/** Exact bytes a file takes in the top-level `Files`. */
export function fileSize(file: PackageFile): number {
  return Buffer.byteLength(serializeFiles([file]));
}

/** Bytes of everything in `package.xml` but files and updates. */
export function frameSize(header: PackageHeader): number {
  return Buffer.byteLength(`${serializeHeader(header)}<Files></Files><Updates></Updates></ExportPackage>`);
}

/**
 * All of `package.xml`, a piece per batch.
 *
 * @throws WsusutilError `UPDATE_MALFORMED` for a name or URL with a character XML cannot carry
 */
export async function* writePackageXml(
  header: PackageHeader,
  files: AsyncIterable<readonly PackageFile[]> | Iterable<readonly PackageFile[]>,
  entries: AsyncIterable<readonly PackageEntry[]> | Iterable<readonly PackageEntry[]>,
): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from(serializeHeader(header));
  yield* writeList('Files', files, serializeFiles);
  yield* writeList('Updates', entries, (batch) => batch.map(serializeEntry).join(''));
  yield Buffer.from('</ExportPackage>');
}

/** `<name>…</name>`, or `<name />` if there are no rows at all. */
export async function* writeList<T>(
  name: string,
  batches: AsyncIterable<readonly T[]> | Iterable<readonly T[]>,
  serialize: (batch: readonly T[]) => string,
): AsyncGenerator<Buffer, void, undefined> {
  let isOpen = false;
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    yield Buffer.from(`${isOpen ? '' : `<${name}>`}${serialize(batch)}`);
    isOpen = true;
  }
  yield Buffer.from(isOpen ? `</${name}>` : `<${name} />`);
}

function list(name: string, items: readonly string[]): string {
  return items.length === 0 ? `<${name} />` : `<${name}>${items.join('')}</${name}>`;
}

/** Text for an attribute in double quotes, escaped as .NET's XmlWriter does. */
function attributeText(text: string): string {
  if (!/[^ !#-%'-;=?-~]/.test(text)) return text;
  if (NOT_XML.test(text)) {
    throw new WsusutilError(
      'UPDATE_MALFORMED',
      `${JSON.stringify(text.slice(0, 100))} holds a character that XML cannot carry`,
      { hint: 'The store holds a damaged name or URL; import or synchronise its update again.' },
    );
  }
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\t', '&#x9;')
    .replaceAll('\n', '&#xA;')
    .replaceAll('\r', '&#xD;');
}
