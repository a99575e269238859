/**
 * All documents of a list of revisions, through servers that answer short, break off, or refuse a whole batch for one
 * unknown revision (server-sync-protocol 6.1, 15.4, 17.7, 17.8).
 */
import { isWsusutilError, type WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import type { FileLocation, ServerUpdate, UpdateDataItem } from '../formats/server-sync/get-update-data.js';
import type { UpdateBlob } from '../formats/server-sync/update-blob.js';
import { SoapFault } from '../formats/soap/soap-fault.js';
import type { Sha1Hex } from '../model/digest.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { FaultDecision } from './fault-decision.js';
import type { Tries } from './recovery.js';
import { TransportError } from './transport-error.js';

export type UpdateEvent =
  | {
      readonly type: 'document';
      /** what was asked for; that the document says the same is for whoever parses it to check */
      readonly identity: UpdateIdentity;
      /** may be damaged: it is not decoded yet */
      readonly blob: UpdateBlob;
      /** SHA-1 of each content file as the upstream lists them */
      readonly fileSha1s: readonly Sha1Hex[];
    }
  /** May come more than once for a file, and for files of documents that came before a connection broke. */
  | { readonly type: 'file-location'; readonly location: FileLocation }
  /** Listed, but not there; `reason` is a fault code or `NotReturned`. To be asked for again in the next run. */
  | { readonly type: 'unavailable'; readonly identity: UpdateIdentity; readonly reason: string }
  /** The answer that holds it makes no sense, asked for alone too. To be asked for again in the next run. */
  | { readonly type: 'unreadable'; readonly identity: UpdateIdentity; readonly error: WsusutilError };

export interface UpdateFetching {
  readonly batchSize: number;
  readonly ask: (
    batch: readonly UpdateIdentity[],
  ) => AsyncGenerator<readonly UpdateDataItem[], void, undefined>;
  /** undefined for anything but a fault */
  readonly decide: (error: unknown) => FaultDecision | undefined;
  readonly newTries: () => Tries;
  /** Prepares for the same call once more, or throws. */
  readonly recover: (error: unknown, tries: Tries) => Promise<void>;
  readonly report: Report;
}

/** Pause before a batch that may hold an unknown revision is asked for again (section 15.4). */
const UNKNOWN_PAUSE_MS = 2_000;
/** Answers in a row that make no sense, beside the halves it takes to find the one revision that spoils them. */
const MAX_MALFORMED = 4;
/** Time-outs after which a batch is halved. */
const MAX_TIMEOUTS = 2;

interface Batch {
  readonly identities: readonly UpdateIdentity[];
  readonly tries: Tries;
  /** a fault that may mean an unknown revision has been met once already */
  isRepeated: boolean;
  timeouts: number;
}

/** Yields each revision once, those together that came together, whatever has to be asked for twice. */
export async function* fetchUpdates(
  identities: Iterable<UpdateIdentity>,
  fetching: UpdateFetching,
): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
  const wanted = new Map<string, UpdateIdentity>();
  for (const identity of identities) wanted.set(formatIdentity(identity), identity);
  const fetcher = new Fetcher(fetching);
  let batch: UpdateIdentity[] = [];
  for (const identity of wanted.values()) {
    batch.push(identity);
    if (batch.length < fetching.batchSize) continue;
    yield* fetcher.fetch(batch);
    batch = [];
  }
  if (batch.length > 0) yield* fetcher.fetch(batch);
}

class Fetcher {
  readonly #fetching: UpdateFetching;
  /** answers in a row that made no sense */
  #malformed = 0;
  #maxMalformed = 0;

  constructor(fetching: UpdateFetching) {
    this.#fetching = fetching;
  }

