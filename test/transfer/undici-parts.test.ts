/** The parts lie at paths that undici promises nobody: a new version has to be looked at. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadUndici } from '../../src/transfer/undici-parts.js';

test('the parts are those of the whole, methods included', async () => {
  const { Agent, Pool, buildConnector } = loadUndici();
  expect(Agent.prototype).toHaveProperty('request');
  expect(Pool.prototype).toHaveProperty('connect');
  const undici = await import('undici');
  expect([Agent, Pool, buildConnector]).toEqual([undici.Agent, undici.Pool, undici.buildConnector]);
});

test('the version of undici is pinned', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(dependencies.undici).toMatch(/^\d+\.\d+\.\d+$/);
});
