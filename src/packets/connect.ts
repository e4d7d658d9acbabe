/**
 * CONNECT and CONNACK (3.1, 3.2).
 */
import { OK } from '../status.ts';
import { writeVarint } from '../wire/varint.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { findWildcard } from '../topic.ts';
import {
  checkBinary,
  checkRoom,
  checkString,
  sectionByteLength,
  writeBinary,
  writeSection,
  writeTwoBytes,
} from './fields.ts';
import { ConnectPart } from './packet.ts';
import type { Packet } from './packet.ts';
import { decodePropertySection } from './properties.ts';
import { IN_WILL, P_USER_PROPERTY } from './property-table.ts';
import { SUCCESS, isReasonCodeValid } from './reason-codes.ts';
import {
  CONNACK,
  CONNECT,
  CONNECT_CLEAN_START,
  CONNECT_PASSWORD,
  CONNECT_USER_NAME,
  CONNECT_WILL,
  CONNECT_WILL_RETAIN,
  V3_1_1,
  V5,
} from './types.ts';
import {
  FIELD_TRUNCATED,
  INVALID_CONNECT_FLAGS,
  INVALID_REASON_CODE,
  INVALID_TOPIC_NAME,
  RESERVED_FLAGS,
  SESSION_PRESENT_WITH_ERROR,
  TRAILING_BYTES,
  UNSUPPORTED_VERSION,
} from './violations.ts';

/** Where things are behind the fixed header of a CONNECT (3.1.2); the Protocol Name comes first. */
export const CONNECT_VERSION = 6;
export const CONNECT_FLAGS = 7;
export const CONNECT_KEEP_ALIVE = 8;
export const CONNECT_PROPERTIES = 10;

const USER_PROPERTY = 1 << P_USER_PROPERTY;

