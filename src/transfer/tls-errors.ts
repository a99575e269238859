/** What TLS refuses, in words that say what to do. There is no switch that turns checking off. */
import { errorText } from '../errors.js';
import { firstCodeOf } from './connection-errors.js';

export interface TlsProblem {
  /** completes "<host>: …" */
  readonly says: string;
  readonly hint: string;
}

const UNKNOWN_ISSUER: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
]);
/** Domains of Microsoft whose certificates may end in a root of its own. */
const MICROSOFT = /(^|\.)(update\.microsoft\.com|windowsupdate\.com|delivery\.mp\.microsoft\.com)$/i;

/** How the root of Microsoft Update gets here (server-sync-protocol 1.2). */
export const MICROSOFT_ROOT_HINT =
  'On any Windows machine run: certutil -store Root "Microsoft Root Certificate Authority 2011" root.cer (or certlm.msc, Trusted Root Certification Authorities, Export); bring root.cer here and run: wsusutil config set caFile /path/to/root.cer';
const INTERCEPTED =
  'If a proxy on the way inspects TLS, it is the root certificate of that proxy that is missing: ask its administrators, and set caFile to it, or have the host excluded from inspection';

/**
 * @param hostname whose certificate or handshake it was
 * @returns undefined: the error is none of TLS
 */
export function explainTlsError(error: unknown, hostname: string): TlsProblem | undefined {
  const code = firstCodeOf(error);
  if (code === undefined) return undefined;
  const problem = problemOf(code, error, hostname);
  return problem === undefined ? undefined : { says: `${problem.says} (${code})`, hint: problem.hint };
}

function problemOf(code: string, error: unknown, hostname: string): TlsProblem | undefined {
  if (UNKNOWN_ISSUER.has(code)) {
    const itself =
      code === 'DEPTH_ZERO_SELF_SIGNED_CERT' ? 'it is signed by itself' : 'its issuer is unknown';
    return MICROSOFT.test(hostname)
      ? {
          says: `the certificate is not trusted: ${itself} here. The chain of Microsoft Update ends in "Microsoft Root Certificate Authority 2011", which is not among the roots Node.js knows`,
          hint: `${MICROSOFT_ROOT_HINT}. ${INTERCEPTED}.`,
        }
      : {
          says: `the certificate is not trusted: ${itself} here`,
          hint: `Save the root certificate of its authority as a file and run: wsusutil config set caFile /path/to/root.pem. ${INTERCEPTED}.`,
        };
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return {
      says: code === 'CERT_HAS_EXPIRED' ? 'the certificate has expired' : 'the certificate is not valid yet',
      hint: 'Check the clock of this machine; if it is right, the certificate must be replaced there, or an old root in caFile here.',
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return {
      says: `the certificate is for another name than ${hostname}`,
      hint: 'Use the name the certificate was made for (upstreamServer), or have it made for this one; a portal or proxy may also be answering instead.',
    };
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|UNSUPPORTED_SSL_VERSION/.test(code)) {
    return {
      says: 'the server offers no version of TLS that is allowed here (1.2 or later)',
      hint: 'Turn TLS 1.2 on at that server; Windows Server 2012 R2 and older need it in the registry (SCHANNEL).',
    };
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return {
      says: 'what answers there does not speak TLS',
      hint: 'Check the port: WSUS speaks TLS on 8531 (or 443) and plain HTTP on 8530 (or 80); see upstreamPort and upstreamSsl.',
    };
  }
  if (/CERTIFICATE_REQUIRED|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|ALERT_UNKNOWN_CA|ACCESS_DENIED/.test(code)) {
    return {
      says: 'the server wants a client certificate, or does not accept the one it got',
      hint: 'Set clientCertificateFile and clientKeyFile to a certificate the server trusts.',
    };
  }
  if (/HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_SHARED_CIPHER|NO_CIPHERS|NO_PROTOCOLS/.test(code)) {
    return {
      says: 'the two ends find no cipher in common, or the server wants a client certificate',
      hint: 'Bring the server up to date, or set clientCertificateFile and clientKeyFile.',
    };
  }
  if (/MD_TOO_WEAK|KEY_TOO_SMALL/.test(code)) {
    return {
      says: 'the certificate, or one of its chain, uses a key or digest that is too weak',
      hint: 'Have it made anew with SHA-256 and RSA of 2048 bits or more.',
    };
  }
  if (code === 'ECONNRESET' && /before secure TLS connection/.test(errorText(error))) {
    return {
      says: 'the connection was closed in the middle of the TLS handshake',
      hint: 'A firewall on the way may forbid this host name, or the server speaks no TLS on this port.',
    };
  }
  if (
    /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_)|^(EPROTO|PATH_LENGTH_EXCEEDED|INVALID_CA|INVALID_PURPOSE)$/.test(
      code,
    )
  ) {
    return {
      says: `TLS failed: ${errorText(error).replaceAll(/\s+/g, ' ').slice(0, 200)}`,
      hint: 'Look at the certificate of the server, and at what stands between.',
    };
  }
  return undefined;
}
