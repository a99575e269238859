/**
 * Packages for one destination form a chain: each names the manifest it builds on. Outside, a new package builds on
 * what the destination has said it holds, or was last sent; inside, a package is taken only if what it builds on was.
 */
import { WsusutilError } from '../errors.js';
import type { TransferManifest } from '../formats/transfer-package/manifest.js';
import type { Sha256Hex } from '../model/digest.js';
import type { AcceptedPackage, SentPackage } from '../store/carry-state.js';

/** What a new package is to build on. */
export type BaseChoice =
  /** nothing: it carries everything */
  | { readonly kind: 'full' }
  /** what the destination acknowledged, or else was last sent */
  | { readonly kind: 'last' }
  | { readonly kind: 'manifest'; readonly digest: Sha256Hex }
  | { readonly kind: 'sequence'; readonly sequence: number };

export interface Link {
  /** of the new package */
  readonly sequence: number;
  /** undefined: it builds on none */
  readonly base: SentPackage | undefined;
}

/**
 * @param sent to this destination, oldest first
 * @throws WsusutilError `NOT_FOUND` if there is no such package
 */
export function chooseBase(destination: string, sent: readonly SentPackage[], choice: BaseChoice): Link {
  const sequence = sent.reduce((most, each) => Math.max(most, each.sequence), 0) + 1;
  if (choice.kind === 'full') return { sequence, base: undefined };
  if (choice.kind === 'last') {
    const base = sent.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).at(-1) ?? sent.at(-1);
    if (base !== undefined) return { sequence, base };
    throw new WsusutilError('NOT_FOUND', `Nothing was sent to ${destination} yet`, {
      hint: 'Leave out --since-last for the first package, or check the name of the destination.',
    });
  }
  const base = sent.find((each) =>
    choice.kind === 'manifest' ? each.manifest === choice.digest : each.sequence === choice.sequence,
  );
  if (base !== undefined) return { sequence, base };
  const what =
    choice.kind === 'manifest' ? `with the manifest ${choice.digest}` : `number ${choice.sequence}`;
  throw new WsusutilError('NOT_FOUND', `No package ${what} was made here for ${destination}`, {
    hint: 'Make a package that builds on none, or check the name of the destination.',
  });
}

/** What is asked of the link between a package and those before it. */
export interface LinkOptions {
  /** why a package is taken although the one it builds on was not */
  readonly acceptGap: string | undefined;
}

export interface LinkVerdict {
  /** the last one of this chain that was imported */
  readonly last: AcceptedPackage | undefined;
  /** it builds on one that was not imported, and is taken all the same */
  readonly isGap: boolean;
}

type ManifestLink = Pick<
  TransferManifest,
  'serverId' | 'destination' | 'sequence' | 'follows' | 'followsSequence'
>;

/**
 * Whether a package may be imported after those that were.
 *
 * @param accepted oldest first
 * @throws WsusutilError `CHAIN_BROKEN`
 */
export function judgeLink(
  manifest: ManifestLink,
  digest: Sha256Hex,
  accepted: readonly AcceptedPackage[],
  { acceptGap }: LinkOptions,
): LinkVerdict {
  const { serverId, destination, sequence, follows, followsSequence } = manifest;
  const same = accepted.find((each) => each.manifest === digest);
  const name = `Package ${sequence} for ${destination}`;
  if (same !== undefined) {
    throw broken(
      `${name} was imported already, ${new Date(same.acceptedAt).toISOString()}`,
      'There is nothing to do. "wsusutil undo" takes back the last import.',
    );
  }
  const chain = accepted.filter((each) => each.serverId === serverId && each.destination === destination);
  const last = chain.reduce<AcceptedPackage | undefined>(
    (most, each) => (most === undefined || each.sequence > most.sequence ? each : most),
    undefined,
  );
  if (last !== undefined && sequence <= last.sequence) {
    throw broken(
      `${name} is older than what is here: package ${last.sequence} was imported, and there is no way back`,
      `Import the packages behind ${last.sequence}; outside, "wsusutil export --bridge-from ${last.sequence}" makes one of all that is newer.`,
    );
  }
  const isGap =
    last === undefined
      ? accepted.length > 0 || follows !== null
      : follows !== null && !chain.some(({ manifest: held }) => held === follows);
  if (!isGap || acceptGap !== undefined) return { last, isGap };
  const builtOn = follows === null ? '' : `builds on package ${followsSequence} (manifest ${follows})`;
  if (last === undefined) {
    const other = accepted.at(-1);
    const held =
      other === undefined
        ? 'no package was imported here'
        : `here is a chain for ${other.destination} from the server ${other.serverId}`;
    throw broken(
      follows === null
        ? `${name} from the server ${serverId} begins another chain: ${held}`
        : `${name} ${builtOn}, and ${held}`,
      follows === null
        ? 'Check that the package is meant for this place. If it is, import it with --accept-gap <reason>.'
        : 'Import the packages before it first, or have one made outside that builds on none: "wsusutil export" without --since-last.',
    );
  }
  throw broken(
    `${name} ${builtOn}, and package ${last.sequence} (manifest ${last.manifest}) is the last one here`,
    `Import package ${followsSequence} first, or have one made outside: "wsusutil export --destination ${destination} --bridge-from ${last.sequence}". With --accept-gap <reason> it is taken as it is, and what is in between may be missing.`,
  );
}

function broken(message: string, hint: string): WsusutilError {
  return new WsusutilError('CHAIN_BROKEN', message, { hint });
}

const DAY_MS = 86_400_000;
/** Days between a package and the one before it, or the clock here, from which on people are told. */
const NOTABLE_DAYS = 35;

/**
 * What to say of a package's age; undefined: nothing. It is never a reason to refuse: a clock may be wrong, and a place
 * behind a gap has to take what it gets.
 *
 * @param last the one imported before it
 */
export function describeAge(
  createdAt: string,
  last: AcceptedPackage | undefined,
  now: Date,
): string | undefined {
  const made = Date.parse(createdAt);
  if (last !== undefined && made < last.createdAt) {
    return `The package was made ${createdAt}, before the last one that was imported (${new Date(last.createdAt).toISOString()}), going by the clock of the server that made it; its number is higher, and it is taken`;
  }
  const days = Math.floor((now.getTime() - made) / DAY_MS);
  if (days >= NOTABLE_DAYS) {
    return `The package is ${days} days old, going by the clock here; newer updates are not in it`;
  }
  if (days < -1) {
    return `The package was made ${createdAt}, which is in the future, going by the clock here; one of the two clocks is wrong`;
  }
  return undefined;
}
