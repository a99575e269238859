import { expect, test } from 'vitest';
import { plainPaint } from '../../src/cli/paint.js';
import { describeFailure, failureLines } from '../../src/cli/report-failure.js';
import { WsusutilError } from '../../src/errors.js';

const plain = { verbose: false, paint: plainPaint };
const verbose = { verbose: true, paint: plainPaint };

test('a failure is one line and one line of advice, without credentials or control characters', () => {
  const error = new WsusutilError('WRITE_FAILED', 'http://me:pw@host/ said \u001b[2Jno', {
    hint: 'Try again.',
    details: { url: 'http://me:pw@host/', nested: { size: 5n } },
    cause: new Error('socket', { cause: new Error('cable') }),
  });
  expect(failureLines(error, plain)).toEqual([
    'error: http://***@host/ said \\x1b[2Jno [WRITE_FAILED]',
    'hint: Try again.',
  ]);
  expect(failureLines(error, verbose).slice(2)).toEqual(['caused by: socket', 'caused by: cable']);
  expect(describeFailure(error).details).toEqual({ url: 'http://***@host/', nested: { size: '5' } });
});

test('a defect of ours asks to be reported and shows its stack only when asked', () => {
  const lines = failureLines(new Error('impossible'), plain);
  expect(lines[0]).toBe('error: impossible [INTERNAL]');
  expect(lines[1]).toMatch(/defect of wsusutil.*report/);
  expect(lines).toHaveLength(2);
  expect(failureLines(new Error('impossible'), verbose).join('\n')).toContain('report-failure.test');
});

test('causes that go round in a circle come to an end', () => {
  const error = new WsusutilError('WRITE_FAILED', 'a', { cause: new Error('b') });
  (error.cause as Error).cause = error;
  expect(failureLines(error, verbose).length).toBeLessThan(12);
});
