import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/quickstart.mjs');

test('the quickstart carries a catalogue through both formats and leaves nothing behind', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'wsusutil-test-'));
  try {
    // Every system's name for the folder that temporary files go to.
    const env = { ...process.env, TMPDIR: scratch, TEMP: scratch, TMP: scratch };
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8', env });
    expect(status, stderr).toBe(0);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      'Quickstart complete: three stores hold the same 400 revisions.',
    );
    expect(stdout).toContain('$ wsusutil import sample.cab import.log --data-dir first');
    expect(readdirSync(scratch)).toEqual([]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
