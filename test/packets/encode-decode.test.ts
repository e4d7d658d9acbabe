/**
 * Random packets that the standard allows, to bytes and back; and objects that are none, refused by name of the field.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InspectError, decodeObjects, encodeObject, toHex } from '../../src/packets/inspect.ts';
import { FROM_ANYONE, FROM_CLIENT, FROM_SERVER, V3_1_1, V5 } from '../../src/packets/types.ts';
import { runs } from '../seed.ts';
import { packets } from './arbitraries.ts';
import { CODECS, VERSIONS, decodeEverywhere } from './decoding.ts';

describe.each(CODECS)('the $name codec', (codec) => {
  it.each(VERSIONS)('reads what it wrote, protocol version %d', (protocolVersion) => {
    fc.assert(
      fc.property(packets(protocolVersion), (object) => {
        const bytes = encodeObject(object, { protocolVersion });
        const outcome = decodeEverywhere(codec.create(protocolVersion, FROM_ANYONE), bytes);
        expect(outcome.packet).toStrictEqual(object);
        expect(outcome.byteLength).toBe(bytes.length);
        expect(encodeObject(outcome.packet!, { protocolVersion })).toStrictEqual(bytes);
      }),
      runs(3000),
    );
  });
});

describe('decodeObjects', () => {
  it('reads packets one after the other and leaves the beginning of the next', () => {
    fc.assert(
      fc.property(fc.array(packets(V5), { maxLength: 6 }), fc.nat(), (objects, cut) => {
        const pieces = objects
          .filter((object) => object.type !== 'CONNECT')
          .map((object) => ({ object, bytes: encodeObject(object, { protocolVersion: V5 }) }));
        const all = Buffer.concat(pieces.map(({ bytes }) => bytes));
        const bytes = Uint8Array.from(all.subarray(0, cut % (all.length + 1)));
        const decoded = decodeObjects(bytes, { protocolVersion: V5 });
        const count = decoded.packets.length;
        expect(decoded.error).toBeUndefined();
        expect(decoded.packets).toStrictEqual(pieces.slice(0, count).map(({ object }) => object));
        const consumed = pieces.slice(0, count).reduce((sum, piece) => sum + piece.bytes.length, 0);
        expect(decoded.consumed).toBe(consumed);
        expect(toHex(decoded.rest)).toBe(toHex(bytes, consumed));
        if (count < pieces.length) expect(decoded.rest.length).toBeLessThan(pieces[count].bytes.length);
      }),
      runs(200),
    );
  });

  it('reads what is behind a CONNECT by its version, unless told not to', () => {
    const connect = encodeObject({ type: 'CONNECT', protocolVersion: 4 }, { protocolVersion: V5 });
    const publish = encodeObject({ type: 'PUBLISH', topicName: 'a' }, { protocolVersion: V3_1_1 });
    const bytes = Uint8Array.from([...connect, ...publish]);
    const followed = decodeObjects(bytes, { protocolVersion: V5 });
    expect(followed.packets.map((packet) => packet.type)).toEqual(['CONNECT', 'PUBLISH']);
    expect(followed.protocolVersion).toBe(V3_1_1);
    const fixed = decodeObjects(bytes, { protocolVersion: V5, followsConnect: false });
    expect(fixed.error).toMatchObject({ code: 'FIELD_TRUNCATED', reasonCode: 0x81, offset: bytes.length });
  });

  it('knows who sent the bytes, when told', () => {
    const ping = encodeObject({ type: 'PINGREQ' }, { protocolVersion: V5 });
    expect(decodeObjects(ping, { protocolVersion: V5, sender: FROM_CLIENT }).packets).toHaveLength(1);
    expect(decodeObjects(ping, { protocolVersion: V5, sender: FROM_SERVER }).error).toEqual({
      code: 'WRONG_SENDER',
      reasonCode: 0x82,
      offset: 0,
      message: 'a packet type that this side never sends',
    });
  });
});

/** The error that encoding gives, as far as it is said. */
function errorOf(object: unknown, protocolVersion = V5): Partial<InspectError> {
  try {
    encodeObject(object as Record<string, unknown>, { protocolVersion });
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    const { code, field, reasonCode, offset } = error;
    return { code, field, reasonCode, offset };
  }
  throw new Error('accepted');
}

const long = 'x'.repeat(65_536);
const sub = (...subscriptions: object[]): object => ({ type: 'SUBSCRIBE', packetId: 1, subscriptions });
const pub = (fields: object): object => ({ type: 'PUBLISH', topicName: 'a', ...fields });

