/**
 * What a server gets wrong, and what it is told; and what looks wrong but harms nobody.
 */
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../targets/node/index.ts';
import { connected, eventOf } from './bench.ts';

describe("the server's mistake", () => {
  it.each([
    ['a second CONNACK', '20 03 00 00 00', 0x82, 'UNEXPECTED_PACKET', '[MQTT-3.2.0-2]'],
    ['a packet of the client', 'c0 00', 0x82, 'WRONG_SENDER', '[MQTT-4.13.1-1]'],
    ['a QoS of 3', '36 03 00 01 74', 0x81, 'INVALID_QOS', '[MQTT-3.3.1-4]'],
    ['a string that is no UTF-8', '30 04 00 01 ff 00', 0x81, 'INVALID_UTF8', '[MQTT-1.5.4-1]'],
    ['a length without an end', '30 ff ff ff ff', 0x81, 'MALFORMED_VARIABLE', '[MQTT-1.5.5-1]'],
    ['a field that is cut off', '30 02 00 05', 0x81, 'FIELD_TRUNCATED', '[MQTT-4.13.1-1]'],
    ['a topic with a wildcard', '30 06 00 03 61 2f 2b 00', 0x90, 'INVALID_TOPIC_NAME', '[MQTT-3.3.2-2]'],
    [
      'an alias above the maximum',
      '30 07 00 01 74 03 23 00 21',
      0x94,
      'INVALID_TOPIC_ALIAS',
      '[MQTT-3.3.2-9]',
    ],
    ['an alias of 0', '30 07 00 01 74 03 23 00 00', 0x94, 'INVALID_TOPIC_ALIAS', '[MQTT-3.3.2-8]'],
    ['an alias that has no name', '30 06 00 00 03 23 00 01', 0x82, 'UNKNOWN_TOPIC_ALIAS', '[MQTT-3.3.2-7]'],
    ['a packet identifier of 0', '32 06 00 01 74 00 00 00', 0x82, 'PACKET_ID_ZERO', '[MQTT-2.2.1-4]'],
    ['an AUTH without a method', 'f0 00', 0x82, 'AUTHENTICATION_DATA', '[MQTT-4.12.0-6]'],
  ])('%s (%s) ends the connection with 0x%x, %s %s', async (_, bytes, reasonCode, name) => {
    const { client, peer } = await connected({ reconnect: false });
    const ended = eventOf(client, 'disconnect');
    await peer.connection.send(bytes);
    const end = await ended;
    expect(end.error).toBeInstanceOf(ProtocolError);
    expect(end).toMatchObject({ reasonCode, error: { code: 'ERR_PROTOCOL', reasonCode } });
    expect(end.error?.message).toMatch(new RegExp(`^${name}.*, at byte \\d+$`));
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode });
    await peer.closed();
  });

  it('on 3.1.1 just ends it: there are no words for why', async () => {
    const { client, peer } = await connected({ reconnect: false, protocol: '3.1.1' });
    const ended = eventOf(client, 'disconnect');
    await peer.connection.send('36 03 00 01 74');
    expect((await ended).error).toMatchObject({ code: 'ERR_PROTOCOL', reasonCode: 0x81 });
    await peer.closed();
    expect(peer.receivedTypes).toEqual(['CONNECT']);
  });

  it('with a packet larger than was announced is 0x95 [MQTT-3.1.2-24]', async () => {
    const { client, peer } = await connected({ reconnect: false, maximumPacketSize: 20 });
    const ended = eventOf(client, 'disconnect');
    await peer.publish('t', 'x'.repeat(20));
    expect((await ended).error).toMatchObject({ reasonCode: 0x95 });
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x95 });
  });

  it('with more than the Receive Maximum unacknowledged is 0x93 [MQTT-3.3.4-9]', async () => {
    const options = { reconnect: false as const, receiveMaximum: 2, manualAcknowledgement: true };
    const { client, peer } = await connected(options);
    client.on('message', () => {});
    const ended = eventOf(client, 'disconnect');
    for (const packetId of [1, 2, 3]) await peer.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId });
    expect((await ended).error).toMatchObject({ reasonCode: 0x93 });
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x93 });
  });
});

describe('an acknowledgement that nobody waits for', () => {
  it('is harmless; PUBREC and PUBREL have their answer', async () => {
    const { client, peer } = await connected();
    for (const type of ['PUBACK', 'PUBCOMP', 'PUBREC', 'PUBREL'] as const) {
      await peer.send({ type, packetId: 99, reasonCode: 0 });
    }
    await peer.send({ type: 'SUBACK', packetId: 99, reasonCodes: [0] });
    await peer.send({ type: 'UNSUBACK', packetId: 99, reasonCodes: [0] });
    await peer.connection.send('d0 00'); // PINGRESP
    expect(await peer.next('PUBREL')).toMatchObject({ packetId: 99, reasonCode: 0x92 });
    expect(await peer.next('PUBCOMP')).toMatchObject({ packetId: 99, reasonCode: 0x92 });
    await client.publish('t', 'still here');
    await peer.next('PUBLISH');
    expect(client.isConnected).toBe(true);
  });
});
