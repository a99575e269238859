/**
 * From a JSON value to a setting's typed one. Each function throws a plain Error whose message completes a sentence
 * that begins with the key: "proxyPort must be …".
 */
import { isIPv6 } from 'node:net';
import { isAbsolute } from 'node:path';
import { DEFAULT_LANGUAGES } from '../model/language.js';
import { nearestName } from '../model/nearest-name.js';
import { parseUpdateId, type UpdateId } from '../model/update-identity.js';

const MAX_PATH_LENGTH = 32_767; // the longest path Windows knows
/** What `SslProxyName` of the WSUS SDK takes (cli-surface 7). */
const MAX_HOST_LENGTH = 256;
/** User names, domains, passwords; Windows takes at most 256. */
const MAX_TEXT_LENGTH = 256;
const MAX_URL_LENGTH = 2048;
/** A company of Microsoft's has some hundred products; a list may name each of them. */
const MAX_IDS = 10_000;
const MAX_LANGUAGES = 200;
const ALL_LANGUAGES = 'all';
/** bytes per second; slower than this a request would run into its time-outs */
const MIN_RATE = 1024;
const MAX_RATE = 1_000_000_000_000;

export function absolutePath(value: unknown): string {
  const text = textOf(value);
  if (!isAbsolute(text)) throw new Error(`must be an absolute path, got ${JSON.stringify(text)}`);
  if (text.length > MAX_PATH_LENGTH || text.includes('\0')) throw new Error('must be a path');
  return text;
}

export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error(`must be true or false, got ${JSON.stringify(value)}`);
  return value;
}

export function choice<const T extends string>(...choices: readonly T[]): (value: unknown) => T {
  return (value) => {
    const found = choices.find((each) => each === value);
    if (found === undefined) {
      throw new Error(`must be one of ${choices.join(', ')}; got ${JSON.stringify(value)}`);
    }
    return found;
  };
}

export function portNumber(value: unknown): number {
  return wholeNumber(value, 1, 65_535);
}

/** Bytes per second. */
export function rate(value: unknown): number {
  return wholeNumber(value, MIN_RATE, MAX_RATE);
}

/** A name or an address of a machine, IPv6 without brackets; neither scheme nor port. */
export function hostName(value: unknown): string {
  const text = textOf(value);
  if (text.includes('@'))
    throw new Error('must be the name or address of a machine, without user and password');
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (isIPv6(bare)) return bare;
  const isName =
    text.length <= MAX_HOST_LENGTH &&
    /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.-]*[\p{L}\p{M}\p{N}_.])?$/u.test(text) &&
    URL.canParse(`http://${text}/`);
  if (!isName) {
    throw new Error(
      `must be the name or address of a machine, without http:// and port; got ${JSON.stringify(text.slice(0, MAX_HOST_LENGTH))}`,
    );
  }
  return text;
}

/** The name this server gives an upstream (server-sync-protocol 3.2: only characters of a host name). */
export function accountName(value: unknown): string {
  const text = textOf(value);
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/.test(text)) {
    throw new Error(`must be a host name: letters, digits, dots and hyphens; got ${JSON.stringify(text)}`);
  }
  return text;
}

/** `http:` or `https:`, without user, password, query and fragment. */
export function webAddress(value: unknown): string {
  const text = textOf(value);
  const url = text.length <= MAX_URL_LENGTH && URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.username !== '' || url.password !== '')) {
    throw new Error('must not hold a user name or a password');
  }
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new Error('must be an address that begins with http:// or https://, without ? and #');
  }
  return text;
}

export function shortText(value: unknown): string {
  const text = textOf(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (text === '' || text.length > MAX_TEXT_LENGTH || /[\u0000-\u001f\u007f]/.test(text)) {
    throw new Error(`must be one line of at most ${MAX_TEXT_LENGTH} characters`);
  }
  return text;
}

/** As {@link shortText}; what is wrong is said without the text itself. */
export function secretText(value: unknown): string {
  if (typeof value !== 'string') throw new Error('must be a text');
  return shortText(value);
}

/** Ids in lower case, each once, in the order given. */
export function updateIds(value: unknown): readonly UpdateId[] {
  const ids = listOf(value, MAX_IDS).map((entry) => {
    const id = typeof entry === 'string' ? parseUpdateId(entry) : undefined;
    if (id === undefined) throw new Error(`must be a list of ids, got ${JSON.stringify(entry)} in it`);
    return id;
  });
  return [...new Set(ids)];
}

/** `all`, or short names (`de`, `pt-br`) in lower case, each once. */
export function languageNames(value: unknown): 'all' | readonly string[] {
  if (value === ALL_LANGUAGES) return value;
  if (!Array.isArray(value))
    throw new Error(`must be "all" or a list of languages, got ${JSON.stringify(value)}`);
  const names = listOf(value, MAX_LANGUAGES).map((entry) => {
    const name = typeof entry === 'string' ? entry.trim().toLowerCase() : '';
    if (!/^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$/.test(name) || name === ALL_LANGUAGES) {
      const known = DEFAULT_LANGUAGES.find(({ longName }) => longName.toLowerCase() === name);
      const near =
        known?.shortName ??
        nearestName(
          name,
          DEFAULT_LANGUAGES.map(({ shortName }) => shortName),
        );
      const advice = near === undefined || near === ALL_LANGUAGES ? '' : `; did you mean "${near}"?`;
      throw new Error(`must be short names as de or pt-br, got ${JSON.stringify(entry)}${advice}`);
    }
    return name;
  });
  if (names.length === 0) throw new Error('must name at least one language, or be "all"');
  return [...new Set(names)];
}

/** `HH:MM-HH:MM`, local time; it may pass midnight. */
export function timeWindow(value: unknown): string {
  const text = textOf(value);
  const [from = '', to = '', more] = text.split('-');
  if (more !== undefined || !isTimeOfDay(from) || !isTimeOfDay(to)) {
    throw new Error(`must be two times of day, as 22:00-06:00; got ${JSON.stringify(text)}`);
  }
  if (from === to) throw new Error(`must not begin and end at the same time, got ${JSON.stringify(text)}`);
  return text;
}

/** `HH:MM`, 00:00 to 23:59. */
export function timeOfDay(value: unknown): string {
  if (typeof value !== 'string' || !isTimeOfDay(value)) {
    throw new Error(`must be a time of day as 03:00, got ${JSON.stringify(value)}`);
  }
  return value;
}

export function wholeNumber(value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new Error(`must be a whole number from ${least} to ${most}, got ${JSON.stringify(value)}`);
  }
  return value;
}

function isTimeOfDay(text: string): boolean {
  return /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(text);
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`must be a text, got ${JSON.stringify(value)}`);
  return value;
}

function listOf(value: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`must be a list, got ${JSON.stringify(value)}`);
  if (value.length > most) throw new Error(`has ${value.length} entries, at most ${most} are expected`);
  return value;
}
