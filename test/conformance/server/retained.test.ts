/**
 * Retained messages at the server (3.3.1.3): what is stored, replaced and removed, which subscriptions get it (Retain
 * Handling), and which flag messages carry (Retain As Published). Their properties: publish-properties.test.ts.
 */
import { expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../../src/packets/types.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import {
  keptSession,
  publishesOf,
  publishOnce,
  retainedOf,
  takeMessages,
  textsOf,
  VERSIONS,
} from './messages.ts';

const RETAIN_NOT_SUPPORTED = 0x9a;
const retain = true;
const qos = 1;

/** What a subscriber sees of a message. */
function summaryOf(messages: readonly PublishObject[]): string[] {
  return messages.map((message) => {
    const text = Buffer.from(message.payload ?? '', 'hex').toString();
    return `${text} QoS ${message.qos} RETAIN ${Number(message.retain)} DUP ${Number(message.dup)}`;
  });
}

describeBroker('retained messages: what is stored', (broker) => {
  it.each(VERSIONS.flatMap((one) => [1, 2].map((publishedQos) => ({ ...one, publishedQos }))))(
    'a message is stored with its QoS, and sent with RETAIN 1 to new subscriptions: QoS $publishedQos, $version [MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-6] [v3.1.1 MQTT-3.3.1-8]',
    async ({ protocolVersion, publishedQos }) => {
      const topicName = uniqueTopic();
      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName, qos: publishedQos, retain, payload: hexOf('kept') });
      await publisher.disconnect();
      for (const subscribedQos of [0, 1, 2]) {
        const subscriber = await Peer.connect(broker, { protocolVersion });
        await subscriber.subscribe(topicName, { qos: subscribedQos });
        const lower = Math.min(publishedQos, subscribedQos);
        expect(summaryOf(await takeMessages(subscriber, 1))).toEqual([`kept QoS ${lower} RETAIN 1 DUP 0`]);
        expect(await subscriber.drain()).toEqual([]);
      }
    },
  );

  it.each(VERSIONS)(
    'a further message replaces the one before, with its QoS: $version [MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-5]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName, qos: 2, retain, payload: hexOf('first') });
      await publisher.publish({ topicName, qos: 1, retain, payload: hexOf('second') });
      const messages = await retainedOf(broker, topicName, protocolVersion);
      expect(summaryOf(messages)).toEqual(['second QoS 1 RETAIN 1 DUP 0']);
    },
  );

  it.each(VERSIONS)(
    'a message of QoS 0 replaces the one before as well: $version [MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-7]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      await publishOnce(broker, { topicName, qos: 2, retain, payload: hexOf('first') });
      await publishOnce(broker, { topicName, qos: 0, retain, payload: hexOf('second') });
      const messages = await retainedOf(broker, topicName, protocolVersion);
      // The server may drop a retained message of QoS 0 at any time; the older one must not come back.
      const kept = ['second QoS 0 RETAIN 1 DUP 0'];
      expect([[], kept]).toContainEqual(summaryOf(messages));
    },
  );

  it.each(VERSIONS)(
    'an empty payload removes the message, and is not stored: $version [MQTT-3.3.1-6] [MQTT-3.3.1-7] [v3.1.1 MQTT-3.3.1-10] [v3.1.1 MQTT-3.3.1-11]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const present = await Peer.connect(broker, { protocolVersion });
      await present.subscribe(topicName, { qos });
      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName, qos, retain, payload: hexOf('kept') });
      await publisher.publish({ topicName, qos, retain });
      expect(await retainedOf(broker, topicName, protocolVersion)).toEqual([]);
      // For those who are there it is a message like any other.
      const messages = await takeMessages(present, 2);
      expect(summaryOf(messages)).toEqual(['kept QoS 1 RETAIN 0 DUP 0', ' QoS 1 RETAIN 0 DUP 0']);
    },
  );

  it('an empty payload where nothing is stored stores nothing [MQTT-3.3.1-7]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain });
    expect(await retainedOf(broker, topicName)).toEqual([]);
  });

  it.each(VERSIONS)(
    'a message with RETAIN 0 neither is stored nor replaces nor removes one: $version [MQTT-3.3.1-8] [v3.1.1 MQTT-3.3.1-12]',
    async ({ protocolVersion }) => {
      const [withOne, without] = [uniqueTopic(), uniqueTopic()];
      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName: withOne, qos, retain, payload: hexOf('kept') });
      for (const topicName of [withOne, without]) {
        await publisher.publish({ topicName, qos, payload: hexOf('passing') });
        await publisher.publish({ topicName, qos });
      }
      expect(textsOf(await retainedOf(broker, withOne, protocolVersion))).toEqual(['kept']);
      expect(await retainedOf(broker, without, protocolVersion)).toEqual([]);
    },
  );

  it('each topic has its own, and removing one leaves the others [MQTT-3.3.1-5] [MQTT-3.3.1-6]', async () => {
    const base = uniqueTopic();
    const names = [base, `${base}/a`, `${base}/a/b`, `${base}/b`];
    await publishOnce(
      broker,
      ...names.map((topicName) => ({ topicName, qos, retain, payload: hexOf(topicName) })),
    );
    await publishOnce(broker, { topicName: `${base}/a`, qos, retain });
    const messages = await retainedOf(broker, `${base}/#`);
    const left = names.filter((name) => name !== `${base}/a`);
    expect(messages.map(({ topicName }) => topicName).sort()).toEqual([...left].sort());
    expect(textsOf(messages).sort()).toEqual([...left].sort());
  });
});

