/** A process that main() runs in without leaving the test's own. */
import { onTestFinished } from 'vitest';
import { main, type ProcessLike } from '../../src/main.js';
import { FakeStream } from '../helpers/fake-stream.js';
import { temporaryFolder } from '../helpers/program.js';

export interface FakeProcessOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly terminal?: boolean;
  readonly columns?: number;
  /** error code of every write to standard output, e.g. `ENOSPC` */
  readonly stdoutFailsWith?: string;
}

export class FakeProcess implements ProcessLike {
  readonly stdout: FakeStream;
  readonly stderr: FakeStream;
  readonly platform = process.platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly exits: number[] = [];
  /** both streams in the order they were written, as on one terminal */
  screen = '';
  /** told the screen so far after each write */
  onScreen: (screen: string) => void = () => {};
  private readonly listeners = new Map<string, () => void>();

  constructor(
    readonly argv: readonly string[],
    { env = {}, terminal = false, columns = 80, stdoutFailsWith }: FakeProcessOptions = {},
  ) {
    this.env = env;
    this.stdout = new FakeStream(terminal, columns, stdoutFailsWith);
    this.stderr = new FakeStream(terminal, columns);
    for (const stream of [this.stdout, this.stderr]) {
      const write = stream._write.bind(stream);
      stream._write = (chunk, encoding, done) => {
        this.screen += chunk.toString();
        write(chunk, encoding, done);
        this.onScreen(this.screen);
      };
    }
  }

  cwd(): string {
    return process.cwd();
  }

  on(event: string, listener: () => void): void {
    this.listeners.set(event, listener);
  }

  exit(code: number): void {
    this.exits.push(code);
  }

  signal(event: string): void {
    this.listeners.get(event)?.();
  }

  get listenerCount(): number {
    return this.listeners.size;
  }
}

/** A process with a data directory of its own, which goes when the test is over. */
export function fakeProcess(args: readonly string[], options: FakeProcessOptions = {}): FakeProcess {
  const env = options.env ?? { WSUSUTIL_HOME: newFolder() };
  return new FakeProcess(['node', 'wsusutil', ...args], { ...options, env });
}

export interface FakeRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly screen: string;
}

/** Runs main() to its end with `dataDirectory` as WSUSUTIL_HOME. */
export async function runMain(
  args: readonly string[],
  dataDirectory: string,
  options: FakeProcessOptions = {},
): Promise<FakeRun> {
  const fake = fakeProcess(args, {
    ...options,
    env: { WSUSUTIL_HOME: dataDirectory, NO_COLOR: '1', ...options.env },
  });
  const exitCode = await main(fake);
  return { exitCode, stdout: fake.stdout.text, stderr: fake.stderr.text, screen: fake.screen };
}

/** An empty folder that goes when the test is over. */
export function newFolder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}
