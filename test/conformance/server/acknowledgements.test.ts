/**
 * The QoS 1 and QoS 2 exchanges at the server, as receiver and as sender (3.4 to 3.7, 4.3), on one connection. What a new
 * connection changes: redelivery.test.ts. Reason codes that refuse: refusals.test.ts.
 */
import { expect, it } from 'vitest';
import type { AckObject, PacketObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import {
  keptSession,
  publishesOf,
  publishOnce,
  takeMessages,
  textsOf,
  untilExpired,
  VERSIONS,
  VERSIONS_AND_QOS,
} from './messages.ts';

const NO_MATCHING_SUBSCRIBERS = 0x10;
const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

const reasonOf = (ack: AckObject): number => ack.reasonCode ?? 0;

describeBroker('the server as receiver', (broker) => {
  it.each(VERSIONS)(
    'QoS 0 is not answered: $version [MQTT-3.3.4-1] [v3.1.1 MQTT-3.3.4-1]',
    async ({ protocolVersion }) => {
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.send({ type: 'PUBLISH', topicName: uniqueTopic() });
      expect(await publisher.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS.flatMap((one) => [1, 2, 65_535].map((packetId) => ({ ...one, packetId }))))(
    'QoS 1 is answered with PUBACK and its packet identifier, $packetId: $version [MQTT-3.3.4-1] [MQTT-3.4.2-1] [MQTT-4.3.2-4] [v3.1.1 MQTT-4.3.2-2]',
    async ({ protocolVersion, packetId }) => {
      const topicName = uniqueTopic();
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.send({ type: 'PUBLISH', topicName, qos: 1, packetId });
      const puback = await publisher.nextOf('PUBACK');
      expect(puback.packetId).toBe(packetId);
      // Under 5.0 a server that sees that nobody is subscribed may say so.
      expect([0, NO_MATCHING_SUBSCRIBERS]).toContain(reasonOf(puback));
      expect(await publisher.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS.flatMap((one) => [1, 65_535].map((packetId) => ({ ...one, packetId }))))(
    'QoS 2 is answered with PUBREC, and PUBREL with PUBCOMP, all with identifier $packetId: $version [MQTT-3.3.4-1] [MQTT-3.5.2-1] [MQTT-3.7.2-1] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion, packetId }) => {
      const topicName = uniqueTopic();
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.send({ type: 'PUBLISH', topicName, qos: 2, packetId });
      const pubrec = await publisher.nextOf('PUBREC');
      expect(pubrec.packetId).toBe(packetId);
      expect([0, NO_MATCHING_SUBSCRIBERS]).toContain(reasonOf(pubrec));
      expect(await publisher.drain()).toEqual([]);
      publisher.send({ type: 'PUBREL', packetId });
      const pubcomp = await publisher.nextOf('PUBCOMP');
      expect(pubcomp.packetId).toBe(packetId);
      expect(reasonOf(pubcomp)).toBe(0);
      expect(await publisher.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS)(
    'after PUBACK the same identifier is a new message, whatever DUP says: $version [MQTT-4.3.2-5] [v3.1.1 MQTT-4.3.2-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 1 });
      const publisher = await Peer.connect(broker, { protocolVersion });
      for (const [payload, dup] of [
        ['1', false],
        ['2', false],
        ['2', true],
      ] as const) {
        // prettier-ignore
        await publisher.publish({ topicName, qos: 1, packetId: 7, dup, payload: hexOf(payload) });
      }
      const messages = await takeMessages(subscriber, 3);
      expect(textsOf(messages)).toEqual(['1', '2', '2']);
      expect(messages.map(({ dup }) => dup)).toEqual([false, false, false]);
    },
  );

  it.each(VERSIONS)(
    'until PUBREL the same identifier is the same message: answered with PUBREC, and delivered once: $version [MQTT-4.3.3-10] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const publish = { type: 'PUBLISH', topicName, qos: 2, packetId: 7, payload: hexOf('once') } as const;
      publisher.send(publish);
      expect(reasonOf(await publisher.nextOf('PUBREC'))).toBe(0);
      for (let count = 0; count < 3; count++) {
        publisher.send({ ...publish, dup: true });
        const pubrec = await publisher.nextOf('PUBREC');
        expect(pubrec.packetId).toBe(7);
        expect(reasonOf(pubrec)).toBeLessThan(0x80);
      }
      publisher.send({ type: 'PUBREL', packetId: 7 });
      expect(await publisher.nextOf('PUBCOMP')).toMatchObject({ packetId: 7 });
      expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['once']);
      expect(await subscriber.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS)(
    'after PUBCOMP the same identifier is a new message, whatever DUP says: $version [MQTT-4.3.3-12] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      const publisher = await Peer.connect(broker, { protocolVersion });
      for (const dup of [false, false, true]) {
        await publisher.publish({ topicName, qos: 2, packetId: 7, dup, payload: hexOf('x') });
      }
      expect(textsOf(await takeMessages(subscriber, 3))).toEqual(['x', 'x', 'x']);
    },
  );

  it('QoS 1 and QoS 2 exchanges cross without touching one another [MQTT-4.3.2-4] [MQTT-4.3.3-8]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 0 });
    const publisher = await Peer.connect(broker);
    const publish = (packetId: number, qos: number): PacketObject => {
      return { type: 'PUBLISH', topicName, qos, packetId, payload: hexOf(String(packetId)) };
    };
    publisher.send(publish(1, 2), publish(2, 1), publish(3, 2), publish(4, 2), publish(5, 1));
    const answers = (await publisher.drain()).map(
      (packet) => `${packet.type} ${(packet as AckObject).packetId}`,
    );
    expect(answers.sort()).toEqual(['PUBACK 2', 'PUBACK 5', 'PUBREC 1', 'PUBREC 3', 'PUBREC 4']);
    publisher.send(...[3, 1, 4].map((packetId) => ({ type: 'PUBREL', packetId }) as const));
    const ends = (await publisher.drain()).map(
      (packet) => `${packet.type} ${(packet as AckObject).packetId}`,
    );
    expect(ends.sort()).toEqual(['PUBCOMP 1', 'PUBCOMP 3', 'PUBCOMP 4']);
    expect(textsOf(await subscriber.drain()).sort()).toEqual(['1', '2', '3', '4', '5']);
  });

  it.each(VERSIONS)(
    'PUBREL is answered with PUBCOMP even where nothing waits for it: $version [MQTT-4.3.3-11] [MQTT-3.7.2-1] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion }) => {
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.send({ type: 'PUBREL', packetId: 99 });
      const pubcomp = await publisher.nextOf('PUBCOMP');
      expect(pubcomp.packetId).toBe(99);
      const isOld = protocolVersion === 4;
      expect(isOld ? [0] : [0, PACKET_IDENTIFIER_NOT_FOUND]).toContain(reasonOf(pubcomp));
    },
  );

  it('the exchange goes on though the message has expired meanwhile [MQTT-4.3.3-13]', async () => {
    const publisher = await Peer.connect(broker);
    const properties = { messageExpiryInterval: 1 };
    publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos: 2, packetId: 5, properties });
    expect((await publisher.nextOf('PUBREC')).packetId).toBe(5);
    await untilExpired(broker);
    publisher.send({ type: 'PUBREL', packetId: 5 });
    expect(await publisher.nextOf('PUBCOMP')).toMatchObject({ packetId: 5 });
  });
});

