/** The program's own {@link HttpPost}, closed at the end of a test. */
import { type HttpPost, openHttpPost } from '../../src/transfer/http-post.js';

export interface TestPost extends AsyncDisposable {
  readonly post: HttpPost;
}

export function openTestPost(): TestPost {
  const http = openHttpPost({ userAgent: 'wsusutil/test', connections: 16 });
  return { post: http.post, [Symbol.asyncDispose]: () => http.close() };
}
