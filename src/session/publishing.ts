/**
 * Publishes on their way in: what may be published now, and where it goes.
 */
import { NO_BYTES } from '../wire/bytes.ts';
import { PUBLISH } from '../packets/types.ts';
import { check, checkArgument, checkInteger } from '../assert.ts';
import { FOUR_BYTE_INTEGER_MAX, RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import {
  CLOSED,
  DROPPED,
  NOT_CONNECTED,
  NOT_SUPPORTED_BY_SERVER,
  NO_SPACE,
  OK,
  PACKET_TOO_LARGE,
  STORE_FAILED,
} from '../status.ts';
import { findWildcard } from '../topic.ts';
import { packetByteLength } from '../packets/fields.ts';
import { skipProperty } from '../packets/properties.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import {
  PROPERTY_ROWS,
  PROPERTY_TABLE,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_RESPONSE_TOPIC,
  P_SUBSCRIPTION_IDENTIFIER,
  P_TOPIC_ALIAS,
  P_USER_PROPERTY,
} from '../packets/property-table.ts';
import { publishFlags, publishRemainingLength } from '../packets/publish.ts';
import { CLOSED_FOR_GOOD, CONNECTED } from './connection.ts';
import { SLOT_RECORD, SLOT_STRIDE } from './inflight.ts';
import { refuseOn311 } from './options.ts';
import { NO_DEADLINE, NO_HANDLE, readFourBytes } from './outbox.ts';
import type { SessionState } from './state.ts';
import { STORED_MESSAGE } from './store.ts';
import type { TopicHandle } from './topic-aliases.ts';
import { isSupported, tellPublished, writePublish } from './transmit.ts';

/** Packets that the properties may belong to. */
const PUBLISH_PLACE = 1 << PUBLISH;

/**
 * Publishes: into the transmit ring if it can go at once, else into the outbox. See Session.publish for what it returns.
 * Of the payload only the first `givenByteLength` bytes may be there; see streaming.ts for the rest.
 */
export function publish(
  s: SessionState,
  handle: TopicHandle | null,
  topic: Uint8Array,
  payload: Uint8Array,
  payloadByteLength: number,
  givenByteLength: number,
  qos: number,
  retain: number,
  properties: PropertyWriter | null,
  nowMs: number,
): number {
  if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
  checkInteger(qos, 0, 2, 'qos'); // [MQTT-3.3.1-4]
  checkInteger(retain, 0, 1, 'retain');
  const flags = publishFlags(qos, retain, 0);
  const propertiesByteLength = properties === null ? 0 : properties.byteLength;
  const propertyBytes = properties === null ? NO_BYTES : properties.bytes;
  let deadlineSeconds = NO_DEADLINE;
  if (propertiesByteLength > 0) {
    if (!s.isV5) refuseOn311('properties');
    deadlineSeconds = checkProperties(propertyBytes, propertiesByteLength, nowMs);
  }
  const isConnected = s.connection === CONNECTED;
  if (isConnected && !isSupported(s, flags)) return NOT_SUPPORTED_BY_SERVER;
  if (qos === 0) {
    if (!isConnected && !s.isQueueingQos0) return NOT_CONNECTED;
    if (isConnected && s.outbox.queuedQos0 === 0) {
      const status = writePublish(
        s,
        flags,
        0,
        handle,
        topic,
        0,
        topic.length,
        propertyBytes,
        0,
        propertiesByteLength,
        payload,
        0,
        payloadByteLength,
        givenByteLength,
        nowMs,
      );
      // What is too large for the ring may go out from the outbox, in pieces.
      if (status === OK) return OK;
    }
  }
  const remaining = publishRemainingLength(
    s.codec.protocolVersion,
    topic.length,
    qos, // whose packet identifier, if it has one, is not known yet: not 0 is all that counts
    0,
    propertiesByteLength,
    payloadByteLength,
  );
  // With the longest fixed header and an alias all that is before the payload must go through the ring in one piece.
  if (remaining - payloadByteLength + 8 + RESERVED_TRANSMIT_BYTES > s.transmit.bytes.length) {
    return PACKET_TOO_LARGE;
  }
  // [MQTT-3.2.2-15]
  if (isConnected && packetByteLength(remaining) > s.serverMaximumPacketSize) return PACKET_TOO_LARGE;
  const index = handle === null ? NO_HANDLE : handle.index;
  for (;;) {
    const at = s.outbox.add(
      s.nextTicket,
      flags,
      index,
      deadlineSeconds,
      topic,
      topic.length,
      propertyBytes,
      propertiesByteLength,
      payload,
      payloadByteLength,
      givenByteLength,
    );
    if (at >= 0) {
      if (s.store !== null && at !== s.outbox.filling && !storeMessage(s, at)) return STORE_FAILED;
      return s.takeTicket();
    }
    if (at === PACKET_TOO_LARGE) {
      if (qos > 0 || givenByteLength === payloadByteLength) return at;
      // The ring takes any payload that comes in pieces, once it is free.
      return isConnected ? NO_SPACE : NOT_CONNECTED;
    }
    const needed = remaining + 24;
    if (s.outbox.isCompactable(needed)) s.outbox.compact(s.inflight.slots, SLOT_RECORD, SLOT_STRIDE);
    else if (!s.isDropping || !dropOldestQos0(s)) return NO_SPACE;
  }
}

