/**
 * One network connection from the server's side: where it stands, what was agreed on, what is written to it, and how it
 * ends. Handling what arrives is receiver.ts and the handlers' part.
 */
import { encodeAck } from '../../src/packets/acks.ts';
import { encodePing, encodeReason } from '../../src/packets/control.ts';
import { P_REASON_STRING } from '../../src/packets/property-table.ts';
import { DISCONNECT, PINGRESP, PUBACK, V5 } from '../../src/packets/types.ts';
import type { Deadline } from './deadlines.ts';
import type { AuthenticationExchange, ClientView } from './hooks.ts';
import type { Link, Origin } from './link.ts';
import { Output } from './output.ts';
import type { PublishEncoder } from './publish-encoder.ts';
import { KEEP_ALIVE_TIMEOUT, SUCCESS } from './reasons.ts';
import type { Flushable, Rooms } from './rooms.ts';
import type { ClientConnection, Session } from './session.ts';

/** No CONNECT yet. */
export const AWAITING_CONNECT = 0;
/** CONNECT is there, its authentication is not over. */
export const AUTHENTICATING = 1;
export const CONNECTED = 2;
/** Nothing that arrives counts; what is written still leaves. */
export const ENDING = 3;
export const CLOSED = 4;

/** Why a connection is not read from: bits. */
export const PAUSED_BY_OUTPUT = 1;
export const PAUSED_BY_AUTHENTICATION = 2;
export const PAUSED_BY_RATE = 4;

const NOBODY: ClientView = {
  clientId: '',
  userName: null,
  protocolVersion: V5,
  origin: { transport: 'local', remoteAddress: '', certificateName: null },
};

const PACKET_BYTES_MAX = 268_435_460;
/** Milliseconds that the end of a connection may take. */
const END_MS_MAX = 10_000;

export class ServerConnection implements ClientConnection, Flushable {
  readonly rooms: Rooms;
  readonly link: Link;
  readonly output: Output;
  state: number;
  isTouched: boolean;
  /** Who it is, once CONNECT was accepted. */
  view: ClientView;
  session: Session | null;
  protocolVersion: number;
  keepAliveSeconds: number;
  lastReceivedMs: number;
  /** What the client said in CONNECT. */
  receiveMaximum: number;
  maximumPacketSize: number;
  outgoingAliasMaximum: number;
  isProblemInformationWanted: boolean;
  /** Seconds of CONNECT, which DISCONNECT may not raise from 0. */
  askedExpirySeconds: number;
  /** By Topic Name. */
  private outgoingAliases: Map<string, number> | null;
  /** The client's, by alias: topics and their bytes. */
  incomingAliases: (IncomingAlias | undefined)[] | null;
  /** QoS 2 messages that came on this connection and are not released: what counts against our Receive Maximum. */
  readonly unreleasedIds: Set<number>;
  /** The enhanced authentication under way, or null. */
  exchange: AuthenticationExchange | null;
  authenticationMethod: string | null;
  pausedBy: number;
  /** Told once, when the network connection is gone. Set by the core. */
  onClosed: () => void;
  /** Reason code of the DISCONNECT that either side sent, or null. */
  private endCode: number | null;
  private endReason: string;
  private writingSinceMs: number;
  /** Connect timeout, then keep alive. */
  readonly idleDeadline: Deadline;
  private readonly writeDeadline: Deadline;

