/**
 * A device on a bench: a board whose clock only the test moves, a transport that is a pair of arrays, and a server that
 * accepts, grants and acknowledges unless the test takes over. Everything the device sends is decoded as from a client,
 * so that a packet which breaks the standard fails the test that caused it.
 */
import { DeviceRuntime } from '../../src/device/index.ts';
import type { DeviceDefinition, DeviceOptions, DeviceOwner } from '../../src/device/index.ts';
import type { Board, BoardReceiver, BoardTransport } from '../../src/line.ts';
import { Decoder } from '../../src/packets/codec.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { encodeObject, inspectPacket, toHex } from '../../src/packets/inspect.ts';
import type {
  ConnackObject,
  ConnectObject,
  PacketObject,
  PropertiesObject,
  PublishObject,
} from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { violationName } from '../../src/packets/texts.ts';
import { FROM_CLIENT, V5 } from '../../src/packets/types.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import type { PersistentStore } from '../../src/session/store.ts';
import { NEED_DATA, OK } from '../../src/status.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { Random, SEED } from '../seed.ts';

interface Timer {
  atMs: number;
  callback: () => void;
}

/** A message of the device, its alias replaced. */
export interface Published {
  topicName: string;
  payload: Buffer;
  qos: number;
  retain: boolean;
  packetId: number | undefined;
  properties: PropertiesObject;
}

/** One call of the device's owner. */
export type Told = [name: string, ...args: unknown[]];

/** Telemetry in JSON, as docs/device.md describes it. */
export interface TelemetryMessage {
  device: string;
  seq: number;
  ts: number;
  clock: 'epoch' | 'uptime';
  dropped?: number;
  samples: Record<string, number | null>[];
}

/** What a bench makes of what it is given. */
export interface BenchOptions extends DeviceOptions {
  startMs?: number;
}

/** A store in memory that outlives its device. */
export class MemoryStore implements PersistentStore {
  private readonly kept = new Map<string, { kind: number; number: number; bytes: Uint8Array }>();

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    this.kept.set(`${kind} ${number}`, { kind, number, bytes: bytes.slice(at, at + byteLength) });
    return true;
  }

  remove(kind: number, number: number): boolean {
    this.kept.delete(`${kind} ${number}`);
    return true;
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    const sorted = [...this.kept.values()].sort((a, b) => a.kind - b.kind || a.number - b.number);
    for (const { kind, number, bytes } of sorted) visit(kind, number, bytes);
  }

  get size(): number {
    return this.kept.size;
  }
}

export class DeviceBench<Io> implements Board {
  readonly device: DeviceRuntime<Io>;
  readonly protocolVersion: number;
  readonly random: () => number;
  /** Whether a transport that is opened comes up, and, if so, whether the server speaks at all. */
  isReachable = true;
  isAnswering = true;
  isAcknowledging = true;
  /** Whether the transport takes bytes. */
  isWritable = true;
  connack: Partial<ConnackObject> = {};
  /** Reason codes of SUBACK; granted as asked when undefined. */
  suback: number[] | undefined;
  isUp = false;
  openings = 0;
  timersGoneOff = 0;
  readonly told: Told[] = [];
  private clockMs: number;
  private readonly timers = new Set<Timer>();
  private readonly tasks: (() => void)[] = [];
  private receiver: BoardReceiver | undefined;
  private incoming: number[] = [];
  private wire: number[] = [];
  private readonly packets: PacketObject[] = [];
  private readonly messages: Published[] = [];
  private aliases = new Map<number, string>();
  private readonly decoder: Decoder;

  constructor(definition: DeviceDefinition<Io>, io: Io, options: BenchOptions = {}) {
    const random = new Random(SEED);
    this.random = () => random.below(4294967296);
    const { startMs, ...rest } = options;
    this.clockMs = startMs ?? 5_000_000;
    this.protocolVersion = options.protocolVersion ?? V5;
    this.decoder = new Decoder(this.protocolVersion, FROM_CLIENT, decodeRequest);
    this.device = new DeviceRuntime(definition, this, io, rest, this.owner());
  }

