/**
 * What goes out of a connected session: subscriptions, replays, waiting messages, acknowledgements.
 *
 * Packets are written whole into the transmit ring or not at all; but for a PUBLISH that is larger than the ring, or
 * whose payload the application gives in pieces: its head goes first, the payload as there is room, and nothing else
 * until that is done. Publishes and subscriptions leave the last bytes of the ring to the small packets that must
 * always have room.
 */
import { RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import { NO_BYTES, copyRange } from '../wire/bytes.ts';
import { EXPIRED, NO_SPACE, NOT_SUPPORTED_BY_SERVER, OK, PACKET_TOO_LARGE } from '../status.ts';
import { packetByteLength, writeTwoBytes } from '../packets/fields.ts';
import { findProperty } from '../packets/properties.ts';
import { P_MESSAGE_EXPIRY_INTERVAL } from '../packets/property-table.ts';
import { encodePublishHead, publishRemainingLength } from '../packets/publish.ts';
import { SUCCESS } from '../packets/reason-codes.ts';
import { PUBACK, PUBREC, PUBREL } from '../packets/types.ts';
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC, SLOT_DONE, SLOT_FREE } from './delivery.ts';
import { EVENT_NONE, EVENT_PUBLISHED } from './event.ts';
import { AWAIT_PUBREL, TO_ACKNOWLEDGE, WITH_APPLICATION } from './incoming.ts';
import { noteSent } from './keep-alive.ts';
import { NO_DEADLINE, NO_HANDLE, RECORD_HEAD_BYTES, writeFourBytes } from './outbox.ts';
import type { SessionState } from './state.ts';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from './store.ts';
import { sendSubscriptions } from './subscribing.ts';
import type { TopicHandle } from './topic-aliases.ts';

/** Writes PUBACK … PUBCOMP, which in 3.1.1 have no reason code; the caller has made sure of the reserved room. */
export function writeAck(
  s: SessionState,
  type: number,
  packetId: number,
  reasonCode: number,
  nowMs: number,
): void {
  const transmit = s.transmit;
  transmit.reserve(5);
  const out = transmit.bytes;
  const at = transmit.end;
  out[at] = (type << 4) | (type === PUBREL ? 2 : 0); // [MQTT-3.6.1-1]
  writeTwoBytes(out, at + 2, packetId);
  let byteLength = ACK_BYTES;
  if (reasonCode !== SUCCESS) {
    out[at + 4] = reasonCode;
    byteLength = ACK_BYTES + 1;
  }
  out[at + 1] = byteLength - 2;
  transmit.end = at + byteLength;
  noteSent(s, nowMs);
}

/** Bytes of PUBACK, PUBREC, PUBREL, PUBCOMP without a reason code. */
const ACK_BYTES = 4;

/**
 * Whether an acknowledgement can be written, and there is room left for the one that the message under way will need
 * at its end, for PINGREQ and for DISCONNECT.
 */
export function hasReservedRoom(s: SessionState): boolean {
  const needed = s.releaseQos === 0 ? RESERVED_TRANSMIT_BYTES : RESERVED_TRANSMIT_BYTES + ACK_BYTES;
  return s.transmit.freeByteLength() >= needed;
}

/**
 * Writes the acknowledgements that are due, in the order their messages came [MQTT-4.6.0-2], [MQTT-4.6.0-3]: one
 * that the application has not acknowledged holds up those behind it.
 */
export function writeDueAcks(s: SessionState, nowMs: number): void {
  const incoming = s.incoming;
  for (let i = 0; i < incoming.count && incoming.toAcknowledge > 0;) {
    const state = incoming.state(i);
    if (state === WITH_APPLICATION || !hasReservedRoom(s)) return;
    if (state !== TO_ACKNOWLEDGE) {
      i++;
      continue;
    }
    const packetId = incoming.packetId(i);
    if (incoming.qos(i) === 1) {
      incoming.remove(i);
      writeAck(s, PUBACK, packetId, 0, nowMs);
      continue;
    }
    // The identifier must be known after a power cut before the server is told [MQTT-4.3.3-10].
    if (s.store !== null && !s.store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0)) return;
    incoming.setState(i, AWAIT_PUBREL);
    writeAck(s, PUBREC, packetId, 0, nowMs);
    i++;
  }
}

/**
 * Writes a PUBLISH, with an alias where the handle has or can get one. Of its payload the first `givenByteLength` bytes
 * are written; when that is not all of it, `startPieces` has to follow. Returns OK, NO_SPACE, or PACKET_TOO_LARGE for
 * this server or this ring.
 */
