// node test/bench/upstream-server.mjs [--revisions N] [--seed S] [--latency MS] [--gzip]
//
// An upstream in a process of its own, whose answers lie ready: a request costs it little more than copying bytes.
// Prints its address, serves until standard input ends. Cookies and filters are taken as they come; every anchor
// means that nothing is new. It has no content files: synchronise with --metadata-only. `GET /calls` answers with the number of calls by operation, in JSON.
// `test/helpers/fake-upstream.ts` is the one that checks what it is asked.
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import { loadGenerator } from './generator.mjs';

const { values } = parseArgs({
  options: {
    revisions: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    latency: { type: 'string', default: '0' },
    gzip: { type: 'boolean', default: false },
  },
});
const revisions = Number(values.revisions);
const seed = Number(values.seed);
const latency = Number(values.latency);

const SD = 'http://www.microsoft.com/SoftwareDistribution';
const NAMESPACES = {
  GetAuthorizationCookie: `${SD}/Server/DssAuthWebService`,
  Ping: `${SD}/Server/IMonitorable`,
};
const ANCHOR = '9438,2026-11-01 08:15:00.123';
const MAX_UPDATES = 100;
const LANGUAGES = [
  [0, 'all', 'all', false],
  [1033, 'en', 'English', true],
  [1031, 'de', 'German', true],
];

const cache = resolve(import.meta.dirname, '../../node_modules/.cache/wsusutil-wire');
mkdirSync(cache, { recursive: true });
const path = join(cache, `${revisions}-${seed}`);
const { renderWireCatalogue } = await loadGenerator();
const { items } = renderWireCatalogue(path, { revisions, seed });
const pieces = readFileSync(path);
const byKey = new Map(items.map((item) => [item.key, item]));

const identities = (wanted) =>
  wanted
    .map(({ key }) => {
      const dot = key.lastIndexOf('.');
      return `<UpdateIdentity><UpdateID>${key.slice(0, dot)}</UpdateID><RevisionNumber>${key.slice(dot + 1)}</RevisionNumber></UpdateIdentity>`;
    })
    .join('');
const revisionList = (list) => [
  Buffer.from(
    `<Anchor>${ANCHOR}</Anchor>${list === '' ? '<NewRevisions />' : `<NewRevisions>${list}</NewRevisions>`}`,
  ),
];
const NOTHING_NEW = revisionList('');
const CATEGORIES = revisionList(identities(items.filter(({ isConfig }) => isConfig)));
const UPDATES = revisionList(identities(items.filter(({ isConfig }) => !isConfig)));
const language = ([id, short, long, enabled]) =>
  `<ServerSyncLanguageData><LanguageID>${id}</LanguageID><ShortLanguage>${short}</ShortLanguage><LongLanguage>${long}</LongLanguage><Enabled>${enabled}</Enabled></ServerSyncLanguageData>`;

/** @returns {(Buffer | { plain: Buffer, deflated: Buffer })[]} the result's content in pieces */
function answer(operation, request) {
  switch (operation) {
    case 'GetAuthConfig':
      return [
        Buffer.from(
          '<LastChange>2026-10-04T13:16:35.433Z</LastChange><AuthInfo><AuthPlugInInfo><PlugInID>DssTargeting</PlugInID><ServiceUrl>DssAuthWebService/DssAuthWebService.asmx</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo>',
        ),
      ];
    case 'GetAuthorizationCookie':
      return [Buffer.from('<PlugInId>DssTargeting</PlugInId><CookieData>d3N1c3V0aWw=</CookieData>')];
    case 'GetCookie': {
      const expiration = new Date(Date.now() + 240 * 60_000).toISOString();
      return [
        Buffer.from(`<Expiration>${expiration}</Expiration><EncryptedData>d3N1c3V0aWw=</EncryptedData>`),
      ];
    }
    case 'GetConfigData': {
      const languages = request.includes('<configAnchor>')
        ? '<LanguageUpdateList />'
        : `<LanguageUpdateList>${LANGUAGES.map(language).join('')}</LanguageUpdateList>`;
      return [
        Buffer.from(
          `<CatalogOnlySync>false</CatalogOnlySync><LazySync>true</LazySync><ServerHostsPsfFiles>false</ServerHostsPsfFiles><MaxNumberOfComputerIdsInRequest>0</MaxNumberOfComputerIdsInRequest><MaxNumberOfDriverSetsPerRequest>0</MaxNumberOfDriverSetsPerRequest><MaxNumberOfPnpHardwareIdsInRequest>0</MaxNumberOfPnpHardwareIdsInRequest><MaxNumberOfUpdatesPerRequest>${MAX_UPDATES}</MaxNumberOfUpdatesPerRequest><NewConfigAnchor>${ANCHOR}</NewConfigAnchor><ProtocolVersion>1.20</ProtocolVersion>${languages}<MaxUpdatesPerRequestInGetUpdateDecryptionData>100</MaxUpdatesPerRequestInGetUpdateDecryptionData>`,
        ),
      ];
    }
    case 'GetRevisionIdList':
      if (request.includes('<Anchor>')) return NOTHING_NEW;
      return request.includes('<GetConfig>true</GetConfig>') ? CATEGORIES : UPDATES;
    case 'GetUpdateData':
      return updateData(request);
    case 'GetUpdateDecryptionData':
      return [Buffer.from('<UpdateFileDecryptionData />')];
    case 'DownloadFiles':
      return [];
    case 'Ping':
      return [
        Buffer.from(
          '<SuccessFlag>true</SuccessFlag><ServicesTime>2026-02-03T09:15:00Z</ServicesTime><ServicesName>ServerSyncWebService</ServicesName><IsHttps>false</IsHttps>',
        ),
      ];
    default:
      throw new Error(`nobody prepared an answer to ${operation}`);
  }
}

