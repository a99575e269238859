import type { ContentFileKind, WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentSelection } from '../store/content-index.js';
import { FOLDER_COUNT } from './layout.js';

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
