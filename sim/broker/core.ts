/**
 * The broker without I/O: connections come in as links, time as an argument, bytes as calls. Owns the rooms, decides when
 * what was written leaves, and speaks for the process it runs in. See docs/broker.md for the whole.
 */
import { encodeObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { Decoder } from '../../src/packets/codec.ts';
import { FROM_ANYONE, V5 } from '../../src/packets/types.ts';
import type { PropertiesObject } from '../../src/packets/inspect.ts';
import { toHex } from '../../src/packets/inspect.ts';
import { findFilterError } from '../../src/topic.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { ConnectHandler } from './connect-handler.ts';
import { AWAITING_CONNECT, type ServerConnection } from './connection.ts';
import { Context, Faults } from './context.ts';
import type { Counters, Gauges } from './counters.ts';
import type { Deadline } from './deadlines.ts';
import { Deliveries } from './deliveries.ts';
import type { ClientView } from './hooks.ts';
import type { Link } from './link.ts';
import { readMessage } from './message-reader.ts';
import type { Message } from './message.ts';
import type { CoreEnvironment, CoreOptions } from './options.ts';
import { Publisher, checkPayloadFormat } from './publisher.ts';
import { Receiver } from './receiver.ts';
import { restoreState } from './restoring.ts';
import { Rooms, type Flushable } from './rooms.ts';
import { Router, type LocalSubscription } from './router.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import type { BrokerStore } from './store.ts';
import { sysValues } from './sys-topics.ts';

export { Faults } from './context.ts';
export type { Gauges } from './counters.ts';

/** What the owner of a link calls. */
export interface Connection {
  /** Takes what arrived: any piece of the stream, lent for the call. */
  receive(bytes: Uint8Array, nowMs: number): void;
  /** The link is done with what `write` gave it. */
  handleWritten(nowMs: number): void;
  /** The network connection is gone, however that came: exactly once. */
  handleClose(nowMs: number): void;
}

export interface LocalPublishOptions {
  qos?: 0 | 1 | 2 | undefined;
  retain?: boolean | undefined;
  properties?: PropertiesObject | undefined;
}

/** A session, as inspection sees it. */
export interface SessionView {
  clientId: string;
  userName: string | null;
  isConnected: boolean;
  subscriptions: { topicFilter: string; options: number; identifier: number }[];
  queuedMessages: number;
  queuedBytes: number;
  /** Messages sent and not acknowledged. */
  inflight: number;
  /** When it ends if nobody comes; Infinity while connected, or for ever. */
  expiresAtMs: number;
}

/** Milliseconds between looks for retained messages that have expired. */
const EXPIRY_CHECK_MS = 1000;

export class BrokerCore {
  private readonly rooms: Rooms;
  private readonly context: Context;
  private readonly environment: CoreEnvironment;
  private readonly store: BrokerStore | null;
  private readonly connectHandler = new ConnectHandler();
  /** Open connections, by what acts for them. */
  private readonly receivers = new Map<ServerConnection, Receiver>();
  /** Those that have not sent a CONNECT, and some that have; the oldest first. */
  private readonly silent = new Set<ServerConnection>();
  private touched: Flushable[] = [];
  private isAwake = false;
  /** A commit is under way, and these wait for it. */
  private committing: Flushable[] | null = null;
  private hasFailed = false;
  private startedMs = -1;
  private readonly version: string;
  private readonly sysIntervalMs: number;
  private readonly sysDeadline: Deadline;
  private readonly expiryDeadline: Deadline;

  /** Throws a RangeError for an option or a limit that is out of its range. */
  constructor(options: CoreOptions, environment: CoreEnvironment) {
    const context = new Context(options, environment);
    const deliveries = new Deliveries(context);
    const router = new Router(context, deliveries);
    const publisher = new Publisher(context, router);
    const sessions = new Sessions(context, deliveries, router, publisher);
    this.context = context;
    this.rooms = new Rooms(context, deliveries, router, publisher, sessions);
    this.environment = environment;
    this.store = environment.store ?? null;
    this.version = options.version ?? 'of this build';
    this.sysIntervalMs = (options.sysIntervalSeconds ?? 10) * 1000;
    this.sysDeadline = { atMs: 0, heapIndex: -1, fire: (nowMs) => this.publishSys(nowMs) };
    this.expiryDeadline = { atMs: 0, heapIndex: -1, fire: (nowMs) => this.removeExpired(nowMs) };
    context.faults.cut = (clientId) => {
      const connection = sessions.get(clientId)?.connection ?? null;
      if (connection === null) return false;
      connection.destroy(this.rooms.nowMs);
      return true;
    };
    this.rooms.touch = (connection) => this.touch(connection);
    this.connectHandler.proceed = (connection, nowMs) => this.receivers.get(connection)?.proceed(nowMs);
  }

  get counters(): Counters {
    return this.context.counters;
  }

  /** Switches by which tests make the broker fail. */
  get faults(): Faults {
    return this.context.faults;
  }

  /** Takes up what a store kept; once, before the first `open`. Rejects when the store cannot be read. */
  async restore(nowMs: number): Promise<void> {
    this.start(nowMs);
    if (this.store === null) return;
    restoreState(await this.store.load(), this.rooms, nowMs);
  }

  private start(nowMs: number): void {
    this.rooms.nowMs = nowMs;
    if (this.startedMs >= 0) return;
    this.startedMs = nowMs;
    this.context.deadlines.set(this.expiryDeadline, nowMs + EXPIRY_CHECK_MS);
    if (this.sysIntervalMs > 0) this.publishSys(nowMs);
  }

  // --- The network -------------------------------------------------------------------------------------------------

  /** A new network connection. */
  open(link: Link, nowMs: number): Connection {
    this.start(nowMs);
    const receiver = new Receiver(this.rooms, this.connectHandler, link, nowMs);
    const { connection } = receiver;
    this.receivers.set(connection, receiver);
    const { counters } = this.context;
    counters.connectionsMaximum = Math.max(counters.connectionsMaximum, this.rooms.connections);
    connection.onClosed = () => {
      this.receivers.delete(connection);
      this.silent.delete(connection);
    };
    if (this.rooms.connections > this.context.limits.connectionsMax) this.endSilent(nowMs);
    this.silent.add(connection);
    return receiver;
  }

  /** Cuts off who has been silent for longest: connections that say nothing must not keep out those that do. */
  private endSilent(nowMs: number): void {
    for (const connection of this.silent) {
      this.silent.delete(connection);
      if (connection.state !== AWAITING_CONNECT) continue;
      this.context.hit('connectionsMax');
      connection.destroy(nowMs);
      return;
    }
  }

  private touch(connection: Flushable): void {
    if (connection.isTouched) return;
    connection.isTouched = true;
    this.touched.push(connection);
    this.wake();
  }

  private wake(): void {
    // While a commit is under way nothing can leave: its end wakes.
    if (this.isAwake || this.committing !== null) return;
    this.isAwake = true;
    this.environment.wake();
  }

  /** Writes what connections have to say, when what led to it is safe. To be called soon after `environment.wake`. */
  flush(nowMs: number): void {
    this.rooms.nowMs = nowMs;
    this.isAwake = false;
    if (this.committing !== null || this.hasFailed) return;
    const { touched } = this;
    if (touched.length === 0 && this.store?.hasChanges() !== true) return;
    this.touched = [];
    for (const connection of touched) {
      connection.isTouched = false;
      connection.seal();
    }
    if (this.store?.hasChanges() === true) this.commit(this.store, touched);
    else this.write(touched, nowMs);
  }

  /** One commit for all that happened since the last: whoever waits for it, waits for all of it. */
  private commit(store: BrokerStore, waiting: Flushable[]): void {
    this.committing = waiting;
    store.commit().then(
      () => {
        this.committing = null;
        this.write(waiting, this.rooms.nowMs);
        if (this.touched.length > 0 || store.hasChanges()) this.wake();
      },
      (error: unknown) => this.fail(error),
    );
  }

  private write(connections: Flushable[], nowMs: number): void {
    const { delayMs } = this.context.faults;
    if (delayMs > 0) {
      const late: Deadline = {
        atMs: 0,
        heapIndex: -1,
        fire: (dueMs) => {
          for (const connection of connections) connection.write(dueMs);
        },
      };
      this.context.deadlines.set(late, nowMs + delayMs);
      return;
    }
    for (const connection of connections) connection.write(nowMs);
  }

  /** What cannot be kept must not be acknowledged: nobody is answered any more. */
  private fail(error: unknown): void {
    this.committing = null;
    this.hasFailed = true;
    for (const { connection } of [...this.receivers.values()]) connection.destroy(this.rooms.nowMs);
    this.environment.handleStoreFailure?.(error);
  }

  /** Whether everything that was said has left, and is safe. */
  isIdle(): boolean {
    return this.touched.length === 0 && this.committing === null && this.store?.hasChanges() !== true;
  }

  // --- Time --------------------------------------------------------------------------------------------------------

  /** When there is something to do, or Infinity. */
  nextDeadlineMs(): number {
    return this.context.deadlines.nextMs();
  }

  /** Does what is due. */
  advance(nowMs: number): void {
    this.start(nowMs);
    this.context.deadlines.advance(nowMs);
    if (this.store?.hasChanges() === true) this.wake();
  }

  private removeExpired(nowMs: number): void {
    this.rooms.publisher.removeExpired(nowMs);
    this.context.deadlines.set(this.expiryDeadline, nowMs + EXPIRY_CHECK_MS);
  }

  private publishSys(nowMs: number): void {
    for (const [topicName, text] of sysValues(
      this.counters,
      this.gauges(),
      this.startedMs,
      nowMs,
      this.version,
    )) {
      const payload = encodeUtf8(text) ?? new Uint8Array(0);
      this.rooms.publisher.publishOwn(this.messageOf(topicName, payload, { retain: true }, nowMs), nowMs);
    }
    this.context.deadlines.set(this.sysDeadline, nowMs + this.sysIntervalMs);
  }

  // --- The broker's own process ------------------------------------------------------------------------------------

  /**
   * Publishes a message of this process. Returns the reason code that a PUBACK would have: 0, 0x10 when nobody subscribes,
   * from 0x80 when it was refused. Throws an InspectError for a topic, QoS or property that the standard forbids.
   */
  publish(topicName: string, payload: Uint8Array, options: LocalPublishOptions, nowMs: number): number {
    this.start(nowMs);
    const message = this.messageOf(topicName, payload, options, nowMs);
    const isText = options.properties?.payloadFormatIndicator === 1;
    const refusal = checkPayloadFormat(isText, payload, 0, payload.length);
    return refusal === 0 ? this.rooms.publisher.publish(message, null, null, nowMs) : refusal;
  }

  /** Encodes and reads back: the codec's checks are this process's, too. */
  private messageOf(
    topicName: string,
    payload: Uint8Array,
    { qos = 0, retain = false, properties }: LocalPublishOptions,
    nowMs: number,
  ): Message {
    const bytes = encodeObject(
      {
        type: 'PUBLISH',
        topicName,
        qos,
        retain,
        properties,
        payload: toHex(payload),
        ...(qos > 0 ? { packetId: 1 } : {}),
      },
      { protocolVersion: V5 },
    );
    const packet = new Packet();
    new Decoder(V5, FROM_ANYONE, null).decode(bytes, 0, bytes.length, packet);
    return readMessage(packet, bytes, topicName, null, '', nowMs).keep();
  }

  /**
   * Has `handler` called with each message that matches, the retained ones at once. Messages are lent: `keep()` makes
   * copies. Returns what ends it. Throws a TypeError for a Topic Filter that is not valid, or shared.
   */
  subscribe(topicFilter: string, handler: (message: Message) => void, nowMs: number): () => void {
    const bytes = encodeUtf8(topicFilter);
    const isShared = topicFilter.startsWith('$share/');
    if (bytes === undefined || isShared || findFilterError(bytes, 0, bytes.length, false) >= 0) {
      throw new TypeError(`not a Topic Filter of this process: ${JSON.stringify(topicFilter)}`);
    }
    this.start(nowMs);
    const subscription: LocalSubscription = { topicFilter, handler };
    this.rooms.router.addLocal(subscription);
    const found: Message[] = [];
    this.rooms.publisher.matchRetained(topicFilter, nowMs, found);
    for (const message of found) handler(message);
    return () => this.rooms.router.removeLocal(subscription);
  }

  /** The clients that are connected. */
  *clients(): IterableIterator<ClientView> {
    for (const { connection } of this.rooms.sessions.values()) if (connection !== null) yield connection.view;
  }

  client(clientId: string): ClientView | undefined {
    return this.rooms.sessions.get(clientId)?.connection?.view;
  }

  /** Ends a client's connection, with this DISCONNECT to one of 5.0. False: it is not connected. */
  disconnect(clientId: string, reasonCode: number, nowMs: number): boolean {
    const connection = this.rooms.sessions.get(clientId)?.connection ?? null;
    if (connection === null) return false;
    connection.end(reasonCode, 'the application ended it', nowMs);
    return true;
  }

  /** The sessions, connected or kept. */
  *sessions(): IterableIterator<SessionView> {
    for (const session of this.rooms.sessions.values()) yield viewOf(session);
  }

  session(clientId: string): SessionView | undefined {
    const session = this.rooms.sessions.get(clientId);
    return session && viewOf(session);
  }

  gauges(): Gauges {
    const { rooms, context } = this;
    let inflight = 0;
    for (const session of rooms.sessions.values()) inflight += session.inflight.size + session.released.size;
    return {
      connections: rooms.connections,
      sessions: rooms.sessions.count,
      subscriptions: rooms.router.count,
      retainedMessages: rooms.publisher.retained.count,
      retainedBytes: rooms.publisher.retained.byteLength,
      queuedMessages: context.queuedMessages,
      queuedBytes: context.queuedBytes,
      inflight,
    };
  }

  /** Says goodbye to every client, with this DISCONNECT to those of 5.0, and ends every link. */
  shutdown(reasonCode: number, nowMs: number): void {
    this.rooms.nowMs = nowMs;
    for (const { connection } of [...this.receivers.values()]) {
      connection.end(reasonCode, 'the server shuts down', nowMs);
    }
  }
}

function viewOf(session: Session): SessionView {
  return {
    clientId: session.clientId,
    userName: session.userName,
    isConnected: session.connection !== null,
    subscriptions: [...session.subscriptions.values()].map(({ topicFilter, options, identifier }) => ({
      topicFilter,
      options,
      identifier,
    })),
    queuedMessages: session.queue.count,
    queuedBytes: session.queuedBytes,
    inflight: session.inflight.size + session.released.size,
    expiresAtMs: session.expiresAtMs(),
  };
}
