/**
 * From plain objects to bytes: the way back of inspect.ts, by the codec's own encoders. What comes out was decoded
 * again, so that no object makes a packet that a decoder would refuse.
 */
import { STRING_BYTES_MAX, TWO_BYTE_INTEGER_MAX, VARIABLE_BYTE_INTEGER_MAX } from '../limits.ts';
import { NO_SPACE, OK } from '../status.ts';
import { writeVarint } from '../wire/varint.ts';
import { encodeAck } from './acks.ts';
import { Decoder } from './codec.ts';
import { decodeRequest } from './requests.ts';
import { ConnectFields, encodeConnack, encodeConnect } from './connect.ts';
import { encodePing, encodeReason } from './control.ts';
import { Fields, toRecord, violation } from './inspect-fields.ts';
import { pathOf } from './inspect-path.ts';
import { InspectError } from './inspect-shape.ts';
import type { PacketObject, ProtocolOptions } from './inspect-shape.ts';
import { Packet } from './packet.ts';
import { IN_WILL, PROPERTY_TABLE, P_TOPIC_ALIAS } from './property-table.ts';
import { Property, PropertyWriter, readProperty } from './properties.ts';
import { encodePublish, publishFlags } from './publish.ts';
import { encodeList, writeFilter } from './subscribe.ts';
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  FROM_ANYONE,
  PACKET_NAMES,
  PINGREQ,
  PINGRESP,
  PUBLISH,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  SUBSCRIBE_NO_LOCAL,
  SUBSCRIBE_RETAIN_AS_PUBLISHED,
  UNSUBACK,
  UNSUBSCRIBE,
  V3_1_1,
  V5,
} from './types.ts';
import { PACKET_ID_ZERO, TOO_LARGE, UNSUPPORTED_VERSION } from './violations.ts';

/** An object that was read and found to be one of the packets, ready to be written. */
interface Prepared {
  /** Bytes that the packet takes at most. */
  byteLengthMax: number;
  /** Writes it at `out[at]`, not beyond `limit`; returns the offset behind it, or NO_SPACE. */
  encode: (out: Uint8Array, at: number, limit: number) => number;
}

/** Room for the fixed header and every field of a fixed size, with plenty left. */
const FIXED_BYTES = 64;

/** Ready to be written; `byteLength` is what the parts whose length varies take at most. */
function prepared(byteLength: number, encode: Prepared['encode']): Prepared {
  if (byteLength > VARIABLE_BYTE_INTEGER_MAX) throw violation(TOO_LARGE, '');
  return { byteLengthMax: FIXED_BYTES + byteLength, encode };
}

const CONNECT_KEYS = [
  'protocolName',
  'protocolVersion',
  'cleanStart',
  'keepAlive',
  'properties',
  'clientId',
  'willQos',
  'willRetain',
  'willProperties',
  'willTopic',
  'willPayload',
  'userName',
  'password',
];

function prepareConnect(object: unknown, protocolVersion: number): Prepared {
  const fields = new Fields(object, '', CONNECT_KEYS);
  if (fields.has('protocolName') && fields.need('protocolName') !== 'MQTT') {
    throw violation(UNSUPPORTED_VERSION, 'protocolName');
  }
  const connect = new ConnectFields();
  const version = fields.integer('protocolVersion', 255, protocolVersion);
  if (version !== V5 && version !== V3_1_1) throw violation(UNSUPPORTED_VERSION, 'protocolVersion');
  connect.protocolVersion = version;
  if (version !== V5) fields.refuseBelowV5('properties', 'willProperties');
  connect.cleanStart = fields.flag('cleanStart', 1) === 1;
  connect.keepAliveSeconds = fields.integer('keepAlive', TWO_BYTE_INTEGER_MAX, 0);
  const properties = fields.properties('properties', 1 << CONNECT);
  connect.properties = properties.bytes;
  connect.propertiesByteLength = properties.byteLength;
  connect.clientId = fields.text('clientId');

  const willKeys = ['willQos', 'willRetain', 'willProperties', 'willPayload'];
  if (willKeys.some((key) => fields.has(key))) fields.need('willTopic');
  const willProperties = fields.properties('willProperties', IN_WILL);
  if (fields.has('willTopic')) {
    connect.willTopic = fields.text('willTopic');
    connect.willPayload = fields.binary('willPayload');
    connect.willQos = fields.integer('willQos', 3, 0);
    connect.willRetain = fields.flag('willRetain', 0) === 1;
    connect.willProperties = willProperties.bytes;
    connect.willPropertiesByteLength = willProperties.byteLength;
  }
  if (fields.has('userName')) connect.userName = fields.text('userName');
  if (fields.has('password')) connect.password = fields.binary('password');
  // Properties, will's properties, and five fields of a two-byte length.
  const byteLength = properties.byteLength + willProperties.byteLength + 5 * STRING_BYTES_MAX;
  return prepared(byteLength, (out, at, limit) => encodeConnect(out, at, limit, connect));
}