  private owner(): DeviceOwner {
    const tell =
      (name: string) =>
      (...args: unknown[]): void => {
        this.told.push([name, ...args]);
      };
    return {
      handleConnected: tell('connected'),
      handleReady: tell('ready'),
      handleDisconnected: (event: SessionEvent) => this.told.push(['disconnected', event.cause]),
      handleSent: tell('sent'),
      handlePublished: tell('published'),
      handleCommand: tell('command'),
      handleConfiguration: tell('configuration'),
      handleIdle: tell('idle'),
      handleError: tell('error'),
    };
  }

  // The board.

  nowMs(): number {
    return this.clockMs;
  }

  setTimer(callback: () => void, ms: number): unknown {
    if (!Number.isInteger(ms) || ms < 0 || ms > 0x7fffffff) throw new Error(`a timer of ${ms} ms`);
    const timer = { atMs: this.clockMs + ms, callback };
    this.timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    if (!this.timers.delete(timer as Timer)) throw new Error('there is no such timer');
  }

  /** Timers that run. */
  get timerCount(): number {
    return this.timers.size;
  }

  createTransport(receiver: BoardReceiver): BoardTransport {
    this.receiver = receiver;
    return {
      open: () => {
        this.openings++;
        this.aliases = new Map();
        this.wire = [];
        this.incoming = [];
        this.tasks.push(() => {
          this.isUp = this.isReachable;
          if (this.isUp) receiver.handleOpened();
          else receiver.handleClosed(new Error('nobody there'));
        });
      },
      write: (ring: Ring) => {
        if (!this.isWritable) return;
        for (let i = ring.start; i < ring.end; i++) this.wire.push(ring.bytes[i]);
        ring.consume(ring.byteLength());
        this.decode();
      },
      read: (ring: Ring) => {
        const count = Math.min(this.incoming.length, ring.freeByteLength());
        ring.reserve(count);
        ring.bytes.set(this.incoming.splice(0, count), ring.end);
        ring.end += count;
        return this.incoming.length > 0;
      },
      close: () => {
        this.isUp = false;
      },
    };
  }

  private decode(): void {
    const bytes = Uint8Array.from(this.wire);
    const packet = new Packet();
    let at = 0;
    while (at < bytes.length) {
      const status = this.decoder.decode(bytes, at, bytes.length, packet);
      if (status === NEED_DATA) break;
      if (status !== OK) {
        throw new Error(`the device sent ${violationName(packet.violation)}: ${toHex(bytes, at)}`);
      }
      const object = inspectPacket(packet, bytes, this.protocolVersion);
      at = packet.end;
      this.packets.push(object);
      if (object.type === 'PUBLISH') this.note(object);
      if (this.isAnswering) this.answer(object);
    }
    this.wire.splice(0, at);
  }

  private note(packet: PublishObject): void {
    const { topicAlias, ...others } = packet.properties ?? {};
    const { topicName = '' } = packet;
    if (topicAlias !== undefined && topicName !== '') this.aliases.set(topicAlias, topicName);
    this.messages.push({
      topicName: topicName === '' ? this.aliases.get(topicAlias ?? 0)! : topicName,
      payload: Buffer.from(packet.payload ?? '', 'hex'),
      qos: packet.qos ?? 0,
      retain: packet.retain ?? false,
      packetId: packet.packetId,
      properties: others,
    });
  }

  private answer(packet: PacketObject): void {
    switch (packet.type) {
      case 'CONNECT':
        this.send({ type: 'CONNACK', sessionPresent: false, ...this.connack });
        break;
      case 'SUBSCRIBE':
        this.send({
          type: 'SUBACK',
          packetId: packet.packetId,
          reasonCodes: this.suback ?? packet.subscriptions.map(({ qos }) => qos ?? 0),
        });
        break;
      case 'PUBLISH':
        if (!this.isAcknowledging || (packet.qos ?? 0) === 0) break;
        this.send({ type: packet.qos === 1 ? 'PUBACK' : 'PUBREC', packetId: packet.packetId! });
        break;
      case 'PUBREL':
        this.send({ type: 'PUBCOMP', packetId: packet.packetId });
        break;
      case 'PINGREQ':
        this.send({ type: 'PINGRESP' });
        break;
      default:
    }
  }

