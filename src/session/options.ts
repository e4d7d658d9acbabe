/**
 * A session's options: what they may be, and what CONNECT they make. All checks are here; nothing behind them has to
 * check again.
 */
import { check, checkInteger, codedError } from '../assert.ts';
import {
  CONNECT_TIMEOUT_MS_DEFAULT,
  FOUR_BYTE_INTEGER_MAX,
  INFLIGHT_SLOTS_DEFAULT,
  PING_TIMEOUT_MS_DEFAULT,
  RECEIVE_MAXIMUM_DEFAULT,
  RECEIVE_WINDOW_BYTES_MIN,
  STRING_BYTES_MAX,
  TRANSMIT_RING_BYTES_MIN,
  TWO_BYTE_INTEGER_MAX,
} from '../limits.ts';
import { ConnectFields } from '../packets/connect.ts';
import type { Codec } from '../packets/codec.ts';
import type { Packet } from '../packets/packet.ts';
import { PropertyWriter } from '../packets/properties.ts';
import {
  P_AUTHENTICATION_DATA,
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
} from '../packets/property-table.ts';
import { V3_1_1, V5 } from '../packets/types.ts';
import { findWildcard } from '../topic.ts';
import { copyRange } from '../wire/bytes.ts';
import { encodeUtf8 } from '../wire/utf8.ts';
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

/** `text` as UTF-8; throws naming `name` when it cannot be in a packet. */
export function textBytes(text: string, name: string): Uint8Array {
  check(typeof text === 'string', 'ERR_INVALID_ARGUMENT', name + ' must be a string');
  const bytes = encodeUtf8(text);
  if (bytes === undefined) {
    throw codedError('ERR_INVALID_TEXT', name + ' holds U+0000 or an unpaired surrogate [MQTT-1.5.4-1]');
  }
  check(bytes.length <= STRING_BYTES_MAX, 'ERR_OUT_OF_RANGE', name + ' is longer than 65,535 bytes');
  return bytes;
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

/** The options of 5.0 alone, by name, to be refused for 3.1.1. */
const V5_ONLY = [
  'sessionExpirySeconds',
  'maximumPacketSize',
  'topicAliasMaximum',
  'outgoingAliasesMax',
  'requestResponseInformation',
  'requestProblemInformation',
  'userProperties',
  'authenticationMethod',
];
const V5_ONLY_WILL = [
  'willDelaySeconds',
  'messageExpirySeconds',
  'payloadFormatIndicator',
  'contentType',
  'responseTopic',
  'correlationData',
  'userProperties',
];

function refuseV5Only(options: object, names: readonly string[], prefix: string): void {
  const values = options as Record<string, unknown>;
  for (let i = 0; i < names.length; i++) {
    if (values[names[i]] !== undefined) refuseOn311(prefix + names[i]);
  }
}

/** Bytes that the properties of these options can take at most: room for a writer. */
function roomFor(
  texts: (string | Uint8Array | undefined)[],
  userProperties: UserProperties | undefined,
): number {
  let bytes = 64;
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i];
    if (text !== undefined) bytes += 3 + text.length * 3;
  }
  if (userProperties !== undefined) {
    for (let i = 0; i < userProperties.length; i++) {
      bytes += 5 + (userProperties[i][0].length + userProperties[i][1].length) * 3;
    }
  }
  return bytes;
}

function addNumber(writer: PropertyWriter, row: number, value: number | undefined, name: string): void {
  if (value === undefined) return;
  checkInteger(value, 0, FOUR_BYTE_INTEGER_MAX, name);
  check(writer.addNumber(row, value), 'ERR_OUT_OF_RANGE', name + ' is out of range: ' + String(value));
}

function addText(writer: PropertyWriter, row: number, value: string | undefined, name: string): void {
  if (value === undefined) return;
  check(
    writer.addText(row, value),
    'ERR_INVALID_TEXT',
    name + ' is not a valid UTF-8 string of 65,535 bytes at most',
  );
}

function addPairs(writer: PropertyWriter, pairs: UserProperties | undefined, name: string): void {
  if (pairs === undefined) return;
  for (let i = 0; i < pairs.length; i++) {
    check(
      writer.addPair(pairs[i][0], pairs[i][1]),
      'ERR_INVALID_TEXT',
      name + ' must be pairs of valid strings',
    );
  }
}

