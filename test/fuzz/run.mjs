// Runs the fuzz tests for longer than the suite does: node test/fuzz/run.mjs [--seconds 60] [--runs n] [--seed n]
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = 'usage: node test/fuzz/run.mjs [--seconds 60] [--runs n] [--seed n]';

const { help, ...values } = readOptions();
if (help) {
  console.log(USAGE);
  process.exit(0);
}
for (const [name, value] of Object.entries(values)) {
  if (!/^\d+$/.test(value)) {
    console.error(`--${name} takes a whole number, not ${JSON.stringify(value)}`);
    process.exit(2);
  }
}
const seed = values.seed ?? String(Date.now() % 2 ** 31);
const seconds = values.seconds ?? (values.runs === undefined ? '60' : undefined);
console.log(`fuzzing from seed ${seed}; a failure names its seed, repeat it with --seed <it> --runs 1`);
const root = resolve(import.meta.dirname, '../..');
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', root, 'test/fuzz'],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      FUZZ_SEED: seed,
      ...(seconds !== undefined && { FUZZ_SECONDS: seconds }),
      ...(values.runs !== undefined && { FUZZ_RUNS: values.runs }),
    },
  },
);
process.exit(status ?? 1);

function readOptions() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string' },
        runs: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    process.exit(2);
  }
}
