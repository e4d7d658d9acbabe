/**
 * Properties of PUBLISH at the server (3.3.2.3): passed on unaltered and in order, whichever way the message goes, the
 * Message Expiry Interval counted down, and what breaks the rules refused. Aliases: topic-alias.test.ts; Subscription
 * Identifiers: publish.test.ts.
 */
import { expect, it } from 'vitest';
import type { PropertiesObject, PublishObject } from '../../../src/packets/inspect.ts';
import { eventually } from '../../support/wait.ts';
import { describeBroker, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import {
  keptSession,
  publishesOf,
  publishOnce,
  retainedOf,
  takeMessages,
  textsOf,
  untilExpired,
  untilNotRetained,
} from './messages.ts';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const TOPIC_NAME_INVALID = 0x90;
const qos = 1;

type Message = Omit<PublishObject, 'type'>;

/** Every way from a publisher to a subscriber. Each returns what the subscriber gets of the one message. */
const WAYS: { way: string; send: (broker: BrokerUnderTest, message: Message) => Promise<PublishObject> }[] = [
  ...[0, 1, 2].map((level) => ({
    way: `at once, QoS ${level}`,
    send: async (broker: BrokerUnderTest, message: Message) => {
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(message.topicName!, { qos: level });
      await publishOnce(broker, { ...message, qos: level });
      return (await takeMessages(subscriber, 1))[0];
    },
  })),
  {
    way: 'out of the queue of a session',
    send: async (broker, message) => {
      const session = keptSession();
      const before = await Peer.connect(broker, session);
      await before.subscribe(message.topicName!, { qos });
      await before.disconnect();
      await publishOnce(broker, { ...message, qos });
      return (await takeMessages(await Peer.connect(broker, session), 1))[0];
    },
  },
  {
    way: 'redelivered',
    send: async (broker, message) => {
      const session = keptSession();
      const before = await Peer.connect(broker, session);
      await before.subscribe(message.topicName!, { qos });
      await publishOnce(broker, { ...message, qos });
      await before.nextOf('PUBLISH');
      before.destroy();
      return (await takeMessages(await Peer.connect(broker, session), 1))[0];
    },
  },
  {
    way: 'retained',
    send: async (broker, message) => {
      await publishOnce(broker, { ...message, qos, retain: true });
      return (await retainedOf(broker, message.topicName!))[0];
    },
  },
];

describeBroker('properties of PUBLISH are passed on', (broker) => {
  /** What arrives of a message with these properties. */
  async function pass(way: (typeof WAYS)[number], properties?: PropertiesObject): Promise<PublishObject> {
    return way.send(broker, { topicName: uniqueTopic(), payload: hexOf('{}'), properties });
  }

  it.each(WAYS)('$way: Payload Format Indicator [MQTT-3.3.2-4]', async (way) => {
    for (const payloadFormatIndicator of [0, 1]) {
      expect((await pass(way, { payloadFormatIndicator })).properties).toEqual({ payloadFormatIndicator });
    }
  });

  it.each(WAYS)('$way: Content Type [MQTT-3.3.2-20]', async (way) => {
    for (const contentType of ['text/plain; charset=utf-8', '', 'Ж'.repeat(300)]) {
      expect((await pass(way, { contentType })).properties).toEqual({ contentType });
    }
  });

  it.each(WAYS)('$way: Response Topic and Correlation Data [MQTT-3.3.2-15] [MQTT-3.3.2-16]', async (way) => {
    const every = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte)).toString('hex');
    for (const correlationData of ['00', '', every]) {
      const properties = { responseTopic: `ответ/${uniqueTopic()}`, correlationData };
      expect((await pass(way, properties)).properties).toEqual(properties);
    }
  });

  it.each(WAYS)(
    '$way: User Properties, all of them in their order [MQTT-3.3.2-17] [MQTT-3.3.2-18]',
    async (way) => {
      const userProperties: [string, string][] = [
        ['b', '1'],
        ['a', '2'],
        ['b', '1'],
        ['', ''],
        ['b', '0'],
        ['ключ 🔑', 'значение'],
        ...Array.from({ length: 50 }, (_, index): [string, string] => [
          `key ${index % 7}`,
          String(50 - index),
        ]),
      ];
      expect((await pass(way, { userProperties })).properties).toEqual({ userProperties });
    },
  );

  it.each(WAYS)('$way: all at once, and none where none was', async (way) => {
    const properties: PropertiesObject = {
      payloadFormatIndicator: 1,
      contentType: 'application/json',
      responseTopic: 'a/b',
      correlationData: '0102',
      userProperties: [['a', 'b']],
    };
    expect((await pass(way, properties)).properties).toEqual(properties);
    expect((await pass(way)).properties).toBeUndefined();
  });
});

