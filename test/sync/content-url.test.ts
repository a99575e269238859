import { expect, test } from 'vitest';
import { contentUrlOf } from '../../src/sync/content-url.js';
import { failureOf } from '../helpers/package-builder.js';

// server-sync-protocol 1.3
test.each([
  ['http://wsus:8530/', 'http://wsus:8530/Content'],
  ['https://wsus:8531/', 'http://wsus:8530/Content'],
  ['http://wsus/', 'http://wsus/Content'],
  ['https://wsus/', 'http://wsus/Content'],
  ['https://wsus:81/', 'http://wsus/Content'],
  ['https://[2001:db8::1]:9001/prefix/', 'http://[2001:db8::1]:9000/Content'],
])('the content of %s lies at %s', (upstream, content) => {
  expect(contentUrlOf(new URL(upstream))).toBe(content);
});

test('there is no port below the first one', async () => {
  const error = await failureOf(async () => contentUrlOf(new URL('https://wsus:1/')));
  expect(error.code).toBe('USAGE');
});
