/**
 * An upstream that answers with what a real server answered, byte by byte. A request that nobody recorded, or that has
 * other elements, another order or another `SOAPAction` than the recorded one, is refused.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Recording } from '../formats/server-sync/recorded.js';
import { bodyOf, type TreeElement } from './soap-tree.js';

export interface RecordedUpstream extends AsyncDisposable {
  readonly url: URL;
  /** numbers of the exchanges that were repeated, in order */
  readonly repeated: readonly string[];
  /** requests that were refused, as compared */
  readonly refused: readonly string[];
}

/** Their content is the server's own or the account's: it differs from run to run. */
const OPAQUE = new Set([
  'accountName',
  'accountGuid',
  'Expiration',
  'EncryptedData',
  'CookieData',
  'protocolVersion',
]);

/** Microsoft Update asks for it, so this program always sends it; the recorded client did not. */
const ADDED = 'Get63LanguageOnly';

export async function startRecordedUpstream(recording: Recording): Promise<RecordedUpstream> {
  const known = new Map(
    recording.numbers.map((number) => [shapeOf(bodyOf(recording.request(number))), number]),
  );
  const repeated: string[] = [];
  const refused: string[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const operation = bodyOf(Buffer.concat(chunks).toString('utf8'));
    const shape = shapeOf(operation);
    const number = known.get(shape);
    const isGood =
      request.headers['content-type'] === 'text/xml; charset=utf-8' &&
      request.headers.soapaction === `"${operation.uri}/${operation.local}"`;
    if (number === undefined || !isGood) {
      refused.push(shape);
      response.writeHead(400).end('this was never recorded');
      return;
    }
    repeated.push(number);
    const { status, headers } = recording.head(number);
    response.writeHead(status, headers).end(recording.response(number));
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.writeHead(599).end(String(error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    repeated,
    refused,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Elements with namespaces, order and text. */
function shapeOf({ uri, local, text, children }: TreeElement): string {
  const content = OPAQUE.has(local) ? '…' : text;
  const compared = children.filter((child) => child.local !== ADDED);
  return `{${uri}}${local}(${compared.length === 0 ? content : compared.map(shapeOf).join(',')})`;
}
