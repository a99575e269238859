/** The services a downstream calls, and what a call to them is (server-sync-protocol 1.1, 2.1, appendix A). */
import { serializeEnvelope } from '../soap/envelope.js';

export const SERVER_SYNC_NAMESPACE = 'http://www.microsoft.com/SoftwareDistribution';
export const DSS_AUTH_NAMESPACE = `${SERVER_SYNC_NAMESPACE}/Server/DssAuthWebService`;
export const MONITORABLE_NAMESPACE = `${SERVER_SYNC_NAMESPACE}/Server/IMonitorable`;

/** Below the root of the upstream. The other service's place comes from `GetAuthConfig`. */
export const SERVER_SYNC_PATH = 'ServerSyncWebService/ServerSyncWebService.asmx';

/** A request, ready to be posted as `text/xml; charset=utf-8`. */
export interface SoapRequest {
  /** e.g. `GetCookie` */
  readonly operation: string;
  /** URI for the `SOAPAction` header, without the quotes it is sent in */
  readonly soapAction: string;
  /** the envelope; holds cookies, so it is never logged */
  readonly body: string;
}

/** @param children of the operation's element, in the order of its schema */
export function soapRequest(
  operation: string,
  children: string,
  namespace = SERVER_SYNC_NAMESPACE,
): SoapRequest {
  return {
    operation,
    soapAction: `${namespace}/${operation}`,
    body: serializeEnvelope(operation, namespace, children),
  };
}
