/** Letters of receipts: Crockford's 32 (no I, L, O, U; these are read as what they look like), in groups of five. */

export const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const GROUP = 5;
const LOOKALIKES: Readonly<Record<string, string>> = { I: '1', L: '1', O: '0', U: 'V' };

/** What was typed in upper case, without blanks, dashes and what cannot be seen. It may hold what is no letter of receipts. */
export function readLetters(typed: string): string {
  return typed
    .toUpperCase()
    .replaceAll(/[\s\p{Pd}\p{Cf}\u2212]/gu, '')
    .replaceAll(/[ILOU]/g, (letter) => LOOKALIKES[letter] ?? letter);
}

/** Values of 5 bits each; undefined if one is no letter of receipts. */
export function valuesOf(letters: string): readonly number[] | undefined {
  const values = [...letters].map((letter) => ALPHABET.indexOf(letter));
  return values.includes(-1) ? undefined : values;
}

export function lettersOf(values: readonly number[]): string {
  return values.map((value) => ALPHABET[value]).join('');
}

/** The lowest `count` values of 5 bits of a number, the highest first. */
export function splitNumber(number: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((number >> BigInt(5 * (count - 1 - index))) & 31n),
  );
}

export function joinNumber(values: readonly number[]): bigint {
  return values.reduce((number, value) => (number << 5n) | BigInt(value), 0n);
}

/** `ABCDEFGHIJ` → `ABCDE-FGHIJ` */
export function inGroups(letters: string): string {
  return letters.match(new RegExp(`.{1,${GROUP}}`, 'g'))?.join('-') ?? '';
}
