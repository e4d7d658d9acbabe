/**
 * Packets as plain objects, for tools, tests and people: from bytes here, to bytes in inspect-encode.ts. It may
 * allocate, so it is for no hot path; it adds no rule of its own to those of the decoder.
 */
import { OK, VIOLATION } from '../status.ts';
import { decodeUtf8 } from '../wire/utf8.ts';
import { readVarint, varintByteLength } from '../wire/varint.ts';
import { Decoder } from './codec.ts';
import { decodeRequest } from './requests.ts';
import { PROPERTY_KEYS } from './inspect-shape.ts';
import type {
  AckObject,
  ConnectObject,
  PacketObject,
  PropertiesObject,
  ProtocolOptions,
  ReasonObject,
  SubscriptionObject,
} from './inspect-shape.ts';
import { ConnectPart, Packet } from './packet.ts';
import { Property, readProperty } from './properties.ts';
import {
  PROPERTY_TABLE,
  P_SUBSCRIPTION_IDENTIFIER,
  P_USER_PROPERTY,
  TYPE_BINARY,
  TYPE_UTF8,
} from './property-table.ts';
import { violationName, violationText } from './texts.ts';
import {
  AUTH,
  CONNACK,
  CONNECT,
  CONNECT_CLEAN_START,
  CONNECT_PASSWORD,
  CONNECT_USER_NAME,
  CONNECT_WILL,
  CONNECT_WILL_RETAIN,
  DISCONNECT,
  FROM_ANYONE,
  PACKET_NAMES,
  PINGREQ,
  PINGRESP,
  PUBLISH,
  SUBACK,
  SUBSCRIBE,
  SUBSCRIBE_NO_LOCAL,
  SUBSCRIBE_RETAIN_AS_PUBLISHED,
  UNSUBACK,
  UNSUBSCRIBE,
  V5,
} from './types.ts';
import { violationReasonCode } from './violations.ts';

export { encodeObject, encodeObjectInto } from './inspect-encode.ts';
export { InspectError } from './inspect-shape.ts';
export type * from './inspect-shape.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes turned into one piece of text at a time, so that a long payload makes no long chain of short strings. */
const HEX_PIECE_BYTES = 4096;

/** `bytes[at]` up to `end` as lower-case hex digits. */
export function toHex(bytes: Uint8Array, at = 0, end = bytes.length): string {
  const pieces: string[] = [];
  while (at < end) {
    const pieceEnd = Math.min(end, at + HEX_PIECE_BYTES);
    let piece = '';
    for (; at < pieceEnd; at++) piece += HEX[bytes[at]];
    pieces.push(piece);
  }
  return pieces.join('');
}

/** The properties in `bytes[at]` up to `end`, which must be valid, as far as there are any. */
export function inspectProperties(bytes: Uint8Array, at: number, end: number): PropertiesObject | undefined {
  if (at >= end) return undefined;
  const values = new Map<number, unknown>();
  const property = new Property();
  while (at < end) {
    at = readProperty(bytes, at, property);
    const { row, offset, byteLength, valueOffset, valueByteLength } = property;
    const type = PROPERTY_TABLE[row * 3 + 1];
    if (row === P_USER_PROPERTY) {
      const pairs = (values.get(row) ?? []) as [string, string][];
      pairs.push([
        decodeUtf8(bytes, offset, offset + byteLength),
        decodeUtf8(bytes, valueOffset, valueOffset + valueByteLength),
      ]);
      values.set(row, pairs);
    } else if (row === P_SUBSCRIPTION_IDENTIFIER) {
      const identifiers = (values.get(row) ?? []) as number[];
      identifiers.push(property.value);
      values.set(row, identifiers);
    } else if (type === TYPE_UTF8) {
      values.set(row, decodeUtf8(bytes, offset, offset + byteLength));
    } else if (type === TYPE_BINARY) {
      values.set(row, toHex(bytes, offset, offset + byteLength));
    } else {
      values.set(row, property.value);
    }
  }
  const rows = [...values.keys()].sort((a, b) => a - b);
  return Object.fromEntries(rows.map((row) => [PROPERTY_KEYS[row], values.get(row)]));
}

