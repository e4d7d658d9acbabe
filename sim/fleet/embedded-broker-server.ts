/**
 * aedes on a free port. Run as a process of its own it tells its parent the port and ends with it; Ctrl-C, which a
 * terminal sends to both, is the parent's to handle.
 */
import { Aedes } from 'aedes';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** Messages handled at once. With fewer than wait, aedes 1.2 loses QoS 2 messages and slows down. */
const CONCURRENCY = 5000;
const BACKLOG = 4096;

export interface Listening {
  port: number;
  stop: () => Promise<void>;
}

/** Starts a broker in this process. */
export async function listen(): Promise<Listening> {
  const broker = await Aedes.createBroker({ concurrency: CONCURRENCY });
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  const listening = once(server, 'listening');
  server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG });
  await listening;
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

if (process.send !== undefined && process.argv[1]?.endsWith('embedded-broker-server.js')) {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('disconnect', () => process.exit());
  const { port } = await listen();
  process.send({ port });
}
