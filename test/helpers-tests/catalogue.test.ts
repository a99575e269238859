import { createHash } from 'node:crypto';
import { SaxesParser } from 'saxes';
import { expect, test } from 'vitest';
import { digestFromBase64 } from '../../src/model/digest.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import {
  type CatalogueItem,
  generateCatalogue,
  MIN_REVISIONS,
} from '../helpers/catalogue/generate-catalogue.js';
import { fc } from '../helpers/properties.js';

const UPDATE = 'http://schemas.microsoft.com/msus/2002/12/Update';

/** What an independent parser finds in a document. */
interface Found {
  identity: string;
  updateType: string;
  state: string;
  categoryType: string | undefined;
  prerequisites: { members: string[]; alternatives: boolean }[];
  bundled: string[];
  files: string[];
  languages: string[];
}

function parse(document: Buffer): Found {
  const found: Found = {
    identity: '',
    updateType: '',
    state: '',
    categoryType: undefined,
    prerequisites: [],
    bundled: [],
    files: [],
    languages: [],
  };
  const path: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const value = (name: string) => tag.attributes[name]?.value ?? '';
    path.push(tag.uri === UPDATE ? tag.local : `${tag.prefix}:${tag.local}`);
    const where = path.join('/');
    const id = value('UpdateID').toLowerCase();
    if (where === 'Update/UpdateIdentity') found.identity = `${id}:${value('RevisionNumber')}`;
    if (where === 'Update/Properties') {
      found.updateType = value('UpdateType');
      found.state = value('PublicationState');
    }
    if (where === 'Update/Relationships/Prerequisites/UpdateIdentity')
      found.prerequisites.push({ members: [id], alternatives: false });
    if (where === 'Update/Relationships/Prerequisites/AtLeastOne')
      found.prerequisites.push({ members: [], alternatives: true });
    if (where === 'Update/Relationships/Prerequisites/AtLeastOne/UpdateIdentity')
      found.prerequisites.at(-1)?.members.push(id);
    if (where.startsWith('Update/Relationships/BundledUpdates') && tag.local === 'UpdateIdentity')
      found.bundled.push(`${id}:${value('RevisionNumber')}`);
    if (where === 'Update/Files/File') found.files.push(digestFromBase64(value('Digest'), 'SHA1'));
    if (tag.local === 'CategoryInformation') found.categoryType = value('CategoryType');
  });
  parser.on('text', (text) => {
    if (path.join('/').endsWith('LocalizedProperties/Language')) found.languages.push(text);
  });
  parser.on('closetag', () => {
    path.pop();
  });
  parser.write(document.toString('utf8')).close();
  return found;
}

function digestOf(items: Iterable<CatalogueItem>): string {
  const hash = createHash('sha256');
  for (const item of items) hash.update(item.document).update(JSON.stringify([item.entry, item.files]));
  return hash.digest('hex');
}

test('the same seed gives the same catalogue, another seed another', () => {
  const first = digestOf(generateCatalogue({ revisions: 600, seed: 7 }));
  expect(digestOf(generateCatalogue({ revisions: 600, seed: 7 }))).toBe(first);
  expect(digestOf(generateCatalogue({ revisions: 600, seed: 8 }))).not.toBe(first);
});

test('a catalogue has exactly the number of revisions asked for, whatever that is', () => {
  fc.assert(
    fc.property(fc.integer({ min: MIN_REVISIONS, max: 900 }), fc.integer(), (revisions, seed) => {
      const identities = [...generateCatalogue({ revisions, seed })].map(({ identity }) =>
        formatIdentity(identity),
      );
      expect(identities).toHaveLength(revisions);
      expect(new Set(identities).size).toBe(revisions);
    }),
    { numRuns: 25 },
  );
  expect(() => [...generateCatalogue({ revisions: MIN_REVISIONS - 1, seed: 1 })]).toThrow(RangeError);
});