function prepareConnack(object: unknown, protocolVersion: number): Prepared {
  const fields = new Fields(object, '', ['sessionPresent', 'reasonCode', 'properties']);
  if (protocolVersion !== V5) fields.refuseBelowV5('properties');
  const sessionPresent = fields.flag('sessionPresent', 0);
  const reasonCode = fields.integer('reasonCode', 255, 0);
  const { bytes, byteLength } = fields.properties('properties', 1 << CONNACK);
  return prepared(byteLength, (out, at, limit) =>
    encodeConnack(out, at, limit, protocolVersion, sessionPresent, reasonCode, bytes, byteLength),
  );
}

/** Whether there is a Topic Alias among the properties. */
function hasAlias(properties: PropertyWriter): boolean {
  const property = new Property();
  for (let at = 0; at < properties.byteLength;) {
    at = readProperty(properties.bytes, at, property);
    if (property.row === P_TOPIC_ALIAS) return true;
  }
  return false;
}

const PUBLISH_KEYS = ['dup', 'qos', 'retain', 'topicName', 'packetId', 'properties', 'payload'];

function preparePublish(object: unknown, protocolVersion: number): Prepared {
  const fields = new Fields(object, '', PUBLISH_KEYS);
  if (protocolVersion !== V5) fields.refuseBelowV5('properties');
  const qos = fields.integer('qos', 3, 0);
  const flags = publishFlags(qos, fields.flag('retain', 0), fields.flag('dup', 0));
  const properties = fields.properties('properties', 1 << PUBLISH);
  // Only an alias can stand for a Topic Name.
  if (!fields.has('topicName') && !hasAlias(properties)) fields.need('topicName');
  const topic = fields.text('topicName');
  let packetId = 0;
  if (qos !== 0) {
    packetId = fields.packetId();
    // The encoder takes 0 for "has none", so the decoder would not see it.
    if (packetId === 0) throw violation(PACKET_ID_ZERO, 'packetId'); // [MQTT-2.2.1-3]
  } else if (fields.has('packetId')) {
    const rule = 'must not be there at QoS 0'; // [MQTT-2.2.1-2]
    throw new InspectError('UNEXPECTED_FIELD', 'packetId', rule);
  }
  const payload = fields.payload('payload');

  // A session hands its alias over apart from the properties; it comes out first, where it then has to belong.
  let bytes = properties.bytes.subarray(0, properties.byteLength);
  let alias = 0;
  if (bytes.length >= 3 && bytes[0] === PROPERTY_TABLE[P_TOPIC_ALIAS * 3]) {
    alias = (bytes[1] << 8) | bytes[2];
    if (alias !== 0) bytes = bytes.subarray(3);
  }
  return prepared(topic.length + properties.byteLength + payload.length, (out, at, limit) =>
    encodePublish(
      out,
      at,
      limit,
      flags,
      protocolVersion,
      topic,
      topic.length,
      packetId,
      alias,
      bytes,
      bytes.length,
      payload,
      payload.length,
    ),
  );
}

/**
 * Writes a packet that spells out a reason code although it could leave it out or leave out the properties behind:
 * the codec's encoders always take the shortest form, and an object says which form it is.
 */
