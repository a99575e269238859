import { createHash } from 'node:crypto';
import type { PackageLanguage } from '../model/language.js';

/** 32 bits that change when any row of the language table does. */
export function fingerprintOf(languages: readonly PackageLanguage[]): number {
  const rows = languages.map(({ id, shortName, longName, enabled }) => [id, shortName, longName, enabled]);
  return createHash('sha256').update(JSON.stringify(rows)).digest().readUInt32BE(0);
}