describeBroker('retained messages: Retain Handling', (broker) => {
  it.each(VERSIONS)(
    '0, the only way of 3.1.1: every matching message, at each SUBSCRIBE: $version [MQTT-3.3.1-9] [v3.1.1 MQTT-3.3.1-6] [v3.1.1 MQTT-3.8.4-3]',
    async ({ protocolVersion }) => {
      const base = uniqueTopic();
      const names = [`${base}/1/a`, `${base}/2/a`, `${base}/2/b`, `${base}/3`];
      await publishOnce(
        broker,
        ...names.map((topicName) => ({ topicName, qos, retain, payload: hexOf('x') })),
      );
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const expected = [`${base}/1/a`, `${base}/2/a`];
      for (let round = 0; round < 2; round++) {
        await subscriber.subscribe(`${base}/+/a`, { qos });
        const messages = await takeMessages(subscriber, 2);
        expect(messages.map(({ topicName }) => topicName).sort()).toEqual(expected);
        expect(messages.map((message) => message.retain)).toEqual([true, true]);
        expect(await subscriber.drain()).toEqual([]);
      }
    },
  );

  it('1: only when the subscription did not exist [MQTT-3.3.1-10]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('kept') });
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos, retainHandling: 1 });
    expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['kept']);
    await subscriber.subscribe(topicName, { qos: 2, retainHandling: 1 }); // other options, the same subscription
    expect(await subscriber.drain()).toEqual([]);
    await subscriber.subscribe(`${topicName}/#`, { qos, retainHandling: 1 }); // another one, that matches as well
    expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['kept']);
    await subscriber.unsubscribe(topicName);
    await subscriber.subscribe(topicName, { qos, retainHandling: 1 });
    expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['kept']);
  });

  it('1: a subscription of the session that was resumed did exist [MQTT-3.3.1-10]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('kept') });
    const session = keptSession();
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos, retainHandling: 2 });
    await before.disconnect();
    const after = await Peer.connect(broker, session);
    await after.subscribe(topicName, { qos, retainHandling: 1 });
    expect(await after.drain()).toEqual([]);
  });

  it('2: never [MQTT-3.3.1-11]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('kept') });
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos, retainHandling: 2 });
    await subscriber.subscribe(topicName, { qos, retainHandling: 2 });
    expect(await subscriber.drain()).toEqual([]);
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('new') });
    expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['new']);
  });

  it('each filter of a SUBSCRIBE has its own [MQTT-3.3.1-9] [MQTT-3.3.1-11]', async () => {
    const base = uniqueTopic();
    const names = [`${base}/0`, `${base}/1`, `${base}/2`];
    await publishOnce(broker, ...names.map((topicName) => ({ topicName, qos, retain, payload: hexOf('x') })));
    const subscriber = await Peer.connect(broker);
    const subscriptions = names.map((topicFilter, retainHandling) => ({ topicFilter, qos, retainHandling }));
    subscriber.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions });
    const messages = publishesOf(await subscriber.drain());
    expect(messages.map(({ topicName }) => topicName).sort()).toEqual(names.slice(0, 2));
  });

  it('a session that is resumed gets none again without a SUBSCRIBE [MQTT-3.3.1-9]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('kept') });
    const session = keptSession();
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos });
    expect(textsOf(await takeMessages(before, 1))).toEqual(['kept']);
    await before.drain(); // the acknowledgement has been taken in
    await before.disconnect();
    const after = await Peer.connect(broker, session);
    expect(after.connack.sessionPresent).toBe(true);
    expect(await after.drain()).toEqual([]);
  });
});

