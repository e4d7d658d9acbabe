/**
 * Reads the hand-written test vectors of test/vectors: Markdown with one section per vector. It knows the notation
 * and the shape of the objects, and enough of the fixed header to notice a vector whose bytes do not add up. It does
 * not know the codec, and must not: the vectors are there to judge it.
 */
import { readdirSync, readFileSync } from 'node:fs';

export type Version = '5.0' | '3.1.1';
export type Direction = 'client to server' | 'server to client' | 'both';

/** The plain object a packet decodes to: `type` is the standard's upper-case name, binary data is lower-case hex. */
export interface PacketObject {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface VectorError {
  readonly reasonCode: number;
  /** Index, from the first byte of the packet, of the byte where the violation is found; the length when it is the end. */
  readonly offset: number;
  readonly about: string;
}

export type Expected = { readonly packet: PacketObject } | { readonly error: VectorError };

export interface Vector {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Line of the vector's heading, from 1. */
  readonly line: number;
  readonly title: string;
  readonly why: string;
  /** Numbered statements, such as `MQTT-3.3.1-4`, or `v3.1.1 MQTT-3.3.1-4` for those of the older version. */
  readonly clauses: string[];
  readonly versions: Version[];
  readonly direction: Direction;
  /** Whether the object encodes to exactly these bytes; false also for every refusal. */
  readonly encodes: boolean;
  readonly bytes: Uint8Array;
  readonly expected: Expected;
}

const DIRECTORY = 'test/vectors';

/** By packet type, the high four bits of the first byte. */
const TYPES: readonly (string | undefined)[] = [
  undefined,
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
];

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

/** Every vector of test/vectors, file by file. Throws, naming file and line, on the first that is not well-formed. */
export function readVectors(): Vector[] {
  const directory = new URL('../vectors/', import.meta.url);
  const vectors: Vector[] = [];
  for (const name of readdirSync(directory).sort()) {
    if (!name.endsWith('.md')) continue;
    vectors.push(...parseVectors(`${DIRECTORY}/${name}`, readFileSync(new URL(name, directory), 'utf8')));
  }
  return vectors;
}

/** The vectors of one file's text. `file` is only used to say where something is wrong. */
export function parseVectors(file: string, text: string): Vector[] {
  const lines = text.split('\n');
  const vectors: Vector[] = [];
  const titles = new Set<string>();
  let index = 0;
  if (!/^# \S/.test(lines[0])) fail(file, 1, 'a vector file begins with a heading of the first level');
  while (index < lines.length && !lines[index].startsWith('## ')) index++;
  while (index < lines.length) {
    const start = index;
    index++;
    while (index < lines.length && !lines[index].startsWith('## ')) index++;
    const vector = parseVector(file, start + 1, lines.slice(start, index));
    if (titles.has(vector.title)) fail(file, start + 1, `a second vector called "${vector.title}"`);
    titles.add(vector.title);
    vectors.push(vector);
  }
  if (vectors.length === 0) fail(file, 1, 'no vectors');
  return vectors;
}

function parseVector(file: string, line: number, lines: readonly string[]): Vector {
  const title = lines[0].slice(3).trim();
  if (title === '') fail(file, line, 'no title');
  const why: string[] = [];
  const settings = new Map<string, string>();
  const fences = new Map<string, { line: number; lines: string[] }>();
  for (let i = 1; i < lines.length; i++) {
    const text = lines[i];
    if (text.trim() === '') continue;
    if (text.startsWith('```')) {
      const kind = text.slice(3);
      if (kind !== 'hex' && kind !== 'json' && kind !== 'error')
        fail(file, line + i, `unknown block "${text}"`);
      if (fences.has(kind)) fail(file, line + i, `a second ${kind} block`);
      if (kind === 'hex' ? fences.size !== 0 || settings.size === 0 : !fences.has('hex')) {
        fail(file, line + i, `the ${kind} block is out of place`);
      }
      const end = lines.indexOf('```', i + 1);
      if (end < 0) fail(file, line + i, 'a block without an end');
      fences.set(kind, { line: line + i + 1, lines: lines.slice(i + 1, end) });
      i = end;
      continue;
    }
    if (fences.size > 0) fail(file, line + i, 'text after the blocks');
    const setting = /^- (\w+): (.+)$/.exec(text);
    if (setting === null) {
      if (text.startsWith('-') || settings.size > 0) fail(file, line + i, `not understood: "${text}"`);
      why.push(text.trim());
    } else {
      const [, key, value] = setting;
      if (key !== 'version' && key !== 'direction' && key !== 'encodes')
        fail(file, line + i, `unknown key "${key}"`);
      if (settings.has(key)) fail(file, line + i, `a second "${key}"`);
      settings.set(key, value.trim());
    }
  }
  if (why.length === 0) fail(file, line, 'no word of why');
  const reason = why.join(' ');
  const versions = parseVersions(file, line, settings.get('version'));
  const direction = parseDirection(file, line, settings.get('direction'));
  const encodes = parseEncodes(file, line, settings.get('encodes'));
  const hex = fences.get('hex');
  if (hex === undefined) fail(file, line, 'no hex block');
  const bytes = parseHex(file, hex.line, hex.lines);
  if (bytes.length === 0) fail(file, hex.line, 'no bytes');
  const json = fences.get('json');
  const error = fences.get('error');
  if ((json === undefined) === (error === undefined))
    fail(file, line, 'one block of json or error, not both, not none');
  let expected: Expected;
  if (json !== undefined) {
    const packet = parsePacket(file, json.line, json.lines.join('\n'), versions);
    checkFixedHeader(file, hex.line, bytes, packet.type);
    expected = { packet };
  } else {
    const refusal = parseError(file, error!.line, error!.lines);
    if (encodes) fail(file, line, 'a refusal cannot be encoded');
    if (refusal.offset > bytes.length) fail(file, error!.line, `offset ${refusal.offset} is beyond the end`);
    // Only a remaining length that is itself at fault may leave the rest of the packet away.
    if (refusal.offset !== 1) checkFixedHeader(file, hex.line, bytes, undefined);
    expected = { error: refusal };
  }
  const clauses = parseClauses(file, line, reason, versions);
  return { file, line, title, why: reason, clauses, versions, direction, encodes, bytes, expected };
}

function parseVersions(file: string, line: number, value: string | undefined): Version[] {
  if (value === '5.0' || value === '3.1.1') return [value];
  if (value === '5.0, 3.1.1') return ['5.0', '3.1.1'];
  return fail(file, line, `version is "5.0", "3.1.1" or "5.0, 3.1.1", not "${value}"`);
}

function parseDirection(file: string, line: number, value: string | undefined): Direction {
  if (value === 'client to server' || value === 'server to client' || value === 'both') return value;
  return fail(file, line, `direction is "client to server", "server to client" or "both", not "${value}"`);
}

function parseEncodes(file: string, line: number, value: string | undefined): boolean {
  if (value === 'yes' || value === 'no') return value === 'yes';
  return fail(file, line, `encodes is "yes" or "no", not "${value}"`);
}

function parseClauses(file: string, line: number, why: string, versions: readonly Version[]): string[] {
  const clauses: string[] = [];
  for (const [whole, inside] of why.matchAll(/\[([^\]]*)\]/g)) {
    const clause = /^(v3\.1\.1 )?MQTT-\d+(?:\.\d+)+-\d+$/.exec(inside);
    if (clause === null) fail(file, line, `not a clause: ${whole}`);
    const version: Version = clause[1] === undefined ? '5.0' : '3.1.1';
    if (!versions.includes(version)) fail(file, line, `${whole} does not bind ${versions.join()}`);
    if (clauses.includes(inside)) fail(file, line, `${whole} is named twice`);
    clauses.push(inside);
  }
  return clauses;
}

function parseHex(file: string, line: number, lines: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  lines.forEach((text, i) => {
    for (const word of text.replace(/#.*$/, '').split(/\s+/)) {
      if (word === '') continue;
      if (!/^[0-9a-f]{2}$/.test(word))
        fail(file, line + i, `not a byte in two lower-case hex digits: "${word}"`);
      bytes.push(Number.parseInt(word, 16));
    }
  });
  return Uint8Array.from(bytes);
}

function parseError(file: string, line: number, lines: readonly string[]): VectorError {
  const values = new Map<string, string>();
  lines.forEach((text, i) => {
    const entry = /^(\w+): (.+)$/.exec(text);
    if (entry === null) return fail(file, line + i, `not understood: "${text}"`);
    const [, key, value] = entry;
    if (key !== 'reasonCode' && key !== 'offset' && key !== 'about')
      fail(file, line + i, `unknown key "${key}"`);
    if (values.has(key)) fail(file, line + i, `a second "${key}"`);
    values.set(key, value);
  });
  const reasonCode = values.get('reasonCode');
  const offset = values.get('offset');
  const about = values.get('about');
  if (reasonCode === undefined || !/^0x[89a-f][0-9a-f]$/.test(reasonCode)) {
    return fail(file, line, 'reasonCode is a failure in hex, such as 0x81');
  }
  if (offset === undefined || !/^\d+$/.test(offset)) return fail(file, line, 'offset is a number of bytes');
  if (about === undefined) return fail(file, line, 'no word of what the error is about');
  return { reasonCode: Number(reasonCode), offset: Number(offset), about };
}

/** The remaining length has to be minimal and to agree with the bytes; the first byte has to name the type. */
function checkFixedHeader(file: string, line: number, bytes: Uint8Array, type: string | undefined): void {
  if (type !== undefined && TYPES[bytes[0] >> 4] !== type)
    fail(file, line, `the first byte does not say ${type}`);
  let remainingLength = 0;
  let index = 1;
  for (;;) {
    if (index > 4 || index >= bytes.length) fail(file, line, 'the remaining length does not end');
    remainingLength += (bytes[index] & 0x7f) * 128 ** (index - 1);
    if (bytes[index++] < 0x80) break;
  }
  if (index > 2 && bytes[index - 1] === 0) fail(file, line, 'the remaining length is not minimal');
  const left = bytes.length - index;
  if (remainingLength !== left)
    fail(file, line, `the remaining length says ${remainingLength}, ${left} bytes are there`);
}

function parsePacket(file: string, line: number, text: string, versions: readonly Version[]): PacketObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail(file, line, `bad JSON: ${String(error)}`);
  }
  const type = isObject(value) ? value['type'] : undefined;
  for (const version of versions) {
    const fields = typeof type === 'string' ? SHAPES[version][type] : undefined;
    if (fields === undefined) return fail(file, line, `no packet of ${version} has the type ${String(type)}`);
    const problem = findProblem(value, fields);
    if (problem !== undefined) return fail(file, line, `${String(type)} of ${version}: ${problem}`);
  }
  return value as PacketObject;
}

