/** Faults of the server-to-server services: SOAP 1.1 and 1.2 (server-sync-protocol 15). */
import { WsusutilError } from '../../errors.js';
import { MAX_SHOWN_TEXT } from './limits.js';
import type { SoapElement } from './soap-element.js';

/** Codes of MS-WSUSSS (15.2), then those of the client protocol that people expect here (15.3). Case matters. */
export const FAULT_CODES = [
  'InvalidParameters',
  'InvalidCookie',
  'InvalidAuthorizationCookie',
  'IncompatibleProtocolVersion',
  'InternalServerError',
  'FileDigestsMissing',
  'ServerChanged',
  'ServerBusy',
  'TooManyIds',
  'CookieExpired',
  'ConfigChanged',
  'RegistrationRequired',
  'RegistrationNotRequired',
  'FileLocationChanged',
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

export interface FaultFacts {
  readonly operation: string;
  /** undefined: the fault names no code, or one that no document knows */
  readonly faultCode: FaultCode | undefined;
  /** `ErrorCode` as sent */
  readonly errorCode: string | undefined;
  /** `Message`: a parameter's name, or data such as missing digests; '' if there is none. May be long. */
  readonly faultMessage: string;
  /** `faultcode` (SOAP 1.1) or `Code/Value` (1.2), without its prefix */
  readonly soapCode: string | undefined;
  /** `faultstring` or `Reason/Text` */
  readonly reason: string;
  /** `ID`: what the server's log calls this fault */
  readonly faultId: string | undefined;
}

/** The upstream understood the request as SOAP and refused it. `code` is `UPSTREAM_FAULT`. */
export class SoapFault extends WsusutilError {
  readonly operation: string;
  readonly faultCode: FaultCode | undefined;
  readonly errorCode: string | undefined;
  readonly faultMessage: string;
  readonly soapCode: string | undefined;
  readonly reason: string;
  readonly faultId: string | undefined;

  constructor(facts: FaultFacts) {
    const name = showText(facts.errorCode ?? facts.soapCode ?? 'a fault without a code');
    const said = showText(facts.faultMessage === '' ? facts.reason : facts.faultMessage);
    super(
      'UPSTREAM_FAULT',
      `The upstream refused ${facts.operation}: ${name}${said === '' ? '' : ` (${said})`}`,
      {
        hint: hintFor(facts),
        details: {
          operation: facts.operation,
          errorCode: name,
          ...(facts.faultId === undefined ? {} : { faultId: showText(facts.faultId) }),
        },
      },
    );
    this.operation = facts.operation;
    this.faultCode = facts.faultCode;
    this.errorCode = facts.errorCode;
    this.faultMessage = facts.faultMessage;
    this.soapCode = facts.soapCode;
    this.reason = facts.reason;
    this.faultId = facts.faultId;
  }
}

/** A server's words on one line, short enough for a message and without characters a terminal would act on. */
export function showText(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > MAX_SHOWN_TEXT ? `${line.slice(0, MAX_SHOWN_TEXT)}…` : line;
}

/**
 * Reads a `Fault` element of any SOAP version. The code is what `ErrorCode` says and is never guessed from words
 * meant for people.
 */
export function faultOf(fault: SoapElement, operation: string): SoapFault {
  // `detail` in SOAP 1.1; `Detail` without a namespace in 1.2, beside the one of SOAP 1.2 itself (15.1)
  const details = fault.children.filter(({ local }) => local.toLowerCase() === 'detail');
  const detail = details.find((each) => find(each, 'ErrorCode') !== undefined) ?? details[0];
  const inDetail = (local: string) => {
    const text = detail === undefined ? undefined : find(detail, local)?.text.trim();
    return text === '' ? undefined : text;
  };
  const errorCode = inDetail('ErrorCode');
  const soapCode = find(fault, 'faultcode')?.text ?? find(find(fault, 'Code'), 'Value')?.text;
  return new SoapFault({
    operation,
    faultCode: FAULT_CODES.find((code) => code === errorCode),
    errorCode,
    faultMessage: inDetail('Message') ?? '',
    soapCode: soapCode?.trim().replace(/^.*:/, ''),
    reason: (find(fault, 'faultstring') ?? find(find(fault, 'Reason'), 'Text'))?.text.trim() ?? '',
    faultId: inDetail('ID'),
  });
}

/** The first element below `parent` with that local name, at any depth. */
function find(parent: SoapElement | undefined, local: string): SoapElement | undefined {
  for (const child of parent?.children ?? []) {
    const found = child.local === local ? child : find(child, local);
    if (found !== undefined) return found;
  }
  return undefined;
}

function hintFor({ faultCode, operation }: FaultFacts): string {
  switch (faultCode) {
    case 'InvalidParameters':
      return operation === 'GetAuthorizationCookie'
        ? 'The account name must look like the full host name of a server; check it.'
        : 'The upstream does not accept what was asked; it may be of a version we do not know. Please report this.';
    case 'InvalidCookie':
    case 'InvalidAuthorizationCookie':
    case 'CookieExpired':
      return 'The upstream takes none of its own cookies: several servers behind one name, or a wrong clock there.';
    case 'IncompatibleProtocolVersion':
      return 'The upstream speaks another major version of the protocol; it cannot be synchronised from.';
    case 'ServerBusy':
      return 'The upstream is overloaded; try again later.';
    case 'ServerChanged':
      return 'The upstream was rebuilt or replaced; run the synchronisation again.';
    case 'InternalServerError':
      return 'Something failed inside the upstream; its own log (SoftwareDistribution.log on WSUS) knows what.';
    default:
      return 'Look the code up in the log of the upstream.';
  }
}
