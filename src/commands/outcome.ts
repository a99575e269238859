/** What a command leaves behind: data for `--json`, a view for people, a last line for the log. */
export interface Outcome {
  /** `incomplete`: it finished, but something is missing or refused; exit code 3 */
  readonly status: 'complete' | 'incomplete';
  /** The `--json` document, beside `command`, `status` and `warnings`. Plain JSON values. */
  readonly result: Readonly<Record<string, unknown>>;
  /** For people, on stdout. `cli/` draws it for the terminal's width, or as CSV. */
  readonly view?: View | readonly View[];
  /** Last line of the log file: what scripts look for. */
  readonly logLine?: string;
}

export type View = LinesView | FieldsView | TableView | TreeView | RawView;

/** Sentences, one per line; on a terminal too narrow for one it goes on in the next line. */
export interface LinesView {
  readonly kind: 'lines';
  readonly lines: readonly string[];
}

/** Label and value pairs; empty values are left out. */
export interface FieldsView {
  readonly kind: 'fields';
  readonly title?: string;
  readonly fields: readonly (readonly [
    label: string,
    value: string | number | readonly string[] | undefined,
  ])[];
}

/** Rows of text; drawn as a table on a terminal, tab-separated when piped, CSV with --csv. */
export interface TableView {
  readonly kind: 'table';
  readonly columns: readonly {
    readonly title: string;
    readonly align?: 'right';
    /** may be cut to fit the terminal; at most one column is sensible */
    readonly flexible?: boolean;
    /** goes to a second, indented line when the terminal has too little room; the last such column goes first */
    readonly secondary?: boolean;
  }[];
  readonly rows: AsyncIterable<readonly string[]> | Iterable<readonly string[]>;
  /** shown instead of an empty table; in a pipe and with --csv on standard error */
  readonly emptyText: string;
  /** true: shown with --csv only; false: never there, where one table stands for several */
  readonly forCsv?: boolean;
  /** below the table, on a terminal only; read after the last row */
  readonly footer?: () => string;
}

export interface TreeNode {
  readonly label: string;
  /** shown dim behind the label, e.g. counts and the id */
  readonly note?: string;
  readonly children: readonly TreeNode[];
}

export interface TreeView {
  readonly kind: 'tree';
  readonly title?: string;
  readonly roots: readonly TreeNode[];
}

/** Bytes exactly as they are (a stored document). */
export interface RawView {
  readonly kind: 'raw';
  readonly bytes: Uint8Array;
}