function encodeLongForm(out: Uint8Array, at: number, limit: number, first: number, body: number[]): number {
  if (at + 2 + body.length > limit) return NO_SPACE;
  out[at++] = first;
  at = writeVarint(out, at, body.length);
  for (const byte of body) out[at++] = byte;
  return at;
}

function prepareAck(object: unknown, protocolVersion: number, type: number): Prepared {
  const fields = new Fields(object, '', ['packetId', 'reasonCode', 'properties']);
  if (protocolVersion !== V5) fields.refuseBelowV5('reasonCode', 'properties');
  const packetId = fields.packetId();
  const reasonCode = fields.integer('reasonCode', 255, 0);
  const { bytes, byteLength } = fields.properties('properties', 1 << type);
  if (fields.has('reasonCode') && reasonCode === 0 && byteLength === 0) {
    const first = (type << 4) | (type === PUBREL ? 2 : 0); // [MQTT-3.6.1-1]
    const body = [packetId >>> 8, packetId & 255, reasonCode];
    return prepared(0, (out, at, limit) => encodeLongForm(out, at, limit, first, body));
  }
  return prepared(byteLength, (out, at, limit) =>
    encodeAck(out, at, limit, type, protocolVersion, packetId, reasonCode, bytes, byteLength),
  );
}

function prepareReason(object: unknown, protocolVersion: number, type: number): Prepared {
  const fields = new Fields(object, '', ['reasonCode', 'properties']);
  if (protocolVersion !== V5) {
    if (type === AUTH) throw new InspectError('NOT_IN_VERSION', 'type', 'is not in MQTT 3.1.1');
    fields.refuseBelowV5('reasonCode', 'properties');
  }
  const reasonCode = fields.integer('reasonCode', 255, 0);
  const { bytes, byteLength } = fields.properties('properties', 1 << type);
  if (fields.has('reasonCode') && reasonCode === 0 && byteLength === 0) {
    // AUTH has both reason code and Property Length, or neither (3.15.2.1).
    const body = type === DISCONNECT ? [reasonCode] : [reasonCode, 0];
    return prepared(0, (out, at, limit) => encodeLongForm(out, at, limit, type << 4, body));
  }
  return prepared(byteLength, (out, at, limit) =>
    encodeReason(out, at, limit, type, protocolVersion, reasonCode, bytes, byteLength),
  );
}

/** SUBSCRIBE and its like, `list` being the payload. */
function prepareList(fields: Fields, protocolVersion: number, type: number, list: Uint8Array): Prepared {
  if (protocolVersion !== V5) fields.refuseBelowV5('properties');
  const packetId = fields.packetId();
  const { bytes, byteLength } = fields.properties('properties', 1 << type);
  return prepared(byteLength + list.length, (out, at, limit) =>
    encodeList(out, at, limit, type, protocolVersion, packetId, bytes, byteLength, list, list.length),
  );
}

/** Topic Filters, each with its options byte; with none for UNSUBSCRIBE, when `options` is empty. */
function listFilters(topicFilters: Uint8Array[], options: number[]): Uint8Array {
  const list = new Uint8Array(topicFilters.reduce((sum, filter) => sum + 3 + filter.length, 0));
  let at = 0;
  topicFilters.forEach((filter, index) => {
    at = writeFilter(list, at, list.length, filter, filter.length, options[index] ?? -1);
  });
  return list.subarray(0, at);
}

const SUBSCRIPTION_KEYS = ['topicFilter', 'qos', 'noLocal', 'retainAsPublished', 'retainHandling'];

function prepareSubscribe(object: unknown, protocolVersion: number): Prepared {
  const fields = new Fields(object, '', ['packetId', 'properties', 'subscriptions']);
  const topicFilters: Uint8Array[] = [];
  const options: number[] = [];
  for (const one of fields.objects('subscriptions', SUBSCRIPTION_KEYS)) {
    if (protocolVersion !== V5) one.refuseBelowV5('noLocal', 'retainAsPublished', 'retainHandling');
    one.need('topicFilter');
    topicFilters.push(one.text('topicFilter'));
    options.push(
      one.integer('qos', 3, 0) |
        (one.flag('noLocal', 0) * SUBSCRIBE_NO_LOCAL) |
        (one.flag('retainAsPublished', 0) * SUBSCRIBE_RETAIN_AS_PUBLISHED) |
        (one.integer('retainHandling', 3, 0) << 4),
    );
  }
  return prepareList(fields, protocolVersion, SUBSCRIBE, listFilters(topicFilters, options));
}

