import { isAscii, isUtf8 } from 'node:buffer';
import { WsusutilError } from '../../errors.js';
import { formatIdentity, type UpdateIdentity } from '../../model/update-identity.js';
import { bufferOf } from '../bytes.js';
import { RECORD_HEAD_SIZE } from './record-head.js';
import { utf16Length } from './utf8.js';

/** An update's document as the store holds it: UTF-8, no declaration, no byte order mark. */
export interface PackageRecord {
  readonly identity: UpdateIdentity;
  readonly document: Uint8Array;
}

const TERMINATOR_SIZE = 2; // CR LF

/** Exact bytes a document of `documentSize` bytes takes in `metadata.txt`, head and line end included. */
export function recordSize(documentSize: number): number {
  return RECORD_HEAD_SIZE + documentSize + TERMINATOR_SIZE;
}

/**
 * Records → the bytes of `metadata.txt` that hold them: `<guid>,<revision>,<length>,<document>CR LF`, revision and
 * length (UTF-16 code units) as 8 lower-case hex digits (package-formats 1.2).
 *
 * @throws WsusutilError `UPDATE_MALFORMED` if a document is not UTF-8 or holds a NUL
 */
export function serializeRecords(records: readonly PackageRecord[]): Buffer {
  let size = 0;
  for (const { document } of records) size += recordSize(document.length);
  const bytes = Buffer.allocUnsafe(size);
  let position = 0;
  for (const { identity, document } of records) {
    checkDocument(identity, document);
    const revision = hex(identity.revisionNumber);
    position += bytes.write(
      `${identity.updateId},${revision},${hex(utf16Length(document))},`,
      position,
      'latin1',
    );
    bytes.set(document, position);
    position += document.length;
    bytes[position++] = 0x0d;
    bytes[position++] = 0x0a;
  }
  return bytes;
}

/** @throws WsusutilError `UPDATE_MALFORMED` if `document` could not be read back from a package */
export function checkDocument(identity: UpdateIdentity, document: Uint8Array): void {
  const isText = (isAscii(document) || isUtf8(document)) && !bufferOf(document).includes(0);
  if (isText) return;
  throw new WsusutilError(
    'UPDATE_MALFORMED',
    `The document of ${formatIdentity(identity)} is not UTF-8 text and cannot be exported`,
    { hint: 'The store is damaged: restore it from a backup, or import or synchronise the update again.' },
  );
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0');
}
