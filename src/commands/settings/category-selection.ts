/** `products` and `classifications`: what there is, what is selected, and how that is changed. */
import { WsusutilError } from '../../errors.js';
import type { UpdateId } from '../../model/update-identity.js';
import { buildCategoryTree, type CategoryNode } from '../../query/category-tree.js';
import { type CategoryKind, categoriesOf, resolveCategories } from '../../query/resolve-categories.js';
import { expandSelection, markSelection, type SelectionMark } from '../../query/selection.js';
import { readSettings, type Settings } from '../../settings/settings.js';
import type { CategoryGroup, CategoryRow } from '../../store/metadata-store.js';
import { noteOf, pruneTree } from '../catalogue/categories.js';
import type { CommandContext } from '../context.js';
import type { Outcome, TreeNode, View } from '../outcome.js';
import { formatCount, formatQuantity } from '../quantities.js';
import { changeSettings } from './change-settings.js';

/** Key of the settings, name of the command. */
type ListName = 'products' | 'classifications';

/** Titles named in one sentence. */
const MAX_NAMED = 20;

const MARKS = { selected: '[x]', included: '[+]', partial: '[-]' } as const;
const NO_MARK = '[ ]';

export const LIST_OPTIONS = {
  ids: { type: 'boolean', description: 'Show the ids' },
  selected: { type: 'boolean', description: 'Only what is selected, and what is above it' },
} as const;

export const SELECT_OPTIONS = {
  only: { type: 'boolean', description: 'Select these and nothing else' },
  all: { type: 'boolean', description: 'Select everything there is, and what comes later below it' },
} as const;

export const DESELECT_OPTIONS = { all: { type: 'boolean', description: 'Deselect everything' } } as const;

/** What to list. */
export const TEXT_POSITIONALS = [
  { name: 'text', description: 'Only those with this text in their name', required: false, kind: 'text' },
] as const;

/** What to select or deselect. */
export const NAME_POSITIONALS = [
  {
    name: 'name',
    description: 'Names in any case, or ids',
    required: false,
    variadic: true,
    kind: 'text',
  },
] as const;

/** @throws WsusutilError `USAGE` unless there are names, or `--all` in their place */
export function checkNames(
  names: readonly string[],
  options: { readonly all: boolean; readonly only?: boolean },
): void {
  if (names.length === 0 && !options.all) {
    throw new WsusutilError('USAGE', 'missing <name or id>', { hint: 'Give names or ids, or --all.' });
  }
  if (options.all && (names.length > 0 || options.only === true)) {
    throw new WsusutilError('USAGE', '--all stands alone, without names and --only');
  }
  const empty = names.find((name) => name.trim() === '');
  if (empty !== undefined) throw new WsusutilError('USAGE', 'a name is empty');
}

export async function listSelection(
  list: ListName,
  text: string | undefined,
  options: { readonly ids: boolean; readonly selected: boolean },
  context: CommandContext,
): Promise<Outcome> {
  const { settingsPath } = await context.dataDirectory();
  const settings = await readSettings(settingsPath);
  const store = await context.openStore('read');
  try {
    const rows = categoriesOf(kindOf(list), await store.listCategories());
    const chosen = settings[list];
    const marks = markSelection(rows, chosen);
    const wanted = text?.toLowerCase();
    const isShown = (row: CategoryRow) =>
      (wanted === undefined || row.title.toLowerCase().includes(wanted)) &&
      (!options.selected || (marks.has(row.updateId) && marks.get(row.updateId) !== 'partial'));
    const roots = rootsOf(rows, await store.groupByCategories()).flatMap((node) =>
      // Below a match everything is shown; of a selection only what is selected too.
      options.selected ? keepShown(node, isShown) : pruneTree(node, isShown),
    );
    const known = new Set(rows.map((row) => row.updateId));
    const unknownIds = chosen.filter((id) => !known.has(id));
    const lines = [
      ...(roots.length === 0
        ? [nothingText(list, rows.length, text, options.selected)]
        : legendOf(roots, marks)),
      ...(unknownIds.length === 0 ? [] : [`Selected and not in the store: ${unknownIds.join(', ')}`]),
      summaryOf(list, settings, rows),
    ];
    const views: View[] = [{ kind: 'lines', lines }];
    if (roots.length > 0) {
      views.unshift({
        kind: 'tree',
        title: list === 'products' ? 'Products' : 'Classifications',
        roots: roots.map((node) => toTree(node, marks, options.ids)),
      });
    }
    views.push({
      kind: 'table',
      forCsv: true,
      columns: ['Id', 'Name', 'Kind', 'Selection', 'Updates'].map((title) => ({ title })),
      rows: flatten(roots).map((row) => [
        row.updateId,
        row.title.trim(),
        row.categoryType ?? '',
        marks.get(row.updateId) ?? '',
        String(row.updateCount),
      ]),
      emptyText: nothingText(list, rows.length, text, options.selected),
    });
    return {
      status: 'complete',
      result: { selected: chosen, notInStore: unknownIds, [list]: roots.map((node) => toJson(node, marks)) },
      view: views,
    };
  } finally {
    await store.close();
  }
}

