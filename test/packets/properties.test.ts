/**
 * The property table against the standard's, and writing, walking and finding properties by it.
 */
import { describe, expect, it } from 'vitest';
import { PROPERTY_KEYS } from '../../src/packets/inspect-shape.ts';
import * as table from '../../src/packets/property-table.ts';
import { Property, PropertyWriter, findProperty, readProperty } from '../../src/packets/properties.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { PACKETS, PROPERTIES, type ValueType } from './standard.ts';

const TYPES: Record<number, ValueType> = {
  [table.TYPE_FLAG]: 'byte',
  [table.TYPE_TWO_BYTES]: 'two bytes',
  [table.TYPE_FOUR_BYTES]: 'four bytes',
  [table.TYPE_VARINT]: 'varint',
  [table.TYPE_UTF8]: 'string',
  [table.TYPE_BINARY]: 'binary',
  [table.TYPE_PAIR]: 'pair',
};

function rowOf(row: number): (typeof PROPERTIES)[number] {
  const [id, type, mask] = table.PROPERTY_TABLE.subarray(row * 3, row * 3 + 3);
  const places = PACKETS.filter((_, index) => (mask & (1 << (index + 1))) !== 0);
  if ((mask & table.IN_WILL) !== 0) places.push('WILL');
  return [id, PROPERTY_KEYS[row], TYPES[type], places.sort().join(' ')];
}

function bytesOf(writer: PropertyWriter): string {
  return Buffer.from(writer.bytes.subarray(0, writer.byteLength)).toString('hex');
}

describe('the property table', () => {
  it('is that of the standard, row by row', () => {
    const rows = PROPERTIES.map(([id, key, type, places]) => [
      id,
      key,
      type,
      places.split(' ').sort().join(' '),
    ]);
    expect(Array.from({ length: table.PROPERTY_COUNT }, (_, row) => rowOf(row))).toEqual(rows);
    expect(table.PROPERTY_TABLE).toHaveLength(3 * rows.length);
  });

  it('has its rows found by identifier, and none for other identifiers', () => {
    for (let id = 0; id < table.PROPERTY_ROWS.length; id++) {
      const row = PROPERTIES.findIndex(([one]) => one === id);
      expect(table.PROPERTY_ROWS[id]).toBe(row < 0 ? 255 : row);
    }
    expect(table.PROPERTY_ROWS).toHaveLength(PROPERTIES.at(-1)![0] + 1);
  });

  it('has a constant for each row', () => {
    const constants = Object.entries(table).filter(([name]) => name.startsWith('P_')) as [string, number][];
    // Where they stand in the module: what lists its names lists them by the alphabet.
    constants.sort(([, a], [, b]) => a - b);
    const names = constants.map(([name, row]) => [
      row,
      name
        .slice(2)
        .toLowerCase()
        .replace(/_./g, (match) => match[1].toUpperCase()),
    ]);
    const plural = { subscriptionIdentifiers: 'subscriptionIdentifier', userProperties: 'userProperty' };
    const keys: string[] = PROPERTIES.map(([, key]) => plural[key as keyof typeof plural] ?? key);
    expect(names).toEqual(keys.map((key, row) => [row, key]));
  });
});

