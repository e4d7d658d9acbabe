/**
 * Bytes from a client's network, to packets, to handlers (3, 4.13). Keeps what is not a whole packet yet; keeps to what a
 * connection's state allows. A connection that is not read from is left where it was.
 */
import { Decoder } from '../../src/packets/codec.ts';
import type { Packet } from '../../src/packets/packet.ts';
import { P_SESSION_EXPIRY_INTERVAL } from '../../src/packets/property-table.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { violationText } from '../../src/packets/texts.ts';
import {
  AUTH,
  CONNECT,
  DISCONNECT,
  FROM_CLIENT,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBSCRIBE,
  UNSUBSCRIBE,
  V3_1_1,
  V5,
} from '../../src/packets/types.ts';
import { TOO_LARGE, UNSUPPORTED_VERSION, violationReasonCode } from '../../src/packets/violations.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';
import { OK } from '../../src/status.ts';
import type { ConnectHandler } from './connect-handler.ts';
import { readConnect } from './connect-request.ts';
import {
  AUTHENTICATING,
  AWAITING_CONNECT,
  CONNECTED,
  ENDING,
  PAUSED_BY_OUTPUT,
  PAUSED_BY_RATE,
  ServerConnection,
} from './connection.ts';
import type { Deadline } from './deadlines.ts';
import type { Link } from './link.ts';
import { handlePublish, handlePubrel } from './publish-handler.ts';
import { PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL_VERSION } from './reasons.ts';
import type { Rooms } from './rooms.ts';
import type { Session } from './session.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe-handler.ts';

/** Room for a packet's beginning; it doubles as the packet arrives. */
const PARTIAL_BYTES_MIN = 512;

/** What the owner of a link calls. */
export class Receiver {
  readonly connection: ServerConnection;
  private readonly rooms: Rooms;
  private readonly connectHandler: ConnectHandler;
  private readonly decoder: Decoder;
  /** Bytes that wait: of a packet that is not whole, or of a connection that is not read from. */
  private partial: Uint8Array;
  private partialEnd: number;
  /** Messages that may still come before this connection is not read from for a while. */
  private allowance: number;
  private allowanceMs: number;
  private rateDeadline: Deadline | null;

  constructor(rooms: Rooms, connectHandler: ConnectHandler, link: Link, nowMs: number) {
    const { limits } = rooms.context;
    this.connection = new ServerConnection(rooms, link, nowMs);
    this.rooms = rooms;
    this.connectHandler = connectHandler;
    this.decoder = new Decoder(V5, FROM_CLIENT, decodeRequest);
    this.decoder.maximumPacketSize = limits.maximumPacketSize;
    this.partial = NO_BYTES;
    this.partialEnd = 0;
    this.allowance = limits.messagesPerSecondMax;
    this.allowanceMs = nowMs;
    this.rateDeadline = null;
  }

  /** Takes what arrived: any piece of the stream, lent for the call. */
  receive(bytes: Uint8Array, nowMs: number): void {
    const { connection, rooms } = this;
    rooms.nowMs = nowMs;
    rooms.context.counters.bytesReceived += bytes.length;
    connection.lastReceivedMs = nowMs;
    if (connection.state >= ENDING) return;
    if (this.partialEnd > 0 || connection.pausedBy !== 0) {
      this.append(bytes, 0);
      this.proceed(nowMs);
      return;
    }
    const at = this.handlePackets(bytes, bytes.length, nowMs);
    if (at < bytes.length) this.append(bytes, at);
  }

  /** Goes on with the bytes that wait. */
  proceed(nowMs: number): void {
    const { connection } = this;
    if (connection.state >= ENDING) {
      this.partial = NO_BYTES;
      this.partialEnd = 0;
    }
    if (this.partialEnd === 0 || connection.pausedBy !== 0) return;
    const at = this.handlePackets(this.partial, this.partialEnd, nowMs);
    if (at >= this.partialEnd) {
      this.partial = NO_BYTES;
      this.partialEnd = 0;
    } else if (at > 0) {
      this.partial.copyWithin(0, at, this.partialEnd);
      this.partialEnd -= at;
    }
  }

  handleWritten(nowMs: number): void {
    const { connection, rooms } = this;
    rooms.nowMs = nowMs;
    connection.handleWritten(nowMs);
    if (connection.pausedBy !== 0 && !this.isOutputFull() && connection.resume(PAUSED_BY_OUTPUT)) {
      this.proceed(nowMs);
    }
  }

  handleClose(nowMs: number): void {
    this.rooms.nowMs = nowMs;
    this.partial = NO_BYTES;
    this.partialEnd = 0;
    if (this.rateDeadline !== null) this.rooms.context.deadlines.clear(this.rateDeadline);
    this.connection.handleClose(nowMs);
  }

