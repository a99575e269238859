/** What a file is, told from its first bytes: the packages we read, and what people mistake for one. */

export type Identified =
  | { readonly kind: 'cabinet' }
  | { readonly kind: 'gzip' }
  | { readonly kind: 'empty' }
  /** `metadata.txt` by itself */
  | { readonly kind: 'metadata' }
  /** XML text, not compressed; `root` is the local name of its first element, if it is near */
  | { readonly kind: 'xml'; readonly root: string | undefined }
  | { readonly kind: 'html'; readonly title: string | undefined }
  /** something else with a name, e.g. `a ZIP archive`; or plain text or bytes that say nothing */
  | { readonly kind: 'other'; readonly description: string };

/** bytes that {@link identify} looks at */
export const IDENTIFY_SIZE = 4096;
const TAR_MAGIC_OFFSET = 257;

const MAGICS: readonly (readonly [hex: string, description: string])[] = [
  ['504b0304', 'a ZIP archive'],
  ['504b0506', 'an empty ZIP archive'],
  ['377abcaf271c', 'a 7-Zip archive'],
  ['526172211a07', 'a RAR archive'],
  ['4d5a', 'a Windows program (EXE or DLL)'],
  ['d0cf11e0a1b11ae1', 'an OLE compound file such as MSI'],
  ['4d53574d494d', 'a Windows image (WIM)'],
  ['49536328', 'an InstallShield cabinet'],
  ['fd377a585a00', 'an XZ file'],
  ['425a68', 'a bzip2 file'],
  ['28b52ffd', 'a Zstandard file'],
  ['04224d18', 'an LZ4 file'],
  ['53514c69746520666f726d6174203300', 'an SQLite database'],
  ['54415045', 'a Windows backup (for example of an SQL database)'],
  ['25504446', 'a PDF document'],
  ['89504e47', 'a PNG picture'],
  ['7f454c46', 'a Linux program'],
  ['213c617263683e', 'an ar archive'],
];

/** @param bytes the first {@link IDENTIFY_SIZE} bytes, fewer only if the file is shorter */
export function identify(bytes: Uint8Array): Identified {
  if (bytes.length === 0) return { kind: 'empty' };
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, IDENTIFY_SIZE));
  if (head.toString('latin1', 0, 4) === 'MSCF') return { kind: 'cabinet' };
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'gzip' };
  if (head.toString('latin1', TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5) === 'ustar') {
    return { kind: 'other', description: 'a tar archive' };
  }
  const hex = head.toString('hex', 0, 16);
  const magic = MAGICS.find(([each]) => hex.startsWith(each));
  if (magic !== undefined) return { kind: 'other', description: magic[1] };
  if (head.every((byte) => byte === 0)) {
    return {
      kind: 'other',
      description: 'nothing but zero bytes, as a copy that was never finished leaves behind',
    };
  }
  return identifyText(head);
}

function identifyText(head: Buffer): Identified {
  const isUtf16 =
    (head[0] === 0xff && head[1] === 0xfe) ||
    (head.length > 3 && head[1] === 0 && head[3] === 0 && head[0] !== 0);
  const text = (isUtf16 ? head.toString('utf16le', 0, head.length & ~1) : head.toString('utf8')).replace(
    /^\ufeff?\s*/,
    '',
  );
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12},/i.test(text)) return { kind: 'metadata' };
  if (/^(?:<!doctype\s+html|<html|<head|<body|<script)\b/i.test(skipXmlProlog(text))) {
    const title = /<title[^>]*>([^<]{1,200})/i.exec(text)?.[1]?.replaceAll(/\s+/g, ' ').trim();
    return { kind: 'html', title: title === '' ? undefined : title };
  }
  if (/^<[?!A-Za-z_]/.test(text)) {
    const root = /^<(?:[\w.-]+:)?([\w.-]+)/.exec(skipXmlProlog(text))?.[1];
    return { kind: 'xml', root };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they tell text from anything else
  if (/^[^\x00-\x08\x0e-\x1f\ufffd]*$/.test(text.slice(0, 500))) {
    return { kind: 'other', description: `plain text that begins ${JSON.stringify(text.slice(0, 60))}` };
  }
  return { kind: 'other', description: `bytes of an unknown kind, beginning ${head.toString('hex', 0, 16)}` };
}

/** The text behind declaration, processing instructions and comments. */
function skipXmlProlog(text: string): string {
  let rest = text;
  for (;;) {
    const match = /^(?:<\?[^>]*\?>|<!--[\s\S]*?-->)\s*/.exec(rest);
    if (match === null) return rest;
    rest = rest.slice(match[0].length);
  }
}
