/**
 * `settings.json` of a data directory: one flat JSON object, strict, readable by its owner only, since it may hold a
 * proxy's password.
 *
 *     { "formatVersion": 1, "contentDirectory": "/srv/wsus", "languages": ["de", "en"] }
 *
 * A key is added by one entry in `SETTING_KEYS`: its type, its default, its check and what people are told about it
 * follow from there.
 */
import { readFile, stat } from 'node:fs/promises';
import { errorText, WsusutilError } from '../errors.js';
import { nearestName } from '../model/nearest-name.js';
import type { UpdateId } from '../model/update-identity.js';
import { writeFileAtomically } from '../platform/atomic-file.js';
import { parseHealthMonitoring } from './health-monitoring.js';
import { parseSchedule } from './schedule.js';
import {
  absolutePath,
  accountName,
  choice,
  flag,
  hostName,
  languageNames,
  portNumber,
  rate,
  secretText,
  shortText,
  timeWindow,
  updateIds,
  webAddress,
} from './setting-checks.js';

const FORMAT_VERSION = 1;
/** A settings file is some dozen lines, and an id per product. */
const MAX_SETTINGS_SIZE = 1024 * 1024;
const SETTINGS_MODE = 0o600;

/** How people write a value: one word, a path, a number, a size, on or off, several words, several `name=value`. */
export type SettingKind = 'text' | 'path' | 'number' | 'size' | 'switch' | 'list' | 'schedule' | 'object';

/** Titles of what belongs together, in the order people are shown it. */
export const SETTING_SECTIONS = [
  'Update source',
  'Proxy',
  'What to synchronise',
  'Schedule and downloads',
  'Certificates',
  'Set by other commands',
] as const;
export type SettingSection = (typeof SETTING_SECTIONS)[number];

/** One key: what it is when left out, how its JSON value becomes a typed one, and what people are told about it. */
interface SettingKey<T> {
  readonly fallback: T;
  /** Throws a plain Error that completes the sentence "contentDirectory …". */
  parse(value: unknown): T;
  readonly kind: SettingKind;
  readonly section: SettingSection;
  /** one line, no full stop */
  readonly description: string;
  /** the only values it takes */
  readonly choices?: readonly string[];
  /** it is neither shown nor taken as an argument */
  readonly isSecret?: boolean;
  /** the command that changes it, where more than this file is at stake */
  readonly changedBy?: string;
  /** it has no effect unless another key has this value */
  readonly needs?: { readonly key: string; readonly value: string | boolean };
}

const UPDATE_SOURCES = ['microsoft-update', 'upstream'] as const;
const CONTENT_SOURCES = ['upstream', 'microsoft-update', 'either'] as const;
const CONTENT_POLICIES = ['none', 'licences', 'wanted'] as const;
const NO_IDS: readonly UpdateId[] = [];

const UPSTREAM = { section: 'Update source', needs: { key: 'updateSource', value: 'upstream' } } as const;
const PROXY = { section: 'Proxy', needs: { key: 'useProxy', value: true } } as const;
const SSL_PROXY = { section: 'Proxy', needs: { key: 'useSslProxy', value: true } } as const;

const SERVER_SSL = { section: 'Set by other commands', changedBy: 'wsusutil configuressl' } as const;

