/**
 * A session's options: what they may be, and what CONNECT they make. Nothing behind the constructor of the session has to
 * check them again.
 */
import { check, checkArgument, checkInteger, checkRange, codedError } from '../assert.ts';
import {
  KEEP_ALIVE_SECONDS_DEFAULT,
  RECEIVE_MAXIMUM_DEFAULT,
  STRING_BYTES_MAX,
  TWO_BYTE_INTEGER_MAX,
} from '../limits.ts';
import {
  CONNECT_FLAGS,
  CONNECT_KEEP_ALIVE,
  CONNECT_PROPERTIES,
  CONNECT_VERSION,
} from '../packets/connect.ts';
import type { Codec } from '../packets/codec.ts';
import { writeBinary, writeTwoBytes } from '../packets/fields.ts';
import type { Packet } from '../packets/packet.ts';
import { PropertyWriter, numberMax, numberMin } from '../packets/properties.ts';
import {
  PROPERTY_TABLE,
  P_AUTHENTICATION_METHOD,
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MAXIMUM_PACKET_SIZE,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_RECEIVE_MAXIMUM,
  P_REQUEST_PROBLEM_INFORMATION,
  P_REQUEST_RESPONSE_INFORMATION,
  P_RESPONSE_TOPIC,
  P_SESSION_EXPIRY_INTERVAL,
  P_TOPIC_ALIAS_MAXIMUM,
  P_WILL_DELAY_INTERVAL,
  TYPE_BINARY,
  TYPE_VARINT,
} from '../packets/property-table.ts';
import {
  CONNECT_CLEAN_START,
  CONNECT_PASSWORD,
  CONNECT_USER_NAME,
  CONNECT_WILL,
  CONNECT_WILL_RETAIN,
  V3_1_1,
  V5,
} from '../packets/types.ts';
import { findWildcard } from '../topic.ts';
import { copyRange, moveDown } from '../wire/bytes.ts';
import { encodeUtf8, writeUtf8 } from '../wire/utf8.ts';
import { writeVarint } from '../wire/varint.ts';
import type { SessionEvent } from './event.ts';
import type { SessionStore } from './store.ts';

/** User Properties: pairs of strings, in order. */
export type UserProperties = readonly (readonly [string, string])[];

/** The will: published by the server when the connection ends other than by `disconnect` with reason 0. */
export interface WillOptions {
  /** Without wildcards, at least one character. */
  topicName: string;
  /** At most 65,535 bytes; a string goes as UTF-8. */
  payload?: Uint8Array | string | undefined;
  /** 0 to 2; default 0. */
  qos?: number | undefined;
  retain?: boolean | undefined;
  /** 5.0: seconds the server waits for the session to come back. */
  willDelaySeconds?: number | undefined;
  /** 5.0, seconds. */
  messageExpirySeconds?: number | undefined;
  /** 5.0: 1 says that the payload is UTF-8. */
  payloadFormatIndicator?: number | undefined;
  /** 5.0. */
  contentType?: string | undefined;
  /** 5.0. */
  responseTopic?: string | undefined;
  /** 5.0. */
  correlationData?: Uint8Array | undefined;
  /** 5.0. */
  userProperties?: UserProperties | undefined;
}

/** When to connect again by itself. */
export interface ReconnectOptions {
  /** Milliseconds before the first attempt, doubled for each further one; default 1,000. */
  firstMs?: number | undefined;
  /** Longest wait, milliseconds; default 60,000. */
  maximumMs?: number | undefined;
  /** Attempts in a row that may fail; default: no limit. */
  attemptsMax?: number | undefined;
  /** Also after a refusal that will not pass by itself, such as a bad password; default false. */
  afterRefusal?: boolean | undefined;
}

/** Storage, all of it the caller's; the session uses it until it is thrown away. */
export interface SessionBuffers {
  /** Receive window, 64 bytes at least. */
  receive: Uint8Array;
  /** Transmit ring, 64 bytes at least. 16 less is what any packet may have that is sent, a PUBLISH without its payload. */
  transmit: Uint8Array;
  /** QoS 1 and 2 messages until they are done, and what waits to be sent: 24 bytes and its own for each. */
  outbox: Uint8Array;
  /** Topic Filters until they are unsubscribed: 17 bytes and its own for each. */
  subscriptions: Uint8Array;
}