describeBroker('the Message Expiry Interval', (broker) => {
  it.each(WAYS)('$way: is sent on, less the time that the message waited [MQTT-3.3.2-6]', async (way) => {
    const startedAt = performance.now();
    const topicName = uniqueTopic();
    const properties = { messageExpiryInterval: 1000 };
    const message = await way.send(broker, { topicName, payload: hexOf('x'), properties });
    const elapsedSeconds = (performance.now() - startedAt) / 1000;
    const interval = message.properties?.messageExpiryInterval ?? 0;
    expect(interval).toBeLessThanOrEqual(1000);
    // Whole seconds: the one that has begun may be counted.
    expect(interval).toBeGreaterThanOrEqual(1000 - Math.ceil(elapsedSeconds) - 1);
  });

  it('grows shorter while a retained message waits [MQTT-3.3.2-6]', async () => {
    const topicName = uniqueTopic();
    const properties = { messageExpiryInterval: 1000 };
    await publishOnce(broker, { topicName, qos, retain: true, payload: hexOf('x'), properties });
    const isShorter = async () => {
      const [message] = await retainedOf(broker, topicName);
      const interval = message.properties?.messageExpiryInterval ?? 0;
      return interval < 1000 && interval > 990;
    };
    await eventually(isShorter, { what: 'a Message Expiry Interval a little below 1000' });
  });

  it.each([1, 2])(
    'grows shorter while messages wait for their session, and deletes those whose time is over: QoS %i [MQTT-3.3.2-5] [MQTT-3.3.2-6]',
    async (level) => {
      const topicName = uniqueTopic();
      const session = keptSession();
      const before = await Peer.connect(broker, session);
      await before.subscribe(topicName, { qos: 2 });
      await before.disconnect();
      const messages = [undefined, 1, 1000, 1, undefined].map((messageExpiryInterval, index) => ({
        topicName,
        qos: level,
        payload: hexOf(String(index)),
        properties: { messageExpiryInterval },
      }));
      await publishOnce(broker, ...messages);
      await untilExpired(broker);
      const after = await Peer.connect(broker, session);
      const left = await takeMessages(after, 3);
      expect(textsOf(left)).toEqual(['0', '2', '4']);
      const [none, shorter, noneEither] = left.map(({ properties }) => properties?.messageExpiryInterval);
      expect([none, noneEither]).toEqual([undefined, undefined]);
      expect(shorter).toBeLessThan(1000);
      expect(shorter).toBeGreaterThan(990);
      expect(await after.drain()).toEqual([]);
    },
  );

  it('deletes what waits for the Receive Maximum when it has passed [MQTT-3.3.2-5]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { receiveMaximum: 1 } });
    await subscriber.subscribe(topicName, { qos });
    const expiring = { topicName, qos, properties: { messageExpiryInterval: 1 } };
    await publishOnce(
      broker,
      { topicName, qos, payload: hexOf('stays') },
      { ...expiring, payload: hexOf('goes') },
    );
    await untilExpired(broker);
    await publishOnce(broker, { topicName, qos, payload: hexOf('new') });
    expect(textsOf(await takeMessages(subscriber, 2))).toEqual(['stays', 'new']);
    expect(await subscriber.drain()).toEqual([]);
  });

  it('deletes a retained message when it has passed (3.3.1.3)', async () => {
    const topicName = uniqueTopic();
    const properties = { messageExpiryInterval: 1 };
    await publishOnce(broker, { topicName, qos, retain: true, payload: hexOf('x'), properties });
    await untilNotRetained(broker, topicName);
    // One that replaces it does not inherit its time.
    await publishOnce(broker, { topicName, qos, retain: true, payload: hexOf('y') });
    const [message] = await retainedOf(broker, topicName);
    expect(message.properties).toBeUndefined();
  });

  it('has deleted a retained message as soon as it has passed (3.3.1.3)', async () => {
    const topicName = uniqueTopic();
    const properties = { messageExpiryInterval: 1 };
    await publishOnce(broker, { topicName, qos, retain: true, payload: hexOf('x'), properties });
    await untilExpired(broker);
    expect(await retainedOf(broker, topicName)).toEqual([]);
  });

  it('is not said where the publisher said none [MQTT-3.3.2-6]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos });
    await publishOnce(broker, { topicName, qos });
    expect((await subscriber.nextOf('PUBLISH')).properties).toBeUndefined();
  });
});

