/** `languages`: what there is, what is selected, what the upstream lacks, and how the selection is changed. */
import { WsusutilError } from '../../errors.js';
import { DEFAULT_LANGUAGES } from '../../model/language.js';
import { nearestName } from '../../model/nearest-name.js';
import {
  type KnownLanguage,
  lackingLanguages,
  readUpstreamLanguages,
} from '../../query/upstream-languages.js';
import { readSettings, type Settings } from '../../settings/settings.js';
import type { CommandContext } from '../context.js';
import type { Outcome } from '../outcome.js';
import { formatCount } from '../quantities.js';
import { changeSettings, upstreamRoot, warnOfLackingLanguages } from './change-settings.js';

type Chosen = Settings['languages'];

const ALL = 'all';

export async function listLanguages(
  options: { readonly selected: boolean },
  context: CommandContext,
): Promise<Outcome> {
  const { settingsPath } = await context.dataDirectory();
  const { languages: chosen, ...settings } = await readSettings(settingsPath);
  const store = await context.openStore('read');
  try {
    const known = await readUpstreamLanguages(store, upstreamRoot({ ...settings, languages: chosen }));
    const lacking = lackingLanguages(chosen, known);
    const all = withChosen(known, chosen);
    const isSelected = ({ shortName }: KnownLanguage) => chosen === ALL || chosen.includes(shortName);
    const shown = options.selected ? all.filter(isSelected) : all;
    return {
      status: 'complete',
      result: {
        selected: chosen,
        lacking,
        languages: shown.map((language) => ({
          shortName: language.shortName,
          longName: language.longName,
          isSelected: isSelected(language),
          isOffered: language.isOffered ?? null,
        })),
      },
      view: [
        {
          kind: 'table',
          columns: [
            { title: 'Selected' },
            { title: 'Tag' },
            { title: 'Language' },
            { title: 'At the upstream' },
          ],
          rows: shown.map((language) => [
            isSelected(language) ? '[x]' : '[ ]',
            language.shortName,
            language.longName,
            language.isOffered === undefined ? 'unknown' : language.isOffered ? 'yes' : 'no',
          ]),
          emptyText: 'No language.',
        },
        { kind: 'lines', lines: summaryOf(chosen, lacking) },
      ],
    };
  } finally {
    await store.close();
  }
}

export async function selectLanguages(
  names: readonly string[],
  options: { readonly only: boolean; readonly all: boolean },
  context: CommandContext,
): Promise<Outcome> {
  return changeLanguages(context, (chosen, known) => {
    if (options.all || names.some((name) => name.trim().toLowerCase() === ALL)) return ALL;
    const added = names.map((name) => requireLanguage(name, known));
    if (options.only) return added;
    return chosen === ALL ? ALL : [...chosen, ...added];
  });
}

export async function deselectLanguages(names: readonly string[], context: CommandContext): Promise<Outcome> {
  return changeLanguages(context, (chosen, known) => {
    const removed = new Set(names.map((name) => requireLanguage(name, withChosen(known, chosen))));
    // All of those that the upstream has files for: it would be told of the others time and again.
    const offered = known.filter(({ isOffered }) => isOffered !== false).map(({ shortName }) => shortName);
    const left = (chosen === ALL ? offered : chosen).filter((shortName) => !removed.has(shortName));
    if (left.length === 0) {
      throw new WsusutilError('SAFETY_REFUSED', 'At least one language stays selected', {
        hint: 'Select another one first, or all: "wsusutil languages select --all".',
      });
    }
    return left;
  });
}

async function changeLanguages(
  context: CommandContext,
  change: (chosen: Chosen, known: readonly KnownLanguage[]) => Chosen,
): Promise<Outcome> {
  let lacking: readonly string[] = [];
  const { before, after } = await changeSettings(context, async (settings, store): Promise<Settings> => {
    const known = await readUpstreamLanguages(store, upstreamRoot(settings));
    const chosen = change(settings.languages, known);
    const changed: Settings = { ...settings, languages: chosen === ALL ? ALL : [...new Set(chosen)] };
    lacking = await warnOfLackingLanguages(changed, store, context.report);
    return changed;
  });
  const isSame = JSON.stringify(before.languages) === JSON.stringify(after.languages);
  return {
    status: 'complete',
    result: { selected: after.languages, lacking },
    view: {
      kind: 'lines',
      lines: [
        ...(isSame ? ['Nothing to change.'] : []),
        ...(isSame && after.languages === ALL
          ? [
              'All languages are selected; "wsusutil languages select --only <language>" selects some of them.',
            ]
          : summaryOf(after.languages, [])),
      ],
    },
  };
}

/**
 * @param text a tag or a long name, in any case
 * @throws WsusutilError `NOT_FOUND` with the nearest tag or name
 */
function requireLanguage(text: string, known: readonly KnownLanguage[]): string {
  const wanted = text.trim().toLowerCase();
  // The store may hold a shorter table than Windows has languages.
  const all = [...known, ...DEFAULT_LANGUAGES.filter(({ id }) => id !== 0)];
  const found = all.find(
    ({ shortName, longName }) => shortName.toLowerCase() === wanted || longName.toLowerCase() === wanted,
  );
  if (found !== undefined) return found.shortName.toLowerCase();
  const near =
    nearestName(
      wanted,
      all.map(({ longName }) => longName),
    ) ??
    nearestName(
      wanted,
      all.map(({ shortName }) => shortName),
    );
  throw new WsusutilError('NOT_FOUND', `"${text}" is no language`, {
    hint: near === undefined ? '"wsusutil languages" lists them.' : `Did you mean "${near}"?`,
  });
}

/** The table, and what is chosen beside it. */
function withChosen(known: readonly KnownLanguage[], chosen: Chosen): readonly KnownLanguage[] {
  if (chosen === ALL) return known;
  const isTold = known.some(({ isOffered }) => isOffered !== undefined);
  const others = chosen
    .filter((shortName) => !known.some((language) => language.shortName === shortName))
    .map((shortName) => ({
      shortName,
      longName: DEFAULT_LANGUAGES.find((language) => language.shortName === shortName)?.longName ?? shortName,
      isOffered: isTold ? false : undefined,
    }));
  return [...known, ...others];
}

function summaryOf(chosen: Chosen, lacking: readonly string[]): string[] {
  return [
    chosen === ALL
      ? 'All languages are selected.'
      : `${formatCount(chosen.length)} selected: ${chosen.join(', ')}.`,
    ...(lacking.length === 0 ? [] : [`The upstream has no files for ${lacking.join(', ')}.`]),
  ];
}
