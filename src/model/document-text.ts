const CR = 0x0d;
const LF = 0x0a;

/**
 * A document with its line ends as an XML processor sees them: CR LF and lone CR become LF (XML 1.0, 2.11).
 * The same revision comes with different line ends from different servers; this is what makes them comparable.
 *
 * @returns `document` itself if it holds no CR
 */
export function normalizeLineEnds(document: Uint8Array): Uint8Array {
  if (!document.includes(CR)) return document;
  const normalized = new Uint8Array(document.length);
  let length = 0;
  for (let i = 0; i < document.length; i++) {
    const byte = document[i] as number;
    if (byte !== CR) normalized[length++] = byte;
    else if (document[i + 1] !== LF) normalized[length++] = LF;
  }
  return normalized.subarray(0, length);
}
