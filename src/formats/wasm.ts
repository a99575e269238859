import { errorText } from '../errors.js';

/** WebAssembly, as much of it as is used here: TypeScript knows it for browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const PAGE_SIZE = 64 * 1024;

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

export interface WasmConstant {
  readonly value: number;
}

/** No WebAssembly here: Node.js runs with `--jitless`, address space is limited (`ulimit -v`), or the processor is too old. */
export class WasmUnavailable extends Error {
  override readonly name = 'WasmUnavailable';
}

/** Code in Base64 that is compiled when it is first needed, once in each thread. */
export class WasmModule<Exports> {
  readonly #code: string;
  #compiled: object | undefined;

  constructor(code: string) {
    this.#code = code;
  }

  /** @throws WasmUnavailable */
  instantiate(): Exports {
    try {
      this.#compiled ??= new WebAssembly.Module(Buffer.from(this.#code, 'base64'));
      return new WebAssembly.Instance(this.#compiled).exports as Exports;
    } catch (error) {
      throw new WasmUnavailable(errorText(error), { cause: error });
    }
  }
}

/**
 * @returns all of the memory, `size` bytes at least; views from before are void if it had to grow
 * @throws WasmUnavailable
 */
export function memoryOf(memory: WasmMemory, size: number): Uint8Array {
  const lacking = size - memory.buffer.byteLength;
  try {
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_SIZE));
  } catch (error) {
    throw new WasmUnavailable(errorText(error), { cause: error });
  }
  return new Uint8Array(memory.buffer);
}
