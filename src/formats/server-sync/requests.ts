/** Requests as the upstream reads them: the other side of the `write…` functions beside this file. */
import { isWsusutilError } from '../../errors.js';
import type { Sha1Hex } from '../../model/digest.js';
import { parseUpdateId, type UpdateId, type UpdateIdentity } from '../../model/update-identity.js';
import {
  childOf,
  guidOf,
  itemsOf,
  optionalBoolean,
  optionalText,
  requiredText,
  type SoapElement,
  sha1Of,
  unexpected,
} from '../soap/soap-element.js';
import { type AuthorizationCookie, authorizationCookieOf, type Cookie, cookieOf } from './cookies.js';
import type { Account } from './get-authorization-cookie.js';
import type { GetCookieRequest } from './get-cookie.js';
import { type IdAndDelta, identityOf } from './identities.js';

/** Items of one list, whatever the operation (server-sync-protocol 18). */
export const MAX_LIST_LENGTH = 10_000;

/** A parameter that is missing or wrong; it becomes the fault `InvalidParameters`. */
export class InvalidParameter extends Error {
  /** as the protocol calls it, e.g. `updateIds` */
  readonly parameter: string;

  constructor(parameter: string, cause?: unknown) {
    super(`the parameter ${parameter} is missing or wrong`, { cause });
    this.parameter = parameter;
  }
}

/** What `read` returns; anything wrong with it is wrong with `parameter`. */
function parameter<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isWsusutilError(error)) throw new InvalidParameter(name, error);
    throw error;
  }
}

/** A list that must be there. */
function listOf<T>(
  call: SoapElement,
  name: string,
  item: string,
  read: (element: SoapElement) => T,
  maxLength = MAX_LIST_LENGTH,
): readonly T[] {
  return parameter(name, () => {
    if (childOf(call, name) === undefined) throw unexpected(`there is no ${name}`);
    return optionalListOf(call, name, item, read, maxLength) as readonly T[];
  });
}

function optionalListOf<T>(
  parent: SoapElement,
  name: string,
  item: string,
  read: (element: SoapElement) => T,
  maxLength = MAX_LIST_LENGTH,
): readonly T[] | undefined {
  if (childOf(parent, name) === undefined) return undefined;
  const items = itemsOf(parent, name, item);
  if (items.length > maxLength) throw unexpected(`${name} holds ${items.length} items`);
  return items.map(read);
}

/** @returns undefined if there is none, or it is no cookie at all */
export function readCookie(call: SoapElement, name: 'cookie' | 'oldCookie' = 'cookie'): Cookie | undefined {
  try {
    const cookie = childOf(call, name);
    return cookie === undefined ? undefined : cookieOf(cookie);
  } catch (error) {
    if (isWsusutilError(error)) return undefined;
    throw error;
  }
}

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?$/;

/** @returns the name as sent, the GUID in lower case */
export function readGetAuthorizationCookie(call: SoapElement): Account {
  const name = parameter('accountName', () => requiredText(call, 'accountName').trim());
  if (!HOST_NAME.test(name)) throw new InvalidParameter('accountName');
  const guid = parameter('accountGuid', () => parseUpdateId(requiredText(call, 'accountGuid')));
  if (guid === undefined) throw new InvalidParameter('accountGuid');
  return { name, guid };
}

export function readGetCookie(call: SoapElement): GetCookieRequest {
  const cookies = listOf(call, 'authCookies', 'AuthorizationCookie', authorizationCookieOf);
  if (cookies.length !== 1) throw new InvalidParameter('authCookies');
  return {
    authorizationCookie: cookies[0] as AuthorizationCookie,
    oldCookie: readCookie(call, 'oldCookie'),
    protocolVersion: parameter('protocolVersion', () => requiredText(call, 'protocolVersion').trim()),
  };
}

export function readConfigAnchor(call: SoapElement): string | undefined {
  return parameter('configAnchor', () => optionalText(call, 'configAnchor'));
}

/** `ServerSyncFilter`, in what matters to a server. */
export interface FilterRequest {
  readonly anchor: string | undefined;
  readonly getConfig: boolean;
  /** undefined: the list is absent, which is not the same as empty */
  readonly categories: readonly IdAndDelta[] | undefined;
  readonly classifications: readonly IdAndDelta[] | undefined;
}

export function readGetRevisionIdList(call: SoapElement): FilterRequest {
  return parameter('filter', () => {
    const filter = childOf(call, 'filter');
    if (filter === undefined) throw unexpected('there is no filter');
    const getConfig = optionalBoolean(filter, 'GetConfig');
    if (getConfig === undefined) throw unexpected('there is no GetConfig');
    return {
      anchor: optionalText(filter, 'Anchor'),
      getConfig,
      categories: optionalListOf(filter, 'Categories', 'IdAndDelta', idAndDeltaOf),
      classifications: optionalListOf(filter, 'Classifications', 'IdAndDelta', idAndDeltaOf),
    };
  });
}

function idAndDeltaOf(element: SoapElement): IdAndDelta {
  const id = childOf(element, 'Id');
  if (id === undefined) throw unexpected('an IdAndDelta has no Id');
  return { id: guidOf(id), delta: optionalBoolean(element, 'Delta') ?? false };
}

/**
 * @param maxLength what `GetConfigData` told
 * @param plain the list, if it was read already (soap/request-reader.ts)
 */
export function readUpdateIds(
  call: SoapElement,
  maxLength: number,
  plain: readonly UpdateIdentity[] | undefined,
): readonly UpdateIdentity[] {
  const list = childOf(call, 'updateIds');
  if (plain !== undefined && list !== undefined && list.children.length === 0 && list.text === '') {
    if (plain.length > maxLength) throw new InvalidParameter('updateIds');
    return plain;
  }
  return listOf(call, 'updateIds', 'UpdateIdentity', identityOf, maxLength);
}

/** `updateIDs` of `GetRelatedRevisionsForUpdates` */
export function readRelatedIds(call: SoapElement): readonly UpdateId[] {
  return listOf(call, 'updateIDs', 'guid', guidOf);
}

export function readFileDigests(call: SoapElement, maxLength: number): readonly Sha1Hex[] {
  return listOf(call, 'fileDigestList', 'base64Binary', sha1Of, maxLength);
}

export interface DeploymentsRequest {
  readonly deploymentAnchor: string | undefined;
  readonly syncAnchor: string | undefined;
}

export function readGetDeployments(call: SoapElement): DeploymentsRequest {
  return {
    deploymentAnchor: parameter('deploymentAnchor', () => optionalText(call, 'deploymentAnchor')),
    syncAnchor: parameter('syncAnchor', () => optionalText(call, 'syncAnchor')),
  };
}

/** Whether a `GetDriverIdList` names computers or devices at all. */
export function readGetDriverIdList(call: SoapElement): { readonly namesHardware: boolean } {
  return parameter('filter', () => {
    const filter = childOf(call, 'filter');
    if (filter === undefined) throw unexpected('there is no filter');
    return {
      namesHardware:
        itemsOf(filter, 'ComputerIds', 'IdAndDelta').length > 0 ||
        itemsOf(filter, 'PnpHardwareIds', 'HardwareIdAndDelta').length > 0,
    };
  });
}

export function readDriverSetIds(call: SoapElement): readonly UpdateId[] {
  return listOf(call, 'driverSets', 'guid', guidOf);
}
