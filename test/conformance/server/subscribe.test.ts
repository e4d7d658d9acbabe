/**
 * SUBSCRIBE and SUBACK (3.8, 3.9): what is answered, what the options do, what a second subscription to the same filter
 * does to the first, and what is malformed. Shared subscriptions and wildcards have files of their own.
 */
import { describe, expect, it } from 'vitest';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import type { BrokerOptions } from '../../../sim/broker/options.ts';
import type { BrokerUnderTest } from '../broker-under-test.ts';
import { Peer, uniqueClientId, uniqueTopic } from '../peer.ts';
import {
  SUBSCRIBE_BYTE,
  VERSIONS,
  byteLengthOf,
  expectFilterRefused,
  messageOf,
  rawRequest,
  receive,
  stringField,
  textOf,
  textsOf,
} from '../subscribing.ts';

const T = stringField(Buffer.from('t'));

/**
 * Subscribes to so many filters that SUBACK without properties is as large as the client takes, to the byte. Returns the
 * codes that came.
 */
async function subscribeToTheLimit(
  broker: BrokerUnderTest,
  filterOf: (index: number) => string,
): Promise<readonly number[]> {
  const maximumPacketSize = 200;
  const peer = await Peer.connect(broker, { properties: { maximumPacketSize } });
  // Fixed header 3, packet identifier 2, property length 1.
  const count = maximumPacketSize - 6;
  const subscriptions = Array.from({ length: count }, (_, index) => ({ topicFilter: filterOf(index) }));
  peer.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions });
  const suback = await peer.nextOf('SUBACK');
  expect(suback.properties).toBeUndefined();
  expect(suback.reasonCodes).toHaveLength(count);
  expect(byteLengthOf(suback, 5)).toBe(maximumPacketSize);
  return suback.reasonCodes;
}

