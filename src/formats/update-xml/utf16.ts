import { WsusutilError } from '../../errors.js';
import { MAX_UPDATE_DOCUMENT_SIZE } from './limits.js';

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
  return Buffer.from(text, 'utf8');
}

function damaged(problem: string, offset: number): WsusutilError {
  return new WsusutilError('UPDATE_MALFORMED', `update document in UTF-16: ${problem}`, {
    hint: 'The document is damaged or not UTF-16: get it again from where it came.',
    details: { offset },
  });
}
