/**
 * Section 3.14 and section 4.13 asked of a broker: DISCONNECT in both directions, and what is answered with it. What it
 * does to sessions and wills is in their files.
 */
import { expect, it } from 'vitest';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { binaryHex, connectHex, exchange, integerHex, packetHex, propertiesHex, textHex } from '../bytes.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';
import { keptSession, publishOnce, textsOf } from './messages.ts';

describeBroker('3.14 DISCONNECT from the client', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    'ends the connection, and nothing comes any more, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.send({ type: 'DISCONNECT' });
      await peer.expectClosedSilently();
    },
  );

  it.each([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    '[MQTT-4.13.2-1] ends the connection whatever its reason code: %i',
    async (reasonCode) => {
      const peer = await Peer.connect(broker);
      peer.send({
        type: 'DISCONNECT',
        reasonCode,
        properties: { reasonString: 'why', userProperties: [['a', 'b']] },
      });
      await peer.expectClosedSilently();
    },
  );

  it('[MQTT-3.14.4-1] what follows it is not looked at', async () => {
    const subscriber = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await subscriber.subscribe(topicName);
    const peer = await Peer.connect(broker);
    peer.send(
      { type: 'PUBLISH', topicName, payload: hexOf('before') },
      { type: 'DISCONNECT' },
      { type: 'PUBLISH', topicName, payload: hexOf('after') },
    );
    await peer.expectClosedSilently();
    await publishOnce(broker, { topicName, payload: hexOf('later') });
    expect(textsOf(await subscriber.drain())).toEqual(['before', 'later']);
  });

  it.each([
    ['reserved flags', 'e1 00', [0x81]],
    ['reserved flags', 'e8 01 00', [0x81]],
    ['a reason code that only servers send: 0x8B', 'e0 01 8b', [0x82, 0x81]],
    ['a reason code that there is not: 0x01', 'e0 01 01', [0x82, 0x81]],
    ['a reason code of CONNACK: 0x84', 'e0 01 84', [0x82, 0x81]],
    ['Session Expiry Interval twice', `e0 0c 00 0a ${'11 00000000'.repeat(2)}`, [0x82]],
    ['a property of other packets', 'e0 04 00 02 01 01', [0x81]],
    ['more bytes than its properties', 'e0 04 00 00 00 00', [0x81]],
  ])('[MQTT-3.14.1-1] [MQTT-4.13.1-1] with %s is an error', async (_what, hex, reasonCodes) => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(hex);
    await peer.expectDisconnect(...reasonCodes);
  });

  it('[MQTT-3.14.1-1] with reserved flags does not delete the will', async () => {
    const listener = await Peer.connect(broker);
    const willTopic = uniqueTopic();
    await listener.subscribe(willTopic);
    const peer = await Peer.connect(broker, { willTopic });
    peer.sendBytes('e1 00');
    await peer.expectDisconnect(0x81);
    expect(await listener.nextOf('PUBLISH')).toMatchObject({ topicName: willTopic });
  });
});

describeBroker('3.14 DISCONNECT from the server', (broker) => {
  it('[MQTT-3.14.2-1] [MQTT-3.14.2-2] has one of its reason codes and no Session Expiry Interval', async () => {
    // Reason codes that are not the server's fail the peer, which reads strictly.
    const first = await Peer.connect(broker, keptSession());
    await Peer.connect(broker, keptSession(5, first.clientId));
    const disconnect = await first.expectDisconnect(0x8e);
    expect(disconnect.properties ?? {}).not.toHaveProperty('sessionExpiryInterval');
  });

  it('[MQTT-3.14.4-1] [MQTT-3.14.4-2] is the last packet, and the connection is closed', async () => {
    const topicName = uniqueTopic();
    const first = await Peer.connect(broker);
    await first.subscribe(topicName);
    const publisher = await Peer.connect(broker);
    const messages = Array.from({ length: 50 }, () => ({ type: 'PUBLISH' as const, topicName }));
    publisher.send(...messages);
    await publisher.drain();
    first.sendBytes('00 00'); // an error
    publisher.send(...messages);
    await publisher.drain();
    let packet = await first.next();
    while (packet.type === 'PUBLISH') packet = await first.next();
    expect(packet.type).toBe('DISCONNECT');
    await first.expectClosedSilently();
  });

  it.each([
    ['a reserved flag', connectHex({ flags: 0x03, payload: [textHex('a')] })],
    ['an ill-formed Client Identifier', connectHex({ payload: [binaryHex('ff')] })],
    ['a length of five bytes', '10 80 80 80 80 01'],
  ])('[MQTT-3.14.0-1] does not come before a CONNACK of success: CONNECT with %s', async (_what, hex) => {
    // CONNACK with a reason code from 0x80, or nothing.
    expect(await exchange(broker, hex)).toMatch(/^(20..00[89a]...*|)$/);
  });

  it('[MQTT-3.14.0-1] does not come before a CONNACK of success: no CONNECT at all', async () => {
    expect(await exchange(broker, '30 ff ff ff ff 7f')).toBe('');
  });

  it.each([
    ['[MQTT-3.14.2-3] [MQTT-3.14.2-4]', 50],
    ['[MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.1.2-24]', 30],
  ])('%s is not larger than Maximum Packet Size %i', async (_ids, maximumPacketSize) => {
    const properties = `27${integerHex(maximumPacketSize, 4)}`;
    const connect = connectHex({ properties, payload: [textHex(uniqueClientId())] });
    const answer = Buffer.from(await exchange(broker, `${connect}0000`), 'hex');
    const connackByteLength = 2 + answer[1];
    expect(answer[0]).toBe(0x20);
    expect(connackByteLength).toBeLessThanOrEqual(maximumPacketSize);
    expect(answer[connackByteLength]).toBe(0xe0);
    expect(answer.length - connackByteLength).toBeLessThanOrEqual(maximumPacketSize);
  });
});

