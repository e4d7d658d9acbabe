/**
 * What comes in: packet by packet out of the receive window, each checked against the state of the connection, and
 * turned into an event, an answer, or the end of the connection.
 */
import { NEED_DATA, OK, VIOLATION } from '../status.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { CONNECT_FLAGS, CONNECT_KEEP_ALIVE } from '../packets/connect.ts';
import { byteLengthAt } from '../packets/packet.ts';
import {
  P_ASSIGNED_CLIENT_IDENTIFIER,
  P_AUTHENTICATION_METHOD,
  P_MAXIMUM_PACKET_SIZE,
  P_MAXIMUM_QOS,
  P_RECEIVE_MAXIMUM,
  P_RETAIN_AVAILABLE,
  P_SERVER_KEEP_ALIVE,
  P_SHARED_SUBSCRIPTION_AVAILABLE,
  P_TOPIC_ALIAS,
  P_TOPIC_ALIAS_MAXIMUM,
  P_WILDCARD_SUBSCRIPTION_AVAILABLE,
} from '../packets/property-table.ts';
import { PACKET_BYTES_MAX, PING_TIMEOUT_MS_DEFAULT, TWO_BYTE_INTEGER_MAX } from '../limits.ts';
import { PACKET_IDENTIFIER_NOT_FOUND, SUCCESS, UNSPECIFIED_ERROR } from '../packets/reason-codes.ts';
import {
  AUTH,
  CONNACK,
  CONNECT_CLEAN_START,
  DISCONNECT,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  UNSUBACK,
} from '../packets/types.ts';
import {
  AUTHENTICATION_METHOD_CHANGED,
  INVALID_TOPIC_ALIAS,
  QOS_NOT_GRANTED,
  REASON_CODE_COUNT,
  RECEIVE_MAXIMUM_BROKEN,
  SESSION_NOT_ASKED_FOR,
  UNEXPECTED_PACKET,
  UNKNOWN_TOPIC_ALIAS,
} from '../packets/violations.ts';
import { handleAuth, isMethodChanged } from './authenticating.ts';
import { keepClientId } from './connecting.ts';
import { CONNECTED, isAllowed } from './connection.ts';
import {
  ACT_COMPLETE,
  ACT_RELEASE,
  AWAIT_PUBCOMP,
  AWAIT_PUBREC,
  SLOT_DONE,
  SLOT_FREE,
  deliveryAction,
} from './delivery.ts';
import { endConnection, endForViolation, tellEnd } from './ending.ts';
import {
  CAUSE_REFUSED,
  CAUSE_SERVER,
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_NONE,
  EVENT_SUBSCRIBED,
  EVENT_UNSUBSCRIBED,
} from './event.ts';
import { AWAIT_PUBREL, TO_ACKNOWLEDGE, WITH_APPLICATION } from './incoming.ts';
import type { SessionState } from './state.ts';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from './store.ts';
import { FOR_SUBSCRIBE, FOR_UNSUBSCRIBE } from './subscriptions.ts';
import { NEVER } from './timers.ts';
import { forgetAliases, keepAlias } from './topic-aliases.ts';
import {
  completeSlot,
  hasReservedRoom,
  storeProgress,
  tellPublished,
  writeAck,
  writeDueAcks,
} from './transmit.ts';
import { noteSent } from './keep-alive.ts';

/** Acknowledges the last event's message, of QoS 1 or 2, unless the application does that itself. */
export function acknowledgeEvent(s: SessionState, nowMs: number): void {
  const qos = s.releaseQos;
  s.releaseQos = 0;
  if (s.isManual) return;
  if (qos === 1) {
    // In the middle of a packet there is no place for it; nor will another of QoS 1 be taken before it is written.
    if (s.sendRemaining > 0) s.heldPacketId = s.releasePacketId;
    else writeAck(s, PUBACK, s.releasePacketId, SUCCESS, nowMs); // [MQTT-4.3.2-4]
    return;
  }
  const i = s.incoming.find(s.releasePacketId);
  if (i < 0) return;
  if (s.incoming.state(i) === WITH_APPLICATION) s.incoming.acknowledge(i);
  if (s.sendRemaining === 0) writeDueAcks(s, nowMs);
}

/**
 * Takes packets out of the receive window until one makes an event; EVENT_NONE when more bytes are needed, or more
 * room in the transmit ring for the answers.
 */
