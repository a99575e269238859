import type { GlobalOptions } from './global-options.js';
import type { Output } from './output.js';
import type { Paint } from './paint.js';

/** Where a run is followed from: its standard streams, and how the operator wants them used. */
export interface Edge {
  readonly globals: GlobalOptions;
  readonly stdout: Output;
  readonly stderr: Output;
  /** for standard error */
  readonly paint: Paint;
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** True for --json and --json-events: scripts read standard output, people do not. */
export function wantsDocument({ globals }: Pick<Edge, 'globals'>): boolean {
  return globals.json || globals.jsonEvents;
}

/**
 * Writes the result document: alone with --json, as the last line with --json-events.
 *
 * @throws WsusutilError `DISK_FULL`, `WRITE_FAILED`; a closed pipe is not an error
 */
export async function writeDocument(
  { globals, stdout }: Edge,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  const document = globals.jsonEvents ? { type: 'result', ...fields } : fields;
  await stdout.write(`${JSON.stringify(document, undefined, globals.jsonEvents ? undefined : 2)}\n`);
  await stdout.flush();
}
