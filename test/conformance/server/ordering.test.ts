/**
 * Message ordering at the server (4.6): messages of one client to one topic, at one QoS, reach a subscriber in the order in
 * which they were published, however they come; and packet identifiers come round (2.2.1).
 */
import { expect, it } from 'vitest';
import type { PacketObject, PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import { keptSession, takeMessages, textOf, textsOf, VERSIONS } from './messages.ts';

const COUNT = 200;
const NUMBERS = Array.from({ length: COUNT }, (_, index) => String(index + 1));

/** What a client may have on its way to the server at once: its Receive Maximum, or few where it says none. */
function windowOf(publisher: Peer): number {
  return Math.min(publisher.connack.properties?.receiveMaximum ?? 20, 100);
}

/** Publishes these payloads in their order, as many at once as the server takes, each to its end. */
async function publishInOrder(
  publisher: Peer,
  topicName: string,
  qos: number,
  texts: readonly string[],
): Promise<void> {
  const size = windowOf(publisher);
  for (let at = 0; at < texts.length; at += size) {
    const packets = texts.slice(at, at + size).map((text): PacketObject => {
      const packetId = qos === 0 ? undefined : publisher.newPacketId();
      return { type: 'PUBLISH', topicName, qos, packetId, payload: hexOf(text) };
    });
    publisher.send(...packets);
    await finish(publisher, qos === 0 ? 0 : packets.length);
  }
}

/** Takes the acknowledgements of so many messages, and sends each PUBREL at its PUBREC. */
async function finish(publisher: Peer, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const packet = await publisher.next();
    if (packet.type === 'PUBREC') publisher.send({ type: 'PUBREL', packetId: packet.packetId });
    else if (packet.type === 'PUBACK' || packet.type === 'PUBCOMP') left--;
    else throw new Error(`expected an acknowledgement, and ${JSON.stringify(packet)} came`);
  }
  if (count === 0) await publisher.drain();
}

const EVERY_QOS = VERSIONS.flatMap((one) => [0, 1, 2].map((qos) => ({ ...one, qos })));

describeBroker('messages of one client to one topic', (broker) => {
  it.each(EVERY_QOS)(
    'arrive in their order, by filters of every kind: QoS $qos, $version [MQTT-4.6.0-5] [MQTT-4.6.0-6] [v3.1.1 MQTT-4.6.0-5] [v3.1.1 MQTT-4.6.0-6]',
    async ({ protocolVersion, qos }) => {
      const base = uniqueTopic();
      const topicName = `${base}/x`;
      const filters = [topicName, `${base}/#`, `${base}/+`];
      const subscribers: Peer[] = [];
      for (const filter of filters) {
        const subscriber = await Peer.connect(broker, { protocolVersion });
        await subscriber.subscribe(filter, { qos });
        subscribers.push(subscriber);
      }
      const publisher = await Peer.connect(broker, { protocolVersion });
      const [, ...received] = await Promise.all([
        publishInOrder(publisher, topicName, qos, NUMBERS),
        ...subscribers.map((subscriber) => takeMessages(subscriber, COUNT)),
      ]);
      for (const messages of received) expect(textsOf(messages)).toEqual(NUMBERS);
    },
  );

  it.each(EVERY_QOS.filter(({ qos }) => qos > 0))(
    'arrive in their order after they waited for their session: QoS $qos, $version [MQTT-4.6.0-5]',
    async ({ protocolVersion, qos }) => {
      const topicName = uniqueTopic();
      const session = keptSession(protocolVersion);
      const before = await Peer.connect(broker, session);
      await before.subscribe(topicName, { qos });
      await before.disconnect();
      const publisher = await Peer.connect(broker, { protocolVersion });
      // Few enough for any server's queue.
      const texts = NUMBERS.slice(0, 60);
      await publishInOrder(publisher, topicName, qos, texts);
      expect(textsOf(await takeMessages(await Peer.connect(broker, session), 60))).toEqual(texts);
    },
  );

  it.each([1, 2])(
    'arrive in their order one at a time, at a Receive Maximum of 1: QoS %i [MQTT-4.6.0-5]',
    async (qos) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { properties: { receiveMaximum: 1 } });
      await subscriber.subscribe(topicName, { qos });
      const texts = NUMBERS.slice(0, 60);
      const publisher = await Peer.connect(broker);
      const [messages] = await Promise.all([
        takeMessages(subscriber, 60),
        publishInOrder(publisher, topicName, qos, texts),
      ]);
      expect(textsOf(messages)).toEqual(texts);
    },
  );

  it('arrive in their order though the subscriber acknowledges out of order [MQTT-4.6.0-5]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { receiveMaximum: 5 } });
    await subscriber.subscribe(topicName, { qos: 1 });
    const publisher = await Peer.connect(broker);
    await publishInOrder(publisher, topicName, 1, NUMBERS.slice(0, 60));
    const texts: string[] = [];
    const waiting: PublishObject[] = [];
    while (texts.length < 60) {
      const message = await subscriber.nextOf('PUBLISH');
      texts.push(...textsOf([message]));
      waiting.push(message);
      // The latest of five, then the one before it, and so on.
      if (waiting.length === 5 || texts.length > 55) {
        while (waiting.length > 0) subscriber.send({ type: 'PUBACK', packetId: waiting.pop()!.packetId! });
      }
    }
    expect(texts).toEqual(NUMBERS.slice(0, 60));
  });

  it('arrive in their order among those of other clients and topics [MQTT-4.6.0-5] [MQTT-4.6.0-6]', async () => {
    const base = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(`${base}/+`, { qos: 2 });
    const flows = [0, 1, 2].flatMap((qos) =>
      ['a', 'b'].map((name) => ({ qos, topicName: `${base}/${name}${qos}` })),
    );
    const texts = NUMBERS.slice(0, 40);
    const publishAll = flows.map(async ({ qos, topicName }) => {
      const publisher = await Peer.connect(broker);
      await publishInOrder(publisher, topicName, qos, texts);
    });
    const [messages] = await Promise.all([
      takeMessages(subscriber, flows.length * texts.length),
      ...publishAll,
    ]);
    for (const { qos, topicName } of flows) {
      const own = messages.filter((message) => message.topicName === topicName);
      expect(textsOf(own)).toEqual(texts);
      expect(own.every((message) => message.qos === qos)).toBe(true);
    }
  });

  it('arrive in their order at each QoS when a client mixes them [MQTT-4.6.0-5]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    const publisher = await Peer.connect(broker);
    const levels = Array.from({ length: 60 }, (_, index) => (index * 7) % 3);
    for (const [index, qos] of levels.entries()) {
      await publisher.publish({ topicName, qos, payload: hexOf(String(index)) });
    }
    const messages = await takeMessages(subscriber, 60);
    for (const qos of [0, 1, 2]) {
      const expected = levels.flatMap((level, index) => (level === qos ? [String(index)] : []));
      expect(textsOf(messages.filter((message) => message.qos === qos))).toEqual(expected);
    }
  });

  it('are ordered by PUBLISH, not by PUBREL [MQTT-4.6.0-5]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    const publisher = await Peer.connect(broker);
    const packetIds = [3, 1, 2];
    publisher.send(
      ...packetIds.map((packetId) => {
        return { type: 'PUBLISH', topicName, qos: 2, packetId, payload: hexOf(String(packetId)) } as const;
      }),
    );
    for (const packetId of packetIds) expect(await publisher.nextOf('PUBREC')).toMatchObject({ packetId });
    // In the order of their PUBRECs, as a client must (4.6).
    publisher.send(...packetIds.map((packetId) => ({ type: 'PUBREL', packetId }) as const));
    for (const packetId of packetIds) expect(await publisher.nextOf('PUBCOMP')).toMatchObject({ packetId });
    expect(textsOf(await takeMessages(subscriber, 3))).toEqual(['3', '1', '2']);
  });
});

