import { describe, expect, test } from 'vitest';
import {
  formatTimeWindow,
  isWindowOpen,
  nextWindowChange,
  parseTimeWindow,
  type TimeWindow,
  WindowGate,
  zoneOffsetOf,
} from '../../src/sync/time-window.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { ManualClock } from './manual-clock.js';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
];

const anyWindow: fc.Arbitrary<TimeWindow> = fc
  .record({ from: fc.nat(1439), to: fc.nat(1439) })
  .filter(({ from, to }) => from !== to);
const anyInstant = fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2030-01-01') });

describe('a window is written', () => {
  test('as two local times', () => {
    expect(parseTimeWindow('20:00-05:00')).toEqual({ from: 1200, to: 300 });
    expect(parseTimeWindow('00:00-23:59')).toEqual({ from: 0, to: 1439 });
  });

  test.each(['', '20:00', '20-05', '24:00-05:00', '20:60-05:00', '8:00-9:00', '05:00-05:00', '20:00-05:00x'])(
    'and "%s" is none',
    async (text) => {
      const error = await failureOf(async () => parseTimeWindow(text));
      expect(error.code).toBe('USAGE');
      expect(error.hint).toContain('20:00-05:00');
    },
  );

  test('and comes back as it went in', () => {
    fc.assert(
      fc.property(anyWindow, (window) => {
        expect(parseTimeWindow(formatTimeWindow(window))).toEqual(window);
      }),
    );
  });
});

test('a time zone nobody knows is refused', async () => {
  expect((await failureOf(async () => zoneOffsetOf('Mars/Olympus'))).code).toBe('USAGE');
});

test('the zone of this machine is the one of Date', () => {
  const own = zoneOffsetOf();
  const named = zoneOffsetOf(Intl.DateTimeFormat().resolvedOptions().timeZone);
  fc.assert(
    fc.property(anyInstant, (at) => {
      expect(own(at)).toBe(named(at));
    }),
  );
});

describe('over midnight, in Berlin', () => {
  const window = parseTimeWindow('20:00-05:00');
  const berlin = zoneOffsetOf('Europe/Berlin');
  const next = (at: string) => new Date(nextWindowChange(window, Date.parse(at), berlin)).toISOString();

  test.each([
    ['2026-01-10T18:59:59Z', false],
    ['2026-01-10T19:00:00Z', true],
    ['2026-01-10T23:30:00Z', true],
    ['2026-01-11T03:59:59Z', true],
    ['2026-01-11T04:00:00Z', false],
    ['2026-07-10T18:00:00Z', true],
  ])('at %s it is open: %s', (at, isOpen) => {
    expect(isWindowOpen(window, Date.parse(at), berlin)).toBe(isOpen);
  });

  test('it opens and closes by the clock on the wall', () => {
    expect(next('2026-01-10T12:00:00Z')).toBe('2026-01-10T19:00:00.000Z');
    expect(next('2026-01-10T19:00:00Z')).toBe('2026-01-11T04:00:00.000Z');
  });

  test('the night to summer time is an hour shorter, the night to winter time an hour longer', () => {
    expect(next('2026-03-28T19:00:00Z')).toBe('2026-03-29T03:00:00.000Z');
    expect(next('2026-10-24T18:00:00Z')).toBe('2026-10-25T04:00:00.000Z');
  });
});

