// Compiles src/ into dist/. The compiler starts only when something changed: `npm ci` and `npm test` both build.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');
const dist = join(root, 'dist');
const stampPath = join(dist, '.build-stamp');

if (existsSync(src) && existsSync(join(root, 'node_modules/typescript'))) {
  const hash = createHash('sha256');
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort();
  for (const path of [
    ...names.map((name) => join('src', name)),
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
  ]) {
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)))
      .update('\0');
  }
  const stamp = hash.digest('hex');
  if (!existsSync(stampPath) || readFileSync(stampPath, 'utf8') !== stamp) {
    rmSync(dist, { recursive: true, force: true });
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const result = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], {
      stdio: 'inherit',
    });
    if (result.status !== 0) process.exit(result.status ?? 1);
    writeFileSync(stampPath, stamp);
  }
}
