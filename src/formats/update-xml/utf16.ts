import { WsusutilError } from '../../errors.js';
import { MAX_UPDATE_DOCUMENT_SIZE } from './limits.js';

const SLAB_SIZE = 512 * 1024;
/** UTF-8 for one unit of UTF-16; pairs take four bytes for two */
const MAX_BYTES_PER_UNIT = 3;

/**
 * The UTF-8 of a document that travelled as UTF-16LE without byte order mark: what the `blob` member of a
 * compressed update holds ([MS-WSUSSS] 3.1.4.6 `XmlUpdateBlobCompressed`; package-formats 4.1).
 *
 * @throws WsusutilError `UPDATE_MALFORMED` for half a character: an odd number of bytes or a surrogate without
 *   its partner; `LIMIT_EXCEEDED` above {@link MAX_UPDATE_DOCUMENT_SIZE}
 */
export function utf16LeToUtf8(document: Uint8Array): Uint8Array {
  if (document.length > 2 * MAX_UPDATE_DOCUMENT_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `update document in UTF-16: ${document.length} bytes, at most ${2 * MAX_UPDATE_DOCUMENT_SIZE} are read`,
      { hint: 'No real update comes near this limit: check where the document came from.' },
    );
  }
  if (document.length % 2 !== 0) {
    throw damaged(`${document.length} bytes, expected an even number`, document.length - 1);
  }
  const text = Buffer.from(document.buffer, document.byteOffset, document.length).toString('utf16le');
  if (!text.isWellFormed()) {
    // With the u flag a pair is one character, so this finds only the halves of none.
    const offset = text.search(/\p{Surrogate}/u) * 2;
    throw damaged(`a surrogate without its partner at offset ${offset}`, offset);
  }
  return encode(text);
}

/** Bytes in which the documents of some calls lie one behind the other. */
let slab = Buffer.alloc(0);
let used = 0;

/**
 * Into shared memory, as a buffer of its own for each of 20,000 documents costs more than writing them; and without
 * measuring the text first. A document is looked at soon or copied, so little memory is held for its neighbours' sake.
 */
function encode(text: string): Uint8Array {
  const most = text.length * MAX_BYTES_PER_UNIT;
  if (most > SLAB_SIZE / 4) return Buffer.from(text, 'utf8');
  if (most > slab.length - used) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    used = 0;
  }
  const start = used;
  used += slab.write(text, start, 'utf8');
  return slab.subarray(start, used);
}

function damaged(problem: string, offset: number): WsusutilError {
  return new WsusutilError('UPDATE_MALFORMED', `update document in UTF-16: ${problem}`, {
    hint: 'The document is damaged or not UTF-16: get it again from where it came.',
    details: { offset },
  });
}
