/** Counters, in the text format of Prometheus. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Gauges {
  readonly connections: number;
  readonly calls: number;
  readonly replyBytesWaiting: number;
  readonly downloads: number;
  readonly revisions: number;
  readonly revisionsHeldBack: number;
  readonly cacheBytes: number;
  readonly documentsPrepared: number;
}

export class Metrics {
  readonly contentType = CONTENT_TYPE;
  readonly #requests = new Map<string, number>();
  #contentBytes = 0;
  #replyBytes = 0;

  /** @param target an operation, `content`, or another fixed word: never what a client sent */
  countRequest(target: string, outcome: string): void {
    const labels = `target="${target}",outcome="${outcome}"`;
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
  }

  addContentBytes(bytes: number): void {
    this.#contentBytes += bytes;
  }

  addReplyBytes(bytes: number): void {
    this.#replyBytes += bytes;
  }

  write(gauges: Gauges): string {
    const lines: string[] = [];
    const add = (
      name: string,
      type: 'counter' | 'gauge',
      help: string,
      values: Iterable<readonly [string, number]>,
    ) => {
      lines.push(`# HELP wsusutil_${name} ${help}`, `# TYPE wsusutil_${name} ${type}`);
      for (const [labels, value] of values) {
        lines.push(`wsusutil_${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
      }
    };
    add('requests_total', 'counter', 'Requests by what was asked and how it ended', this.#requests);
    add('reply_bytes_total', 'counter', 'Bytes of replies of the web services', [['', this.#replyBytes]]);
    add('content_bytes_total', 'counter', 'Bytes of content files', [['', this.#contentBytes]]);
    add('connections', 'gauge', 'Open connections', [['', gauges.connections]]);
    add('calls', 'gauge', 'Calls being answered', [['', gauges.calls]]);
    add('reply_bytes_waiting', 'gauge', 'Bytes of replies that their clients have not taken yet', [
      ['', gauges.replyBytesWaiting],
    ]);
    add('downloads', 'gauge', 'Content files being sent', [['', gauges.downloads]]);
    add('revisions', 'gauge', 'Revisions in the store', [['', gauges.revisions]]);
    add('revisions_held_back', 'gauge', 'Revisions not offered because something they need is missing', [
      ['', gauges.revisionsHeldBack],
    ]);
    add('cache_bytes', 'gauge', 'Bytes of update documents kept in memory', [['', gauges.cacheBytes]]);
    add('documents_prepared', 'gauge', 'Update documents that lie ready on disk', [
      ['', gauges.documentsPrepared],
    ]);
    add('resident_memory_bytes', 'gauge', 'Memory of the process', [['', process.memoryUsage.rss()]]);
    return `${lines.join('\n')}\n`;
  }
}