  constructor(rooms: Rooms, link: Link, nowMs: number) {
    this.rooms = rooms;
    this.link = link;
    this.output = new Output(rooms.context.pool, link);
    this.state = AWAITING_CONNECT;
    this.isTouched = false;
    this.view = NOBODY;
    this.session = null;
    this.protocolVersion = V5;
    this.keepAliveSeconds = 0;
    this.lastReceivedMs = nowMs;
    this.receiveMaximum = 65_535;
    this.maximumPacketSize = PACKET_BYTES_MAX;
    this.outgoingAliasMaximum = 0;
    this.isProblemInformationWanted = true;
    this.askedExpirySeconds = 0;
    this.outgoingAliases = null;
    this.incomingAliases = null;
    this.unreleasedIds = new Set();
    this.exchange = null;
    this.authenticationMethod = null;
    this.pausedBy = 0;
    this.onClosed = () => {};
    this.endCode = null;
    this.endReason = 'the network connection was closed';
    this.writingSinceMs = 0;
    this.idleDeadline = { atMs: 0, heapIndex: -1, fire: (dueMs) => this.handleIdle(dueMs) };
    this.writeDeadline = { atMs: 0, heapIndex: -1, fire: (dueMs) => this.handleWriteDue(dueMs) };
    rooms.connections++;
    rooms.context.counters.connectionsOpened++;
    rooms.context.deadlines.set(this.idleDeadline, nowMs + rooms.context.limits.connectTimeoutMs);
  }

  get origin(): Origin {
    return this.link.origin;
  }

  get isV5(): boolean {
    return this.protocolVersion === V5;
  }

  // --- Writing -----------------------------------------------------------------------------------------------------

  hasRoom(): boolean {
    return this.state === CONNECTED && this.output.byteLength() < this.rooms.context.limits.outputBytesMax;
  }

  writePublish(
    encoder: PublishEncoder,
    qos: number,
    isRetain: boolean,
    isDup: boolean,
    packetId: number,
    identifiers: readonly number[],
  ): boolean {
    const { output, protocolVersion } = this;
    let alias = 0;
    let hasTopic = true;
    if (this.outgoingAliasMaximum > 0) {
      const aliases = (this.outgoingAliases ??= new Map<string, number>());
      const { topicName } = encoder.current();
      const known = aliases.get(topicName);
      if (known !== undefined) {
        alias = known;
        hasTopic = false;
      } else if (aliases.size < this.outgoingAliasMaximum) {
        alias = aliases.size + 1; // [MQTT-3.1.2-26]
      } else if (this.outgoingAliasMaximum === this.rooms.context.limits.outgoingTopicAliasMax) {
        this.rooms.context.hit('outgoingTopicAliasMax');
      }
    }
    if (this.maximumPacketSize < PACKET_BYTES_MAX) {
      const byteLength = encoder.byteLength(protocolVersion, qos, alias, hasTopic, identifiers);
      if (byteLength > this.maximumPacketSize) return false; // [MQTT-3.1.2-24]
    }
    if (hasTopic && alias !== 0) this.outgoingAliases?.set(encoder.current().topicName, alias);
    this.rooms.context.counters.packetsSent++;
    encoder.write(output, protocolVersion, qos, isRetain, isDup, packetId, alias, hasTopic, identifiers);
    this.rooms.touch(this);
    return true;
  }

  writeAck(type: number, packetId: number, reasonCode: number, reasonString: string): void {
    // A hook may have ended the connection: nothing follows DISCONNECT [MQTT-3.14.4-1].
    if (this.state !== CONNECTED || this.rooms.context.faults.takeAcknowledgement()) return;
    const { output } = this;
    const properties = this.reasonProperties(this.isProblemInformationWanted ? reasonString : '', 5);
    output.reserve(16 + properties.byteLength);
    const { bytes, end } = output;
    const code = this.isV5 ? reasonCode : 0;
    output.end = encodeAck(
      bytes,
      end,
      bytes.length,
      type,
      this.protocolVersion,
      packetId,
      code,
      properties.bytes,
      properties.byteLength,
    );
    this.rooms.context.counters.packetsSent++;
    if (type === PUBACK) output.unsentAcknowledgements++;
    this.rooms.touch(this);
  }

  writePingresp(): void {
    this.output.reserve(2);
    const { bytes, end } = this.output;
    this.rooms.context.counters.packetsSent++;
    this.output.end = encodePing(bytes, end, bytes.length, PINGRESP);
    this.rooms.touch(this);
  }

