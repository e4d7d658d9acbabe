/**
 * Properties of MQTT 5 packets as plain objects, both directions: keys are the standard's names in camel case, flags are
 * 0 or 1, binary data ArrayBuffers, `userProperties` pairs of strings. Knows which value a property has, not which packet
 * may have it.
 */
import { checkInteger } from '../../src/assert.ts';
import { FOUR_BYTE_INTEGER_MAX } from '../../src/limits.ts';
import type { Packet } from '../../src/packets/packet.ts';
import { PropertyWriter, readProperty } from '../../src/packets/properties.ts';
import type { Property } from '../../src/packets/properties.ts';
import {
  PROPERTY_TABLE,
  P_SUBSCRIPTION_IDENTIFIER,
  P_TOPIC_ALIAS,
  TYPE_BINARY,
  TYPE_PAIR,
  TYPE_UTF8,
} from '../../src/packets/property-table.ts';
import { decodeText } from '../../src/wire/text.ts';
import { checkArgument, viewOf } from './mqtt-bytes.ts';
import type { Bytes } from './mqtt-bytes.ts';

/** Properties by name. A received `subscriptionIdentifier` is a list: a message may match several subscriptions. */
export type Properties = Record<
  string,
  string | number | boolean | Bytes | number[] | readonly (readonly [string, string])[] | undefined
>;

/** By row of the property table. */
// prettier-ignore
const NAMES = [
  'payloadFormatIndicator', 'messageExpiryInterval', 'contentType', 'responseTopic', 'correlationData',
  'subscriptionIdentifier', 'sessionExpiryInterval', 'assignedClientIdentifier', 'serverKeepAlive',
  'authenticationMethod', 'authenticationData', 'requestProblemInformation', 'willDelayInterval',
  'requestResponseInformation', 'responseInformation', 'serverReference', 'reasonString', 'receiveMaximum',
  'topicAliasMaximum', 'topicAlias', 'maximumQos', 'retainAvailable', 'userProperties', 'maximumPacketSize',
  'wildcardSubscriptionAvailable', 'subscriptionIdentifiersAvailable', 'sharedSubscriptionAvailable',
];

/**
 * The properties of a decoded packet, copied out of `bytes`; undefined when it has none, a Topic Alias apart, which the
 * session has dealt with. `property` is for looking at them one by one.
 */
export function readProperties(
  packet: Packet,
  bytes: Uint8Array,
  property: Property,
): Properties | undefined {
  let result: Record<string, unknown> | undefined;
  for (let at = packet.propertiesOffset; at < packet.propertiesEnd;) {
    at = readProperty(bytes, at, property);
    const row = property.row;
    if (row === P_TOPIC_ALIAS) continue;
    result ??= {};
    const name = NAMES[row];
    const type = PROPERTY_TABLE[row * 3 + 1];
    const from = property.offset;
    const to = from + property.byteLength;
    if (type === TYPE_PAIR) {
      const pairs = (result[name] ??= []) as [string, string][];
      const valueAt = property.valueOffset;
      pairs.push([
        decodeText(bytes, from, to),
        decodeText(bytes, valueAt, valueAt + property.valueByteLength),
      ]);
    } else if (row === P_SUBSCRIPTION_IDENTIFIER) {
      ((result[name] ??= []) as number[]).push(property.value);
    } else if (type === TYPE_UTF8) result[name] = decodeText(bytes, from, to);
    else if (type === TYPE_BINARY) result[name] = bytes.slice(from, to).buffer;
    else result[name] = property.value;
  }
  return result as Properties | undefined;
}

type Pairs = readonly (readonly [string, string])[];

/** Bytes that a property with this value takes at most. */
function roomFor(value: unknown): number {
  if (typeof value === 'string') return 3 + value.length * 3;
  if (Array.isArray(value)) {
    let room = 0;
    for (const pair of value as Pairs) room += 5 + (pair[0].length + pair[1].length) * 3;
    return room;
  }
  return typeof value === 'object' ? 3 + (value as ArrayBuffer).byteLength : 6;
}

/** Encodes properties; null for none. Throws ERR_INVALID_ARGUMENT naming the first that is wrong. */
export function writeProperties(properties: Properties | undefined): PropertyWriter | null {
  if (properties === undefined) return null;
  let room = 0;
  for (const name in properties) room += roomFor(properties[name]);
  if (room === 0) return null;
  const writer = new PropertyWriter(new Uint8Array(room));
  for (const name in properties) {
    const value = properties[name];
    if (value === undefined) continue;
    const row = NAMES.indexOf(name);
    checkArgument(row >= 0, 'there is no property ' + name);
    checkArgument(addProperty(writer, row, value), name + ' has no value that it may have');
  }
  return writer;
}

function addProperty(writer: PropertyWriter, row: number, value: unknown): boolean {
  switch (PROPERTY_TABLE[row * 3 + 1]) {
    case TYPE_UTF8:
      return writer.addText(row, value as string);
    case TYPE_BINARY:
      return writer.addBytes(row, viewOf(value as Bytes));
    case TYPE_PAIR:
      for (const pair of value as Pairs) if (!writer.addPair(pair[0], pair[1])) return false;
      return true;
    default: {
      const number = Number(value);
      checkInteger(number, 0, FOUR_BYTE_INTEGER_MAX, NAMES[row]);
      return writer.addNumber(row, number);
    }
  }
}
