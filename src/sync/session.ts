/**
 * Cookies of one upstream: obtained, renewed in time, obtained anew when the server no longer takes them
 * (server-sync-protocol 3.3). Parallel calls share one.
 */
import { WsusutilError } from '../errors.js';
import { type AuthorizationCookie, type Cookie, instantOf } from '../formats/server-sync/cookies.js';
import { readGetAuthConfigReply, writeGetAuthConfig } from '../formats/server-sync/get-auth-config.js';
import {
  type Account,
  readGetAuthorizationCookieReply,
  writeGetAuthorizationCookie,
} from '../formats/server-sync/get-authorization-cookie.js';
import { readGetCookieReply, writeGetCookie } from '../formats/server-sync/get-cookie.js';
import type { SoapRequest } from '../formats/server-sync/service.js';
import type { ReplyChunks } from '../formats/soap/reply-reader.js';
import { SoapFault, showText } from '../formats/soap/soap-fault.js';
import type { SyncClock } from './clock.js';

/** What may be kept from one run to the next. Secrets: to be stored readable by their owner only, never shown. */
export interface SessionState {
  /** absolute; where `GetAuthorizationCookie` goes */
  readonly authorizationUrl?: string | undefined;
  readonly authorizationCookie?: AuthorizationCookie | undefined;
  readonly cookie?: Cookie | undefined;
}

/** A call that is repeated while only the network or a busy server is in its way. */
export type SessionCall = <T>(
  url: URL,
  request: SoapRequest,
  read: (chunks: ReplyChunks) => Promise<T>,
) => Promise<{ readonly value: T; readonly serverTime: number | undefined }>;

export interface SessionOptions {
  /** root of the upstream, with a slash at the end */
  readonly root: URL;
  readonly serverSyncUrl: URL;
  readonly account: Account;
  readonly protocolVersion: string;
  readonly clock: SyncClock;
  readonly call: SessionCall;
  /** Called when the upstream says that it is another server than before. */
  readonly onServerChanged: () => void;
  readonly state: SessionState;
}

/** Only this plug-in exists. */
const PLUG_IN = 'dsstargeting';
/** A cookie is renewed when less is left (section 21). */
const COOKIE_MARGIN_MS = 5 * 60_000;
/** Times that one renewal starts again from `GetAuthConfig`. */
const MAX_AUTHORIZATIONS = 2;