export function writePublish(
  s: SessionState,
  flags: number,
  packetId: number,
  handle: TopicHandle | null,
  topic: Uint8Array,
  topicOffset: number,
  topicByteLength: number,
  properties: Uint8Array,
  propertiesOffset: number,
  propertiesByteLength: number,
  payload: Uint8Array,
  payloadOffset: number,
  payloadByteLength: number,
  givenByteLength: number,
  nowMs: number,
): number {
  let alias = handle === null ? 0 : s.outgoingAliases.choose(handle);
  const isKnown = alias !== 0 && handle !== null && handle.alias === alias;
  let nameByteLength = isKnown ? 0 : topicByteLength;
  let remaining = publishRemainingLength(
    s.codec.protocolVersion,
    nameByteLength,
    packetId,
    alias,
    propertiesByteLength,
    payloadByteLength,
  );
  let byteLength = packetByteLength(remaining);
  // Introducing the alias may be what makes it too large; and what may have to be sent again must fit with its name.
  if (
    alias !== 0 &&
    byteLength + (isKnown && packetId !== 0 ? topicByteLength : 0) > s.serverMaximumPacketSize
  ) {
    alias = 0;
    nameByteLength = topicByteLength;
    remaining = publishRemainingLength(
      s.codec.protocolVersion,
      topicByteLength,
      packetId,
      0,
      propertiesByteLength,
      payloadByteLength,
    );
    byteLength = packetByteLength(remaining);
  }
  if (byteLength > s.serverMaximumPacketSize) return PACKET_TOO_LARGE; // [MQTT-3.2.2-15]
  const transmit = s.transmit;
  const room = byteLength - payloadByteLength + givenByteLength + RESERVED_TRANSMIT_BYTES;
  if (room > transmit.bytes.length) return PACKET_TOO_LARGE;
  if (!transmit.reserve(room)) return NO_SPACE;
  const out = transmit.bytes;
  const at = encodePublishHead(
    out,
    transmit.end,
    flags,
    remaining,
    s.codec.protocolVersion,
    topic,
    topicOffset,
    nameByteLength,
    packetId,
    alias,
    properties,
    propertiesOffset,
    propertiesByteLength,
  );
  copyRange(payload, payloadOffset, payloadOffset + givenByteLength, out, at);
  transmit.end = at + givenByteLength;
  if (handle !== null && alias !== 0) s.outgoingAliases.give(handle, alias);
  noteSent(s, nowMs);
  return OK;
}

/**
 * The payload of the PUBLISH just written, `byteLength` of it, more than 0, is still to follow: from the outbox record
 * at `record`, or (-1) from the application.
 */
export function startPieces(s: SessionState, byteLength: number, record: number): void {
  s.sendRemaining = byteLength;
  s.outbox.sending = record;
  s.outbox.queuedQos0++;
}

/** Writes as much of the payload that is to follow as there is room for. Returns how many of the bytes it took. */
export function writePiece(
  s: SessionState,
  bytes: Uint8Array,
  from: number,
  byteLength: number,
  nowMs: number,
): number {
  const transmit = s.transmit;
  let count = transmit.freeByteLength() - RESERVED_TRANSMIT_BYTES;
  if (count > byteLength) count = byteLength;
  if (count > s.sendRemaining) count = s.sendRemaining;
  if (count <= 0) return 0;
  transmit.reserve(count);
  copyRange(bytes, from, from + count, transmit.bytes, transmit.end);
  transmit.end += count;
  noteSent(s, nowMs);
  s.sendRemaining -= count;
  if (s.sendRemaining > 0) return count;
  s.outbox.queuedQos0--;
  if (s.heldPacketId !== 0) {
    writeAck(s, PUBACK, s.heldPacketId, 0, nowMs);
    s.heldPacketId = 0;
  }
  return count;
}

/** Goes on with the outbox record that is being sent in pieces, if there is one. */
export function writeRecordPiece(s: SessionState, nowMs: number): void {
  const outbox = s.outbox;
  const at = outbox.sending;
  if (at < 0) return;
  const from = at + outbox.recordByteLength(at) - s.sendRemaining;
  writePiece(s, outbox.bytes, from, s.sendRemaining, nowMs);
  if (s.sendRemaining === 0 && outbox.qos(at) > 0) outbox.sending = -1;
}

/** Bytes of a PUBLISH at most, without Topic Name, properties and payload. */
const HEAD_BYTES_MAX = 5 + 2 + 2 + 4 + 3;

/** Bytes of the ring, at most, that the whole PUBLISH of the record at `at` needs. */
function roomFor(s: SessionState, at: number): number {
  return s.outbox.recordByteLength(at) - RECORD_HEAD_BYTES + HEAD_BYTES_MAX + RESERVED_TRANSMIT_BYTES;
}