export function receiveNext(s: SessionState, nowMs: number): number {
  const receive = s.receive;
  while (receive.start < receive.end) {
    if (s.streamRemaining > 0) {
      s.lastReceivedMs = nowMs;
      const kind = nextFragment(s);
      if (kind !== EVENT_NONE) return kind;
      continue;
    }
    // No room for an answer: the packet stays where it is. Back-pressure, never a drop.
    if (s.transmit.end > 0 && !hasReservedRoom(s)) return noteWaiting(s, nowMs);
    const packet = s.packet;
    let kind = s.codec.decode(receive.bytes, receive.start, receive.end, packet);
    if (kind === NEED_DATA) return noteWaiting(s, nowMs);
    const isMessage = packet.type === PUBLISH && s.connection === CONNECTED && kind !== VIOLATION;
    if (isMessage) {
      kind = handlePublish(s);
      if (kind === NEED_DATA) return noteWaiting(s, nowMs);
    }
    s.incompleteByteLength = -1;
    s.lastReceivedMs = nowMs;
    if (kind === EVENT_MESSAGE) return kind;
    if (!isMessage && kind !== VIOLATION) kind = handlePacket(s, nowMs);
    if (kind === VIOLATION) {
      endForViolation(s, packet.violation, packet.violationOffset - packet.offset, nowMs);
      return tellEnd(s);
    }
    if (kind === HELD) return EVENT_NONE;
    if (kind !== EVENT_NONE) {
      // A connection that ended takes nothing more.
      if (kind !== EVENT_DISCONNECTED) s.releaseByteLength = packet.end - packet.offset;
      s.event.bytes = receive.bytes;
      return kind;
    }
    if (s.streamRemaining === 0) receive.consume(packet.end - packet.offset);
  }
  return EVENT_NONE;
}

/** What is in the window waits for the server, to send the rest or to read: only more of it shows that the server lives. */
function noteWaiting(s: SessionState, nowMs: number): number {
  const byteLength = s.receive.byteLength();
  if (byteLength > s.incompleteByteLength) s.lastReceivedMs = nowMs;
  s.incompleteByteLength = byteLength;
  return EVENT_NONE;
}

/** The packet cannot be handled now, and stays in the window. */
const HELD = -100;

/** Whether this side has to answer the packet with one of its own. */
function isAnswered(type: number): boolean {
  return type === PUBREC || type === PUBREL || type === AUTH;
}

function handlePacket(s: SessionState, nowMs: number): number {
  const packet = s.packet;
  if (!isAllowed(s.connection, packet.type)) return packet.refuse(UNEXPECTED_PACKET, packet.offset);
  if (s.sendRemaining > 0 && isAnswered(packet.type)) return HELD;
  switch (packet.type) {
    case PUBACK:
    case PUBREC:
    case PUBCOMP:
      return handleAck(s, nowMs);
    case PUBREL:
      return handlePubrel(s, nowMs);
    case SUBACK:
    case UNSUBACK:
      return handleSubscriptionAck(s);
    case PINGRESP:
      s.pingTimeoutAtMs = NEVER;
      return EVENT_NONE;
    case CONNACK:
      return handleConnack(s, nowMs);
    case AUTH:
      return handleAuth(s);
    case DISCONNECT:
      endConnection(s, CAUSE_SERVER, packet.reasonCode, nowMs);
      return tellEnd(s);
    default:
      return EVENT_NONE;
  }
}

/** Remembers the Topic Name of the packet's alias, or finds it there. Returns OK or VIOLATION. */
function handleAlias(s: SessionState): number {
  const packet = s.packet;
  const alias = packet.values[P_TOPIC_ALIAS];
  const names = s.aliasNames;
  if (alias > s.topicAliasMaximum) return packet.refuse(INVALID_TOPIC_ALIAS, packet.offset); // [MQTT-3.3.2-9]
  if (packet.topicByteLength > 0) {
    keepAlias(names, alias, s.receive.bytes, packet.topicOffset, packet.topicByteLength);
    return OK;
  }
  const name = alias <= names.length ? names[alias - 1] : NO_BYTES;
  const byteLength = name.length > 0 ? byteLengthAt(name, 2) : 0;
  if (byteLength === 0) return packet.refuse(UNKNOWN_TOPIC_ALIAS, packet.offset); // [MQTT-3.3.2-7]
  s.event.topicBytes = name;
  s.event.topicOffset = 2;
  s.event.topicByteLength = byteLength;
  return OK;
}