/** `{ properties }`, or nothing when there are none. */
function propertiesOf(packet: Packet, bytes: Uint8Array): { properties?: PropertiesObject } {
  const properties = inspectProperties(bytes, packet.propertiesOffset, packet.propertiesEnd);
  return properties ? { properties } : {};
}

function inspectConnect(packet: Packet, bytes: Uint8Array): ConnectObject {
  const connect = packet.connect ?? new ConnectPart();
  const flags = connect.flags;
  const text = (offset: number, byteLength: number): string => decodeUtf8(bytes, offset, offset + byteLength);
  const object: ConnectObject = {
    type: 'CONNECT',
    protocolName: 'MQTT',
    protocolVersion: connect.protocolVersion as 4 | 5,
    cleanStart: (flags & CONNECT_CLEAN_START) !== 0,
    keepAlive: connect.keepAliveSeconds,
    ...propertiesOf(packet, bytes),
    clientId: text(connect.clientIdOffset, connect.clientIdByteLength),
  };
  if ((flags & CONNECT_WILL) !== 0) {
    object.willQos = packet.qos;
    object.willRetain = (flags & CONNECT_WILL_RETAIN) !== 0;
    const willProperties = inspectProperties(bytes, connect.willPropertiesOffset, connect.willPropertiesEnd);
    if (willProperties) object.willProperties = willProperties;
    object.willTopic = text(packet.topicOffset, packet.topicByteLength);
    object.willPayload = toHex(bytes, packet.payloadOffset, packet.payloadOffset + packet.payloadByteLength);
  }
  if ((flags & CONNECT_USER_NAME) !== 0) {
    object.userName = text(connect.userNameOffset, connect.userNameByteLength);
  }
  if ((flags & CONNECT_PASSWORD) !== 0) {
    object.password = toHex(
      bytes,
      connect.passwordOffset,
      connect.passwordOffset + connect.passwordByteLength,
    );
  }
  return object;
}

/** The Topic Filters of a SUBSCRIBE or UNSUBSCRIBE, with the Subscription Options byte behind each. */
function inspectFilters(packet: Packet, bytes: Uint8Array): { topicFilter: string; options: number }[] {
  const filters: { topicFilter: string; options: number }[] = [];
  for (let at = packet.listOffset; at < packet.listEnd;) {
    const behind = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    filters.push({ topicFilter: decodeUtf8(bytes, at + 2, behind), options: bytes[behind] });
    at = packet.type === SUBSCRIBE ? behind + 1 : behind;
  }
  return filters;
}