/** What to do with a new message when the outbox is full: refuse it, or make room by dropping waiting QoS 0. */
export const OVERFLOW_REFUSE = 0;
export const OVERFLOW_DROP_OLDEST_QOS_0 = 1;

export interface SessionOptions {
  buffers: SessionBuffers;
  /** Gives integers 0 to 4,294,967,295, for jitter. */
  random: () => number;
  /** V5 (default) or V3_1_1. */
  protocolVersion?: number | undefined;
  /** Default "": the server assigns one (3.1.1: only with cleanStart). */
  clientId?: string | undefined;
  /** Default true: begin with a new session. Later connections go on with it if it can last. */
  cleanStart?: boolean | undefined;
  /** 0 (off) to 65,535; default 60. */
  keepAliveSeconds?: number | undefined;
  userName?: string | undefined;
  password?: Uint8Array | string | undefined;
  will?: WillOptions | undefined;
  /** 5.0: seconds the session outlives its connection, 4,294,967,295 for ever; default 0. */
  sessionExpirySeconds?: number | undefined;
  /** Incoming QoS 1 and 2 messages the application may have unacknowledged, 1 to 65,535; default 16. */
  receiveMaximum?: number | undefined;
  /** 5.0: bytes of the largest packet the server may send; default: no limit. */
  maximumPacketSize?: number | undefined;
  /** 5.0: aliases the server may use, 0 to 65,535; default 0. */
  topicAliasMaximum?: number | undefined;
  /** 5.0: aliases this side uses at most; default 16. */
  outgoingAliasesMax?: number | undefined;
  /** 5.0. */
  requestResponseInformation?: boolean | undefined;
  /** 5.0; default true. */
  requestProblemInformation?: boolean | undefined;
  /** 5.0: of CONNECT. */
  userProperties?: UserProperties | undefined;
  /** 5.0: enhanced authentication; see EVENT_CONNECTING and EVENT_AUTHENTICATE. */
  authenticationMethod?: string | undefined;
  /** Outgoing QoS 1 and 2 messages in flight, 1 to 65,535; default 16. */
  inflightMax?: number | undefined;
  /** OVERFLOW_*; default OVERFLOW_REFUSE. */
  overflow?: number | undefined;
  /** Whether QoS 0 waits in the outbox while there is no connection; default true. */
  queueQos0?: boolean | undefined;
  /** QoS 1 and 2 are acknowledged by `acknowledge` instead of by the next poll; default false. */
  manualAcknowledgement?: boolean | undefined;
  /** Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Default: 10,000, or the keep-alive if that is less. */
  pingTimeoutMs?: number | undefined;
  /** Default: reconnect for ever; false for never. */
  reconnect?: ReconnectOptions | false | undefined;
  /** In-flight state is put there before it is relied on; default: kept in memory only. */
  store?: SessionStore | undefined;
  /** Default: the TypeScript decoder. */
  codec?: Codec | undefined;
  /** Records to use instead of own ones: sessions whose polls never nest may share them. */
  packet?: Packet | undefined;
  event?: SessionEvent | undefined;
}

/** Throws unless `bytes` can be a UTF-8 string or a binary datum of a packet; returns them. */
function checkLength(bytes: Uint8Array, name: string): Uint8Array {
  checkRange(bytes.length <= STRING_BYTES_MAX, name + ' is longer than 65,535 bytes');
  return bytes;
}

/** `text` as UTF-8; throws naming `name` when it cannot be in a packet. */
export function textBytes(text: string, name: string): Uint8Array {
  checkArgument(typeof text === 'string', name + ' must be a string');
  const bytes = encodeUtf8(text);
  if (bytes === undefined) {
    throw codedError('ERR_INVALID_TEXT', name + ' holds U+0000 or an unpaired surrogate [MQTT-1.5.4-1]');
  }
  return checkLength(bytes, name);
}

/** A Topic Name as bytes of its own; throws ERR_INVALID_TOPIC naming `name` and the rule. */
export function encodeTopicName(topicName: string, name: string): Uint8Array {
  const bytes = textBytes(topicName, name);
  check(bytes.length > 0, 'ERR_INVALID_TOPIC', name + ' must not be empty [MQTT-4.7.3-1]');
  check(
    findWildcard(bytes, 0, bytes.length) < 0,
    'ERR_INVALID_TOPIC',
    name + ' must not contain + or #: ' + topicName + ' [MQTT-3.3.2-2]',
  );
  return bytes;
}