export class Session {
  readonly #options: SessionOptions;
  #authorizationUrl: URL | undefined;
  #authorizationCookie: AuthorizationCookie | undefined;
  #cookie: Cookie | undefined;
  /** by our clock, milliseconds since 1970; a cookie is used before, or once */
  #renewAt = Number.NEGATIVE_INFINITY;
  #isUnused = false;
  #renewal: Promise<Cookie> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { authorizationUrl, authorizationCookie, cookie } = options.state;
    this.#authorizationUrl = authorizationUrl === undefined ? undefined : this.#resolve(authorizationUrl);
    this.#authorizationCookie = authorizationCookie;
    this.#cookie = cookie;
    if (cookie !== undefined) this.#renewAt = (instantOf(cookie.expiration) ?? 0) - COOKIE_MARGIN_MS;
  }

  get state(): SessionState {
    return {
      authorizationUrl: this.#authorizationUrl?.href,
      authorizationCookie: this.#authorizationCookie,
      cookie: this.#cookie,
    };
  }

  /** A cookie that the upstream should take. At most one renewal is under way at any time. */
  async cookie(): Promise<Cookie> {
    const cookie = this.#cookie;
    if (cookie !== undefined && (this.#isUnused || this.#options.clock.now().getTime() < this.#renewAt)) {
      this.#isUnused = false;
      return cookie;
    }
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    const renewed = await this.#renewal;
    this.#isUnused = false;
    return renewed;
  }

  /**
   * The upstream did not take `cookie`: the next call begins with a new authorization.
   *
   * @returns false if another call has seen to it already
   */
  reject(cookie: Cookie): boolean {
    if (cookie !== this.#cookie) return false;
    this.forget();
    return true;
  }

  /** Drops both cookies. */
  forget(): void {
    this.#authorizationCookie = undefined;
    this.#cookie = undefined;
    this.#isUnused = false;
  }

  async #renew(): Promise<Cookie> {
    const { clock, call, serverSyncUrl, protocolVersion } = this.#options;
    let oldCookie = this.#cookie;
    for (let authorizations = 0; ; ) {
      if (this.#authorizationCookie === undefined) authorizations++;
      const authorizationCookie = this.#authorizationCookie ?? (await this.#authorize());
      try {
        const request = writeGetCookie({ authorizationCookie, oldCookie, protocolVersion });
        const { value, serverTime } = await call(serverSyncUrl, request, readGetCookieReply);
        this.#accept(value, serverTime, clock.now().getTime());
        return value;
      } catch (error) {
        if (!(error instanceof SoapFault)) throw error;
        const { faultCode } = error;
        if (faultCode === 'ServerChanged') this.#options.onServerChanged();
        if (faultCode === 'IncompatibleProtocolVersion') {
          throw new WsusutilError(
            'UPSTREAM_INCOMPATIBLE',
            `The upstream does not speak version ${protocolVersion} of the protocol`,
            { hint: 'Only upstreams of protocol version 1.x can be synchronised from.', cause: error },
          );
        }
        const isAboutCookies = faultCode === 'InvalidCookie' || faultCode === 'ServerChanged';
        if (isAboutCookies && oldCookie !== undefined) {
          oldCookie = undefined; // repeat without it
        } else if (
          (isAboutCookies || faultCode === 'InvalidAuthorizationCookie') &&
          authorizations < MAX_AUTHORIZATIONS
        ) {
          oldCookie = undefined;
          this.#authorizationUrl = undefined;
          this.forget();
        } else {
          throw error;
        }
      }
    }
  }

  /** The end of a cookie is told by the server's clock; ours may be wrong by hours. */
  #accept(cookie: Cookie, serverTime: number | undefined, now: number): void {
    const expiresAt = instantOf(cookie.expiration) ?? now;
    const lifetime = Math.max(0, expiresAt - (serverTime ?? now));
    this.#cookie = cookie;
    this.#renewAt = now + lifetime - Math.min(COOKIE_MARGIN_MS, lifetime / 2);
    this.#isUnused = true;
  }

  async #authorize(): Promise<AuthorizationCookie> {
    const { call, serverSyncUrl, account } = this.#options;
    if (this.#authorizationUrl === undefined) {
      const { value: plugIns } = await call(serverSyncUrl, writeGetAuthConfig(), readGetAuthConfigReply);
      const plugIn = plugIns.find(({ plugInId }) => plugInId.trim().toLowerCase() === PLUG_IN);
      if (plugIn === undefined) {
        const offered = plugIns.map(({ plugInId }) => showText(plugInId)).join(', ');
        throw new WsusutilError(
          'UPSTREAM_INCOMPATIBLE',
          `The upstream offers no way to authorize that we know: ${offered === '' ? 'none at all' : offered}, expected DssTargeting`,
          { hint: 'It may be no WSUS server; check the address.' },
        );
      }
      this.#authorizationUrl = this.#resolve(plugIn.serviceUrl);
    }
    const { value } = await call(
      this.#authorizationUrl,
      writeGetAuthorizationCookie(account),
      readGetAuthorizationCookieReply,
    );
    this.#authorizationCookie = value;
    return value;
  }

  /** A service URL is relative to the root of the upstream, and never leads elsewhere (section 1.1). */
  #resolve(serviceUrl: string): URL {
    const { root } = this.#options;
    const trimmed = serviceUrl.trim().replace(/^[/\\]+/, '');
    const url = URL.canParse(trimmed, root.href) ? new URL(trimmed, root) : undefined;
    if (url === undefined || url.origin !== root.origin || url.username !== '' || url.password !== '') {
      throw new WsusutilError(
        'UPSTREAM_INCOMPATIBLE',
        `The upstream wants us to authorize at ${showText(serviceUrl)}, which is not part of ${root.origin}`,
        { hint: 'Give the address under which the upstream knows itself.' },
      );
    }
    return url;
  }
}
