/**
 * Damaged cabinets give members of the declared sizes or a cabinet error: never another exception, never endless
 * work, never memory far beyond what they declare. `npm run fuzz` runs it for longer, with FUZZ_* set.
 */
import { expect, test } from 'vitest';
import { WsusutilError } from '../../src/errors.js';
import { byteSourceOf } from '../../src/formats/bytes.js';
import { extractCabinet, openCabinet, readMembers } from '../../src/formats/cab/read-cabinet.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { mutate, seedCabinets } from './cab-mutations.js';

const CODES = [
  'CAB_MALFORMED',
  'CAB_TRUNCATED',
  'CAB_CHECKSUM',
  'CAB_SPANNED',
  'CAB_COMPRESSION',
  'LIMIT_EXCEEDED',
];
const MAX_OUTPUT_SIZE = 32 * 1_048_576;
const MAX_MEMORY_OF_A_RUN = MAX_OUTPUT_SIZE + 100 * 1_048_576;

/** The rarest of the outcomes asked for comes in about one run of fifty. */
const MIN_RUNS_FOR_COVERAGE = 1_000;

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const firstSeed = number('FUZZ_SEED', 1);
const seconds = number('FUZZ_SECONDS', 0);
const runs = number('FUZZ_RUNS', seconds > 0 ? Number.POSITIVE_INFINITY : 5_000);

test('damaged cabinets give members of the declared sizes or a cabinet error', {
  timeout: (seconds + 600) * 1_000,
}, async () => {
  const seeds = seedCabinets();
  const deadline = seconds > 0 ? Date.now() + seconds * 1_000 : Number.POSITIVE_INFINITY;
  const outcomes = new Map<string, number>();
  let seed = firstSeed;
  for (; seed < firstSeed + runs && Date.now() < deadline; seed++) {
    const bytes = mutate(seeds, seededRandom(seed));
    const before = process.memoryUsage.rss();
    const outcome = await outcomeOf(bytes, seed);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    // Garbage of earlier runs is in both figures; what one input takes is between them.
    expect(process.memoryUsage.rss() - before, `memory at seed ${seed}`).toBeLessThan(MAX_MEMORY_OF_A_RUN);
    if (seed % 256 === 0) await new Promise((turn) => setImmediate(turn));
  }
  if (seconds > 0)
    process.stdout.write(
      `${seed - firstSeed} runs from seed ${firstSeed}: ${JSON.stringify([...outcomes])}; ${Math.round(process.memoryUsage.rss() / 1e6)} MB\n`,
    );
  // The damage must reach every stage: some cabinets survive it, and each kind of refusal occurs. A few runs, as
  // when one failure is repeated, cannot show that.
  if (seed - firstSeed < MIN_RUNS_FOR_COVERAGE) return;
  expect([...outcomes.keys()].sort()).toEqual(
    expect.arrayContaining(['read', 'CAB_MALFORMED', 'CAB_TRUNCATED', 'CAB_CHECKSUM']),
  );
});

async function outcomeOf(bytes: Uint8Array, seed: number): Promise<string> {
  const outcome = guarded(seed, () => {
    for (const { member, data } of extractCabinet(bytes, { maxOutputSize: MAX_OUTPUT_SIZE })) {
      expect(data.length, `seed ${seed}`).toBe(member.size);
    }
  });
  if (seed % 4 !== 0) return outcome;
  // Streamed, it ends the same way, and gives no more than the members declare.
  let error: unknown;
  const missing = new Map<unknown, number>();
  try {
    const cabinet = await openCabinet(byteSourceOf(bytes));
    for await (const { member, bytes: run, isLast } of readMembers(cabinet, {
      maxOutputSize: MAX_OUTPUT_SIZE,
    })) {
      const left = (missing.get(member) ?? member.size) - run.length;
      expect(left >= 0 && isLast === (left === 0), `seed ${seed}`).toBe(true);
      missing.set(member, left);
    }
  } catch (thrown) {
    error = thrown;
  }
  const streamed = guarded(seed, () => {
    if (error !== undefined) throw error;
  });
  // In memory the block headers are walked first, so another of several faults may be met first.
  expect(streamed === 'read', `seed ${seed}`).toBe(outcome === 'read');
  return outcome;
}

function guarded(seed: number, action: () => void): string {
  try {
    action();
    return 'read';
  } catch (error) {
    if (error instanceof WsusutilError && CODES.includes(error.code)) return error.code;
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`, {
      cause: error,
    });
  }
}
