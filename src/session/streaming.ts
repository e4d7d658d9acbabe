/**
 * Publishing a payload in pieces: begun, continued, abandoned. One at a time.
 *
 * A QoS 0 message of a connected session goes straight through the transmit ring, so it may be larger than all of this
 * side's memory; but from its first byte to its last nothing else can leave. Every other message is put together in the
 * outbox, and is the message that `publish` would have made once its last byte is there. What goes out of the ring and
 * when is transmit.ts's.
 */
import { checkInteger } from '../assert.ts';
import { VARIABLE_BYTE_INTEGER_MAX } from '../limits.ts';
import { CLOSED, NOT_CONNECTED, NOT_FOUND, NO_SPACE, OK, STORE_FAILED } from '../status.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { CLOSED_FOR_GOOD } from './connection.ts';
import { endConnection } from './ending.ts';
import { CAUSE_UNFINISHED } from './event.ts';
import { publish, storeMessage } from './publishing.ts';
import type { SessionState } from './state.ts';
import type { TopicHandle } from './topic-aliases.ts';
import { noteSent } from './keep-alive.ts';
import { startPieces, writePiece, writeRecordPiece } from './transmit.ts';

/** See Session.beginPublish. */
export function beginPublish(
  s: SessionState,
  handle: TopicHandle | null,
  topicName: Uint8Array,
  payloadByteLength: number,
  qos: number,
  retain: number,
  properties: PropertyWriter | null,
  nowMs: number,
): number {
  checkInteger(payloadByteLength, 0, VARIABLE_BYTE_INTEGER_MAX, 'payloadByteLength');
  if (unsentPayloadByteLength(s) > 0) return NO_SPACE;
  s.isPublishLost = false;
  const topic = handle === null ? topicName : handle.bytes;
  const ticket = publish(s, handle, topic, NO_BYTES, payloadByteLength, 0, qos, retain, properties, nowMs);
  if (ticket === OK && payloadByteLength > 0) startPieces(s, payloadByteLength, -1);
  return ticket;
}

/** See Session.continuePublish. */
export function continuePublish(
  s: SessionState,
  bytes: Uint8Array,
  at: number,
  byteLength: number,
  nowMs: number,
): number {
  if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
  const outbox = s.outbox;
  if (outbox.filling < 0) {
    if (unsentPayloadByteLength(s) > 0) return writePiece(s, bytes, at, byteLength, nowMs);
    return s.isPublishLost ? NOT_CONNECTED : NOT_FOUND;
  }
  const count = outbox.fill(bytes, at, byteLength);
  if (outbox.unfilledByteLength === 0) {
    const record = outbox.filling;
    outbox.filling = -1;
    if (!storeMessage(s, record)) return STORE_FAILED;
  }
  return count;
}

/** See Session.unsentPayloadByteLength. */
export function unsentPayloadByteLength(s: SessionState): number {
  const outbox = s.outbox;
  if (outbox.filling >= 0) return outbox.unfilledByteLength;
  return outbox.sending < 0 ? s.sendRemaining : 0;
}

/** See Session.abandonPublish. */
export function abandonPublish(s: SessionState, nowMs: number): number {
  const outbox = s.outbox;
  const record = outbox.filling;
  if (record >= 0) {
    outbox.filling = -1;
    outbox.free(record);
    return OK;
  }
  if (unsentPayloadByteLength(s) > 0) endConnection(s, CAUSE_UNFINISHED, 0, nowMs);
  else if (!s.isPublishLost) return NOT_FOUND;
  s.isPublishLost = false;
  return OK;
}

/**
 * PINGREQ is due in the middle of a PUBLISH, where it cannot go. As long as bytes of the PUBLISH leave they do as well:
 * the server counts them, and this side sees that somebody takes them. When none has left for the whole keep-alive
 * time, because the application gave none or the transport took none, the connection is over.
 */
export function handlePingHeld(s: SessionState, nowMs: number): void {
  writeRecordPiece(s, nowMs); // polls would have, but the application may not want any
  if (s.lastSentMs + s.keepAliveMs <= nowMs) {
    endConnection(s, CAUSE_UNFINISHED, 0, nowMs);
    return;
  }
  s.lastReceivedMs = nowMs;
  noteSent(s, s.lastSentMs);
}
