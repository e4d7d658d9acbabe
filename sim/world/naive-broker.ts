/**
 * A second broker, for the world: written from the text of the standard and from nothing else, plain and slow, so that one
 * misreading does not hide in both the client and the broker that ships. It is strict: whatever a client does against the
 * standard is in `violations`, and ends the connection where the standard says so. It shares the codec with what ships, and
 * no logic above it.
 *
 * Left out: enhanced authentication (it refuses), users and passwords (it lets in everybody), limits of its memory.
 */
import { decodeObjects, type DecodeError, type PacketObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import type { Link } from '../broker/link.ts';
import type { SessionRest } from './broker-process.ts';
import { handlePuback, handlePubcomp, handlePubrec } from './naive-acknowledging.ts';
import { clauseOf } from './naive-clauses.ts';
import { handleConnect, handleDisconnect, refuseConnect } from './naive-connecting.ts';
import { NaiveConnection } from './naive-connection.ts';
import {
  NaiveContext,
  type NaiveEnd,
  type NaiveEnvironment,
  type NaiveOptions,
  type NaiveViolation,
} from './naive-context.ts';
import { handlePublish, handlePubrel } from './naive-publishing.ts';
import { closeConnection, endSession, leaveSession, publishWill, refuse } from './naive-sessions.ts';
import { NEVER_MS, copyState, type NaiveSession, type NaiveState } from './naive-state.ts';
import { handleSubscribe, handleUnsubscribe } from './naive-subscribing.ts';
import type { WorldBroker, WorldConnection } from './world-broker.ts';

export type { NaiveEnd, NaiveEnvironment, NaiveOptions, NaiveViolation } from './naive-context.ts';
export type { NaiveState } from './naive-state.ts';

/** Packet types in the fixed header (2.1.2). */
const CONNECT = 1;

/** How long a client may take to read the last that is said to it. */
const LINGER_MS = 10_000;

/** Something that is due. */
interface Due {
  atMs: number;
  run: () => void;
}

/** The protocol version that a CONNECT packet names, or 0. */
function versionOf(bytes: Uint8Array): number {
  let offset = 1;
  while (offset < bytes.length && bytes[offset] >= 128) offset++;
  // Behind the Remaining Length: a length of two bytes, "MQTT", the version (3.1.2).
  return bytes[offset + 7] ?? 0;
}

export class NaiveBroker implements WorldBroker {
  private readonly context: NaiveContext;

  constructor(options: NaiveOptions, environment: NaiveEnvironment) {
    const context = new NaiveContext(options, environment);
    this.context = context;
    // The connections of a snapshot went with the earlier broker; its wills may come now (3.1.2.5).
    for (const session of [...context.state.sessions]) {
      if (session.isConnected) leaveSession(context, session, options.startedMs ?? 0);
    }
  }

  /** What clients did against the standard, in order. Belongs to the broker. */
  get violations(): readonly NaiveViolation[] {
    return this.context.violations;
  }

  /** Connections that the broker ended, in order. Belongs to the broker. */
  get ends(): readonly NaiveEnd[] {
    return this.context.ends;
  }

  /** All that would survive this broker. The caller's own copy. */
  snapshot(): NaiveState {
    return copyState(this.context.state);
  }

  /** What it has of its clients. Belongs to the broker. */
  sessions(): readonly NaiveSession[] {
    return this.context.state.sessions;
  }

  /** What it has of a client, or undefined. */
  session(clientId: string): SessionRest | undefined {
    const session = this.context.session(clientId);
    if (session === undefined) return undefined;
    const { isConnected, subscriptions, inflight, waiting } = session;
    return {
      isConnected,
      subscriptions,
      inflight: inflight.length,
      queuedMessages: waiting.length,
      queuedBytes: 0,
    };
  }

  // --- The network -------------------------------------------------------------------------------------------------

  open(link: Link, nowMs: number): WorldConnection {
    const { context } = this;
    const number = ++context.state.connectionCount;
    const connection = new NaiveConnection(link, number, nowMs, () => context.wake());
    context.connections.push(connection);
    return {
      receive: (bytes, atMs) => this.receive(connection, bytes, atMs),
      handleWritten: () => connection.handleWritten(),
      handleClose: (atMs) => {
        context.connections = context.connections.filter((one) => one !== connection);
        closeConnection(context, connection, atMs);
        connection.handleClose();
      },
    };
  }

  private receive(connection: NaiveConnection, bytes: Uint8Array, nowMs: number): void {
    const { context } = this;
    this.advance(nowMs);
    if (connection.hasDisconnected) {
      context.note(connection, 'MQTT-3.14.4-1', 'MQTT-3.14.4-2', 'more packets after DISCONNECT', nowMs);
    }
    if (connection.isOver) return;
    connection.addInput(bytes);
    while (!connection.isOver && connection.firstType() >= 0) {
      const type = connection.firstType();
      if (!connection.hasConnected && type !== CONNECT) {
        const text = `packet type ${type} before CONNECT`;
        context.note(connection, 'MQTT-3.1.0-1', 'MQTT-3.1.0-1', text, nowMs);
        refuse(context, connection, 0x82, nowMs);
        return;
      }
      const frame = connection.takeFrame(context.options.maximumPacketSize);
      if (frame.kind === 'incomplete') return;
      if (frame.kind === 'packet') this.handleFrame(connection, frame.bytes, nowMs);
      else this.handleBadFrame(connection, frame.kind, nowMs);
    }
  }

  private handleBadFrame(connection: NaiveConnection, kind: 'malformed' | 'too large', nowMs: number): void {
    const { context } = this;
    if (kind === 'malformed') {
      const text = 'a Remaining Length of more than four bytes';
      context.note(connection, 'MQTT-2.1.4', 'MQTT-2.2.3', text, nowMs);
      refuse(context, connection, 0x81, nowMs);
      return;
    }
    // Before CONNACK the client does not know how large packets may be.
    if (connection.hasConnected) {
      const text = `a packet larger than ${context.options.maximumPacketSize} bytes`;
      context.note(connection, 'MQTT-3.2.2-15', 'MQTT-2.2.3', text, nowMs);
      refuse(context, connection, 0x95, nowMs);
    } else {
      refuseConnect(context, connection, 0x95, -1, nowMs);
    }
  }

  private handleFrame(connection: NaiveConnection, bytes: Uint8Array, nowMs: number): void {
    const { protocolVersion, hasConnected } = connection;
    const { packets, error } = decodeObjects(bytes, { protocolVersion, sender: FROM_CLIENT });
    connection.lastReceivedMs = nowMs;
    if (error !== undefined) this.handleMalformed(connection, bytes, error, nowMs);
    else if (hasConnected) this.handlePacket(connection, packets[0], nowMs);
    else if (packets[0].type === 'CONNECT') handleConnect(this.context, connection, packets[0], nowMs);
  }

  private handleMalformed(
    connection: NaiveConnection,
    bytes: Uint8Array,
    { code, message, reasonCode }: DecodeError,
    nowMs: number,
  ): void {
    const { context } = this;
    const type = bytes[0] >> 4;
    const version = connection.hasConnected ? connection.protocolVersion : versionOf(bytes);
    if (version === 4) connection.protocolVersion = 4;
    const clause = clauseOf(code, type, true);
    const old = clauseOf(code, type, false).replace('v3.1.1 ', '');
    context.note(connection, clause, old, `packet type ${type}: ${message}`, nowMs);
    if (connection.hasConnected) refuse(context, connection, reasonCode, nowMs);
    else refuseConnect(context, connection, reasonCode, -1, nowMs);
  }

  private handlePacket(connection: NaiveConnection, packet: PacketObject, nowMs: number): void {
    const { context } = this;
    const { session } = connection;
    if (session === null) return;
    switch (packet.type) {
      case 'CONNECT':
        context.note(connection, 'MQTT-3.1.0-2', 'MQTT-3.1.0-2', 'a second CONNECT', nowMs);
        refuse(context, connection, 0x82, nowMs);
        return;
      case 'PUBLISH':
        handlePublish(context, connection, session, packet, nowMs);
        return;
      case 'PUBREL':
        handlePubrel(context, connection, session, packet, nowMs);
        return;
      case 'PUBACK':
        handlePuback(context, connection, session, packet, nowMs);
        return;
      case 'PUBREC':
        handlePubrec(context, connection, session, packet, nowMs);
        return;
      case 'PUBCOMP':
        handlePubcomp(context, connection, session, packet, nowMs);
        return;
      case 'SUBSCRIBE':
        handleSubscribe(context, connection, session, packet, nowMs);
        return;
      case 'UNSUBSCRIBE':
        handleUnsubscribe(context, connection, session, packet, nowMs);
        return;
      case 'PINGREQ':
        connection.send({ type: 'PINGRESP' }); // [MQTT-3.12.4-1]
        return;
      case 'DISCONNECT':
        handleDisconnect(context, connection, session, packet, nowMs);
        return;
      default:
        // AUTH: what else only servers send, the codec refuses.
        context.note(
          connection,
          'MQTT-4.12.0-7',
          '',
          `${packet.type} without an Authentication Method`,
          nowMs,
        );
        refuse(context, connection, 0x82, nowMs);
    }
  }

  /** Writes what there is to say, where the link is done with the last write. */
  flush(nowMs: number): void {
    const { context } = this;
    context.sleep();
    this.advance(nowMs);
    for (const connection of [...context.connections]) connection.flush();
  }

  /** Ends every connection, with this DISCONNECT to clients of 5.0. */
  shutdown(reasonCode: number, nowMs: number): void {
    for (const connection of [...this.context.connections]) {
      refuse(this.context, connection, reasonCode, nowMs);
    }
  }

  /** Ends a client's connection, with this DISCONNECT to one of 5.0. False: it is not connected. */
  disconnect(clientId: string, reasonCode: number, nowMs: number): boolean {
    const connection = this.context.connections.find((one) => one.session?.clientId === clientId);
    if (connection === undefined) return false;
    refuse(this.context, connection, reasonCode, nowMs);
    return true;
  }

  /** Cuts a client's connection without a word. */
  cut(clientId: string): void {
    this.context.connections.find((one) => one.session?.clientId === clientId)?.destroy();
  }

  // --- Time --------------------------------------------------------------------------------------------------------

  /** What is due. */
  private dues(nowMs: number): Due[] {
    const { context } = this;
    const dues: Due[] = [];
    for (const connection of context.connections) {
      const heldMs = connection.nextHeldMs();
      const endMs = this.connectionDueMs(connection);
      if (heldMs <= nowMs) dues.push({ atMs: heldMs, run: () => connection.releaseHeld(nowMs) });
      if (endMs <= nowMs) dues.push({ atMs: endMs, run: () => this.handleConnectionDue(connection, nowMs) });
    }
    for (const session of context.state.sessions) {
      const { willMs, endsMs } = session;
      if (willMs <= nowMs) dues.push({ atMs: willMs, run: () => publishWill(context, session, nowMs) });
      if (endsMs <= nowMs) dues.push({ atMs: endsMs, run: () => endSession(context, session, nowMs) });
    }
    return dues;
  }

  /** When a connection has to be ended if nothing comes, or Infinity. */
  private connectionDueMs(connection: NaiveConnection): number {
    const { isOver, isDestroyed, hasConnected, keepAliveSeconds } = connection;
    if (isOver) return isDestroyed ? Infinity : connection.overMs + LINGER_MS;
    if (!hasConnected) return connection.openedMs + this.context.options.connectTimeoutSeconds * 1000;
    return keepAliveSeconds > 0 ? connection.lastReceivedMs + keepAliveSeconds * 1500 : Infinity; // [MQTT-3.1.2-22]
  }

  private handleConnectionDue(connection: NaiveConnection, nowMs: number): void {
    if (connection.isOver) connection.destroy();
    else refuse(this.context, connection, connection.hasConnected ? 0x8d : 0x80, nowMs);
  }

  nextDeadlineMs(): number {
    const { context } = this;
    let nextMs = NEVER_MS;
    for (const connection of context.connections) {
      nextMs = Math.min(nextMs, connection.nextHeldMs(), this.connectionDueMs(connection));
    }
    for (const { willMs, endsMs } of context.state.sessions) nextMs = Math.min(nextMs, willMs, endsMs);
    return nextMs === NEVER_MS ? Infinity : nextMs;
  }

  advance(nowMs: number): void {
    while (this.nextDeadlineMs() <= nowMs) {
      this.dues(nowMs)
        .reduce((first, due) => (due.atMs < first.atMs ? due : first))
        .run();
    }
  }
}
