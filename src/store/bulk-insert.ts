import type { SqlDatabase, SqlStatement, SqlValue } from '../platform/sqlite.js';

/** Rows per statement: 64 rows take 0.4 µs each where one row per statement takes 1.0 µs. */
const ROWS_PER_STATEMENT = 64;

/**
 * Collects rows of one table and inserts them many at a time. Whoever reads the table calls `flush` first.
 *
 * A statement that fails leaves the rows before the one that was refused (`OR FAIL`): its transaction is rolled back as
 * a whole. To be able to take a single statement back, SQLite would copy every page that it touches into a file first,
 * which came to twenty times the size of the store over an import.
 */
export class BulkInsert {
  readonly #many: SqlStatement;
  readonly #one: SqlStatement;
  readonly #width: number;
  /** Rows one behind the other; a list that grows and is left behind each time took as long as SQLite with the rows. */
  readonly #values: SqlValue[];
  /** values that wait */
  #length = 0;

  /** @param onConflict e.g. `ON CONFLICT DO NOTHING` */
  constructor(database: SqlDatabase, table: string, columns: readonly string[], onConflict = '') {
    this.#width = columns.length;
    this.#values = new Array<SqlValue>(ROWS_PER_STATEMENT * this.#width).fill(null);
    const row = `(${columns.map(() => '?').join(',')})`;
    const head = `INSERT OR FAIL INTO ${table} (${columns.join(',')}) VALUES `;
    this.#one = database.prepare(`${head}${row} ${onConflict}`);
    this.#many = database.prepare(
      `${head}${Array.from({ length: ROWS_PER_STATEMENT }, () => row).join(',')} ${onConflict}`,
    );
  }

  add(...row: SqlValue[]): void {
    const values = this.#values;
    let length = this.#length;
    for (let column = 0; column < row.length; column++) values[length++] = row[column] as SqlValue;
    if (length === values.length) {
      this.#length = 0;
      this.#many.run(...values);
    } else {
      this.#length = length;
    }
  }

  flush(): void {
    const length = this.#length;
    this.#length = 0;
    for (let start = 0; start < length; start += this.#width) {
      this.#one.run(...this.#values.slice(start, start + this.#width));
    }
  }
}
