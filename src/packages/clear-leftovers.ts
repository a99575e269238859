import { rm } from 'node:fs/promises';
import type { Report } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import { findTemporaryFiles } from '../platform/temporary-files.js';

/** Nothing is known of its writer: one on another machine may finish other volumes before it names this one. */
const AGE_TO_TELL_MS = 86_400_000;

/**
 * Removes what exports of this machine that were killed have left in a folder, and names what looks like that and may
 * be another machine's. A write that goes on is left alone.
 */
export async function clearLeftovers(
  folder: string,
  { now, report }: { readonly now: () => Date; readonly report: Report },
): Promise<void> {
  for (const { path, size, modifiedAt, writer } of await findTemporaryFiles(folder)) {
    if (writer === 'running') continue;
    if (writer === 'ended') {
      const isGone = await rm(path).then(
        () => true,
        () => false,
      );
      if (isGone) {
        report({
          type: 'step',
          message: `Removed ${path} (${groupDigits(size)} bytes), left of a write that was killed`,
        });
        continue;
      }
    } else if (now().getTime() - modifiedAt < AGE_TO_TELL_MS) continue;
    report({
      type: 'warning',
      code: 'FILE_LEFT_BEHIND',
      message: `${path} (${groupDigits(size)} bytes) looks left of a write that was killed; delete it unless another machine is writing there`,
    });
  }
}
