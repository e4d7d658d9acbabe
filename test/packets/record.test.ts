/**
 * What a session reads of the packet record without walking any bytes: flags, tables of properties, counts and
 * offsets, against the object that the packet was made of. And lists written one entry after the other.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeObject, toHex, type PacketObject, type PropertiesObject } from '../../src/packets/inspect.ts';
import { PROPERTY_KEYS } from '../../src/packets/inspect-shape.ts';
import { ConnectPart, Packet, byteLengthAt } from '../../src/packets/packet.ts';
import { writeFilter } from '../../src/packets/subscribe.ts';
import { FROM_ANYONE } from '../../src/packets/types.ts';
import { NO_SPACE, OK } from '../../src/status.ts';
import { runs } from '../seed.ts';
import { packets } from './arbitraries.ts';
import { CODECS, VERSIONS } from './decoding.ts';
import { PROPERTIES } from './standard.ts';

const AT = 7;

/** The record's view of the property of one row: its number, or its bytes as hex; undefined when it is not there. */
function recorded(packet: Packet, bytes: Uint8Array, row: number): unknown {
  if (!packet.has(row)) return undefined;
  const [, , type] = PROPERTIES[row];
  const value = packet.values[row];
  if (type !== 'string' && type !== 'binary' && type !== 'pair') return value;
  return toHex(bytes, value, value + byteLengthAt(bytes, value));
}

/** The same of the object: the first where there are several, the key of a pair. */
function expected(properties: PropertiesObject, row: number): unknown {
  const [, , type] = PROPERTIES[row];
  const given = properties[PROPERTY_KEYS[row]];
  if (given === undefined || type === 'binary') return given;
  if (type === 'pair') return Buffer.from(properties.userProperties![0][0]).toString('hex');
  if (type === 'string') return Buffer.from(given as string).toString('hex');
  return Array.isArray(given) ? given[0] : given;
}

/** Texts and data of the record as hex, and its numbers, by the keys of the object they belong to. */
function fieldsOf(packet: Packet, bytes: Uint8Array): Record<string, unknown> {
  const text = (offset: number, byteLength: number): string =>
    Buffer.from(bytes.subarray(offset, offset + byteLength)).toString();
  const connect = packet.connect ?? new ConnectPart();
  return {
    packetId: packet.packetId,
    qos: packet.qos,
    dup: packet.dup === 1,
    retain: packet.retain === 1,
    reasonCode: packet.reasonCode,
    sessionPresent: packet.sessionPresent === 1,
    keepAlive: connect.keepAliveSeconds,
    protocolVersion: connect.protocolVersion,
    topicName: text(packet.topicOffset, packet.topicByteLength),
    willTopic: text(packet.topicOffset, packet.topicByteLength),
    clientId: text(connect.clientIdOffset, connect.clientIdByteLength),
    userName: text(connect.userNameOffset, connect.userNameByteLength),
    payload: toHex(bytes, packet.payloadOffset, packet.payloadOffset + packet.payloadByteLength),
    willPayload: toHex(bytes, packet.payloadOffset, packet.payloadOffset + packet.payloadByteLength),
    password: toHex(bytes, connect.passwordOffset, connect.passwordOffset + connect.passwordByteLength),
  };
}

function listOf(object: PacketObject): readonly unknown[] | undefined {
  if (object.type === 'SUBSCRIBE') return object.subscriptions;
  if (object.type === 'UNSUBSCRIBE') return object.topicFilters;
  return object.type === 'SUBACK' || object.type === 'UNSUBACK' ? (object.reasonCodes ?? []) : undefined;
}

describe.each(CODECS)('the record that the $name codec fills', (codec) => {
  it.each(VERSIONS)('has what the packet says, protocol version %d', (protocolVersion) => {
    const decoder = codec.create(protocolVersion, FROM_ANYONE);
    // One for all: what a packet leaves behind must not show in the next.
    const packet = new Packet();
    fc.assert(
      fc.property(packets(protocolVersion), (object) => {
        const encoded = encodeObject(object, { protocolVersion });
        const bytes = new Uint8Array(AT + encoded.length).fill(0xff);
        bytes.set(encoded, AT);
        expect(decoder.decode(bytes, AT, bytes.length, packet)).toBe(OK);
        expect([packet.offset, packet.end]).toEqual([AT, bytes.length]);

        const fields = fieldsOf(packet, bytes);
        for (const [key, value] of Object.entries(object)) {
          if (key in fields) expect(fields[key], key).toStrictEqual(value);
        }
        if (/^(PUB(ACK|REC|REL|COMP)|DISCONNECT|AUTH)$/.test(object.type) && !('reasonCode' in object)) {
          expect(packet.reasonCode).toBe(0);
        }

        const list = listOf(object);
        if (list) expect(packet.listCount).toBe(list.length);

        // What is present is not reset by a packet that has no properties at all.
        if (object.type.startsWith('PING')) return;
        const properties = 'properties' in object ? (object.properties ?? {}) : {};
        for (let row = 0; row < PROPERTIES.length; row++) {
          expect(recorded(packet, bytes, row), PROPERTIES[row][1]).toStrictEqual(expected(properties, row));
        }
      }),
      runs(2000),
    );
  });
});

describe('writeFilter', () => {
  const filter = Uint8Array.of(0x61, 0x2f, 0x23);

  it.each([
    [-1, '0003612f23'],
    [0, '0003612f2300'],
    [0x2e, '0003612f232e'],
  ])('with options %d writes when there is room, and nothing when there is not', (options, hex) => {
    const byteLength = hex.length / 2;
    for (let room = 0; room <= byteLength + 1; room++) {
      const out = new Uint8Array(12).fill(0xa5);
      const end = writeFilter(out, 2, 2 + room, filter, filter.length, options);
      const isEnough = room >= byteLength;
      expect(end).toBe(isEnough ? 2 + byteLength : NO_SPACE);
      const written = isEnough ? byteLength : 0;
      expect(toHex(out)).toBe('a5a5' + hex.slice(0, 2 * written) + 'a5'.repeat(10 - written));
    }
  });

  it('takes as much of a longer array as it is told', () => {
    const out = new Uint8Array(8);
    expect(writeFilter(out, 0, 8, filter, 1, 1)).toBe(4);
    expect(toHex(out, 0, 4)).toBe('00016101');
  });
});
