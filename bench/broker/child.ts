/**
 * A broker in a process of its own, for benches: `node child.js motemq|aedes`. Tells its parent the port, and ends with it.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Broker } from '../../sim/broker/broker.ts';

async function startAedes(): Promise<number> {
  const { Aedes } = await import('aedes');
  // With fewer than wait at once aedes 1.2 slows down.
  const aedes = await Aedes.createBroker({ concurrency: 5000 });
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {}); // 'close' follows
    aedes.handle(socket);
  });
  const listening = once(server, 'listening');
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await listening;
  return (server.address() as AddressInfo).port;
}

async function startMotemq(): Promise<number> {
  const broker = await Broker.start({ port: 0 });
  return broker.tcpPort ?? 0;
}

process.on('disconnect', () => process.exit());
process.send?.({ port: process.argv[2] === 'aedes' ? await startAedes() : await startMotemq() });
