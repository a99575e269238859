/** Recorded exchanges of a real Windows Server 2025. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RecordedFacts {
  readonly operation: string;
  readonly http: string;
  readonly config?: Readonly<Record<string, string>>;
  readonly languages?: number;
  readonly anchor?: string;
  readonly newRevisions?: number;
  readonly blob?: { readonly utf8Sha256: string; readonly update: { updateId: string; revision: number } };
  readonly compressedBlob?: {
    readonly cabBytes: number;
    readonly cabSha256: string;
    readonly memberUtf16leBytes: number;
    readonly asUtf8Sha256: string;
    readonly update: { updateId: string; revision: number; UpdateType: string; titleEn?: string };
  };
  readonly fault?: Readonly<Record<'faultcode' | 'ErrorCode' | 'Message' | 'ID' | 'Method', string>>;
}

const FOLDER = 'soap-server-sync/wsus-2025';

export class Recording {
  readonly #directory: string;
  readonly #facts = new Map<string, RecordedFacts>();

  /** @param sharedData the folder of real test data */
  constructor(sharedData: string) {
    this.#directory = join(sharedData, FOLDER);
    const manifest = JSON.parse(readFileSync(join(sharedData, 'manifest.json'), 'utf8')) as {
      files: { path: string; expected: RecordedFacts }[];
    };
    for (const { path, expected } of manifest.files) {
      if (path.startsWith(`${FOLDER}/`)) this.#facts.set(path.slice(FOLDER.length + 1), expected);
    }
  }

  /** numbers of the exchanges */
  get numbers(): readonly string[] {
    return [...this.#facts.keys()].flatMap((name) => /^(\d+)\.request/.exec(name)?.[1] ?? []);
  }

  request(number: string): string {
    return readFileSync(join(this.#directory, `${number}.request.xml`), 'utf8');
  }

  response(number: string): string {
    return readFileSync(join(this.#directory, `${number}.response.xml`), 'utf8');
  }

  /** Status and header fields of the response; those of any other one where its own were not recorded. */
  head(number: string): { readonly status: number; readonly headers: Readonly<Record<string, string>> } {
    const path = (which: string) => join(this.#directory, `${which}.response.headers.txt`);
    const [statusLine = '', ...fields] = readFileSync(
      existsSync(path(number)) ? path(number) : path('000001'),
      'latin1',
    )
      .trim()
      .split(/\r?\n/);
    const headers = fields.map((field): [string, string] => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon), field.slice(colon + 1).trim()];
    });
    return {
      status: Number(statusLine.split(' ')[1]),
      // Bodies were cut by whoever recorded them, so lengths may be those of before.
      headers: Object.fromEntries(headers.filter(([name]) => name !== 'Content-Length')),
    };
  }

  facts(number: string): RecordedFacts {
    return this.#facts.get(`${number}.response.xml`) as RecordedFacts;
  }
}
