import { expect, test } from 'vitest';
import { type ErrorCode, WsusutilError } from '../../src/errors.js';
import type { ProgressEvent } from '../../src/events.js';
import { type FaultCode, SoapFault } from '../../src/formats/soap/soap-fault.js';
import type { HistoryEntry } from '../../src/store/metadata-store.js';
import {
  canPass,
  describeNotDue,
  lastCountedStart,
  runScheduled,
  SCHEDULED_RETRIES,
} from '../../src/sync/scheduled-run.js';
import { fc } from '../helpers/properties.js';

const down = () => new WsusutilError('UPSTREAM_UNREACHABLE', 'The upstream cannot be reached:\nECONNREFUSED');

interface Recorded {
  readonly lines: string[];
  readonly pauses: number[];
  readonly attempts: number;
  readonly outcome: unknown;
}

/** Runs with a clock that only counts; each entry is what an attempt throws, or undefined for success. */
async function run(
  ends: readonly unknown[],
  onSleep: (abort: () => void) => void = () => {},
): Promise<Recorded> {
  const lines: string[] = [];
  const pauses: number[] = [];
  const interruption = new AbortController();
  let attempts = 0;
  const report = (event: ProgressEvent) => {
    if (event.type === 'step') lines.push(event.message);
  };
  const outcome = await runScheduled(
    async () => {
      const end = ends[attempts++];
      if (end !== undefined) throw end;
      return 'done';
    },
    {
      ...SCHEDULED_RETRIES,
      signal: interruption.signal,
      report,
      sleep: async (ms, signal) => {
        pauses.push(ms);
        onSleep(() => interruption.abort());
        signal.throwIfAborted();
      },
    },
  ).catch((error: unknown) => error);
  return { lines, pauses, attempts, outcome };
}

test('a run that succeeds is one attempt', async () => {
  expect(await run([undefined])).toEqual({
    lines: ['Attempt 1 of 3 came to its end'],
    pauses: [],
    attempts: 1,
    outcome: 'done',
  });
});

test('an upstream that is down is tried twice more, a quarter of an hour apart', async () => {
  const last = down();
  expect(await run([down(), down(), last])).toEqual({
    lines: [
      'Attempt 1 of 3 failed with UPSTREAM_UNREACHABLE: The upstream cannot be reached: ECONNREFUSED; the next one is in 15 minutes, when network and upstream may be there again',
      'Attempt 2 of 3 failed with UPSTREAM_UNREACHABLE: The upstream cannot be reached: ECONNREFUSED; the next one is in 15 minutes, when network and upstream may be there again',
      'Attempt 3 of 3 failed with UPSTREAM_UNREACHABLE: The upstream cannot be reached: ECONNREFUSED; the schedule starts the next one',
    ],
    pauses: [900_000, 900_000],
    attempts: 3,
    outcome: last,
  });
});

test('that it waits, and for what, is news; how it ended is not', async () => {
  const news: boolean[] = [];
  let attempts = 0;
  await runScheduled(
    async () => {
      if (++attempts < 3) throw new WsusutilError('UPSTREAM_UNREACHABLE', 'No such upstream: ENOTFOUND');
    },
    {
      ...SCHEDULED_RETRIES,
      signal: new AbortController().signal,
      report: (event) => news.push(event.type === 'step' && event.isNews === true),
      sleep: async () => {},
    },
  );
  expect(news).toEqual([true, true, false]);
});

test('a lock that is free again lets the second attempt through', async () => {
  const { attempts, outcome, pauses } = await run([new WsusutilError('STORE_LOCKED', 'locked'), undefined]);
  expect({ attempts, outcome, pauses }).toEqual({ attempts: 2, outcome: 'done', pauses: [900_000] });
});

test('what only a person can mend is not tried again', async () => {
  for (const error of [
    new WsusutilError('SETTINGS_INVALID', 'wrong'),
    new WsusutilError('UPSTREAM_REFUSED', 'certificate'),
    new Error('defect'),
  ]) {
    const { lines, attempts, outcome, pauses } = await run([error]);
    expect({ attempts, outcome, pauses }).toEqual({ attempts: 1, outcome: error, pauses: [] });
    expect(lines).toEqual([expect.stringContaining('another one would fail alike')]);
  }
});

test('an interruption ends it, in an attempt and between two of them', async () => {
  const interrupted = new WsusutilError('INTERRUPTED', 'Interrupted while reading');
  expect(await run([interrupted])).toMatchObject({
    lines: ['Attempt 1 of 3 was interrupted'],
    attempts: 1,
    outcome: interrupted,
  });
  expect(await run([down()], (abort) => abort())).toMatchObject({
    attempts: 1,
    outcome: { code: 'INTERRUPTED', message: 'Interrupted while waiting for attempt 2 of 3' },
  });
});

test('there are never more attempts than there may be, nor a pause after the last', async () => {
  const end = fc.constantFrom(down(), new WsusutilError('CERTIFICATE_INVALID', 'x'), undefined);
  await fc.assert(
    fc.asyncProperty(fc.array(end, { minLength: 3, maxLength: 3 }), async (ends) => {
      const { attempts, pauses, lines } = await run(ends);
      const stop = ends.findIndex((each) => !canPass(each));
      expect(attempts).toBe(stop < 0 ? 3 : stop + 1);
      expect(pauses).toHaveLength(attempts - 1);
      expect(lines).toHaveLength(attempts);
    }),
  );
});

const fault = (faultCode: FaultCode | undefined) =>
  new SoapFault({
    operation: 'GetUpdateData',
    faultCode,
    errorCode: faultCode,
    faultMessage: '',
    soapCode: 'Client',
    reason: '',
    faultId: undefined,
  });

test('busy and ill servers may be well again; requests they do not take stay wrong', () => {
  expect(
    (['ServerBusy', 'InternalServerError', 'ServerChanged', undefined] as const).map((code) =>
      canPass(fault(code)),
    ),
  ).toEqual([true, true, true, true]);
  expect(
    (['InvalidParameters', 'TooManyIds', 'IncompatibleProtocolVersion'] as const).map((code) =>
      canPass(fault(code)),
    ),
  ).toEqual([false, false, false]);
  const codes: readonly ErrorCode[] = [
    'SETTINGS_INVALID',
    'UPSTREAM_REFUSED',
    'PROXY_AUTHENTICATION',
    'DISK_FULL',
    'STORE_CORRUPT',
    'SAFETY_REFUSED',
    'UPSTREAM_INCOMPATIBLE',
  ];
  expect(codes.filter((code) => canPass(new WsusutilError(code, 'x')))).toEqual([]);
});

test('the run that counts is the newest that came to an end', () => {
  const entry = (startedAt: number, outcome: string): HistoryEntry => ({
    id: startedAt,
    action: 'sync',
    package: 'http://x/',
    startedAt,
    finishedAt: startedAt,
    outcome,
    details: {},
  });
  expect(lastCountedStart([])).toBeUndefined();
  expect(lastCountedStart([entry(3, 'UPSTREAM_FAULT'), entry(2, 'incomplete'), entry(1, 'complete')])).toBe(
    2,
  );
});

test('a run that is not due says why and when the next one is', () => {
  const wasDueAt = new Date(2026, 10, 11, 6);
  const next = new Date(2026, 11, 9, 6);
  expect(describeNotDue({ isDue: false, isDone: true, wasDueAt, next })).toBe(
    'Not due: what was due 2026-11-11 06:00 is done; next 2026-12-09 06:00.',
  );
  expect(describeNotDue({ isDue: false, isDone: false, wasDueAt, next })).toContain('too long ago');
});
