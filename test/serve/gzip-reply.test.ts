import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { GzipReplies } from '../../src/serve/gzip-reply.js';
import { fc } from '../helpers/properties.js';

test('law: what is compressed in pieces comes out as one whole, the second time too', async () => {
  const replies = new GzipReplies();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 5_000 }))),
      async (pieces) => {
        const plain = Buffer.concat(pieces.map((piece) => Buffer.from(piece as Uint8Array)));
        for (let round = 0; round < 2; round++) {
          expect(gunzipSync(Buffer.concat(await replies.compress(pieces))).equals(plain)).toBe(true);
        }
      },
    ),
  );
});

test('a piece is compressed once', async () => {
  const replies = new GzipReplies();
  const list = Buffer.alloc(100_000, '<UpdateIdentity/>');
  const first = await replies.compress(['<a>', list, '</a>']);
  const second = await replies.compress(['<b>', list, '</b>']);
  expect(second[2]).toBe(first[2]);
});
