/** How every command that changes settings does it, and what it tells about the outcome. */
import { existsSync } from 'node:fs';
import { isWsusutilError } from '../../errors.js';
import type { WarningCode } from '../../events.js';
import { lackingLanguages, readUpstreamLanguages } from '../../query/upstream-languages.js';
import {
  readSettings,
  type SettingName,
  type Settings,
  settingInfo,
  writeSettings,
} from '../../settings/settings.js';
import { proxiesOf, trustOf, upstreamOf } from '../../settings/upstream.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import type { CommandContext } from '../context.js';

export interface SettingsChange {
  readonly before: Settings;
  readonly after: Settings;
}

/**
 * Reads, changes and replaces the settings file as the only one that writes to the data directory.
 *
 * @throws WsusutilError what `change` throws; nothing is written then. `STORE_LOCKED`, `SETTINGS_INVALID`,
 *   `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function changeSettings(
  context: CommandContext,
  change: (before: Settings, store: MetadataStore) => Settings | Promise<Settings>,
): Promise<SettingsChange> {
  const { settingsPath } = await context.dataDirectory();
  const store = await context.openStore('write'); // holds the writer lock for the settings
  try {
    const before = await readSettings(settingsPath);
    const after = await change(before, store);
    if (JSON.stringify(before) !== JSON.stringify(after)) await writeSettings(settingsPath, after);
    return { before, after };
  } finally {
    await store.close();
  }
}

/** Something about settings that are each valid: together they do not do what somebody may expect. */
export interface SettingsProblem {
  readonly code: Extract<WarningCode, 'SETTING_WITHOUT_EFFECT' | 'SETTINGS_INCOMPLETE'>;
  /** with what to do about it */
  readonly message: string;
}

const FILE_SETTINGS = ['caFile', 'clientCertificateFile', 'clientKeyFile'] as const;

export function problemsOf(settings: Settings): readonly SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  for (const join of [upstreamOf, proxiesOf, trustOf]) {
    try {
      join(settings);
    } catch (error) {
      if (!isWsusutilError(error, 'SETTINGS_INVALID')) throw error;
      problems.push({
        code: 'SETTINGS_INCOMPLETE',
        message: [error.message, error.hint].filter((text) => text !== undefined).join('. '),
      });
    }
  }
  for (const name of FILE_SETTINGS) {
    const path = settings[name];
    if (path === undefined || existsSync(path)) continue;
    problems.push({
      code: 'SETTINGS_INCOMPLETE',
      message: `${name} names ${path}, which is not there: put the file there, or run "wsusutil config set ${name} <path>"`,
    });
  }
  const ignored = ignoredSslProxy(settings);
  return ignored === undefined ? problems : [...problems, ignored];
}

/** Only while a proxy is used does the one for HTTPS count (cli-surface 7). */
export function ignoredSslProxy({ useProxy, useSslProxy }: Settings): SettingsProblem | undefined {
  if (useProxy || !useSslProxy) return undefined;
  return {
    code: 'SETTING_WITHOUT_EFFECT',
    message:
      'The proxy for HTTPS is ignored while no proxy is used: run "wsusutil config set proxyServer <name>" and "wsusutil config set useProxy on"',
  };
}

/** A key that was just set and waits for another one. */
export function waitingSetting(name: SettingName, settings: Settings): SettingsProblem | undefined {
  const { needs } = settingInfo(name);
  const switchName = needs?.key as SettingName | undefined;
  if (needs === undefined || switchName === undefined || settings[switchName] === needs.value)
    return undefined;
  const value = needs.value === true ? 'on' : String(needs.value);
  return {
    code: 'SETTING_WITHOUT_EFFECT',
    message: `${name} has no effect yet: run "wsusutil config set ${switchName} ${value}"`,
  };
}

/** Names the chosen languages that the upstream has no files for. */
export async function warnOfLackingLanguages(
  settings: Settings,
  store: MetadataStore,
  report: CommandContext['report'],
): Promise<readonly string[]> {
  const known = await readUpstreamLanguages(store, upstreamRoot(settings));
  const lacking = lackingLanguages(settings.languages, known);
  if (lacking.length > 0) {
    report({
      type: 'warning',
      code: 'LANGUAGE_UNAVAILABLE',
      message: `The upstream has no files for ${lacking.join(', ')}: choose them there first, or deselect them here`,
    });
  }
  return lacking;
}

/** Undefined while an upstream is chosen and none is named. */
export function upstreamRoot(settings: Settings): string | undefined {
  try {
    return upstreamOf(settings).url.href;
  } catch (error) {
    if (isWsusutilError(error, 'SETTINGS_INVALID')) return undefined;
    throw error;
  }
}