describeBroker('the server as sender', (broker) => {
  it.each(VERSIONS.flatMap((one) => [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => ({ ...one, a, b })))))(
    'a message of QoS $a to a subscription of QoS $b goes by the lower: $version [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-3.6.2-1] [v3.1.1 MQTT-4.3.1-1] [v3.1.1 MQTT-4.3.2-1] [v3.1.1 MQTT-4.3.3-1]',
    async ({ protocolVersion, a, b }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: b });
      await publishOnce(broker, { topicName, qos: a, payload: hexOf('x') });
      const message = await subscriber.nextOf('PUBLISH');
      expect(message).toMatchObject({
        topicName,
        dup: false,
        retain: false,
        qos: Math.min(a, b),
        payload: hexOf('x'),
      });
      const packetId = message.packetId!;
      if (message.qos === 1) subscriber.send({ type: 'PUBACK', packetId });
      if (message.qos === 2) {
        subscriber.send({ type: 'PUBREC', packetId });
        const pubrel = await subscriber.nextOf('PUBREL');
        expect(pubrel.packetId).toBe(packetId);
        expect(reasonOf(pubrel)).toBe(0);
        subscriber.send({ type: 'PUBCOMP', packetId });
      }
      expect(await subscriber.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS_AND_QOS)(
    'each message that is not acknowledged has an identifier of its own: QoS $qos, $version [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [v3.1.1 MQTT-2.3.1-4]',
    async ({ protocolVersion, qos }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos });
      await publishOnce(
        broker,
        ...new Array<{ topicName: string; qos: number }>(15).fill({ topicName, qos }),
      );
      const packetIds = publishesOf(await subscriber.drain()).map(({ packetId }) => packetId);
      expect(packetIds.length).toBeGreaterThan(1);
      expect(new Set(packetIds).size).toBe(packetIds.length);
      expect(packetIds).not.toContain(0);
    },
  );

  it('every PUBREC is answered with PUBREL, and none with the message again [MQTT-4.3.3-4] [MQTT-4.3.3-6]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishOnce(broker, { topicName, qos: 2 });
    const { packetId } = (await subscriber.nextOf('PUBLISH')) as { packetId: number };
    for (let count = 0; count < 3; count++) {
      subscriber.send({ type: 'PUBREC', packetId });
      const pubrel = await subscriber.nextOf('PUBREL');
      expect(pubrel.packetId).toBe(packetId);
      expect(reasonOf(pubrel)).toBe(0);
    }
    subscriber.send({ type: 'PUBCOMP', packetId });
    expect(await subscriber.drain()).toEqual([]);
  });

  it('a PUBREC that refuses ends the exchange: no PUBREL [MQTT-4.3.3-4] [MQTT-4.4.0-2]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishOnce(broker, { topicName, qos: 2 });
    const { packetId } = (await subscriber.nextOf('PUBLISH')) as { packetId: number };
    subscriber.send({ type: 'PUBREC', packetId, reasonCode: 0x83 });
    expect(await subscriber.drain()).toEqual([]);
  });

  it('nothing is sent twice while the connection lasts [MQTT-4.4.0-1]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishOnce(
      broker,
      { topicName, qos: 1, payload: hexOf('1') },
      { topicName, qos: 2, payload: hexOf('2') },
    );
    expect(textsOf(await subscriber.drain())).toEqual(['1', '2']);
    await untilExpired(broker); // a while passes
    await publishOnce(broker, { topicName, qos: 2, payload: hexOf('3') });
    await subscriber.subscribe(uniqueTopic());
    const later = await subscriber.drain();
    expect(textsOf(later)).toEqual(['3']);
    expect(later).toHaveLength(1);
  });

  it('a message that was sent does not expire: PUBREL follows PUBREC [MQTT-4.3.3-7]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishOnce(broker, { topicName, qos: 2, properties: { messageExpiryInterval: 1 } });
    const { packetId } = (await subscriber.nextOf('PUBLISH')) as { packetId: number };
    await untilExpired(broker);
    subscriber.send({ type: 'PUBREC', packetId });
    const pubrel = await subscriber.nextOf('PUBREL');
    expect(pubrel.packetId).toBe(packetId);
    expect(reasonOf(pubrel)).toBe(0);
  });

  it('PUBREC for what was not sent is answered with PUBREL as well [MQTT-4.3.3-4] [MQTT-3.6.2-1]', async () => {
    const peer = await Peer.connect(broker);
    peer.send({ type: 'PUBREC', packetId: 99 });
    const pubrel = await peer.nextOf('PUBREL');
    expect(pubrel.packetId).toBe(99);
    // That it says which mismatch it sees is left to the server.
    expect([0, PACKET_IDENTIFIER_NOT_FOUND]).toContain(reasonOf(pubrel));
  });

  it.each(VERSIONS.flatMap((one) => (['PUBACK', 'PUBCOMP'] as const).map((type) => ({ ...one, type }))))(
    '$type for what was not sent changes nothing: $version (4.3)',
    async ({ protocolVersion, type }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      subscriber.send({ type, packetId: 99 });
      expect(await subscriber.drain()).toEqual([]);
      await publishOnce(broker, { topicName, qos: 2, payload: hexOf('x') });
      expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['x']);
    },
  );
});