  async *fetch(
    identities: readonly UpdateIdentity[],
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    /** yielded already; asked for again only for the file locations behind them */
    const delivered = new Set<string>();
    const stack: Batch[] = [this.#batch(identities)];
    this.#maxMalformed = Math.ceil(Math.log2(identities.length)) + MAX_MALFORMED;
    for (;;) {
      const batch = stack.pop();
      if (batch === undefined) return;
      const returned = new Set<string>();
      try {
        yield* this.#askOnce(batch, delivered, returned);
        this.#malformed = 0;
      } catch (error) {
        yield* this.#afterError(error, batch, stack, delivered);
        continue;
      }
      const rest = batch.identities.filter((identity) => !returned.has(formatIdentity(identity)));
      if (rest.length === 0) continue;
      const { report } = this.#fetching;
      report({
        type: 'step',
        message: `GetUpdateData: ${batch.identities.length - rest.length} of ${batch.identities.length} revisions came; asking for the rest`,
      });
      if (rest.length < batch.identities.length) stack.push(this.#batch(rest));
      else if (rest.length > 1) this.#halve(batch, stack);
      else yield [unavailable(rest[0] as UpdateIdentity, 'NotReturned')];
    }
  }

  async *#askOnce(
    batch: Batch,
    delivered: Set<string>,
    returned: Set<string>,
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    const asked = new Map(batch.identities.map((identity) => [formatIdentity(identity), identity]));
    for await (const items of this.#fetching.ask(batch.identities)) {
      const events: UpdateEvent[] = [];
      for (const item of items) {
        const event =
          item.type === 'file-location' ? item : this.#take(item.update, asked, delivered, returned);
        if (event !== undefined) events.push(event);
      }
      if (events.length > 0) yield events;
    }
  }

  /** @returns undefined for what was not asked for, or has come before */
  #take(
    update: ServerUpdate,
    asked: ReadonlyMap<string, UpdateIdentity>,
    delivered: Set<string>,
    returned: Set<string>,
  ): UpdateEvent | undefined {
    const key = formatIdentity(update.identity);
    const identity = asked.get(key);
    if (identity === undefined) {
      this.#fetching.report({
        type: 'step',
        message: `GetUpdateData: ${key} came without being asked for`,
      });
      return undefined;
    }
    returned.add(key);
    if (delivered.has(key)) return undefined;
    delivered.add(key);
    return { type: 'document', identity, blob: update.blob, fileSha1s: update.fileSha1s };
  }

  /** Puts on the stack what is to be asked for next, or throws. */
  async *#afterError(
    error: unknown,
    batch: Batch,
    stack: Batch[],
    delivered: Set<string>,
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    const { decide, recover } = this.#fetching;
    const { identities } = batch;
    if (isWsusutilError(error, 'UPSTREAM_MALFORMED')) this.#malformed++;
    const decision = decide(error);
    if (decision?.action === 'leave-out') {
      const missing = new Set(decision.missing.map(formatIdentity));
      const rest = identities.filter((identity) => !missing.has(formatIdentity(identity)));
      if (rest.length < identities.length) {
        for (const identity of identities) {
          const key = formatIdentity(identity);
          if (missing.has(key) && !delivered.has(key)) yield [unavailable(identity, 'MissingRevisions')];
        }
        if (rest.length > 0) stack.push(this.#batch(rest));
        return;
      }
    }
    if (decision?.action === 'leave-out' || decision?.action === 'find-unknown') {
      // The same code also covers trouble that passes.
      if (!batch.isRepeated) {
        await batch.tries.wait(UNKNOWN_PAUSE_MS);
        stack.push({ ...batch, isRepeated: true });
      } else if (identities.length > 1) {
        this.#halve(batch, stack);
      } else {
        const [identity] = identities as readonly [UpdateIdentity];
        if (!delivered.has(formatIdentity(identity))) yield [unavailable(identity, errorCodeOf(error))];
      }
      return;
    }
    if (identities.length > 1 && this.#isTooMuch(error, batch)) {
      this.#halve(batch, stack);
      return;
    }
    if (this.#isOneBad(error)) {
      const [identity] = identities as readonly [UpdateIdentity];
      if (!delivered.has(formatIdentity(identity))) yield [{ type: 'unreadable', identity, error }];
      return;
    }
    await recover(error, batch.tries);
    stack.push(batch);
  }

  /**
   * One revision can spoil the answer for all that came with it: it is too long, has no document, or characters that
   * XML forbids. A server that makes no sense at all does so however little is asked for.
   */
  #isOneBad(error: unknown): error is WsusutilError {
    if (isWsusutilError(error, 'LIMIT_EXCEEDED')) return true;
    return isWsusutilError(error, 'UPSTREAM_MALFORMED') && this.#malformed <= this.#maxMalformed;
  }

  #isTooMuch(error: unknown, batch: Batch): boolean {
    if (this.#isOneBad(error)) return true;
    if (!(error instanceof TransportError)) return false;
    return error.status === 413 || (error.isTimeout && ++batch.timeouts >= MAX_TIMEOUTS);
  }

  #halve({ identities }: Batch, stack: Batch[]): void {
    const middle = Math.ceil(identities.length / 2);
    const halves = [identities.slice(0, middle), identities.slice(middle)];
    // Only a single revision is asked for twice again, before it is given up.
    for (const half of halves.reverse()) stack.push({ ...this.#batch(half), isRepeated: half.length > 1 });
  }

  #batch(identities: readonly UpdateIdentity[]): Batch {
    return { identities, tries: this.#fetching.newTries(), isRepeated: false, timeouts: 0 };
  }
}

function unavailable(identity: UpdateIdentity, reason: string): UpdateEvent {
  return { type: 'unavailable', identity, reason };
}

function errorCodeOf(error: unknown): string {
  return (error instanceof SoapFault ? error.errorCode : undefined) ?? 'unknown';
}
