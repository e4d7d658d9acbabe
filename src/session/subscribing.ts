/**
 * SUBSCRIBE and UNSUBSCRIBE on their way out: from the caller's list into the records of subscriptions.ts, and from there
 * straight into the transmit ring.
 */
import { checkArgument } from '../assert.ts';
import { RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import { findWildcard, isShared } from '../topic.ts';
import { CLOSED, NO_SPACE, NOT_SUPPORTED_BY_SERVER, OK, PACKET_TOO_LARGE } from '../status.ts';
import { copyRange } from '../wire/bytes.ts';
import { varintByteLength, writeVarint } from '../wire/varint.ts';
import { packetByteLength, readTwoBytes, sectionByteLength, writeTwoBytes } from '../packets/fields.ts';
import { skipProperty } from '../packets/properties.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import {
  PROPERTY_ROWS,
  P_SHARED_SUBSCRIPTION_AVAILABLE,
  P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
  P_USER_PROPERTY,
  P_WILDCARD_SUBSCRIPTION_AVAILABLE,
} from '../packets/property-table.ts';
import { SUBSCRIBE, UNSUBSCRIBE } from '../packets/types.ts';
import { CLOSED_FOR_GOOD } from './connection.ts';
import { EVENT_NONE, EVENT_SUBSCRIBED, EVENT_UNSUBSCRIBED } from './event.ts';
import type { FilterList } from './filter-list.ts';
import { noteSent } from './keep-alive.ts';
import { refuseOn311 } from './options.ts';
import type { SessionState } from './state.ts';
import { FOR_PROPERTIES, FOR_SUBSCRIBE, FOR_UNSUBSCRIBE } from './subscriptions.ts';

/** Takes on what Session.subscribe (`kind` FOR_SUBSCRIBE) or `unsubscribe` asks for; returns as they do. */
export function requestFilters(
  s: SessionState,
  kind: number,
  list: FilterList,
  identifier: number,
  properties: PropertyWriter | null,
): number {
  if (s.connection === CLOSED_FOR_GOOD) return CLOSED;
  checkArgument(list.count > 0, 'there must be a topic filter [MQTT-3.8.3-2], [MQTT-3.10.3-2]');
  const subscriptions = s.subscriptions;
  const ticket = s.nextTicket;
  let status = OK;
  if (properties !== null && properties.byteLength > 0) {
    if (!s.isV5) refuseOn311('userProperties');
    checkUserProperties(properties);
    status = subscriptions.add(FOR_PROPERTIES, ticket, 0, 0, properties.bytes, 0, properties.byteLength);
  }
  const bytes = list.bytes;
  for (let at = 0; at < list.byteLength && status === OK;) {
    const filterAt = at + 2;
    const end = filterAt + readTwoBytes(bytes, at);
    status = subscriptions.add(kind, ticket, identifier, bytes[end], bytes, filterAt, end);
    at = end + 1;
  }
  if (status === OK) return s.takeTicket();
  subscriptions.removeGroup(ticket);
  return status;
}

function checkUserProperties(properties: PropertyWriter): void {
  const bytes = properties.bytes;
  for (let at = 0; at < properties.byteLength; at = skipProperty(bytes, at)) {
    checkArgument(
      PROPERTY_ROWS[bytes[at]] === P_USER_PROPERTY,
      'userProperties must hold nothing but user properties',
    );
  }
}

/** Whether this connection's server takes the subscription in the record at `at`. */
function isFilterSupported(s: SessionState, at: number): boolean {
  const subscriptions = s.subscriptions;
  if (subscriptions.kind(at) !== FOR_SUBSCRIBE) return true;
  const filterAt = subscriptions.filterOffset(at);
  const end = subscriptions.next(at);
  if (
    (s.unavailable & (1 << P_SHARED_SUBSCRIPTION_AVAILABLE)) !== 0 &&
    isShared(subscriptions.bytes, filterAt, end)
  )
    return false;
  if ((s.unavailable & (1 << P_WILDCARD_SUBSCRIPTION_AVAILABLE)) === 0) return true;
  return findWildcard(subscriptions.bytes, filterAt, end) < 0; // a Shared Subscription's name has none
}

