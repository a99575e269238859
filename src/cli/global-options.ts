import type { OptionSpecs } from '../commands/declaration.js';

/** Options every command takes, before or behind its name. A command must not declare one of these names. */
export const GLOBAL_OPTIONS = {
  'data-dir': {
    type: 'string',
    value: 'dir',
    completes: 'directory',
    description: 'Data directory to work on (else $WSUSUTIL_HOME, else the usual place)',
  },
  json: { type: 'boolean', description: 'Print one JSON document with the result, and nothing else' },
  'json-events': {
    type: 'boolean',
    description: 'Print one JSON line per event; the last line is the result',
  },
  csv: { type: 'boolean', description: 'Print the table as CSV (commands that print a table)' },
  quiet: { type: 'boolean', description: 'No progress, no start line; warnings are only counted' },
  verbose: { type: 'boolean', description: 'Also say each step, and the causes of a failure' },
  'no-color': { type: 'boolean', description: 'No colours (as does the variable NO_COLOR)' },
} as const satisfies OptionSpecs;

export interface GlobalOptions {
  readonly dataDirectory: string | undefined;
  readonly json: boolean;
  readonly jsonEvents: boolean;
  readonly csv: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly noColor: boolean;
}
