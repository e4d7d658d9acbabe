/**
 * Reads the fields of a plain object that is to become a packet: their types, ranges and defaults, with an error that
 * names the field when one is wrong. Knows what a field can hold on the wire; what packets may say is the decoder's.
 */
import { STRING_BYTES_MAX, TWO_BYTE_INTEGER_MAX, VARIABLE_BYTE_INTEGER_MAX } from '../limits.ts';
import { utf8ByteLength, writeUtf8 } from '../wire/utf8.ts';
import { InspectError, PROPERTY_KEYS } from './inspect-shape.ts';
import type { PropertiesObject } from './inspect-shape.ts';
import { PropertyWriter } from './properties.ts';
import {
  PROPERTY_TABLE,
  P_SUBSCRIPTION_IDENTIFIER,
  P_USER_PROPERTY,
  TYPE_BINARY,
  TYPE_FLAG,
  TYPE_FOUR_BYTES,
  TYPE_TWO_BYTES,
  TYPE_UTF8,
  TYPE_VARINT,
} from './property-table.ts';
import { violationName, violationText } from './texts.ts';
import {
  INVALID_UTF8,
  MISPLACED_PROPERTY,
  PROPERTY_OUT_OF_RANGE,
  TOO_LARGE,
  violationReasonCode,
} from './violations.ts';

/** `object.key`, or `key` at the top. */
function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** What a value is, for people. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}

/** The error for what a decoder would refuse as `number` (violations.ts), at `offset` if it came that far. */
export function violation(number: number, path: string, offset?: number): InspectError {
  return new InspectError(
    violationName(number),
    path,
    violationText(number),
    violationReasonCode(number),
    offset,
  );
}

function wrongType(path: string, expected: string, value: unknown): InspectError {
  return new InspectError('WRONG_TYPE', path, `must be ${expected}, and is ${kindOf(value)}`);
}

/** `value` as an object with named fields, not a list. */
export function toRecord(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(path, 'an object', value);
  }
  return value as Record<string, unknown>;
}

function toList(value: unknown, path: string, expected: string): unknown[] {
  if (!Array.isArray(value)) throw wrongType(path, expected, value);
  return value;
}

function toInteger(value: unknown, path: string, max: number): number {
  if (typeof value !== 'number') throw wrongType(path, 'a number', value);
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new InspectError('OUT_OF_RANGE', path, `must be a whole number from 0 to ${String(max)}`);
  }
  return value;
}

/** 0 or 1 from a number or a boolean. */
function toFlag(value: unknown, path: string): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'number') throw wrongType(path, 'true or false, or 1 or 0', value);
  return toInteger(value, path, 1);
}

/** What has a two-byte length must fit in. */
function checkByteLength(byteLength: number, path: string): number {
  if (byteLength <= STRING_BYTES_MAX) return byteLength;
  throw new InspectError('TOO_LONG', path, `must be at most ${String(STRING_BYTES_MAX)} bytes`);
}

/** Bytes that a string takes in UTF-8, which must be possible and not too long. */
function toUtf8ByteLength(value: unknown, path: string): number {
  if (typeof value !== 'string') throw wrongType(path, 'a string', value);
  const byteLength = utf8ByteLength(value);
  if (byteLength < 0) throw violation(INVALID_UTF8, path); // U+0000, or half of a surrogate pair
  return checkByteLength(byteLength, path);
}

function toUtf8(value: unknown, path: string): Uint8Array {
  const bytes = new Uint8Array(toUtf8ByteLength(value, path));
  writeUtf8(value as string, bytes, 0);
  return bytes;
}