/** Writes the SUBSCRIBE or UNSUBSCRIBE of the group at `at`. */
function writeGroup(s: SessionState, at: number, nowMs: number): number {
  const subscriptions = s.subscriptions;
  const bytes = subscriptions.bytes;
  const end = subscriptions.groupEnd(at);
  let listByteLength = 0;
  let userAt = 0;
  let userEnd = 0;
  let type = SUBSCRIBE;
  let identifier = 0;
  for (let i = at; i < end; i = subscriptions.next(i)) {
    const kind = subscriptions.kind(i);
    if (kind === FOR_PROPERTIES) {
      userAt = subscriptions.filterOffset(i);
      userEnd = subscriptions.next(i);
      continue;
    }
    if (!isFilterSupported(s, i)) return NOT_SUPPORTED_BY_SERVER;
    if (kind === FOR_UNSUBSCRIBE) type = UNSUBSCRIBE;
    if ((s.unavailable & (1 << P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE)) === 0)
      identifier = subscriptions.identifier(i);
    listByteLength +=
      2 + subscriptions.next(i) - subscriptions.filterOffset(i) + (kind === FOR_SUBSCRIBE ? 1 : 0);
  }
  const propertiesByteLength = userEnd - userAt + (identifier === 0 ? 0 : 1 + varintByteLength(identifier));
  const remaining = 2 + sectionByteLength(s.isV5, propertiesByteLength) + listByteLength;
  const byteLength = packetByteLength(remaining);
  const transmit = s.transmit;
  if (
    byteLength > s.serverMaximumPacketSize ||
    byteLength + RESERVED_TRANSMIT_BYTES > transmit.bytes.length
  ) {
    return PACKET_TOO_LARGE;
  }
  if (!transmit.reserve(byteLength + RESERVED_TRANSMIT_BYTES)) return NO_SPACE;

  const packetId = s.takePacketId();
  if (packetId === 0) return NO_SPACE;
  const out = transmit.bytes;
  let to = transmit.end;
  out[to++] = (type << 4) | 2;
  to = writeTwoBytes(out, writeVarint(out, to, remaining), packetId);
  if (s.isV5) {
    to = writeVarint(out, to, propertiesByteLength);
    if (identifier !== 0) {
      out[to++] = 0x0b;
      to = writeVarint(out, to, identifier);
    }
    copyRange(bytes, userAt, userEnd, out, to);
    to += userEnd - userAt;
  }
  for (let i = at; i < end; i = subscriptions.next(i)) {
    if (subscriptions.kind(i) === FOR_PROPERTIES) continue;
    const filterAt = subscriptions.filterOffset(i);
    const filterEnd = subscriptions.next(i);
    to = writeTwoBytes(out, to, filterEnd - filterAt);
    copyRange(bytes, filterAt, filterEnd, out, to);
    to += filterEnd - filterAt;
    if (type === SUBSCRIBE) out[to++] = subscriptions.options(i);
  }
  transmit.end = to;
  subscriptions.markGroupSent(at, packetId);
  noteSent(s, nowMs);
  return OK;
}

/** Sends a SUBSCRIBE or UNSUBSCRIBE that waits. */
export function sendSubscriptions(s: SessionState, nowMs: number): number {
  const subscriptions = s.subscriptions;
  for (let at = subscriptions.firstToSend(); at >= 0; at = subscriptions.firstToSend()) {
    const status = writeGroup(s, at, nowMs);
    if (status === NO_SPACE) return EVENT_NONE;
    if (status !== OK) {
      const ticket = subscriptions.ticket(at);
      const isUnsubscribe = subscriptions.kind(subscriptions.firstFilter(at)) === FOR_UNSUBSCRIBE;
      subscriptions.removeGroup(ticket);
      s.event.kind = isUnsubscribe ? EVENT_UNSUBSCRIBED : EVENT_SUBSCRIBED;
      s.event.ticket = ticket;
      s.event.status = status;
      return s.event.kind;
    }
  }
  return EVENT_NONE;
}