/** Puts the will into `fields`. */
function setWill(fields: ConnectFields, will: WillOptions): void {
  fields.willTopic = encodeTopicName(will.topicName, 'will.topicName');
  if (typeof will.payload === 'string') fields.willPayload = textBytes(will.payload, 'will.payload');
  else if (will.payload !== undefined) fields.willPayload = will.payload;
  check(
    fields.willPayload.length <= STRING_BYTES_MAX,
    'ERR_OUT_OF_RANGE',
    'will.payload is longer than 65,535 bytes',
  );
  fields.willQos = will.qos ?? 0;
  checkInteger(fields.willQos, 0, 2, 'will.qos'); // [MQTT-3.1.2-12]
  fields.willRetain = will.retain === true;
  if (fields.protocolVersion !== V5) {
    refuseV5Only(will, V5_ONLY_WILL, 'will.');
    return;
  }
  const room = roomFor([will.contentType, will.responseTopic, will.correlationData], will.userProperties);
  const writer = new PropertyWriter(new Uint8Array(room));
  addNumber(writer, P_PAYLOAD_FORMAT_INDICATOR, will.payloadFormatIndicator, 'will.payloadFormatIndicator');
  addNumber(writer, P_MESSAGE_EXPIRY_INTERVAL, will.messageExpirySeconds, 'will.messageExpirySeconds');
  addText(writer, P_CONTENT_TYPE, will.contentType, 'will.contentType');
  if (will.responseTopic !== undefined) encodeTopicName(will.responseTopic, 'will.responseTopic');
  addText(writer, P_RESPONSE_TOPIC, will.responseTopic, 'will.responseTopic');
  if (will.correlationData !== undefined) {
    check(
      writer.addBytes(P_CORRELATION_DATA, will.correlationData),
      'ERR_OUT_OF_RANGE',
      'will.correlationData',
    );
  }
  addNumber(writer, P_WILL_DELAY_INTERVAL, will.willDelaySeconds, 'will.willDelaySeconds');
  addPairs(writer, will.userProperties, 'will.userProperties');
  fields.willProperties = writer.bytes;
  fields.willPropertiesByteLength = writer.byteLength;
}

/** Checks the options and makes the fields of CONNECT; throws a coded error naming the first that is wrong. */
export function makeConnectFields(options: SessionOptions): ConnectFields {
  const fields = new ConnectFields();
  fields.protocolVersion = options.protocolVersion ?? V5;
  const isV5 = fields.protocolVersion === V5;
  check(isV5 || fields.protocolVersion === V3_1_1, 'ERR_INVALID_ARGUMENT', 'protocolVersion must be 5 or 4');
  if (!isV5) refuseV5Only(options, V5_ONLY, '');
  fields.clientId = textBytes(options.clientId ?? '', 'clientId');
  fields.cleanStart = options.cleanStart !== false;
  check(
    isV5 || fields.cleanStart || fields.clientId.length > 0,
    'ERR_INVALID_ARGUMENT',
    'clientId must not be empty when cleanStart is false [v3.1.1 MQTT-3.1.3-7]',
  );
  fields.keepAliveSeconds = options.keepAliveSeconds ?? 60;
  checkInteger(fields.keepAliveSeconds, 0, TWO_BYTE_INTEGER_MAX, 'keepAliveSeconds');
  if (options.userName !== undefined) fields.userName = textBytes(options.userName, 'userName');
  if (typeof options.password === 'string') fields.password = textBytes(options.password, 'password');
  else if (options.password !== undefined) fields.password = options.password;
  check(
    fields.password === null || fields.password.length <= STRING_BYTES_MAX,
    'ERR_OUT_OF_RANGE',
    'password is longer than 65,535 bytes',
  );
  check(
    isV5 || fields.password === null || fields.userName !== null,
    'ERR_UNSUPPORTED_ON_3_1_1',
    'password without userName needs MQTT 5.0 [v3.1.1 MQTT-3.1.2-22]',
  );
  if (options.will !== undefined) setWill(fields, options.will);
  setConnectProperties(fields, options);
  checkTimes(options);
  return fields;
}