/** A PUBLISH of QoS 0 to topic `a` with these properties, and an empty payload. */
function publishBytes(properties: string): string {
  const body = `000161${(properties.length / 2).toString(16).padStart(2, '0')}${properties}`;
  return `30${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
}

describeBroker('properties of PUBLISH that break the rules end the connection', (broker) => {
  it.each([
    ['Content Type', '03', '[MQTT-3.3.2-19]'],
    ['Response Topic', '08', '[MQTT-3.3.2-13]'],
  ])('%s that is no UTF-8 is malformed (%s) %s', async (_name, identifier) => {
    const publisher = await Peer.connect(broker);
    publisher.sendBytes(publishBytes(`${identifier}0002c328`));
    await publisher.expectDisconnect(MALFORMED);
  });

  it.each(['#', 'a/#', '+', 'a/+/b'])(
    'a Response Topic with wildcards: %s [MQTT-3.3.2-14]',
    async (responseTopic) => {
      const publisher = await Peer.connect(broker);
      const bytes = Buffer.from(responseTopic);
      publisher.sendBytes(publishBytes(`08000${bytes.length}${bytes.toString('hex')}`));
      // The standard does not say which code.
      await publisher.expectDisconnect(PROTOCOL_ERROR, MALFORMED, TOPIC_NAME_INVALID);
    },
  );

  it.each([
    ['Payload Format Indicator', '0100'],
    ['Message Expiry Interval', '0200000001'],
    ['Content Type', '03000161'],
    ['Response Topic', '08000161'],
    ['Correlation Data', '09000161'],
    ['Topic Alias', '230001'],
  ])('%s twice is a protocol error (3.3.2.3)', async (_name, property) => {
    const publisher = await Peer.connect(broker);
    publisher.sendBytes(publishBytes(property + property));
    await publisher.expectDisconnect(PROTOCOL_ERROR);
  });

  it.each([
    ['that belongs to another packet', '1100000001'],
    ['that there is not', '7f00'],
    ['that is cut off', '0200000'.padEnd(8, '0')],
  ])('a property %s is malformed (2.2.2.2)', async (_what, property) => {
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe('a');
    const publisher = await Peer.connect(broker);
    publisher.sendBytes(publishBytes(property));
    // A property of another packet: 2.2.2.2 calls it malformed, and allows to say Protocol Error.
    await publisher.expectDisconnect(MALFORMED, PROTOCOL_ERROR);
    expect(publishesOf(await subscriber.drain())).toEqual([]);
  });
});
