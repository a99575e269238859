const MAX_PATHS = 40;
const MAX_SHOWN_PATHS = 12;

/** Which elements stand where: what a message says about XML that is not understood. */
export class ElementCensus {
  readonly #counts = new Map<string, number>();
  readonly #path: string[] = [];

  /** @param depth root = 1; elements left out between are tolerated */
  add(local: string, depth: number): void {
    this.#path.length = Math.min(this.#path.length, depth - 1);
    this.#path.push(local.slice(0, 60));
    const path = this.#path.join(' > ');
    const count = this.#counts.get(path);
    if (count !== undefined || this.#counts.size < MAX_PATHS) this.#counts.set(path, (count ?? 0) + 1);
  }

  /** e.g. `a (1), a > b (3)` */
  describe(): string {
    const shown = [...this.#counts].slice(0, MAX_SHOWN_PATHS).map(([path, count]) => `${path} (${count})`);
    if (this.#counts.size > MAX_SHOWN_PATHS) shown.push('…');
    return shown.join(', ');
  }

  /** Nesting path → how often it was seen, the first ones only. */
  toJson(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
