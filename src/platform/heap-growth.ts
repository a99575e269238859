import { setFlagsFromString } from 'node:v8';

/** The factor 4, which the engine itself takes for programs that are never idle. */
const GROWTH_PERCENT = 300;

/**
 * Lets the heap grow as that of a busy program. V8 sees a thread that hands its work to others, or waits for a network, as
 * one that does little, and keeps the heap as small as it can: it then collects all of it again and again, and takes back
 * compiled code with it.
 *
 * Measured on 2026-11-22, 20,000 revisions from an upstream with 50 ms: 27 full collections and 8 % more processor time
 * without, 5 with it (Node.js 22, 24 and 26: 18, 32, 11 without, 3, 8, 8 with it); 25 MB more memory. Import of 100,000
 * revisions from a `.cab`: 10 % less processor time on one processor, 5 % less time on two, 12 MB more memory.
 */
export function growHeapAsIfBusy(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
