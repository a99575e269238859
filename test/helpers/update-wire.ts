/** Parts of a `GetUpdateData` reply as a real server writes them (server-sync-protocol 6). */
import { digestToBase64, type Sha1Hex } from '../../src/model/digest.js';
import type { UpdateIdentity } from '../../src/model/update-identity.js';
import { buildCabinet, lzxFolder, mszipFolder } from './cabinet-builder.js';

export interface WireFile {
  readonly sha1: Sha1Hex;
  readonly muUrl: string;
}

/** A document of more bytes in UTF-16 travels as a cabinet. */
const PLAIN_LIMIT = 5_120;

export function isSentPlain(text: string): boolean {
  return text.length * 2 <= PLAIN_LIMIT;
}

/** `XmlUpdateBlob` */
export function plainBlob(text: string): string {
  return `<XmlUpdateBlob>${escaped(text)}</XmlUpdateBlob>`;
}

/** A cabinet with the document in UTF-16LE as its one file, `blob`. */
export function cabinetOf(text: string, compression: 'lzx' | 'mszip' = 'lzx'): Buffer {
  const utf16 = Buffer.from(text, 'utf16le');
  const folder =
    compression === 'lzx' ? lzxFolder(utf16, { windowBits: 21, search: 'many' }) : mszipFolder(utf16);
  return buildCabinet({ folders: [folder], members: [{ name: 'blob', size: utf16.length }] });
}

/** `XmlUpdateBlobCompressed` */
export function compressedBlob(cabinet: Buffer): string {
  return `<XmlUpdateBlobCompressed>${cabinet.toString('base64')}</XmlUpdateBlobCompressed>`;
}

/** `ServerSyncUpdateData`; the plain document stands before the digests, the compressed one behind them. */
export function updateData(
  identity: UpdateIdentity,
  blob: { readonly plain: string } | { readonly compressed: string },
  files: readonly WireFile[],
): string {
  const digests = files.map(({ sha1 }) => `<base64Binary>${digestToBase64(sha1)}</base64Binary>`);
  const digestList = digests.length === 0 ? '' : list('FileDigestList', digests);
  const [plain, compressed] = 'plain' in blob ? [blob.plain, ''] : ['', blob.compressed];
  return `<ServerSyncUpdateData><Id>${identityFields(identity)}</Id>${plain}${digestList}${compressed}</ServerSyncUpdateData>`;
}

/** `ServerSyncUrlData` */
export function urlData({ sha1, muUrl }: WireFile): string {
  return `<ServerSyncUrlData><FileDigest>${digestToBase64(sha1)}</FileDigest><MUUrl>${escaped(muUrl)}</MUUrl><UssUrl /></ServerSyncUrlData>`;
}

export function list(name: string, items: readonly string[]): string {
  return items.length === 0 ? `<${name} />` : `<${name}>${items.join('')}</${name}>`;
}

export function identityXml(identity: UpdateIdentity): string {
  return `<UpdateIdentity>${identityFields(identity)}</UpdateIdentity>`;
}

export function identityFields({ updateId, revisionNumber }: UpdateIdentity): string {
  return `<UpdateID>${updateId}</UpdateID><RevisionNumber>${revisionNumber}</RevisionNumber>`;
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#xD;');
}
