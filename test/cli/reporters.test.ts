import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createJsonReporter, createWarningCollector } from '../../src/cli/json-reporter.js';
import { createLogFile, type LogFileOptions } from '../../src/cli/log-file.js';
import { plainPaint } from '../../src/cli/paint.js';
import { durationText, progressBarText, progressText, StageMeter } from '../../src/cli/progress.js';
import { createProgressBar, createTerminalReporter } from '../../src/cli/terminal-reporter.js';
import { WsusutilError } from '../../src/errors.js';
import type { ProgressEvent } from '../../src/events.js';
import { fakeOutput } from '../helpers/fake-stream.js';
import { temporaryFolder } from '../helpers/program.js';

const started: ProgressEvent = {
  type: 'stage-started',
  stage: 'importing',
  unit: 'revisions',
  total: 100_000,
};
const progress = (done: number): ProgressEvent => ({
  type: 'progress',
  stage: 'importing',
  done,
  total: 100_000,
  bytes: 0,
  totalBytes: undefined,
});
const warning = (message: string): ProgressEvent => ({ type: 'warning', code: 'UNKNOWN_MEMBER', message });

function terminalReporter(options: { quiet?: boolean; verbose?: boolean } = {}) {
  const { stream, output } = fakeOutput();
  let nowMs = 0;
  const reporter = createTerminalReporter({
    output,
    bar: undefined,
    clock: () => nowMs,
    paint: plainPaint,
    unicode: true,
    quiet: options.quiet ?? false,
    verbose: options.verbose ?? false,
  });
  return {
    stream,
    reporter,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('without a terminal', () => {
  test('one plain line comes every five seconds, and no cursor codes', () => {
    const { stream, reporter, wait } = terminalReporter();
    reporter.report(started);
    for (let second = 1; second <= 12; second++) {
      wait(1000);
      reporter.report(progress(second * 4_100));
    }
    reporter.report({ type: 'stage-finished', stage: 'importing', done: 49_200 });
    reporter.close();
    expect(stream.text).toBe(
      [
        'importing: 20,500 of 100,000 revisions (20 %), 4,100/s, 20 s left',
        'importing: 41,000 of 100,000 revisions (41 %), 4,100/s, 15 s left',
        '',
      ].join('\n'),
    );
  });

  test('a command shorter than that says nothing', () => {
    const { stream, reporter, wait } = terminalReporter();
    reporter.report(started);
    wait(4_000);
    reporter.report(progress(99_000));
    reporter.close();
    expect(stream.text).toBe('');
  });
});

describe('warnings', () => {
  test('are shown up to a number of each kind, then counted', () => {
    const { stream, reporter } = terminalReporter();
    for (let index = 0; index < 1_500; index++) reporter.report(warning(`member ${index}\u001b[2J`));
    reporter.close();
    const lines = stream.text.trimEnd().split('\n');
    expect(lines).toHaveLength(21);
    expect(lines[0]).toBe('warning: member 0\\x1b[2J [UNKNOWN_MEMBER]');
    expect(lines[20]).toBe('warning: and 1,480 more [UNKNOWN_MEMBER]');
  });

  test('are only counted when quiet', () => {
    const { stream, reporter, wait } = terminalReporter({ quiet: true });
    reporter.report(started);
    wait(60_000);
    reporter.report(progress(10));
    reporter.report(warning('x'));
    reporter.close();
    expect(stream.text).toBe('1 warning\n');
  });

  test('in the result document are limited, and the rest is counted', () => {
    const collector = createWarningCollector();
    for (let index = 0; index < 1_234; index++) collector.report(warning('http://a:b@c/'));
    expect(collector.warnings).toHaveLength(1_000);
    expect(collector.warnings[0]).toEqual({ code: 'UNKNOWN_MEMBER', message: 'http://***@c/' });
    expect(collector.omitted).toBe(234);
  });
});

test('steps are shown only when asked for', () => {
  for (const verbose of [false, true]) {
    const { stream, reporter } = terminalReporter({ verbose });
    reporter.report({ type: 'step', message: 'opened' });
    expect(stream.text).toBe(verbose ? 'opened\n' : '');
  }
});

test('a step that is news is shown unless it is to be quiet', () => {
  for (const quiet of [false, true]) {
    const { stream, reporter } = terminalReporter({ quiet });
    reporter.report({ type: 'step', message: 'waiting', isNews: true });
    expect(stream.text).toBe(quiet ? '' : 'waiting\n');
  }
});

test('on a terminal the bar is drawn within the width and cleared at the end', async () => {
  const { stream, output } = fakeOutput({ terminal: true, columns: 60 });
  let nowMs = 0;
  const reporter = createTerminalReporter({
    output,
    bar: await createProgressBar(stream),
    clock: () => nowMs,
    paint: plainPaint,
    unicode: true,
    quiet: false,
    verbose: false,
  });
  reporter.report(started);
  nowMs = 1_000;
  reporter.report(progress(50_000));
  reporter.report(warning('in between'));
  nowMs = 2_000;
  reporter.report(progress(75_000));
  reporter.close();
  expect(stream.text).toContain('importing ████░░░░ 50 %');
  expect(stream.text).toContain('warning: in between [UNKNOWN_MEMBER]\n');
  expect(stream.text).not.toContain('\u001b[?25l');
  expect(stream.text.endsWith('\u001b[1G\u001b[2K')).toBe(true); // first column, line cleared

  // After Ctrl-C, transfers that were under way tell of themselves once more.
  const before = stream.text;
  nowMs = 3_000;
  reporter.report(progress(76_000));
  expect(stream.text).toBe(before);
});

describe('a progress text', () => {
  const state = {
    stage: 'importing',
    unit: 'revisions',
    done: 12_300,
    total: 100_000,
    fraction: 0.123,
    rate: 4_100,
    secondsLeft: 21.4,
  } as const;

  test.each([
    [120, 'importing ██░░░░░░░░░░░░░░░░░░░░░░ 12 %  12,300 of 100,000 revisions, 4,100/s, 22 s left'],
    [79, 'importing ░░░░░░░░ 12 %  12,300 of 100,000 revisions, 4,100/s, 22 s left'],
    [40, 'importing ░░░░░░░░ 12 %  22 s left'],
    [16, 'importing 12 %'],
  ])('in %i columns keeps what matters', (width, text) => {
    expect(progressBarText(state, width, true)).toBe(text);
  });

  test('is ASCII where that is all there is', () => {
    expect(progressBarText({ ...state, fraction: 0.5 }, 79, false)).toContain('[####----] 50 %');
  });

  test('counts bytes in megabytes', () => {
    expect(
      progressText({
        ...state,
        stage: 'reading',
        unit: 'bytes',
        done: 5_000_000,
        total: 250_000_000,
        rate: 1_500_000,
      }),
    ).toBe('reading: 5.0 of 250 MB (12 %), 1.5 MB/s, 22 s left');
  });

  test('measures downloads in bytes: the first files are the small ones', () => {
    let nowMs = 0;
    const meter = new StageMeter(
      { type: 'stage-started', stage: 'downloading', unit: 'files', total: 100 },
      () => nowMs,
    );
    nowMs = 4_000;
    meter.update({
      type: 'progress',
      stage: 'downloading',
      done: 20,
      total: 100,
      bytes: 8_000_000,
      totalBytes: 200_000_000,
    });
    expect(progressText(meter.read())).toBe('downloading: 20 of 100 files (4 %), 2.0 MB/s, 1 min 36 s left');
  });

  test('says nothing of an end that is not known', () => {
    const open = { ...state, total: undefined, fraction: undefined, secondsLeft: undefined };
    expect(progressText(open)).toBe('importing: 12,300 revisions, 4,100/s');
  });

  test('gives times in words', () => {
    expect([0.2, 59, 200, 7_500].map(durationText)).toEqual(['1 s', '59 s', '3 min 20 s', '2 h 5 min']);
  });
});

test('JSON events are one per line, progress at most four times a second and never without its last', () => {
  const { stream, output } = fakeOutput();
  let nowMs = 0;
  const reporter = createJsonReporter(output, () => nowMs);
  reporter.report(started);
  for (let index = 0; index < 100; index++) {
    nowMs += 10;
    reporter.report(progress(index));
  }
  reporter.report({ type: 'stage-finished', stage: 'importing', done: 99 });
  reporter.close();
  const events = stream.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ProgressEvent);
  expect(events[0]).toEqual(started);
  expect(events.filter((event) => event.type === 'progress').length).toBeLessThanOrEqual(6);
  expect(events.at(-2)).toMatchObject({ type: 'progress', done: 99 });
  expect(events.at(-1)).toMatchObject({ type: 'stage-finished' });
});

describe('the log file', () => {
  function logFile(overrides: Partial<LogFileOptions> = {}) {
    const folder = temporaryFolder();
    onTestFinished(folder.remove);
    const path = join(folder.path, 'a.log');
    const problems: unknown[] = [];
    const log = createLogFile({
      path,
      now: () => new Date('2026-11-20T12:34:56.789Z'),
      opening: ['wsusutil 0.1.0: import', 'package: /a.cab'],
      prepare: () => {},
      onCreateFailed: (error) => problems.push(error),
      onWriteFailed: (error) => problems.push(error),
      ...overrides,
    });
    return { log, path, problems };
  }

  test('has UTC stamps, one step per line, every warning, no secrets and no forged lines', () => {
    const { log, path } = logFile();
    log.report(started);
    log.report(progress(5));
    log.report(warning('http://u:p@h/ odd\n2026-11-20T00:00:00Z forged'));
    log.report({ type: 'stage-finished', stage: 'importing', done: 4_125 });
    log.line('All updates are successfully imported.');
    expect(readFileSync(path, 'utf8').split('\n')).toEqual([
      '2026-11-20T12:34:56Z wsusutil 0.1.0: import',
      '2026-11-20T12:34:56Z package: /a.cab',
      '2026-11-20T12:34:56Z importing started: 100,000 revisions',
      '2026-11-20T12:34:56Z Warning [UNKNOWN_MEMBER]: http://***@h/ odd\\x0a2026-11-20T00:00:00Z forged',
      '2026-11-20T12:34:56Z importing finished: 4,125',
      '2026-11-20T12:34:56Z All updates are successfully imported.',
      '',
    ]);
    log.close();
  });

  test('does not exist before something is said', () => {
    const { log, path } = logFile();
    expect(log.hasBegun).toBe(false);
    expect(existsSync(path)).toBe(false);
    log.close();
    expect(existsSync(path)).toBe(false);
  });

  test('that cannot be created or written tells once and lets the run go on', () => {
    const failed = logFile({
      prepare: () => {
        throw new WsusutilError('DISK_FULL', 'full');
      },
    });
    failed.log.line('a');
    failed.log.line('b');
    expect(failed.problems).toHaveLength(1);
    if (!existsSync('/dev/full')) return;
    const full = logFile({ path: '/dev/full' });
    full.log.line('a');
    expect(full.problems).toHaveLength(1); // an existing path is refused by 'wx'
  });
});
