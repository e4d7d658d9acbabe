/**
 * `-d`: a line for every packet, as mosquitto_pub and mosquitto_sub print them, from the bytes that go over the
 * transport. Never prints what is in a packet beyond that: no password, no payload.
 */
import type { ClientTransport, TransportReceiver } from '../../src/client/platform.ts';
import { decodeObjects, type PacketObject, type PublishObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT, FROM_SERVER, V3_1_1, V5 } from '../../src/packets/types.ts';
import type { Ring } from '../../src/wire/ring.ts';
import type { TransportFactory } from '../node/index.ts';

type Packets<T extends PacketObject['type']> = Extract<PacketObject, { type: T }>;

/** What was not a whole packet yet. */
interface Stream {
  rest: Uint8Array;
  isBroken: boolean;
}

export class DebugLines {
  private readonly print: (line: string) => void;
  private readonly protocolVersion: number;
  private clientId = '(null)';
  private sending: Stream = { rest: new Uint8Array(0), isBroken: false };
  private receiving: Stream = { rest: new Uint8Array(0), isBroken: false };
  /** What the aliases sent on this connection stand for. */
  private readonly sentAliases = new Map<number, string>();
  private readonly receivedAliases = new Map<number, string>();

  constructor(print: (line: string) => void, protocol: '5.0' | '3.1.1') {
    this.print = print;
    this.protocolVersion = protocol === '5.0' ? V5 : V3_1_1;
  }

  /** A new connection begins. */
  reset(): void {
    this.sending = { rest: new Uint8Array(0), isBroken: false };
    this.receiving = { rest: new Uint8Array(0), isBroken: false };
    this.sentAliases.clear();
    this.receivedAliases.clear();
  }

  sent(bytes: Uint8Array): void {
    for (const packet of this.decode(this.sending, bytes, FROM_CLIENT)) this.tellSent(packet);
  }

  received(bytes: Uint8Array): void {
    for (const packet of this.decode(this.receiving, bytes, FROM_SERVER)) this.tellReceived(packet);
  }

  private decode(stream: Stream, bytes: Uint8Array, sender: number): readonly PacketObject[] {
    if (stream.isBroken) return [];
    const whole = new Uint8Array(stream.rest.length + bytes.length);
    whole.set(stream.rest);
    whole.set(bytes, stream.rest.length);
    const decoded = decodeObjects(whole, { protocolVersion: this.protocolVersion, sender });
    stream.rest = whole.subarray(decoded.consumed);
    stream.isBroken = decoded.error !== undefined;
    return decoded.packets;
  }

  private tell(text: string): void {
    this.print(`Client ${this.clientId} ${text}`);
  }

  private tellSent(packet: PacketObject): void {
    switch (packet.type) {
      case 'CONNECT':
        this.clientId = packet.clientId || '(null)';
        this.tell('sending CONNECT');
        return;
      case 'PUBLISH':
        this.tell(`sending PUBLISH ${describePublish(packet, this.sentAliases)}`);
        return;
      case 'PUBACK':
      case 'PUBREC':
        this.tell(`sending ${packet.type} (m${packet.packetId}, rc${packet.reasonCode ?? 0})`);
        return;
      case 'PUBREL':
      case 'PUBCOMP':
        this.tell(`sending ${packet.type} (m${packet.packetId})`);
        return;
      case 'SUBSCRIBE':
        this.tellSubscribe(packet);
        return;
      case 'UNSUBSCRIBE':
        for (const topicFilter of packet.topicFilters) {
          this.tell(`sending UNSUBSCRIBE (Mid: ${packet.packetId}, Topic: ${topicFilter})`);
        }
        return;
      default:
        this.tell(`sending ${packet.type}`);
    }
  }

  private tellSubscribe(packet: Packets<'SUBSCRIBE'>): void {
    for (const {
      topicFilter,
      qos = 0,
      noLocal,
      retainAsPublished,
      retainHandling = 0,
    } of packet.subscriptions) {
      const options = (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
      const inHex = `0x${options.toString(16).padStart(2, '0')}`;
      this.tell(
        `sending SUBSCRIBE (Mid: ${packet.packetId}, Topic: ${topicFilter}, QoS: ${qos}, Options: ${inHex})`,
      );
    }
  }

  private tellReceived(packet: PacketObject): void {
    switch (packet.type) {
      case 'CONNACK':
        this.clientId = packet.properties?.assignedClientIdentifier ?? this.clientId;
        this.tell(`received CONNACK (${packet.reasonCode ?? 0})`);
        return;
      case 'PUBLISH':
        this.tell(`received PUBLISH ${describePublish(packet, this.receivedAliases)}`);
        return;
      case 'PUBACK':
      case 'PUBCOMP':
        this.tell(`received ${packet.type} (Mid: ${packet.packetId}, RC:${packet.reasonCode ?? 0})`);
        return;
      case 'PUBREC':
      case 'PUBREL':
        this.tell(`received ${packet.type} (Mid: ${packet.packetId})`);
        return;
      case 'SUBACK':
        this.tell('received SUBACK');
        this.print(`Subscribed (mid: ${packet.packetId}): ${packet.reasonCodes.join(', ')}`);
        return;
      case 'DISCONNECT':
        this.print(`Received DISCONNECT (${packet.reasonCode ?? 0})`);
        return;
      default:
        this.tell(`received ${packet.type}`);
    }
  }
}

function describePublish(packet: PublishObject, aliases: Map<number, string>): string {
  const { dup, qos = 0, retain, packetId = 0, payload = '', properties } = packet;
  const alias = properties?.topicAlias;
  const topicName = packet.topicName || (alias && aliases.get(alias)) || '(null)';
  if (alias !== undefined) aliases.set(alias, topicName);
  const flags = `d${dup ? 1 : 0}, q${qos}, r${retain ? 1 : 0}, m${packetId}`;
  return `(${flags}, '${topicName}', ... (${payload.length / 2} bytes))`;
}

/** Shows a transport's bytes to `lines`, in both directions. */
class TappedTransport implements ClientTransport {
  private readonly inner: ClientTransport;
  private readonly lines: DebugLines;

  constructor(inner: ClientTransport, lines: DebugLines) {
    this.inner = inner;
    this.lines = lines;
  }

  get bytesOut(): number {
    return this.inner.bytesOut;
  }

  get bytesIn(): number {
    return this.inner.bytesIn;
  }

  get isCongested(): boolean {
    return this.inner.isCongested === true;
  }

  open(): void {
    this.lines.reset();
    this.inner.open();
  }

  write(ring: Ring): void {
    // Copied before: the transport may take the bytes away with it.
    const offered = ring.bytes.slice(ring.start, ring.end);
    const before = this.inner.bytesOut;
    this.inner.write(ring);
    this.lines.sent(offered.subarray(0, this.inner.bytesOut - before));
  }

  close(): void {
    this.inner.close();
  }

  pauseReading(): void {
    this.inner.pauseReading();
  }

  resumeReading(): void {
    this.inner.resumeReading();
  }
}

/** `factory`, with its transports' packets told to `lines`. */
export function tapped(factory: TransportFactory, lines: DebugLines): TransportFactory {
  return (receiver) => {
    const tappedReceiver: TransportReceiver = {
      handleOpened: () => receiver.handleOpened(),
      handleBytes: (bytes, at, end) => {
        lines.received(bytes.subarray(at, end));
        receiver.handleBytes(bytes, at, end);
      },
      handleWritable: () => receiver.handleWritable(),
      handleClosed: (error) => receiver.handleClosed(error),
    };
    return new TappedTransport(factory(tappedReceiver), lines);
  };
}
