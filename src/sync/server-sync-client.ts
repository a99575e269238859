/**
 * The downstream's side of the Server Sync services: one method per call, with everything around it that the protocol
 * asks for (cookies, renewal, faults, limits, repeating). It keeps nothing on disk; anchors are its caller's.
 * Source: server-sync-protocol 3 to 9, 11, 12, 15, 17.
 */
import { isWsusutilError, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import type { Cookie } from '../formats/server-sync/cookies.js';
import {
  MAX_DIGESTS_PER_DOWNLOAD,
  missingDigestsOf,
  readDownloadFilesReply,
  writeDownloadFiles,
} from '../formats/server-sync/download-files.js';
import {
  type DriverFilter,
  type DriverIdList,
  type DriverSet,
  readGetDriverIdListReply,
  readGetDriverSetDataReply,
  writeGetDriverIdList,
  writeGetDriverSetData,
} from '../formats/server-sync/driver-sets.js';
import type { Account } from '../formats/server-sync/get-authorization-cookie.js';
import {
  parseProtocolVersion,
  readGetConfigDataReply,
  type ServerConfigData,
  writeGetConfigData,
} from '../formats/server-sync/get-config-data.js';
import {
  readGetRelatedRevisionsReply,
  writeGetRelatedRevisions,
} from '../formats/server-sync/get-related-revisions.js';
import {
  type RevisionIdFilter,
  readGetRevisionIdListReply,
  writeGetRevisionIdList,
} from '../formats/server-sync/get-revision-id-list.js';
import {
  readGetUpdateDataReply,
  type UpdateDataItem,
  writeGetUpdateData,
} from '../formats/server-sync/get-update-data.js';
import {
  readGetUpdateDecryptionDataReply,
  type UpdateDecryption,
  writeGetUpdateDecryptionData,
} from '../formats/server-sync/get-update-decryption-data.js';
import { type PingResult, readPingReply, writePing } from '../formats/server-sync/ping.js';
import { SERVER_SYNC_PATH, type SoapRequest } from '../formats/server-sync/service.js';
import type { ReplyChunks } from '../formats/soap/reply-reader.js';
import { SoapFault } from '../formats/soap/soap-fault.js';
import type { Sha1Hex } from '../model/digest.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';
import type { HttpPost } from '../transfer/http-post.js';
import { type SyncClock, systemClock } from './clock.js';
import { decideOnFault, type FaultDecision } from './fault-decision.js';
import { fetchUpdates, type UpdateEvent } from './fetch-updates.js';
import { Tries } from './recovery.js';
import { Session, type SessionState } from './session.js';
import { SoapTransport } from './soap-transport.js';
import { isTransient, TransportError } from './transport-error.js';

/** Sent unless told otherwise: with a lower one an upstream may leave out newer updates (section 3.3). */
export const PROTOCOL_VERSION = '1.20';
/** Longest wait for an answer to begin, and for each further piece of it (section 21). */
export const CALL_TIMEOUT_MS = 300_000;
/** Identities per call towards an upstream that names no limit (section 17.7). */
export const FALLBACK_BATCH_SIZE = 50;
/** Cookies in one run that the upstream refuses before their time (section 15.2). */
const MAX_REJECTED_COOKIES = 2;
/** A pause that is told to whoever looks on, though it is not the first of its call. */
const LONG_WAIT_MS = 5_000;
/** Pauses that are told; the log has all. */
const MAX_NEWS = 20;

export interface ServerSyncClientOptions {
  /** root of the upstream, http or https, without credentials; a path in front of the services is kept */
  readonly upstream: URL;
  readonly account: Account;
  readonly post: HttpPost;
  /** ends everything that is under way */
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly clock?: SyncClock | undefined;
  /** 0 … 1, for the pauses between tries; default `Math.random` */
  readonly random?: (() => number) | undefined;
  /** default {@link PROTOCOL_VERSION} */
  readonly protocolVersion?: string | undefined;
  /** default {@link CALL_TIMEOUT_MS} */
  readonly timeoutMs?: number | undefined;
  /** from the last run with this upstream and account */
  readonly session?: SessionState | undefined;
}

/** Why a call that was given an anchor was answered as if it had none. */
export type AnchorLoss = 'refused' | 'server-changed';

export interface ConfigAnswer {
  readonly config: ServerConfigData;
  /** set: `config.languages` is the full list in spite of the anchor that was given */
  readonly anchorLoss: AnchorLoss | undefined;
}

export interface RevisionIdAnswer {
  /** for the next call of the same kind; valid only once everything in `revisions` is stored */
  readonly anchor: string;
  /** in the server's order, which means nothing; several revisions of one update occur */
  readonly revisions: readonly UpdateIdentity[];
  /** set: this is a full list in spite of the anchor that was given */
  readonly anchorLoss: AnchorLoss | undefined;
}

export interface DriverIdAnswer extends DriverIdList {
  readonly anchorLoss: AnchorLoss | undefined;
}

/** Safe for parallel calls: they share one cookie, which is renewed once for all. */
export class ServerSyncClient {
  readonly #url: URL;
  readonly #transport: SoapTransport;
  readonly #session: Session;
  readonly #report: Report;
  readonly #clock: SyncClock;
  readonly #signal: AbortSignal;
  readonly #random: () => number;
  readonly #protocolVersion: string;
  readonly #isMicrosoftUpdate: boolean;
  #config: ServerConfigData | undefined;
  #rejectedCookies = 0;
  #news = 0;
  #hasServerChanged = false;
  /** anchors given out here: those of the server as it is now, even if it has changed */
  readonly #freshAnchors = new Set<string>();
  /** which cookie a fault answers, to tell whether that is still the current one */
  readonly #faultedCookies = new WeakMap<SoapFault, Cookie>();

  constructor(options: ServerSyncClientOptions) {
    const root = rootOf(options.upstream);
    this.#url = new URL(SERVER_SYNC_PATH, root);
    this.#clock = options.clock ?? systemClock;
    this.#signal = options.signal;
    this.#report = options.report;
    this.#random = options.random ?? Math.random;
    this.#protocolVersion = options.protocolVersion ?? PROTOCOL_VERSION;
    this.#isMicrosoftUpdate = /(^|\.)update\.microsoft\.com$/i.test(root.hostname);
    this.#transport = new SoapTransport(
      options.post,
      this.#clock,
      this.#signal,
      options.timeoutMs ?? CALL_TIMEOUT_MS,
    );
    this.#session = new Session({
      root,
      serverSyncUrl: this.#url,
      account: options.account,
      protocolVersion: this.#protocolVersion,
      clock: this.#clock,
      state: options.session ?? {},
      onServerChanged: () => this.#noteServerChange(),
      call: (url, request, read) => this.#callForSession(url, request, read),
    });
  }

  /** To be kept for the next run; secrets. */
  get session(): SessionState {
    return this.#session.state;
  }

  /** True once the upstream has said that it is not the server it was: every anchor of it is void. */
  get hasServerChanged(): boolean {
    return this.#hasServerChanged;
  }

  /** What the last {@link getConfigData} answered. */
  get config(): ServerConfigData | undefined {
    return this.#config;
  }

  /** Identities in one `GetUpdateData`. */
  get updateBatchSize(): number {
    return this.#config?.maxUpdatesPerRequest || FALLBACK_BATCH_SIZE;
  }

  /** Obtains the cookie, if there is none yet. Every other call does so too; this one is for asking if it works. */
  async authorize(): Promise<void> {
    await this.#session.cookie();
  }

  /**
   * @param configAnchor the last `newConfigAnchor`; undefined for all languages
   * @throws WsusutilError `UPSTREAM_INCOMPATIBLE` for another major version of the protocol; the codes of every call
   */
  async getConfigData(configAnchor?: string): Promise<ConfigAnswer> {
    const { value, anchorLoss } = await this.#callWithAnchor(
      configAnchor,
      (cookie, anchor) => writeGetConfigData(cookie, anchor),
      readGetConfigDataReply,
    );
    const version = parseProtocolVersion(value.protocolVersion);
    if (version?.[0] !== 1) {
      throw new WsusutilError(
        'UPSTREAM_INCOMPATIBLE',
        `The upstream speaks protocol version ${value.protocolVersion.slice(0, 20)}, this program ${this.#protocolVersion}`,
        { hint: 'Only upstreams of protocol version 1.x can be synchronised from.' },
      );
    }
    this.#config = value;
    this.#noteAnchor(value.newConfigAnchor);
    return { config: value, anchorLoss };
  }

  /**
   * @throws Error for a filter with only one of the two lists, which every upstream answers with nothing
   */
  async getRevisionIdList(filter: RevisionIdFilter): Promise<RevisionIdAnswer> {
    if ((filter.categories === undefined) !== (filter.classifications === undefined)) {
      throw new Error('a filter needs both products and classifications, or neither');
    }
    const { value, anchorLoss } = await this.#callWithAnchor(
      filter.anchor,
      (cookie, anchor) => writeGetRevisionIdList(cookie, withAnchor(filter, anchor)),
      async (chunks) => {
        const revisions: UpdateIdentity[] = [];
        const reply = readGetRevisionIdListReply(chunks);
        for (;;) {
          const next = await reply.next();
          if (next.done === true) return { anchor: next.value.anchor, revisions };
          for (const identity of next.value) revisions.push(identity);
        }
      },
    );
    if (value.anchor === undefined) {
      throw new WsusutilError(
        'UPSTREAM_MALFORMED',
        'The upstream sent a list of revisions without an anchor',
        {
          hint: 'Please report this with the kind and version of the upstream.',
        },
      );
    }
    this.#noteAnchor(value.anchor);
    return { anchor: value.anchor, revisions: value.revisions, anchorLoss };
  }

  /**
   * Streams the documents of these revisions, some at a time, in the upstream's order and as many per call as it allows. What is left
   * out of an answer is asked for again; what the upstream does not have ends as `unavailable` and does not stop the
   * others. Several of these may run at once.
   * Whoever reads it counts them, and stops when the server must be ill.
   */
  getUpdateData(
    identities: Iterable<UpdateIdentity>,
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    return fetchUpdates(identities, {
      batchSize: this.updateBatchSize,
      ask: (batch) => this.#askForUpdates(batch),
      decide: (fault) => this.#decide(fault, { hasAnchor: false, isIdempotent: true }),
      newTries: () => this.#newTries(),
      recover: (error, tries) => this.#recover(error, tries),
      report: this.#report,
    });
  }

  /** Keys of encrypted files; revisions without any may be missing from the answer. */
  async getUpdateDecryptionData(identities: readonly UpdateIdentity[]): Promise<readonly UpdateDecryption[]> {
    const found: UpdateDecryption[] = [];
    const batchSize = this.#config?.maxUpdatesPerDecryptionRequest || FALLBACK_BATCH_SIZE;
    for (let start = 0; start < identities.length; start += batchSize) {
      const batch = identities.slice(start, start + batchSize);
      const reply = await this.#call(
        (cookie) => writeGetUpdateDecryptionData(cookie, batch),
        readGetUpdateDecryptionDataReply,
      );
      for (const each of reply) found.push(each);
    }
    return found;
  }

  /**
   * Asks the upstream to fetch files it does not hold. It answers at once; when they arrive is not told.
   *
   * @returns files the upstream does not know at all
   * @throws WsusutilError `UPSTREAM_INCOMPATIBLE` for an upstream without content
   */
  async downloadFiles(sha1s: Iterable<Sha1Hex>): Promise<{ readonly unknown: readonly Sha1Hex[] }> {
    if (this.#config?.catalogOnlySync === true) {
      throw new WsusutilError(
        'UPSTREAM_INCOMPATIBLE',
        'The upstream holds no content files, so it fetches none',
        {
          hint: 'Take the files from the addresses in the metadata.',
        },
      );
    }
    const unknown: Sha1Hex[] = [];
    const wanted = [...new Set(sha1s)];
    for (let start = 0; start < wanted.length; start += MAX_DIGESTS_PER_DOWNLOAD) {
      let batch = wanted.slice(start, start + MAX_DIGESTS_PER_DOWNLOAD);
      while (batch.length > 0) {
        const asked = batch;
        try {
          await this.#call((cookie) => writeDownloadFiles(cookie, asked), readDownloadFilesReply, {
            isIdempotent: false,
          });
          break;
        } catch (error) {
          if (!(error instanceof SoapFault) || error.faultCode !== 'FileDigestsMissing') throw error;
          const gone = new Set(missingDigestsOf(error));
          const known = asked.filter((sha1) => !gone.has(sha1));
          if (known.length === asked.length) throw error; // it names none of ours: asking again would never end
          for (const sha1 of asked) if (gone.has(sha1)) unknown.push(sha1);
          batch = known;
        }
      }
    }
    return { unknown };
  }

  /** Current revisions of `updateId` and of what is related to it. Only Microsoft Update is known to answer. */
  getRelatedRevisions(updateId: UpdateId): Promise<readonly UpdateIdentity[]> {
    return this.#call((cookie) => writeGetRelatedRevisions(cookie, [updateId]), readGetRelatedRevisionsReply);
  }

  /**
   * Drivers for computers and hardware ids. Several calls for one inventory all start from the same old anchor, and
   * the anchor of the first answer is the one to keep.
   *
   * @throws WsusutilError `UPSTREAM_INCOMPATIBLE` if the upstream does not offer it; `InvalidParameters` faults for
   *   more ids than `config` allows
   */
  async getDriverIdList(filter: DriverFilter): Promise<DriverIdAnswer> {
    if (!this.#config?.maxComputerIdsPerRequest && !this.#config?.maxPnpHardwareIdsPerRequest) {
      throw notOffered('drivers by inventory');
    }
    const { value, anchorLoss } = await this.#callWithAnchor(
      filter.anchor,
      (cookie, anchor) => writeGetDriverIdList(cookie, withAnchor(filter, anchor)),
      readGetDriverIdListReply,
    );
    this.#noteAnchor(value.anchor);
    return { ...value, anchorLoss };
  }

  /** @throws WsusutilError `UPSTREAM_INCOMPATIBLE` if the upstream does not offer it */
  async getDriverSetData(driverSetIds: readonly UpdateId[]): Promise<readonly DriverSet[]> {
    let batchSize = this.#config?.maxDriverSetsPerRequest ?? 0;
    if (batchSize === 0) throw notOffered('driver sets');
    const sets: DriverSet[] = [];
    for (let start = 0; start < driverSetIds.length; ) {
      const batch = driverSetIds.slice(start, start + batchSize);
      try {
        const reply = await this.#call(
          (cookie) => writeGetDriverSetData(cookie, batch),
          readGetDriverSetDataReply,
        );
        for (const set of reply) sets.push(set);
        start += batch.length;
      } catch (error) {
        const isTooMany =
          (error instanceof SoapFault && error.faultCode === 'TooManyIds') ||
          (error instanceof TransportError && error.status === 413);
        if (!isTooMany || batch.length === 1) throw error;
        batchSize = Math.ceil(batch.length / 2);
      }
    }
    return sets;
  }

  /** Needs no cookie. */
  async ping(): Promise<PingResult> {
    const { value } = await this.#callForSession(this.#url, writePing(), readPingReply);
    return value;
  }

  /** One call with a cookie, repeated as the faults ask for. */
  async #call<T>(
    write: (cookie: Cookie) => SoapRequest,
    read: (chunks: ReplyChunks) => Promise<T>,
    traits: { readonly isIdempotent?: boolean } = {},
  ): Promise<T> {
    const { value } = await this.#callWithAnchor(undefined, write, read, traits);
    return value;
  }

  async #callWithAnchor<T>(
    givenAnchor: string | undefined,
    write: (cookie: Cookie, anchor: string | undefined) => SoapRequest,
    read: (chunks: ReplyChunks) => Promise<T>,
    traits: { readonly isIdempotent?: boolean } = {},
  ): Promise<{ readonly value: T; readonly anchorLoss: AnchorLoss | undefined }> {
    const isIdempotent = traits.isIdempotent ?? true;
    const tries = this.#newTries();
    let anchor = givenAnchor;
    let anchorLoss: AnchorLoss | undefined;
    for (;;) {
      const cookie = await this.#session.cookie();
      // It may have changed in an earlier call, in this one, or just now when the cookie was renewed.
      if (anchor !== undefined && this.#hasServerChanged && !this.#freshAnchors.has(anchor)) {
        anchor = undefined;
        anchorLoss = 'server-changed';
      }
      const request = write(cookie, anchor);
      try {
        return { value: (await this.#once(this.#url, request, read)).value, anchorLoss };
      } catch (error) {
        if (error instanceof SoapFault) this.#faultedCookies.set(error, cookie);
        const decision = this.#decide(error, { hasAnchor: anchor !== undefined, isIdempotent });
        if (decision?.action === 'drop-anchor') {
          this.#step(`${request.operation}: the upstream does not take the anchor; asking for everything`);
          anchor = undefined;
          anchorLoss = 'refused';
        } else {
          await this.#recover(error, tries, isIdempotent);
        }
      }
    }
  }

  /** A call of the session itself: only the network and a busy server are waited for. */
  async #callForSession<T>(
    url: URL,
    request: SoapRequest,
    read: (chunks: ReplyChunks) => Promise<T>,
  ): Promise<{ readonly value: T; readonly serverTime: number | undefined }> {
    const tries = this.#newTries();
    for (;;) {
      try {
        return await this.#once(url, request, read);
      } catch (error) {
        await this.#recover(error, tries);
      }
    }
  }

  async #once<T>(
    url: URL,
    request: SoapRequest,
    read: (chunks: ReplyChunks) => Promise<T>,
  ): Promise<{ readonly value: T; readonly serverTime: number | undefined }> {
    const reply = await this.#transport.open(url, request);
    try {
      return { value: await read(reply.chunks), serverTime: reply.serverTime };
    } finally {
      reply.close();
    }
  }

  async *#askForUpdates(
    batch: readonly UpdateIdentity[],
  ): AsyncGenerator<readonly UpdateDataItem[], void, undefined> {
    const cookie = await this.#session.cookie();
    try {
      const reply = await this.#transport.open(this.#url, writeGetUpdateData(cookie, batch));
      try {
        yield* readGetUpdateDataReply(reply.chunks);
      } finally {
        reply.close();
      }
    } catch (error) {
      if (error instanceof SoapFault) this.#faultedCookies.set(error, cookie);
      throw error;
    }
  }

  #decide(
    error: unknown,
    context: { readonly hasAnchor: boolean; readonly isIdempotent: boolean },
  ): FaultDecision | undefined {
    if (!(error instanceof SoapFault)) return undefined;
    return decideOnFault(error, { ...context, isMicrosoftUpdate: this.#isMicrosoftUpdate });
  }

  /**
   * Does what has to be done before the same call can be repeated.
   *
   * @throws `error`, if repeating it is of no use
   */
  async #recover(error: unknown, tries: Tries, isIdempotent = true): Promise<void> {
    const decision = this.#decide(error, { hasAnchor: false, isIdempotent });
    const cookie = error instanceof SoapFault ? this.#faultedCookies.get(error) : undefined;
    const giveUp = (): never => {
      throw error;
    };
    switch (decision?.action) {
      case undefined: {
        if (!isTransient(error) || !isIdempotent) return giveUp();
        const retryAfterMs = error instanceof TransportError ? error.retryAfterMs : undefined;
        if (!(await this.#backOff(error, tries, 'transport', retryAfterMs))) return giveUp();
        return;
      }
      case 'back-off':
        if (!(await this.#backOff(error, tries, decision.pace))) return giveUp();
        return;
      case 'reauthorize':
        if (cookie === undefined) return giveUp();
        // A worker whose cookie was replaced meanwhile just takes the new one.
        if (this.#session.reject(cookie) && ++this.#rejectedCookies > MAX_REJECTED_COOKIES) return giveUp();
        this.#step(`${messageOf(error)}; authorizing again`);
        if (decision.refreshConfig) await this.#refreshConfig();
        return;
      case 'server-changed':
        if (cookie === undefined) return giveUp();
        if (this.#session.reject(cookie)) {
          if (this.#hasServerChanged) return giveUp();
          this.#noteServerChange();
        }
        return;
      default:
        return giveUp();
    }
  }

  /** Says what failed before it waits. @returns false if there is no next try */
  #backOff(
    error: unknown,
    tries: Tries,
    pace: Parameters<Tries['backOff']>[0],
    atLeastMs = 0,
  ): Promise<boolean> {
    return tries.backOff(pace, atLeastMs, (ms, isFirst) => {
      const isNews = (isFirst || ms >= LONG_WAIT_MS) && this.#news++ < MAX_NEWS;
      const message = `${messageOf(error)}; trying again in ${Math.max(1, Math.ceil(ms / 1000))} s`;
      this.#report({ type: 'step', message, ...(isNews ? { isNews } : {}) });
    });
  }

  /** Once; a server whose configuration changes all the time is left at that. */
  async #refreshConfig(): Promise<void> {
    const cookie = await this.#session.cookie();
    const { value } = await this.#once(
      this.#url,
      writeGetConfigData(cookie, undefined),
      readGetConfigDataReply,
    );
    this.#config = value;
  }

  #noteServerChange(): void {
    this.#hasServerChanged = true;
    this.#step('The upstream is not the server it was; its anchors are dropped');
  }

  #noteAnchor(anchor: string | undefined): void {
    if (anchor !== undefined) this.#freshAnchors.add(anchor);
  }

  #newTries(): Tries {
    return new Tries(this.#clock, this.#signal, this.#random);
  }

  #step(message: string): void {
    this.#report({ type: 'step', message });
  }
}

