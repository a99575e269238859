/** Escaped text the way writers of packages write it; the inner part is WebAssembly (text-core/text.ts). */
import { memoryOf, type WasmConstant, type WasmMemory, WasmModule, WasmUnavailable } from '../wasm.js';
import { TEXT_MODULE } from './text-module.js';

/** What text-core/text.ts exports. */
interface TextCore {
  readonly memory: WasmMemory;
  readonly INPUT: WasmConstant;
  readonly SLACK: WasmConstant;
  decode(size: number, target: number): number;
}

/** Bytes of a text; longer ones are rare, and the memory they take would stay. */
const MAX_SIZE = 1024 * 1024;

const module = new WasmModule<TextCore>(TEXT_MODULE);
/** null: there is no WebAssembly here */
let decoder: EscapedTextDecoder | null | undefined;

/**
 * Decodes text with references to ASCII characters.
 *
 * @param roomFor memory for as many bytes
 * @returns undefined for markup, CR, other references and damage, and where there is no WebAssembly: somebody else reads
 *   those, or says what is wrong
 */
export function decodeUsualText(
  text: Uint8Array,
  roomFor: (size: number) => Uint8Array,
): Uint8Array | undefined {
  if (text.length > MAX_SIZE || decoder === null) return undefined;
  try {
    decoder ??= new EscapedTextDecoder();
    return decoder.decode(text, roomFor);
  } catch (error) {
    if (!(error instanceof WasmUnavailable)) throw error;
    decoder = null;
    return undefined;
  }
}

class EscapedTextDecoder {
  readonly #core = module.instantiate();
  readonly #input = this.#core.INPUT.value;
  readonly #slack = this.#core.SLACK.value;
  #memory = memoryOf(this.#core.memory, 0);

  decode(text: Uint8Array, roomFor: (size: number) => Uint8Array): Uint8Array | undefined {
    const { length } = text;
    const target = this.#input + length + this.#slack;
    const needed = target + length + this.#slack;
    if (needed > this.#memory.length) this.#memory = memoryOf(this.#core.memory, needed);
    this.#memory.set(text, this.#input);
    const size = this.#core.decode(length, target);
    if (size < 0) return undefined;
    const decoded = roomFor(size);
    decoded.set(this.#memory.subarray(target, target + size));
    return decoded.subarray(0, size);
  }
}
