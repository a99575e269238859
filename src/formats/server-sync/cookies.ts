/** The two opaque tokens (server-sync-protocol 3.2, 3.3). Secrets of low value, but secrets: never shown. */
import { parentElement, textElement } from '../soap/envelope.js';
import {
  base64TextOf,
  childOf,
  optionalText,
  requiredText,
  type SoapElement,
  unexpected,
} from '../soap/soap-element.js';

/** From `GetAuthorizationCookie`; good for `GetCookie`. */
export interface AuthorizationCookie {
  /** `DssTargeting` */
  readonly plugInId: string;
  /** Base64, opaque; '' if the server sent none */
  readonly cookieData: string;
}

/** From `GetCookie`; goes with every further call. */
export interface Cookie {
  /** `xs:dateTime` exactly as sent: up to seven fraction digits, which a Date would lose, are to be sent back */
  readonly expiration: string;
  /** Base64, opaque; '' if the server sent none */
  readonly encryptedData: string;
}

export function writeAuthorizationCookie({ plugInId, cookieData }: AuthorizationCookie): string {
  return parentElement(
    'AuthorizationCookie',
    textElement('PlugInId', plugInId) + textElement('CookieData', cookieData),
  );
}

/** @param name `cookie` in all calls but `GetCookie`, where it is `oldCookie` */
export function writeCookie(
  { expiration, encryptedData }: Cookie,
  name: 'cookie' | 'oldCookie' = 'cookie',
): string {
  return parentElement(
    name,
    textElement('Expiration', expiration) + textElement('EncryptedData', encryptedData),
  );
}

export function authorizationCookieOf(result: SoapElement): AuthorizationCookie {
  const data = childOf(result, 'CookieData');
  // The two services spell the name differently (3.1, 3.2); a stack that uses one spelling for both is understood.
  const plugInId = optionalText(result, 'PlugInId') ?? requiredText(result, 'PlugInID');
  return { plugInId, cookieData: data === undefined ? '' : base64TextOf(data) };
}

export function cookieOf(result: SoapElement): Cookie {
  const data = childOf(result, 'EncryptedData');
  const expiration = requiredText(result, 'Expiration').trim();
  if (instantOf(expiration) === undefined) throw unexpected('the cookie does not say when it expires');
  return { expiration, encryptedData: data === undefined ? '' : base64TextOf(data) };
}

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * Milliseconds since 1970 of an `xs:dateTime`; without a zone it counts as UTC (server-sync-protocol 19).
 *
 * @returns undefined if it is none
 */
export function instantOf(text: string): number | undefined {
  const match = DATE_TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const instant = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`,
  );
  return Number.isNaN(instant) ? undefined : instant;
}