describe('the property writer', () => {
  const utf8 = (text: string): Uint8Array => encodeUtf8(text)!;

  it('writes each type as the standard has it', () => {
    const writer = new PropertyWriter(new Uint8Array(80));
    expect(writer.addNumber(table.P_PAYLOAD_FORMAT_INDICATOR, 1)).toBe(true);
    expect(writer.addNumber(table.P_TOPIC_ALIAS, 0x0102)).toBe(true);
    expect(writer.addNumber(table.P_MESSAGE_EXPIRY_INTERVAL, 0xfffefdfc)).toBe(true);
    expect(writer.addNumber(table.P_SUBSCRIPTION_IDENTIFIER, 268_435_455)).toBe(true);
    expect(writer.addText(table.P_CONTENT_TYPE, 'é')).toBe(true);
    expect(writer.addBytes(table.P_CORRELATION_DATA, Uint8Array.of(0, 255))).toBe(true);
    expect(writer.addPair('k', '')).toBe(true);
    expect(bytesOf(writer)).toBe('01012301020' + '2fffefdfc0bffffff7f030002c3a909000200ff2600016b0000');
    writer.clear();
    expect(bytesOf(writer)).toBe('');
  });

  it('refuses numbers that the standard rules out, and adds nothing', () => {
    const writer = new PropertyWriter(new Uint8Array(80));
    for (const [row, value] of [
      [table.P_PAYLOAD_FORMAT_INDICATOR, 2],
      [table.P_TOPIC_ALIAS, 65_536],
      [table.P_TOPIC_ALIAS, -1],
      [table.P_RECEIVE_MAXIMUM, 0],
      [table.P_MAXIMUM_PACKET_SIZE, 0],
      [table.P_SUBSCRIPTION_IDENTIFIER, 0],
      [table.P_SUBSCRIPTION_IDENTIFIER, 268_435_456],
      [table.P_MESSAGE_EXPIRY_INTERVAL, 4_294_967_296],
    ]) {
      expect(writer.addNumber(row, value)).toBe(false);
    }
    expect(writer.byteLength).toBe(0);
  });

  it('refuses texts that are none, or too long [MQTT-1.5.4-1] [MQTT-1.5.4-2]', () => {
    const writer = new PropertyWriter(new Uint8Array(70_000));
    const long = 'x'.repeat(65_536);
    expect(writer.addText(table.P_CONTENT_TYPE, '\ud800')).toBe(false);
    expect(writer.addText(table.P_CONTENT_TYPE, 'a\0')).toBe(false);
    expect(writer.addText(table.P_CONTENT_TYPE, long)).toBe(false);
    expect(writer.addPair('a', long)).toBe(false);
    expect(writer.addPair('\udc00', 'a')).toBe(false);
    expect(writer.addBytes(table.P_CORRELATION_DATA, utf8(long))).toBe(false);
    expect(writer.byteLength).toBe(0);
    expect(writer.addText(table.P_CONTENT_TYPE, long.slice(1))).toBe(true);
    expect(writer.byteLength).toBe(3 + 65_535);
    writer.clear();
    expect(writer.addBytes(table.P_CORRELATION_DATA, utf8(long.slice(1)))).toBe(true);
    expect(writer.byteLength).toBe(3 + 65_535);
  });

  it.each([
    ['a flag', 2, (w: PropertyWriter) => w.addNumber(table.P_MAXIMUM_QOS, 1)],
    ['two bytes', 3, (w: PropertyWriter) => w.addNumber(table.P_TOPIC_ALIAS, 1)],
    ['four bytes', 5, (w: PropertyWriter) => w.addNumber(table.P_MAXIMUM_PACKET_SIZE, 1)],
    ['a short varint', 2, (w: PropertyWriter) => w.addNumber(table.P_SUBSCRIPTION_IDENTIFIER, 127)],
    ['a long varint', 5, (w: PropertyWriter) => w.addNumber(table.P_SUBSCRIPTION_IDENTIFIER, 2_097_152)],
    ['a text', 5, (w: PropertyWriter) => w.addText(table.P_REASON_STRING, 'é')],
    ['bytes', 5, (w: PropertyWriter) => w.addBytes(table.P_CORRELATION_DATA, utf8('ab'))],
    ['a pair', 7, (w: PropertyWriter) => w.addPair('a', 'b')],
  ])('adds %s when there are %d bytes, and nothing when there are fewer', (_, byteLength, add) => {
    for (let room = 0; room <= byteLength; room++) {
      const storage = new Uint8Array(byteLength + 4).fill(0xa5);
      const writer = new PropertyWriter(storage.subarray(1, 1 + room));
      expect(add(writer)).toBe(room === byteLength);
      expect(writer.byteLength).toBe(room === byteLength ? byteLength : 0);
      expect(storage.subarray(1 + room).every((byte) => byte === 0xa5)).toBe(true);
    }
  });
});

describe('walking properties', () => {
  it('finds each, with its value', () => {
    const writer = new PropertyWriter(new Uint8Array(80));
    writer.addNumber(table.P_PAYLOAD_FORMAT_INDICATOR, 1);
    writer.addPair('ab', 'c');
    writer.addNumber(table.P_MESSAGE_EXPIRY_INTERVAL, 4_000_000_000);
    writer.addNumber(table.P_SUBSCRIPTION_IDENTIFIER, 200);
    writer.addBytes(table.P_CORRELATION_DATA, Uint8Array.of(9));
    writer.addText(table.P_RESPONSE_TOPIC, '');
    writer.addNumber(table.P_TOPIC_ALIAS, 7);
    const text = (offset: number, length: number): string =>
      Buffer.from(writer.bytes.subarray(offset, offset + length)).toString();
    const property = new Property();
    const seen: unknown[] = [];
    const offsets: number[] = [];
    for (let at = 0; at < writer.byteLength;) {
      offsets.push(at);
      at = readProperty(writer.bytes, at, property);
      const { row, value, offset, byteLength, valueOffset, valueByteLength } = property;
      const type = TYPES[table.PROPERTY_TABLE[row * 3 + 1]];
      if (type === 'pair') seen.push([row, text(offset, byteLength), text(valueOffset, valueByteLength)]);
      else if (type === 'string' || type === 'binary') seen.push([row, text(offset, byteLength)]);
      else seen.push([row, value]);
    }
    expect(seen).toEqual([
      [table.P_PAYLOAD_FORMAT_INDICATOR, 1],
      [table.P_USER_PROPERTY, 'ab', 'c'],
      [table.P_MESSAGE_EXPIRY_INTERVAL, 4_000_000_000],
      [table.P_SUBSCRIPTION_IDENTIFIER, 200],
      [table.P_CORRELATION_DATA, '\t'],
      [table.P_RESPONSE_TOPIC, ''],
      [table.P_TOPIC_ALIAS, 7],
    ]);
    seen.forEach((entry, index) => {
      expect(findProperty(writer.bytes, 0, (entry as number[])[0])).toBe(offsets[index]);
    });
  });
});