// The shapes of the objects. A key that ends in a question mark may be absent.

const isBoolean: Check = (value) => typeof value === 'boolean';
const isString: Check = (value) => typeof value === 'string';
const isHex: Check = (value) => typeof value === 'string' && /^(?:[0-9a-f]{2})*$/.test(value);
const isByte = isIntegerUpTo(0xff);
const isTwoByteInteger = isIntegerUpTo(0xffff);
const isFourByteInteger = isIntegerUpTo(0xffff_ffff);
const isVariableByteInteger = isIntegerUpTo(0xfff_ffff);
const isQos = isIntegerUpTo(2);
const isStringPair: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(isString);

const ALL_PROPERTIES: Fields = {
  payloadFormatIndicator: isByte,
  messageExpiryInterval: isFourByteInteger,
  contentType: isString,
  responseTopic: isString,
  correlationData: isHex,
  subscriptionIdentifiers: isListOf(isVariableByteInteger),
  sessionExpiryInterval: isFourByteInteger,
  assignedClientIdentifier: isString,
  serverKeepAlive: isTwoByteInteger,
  authenticationMethod: isString,
  authenticationData: isHex,
  requestProblemInformation: isByte,
  willDelayInterval: isFourByteInteger,
  requestResponseInformation: isByte,
  responseInformation: isString,
  serverReference: isString,
  reasonString: isString,
  receiveMaximum: isTwoByteInteger,
  topicAliasMaximum: isTwoByteInteger,
  topicAlias: isTwoByteInteger,
  maximumQos: isByte,
  retainAvailable: isByte,
  userProperties: isListOf(isStringPair),
  maximumPacketSize: isFourByteInteger,
  wildcardSubscriptionAvailable: isByte,
  subscriptionIdentifiersAvailable: isByte,
  sharedSubscriptionAvailable: isByte,
};

