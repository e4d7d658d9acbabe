/**
 * The server's side of one session as the standard tells it, small and slow: what it has taken over, what it still has
 * to deliver, packet by packet. It throws when the client breaks a rule. Knows nothing of bytes or connections: what
 * is lost on the way is decided by whoever carries the packets.
 */
import type { ConnectObject, PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import { textOf } from '../support/session-driver.ts';

/** A message that the server sends. */
interface Outgoing {
  packetId: number;
  qos: number;
  payload: string;
  /** PUBREC came: only PUBREL is left. */
  isReleased: boolean;
}

export interface ModelServerOptions {
  /** Unacknowledged QoS 1 and 2 the client may send, by connection. */
  receiveMaximum?: () => number;
  /** Whether the server loses its session when the client comes back. */
  isForgetful?: () => boolean;
}

export class ModelServer {
  /** Payloads taken over, in order; QoS 1 as often as they came. */
  readonly taken: string[] = [];
  /** Connections on which the session went on. */
  resumed = 0;
  /** Topic Filters in the order of the first SUBSCRIBE, by name their options. */
  filters = new Map<string, number>();
  hasSession = false;
  private readonly isV5: boolean;
  private readonly options: ModelServerOptions;
  /** Packet identifiers of the client's QoS 2 messages between PUBREC and PUBREL. */
  private awaited = new Set<number>();
  /** The client's messages that are not completed, as Receive Maximum counts them. */
  private unacknowledged = new Set<number>();
  private receiveMaximum = 65535;
  private clientReceiveMaximum = 65535;
  private isConnected = false;
  private waiting: { qos: number; payload: string }[] = [];
  private outgoing: Outgoing[] = [];
  private lastPacketId = 0;

  constructor(protocolVersion: number, options: ModelServerOptions = {}) {
    this.isV5 = protocolVersion === 5;
    this.options = options;
  }

  /** Accepts a message to be delivered to the client; `next` sends it. */
  deliver(payload: string, qos: number): void {
    this.waiting.push({ payload, qos });
  }

  /** Whether everything that was to be delivered is. */
  isIdle(): boolean {
    return this.waiting.length === 0 && this.outgoing.length === 0;
  }

  /** The connection is over. */
  cut(): void {
    this.isConnected = false;
  }

  /** Messages that may be sent now. */
  next(): PacketObject[] {
    const packets: PacketObject[] = [];
    while (this.isConnected && this.waiting.length > 0) {
      const { qos, payload } = this.waiting[0];
      if (qos > 0 && this.outgoing.length >= this.clientReceiveMaximum) break;
      this.waiting.shift();
      if (qos === 0) packets.push(this.publish({ packetId: 0, qos, payload, isReleased: false }, false));
      else {
        do this.lastPacketId = (this.lastPacketId % 65535) + 1;
        while (this.outgoing.some(({ packetId }) => packetId === this.lastPacketId));
        const message = { packetId: this.lastPacketId, qos, payload, isReleased: false };
        this.outgoing.push(message);
        packets.push(this.publish(message, false));
      }
    }
    return packets;
  }

  private publish({ packetId, qos, payload }: Outgoing, dup: boolean): PublishObject {
    const hex = Buffer.from(payload).toString('hex');
    const id = qos === 0 ? {} : { packetId };
    return { type: 'PUBLISH', topicName: 'from/server', qos, dup, ...id, payload: hex };
  }

  /** The answers to a packet of the client's. */
  handle(packet: PacketObject): PacketObject[] {
    if (packet.type === 'CONNECT') return this.connect(packet);
    if (!this.isConnected) throw new Error(`${packet.type} before CONNECT`);
    switch (packet.type) {
      case 'PUBLISH':
        return this.receive(packet);
      case 'PUBREL': {
        const isKnown = this.awaited.delete(packet.packetId);
        this.unacknowledged.delete(packet.packetId);
        const reason = isKnown || !this.isV5 ? {} : { reasonCode: 0x92 };
        return [{ type: 'PUBCOMP', packetId: packet.packetId, ...reason }];
      }
      case 'PUBACK':
      case 'PUBCOMP':
        this.outgoing = this.outgoing.filter(({ packetId }) => packetId !== packet.packetId);
        return [];
      case 'PUBREC': {
        const message = this.outgoing.find(({ packetId }) => packetId === packet.packetId);
        if (message) message.isReleased = true;
        const reason = message || !this.isV5 ? {} : { reasonCode: 0x92 };
        return [{ type: 'PUBREL', packetId: packet.packetId, ...reason }];
      }
      case 'SUBSCRIBE':
        for (const { topicFilter, qos } of packet.subscriptions) this.filters.set(topicFilter, qos!);
        return [
          {
            type: 'SUBACK',
            packetId: packet.packetId,
            reasonCodes: packet.subscriptions.map(({ qos }) => qos!),
          },
        ];
      case 'UNSUBSCRIBE': {
        const reasonCodes = packet.topicFilters.map((filter) => (this.filters.delete(filter) ? 0 : 0x11));
        return [{ type: 'UNSUBACK', packetId: packet.packetId, ...(this.isV5 ? { reasonCodes } : {}) }];
      }
      case 'PINGREQ':
        return [{ type: 'PINGRESP' }];
      case 'DISCONNECT':
        this.isConnected = false;
        return [];
      default:
        throw new Error(`a client sends no ${packet.type}`);
    }
  }

  private connect(packet: ConnectObject): PacketObject[] {
    if (this.isConnected) throw new Error('a second CONNECT');
    if (packet.cleanStart === true || this.options.isForgetful?.() === true) {
      this.hasSession = false;
      this.awaited.clear();
      this.filters.clear();
      // What the server has to deliver lives in the session, too.
      this.outgoing = [];
      this.waiting = [];
    }
    const sessionPresent = this.hasSession;
    if (sessionPresent) this.resumed++;
    this.hasSession = true;
    this.isConnected = true;
    this.unacknowledged.clear();
    this.clientReceiveMaximum = packet.properties?.receiveMaximum ?? 65535;
    this.receiveMaximum = this.isV5 ? (this.options.receiveMaximum?.() ?? 65535) : 65535;
    const connack: PacketObject = { type: 'CONNACK', sessionPresent };
    if (this.receiveMaximum < 65535) connack.properties = { receiveMaximum: this.receiveMaximum };
    const again = this.outgoing.map((message) =>
      message.isReleased
        ? ({ type: 'PUBREL', packetId: message.packetId } as const)
        : this.publish(message, true),
    );
    return [connack, ...again];
  }

  private receive(packet: PublishObject): PacketObject[] {
    const payload = textOf(packet.payload);
    if (packet.qos === 0) {
      this.taken.push(payload);
      return [];
    }
    const packetId = packet.packetId!;
    if (this.unacknowledged.has(packetId) && !this.awaited.has(packetId)) {
      throw new Error(`packet identifier ${packetId} is in use`);
    }
    this.unacknowledged.add(packetId);
    if (this.unacknowledged.size > this.receiveMaximum) throw new Error('Receive Maximum exceeded');
    if (packet.qos === 1) {
      if (this.awaited.has(packetId)) throw new Error(`packet identifier ${packetId} is one of QoS 2`);
      this.taken.push(payload);
      this.unacknowledged.delete(packetId);
      return [{ type: 'PUBACK', packetId }];
    }
    if (!this.awaited.has(packetId)) this.taken.push(payload);
    else if (packet.dup !== true) throw new Error(`packet identifier ${packetId} comes again without DUP`);
    this.awaited.add(packetId);
    return [{ type: 'PUBREC', packetId }];
  }
}
