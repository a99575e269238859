import { join } from 'node:path';
import type { ContentRunner } from '../content/content-runner.js';
import { findContentFolder, hasContentFolder } from '../content/content-tree.js';
import { CONTENT_FOLDER } from '../content/layout.js';
import type { DataDirectory } from './context.js';

/** The content folder of the data directory, under whatever spelling it is there; where it would be, if it is not. */
export async function ownContentFolder(
  { contentRoot }: Pick<DataDirectory, 'contentRoot'>,
  runner: ContentRunner,
): Promise<string> {
  return (await hasContentFolder(contentRoot))
    ? findContentFolder(contentRoot, runner)
    : join(contentRoot, CONTENT_FOLDER);
}