describeBroker('SUBSCRIBE', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    it(
      'is answered with SUBACK of the same packet identifier [MQTT-3.8.4-1], [MQTT-3.8.4-2], ' +
        '[v3.1.1 MQTT-3.8.4-1], [v3.1.1 MQTT-3.8.4-2]',
      async () => {
        const peer = await Peer.connect(broker, { protocolVersion });
        for (const packetId of [1, 65535, 256]) {
          peer.send({ type: 'SUBSCRIBE', packetId, subscriptions: [{ topicFilter: uniqueTopic() }] });
          expect(await peer.nextOf('SUBACK')).toMatchObject({ packetId, reasonCodes: [0] });
        }
      },
    );

    it(
      'of several filters has one answer, with a code for each in their order [MQTT-3.8.4-5], [MQTT-3.8.4-6], ' +
        '[MQTT-3.8.4-7], [MQTT-3.9.3-1], [MQTT-3.9.3-2], [v3.1.1 MQTT-3.8.4-4], [v3.1.1 MQTT-3.8.4-5], ' +
        '[v3.1.1 MQTT-3.9.3-1], [v3.1.1 MQTT-3.9.3-2]',
      async () => {
        const peer = await Peer.connect(broker, { protocolVersion });
        const order = [2, 0, 1, 1, 0, 2];
        const topics = order.map(() => uniqueTopic());
        const subscriptions = order.map((qos, index) => ({ topicFilter: topics[index], qos }));
        peer.send({ type: 'SUBSCRIBE', packetId: 5, subscriptions });
        expect(await peer.nextOf('SUBACK')).toMatchObject({ packetId: 5, reasonCodes: order });
        expect(await peer.drain()).toEqual([]);
        for (const [index, qos] of order.entries()) {
          await peer.publish(messageOf(topics[index], 'x', 2));
          expect(await receive(peer, 1)).toMatchObject([{ topicName: topics[index], qos }]);
        }
      },
    );

    it.each([0, 1, 2])(
      'granted QoS %i is the most that messages come with [MQTT-3.8.4-8], [v3.1.1 MQTT-3.8.4-6]',
      async (granted) => {
        const [subscriber, publisher] = [
          await Peer.connect(broker, { protocolVersion }),
          await Peer.connect(broker, { protocolVersion }),
        ];
        const topic = uniqueTopic();
        expect((await subscriber.subscribe(topic, { qos: granted })).reasonCodes).toEqual([granted]);
        for (const published of [0, 1, 2]) {
          await publisher.publish(messageOf(topic, `at ${published}`, published));
          const [message] = await receive(subscriber, 1);
          expect([textOf(message), message.qos]).toEqual([`at ${published}`, Math.min(granted, published)]);
        }
      },
    );

    it('to the same filter takes the place of the subscription before it [MQTT-3.8.4-3], [v3.1.1 MQTT-3.8.4-3]', async () => {
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      for (const qos of [0, 2, 1]) {
        expect((await subscriber.subscribe(topic, { qos })).reasonCodes).toEqual([qos]);
        await publisher.publish(messageOf(topic, 'x', 2));
        // Both subscriptions at once would make it come twice, or with the higher QoS.
        expect(await receive(subscriber, 1)).toMatchObject([{ qos }]);
        expect(await subscriber.drain()).toEqual([]);
      }
      expect(await subscriber.unsubscribe(topic)).toMatchObject(
        protocolVersion === 5 ? { reasonCodes: [0] } : { type: 'UNSUBACK' },
      );
      await publisher.publish(messageOf(topic, 'x', 2));
      expect(await subscriber.drain()).toEqual([]);
    });

    it('to the same filter has the retained message sent again [MQTT-3.8.4-4], [v3.1.1 MQTT-3.8.4-3]', async () => {
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      await publisher.publish({ ...messageOf(topic, 'kept', 1), retain: true });
      for (const qos of [0, 1]) {
        await subscriber.subscribe(topic, { qos });
        expect(await receive(subscriber, 1)).toMatchObject([{ retain: true, qos }]);
      }
      expect(await subscriber.drain()).toEqual([]);
    });

    it('to the same filter loses no message that comes meanwhile [MQTT-3.8.4-4], [v3.1.1 MQTT-3.8.4-3]', async () => {
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      await subscriber.subscribe(topic, { qos: 1 });
      const texts = Array.from({ length: 60 }, (_, index) => String(index));
      // Six publishes and a subscription at a time, in two connections that the broker reads in whatever order.
      for (let at = 0; at < texts.length; at += 6) {
        const published = texts.slice(at, at + 6).map((text) => publisher.publish(messageOf(topic, text, 1)));
        const subscribed = [1, 2].map((qos) => subscriber.subscribe(topic, { qos }));
        await Promise.all([...published, ...subscribed]);
        expect((await receive(subscriber, 6)).map(textOf)).toEqual(texts.slice(at, at + 6));
      }
      expect(await subscriber.drain()).toEqual([]);
    });

    it('with a filter twice is handled like two SUBSCRIBE packets [MQTT-3.8.4-5], [v3.1.1 MQTT-3.8.4-4]', async () => {
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      const subscriptions = [2, 1].map((qos) => ({ topicFilter: topic, qos }));
      subscriber.send({ type: 'SUBSCRIBE', packetId: 9, subscriptions });
      expect(await subscriber.nextOf('SUBACK')).toMatchObject({ packetId: 9, reasonCodes: [2, 1] });
      await publisher.publish(messageOf(topic, 'x', 2));
      expect(await receive(subscriber, 1)).toMatchObject([{ qos: 1 }]);
      expect(await subscriber.drain()).toEqual([]);
    });

    it('of several filters has the retained messages of each sent [MQTT-3.8.4-5], [v3.1.1 MQTT-3.8.4-4]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const root = uniqueTopic();
      for (const name of ['a', 'b'])
        await peer.publish({ ...messageOf(`${root}/${name}`, name, 1), retain: true });
      const subscriptions = [`${root}/b`, `${root}/+`].map((topicFilter) => ({ topicFilter }));
      peer.send({ type: 'SUBSCRIBE', packetId: 9, subscriptions });
      const came = await peer.drain();
      expect(came).toContainEqual(expect.objectContaining({ type: 'SUBACK', reasonCodes: [0, 0] }));
      expect(textsOf(came).sort()).toEqual(['a', 'b', 'b']);
    });

    it('with other flags than 0010 is malformed [MQTT-3.8.1-1], [v3.1.1 MQTT-3.8.1-1]', async () => {
      for (let flags = 0; flags < 16; flags++) {
        if (flags === 2) continue;
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(0x80 | flags, protocolVersion, T, Uint8Array.of(0)));
        await peer.expectDisconnect(0x81);
      }
    });

    it('without a filter is a Protocol Error [MQTT-3.8.3-2], [v3.1.1 MQTT-3.8.3-3]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion));
      await peer.expectDisconnect(0x82);
    });

    it('that ends in the middle of a filter or before its options is malformed [MQTT-3.8.3-2], [v3.1.1 MQTT-3.8.3-3]', async () => {
      for (const payload of [
        T,
        Uint8Array.of(0),
        Uint8Array.of(0, 2, 0x74),
        Uint8Array.from([...T, 0, ...T]),
      ]) {
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, payload));
        await peer.expectDisconnect(0x81);
      }
    });

    it.each([
      ['a byte that UTF-8 does not have', [0x61, 0xff]],
      ['a continuation byte alone', [0x80]],
      ['an overlong form', [0xc1, 0xa1]],
      ['half a character', [0x61, 0xe2, 0x82]],
      ['a surrogate', [0xed, 0xa0, 0x80]],
      ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ])('with a filter of %s is malformed [MQTT-3.8.3-1], [v3.1.1 MQTT-3.8.3-1]', async (_, bytes) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const filter = stringField(Uint8Array.from(bytes));
      peer.sendBytes(
        rawRequest(SUBSCRIBE_BYTE, protocolVersion, T, Uint8Array.of(0), filter, Uint8Array.of(0)),
      );
      await peer.expectDisconnect(0x81);
    });

    it('with a filter of many scripts is taken as it is [MQTT-3.8.3-1], [v3.1.1 MQTT-3.8.3-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const topic = `${uniqueTopic()}/ü/Ω/日本/😀`;
      await peer.subscribe(topic);
      await peer.publish(messageOf(topic, 'x'));
      expect((await peer.nextOf('PUBLISH')).topicName).toBe(topic);
    });

    it.each([
      ['6', 0x40],
      ['7', 0x80],
      ['6 and 7', 0xc0],
    ])(
      'with bits %s of the options set is malformed [MQTT-3.8.3-5], [v3.1.1 MQTT-3.8.3-4]',
      async (_, bits) => {
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(
          rawRequest(SUBSCRIBE_BYTE, protocolVersion, T, Uint8Array.of(0), T, Uint8Array.of(bits | 1)),
        );
        await peer.expectDisconnect(0x81);
      },
    );

    it('with QoS 3 is refused: 3.8.3.1 [v3.1.1 MQTT-3.8.3-4]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, protocolVersion, T, Uint8Array.of(3)));
      await peer.expectDisconnect(0x82);
    });
  });

  it('of 3.1.1 with what are options in 5.0 is malformed [v3.1.1 MQTT-3.8.3-4]', async () => {
    for (const options of [0x04, 0x08, 0x10, 0x20]) {
      const peer = await Peer.connect(broker, { protocolVersion: 4 });
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 4, T, Uint8Array.of(options)));
      await peer.expectDisconnect();
    }
  });

  it('with Retain Handling 3 is a Protocol Error: 3.8.3.1', async () => {
    const peer = await Peer.connect(broker);
    peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 5, T, Uint8Array.of(0x30)));
    await peer.expectDisconnect(0x82);
  });

  it('with Subscription Identifier 0, or two of them, is a Protocol Error: 3.8.2.1.2', async () => {
    for (const properties of ['02 0b 00', '04 0b 01 0b 02']) {
      const peer = await Peer.connect(broker);
      peer.sendBytes(`82 ${properties.startsWith('02') ? '09' : '0b'} 00 01 ${properties} 00 01 74 00`);
      await peer.expectDisconnect(0x82);
    }
  });

  it('to the same filter brings its own Subscription Identifier, or none [MQTT-3.8.4-3]', async () => {
    const subscriber = await Peer.connect(broker);
    const publisher = await Peer.connect(broker);
    const topic = uniqueTopic();
    for (const identifiers of [[7], [268435455], undefined, [1]]) {
      await subscriber.subscribe(topic, { properties: { subscriptionIdentifiers: identifiers } });
      await publisher.publish(messageOf(topic, 'x', 1));
      const [message] = await receive(subscriber, 1);
      expect(message.properties?.subscriptionIdentifiers).toEqual(identifiers);
    }
  });

  it('to the same filter with other options goes by the new ones [MQTT-3.8.4-3]', async () => {
    const peer = await Peer.connect(broker);
    const topic = uniqueTopic();
    for (const noLocal of [false, true, false]) {
      await peer.subscribe(topic, { noLocal });
      await peer.publish(messageOf(topic, 'mine', 1));
      expect(textsOf(await peer.drain())).toEqual(noLocal ? [] : ['mine']);
    }
    for (const retainAsPublished of [true, false]) {
      await peer.subscribe(topic, { retainAsPublished, retainHandling: 2 });
      await peer.publish({ ...messageOf(topic, 'kept', 1), retain: true });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ retain: retainAsPublished });
    }
  });

  describe('with No Local', () => {
    it('brings what others publish, and nothing of its own client [MQTT-3.8.3-3]', async () => {
      const peer = await Peer.connect(broker);
      const other = await Peer.connect(broker);
      const topic = uniqueTopic();
      await peer.subscribe(topic, { noLocal: true, qos: 2 });
      await other.subscribe(topic);
      for (const qos of [0, 1, 2]) {
        await peer.publish(messageOf(topic, 'mine', qos));
        await other.publish(messageOf(topic, 'yours', qos));
      }
      await other.drain();
      expect((await receive(peer, 3)).map(textOf)).toEqual(['yours', 'yours', 'yours']);
      expect(await peer.drain()).toEqual([]);
    });

    it('keeps a client’s own messages from its next connection, too [MQTT-3.8.3-3]', async () => {
      const clientId = uniqueClientId();
      const properties = { sessionExpiryInterval: 600 };
      const topic = uniqueTopic();
      const first = await Peer.connect(broker, { clientId, cleanStart: false, properties });
      await first.subscribe(topic, { noLocal: true, qos: 1 });
      await first.publish(messageOf(topic, 'mine', 1));
      await first.disconnect();
      const second = await Peer.connect(broker, { clientId, cleanStart: false, properties });
      expect(second.connack.sessionPresent).toBe(true);
      await second.publish(messageOf(topic, 'mine', 1));
      expect(await second.drain()).toEqual([]);
    });

    it('leaves another subscription of the same client as it is [MQTT-3.8.3-3]', async () => {
      const peer = await Peer.connect(broker);
      const topic = uniqueTopic();
      await peer.subscribe(topic, { noLocal: true });
      await peer.subscribe(`${topic}/#`);
      await peer.publish(messageOf(topic, 'mine', 1));
      expect(textsOf(await peer.drain())).toEqual(['mine']);
    });

    it('to a shared subscription is a Protocol Error [MQTT-3.8.3-4]', async () => {
      const peer = await Peer.connect(broker);
      const filter = stringField(Buffer.from('$share/g/t'));
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 5, filter, Uint8Array.of(0x04)));
      await peer.expectDisconnect(0x82);
    });
  });

  it('is answered within the client’s Maximum Packet Size [MQTT-3.9.2-1], [MQTT-3.9.2-2]', async () => {
    await subscribeToTheLimit(broker, () => uniqueTopic());
  });
});

