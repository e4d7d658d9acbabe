/**
 * A stage for the broker's core: played clients on played links, a clock that is moved by hand, and no sockets. Whatever
 * the core asks of a link is held against what link.ts allows; what the core wrote is read strictly. A client answers
 * nothing by itself.
 */
import { BrokerCore, type Connection } from '../../sim/broker/core.ts';
import type { Link, Origin } from '../../sim/broker/link.ts';
import type { CoreOptions } from '../../sim/broker/options.ts';
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type { ConnackObject, ConnectObject, PacketObject } from '../../src/packets/inspect.ts';
import { FROM_SERVER, V5 } from '../../src/packets/types.ts';
import { Random } from '../seed.ts';

export type PacketOf<T extends PacketObject['type']> = PacketObject & { type: T };
export type ConnectFields = Partial<Omit<ConnectObject, 'type'>>;

/** Some time in 2023; what time it is does not matter to anybody. */
const START_MS = 1_700_000_000_000;
/** More turns than this without coming to rest are taken for turns without end. */
const TURNS_MAX = 1_000_000;

/** One played network connection: the link that the core has, and the client at its other end. */
export class PlayedClient implements Link {
  readonly origin: Origin;
  readonly protocolVersion: 4 | 5;
  /** What CONNECT was answered with, of a client of `CoreStage.connect`. */
  connack: ConnackObject = { type: 'CONNACK' };
  /** Whether it takes what the network brings: a client that does not leaves the core's write unfinished. */
  isReading = true;
  /** Whether it closes its side once the core has: false plays one that does not care. */
  isClosing = true;
  /** Whether the core has asked for no more bytes. */
  isPaused = false;
  /** Whether the core has ended or destroyed the link. */
  isEnded = false;
  /** Whether the network connection is gone. */
  isClosed = false;
  /** Bytes that came to the client, in all. */
  receivedByteLength = 0;
  private readonly stage: CoreStage;
  private connection: Connection | null = null;
  private isDestroyed = false;
  /** What the core has lent, and what was in it then. */
  private lent: Uint8Array | null = null;
  private written: Uint8Array | null = null;
  /** Bytes on their way to the core. */
  private upstream: Uint8Array[] = [];
  private arrived: Uint8Array[] = [];
  private packets: PacketObject[] = [];

  constructor(stage: CoreStage, protocolVersion: 4 | 5, remoteAddress: string) {
    this.stage = stage;
    this.protocolVersion = protocolVersion;
    this.origin = { transport: 'local', remoteAddress, certificateName: null };
  }

  // --- The client ----------------------------------------------------------------------------------------------------

  /** Sends packets in one piece. */
  send(...packets: PacketObject[]): void {
    const { protocolVersion } = this;
    this.sendBytes(Buffer.concat(packets.map((packet) => encodeObject(packet, { protocolVersion }))));
  }

  /** Sends bytes as they are, and plays on until everything is at rest. */
  sendBytes(bytes: Uint8Array): void {
    this.upstream.push(bytes);
    this.stage.touch(this);
    this.stage.settle();
  }

  /** Packets that came and were not taken. Throws when what came is none. */
  take(): PacketObject[] {
    this.readPackets();
    return this.packets.splice(0);
  }

  /** The first of them. */
  takeOne(): PacketObject | undefined {
    this.readPackets();
    return this.packets.shift();
  }

  private readPackets(): void {
    const { protocolVersion } = this;
    const options = { protocolVersion, sender: FROM_SERVER };
    const { packets, rest, error } = decodeObjects(Buffer.concat(this.arrived), options);
    if (error !== undefined) throw new Error(`the core sent what is no packet: ${error.message}`);
    if (rest.length > 0 && this.isClosed) throw new Error('the core sent half a packet');
    this.arrived = [rest];
    this.packets.push(...packets);
  }

  /** Bytes that came and were not taken; instead of packets. */
  takeBytes(): Uint8Array {
    const bytes = Buffer.concat(this.arrived);
    this.arrived = [];
    return bytes;
  }

  /** Takes what the core has been writing, and reads on. */
  read(): void {
    this.isReading = true;
    this.stage.touch(this);
    this.stage.settle();
  }

  /** Takes what the core has been writing, and nothing after that. */
  readOnce(): void {
    this.deliver();
    this.isReading = false;
    this.stage.touch(this);
    this.stage.settle();
  }

  /** The network connection breaks. */
  cut(): void {
    this.isDestroyed = true;
    this.stage.touch(this);
    this.stage.settle();
  }

  // --- The link ------------------------------------------------------------------------------------------------------