export async function selectCategories(
  list: ListName,
  names: readonly string[],
  options: { readonly only: boolean; readonly all: boolean },
  context: CommandContext,
): Promise<Outcome> {
  return changeSelection(list, context, (chosen, rows) => {
    const kind = kindOf(list);
    const ours = categoriesOf(kind, rows);
    if (options.all) {
      if (ours.length === 0) {
        throw new WsusutilError('NOT_FOUND', `The store has no ${list} yet`, {
          hint: 'Run "wsusutil sync --categories-only" or import a package first.',
        });
      }
      return rootsOf(ours, []).map(({ row }) => row.updateId);
    }
    const added = resolveCategories(kind, names, rows);
    return [...new Set([...(options.only ? [] : chosen), ...added])];
  });
}

export async function deselectCategories(
  list: ListName,
  names: readonly string[],
  options: { readonly all: boolean },
  context: CommandContext,
): Promise<Outcome> {
  return changeSelection(list, context, (chosen, rows) => {
    if (options.all) return [];
    const kind = kindOf(list);
    const removed = new Set(resolveCategories(kind, names, rows, chosen));
    const ours = categoriesOf(kind, rows);
    const left = chosen.filter((id) => !removed.has(id));
    const stillIncluded = markSelection(ours, left);
    // A name that stays selected through what is above it would come all the same.
    for (const id of removed) {
      if (chosen.includes(id) || stillIncluded.get(id) !== 'included') continue;
      const above = left.filter((each) => markSelection(ours, [each]).get(id) === 'included');
      throw new WsusutilError(
        'SAFETY_REFUSED',
        `${titleOf(id, rows)} is selected with ${titlesOf(above, rows)}`,
        {
          hint: 'Deselect that, and select what you want of it.',
        },
      );
    }
    return left;
  });
}

async function changeSelection(
  list: ListName,
  context: CommandContext,
  change: (chosen: readonly UpdateId[], rows: readonly CategoryRow[]) => readonly UpdateId[],
): Promise<Outcome> {
  let rows: readonly CategoryRow[] = [];
  const { before, after } = await changeSettings(context, async (settings, store): Promise<Settings> => {
    rows = await store.listCategories();
    return { ...settings, [list]: change(settings[list], rows) };
  });
  const added = after[list].filter((id) => !before[list].includes(id));
  const removed = before[list].filter((id) => !after[list].includes(id));
  const ours = categoriesOf(kindOf(list), rows);
  const lines = [
    ...(added.length === 0 ? [] : [`Selected: ${titlesOf(added, rows)}`]),
    ...(removed.length === 0 ? [] : [`Deselected: ${titlesOf(removed, rows)}`]),
    ...(added.length + removed.length === 0 ? ['Nothing to change.'] : []),
    summaryOf(list, after, ours),
  ];
  return {
    status: 'complete',
    result: { selected: after[list], added, removed },
    view: { kind: 'lines', lines },
  };
}

function kindOf(list: ListName): CategoryKind {
  return list === 'products' ? 'product' : 'classification';
}

