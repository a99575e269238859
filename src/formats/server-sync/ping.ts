import { textElement } from '../soap/envelope.js';
import { type ReplyChunks, readResult } from '../soap/reply-reader.js';
import { optionalBoolean, optionalText } from '../soap/soap-element.js';
import { MONITORABLE_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** What of `MonitoredServicesResponse` is of use from outside (server-sync-protocol 12). */
export interface PingResult {
  readonly isSuccess: boolean;
  /** the server's clock, `xs:dateTime` as sent */
  readonly servicesTime: string | undefined;
  readonly servicesName: string | undefined;
}

/** Needs no cookie. For diagnosis: a downstream does not use it while it synchronises. */
export function writePing(level = 0): SoapRequest {
  return soapRequest('Ping', textElement('pingLevel', level), MONITORABLE_NAMESPACE);
}

/** The errors are those of `readReplyItems`. */
export async function readPingReply(chunks: ReplyChunks): Promise<PingResult> {
  const result = await readResult(chunks, { operation: 'Ping', namespace: MONITORABLE_NAMESPACE });
  return {
    isSuccess: optionalBoolean(result, 'SuccessFlag') ?? false,
    servicesTime: optionalText(result, 'ServicesTime'),
    servicesName: optionalText(result, 'ServicesName'),
  };
}