  private append(bytes: Uint8Array, at: number): void {
    const byteLength = bytes.length - at;
    const needed = this.partialEnd + byteLength;
    if (needed > this.partial.length) {
      const { maximumPacketSize } = this.decoder;
      const grown = new Uint8Array(
        Math.max(PARTIAL_BYTES_MIN, needed, Math.min(needed * 2, maximumPacketSize)),
      );
      grown.set(this.partial.subarray(0, this.partialEnd), 0);
      this.partial = grown;
    }
    this.partial.set(at === 0 ? bytes : bytes.subarray(at), this.partialEnd);
    this.partialEnd = needed;
  }

  /** Handles the packets in `bytes` up to `end`; returns the offset of what is not handled. */
  private handlePackets(bytes: Uint8Array, end: number, nowMs: number): number {
    const { connection, decoder, rooms } = this;
    const { packet, context } = rooms;
    let at = 0;
    while (at < end) {
      const status = decoder.decode(bytes, at, end, packet);
      if (status !== OK) {
        if (status > OK) break;
        context.counters.violations++;
        this.handleViolation(packet, bytes, at, nowMs);
        return end;
      }
      at = packet.end;
      context.counters.packetsReceived++;
      this.handlePacket(packet, bytes, nowMs);
      if (connection.state >= ENDING) return end;
      if (connection.pausedBy !== 0) break;
      if (this.isOutputFull()) {
        // Who does not take its answers is asked no more questions.
        rooms.context.hit('outputBytesMax');
        connection.pause(PAUSED_BY_OUTPUT);
        break;
      }
    }
    return at;
  }

  /** Twice what stops deliveries: the rest is acknowledgements, which have to go somewhere. */
  private isOutputFull(): boolean {
    return this.connection.output.byteLength() >= 2 * this.rooms.context.limits.outputBytesMax;
  }

  private handlePacket(packet: Packet, bytes: Uint8Array, nowMs: number): void {
    const { connection, connectHandler } = this;
    const { state, session } = connection;
    if (state === AWAITING_CONNECT) {
      if (packet.type !== CONNECT) {
        // Nothing is said to who does not begin with CONNECT [MQTT-3.1.0-1].
        connection.refuse('', PROTOCOL_ERROR, 'the first packet is no CONNECT', nowMs);
        return;
      }
      const request = readConnect(packet, bytes, () => this.makeClientId());
      this.decoder.protocolVersion = request.protocolVersion;
      connectHandler.handleConnect(connection, request, nowMs);
      return;
    }
    if (packet.type === AUTH) {
      connectHandler.handleAuth(connection, packet, bytes, nowMs);
      return;
    }
    if (state === AUTHENTICATING) {
      if (packet.type === DISCONNECT) {
        connection.refuse('', PROTOCOL_ERROR, 'the client gave its authentication up', nowMs);
        return;
      }
      // Nothing but AUTH and DISCONNECT until it is over (3.15.4, [MQTT-3.1.2-30]).
      const reasonString = 'a packet that must not come before the authentication is over';
      connectHandler.refuse(connection, { reasonCode: PROTOCOL_ERROR, reasonString }, nowMs);
      return;
    }
    if (session !== null) this.handleOfClient(session, packet, bytes, nowMs);
  }

  private handleOfClient(session: Session, packet: Packet, bytes: Uint8Array, nowMs: number): void {
    const { connection } = this;
    const { deliveries } = this.rooms;
    const { packetId, reasonCode } = packet;
    let isFitting = true;
    switch (packet.type) {
      case PUBLISH:
        handlePublish(connection, session, packet, bytes, nowMs);
        this.spendAllowance(nowMs);
        break;
      case PUBACK:
        isFitting = deliveries.handlePuback(session, packetId, nowMs);
        break;
      case PUBREC:
        isFitting = deliveries.handlePubrec(session, packetId, reasonCode, nowMs);
        break;
      case PUBREL:
        handlePubrel(connection, session, packet);
        break;
      case PUBCOMP:
        deliveries.handlePubcomp(session, packetId, nowMs);
        break;
      case SUBSCRIBE:
        handleSubscribe(connection, session, packet, bytes, nowMs);
        break;
      case UNSUBSCRIBE:
        handleUnsubscribe(connection, session, packet, bytes, nowMs);
        break;
      case PINGREQ:
        connection.writePingresp(); // [MQTT-3.12.4-1]
        break;
      case DISCONNECT:
        this.handleDisconnect(session, packet, nowMs);
        break;
      default:
        connection.end(PROTOCOL_ERROR, 'a second CONNECT', nowMs); // [MQTT-3.1.0-2]
    }
    if (!isFitting) connection.end(PROTOCOL_ERROR, 'an acknowledgement that does not fit the QoS', nowMs);
  }

