/** The languages that are selected are those that are shown, exported and compared, without a synchronisation in between. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { status } from '../../../src/commands/catalogue/status.js';
import { exportCommand } from '../../../src/commands/packages/export.js';
import { importCommand } from '../../../src/commands/packages/import.js';
import { languagesSelect } from '../../../src/commands/settings/languages-select.js';
import { extractCabinet } from '../../../src/formats/cab/read-cabinet.js';
import { DEFAULT_LANGUAGES, type PackageLanguage } from '../../../src/model/language.js';
import { SAMPLE_HEADER } from '../../helpers/package-builder.js';
import { makeUpdate, testFolder, writeUpdates } from '../../store/update-builder.js';
import { type CommandResult, runCommand } from '../command-context.js';

/** As a WSUS server with English alone writes it. */
const ENGLISH = DEFAULT_LANGUAGES.map((row) => ({ ...row, enabled: row.shortName === 'en' }));

const packageOf = (n: number, languages: readonly PackageLanguage[]): Promise<string> =>
  writeUpdates(join(testFolder(), `${n}.cab`), [makeUpdate(n)], { ...SAMPLE_HEADER, languages });
const take = (storePath: string, path: string): Promise<CommandResult> =>
  runCommand(importCommand, storePath, { positionals: { package: path } });
const select = (storePath: string, language: string[], options = {}): Promise<CommandResult> =>
  runCommand(languagesSelect, storePath, { positionals: { language }, options });

/** The `Languages` of an export, byte for byte. */
async function exportedTable(storePath: string): Promise<string> {
  const path = join(testFolder(), 'out.cab');
  await runCommand(exportCommand, storePath, { positionals: { package: path } });
  return tableIn(path);
}

async function shown(storePath: string): Promise<unknown> {
  const { view } = await runCommand(status, storePath);
  const fields = view !== undefined && 'fields' in view ? view.fields : [];
  return fields.find(([name]) => name === 'Languages')?.[1];
}

function tableIn(path: string): string {
  const found = extractCabinet(readFileSync(path)).find(({ member }) => member.name === 'package.xml');
  const text = Buffer.from(found?.data ?? '').toString('utf8');
  return text.slice(text.indexOf('<Languages>'), text.indexOf('</Languages>'));
}

const enabledIn = (table: string): string[] =>
  [...table.matchAll(/ShortName="([^"]+)" LongName="[^"]+" Enabled="1"/g)].map(([, name]) => name ?? '');

test('a selection is what is shown and exported, at once; without one the imported table stands, byte for byte', async () => {
  const storePath = join(testFolder(), 'metadata.sqlite');
  const first = await packageOf(1, ENGLISH);
  expect((await take(storePath, first)).warnings).toEqual([]);
  expect(await shown(storePath)).toBe('en (of 39)');
  expect(await exportedTable(storePath)).toBe(tableIn(first));

  await select(storePath, ['de', 'French'], { only: true });
  expect(await shown(storePath)).toBe('de, fr (selected)');
  expect(enabledIn(await exportedTable(storePath))).toEqual(['de', 'fr']);
  const { result } = await runCommand(status, storePath);
  expect(result.languageSelection).toEqual(['de', 'fr']);
  expect(
    (result.languages as PackageLanguage[]).filter(({ enabled }) => enabled).map(({ id }) => id),
  ).toEqual([1031, 1036]);

  await select(storePath, [], { all: true });
  expect(await shown(storePath)).toBe('en (of 39)');
  expect(await exportedTable(storePath)).toBe(tableIn(first));
});

test('a package is compared with the selection, the first one too', async () => {
  const storePath = join(testFolder(), 'metadata.sqlite');
  await select(storePath, ['de'], { only: true });
  expect((await take(storePath, await packageOf(1, ENGLISH))).warnings).toEqual(['LANGUAGES_DIFFER']);
  await select(storePath, ['en'], { only: true });
  expect((await take(storePath, await packageOf(2, ENGLISH))).warnings).toEqual([]);
  await select(storePath, ['en', 'de'], { only: true });
  expect((await take(storePath, await packageOf(3, ENGLISH))).warnings).toEqual(['LANGUAGES_DIFFER']);
});
