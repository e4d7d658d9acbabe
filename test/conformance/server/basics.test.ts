/**
 * Chapters 1 and 2 and section 4.2 asked of a broker: strings, integers, reserved bits, packet identifiers, property
 * lengths, and the stream that packets come in.
 */
import { expect, it } from 'vitest';
import { describeBroker } from '../broker-under-test.ts';
import { connectHex, binaryHex, integerHex, packetHex, propertiesHex, textHex } from '../bytes.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';

/** PUBLISH at QoS 0 without properties, its topic given as hex. */
function publishHex(protocolVersion: number, topicHex: string, payload = ''): string {
  return packetHex(0x30, binaryHex(topicHex), protocolVersion === 5 ? '00' : '', payload);
}

describeBroker('1.5 data representation', (broker) => {
  const illFormed = [
    ['a lone continuation byte', '6180'],
    ['a byte that UTF-8 has not', '61ff'],
    ['half a character', '61c3'],
    ['an overlong character', 'c1a1'],
    ['a surrogate', '61eda080'],
    ['a pair of surrogates', 'eda0bdedb880'],
    ['a character beyond U+10FFFF', 'f4908080'],
  ];
  const cases = illFormed.flatMap(([what, hex]) =>
    PROTOCOL_VERSIONS.map((version) => ({ what, hex, version })),
  );

  it.each(cases)(
    '[MQTT-1.5.4-1] [v3.1.1 MQTT-1.5.3-1] closes on ill-formed UTF-8: $what, version $version',
    async ({ hex, version }) => {
      const peer = await Peer.connect(broker, { protocolVersion: version });
      peer.sendBytes(publishHex(version, hex));
      await peer.expectDisconnect(0x81);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-1.5.4-1] [v3.1.1 MQTT-1.5.3-1] carries every length of character unaltered, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicName = `${uniqueTopic()}/aü\u0800\u{10fffd}😀`;
      await peer.subscribe(topicName);
      await peer.publish({ topicName });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ topicName });
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-1.5.4-2] [v3.1.1 MQTT-1.5.3-2] closes on U+0000, version %i',
    async (version) => {
      const peer = await Peer.connect(broker, { protocolVersion: version });
      peer.sendBytes(publishHex(version, '610062'));
      // Well-formed UTF-8 that a Topic Name must not hold either: both reason codes are right.
      await peer.expectDisconnect(0x81, 0x90);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-1.5.4-3] [v3.1.1 MQTT-1.5.3-3] EF BB BF is a character like others, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      const names = [`${topic}/\ufeffa`, `${topic}/a\ufeff`, `${topic}/a`];
      for (const name of names) await peer.subscribe(name);
      for (const name of names) await peer.publish({ topicName: name });
      const received = [];
      for (const packet of await peer.drain()) received.push(packet.type === 'PUBLISH' && packet.topicName);
      expect(received).toEqual(names);

      const atTheBeginning = `\ufeff${topic}`;
      await peer.subscribe(atTheBeginning);
      await peer.publish({ topicName: topic });
      await peer.publish({ topicName: atTheBeginning });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ topicName: atTheBeginning });
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-1.5.5-1] sends lengths in the fewest bytes, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName);
      const head = 2 + topicName.length + (protocolVersion === 5 ? 1 : 0);
      // Remaining Lengths at which the number of bytes changes; the peer refuses one byte more.
      for (const remainingLength of [127, 128, 16_383, 16_384]) {
        const payload = '61'.repeat(remainingLength - head);
        await peer.publish({ topicName, payload });
        expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload });
      }
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-1.5.5-1] closes on a Remaining Length of five bytes, version %i',
    async (version) => {
      const peer = await Peer.connect(broker, { protocolVersion: version });
      peer.sendBytes('30 ff ff ff ff 01');
      await peer.expectDisconnect(0x81);
    },
  );

  it('[MQTT-1.5.5-1] closes on a Remaining Length in more bytes than it needs', async () => {
    const peer = await Peer.connect(broker);
    peer.sendBytes('c0 80 00');
    await peer.expectDisconnect(0x81);
  });

  it('[MQTT-1.5.5-1] closes on a Property Length in more bytes than it needs', async () => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(packetHex(0x30, textHex('a'), '8000', '61'));
    await peer.expectDisconnect(0x81);
  });

  it.each([
    ['name', binaryHex('ff'), textHex('b')],
    ['value', textHex('a'), binaryHex('eda080')],
    ['name with U+0000', binaryHex('00'), textHex('b')],
    ['value with U+0000', textHex('a'), binaryHex('6100')],
  ])('[MQTT-1.5.7-1] closes on a User Property with an ill-formed %s', async (_what, name, value) => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(packetHex(0x30, textHex('a'), propertiesHex('26', name, value)));
    await peer.expectDisconnect(0x81);
  });
});