const ruling: BrokerOptions = {
  hooks: { authorise: (_, access, topic) => access !== 'subscribe' || !topic.startsWith('secret') },
};

describeWith(ruling, 'SUBSCRIBE to what is not allowed', (broker) => {
  it.each(VERSIONS)(
    'fails alone, in its place among the others (version %i) [MQTT-3.8.4-6], [MQTT-3.8.4-7], [MQTT-3.9.3-1], [MQTT-3.9.3-2], ' +
      '[v3.1.1 MQTT-3.8.4-5], [v3.1.1 MQTT-3.9.3-2]',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const failed = protocolVersion === 5 ? 0x87 : 0x80;
      const subscriptions = [
        { topicFilter: 'open', qos: 2 },
        { topicFilter: 'secret', qos: 1 },
        { topicFilter: 'other', qos: 1 },
        { topicFilter: 'secret/#', qos: 0 },
      ];
      peer.send({ type: 'SUBSCRIBE', packetId: 3, subscriptions });
      expect((await peer.nextOf('SUBACK')).reasonCodes).toEqual([2, failed, 1, failed]);
      for (const topicName of ['secret', 'secret/x']) await peer.publish(messageOf(topicName, 'x', 1));
      expect(await peer.drain()).toEqual([]);
      await peer.publish(messageOf('other', 'x', 1));
      expect(textsOf(await peer.drain())).toEqual(['x']);
    },
  );

  it('says why only as far as the client takes it [MQTT-3.9.2-1], [MQTT-3.9.2-2]', async () => {
    const reasonCodes = await subscribeToTheLimit(broker, (index) => `secret/${index}`);
    expect(new Set(reasonCodes)).toEqual(new Set([0x87]));
  });
});