/** Throws ERR_UNSUPPORTED_ON_3_1_1: an option of 5.0 was given for 3.1.1. */
export function refuseOn311(name: string): void {
  throw codedError('ERR_UNSUPPORTED_ON_3_1_1', name + ' needs MQTT 5.0, and the protocol is 3.1.1');
}

/** The option, an integer from `min` to `max`, or `otherwise` when it is not given. */
export function integerOf(
  option: number | undefined,
  name: string,
  min: number,
  max: number,
  otherwise: number,
): number {
  const value = option ?? otherwise;
  checkInteger(value, min, max, name);
  return value;
}

/** The option, a number of `min` at least, or `otherwise` when it is not given. */
export function amountOf(option: number | undefined, name: string, min: number, otherwise: number): number {
  const value = option ?? otherwise;
  checkRange(value >= min, name + ' must be ' + String(min) + ' at least');
  return value;
}

/** Bytes that all the strings and data in `value` can take in a packet at most. */
function roomFor(value: unknown): number {
  if (typeof value === 'string') return 5 + value.length * 3;
  if (value instanceof Uint8Array) return 5 + value.length;
  let bytes = 5;
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value);
    for (let i = 0; i < names.length; i++) bytes += roomFor((value as Record<string, unknown>)[names[i]]);
  }
  return bytes;
}

/**
 * Adds the property of `row` if the option is given: a truth value, a number, text or data, as the row has it. The option
 * is called by the last part of `name`, which errors give in full.
 */
function addOption(writer: PropertyWriter, row: number, options: object, name: string): void {
  const value = (options as Record<string, unknown>)[name.substring(name.lastIndexOf('.') + 1)];
  if (value === undefined) return;
  if (writer.bytes[CONNECT_VERSION] !== V5) refuseOn311(name);
  const type = PROPERTY_TABLE[row * 3 + 1];
  if (type <= TYPE_VARINT) {
    const number = typeof value === 'boolean' ? (value ? 1 : 0) : (value as number);
    checkInteger(number, numberMin(row), numberMax(type), name);
    writer.addNumber(row, number);
  } else if (type === TYPE_BINARY) writer.addBytes(row, checkLength(value as Uint8Array, name));
  else writer.addBytes(row, textBytes(value as string, name));
}

function addUserProperties(writer: PropertyWriter, pairs: UserProperties | undefined, name: string): void {
  if (pairs === undefined) return;
  if (writer.bytes[CONNECT_VERSION] !== V5) refuseOn311(name);
  for (let i = 0; i < pairs.length; i++) {
    const isAdded = writer.addPair(pairs[i][0], pairs[i][1]);
    check(isAdded, 'ERR_INVALID_TEXT', name + ' must be pairs of valid strings');
  }
}

/** Leaves room at `at` for the length of the properties that are to be written next. */
function openSection(writer: PropertyWriter, at: number): void {
  writer.byteLength = at + 4;
}

/** Gives the properties written since `openSection` their length; 3.1.1 has neither. */
function closeSection(writer: PropertyWriter, at: number): void {
  const bytes = writer.bytes;
  const byteLength = writer.byteLength - at - 4;
  if (bytes[CONNECT_VERSION] === V5) {
    const first = writeVarint(bytes, at, byteLength);
    moveDown(bytes, first, at + 4, writer.byteLength);
    at = first + byteLength;
  }
  writer.byteLength = at;
}

/** Writes a string or binary datum, which room was made for. */
function append(writer: PropertyWriter, bytes: Uint8Array): void {
  writer.byteLength = writeBinary(writer.bytes, writer.byteLength, bytes);
}

/** Data as they are, a string as UTF-8. */
function dataBytes(data: Uint8Array | string, name: string): Uint8Array {
  return typeof data === 'string' ? textBytes(data, name) : checkLength(data, name);
}

