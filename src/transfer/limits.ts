/** Until a connection is made, the handshake of TLS included. */
export const CONNECT_TIMEOUT_MS = 15_000;
/** A proxy looks the name up and connects before it answers. */
export const TUNNEL_TIMEOUT_MS = 60_000;
/** of an answer */
export const MAX_HEADER_SIZE = 32 * 1024;
/** More than this of an error page is not read to keep the connection. */
export const MAX_DISCARDED_SIZE = 64 * 1024;
/** A connection that nobody uses is closed before the other end may close it just as it is used again. */
export const IDLE_MS = 4_000;