/** What may follow the packet identifier when all is well: nothing, a reason code, properties with or without content. */
const FORMS = ['', '00', '0000', '00 08 1f 0005 6772756e64', '00 0e 26 0001 61 0001 62 26 0001 61 0001 62'];

describeBroker('acknowledgements in each of their forms', (broker) => {
  /** A packet by its first byte, packet identifier and what follows. */
  function bytesOf(first: number, packetId: number, form: string): string {
    const body = packetId.toString(16).padStart(4, '0') + form.replaceAll(' ', '');
    return Buffer.from([first, body.length / 2]).toString('hex') + body;
  }

  it.each(FORMS)(
    'from a subscriber: "%s" (3.4.2, 3.5.2, 3.7.2) [MQTT-4.3.2-3] [MQTT-4.3.3-5]',
    async (form) => {
      const topicName = uniqueTopic();
      const session = keptSession();
      const subscriber = await Peer.connect(broker, session);
      await subscriber.subscribe(topicName, { qos: 2 });
      await publishOnce(broker, { topicName, qos: 1 }, { topicName, qos: 2 });
      const [one, two] = [await subscriber.nextOf('PUBLISH'), await subscriber.nextOf('PUBLISH')];
      subscriber.sendBytes(bytesOf(0x40, one.packetId!, form));
      subscriber.sendBytes(bytesOf(0x50, two.packetId!, form));
      expect(await subscriber.nextOf('PUBREL')).toMatchObject({ packetId: two.packetId });
      subscriber.sendBytes(bytesOf(0x70, two.packetId!, form));
      expect(await subscriber.drain()).toEqual([]);
      subscriber.destroy();
      const after = await Peer.connect(broker, session);
      expect(after.connack.sessionPresent).toBe(true);
      expect(await after.drain()).toEqual([]);
    },
  );

  it.each(FORMS)('from a publisher: "%s" (3.6.2) [MQTT-4.3.3-11]', async (form) => {
    const publisher = await Peer.connect(broker);
    publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos: 2, packetId: 1 });
    await publisher.nextOf('PUBREC');
    publisher.sendBytes(bytesOf(0x62, 1, form));
    const pubcomp = await publisher.nextOf('PUBCOMP');
    expect(pubcomp.packetId).toBe(1);
    expect(reasonOf(pubcomp)).toBe(0);
  });
});

