import { describe, expect, test } from 'vitest';
import { plainPaint } from '../../src/cli/paint.js';
import { renderViews } from '../../src/cli/render.js';
import { displayWidth } from '../../src/cli/text.js';
import type { TableView, View } from '../../src/commands/outcome.js';
import { fakeOutput } from '../helpers/fake-stream.js';

async function draw(
  view: View | readonly View[],
  options: { terminal?: boolean; columns?: number; unicode?: boolean; csv?: boolean } = {},
): Promise<string> {
  const { stream, output } = fakeOutput(options);
  const views = 'kind' in view ? [view] : view;
  await renderViews(views, output, {
    paint: plainPaint,
    unicode: options.unicode ?? true,
    csv: options.csv ?? false,
  });
  return stream.text;
}

const table: TableView = {
  kind: 'table',
  columns: [{ title: 'Id' }, { title: 'Title', flexible: true }, { title: 'Size', align: 'right' }],
  rows: [
    ['1', `Security update ${'x'.repeat(100)}`, '12'],
    ['2', '更新プログラム 漢字', '1,234'],
  ],
  emptyText: 'No updates.',
  footer: () => '2 updates',
};

describe('a table', () => {
  test('fits the terminal, cuts only the flexible column and keeps wide characters in line', async () => {
    const lines = (await draw(table, { terminal: true })).split('\n');
    expect(lines.every((line) => displayWidth(line) <= 80)).toBe(true);
    expect(lines[0]).toMatch(/^Id {2}Title +Size$/);
    expect(lines[1]).toMatch(/x…/);
    expect(displayWidth(lines[1] as string)).toBe(80);
    expect(displayWidth(lines[2] as string)).toBe(80);
    expect(lines.slice(3)).toEqual(['', '2 updates', '']);
  });

  describe('with secondary columns', () => {
    const wide: TableView = {
      kind: 'table',
      columns: [
        { title: 'Day' },
        { title: 'Severity', secondary: true },
        { title: 'State', secondary: true },
        { title: 'Title', flexible: true },
        { title: 'Id', secondary: true },
      ],
      rows: [
        ['2026-01-01', 'Critical', '', `Title ${'t'.repeat(60)}`, 'i'.repeat(36)],
        ['2026-01-02', '', '', 'Short', 'j'.repeat(36)],
      ],
      emptyText: 'None.',
    };

    test('keeps one line where there is room, without columns that hold nothing', async () => {
      const lines = (await draw(wide, { terminal: true, columns: 130 })).split('\n');
      expect(lines[0]).toMatch(/^Day +Severity +Title +Id$/);
      expect(lines).toHaveLength(4);
    });

    test('puts the last of them below first, and further ones only where the title needs it, in their own order', async () => {
      const lines = (await draw(wide, { terminal: true, columns: 80 })).split('\n');
      expect(lines.slice(0, 4)).toEqual([
        'Day         Severity  Title',
        '    Id',
        `2026-01-01  Critical  Title ${'t'.repeat(51)}…`,
        `    ${'i'.repeat(36)}`,
      ]);
      const narrow = (await draw(wide, { terminal: true, columns: 60 })).split('\n');
      expect(narrow.slice(0, 2)).toEqual(['Day         Title', '    Severity  Id']);
      expect(narrow.slice(4, 6)).toEqual(['2026-01-02  Short', `${' '.repeat(14)}${'j'.repeat(36)}`]);
    });

    test('breaks a sentence that is alone below between its words', async () => {
      const columns = [{ title: 'Key' }, { title: 'Value' }, { title: 'Meaning', secondary: true }] as const;
      const view: TableView = {
        kind: 'table',
        columns,
        rows: [['caFile', 'x'.repeat(30), 'Where the certificates of authorities are that are trusted here']],
        emptyText: 'None.',
      };
      const lines = (await draw(view, { terminal: true, columns: 45 })).split('\n');
      expect(lines.slice(3, 5)).toEqual([
        '    Where the certificates of authorities are',
        '    that are trusted here',
      ]);
    });

    test('is whole in a pipe and with --csv', async () => {
      expect(await draw(wide)).toMatch(/^Day\tSeverity\tState\tTitle\tId\n/);
      expect(await draw(wide, { csv: true, terminal: true })).toMatch(/^Day,Severity,State,Title,Id\r\n/);
    });

    test('leaves nothing out while rows that it has not seen may have something', async () => {
      async function* rows() {
        for (let n = 0; n < 600; n++) yield ['2026-01-01', '', n === 599 ? 'expired' : '', 'Title', 'x'];
      }
      const text = await draw({ ...wide, rows: rows() }, { terminal: true, columns: 130 });
      expect(text).toMatch(/^Day +Severity +State +Title +Id\n/);
      expect(text).toContain('expired');
    });
  });

  test('is tab-separated and whole in a pipe, one row per line whatever is in it', async () => {
    const hostile = { ...table, rows: [['1', 'a\tb\nc\u001b[2J', '3']] };
    expect(await draw(hostile)).toBe('Id\tTitle\tSize\n1\ta b\\x0ac\\x1b[2J\t3\n');
    expect(await draw(table)).toContain('x'.repeat(100));
  });

  test('is RFC 4180 with --csv, and alone', async () => {
    const rows = { ...table, rows: [['1', 'say "hi", twice', 'a\nb']] };
    const views: View[] = [{ kind: 'lines', lines: ['not this'] }, rows];
    expect(await draw(views, { csv: true })).toBe('Id,Title,Size\r\n1,"say ""hi"", twice","a\nb"\r\n');
  });

  test('says so on a terminal when it is empty, and keeps its header in a pipe', async () => {
    expect(await draw({ ...table, rows: [] }, { terminal: true })).toBe('No updates.\n');
    expect(await draw({ ...table, rows: [] })).toBe('Id\tTitle\tSize\n');
  });

  test('streams more rows than it samples', async () => {
    async function* rows() {
      for (let index = 0; index < 2000; index++) yield [String(index), `title ${index}`, '1'];
    }
    const text = await draw({ ...table, rows: rows() }, { terminal: true });
    expect(text.split('\n')).toHaveLength(2000 + 1 + 3);
  });

  test('stops reading rows when the reader has gone', async () => {
    let read = 0;
    async function* rows() {
      for (; read < 100_000; read++) yield [String(read), 'x'.repeat(100), '1'];
    }
    const { output } = fakeOutput({ failWith: 'EPIPE' });
    await renderViews([{ ...table, rows: rows() }], output, { paint: plainPaint, unicode: true, csv: false });
    await output.flush();
    expect(output.isClosed).toBe(true);
    expect(read).toBeLessThan(2_000);
  });
});

