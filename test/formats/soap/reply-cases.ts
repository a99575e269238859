import type { ReplyChunks } from '../../../src/formats/soap/reply-reader.js';

export const SD = 'http://www.microsoft.com/SoftwareDistribution';
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';

/** A reply as WSUS writes it. */
export function reply(operation: string, result: string, namespace = SD): string {
  return (
    `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP}"` +
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>' +
    `<${operation}Response xmlns="${namespace}"><${operation}Result>${result}</${operation}Result></${operation}Response>` +
    '</soap:Body></soap:Envelope>'
  );
}

/** A reply as Microsoft Update writes it: no declaration, other prefixes. */
export function replyOfMicrosoftUpdate(operation: string, result: string, namespace = SD): string {
  return (
    `<s:Envelope xmlns:s="${SOAP}"><s:Body><${operation}Response xmlns="${namespace}">` +
    `<${operation}Result xmlns:i="http://www.w3.org/2001/XMLSchema-instance">${result}</${operation}Result>` +
    `</${operation}Response></s:Body></s:Envelope>`
  );
}

export function faultReply(detail: string, code = 'soap:Client'): string {
  return (
    `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP}"><soap:Body><soap:Fault>` +
    `<faultcode>${code}</faultcode><faultstring>Fault occurred</faultstring>` +
    `<faultactor>http://127.0.0.1/</faultactor><detail>${detail}</detail></soap:Fault></soap:Body></soap:Envelope>`
  );
}

export function chunksOf(text: string | Uint8Array, size = 1 << 20): Uint8Array[] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

/** Of one byte; of a few, and of more than an item has, so that items are cut here and there. */
const PIECE_SIZES = [1, 7, 90];

/** What `read` makes of the text, whole, one byte at a time and in larger pieces: all must agree. */
export async function readEveryWay<T>(text: string, read: (chunks: ReplyChunks) => Promise<T>): Promise<T> {
  const { expect } = await import('vitest');
  const whole = await outcomeOf(() => read(chunksOf(text)));
  for (const size of PIECE_SIZES) {
    expect(await outcomeOf(() => read(chunksOf(text, size))), `pieces of ${size}`).toEqual(whole);
  }
  if ('error' in whole) throw whole.error;
  return whole.value;
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** Everything of what comes some at a time. */
export async function all<T>(lists: AsyncIterable<readonly T[]>): Promise<T[]> {
  const list: T[] = [];
  for await (const items of lists) list.push(...items);
  return list;
}