describeBroker('4.13 Handling errors', (broker) => {
  const topic = textHex('a');
  const both = [
    { what: 'the packet type 0', hex: '00 00', reasonCodes: [0x81, 0x82] },
    { what: 'CONNACK', hex: packetHex(0x20, '0000'), reasonCodes: [0x82, 0x81] },
    { what: 'PINGRESP', hex: packetHex(0xd0), reasonCodes: [0x82, 0x81] },
    { what: 'PUBLISH shorter than its topic', hex: packetHex(0x30, '0005', '61'), reasonCodes: [0x81] },
    { what: 'PUBLISH without a packet identifier', hex: packetHex(0x32, topic), reasonCodes: [0x81] },
    { what: 'PUBACK of one byte', hex: packetHex(0x40, '00'), reasonCodes: [0x81] },
    { what: 'SUBSCRIBE of one byte', hex: packetHex(0x82, '00'), reasonCodes: [0x81] },
    { what: 'PINGREQ with a byte', hex: packetHex(0xc0, '00'), reasonCodes: [0x81] },
    { what: 'a length of five bytes', hex: 'c0 80 80 80 80 00', reasonCodes: [0x81] },
  ];
  it.each(both.flatMap((one) => PROTOCOL_VERSIONS.map((version) => ({ ...one, version }))))(
    '[MQTT-4.13.1-1] [v3.1.1 MQTT-4.8.0-1] closes on $what, version $version',
    async ({ hex, reasonCodes, version }) => {
      const peer = await Peer.connect(broker, { protocolVersion: version });
      peer.sendBytes(hex);
      await peer.expectDisconnect(...reasonCodes);
    },
  );

  it.each([
    ['a property that there is not', propertiesHex('7e01'), 0x81],
    ['a property of CONNECT', propertiesHex('1100000001'), 0x81],
    ['Payload Format Indicator twice', propertiesHex('0101', '0101'), 0x82],
    ['Payload Format Indicator 2', propertiesHex('0102'), 0x82],
    ['Message Expiry Interval twice', propertiesHex('0200000001', '0200000001'), 0x82],
    ['Content Type twice', propertiesHex('03', textHex('a'), '03', textHex('a')), 0x82],
    ['Response Topic twice', propertiesHex('08', textHex('a'), '08', textHex('a')), 0x82],
    ['Correlation Data twice', propertiesHex('09', binaryHex('01'), '09', binaryHex('01')), 0x82],
    ['a Property Length beyond the packet', '7f', 0x81],
    ['half a property', propertiesHex('020000'), 0x81],
  ])('[MQTT-4.13.1-1] closes on a PUBLISH with %s', async (_what, properties, reasonCode) => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(packetHex(0x30, topic, properties));
    await peer.expectDisconnect(reasonCode);
  });

  it('[MQTT-4.13.1-1] one client’s errors are no other’s', async () => {
    const [peer, other] = [await Peer.connect(broker), await Peer.connect(broker)];
    peer.sendBytes('ff ff ff ff ff 01');
    await peer.expectDisconnect(0x81, 0x82);
    expect(await other.drain()).toEqual([]);
  });
});

describeWith(
  { limits: { maximumPacketSize: 200 } },
  '3.2.2.3.6 Maximum Packet Size of the server',
  (broker) => {
    it('[MQTT-4.13.1-1] closes on a larger packet', async () => {
      const peer = await Peer.connect(broker);
      expect(peer.connack.properties).toMatchObject({ maximumPacketSize: 200 });
      peer.send({ type: 'PUBLISH', topicName: 'a', payload: '61'.repeat(200) });
      await peer.expectDisconnect(0x95);
    });

    it('takes one that is as large as that', async () => {
      const peer = await Peer.connect(broker);
      await peer.subscribe('a');
      // Fixed header 3 bytes, topic 3, Property Length 1.
      const payload = '61'.repeat(200 - 3 - 3 - 1);
      await peer.publish({ topicName: 'a', payload });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload });
    });

    it('[MQTT-3.1.4-1] closes on a CONNECT that is larger', async () => {
      const peer = await Peer.open(broker);
      peer.send({
        type: 'CONNECT',
        clientId: uniqueClientId(),
        willTopic: 'a',
        willPayload: '61'.repeat(200),
      });
      await peer.expectRejected(0x95);
    });
  },
);