/** A message of QoS 1 or 2 that this side has to answer for: EVENT_MESSAGE, EVENT_NONE for a duplicate, HELD, VIOLATION. */
function admit(s: SessionState): number {
  const packet = s.packet;
  if (s.sendRemaining > 0) return HELD;
  const incoming = s.incoming;
  const i = incoming.find(packet.packetId);
  if (packet.qos === 2 && i >= 0) {
    if (packet.dup === 1 || incoming.isNew(i) || !s.isSessionDoubted) {
      // Delivered before: not again [MQTT-4.3.3-10]. The PUBREC that was lost goes out again.
      incoming.setNew(i);
      if (incoming.state(i) === AWAIT_PUBREL) incoming.setState(i, TO_ACKNOWLEDGE);
      return EVENT_NONE;
    }
    // What is sent again says so [MQTT-3.3.1-1], but not every server does: only where this may be another session is it.
    if (s.store !== null && !s.store.remove(STORED_RECEIVED, packet.packetId)) return HELD;
    incoming.remove(i);
  }
  if (packet.qos === 1 && !s.isManual) return EVENT_MESSAGE;
  // 5.0 was told the limit [MQTT-3.3.4-9].
  if (s.isV5 && incoming.newCount >= s.receiveMaximum) {
    return packet.refuse(RECEIVE_MAXIMUM_BROKEN, packet.offset);
  }
  // A 3.1.1 server has to wait for the application, but not for PUBRELs: they come behind this packet.
  if (!s.isV5 && incoming.openCount >= s.receiveMaximum) return HELD;
  const receipt = s.nextReceipt;
  incoming.add(packet.packetId, WITH_APPLICATION, packet.qos, receipt, 1);
  s.nextReceipt = receipt === 0x7fffffff ? 1 : receipt + 1;
  if (s.isManual) s.event.receipt = receipt;
  return EVENT_MESSAGE;
}

/** EVENT_MESSAGE, EVENT_NONE for a duplicate, HELD, VIOLATION; NEED_DATA as long as a fragment would be empty. */
function handlePublish(s: SessionState): number {
  const packet = s.packet;
  const event = s.event;
  const bytes = s.receive.bytes;
  event.bytes = bytes;
  event.topicBytes = bytes;
  event.topicOffset = packet.topicOffset;
  event.topicByteLength = packet.topicByteLength;
  if ((packet.present & (1 << P_TOPIC_ALIAS)) !== 0) {
    const status = handleAlias(s);
    if (status !== OK) return status;
  }
  const qos = packet.qos;
  event.receipt = 0;
  // Payload that is not there yet, and is none of this event's.
  const missing = packet.end - s.receive.end;
  // The first fragment holds some of it, if there is room for any: two that begin at 0 would look like two messages.
  if (missing > 0 && missing === packet.payloadByteLength && s.receive.freeByteLength() > 0) return NEED_DATA;
  if (qos > 0) {
    const kind = admit(s);
    if (kind !== EVENT_MESSAGE) {
      if (kind === EVENT_NONE && missing > 0) {
        s.streamRemaining = missing;
        s.streamTotal = -1;
        s.receive.clear();
      }
      return kind;
    }
  }
  let byteLength = packet.payloadByteLength;
  event.payloadTotalByteLength = byteLength;
  event.isLast = true;
  if (missing > 0) {
    s.streamRemaining = missing;
    s.streamTotal = byteLength;
    s.streamReceipt = event.receipt;
    byteLength -= missing;
    event.isLast = false;
  }
  s.releaseByteLength = packet.payloadOffset + byteLength - packet.offset;
  s.releaseQos = qos;
  s.releasePacketId = packet.packetId;

  event.kind = EVENT_MESSAGE;
  event.hasPacket = true;
  event.qos = qos;
  event.retain = packet.retain;
  event.dup = packet.dup;
  event.payloadOffset = packet.payloadOffset;
  event.payloadByteLength = byteLength;
  event.fragmentOffset = 0;
  return EVENT_MESSAGE;
}

/** The next piece of a payload that did not fit into the window. */
function nextFragment(s: SessionState): number {
  const receive = s.receive;
  let byteLength = receive.byteLength();
  if (byteLength > s.streamRemaining) byteLength = s.streamRemaining;
  const fragmentOffset = s.streamTotal - s.streamRemaining;
  s.streamRemaining -= byteLength;
  if (s.streamTotal < 0) {
    receive.consume(byteLength);
    return EVENT_NONE;
  }
  const event = s.event;
  event.kind = EVENT_MESSAGE;
  event.hasPacket = false;
  event.bytes = receive.bytes;
  event.topicByteLength = 0;
  event.qos = s.releaseQos;
  event.receipt = s.streamReceipt;
  event.payloadOffset = receive.start;
  event.payloadByteLength = byteLength;
  event.payloadTotalByteLength = s.streamTotal;
  event.fragmentOffset = fragmentOffset;
  event.isLast = s.streamRemaining === 0;
  s.releaseByteLength = byteLength;
  return EVENT_MESSAGE;
}