function rootsOf(rows: readonly CategoryRow[], groups: readonly CategoryGroup[]): readonly CategoryNode[] {
  const { roots, classifications } = buildCategoryTree(rows, groups);
  return [...roots, ...classifications.map((row) => ({ row, children: [], totalUpdates: row.updateCount }))];
}

/** The node with those below it that are shown themselves, or have such below; nothing if there are none. */
function keepShown(node: CategoryNode, isShown: (row: CategoryRow) => boolean): CategoryNode[] {
  const children = node.children.flatMap((child) => keepShown(child, isShown));
  return children.length > 0 || isShown(node.row) ? [{ ...node, children }] : [];
}

function toTree(node: CategoryNode, marks: ReadonlyMap<UpdateId, SelectionMark>, withIds: boolean): TreeNode {
  return {
    label: `${markText(marks.get(node.row.updateId))} ${node.row.title.trim()}`,
    note: noteOf(node.row, node.totalUpdates, withIds),
    children: node.children.map((child) => toTree(child, marks, withIds)),
  };
}

function markText(mark: SelectionMark | undefined): string {
  return mark === undefined ? NO_MARK : MARKS[mark];
}

function toJson(node: CategoryNode, marks: ReadonlyMap<UpdateId, SelectionMark>): Record<string, unknown> {
  const { updateId, title, categoryType, isExpired, updateCount } = node.row;
  return {
    updateId,
    title,
    categoryType: categoryType ?? null,
    isExpired,
    updateCount,
    selection: marks.get(updateId) ?? null,
    ...(categoryType === 'UpdateClassification'
      ? {}
      : { children: node.children.map((child) => toJson(child, marks)) }),
  };
}

/** Each category once, in the order of the tree. */
function flatten(nodes: readonly CategoryNode[]): readonly CategoryRow[] {
  const found = new Map<UpdateId, CategoryRow>();
  const visit = ({ row, children }: CategoryNode): void => {
    found.set(row.updateId, row);
    children.forEach(visit);
  };
  nodes.forEach(visit);
  return [...found.values()];
}

/** Explains the marks that are shown. */
function legendOf(nodes: readonly CategoryNode[], marks: ReadonlyMap<UpdateId, SelectionMark>): string[] {
  const shown = new Set(flatten(nodes).map((row) => marks.get(row.updateId)));
  const meanings = [
    ...(shown.has('selected') ? [`${MARKS.selected} selected`] : []),
    ...(shown.has('included') ? [`${MARKS.included} selected with what is above it`] : []),
    ...(shown.has('partial') ? [`${MARKS.partial} something below it is selected`] : []),
  ];
  return meanings.length === 0 ? [] : [`${meanings.join(', ')}.`];
}

function nothingText(list: ListName, count: number, text: string | undefined, onlySelected: boolean): string {
  if (count === 0) {
    return `The store has no ${list} yet: run "wsusutil sync --categories-only", or import a package.`;
  }
  const which = onlySelected ? ' that is selected' : '';
  return text === undefined
    ? `No entry${which}.`
    : `No entry${which} has "${text}" in its name; the store has ${formatCount(count)} ${list}.`;
}

function summaryOf(list: ListName, settings: Settings, rows: readonly CategoryRow[]): string {
  const chosen = settings[list];
  if (chosen.length === 0) {
    return `Nothing is selected: "wsusutil ${list} select <name>" does it.`;
  }
  const selected = `${formatQuantity(chosen.length, 'entry', 'entries')} selected`;
  const all = expandSelection(rows, {
    products: list === 'products' ? chosen : [],
    classifications: list === 'classifications' ? chosen : [],
  })[list];
  return all.length === chosen.length
    ? `${selected}.`
    : `${selected}, ${formatCount(all.length)} with all that is below; what comes later below them is selected too.`;
}

function titlesOf(ids: readonly UpdateId[], rows: readonly CategoryRow[]): string {
  const named = ids.slice(0, MAX_NAMED).map((id) => titleOf(id, rows));
  const more = ids.length - named.length;
  return named.join('; ') + (more === 0 ? '' : `; and ${formatCount(more)} more`);
}

function titleOf(id: UpdateId, rows: readonly CategoryRow[]): string {
  return rows.find((row) => row.updateId === id)?.title.trim() ?? id;
}
