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
      `Import those that were made after package ${last.sequence}; outside, "wsusutil export --bridge-from ${last.sequence}" makes one of all that is newer.`,
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

/**
 * How old a package is. `fresh` is worth no word; from `aging` on people are told; `ahead` is made in the future, going by
 * the clock here; `backwards` is made before the last one that was imported, whose number is lower.
 */
export type AgeGrade = 'fresh' | 'aging' | 'old' | 'very-old' | 'ahead' | 'backwards';

/** Days from which on a package has the grade; the monthly updates come every 28 or 35 days. */
const GRADES: readonly (readonly [days: number, grade: AgeGrade, words: string])[] = [
  [365, 'very-old', 'Do not rely on it alone: more than a year of updates is not in it'],
  [90, 'old', 'Several months of updates are not in it'],
  [35, 'aging', 'Newer updates are not in it'],
];

export interface PackageAge {
  readonly grade: AgeGrade;
  /** what to say of it, without a full stop; undefined: nothing */
  readonly message: string | undefined;
}

/**
 * Judges a package's age: against the last one that was imported, and only where nothing speaks against that by the clock
 * here. It is never a reason to refuse: a clock may be wrong, and a place behind a gap has to take what it gets.
 *
 * @param last the one imported before it
 */
export function judgeAge(createdAt: string, last: AcceptedPackage | undefined, now: Date): PackageAge {
  const made = Date.parse(createdAt);
  if (last !== undefined && made < last.createdAt) {
    return {
      grade: 'backwards',
      message: `The package was made ${createdAt}, before the last one that was imported (${new Date(last.createdAt).toISOString()}), going by the clock of the server that made it; its number is higher, and it is taken`,
    };
  }
  const days = Math.floor((now.getTime() - made) / DAY_MS);
  if (days < -1) {
    return {
      grade: 'ahead',
      message: `The package was made ${createdAt}, which is in the future, going by the clock here; one of the two clocks is wrong`,
    };
  }
  const found = GRADES.find(([least]) => days >= least);
  if (found === undefined) return { grade: 'fresh', message: undefined };
  const [, grade, words] = found;
  const since =
    last === undefined
      ? ''
      : `, ${Math.floor((made - last.createdAt) / DAY_MS)} days newer than the last one that was imported`;
  return {
    grade,
    message: `The package is ${days} days old, going by the clock here${since}. ${words}`,
  };
}
