/** A plain {@link HttpPost} over undici, with gzip. */
import { createGunzip } from 'node:zlib';
import { Agent, request } from 'undici';
import type { HttpPost } from '../../src/sync/http-post.js';

export interface UndiciPost extends AsyncDisposable {
  readonly post: HttpPost;
}

/** @param acceptEncoding default `gzip` */
export function openUndiciPost(acceptEncoding = 'gzip'): UndiciPost {
  const agent = new Agent();
  const post: HttpPost = async ({ url, soapAction, body, signal }) => {
    const response = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'text/xml; charset=utf-8',
        soapaction: `"${soapAction}"`,
        'accept-encoding': acceptEncoding,
      },
      body,
      signal,
    });
    const headers = Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : value,
      ]),
    );
    return {
      status: response.statusCode,
      headers,
      body: headers['content-encoding'] === 'gzip' ? gunzip(response.body) : response.body,
    };
  };
  return {
    post,
    async [Symbol.asyncDispose]() {
      await agent.destroy();
    },
  };
}

async function* gunzip(source: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  const gunzipped = createGunzip();
  source.on('error', (error) => gunzipped.destroy(error));
  source.pipe(gunzipped);
  yield* gunzipped;
}