  /**
   * Writes an AUTH or DISCONNECT with what the rooms' property writer holds. False: it is larger than the client takes, and
   * is not written [MQTT-3.1.2-24].
   */
  writeReason(type: number, reasonCode: number): boolean {
    const { properties, context } = this.rooms;
    this.output.reserve(16 + properties.byteLength);
    const { bytes, end } = this.output;
    const behind = encodeReason(
      bytes,
      end,
      bytes.length,
      type,
      this.protocolVersion,
      reasonCode,
      properties.bytes,
      properties.byteLength,
    );
    if (behind - end > this.maximumPacketSize) return false;
    this.output.end = behind;
    context.counters.packetsSent++;
    this.rooms.touch(this);
    return true;
  }

  /**
   * The rooms' property writer with a Reason String and nothing else, or empty: for people, so it goes first when the
   * packet, which has `headBytes` besides, would be larger than the client takes [MQTT-3.2.2-19], [MQTT-3.4.2-2].
   */
  reasonProperties(reasonString: string, headBytes: number): Rooms['properties'] {
    const { properties } = this.rooms;
    properties.clear();
    if (!this.isV5 || reasonString === '') return properties;
    properties.addText(P_REASON_STRING, reasonString);
    if (properties.byteLength + headBytes + 8 > this.maximumPacketSize) properties.clear();
    return properties;
  }

  // --- Flushing ----------------------------------------------------------------------------------------------------

  seal(): boolean {
    return this.output.seal();
  }

  write(nowMs: number): void {
    if (this.state === CLOSED) return;
    const { context } = this.rooms;
    const byteLength = this.output.write();
    if (byteLength > 0) {
      context.counters.bytesSent += byteLength;
      this.writingSinceMs = nowMs;
      if (this.writeDeadline.heapIndex < 0) {
        context.deadlines.set(this.writeDeadline, nowMs + context.limits.writeTimeoutMs);
      }
    }
    if (this.state === ENDING && this.output.end === 0 && !this.output.isSealed()) this.link.end();
  }

  /** The link took what it was given: there is room again. */
  handleWritten(nowMs: number): void {
    if (this.state === CLOSED) return;
    this.output.handleWritten();
    if (this.session !== null) this.rooms.deliveries.pump(this.session, nowMs);
    if (this.output.end > 0) this.rooms.touch(this);
  }

  private handleWriteDue(nowMs: number): void {
    const { context } = this.rooms;
    if (this.state === CLOSED) return;
    if (this.state !== ENDING) {
      if (!this.output.isWriting()) return;
      const dueMs = this.writingSinceMs + context.limits.writeTimeoutMs;
      if (nowMs < dueMs) {
        context.deadlines.set(this.writeDeadline, dueMs);
        return;
      }
    }
    context.hit('writeTimeoutMs');
    this.endReason = 'it did not take what it was sent';
    this.destroy(nowMs);
  }

  // --- Reading -----------------------------------------------------------------------------------------------------

  pause(reason: number): void {
    if (this.pausedBy === 0) this.link.pause();
    this.pausedBy |= reason;
  }

  /** Returns whether it may be read from again. */
  resume(reason: number): boolean {
    if ((this.pausedBy & reason) === 0) return false;
    this.pausedBy &= ~reason;
    if (this.pausedBy !== 0) return false;
    // What it sent meanwhile is still to be read: its silence begins now.
    this.lastReceivedMs = this.rooms.nowMs;
    this.link.resume();
    return true;
  }

  /** Begins to watch the client's keep alive [MQTT-3.1.2-22]. */
  startKeepAlive(nowMs: number): void {
    const { deadlines } = this.rooms.context;
    if (this.keepAliveSeconds === 0) deadlines.clear(this.idleDeadline);
    else deadlines.set(this.idleDeadline, nowMs + this.keepAliveSeconds * 1500);
  }