describeBroker('retained messages: Retain As Published', (broker) => {
  it('0: messages to those who are subscribed have RETAIN 0 [MQTT-3.3.1-12]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos, retainAsPublished: false });
    await publishOnce(broker, { topicName, qos, retain }, { topicName, qos });
    expect((await takeMessages(subscriber, 2)).map((message) => message.retain)).toEqual([false, false]);
  });

  it('3.1.1: the same [v3.1.1 MQTT-3.3.1-9]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { protocolVersion: V3_1_1 });
    await subscriber.subscribe(topicName, { qos });
    await publishOnce(broker, { topicName, qos, retain }, { topicName, qos });
    expect((await takeMessages(subscriber, 2)).map((message) => message.retain)).toEqual([false, false]);
  });

  it.each([0, 1, 2])('1: they have RETAIN as it was published, QoS %i [MQTT-3.3.1-13]', async (level) => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: level, retainAsPublished: true });
    const kept = { topicName, qos: level, retain, payload: hexOf('x') };
    await publishOnce(broker, kept, { topicName, qos: level }, { topicName, qos: level, retain });
    const messages = await takeMessages(subscriber, 3);
    expect(messages.map((message) => message.retain)).toEqual([true, false, true]);
  });

  it('1: also when they waited for their session [MQTT-3.3.1-13]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession(V5);
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos, retainAsPublished: true });
    await before.disconnect();
    const kept = { topicName, qos, retain, payload: hexOf('x') };
    await publishOnce(broker, kept, { topicName, qos }, { topicName, qos, retain });
    const messages = await takeMessages(await Peer.connect(broker, session), 3);
    expect(messages.map((message) => message.retain)).toEqual([true, false, true]);
  });

  it('what a new subscription gets has RETAIN 1 either way (3.3.1.3)', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos, retain, payload: hexOf('kept') });
    for (const retainAsPublished of [false, true]) {
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(topicName, { qos, retainAsPublished });
      const [message] = await takeMessages(subscriber, 1);
      expect(message.retain).toBe(true);
    }
  });
});

describeWith({ retainAvailable: false }, 'retained messages: a server without', (broker) => {
  it.each([0, 1, 2])('says so, and ends the connection with 0x9A: QoS %i (3.3.1.3)', async (level) => {
    const publisher = await Peer.connect(broker);
    expect(publisher.connack.properties?.retainAvailable).toBe(0);
    const packetId = level === 0 ? undefined : 1;
    publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos: level, packetId, retain });
    await publisher.expectDisconnect(RETAIN_NOT_SUPPORTED);
  });

  it('takes messages that are not to be retained', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos });
    await publishOnce(broker, { topicName, qos, payload: hexOf('x') });
    expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['x']);
  });
});
