/**
 * The parts of undici that are used here. Its index also loads fetch, caches, mocks and WebSockets, which takes three times
 * as long: 125 ms of processor time instead of 40 for every command that asks a server (2026-11-21). The version is
 * pinned, so the paths are what they are.
 */
import { createRequire } from 'node:module';

export type UndiciParts = Pick<typeof import('undici'), 'Agent' | 'Pool' | 'buildConnector'>;

let parts: UndiciParts | undefined;

export function loadUndici(): UndiciParts {
  if (parts !== undefined) return parts;
  const require = createRequire(import.meta.url);
  const dispatcher = require('undici/lib/dispatcher/dispatcher.js') as { readonly prototype: object };
  Object.assign(dispatcher.prototype, require('undici/lib/api/index.js')); // `request` and `connect`, as the index does it
  parts = {
    Agent: require('undici/lib/dispatcher/agent.js') as UndiciParts['Agent'],
    Pool: require('undici/lib/dispatcher/pool.js') as UndiciParts['Pool'],
    buildConnector: require('undici/lib/core/connect.js') as UndiciParts['buildConnector'],
  };
  return parts;
}