/** Writes the PUBLISH of the outbox record at `at`, or begins to when it is too large for the ring: see `sendRemaining`. */
function writeRecord(s: SessionState, at: number, packetId: number, dup: number, nowMs: number): number {
  const outbox = s.outbox;
  const index = outbox.handle(at);
  const handle = index === NO_HANDLE ? null : s.outgoingAliases.handles[index];
  const topicAt = at + RECORD_HEAD_BYTES;
  const topicByteLength = outbox.topicByteLength(at);
  const propertiesAt = topicAt + topicByteLength;
  const propertiesByteLength = outbox.propertiesByteLength(at);
  const payloadAt = propertiesAt + propertiesByteLength;
  const deadline = outbox.deadlineSeconds(at);
  if (deadline !== NO_DEADLINE) {
    // What the message has waited here counts against its life, as it would in a server (3.3.2.3.3).
    const left = deadline - Math.ceil(nowMs / 1000);
    const expiryAt = findProperty(outbox.bytes, propertiesAt, P_MESSAGE_EXPIRY_INTERVAL) + 1;
    writeFourBytes(outbox.bytes, expiryAt, left < 1 ? 1 : left);
  }
  const payloadByteLength = at + outbox.recordByteLength(at) - payloadAt;
  const isWhole = payloadByteLength === 0 || roomFor(s, at) <= s.transmit.bytes.length;
  const status = writePublish(
    s,
    outbox.flags(at) | (dup << 3),
    packetId,
    handle,
    outbox.bytes,
    topicAt,
    topicByteLength,
    outbox.bytes,
    propertiesAt,
    propertiesByteLength,
    outbox.bytes,
    payloadAt,
    payloadByteLength,
    isWhole ? payloadByteLength : 0,
    nowMs,
  );
  if (status === OK && !isWhole) {
    startPieces(s, payloadByteLength, at);
    writeRecordPiece(s, nowMs);
  }
  return status;
}

/** Fills EVENT_PUBLISHED. */
export function tellPublished(s: SessionState, ticket: number, status: number, reasonCode: number): number {
  s.event.kind = EVENT_PUBLISHED;
  s.event.ticket = ticket;
  s.event.status = status;
  s.event.reasonCode = reasonCode;
  return EVENT_PUBLISHED;
}

/** Takes the message in the slot at `at` out of slots, outbox and store. */
export function completeSlot(s: SessionState, at: number): void {
  const record = s.inflight.record(at);
  if (record >= 0) s.outbox.free(record);
  if (s.store !== null) {
    // The message first: without its progress it would pass for one that was never sent.
    if (record >= 0) s.store.remove(STORED_MESSAGE, s.inflight.ticket(at));
    s.store.remove(STORED_PROGRESS, s.inflight.ticket(at));
  }
  s.inflight.free(at);
}

/** Keeps how far a message came: that it was sent under `packetId`, or (`isReleased`) that the server has it. */
export function storeProgress(
  s: SessionState,
  ticket: number,
  packetId: number,
  isReleased: number,
): boolean {
  if (s.store === null) return true;
  writeTwoBytes(s.scratch, 0, packetId);
  s.scratch[2] = isReleased;
  return s.store.put(STORED_PROGRESS, ticket, s.scratch, 0, 3);
}

/** Takes the record at `at`, which waits, out: it cannot be sent, or (QoS 0, OK) it was. Returns the event that says so. */
function finishRecord(s: SessionState, at: number, status: number): number {
  const ticket = s.outbox.ticket(at);
  if (s.store !== null && s.outbox.qos(at) > 0) s.store.remove(STORED_MESSAGE, ticket);
  s.outbox.sending = -1;
  s.outbox.free(at);
  return tellPublished(s, ticket, status, 0);
}

/** Whether this connection's server takes a message with these flags. */
export function isSupported(s: SessionState, flags: number): boolean {
  // [MQTT-3.2.2-11], [MQTT-3.2.2-14]
  return ((flags >> 1) & 3) <= s.serverMaximumQos && ((flags & 1) === 0 || s.isRetainAvailable);
}

/**
 * Sends what an earlier connection left unfinished, in order, PUBLISH with DUP [MQTT-3.3.1-1], PUBREL as it was
 * [MQTT-4.4.0-1]. Returns an event when a message must be given up, else EVENT_NONE; `isReplaying` says whether it
 * is over.
 */