function updateData(request) {
  const wanted = [];
  const pattern = /<UpdateID>([^<]*)<\/UpdateID><RevisionNumber>([^<]*)<\/RevisionNumber>/g;
  for (const [, id, number] of request.matchAll(pattern)) {
    const item = byKey.get(`${id}.${number}`);
    if (item === undefined) throw new Error(`${id}.${number} is not in the catalogue`);
    wanted.push(item);
  }
  const piece = (start, size, deflatedStart, deflatedSize) => ({
    plain: pieces.subarray(start, start + size),
    deflated: pieces.subarray(deflatedStart, deflatedStart + deflatedSize),
  });
  return [
    Buffer.from('<updates>'),
    ...wanted.map(({ offset, sizes: [a, b, c] }) => piece(offset, a, offset + a + b, c)),
    Buffer.from('</updates><fileUrls>'),
    ...wanted.map(({ offset, sizes: [a, b, c, d] }) => piece(offset + a, b, offset + a + b + c, d)),
    Buffer.from('</fileUrls>'),
  ];
}

function envelope(operation, parts) {
  const namespace = NAMESPACES[operation] ?? SD;
  const [open, close] = parts.length === 0 ? ['', ''] : [`<${operation}Result>`, `</${operation}Result>`];
  return [
    Buffer.from(
      `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body><${operation}Response xmlns="${namespace}">${open}`,
    ),
    ...parts,
    Buffer.from(`${close}</${operation}Response></soap:Body></soap:Envelope>`),
  ];
}

const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
const LAST_BLOCK = deflateRawSync(Buffer.alloc(0));

/** One gzip stream over deflate blocks that lie ready; only the checksum is made now. */
function gzip(parts) {
  const blocks = [GZIP_HEADER];
  let checksum = 0;
  let size = 0;
  for (const part of parts) {
    const plain = Buffer.isBuffer(part) ? part : part.plain;
    if (plain.length === 0) continue;
    checksum = crc32(plain, checksum);
    size += plain.length;
    blocks.push(
      Buffer.isBuffer(part) ? deflateRawSync(plain, { finishFlush: constants.Z_FULL_FLUSH }) : part.deflated,
    );
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(size, 4);
  return Buffer.concat([...blocks, LAST_BLOCK, trailer]);
}

const calls = {};

async function serve(request, response) {
  if (request.method === 'GET') {
    response.end(JSON.stringify(calls));
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const operation = /([A-Za-z]+)"?$/.exec(request.headers.soapaction ?? '')?.[1] ?? '';
  calls[operation] = (calls[operation] ?? 0) + 1;
  const parts = envelope(operation, answer(operation, text));
  const isGzip = values.gzip && /\bgzip\b/.test(String(request.headers['accept-encoding']));
  const body = isGzip
    ? gzip(parts)
    : Buffer.concat(parts.map((part) => (Buffer.isBuffer(part) ? part : part.plain)));
  if (latency > 0) await new Promise((settle) => setTimeout(settle, latency));
  response.writeHead(200, {
    'Content-Type': 'text/xml; charset=utf-8',
    'Content-Length': body.length,
    ...(isGzip ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(body);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error.message);
    response.statusCode = 500;
    response.end(error.message);
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`http://127.0.0.1:${server.address().port}/`);
process.stdin.resume().once('end', () => process.exit());
