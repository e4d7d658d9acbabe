/**
 * Flow control at the server (3.3.4, 4.9): how many QoS 1 and 2 messages it has on their way to a client, how many it takes
 * from one, and that nothing else waits for them.
 */
import { expect, it } from 'vitest';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic, type ConnectFields } from '../peer.ts';
import { keptSession, publishesOf, publishOnce, takeMessages, textsOf, VERSIONS } from './messages.ts';

const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
const UNSPECIFIED_ERROR = 0x80;

/** Messages of this QoS whose payloads are the numbers from 1. */
function numbered(
  topicName: string,
  qos: number,
  count: number,
): { topicName: string; qos: number; payload: string }[] {
  return Array.from({ length: count }, (_, index) => ({ topicName, qos, payload: hexOf(String(index + 1)) }));
}

describeBroker('messages on their way to a client', (broker) => {
  /** A subscriber with this Receive Maximum, and a topic of its own to which so many messages were published. */
  async function subscriberOf(receiveMaximum: number, qos: number, count: number): Promise<Peer> {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { receiveMaximum } });
    await subscriber.subscribe(topicName, { qos });
    await publishOnce(broker, ...numbered(topicName, qos, count));
    return subscriber;
  }

  it.each([
    [1, 1],
    [3, 1],
    [1, 2],
    [3, 2],
  ])(
    'are no more than its Receive Maximum: %i, QoS %i [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]',
    async (receiveMaximum, qos) => {
      const subscriber = await subscriberOf(receiveMaximum, qos, 8);
      const first = publishesOf(await subscriber.drain());
      expect(first.length).toBeGreaterThan(0);
      expect(first.length).toBeLessThanOrEqual(receiveMaximum);
      // All come as the client acknowledges, and never more than that at once.
      const waiting = [...first];
      const texts = textsOf(first);
      while (texts.length < 8 || waiting.length > 0) {
        const packetId = waiting.shift()!.packetId!;
        subscriber.send({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId });
        if (qos === 2) {
          expect(await subscriber.nextOf('PUBREL')).toMatchObject({ packetId });
          expect(publishesOf(await subscriber.drain())).toEqual([]); // PUBREC does not make room
          subscriber.send({ type: 'PUBCOMP', packetId });
        }
        const more = publishesOf(await subscriber.drain());
        waiting.push(...more);
        texts.push(...textsOf(more));
        expect(waiting.length).toBeLessThanOrEqual(receiveMaximum);
      }
      expect(texts).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    },
  );

  it('a PUBREC that refuses makes room [MQTT-3.3.4-9] [MQTT-4.9.0-2]', async () => {
    const subscriber = await subscriberOf(1, 2, 3);
    for (const text of ['1', '2', '3']) {
      const message = await subscriber.nextOf('PUBLISH');
      expect(textsOf([message])).toEqual([text]);
      expect(await subscriber.drain()).toEqual([]);
      subscriber.send({ type: 'PUBREC', packetId: message.packetId!, reasonCode: UNSPECIFIED_ERROR });
    }
  });

  it('a PUBACK that refuses makes room [MQTT-3.3.4-9]', async () => {
    const subscriber = await subscriberOf(1, 1, 3);
    for (const text of ['1', '2', '3']) {
      const message = await subscriber.nextOf('PUBLISH');
      expect(textsOf([message])).toEqual([text]);
      expect(await subscriber.drain()).toEqual([]);
      subscriber.send({ type: 'PUBACK', packetId: message.packetId!, reasonCode: UNSPECIFIED_ERROR });
    }
  });

  it.each(['PUBACK', 'PUBCOMP'] as const)(
    'a %s for what was not sent makes no room [MQTT-4.9.0-1] [MQTT-4.9.0-2]',
    async (type) => {
      const subscriber = await subscriberOf(1, type === 'PUBACK' ? 1 : 2, 3);
      const first = await subscriber.nextOf('PUBLISH');
      const others = [1, 2, 3, 4].filter((packetId) => packetId !== first.packetId);
      for (const packetId of others) subscriber.send({ type, packetId });
      expect(publishesOf(await subscriber.drain())).toEqual([]);
    },
  );

  it('QoS 1 and 2 are counted together, QoS 0 is not [MQTT-4.9.0-2]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { receiveMaximum: 2 } });
    await subscriber.subscribe(topicName, { qos: 2 });
    const levels = [0, 0, 0, 1, 2, 1, 2];
    await publishOnce(broker, ...levels.map((qos) => ({ topicName, qos })));
    const sent = publishesOf(await subscriber.drain());
    expect(sent.map(({ qos }) => qos)).toEqual([0, 0, 0, 1, 2]);
  });

  it('hold up no other packet [MQTT-3.3.4-10] [MQTT-4.9.0-3]', async () => {
    const subscriber = await subscriberOf(1, 1, 3);
    const waiting = await subscriber.nextOf('PUBLISH');
    const other = uniqueTopic();
    expect((await subscriber.subscribe(other)).reasonCodes).toEqual([0]);
    expect((await subscriber.publish({ topicName: uniqueTopic(), qos: 1 }))?.type).toBe('PUBACK');
    expect((await subscriber.publish({ topicName: uniqueTopic(), qos: 2 }))?.type).toBe('PUBCOMP');
    expect((await subscriber.unsubscribe(other)).reasonCodes).toEqual([0]);
    expect(await subscriber.drain()).toEqual([]);
    subscriber.send({ type: 'PUBACK', packetId: waiting.packetId! });
    expect(textsOf(await takeMessages(subscriber, 2))).toEqual(['2', '3']);
  });

  it('hold up no PUBREL [MQTT-3.3.4-10] [MQTT-4.9.0-3]', async () => {
    const subscriber = await subscriberOf(2, 2, 4);
    const messages = publishesOf(await subscriber.drain());
    for (const { packetId } of messages) subscriber.send({ type: 'PUBREC', packetId: packetId! });
    for (const { packetId } of messages)
      expect(await subscriber.nextOf('PUBREL')).toMatchObject({ packetId });
  });

  it('the Receive Maximum is the connection’s: redelivery keeps to the new one [MQTT-3.3.4-9] [MQTT-4.9.0-1]', async () => {
    const topicName = uniqueTopic();
    const before = await Peer.connect(broker, keptSession(5, undefined, { receiveMaximum: 4 }));
    await before.subscribe(topicName, { qos: 1 });
    await publishOnce(broker, ...numbered(topicName, 1, 5));
    expect(textsOf(await before.drain())).toEqual(['1', '2', '3', '4']);
    before.destroy();
    const after = await Peer.connect(broker, keptSession(5, before.clientId, { receiveMaximum: 1 }));
    for (const [index, text] of ['1', '2', '3', '4', '5'].entries()) {
      const message = await after.nextOf('PUBLISH');
      expect(textsOf([message])).toEqual([text]);
      expect(message.dup).toBe(index < 4);
      expect(await after.drain()).toEqual([]);
      after.send({ type: 'PUBACK', packetId: message.packetId! });
    }
  });

  it('a PUBCOMP for what an earlier connection sent makes no more room than there was [MQTT-3.3.4-9] [MQTT-4.9.0-1]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession(5, undefined, { receiveMaximum: 1 });
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 2 });
    await publishOnce(broker, ...numbered(topicName, 2, 1));
    const { packetId } = (await before.nextOf('PUBLISH')) as { packetId: number };
    before.send({ type: 'PUBREC', packetId });
    await before.nextOf('PUBREL');
    before.destroy();
    const after = await Peer.connect(broker, session);
    expect(await after.nextOf('PUBREL')).toMatchObject({ packetId });
    after.send({ type: 'PUBCOMP', packetId });
    await publishOnce(broker, ...numbered(topicName, 2, 3));
    expect(textsOf(await after.drain())).toEqual(['1']);
  });

  it('a session that comes back with a larger Receive Maximum gets more [MQTT-4.9.0-1]', async () => {
    const topicName = uniqueTopic();
    const before = await Peer.connect(broker, keptSession(5, undefined, { receiveMaximum: 1 }));
    await before.subscribe(topicName, { qos: 1 });
    await publishOnce(broker, ...numbered(topicName, 1, 4));
    expect(textsOf(await before.drain())).toEqual(['1']);
    before.destroy();
    const after = await Peer.connect(broker, keptSession(5, before.clientId));
    const messages = publishesOf(await after.drain());
    expect(textsOf(messages)).toEqual(['1', '2', '3', '4']);
  });
});

