// node test/bench/pull.mjs <server> [--concurrency N] [--gzip] [--record <path>] [--idle N]
// A downstream's first synchronisation over real calls: authorization, both lists, every document. Of the answers every
// byte is read, and nothing looked at but cookies and lists. Each call says its number in the header `X-Call`, so that
// memory-server.mjs can give the same bytes without looking at the request. Prints calls and bytes of documents.
//
// --record: keeps the answers, one after another, in <path>, and what is told of them in <path>.json
// --idle: that many downstreams, each with a connection of its own. Each takes the lists and 100 documents, then stays
//   connected and says no more. Prints `ready`, and ends when standard input does.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Agent, request } from 'undici';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: 'string', default: '2' },
    gzip: { type: 'boolean', default: false },
    record: { type: 'string' },
    idle: { type: 'string' },
  },
});
const [server] = positionals;
const SD = 'http://www.microsoft.com/SoftwareDistribution';
const SYNC = 'ServerSyncWebService/ServerSyncWebService.asmx';
const BATCH_SIZE = 100;
/** idle downstreams that are at work at one time; no more requests a second than `serve` takes of one address */
const STARTING = 4;
const recorded = [];

async function post(dispatcher, number, path, namespace, operation, content) {
  const { statusCode, headers, body } = await request(new URL(path, server), {
    dispatcher,
    method: 'POST',
    headers: {
      'content-type': 'text/xml; charset=utf-8',
      soapaction: `"${namespace}/${operation}"`,
      'accept-encoding': values.gzip ? 'gzip' : 'identity',
      'x-call': String(number),
    },
    body: `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><${operation} xmlns="${namespace}">${content}</${operation}></soap:Body></soap:Envelope>`,
  });
  if (statusCode !== 200) throw new Error(`${operation}: ${statusCode} ${(await body.text()).slice(0, 500)}`);
  const isCompressed = headers['content-encoding'] === 'gzip';
  if (values.record === undefined && operation === 'GetUpdateData') {
    let size = 0;
    for await (const chunk of body) size += chunk.length;
    return { size, text: '' };
  }
  const bytes = Buffer.from(await body.arrayBuffer());
  if (values.record !== undefined) recorded[number] = { bytes, isCompressed };
  return { size: bytes.length, text: (isCompressed ? gunzipSync(bytes) : bytes).toString() };
}

const inside = (text, name) => {
  const start = text.indexOf(`<${name}>`) + name.length + 2;
  return text.slice(start, text.indexOf(`</${name}>`, start));
};

/** @returns {Promise<{ calls: number, size: number }>} */
async function pull(dispatcher, workers, limit = Number.POSITIVE_INFINITY) {
  const { text: authorization } = await post(
    dispatcher,
    0,
    'DssAuthWebService/DssAuthWebService.asmx',
    `${SD}/Server/DssAuthWebService`,
    'GetAuthorizationCookie',
    '<accountName>bench.corp.example</accountName><accountGuid>7d1f0c52-3b6e-4a0d-9f3a-52c1b8e0a417</accountGuid>',
  );
  const { text: session } = await post(
    dispatcher,
    1,
    SYNC,
    SD,
    'GetCookie',
    `<authCookies><AuthorizationCookie><PlugInId>${inside(authorization, 'PlugInId')}</PlugInId><CookieData>${inside(authorization, 'CookieData')}</CookieData></AuthorizationCookie></authCookies><protocolVersion>1.20</protocolVersion>`,
  );
  const cookie = `<cookie>${inside(session, 'GetCookieResult')}</cookie>`;
  const listed = [];
  let calls = 2;
  for (const isConfig of [true, false]) {
    const filter = `${cookie}<filter><GetConfig>${isConfig}</GetConfig></filter>`;
    const { text } = await post(dispatcher, calls++, SYNC, SD, 'GetRevisionIdList', filter);
    for (const identity of text.match(/<UpdateIdentity>.*?<\/UpdateIdentity>/gs) ?? []) {
      if (listed.length < limit) listed.push(identity);
    }
  }
  let next = 0;
  let size = 0;
  const work = async () => {
    while (next < listed.length) {
      const batch = listed.slice(next, next + BATCH_SIZE);
      next += batch.length;
      const ids = `${cookie}<updateIds>${batch.join('')}</updateIds>`;
      size += (await post(dispatcher, calls++, SYNC, SD, 'GetUpdateData', ids)).size;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { calls, size };
}

const openAgent = (connections) =>
  new Agent({ connections, keepAliveTimeout: 60_000, connect: { rejectUnauthorized: false } });

if (values.idle === undefined) {
  const agent = openAgent(Number(values.concurrency));
  const { calls, size } = await pull(agent, Number(values.concurrency));
  await agent.close();
  if (values.record !== undefined) {
    writeFileSync(values.record, Buffer.concat(recorded.map(({ bytes }) => bytes)));
    writeFileSync(
      `${values.record}.json`,
      JSON.stringify(recorded.map(({ bytes, isCompressed }) => ({ size: bytes.length, isCompressed }))),
    );
  }
  console.log(calls, size);
} else {
  let left = Number(values.idle);
  const start = async () => {
    while (left-- > 0) await pull(openAgent(1), 1, BATCH_SIZE);
  };
  await Promise.all(Array.from({ length: STARTING }, start));
  console.log('ready');
  process.stdin.resume().once('end', () => process.exit());
}