/** The names of the 27 properties, in the order of their identifiers. */
export const PROPERTY_NAMES: readonly string[] = Object.keys(ALL_PROPERTIES);

const isProperties: Check = (value) =>
  isObject(value) &&
  Object.keys(value).length > 0 &&
  Object.entries(value).every(([key, entry]) => key in ALL_PROPERTIES && ALL_PROPERTIES[key](entry));

const CONNECT_311: Fields = {
  protocolName: (value) => value === 'MQTT',
  protocolVersion: (value) => value === 4,
  cleanStart: isBoolean,
  keepAlive: isTwoByteInteger,
  clientId: isString,
  'willQos?': isQos,
  'willRetain?': isBoolean,
  'willTopic?': isString,
  'willPayload?': isHex,
  'userName?': isString,
  'password?': isHex,
};
const CONNACK_311: Fields = { sessionPresent: isBoolean, reasonCode: isByte };
const PUBLISH_311: Fields = {
  dup: isBoolean,
  qos: isQos,
  retain: isBoolean,
  topicName: isString,
  'packetId?': isTwoByteInteger,
  payload: isHex,
};
const ACK_311: Fields = { packetId: isTwoByteInteger };
const ACK_5: Fields = { ...ACK_311, 'reasonCode?': isByte, 'properties?': isProperties };
const SUBSCRIPTION_311: Fields = { topicFilter: isString, qos: isQos };
const SUBSCRIPTION_5: Fields = {
  ...SUBSCRIPTION_311,
  noLocal: isBoolean,
  retainAsPublished: isBoolean,
  retainHandling: isQos,
};
const SUBSCRIBE_311: Fields = {
  packetId: isTwoByteInteger,
  subscriptions: isListOf(hasShape(SUBSCRIPTION_311)),
};
const SUBACK_311: Fields = { packetId: isTwoByteInteger, reasonCodes: isListOf(isByte) };
const UNSUBSCRIBE_311: Fields = { packetId: isTwoByteInteger, topicFilters: isListOf(isString) };
const REASON_5: Fields = { 'reasonCode?': isByte, 'properties?': isProperties };

