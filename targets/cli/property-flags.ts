/**
 * `-D command identifier value`: MQTT 5.0 properties for each packet that pub and sub send, by the names that
 * mosquitto_pub and mosquitto_sub have for them. Knows nothing of connections.
 */
import { UsageError } from './exit-status.ts';
import {
  IN_WILL,
  PROPERTY_TABLE,
  TYPE_BINARY,
  TYPE_FLAG,
  TYPE_FOUR_BYTES,
  TYPE_PAIR,
  TYPE_TWO_BYTES,
  TYPE_UTF8,
  TYPE_VARINT,
} from '../../src/packets/property-table.ts';
import {
  CONNECT,
  DISCONNECT,
  PACKET_NAMES,
  PUBLISH,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from '../../src/packets/types.ts';

/** What was given for one packet, under the standard's names; a property that may come once is there once. */
export interface PropertyValues {
  payloadFormatIndicator?: 0 | 1;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifier?: number;
  sessionExpiryInterval?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: 0 | 1;
  requestResponseInformation?: 0 | 1;
  willDelayInterval?: number;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumPacketSize?: number;
  userProperties?: [string, string][];
}

/** The packets that properties can be given for. */
const COMMANDS = {
  connect: 1 << CONNECT,
  publish: 1 << PUBLISH,
  subscribe: 1 << SUBSCRIBE,
  unsubscribe: 1 << UNSUBSCRIBE,
  disconnect: 1 << DISCONNECT,
  will: IN_WILL,
};
export type PropertyCommand = keyof typeof COMMANDS;
export type Properties = Record<PropertyCommand, PropertyValues>;

/** By row of the property table. */
const NAMES = [
  'payload-format-indicator',
  'message-expiry-interval',
  'content-type',
  'response-topic',
  'correlation-data',
  'subscription-identifier',
  'session-expiry-interval',
  'assigned-client-identifier',
  'server-keep-alive',
  'authentication-method',
  'authentication-data',
  'request-problem-information',
  'will-delay-interval',
  'request-response-information',
  'response-information',
  'server-reference',
  'reason-string',
  'receive-maximum',
  'topic-alias-maximum',
  'topic-alias',
  'maximum-qos',
  'retain-available',
  'user-property',
  'maximum-packet-size',
  'wildcard-subscription-available',
  'subscription-identifier-available',
  'shared-subscription-available',
];

/** The greatest value of each type that is a number. */
const MAXIMA: Record<number, number | undefined> = {
  [TYPE_FLAG]: 1,
  [TYPE_TWO_BYTES]: 0xffff,
  [TYPE_FOUR_BYTES]: 0xffffffff,
  [TYPE_VARINT]: 268435455,
};

/** What 0 is ruled out for: 3.1.2.11.3, 3.1.2.11.4, 3.3.2.3.4, 3.8.2.1.2. */
const NOT_ZERO = ['receive-maximum', 'maximum-packet-size', 'topic-alias', 'subscription-identifier'];

/** Words that `-D` takes behind the command and the identifier: two of a user property, else one. */
export function valueCount(identifier: string | undefined): number {
  return identifier === 'user-property' ? 2 : 1;
}

function keyOf(name: string): string {
  return name.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
}

function parseNumber(name: string, type: number, text: string): number {
  const min = NOT_ZERO.includes(name) ? 1 : 0;
  const max = MAXIMA[type] ?? 0;
  const value = /^\d+$/.test(text) ? Number(text) : -1;
  if (value >= min && value <= max) return value;
  throw new UsageError(`-D: ${name} must be a whole number from ${min} to ${max}, not '${text}'`);
}

function parseCommand(word: string): PropertyCommand {
  const command = word.toLowerCase();
  if (Object.hasOwn(COMMANDS, command)) return command as PropertyCommand;
  const isPacket = PACKET_NAMES.includes(command.toUpperCase());
  const known = Object.keys(COMMANDS).join(', ');
  throw new UsageError(
    `-D: ${isPacket ? 'properties cannot be given for' : 'there is no command'} '${word}' (but for ${known})`,
  );
}

/** Puts one `-D`, in its words, among what was given before. Throws UsageError. */
function addProperty(properties: Properties, words: readonly string[]): void {
  const [commandWord, name, ...values] = words;
  if (commandWord === undefined || name === undefined || values.length < valueCount(name)) {
    throw new UsageError(
      '-D needs a command, an identifier and a value (a user-property a name and a value)',
    );
  }
  const command = parseCommand(commandWord);
  const row = NAMES.indexOf(name);
  if (row < 0) throw new UsageError(`-D: there is no property '${name}'`);
  const [type, places] = [PROPERTY_TABLE[row * 3 + 1], PROPERTY_TABLE[row * 3 + 2]];
  if ((places & COMMANDS[command]) === 0) throw new UsageError(`-D: ${command} has no property ${name}`);
  const isFromServer =
    (command === 'publish' && name === 'subscription-identifier') || name === 'server-reference';
  if (isFromServer) throw new UsageError(`-D: only a server sends ${name} with ${command}`);

  const given = properties[command];
  if (type === TYPE_PAIR) {
    (given.userProperties ??= []).push([values[0], values[1]]);
    return;
  }
  const key = keyOf(name);
  if (Object.hasOwn(given, key)) throw new UsageError(`-D: ${command} ${name} is given twice`);
  let value: number | string | Uint8Array = values[0];
  if (type === TYPE_BINARY) value = new TextEncoder().encode(values[0]);
  else if (type !== TYPE_UTF8) value = parseNumber(name, type, values[0]);
  (given as Record<string, number | string | Uint8Array>)[key] = value;
}

/** All that the `-D`s of a command line say. Throws UsageError for the first that is wrong. */
export function parseProperties(groups: readonly (readonly string[])[]): Properties {
  const properties: Properties = {
    connect: {},
    publish: {},
    subscribe: {},
    unsubscribe: {},
    disconnect: {},
    will: {},
  };
  for (const words of groups) addProperty(properties, words);
  return properties;
}
