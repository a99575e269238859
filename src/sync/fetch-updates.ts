/**
 * All documents of a list of revisions, through servers that answer short, break off, or refuse a whole batch for one
 * unknown revision (server-sync-protocol 6.1, 15.4, 17.7, 17.8).
 */
import { isWsusutilError, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import type { FileLocation, ServerUpdate, UpdateDataItem } from '../formats/server-sync/get-update-data.js';
import type { UpdateBlob } from '../formats/server-sync/update-blob.js';
import { SoapFault } from '../formats/soap/soap-fault.js';
import type { Sha1Hex } from '../model/digest.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { FaultDecision } from './fault-decision.js';
import type { Tries } from './recovery.js';
import { isTransient, TransportError } from './transport-error.js';

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
  /** May come more than once for a file. */
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
/** Answers to a batch that did not come, or broke off, before it is halved. */
const MAX_STOPS = 2;
/**
 * Documents and addresses of one answer that are kept until it is all there, in characters or bytes. More is asked for in
 * halves. Real answers have 2.6 MB (server-sync-protocol 2.2).
 */
const MAX_ANSWER_SIZE = 64 * 1024 * 1024;
/** what an address takes beside its text */
const LOCATION_SIZE = 100;

/** A revision that is asked for. */
interface Wanted {
  readonly identity: UpdateIdentity;
  /** as {@link formatIdentity} writes it */
  readonly key: string;
  /** yielded already */
  isDelivered: boolean;
  /** in whose answer it was, last */
  answered: Batch | undefined;
}

interface Batch {
  readonly wanted: readonly Wanted[];
  readonly byKey: ReadonlyMap<string, Wanted>;
  readonly tries: Tries;
  /** a fault that may mean an unknown revision has been met once already */
  isRepeated: boolean;
  stops: number;
  /** something of the answer came */
  hasBegun: boolean;
}

/**
 * Yields each revision once, whatever has to be asked for twice, and everything of an answer together: where its files
 * lie stands at the end of it, and who stores a document is never told again (2026-11-21: a run that was killed in
 * between had lost the addresses).
 */
export async function* fetchUpdates(
  identities: Iterable<UpdateIdentity>,
  fetching: UpdateFetching,
): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
  const fetcher = new Fetcher(fetching);
  for (const batch of batchesOf(identities, fetching.batchSize)) yield* fetcher.fetch(batch);
}

