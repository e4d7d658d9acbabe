/**
 * A scripted server and the client before it: packets as objects, a server that answers as it should but for what a
 * test takes over, and everything gone after the test.
 */
import { createClient } from '../../targets/node/index.ts';
import type { Client, ConnectOptions, Disconnect } from '../../targets/node/index.ts';
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type { ConnackObject, PacketObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import type { ScriptedConnection, ScriptedServer } from '../support/scripted-server.ts';
import { withDeadline } from '../support/wait.ts';

export type Protocol = '5.0' | '3.1.1';
export const PROTOCOLS: readonly Protocol[] = ['5.0', '3.1.1'];

const undo: (() => unknown)[] = [];

/** To be called after each test. */
export async function cleanUp(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
}

/** Has `step` called after the test. */
export function after(step: () => unknown): void {
  undo.push(step);
}

const versionOf = (protocol: Protocol): number => (protocol === '5.0' ? 5 : 4);

/** The bytes of a packet. */
export function bytesOf(packet: PacketObject, protocol: Protocol = '5.0'): Uint8Array {
  return encodeObject(packet, { protocolVersion: versionOf(protocol) });
}

/** The packet that a client's bytes are. */
export function packetOf(bytes: Uint8Array, protocol: Protocol = '5.0'): PacketObject {
  const { packets, error } = decodeObjects(bytes, {
    protocolVersion: versionOf(protocol),
    sender: FROM_CLIENT,
  });
  if (error !== undefined || packets.length !== 1) throw new Error(`no packet: ${error?.message ?? 'rest'}`);
  return packets[0];
}

/** All packets that the client sent on a connection. */
export function receivedOn(connection: ScriptedConnection, protocol: Protocol = '5.0'): PacketObject[] {
  return connection.received.map((bytes) => packetOf(bytes, protocol));
}

/** Those of one type. */
export function ofType<T extends PacketObject['type']>(
  packets: readonly PacketObject[],
  type: T,
): Extract<PacketObject, { type: T }>[] {
  return packets.filter((packet): packet is Extract<PacketObject, { type: T }> => packet.type === type);
}

/** What differs from a server that does everything right. */
export interface Script {
  readonly protocol?: Protocol | undefined;
  readonly connack?: Partial<ConnackObject> | undefined;
  /** Called for each packet; what it answers with is sent instead of the right answer, `undefined` leaves it at that. */
  readonly answer?: (
    packet: PacketObject,
    connection: ScriptedConnection,
  ) => string | Uint8Array | undefined | Promise<string | Uint8Array | undefined>;
}

/** The right answer, or nothing where there is none. */
function answerTo(packet: PacketObject, { protocol, connack }: Script): PacketObject | undefined {
  switch (packet.type) {
    case 'CONNECT':
      return { type: 'CONNACK', ...connack };
    case 'SUBSCRIBE':
      return {
        type: 'SUBACK',
        packetId: packet.packetId,
        reasonCodes: packet.subscriptions.map(({ qos = 0 }) => qos),
      };
    case 'UNSUBSCRIBE': {
      const { packetId } = packet;
      if (protocol === '3.1.1') return { type: 'UNSUBACK', packetId };
      return { type: 'UNSUBACK', packetId, reasonCodes: packet.topicFilters.map(() => 0) };
    }
    case 'PUBLISH': {
      const { qos = 0, packetId = 0 } = packet;
      return qos === 0 ? undefined : { type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId };
    }
    case 'PUBREC':
      return { type: 'PUBREL', packetId: packet.packetId };
    case 'PUBREL':
      return { type: 'PUBCOMP', packetId: packet.packetId };
    case 'PINGREQ':
      return { type: 'PINGRESP' };
    default:
      return undefined;
  }
}

/** A server that answers as it should, but for the script. It does not pass messages on. */
export async function serve(script: Script = {}): Promise<ScriptedServer> {
  return serveRaw(async (connection) => {
    for (;;) {
      const packet = packetOf(await connection.nextPacket(), script.protocol);
      const given = await script.answer?.(packet, connection);
      const answer = answerTo(packet, script);
      if (given !== undefined) await connection.send(given);
      else if (answer !== undefined) await connection.send(bytesOf(answer, script.protocol));
    }
  });
}

/** A server that does what `handler` says and nothing more. */
export async function serveRaw(
  handler: (connection: ScriptedConnection) => void | Promise<void>,
): Promise<ScriptedServer> {
  const server = await startScriptedServer(handler);
  after(() => server.close());
  return server;
}

/** A client before that server, destroyed after the test; it does not reconnect unless told. */
export function clientOf(server: { port: number }, options: ConnectOptions = {}): Client {
  const client = createClient(`mqtt://127.0.0.1:${server.port}`, { reconnect: false, ...options });
  after(() => client.destroy());
  return client;
}

/** Likewise, connected. */
export async function connectedTo(server: { port: number }, options: ConnectOptions = {}): Promise<Client> {
  const client = clientOf(server, options);
  await withDeadline(client.firstConnect, 5000, 'CONNACK');
  return client;
}

/** How the client's connection ends, the next time it does. */
export function nextDisconnect(client: Client): Promise<Disconnect> {
  const end = new Promise<Disconnect>((resolve) => void client.once('disconnect', resolve));
  return withDeadline(end, 5000, 'the end of the connection');
}

/** Resolves when nothing will happen any more. */
export function whenClosed(client: Client): Promise<void> {
  const closed = new Promise<void>((resolve) => void client.once('close', () => resolve()));
  return withDeadline(closed, 5000, 'the end of the client');
}
