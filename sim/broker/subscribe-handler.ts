/**
 * SUBSCRIBE and UNSUBSCRIBE as a server receives them (3.8 to 3.11): what is granted, what retained messages follow.
 */
import type { Packet } from '../../src/packets/packet.ts';
import { P_SUBSCRIPTION_IDENTIFIER } from '../../src/packets/property-table.ts';
import { encodeList } from '../../src/packets/subscribe.ts';
import { SUBACK, UNSUBACK, V5 } from '../../src/packets/types.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { CONNECTED, type ServerConnection } from './connection.ts';
import type { Message } from './message.ts';
import { countLevels } from './publisher.ts';
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  NOT_AUTHORIZED,
  NO_SUBSCRIPTION_EXISTED,
  QUOTA_EXCEEDED,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
  SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
  SUCCESS,
  TOPIC_FILTER_INVALID,
  UNSPECIFIED_ERROR,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
} from './reasons.ts';
import { Subscription, type Session } from './session.ts';

const SHARE = '$share/';
const RETAIN_HANDLING_ALWAYS = 0;
const RETAIN_HANDLING_IF_NEW = 1;

/** Handles SUBSCRIBE of a connected client. */
export function handleSubscribe(
  connection: ServerConnection,
  session: Session,
  packet: Packet,
  bytes: Uint8Array,
  nowMs: number,
): void {
  const { context } = connection.rooms;
  const { offer, limits } = context;
  const identifier = packet.has(P_SUBSCRIPTION_IDENTIFIER) ? packet.values[P_SUBSCRIPTION_IDENTIFIER] : 0;
  if (identifier !== 0 && !offer.areIdentifiersAvailable) {
    const text = 'subscription identifiers are not supported';
    connection.end(SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, text, nowMs); // (3.2.2.3.12)
    return;
  }
  const { packetId, listOffset, listEnd, listCount } = packet;
  const codes = new Uint8Array(listCount);
  /** Those whose retained messages follow SUBACK. */
  const wanted: Subscription[] = [];
  let at = listOffset;
  for (let index = 0; at < listEnd; index++) {
    const behind = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    const topicFilter = decodeUtf8(bytes, at + 2, behind);
    const options = bytes[behind];
    at = behind + 1;
    if (!checkOffer(connection, topicFilter, nowMs)) return;
    const refusal = checkFilter(connection, session, topicFilter);
    if (refusal !== SUCCESS) {
      codes[index] = connection.isV5 ? refusal : UNSPECIFIED_ERROR; // [v3.1.1 MQTT-3.9.3-2]
      continue;
    }
    const qos = Math.min(options & 3, offer.maximumQos); // [MQTT-3.2.2-10], [MQTT-3.8.4-8]
    codes[index] = qos;
    const isNew = subscribe(connection, session, topicFilter, (options & ~3) | qos, identifier, wanted);
    const handling = (options >> 4) & 3;
    const isWanted = handling === RETAIN_HANDLING_ALWAYS || (handling === RETAIN_HANDLING_IF_NEW && isNew);
    if (!isWanted) wanted.pop(); // [MQTT-3.3.1-10], [MQTT-3.3.1-11]
  }
  writeCodes(connection, SUBACK, packetId, codes, nowMs); // [MQTT-3.8.4-1], [MQTT-3.8.4-2]
  // The answer may have been too large, which ended the connection and perhaps the session.
  if (connection.state !== CONNECTED) return;
  // Filters that match the same many messages over and over would hold everybody up, for messages there is no room for.
  let left = limits.queuedMessagesMax + limits.retainedMessagesMax;
  for (const subscription of wanted) {
    if (left <= 0 || session.queue.count >= limits.queuedMessagesMax) {
      context.hit('queuedMessagesMax');
      break;
    }
    left -= sendRetained(connection, subscription, nowMs); // [MQTT-3.3.1-9]
  }
}

