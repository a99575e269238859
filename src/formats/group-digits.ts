/** A count or a size for a message: `445864` becomes `445,864`, as everywhere in what the program says. */
export function groupDigits(count: number): string {
  return count.toLocaleString('en-US');
}