function prepareUnsubscribe(object: unknown, protocolVersion: number): Prepared {
  const fields = new Fields(object, '', ['packetId', 'properties', 'topicFilters']);
  return prepareList(fields, protocolVersion, UNSUBSCRIBE, listFilters(fields.texts('topicFilters'), []));
}

function prepareReasonCodes(object: unknown, protocolVersion: number, type: number): Prepared {
  const fields = new Fields(object, '', ['packetId', 'properties', 'reasonCodes']);
  const isBare = type === UNSUBACK && protocolVersion !== V5;
  if (isBare) fields.refuseBelowV5('reasonCodes');
  const list = isBare ? new Uint8Array(0) : fields.bytes('reasonCodes');
  return prepareList(fields, protocolVersion, type, list);
}

function preparePing(object: unknown, type: number): Prepared {
  new Fields(object, '', []);
  return prepared(0, (out, at, limit) => encodePing(out, at, limit, type));
}

function prepare(object: unknown, protocolVersion: number, type: number): Prepared {
  switch (type) {
    case CONNECT:
      return prepareConnect(object, protocolVersion);
    case CONNACK:
      return prepareConnack(object, protocolVersion);
    case PUBLISH:
      return preparePublish(object, protocolVersion);
    case SUBSCRIBE:
      return prepareSubscribe(object, protocolVersion);
    case UNSUBSCRIBE:
      return prepareUnsubscribe(object, protocolVersion);
    case SUBACK:
    case UNSUBACK:
      return prepareReasonCodes(object, protocolVersion, type);
    case PINGREQ:
    case PINGRESP:
      return preparePing(object, type);
    case DISCONNECT:
    case AUTH:
      return prepareReason(object, protocolVersion, type);
    default:
      return prepareAck(object, protocolVersion, type);
  }
}

/** The number of the packet type that the object names. */
function typeOf(object: unknown): number {
  const { type } = toRecord(object, '');
  if (type === undefined) throw new InspectError('MISSING_FIELD', 'type', 'must be there');
  const index = typeof type === 'string' ? PACKET_NAMES.indexOf(type) : -1;
  if (index > 0) return index;
  throw new InspectError('UNKNOWN_TYPE', 'type', `must be one of ${PACKET_NAMES.slice(1).join(', ')}`);
}

/**
 * Writes the packet that `object` is at `out[at]`, not beyond `limit`: for those who bring the room. Returns the
 * offset behind it, or NO_SPACE. Throws an InspectError as encodeObject does, but for what only a decoder finds.
 */
export function encodeObjectInto(
  object: PacketObject | Readonly<Record<string, unknown>>,
  options: ProtocolOptions,
  out: Uint8Array,
  at: number,
  limit: number,
): number {
  return prepare(object, options.protocolVersion, typeOf(object)).encode(out, at, limit);
}

/**
 * The bytes of the packet that `object` is, in canonical form: properties ascend by identifier. Throws an
 * InspectError that names the field when the object makes no packet, or one that the standard rules out.
 */
export function encodeObject(
  object: PacketObject | Readonly<Record<string, unknown>>,
  options: ProtocolOptions,
): Uint8Array {
  const { byteLengthMax, encode } = prepare(object, options.protocolVersion, typeOf(object));
  const out = new Uint8Array(byteLengthMax);
  const end = encode(out, 0, out.length);
  const bytes = out.slice(0, end);
  const packet = new Packet();
  const status = new Decoder(options.protocolVersion, FROM_ANYONE, decodeRequest).decode(
    bytes,
    0,
    end,
    packet,
  );
  if (status !== OK || packet.end !== end)
    throw violation(packet.violation, pathOf(packet, bytes), packet.violationOffset);
  return bytes;
}