  private handleDisconnect(session: Session, packet: Packet, nowMs: number): void {
    const { connection } = this;
    if (connection.isV5 && packet.has(P_SESSION_EXPIRY_INTERVAL)) {
      const seconds = packet.values[P_SESSION_EXPIRY_INTERVAL];
      if (connection.askedExpirySeconds === 0 && seconds !== 0) {
        // (3.14.2.2.2): what was to end with its connection cannot be kept afterwards.
        connection.end(PROTOCOL_ERROR, 'a Session Expiry Interval in DISCONNECT after one of 0', nowMs);
        return;
      }
      const { context } = this.rooms;
      const max = context.limits.sessionExpirySecondsMax;
      if (seconds > max) context.hit('sessionExpirySecondsMax');
      session.expirySeconds = Math.min(seconds, max);
    }
    connection.handleDisconnect(packet.reasonCode, nowMs);
  }

  /** Ends a connection that broke the standard, with its reason code where that can be said [MQTT-4.13.1-1]. */
  private handleViolation(packet: Packet, bytes: Uint8Array, at: number, nowMs: number): void {
    const { connection, connectHandler, rooms } = this;
    const { violation } = packet;
    const text = violationText(violation);
    // A second CONNECT is wrong whatever else is [MQTT-3.1.0-2]: DISCONNECT cannot say some of it.
    const isSecond = packet.type === CONNECT && connection.state !== AWAITING_CONNECT;
    const reasonCode = isSecond ? PROTOCOL_ERROR : violationReasonCode(violation);
    if (violation === TOO_LARGE) rooms.context.hit('maximumPacketSize');
    if (connection.state === CONNECTED) {
      connection.end(reasonCode, text, nowMs);
      return;
    }
    if (connection.state === AUTHENTICATING) {
      connectHandler.refuse(connection, { reasonCode, reasonString: text }, nowMs);
      return;
    }
    if (packet.type !== CONNECT) {
      connection.refuse('', PROTOCOL_ERROR, 'the first packet is no CONNECT', nowMs);
      return;
    }
    if (packet.violationOffset < at + 2) {
      // Wrong in its fixed header: the version that an answer would have to be in is behind that, or not there yet.
      connection.refuse('', reasonCode, text, nowMs);
      return;
    }
    const isOtherVersion = violation === UNSUPPORTED_VERSION;
    const version = bytes[packet.violationOffset] ?? 0;
    // What 3.1.1 knows can be said to it: the version [v3.1.1 MQTT-3.1.2-2]. Whose version is not even known is told
    // in the form that all its predecessors would read.
    connection.protocolVersion = isOtherVersion && version < V5 ? V3_1_1 : versionOf(packet, bytes, at);
    if (connection.protocolVersion === V5 || isOtherVersion) {
      const code = isOtherVersion ? UNSUPPORTED_PROTOCOL_VERSION : reasonCode;
      connectHandler.refuse(connection, { reasonCode: code, reasonString: text }, nowMs); // [MQTT-3.1.4-1]
    } else {
      connection.refuse('', reasonCode, text, nowMs);
    }
  }

  /** A client id that nobody has [MQTT-3.1.3-6], [MQTT-3.2.2-16]. */
  private makeClientId(): string {
    const { context, sessions } = this.rooms;
    for (let attempt = 0; ; attempt++) {
      const word = (): string => (context.random() >>> 0).toString(36).padStart(7, '0');
      const clientId = `auto-${word()}${word()}${attempt === 0 ? '' : String(attempt)}`;
      if (sessions.get(clientId) === undefined) return clientId;
    }
  }

  /** Counts a message against the client's rate, and stops reading when it has none left. */
  private spendAllowance(nowMs: number): void {
    const { context } = this.rooms;
    const rate = context.limits.messagesPerSecondMax;
    if (rate === 0) return;
    this.allowance = Math.min(rate, this.allowance + ((nowMs - this.allowanceMs) * rate) / 1000) - 1;
    this.allowanceMs = nowMs;
    if (this.allowance > 0) return;
    context.hit('messagesPerSecondMax');
    this.connection.pause(PAUSED_BY_RATE);
    this.rateDeadline ??= {
      atMs: 0,
      heapIndex: -1,
      fire: (dueMs) => {
        if (this.connection.resume(PAUSED_BY_RATE)) this.proceed(dueMs);
      },
    };
    context.deadlines.set(this.rateDeadline, nowMs + Math.ceil(1000 / rate));
  }
}

/** The version that a malformed CONNECT says, as far as it says one. */
function versionOf(packet: Packet, bytes: Uint8Array, at: number): number {
  // Behind the fixed header: two bytes of length, "MQTT", the version.
  let offset = at + 1;
  while (offset < packet.end && bytes[offset] >= 128) offset++;
  return bytes[offset + 7] === V3_1_1 ? V3_1_1 : V5;
}
