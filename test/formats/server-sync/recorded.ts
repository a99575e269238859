/** Recorded exchanges of a real Windows Server 2025. */
import { readFileSync } from 'node:fs';
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

  facts(number: string): RecordedFacts {
    return this.#facts.get(`${number}.response.xml`) as RecordedFacts;
  }
}
