/** Servers on 127.0.0.1 that end with the test. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { tlsServerOptions } from './tls-files.js';

/** @returns its port */
export async function startServer(listener: RequestListener): Promise<number> {
  return listen(createServer(listener));
}

/** @returns its port */
export async function startSecureServer(
  listener: RequestListener,
  options: ServerOptions = tlsServerOptions(),
): Promise<number> {
  return listen(createSecureServer(options, listener));
}

/** Listens until the test ends. */
export async function listen(
  server: NetServer & Partial<Pick<Server, 'closeAllConnections'>>,
): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy(); // tunnels among them, which the server knows no more of
      }),
  );
  return (server.address() as AddressInfo).port;
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((done) => server.close(() => done()));
  return port;
}
