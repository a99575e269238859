import { describe, expect, test } from 'vitest';
import { completionScript, SHELLS } from '../../src/cli/completion.js';
import { GLOBAL_OPTIONS } from '../../src/cli/global-options.js';
import { commandHelp, overviewHelp } from '../../src/cli/help.js';
import { commands } from '../../src/commands/index.js';

describe.each(commands.map((entry) => [entry.name, entry] as const))('command %s', (name, entry) => {
  test('is listed as it is declared', async () => {
    const declaration = await entry.load();
    expect({
      name: declaration.name,
      summary: declaration.summary,
      inRealTool: declaration.inRealTool,
    }).toEqual({ name, summary: entry.summary, inRealTool: entry.inRealTool });
  });

  test('is declared so that the parser understands it', async () => {
    const declaration = await entry.load();
    expect(declaration.name).toBe(declaration.name.toLowerCase());
    for (const option of Object.keys(declaration.options)) {
      expect(option).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(Object.keys(GLOBAL_OPTIONS)).not.toContain(option);
      expect(['help', 'h', 'version']).not.toContain(option);
    }
    const names = declaration.positionals.map((each) => each.name);
    for (const positional of [declaration.logPositional, declaration.targetPositional]) {
      if (positional !== undefined) expect(names).toContain(positional);
    }
    const optionalFrom = declaration.positionals.findIndex((each) => !each.required);
    if (optionalFrom >= 0) {
      expect(declaration.positionals.slice(optionalFrom).some((each) => each.required)).toBe(false);
    }
  });

  test('has a help text of at most 80 columns that names all it takes', async () => {
    const declaration = await entry.load();
    const lines = commandHelp(declaration);
    const text = lines.join('\n');
    expect(lines.filter((line) => line.length > 80 && !line.includes('wsusutil '))).toEqual([]);
    expect(text).toContain(`wsusutil ${name}`);
    for (const { name: positional } of declaration.positionals) expect(text).toContain(positional);
    for (const option of Object.keys(declaration.options)) expect(text).toContain(`--${option}`);
  });
});

test('the overview lists every command within 80 columns, the real ones first', () => {
  const lines = overviewHelp(commands);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  const text = lines.join('\n');
  for (const { name } of commands) expect(text).toContain(`  ${name}  `);
  expect(text.indexOf('  import ')).toBeLessThan(text.indexOf('  verify '));
});

test.each(SHELLS)('the script for %s names every command and option', async (shell) => {
  const declarations = await Promise.all(commands.map((entry) => entry.load()));
  const script = completionScript(shell, declarations);
  for (const declaration of declarations) {
    expect(script).toContain(declaration.name);
    for (const option of Object.keys(declaration.options)) expect(script).toContain(option);
  }
});
