/** One row of the language table that a package carries and an upstream reports. */
export interface PackageLanguage {
  /** Windows LCID; 0 is language neutral, 66577 is private to WSUS */
  readonly id: number;
  /** lower-case tag, e.g. `en`, `pt-br` */
  readonly shortName: string;
  readonly longName: string;
  readonly enabled: boolean;
}

/** Languages somebody has chosen, by short name in lower case; `all`, or a list with it: nobody has restricted them. */
export type LanguageChoice = 'all' | readonly string[];

/** The row that stands for every language: enabled, it says that none is left out ([MS-WSUSSS] GetConfigData). */
const NEUTRAL_ID = 0;

const NAMES: readonly (readonly [number, string, string])[] = [
  [0, 'all', 'all'],
  [1025, 'ar', 'Arabic'],
  [1026, 'bg', 'Bulgarian'],
  [1028, 'zh-tw', 'Chinese (Traditional)'],
  [1029, 'cs', 'Czech'],
  [1030, 'da', 'Danish'],
  [1031, 'de', 'German'],
  [1032, 'el', 'Greek'],
  [1033, 'en', 'English'],
  [1034, 'es', 'Spanish'],
  [1035, 'fi', 'Finnish'],
  [1036, 'fr', 'French'],
  [1037, 'he', 'Hebrew'],
  [1038, 'hu', 'Hungarian'],
  [1040, 'it', 'Italian'],
  [1041, 'ja', 'Japanese'],
  [1042, 'ko', 'Korean'],
  [1043, 'nl', 'Dutch'],
  [1044, 'no', 'Norwegian'],
  [1045, 'pl', 'Polish'],
  [1046, 'pt-br', 'Portuguese (Brazil)'],
  [1048, 'ro', 'Romanian'],
  [1049, 'ru', 'Russian'],
  [1050, 'hr', 'Croatian'],
  [1051, 'sk', 'Slovak'],
  [1053, 'sv', 'Swedish'],
  [1054, 'th', 'Thai'],
  [1055, 'tr', 'Turkish'],
  [1058, 'uk', 'Ukrainian'],
  [1060, 'sl', 'Slovenian'],
  [1061, 'et', 'Estonian'],
  [1062, 'lv', 'Latvian'],
  [1063, 'lt', 'Lithuanian'],
  [1081, 'hi', 'Hindi'],
  [2052, 'zh-cn', 'Chinese (Simplified)'],
  [2070, 'pt', 'Portuguese (Portugal)'],
  [2074, 'sr', 'Serbian (Latin)'],
  [3076, 'zh-hk', 'Chinese (Hong Kong SAR)'],
  [66577, 'ja-nec', 'Japanese NEC'],
];

/**
 * What a server tells others of its languages, downstream and in packages: those that were chosen, and no others. Without
 * a choice the table stands as it came.
 *
 * @param table as the first package or the last synchronisation brought it
 */
export function announcedLanguages(
  table: readonly PackageLanguage[],
  chosen: LanguageChoice,
): readonly PackageLanguage[] {
  if (isUnrestricted(chosen)) return table;
  const names = new Set(chosen.map((name) => name.toLowerCase()));
  const nameOf = ({ shortName }: PackageLanguage) => shortName.toLowerCase();
  const known = new Set(table.map(nameOf));
  const others = DEFAULT_LANGUAGES.filter((row) => names.has(nameOf(row)) && !known.has(nameOf(row)));
  return [...table, ...others].map((row) => ({ ...row, enabled: names.has(nameOf(row)) }));
}

export function isUnrestricted(chosen: LanguageChoice): chosen is 'all' {
  return chosen === 'all' || chosen.includes('all');
}

/**
 * The rows with their own flags: where the row of all languages is enabled, an upstream leaves those of the others as they
 * are, which Microsoft Update's are off.
 */
export function withOwnFlags(table: readonly PackageLanguage[]): readonly PackageLanguage[] {
  const isEverything = table.some(({ id, enabled }) => id === NEUTRAL_ID && enabled);
  return isEverything ? table.map((row) => ({ ...row, enabled: true })) : table;
}

/** The 39 rows a Windows Server 2025 upstream reports, with all languages enabled: a fresh store's table. */
export const DEFAULT_LANGUAGES: readonly PackageLanguage[] = NAMES.map(([id, shortName, longName]) => ({
  id,
  shortName,
  longName,
  enabled: true,
}));
