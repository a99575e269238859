import { Writable } from 'node:stream';
import { type Output, openOutput } from '../../src/cli/output.js';

/** A stream that keeps what is written to it, as a terminal or as a pipe. */
export class FakeStream extends Writable {
  text = '';

  constructor(
    readonly isTTY: boolean = false,
    readonly columns: number = 80,
    private readonly failWith?: string,
  ) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.failWith !== undefined) {
      done(Object.assign(new Error(this.failWith), { code: this.failWith }));
      return;
    }
    this.text += chunk.toString();
    done();
  }
}

export function fakeOutput(options: { terminal?: boolean; columns?: number; failWith?: string } = {}): {
  stream: FakeStream;
  output: Output;
} {
  const stream = new FakeStream(options.terminal ?? false, options.columns ?? 80, options.failWith);
  return { stream, output: openOutput(stream, 'standard output') };
}