/** Puts the message in the record at `at` into the store, if there is one, or takes it out of the outbox when that fails. */
export function storeMessage(s: SessionState, at: number): boolean {
  const outbox = s.outbox;
  if (s.store === null || outbox.qos(at) === 0) return true;
  if (s.store.put(STORED_MESSAGE, outbox.ticket(at), outbox.bytes, at, outbox.recordByteLength(at)))
    return true;
  outbox.free(at);
  return false;
}

/** Makes room: the QoS 0 message that has waited longest goes; poll will tell. */
function dropOldestQos0(s: SessionState): boolean {
  const at = s.outbox.findOldestQos0();
  if (at < 0) return false;
  if (s.droppedCount === s.droppedTickets.length) {
    const tickets = new Uint32Array(s.droppedCount === 0 ? 4 : s.droppedCount * 2);
    tickets.set(s.droppedTickets, 0);
    s.droppedTickets = tickets;
  }
  s.droppedTickets[s.droppedCount] = s.outbox.ticket(at);
  s.droppedCount++;
  s.outbox.free(at);
  return true;
}

/** Tells of the first dropped message that nobody was told of, of which there is one. */
export function tellDropped(s: SessionState): number {
  const ticket = s.droppedTickets[s.droppedTold];
  s.droppedTold++;
  if (s.droppedTold === s.droppedCount) {
    s.droppedTold = 0;
    s.droppedCount = 0;
  }
  return tellPublished(s, ticket, DROPPED, 0);
}

/** Refuses properties that no PUBLISH of a client may have; returns when the message expires, or NO_DEADLINE. */
export function checkProperties(bytes: Uint8Array, byteLength: number, nowMs: number): number {
  let deadlineSeconds = NO_DEADLINE;
  let seen = 0;
  for (let at = 0; at < byteLength;) {
    const row = PROPERTY_ROWS[bytes[at]];
    const next = skipProperty(bytes, at);
    checkArgument(
      (seen & (1 << row)) === 0 || row === P_USER_PROPERTY,
      'properties must not hold one twice, user properties apart',
    );
    seen |= 1 << row;
    checkArgument(
      (PROPERTY_TABLE[row * 3 + 2] & PUBLISH_PLACE) !== 0 && row !== P_SUBSCRIPTION_IDENTIFIER,
      'properties must be those of a PUBLISH that a client sends [MQTT-3.3.4-6]',
    );
    checkArgument(row !== P_TOPIC_ALIAS, 'topic aliases are given by the session');
    check(
      row !== P_RESPONSE_TOPIC || (next > at + 3 && findWildcard(bytes, at + 3, next) < 0),
      'ERR_INVALID_TOPIC',
      'the response topic must be a Topic Name without wildcards [MQTT-3.3.2-14]',
    );
    if (row === P_MESSAGE_EXPIRY_INTERVAL) {
      const deadline = Math.ceil(nowMs / 1000) + readFourBytes(bytes, at + 1);
      if (deadline <= FOUR_BYTE_INTEGER_MAX) deadlineSeconds = deadline === NO_DEADLINE ? 1 : deadline;
    }
    at = next;
  }
  return deadlineSeconds;
}