/** PUBACK, PUBREC, PUBCOMP. */
function handleAck(s: SessionState, nowMs: number): number {
  const packet = s.packet;
  const inflight = s.inflight;
  const slot = inflight.find(packet.packetId);
  if (slot < 0) {
    // For PUBREC the standard has an answer; a stray PUBACK or PUBCOMP asks for none and harms nobody.
    if (packet.type === PUBREC && packet.reasonCode < UNSPECIFIED_ERROR) {
      writeAck(s, PUBREL, packet.packetId, s.isV5 ? PACKET_IDENTIFIER_NOT_FOUND : SUCCESS, nowMs);
    }
    return EVENT_NONE;
  }
  // The server cannot have the whole of it; its record is needed until it could.
  if (s.outbox.sending >= 0 && inflight.record(slot) === s.outbox.sending) return HELD;
  const action = deliveryAction(inflight.state(slot), packet.type);
  const ticket = inflight.ticket(slot);
  const isRefused = packet.type === PUBREC && packet.reasonCode >= UNSPECIFIED_ERROR;
  if (action === ACT_COMPLETE || (isRefused && inflight.state(slot) === AWAIT_PUBREC)) {
    completeSlot(s, slot);
    // The server had it at PUBREC. That it knows the identifier no more, when PUBREL was sent again, is no error (3.7.2.1).
    return tellPublished(s, ticket, OK, packet.type === PUBCOMP ? SUCCESS : packet.reasonCode);
  }
  if (action !== ACT_RELEASE) return packet.refuse(QOS_NOT_GRANTED, packet.offset);
  if (inflight.state(slot) === AWAIT_PUBREC) {
    if (!storeProgress(s, ticket, packet.packetId, 1)) return HELD;
    // Who publishes without keeping has no record.
    if (inflight.record(slot) >= 0) s.outbox.free(inflight.record(slot));
    if (s.store !== null) s.store.remove(STORED_MESSAGE, ticket);
    inflight.setRecord(slot, -1);
    inflight.setState(slot, AWAIT_PUBCOMP);
  }
  inflight.setOnWire(slot);
  writeAck(s, PUBREL, packet.packetId, SUCCESS, nowMs); // [MQTT-4.3.3-4]
  return EVENT_NONE;
}

function handlePubrel(s: SessionState, nowMs: number): number {
  const packetId = s.packet.packetId;
  const i = s.incoming.find(packetId);
  let reasonCode = SUCCESS;
  if (i >= 0 && s.incoming.qos(i) === 2 && s.incoming.state(i) === AWAIT_PUBREL) {
    // Kept after a power cut, it would have the next message with this identifier taken for a duplicate.
    if (s.store !== null && !s.store.remove(STORED_RECEIVED, packetId)) return HELD;
    s.incoming.remove(i);
  } else if (s.isV5) {
    reasonCode = PACKET_IDENTIFIER_NOT_FOUND;
  }
  writeAck(s, PUBCOMP, packetId, reasonCode, nowMs); // [MQTT-4.3.3-11]
  return EVENT_NONE;
}

function handleSubscriptionAck(s: SessionState): number {
  const packet = s.packet;
  const subscriptions = s.subscriptions;
  const group = subscriptions.findSent(packet.packetId);
  if (group < 0) return EVENT_NONE; // asked for on an earlier connection, or never
  const isSuback = packet.type === SUBACK;
  const filterAt = subscriptions.firstFilter(group);
  if (subscriptions.kind(filterAt) !== (isSuback ? FOR_SUBSCRIBE : FOR_UNSUBSCRIBE)) {
    return packet.refuse(QOS_NOT_GRANTED, packet.offset);
  }
  const hasCodes = isSuback || s.isV5;
  if (hasCodes && packet.listCount !== subscriptions.filterCount(group)) {
    return packet.refuse(REASON_CODE_COUNT, packet.listOffset); // [MQTT-3.8.4-6], [MQTT-3.11.3-1]
  }
  s.event.kind = isSuback ? EVENT_SUBSCRIBED : EVENT_UNSUBSCRIBED;
  s.event.ticket = subscriptions.ticket(group);
  s.event.status = OK;
  s.event.hasPacket = true;
  subscriptions.handleAcknowledged(group, s.receive.bytes, hasCodes ? packet.listOffset : -1);
  return s.event.kind;
}

/** The number in CONNACK, or `otherwise` when it says nothing. */
function said(s: SessionState, row: number, otherwise: number): number {
  return s.packet.has(row) ? s.packet.values[row] : otherwise;
}