describeWith({ maximumQos: 1 }, 'SUBSCRIBE where QoS 2 is not to be had', (broker) => {
  it.each(VERSIONS)(
    'is granted QoS 1, and messages come with it (version %i) [MQTT-3.8.4-7], [MQTT-3.8.4-8], [v3.1.1 MQTT-3.8.4-6]',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      expect((await peer.subscribe('t', { qos: 2 })).reasonCodes).toEqual([1]);
      await peer.publish(messageOf('t', 'x', 1));
      expect(await receive(peer, 1)).toMatchObject([{ qos: 1 }]);
    },
  );
});

describe('what CONNACK said is not available ends the connection: 3.2.2.3.11 to 13', () => {
  describeWith({ wildcardSubscriptionAvailable: false }, 'wildcards', (broker) => {
    it('0xA2', async () => {
      const peer = await Peer.connect(broker);
      expect(peer.connack.properties?.wildcardSubscriptionAvailable).toBe(0);
      peer.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'a/+' }] });
      await peer.expectDisconnect(0xa2);
      const old = await Peer.connect(broker, { protocolVersion: 4 });
      old.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'a/#' }] });
      await expectFilterRefused(old);
    });
  });

  describeWith({ subscriptionIdentifiersAvailable: false }, 'Subscription Identifiers', (broker) => {
    it('0xA1', async () => {
      const peer = await Peer.connect(broker);
      expect(peer.connack.properties?.subscriptionIdentifiersAvailable).toBe(0);
      const properties = { subscriptionIdentifiers: [1] };
      peer.send({ type: 'SUBSCRIBE', packetId: 1, properties, subscriptions: [{ topicFilter: 'a' }] });
      await peer.expectDisconnect(0xa1);
    });
  });

  describeWith({ sharedSubscriptionAvailable: false }, 'Shared Subscriptions', (broker) => {
    it('0x9E', async () => {
      const peer = await Peer.connect(broker);
      expect(peer.connack.properties?.sharedSubscriptionAvailable).toBe(0);
      peer.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: '$share/g/a' }] });
      await peer.expectDisconnect(0x9e);
    });
  });
});
