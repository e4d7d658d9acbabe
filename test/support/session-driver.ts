/**
 * A session on a bench: small buffers, a clock that only the test moves, random numbers from a seed, and a server that
 * says what the test scripts. Everything the session sends is decoded as from a client, so that a packet which breaks
 * the standard fails the test that caused it. Takes the pump's place, and does not know it.
 */
import { Decoder } from '../../src/packets/codec.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { encodeObject, inspectPacket, toHex } from '../../src/packets/inspect.ts';
import type { AckObject, ConnackObject, ConnectObject, PacketObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { PropertyWriter } from '../../src/packets/properties.ts';
import { violationName } from '../../src/packets/texts.ts';
import { FROM_CLIENT, V5 } from '../../src/packets/types.ts';
import { CLOSED_FOR_GOOD, TRANSPORT_CLOSE, TRANSPORT_OPEN } from '../../src/session/connection.ts';
import * as event from '../../src/session/event.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import { FilterList } from '../../src/session/filter-list.ts';
import type { SessionOptions } from '../../src/session/options.ts';
import { Session } from '../../src/session/session.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { NEED_DATA, OK, statusName } from '../../src/status.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { Random, SEED } from '../seed.ts';

/** What a test may say about a session: its options, and the sizes of its buffers. */
export interface DriverOptions extends Partial<Omit<SessionOptions, 'buffers'>> {
  receiveBytes?: number;
  transmitBytes?: number;
  outboxBytes?: number;
  subscriptionBytes?: number;
  /** The virtual clock's first reading, milliseconds. */
  startMs?: number;
}

/** An event as a plain object: only what the kind of event has. */
export interface EventObject {
  event: string;
  ticket?: number;
  /** Name of the status. */
  status?: string;
  reasonCode?: number;
  /** Name of the cause, without CAUSE_. */
  cause?: string;
  violation?: string;
  reconnectInMs?: number;
  sessionPresent?: number;
  topic?: string;
  /** The payload, or a fragment of it, as text. */
  payload?: string;
  qos?: number;
  retain?: number;
  dup?: number;
  receipt?: number;
  fragmentOffset?: number;
  payloadTotalByteLength?: number;
  isLast?: boolean;
  /** Of SUBACK and UNSUBACK. */
  reasonCodes?: number[];
  /** The packet behind the event, where it has one and the packet is all there. */
  packet?: PacketObject;
}

/** A constant's name by its value, without the prefix. */
function nameOf(prefix: string, value: number): string {
  const names = event as unknown as Record<string, unknown>;
  for (const name of Object.keys(names)) {
    if (name.startsWith(prefix) && names[name] === value) return name.slice(prefix.length);
  }
  throw new Error(`no ${prefix}… is ${value}`);
}

/** `text` as bytes. */
export function bytesOf(text: string): Uint8Array {
  return encodeUtf8(text)!;
}

/** `text` as hex of its UTF-8: what payloads are in plain objects. */
export function hexOf(text: string): string {
  return toHex(bytesOf(text));
}

/** The text that payload hex stands for. */
export function textOf(hex: string | undefined): string {
  return Buffer.from(hex ?? '', 'hex').toString('utf8');
}

/** A writer that holds what `fill` adds. */
export function propertiesOf(fill: (writer: PropertyWriter) => void): PropertyWriter {
  const writer = new PropertyWriter(new Uint8Array(1024));
  fill(writer);
  return writer;
}

/** A list of filters, each with its options byte: the QoS, when nothing else is said. */
export function filtersOf(...filters: [string, number?][]): FilterList {
  const list = new FilterList(new Uint8Array(4096));
  for (const [filter, options] of filters) list.add(filter, options ?? 0);
  return list;
}

export class SessionDriver {
  readonly session: Session;
  readonly protocolVersion: number;
  readonly random: Random;
  nowMs: number;
  /** Whether there is a transport: opened, and neither cut nor closed. */
  isUp = false;
  /** Times the session asked for a transport. */
  openings = 0;
  /** Times the session had its transport closed. */
  closings = 0;
  /** Whether transports that are asked for open at once. */
  isOpeningItself = true;
  /** Bytes that the transport still takes before it is congested. */
  writable = Infinity;
  /** Called while each event is alive, before it is copied. */
  onEvent: ((event: SessionEvent) => void) | undefined;
  /** Called with each packet the session sent, as soon as it is whole. */
  onPacket: ((packet: PacketObject) => void) | undefined;
  /** Called when a transport opens, before anything is sent on it. */
  onOpened: (() => void) | undefined;
  /** Nothing is polled while this is true: the application is busy. */
  isPaused = false;
  private isOpening = false;
  private isPolling = false;
  private readonly packets: PacketObject[] = [];
  private readonly told: EventObject[] = [];
  private wire: number[] = [];
  private readonly decoder: Decoder;

  constructor(options: DriverOptions = {}) {
    this.protocolVersion = options.protocolVersion ?? V5;
    this.nowMs = options.startMs ?? 1_000_000;
    this.random = new Random(SEED);
    this.decoder = new Decoder(this.protocolVersion, FROM_CLIENT, decodeRequest);
    const { receiveBytes, transmitBytes, outboxBytes, subscriptionBytes, startMs: _, ...rest } = options;
    this.session = new Session({
      clientId: 'c',
      random: () => this.random.below(4294967296),
      ...rest,
      buffers: {
        receive: new Uint8Array(receiveBytes ?? 512),
        transmit: new Uint8Array(transmitBytes ?? 512),
        outbox: new Uint8Array(outboxBytes ?? 2048),
        subscriptions: new Uint8Array(subscriptionBytes ?? 512),
      },
    });
  }

  // The pump's part.

  /** Polls and writes until nothing moves any more. */
  run(): void {
    if (this.isPolling) return;
    this.isPolling = true;
    const { session } = this;
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      while (!this.isPaused && session.poll(this.nowMs) !== event.EVENT_NONE) {
        this.onEvent?.(session.event);
        this.told.push(this.copyEvent(session.event));
      }
      const action = session.takeTransportAction();
      if (action === TRANSPORT_CLOSE || (action === TRANSPORT_OPEN && this.isUp)) {
        this.write();
        if (this.isUp || this.isOpening) this.closings++;
        this.drop();
        isMoving = true;
      }
      if (action === TRANSPORT_OPEN) {
        this.openings++;
        this.isOpening = true;
        isMoving = true;
        if (this.isOpeningItself) this.opened();
      }
      if (this.write()) isMoving = true;
    }
    this.isPolling = false;
  }

  /** Takes what the session transmits, as far as the transport does; decodes what is whole. */
  private write(): boolean {
    const { transmit } = this.session;
    if (!this.isUp) return false;
    const count = Math.min(transmit.byteLength(), this.writable);
    for (let i = 0; i < count; i++) this.wire.push(transmit.bytes[transmit.start + i]);
    transmit.consume(count);
    this.writable -= count;
    this.decode();
    return count > 0;
  }

  private decode(): void {
    const bytes = Uint8Array.from(this.wire);
    const packet = new Packet();
    let at = 0;
    while (at < bytes.length) {
      const status = this.decoder.decode(bytes, at, bytes.length, packet);
      if (status === NEED_DATA) break;
      if (status !== OK) {
        throw new Error(`the session sent ${violationName(packet.violation)}: ${toHex(bytes, at)}`);
      }
      const object = inspectPacket(packet, bytes, this.protocolVersion);
      at = packet.end;
      this.packets.push(object);
      this.onPacket?.(object);
    }
    this.wire = this.wire.slice(at);
  }

  private drop(): void {
    this.isUp = false;
    this.isOpening = false;
    this.wire = [];
    this.session.transmit.clear();
  }

  // What happens to the session.

  /** `connect`, and the transport opens, unless `isOpeningItself` is off. */
  open(): this {
    this.session.connect(this.nowMs);
    this.run();
    return this;
  }

  /** The transport that was asked for is open. */
  opened(): this {
    if (!this.isOpening) throw new Error('nobody asked for a transport');
    this.isOpening = false;
    this.isUp = true;
    this.onOpened?.();
    this.session.handleOpened(this.nowMs);
    this.run();
    return this;
  }

  /** Connects: CONNECT, then the given CONNACK; both, and the events, are not seen any more. */
  connected(connack: Partial<ConnackObject> = {}): this {
    this.open();
    this.accept(connack);
    return this;
  }

  /** Takes the CONNECT that was sent and returns it; the server sends CONNACK. Events so far are not seen any more. */
  accept(connack: Partial<ConnackObject> = {}): ConnectObject {
    const connect = this.sent()[0] as ConnectObject;
    if (connect?.type !== 'CONNECT') throw new Error('no CONNECT was sent');
    this.server({ type: 'CONNACK', sessionPresent: false, ...connack });
    this.events();
    return connect;
  }

  /** The server sends packets. */
  server(...packets: PacketObject[]): this {
    for (const packet of packets) this.bytes(this.encode(packet));
    return this;
  }

  encode(packet: PacketObject): Uint8Array {
    return encodeObject(packet, { protocolVersion: this.protocolVersion });
  }

  /** The server sends acknowledgements, by `PUBACK`, packet identifier and reason code. */
  ack(type: AckObject['type'], packetId: number, reasonCode = 0): this {
    return this.server({ type, packetId, ...(reasonCode === 0 ? {} : { reasonCode }) });
  }

  /** The server's bytes arrive, `step` at a time; throws when the window is full and nothing takes from it. */
  bytes(bytes: Uint8Array, step = Infinity): this {
    for (let at = 0; at < bytes.length;) {
      if (!this.isUp) return this;
      const taken = this.offer(bytes, at, step);
      if (taken === 0) throw new Error('the receive window is full');
      at += taken;
    }
    return this;
  }

  /** As many of the server's bytes from `at` on as the window takes, `max` at most, arrive; returns their number. */
  offer(bytes: Uint8Array, at: number, max = Infinity): number {
    const ring = this.session.receive;
    const count = Math.min(bytes.length - at, max, ring.freeByteLength());
    ring.reserve(count);
    ring.bytes.set(bytes.subarray(at, at + count), ring.end);
    ring.end += count;
    this.run();
    return count;
  }

  /** The transport takes this many bytes more. */
  drain(byteLength = Infinity): this {
    this.writable = byteLength;
    this.run();
    return this;
  }

  /** The connection is lost, or the transport did not open. */
  cut(): this {
    this.run();
    this.drop();
    this.session.handleClosed(this.nowMs);
    this.run();
    return this;
  }

  /** Moves the clock by `ms`, from deadline to deadline. */
  advance(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const nextMs = this.session.nextTimeoutMs();
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.session.handleTimeout(this.nowMs);
      this.run();
      if (this.session.nextTimeoutMs() <= this.nowMs && nextMs <= this.nowMs - 1) {
        throw new Error('a deadline that has passed stays');
      }
    }
    this.nowMs = untilMs;
    this.run();
    return this;
  }

  /** Moves the clock to the next deadline, which there must be. */
  skip(): this {
    const nextMs = this.session.nextTimeoutMs();
    if (nextMs === Infinity) throw new Error('there is no deadline');
    return this.advance(Math.max(0, nextMs - this.nowMs));
  }

  // What came of it.

  /** Packets the session sent since this was last asked. */
  sent(): PacketObject[] {
    return this.packets.splice(0);
  }

  /** Their types, and identifiers where they have one: `PUBLISH 1`. */
  sentTypes(): string[] {
    return this.sent().map((packet) => {
      const { packetId } = packet as { packetId?: number };
      return packetId === undefined ? packet.type : `${packet.type} ${packetId}`;
    });
  }

  /** Events told since this was last asked. */
  events(): EventObject[] {
    return this.told.splice(0);
  }

  isClosed(): boolean {
    return this.session.state.connection === CLOSED_FOR_GOOD;
  }

  // Verbs with less to say.

  /** Publishes text to a Topic Name or a handle. */
  publish(
    topic: string | TopicHandle,
    payload: string,
    qos = 0,
    retain = 0,
    properties: PropertyWriter | null = null,
  ): number {
    const bytes = bytesOf(payload);
    const { session, nowMs } = this;
    const result =
      typeof topic === 'string'
        ? session.publishTo(bytesOf(topic), bytes, bytes.length, qos, retain, properties, nowMs)
        : session.publish(topic, bytes, bytes.length, qos, retain, properties, nowMs);
    this.run();
    return result;
  }

  subscribe(...filters: [string, number?][]): number {
    const ticket = this.session.subscribe(filtersOf(...filters), 0, null);
    this.run();
    return ticket;
  }

  unsubscribe(...filters: string[]): number {
    const list = filtersOf(...filters.map((filter): [string] => [filter]));
    const ticket = this.session.unsubscribe(list, null);
    this.run();
    return ticket;
  }

  disconnect(reasonCode = 0, sessionExpirySeconds = -1): number {
    const status = this.session.disconnect(reasonCode, sessionExpirySeconds, this.nowMs);
    this.run();
    return status;
  }

  acknowledge(receipt: number): number {
    const status = this.session.acknowledge(receipt);
    this.run();
    return status;
  }

  private copyEvent(from: SessionEvent): EventObject {
    const object: EventObject = { event: nameOf('EVENT_', from.kind) };
    const text = (at: number, byteLength: number): string => decodeUtf8(from.bytes, at, at + byteLength);
    switch (from.kind) {
      case event.EVENT_CONNECTED:
        object.sessionPresent = from.sessionPresent;
        break;
      case event.EVENT_DISCONNECTED:
        object.cause = nameOf('CAUSE_', from.cause);
        object.reasonCode = from.reasonCode;
        object.reconnectInMs = from.reconnectInMs;
        if (from.violation !== 0) object.violation = violationName(from.violation);
        break;
      case event.EVENT_MESSAGE:
        object.payload = text(from.payloadOffset, from.payloadByteLength);
        object.fragmentOffset = from.fragmentOffset;
        object.payloadTotalByteLength = from.payloadTotalByteLength;
        object.isLast = from.isLast;
        object.qos = from.qos;
        object.receipt = from.receipt;
        if (from.fragmentOffset > 0 || !from.hasPacket) break;
        object.topic = decodeUtf8(from.topicBytes, from.topicOffset, from.topicOffset + from.topicByteLength);
        object.retain = from.retain;
        object.dup = from.dup;
        break;
      case event.EVENT_PUBLISHED:
        object.ticket = from.ticket;
        object.status = statusName(from.status);
        object.reasonCode = from.reasonCode;
        break;
      case event.EVENT_SUBSCRIBED:
      case event.EVENT_UNSUBSCRIBED:
        object.ticket = from.ticket;
        object.status = statusName(from.status);
        if (!from.hasPacket) break;
        object.reasonCodes = Array.from(from.bytes.subarray(from.packet.listOffset, from.packet.listEnd));
        break;
      default:
    }
    const isWhole = from.hasPacket && (from.kind !== event.EVENT_MESSAGE || from.isLast);
    if (isWhole) object.packet = inspectPacket(from.packet, from.bytes, this.protocolVersion);
    return object;
  }
}
