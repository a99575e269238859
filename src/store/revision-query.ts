import { isAscii } from 'node:buffer';
import { updateIdToBytes } from '../model/update-identity.js';
import type { SqlValue } from '../platform/sqlite.js';
import type { RevisionFilter } from './metadata-store.js';
import { IS_SUPERSEDED } from './rows.js';
import { ARTICLE_CODES, UPDATE_TYPE_CODES } from './schema.js';

/** `FROM … WHERE …` over `revisions r JOIN updates u`, with its parameters. */
export interface RevisionQuery {
  readonly from: string;
  readonly parameters: readonly SqlValue[];
}

/** A filter as SQL. Values are always bound, never part of the text. */
export function buildRevisionQuery(filter: RevisionFilter): RevisionQuery {
  const conditions: string[] = [];
  const parameters: SqlValue[] = [];
  const add = (condition: string, ...values: SqlValue[]) => {
    conditions.push(condition);
    parameters.push(...values);
  };
  if (filter.newestOnly ?? true) add('u.newest_revision_key = r.revision_key');
  for (const word of filter.words ?? []) {
    const spellings = spellingsOf(word);
    const id = word.toLowerCase().replaceAll(/[{}-]/g, '');
    add(
      `(${titleLike(spellings.length)} OR r.kb_article_ids LIKE ? ESCAPE '\\' OR hex(u.update_id) LIKE ? ESCAPE '\\')`,
      ...spellings,
      `%${escapeLike(word.replace(/^kb(?=\d)/i, ''))}%`,
      /^[0-9a-f]{8,32}$/.test(id) ? `${id}%` : '',
    );
  }
  if (filter.title !== undefined) {
    const spellings = spellingsOf(filter.title);
    add(`(${titleLike(spellings.length)})`, ...spellings);
  }
  for (const ids of [filter.categories, filter.classifications]) {
    if (ids === undefined || ids.length === 0) continue;
    add(
      `r.revision_key IN (
        WITH RECURSIVE below (category_key) AS (
          SELECT update_key FROM updates WHERE update_id IN (${placeholders(ids.length)})
          UNION
          SELECT child.update_key FROM below
          JOIN revision_categories link ON link.category_key = below.category_key
          JOIN revisions child ON child.revision_key = link.revision_key
          WHERE child.update_type = ${UPDATE_TYPE_CODES.Category})
        SELECT revision_key FROM revision_categories WHERE category_key IN (SELECT category_key FROM below))`,
      ...ids.map(updateIdToBytes),
    );
  }
  if (filter.types !== undefined) {
    add(
      `r.update_type IN (${placeholders(filter.types.length)})`,
      ...filter.types.map((type) => UPDATE_TYPE_CODES[type]),
    );
  }
  for (const [code, values] of [
    [ARTICLE_CODES.kb, filter.kbArticleIds],
    [ARTICLE_CODES.cve, filter.cveIds?.map((cve) => cve.toUpperCase())],
  ] as const) {
    if (values === undefined || values.length === 0) continue;
    add(
      `r.revision_key IN (SELECT revision_key FROM articles WHERE kind = ${code} AND value IN (${placeholders(values.length)}))`,
      ...values,
    );
  }
  if (filter.severities !== undefined && filter.severities.length > 0) {
    add(
      `lower(r.msrc_severity) IN (${placeholders(filter.severities.length)})`,
      ...filter.severities.map((severity) => severity.toLowerCase()),
    );
  }
  if (filter.createdSince !== undefined) add('r.created_at >= ?', filter.createdSince);
  if (filter.superseded !== undefined) add(filter.superseded ? IS_SUPERSEDED : `NOT ${IS_SUPERSEDED}`);
  if (filter.expired !== undefined) {
    add(filter.expired ? `r.publication_state = 'Expired'` : `r.publication_state IS NOT 'Expired'`);
  }
  if (filter.languages !== undefined && filter.languages.length > 0) {
    const matches = filter.languages.map(() => `(',' || r.languages || ',') LIKE ? ESCAPE '\\'`);
    add(
      `(r.languages IS NULL OR ${matches.join(' OR ')})`,
      ...filter.languages.map((language) => `%,${escapeLike(language)},%`),
    );
  }
  if (filter.updateIds !== undefined) {
    add(
      `u.update_id IN (${placeholders(filter.updateIds.length)})`,
      ...filter.updateIds.map(updateIdToBytes),
    );
  }
  if (filter.deployableOnly === true) add('r.explicitly_deployable = 1');
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return { from: `FROM revisions r JOIN updates u ON u.update_key = r.update_key${where}`, parameters };
}

/** LIKE folds the case of ASCII only; for other letters the usual spellings are tried one by one. */
function spellingsOf(text: string): readonly string[] {
  if (isAscii(Buffer.from(text))) return [`%${escapeLike(text)}%`];
  const lower = text.toLowerCase();
  const capitalized = lower.slice(0, 1).toUpperCase() + lower.slice(1);
  return [...new Set([text, lower, text.toUpperCase(), capitalized])].map((each) => `%${escapeLike(each)}%`);
}

function titleLike(count: number): string {
  return Array.from({ length: count }, () => `r.title LIKE ? ESCAPE '\\'`).join(' OR ');
}

function placeholders(count: number): string {
  return Array.from({ length: count }, () => '?').join(',');
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (special) => `\\${special}`);
}
