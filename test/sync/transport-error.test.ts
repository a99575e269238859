import { expect, test } from 'vitest';
import { WsusutilError } from '../../src/errors.js';
import { isTransient, statusError, toTransportError } from '../../src/sync/transport-error.js';

const NOW = new Date(Date.UTC(2026, 10, 21));
const coded = (code: string, cause?: unknown) =>
  Object.assign(new Error(`text of ${code}`, { cause }), { code });
const told = (error: unknown) => toTransportError(error, 'GetCookie', 'wsus:8530') as WsusutilError;

test.each([
  ['ECONNRESET', 'UPSTREAM_UNREACHABLE', true],
  ['ECONNREFUSED', 'UPSTREAM_UNREACHABLE', true],
  ['ETIMEDOUT', 'UPSTREAM_UNREACHABLE', true],
  ['EAI_AGAIN', 'UPSTREAM_UNREACHABLE', true],
  ['ENOTFOUND', 'UPSTREAM_UNREACHABLE', false],
  ['Z_BUF_ERROR', 'UPSTREAM_TRUNCATED', true],
  ['Z_DATA_ERROR', 'UPSTREAM_TRUNCATED', true],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UPSTREAM_REFUSED', false],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'UPSTREAM_REFUSED', false],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'UPSTREAM_REFUSED', false],
  ['CERT_HAS_EXPIRED', 'UPSTREAM_REFUSED', false],
  ['EPROTO', 'UPSTREAM_REFUSED', false],
])('%s is %s, worth another try: %s', (nodeCode, code, transient) => {
  for (const error of [coded(nodeCode), new TypeError('fetch failed', { cause: coded(nodeCode) })]) {
    const mapped = told(error);
    expect(mapped).toMatchObject({ code, message: expect.stringContaining('GetCookie at wsus:8530') });
    expect(isTransient(mapped)).toBe(transient);
    expect(mapped.cause).toBe(error);
  }
});

test('the first of several failed addresses gives the reason', () => {
  expect(told(new AggregateError([coded('ECONNREFUSED'), coded('EPROTO')]))).toMatchObject({
    code: 'UPSTREAM_UNREACHABLE',
  });
});

test('what no network can cause comes back as it is', () => {
  const defect = new TypeError('x is not a function');
  expect(told(defect)).toBe(defect);
  const own = new WsusutilError('LIMIT_EXCEEDED', 'too much');
  expect(told(own)).toBe(own);
  expect([isTransient(defect), isTransient(own)]).toEqual([false, false]);
});

test.each([
  ['30', 30_000],
  [new Date(NOW.getTime() + 90_000).toUTCString(), 90_000],
  ['999999999', 600_000],
  [new Date(0).toUTCString(), 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is a wait of %s ms', (header, ms) => {
  const error = statusError(503, { 'retry-after': header }, 'GetCookie', 'wsus', NOW);
  expect([error.retryAfterMs, error.isTransient]).toEqual([ms, true]);
});

test('a refusal names the ways of authentication and nothing more of the header', () => {
  const error = statusError(
    401,
    { 'www-authenticate': 'Negotiate, NTLM, Basic realm="se, cret"' },
    'GetCookie',
    'wsus',
    NOW,
  );
  expect(error.message).toMatch(/it asks for Negotiate, NTLM, Basic/);
  expect(statusError(407, { 'proxy-authenticate': 'Basic' }, 'GetCookie', 'wsus', NOW).message).toMatch(
    /^The proxy .* Basic$/,
  );
  const thrownBack = { 'www-authenticate': 'dXM6aHVudGVyMg, Basic' };
  expect(statusError(401, thrownBack, 'GetCookie', 'wsus', NOW).message).toMatch(/it asks for Basic$/);
});

test('a redirect is shown without credentials and query', () => {
  const error = statusError(
    302,
    { location: 'https://u:secret@host/path?key=secret' },
    'GetCookie',
    'wsus',
    NOW,
  );
  expect(error.message).toContain('to https://host/path');
  expect(error.message).not.toContain('secret');
});
