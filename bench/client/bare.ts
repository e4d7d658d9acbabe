/**
 * A bare socket: writes ready-made packets, and of what comes back knows as much as it must to go on. It shows what a
 * client could reach that did nothing at all for its messages.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeObject, type PacketObject } from '../../src/packets/inspect.ts';
import { AckCounter, MessageCounter } from './bare-counting.ts';
import { makePayloads, otherFilters, runBatches, type Peer, type PeerTarget, type Qos } from './peer.ts';

/** Batches with packet identifiers of their own: as many as are under way at most. */
const LANES = 2;
const PUBREL = 0x62;
const ALIAS = 1;

export function encodePacket(packet: PacketObject): Buffer {
  return Buffer.from(encodeObject(packet, { protocolVersion: 5 }));
}

/** Opens a socket and says CONNECT; resolves at CONNACK. */
export async function openBareSocket(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {}); // 'close' follows
  await once(socket, 'connect');
  const properties = { receiveMaximum: 65_535, topicAliasMaximum: 32 };
  socket.write(encodePacket({ type: 'CONNECT', clientId, cleanStart: true, keepAlive: 0, properties }));
  const [connack] = (await once(socket, 'data')) as [Buffer];
  if (connack[3] !== 0) throw new Error(`the server refused with 0x${connack[3].toString(16)}`);
  return socket;
}

/** `count` PUBLISHes in a row, with packet identifiers from `packetId` on. */
export function encodePublishes(
  topicName: string,
  topicAlias: number | undefined,
  payloads: readonly Uint8Array[],
  qos: Qos,
  packetId: number,
  count: number,
): Buffer {
  const packets = Array.from({ length: count }, (_, index) =>
    encodePacket({
      type: 'PUBLISH',
      topicName,
      qos,
      payload: Buffer.from(payloads[index % payloads.length]).toString('hex'),
      ...(qos > 0 && { packetId: packetId + index }),
      ...(topicAlias !== undefined && { properties: { topicAlias } }),
    }),
  );
  return Buffer.concat(packets);
}

/** PUBRELs for the packet identifiers from 1 on. */
function encodeReleases(count: number): Buffer {
  const bytes = Buffer.alloc(count * 4);
  for (let index = 0; index < count; index++) bytes.set([PUBREL, 2, (index + 1) >> 8, index + 1], index * 4);
  return bytes;
}

export async function openBare(target: PeerTarget): Promise<Peer> {
  return new Bare(await openBareSocket(target.port, target.clientId), target);
}

class Bare implements Peer {
  private readonly socket: Socket;
  private readonly target: PeerTarget;
  private readonly payloads: Uint8Array[];
  private isAliased = false;

  constructor(socket: Socket, target: PeerTarget) {
    this.socket = socket;
    this.target = target;
    this.payloads = makePayloads(target.payloadByteLength);
  }

  async publish(qos: Qos, ms: number, batch: number): Promise<number> {
    const { socket, payloads, target } = this;
    if (!this.isAliased) {
      socket.write(encodePublishes(target.topicName, ALIAS, payloads, 0, 0, 1));
      this.isAliased = true;
    }
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      encodePublishes('', ALIAS, payloads, qos, lane * batch + 1, batch),
    );
    const acks = new AckCounter(socket, encodeReleases(LANES * batch));
    let turn = 0;
    const batches = await runBatches(ms, () => {
      const isTaken = socket.write(lanes[turn++ % LANES]);
      if (qos > 0) return acks.whenDone(batch);
      return isTaken ? Promise.resolve() : once(socket, 'drain');
    });
    if (qos === 0) {
      socket.write(encodePublishes('', ALIAS, payloads, 1, 1, 1));
      await acks.whenDone(1);
    }
    acks.stop();
    return batches * batch;
  }

  async subscribe(qos: Qos, others: number, onMessages: (count: number) => void): Promise<void> {
    const topicFilters = [this.target.topicName, ...otherFilters(others)];
    const subscriptions = topicFilters.map((topicFilter) => ({ topicFilter, qos }));
    this.socket.write(encodePacket({ type: 'SUBSCRIBE', packetId: 1, subscriptions }));
    await once(this.socket, 'data');
    new MessageCounter(this.socket, onMessages);
  }

  close(): Promise<void> {
    this.socket.destroy();
    return Promise.resolve();
  }
}
