// node test/bench/raw-posts.mjs <upstream> [--concurrency N] [--gzip]
// The floor of a synchronisation: the calls of a first one, every byte of the answers read and none of them looked at
// but for the two lists of what to ask for. Prints the bytes of the documents' answers.
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string', default: '4' }, gzip: { type: 'boolean', default: false } },
});
const [upstream] = positionals;
const SD = 'http://www.microsoft.com/SoftwareDistribution';
const BATCH_SIZE = 100;
const concurrency = Number(values.concurrency);
const agent = new Agent({ connections: concurrency });
const COOKIE =
  '<cookie><Expiration>2026-11-22T08:15:00Z</Expiration><EncryptedData>d3N1c3V0aWw=</EncryptedData></cookie>';

async function post(operation, content, encoding) {
  const { statusCode, body } = await request(
    new URL('ServerSyncWebService/ServerSyncWebService.asmx', upstream),
    {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'text/xml; charset=utf-8',
        soapaction: `"${SD}/${operation}"`,
        'accept-encoding': encoding,
      },
      body: `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><${operation} xmlns="${SD}">${content}</${operation}></soap:Body></soap:Envelope>`,
    },
  );
  if (statusCode !== 200) throw new Error(`${operation}: ${statusCode}`);
  return body;
}

const listed = [];
for (const isConfig of [true, false]) {
  const filter = `${COOKIE}<filter><GetConfig>${isConfig}</GetConfig></filter>`;
  const reply = await (await post('GetRevisionIdList', filter, 'identity')).text();
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
await agent.close();
console.log(size);
