/** An update document as `GetUpdateData` carries it (server-sync-protocol 6.2; package-formats 4.1). */
import { isUtf8 } from 'node:buffer';
import { WsusutilError } from '../../errors.js';
import { readBlobCabinet } from '../cab/read-blob-cabinet.js';
import { extractCabinet } from '../cab/read-cabinet.js';
import { MAX_UPDATE_DOCUMENT_SIZE } from '../update-xml/limits.js';
import { utf16LeToUtf8 } from '../update-xml/utf16.js';

/**
 * - `plain`: `XmlUpdateBlob`, the document as text
 * - `cabinet`: `XmlUpdateBlobCompressed`, a cabinet with the document in UTF-16LE
 */
export type UpdateBlob =
  | { readonly form: 'plain'; readonly text: string }
  | { readonly form: 'cabinet'; readonly bytes: Uint8Array };

/**
 * The document in UTF-8, without byte order mark and otherwise exactly as the upstream has it: what the store
 * keeps and `parseUpdateDocument` reads.
 *
 * @throws WsusutilError the codes of `extractCabinet`; `UPDATE_MALFORMED` for a cabinet that does not hold exactly
 *   one document or text that is neither UTF-16LE nor UTF-8; `LIMIT_EXCEEDED` above 32 MiB
 */
export function decodeUpdateBlob(blob: UpdateBlob): Uint8Array {
  const document = blob.form === 'plain' ? encodeText(blob.text) : decodeText(extractDocument(blob.bytes));
  if (document.length > MAX_UPDATE_DOCUMENT_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `update document: ${document.length} bytes, at most ${MAX_UPDATE_DOCUMENT_SIZE} are read`,
      { hint: 'No real update comes near this limit: check the address of the upstream.' },
    );
  }
  return document;
}

function encodeText(text: string): Uint8Array {
  return Buffer.from(text.startsWith('\ufeff') ? text.slice(1) : text, 'utf8');
}

function extractDocument(cabinet: Uint8Array): Uint8Array {
  const usual = readBlobCabinet(cabinet);
  if (usual !== undefined) return usual;
  // Real ones hold one member called `blob`; the name of the only member does not matter.
  const members = extractCabinet(cabinet, {
    maxOutputSize: 2 * MAX_UPDATE_DOCUMENT_SIZE + 2,
    reuseMemory: true,
  });
  const [member] = members;
  if (member === undefined || members.length > 1) {
    throw malformed(`its cabinet holds ${members.length} files, expected 1`);
  }
  return member.data;
}

/** @returns in memory of its own */
function decodeText(bytes: Uint8Array): Uint8Array {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return utf16LeToUtf8(bytes.subarray(2));
  if (first === 0xef && second === 0xbb && third === 0xbf) return checkUtf8(bytes.subarray(3));
  // A document begins with "<" or white space, so its second byte tells.
  return second === 0 ? utf16LeToUtf8(bytes) : checkUtf8(bytes);
}

function checkUtf8(bytes: Uint8Array): Uint8Array {
  if (!isUtf8(bytes)) throw malformed('it is neither UTF-16LE nor UTF-8');
  return bytes.slice();
}

function malformed(problem: string): WsusutilError {
  return new WsusutilError('UPDATE_MALFORMED', `update document from the upstream: ${problem}`, {
    hint: 'The upstream holds it damaged or something on the way changed it; the next run asks for it again.',
  });
}
