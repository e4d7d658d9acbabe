/**
 * What connections are measured at, in a process of its own: `node --expose-gc connections-server.js motemq|net`. A broker, or
 * a bare server that answers a connection's first bytes as a broker answers CONNECT, and knows nothing else. Tells its
 * parent the port, and what it has when asked; ends with its parent.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Broker } from '../../sim/broker/broker.ts';

/** What a server has. */
export interface ServerState {
  /** Resident memory in bytes, garbage collected. */
  rss: number;
  heapUsed: number;
  connections: number;
  /** CONNECTs refused so far. */
  refused: number;
}

/** The last one asks for this much. */
const GARBAGE_COLLECTIONS = 3;
/** CONNACK of success, without properties. */
const CONNACK = Uint8Array.of(0x20, 3, 0, 0, 0);

interface Measured {
  port: number;
  connections(): number;
  refused(): number;
}

async function startBare(): Promise<Measured> {
  let count = 0;
  const server = createServer({ noDelay: true, keepAlive: true }, (socket: Socket) => {
    count++;
    socket.on('error', ignore);
    socket.on('close', () => count--);
    socket.on('data', answer);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, connections: () => count, refused: () => 0 };
}

const ignore = (): void => {};

function answer(this: Socket): void {
  this.write(CONNACK);
}

async function startBroker(): Promise<Measured> {
  const broker = await Broker.start({
    port: 0,
    limits: { connectionsMax: 1_000_000, sessionsMax: 1_000_000 },
  });
  return {
    port: broker.tcpPort ?? 0,
    connections: () => broker.gauges().connections,
    refused: () => broker.counters.connectsRefused,
  };
}

const server = process.argv[2] === 'net' ? await startBare() : await startBroker();

process.on('disconnect', () => process.exit());
process.on('message', () => {
  for (let count = 0; count < GARBAGE_COLLECTIONS; count++) globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const state: ServerState = {
    rss,
    heapUsed,
    connections: server.connections(),
    refused: server.refused(),
  };
  process.send?.(state);
});
process.send?.(server.port);
