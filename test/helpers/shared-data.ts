import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe } from 'vitest';

const DIRECTORY = resolve(import.meta.dirname, '../../../shared/data');

/** Real test data that is not part of the project; undefined where it has not been laid beside it. */
export const sharedData: string | undefined = existsSync(DIRECTORY) ? DIRECTORY : undefined;

/** A `describe` for tests that need {@link sharedData}: they are skipped, and the name says why. */
export const withSharedData = (name: string, body: (directory: string) => void): void => {
  if (sharedData !== undefined) describe(name, () => body(sharedData as string));
  else describe.skip(`${name} (skipped: no ../shared/data beside the project)`, () => body(DIRECTORY));
};
