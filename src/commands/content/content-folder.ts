import type { ContentRunner } from '../../content/content-runner.js';
import { contentFolderOf } from '../../content/content-tree.js';
import type { DataDirectory } from '../context.js';

/** The content folder of the data directory, under whatever spelling it is there; where it would be, if it is not. */
export async function ownContentFolder(
  { contentRoot }: Pick<DataDirectory, 'contentRoot'>,
  runner: ContentRunner,
): Promise<string> {
  return contentFolderOf(contentRoot, runner);
}