describeBroker('2.1 fixed header', (broker) => {
  const body = {
    SUBSCRIBE: (version: number) => `0001${version === 5 ? '00' : ''}${textHex('a')}00`,
    UNSUBSCRIBE: (version: number) => `0001${version === 5 ? '00' : ''}${textHex('a')}`,
    ack: () => '0001',
    none: () => '',
  };
  const packets = [
    { what: 'PUBACK', first: 0x41, rest: body.ack },
    { what: 'PUBREC', first: 0x52, rest: body.ack },
    { what: 'PUBREL', first: 0x60, rest: body.ack },
    { what: 'PUBREL', first: 0x63, rest: body.ack },
    { what: 'PUBCOMP', first: 0x78, rest: body.ack },
    { what: 'SUBSCRIBE', first: 0x80, rest: body.SUBSCRIBE },
    { what: 'SUBSCRIBE', first: 0x83, rest: body.SUBSCRIBE },
    { what: 'UNSUBSCRIBE', first: 0xa0, rest: body.UNSUBSCRIBE },
    { what: 'UNSUBSCRIBE', first: 0xa6, rest: body.UNSUBSCRIBE },
    { what: 'PINGREQ', first: 0xc1, rest: body.none },
    { what: 'DISCONNECT', first: 0xe2, rest: body.none },
  ];
  const cases = packets.flatMap((one) => PROTOCOL_VERSIONS.map((version) => ({ ...one, version })));

  it.each(cases)(
    '[MQTT-2.1.3-1] [v3.1.1 MQTT-2.2.2-2] closes on reserved flags of $what: $first, version $version',
    async ({ first, rest, version }) => {
      const peer = await Peer.connect(broker, { protocolVersion: version });
      peer.sendBytes(packetHex(first, rest(version)));
      await peer.expectDisconnect(0x81);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-2.1.3-1] closes on reserved flags of CONNECT, version %i',
    async (version) => {
      const peer = await Peer.open(broker, version);
      const payload = [textHex(uniqueClientId())];
      peer.sendBytes(connectHex({ firstByte: 0x11, protocolVersion: version, payload }));
      await peer.expectRejected(0x81);
    },
  );
});

