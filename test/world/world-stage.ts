/**
 * A stage for any broker of the world: played clients on played links, in memory, on a clock that is moved by hand. What the
 * broker asks of a link is held against what link.ts allows. A client answers nothing by itself.
 */
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type { ConnackObject, ConnectObject, PacketObject } from '../../src/packets/inspect.ts';
import { FROM_SERVER } from '../../src/packets/types.ts';
import type { Link, Origin } from '../../sim/broker/link.ts';
import type { WorldBroker, WorldConnection } from '../../sim/world/world-broker.ts';

export type PacketOf<T extends PacketObject['type']> = PacketObject & { type: T };

/** One network connection and the client at its other end. */
export class PlayedClient implements Link {
  readonly origin: Origin = { transport: 'local', remoteAddress: '', certificateName: null };
  readonly protocolVersion: 4 | 5;
  /** A client that does not read leaves the broker's write unfinished. */
  isReading = true;
  /** Whether the broker has ended the link. */
  isEnded = false;
  /** Whether the network connection is gone. */
  isClosed = false;
  private readonly stage: WorldStage;
  private readonly connection: WorldConnection;
  private written: Uint8Array | null = null;
  private arrived: Uint8Array = new Uint8Array(0);

  constructor(stage: WorldStage, protocolVersion: 4 | 5) {
    this.stage = stage;
    this.protocolVersion = protocolVersion;
    this.connection = stage.broker.open(this, stage.nowMs);
  }

  // --- What the broker calls -----------------------------------------------------------------------------------------

  write(bytes: Uint8Array): void {
    if (this.written !== null) throw new Error('a second write before handleWritten');
    if (this.isEnded) throw new Error('a write after end');
    if (bytes.length === 0) throw new Error('a write of nothing');
    this.written = bytes;
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    if (this.isEnded) throw new Error('end called twice');
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
    this.written = null;
  }

  /** Carries what is to be carried; false when there is nothing. */
  turn(): boolean {
    if (this.isClosed) return false;
    if (this.written !== null && this.isReading) {
      const bytes = new Uint8Array(this.arrived.length + this.written.length);
      bytes.set(this.arrived);
      bytes.set(this.written, this.arrived.length);
      this.arrived = bytes;
      this.written = null;
      this.connection.handleWritten(this.stage.nowMs);
      return true;
    }
    if (!this.isEnded || this.written !== null) return false;
    this.cut();
    return true;
  }

  // --- The client ----------------------------------------------------------------------------------------------------

  /** Sends packets in one piece, and lets the broker come to rest. */
  send(...packets: PacketObject[]): this {
    const { protocolVersion } = this;
    return this.sendBytes(...packets.map((packet) => encodeObject(packet, { protocolVersion })));
  }

  sendBytes(...pieces: Uint8Array[]): this {
    const bytes = new Uint8Array(Buffer.concat(pieces));
    this.connection.receive(bytes, this.stage.nowMs);
    // Lent for the call.
    bytes.fill(0xff);
    this.stage.settle();
    return this;
  }

  /** What has come since the last time, which must be whole packets. */
  take(): PacketObject[] {
    const { protocolVersion } = this;
    const { packets, rest, error } = decodeObjects(this.arrived, { protocolVersion, sender: FROM_SERVER });
    if (error !== undefined) throw new Error(`the broker sent what is no packet: ${error.message}`);
    this.arrived = rest;
    return packets;
  }

  /** The next packet, which must be the only one, of this type. */
  takeOne<T extends PacketObject['type']>(type: T): PacketOf<T> {
    const packets = this.take();
    if (packets.length !== 1 || packets[0].type !== type) {
      throw new Error(`not just ${type}: ${JSON.stringify(packets)}`);
    }
    return packets[0] as PacketOf<T>;
  }

  /** The network connection breaks, and the broker comes to rest. */
  drop(): void {
    this.cut();
    this.stage.settle();
  }

  private cut(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.written = null;
    this.connection.handleClose(this.stage.nowMs);
  }
}

/** Turns without rest that are taken for turns without end. */
const TURNS_MAX = 10_000;

export class WorldStage {
  readonly broker: WorldBroker;
  nowMs = 0;
  private clients: PlayedClient[] = [];

  constructor(broker: WorldBroker) {
    this.broker = broker;
  }

  open(protocolVersion: 4 | 5 = 5): PlayedClient {
    const client = new PlayedClient(this, protocolVersion);
    this.clients.push(client);
    return client;
  }

  /** A client whose CONNECT was answered with `connack`. */
  connect(clientId: string, fields: Partial<ConnectObject> = {}): PlayedClient & { connack: ConnackObject } {
    const client = this.open(fields.protocolVersion ?? 5);
    const { protocolVersion } = client;
    client.send({ type: 'CONNECT', clientId, protocolVersion, keepAlive: 0, ...fields });
    return Object.assign(client, { connack: client.takeOne('CONNACK') });
  }

  /** Lets the broker write until nobody has anything to say. */
  settle(): void {
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      this.broker.flush(this.nowMs);
      let isMoving = false;
      for (const client of [...this.clients]) if (client.turn()) isMoving = true;
      this.clients = this.clients.filter(({ isClosed }) => !isClosed);
      if (!isMoving) return;
    }
    throw new Error('the broker does not come to rest');
  }

  /** Lets time go by, with all that is due on the way. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const nextMs = this.broker.nextDeadlineMs();
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.broker.advance(this.nowMs);
      this.settle();
    }
    this.nowMs = endMs;
    this.broker.advance(endMs);
    this.settle();
  }
}
