import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openHttpClient } from '../../src/transfer/http-client.js';
import { openRateLimiter, paced, type RateClock } from '../../src/transfer/rate-limit.js';
import { fc } from '../helpers/properties.js';
import { listen } from '../helpers/web-server.js';

/** A clock that stands still but for those who sleep, of whom the first to wake goes first. */
class FakeClock implements RateClock {
  time = 0;
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const at = this.time + milliseconds;
      this.#sleepers.push({
        at,
        wake: () => {
          signal.removeEventListener('abort', onAbort);
          wake();
        },
      });
    });
  }

  /** Lets time pass until nobody sleeps. */
  async run(): Promise<void> {
    for (;;) {
      for (let i = 0; i < 20; i++) await Promise.resolve(); // whoever is awake goes on first
      this.#sleepers.sort((a, b) => a.at - b.at);
      const next = this.#sleepers.shift();
      if (next === undefined) return;
      this.time = Math.max(this.time, next.at);
      next.wake();
    }
  }
}

const signal = new AbortController().signal;

describe('a limit of rate', () => {
  test('lets through no more than its rate and a quarter of a second at any moment, to all together', async () => {
    const transfers = fc.array(fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 30 }), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), transfers, async (rate, all) => {
        const clock = new FakeClock();
        const limiter = openRateLimiter(rate, clock);
        let passed = 0;
        let longest = 0;
        const work = all.map(async (sizes) => {
          for (const size of sizes) {
            await limiter.take(size, signal);
            passed += size;
            longest = Math.max(longest, passed - rate * (clock.time / 1000 + 0.25));
          }
        });
        await clock.run();
        await Promise.all(work);
        expect(longest).toBeLessThan(1e-6 * rate + 1e-6);
        const total = all.flat().reduce((sum, size) => sum + size, 0);
        expect(passed).toBe(total);
        // And no less: it sleeps no longer than the bytes take.
        expect(clock.time).toBeLessThanOrEqual((total / rate) * 1000 + 1e-6);
      }),
    );
  });

  test('saves up no more than a quarter of a second while nothing is asked for', async () => {
    const clock = new FakeClock();
    const limiter = openRateLimiter(1000, clock);
    clock.time = 60_000;
    await limiter.take(250, signal);
    expect(clock.time).toBe(60_000);
    const taking = limiter.take(1000, signal);
    await clock.run();
    await taking;
    expect(clock.time).toBe(61_000);
  });

  test('ends the wait when it is interrupted', async () => {
    const limiter = openRateLimiter(1, new FakeClock());
    const controller = new AbortController();
    const waiting = limiter.take(1_000_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const real = openRateLimiter(1).take(1_000_000, controller.signal);
    await expect(real).rejects.toThrow();
  });

  test('changes no byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 })), async (pieces) => {
        const clock = new FakeClock();
        async function* source() {
          yield* pieces;
        }
        const reading = (async () => {
          const got: Uint8Array[] = [];
          for await (const piece of paced(source(), openRateLimiter(10, clock), signal)) got.push(piece);
          return Buffer.concat(got);
        })();
        let isDone = false;
        const done = reading.finally(() => {
          isDone = true;
        });
        while (!isDone) await clock.run();
        await done;
        expect(await reading).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  test.each([0, -1, Number.NaN])('of %d is a mistake of the caller', (rate) => {
    expect(() => openRateLimiter(rate)).toThrow(RangeError);
  });

  test('is kept by the requests of a client, and shared with another one', async () => {
    const clock = new FakeClock();
    const limiter = openRateLimiter(10_000, clock);
    const server = createServer((_request, response) => response.end(Buffer.alloc(20_000)));
    const url = `http://127.0.0.1:${await listen(server)}/`;
    const read = async () => {
      const http = openHttpClient({ userAgent: 'x', connections: 1, limitRate: limiter });
      onTestFinished(() => http.close());
      let size = 0;
      for await (const piece of (await http.get(url, {}, signal)).body) size += piece.length;
      return size;
    };
    const reading = Promise.all([read(), read()]);
    let isDone = false;
    const done = reading.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await clock.run();
      await new Promise((next) => setImmediate(next));
    }
    await done;
    expect(await reading).toEqual([20_000, 20_000]);
    expect(clock.time).toBe(3750); // 40,000 bytes at 10,000 a second, less the quarter it begins with
  });
});
