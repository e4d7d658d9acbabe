/**
 * Which field of a plain object a decoder refused, told from where in the packet's bytes it stopped: for the errors
 * of inspect-encode.ts, whose bytes have their structure whatever their values are.
 */
import { readVarint, varintByteLength } from '../wire/varint.ts';
import { PROPERTY_KEYS } from './inspect-shape.ts';
import type { Packet } from './packet.ts';
import { Property, readProperty } from './properties.ts';
import { CONNECT, PUBLISH, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from './types.ts';
import {
  AUTHENTICATION_DATA_WITHOUT_METHOD,
  DUP_WITHOUT_QOS,
  EMPTY_LIST,
  INVALID_CONNECT_FLAGS,
  INVALID_QOS,
  INVALID_REASON_CODE,
  INVALID_TOPIC_FILTER,
  INVALID_TOPIC_NAME,
  MISSING_TOPIC_NAME,
  NO_LOCAL_ON_SHARED,
  PACKET_ID_ZERO,
  SESSION_PRESENT_WITH_ERROR,
} from './violations.ts';

/** The property section that starts with its length at `at`, and the property in it that holds `offset`. */
function propertyPath(bytes: Uint8Array, at: number, offset: number, name: string): string {
  const length = readVarint(bytes, at, bytes.length);
  at += varintByteLength(length);
  const end = at + length;
  if (offset < at || offset >= end) return '';
  const property = new Property();
  while (at <= offset) at = readProperty(bytes, at, property);
  return `${name}.${PROPERTY_KEYS[property.row]}`;
}

/** Where a PUBLISH's Property Length is: its record is filled only when all of it is right. */
function publishSectionOffset(bytes: Uint8Array): number {
  const topicAt = 1 + varintByteLength(readVarint(bytes, 1, bytes.length));
  const topicEnd = topicAt + 2 + ((bytes[topicAt] << 8) | bytes[topicAt + 1]);
  return (bytes[0] & 6) === 0 ? topicEnd : topicEnd + 2;
}

/** The offset of the Property Length of the section that `packet` says starts at `offset`. */
function sectionOffset(offset: number, end: number): number {
  return offset - varintByteLength(end - offset);
}

/** The Topic Filter, or its options, that hold `packet.violationOffset`. */
function filterPath(packet: Packet, bytes: Uint8Array): string {
  let at = packet.listOffset;
  let index = 0;
  for (;;) {
    const behind = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    const next = packet.type === SUBSCRIBE ? behind + 1 : behind;
    if (packet.violationOffset < next || next >= bytes.length) break;
    at = next;
    index++;
  }
  if (packet.type === UNSUBSCRIBE) return `topicFilters[${String(index)}]`;
  const path = `subscriptions[${String(index)}]`;
  if (packet.violation === INVALID_TOPIC_FILTER) return `${path}.topicFilter`;
  if (packet.violation === NO_LOCAL_ON_SHARED) return `${path}.noLocal`;
  return path + ((bytes[packet.violationOffset] & 3) === 3 ? '.qos' : '.retainHandling');
}

/** Path of the field that made `packet`, decoded from all of `bytes`, a violation; empty when no one field did. */
export function pathOf(packet: Packet, bytes: Uint8Array): string {
  const offset = packet.violationOffset;
  const isList = packet.type === SUBACK || packet.type === UNSUBACK;
  switch (packet.violation) {
    case INVALID_QOS:
      return packet.type === SUBSCRIBE ? filterPath(packet, bytes) : 'qos';
    case DUP_WITHOUT_QOS:
      return 'dup';
    case PACKET_ID_ZERO:
      return 'packetId';
    case SESSION_PRESENT_WITH_ERROR:
      return 'sessionPresent';
    case MISSING_TOPIC_NAME:
      return 'topicName';
    case INVALID_TOPIC_NAME:
      return packet.type === CONNECT ? 'willTopic' : 'topicName';
    case INVALID_CONNECT_FLAGS:
      return packet.qos === 3 ? 'willQos' : 'password';
    case INVALID_REASON_CODE:
      return isList ? `reasonCodes[${String(offset - packet.listOffset)}]` : 'reasonCode';
    case AUTHENTICATION_DATA_WITHOUT_METHOD:
      return 'properties.authenticationMethod';
    case EMPTY_LIST:
      if (isList) return 'reasonCodes';
      return packet.type === SUBSCRIBE ? 'subscriptions' : 'topicFilters';
    default:
  }
  if (packet.type === PUBLISH) return propertyPath(bytes, publishSectionOffset(bytes), offset, 'properties');
  const { propertiesOffset, propertiesEnd, connect } = packet;
  const isFilter = packet.type === SUBSCRIBE || packet.type === UNSUBSCRIBE;
  if (isFilter && offset >= propertiesEnd) return filterPath(packet, bytes);
  if (offset >= propertiesOffset && offset < propertiesEnd) {
    return propertyPath(bytes, sectionOffset(propertiesOffset, propertiesEnd), offset, 'properties');
  }
  if (packet.type !== CONNECT || connect === null) return '';
  const willSectionOffset = sectionOffset(connect.willPropertiesOffset, connect.willPropertiesEnd);
  return propertyPath(bytes, willSectionOffset, offset, 'willProperties');
}
