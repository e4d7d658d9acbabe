/**
 * Servers that break the standard: the connection ends, with the reason the standard gives where MQTT 5.0 has words for
 * it, and the client says what was wrong. And servers that are odd without breaking anything: nothing happens.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ProtocolError } from '../../targets/node/index.ts';
import type { ConnectOptions } from '../../targets/node/index.ts';
import { PACKET_TYPE, packetType } from '../support/fault-proxy.ts';
import { eventually } from '../support/wait.ts';
import {
  bytesOf,
  cleanUp,
  clientOf,
  connectedTo,
  nextDisconnect,
  ofType,
  PROTOCOLS,
  receivedOn,
  serve,
  serveRaw,
  whenClosed,
} from './stage.ts';
import type { Protocol } from './stage.ts';

afterEach(cleanUp);

/** What the server sends after CONNACK, why that is wrong, and what DISCONNECT says. */
type Case = readonly [what: string, hex: string, violation: string, reasonCode: number];

/** Wrong in both versions: after PUBLISH's head 5.0 has a property length of 0, which is given as `{}`. */
const ALWAYS: readonly Case[] = [
  ['a length of five bytes [MQTT-1.5.5-1]', '30 ff ff ff ff 01', 'MALFORMED_VARIABLE_BYTE_INTEGER', 0x81],
  ['a length not in its shortest form [MQTT-1.5.5-1]', 'd0 80 00', 'MALFORMED_VARIABLE_BYTE_INTEGER', 0x81],
  ['packet type 0', '00 00', 'RESERVED_PACKET_TYPE', 0x81],
  ['reserved flags set [MQTT-2.1.3-1]', '41 02 00 01', 'RESERVED_FLAGS', 0x81],
  ['PUBREL without its flags [MQTT-3.6.1-1]', '60 02 00 01', 'RESERVED_FLAGS', 0x81],
  ['QoS 3 [MQTT-3.3.1-4]', '36 05 00 01 61 00 01', 'INVALID_QOS', 0x81],
  ['DUP with QoS 0 [MQTT-3.3.1-2]', '38 04 00 01 61 78', 'DUP_WITHOUT_QOS', 0x81],
  ['a field that ends behind its packet', '30 03 00 05 61', 'FIELD_TRUNCATED', 0x81],
  ['bytes behind the last field', '62 06 00 01 00 00 00 00', 'TRAILING_BYTES', 0x81],
  ['PINGRESP with a body', 'd0 01 00', 'TRAILING_BYTES', 0x81],
  ['a topic that is no UTF-8 [MQTT-1.5.4-1]', '30 05 00 02 c3 28 {}', 'INVALID_UTF8', 0x81],
  ['a topic with U+0000 [MQTT-1.5.4-2]', '30 05 00 02 61 00 {}', 'INVALID_UTF8', 0x81],
  ['a topic with a surrogate [MQTT-1.5.4-1]', '30 06 00 03 ed a0 80 {}', 'INVALID_UTF8', 0x81],
  ['a topic with a wildcard [MQTT-3.3.2-2]', '30 04 00 01 23 {}', 'INVALID_TOPIC_NAME', 0x90],
  ['packet identifier 0 [MQTT-2.2.1-4]', '32 06 00 01 61 00 00 {}', 'PACKET_ID_ZERO', 0x82],
  ['a packet that only clients send: PINGREQ', 'c0 00', 'WRONG_SENDER', 0x82],
  ['a packet that only clients send: SUBSCRIBE', '82 07 00 01 {} 00 01 61 00', 'WRONG_SENDER', 0x82],
  ['a packet that only clients send: CONNECT', '10 00', 'WRONG_SENDER', 0x82],
];