  private send(packet: PacketObject): void {
    const bytes = encodeObject(packet, { protocolVersion: this.protocolVersion });
    const opening = this.openings;
    this.tasks.push(() => {
      if (!this.isUp || opening !== this.openings) return;
      for (const byte of bytes) this.incoming.push(byte);
      this.receiver!.handleReadable();
    });
  }

  private settle(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task();
  }

  // What happens.

  /** Starts the device; it connects if it can. */
  start(): this {
    this.device.start();
    return this.advance(0);
  }

  /** Moves the clock by `ms`, from timer to timer. */
  advance(ms: number): this {
    const untilMs = this.clockMs + ms;
    for (let atOnce = 0; ; atOnce++) {
      this.settle();
      let next: Timer | undefined;
      for (const timer of this.timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
      if (next === undefined || next.atMs > untilMs) break;
      this.timers.delete(next);
      if (next.atMs > this.clockMs) atOnce = 0;
      if (atOnce > 100) throw new Error('timers go off again and again');
      this.clockMs = Math.max(this.clockMs, next.atMs);
      this.timersGoneOff++;
      next.callback();
    }
    this.clockMs = untilMs;
    return this;
  }

  /** The clock jumps by `ms` and no timer goes off before: the processor was busy, or slept. */
  freeze(ms: number): this {
    this.clockMs += ms;
    return this.advance(0);
  }

  /** The server sends packets. */
  server(...packets: PacketObject[]): this {
    for (const packet of packets) this.send(packet);
    this.settle();
    return this;
  }

  /** The server sends a message with text, or with what is JSON then. */
  message(topicName: string, payload: unknown = '', more: Partial<PublishObject> = {}): this {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    return this.server({
      type: 'PUBLISH',
      topicName,
      payload: Buffer.from(text).toString('hex'),
      ...more,
    });
  }

  /** The connection is lost, and until `restore` there is no other. */
  cut(): this {
    this.isReachable = false;
    this.isUp = false;
    this.tasks.push(() => this.receiver!.handleClosed(new Error('reset')));
    this.settle();
    return this;
  }

  /** The transport takes bytes again. */
  drain(): this {
    this.isWritable = true;
    this.receiver!.handleWritable();
    return this.advance(0);
  }

  /** There is a way to the server again. */
  restore(): this {
    this.isReachable = true;
    return this;
  }

  // What came of it.

  /** Packets since this was last asked. */
  sent(): PacketObject[] {
    return this.packets.splice(0);
  }

  /** The CONNECT that was sent last. */
  connect(): ConnectObject {
    const found = this.packets.findLast((packet) => packet.type === 'CONNECT');
    if (found?.type !== 'CONNECT') throw new Error('no CONNECT was sent');
    return found;
  }

  /** Messages to `{root}/{topic}` since this was last asked for that topic. */
  published(topic: string): Published[] {
    const topicName = `${this.device.root}/${topic}`;
    return this.publishedTo(topicName);
  }

  publishedTo(topicName: string): Published[] {
    const found = this.messages.filter((message) => message.topicName === topicName);
    for (const message of found) this.messages.splice(this.messages.indexOf(message), 1);
    return found;
  }

  /** Likewise, their payloads as JSON. */
  json(topic: string): any[] {
    return this.published(topic).map(({ payload }) => JSON.parse(payload.toString()));
  }

  telemetry(): TelemetryMessage[] {
    return this.json('telemetry') as TelemetryMessage[];
  }

  /** What the owner was told by the name of `name` since this was last asked for it. */
  toldOf(name: string): unknown[][] {
    const found = this.told.filter((one) => one[0] === name);
    for (const one of found) this.told.splice(this.told.indexOf(one), 1);
    return found.map(([, ...args]) => args);
  }
}