/** Writes the will, and returns its bits of the Connect Flags. */
function appendWill(writer: PropertyWriter, will: WillOptions): number {
  const at = writer.byteLength;
  openSection(writer, at);
  addOption(writer, P_PAYLOAD_FORMAT_INDICATOR, will, 'will.payloadFormatIndicator');
  addOption(writer, P_MESSAGE_EXPIRY_INTERVAL, will, 'will.messageExpirySeconds');
  addOption(writer, P_CONTENT_TYPE, will, 'will.contentType');
  if (will.responseTopic !== undefined) encodeTopicName(will.responseTopic, 'will.responseTopic');
  addOption(writer, P_RESPONSE_TOPIC, will, 'will.responseTopic');
  addOption(writer, P_CORRELATION_DATA, will, 'will.correlationData');
  addOption(writer, P_WILL_DELAY_INTERVAL, will, 'will.willDelaySeconds');
  addUserProperties(writer, will.userProperties, 'will.userProperties');
  closeSection(writer, at);
  append(writer, encodeTopicName(will.topicName, 'will.topicName'));
  append(writer, dataBytes(will.payload ?? '', 'will.payload'));
  const qos = integerOf(will.qos, 'will.qos', 0, 2, 0); // [MQTT-3.1.2-12]
  return CONNECT_WILL | (qos << 3) | (will.retain === true ? CONNECT_WILL_RETAIN : 0);
}

/**
 * Checks what CONNECT says of the options and makes it, without its fixed header: see connecting.ts. Throws a coded error
 * naming the first that is wrong. Strings and data are copied.
 */
export function encodeConnectOptions(options: SessionOptions): Uint8Array {
  const version = options.protocolVersion ?? V5;
  checkArgument(version === V5 || version === V3_1_1, 'protocolVersion must be 5 or 4');
  const room = roomFor([
    options.clientId,
    options.userName,
    options.password,
    options.will,
    options.userProperties,
    options.authenticationMethod,
  ]);
  const writer = new PropertyWriter(new Uint8Array(64 + room));
  const bytes = writer.bytes;
  writeUtf8('\0\u0004MQTT', bytes, 0);
  bytes[CONNECT_VERSION] = version;
  const keepAliveSeconds = integerOf(
    options.keepAliveSeconds,
    'keepAliveSeconds',
    0,
    TWO_BYTE_INTEGER_MAX,
    KEEP_ALIVE_SECONDS_DEFAULT,
  );
  writeTwoBytes(bytes, CONNECT_KEEP_ALIVE, keepAliveSeconds);

  openSection(writer, CONNECT_PROPERTIES);
  addOption(writer, P_SESSION_EXPIRY_INTERVAL, options, 'sessionExpirySeconds');
  addOption(writer, P_AUTHENTICATION_METHOD, options, 'authenticationMethod');
  addOption(writer, P_REQUEST_PROBLEM_INFORMATION, options, 'requestProblemInformation');
  addOption(writer, P_REQUEST_RESPONSE_INFORMATION, options, 'requestResponseInformation');
  const receiveMaximum = integerOf(
    options.receiveMaximum,
    'receiveMaximum',
    1,
    TWO_BYTE_INTEGER_MAX,
    RECEIVE_MAXIMUM_DEFAULT,
  );
  writer.addNumber(P_RECEIVE_MAXIMUM, receiveMaximum);
  addOption(writer, P_TOPIC_ALIAS_MAXIMUM, options, 'topicAliasMaximum');
  addOption(writer, P_MAXIMUM_PACKET_SIZE, options, 'maximumPacketSize');
  addUserProperties(writer, options.userProperties, 'userProperties');
  closeSection(writer, CONNECT_PROPERTIES);

  // The payload's fields are in this order [MQTT-3.1.3-1].
  append(writer, textBytes(options.clientId ?? '', 'clientId'));
  let flags = options.cleanStart === false ? 0 : CONNECT_CLEAN_START;
  checkArgument(
    version === V5 || flags !== 0 || writer.byteLength > CONNECT_PROPERTIES + 2,
    'clientId must not be empty when cleanStart is false [v3.1.1 MQTT-3.1.3-7]',
  );
  if (options.will !== undefined) flags |= appendWill(writer, options.will);
  if (options.userName !== undefined) {
    flags |= CONNECT_USER_NAME;
    append(writer, textBytes(options.userName, 'userName'));
  }
  if (options.password !== undefined) {
    if (version !== V5 && options.userName === undefined) refuseOn311('password without userName'); // [v3.1.1 MQTT-3.1.2-22]
    flags |= CONNECT_PASSWORD;
    append(writer, dataBytes(options.password, 'password'));
  }
  bytes[CONNECT_FLAGS] = flags;
  const connect = new Uint8Array(writer.byteLength);
  copyRange(bytes, 0, writer.byteLength, connect, 0);
  return connect;
}
