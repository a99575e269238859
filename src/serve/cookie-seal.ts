/**
 * Both cookies of the protocol (server-sync-protocol 3.2, 3.3, 18): everything a call needs to know stands in them, signed,
 * so that any front end over the same store and key can take the next call. Nothing in them is secret to their owner.
 *
 * Before Base64, integers big-endian: format 1 byte (1), kind 1, server GUID 16, account GUID 16, end of life 8
 * (milliseconds since 1970), store point 4 + 4, earlier key 4, protocol version 2 + 2, name of the account (UTF-8, to
 * the end), HMAC-SHA-256 of all before it 32.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Account } from '../formats/server-sync/get-authorization-cookie.js';
import { type UpdateId, updateIdFromBytes, updateIdToBytes } from '../model/update-identity.js';
import type { StorePoint } from './anchors.js';

const FORMAT = 1;
const KINDS = { authorization: 1, session: 2 } as const;
export type CookieKind = keyof typeof KINDS;

const FIXED_SIZE = 58;
const MAC_SIZE = 32;
const MAX_SIZE = 1024;
/** Cookies whose signature was found right; the same one comes with every call of a synchronisation. */
const MAX_KNOWN = 1_000;

export interface CookieFacts {
  readonly kind: CookieKind;
  readonly serverId: UpdateId;
  readonly account: Account;
  /** milliseconds since 1970 */
  readonly expiresAt: number;
  /** the store when the cookie was made */
  readonly point: StorePoint;
  /** newest key when the cookie before this one was made; the same as `point.key` for a first one */
  readonly earlierKey: number;
  readonly protocolVersion: readonly [major: number, minor: number];
}

export interface OpenedCookie {
  readonly facts: CookieFacts;
  /** false: not made by this server, or changed; only good to see which server it came from */
  readonly isAuthentic: boolean;
}

export class CookieSeal {
  readonly #key: Uint8Array;
  /** text of a cookie that is authentic → what it says */
  readonly #known = new Map<string, OpenedCookie>();

  /** @param key 32 bytes, shared by all front ends of one store */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Base64 */
  close(facts: CookieFacts): string {
    const name = Buffer.from(facts.account.name, 'utf8');
    const body = Buffer.alloc(FIXED_SIZE + name.length);
    body.writeUInt8(FORMAT, 0);
    body.writeUInt8(KINDS[facts.kind], 1);
    body.set(updateIdToBytes(facts.serverId), 2);
    body.set(updateIdToBytes(facts.account.guid), 18);
    body.writeBigUInt64BE(BigInt(facts.expiresAt), 34);
    body.writeUInt32BE(facts.point.key, 42);
    body.writeUInt32BE(facts.point.check, 46);
    body.writeUInt32BE(facts.earlierKey, 50);
    body.writeUInt16BE(facts.protocolVersion[0], 54);
    body.writeUInt16BE(facts.protocolVersion[1], 56);
    body.set(name, FIXED_SIZE);
    return Buffer.concat([body, this.#sign(body)]).toString('base64');
  }

  /** @returns undefined for what is no cookie of this format */
  open(base64: string): OpenedCookie | undefined {
    if (base64.length > MAX_SIZE * 2) return undefined;
    const known = this.#known.get(base64);
    if (known !== undefined) return known;
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length <= FIXED_SIZE + MAC_SIZE || bytes.length > MAX_SIZE || bytes[0] !== FORMAT) {
      return undefined;
    }
    const kind = bytes[1] === KINDS.authorization ? 'authorization' : 'session';
    if (bytes[1] !== KINDS[kind]) return undefined;
    const body = bytes.subarray(0, -MAC_SIZE);
    const opened: OpenedCookie = {
      isAuthentic: timingSafeEqual(this.#sign(body), bytes.subarray(-MAC_SIZE)),
      facts: {
        kind,
        serverId: updateIdFromBytes(body, 2),
        account: { guid: updateIdFromBytes(body, 18), name: body.toString('utf8', FIXED_SIZE) },
        expiresAt: Number(body.readBigUInt64BE(34)),
        point: { key: body.readUInt32BE(42), check: body.readUInt32BE(46) },
        earlierKey: body.readUInt32BE(50),
        protocolVersion: [body.readUInt16BE(54), body.readUInt16BE(56)],
      },
    };
    if (opened.isAuthentic) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear();
      // A text of its own: one cut from the request would keep all of it alive.
      this.#known.set(Buffer.from(base64, 'latin1').toString('latin1'), opened);
    }
    return opened;
  }

  #sign(body: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(body).digest();
  }
}