/** The value of a hex digit's character code, or -1. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function toBytes(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string') throw wrongType(path, 'a string of hex digits', value);
  const bytes = new Uint8Array(value.length >> 1);
  let isHex = value.length % 2 === 0;
  for (let i = 0; i < bytes.length && isHex; i++) {
    const high = hexDigit(value.charCodeAt(2 * i));
    const low = hexDigit(value.charCodeAt(2 * i + 1));
    isHex = high >= 0 && low >= 0;
    bytes[i] = (high << 4) | low;
  }
  if (!isHex) throw new InspectError('BAD_HEX', path, 'must be hex digits, two a byte');
  return bytes;
}

/** The fields of one object. Every read says what is wrong with the field, if anything is. */
export class Fields {
  readonly record: Record<string, unknown>;
  readonly path: string;

  /** @param known Keys the object may have; `type` apart. */
  constructor(value: unknown, path: string, known: readonly string[]) {
    this.record = toRecord(value, path);
    this.path = path;
    for (const key of Object.keys(this.record)) {
      if (this.has(key) && key !== 'type' && !known.includes(key)) {
        const rule = `is no field here; there are ${known.join(', ') || 'none'}`;
        throw new InspectError('UNKNOWN_FIELD', join(path, key), rule);
      }
    }
  }

  /** Whether the field is there; undefined counts as absent. */
  has(key: string): boolean {
    return this.record[key] !== undefined;
  }

  at(key: string): string {
    return join(this.path, key);
  }

  /** The field's value, which must be there. */
  need(key: string): unknown {
    if (!this.has(key)) throw new InspectError('MISSING_FIELD', this.at(key), 'must be there');
    return this.record[key];
  }

  /** Refuses fields that only 5.0 has. */
  refuseBelowV5(...keys: string[]): void {
    for (const key of keys) {
      if (this.has(key)) throw new InspectError('NOT_IN_VERSION', this.at(key), 'is not in MQTT 3.1.1');
    }
  }

  integer(key: string, max: number, absent?: number): number {
    return absent !== undefined && !this.has(key) ? absent : toInteger(this.need(key), this.at(key), max);
  }

  packetId(): number {
    return this.integer('packetId', TWO_BYTE_INTEGER_MAX);
  }

  flag(key: string, absent: number): number {
    return this.has(key) ? toFlag(this.record[key], this.at(key)) : absent;
  }

  /** A string as UTF-8, empty when it is absent. */
  text(key: string): Uint8Array {
    return this.has(key) ? toUtf8(this.record[key], this.at(key)) : new Uint8Array(0);
  }

  /** Binary data of any length, empty when it is absent. */
  payload(key: string): Uint8Array {
    return this.has(key) ? toBytes(this.record[key], this.at(key)) : new Uint8Array(0);
  }

  /** Binary data with a two-byte length, empty when it is absent. */
  binary(key: string): Uint8Array {
    const bytes = this.payload(key);
    checkByteLength(bytes.length, this.at(key));
    return bytes;
  }

  texts(key: string): Uint8Array[] {
    const list = toList(this.need(key), this.at(key), 'a list of strings');
    return list.map((item, index) => toUtf8(item, `${this.at(key)}[${String(index)}]`));
  }

  /** A list of bytes. */
  bytes(key: string): Uint8Array {
    const list = toList(this.need(key), this.at(key), 'a list of numbers');
    return Uint8Array.from(list, (item, index) => toInteger(item, `${this.at(key)}[${String(index)}]`, 255));
  }

  /** A list of objects with the keys `known`. */
  objects(key: string, known: readonly string[]): Fields[] {
    const list = toList(this.need(key), this.at(key), 'a list of objects');
    return list.map((item, index) => new Fields(item, `${this.at(key)}[${String(index)}]`, known));
  }

  /** The properties of the field `key`, which are in `place` (a packet's bit, or IN_WILL), as encoders take them. */
  properties(key: string, place: number): PropertyWriter {
    if (!this.has(key)) return new PropertyWriter(new Uint8Array(0));
    return writeProperties(this.record[key], this.at(key), place);
  }
}

/** One property, checked, and how to write it. */
interface Entry {
  row: number;
  path: string;
  /** Bytes it takes at most, with its identifier. */
  byteLengthMax: number;
  write: (writer: PropertyWriter) => boolean;
}