test('fields are aligned, wrapped on a terminal, and left out when empty', async () => {
  const view: View = {
    kind: 'fields',
    fields: [
      ['Title', 'word '.repeat(30).trim()],
      ['Nothing', undefined],
      ['Articles', ['KB1', 'KB2']],
    ],
  };
  const lines = (await draw(view, { terminal: true })).trimEnd().split('\n');
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(lines.at(-2)).toBe('Articles: KB1');
  expect(lines.at(-1)).toBe('          KB2');
  expect((await draw(view)).split('\n')).toHaveLength(4);
});

describe('a tree', () => {
  const view: View = {
    kind: 'tree',
    title: 'Products',
    roots: [
      {
        label: 'Microsoft',
        children: [
          { label: 'Windows', note: '12 updates', children: [{ label: 'Windows 11', children: [] }] },
          { label: 'Office', children: [] },
        ],
      },
    ],
  };

  test('has lines on a terminal that can show them', async () => {
    expect(await draw(view, { terminal: true })).toBe(
      ['Products', 'Microsoft', '├─ Windows  12 updates', '│  └─ Windows 11', '└─ Office', ''].join('\n'),
    );
  });

  test('is ASCII elsewhere', async () => {
    expect(await draw(view, { terminal: true, unicode: false })).toContain('|  `- Windows 11');
    expect(await draw(view)).toContain('`- Office');
  });

  test('of great depth does not exhaust the stack', async () => {
    let node: { label: string; children: never[] | [object] } = { label: 'leaf', children: [] };
    for (let depth = 0; depth < 3_000; depth++) node = { label: 'n', children: [node] };
    const text = await draw({ kind: 'tree', roots: [node as never] });
    expect(text.split('\n')).toHaveLength(3_002);
  });
});

test('raw bytes are exact in a pipe and harmless on a terminal', async () => {
  const bytes = new TextEncoder().encode('<a>\u001b[2J</a>\r\n\tx');
  expect(await draw({ kind: 'raw', bytes })).toBe('<a>\u001b[2J</a>\r\n\tx');
  expect(await draw({ kind: 'raw', bytes }, { terminal: true })).toBe('<a>\\x1b[2J</a>\n\tx\n');
});

test('a title from a package cannot control the terminal', async () => {
  const text = await draw(
    { kind: 'lines', lines: ['a\u001b]0;x\u0007b\u202ec\nforged'] },
    { terminal: true },
  );
  expect(text).toBe('a\\x1b]0;x\\x07b\\u202ec\\x0aforged\n');
});

test('a sentence is broken between words on a terminal, and stays whole in a pipe', async () => {
  const sentence = 'one two three four five six seven';
  expect(await draw({ kind: 'lines', lines: [sentence] }, { terminal: true, columns: 20 })).toBe(
    'one two three four\nfive six seven\n',
  );
  expect(await draw({ kind: 'lines', lines: [sentence] })).toBe(`${sentence}\n`);
});