describeBroker('2.2 variable header', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-2.2.1-2] [v3.1.1 MQTT-2.3.1-5] takes and sends QoS 0 without a packet identifier, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName, { qos: 2 });
      const payload = '00010203';
      await peer.publish({ topicName, payload });
      const publish = await peer.nextOf('PUBLISH');
      expect(publish).toMatchObject({ qos: 0, topicName, payload });
      expect(publish).not.toHaveProperty('packetId');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-2.2.1-4] [v3.1.1 MQTT-2.3.1-4] gives what it sends packet identifiers that are not in use, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName, { qos: 2 });
      const inUse = new Set<number>();
      const receive = async (qos: number): Promise<void> => {
        await peer.publish({ topicName, qos });
        const { packetId = 0 } = (await peer.nextOf('PUBLISH')) as { packetId?: number };
        expect(packetId).toBeGreaterThan(0);
        expect([...inUse]).not.toContain(packetId);
        inUse.add(packetId);
      };
      for (let count = 0; count < 10; count++) await receive(1 + (count % 2));
      // Acknowledged identifiers may come again; the others may not, whichever QoS they are of.
      const [first, second] = inUse;
      peer.send({ type: 'PUBACK', packetId: first }, { type: 'PUBREC', packetId: second });
      expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId: second });
      peer.send({ type: 'PUBCOMP', packetId: second });
      inUse.delete(first);
      inUse.delete(second);
      for (let count = 0; count < 5; count++) await receive(1 + (count % 2));
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-2.2.1-5] [v3.1.1 MQTT-2.3.1-6] acknowledges with the packet identifier of the PUBLISH, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicName = uniqueTopic();
      for (const packetId of [1, 0x0100, 0xffff]) {
        peer.send({ type: 'PUBLISH', qos: 1, packetId, topicName });
        expect(await peer.nextOf('PUBACK')).toMatchObject({ packetId });
        peer.send({ type: 'PUBLISH', qos: 2, packetId, topicName });
        expect(await peer.nextOf('PUBREC')).toMatchObject({ packetId });
        peer.send({ type: 'PUBREL', packetId });
        expect(await peer.nextOf('PUBCOMP')).toMatchObject({ packetId });
      }
    },
  );

  it('[MQTT-2.2.1-5] sends PUBREL with the packet identifier of its PUBLISH', async () => {
    const peer = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await peer.subscribe(topicName, { qos: 2 });
    await peer.publish({ topicName, qos: 2 });
    const { packetId = 0 } = await peer.nextOf('PUBLISH');
    peer.send({ type: 'PUBREC', packetId });
    expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId });
    peer.send({ type: 'PUBCOMP', packetId });
    expect(await peer.drain()).toEqual([]);
  });

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-2.2.1-6] [v3.1.1 MQTT-2.3.1-7] answers SUBSCRIBE and UNSUBSCRIBE with their packet identifier, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topicFilter = uniqueTopic();
      for (const packetId of [1, 0x0100, 0xffff]) {
        peer.send({ type: 'SUBSCRIBE', packetId, subscriptions: [{ topicFilter }] });
        expect(await peer.nextOf('SUBACK')).toMatchObject({ packetId });
        peer.send({ type: 'UNSUBSCRIBE', packetId, topicFilters: [topicFilter] });
        expect(await peer.nextOf('UNSUBACK')).toMatchObject({ packetId });
      }
    },
  );

  it('[MQTT-2.2.2-1] says that there are no properties by a Property Length of 0', async () => {
    const peer = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await peer.subscribe(topicName);
    // Left out, the payload's first byte would be taken for it.
    await peer.publish({ topicName, payload: '026162' });
    const publish = await peer.nextOf('PUBLISH');
    expect(publish).toMatchObject({ payload: '026162' });
    expect(publish.properties ?? {}).toEqual({});
  });

  it.each([
    ['CONNECT', packetHex(0x10, textHex('MQTT'), '05', '02', '0000')],
    ['CONNECT with a Client Identifier', packetHex(0x10, textHex('MQTT'), '05', '02', '0000', textHex('a'))],
  ])('[MQTT-2.2.2-1] closes on a %s without a Property Length', async (_what, hex) => {
    const peer = await Peer.open(broker);
    peer.sendBytes(hex);
    await peer.expectRejected(0x81);
  });

  it.each([
    ['PUBLISH', packetHex(0x30, textHex('a'))],
    ['SUBSCRIBE', packetHex(0x82, '0001', textHex('a'), '00')],
    ['UNSUBSCRIBE', packetHex(0xa2, '0001', textHex('aaaaaaaaa'))],
  ])('[MQTT-2.2.2-1] closes on a %s without a Property Length', async (_what, hex) => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(hex);
    await peer.expectDisconnect(0x81);
  });
});

describeBroker('4.2 network connections', (broker) => {
  const story = (version: 4 | 5, topicName: string): string => {
    const properties = version === 5 ? '00' : '';
    return [
      connectHex({ protocolVersion: version, payload: [textHex(uniqueClientId())] }),
      packetHex(0x82, '0001', properties, textHex(topicName), '01'),
      packetHex(0x32, textHex(topicName), '0002', properties, hexOf('a')),
      packetHex(0x30, textHex(topicName), properties, hexOf('b')),
      'c000',
    ].join('');
  };
  const expectStory = async (peer: Peer): Promise<void> => {
    await peer.nextOf('CONNACK');
    await peer.nextOf('SUBACK');
    const packets = [];
    for (let packet = await peer.next(); packet.type !== 'PINGRESP'; packet = await peer.next())
      packets.push(packet);
    const payloads = packets.flatMap((packet) => (packet.type === 'PUBLISH' ? [packet.payload] : []));
    expect(payloads).toEqual([hexOf('a'), hexOf('b')]);
    expect(packets.filter(({ type }) => type === 'PUBACK')).toMatchObject([{ packetId: 2 }]);
  };

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-4.2-1] takes packets in one piece, CONNECT among them, version %i',
    async (version) => {
      const peer = await Peer.open(broker, version);
      peer.sendBytes(story(version, uniqueTopic()));
      await expectStory(peer);
    },
  );

  it.each(PROTOCOL_VERSIONS)('[MQTT-4.2-1] takes packets byte by byte, version %i', async (version) => {
    const peer = await Peer.open(broker, version);
    for (const byte of Buffer.from(story(version, uniqueTopic()), 'hex')) {
      peer.sendBytes(integerHex(byte, 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expectStory(peer);
  });
});