function inspectSubscription(topicFilter: string, options: number, isV5: boolean): SubscriptionObject {
  const qos = options & 3;
  if (!isV5) return { topicFilter, qos };
  return {
    topicFilter,
    qos,
    noLocal: (options & SUBSCRIBE_NO_LOCAL) !== 0,
    retainAsPublished: (options & SUBSCRIBE_RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: (options >> 4) & 3,
  };
}

/**
 * `packet`, which was decoded from `bytes` without violation and is all there, as a plain object.
 * `protocolVersion` is what it was read as; a CONNECT knows its own.
 */
export function inspectPacket(packet: Packet, bytes: Uint8Array, protocolVersion: number): PacketObject {
  const isV5 = protocolVersion === V5;
  const { packetId } = packet;
  switch (packet.type) {
    case CONNECT:
      return inspectConnect(packet, bytes);
    case CONNACK:
      return {
        type: 'CONNACK',
        sessionPresent: packet.sessionPresent === 1,
        reasonCode: packet.reasonCode,
        ...propertiesOf(packet, bytes),
      };
    case PUBLISH:
      return {
        type: 'PUBLISH',
        dup: packet.dup === 1,
        qos: packet.qos,
        retain: packet.retain === 1,
        topicName: decodeUtf8(bytes, packet.topicOffset, packet.topicOffset + packet.topicByteLength),
        ...(packet.qos > 0 ? { packetId } : {}),
        ...propertiesOf(packet, bytes),
        payload: toHex(bytes, packet.payloadOffset, packet.payloadOffset + packet.payloadByteLength),
      };
    case SUBSCRIBE:
      return {
        type: 'SUBSCRIBE',
        packetId,
        ...propertiesOf(packet, bytes),
        subscriptions: inspectFilters(packet, bytes).map(({ topicFilter, options }) =>
          inspectSubscription(topicFilter, options, isV5),
        ),
      };
    case UNSUBSCRIBE:
      return {
        type: 'UNSUBSCRIBE',
        packetId,
        ...propertiesOf(packet, bytes),
        topicFilters: inspectFilters(packet, bytes).map(({ topicFilter }) => topicFilter),
      };
    case SUBACK:
    case UNSUBACK: {
      const head = { packetId, ...propertiesOf(packet, bytes) };
      const reasonCodes = Array.from(bytes.subarray(packet.listOffset, packet.listEnd));
      if (packet.type === SUBACK) return { type: 'SUBACK', ...head, reasonCodes };
      return isV5 ? { type: 'UNSUBACK', ...head, reasonCodes } : { type: 'UNSUBACK', ...head };
    }
    case PINGREQ:
      return { type: 'PINGREQ' };
    case PINGRESP:
      return { type: 'PINGRESP' };
    default:
      return inspectReason(packet, bytes);
  }
}

/** What ends in a reason code and properties, both of which may be left out: PUBACK … PUBCOMP, DISCONNECT, AUTH. */
function inspectReason(packet: Packet, bytes: Uint8Array): AckObject | ReasonObject {
  const remainingLength = readVarint(bytes, packet.offset + 1, packet.end);
  const bodyOffset = packet.offset + 1 + varintByteLength(remainingLength);
  if (packet.type === DISCONNECT || packet.type === AUTH) {
    return {
      type: PACKET_NAMES[packet.type] as ReasonObject['type'],
      ...(packet.end > bodyOffset ? { reasonCode: packet.reasonCode } : {}),
      ...propertiesOf(packet, bytes),
    };
  }
  return {
    type: PACKET_NAMES[packet.type] as AckObject['type'],
    packetId: packet.packetId,
    ...(packet.end > bodyOffset + 2 ? { reasonCode: packet.reasonCode } : {}),
    ...propertiesOf(packet, bytes),
  };
}

/** How to read bytes: see decodeObjects. */
export interface DecodeOptions extends ProtocolOptions {
  /** FROM_CLIENT, FROM_SERVER, or FROM_ANYONE unless told. */
  readonly sender?: number;
  /** Whether packets behind a CONNECT are read by that CONNECT's version: so unless told otherwise. */
  readonly followsConnect?: boolean;
}

/** Why bytes are no packet. */
export interface DecodeError {
  /** The violation's stable name. */
  code: string;
  /** The standard's reason code for it. */
  reasonCode: number;
  /** The first byte of what is wrong, counted from the start of the bytes. */
  offset: number;
  /** The clause that is broken, in English. */
  message: string;
}

/** What decodeObjects found. */
export interface DecodedObjects {
  /** The packets up to the first that is wrong or not whole. */
  packets: PacketObject[];
  /** Bytes that these packets take: what is behind is wrong if there is an `error`, else the beginning of a packet. */
  consumed: number;
  /** What is behind `consumed`: empty when the bytes end with a packet. A view, not a copy. */
  rest: Uint8Array;
  /** The version that packets behind are to be read as. */
  protocolVersion: number;
  error?: DecodeError;
}

/** Decodes the packets that `bytes` begin with, up to the first that is wrong or not whole. */
export function decodeObjects(bytes: Uint8Array, options: DecodeOptions): DecodedObjects {
  const decoder = new Decoder(options.protocolVersion, options.sender ?? FROM_ANYONE, decodeRequest);
  const packet = new Packet();
  const packets: PacketObject[] = [];
  let at = 0;
  let status = OK;
  while (at < bytes.length) {
    status = decoder.decode(bytes, at, bytes.length, packet);
    if (status !== OK) break;
    packets.push(inspectPacket(packet, bytes, decoder.protocolVersion));
    if (packet.type === CONNECT && packet.connect !== null && options.followsConnect !== false) {
      decoder.protocolVersion = packet.connect.protocolVersion;
    }
    at = packet.end;
  }
  const { protocolVersion } = decoder;
  const decoded: DecodedObjects = { packets, consumed: at, rest: bytes.subarray(at), protocolVersion };
  if (status === VIOLATION) {
    decoded.error = {
      code: violationName(packet.violation),
      reasonCode: violationReasonCode(packet.violation),
      offset: packet.violationOffset,
      message: violationText(packet.violation),
    };
  }
  return decoded;
}