function* batchesOf(identities: Iterable<UpdateIdentity>, size: number): Generator<readonly Wanted[]> {
  const seen = new Set<string>();
  let batch: Wanted[] = [];
  for (const identity of identities) {
    const key = formatIdentity(identity);
    if (seen.has(key)) continue;
    seen.add(key);
    batch.push({ identity, key, isDelivered: false, answered: undefined });
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

class Fetcher {
  readonly #fetching: UpdateFetching;
  /** answers in a row that made no sense */
  #malformed = 0;
  #maxMalformed = 0;

  constructor(fetching: UpdateFetching) {
    this.#fetching = fetching;
  }

  async *fetch(wanted: readonly Wanted[]): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    const stack: Batch[] = [this.#batch(wanted)];
    this.#maxMalformed = Math.ceil(Math.log2(wanted.length)) + MAX_MALFORMED;
    for (;;) {
      const batch = stack.pop();
      if (batch === undefined) return;
      try {
        yield* this.#askOnce(batch);
        this.#malformed = 0;
      } catch (error) {
        yield* this.#afterError(error, batch, stack);
        continue;
      }
      const rest = batch.wanted.filter(({ answered }) => answered !== batch);
      if (rest.length === 0) continue;
      const { length } = batch.wanted;
      this.#fetching.report({
        type: 'step',
        message: `GetUpdateData: ${length - rest.length} of ${length} revisions came; asking for the rest`,
      });
      if (rest.length < length) stack.push(this.#batch(rest));
      else if (rest.length > 1) this.#halve(batch, stack);
      else yield [unavailable((rest[0] as Wanted).identity, 'NotReturned')];
    }
  }

  async *#askOnce(batch: Batch): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    const items: UpdateDataItem[] = [];
    let size = 0;
    batch.hasBegun = false;
    for await (const some of this.#fetching.ask(batch.wanted.map(({ identity }) => identity))) {
      batch.hasBegun = true;
      for (const item of some) {
        items.push(item);
        size += sizeOf(item);
      }
      if (size > MAX_ANSWER_SIZE) throw isTooLong(batch);
    }
    const events = this.#eventsOf(items, batch);
    if (events.length > 0) yield events;
  }

  #eventsOf(items: readonly UpdateDataItem[], batch: Batch): readonly UpdateEvent[] {
    const events: UpdateEvent[] = [];
    for (const item of items) {
      if (item.type === 'file-location') events.push(item);
      else {
        const event = this.#take(item.update, batch);
        if (event !== undefined) events.push(event);
      }
    }
    return events;
  }

  /** @returns undefined for what was not asked for, or has come before */
  #take(update: ServerUpdate, batch: Batch): UpdateEvent | undefined {
    const key = formatIdentity(update.identity);
    const wanted = batch.byKey.get(key);
    if (wanted === undefined) {
      this.#fetching.report({
        type: 'step',
        message: `GetUpdateData: ${key} came without being asked for`,
      });
      return undefined;
    }
    wanted.answered = batch;
    if (wanted.isDelivered) return undefined;
    wanted.isDelivered = true;
    return { type: 'document', identity: wanted.identity, blob: update.blob, fileSha1s: update.fileSha1s };
  }

  /** Puts on the stack what is to be asked for next, or throws. */
  async *#afterError(
    error: unknown,
    batch: Batch,
    stack: Batch[],
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined> {
    const { decide, recover } = this.#fetching;
    const { wanted } = batch;
    const [first] = wanted as readonly [Wanted];
    if (isWsusutilError(error, 'UPSTREAM_MALFORMED')) this.#malformed++;
    const decision = decide(error);
    if (decision?.action === 'leave-out') {
      const missing = new Set(decision.missing.map(formatIdentity));
      const rest = wanted.filter(({ key }) => !missing.has(key));
      if (rest.length < wanted.length) {
        for (const { identity, key, isDelivered } of wanted) {
          if (missing.has(key) && !isDelivered) yield [unavailable(identity, 'MissingRevisions')];
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
      } else if (wanted.length > 1) {
        this.#halve(batch, stack);
      } else if (!first.isDelivered) {
        yield [unavailable(first.identity, errorCodeOf(error))];
      }
      return;
    }
    if (wanted.length > 1 && this.#isTooMuch(error, batch)) {
      this.#halve(batch, stack);
      return;
    }
    if (this.#isOneBad(error)) {
      if (!first.isDelivered) yield [{ type: 'unreadable', identity: first.identity, error }];
      return;
    }
    await recover(error, batch.tries);
    stack.push({ ...batch });
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
    if (error instanceof TransportError && error.status === 413) return true;
    const isTimeout = error instanceof TransportError && error.isTimeout;
    const hasStopped = isTimeout || (batch.hasBegun && isTransient(error));
    return hasStopped && ++batch.stops >= MAX_STOPS;
  }

  #halve({ wanted }: Batch, stack: Batch[]): void {
    const middle = Math.ceil(wanted.length / 2);
    const halves = [wanted.slice(0, middle), wanted.slice(middle)];
    // Only a single revision is asked for twice again, before it is given up.
    for (const half of halves.reverse()) stack.push({ ...this.#batch(half), isRepeated: half.length > 1 });
  }

  #batch(wanted: readonly Wanted[]): Batch {
    return {
      wanted,
      byKey: new Map(wanted.map((each) => [each.key, each])),
      tries: this.#fetching.newTries(),
      isRepeated: false,
      stops: 0,
      hasBegun: false,
    };
  }
}

function unavailable(identity: UpdateIdentity, reason: string): UpdateEvent {
  return { type: 'unavailable', identity, reason };
}

function sizeOf(item: UpdateDataItem): number {
  if (item.type === 'file-location') return LOCATION_SIZE + (item.location.muUrl?.length ?? 0);
  const { blob } = item.update;
  return blob.form === 'plain' ? blob.text.length : blob.bytes.length;
}

function isTooLong({ wanted }: Batch): WsusutilError {
  return new WsusutilError(
    'LIMIT_EXCEEDED',
    `the answer for ${wanted.length} revisions holds more than ${groupDigits(MAX_ANSWER_SIZE)} bytes of documents`,
    { hint: 'No real upstream comes near this limit: check the address.' },
  );
}

function errorCodeOf(error: unknown): string {
  return (error instanceof SoapFault ? error.errorCode : undefined) ?? 'unknown';
}