describeWith(
  { limits: { inflightMax: 3 } },
  'messages on their way to a client, when the server allows three',
  (broker) => {
    it.each(VERSIONS)(
      'are three where the client allows more, or cannot say: $version [MQTT-4.9.0-1]',
      async (one) => {
        const topicName = uniqueTopic();
        const subscriber = await Peer.connect(broker, { protocolVersion: one.protocolVersion });
        await subscriber.subscribe(topicName, { qos: 1 });
        await publishOnce(broker, ...numbered(topicName, 1, 7));
        const first = publishesOf(await subscriber.drain());
        expect(textsOf(first)).toEqual(['1', '2', '3']);
        for (const { packetId } of first) subscriber.send({ type: 'PUBACK', packetId: packetId! });
        expect(textsOf(await takeMessages(subscriber, 4))).toEqual(['4', '5', '6', '7']);
      },
    );
  },
);

describeWith(
  { limits: { receiveMaximum: 2 } },
  'messages from a client, when the server takes two at a time',
  (broker) => {
    const publish = (packetId: number, more: { dup?: boolean; qos?: number } = {}) =>
      ({ type: 'PUBLISH', topicName: 'flow', qos: 2, packetId, ...more }) as const;

    it('says so, and ends the connection at the third: 0x93 [MQTT-3.3.4-7]', async () => {
      const publisher = await Peer.connect(broker);
      expect(publisher.connack.properties?.receiveMaximum).toBe(2);
      publisher.send(publish(1), publish(2));
      expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId: 1 });
      expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId: 2 });
      publisher.send(publish(3));
      await publisher.expectDisconnect(RECEIVE_MAXIMUM_EXCEEDED);
    });

    it('PUBREL does not count, nor does a message sent again, nor QoS 0 [MQTT-3.3.4-7]', async () => {
      const publisher = await Peer.connect(broker);
      publisher.send(publish(1), publish(2));
      publisher.send(publish(1, { dup: true }), publish(2, { dup: true }));
      publisher.send({ type: 'PUBLISH', topicName: 'flow' }, { type: 'PUBREL', packetId: 1 });
      for (const packetId of [1, 2, 1, 2])
        expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId });
      expect(await publisher.nextOf('PUBCOMP')).toMatchObject({ packetId: 1 });
      publisher.send(publish(3)); // room again
      expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId: 3 });
      publisher.send(publish(4));
      await publisher.expectDisconnect(RECEIVE_MAXIMUM_EXCEEDED);
    });

    it('QoS 1 beside QoS 2 is taken as long as there is room for one [MQTT-3.3.4-7]', async () => {
      const publisher = await Peer.connect(broker);
      publisher.send(publish(1));
      expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId: 1 });
      for (const packetId of [2, 3, 4]) {
        expect((await publisher.publish({ topicName: 'flow', qos: 1, packetId }))?.type).toBe('PUBACK');
      }
    });

    it('a client at the maximum is answered whatever else it sends [MQTT-3.3.4-8] [MQTT-4.9.0-3]', async () => {
      const publisher = await Peer.connect(broker);
      publisher.send(publish(1), publish(2));
      for (const packetId of [1, 2]) expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId });
      expect((await publisher.subscribe(uniqueTopic())).reasonCodes).toEqual([0]);
      expect(await publisher.drain()).toEqual([]);
      publisher.send({ type: 'PUBREL', packetId: 2 });
      expect(await publisher.nextOf('PUBCOMP')).toMatchObject({ packetId: 2 });
    });

    /** A session that has two messages at the server which it has not released. */
    async function sessionWithTwo(): Promise<ConnectFields> {
      const session = keptSession();
      const before = await Peer.connect(broker, session);
      before.send(publish(1), publish(2));
      for (const packetId of [1, 2]) expect(await before.nextOf('PUBREC')).toMatchObject({ packetId });
      before.destroy();
      return session;
    }

    it('what an earlier connection left does not count when it is sent again [MQTT-3.3.4-7]', async () => {
      const after = await Peer.connect(broker, await sessionWithTwo());
      after.send(publish(1, { dup: true }), publish(2, { dup: true }));
      for (const packetId of [1, 2]) expect(await after.nextOf('PUBREC')).toMatchObject({ packetId });
      for (const packetId of [1, 2]) {
        after.send({ type: 'PUBREL', packetId });
        expect(await after.nextOf('PUBCOMP')).toMatchObject({ packetId });
      }
    });

    // The quota is the connection's, and no part of the session (4.9).
    it.each([true, false])(
      'a new connection has room for two whatever an earlier one left; released first: %s [MQTT-3.3.4-7] [MQTT-4.9.0-1]',
      async (isReleasedFirst) => {
        const after = await Peer.connect(broker, await sessionWithTwo());
        const release = [1, 2].map((packetId) => ({ type: 'PUBREL', packetId }) as const);
        if (isReleasedFirst) after.send(...release, publish(3), publish(4));
        else after.send(publish(3), publish(4), ...release);
        const answers = (await after.drain()).map(
          (packet) => `${packet.type} ${'packetId' in packet && packet.packetId}`,
        );
        expect(answers.sort()).toEqual(['PUBCOMP 1', 'PUBCOMP 2', 'PUBREC 3', 'PUBREC 4']);
      },
    );

    it('what the server answers to messages of its own does not count [MQTT-3.3.4-7]', async () => {
      const topicName = uniqueTopic();
      const peer = await Peer.connect(broker);
      await peer.subscribe(topicName, { qos: 2 });
      await publishOnce(broker, ...numbered(topicName, 2, 3));
      const packetIds: number[] = [];
      for (let count = 0; count < 3; count++) packetIds.push((await peer.nextOf('PUBLISH')).packetId!);
      peer.send(
        ...packetIds.map((packetId) => ({ type: 'PUBREC', packetId }) as const),
        publish(1, { qos: 1 }),
        publish(2, { qos: 1 }),
      );
      for (const packetId of packetIds) expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId });
      for (const packetId of [1, 2]) expect(await peer.nextOf('PUBACK')).toMatchObject({ packetId });
    });
  },
);