const OF_V5: readonly Case[] = [
  ['a second CONNACK [MQTT-3.2.0-2]', '20 03 00 00 00', 'UNEXPECTED_PACKET', 0x82],
  [
    'a topic alias above the maximum [MQTT-3.3.2-11]',
    '30 08 00 01 61 03 23 00 21 78',
    'INVALID_TOPIC_ALIAS',
    0x94,
  ],
  ['an alias that was never given [MQTT-3.3.2-7]', '30 07 00 00 03 23 00 05 78', 'UNKNOWN_TOPIC_ALIAS', 0x82],
  ['no topic and no alias', '30 04 00 00 00 78', 'MISSING_TOPIC_NAME', 0x82],
  ['a property that there is not', '30 06 00 01 61 02 7f 00', 'UNKNOWN_PROPERTY', 0x81],
  ['a property out of place', '30 07 00 01 61 03 13 00 01', 'MISPLACED_PROPERTY', 0x81],
  ['a property twice', '30 08 00 01 61 04 01 01 01 01', 'DUPLICATE_PROPERTY', 0x82],
  ['a property that cannot be so', '30 06 00 01 61 02 01 02', 'PROPERTY_OUT_OF_RANGE', 0x82],
  ['subscription identifier 0', '30 06 00 01 61 02 0b 00', 'PROPERTY_OUT_OF_RANGE', 0x82],
  ['properties longer than their packet', '30 05 00 01 61 05 01', 'FIELD_TRUNCATED', 0x81],
  ['a reason code that PUBACK has not', '40 03 00 01 01', 'INVALID_REASON_CODE', 0x82],
  ['AUTH without having been asked [MQTT-4.12.0-6]', 'f0 00', 'AUTHENTICATION_DATA_WITHOUT_METHOD', 0x82],
  [
    'DISCONNECT with a session expiry [MQTT-3.14.2-2]',
    'e0 07 00 05 11 00 00 00 01',
    'PROPERTY_FROM_WRONG_SENDER',
    0x82,
  ],
  ['a packet above the maximum size [MQTT-3.1.2-24]', '30 e9 07 00 01 61', 'TOO_LARGE', 0x95],
  ['UNSUBACK for nothing that breaks itself', 'b0 03 00 01 00', 'EMPTY_LIST', 0x82],
];

const OF_V311: readonly Case[] = [
  ['a second CONNACK', '20 02 00 00', 'UNEXPECTED_PACKET', 0x82],
  ['AUTH', 'f0 00', 'RESERVED_PACKET_TYPE', 0x81],
  ['DISCONNECT', 'e0 00', 'WRONG_SENDER', 0x82],
  ['an empty topic', '30 03 00 00 78', 'MISSING_TOPIC_NAME', 0x82],
];

/** `hex` for a protocol: `{}` is an empty property section, which 3.1.1 does not have; the length is made to fit. */
function hexFor(protocol: Protocol, hex: string): string {
  if (!hex.includes('{}')) return hex;
  if (protocol === '5.0') return hex.replace('{}', '00');
  const [first, length, ...rest] = hex.replace(' {}', '').split(' ');
  return [first, (parseInt(length, 16) - 1).toString(16).padStart(2, '0'), ...rest].join(' ');
}

const CASES = PROTOCOLS.flatMap((protocol) =>
  [...ALWAYS, ...(protocol === '5.0' ? OF_V5 : OF_V311)].map((one) => [protocol, ...one] as const),
);

const OPTIONS: ConnectOptions = { maximumPacketSize: 1000 };
const optionsFor = (protocol: Protocol): ConnectOptions =>
  protocol === '5.0' ? { protocol, ...OPTIONS } : { protocol };

