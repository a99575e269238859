/**
 * A generated catalogue as an upstream would send it, rendered once into a file, so that a benchmark's server has
 * nothing left to do but to copy bytes.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { constants, deflateRawSync } from 'node:zlib';
import { parseUpdateDocument } from '../../../src/formats/update-xml/parse-update.js';
import { cabinetOf, compressedBlob, isSentPlain, plainBlob, updateData, urlData } from '../update-wire.js';
import { type CatalogueOptions, generateCatalogue } from './generate-catalogue.js';

/**
 * One revision of the index. Its pieces lie at `offset` in the file, one behind the other, in this order:
 * `ServerSyncUpdateData`, the `ServerSyncUrlData` of its files, and the same two as deflate blocks that begin and end
 * at a byte and refer to nothing before them.
 */
export interface WireItem {
  /** `<id>.<number>` */
  readonly key: string;
  /** category, classification or detectoid */
  readonly isConfig: boolean;
  readonly offset: number;
  readonly sizes: readonly [update: number, urls: number, deflatedUpdate: number, deflatedUrls: number];
}

export interface WireCatalogue {
  readonly items: readonly WireItem[];
  /** digest of all documents, for telling an outdated file */
  readonly documents: string;
}

/**
 * Makes `<path>` with the pieces and `<path>.json` with a {@link WireCatalogue}, unless they are there and of these
 * very documents.
 */
export function renderWireCatalogue(path: string, options: CatalogueOptions): WireCatalogue {
  const hash = createHash('sha256');
  for (const { document } of generateCatalogue(options)) hash.update(document);
  const documents = hash.digest('hex');
  const known = readIndex(`${path}.json`);
  if (known?.documents === documents) return known;

  const items: WireItem[] = [];
  const unfinished = `${path}.${process.pid}`;
  const file = openSync(unfinished, 'w');
  let offset = 0;
  try {
    const muUrls = new Map<string, string>();
    for (const { identity, document, entry, files } of generateCatalogue(options)) {
      for (const { sha1, muUrl } of files) muUrls.set(sha1, muUrl);
      const text = document.toString('utf8');
      const own = entry.fileSha1s.map((sha1) => ({ sha1, muUrl: muUrls.get(sha1) ?? '' }));
      const blob = isSentPlain(text)
        ? { plain: plainBlob(text) }
        : { compressed: compressedBlob(cabinetOf(text)) };
      const update = Buffer.from(updateData(identity, blob, own));
      const urls = Buffer.from(own.map(urlData).join(''));
      const pieces = [update, urls, deflated(update), deflated(urls)] as const;
      for (const piece of pieces) writeSync(file, piece);
      const [a, b, c, d] = pieces.map(({ length }) => length) as [number, number, number, number];
      const { updateType } = parseUpdateDocument(document);
      items.push({
        key: `${identity.updateId}.${identity.revisionNumber}`,
        isConfig: updateType === 'Category' || updateType === 'Detectoid',
        offset,
        sizes: [a, b, c, d],
      });
      offset += a + b + c + d;
    }
  } finally {
    closeSync(file);
  }
  const catalogue: WireCatalogue = { items, documents };
  rmSync(`${path}.json`, { force: true });
  renameSync(unfinished, path);
  writeFileSync(`${path}.json`, JSON.stringify(catalogue));
  return catalogue;
}

function deflated(bytes: Uint8Array): Buffer {
  return bytes.length === 0
    ? Buffer.alloc(0)
    : deflateRawSync(bytes, { finishFlush: constants.Z_FULL_FLUSH });
}

function readIndex(path: string): WireCatalogue | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as WireCatalogue;
  } catch {
    return undefined; // not there, or not finished
  }
}