/** Checks what no packet shows. */
function checkTimes(options: SessionOptions): void {
  checkInteger(options.topicAliasMaximum ?? 0, 0, TWO_BYTE_INTEGER_MAX, 'topicAliasMaximum');
  checkInteger(options.outgoingAliasesMax ?? 0, 0, TWO_BYTE_INTEGER_MAX, 'outgoingAliasesMax');
  connectTimeoutMsOf(options);
  pingTimeoutMsOf(options);
  const reconnect = options.reconnect;
  if (reconnect === undefined || reconnect === false) return;
  check((reconnect.firstMs ?? 0) >= 0, 'ERR_OUT_OF_RANGE', 'reconnect.firstMs must not be below 0');
  check((reconnect.maximumMs ?? 0) >= 0, 'ERR_OUT_OF_RANGE', 'reconnect.maximumMs must not be below 0');
  check((reconnect.attemptsMax ?? 0) >= 0, 'ERR_OUT_OF_RANGE', 'reconnect.attemptsMax must not be below 0');
}

/** Writes CONNECT's properties into `fields`; throws a coded error naming the first option that is wrong. */
export function setConnectProperties(fields: ConnectFields, options: SessionOptions): void {
  if (fields.protocolVersion !== V5) return;
  const room = roomFor([options.authenticationMethod], options.userProperties);
  const writer = new PropertyWriter(new Uint8Array(room));
  addNumber(writer, P_SESSION_EXPIRY_INTERVAL, options.sessionExpirySeconds, 'sessionExpirySeconds');
  addText(writer, P_AUTHENTICATION_METHOD, options.authenticationMethod, 'authenticationMethod');
  if (options.requestProblemInformation === false) writer.addNumber(P_REQUEST_PROBLEM_INFORMATION, 0);
  if (options.requestResponseInformation === true) writer.addNumber(P_REQUEST_RESPONSE_INFORMATION, 1);
  addNumber(writer, P_RECEIVE_MAXIMUM, receiveMaximumOf(options), 'receiveMaximum');
  addNumber(writer, P_TOPIC_ALIAS_MAXIMUM, options.topicAliasMaximum, 'topicAliasMaximum');
  addNumber(writer, P_MAXIMUM_PACKET_SIZE, options.maximumPacketSize, 'maximumPacketSize');
  addPairs(writer, options.userProperties, 'userProperties');
  fields.properties = new Uint8Array(writer.byteLength);
  fields.propertiesByteLength = writer.byteLength;
  copyRange(writer.bytes, 0, writer.byteLength, fields.properties, 0);
}

/** Adds the Authentication Data of one connection to CONNECT's properties, in an array of its own. */
export function addAuthenticationData(fields: ConnectFields, data: Uint8Array): void {
  const byteLength = fields.propertiesByteLength;
  const writer = new PropertyWriter(new Uint8Array(byteLength + 3 + data.length));
  copyRange(fields.properties, 0, byteLength, writer.bytes, 0);
  writer.byteLength = byteLength;
  writer.addBytes(P_AUTHENTICATION_DATA, data);
  fields.properties = writer.bytes;
  fields.propertiesByteLength = writer.byteLength;
}

export function receiveMaximumOf(options: SessionOptions): number {
  const value = options.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT;
  checkInteger(value, 1, TWO_BYTE_INTEGER_MAX, 'receiveMaximum');
  return value;
}

export function inflightMaxOf(options: SessionOptions): number {
  const value = options.inflightMax ?? INFLIGHT_SLOTS_DEFAULT;
  checkInteger(value, 1, TWO_BYTE_INTEGER_MAX, 'inflightMax');
  return value;
}

export function connectTimeoutMsOf(options: SessionOptions): number {
  const value = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT;
  check(value > 0, 'ERR_OUT_OF_RANGE', 'connectTimeoutMs must be above 0');
  return value;
}

/** Milliseconds a PINGRESP may take; never longer than the keep-alive, unless it was asked for. */
export function pingTimeoutMsOf(options: SessionOptions): number {
  const value = options.pingTimeoutMs ?? PING_TIMEOUT_MS_DEFAULT;
  check(value > 0, 'ERR_OUT_OF_RANGE', 'pingTimeoutMs must be above 0');
  return value;
}

export function checkBuffers(buffers: SessionBuffers): void {
  check(
    buffers.receive.length >= RECEIVE_WINDOW_BYTES_MIN,
    'ERR_OUT_OF_RANGE',
    'buffers.receive must have 64 bytes at least',
  );
  check(
    buffers.transmit.length >= TRANSMIT_RING_BYTES_MIN,
    'ERR_OUT_OF_RANGE',
    'buffers.transmit must have 64 bytes at least',
  );
}