describe('a server that breaks the standard', () => {
  it.each(CASES)('MQTT %s: %s [MQTT-4.13.1-1]', async (protocol, _what, hex, violation, reasonCode) => {
    const server = await serve({
      protocol,
      answer: async (packet, connection) => {
        if (packet.type !== 'CONNECT') return undefined;
        await connection.send(bytesOf({ type: 'CONNACK' }, protocol));
        return hexFor(protocol, hex);
      },
    });
    const client = clientOf(server, optionsFor(protocol));
    const closed = whenClosed(client);
    const end = await nextDisconnect(client);
    expect(end.error).toBeInstanceOf(ProtocolError);
    expect(end).toMatchObject({ reasonCode, error: { code: 'ERR_PROTOCOL', reasonCode } });
    expect(end.error?.message).toMatch(new RegExp(`^${violation}: .*, at byte \\d+$`));
    await closed;
    await server.connections[0].closed;
    // 3.1.1 has no words for it: it just closes.
    const words = server.connections[0].received.slice(1).map((bytes) => [...bytes]);
    expect(words).toEqual(protocol === '5.0' ? [[0xe0, 1, reasonCode]] : []);
  });

  it.each([
    [
      'MQTT 5.0 CONNACK with a session that was not asked for [MQTT-3.2.2-2]',
      '5.0',
      '20 03 01 00 00',
      'SESSION_NOT_ASKED_FOR',
    ],
    [
      'MQTT 3.1.1 CONNACK with a session that was not asked for',
      '3.1.1',
      '20 02 01 00',
      'SESSION_NOT_ASKED_FOR',
    ],
    [
      'MQTT 5.0 a refusal with a session [MQTT-3.2.2-6]',
      '5.0',
      '20 03 01 87 00',
      'SESSION_PRESENT_WITH_ERROR',
    ],
    ['MQTT 5.0 a message before CONNACK [MQTT-3.2.0-1]', '5.0', '30 05 00 01 61 00 78', 'UNEXPECTED_PACKET'],
    ['MQTT 5.0 PINGRESP before CONNACK', '5.0', 'd0 00', 'UNEXPECTED_PACKET'],
    ['MQTT 5.0 a receive maximum of 0', '5.0', '20 06 00 00 03 21 00 00', 'PROPERTY_OUT_OF_RANGE'],
    ['MQTT 5.0 HTTP', '5.0', '48 54 54 50 2f 31 2e 31 20 34 30 30', 'RESERVED_FLAGS'],
  ] as const)('%s', async (_what, protocol, hex, violation) => {
    const server = await serveRaw(async (connection) => {
      await connection.nextPacket();
      await connection.send(hex);
    });
    const client = clientOf(server, { protocol });
    await expect(client.firstConnect).rejects.toMatchObject({
      name: 'ProtocolError',
      message: expect.stringContaining(violation),
    });
    await server.connections[0].closed;
  });

  it.each(PROTOCOLS)(
    'MQTT %s: SUBACK with too few or too many reason codes [MQTT-3.8.4-6]',
    async (protocol) => {
      for (const reasonCodes of [[0], [0, 0, 0]]) {
        const server = await serve({
          protocol,
          answer: ({ type, ...packet }) =>
            type === 'SUBSCRIBE' && 'packetId' in packet
              ? bytesOf({ type: 'SUBACK', packetId: packet.packetId!, reasonCodes }, protocol)
              : undefined,
        });
        const client = await connectedTo(server, { protocol });
        const end = nextDisconnect(client);
        const subscribed = client.subscribe(['a', 'b']);
        const outcome = expect(subscribed).rejects.toMatchObject({ code: 'ERR_PROTOCOL' });
        expect((await end).error?.message).toMatch(/^REASON_CODE_COUNT/);
        await outcome;
      }
    },
  );

  it.each([
    ['PUBACK for QoS 2', 2, '40 02 00 01'],
    ['PUBREC for QoS 1', 1, '50 02 00 01'],
    ['PUBCOMP for QoS 1', 1, '70 02 00 01'],
    ['PUBCOMP before PUBREC', 2, '70 02 00 01'],
  ] as const)('%s', async (_what, qos, hex) => {
    const server = await serve({ answer: ({ type }) => (type === 'PUBLISH' ? hex : undefined) });
    const client = await connectedTo(server);
    const end = nextDisconnect(client);
    const published = client.publish('a', 'x', { qos });
    const outcome = expect(published).rejects.toMatchObject({ code: 'ERR_PROTOCOL', reasonCode: 0x82 });
    expect((await end).error?.message).toMatch(/^QOS_NOT_GRANTED/);
    await outcome;
  });

  it.each(['1', '2'])(
    'more unacknowledged messages than it was allowed, QoS %s [MQTT-3.3.4-9]',
    async (qos) => {
      const publish = (packetId: number) => `3${qos === '1' ? 2 : 4} 06 00 01 61 00 0${packetId} 00`;
      const server = await serve({
        answer: async (packet, connection) => {
          if (packet.type !== 'SUBSCRIBE') return undefined;
          await connection.send(bytesOf({ type: 'SUBACK', packetId: packet.packetId, reasonCodes: [2] }));
          return [1, 2, 3].map(publish).join(' ');
        },
      });
      const client = await connectedTo(server, { receiveMaximum: 2, manualAcknowledgement: true });
      const end = nextDisconnect(client);
      let count = 0;
      await client.subscribe('a', { qos: 2 }, () => count++);
      expect(await end).toMatchObject({ reasonCode: 0x93, error: { name: 'ProtocolError' } });
      expect(count).toBe(2);
      await server.connections[0].closed;
      expect([...server.connections[0].received.at(-1)!]).toEqual([0xe0, 1, 0x93]);
    },
  );

  it('is left, and found again if it was told to', async () => {
    const server = await serve({
      answer: async (packet, connection) => {
        if (packet.type !== 'CONNECT' || connection.index > 2) return undefined;
        await connection.send(bytesOf({ type: 'CONNACK' }));
        return '00 00';
      },
    });
    const client = clientOf(server, { reconnect: { firstMs: 1, maximumMs: 5 } });
    const ends: unknown[] = [];
    client.on('disconnect', ({ reasonCode }) => ends.push(reasonCode));
    await eventually(() => server.connections.length === 4 && client.isConnected, { what: 'the fourth' });
    expect(ends).toEqual([0x81, 0x81, 0x81]);
    await client.publish('a', 'x', { qos: 2 });
  });
});

