/**
 * `settings.json` of a data directory: one flat JSON object, strict, readable by its owner only (later keys
 * hold a proxy's password).
 *
 *     { "formatVersion": 1, "contentDirectory": "/srv/wsus" }
 *
 * A key is added by one line in `SETTING_KEYS`: its type, its default and its check follow from there.
 */
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { errorText, WsusutilError } from '../errors.js';
import { nearestName } from '../model/nearest-name.js';
import { writeFileAtomically } from '../platform/atomic-file.js';
import { parseHealthMonitoring } from './health-monitoring.js';

const FORMAT_VERSION = 1;
/** A settings file is a dozen lines. */
const MAX_SETTINGS_SIZE = 1024 * 1024;
const MAX_PATH_LENGTH = 32_767; // the longest path Windows knows
const SETTINGS_MODE = 0o600;

/** One key: what it is when left out, and how its JSON value becomes a typed one. */
interface SettingKey<T> {
  readonly fallback: T;
  /** Throws a plain Error that completes the sentence "contentDirectory …". */
  parse(value: unknown): T;
}

const SETTING_KEYS = {
  /** Root of the content files, holds `WsusContent` or is it; undefined: inside the data directory. */
  contentDirectory: optional(absolutePath),
  /** Thresholds and switches of checkhealth that differ from the defaults. */
  healthMonitoring: optional(parseHealthMonitoring),
} satisfies Readonly<Record<string, SettingKey<unknown>>>;

export type Settings = {
  readonly [K in keyof typeof SETTING_KEYS]: (typeof SETTING_KEYS)[K] extends SettingKey<infer T> ? T : never;
};

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
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw invalid(path, `is not JSON: ${errorText(error)}`);
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
  const known = Object.keys(SETTING_KEYS);
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
  return `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...settings }, undefined, 2)}\n`;
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

function optional<T>(parse: (value: unknown) => T): SettingKey<T | undefined> {
  return { fallback: undefined, parse };
}

function absolutePath(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`must be a text, got ${JSON.stringify(value)}`);
  if (!isAbsolute(value)) throw new Error(`must be an absolute path, got ${JSON.stringify(value)}`);
  if (value.length > MAX_PATH_LENGTH || value.includes('\0')) throw new Error('must be a path');
  return value;
}

function invalid(path: string, what: string, hint?: string): WsusutilError {
  return new WsusutilError('SETTINGS_INVALID', `${path} ${what}`, {
    hint: hint ?? 'Correct the file, or remove it to start from the defaults.',
    details: { path },
  });
}