const SETTING_KEYS = {
  updateSource: {
    ...withDefault('microsoft-update' as const, choice(...UPDATE_SOURCES)),
    kind: 'text',
    section: 'Update source',
    choices: UPDATE_SOURCES,
    description: 'Where updates come from',
  },
  upstreamServer: {
    ...optional(hostName),
    ...UPSTREAM,
    kind: 'text',
    description: 'Name or address of the upstream server',
  },
  upstreamPort: {
    ...optional(portNumber),
    ...UPSTREAM,
    kind: 'number',
    description: 'Its port; not set: 8530, with SSL 8531',
  },
  upstreamSsl: {
    ...withDefault(false, flag),
    ...UPSTREAM,
    kind: 'switch',
    description: 'Use SSL towards the upstream server',
  },
  upstreamContentUrl: {
    ...optional(webAddress),
    ...UPSTREAM,
    kind: 'text',
    description: 'Where its content files are; not set: /Content of the upstream server',
  },
  contentSource: {
    ...withDefault('upstream' as const, choice(...CONTENT_SOURCES)),
    ...UPSTREAM,
    kind: 'text',
    choices: CONTENT_SOURCES,
    description: 'Where content files are taken from; either: what the upstream lacks, from Microsoft',
  },
  accountName: {
    ...optional(accountName),
    kind: 'text',
    section: 'Update source',
    description: 'Name this server gives the upstream; not set: the name of the machine',
  },
  useProxy: {
    ...withDefault(false, flag),
    kind: 'switch',
    section: 'Proxy',
    description: 'Use a proxy server when synchronising',
  },
  proxyServer: { ...optional(hostName), ...PROXY, kind: 'text', description: 'Name or address of the proxy' },
  proxyPort: { ...withDefault(80, portNumber), ...PROXY, kind: 'number', description: 'Port of the proxy' },
  proxyUser: { ...optional(shortText), ...PROXY, kind: 'text', description: 'User the proxy knows' },
  proxyDomain: { ...optional(shortText), ...PROXY, kind: 'text', description: 'Domain of that user' },
  proxyPassword: {
    ...optional(secretText),
    ...PROXY,
    kind: 'text',
    isSecret: true,
    description: 'Password of that user; asked for, or read from a variable or a file',
  },
  proxyBasicAllowed: {
    ...withDefault(false, flag),
    ...PROXY,
    kind: 'switch',
    description: 'Allow basic authentication: the password is sent in clear text',
  },
  useSslProxy: {
    ...withDefault(false, flag),
    ...PROXY,
    kind: 'switch',
    description: 'Send HTTPS through a proxy of its own, as configuresslproxy does',
  },
  sslProxyServer: {
    ...optional(hostName),
    ...SSL_PROXY,
    kind: 'text',
    description: 'Name or address of the proxy for HTTPS',
  },
  sslProxyPort: {
    ...withDefault(443, portNumber),
    ...SSL_PROXY,
    kind: 'number',
    description: 'Port of the proxy for HTTPS',
  },
  products: {
    ...withDefault(NO_IDS, updateIds),
    kind: 'list',
    section: 'What to synchronise',
    description: 'Ids of products, families and companies; by name: wsusutil products select',
  },
  classifications: {
    ...withDefault(NO_IDS, updateIds),
    kind: 'list',
    section: 'What to synchronise',
    description: 'Ids of classifications; by name: wsusutil classifications select',
  },
  languages: {
    ...withDefault<'all' | readonly string[]>('all', languageNames),
    kind: 'list',
    section: 'What to synchronise',
    description: 'Languages of the content files: all, or short names as de or pt-br',
  },
  expressFiles: {
    ...withDefault(false, flag),
    kind: 'switch',
    section: 'What to synchronise',
    description: 'Download express installation files too',
  },
  contentPolicy: {
    ...withDefault('licences' as const, choice(...CONTENT_POLICIES)),
    kind: 'text',
    section: 'What to synchronise',
    choices: CONTENT_POLICIES,
    description: 'Which content files a synchronisation downloads',
  },
  schedule: {
    ...optional(parseSchedule),
    kind: 'schedule',
    section: 'Schedule and downloads',
    description: 'When synchronisation runs by itself; not set: only by hand',
  },
  limitRate: {
    ...optional(rate),
    kind: 'size',
    section: 'Schedule and downloads',
    description: 'Most bytes a second to download, as 500K or 2M; not set: no limit',
  },
  downloadBetween: {
    ...optional(timeWindow),
    kind: 'text',
    section: 'Schedule and downloads',
    description: 'Hours in which content files are downloaded, as 22:00-06:00; not set: always',
  },
  caFile: {
    ...optional(absolutePath),
    kind: 'path',
    section: 'Certificates',
    description: 'PEM file with certificates of authorities to trust beside the usual ones',
  },
  clientCertificateFile: {
    ...optional(absolutePath),
    kind: 'path',
    section: 'Certificates',
    description: 'PEM file with the certificate this server shows an upstream',
  },
  clientKeyFile: {
    ...optional(absolutePath),
    kind: 'path',
    section: 'Certificates',
    description: 'PEM file with the private key of that certificate',
  },
  serverCertificateName: {
    ...optional(hostName),
    ...SERVER_SSL,
    kind: 'text',
    description: 'Name clients and downstream servers use for this server; set: "serve" uses SSL',
  },
  serverSslPort: {
    ...withDefault(8531, portNumber),
    ...SERVER_SSL,
    kind: 'number',
    description: 'Port of "serve" for HTTPS; content is on the port below, or on 80 for 443',
  },
  serverCertificateFile: {
    ...optional(absolutePath),
    ...SERVER_SSL,
    kind: 'path',
    description: 'PEM file with the certificate of "serve" and its chain',
  },
  serverKeyFile: {
    ...optional(absolutePath),
    ...SERVER_SSL,
    kind: 'path',
    description: 'PEM file with the private key of that certificate',
  },
  serverPfxFile: {
    ...optional(absolutePath),
    ...SERVER_SSL,
    kind: 'path',
    description: 'PFX file with both, instead of the two PEM files',
  },
  serverKeyPassword: {
    ...optional(secretText),
    ...SERVER_SSL,
    kind: 'text',
    isSecret: true,
    description: 'Password of the PFX file, or of the encrypted key',
  },
  /** Root of the content files, without `WsusContent`; undefined: inside the data directory. */
  contentDirectory: {
    ...optional(absolutePath),
    kind: 'path',
    section: 'Set by other commands',
    changedBy: 'wsusutil postinstall CONTENT_DIR=<path>, wsusutil movecontent',
    description: 'Folder that holds WsusContent; not set: the data directory',
  },
  /** Thresholds and switches of checkhealth that differ from the defaults. */
  healthMonitoring: {
    ...optional(parseHealthMonitoring),
    kind: 'object',
    section: 'Set by other commands',
    changedBy: 'wsusutil healthmonitoring',
    description: 'Thresholds and switches of checkhealth that were set',
  },
} as const satisfies Readonly<Record<string, SettingKey<unknown>>>;

