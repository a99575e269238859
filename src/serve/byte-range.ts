/** The `Range` header of one request (RFC 9110, 14): what part of a file to send. */
export type ByteRange =
  | { readonly kind: 'whole' }
  /** last byte included */
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

const WHOLE: ByteRange = { kind: 'whole' };
const SPEC = /^bytes=[ \t]*(\d{0,16})-(\d{0,16})[ \t]*$/i;

/**
 * What is malformed, in another unit, or asks for several parts is answered with the whole file, as the RFC allows.
 *
 * @param size bytes of the file
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange {
  const match = header === undefined ? null : SPEC.exec(header);
  if (match === null) return WHOLE;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return WHOLE;
    const length = Math.min(Number(to), size);
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', first: size - length, last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return WHOLE;
  if (first >= size) return { kind: 'unsatisfiable' };
  return { kind: 'part', first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