  write(bytes: Uint8Array): void {
    if (this.isEnded) throw new Error('a write after the end of a link');
    if (this.lent !== null) throw new Error('a second write before the first was done');
    if (bytes.length === 0) throw new Error('a write of nothing');
    this.lent = bytes;
    this.written = bytes.slice();
    this.stage.touch(this);
  }

  pause(): void {
    if (this.isPaused) throw new Error('a link paused twice');
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) throw new Error('a link resumed that was not paused');
    this.isPaused = false;
    this.stage.touch(this);
  }

  end(): void {
    this.isEnded = true;
    this.stage.touch(this);
  }

  destroy(): void {
    this.isEnded = true;
    this.isDestroyed = true;
    this.stage.touch(this);
  }

  // --- The stage alone -----------------------------------------------------------------------------------------------

  attach(connection: Connection): void {
    this.connection = connection;
  }

  /** Does one thing that is to be done; false: there is none. */
  play(nowMs: number): boolean {
    const { connection } = this;
    if (connection === null || this.isClosed) return false;
    if (this.isDestroyed || (this.isEnded && this.lent === null && this.isClosing)) {
      this.isClosed = true;
      connection.handleClose(nowMs);
      return true;
    }
    if (this.lent !== null && this.isReading) {
      this.deliver();
      return true;
    }
    if (this.upstream.length === 0 || (this.isPaused && !this.isEnded)) return false;
    const bytes = Buffer.concat(this.upstream.splice(0));
    // A link that was ended takes no more to the core.
    if (!this.isEnded) connection.receive(bytes, nowMs);
    // They were lent: who still looks at them sees something else.
    bytes.fill(0xff);
    return true;
  }

  private deliver(): void {
    const { lent, written } = this;
    if (lent === null || written === null) return;
    if (Buffer.compare(lent, written) !== 0) throw new Error('bytes changed while they were lent to a link');
    this.lent = null;
    this.written = null;
    this.arrived.push(written);
    this.receivedByteLength += written.length;
    this.connection?.handleWritten(this.stage.nowMs);
  }
}

export class CoreStage {
  readonly core: BrokerCore;
  nowMs = START_MS;
  private isAwake = false;
  private isSettling = false;
  private readonly touched = new Set<PlayedClient>();
  private count = 0;

  /** Throws what the core throws. Unless told, the core says nothing about itself. */
  constructor(options: CoreOptions = {}) {
    const random = new Random(1);
    this.core = new BrokerCore(
      { sysIntervalSeconds: 0, ...options },
      {
        random: () => random.below(0x1_0000_0000),
        wake: () => {
          this.isAwake = true;
        },
      },
    );
  }

  /** A network connection over which nothing was sent. */
  open(protocolVersion: 4 | 5 = V5, remoteAddress = '192.0.2.1'): PlayedClient {
    const client = new PlayedClient(this, protocolVersion, remoteAddress);
    client.attach(this.core.open(client, this.nowMs));
    this.settle();
    return client;
  }

  /** A client that was let in: unless told, with a Client Identifier of its own, Clean Start and no keep alive. */
  connect(fields: ConnectFields = {}): PlayedClient {
    const client = this.open(fields.protocolVersion ?? V5);
    client.send({ type: 'CONNECT', clientId: `c${++this.count}`, cleanStart: true, keepAlive: 0, ...fields });
    const connack = client.takeOne();
    if (connack?.type !== 'CONNACK' || (connack.reasonCode ?? 0) !== 0) {
      throw new Error(`not let in: ${JSON.stringify(connack)}`);
    }
    client.connack = connack;
    return client;
  }

  /** Lets time pass, from one thing that is due to the next. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const dueMs = this.core.nextDeadlineMs();
      if (dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.core.advance(this.nowMs);
      this.settle();
    }
    this.nowMs = untilMs;
  }

  /** Plays on until nobody has anything to do. Links call this by what their clients do. */
  settle(): void {
    if (this.isSettling) return;
    this.isSettling = true;
    try {
      for (let turns = 0; this.playTurn(); turns++) {
        if (turns === TURNS_MAX) throw new Error('this does not come to rest');
      }
    } finally {
      this.isSettling = false;
    }
  }

  touch(client: PlayedClient): void {
    this.touched.add(client);
  }

  /** As the event loop does it: everything that is there is taken, then the core flushes once. */
  private playTurn(): boolean {
    const clients = [...this.touched];
    this.touched.clear();
    let isBusy = this.isAwake;
    for (const client of clients) {
      if (!client.play(this.nowMs)) continue;
      isBusy = true;
      this.touched.add(client);
    }
    if (this.isAwake) {
      this.isAwake = false;
      this.core.flush(this.nowMs);
    }
    return isBusy;
  }
}