export type SettingName = keyof typeof SETTING_KEYS;

export type Settings = {
  readonly [K in SettingName]: (typeof SETTING_KEYS)[K] extends SettingKey<infer T> ? T : never;
};

/** In the order people are shown them. */
export const SETTING_NAMES = Object.keys(SETTING_KEYS) as readonly SettingName[];

/** What people are told about a key, and how they may write its value. */
export type SettingInfo = Omit<SettingKey<unknown>, 'parse'>;

export function settingInfo(name: SettingName): SettingInfo {
  return SETTING_KEYS[name];
}

/**
 * Checks the JSON value of one key.
 *
 * @throws Error a plain one; its message completes the sentence "<name> …", and never holds a secret
 */
export function parseSetting<K extends SettingName>(name: K, value: unknown): Settings[K] {
  return SETTING_KEYS[name].parse(value) as Settings[K];
}

/** What applies without a settings file. */
export function defaultSettings(): Settings {
  return Object.fromEntries(
    Object.entries(SETTING_KEYS).map(([name, key]) => [name, key.fallback]),
  ) as Settings;
}

/**
 * Reads the settings file; without one, the defaults.
 *
 * @throws WsusutilError `SETTINGS_INVALID`, `READ_FAILED`
 */
export async function readSettings(path: string): Promise<Settings> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_SETTINGS_SIZE) {
      throw invalid(path, `is ${size} bytes long, at most ${MAX_SETTINGS_SIZE} are expected`);
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof WsusutilError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return defaultSettings();
    throw new WsusutilError('READ_FAILED', `Cannot read ${path}: ${errorText(error)}`, {
      hint: 'Mend its permissions; it must be readable by the account that runs this command.',
      cause: error,
    });
  }
  return parseSettings(text, path);
}

