import { existsSync } from 'node:fs';
import type { LanguageChoice } from '../model/language.js';

/**
 * The languages this server is set to.
 *
 * @param settingsPath a file that need not be there: most directories have none, and its reader is not loaded
 * @throws WsusutilError `SETTINGS_INVALID`, `READ_FAILED`
 */
export async function readLanguageChoice(settingsPath: string): Promise<LanguageChoice> {
  if (!existsSync(settingsPath)) return 'all';
  const { readSettings } = await import('../settings/settings.js');
  return (await readSettings(settingsPath)).languages;
}
