/**
 * A raw MQTT client for conformance tests: sends whatever a test says, right or wrong, and reads strictly what comes
 * back, so that a malformed packet from the broker fails the test. It answers nothing by itself: no PUBACK, no PINGREQ.
 */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type {
  AckObject,
  ConnackObject,
  ConnectObject,
  PacketObject,
  PropertiesObject,
  PublishObject,
  ReasonObject,
  SubackObject,
  SubscriptionObject,
  UnsubackObject,
} from '../../src/packets/inspect.ts';
import { FROM_SERVER, V5 } from '../../src/packets/types.ts';
import { bytesOfHex } from '../support/scripted-server.ts';
import { withDeadline } from '../support/wait.ts';

/** How long a packet or a close may take. */
export const ANSWER_MS_MAX = 5000;

/** Where a broker is. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  /** Whether it runs in this process; false: it is the one that MOTEMQ_BROKER names. */
  readonly isOurs: boolean;
}

/** What tests of rules that both versions have are run with. */
export const PROTOCOL_VERSIONS = [5, 4] as const;

export type PacketType = PacketObject['type'];
export type PacketOf<T extends PacketType> = PacketObject & { type: T };

export type ConnectFields = Partial<Omit<ConnectObject, 'type'>>;
export type PublishFields = Omit<PublishObject, 'type'>;
/** Subscription Options, and the SUBSCRIBE packet's own properties. */
export type SubscribeOptions = Omit<SubscriptionObject, 'topicFilter'> & { properties?: PropertiesObject };

const openPeers = new Set<Peer>();

/** Cuts every connection of the test that just ended, and throws if what came over one of them was malformed. */
export function destroyEveryPeer(): void {
  const peers = [...openPeers];
  for (const peer of peers) peer.destroy();
  for (const { failure } of peers) if (failure !== null) throw failure;
}

let uniqueCount = 0;
const runName = `${process.pid.toString(36)}${Date.now().toString(36)}`;

function uniqueName(): string {
  return `${runName}x${(++uniqueCount).toString(36)}`;
}

/** A topic that no other test uses. */
export function uniqueTopic(): string {
  return `conformance/${uniqueName()}`;
}

/** A Client Identifier that no other test uses: at most 23 letters and digits, so that any server takes it. */
export function uniqueClientId(): string {
  return `c${uniqueName()}`.slice(-23);
}

/** Hex of the text's UTF-8: payloads, passwords and binary properties are hex in packet objects. */
export function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** One connection to the broker. */
export class Peer {
  readonly protocolVersion: 4 | 5;
  /** What the server answered CONNECT with; after {@link Peer.connect}. */
  connack: ConnackObject = { type: 'CONNACK' };
  /** The Client Identifier in force, the server's if it assigned one; after {@link Peer.connect}. */
  clientId = '';
  /** What came that is no packet, if anything did. */
  failure: Error | null = null;
  private readonly isOurs: boolean;
  private readonly stream: Duplex;
  /** Packets that came and were not handed out. */
  private readonly packets: PacketObject[] = [];
  private rest: Uint8Array = new Uint8Array(0);
  private lastPacketId = 0;
  private isClosed = false;
  /** Called at every change: a packet, a failure, the close. */
  private readonly watchers = new Set<() => void>();

  /** @param stream An open connection: a socket, or a WebSocket as a stream. */
  constructor(stream: Duplex, isOurs: boolean, protocolVersion: 4 | 5 = V5) {
    this.stream = stream;
    this.isOurs = isOurs;
    this.protocolVersion = protocolVersion;
    openPeers.add(this);
    stream.on('error', () => {}); // 'close' follows
    stream.on('data', (bytes: Uint8Array) => this.receive(bytes));
    stream.on('end', () => stream.end()); // a WebSocket's stream does not do so by itself
    stream.on('close', () => {
      this.isClosed = true;
      if (this.rest.length > 0) this.failure ??= new Error(`half a packet came: ${hexOfBytes(this.rest)}`);
      this.tellWatchers();
    });
  }

  /** A connection over which nothing was sent. */
  static async open(broker: BrokerAddress, protocolVersion: 4 | 5 = V5): Promise<Peer> {
    const socket = connectSocket(broker.port, broker.host);
    socket.setNoDelay(true);
    await withDeadline(once(socket, 'connect'), ANSWER_MS_MAX, 'a connection');
    return new Peer(socket, broker.isOurs, protocolVersion);
  }