test('every document parses, names its identity, and follows all that it needs', () => {
  const updates = new Set<string>();
  const revisions = new Set<string>();
  const kinds = new Map<string, string | undefined>();
  const digests = new Set<string>();
  for (const { identity, document, entry, files } of generateCatalogue({ revisions: 3_000, seed: 42 })) {
    const found = parse(document);
    const name = formatIdentity(identity);
    expect(found.identity).toBe(name);
    expect(entry.identity).toEqual(identity);
    for (const clause of found.prerequisites) {
      expect(clause.members.length, name).toBeGreaterThan(0);
      for (const id of clause.members) expect(updates.has(id), `${name} needs ${id}`).toBe(true);
    }
    for (const child of found.bundled) expect(revisions.has(child), `${name} bundles ${child}`).toBe(true);
    updates.add(identity.updateId);
    revisions.add(name);
    if (found.updateType === 'Category') kinds.set(identity.updateId, found.categoryType);

    // The package's lists follow from the document: direct ids, or without any the bundle's.
    expect(entry.fileSha1s).toEqual(found.files);
    for (const { sha1 } of files) {
      expect(found.files).toContain(sha1);
      expect(digests.has(sha1), `${name} brings ${sha1} again`).toBe(false);
      digests.add(sha1);
    }
    for (const sha1 of entry.fileSha1s)
      expect(digests.has(sha1), `${name} has ${sha1} without a URL`).toBe(true);
    const named = found.prerequisites
      .filter((clause) => clause.alternatives)
      .flatMap((clause) => clause.members);
    const products = named.filter((id) => kinds.get(id) === 'Product');
    const classifications = named.filter((id) => kinds.get(id) === 'UpdateClassification');
    const isTaxonomy = found.updateType === 'Category' || found.updateType === 'Detectoid';
    if (isTaxonomy || products.length + classifications.length > 0) {
      expect(entry.categories, name).toEqual(isTaxonomy ? [] : products);
      expect(entry.classifications, name).toEqual(isTaxonomy ? [] : classifications);
    } else {
      expect(entry.categories.length * entry.classifications.length, name).toBeGreaterThan(0);
    }
  }
  expect([...kinds.values()]).toContain(''); // categories of no type
});

test('a catalogue of some size has the oddities of a real one', () => {
  const counts = new Map<string, number>();
  const count = (what: string, when: boolean) => counts.set(what, (counts.get(what) ?? 0) + (when ? 1 : 0));
  const updates = new Set<string>();
  const revisions = 6_000;
  let size = 0;
  for (const { identity, document, entry } of generateCatalogue({ revisions, seed: 3 })) {
    const text = document.toString('utf8');
    size += document.length;
    for (const type of ['Category', 'Detectoid', 'Software', 'Driver'])
      count(type, text.includes(`UpdateType="${type}"`));
    count('Expired', text.includes('PublicationState="Expired"'));
    count('another revision', updates.has(identity.updateId));
    updates.add(identity.updateId);
    count('Defender', entry.categories.includes('8c3fcc84-7410-4a95-8b89-a166a0190486'));
    count('CR LF', text.includes('\r\n'));
    count('LF alone', /[^\r]\n/.test(text));
    count('comment', text.includes('<!--'));
    count('upper-case id', /UpdateID="[0-9A-F-]*[A-F][0-9A-F-]*"/.test(text));
    count('outside the BMP', /\p{Emoji_Presentation}/u.test(text));
    count('Arabic', /\p{Script=Arabic}/u.test(text));
    count('Chinese', /\p{Script=Han}/u.test(text));
    count('EULA', text.includes('<upd:EulaFile '));
    count('express', text.includes('PatchingType="Express"'));
    count('alternatives', /<upd:BundledUpdates><upd:AtLeastOne>/.test(text));
    count('larger than 100 kB', document.length > 100_000);
    count('URL to escape', text.includes('&amp;'));
  }
  for (const [what, times] of counts) expect(times, what).toBeGreaterThan(0);
  const share = (what: string) => (counts.get(what) as number) / revisions;
  expect(share('Detectoid')).toBeGreaterThan(0.1);
  expect(share('Detectoid')).toBeLessThan(0.15);
  expect(share('Expired')).toBeGreaterThan(0.02);
  expect(share('Expired')).toBeLessThan(0.08);
  expect(share('another revision')).toBeGreaterThan(0.01);
  expect(share('another revision')).toBeLessThan(0.05);
  expect(share('Defender')).toBeGreaterThan(0.25);
  expect(size / revisions).toBeGreaterThan(5_000);
  expect(size / revisions).toBeLessThan(8_000);
});
