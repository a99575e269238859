// node test/bench/raw-posts.mjs <upstream> [--concurrency N] [--gzip]
// The floor of a synchronisation: the calls of a first one, every byte of the answers read and none of them looked at
// but for the two lists of what to ask for. Prints the bytes of the documents' answers.
import { once } from 'node:events';
import http from 'node:http';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string', default: '4' }, gzip: { type: 'boolean', default: false } },
});
const [upstream] = positionals;
const SD = 'http://www.microsoft.com/SoftwareDistribution';
const BATCH_SIZE = 100;
const concurrency = Number(values.concurrency);
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
const COOKIE =
  '<cookie><Expiration>2026-11-22T08:15:00Z</Expiration><EncryptedData>d3N1c3V0aWw=</EncryptedData></cookie>';

async function post(operation, content, encoding) {
  const body = `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><${operation} xmlns="${SD}">${content}</${operation}></soap:Body></soap:Envelope>`;
  const request = http.request(new URL('ServerSyncWebService/ServerSyncWebService.asmx', upstream), {
    agent,
    method: 'POST',
    headers: {
      'content-type': 'text/xml; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      soapaction: `"${SD}/${operation}"`,
      'accept-encoding': encoding,
    },
  });
  request.end(body);
  const [response] = await once(request, 'response');
  if (response.statusCode !== 200) throw new Error(`${operation}: ${response.statusCode}`);
  return response;
}

const listed = [];
for (const isConfig of [true, false]) {
  const filter = `${COOKIE}<filter><GetConfig>${isConfig}</GetConfig></filter>`;
  const reply = Buffer.concat(
    await (await post('GetRevisionIdList', filter, 'identity')).toArray(),
  ).toString();
  listed.push(...(reply.match(/<UpdateIdentity>.*?<\/UpdateIdentity>/gs) ?? []));
}
let next = 0;
let size = 0;
const worker = async () => {
  while (next < listed.length) {
    const batch = listed.slice(next, next + BATCH_SIZE);
    next += batch.length;
    const ids = `${COOKIE}<updateIds>${batch.join('')}</updateIds>`;
    const body = await post('GetUpdateData', ids, values.gzip ? 'gzip' : 'identity');
    for await (const chunk of body) size += chunk.length;
  }
};
await Promise.all(Array.from({ length: concurrency }, worker));
agent.destroy();
console.log(size);