  /** Opens, connects (with a Client Identifier of its own, Clean Start and no keep-alive unless told), is accepted. */
  static async connect(broker: BrokerAddress, fields: ConnectFields = {}): Promise<Peer> {
    const peer = await Peer.open(broker, fields.protocolVersion ?? V5);
    const connack = await peer.requestConnection(fields);
    if ((connack.reasonCode ?? 0) !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
    return peer;
  }

  /** Sends CONNECT, with the same defaults as {@link Peer.connect}, and returns the CONNACK whatever it says. */
  async requestConnection(fields: ConnectFields = {}): Promise<ConnackObject> {
    const clientId = fields.clientId ?? uniqueClientId();
    const { protocolVersion } = this;
    this.send({ type: 'CONNECT', cleanStart: true, keepAlive: 0, ...fields, clientId, protocolVersion });
    this.connack = await this.nextOf('CONNACK');
    this.clientId = this.connack.properties?.assignedClientIdentifier ?? clientId;
    return this.connack;
  }

  /** Writes the packets in one piece. */
  send(...packets: PacketObject[]): void {
    const { protocolVersion } = this;
    this.stream.write(Buffer.concat(packets.map((packet) => encodeObject(packet, { protocolVersion }))));
  }

  /** Writes bytes as they are, or hex with blanks allowed: what no packet object can say. */
  sendBytes(bytes: Uint8Array | string): void {
    this.stream.write(typeof bytes === 'string' ? bytesOfHex(bytes) : bytes);
  }

  /** The next packet from the server, each handed out once. Fails when the connection ends first. */
  async next(): Promise<PacketObject> {
    return this.take(() => true, 'a packet');
  }

  /** The next packet, which must be of this type. */
  async nextOf<T extends PacketType>(type: T): Promise<PacketOf<T>> {
    const packet = await this.take(() => true, type);
    if (packet.type !== type) throw new Error(`expected ${type}, and ${JSON.stringify(packet)} came`);
    return packet as PacketOf<T>;
  }

  /**
   * Everything that comes before the answer to a PINGREQ sent now: how a test shows that something does not come. What
   * the server does for another connection's packet is in it if that packet was answered before.
   */
  async drain(): Promise<PacketObject[]> {
    this.send({ type: 'PINGREQ' });
    const drained: PacketObject[] = [];
    for (;;) {
      const packet = await this.take(() => true, 'PINGRESP');
      if (packet.type === 'PINGRESP') return drained;
      drained.push(packet);
    }
  }

  /** Waits until the server has closed the connection. Packets that came before stay readable with next(). */
  async expectClosed(): Promise<void> {
    await this.until(() => this.isClosed, 'the server to close the connection');
    if (this.failure !== null) throw this.failure;
  }

  /** The server closes, and sends nothing before. */
  async expectClosedSilently(): Promise<void> {
    await this.expectClosed();
    if (this.packets.length > 0) throw new Error(`came before the close: ${JSON.stringify(this.packets)}`);
  }

  /**
   * The next packet is DISCONNECT with one of these reason codes, then the server closes. Under 3.1.1, where servers send
   * no DISCONNECT, it closes without a packet. A foreign broker may do so under 5.0 as well: that it tells why is
   * a SHOULD (4.13.1).
   */
  async expectDisconnect(...reasonCodes: number[]): Promise<ReasonObject> {
    if (this.protocolVersion !== V5) {
      await this.expectClosedSilently();
      return { type: 'DISCONNECT' };
    }
    await this.until(() => this.packets.length > 0 || this.isClosed, 'DISCONNECT');
    if (!this.isOurs && this.packets.length === 0) {
      await this.expectClosedSilently();
      return { type: 'DISCONNECT' };
    }
    const packet = await this.nextOf('DISCONNECT');
    if (!reasonCodes.includes(packet.reasonCode ?? 0)) {
      throw new Error(`expected DISCONNECT with ${hexList(reasonCodes)}: ${describePacket(packet)}`);
    }
    await this.expectClosedSilently();
    return packet;
  }

  /** The next packet is CONNACK with one of these reason codes and no session, then the server closes. */
  async expectRefusal(...reasonCodes: number[]): Promise<ConnackObject> {
    const packet = await this.nextOf('CONNACK');
    if (!reasonCodes.includes(packet.reasonCode ?? 0)) {
      throw new Error(`expected CONNACK with ${hexList(reasonCodes)}: ${describePacket(packet)}`);
    }
    if (packet.sessionPresent) throw new Error('a refusal says Session Present'); // [MQTT-3.2.2-6]
    await this.expectClosedSilently();
    return packet;
  }

  /**
   * The server closes, because of a CONNECT that it does not accept; before that it may say so in a CONNACK with one of
   * these reason codes, which is left to it (3.1.4, 4.13.1). Under 3.1.1 it says nothing.
   */
  async expectRejected(...reasonCodes: number[]): Promise<void> {
    await this.until(() => this.packets.length > 0 || this.isClosed, 'CONNACK or the close');
    if (this.packets.length === 0 || this.protocolVersion !== V5) await this.expectClosedSilently();
    else await this.expectRefusal(...reasonCodes);
  }

  /** Subscribes to one filter, at QoS 0 unless told. What comes before the SUBACK stays readable with next(). */
  async subscribe(filter: string, options: SubscribeOptions = {}): Promise<SubackObject> {
    const { properties, ...subscription } = options;
    const packetId = this.newPacketId();
    const subscriptions = [{ topicFilter: filter, ...subscription }];
    this.send({ type: 'SUBSCRIBE', packetId, properties, subscriptions });
    return this.takeAnswer('SUBACK', packetId);
  }

  /** Unsubscribes from one filter or more. What comes before the UNSUBACK stays readable with next(). */
  async unsubscribe(...topicFilters: string[]): Promise<UnsubackObject> {
    const packetId = this.newPacketId();
    this.send({ type: 'UNSUBSCRIBE', packetId, topicFilters });
    return this.takeAnswer('UNSUBACK', packetId);
  }

  /**
   * Publishes and waits for the end of it: at QoS 1 PUBACK; at QoS 2 PUBREC, PUBREL and PUBCOMP, or PUBREC alone if that
   * refuses; null at QoS 0. Returns the last acknowledgement. What else comes meanwhile stays readable with next().
   */
  async publish(fields: PublishFields): Promise<AckObject | null> {
    const qos = fields.qos ?? 0;
    if (qos === 0) {
      this.send({ type: 'PUBLISH', ...fields });
      return null;
    }
    const packetId = fields.packetId ?? this.newPacketId();
    this.send({ type: 'PUBLISH', ...fields, packetId });
    if (qos === 1) return this.takeAnswer('PUBACK', packetId);
    const pubrec = await this.takeAnswer('PUBREC', packetId);
    if ((pubrec.reasonCode ?? 0) >= 0x80) return pubrec;
    this.send({ type: 'PUBREL', packetId });
    return this.takeAnswer('PUBCOMP', packetId);
  }

  /** Sends DISCONNECT, with Normal disconnection unless told, and waits for the close. */
  async disconnect(reasonCode?: number, properties?: PropertiesObject): Promise<void> {
    this.send({ type: 'DISCONNECT', reasonCode, properties });
    await this.expectClosed();
  }

  /** Closes this side of the connection in order, without a DISCONNECT. */
  end(): void {
    this.stream.end();
  }

  /** Cuts the connection without a DISCONNECT. */
  destroy(): void {
    this.stream.destroy();
    openPeers.delete(this);
  }

  /** A packet identifier that this connection's own requests have not used. */
  newPacketId(): number {
    return ++this.lastPacketId;
  }

  /** The first packet of this type with this packet identifier; leaves the others where they are. */
  private async takeAnswer<T extends PacketType>(type: T, packetId: number): Promise<PacketOf<T>> {
    const isAnswer = (packet: PacketObject): boolean =>
      packet.type === type && 'packetId' in packet && packet.packetId === packetId;
    return (await this.take(isAnswer, `${type} of packet ${packetId}`)) as PacketOf<T>;
  }

  private async take(isWanted: (packet: PacketObject) => boolean, what: string): Promise<PacketObject> {
    await this.until(() => this.packets.some(isWanted) || this.isClosed || this.failure !== null, what);
    const index = this.packets.findIndex(isWanted);
    if (index >= 0) return this.packets.splice(index, 1)[0];
    const before = this.packets.length > 0 ? `, after ${JSON.stringify(this.packets)}` : '';
    throw this.failure ?? new Error(`the connection ended before ${what} came${before}`);
  }

  /** Waits until `isSo` holds, looking at every change. */
  private async until(isSo: () => boolean, what: string): Promise<void> {
    let watcher = (): void => {};
    const isDone = new Promise<void>((resolve) => {
      watcher = () => {
        if (isSo()) resolve();
      };
    });
    this.watchers.add(watcher);
    watcher();
    try {
      await withDeadline(isDone, ANSWER_MS_MAX, what);
    } finally {
      this.watchers.delete(watcher);
    }
  }

  private tellWatchers(): void {
    for (const watcher of this.watchers) watcher();
  }

  private receive(bytes: Uint8Array): void {
    const { protocolVersion } = this;
    const decoded = decodeObjects(Buffer.concat([this.rest, bytes]), {
      protocolVersion,
      sender: FROM_SERVER,
    });
    this.packets.push(...decoded.packets);
    this.rest = decoded.rest;
    if (decoded.error !== undefined) {
      const what = `${decoded.error.message} (${decoded.error.code}) in ${hexOfBytes(decoded.rest)}`;
      this.failure ??= new Error(`the server sent what is no packet: ${what}`);
      this.rest = new Uint8Array(0);
      this.stream.destroy();
    }
    this.tellWatchers();
  }
}

function hexOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function hexList(reasonCodes: readonly number[]): string {
  return reasonCodes.map((code) => `0x${code.toString(16).padStart(2, '0')}`).join(' or ');
}

/** The packet with its reason code as the standard writes it. */
function describePacket(packet: ConnackObject | ReasonObject): string {
  return `${hexList([packet.reasonCode ?? 0])} came: ${JSON.stringify(packet)}`;
}