describeBroker('acknowledgements that break the rules end the connection', (broker) => {
  it.each(VERSIONS.flatMap((one) => ['60', '61', '63', '66', '6a'].map((first) => ({ ...one, first }))))(
    'PUBREL with other flags than 2: $first, $version [MQTT-3.6.1-1] [v3.1.1 MQTT-3.6.1-1]',
    async ({ protocolVersion, first }) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(`${first} 02 0001`);
      await peer.expectDisconnect(MALFORMED);
    },
  );

  it.each(['41', '48', '52', '5f', '71', '72'])(
    'PUBACK, PUBREC, PUBCOMP with flags: %s [MQTT-2.1.3-1]',
    async (first) => {
      const peer = await Peer.connect(broker);
      peer.sendBytes(`${first} 02 0001`);
      await peer.expectDisconnect(MALFORMED);
    },
  );

  it.each(['40 01 00', '50 00', '62 01 01', '70 01 01'])(
    'cut short: %s (3.4.2, 3.5.2, 3.6.2, 3.7.2)',
    async (bytes) => {
      const peer = await Peer.connect(broker);
      peer.sendBytes(bytes);
      await peer.expectDisconnect(MALFORMED);
    },
  );
});

// What the standard leaves open.
describeWith({}, 'acknowledgements at our broker', (broker) => {
  it('PUBREC for what was not sent is answered with PUBREL 0x92 (3.6.2.1)', async () => {
    const peer = await Peer.connect(broker);
    peer.send({ type: 'PUBREC', packetId: 99 });
    const reasonCode = PACKET_IDENTIFIER_NOT_FOUND;
    expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId: 99, reasonCode });
  });

  it('PUBREL for what was not received is answered with PUBCOMP 0x92 (3.7.2.1)', async () => {
    const peer = await Peer.connect(broker);
    peer.send({ type: 'PUBREL', packetId: 99 });
    const reasonCode = PACKET_IDENTIFIER_NOT_FOUND;
    expect(await peer.nextOf('PUBCOMP')).toMatchObject({ packetId: 99, reasonCode });
  });

  it.each([
    ['PUBACK', 2],
    ['PUBREC', 1],
  ] as const)('%s for a message of QoS %i ends the connection', async (type, qos) => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishOnce(broker, { topicName, qos });
    const { packetId } = (await subscriber.nextOf('PUBLISH')) as { packetId: number };
    subscriber.send({ type, packetId });
    await subscriber.expectDisconnect(PROTOCOL_ERROR);
  });

  it.each([
    ['PUBACK', '40 03 0001 92'],
    ['PUBACK', '40 03 0001 10'], // the server's alone
    ['PUBREC', '50 03 0001 01'],
    ['PUBREL', '62 03 0001 80'],
    ['PUBCOMP', '70 03 0001 10'],
  ])('%s with a reason code that it does not have: %s', async (_name, bytes) => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(bytes);
    // The standard does not say which code.
    await peer.expectDisconnect(MALFORMED, PROTOCOL_ERROR);
  });
});
