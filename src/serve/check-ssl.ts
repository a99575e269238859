/**
 * Looks at a server as its clients will: both ports, and which services want SSL and which must not (cli-surface 6). Works on
 * this program's server and on a WSUS.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { errorText } from '../errors.js';
import { knownRoots } from '../transfer/trust.js';
import type { CertificateFinding, ServerCertificate } from './certificate.js';

const TIMEOUT_MS = 10_000;

/** Virtual roots, with something below that answers. */
const NEEDS_SSL = [
  ['ApiRemoting30', 'WebService.asmx'],
  ['ClientWebService', 'Client.asmx'],
  ['DSSAuthWebService', 'DSSAuthWebService.asmx'],
  ['ServerSyncWebService', 'ServerSyncWebService.asmx'],
  ['SimpleAuthWebService', 'SimpleAuth.asmx'],
] as const;
const MUST_NOT_NEED_SSL = [
  ['Content', 'anonymousCheckFile.txt'],
  ['Inventory', ''],
  ['ReportingWebService', 'ReportingWebService.asmx'],
  ['SelfUpdate', 'iuident.cab'],
] as const;

export interface SslTarget {
  readonly name: string;
  readonly sslPort: number;
  readonly contentPort: number;
  /** trusted besides the usual roots: what the server itself shows, where that is at hand */
  readonly certificate: ServerCertificate | undefined;
  readonly signal: AbortSignal;
}

export async function probeServer(target: SslTarget): Promise<readonly CertificateFinding[]> {
  const { name, sslPort, contentPort } = target;
  const host = name.includes(':') ? `[${name}]` : name;
  const secure = `https://${host}:${sslPort}`;
  const clear = `http://${host}:${contentPort}`;
  const findings: CertificateFinding[] = [];
  const overSsl = await ask(`${secure}/ServerSyncWebService/ServerSyncWebService.asmx`, target);
  findings.push(
    typeof overSsl === 'number'
      ? {
          condition: 'HTTPS port',
          level: overSsl < 400 ? 'pass' : 'fail',
          says: `${secure} answers${overSsl < 400 ? '' : ` with status ${overSsl}`}`,
        }
      : { condition: 'HTTPS port', level: 'fail', says: `${secure} does not answer: ${overSsl}` },
  );
  const overHttp = await ask(`${clear}/Content/anonymousCheckFile.txt`, target);
  findings.push(
    typeof overHttp === 'number'
      ? { condition: 'HTTP port', level: 'pass', says: `${clear} answers` }
      : { condition: 'HTTP port', level: 'fail', says: `${clear} does not answer: ${overHttp}` },
  );
  // Where nothing answers, each root fails without a wait of its own.
  const askRoot = async (root: string, file: string) =>
    typeof overHttp === 'number' ? ask(`${clear}/${root}/${file}`, target) : overHttp;
  for (const [root, file] of NEEDS_SSL) {
    const status = await askRoot(root, file);
    const isRefused = typeof status === 'number' && status === 403;
    const isAbsent = typeof status === 'number' && status === 404;
    findings.push({
      condition: `${root} requires SSL`,
      level: isRefused || isAbsent ? 'pass' : 'fail',
      says: isRefused
        ? 'it does not answer in the clear'
        : isAbsent
          ? 'this server does not have it'
          : typeof status === 'number'
            ? `it answers in the clear with status ${status}`
            : `it could not be asked: ${status}`,
    });
  }
  for (const [root, file] of MUST_NOT_NEED_SSL) {
    const status = await askRoot(root, file);
    const isWrong = typeof status !== 'number' || (status === 403 && root !== 'Inventory');
    findings.push({
      condition: `${root} does not require SSL`,
      level: isWrong ? 'fail' : 'pass',
      says: isWrong
        ? typeof status === 'number'
          ? 'it refuses to answer in the clear'
          : `it could not be asked: ${status}`
        : status === 404
          ? 'this server does not have it'
          : 'it answers in the clear',
    });
  }
  return findings;
}

/** Status of the answer, or why there is none. */
async function ask(url: string, { certificate, signal }: SslTarget): Promise<number | string> {
  const own = certificate?.chain.map(String) ?? [];
  const ca = url.startsWith('https:') ? [...(await knownRoots()), ...own] : [];
  return new Promise((resolve) => {
    const onResponse = (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    };
    const options = { method: 'GET', signal, agent: false as const, timeout: TIMEOUT_MS };
    const request = url.startsWith('https:')
      ? requestHttps(url, { ...options, ca, rejectUnauthorized: true }, onResponse)
      : requestHttp(url, options, onResponse);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => resolve(reasonOf(error)));
    request.end();
  });
}

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOTFOUND', 'the name is not known'],
  ['EAI_AGAIN', 'the name could not be looked up'],
  ['ETIMEDOUT', 'no answer in time'],
  ['ECONNRESET', 'the connection was cut'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed and not trusted here'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its root certificate is not trusted here'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its issuer is not trusted here, or the chain is not whole'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its issuer is not trusted here, or the chain is not whole'],
]);

function reasonOf(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  return REASONS.get(code) ?? errorText(error);
}