/** Whether CONNACK said that there are filters of this kind; else it ended the connection (3.2.2.3.11, 3.2.2.3.13). */
function checkOffer(connection: ServerConnection, topicFilter: string, nowMs: number): boolean {
  const { offer } = connection.rooms.context;
  const isShared = isSharedFilter(connection, topicFilter);
  if (isShared && !offer.areSharedAvailable) {
    const text = 'shared subscriptions are not supported';
    connection.end(SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, text, nowMs);
    return false;
  }
  if (!offer.areWildcardsAvailable && /[#+]/.test(topicFilter)) {
    connection.end(WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, 'wildcards are not supported', nowMs);
    return false;
  }
  return true;
}

/** SUCCESS, or why this filter is refused. */
function checkFilter(connection: ServerConnection, session: Session, topicFilter: string): number {
  const { context } = connection.rooms;
  const { limits, hooks } = context;
  const isShared = isSharedFilter(connection, topicFilter);
  const filter = isShared ? topicFilter.slice(topicFilter.indexOf('/', SHARE.length) + 1) : topicFilter;
  if (countLevels(filter) > limits.topicLevelsMax) {
    context.hit('topicLevelsMax');
    return TOPIC_FILTER_INVALID;
  }
  if (session.subscriptions.size >= limits.subscriptionsMax && !session.subscriptions.has(topicFilter)) {
    context.hit('subscriptionsMax');
    return QUOTA_EXCEEDED;
  }
  return hooks.authorise?.(connection.view, 'subscribe', filter) === false ? NOT_AUTHORIZED : SUCCESS;
}

/** 3.1.1 knows no shared subscriptions: there `$share/…` is a filter like any other. */
function isSharedFilter(connection: ServerConnection, topicFilter: string): boolean {
  return connection.protocolVersion === V5 && topicFilter.startsWith(SHARE);
}

/** Makes or replaces a subscription [MQTT-3.8.4-3]; puts it in `wanted` unless it is shared. Returns whether it is new. */
function subscribe(
  connection: ServerConnection,
  session: Session,
  topicFilter: string,
  options: number,
  identifier: number,
  wanted: Subscription[],
): boolean {
  const { router, context } = connection.rooms;
  const before = session.subscriptions.get(topicFilter);
  const group = isSharedFilter(connection, topicFilter) ? router.groupOf(topicFilter) : null;
  const subscription = new Subscription(session, topicFilter, options, identifier, group);
  router.add(subscription);
  if (before !== undefined) router.remove(before);
  session.subscriptions.set(topicFilter, subscription);
  context.keeper.putSubscription(subscription);
  wanted.push(subscription);
  return before === undefined;
}

/** Returns how many match. */
function sendRetained(connection: ServerConnection, subscription: Subscription, nowMs: number): number {
  const { publisher, deliveries } = connection.rooms;
  const { session, topicFilter, group, qos, identifiers, isNoLocal } = subscription;
  if (group !== null) return 0; // (4.8.2)
  const found: Message[] = [];
  publisher.matchRetained(topicFilter, nowMs, found);
  for (const message of found) {
    if (isNoLocal && message.publisherId === session.clientId) continue;
    // Sent because of a subscription, it says that it was retained [MQTT-3.3.1-8].
    deliveries.deliver(session, message, Math.min(message.qos, qos), true, identifiers, null, nowMs);
  }
  deliveries.finish();
  return found.length;
}

/** Handles UNSUBSCRIBE of a connected client. */
export function handleUnsubscribe(
  connection: ServerConnection,
  session: Session,
  packet: Packet,
  bytes: Uint8Array,
  nowMs: number,
): void {
  const { router, context } = connection.rooms;
  const { packetId, listOffset, listEnd, listCount } = packet;
  const codes = new Uint8Array(listCount);
  let at = listOffset;
  for (let index = 0; at < listEnd; index++) {
    const behind = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    const topicFilter = decodeUtf8(bytes, at + 2, behind);
    at = behind;
    // Character by character [MQTT-3.10.4-1].
    const subscription = session.subscriptions.get(topicFilter);
    if (subscription === undefined) {
      codes[index] = NO_SUBSCRIPTION_EXISTED;
      continue;
    }
    session.subscriptions.delete(topicFilter);
    router.remove(subscription);
    context.keeper.removeSubscription(session, topicFilter);
  }
  writeCodes(connection, UNSUBACK, packetId, codes, nowMs); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
}

/** Writes SUBACK or UNSUBACK; 3.1.1's UNSUBACK has no codes. */
function writeCodes(
  connection: ServerConnection,
  type: number,
  packetId: number,
  codes: Uint8Array,
  nowMs: number,
): void {
  const { output, rooms, protocolVersion, isV5 } = connection;
  if (rooms.context.faults.takeAcknowledgement()) return;
  const isRefused = codes.some((code) => code >= UNSPECIFIED_ERROR);
  const text = isRefused && connection.isProblemInformationWanted ? refusalText(codes) : '';
  const properties = connection.reasonProperties(text, 5 + codes.length);
  const byteLength = type === UNSUBACK && !isV5 ? 0 : codes.length;
  output.reserve(16 + properties.byteLength + byteLength);
  const { bytes, end } = output;
  const behind = encodeList(
    bytes,
    end,
    bytes.length,
    type,
    protocolVersion,
    packetId,
    properties.bytes,
    properties.byteLength,
    codes,
    byteLength,
  );
  if (behind - end > connection.maximumPacketSize) {
    const reason = 'the answer is larger than the client takes'; // [MQTT-3.1.2-24]
    connection.end(IMPLEMENTATION_SPECIFIC_ERROR, reason, nowMs);
    return;
  }
  output.end = behind;
  rooms.context.counters.packetsSent++;
  rooms.touch(connection);
}

function refusalText(codes: Uint8Array): string {
  const texts: Record<number, string> = {
    [NOT_AUTHORIZED]: 'this client may not subscribe to this filter',
    [TOPIC_FILTER_INVALID]: 'the filter has too many levels',
    [QUOTA_EXCEEDED]: 'this session has as many subscriptions as it may',
  };
  return texts[codes.find((code) => code >= UNSPECIFIED_ERROR) ?? 0] ?? '';
}
