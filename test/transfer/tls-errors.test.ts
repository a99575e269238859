import { describe, expect, test } from 'vitest';
import { explainTlsError } from '../../src/transfer/tls-errors.js';

function withCode(code: string, message = 'x', cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

/** Codes of OpenSSL 3 that a server of the test cannot be made to cause; the others stand in trust.test.ts. */
describe('what TLS refuses', () => {
  test.each([
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'not trusted', 'caFile'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'not trusted', 'caFile'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'not trusted', 'inspects TLS'],
    ['CERT_NOT_YET_VALID', 'not valid yet', 'clock'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'no version of TLS', 'SCHANNEL'],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'no version of TLS', 'SCHANNEL'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'does not speak TLS', 'port'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'client certificate', 'clientKeyFile'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'client certificate', 'clientKeyFile'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'client certificate', 'clientKeyFile'],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'no cipher in common', 'up to date'],
    ['CA_MD_TOO_WEAK', 'too weak', 'SHA-256'],
    ['EE_KEY_TOO_SMALL', 'too weak', '2048'],
    ['INVALID_PURPOSE', 'TLS failed', 'certificate'],
    ['EPROTO', 'TLS failed', 'certificate'],
  ])('%s is told as "%s"', (code, says, hint) => {
    const problem = explainTlsError(withCode(code), 'wsus.test');
    expect(problem?.says).toContain(says);
    expect(problem?.says).toContain(code);
    expect(problem?.hint).toContain(hint);
  });

  test('is found behind other errors, but not behind endless ones', () => {
    const inner = withCode('CERT_HAS_EXPIRED');
    expect(explainTlsError(new Error('a', { cause: new Error('b', { cause: inner }) }), 'x')).toBeDefined();
    expect(explainTlsError(new AggregateError([inner]), 'x')).toBeDefined();
    const circle = new Error('round');
    circle.cause = circle;
    expect(explainTlsError(circle, 'x')).toBeUndefined();
  });

  test('a connection closed in the handshake is TLS, one closed elsewhere is not', () => {
    const early = withCode(
      'ECONNRESET',
      'Client network socket disconnected before secure TLS connection was established',
    );
    expect(explainTlsError(early, 'x')?.says).toContain('in the middle of the TLS handshake');
    expect(explainTlsError(withCode('ECONNRESET', 'read ECONNRESET'), 'x')).toBeUndefined();
    expect(explainTlsError(withCode('ECONNREFUSED'), 'x')).toBeUndefined();
    expect(explainTlsError('text', 'x')).toBeUndefined();
  });

  test.each([
    ['sws.update.microsoft.com', true],
    ['SWS.Update.Microsoft.com', true],
    ['download.windowsupdate.com', true],
    ['catalog.sf.dl.delivery.mp.microsoft.com', true],
    ['update.microsoft.com.evil.test', false],
    ['notwindowsupdate.com', false],
  ])('the root of Microsoft is named for %s: %s', (host, isNamed) => {
    const problem = explainTlsError(withCode('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'), host);
    expect(problem?.says.includes('Microsoft Root Certificate Authority 2011')).toBe(isNamed);
    expect(problem?.hint.includes('certutil')).toBe(isNamed);
  });
});