  private handleIdle(nowMs: number): void {
    const { context } = this.rooms;
    if (this.state === CONNECTED) {
      const dueMs = this.lastReceivedMs + this.keepAliveSeconds * 1500;
      // Not read from is not silent.
      if (this.pausedBy !== 0) {
        context.deadlines.set(this.idleDeadline, Math.max(dueMs, nowMs + 1000));
      } else if (nowMs < dueMs) {
        context.deadlines.set(this.idleDeadline, dueMs);
      } else {
        this.end(KEEP_ALIVE_TIMEOUT, 'no packet within one and a half times the keep alive', nowMs);
      }
      return;
    }
    context.hit('connectTimeoutMs');
    this.endReason = 'no CONNECT, or none that was authenticated, in time';
    this.destroy(nowMs);
  }

  // --- Ending ------------------------------------------------------------------------------------------------------

  /**
   * Ends the connection, with a DISCONNECT of `reasonCode` where the version has it [MQTT-4.13.1-1]: the session goes on
   * without it, the network connection is closed when what was written has left [MQTT-3.14.4-1].
   */
  end(reasonCode: number, reason: string, nowMs: number): void {
    if (this.state === ENDING || this.state === CLOSED) return;
    if (this.state === CONNECTED && this.isV5) {
      this.reasonProperties(reason, 2);
      this.writeReason(DISCONNECT, reasonCode);
      this.endCode = reasonCode;
    }
    this.endReason = reason;
    this.leave(null, nowMs);
  }

  /** The client said DISCONNECT. */
  handleDisconnect(reasonCode: number, nowMs: number): void {
    this.endCode = reasonCode;
    this.endReason = 'the client disconnected';
    this.leave(reasonCode, nowMs);
  }

  /** Refuses a connection that has no session, when CONNACK, if any, is written. */
  refuse(clientId: string, reasonCode: number, reason: string, nowMs: number): void {
    this.rooms.context.counters.connectsRefused++;
    this.rooms.context.hooks.refused?.(this.origin, clientId, reasonCode, reason);
    this.endReason = reason;
    this.leave(null, nowMs);
  }

  /** Cuts the network connection, as a fault or a slow reader deserves. */
  destroy(nowMs: number): void {
    if (this.state === CLOSED) return;
    this.link.destroy();
    this.handleClose(nowMs);
  }

  /** The network connection is gone. */
  handleClose(nowMs: number): void {
    if (this.state === CLOSED) return;
    if (this.state !== ENDING) this.leave(null, nowMs);
    this.state = CLOSED;
    this.rooms.connections--;
    this.onClosed();
    this.output.drop();
    const { deadlines } = this.rooms.context;
    deadlines.clear(this.writeDeadline);
    deadlines.clear(this.idleDeadline);
  }

  /** `reasonCode` is that of the client's DISCONNECT, or null. */
  private leave(reasonCode: number | null, nowMs: number): void {
    const { context, sessions } = this.rooms;
    const { session } = this;
    this.state = ENDING;
    context.deadlines.clear(this.idleDeadline);
    // A peer that neither reads nor closes is not waited for for long.
    context.deadlines.set(this.writeDeadline, nowMs + Math.min(END_MS_MAX, context.limits.writeTimeoutMs));
    this.incomingAliases = null;
    this.outgoingAliases = null;
    this.exchange = null;
    this.session = null;
    this.rooms.touch(this);
    if (session === null) return;
    if (reasonCode === SUCCESS) context.counters.disconnectsNormal++;
    else context.counters.disconnectsOther++;
    sessions.close(session, reasonCode, nowMs);
    context.hooks.disconnected?.(this.view, this.endCode, this.endReason);
  }
}

/** A topic that a client gave a number. */
export interface IncomingAlias {
  topicName: string;
  bytes: Uint8Array;
}