function replay(s: SessionState, nowMs: number): number {
  const inflight = s.inflight;
  for (let n = 0; n < inflight.count; n++) {
    const at = inflight.position(n);
    const state = inflight.state(at);
    if (state === SLOT_FREE || inflight.isOnWire(at)) continue;
    if (state === SLOT_DONE) {
      const ticket = inflight.ticket(at);
      completeSlot(s, at);
      return tellPublished(s, ticket, OK, 0);
    }
    if (state === AWAIT_PUBCOMP) {
      if (!hasReservedRoom(s)) return EVENT_NONE;
      writeAck(s, PUBREL, inflight.packetId(at), 0, nowMs);
    } else {
      if (inflight.onWireCount >= s.serverReceiveMaximum) return EVENT_NONE; // [MQTT-4.9.0-2]
      const record = inflight.record(at);
      let status = NOT_SUPPORTED_BY_SERVER;
      if (isSupported(s, s.outbox.flags(record))) {
        status = writeRecord(s, record, inflight.packetId(at), 1, nowMs);
        if (status === NO_SPACE) return EVENT_NONE;
      }
      if (status !== OK) {
        const ticket = inflight.ticket(at);
        completeSlot(s, at);
        return tellPublished(s, ticket, status, 0);
      }
    }
    inflight.setOnWire(at);
    if (s.sendRemaining > 0) return EVENT_NONE;
  }
  s.isReplaying = false;
  return EVENT_NONE;
}

/**
 * Whether the record at `at` will fit into the ring as it is now, as far as that can be known without writing it: a
 * store is not to be told of an attempt that comes to nothing again and again. An empty ring is always worth a try.
 */
function isRoomLikely(s: SessionState, at: number): boolean {
  return s.transmit.byteLength() === 0 || s.transmit.freeByteLength() >= roomFor(s, at);
}

/** Sends waiting messages while slots, the server's Receive Maximum and the ring allow. */
function sendQueued(s: SessionState, nowMs: number): number {
  const outbox = s.outbox;
  while (outbox.next < outbox.end && s.sendRemaining === 0) {
    const at = outbox.next;
    // Messages leave in the order in which they were begun.
    if (at === outbox.filling) return EVENT_NONE;
    const qos = outbox.qos(at);
    const deadline = outbox.deadlineSeconds(at);
    if (deadline !== NO_DEADLINE && deadline * 1000 <= nowMs) return finishRecord(s, at, EXPIRED);
    if (!isSupported(s, outbox.flags(at))) return finishRecord(s, at, NOT_SUPPORTED_BY_SERVER);
    if (qos === 0) {
      const status = writeRecord(s, at, 0, 0, nowMs);
      // Until its last piece is written it stays the first that waits: should the connection end, it goes out anew.
      if (status === NO_SPACE || s.sendRemaining > 0) return EVENT_NONE;
      return finishRecord(s, at, status);
    }
    const inflight = s.inflight;
    // [MQTT-4.9.0-2]
    if (!inflight.hasRoom() || inflight.onWireCount >= s.serverReceiveMaximum) return EVENT_NONE;
    if (s.store !== null && !isRoomLikely(s, at)) return EVENT_NONE;
    const packetId = s.takePacketId();
    if (packetId === 0) return EVENT_NONE;
    const ticket = outbox.ticket(at);
    // Before a byte leaves: after a power cut the message must go out under the same identifier.
    if (!storeProgress(s, ticket, packetId, 0)) return EVENT_NONE;
    const status = writeRecord(s, at, packetId, 0, nowMs);
    if (status !== OK) {
      if (s.store !== null) s.store.remove(STORED_PROGRESS, ticket);
      return status === NO_SPACE ? EVENT_NONE : finishRecord(s, at, status);
    }
    inflight.setOnWire(inflight.add(packetId, qos === 1 ? AWAIT_PUBACK : AWAIT_PUBREC, at, ticket));
    outbox.markSent(at);
  }
  return EVENT_NONE;
}

/**
 * Sends what waits on a connected session: the rest of a packet that is half written, acknowledgements, subscriptions,
 * replays, messages, in this order. Returns the first event there is to tell, EVENT_NONE when nothing more can go out
 * now.
 */
export function sendPending(s: SessionState, nowMs: number): number {
  const outbox = s.outbox;
  // What is half written counts there, and so does what nobody was told of.
  if (outbox.queuedQos0 > 0) {
    if (s.sendRemaining > 0) {
      writeRecordPiece(s, nowMs);
      if (s.sendRemaining > 0) return EVENT_NONE;
    }
    if (outbox.sending >= 0) return finishRecord(s, outbox.sending, OK);
  }
  if (s.incoming.toAcknowledge > 0) writeDueAcks(s, nowMs);
  if (s.subscriptions.toSend > 0) {
    const kind = sendSubscriptions(s, nowMs);
    if (kind !== EVENT_NONE) return kind;
  }
  if (s.isReplaying) {
    const kind = replay(s, nowMs);
    if (kind !== EVENT_NONE || s.isReplaying) return kind;
  }
  return outbox.next < outbox.end ? sendQueued(s, nowMs) : EVENT_NONE;
}