function handleConnack(s: SessionState, nowMs: number): number {
  const packet = s.packet;
  if (packet.reasonCode !== SUCCESS) {
    endConnection(s, CAUSE_REFUSED, packet.reasonCode, nowMs);
    return tellEnd(s);
  }
  // [MQTT-3.2.2-4]: with Clean Start there is no session to be present.
  if (packet.sessionPresent === 1 && (s.connect[CONNECT_FLAGS] & CONNECT_CLEAN_START) !== 0) {
    return packet.refuse(SESSION_NOT_ASKED_FOR, packet.offset + 2);
  }
  const isMethodMissing = s.authenticationMethod !== null && !packet.has(P_AUTHENTICATION_METHOD);
  if (isMethodMissing || isMethodChanged(s)) {
    return packet.refuse(AUTHENTICATION_METHOD_CHANGED, packet.offset); // [MQTT-4.12.0-5]
  }
  s.serverReceiveMaximum = said(s, P_RECEIVE_MAXIMUM, TWO_BYTE_INTEGER_MAX);
  s.serverMaximumQos = said(s, P_MAXIMUM_QOS, 2);
  s.isRetainAvailable = said(s, P_RETAIN_AVAILABLE, 1) === 1;
  s.serverMaximumPacketSize = said(s, P_MAXIMUM_PACKET_SIZE, PACKET_BYTES_MAX);
  s.unavailable = 0;
  for (let row = P_WILDCARD_SUBSCRIPTION_AVAILABLE; row <= P_SHARED_SUBSCRIPTION_AVAILABLE; row++) {
    if (said(s, row, 1) === 0) s.unavailable |= 1 << row;
  }
  s.outgoingAliases.start(said(s, P_TOPIC_ALIAS_MAXIMUM, 0), s.serverMaximumPacketSize); // [MQTT-3.2.2-17], [MQTT-3.2.2-18]
  forgetAliases(s.aliasNames);
  s.keepAliveMs = said(s, P_SERVER_KEEP_ALIVE, byteLengthAt(s.connect, CONNECT_KEEP_ALIVE + 2)) * 1000; // [MQTT-3.2.2-21]
  s.pingTimeoutMs = s.pingTimeoutMsAsked;
  if (s.pingTimeoutMs === 0) {
    s.pingTimeoutMs = s.keepAliveMs < PING_TIMEOUT_MS_DEFAULT ? s.keepAliveMs : PING_TIMEOUT_MS_DEFAULT;
  }
  if (packet.has(P_ASSIGNED_CLIENT_IDENTIFIER)) keepClientId(s);

  const isSessionLost = packet.sessionPresent === 0;
  if (isSessionLost) startNewSession(s);
  s.isReplaying = s.inflight.used > 0;
  // The CONNACK that said 0 may be the one that never came: subscribing once more harms nobody, not subscribing does.
  s.subscriptions.handleConnected(isSessionLost || s.isConnackMissed);
  s.isSessionDoubted = !isSessionLost && (s.isSessionDoubted || s.isConnackMissed);
  s.isConnackMissed = false;
  s.hasSession = true;
  s.connection = CONNECTED;
  s.connectAtMs = NEVER;
  noteSent(s, s.lastSentMs);
  s.lastReceivedMs = nowMs;
  s.attempts = 0;
  s.event.kind = EVENT_CONNECTED;
  s.event.sessionPresent = packet.sessionPresent;
  s.event.reasonCode = SUCCESS;
  s.event.hasPacket = true;
  return EVENT_CONNECTED;
}

/** The server knows nothing of what was under way: all of it begins anew, in order, as new messages. */
function startNewSession(s: SessionState): void {
  const inflight = s.inflight;
  // The last first: if the power goes in between, what was sent is still what comes before what was not.
  for (let n = inflight.count - 1; n >= 0; n--) {
    const at = inflight.position(n);
    const state = inflight.state(at);
    if (state === SLOT_FREE || state === SLOT_DONE) continue;
    if (state === AWAIT_PUBCOMP) {
      inflight.setState(at, SLOT_DONE); // the server had taken it over: told when its turn comes
      continue;
    }
    if (s.store !== null) s.store.remove(STORED_PROGRESS, inflight.ticket(at));
    inflight.free(at);
  }
  s.outbox.requeue();
  if (s.store !== null) {
    for (let i = 0; i < s.incoming.count; i++) s.store.remove(STORED_RECEIVED, s.incoming.packetId(i));
  }
  s.incoming.clear();
}
