import type { ContentFileKind, WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentSelection } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import { FOLDER_COUNT } from './layout.js';
import type { MissingFile } from './missing-list.js';

/** Revisions that a list names for each file. */
const NEEDED_BY = 3;
const MAX_TITLE_LENGTH = 200;

/** Selected files that are missing or damaged as the store knows it now; some thousand at a time. */
export async function* missingFilesOf(
  selection: ContentSelection,
  kinds?: readonly ContentFileKind[],
): AsyncGenerator<readonly WantedFile[], void, undefined> {
  for (let folder = 0; folder < FOLDER_COUNT; folder++) {
    let after: Sha1Hex | undefined;
    for (;;) {
      const page = await selection.page(folder, after);
      if (page.length === 0) break;
      after = page.at(-1)?.sha1;
      const missing = page.filter(
        ({ record, kind }) =>
          (record === undefined || record.state === 'absent' || record.state === 'corrupt') &&
          (kinds === undefined || kinds.includes(kind)),
      );
      if (missing.length > 0) yield missing;
    }
  }
}

/** Files that are not whole, as a list of missing files tells them. */
export async function describeMissing(
  store: Pick<MetadataStore, 'contentIndex' | 'fileLocations'>,
  files: readonly Pick<WantedFile, 'sha1' | 'sha256' | 'size' | 'fileName' | 'kind' | 'record'>[],
): Promise<readonly MissingFile[]> {
  const sha1s = files.map((file) => file.sha1);
  const urls = await store.fileLocations(sha1s);
  const users = await (await store.contentIndex()).users(sha1s, NEEDED_BY);
  return files.map(({ sha1, sha256, size, fileName, kind, record }) => ({
    sha1,
    sha256,
    size,
    fileName,
    kind,
    url: urls.get(sha1),
    problem: record?.problem ?? 'absent',
    neededBy: (users.get(sha1)?.revisions ?? []).map(
      ({ identity, title }) =>
        `${identity.updateId}:${identity.revisionNumber} ${title.slice(0, MAX_TITLE_LENGTH)}`,
    ),
  }));
}