const SHAPES: Readonly<Record<Version, Readonly<Record<string, Fields>>>> = {
  '3.1.1': {
    CONNECT: CONNECT_311,
    CONNACK: CONNACK_311,
    PUBLISH: PUBLISH_311,
    PUBACK: ACK_311,
    PUBREC: ACK_311,
    PUBREL: ACK_311,
    PUBCOMP: ACK_311,
    SUBSCRIBE: SUBSCRIBE_311,
    SUBACK: SUBACK_311,
    UNSUBSCRIBE: UNSUBSCRIBE_311,
    UNSUBACK: { packetId: isTwoByteInteger },
    PINGREQ: {},
    PINGRESP: {},
    DISCONNECT: {},
  },
  '5.0': {
    CONNECT: {
      ...CONNECT_311,
      protocolVersion: (value) => value === 5,
      'properties?': isProperties,
      'willProperties?': isProperties,
    },
    CONNACK: { ...CONNACK_311, 'properties?': isProperties },
    PUBLISH: { ...PUBLISH_311, 'properties?': isProperties },
    PUBACK: ACK_5,
    PUBREC: ACK_5,
    PUBREL: ACK_5,
    PUBCOMP: ACK_5,
    SUBSCRIBE: {
      packetId: isTwoByteInteger,
      'properties?': isProperties,
      subscriptions: isListOf(hasShape(SUBSCRIPTION_5)),
    },
    SUBACK: { ...SUBACK_311, 'properties?': isProperties },
    UNSUBSCRIBE: { ...UNSUBSCRIBE_311, 'properties?': isProperties },
    UNSUBACK: { packetId: isTwoByteInteger, 'properties?': isProperties, reasonCodes: isListOf(isByte) },
    PINGREQ: {},
    PINGRESP: {},
    DISCONNECT: REASON_5,
    AUTH: REASON_5,
  },
};

function isIntegerUpTo(max: number): Check {
  return (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isListOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.length > 0 && value.every((entry) => check(entry));
}

function hasShape(fields: Fields): Check {
  return (value) => findProblem(value, fields) === undefined;
}

/** What is wrong with an object's keys or values, if anything; `type` is left to the caller. */
function findProblem(value: unknown, fields: Fields): string | undefined {
  if (!isObject(value)) return 'not an object';
  for (const key of Object.keys(fields)) {
    if (!key.endsWith('?') && !(key in value)) return `"${key}" is missing`;
  }
  for (const [key, entry] of Object.entries(value)) {
    if (key === 'type') continue;
    const check = fields[key] ?? fields[`${key}?`];
    if (check === undefined) return `unknown key "${key}"`;
    if (!check(entry)) return `"${key}" cannot be ${JSON.stringify(entry)}`;
  }
  if (value.qos !== undefined && 'packetId?' in fields && 'packetId' in value !== value.qos > 0) {
    return '"packetId" goes with QoS 1 and 2';
  }
  const will = ['willQos', 'willRetain', 'willTopic', 'willPayload'].filter((key) => key in value);
  if (will.length % 4 !== 0 || ('willProperties' in value && will.length === 0)) return 'half a will';
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> & { qos?: number } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(file: string, line: number, message: string): never {
  throw new Error(`${file}:${line}: ${message}`);
}