/** Decodes what is behind the fixed header of a CONNECT, 5.0 or 3.1.1 by its own Protocol Version. */
export function decodeConnect(bytes: Uint8Array, at: number, packet: Packet): number {
  const end = packet.end;
  const nameAt = at;
  at = checkBinary(bytes, at, end, packet);
  if (at < 0) return at;
  // "MQTT" [MQTT-3.1.2-1]; what 3.1 and others send is refused by the version [MQTT-3.1.2-2].
  if (
    at - nameAt !== 6 ||
    bytes[nameAt + 2] !== 0x4d ||
    bytes[nameAt + 3] !== 0x51 ||
    bytes[nameAt + 4] !== 0x54 ||
    bytes[nameAt + 5] !== 0x54
  ) {
    return packet.refuse(UNSUPPORTED_VERSION, nameAt);
  }
  if (at >= end) return packet.refuse(FIELD_TRUNCATED, at);
  const version = bytes[at];
  if (version !== V5 && version !== V3_1_1) return packet.refuse(UNSUPPORTED_VERSION, at);
  const connect = packet.connect ?? new ConnectPart();
  packet.connect = connect;
  connect.protocolVersion = version;
  at++;
  if (at >= end) return packet.refuse(FIELD_TRUNCATED, at);
  const flags = bytes[at];
  connect.flags = flags;
  packet.qos = (flags >> 3) & 3;
  if ((flags & 1) !== 0) return packet.refuse(RESERVED_FLAGS, at); // [MQTT-3.1.2-3]
  if (packet.qos === 3) return packet.refuse(INVALID_CONNECT_FLAGS, at); // [MQTT-3.1.2-12]
  if ((flags & CONNECT_WILL) === 0 && (packet.qos !== 0 || (flags & CONNECT_WILL_RETAIN) !== 0)) {
    return packet.refuse(INVALID_CONNECT_FLAGS, at); // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  }
  if (version === V3_1_1 && (flags & CONNECT_PASSWORD) !== 0 && (flags & CONNECT_USER_NAME) === 0) {
    return packet.refuse(INVALID_CONNECT_FLAGS, at); // [v3.1.1 MQTT-3.1.2-22]
  }
  at++;
  if (at + 2 > end) return packet.refuse(FIELD_TRUNCATED, at);
  connect.keepAliveSeconds = (bytes[at] << 8) | bytes[at + 1];
  at += 2;
  if (version === V5) {
    at = decodePropertySection(bytes, at, end, 1 << CONNECT, USER_PROPERTY, packet);
    if (at < 0) return at;
  }
  return decodeConnectPayload(bytes, at, packet, connect);
}

/** The payload's fields are in this order, each present as its flag says [MQTT-3.1.3-1]. */
function decodeConnectPayload(bytes: Uint8Array, at: number, packet: Packet, connect: ConnectPart): number {
  const end = packet.end;
  const flags = connect.flags;
  let behind = checkString(bytes, at, end, packet); // [MQTT-3.1.3-4]
  if (behind < 0) return behind;
  connect.clientIdOffset = at + 2;
  connect.clientIdByteLength = behind - at - 2;
  at = behind;
  if ((flags & CONNECT_WILL) !== 0) {
    connect.willPropertiesOffset = at;
    connect.willPropertiesEnd = at;
    if (connect.protocolVersion === V5) {
      at = decodeWillProperties(bytes, at, packet, connect);
      if (at < 0) return at;
    }
    behind = checkString(bytes, at, end, packet); // [MQTT-3.1.3-11]
    if (behind < 0) return behind;
    const wildcard = findWildcard(bytes, at + 2, behind);
    if (wildcard >= 0) return packet.refuse(INVALID_TOPIC_NAME, wildcard); // [MQTT-4.7.0-1]
    if (behind === at + 2) return packet.refuse(INVALID_TOPIC_NAME, at); // [MQTT-4.7.3-1]
    packet.topicOffset = at + 2;
    packet.topicByteLength = behind - at - 2;
    at = behind;
    behind = checkBinary(bytes, at, end, packet);
    if (behind < 0) return behind;
    packet.payloadOffset = at + 2;
    packet.payloadByteLength = behind - at - 2;
    at = behind;
  }
  if ((flags & CONNECT_USER_NAME) !== 0) {
    behind = checkString(bytes, at, end, packet); // [MQTT-3.1.3-12]
    if (behind < 0) return behind;
    connect.userNameOffset = at + 2;
    connect.userNameByteLength = behind - at - 2;
    at = behind;
  }
  if ((flags & CONNECT_PASSWORD) !== 0) {
    behind = checkBinary(bytes, at, end, packet);
    if (behind < 0) return behind;
    connect.passwordOffset = at + 2;
    connect.passwordByteLength = behind - at - 2;
    at = behind;
  }
  return at === end ? OK : packet.refuse(TRAILING_BYTES, at);
}

/** The properties of the record stay CONNECT's; the will's are there to be walked. */
function decodeWillProperties(bytes: Uint8Array, at: number, packet: Packet, connect: ConnectPart): number {
  const present = packet.present;
  const first = packet.propertiesOffset;
  const last = packet.propertiesEnd;
  packet.propertiesOffset = at;
  packet.propertiesEnd = at;
  at = decodePropertySection(bytes, at, packet.end, IN_WILL, USER_PROPERTY, packet);
  connect.willPropertiesOffset = packet.propertiesOffset;
  connect.willPropertiesEnd = packet.propertiesEnd;
  packet.present = present;
  packet.propertiesOffset = first;
  packet.propertiesEnd = last;
  return at;
}

/** Decodes what is behind the fixed header of a CONNACK. */
export function decodeConnack(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  sender: number,
  packet: Packet,
): number {
  const end = packet.end;
  if (at >= end) return packet.refuse(FIELD_TRUNCATED, at);
  if (bytes[at] > 1) return packet.refuse(RESERVED_FLAGS, at); // [MQTT-3.2.2-1]
  if (at + 2 > end) return packet.refuse(FIELD_TRUNCATED, at + 1);
  packet.sessionPresent = bytes[at];
  packet.reasonCode = bytes[at + 1];
  if (!isReasonCodeValid(CONNACK, packet.reasonCode, sender, protocolVersion)) {
    return packet.refuse(INVALID_REASON_CODE, at + 1); // [MQTT-3.2.2-8]
  }
  if (packet.sessionPresent === 1 && packet.reasonCode !== SUCCESS) {
    return packet.refuse(SESSION_PRESENT_WITH_ERROR, at); // [MQTT-3.2.2-6]
  }
  at += 2;
  if (protocolVersion === V5) {
    at = decodePropertySection(bytes, at, end, 1 << CONNACK, USER_PROPERTY, packet);
    if (at < 0) return at;
  }
  return at === end ? OK : packet.refuse(TRAILING_BYTES, at);
}

/** What a CONNECT says. Byte arrays are the caller's, read when the packet is written, not copied before. */
export class ConnectFields {
  /** V5 or V3_1_1. */
  protocolVersion: number;
  /** Clean Start (5.0), Clean Session (3.1.1). */
  cleanStart: boolean;
  /** 0 (off) to 65,535. */
  keepAliveSeconds: number;
  /** UTF-8. */
  clientId: Uint8Array;
  /** What a PropertyWriter holds; not used by 3.1.1. */
  properties: Uint8Array;
  propertiesByteLength: number;
  /** UTF-8, or null for no will. */
  willTopic: Uint8Array | null;
  willPayload: Uint8Array;
  willQos: number;
  willRetain: boolean;
  willProperties: Uint8Array;
  willPropertiesByteLength: number;
  /** UTF-8, or null for none. */
  userName: Uint8Array | null;
  password: Uint8Array | null;

  constructor() {
    this.protocolVersion = V5;
    this.cleanStart = true;
    this.keepAliveSeconds = 0;
    this.clientId = NO_BYTES;
    this.properties = NO_BYTES;
    this.propertiesByteLength = 0;
    this.willTopic = null;
    this.willPayload = NO_BYTES;
    this.willQos = 0;
    this.willRetain = false;
    this.willProperties = NO_BYTES;
    this.willPropertiesByteLength = 0;
    this.userName = null;
    this.password = null;
  }
}

/** The Connect Flags byte that the fields make (3.1.2.3). */
function connectFlags(fields: ConnectFields): number {
  let flags = fields.cleanStart ? CONNECT_CLEAN_START : 0;
  if (fields.willTopic !== null) {
    flags |= CONNECT_WILL | (fields.willQos << 3) | (fields.willRetain ? CONNECT_WILL_RETAIN : 0);
  }
  if (fields.userName !== null) flags |= CONNECT_USER_NAME;
  if (fields.password !== null) flags |= CONNECT_PASSWORD;
  return flags;
}

/** Writes a CONNECT at `out[at]`, not beyond `limit`. Returns the offset behind it, or NO_SPACE. */
export function encodeConnect(out: Uint8Array, at: number, limit: number, fields: ConnectFields): number {
  const isV5 = fields.protocolVersion === V5;
  let length = 10 + sectionByteLength(isV5, fields.propertiesByteLength) + 2 + fields.clientId.length;
  if (fields.willTopic !== null) {
    length += sectionByteLength(isV5, fields.willPropertiesByteLength);
    length += 4 + fields.willTopic.length + fields.willPayload.length;
  }
  if (fields.userName !== null) length += 2 + fields.userName.length;
  if (fields.password !== null) length += 2 + fields.password.length;
  const status = checkRoom(at, limit, length);
  if (status < 0) return status;

  out[at++] = CONNECT << 4;
  at = writeVarint(out, at, length);
  out[at++] = 0;
  out[at++] = 4;
  out[at++] = 0x4d;
  out[at++] = 0x51;
  out[at++] = 0x54;
  out[at++] = 0x54;
  out[at++] = fields.protocolVersion;
  out[at++] = connectFlags(fields);
  at = writeTwoBytes(out, at, fields.keepAliveSeconds);
  if (isV5) at = writeSection(out, at, fields.properties, fields.propertiesByteLength);
  at = writeBinary(out, at, fields.clientId);
  if (fields.willTopic !== null) {
    if (isV5) at = writeSection(out, at, fields.willProperties, fields.willPropertiesByteLength);
    at = writeBinary(out, at, fields.willTopic);
    at = writeBinary(out, at, fields.willPayload);
  }
  if (fields.userName !== null) at = writeBinary(out, at, fields.userName);
  if (fields.password !== null) at = writeBinary(out, at, fields.password);
  return at;
}

/**
 * Writes a CONNACK at `out[at]`, not beyond `limit`. `sessionPresent` is 0 or 1, `reasonCode` under 3.1.1 the return
 * code. Returns the offset behind it, or NO_SPACE.
 */
export function encodeConnack(
  out: Uint8Array,
  at: number,
  limit: number,
  protocolVersion: number,
  sessionPresent: number,
  reasonCode: number,
  properties: Uint8Array,
  propertiesByteLength: number,
): number {
  const isV5 = protocolVersion === V5;
  const length = 2 + sectionByteLength(isV5, propertiesByteLength);
  const status = checkRoom(at, limit, length);
  if (status < 0) return status;
  out[at++] = CONNACK << 4;
  at = writeVarint(out, at, length);
  out[at++] = sessionPresent;
  out[at++] = reasonCode;
  return isV5 ? writeSection(out, at, properties, propertiesByteLength) : at;
}
