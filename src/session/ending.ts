/**
 * How connections end: the server's mistakes, time-outs, lost transports, goodbyes; and when the next one begins.
 */
import { DISCONNECT } from '../packets/types.ts';
import { violationReasonCode } from '../packets/violations.ts';
import { packetByteLength, sectionByteLength, writeSection } from '../packets/fields.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import { SUCCESS } from '../packets/reason-codes.ts';
import { writeVarint } from '../wire/varint.ts';
import { backoffMs } from './backoff.ts';
import {
  CLOSED_FOR_GOOD,
  CONNECTING,
  IDLE,
  TRANSPORT_CLOSE,
  WAITING,
  isReturnWelcome,
  isTransient,
} from './connection.ts';
import {
  CAUSE_CLIENT,
  CAUSE_CONNECT_TOO_LARGE,
  CAUSE_REFUSED,
  CAUSE_SERVER,
  CAUSE_VIOLATION,
  EVENT_DISCONNECTED,
  CAUSE_NONE,
} from './event.ts';
import { WITH_APPLICATION } from './incoming.ts';
import type { SessionState } from './state.ts';
import { NEVER } from './timers.ts';
import { forgetAliases } from './topic-aliases.ts';

/**
 * Writes a DISCONNECT or an AUTH (`type`), which has properties, in its shortest form, and leaves `reservedByteLength` bytes
 * of the ring. False: there is no room, or no place behind half a packet. The reserved bytes have room for the longest
 * DISCONNECT, which has 9.
 */
export function writeReason(
  s: SessionState,
  type: number,
  reasonCode: number,
  properties: PropertyWriter | null,
  reservedByteLength: number,
): boolean {
  const transmit = s.transmit;
  let remaining = reasonCode === SUCCESS ? 0 : 1;
  if (properties !== null && properties.byteLength > 0) {
    remaining = 1 + sectionByteLength(true, properties.byteLength);
  }
  const byteLength = packetByteLength(remaining) + reservedByteLength;
  if (s.sendRemaining > 0 || !transmit.reserve(byteLength)) return false;
  const out = transmit.bytes;
  out[transmit.end] = type << 4;
  let at = writeVarint(out, transmit.end + 1, remaining);
  if (remaining > 0) {
    out[at] = reasonCode;
    at++;
  }
  if (properties !== null && remaining > 1) {
    at = writeSection(out, at, properties.bytes, properties.byteLength);
  }
  transmit.end = at;
  return true;
}

/** Ends the connection because the server broke the standard [MQTT-4.13.1-1]; 3.1.1 has no words for why. */
export function endForViolation(
  s: SessionState,
  violation: number,
  violationOffset: number,
  nowMs: number,
): void {
  const reasonCode = violationReasonCode(violation);
  // A DISCONNECT with a reason may only follow CONNECT, which was sent [MQTT-3.14.0-1]; 3.1.1 just closes.
  if (s.isV5) writeReason(s, DISCONNECT, reasonCode, null, 0);
  s.endViolation = violation;
  s.endViolationOffset = violationOffset;
  endConnection(s, CAUSE_VIOLATION, reasonCode, nowMs);
}

/** Milliseconds that a network may hold back a CONNECT, about as long as TCP goes on trying. */
const LATE_CONNECT_MS_MAX = 300_000;

/** Whether another attempt makes sense after `cause`. */
function isReconnecting(s: SessionState, cause: number, reasonCode: number, nowMs: number): boolean {
  if (cause === CAUSE_CLIENT || cause === CAUSE_CONNECT_TOO_LARGE) return false;
  if (cause === CAUSE_SERVER) {
    return isReturnWelcome(reasonCode, nowMs - s.connackMissedAtMs <= LATE_CONNECT_MS_MAX);
  }
  if (cause === CAUSE_REFUSED) {
    return s.isStubborn || isTransient(reasonCode, s.isV5);
  }
  return true;
}

/**
 * Takes everything that belonged to the connection back to where the next one can start from, tells the pump to close
 * the transport, and sets the time of the next attempt. EVENT_DISCONNECTED follows at the next poll.
 */
export function endConnection(s: SessionState, cause: number, reasonCode: number, nowMs: number): void {
  if (s.connection === CONNECTING && cause !== CAUSE_REFUSED) {
    s.isConnackMissed = true;
    s.connackMissedAtMs = nowMs;
  }
  s.connectAtMs = NEVER;
  s.pingAtMs = NEVER;
  s.pingTimeoutAtMs = NEVER;
  s.inflight.clearOnWire();
  s.incoming.handleDisconnected();
  if (s.releaseQos === 2) settleIncoming(s, s.releasePacketId);
  if (s.sendRemaining > 0) endHalf(s);
  s.outgoingAliases.start(0, 0);
  forgetAliases(s.aliasNames);
  s.streamRemaining = 0;
  s.releaseByteLength = 0;
  s.releaseQos = 0;
  s.incompleteByteLength = -1;
  s.isReplaying = false;
  s.keepAliveMs = 0;
  s.transportAction = TRANSPORT_CLOSE;
  let inMs = -1;
  const isWanted = s.connection !== CLOSED_FOR_GOOD && isReconnecting(s, cause, reasonCode, nowMs);
  if (isWanted && s.attempts < s.attemptsMax) {
    inMs = backoffMs(s.attempts, s.reconnectFirstMs, s.reconnectMaximumMs, s.random());
    s.attempts++;
  }
  s.reconnectAtMs = inMs < 0 ? NEVER : nowMs + inMs;
  if (s.connection !== CLOSED_FOR_GOOD) s.connection = inMs < 0 ? IDLE : WAITING;
  s.endCause = cause;
  s.endReasonCode = reasonCode;
  s.endReconnectInMs = inMs;
}

/**
 * The server will throw its half of a packet away. A record of the outbox, QoS 0 too, is still there and goes out
 * again; what the application gave piece by piece is lost, like every QoS 0 message that was in the ring.
 */
function endHalf(s: SessionState): void {
  const outbox = s.outbox;
  if (outbox.sending < 0) s.isPublishLost = true;
  outbox.sending = -1;
  outbox.queuedQos0--;
  s.sendRemaining = 0;
  s.heldPacketId = 0;
}

/**
 * What becomes of the QoS 2 message that the application was looking at: delivered whole, it is acknowledged on the
 * next connection, as the next poll would have done on this one; otherwise its packet identifier is no duplicate.
 */
function settleIncoming(s: SessionState, packetId: number): void {
  const i = s.incoming.find(packetId);
  if (i < 0) return;
  if (s.streamRemaining > 0) s.incoming.remove(i);
  else if (!s.isManual && s.incoming.state(i) === WITH_APPLICATION) s.incoming.acknowledge(i);
}

/** Fills the event for a connection that ended since the last poll. */
export function tellEnd(s: SessionState): number {
  const event = s.event;
  event.kind = EVENT_DISCONNECTED;
  event.cause = s.endCause;
  event.reasonCode = s.endReasonCode;
  event.violation = s.endViolation;
  event.violationOffset = s.endViolationOffset;
  event.reconnectInMs = s.endReconnectInMs;
  event.hasPacket = s.endCause === CAUSE_SERVER || s.endCause === CAUSE_REFUSED;
  event.bytes = s.receive.bytes;
  s.endCause = CAUSE_NONE;
  s.endViolation = 0;
  s.endViolationOffset = 0;
  return EVENT_DISCONNECTED;
}
