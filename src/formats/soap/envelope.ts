/**
 * Requests: SOAP 1.1, document/literal, one child of the body, no header (server-sync-protocol 2.1).
 * Written by template; the element order is that of the caller and matters (2.4).
 */
import { WsusutilError } from '../../errors.js';
import { groupDigits } from '../group-digits.js';
import { MAX_REQUEST_SIZE } from './limits.js';

export const SOAP_11_NAMESPACE = 'http://schemas.xmlsoap.org/soap/envelope/';
export const SOAP_12_NAMESPACE = 'http://www.w3.org/2003/05/soap-envelope';

/** What XML 1.0 has no way to carry: most control characters, halves of pairs, U+FFFE and U+FFFF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones looked for
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u;

/**
 * `text` as the content of an element: any XML reader gives back exactly the same characters.
 *
 * @throws WsusutilError `USAGE` for a character that XML cannot carry
 */
export function escapeXmlText(text: string): string {
  if (!/[^\t\n -%'-;=?-~]/.test(text)) return text;
  if (NOT_XML.test(text)) {
    throw new WsusutilError(
      'USAGE',
      `${JSON.stringify(text.slice(0, 100))} holds a character that XML cannot carry`,
      {
        hint: 'Remove control characters from the name or id.',
      },
    );
  }
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#xD;');
}

/** `<name>escaped text</name>`; nothing at all for undefined, as optional elements are left out (2.4). */
export function textElement(name: string, text: string | number | boolean | undefined): string {
  if (text === undefined) return '';
  const escaped = escapeXmlText(String(text));
  return escaped === '' ? `<${name}/>` : `<${name}>${escaped}</${name}>`;
}

/** `<name>` around children that are markup already. */
export function parentElement(name: string, children: string): string {
  return children === '' ? `<${name}/>` : `<${name}>${children}</${name}>`;
}

/** `<name>` around one child per item; nothing for undefined, `<name/>` for an empty list. */
export function listElement<T>(
  name: string,
  items: readonly T[] | undefined,
  serialize: (item: T) => string,
): string {
  return items === undefined ? '' : parentElement(name, items.map(serialize).join(''));
}

/**
 * The envelope around one operation.
 *
 * @param children of the operation's element, in the order of its schema
 * @throws WsusutilError `LIMIT_EXCEEDED` above {@link MAX_REQUEST_SIZE}
 */
export function serializeEnvelope(operation: string, namespace: string, children: string): string {
  const open = `${operation} xmlns="${namespace}"`;
  const envelope =
    `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP_11_NAMESPACE}"><soap:Body>` +
    (children === '' ? `<${open}/>` : `<${open}>${children}</${operation}>`) +
    '</soap:Body></soap:Envelope>';
  const size = Buffer.byteLength(envelope);
  if (size > MAX_REQUEST_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `the request ${operation} would have ${groupDigits(size)} bytes, at most ${groupDigits(MAX_REQUEST_SIZE)} are sent`,
      { hint: 'Choose fewer products or classifications.' },
    );
  }
  return envelope;
}
