import { type ReplyChunks, readResult } from '../soap/reply-reader.js';
import { itemsOf, optionalText } from '../soap/soap-element.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** Where and how to authorize (server-sync-protocol 3.1). */
export interface AuthPlugIn {
  /** `DssTargeting` on every known server */
  readonly plugInId: string;
  /** relative to the root of the upstream, as sent, e.g. `DssAuthWebService/DssAuthWebService.asmx` */
  readonly serviceUrl: string;
}

export function writeGetAuthConfig(): SoapRequest {
  return soapRequest('GetAuthConfig', '');
}

/** @returns the plug-ins that have both an id and a URL; the errors are those of `readReplyItems` */
export async function readGetAuthConfigReply(chunks: ReplyChunks): Promise<readonly AuthPlugIn[]> {
  const result = await readResult(chunks, { operation: 'GetAuthConfig', namespace: SERVER_SYNC_NAMESPACE });
  return itemsOf(result, 'AuthInfo', 'AuthPlugInInfo').flatMap((plugIn) => {
    const plugInId = optionalText(plugIn, 'PlugInID') ?? optionalText(plugIn, 'PlugInId');
    const serviceUrl = optionalText(plugIn, 'ServiceUrl');
    return plugInId === undefined || serviceUrl === undefined ? [] : [{ plugInId, serviceUrl }];
  });
}