function numberEntry(row: number, value: number, path: string): Entry {
  return { row, path, byteLengthMax: 5, write: (writer) => writer.addNumber(row, value) };
}

function pairEntry(row: number, item: unknown, path: string): Entry {
  const pair = toList(item, path, 'a pair of strings');
  if (pair.length !== 2) throw new InspectError('WRONG_TYPE', path, 'must be a pair of strings');
  const byteLengthMax = 5 + toUtf8ByteLength(pair[0], `${path}[0]`) + toUtf8ByteLength(pair[1], `${path}[1]`);
  const [key, value] = pair as [string, string];
  return { row, path, byteLengthMax, write: (writer) => writer.addPair(key, value) };
}

const NUMBER_MAX: Record<number, number> = {
  [TYPE_TWO_BYTES]: TWO_BYTE_INTEGER_MAX,
  [TYPE_FOUR_BYTES]: 0xffffffff,
  [TYPE_VARINT]: VARIABLE_BYTE_INTEGER_MAX,
};

/** The properties, one or more, that the value of one key stands for. */
function toEntries(row: number, value: unknown, path: string): Entry[] {
  const type = PROPERTY_TABLE[row * 3 + 1];
  if (row === P_USER_PROPERTY) {
    const pairs = toList(value, path, 'a list of pairs');
    return pairs.map((item, index) => pairEntry(row, item, `${path}[${String(index)}]`));
  }
  if (row === P_SUBSCRIPTION_IDENTIFIER) {
    return toList(value, path, 'a list of numbers').map((item, index) => {
      const itemPath = `${path}[${String(index)}]`;
      return numberEntry(row, toInteger(item, itemPath, NUMBER_MAX[type]), itemPath);
    });
  }
  if (type === TYPE_UTF8) {
    const byteLengthMax = 3 + toUtf8ByteLength(value, path);
    return [{ row, path, byteLengthMax, write: (writer) => writer.addText(row, value as string) }];
  }
  if (type === TYPE_BINARY) {
    const bytes = toBytes(value, path);
    const byteLengthMax = 3 + checkByteLength(bytes.length, path);
    return [{ row, path, byteLengthMax, write: (writer) => writer.addBytes(row, bytes) }];
  }
  if (type === TYPE_FLAG) return [numberEntry(row, toFlag(value, path), path)];
  return [numberEntry(row, toInteger(value, path, NUMBER_MAX[type]), path)];
}

/** Writes properties in canonical order: ascending identifiers, repeated ones in their own order. */
function writeProperties(value: unknown, path: string, place: number): PropertyWriter {
  const record = toRecord(value, path);
  const entries: Entry[] = [];
  for (const key of Object.keys(record)) {
    const row = PROPERTY_KEYS.indexOf(key as keyof PropertiesObject);
    const keyPath = join(path, key);
    if (record[key] === undefined) continue;
    if (row < 0) throw new InspectError('UNKNOWN_PROPERTY', keyPath, 'is no property of MQTT 5.0');
    if ((PROPERTY_TABLE[row * 3 + 2] & place) === 0) throw violation(MISPLACED_PROPERTY, keyPath);
    entries.push(...toEntries(row, record[key], keyPath));
  }
  entries.sort((a, b) => a.row - b.row);

  const byteLengthMax = entries.reduce((sum, entry) => sum + entry.byteLengthMax, 0);
  if (byteLengthMax > VARIABLE_BYTE_INTEGER_MAX) throw violation(TOO_LARGE, path);
  const writer = new PropertyWriter(new Uint8Array(byteLengthMax));
  for (const entry of entries) {
    // There is room, and what it holds is checked: all that is left is a number that the standard rules out.
    if (!entry.write(writer)) throw violation(PROPERTY_OUT_OF_RANGE, entry.path);
  }
  return writer;
}