describe('around a change of the clock, in Berlin', () => {
  const berlin = zoneOffsetOf('Europe/Berlin');
  const next = (window: string, at: string) =>
    new Date(nextWindowChange(parseTimeWindow(window), Date.parse(at), berlin)).toISOString();

  test('a window in the hour that is skipped does not open that day', () => {
    expect(next('02:10-02:50', '2026-03-28T12:00:00Z')).toBe('2026-03-30T00:10:00.000Z');
  });

  test('a window that begins in that hour opens when it is over', () => {
    expect(next('02:30-06:00', '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
  });

  test('a window in the hour that comes twice opens twice', () => {
    expect(next('02:10-02:50', '2026-10-25T00:00:00Z')).toBe('2026-10-25T00:10:00.000Z');
    expect(next('02:10-02:50', '2026-10-25T00:10:00Z')).toBe('2026-10-25T00:50:00.000Z');
    expect(next('02:10-02:50', '2026-10-25T00:50:00Z')).toBe('2026-10-25T01:10:00.000Z');
  });

  test('a window that ends in that hour closes, opens and closes', () => {
    expect(next('22:00-02:30', '2026-10-25T00:29:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(next('22:00-02:30', '2026-10-25T00:30:00Z')).toBe('2026-10-25T01:00:00.000Z');
    expect(next('22:00-02:30', '2026-10-25T01:00:00Z')).toBe('2026-10-25T01:30:00.000Z');
  });
});

test('up to the next change nothing changes, and there it does, in every zone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      anyWindow,
      anyInstant,
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 20 }),
      (zone, window, at, places) => {
        const offsetOf = zoneOffsetOf(zone);
        const isOpen = isWindowOpen(window, at, offsetOf);
        const next = nextWindowChange(window, at, offsetOf);
        expect(next).toBeGreaterThan(at);
        expect(next - at).toBeLessThanOrEqual(2 * DAY + 120 * MINUTE);
        expect(isWindowOpen(window, next, offsetOf)).toBe(!isOpen);
        expect(isWindowOpen(window, next - 1, offsetOf)).toBe(isOpen);
        for (const place of places) {
          expect(isWindowOpen(window, at + Math.floor(place * (next - at)), offsetOf)).toBe(isOpen);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('without changes of the clock a day is open as long as the window says', () => {
  fc.assert(
    fc.property(anyWindow, anyInstant, (window, at) => {
      const utc = zoneOffsetOf('UTC');
      const first = nextWindowChange(window, at, utc);
      const second = nextWindowChange(window, first, utc);
      expect(nextWindowChange(window, second, utc) - first).toBe(DAY);
      const openFor = isWindowOpen(window, first, utc) ? second - first : DAY - (second - first);
      expect(openFor).toBe(((window.to - window.from + 1440) % 1440) * MINUTE);
    }),
  );
});

describe('a gate', () => {
  const window = parseTimeWindow('20:00-05:00');
  const utc = zoneOffsetOf('UTC');
  const signal = new AbortController().signal;

  test('lets through at once while it is open', async () => {
    const clock = new ManualClock('2026-01-10T21:00:00Z');
    await new WindowGate(window, utc, clock).whenOpen(signal);
    expect(clock.pauses).toEqual([]);
  });

  test('opens and closes at the minute, looking at the clock in between', async () => {
    const clock = new ManualClock('2026-01-10T12:00:30Z');
    const gate = new WindowGate(window, utc, clock);
    await gate.whenOpen(signal);
    expect(clock.now().toISOString()).toBe('2026-01-10T20:00:00.000Z');
    expect(Math.max(...clock.pauses)).toBeLessThanOrEqual(MINUTE);
    await gate.whenClosed(signal);
    expect(clock.now().toISOString()).toBe('2026-01-11T05:00:00.000Z');
  });

  test.each([
    ['Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-28 20:00 (UTC+01:00)'],
    ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-29 20:00 (UTC+02:00)'],
    ['America/St_Johns', '2026-01-10T20:00:00Z', '2026-01-10 20:00 (UTC-03:30)'],
  ])('says in %s by the clock there when it opens', (zone, at, text) => {
    const gate = new WindowGate(window, zoneOffsetOf(zone), new ManualClock(at));
    expect(gate.nextChangeText).toBe(text);
  });

  test('notices a clock that is set', async () => {
    const clock: ManualClock = new ManualClock('2026-01-10T12:00:00Z', () => {
      if (clock.pauses.length === 3) clock.moveTo('2026-01-10T22:00:00Z');
      return true;
    });
    await new WindowGate(window, utc, clock).whenOpen(signal);
    expect(clock.pauses).toHaveLength(4);
  });

  test('is not waited for after an interruption', async () => {
    const controller = new AbortController();
    const clock = new ManualClock('2026-01-10T12:00:00Z', () => false);
    const waiting = failureOf(() => new WindowGate(window, utc, clock).whenOpen(controller.signal));
    controller.abort();
    expect((await waiting).code).toBe('INTERRUPTED');
  });
});