describe('encodeObject', () => {
  it('fills in what has a default, takes booleans for flags, and undefined for absent', () => {
    const hex = (object: object, protocolVersion = V5): string =>
      toHex(encodeObject(object as Record<string, unknown>, { protocolVersion }));
    expect(hex({ type: 'CONNECT' })).toBe('100d00044d5154540502000000' + '0000');
    expect(hex({ type: 'CONNECT' }, V3_1_1)).toBe('100c00044d51545404020000' + '0000');
    expect(hex({ type: 'CONNACK' })).toBe('2003000000');
    expect(hex(pub({}))).toBe('300400016100');
    expect(hex(pub({ qos: undefined, properties: { topicAlias: undefined } }))).toBe('300400016100');
    expect(hex(pub({ retain: 1, properties: { payloadFormatIndicator: true } }))).toBe('3106000161020101');
    expect(hex({ type: 'PUBLISH', properties: { topicAlias: 1 } })).toBe('3006000003230001');
    expect(hex(pub({ payload: 'FFaa' }))).toBe('300600016100ffaa');
    expect(hex(sub({ topicFilter: 'a' }))).toBe('8207000100' + '00016100');
    expect(hex({ type: 'PUBACK', packetId: 1 })).toBe('40020001');
    expect(hex({ type: 'PUBREL', packetId: 1, reasonCode: 0 })).toBe('6203000100');
    expect(hex({ type: 'DISCONNECT' })).toBe('e000');
    expect(hex({ type: 'DISCONNECT', reasonCode: 0 })).toBe('e00100');
    expect(hex({ type: 'DISCONNECT', reasonCode: 4 })).toBe('e00104');
    expect(hex({ type: 'AUTH', reasonCode: 0 })).toBe('f0020000');
  });

  it('puts properties in the order of their identifiers, user properties in their own', () => {
    const properties = {
      userProperties: [
        ['b', '2'],
        ['a', '1'],
      ],
      topicAlias: 1,
      subscriptionIdentifiers: [200, 1],
      messageExpiryInterval: 2,
    };
    const hex = toHex(encodeObject(pub({ properties }) as Record<string, unknown>, { protocolVersion: V5 }));
    expect(hex).toBe(
      '301f00016' + '11b' + '0200000002' + '0bc8010b01' + '230001' + '260001620001322600016100' + '0131',
    );
  });

  it.each<[unknown, string, string]>([
    [null, 'WRONG_TYPE', ''],
    [[], 'WRONG_TYPE', ''],
    ['PINGREQ', 'WRONG_TYPE', ''],
    [{}, 'MISSING_FIELD', 'type'],
    [{ type: 3 }, 'UNKNOWN_TYPE', 'type'],
    [{ type: 'publish' }, 'UNKNOWN_TYPE', 'type'],
    [{ type: 'RESERVED' }, 'UNKNOWN_TYPE', 'type'],
    [{ type: 'PINGREQ', packetId: 1 }, 'UNKNOWN_FIELD', 'packetId'],
    [{ type: 'PUBLISH', topic: 'a' }, 'UNKNOWN_FIELD', 'topic'],
    [{ type: 'PUBLISH' }, 'MISSING_FIELD', 'topicName'],
    [pub({ qos: 1 }), 'MISSING_FIELD', 'packetId'],
    [pub({ packetId: 1 }), 'UNEXPECTED_FIELD', 'packetId'],
    [pub({ qos: '1' }), 'WRONG_TYPE', 'qos'],
    [pub({ qos: 4 }), 'OUT_OF_RANGE', 'qos'],
    [pub({ qos: 0.5 }), 'OUT_OF_RANGE', 'qos'],
    [pub({ qos: NaN }), 'OUT_OF_RANGE', 'qos'],
    [pub({ qos: -1 }), 'OUT_OF_RANGE', 'qos'],
    [pub({ dup: 'no' }), 'WRONG_TYPE', 'dup'],
    [pub({ retain: 2 }), 'OUT_OF_RANGE', 'retain'],
    [pub({ topicName: null }), 'WRONG_TYPE', 'topicName'],
    [pub({ topicName: long }), 'TOO_LONG', 'topicName'],
    [pub({ payload: 'a' }), 'BAD_HEX', 'payload'],
    [pub({ payload: '0g' }), 'BAD_HEX', 'payload'],
    [pub({ payload: [1] }), 'WRONG_TYPE', 'payload'],
    [pub({ properties: [] }), 'WRONG_TYPE', 'properties'],
    [pub({ properties: { qos: 1 } }), 'UNKNOWN_PROPERTY', 'properties.qos'],
    [pub({ properties: { topicAlias: '1' } }), 'WRONG_TYPE', 'properties.topicAlias'],
    [pub({ properties: { topicAlias: 65_536 } }), 'OUT_OF_RANGE', 'properties.topicAlias'],
    [pub({ properties: { payloadFormatIndicator: 2 } }), 'OUT_OF_RANGE', 'properties.payloadFormatIndicator'],
    [pub({ properties: { correlationData: 'x' } }), 'BAD_HEX', 'properties.correlationData'],
    [pub({ properties: { contentType: long } }), 'TOO_LONG', 'properties.contentType'],
    [pub({ properties: { subscriptionIdentifiers: 1 } }), 'WRONG_TYPE', 'properties.subscriptionIdentifiers'],
    [
      pub({ properties: { subscriptionIdentifiers: [1, 268_435_456] } }),
      'OUT_OF_RANGE',
      'properties.subscriptionIdentifiers[1]',
    ],
    [pub({ properties: { userProperties: { a: 'b' } } }), 'WRONG_TYPE', 'properties.userProperties'],
    [pub({ properties: { userProperties: [['a']] } }), 'WRONG_TYPE', 'properties.userProperties[0]'],
    [pub({ properties: { userProperties: [['a', 1]] } }), 'WRONG_TYPE', 'properties.userProperties[0][1]'],
    [{ type: 'PUBACK' }, 'MISSING_FIELD', 'packetId'],
    [{ type: 'PUBACK', packetId: 65_536 }, 'OUT_OF_RANGE', 'packetId'],
    [{ type: 'PUBACK', packetId: 1, reasonCode: 256 }, 'OUT_OF_RANGE', 'reasonCode'],
    [{ type: 'SUBSCRIBE', packetId: 1 }, 'MISSING_FIELD', 'subscriptions'],
    [sub({ topicFilter: 'a' }, { qos: 1 }), 'MISSING_FIELD', 'subscriptions[1].topicFilter'],
    [sub({ topicFilter: 'a', retain: true }), 'UNKNOWN_FIELD', 'subscriptions[0].retain'],
    [{ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['a', 1] }, 'WRONG_TYPE', 'topicFilters[1]'],
    [{ type: 'SUBACK', packetId: 1, reasonCodes: [0, 999] }, 'OUT_OF_RANGE', 'reasonCodes[1]'],
    [{ type: 'CONNECT', willQos: 1 }, 'MISSING_FIELD', 'willTopic'],
    [{ type: 'CONNECT', password: long + long }, 'BAD_HEX', 'password'],
    [{ type: 'CONNECT', password: '00'.repeat(65_536) }, 'TOO_LONG', 'password'],
  ])('refuses %j: %s %s', (object, code, field) => {
    expect(errorOf(object)).toMatchObject({ code, field });
  });

  it.each<[unknown, string, string]>([
    [{ type: 'AUTH' }, 'NOT_IN_VERSION', 'type'],
    [pub({ properties: { topicAlias: 1 } }), 'NOT_IN_VERSION', 'properties'],
    [{ type: 'PUBACK', packetId: 1, reasonCode: 0 }, 'NOT_IN_VERSION', 'reasonCode'],
    [{ type: 'DISCONNECT', reasonCode: 0 }, 'NOT_IN_VERSION', 'reasonCode'],
    [{ type: 'CONNECT', willTopic: 'a', willProperties: {} }, 'NOT_IN_VERSION', 'willProperties'],
    [{ type: 'UNSUBACK', packetId: 1, reasonCodes: [0] }, 'NOT_IN_VERSION', 'reasonCodes'],
    [sub({ topicFilter: 'a', noLocal: true }), 'NOT_IN_VERSION', 'subscriptions[0].noLocal'],
  ])('refuses %j in 3.1.1: %s %s', (object, code, field) => {
    expect(errorOf(object, V3_1_1)).toMatchObject({ code, field });
  });

  it.each<[unknown, string, string, number, number | undefined]>([
    [pub({ qos: 3, packetId: 1 }), 'INVALID_QOS', 'qos', 0x81, 0],
    [pub({ dup: true }), 'DUP_WITHOUT_QOS', 'dup', 0x81, 0],
    [pub({ qos: 1, packetId: 0 }), 'PACKET_ID_ZERO', 'packetId', 0x82, undefined],
    [pub({ topicName: '' }), 'MISSING_TOPIC_NAME', 'topicName', 0x82, 2],
    [pub({ topicName: 'a/#' }), 'INVALID_TOPIC_NAME', 'topicName', 0x90, 6],
    [pub({ topicName: '\0' }), 'INVALID_UTF8', 'topicName', 0x81, undefined],
    [
      pub({ properties: { contentType: '\ud800' } }),
      'INVALID_UTF8',
      'properties.contentType',
      0x81,
      undefined,
    ],
    [pub({ properties: { topicAlias: 0 } }), 'INVALID_TOPIC_ALIAS', 'properties.topicAlias', 0x94, 7],
    [
      pub({ qos: 1, packetId: 1, properties: { topicAlias: 1, responseTopic: 'a+' } }),
      'PROPERTY_OUT_OF_RANGE',
      'properties.responseTopic',
      0x82,
      12,
    ],
    [
      pub({ properties: { receiveMaximum: 1 } }),
      'MISPLACED_PROPERTY',
      'properties.receiveMaximum',
      0x81,
      undefined,
    ],
    [
      pub({ properties: { subscriptionIdentifiers: [0] } }),
      'PROPERTY_OUT_OF_RANGE',
      'properties.subscriptionIdentifiers[0]',
      0x82,
      undefined,
    ],
    [{ type: 'PUBACK', packetId: 0 }, 'PACKET_ID_ZERO', 'packetId', 0x82, 2],
    [{ type: 'PUBACK', packetId: 1, reasonCode: 1 }, 'INVALID_REASON_CODE', 'reasonCode', 0x82, 4],
    [{ type: 'SUBACK', packetId: 1, reasonCodes: [0, 3] }, 'INVALID_REASON_CODE', 'reasonCodes[1]', 0x82, 6],
    [{ type: 'SUBACK', packetId: 1, reasonCodes: [] }, 'EMPTY_LIST', 'reasonCodes', 0x82, 0],
    [sub(), 'EMPTY_LIST', 'subscriptions', 0x82, 0],
    [{ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: [] }, 'EMPTY_LIST', 'topicFilters', 0x82, 0],
    [
      { type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['a', 'b#'] },
      'INVALID_TOPIC_FILTER',
      'topicFilters[1]',
      0x8f,
      11,
    ],
    [sub({ topicFilter: '' }), 'INVALID_TOPIC_FILTER', 'subscriptions[0].topicFilter', 0x8f, 5],
    [
      sub({ topicFilter: 'a' }, { topicFilter: 'b', qos: 3 }),
      'INVALID_SUBSCRIPTION_OPTIONS',
      'subscriptions[1].qos',
      0x82,
      12,
    ],
    [
      sub({ topicFilter: 'a', retainHandling: 3 }),
      'INVALID_SUBSCRIPTION_OPTIONS',
      'subscriptions[0].retainHandling',
      0x82,
      8,
    ],
    [
      sub({ topicFilter: '$share/g/a', noLocal: true }),
      'NO_LOCAL_ON_SHARED',
      'subscriptions[0].noLocal',
      0x82,
      17,
    ],
    [
      { ...sub({ topicFilter: 'a' }), properties: { subscriptionIdentifiers: [1, 2] } },
      'DUPLICATE_PROPERTY',
      'properties.subscriptionIdentifiers',
      0x82,
      7,
    ],
    [
      { type: 'CONNACK', sessionPresent: true, reasonCode: 0x80 },
      'SESSION_PRESENT_WITH_ERROR',
      'sessionPresent',
      0x82,
      2,
    ],
    [{ type: 'CONNECT', protocolName: 'MQIsdp' }, 'UNSUPPORTED_VERSION', 'protocolName', 0x84, undefined],
    [{ type: 'CONNECT', protocolVersion: 3 }, 'UNSUPPORTED_VERSION', 'protocolVersion', 0x84, undefined],
    [{ type: 'CONNECT', willTopic: 'a', willQos: 3 }, 'INVALID_CONNECT_FLAGS', 'willQos', 0x81, 9],
    [{ type: 'CONNECT', willTopic: '+' }, 'INVALID_TOPIC_NAME', 'willTopic', 0x90, 18],
    [{ type: 'CONNECT', protocolVersion: 4, password: '' }, 'INVALID_CONNECT_FLAGS', 'password', 0x81, 9],
    [
      { type: 'CONNECT', properties: { receiveMaximum: 0 } },
      'PROPERTY_OUT_OF_RANGE',
      'properties.receiveMaximum',
      0x82,
      undefined,
    ],
    [
      { type: 'CONNECT', willTopic: 'a', willProperties: { responseTopic: '#' } },
      'PROPERTY_OUT_OF_RANGE',
      'willProperties.responseTopic',
      0x82,
      19,
    ],
    [
      { type: 'CONNECT', properties: { authenticationData: '' } },
      'AUTHENTICATION_DATA_WITHOUT_METHOD',
      'properties.authenticationMethod',
      0x82,
      13,
    ],
    [
      { type: 'AUTH', reasonCode: 24 },
      'AUTHENTICATION_DATA_WITHOUT_METHOD',
      'properties.authenticationMethod',
      0x82,
      0,
    ],
  ])('refuses %j as a decoder would: %s %s', (object, code, field, reasonCode, offset) => {
    expect(errorOf(object)).toEqual({ code, field, reasonCode, offset });
  });

  it('refuses more properties than any packet can hold', () => {
    const userProperties = Array<string[]>(4200).fill(['a', 'x'.repeat(65_535)]);
    expect(errorOf({ type: 'PUBACK', packetId: 1, properties: { userProperties } })).toEqual({
      code: 'TOO_LARGE',
      field: 'properties',
      reasonCode: 0x95,
      offset: undefined,
    });
  });
});
