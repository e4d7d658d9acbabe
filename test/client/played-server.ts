/**
 * A client and a scripted server that the test plays by hand: packets as plain objects in both directions, everything
 * closed again after each test.
 */
import { afterEach, expect } from 'vitest';
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type {
  ConnectObject,
  PacketObject,
  PropertiesObject,
  SubscribeObject,
} from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import { createClient } from '../../targets/node/index.ts';
import type { Client, ClientEvents, ConnectOptions } from '../../targets/node/index.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import type { ScriptedConnection, ScriptedServer } from '../support/scripted-server.ts';
import { eventually, withDeadline } from '../support/wait.ts';

const WITHIN_MS = 10_000;

/** The packet object whose `type` can be T. */
type PacketOf<T> = PacketObject extends infer P
  ? P extends { type: infer U }
    ? T extends U
      ? P
      : never
    : never
  : never;

/** What the client's errors have, and some of them only. */
export interface Failure extends Error {
  code?: string;
  reasonCode?: number;
  reasonName?: string;
  reasonString?: string;
  serverReference?: string;
  reasonCodes?: number[];
  topicFilters?: string[];
}

/** Whatever a test waits for, with the name of it when it does not come. */
export function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  return withDeadline(promise, WITHIN_MS, what);
}

/** What `promise` rejects with; fails when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const outcome = await soon(
    promise.then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
    'a rejection',
  );
  expect(outcome, 'it resolved').toBeDefined();
  return outcome!.error as Failure;
}

/** The server's side of one connection. */
export class Peer {
  readonly connection: ScriptedConnection;
  readonly protocolVersion: 4 | 5;

  constructor(connection: ScriptedConnection, protocolVersion: 4 | 5) {
    this.connection = connection;
    this.protocolVersion = protocolVersion;
  }

  /** The client's next packet, which must be of `type`. */
  async next<T extends PacketObject['type']>(type: T): Promise<PacketOf<T>> {
    const packet = this.read(await soon(this.connection.nextPacket(), type));
    expect(packet.type).toBe(type);
    return packet as PacketOf<T>;
  }

  /** All packets so far. */
  get received(): PacketObject[] {
    return this.connection.received.map((bytes) => this.read(bytes));
  }

  get receivedTypes(): string[] {
    return this.received.map(({ type }) => type);
  }

  async send(...packets: PacketObject[]): Promise<void> {
    const { protocolVersion } = this;
    for (const packet of packets) await this.connection.send(encodeObject(packet, { protocolVersion }));
  }

  /** Takes CONNECT and accepts it; returns it. */
  async accept(properties?: PropertiesObject, sessionPresent = false): Promise<ConnectObject> {
    const connect = await this.next('CONNECT');
    await this.send({ type: 'CONNACK', sessionPresent, reasonCode: 0, properties });
    return connect;
  }

  /** Takes SUBSCRIBE and grants all of it; returns it. */
  async grant(): Promise<SubscribeObject> {
    const subscribe = await this.next('SUBSCRIBE');
    const reasonCodes = subscribe.subscriptions.map(({ qos }) => qos ?? 0);
    await this.send({ type: 'SUBACK', packetId: subscribe.packetId, reasonCodes });
    return subscribe;
  }

  /** A message of QoS 0 for the client. */
  publish(topicName: string, text = '', properties?: PropertiesObject): Promise<void> {
    return this.send({ type: 'PUBLISH', topicName, payload: hexOf(text), properties });
  }

  /** Resolves when the connection is closed. */
  closed(): Promise<void> {
    return soon(this.connection.closed, 'the end of the connection');
  }

  private read(bytes: Uint8Array): PacketObject {
    const { packets, error } = decodeObjects(bytes, {
      protocolVersion: this.protocolVersion,
      sender: FROM_CLIENT,
    });
    expect(error, 'the client sent a packet that breaks the standard').toBeUndefined();
    return packets[0];
  }
}

/** A server whose connections the test takes one after the other. */
export interface Served {
  readonly url: string;
  readonly server: ScriptedServer;
  /** The next connection that a client makes. */
  nextPeer(): Promise<Peer>;
}

const clients: Client[] = [];
const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) await server.close();
});

export async function serve(protocolVersion: 4 | 5 = 5): Promise<Served> {
  const made: Peer[] = [];
  let taken = 0;
  const server = await startScriptedServer((connection) => {
    made.push(new Peer(connection, protocolVersion));
  });
  servers.push(server);
  const nextPeer = async (): Promise<Peer> => {
    const index = taken++;
    await eventually(() => made.length > index, { what: `connection ${index}`, withinMs: WITHIN_MS });
    return made[index];
  };
  return { url: `mqtt://${server.host}:${server.port}`, server, nextPeer };
}

/** A client that begins to connect, and is destroyed after the test. */
export function clientOf(url: string, options: ConnectOptions = {}): Client {
  const client = createClient(url, { clientId: 'c', ...options });
  clients.push(client);
  return client;
}

export interface Pair extends Served {
  readonly client: Client;
  readonly peer: Peer;
  /** The client's CONNECT. */
  readonly connect: ConnectObject;
}

/** A connected client and the server's side of its connection. */
export async function connected(options: ConnectOptions = {}, connack?: PropertiesObject): Promise<Pair> {
  const served = await serve(options.protocol === '3.1.1' ? 4 : 5);
  const client = clientOf(served.url, options);
  const peer = await served.nextPeer();
  const connect = await peer.accept(connack);
  await soon(client.firstConnect, 'CONNACK');
  return { ...served, client, peer, connect };
}

/** The next event `name` of `client`. */
export function eventOf<K extends keyof ClientEvents>(client: Client, name: K): Promise<ClientEvents[K]> {
  return soon(new Promise<ClientEvents[K]>((resolve) => client.once(name, resolve)), `the event ${name}`);
}

export function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** What is not handled while `act` runs, and until the event loop has turned: what engines report on stderr. */
export async function unhandledDuring(act: () => Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => seen.push(reason));
  try {
    await act();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of before) process.on('unhandledRejection', listener);
  }
  return seen;
}
