/** Replies and faults, as a WSUS server dresses them (server-sync-protocol 2.2, 15.1). */
import {
  escapeXmlText,
  parentElement,
  SOAP_11_NAMESPACE,
  SOAP_12_NAMESPACE,
  textElement,
} from './envelope.js';
import type { SoapVersion } from './request-reader.js';
import type { FaultCode } from './soap-fault.js';

/** What stands before and behind a result that is written in pieces. */
export interface ReplyFrame {
  readonly head: string;
  readonly tail: string;
}

/**
 * @param namespace of `<operation>Response`
 * @param hasResult false: the response element is all there is
 */
export function replyFrame(
  operation: string,
  namespace: string,
  version: SoapVersion,
  hasResult = true,
): ReplyFrame {
  const response = `${operation}Response`;
  const result = `${operation}Result`;
  return {
    head: `${envelopeHead(version)}<${response} xmlns="${namespace}">${hasResult ? `<${result}>` : ''}`,
    tail: `${hasResult ? `</${result}>` : ''}</${response}>${ENVELOPE_TAIL}`,
  };
}

export interface FaultToWrite {
  /** undefined: a fault that says no more than that the call was refused */
  readonly code: FaultCode | undefined;
  /** the name of a parameter, or data; never anything of the server's inside */
  readonly message: string;
  /** who is to blame */
  readonly blame: 'client' | 'server';
  /** URL of the service */
  readonly actor: string;
  /** GUID; what the server's log calls this fault */
  readonly id: string;
  /** e.g. `http://www.microsoft.com/SoftwareDistribution/GetCookie`; undefined if it is not known */
  readonly action: string | undefined;
  /** default `Fault occurred` */
  readonly reason?: string | undefined;
}

export function writeFault(fault: FaultToWrite, version: SoapVersion): string {
  const { code, message, blame, actor, id, action, reason = 'Fault occurred' } = fault;
  const details =
    (code === undefined ? '' : textElement('ErrorCode', code) + textElement('Message', message)) +
    textElement('ID', id) +
    textElement('Method', action === undefined ? undefined : `"${action}"`);
  const parts =
    version === '1.1'
      ? textElement('faultcode', blame === 'client' ? 'soap:Client' : 'soap:Server') +
        textElement('faultstring', reason) +
        textElement('faultactor', actor) +
        parentElement('detail', details)
      : `<soap:Code><soap:Value>${blame === 'client' ? 'soap:Sender' : 'soap:Receiver'}</soap:Value></soap:Code>` +
        `<soap:Reason><soap:Text xml:lang="en">${escapeXmlText(reason)}</soap:Text></soap:Reason>` +
        parentElement('Detail', details);
  return `${envelopeHead(version)}<soap:Fault>${parts}</soap:Fault>${ENVELOPE_TAIL}`;
}

/** `Content-Type` of a reply. */
export function contentTypeOf(version: SoapVersion): string {
  return version === '1.1' ? 'text/xml; charset=utf-8' : 'application/soap+xml; charset=utf-8';
}

const ENVELOPE_TAIL = '</soap:Body></soap:Envelope>';

function envelopeHead(version: SoapVersion): string {
  const soap = version === '1.1' ? SOAP_11_NAMESPACE : SOAP_12_NAMESPACE;
  return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${soap}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>`;
}
