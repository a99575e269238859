// node test/bench/memory-server.mjs <record>
// The floor of `wsusutil serve`: a bare server of Node.js that sends the answers `pull.mjs --record` has kept, from memory.
// It reads each request to its end and looks at no more of it than its number. Prints its address, serves until
// SIGTERM.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [path] = process.argv.slice(2);
const bytes = readFileSync(path);
let position = 0;
const answers = JSON.parse(readFileSync(`${path}.json`, 'utf8')).map(({ size, isCompressed }) => {
  const body = bytes.subarray(position, position + size);
  position += size;
  return {
    body,
    headers: {
      'Content-Type': 'text/xml; charset=utf-8',
      'Content-Length': size,
      ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
    },
  };
});

const server = createServer({ noDelay: true }, (request, response) => {
  request.resume().once('end', () => {
    const { body, headers } = answers[Number(request.headers['x-call'])];
    response.writeHead(200, headers);
    response.end(body);
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`Serving on http://127.0.0.1:${server.address().port}/`);
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
