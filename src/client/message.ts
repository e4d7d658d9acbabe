/**
 * Received messages as objects of their own, and the properties of packets as plain values.
 */
import { decodeText as decodeAnyText } from '../wire/text.ts';
import { varintByteLength } from '../wire/varint.ts';
import type { Packet } from '../packets/packet.ts';
import { Property, readProperty } from '../packets/properties.ts';
import {
  P_ASSIGNED_CLIENT_IDENTIFIER,
  P_AUTHENTICATION_DATA,
  P_AUTHENTICATION_METHOD,
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MAXIMUM_PACKET_SIZE,
  P_MAXIMUM_QOS,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_REASON_STRING,
  P_RECEIVE_MAXIMUM,
  P_RESPONSE_INFORMATION,
  P_RESPONSE_TOPIC,
  P_RETAIN_AVAILABLE,
  P_SERVER_KEEP_ALIVE,
  P_SERVER_REFERENCE,
  P_SESSION_EXPIRY_INTERVAL,
  P_SHARED_SUBSCRIPTION_AVAILABLE,
  P_SUBSCRIPTION_IDENTIFIER,
  P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
  P_TOPIC_ALIAS,
  P_TOPIC_ALIAS_MAXIMUM,
  P_USER_PROPERTY,
  P_WILDCARD_SUBSCRIPTION_AVAILABLE,
} from '../packets/property-table.ts';

/** Properties under the standard's names; absent on the wire is absent here. */
export interface PacketProperties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifiers?: number[];
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  userProperties?: [string, string][];
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifiersAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

/** Keys of PacketProperties by row of the property table; rows a client never receives are missing. */
const KEYS: Record<number, keyof PacketProperties | undefined> = {
  [P_PAYLOAD_FORMAT_INDICATOR]: 'payloadFormatIndicator',
  [P_MESSAGE_EXPIRY_INTERVAL]: 'messageExpiryInterval',
  [P_CONTENT_TYPE]: 'contentType',
  [P_RESPONSE_TOPIC]: 'responseTopic',
  [P_CORRELATION_DATA]: 'correlationData',
  [P_SESSION_EXPIRY_INTERVAL]: 'sessionExpiryInterval',
  [P_ASSIGNED_CLIENT_IDENTIFIER]: 'assignedClientIdentifier',
  [P_SERVER_KEEP_ALIVE]: 'serverKeepAlive',
  [P_AUTHENTICATION_METHOD]: 'authenticationMethod',
  [P_AUTHENTICATION_DATA]: 'authenticationData',
  [P_RESPONSE_INFORMATION]: 'responseInformation',
  [P_SERVER_REFERENCE]: 'serverReference',
  [P_REASON_STRING]: 'reasonString',
  [P_RECEIVE_MAXIMUM]: 'receiveMaximum',
  [P_TOPIC_ALIAS_MAXIMUM]: 'topicAliasMaximum',
  [P_TOPIC_ALIAS]: 'topicAlias',
  [P_MAXIMUM_QOS]: 'maximumQos',
  [P_RETAIN_AVAILABLE]: 'retainAvailable',
  [P_MAXIMUM_PACKET_SIZE]: 'maximumPacketSize',
  [P_WILDCARD_SUBSCRIPTION_AVAILABLE]: 'wildcardSubscriptionAvailable',
  [P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE]: 'subscriptionIdentifiersAvailable',
  [P_SHARED_SUBSCRIPTION_AVAILABLE]: 'sharedSubscriptionAvailable',
};

const ONLY_SUBSCRIPTION_IDENTIFIER = 1 << P_SUBSCRIPTION_IDENTIFIER;

/** The properties of a decoded packet, copied out of `bytes`. */
export function readProperties(packet: Packet, bytes: Uint8Array): PacketProperties {
  if (packet.present === ONLY_SUBSCRIPTION_IDENTIFIER) {
    const value = packet.values[P_SUBSCRIPTION_IDENTIFIER];
    // Nothing but the identifier of one subscription: what nearly every message has.
    if (packet.propertiesEnd - packet.propertiesOffset === 1 + varintByteLength(value)) {
      return { subscriptionIdentifiers: [value] };
    }
  }
  const result: PacketProperties = {};
  if (packet.present === 0) return result;
  // Not one for all: what a preloaded module holds is frozen.
  const property = new Property();
  for (let at = packet.propertiesOffset; at < packet.propertiesEnd;) {
    at = readProperty(bytes, at, property);
    const { row, offset, byteLength } = property;
    if (row === P_USER_PROPERTY) {
      const { valueOffset, valueByteLength } = property;
      const value = decodeAnyText(bytes, valueOffset, valueOffset + valueByteLength);
      (result.userProperties ??= []).push([decodeAnyText(bytes, offset, offset + byteLength), value]);
    } else if (row === P_SUBSCRIPTION_IDENTIFIER) {
      (result.subscriptionIdentifiers ??= []).push(property.value);
    } else if (row === P_CORRELATION_DATA) {
      result.correlationData = bytes.slice(offset, offset + byteLength);
    } else if (row === P_AUTHENTICATION_DATA) {
      result.authenticationData = bytes.slice(offset, offset + byteLength);
    } else {
      const key = KEYS[row];
      if (key === undefined) continue;
      const isText = byteLengthIsText(row);
      (result as Record<string, unknown>)[key] = isText
        ? decodeAnyText(bytes, offset, offset + byteLength)
        : property.value;
    }
  }
  return result;
}

function byteLengthIsText(row: number): boolean {
  switch (row) {
    case P_CONTENT_TYPE:
    case P_RESPONSE_TOPIC:
    case P_ASSIGNED_CLIENT_IDENTIFIER:
    case P_AUTHENTICATION_METHOD:
    case P_RESPONSE_INFORMATION:
    case P_SERVER_REFERENCE:
    case P_REASON_STRING:
      return true;
    default:
      return false;
  }
}

const NO_PROPERTIES: PacketProperties = Object.freeze({});

/** A received message. Everything in it is its own. */
export class Message {
  readonly topicName: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  /** The server sent it before, and may have got no answer. */
  readonly dup: boolean;
  readonly properties: PacketProperties;
  private readonly acknowledger: (() => void) | undefined;

  constructor(
    topicName: string,
    payload: Uint8Array,
    qos: number,
    retain: boolean,
    dup: boolean,
    properties: PacketProperties | undefined,
    acknowledger: (() => void) | undefined,
  ) {
    this.topicName = topicName;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.dup = dup;
    this.properties = properties ?? NO_PROPERTIES;
    this.acknowledger = acknowledger;
  }

  /** The payload as UTF-8 text; what is not well-formed becomes U+FFFD. */
  text(): string {
    return decodeText(this.payload);
  }

  /** The payload parsed as JSON; throws a SyntaxError when it is not. */
  json(): unknown {
    return JSON.parse(this.text());
  }

  /** With `manualAcknowledgement`: tells the server that the message is dealt with. Otherwise does nothing. */
  acknowledge(): void {
    this.acknowledger?.();
  }
}

const textDecoder =
  typeof TextDecoder === 'undefined' ? undefined : new TextDecoder('utf-8', { ignoreBOM: true });

/** UTF-8 bytes as a string, by the engine where it can; what is not well-formed becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return textDecoder === undefined ? decodeAnyText(bytes, 0, bytes.length) : textDecoder.decode(bytes);
}
