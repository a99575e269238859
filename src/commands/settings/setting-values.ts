/** Values of settings as people write them on a command line and read them on a screen. */
import { resolve } from 'node:path';
import { errorText, isWsusutilError, WsusutilError } from '../../errors.js';
import { nearestName } from '../../model/nearest-name.js';
import { parseSize } from '../../query/parse-size.js';
import { SCHEDULE_KEYS } from '../../settings/schedule.js';
import {
  isDefault,
  parseSetting,
  SETTING_NAMES,
  SETTING_SECTIONS,
  type SettingName,
  type Settings,
  settingInfo,
} from '../../settings/settings.js';

/** The one setting that a command is about. */
export const KEY_POSITIONAL = {
  name: 'key',
  description: 'Name of the setting, in any case',
  required: true,
  kind: 'text',
  suggests: SETTING_NAMES,
} as const;

/** What is shown in place of a secret, here and in `--json`. */
export const HIDDEN = '(set)';
const NOT_SET = '(not set)';
/** Entries of a list shown on one line. */
const MAX_SHOWN = 3;

const ON: ReadonlySet<string> = new Set(['on', 'true', 'yes', '1']);
const OFF: ReadonlySet<string> = new Set(['off', 'false', 'no', '0']);
const UNITS = ['', 'K', 'M', 'G', 'T'];

/**
 * @param text a key, in any case
 * @throws WsusutilError `USAGE` that names the nearest key
 */
export function requireSettingName(text: string): SettingName {
  const found = SETTING_NAMES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return found;
  const near = nearestName(text, SETTING_NAMES);
  throw new WsusutilError('USAGE', `There is no setting "${text}"`, {
    hint: near === undefined ? '"wsusutil config" lists the settings.' : `Did you mean ${near}?`,
  });
}

/**
 * @param words what stands behind the key; for a secret the one line that was read
 * @throws WsusutilError `USAGE` that says what the key takes
 */
export function readSettingValue<K extends SettingName>(name: K, words: readonly string[]): Settings[K] {
  if (words.length === 0) {
    throw new WsusutilError('USAGE', `${name}: its value is missing`, { hint: exampleOf(name) });
  }
  try {
    return parseSetting(name, jsonValueOf(name, words));
  } catch (error) {
    if (isWsusutilError(error)) throw error;
    throw new WsusutilError('USAGE', `${name} ${errorText(error)}`, { hint: exampleOf(name) });
  }
}

/** From words to the JSON value that the settings file would hold; throws a plain Error as the checks of settings do. */
function jsonValueOf(name: SettingName, words: readonly string[]): unknown {
  const { kind, choices } = settingInfo(name);
  if (kind === 'list') {
    const entries = words.flatMap((word) => word.split(',')).map((word) => word.trim());
    const given = entries.filter((entry) => entry !== '');
    return name === 'languages' && given.length === 1 && given[0]?.toLowerCase() === 'all' ? 'all' : given;
  }
  if (kind === 'schedule') return scheduleOf(words);
  if (words.length > 1) throw new Error(`takes one value, got ${words.length}`);
  const text = words[0] as string;
  switch (kind) {
    case 'switch': {
      const word = text.toLowerCase();
      if (!ON.has(word) && !OFF.has(word)) throw new Error(`is a switch: on or off, got "${text}"`);
      return ON.has(word);
    }
    case 'number':
      return /^\d{1,9}$/.test(text) ? Number(text) : text;
    case 'size':
      return parseSize(text);
    case 'path':
      return text === '' ? text : resolve(text);
    default:
      return choices?.find((choice) => choice === text.toLowerCase()) ?? text;
  }
}

/** `firstAt=03:00 perDay=4`: parts in any order and case. */
function scheduleOf(words: readonly string[]): Record<string, unknown> {
  const parts = new Map<string, unknown>();
  for (const word of words) {
    const [, typed = '', value = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    const name = SCHEDULE_KEYS.find((key) => key.toLowerCase() === typed.toLowerCase()) ?? typed;
    if (name === '') throw new Error(`takes parts as firstAt=03:00, got "${word}"`);
    if (parts.has(name)) throw new Error(`has ${name} twice`);
    parts.set(name, /^\d{1,9}$/.test(value) ? Number(value) : value);
  }
  return Object.fromEntries(parts);
}

function exampleOf(name: SettingName): string {
  const { kind, choices, description, isSecret } = settingInfo(name);
  if (choices !== undefined) return `Write "wsusutil config set ${name} ${choices.join('|')}".`;
  if (isSecret === true) return `Write "wsusutil config set ${name}" alone; it is asked for.`;
  switch (kind) {
    case 'switch':
      return `Write "wsusutil config set ${name} on", or off.`;
    case 'schedule':
      return 'Write "wsusutil config set schedule firstAt=03:00 perDay=4 randomOffset=30", or "… daysAfterSecondTuesday=3 at=04:00".';
    case 'list':
      return name === 'languages'
        ? 'Write "wsusutil config set languages all", or short names as de en.'
        : `Give ids; names are taken by "wsusutil ${name} select".`;
    default:
      return `${description}.`;
  }
}

/** What a key is set to, in the words that set it: one per value; none if it is not set. */
export function settingWords(name: SettingName, settings: Settings): readonly string[] {
  const value = settings[name];
  const { kind, isSecret } = settingInfo(name);
  if (value === undefined) return [];
  if (isSecret === true) return [HIDDEN];
  if (typeof value === 'boolean') return [value ? 'on' : 'off'];
  if (kind === 'size') return [sizeText(Number(value))];
  if (Array.isArray(value)) return value.map(String);
  if (kind === 'schedule') return Object.entries(value).map(([part, text]) => `${part}=${text}`);
  if (typeof value === 'object') return [JSON.stringify(value)];
  return [String(value)];
}

/** The same on one line; long lists are cut, a default is called one. */
export function describeSetting(name: SettingName, settings: Settings): string {
  const words = settingWords(name, settings);
  if (words.length === 0) return Array.isArray(settings[name]) ? '(none)' : NOT_SET;
  const isList = settingInfo(name).kind === 'list';
  const shown = isList ? words.slice(0, MAX_SHOWN) : words;
  const more = words.length - shown.length;
  const text = shown.join(isList ? ', ' : ' ') + (more === 0 ? '' : `, and ${more} more`);
  return isDefault(name, settings) ? `${text} (default)` : text;
}

/** For `--json`: as the settings file has it; null where it is not set. */
export function settingJson(name: SettingName, settings: Settings): unknown {
  const value = settings[name];
  if (value === undefined) return null;
  return settingInfo(name).isSecret === true ? HIDDEN : value;
}

/** Lines for help: the keys by what they are about. */
export function describeSections(): string[] {
  return SETTING_SECTIONS.map((section) => {
    const names = SETTING_NAMES.filter((name) => settingInfo(name).section === section);
    return `${section}: ${names.join(', ')}.`;
  });
}

/** `2M`, `1536K`: exactly, as parseSize reads it. */
function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value > 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${UNITS[unit]}`;
}