describeBroker('PUBRELs of the server', (broker) => {
  it('go in the order in which PUBRECs come, under 3.1.1 [v3.1.1 MQTT-4.6.0-6]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { protocolVersion: 4 });
    await subscriber.subscribe(topicName, { qos: 2 });
    await publishInOrder(await Peer.connect(broker), topicName, 2, ['1', '2', '3']);
    const packetIds: number[] = [];
    for (let count = 0; count < 3; count++) packetIds.push((await subscriber.nextOf('PUBLISH')).packetId!);
    const received = [packetIds[2], packetIds[0], packetIds[1]];
    subscriber.send(...received.map((packetId) => ({ type: 'PUBREC', packetId }) as const));
    for (const packetId of received) expect(await subscriber.nextOf('PUBREL')).toMatchObject({ packetId });
  });
});

/** More messages than there are packet identifiers. */
const MANY = 66_000;

describeBroker('packet identifiers of the server', (broker) => {
  it(
    'come round, past the one that is still in use, and are never 0 [MQTT-2.2.1-4] [MQTT-4.3.2-1]',
    { timeout: 120_000 },
    async () => {
      const { held, packetIds, order } = await receiveMany(broker);
      expect(packetIds.has(0)).toBe(false);
      expect(packetIds.has(held)).toBe(false);
      expect(order).toBe('in order, each once');
    },
  );
});

/** The identifiers of many messages, each acknowledged at once but the first, which holds its own to the end. */
async function receiveMany(
  broker: BrokerUnderTest,
): Promise<{ held: number; packetIds: Set<number>; order: string }> {
  const topicName = uniqueTopic();
  const subscriber = await Peer.connect(broker);
  await subscriber.subscribe(topicName, { qos: 1 });
  const publisher = await Peer.connect(broker);
  await publisher.publish({ topicName, qos: 1, payload: hexOf('held') });
  const held = (await subscriber.nextOf('PUBLISH')).packetId!;

  const size = Math.min(windowOf(publisher), 50);
  const packetIds = new Set<number>();
  let order = 'in order, each once';
  for (let at = 0; at < MANY; at += size) {
    // The client's identifiers may repeat as soon as they are acknowledged.
    const publishes = Array.from({ length: size }, (_, index): PacketObject => {
      return { type: 'PUBLISH', topicName, qos: 1, packetId: index + 1, payload: hexOf(String(at + index)) };
    });
    publisher.send(...publishes);
    for (let index = 0; index < size; index++) {
      const message = await subscriber.nextOf('PUBLISH');
      const text = textOf(message);
      if (text !== String(at + index)) order = `${text} came for ${at + index}`;
      packetIds.add(message.packetId!);
      subscriber.send({ type: 'PUBACK', packetId: message.packetId! });
    }
    await finish(publisher, size);
  }
  return { held, packetIds, order };
}