/**
 * @param path only named in messages
 * @throws WsusutilError `SETTINGS_INVALID` naming the key, and the nearest known one when it is unknown
 */
export function parseSettings(text: string, path: string): Settings {
  const json = text.replace(/^\uFEFF/, '');
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    // What the parser says quotes the text around the mistake, which may be a password.
    throw invalid(path, `is not JSON: line ${brokenLine(json)} is wrong, or the end of the one before`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid(path, 'does not hold a JSON object');
  }
  const { formatVersion, ...entries } = document as Record<string, unknown>;
  if (formatVersion !== FORMAT_VERSION) {
    const newer = typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION;
    throw invalid(
      path,
      `has formatVersion ${JSON.stringify(formatVersion) ?? 'missing'}, expected ${FORMAT_VERSION}`,
      newer ? 'A newer version of this program wrote it; update this one.' : undefined,
    );
  }
  const known: readonly string[] = SETTING_NAMES;
  for (const name of Object.keys(entries)) {
    if (!known.includes(name)) {
      const near = nearestName(name, known);
      throw invalid(
        path,
        `has an unknown key "${name}"`,
        near === undefined ? `Known keys: ${known.join(', ')}.` : `Did you mean "${near}"?`,
      );
    }
  }
  return Object.fromEntries(
    Object.entries(SETTING_KEYS).map(([name, key]) => {
      try {
        return [name, Object.hasOwn(entries, name) ? key.parse(entries[name]) : key.fallback];
      } catch (error) {
        throw invalid(path, `has a wrong value: ${name} ${errorText(error)}`);
      }
    }),
  ) as Settings;
}

/** The file's text; `parseSettings` gives the same settings back. Keys at their default are left out. */
export function serializeSettings(settings: Settings): string {
  const changed = Object.fromEntries(
    SETTING_NAMES.filter((name) => !isDefault(name, settings)).map((name) => [name, settings[name]]),
  );
  return `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...changed }, undefined, 2)}\n`;
}

/** Whether a key has the value it has when it is left out. */
export function isDefault(name: SettingName, settings: Settings): boolean {
  return JSON.stringify(settings[name]) === JSON.stringify(SETTING_KEYS[name].fallback);
}

/**
 * Replaces the settings file in one step. The caller holds the writer lock.
 *
 * @throws WsusutilError `SETTINGS_INVALID`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function writeSettings(path: string, settings: Settings): Promise<void> {
  const text = serializeSettings(settings);
  parseSettings(text, path); // what we could not read again is not written
  await writeFileAtomically(path, Buffer.from(text), SETTINGS_MODE);
}

function optional<T>(parse: (value: unknown) => T): {
  fallback: T | undefined;
  parse(value: unknown): T | undefined;
} {
  return { fallback: undefined, parse };
}

function withDefault<T>(
  fallback: NoInfer<T>,
  parse: (value: unknown) => T,
): { fallback: T; parse(value: unknown): T } {
  return { fallback, parse };
}

/** Number of the first line, from 1, with which the text can no longer become JSON. */
function brokenLine(text: string): number {
  const lines = text.split('\n');
  let good = 0;
  let bad = lines.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (canGoOn(lines.slice(0, middle).join('\n'))) good = middle;
    else bad = middle;
  }
  return bad;
}

/** Whether `text` is the beginning of JSON: only its end is missing. */
function canGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = errorText(error);
    const position = /at position (\d+)/.exec(message)?.[1];
    return (
      /end of JSON input|unterminated string/i.test(message) ||
      (position !== undefined && Number(position) >= text.length)
    );
  }
}

function invalid(path: string, what: string, hint?: string): WsusutilError {
  return new WsusutilError('SETTINGS_INVALID', `${path} ${what}`, {
    hint: hint ?? 'Correct the file, or remove it to start from the defaults.',
    details: { path },
  });
}