type Ids = readonly { readonly delta: boolean }[];

/** Without an anchor nothing is newer than it: the first call and every full list say so for each id. */
function withAnchor<T extends { readonly anchor: string | undefined }>(
  filter: T,
  anchor: string | undefined,
): T {
  if (anchor !== undefined) return { ...filter, anchor };
  const whole = Object.entries(filter).map(([name, value]) => [
    name,
    Array.isArray(value) ? (value as Ids).map((id) => ({ ...id, delta: false })) : value,
  ]);
  return { ...Object.fromEntries(whole), anchor };
}

function rootOf(upstream: URL): URL {
  if (upstream.protocol !== 'http:' && upstream.protocol !== 'https:') {
    throw new WsusutilError('USAGE', `The upstream ${upstream.protocol}//… is neither http nor https`, {
      hint: 'Give an address such as http://wsus01.corp.example:8530',
    });
  }
  if (upstream.username !== '' || upstream.password !== '') {
    throw new WsusutilError(
      'USAGE',
      `The address of the upstream ${upstream.host} holds a user name or password`,
      {
        hint: 'The protocol has no place for them; leave them out.',
      },
    );
  }
  const root = new URL(upstream.origin);
  root.pathname = upstream.pathname.endsWith('/') ? upstream.pathname : `${upstream.pathname}/`;
  return root;
}

function notOffered(what: string): WsusutilError {
  return new WsusutilError('UPSTREAM_INCOMPATIBLE', `The upstream does not offer ${what}`, {
    hint: 'Only Microsoft Update does; drivers also come with the classification Drivers.',
  });
}

function messageOf(error: unknown): string {
  return isWsusutilError(error) ? error.message : String(error);
}