describe('a server that is odd, but breaks nothing', () => {
  it('acknowledges what was never sent: PUBREC is answered, the rest ignored [MQTT-4.3.3-4]', async () => {
    const server = await serve({
      answer: ({ type }) =>
        type === 'PUBLISH'
          ? '40 02 ff ff 50 02 ff fe 70 02 ff fd 62 02 ff fc 90 04 ff fb 00 00 b0 04 ff fa 00 00'
          : undefined,
    });
    const client = await connectedTo(server);
    await client.publish('a', 'x', { qos: 0 });
    const isAnswered = () => receivedOn(server.connections[0]).some(({ type }) => type === 'PUBCOMP');
    await eventually(isAnswered, { what: 'PUBCOMP' });
    const packets = receivedOn(server.connections[0]);
    expect(ofType(packets, 'PUBREL')).toMatchObject([{ packetId: 0xfffe, reasonCode: 0x92 }]);
    expect(ofType(packets, 'PUBCOMP')).toMatchObject([{ packetId: 0xfffc, reasonCode: 0x92 }]);
    expect(client.isConnected).toBe(true);
  });

  it('answers pings that were not sent, and acknowledges twice', async () => {
    const server = await serve({
      answer: (packet) => {
        if (packet.type === 'PUBREL')
          return `70 02 00 0${packet.packetId} 70 02 00 0${packet.packetId} d0 00 d0 00`;
        return undefined;
      },
    });
    const client = await connectedTo(server);
    for (let i = 0; i < 5; i++) await client.publish('a', 'x', { qos: 2 });
    expect(client.isConnected).toBe(true);
  });

  it('says everything one byte at a time', async () => {
    const server = await serveRaw(async (connection) => {
      for (;;) {
        const type = packetType(await connection.nextPacket());
        if (type === PACKET_TYPE.CONNECT) await connection.sendByteByByte('20 09 00 00 06 21 00 14 22 00 0a');
        if (type === PACKET_TYPE.SUBSCRIBE) {
          await connection.sendByteByByte('90 04 00 01 00 02 34 0b 00 03 61 2f 62 00 07 00 31 32 33');
        }
        if (type === PACKET_TYPE.PUBREC) await connection.sendByteByByte('62 02 00 07');
      }
    });
    const client = await connectedTo(server);
    const messages: string[] = [];
    await client.subscribe('a/+', { qos: 2 }, (message) => messages.push(message.text()));
    const isAnswered = () => receivedOn(server.connections[0]).some(({ type }) => type === 'PUBCOMP');
    await eventually(isAnswered, { what: 'PUBCOMP' });
    expect(messages).toEqual(['123']);
    expect(client.connack?.properties).toEqual({ receiveMaximum: 20, topicAliasMaximum: 10 });
  });

  it('sends aliases, and they stand for their topics [MQTT-3.3.2-10]', async () => {
    const server = await serve({
      answer: ({ type }) =>
        type === 'SUBSCRIBE'
          ? // a = 1, b = 2, then by number, then 1 = c, then by number
            '90 04 00 01 00 00 ' +
            '30 07 00 01 61 03 23 00 01 30 07 00 01 62 03 23 00 02 30 06 00 00 03 23 00 01 30 06 00 00 03 23 00 02 ' +
            '30 07 00 01 63 03 23 00 01 30 06 00 00 03 23 00 01'
          : undefined,
    });
    const client = await connectedTo(server);
    const names: string[] = [];
    await client.subscribe('#', {}, ({ topicName }) => names.push(topicName));
    await eventually(() => names.length === 6, { what: 'six messages' });
    expect(names).toEqual(['a', 'b', 'a', 'b', 'c', 'c']);
  });
});
