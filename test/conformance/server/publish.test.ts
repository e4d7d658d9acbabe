/**
 * PUBLISH at the server (3.3.1, 3.3.2.1, 3.3.4, 4.5): DUP and QoS, topic names, overlapping subscriptions and their
 * identifiers, and that a message reaches every session that it is for.
 */
import { describe, expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { V3_1_1 } from '../../../src/packets/types.ts';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import {
  keptSession,
  publishesOf,
  publishOnce,
  takeMessages,
  textsOf,
  VERSIONS,
  VERSIONS_AND_QOS,
} from './messages.ts';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const TOPIC_NAME_INVALID = 0x90;
const QOS_NOT_SUPPORTED = 0x9b;

/** A Topic Name as it is on the wire, in hex, from the bytes of its text. */
function fieldOf(text: string | Uint8Array): string {
  const bytes = Buffer.from(text as Uint8Array);
  return bytes.length.toString(16).padStart(4, '0') + bytes.toString('hex');
}

/** A PUBLISH by the first byte, the bytes behind the Topic Name in hex. */
function publishBytes(first: string, topicField: string, rest: string): string {
  const body = topicField + rest;
  return first + (body.length / 2).toString(16).padStart(2, '0') + body;
}

describeBroker('PUBLISH: the fixed header', (broker) => {
  it.each(VERSIONS_AND_QOS)(
    'a message is sent with DUP 0, whatever DUP its publisher sent: QoS $qos, $version [MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT-4.3.3-2] [v3.1.1 MQTT-3.3.1-3]',
    async ({ protocolVersion, qos }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos });
      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName, qos, dup: true, payload: hexOf('again') });
      const [message] = await takeMessages(subscriber, 1);
      expect(message).toMatchObject({ dup: false, qos, payload: hexOf('again') });
    },
  );

  it.each(VERSIONS)(
    'a message goes on at QoS 0 with DUP 0 though it came at QoS 1 with DUP 1: $version [MQTT-3.3.1-2] [MQTT-4.3.1-1] [v3.1.1 MQTT-3.3.1-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 0 });
      await publishOnce(broker, { topicName, qos: 1, dup: true });
      const message = await subscriber.nextOf('PUBLISH');
      expect(message).toMatchObject({ dup: false, qos: 0 });
      expect(message).not.toHaveProperty('packetId');
    },
  );

  it.each(VERSIONS)(
    'both QoS bits set make a malformed packet, which goes to nobody: $version [MQTT-3.3.1-4] [v3.1.1 MQTT-3.3.1-4]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const properties = protocolVersion === V3_1_1 ? '' : '00';
      publisher.sendBytes(publishBytes('36', fieldOf(topicName), `0001${properties}`));
      await publisher.expectDisconnect(MALFORMED);
      expect(await subscriber.drain()).toEqual([]);
    },
  );

  it.each([0, 1, 127, 128, 16_384, 300_000])(
    'a payload of %i bytes arrives as it was sent',
    async (byteLength) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(topicName, { qos: 1 });
      const payload = Buffer.from(
        Uint8Array.from({ length: byteLength }, (_, index) => index % 251),
      ).toString('hex');
      await publishOnce(broker, { topicName, qos: 1, payload });
      const [message] = await takeMessages(subscriber, 1);
      expect(message.payload === payload).toBe(true);
    },
  );
});

describeWith({}, 'PUBLISH: what our broker takes no nonsense of', (broker) => {
  // The standard forbids it, and leaves open what a server does about it.
  it.each(VERSIONS)(
    'DUP 1 at QoS 0 ends the connection: $version [MQTT-3.3.1-2] [v3.1.1 MQTT-3.3.1-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const publisher = await Peer.connect(broker, { protocolVersion });
      const properties = protocolVersion === V3_1_1 ? '' : '00';
      publisher.sendBytes(publishBytes('38', fieldOf(topicName), properties));
      await publisher.expectDisconnect(MALFORMED, PROTOCOL_ERROR);
    },
  );
});

describeBroker('PUBLISH: the Topic Name', (broker) => {
  it.each(
    VERSIONS.flatMap((one) =>
      ['#', 'a/#', '+', 'a/+/b', 'a+', 'a#b'].map((topicName) => ({ ...one, topicName })),
    ),
  )(
    '$topicName has a wildcard, which ends the connection: $version [MQTT-3.3.2-2] [MQTT-4.7.0-1] [v3.1.1 MQTT-3.3.2-2]',
    async ({ protocolVersion, topicName }) => {
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.sendBytes(publishBytes('30', fieldOf(topicName), protocolVersion === V3_1_1 ? '' : '00'));
      // The standard does not say which code.
      await publisher.expectDisconnect(TOPIC_NAME_INVALID, MALFORMED, PROTOCOL_ERROR);
    },
  );

  it.each(VERSIONS)(
    'ill-formed UTF-8 makes a malformed packet: $version [MQTT-3.3.2-1] [v3.1.1 MQTT-3.3.2-1]',
    async ({ protocolVersion }) => {
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topicField = fieldOf(Uint8Array.of(0x61, 0xc3, 0x28));
      publisher.sendBytes(publishBytes('30', topicField, protocolVersion === V3_1_1 ? '' : '00'));
      await publisher.expectDisconnect(MALFORMED);
    },
  );

  it('a PUBLISH too short for the Topic Name it says it has is malformed [MQTT-3.3.2-1]', async () => {
    const publisher = await Peer.connect(broker);
    publisher.sendBytes('30 03 0005 61');
    await publisher.expectDisconnect(MALFORMED);
  });

  it.each(VERSIONS)(
    'no Topic Name, and no alias for it, is a protocol error: $version [MQTT-4.7.3-1]',
    async ({ protocolVersion }) => {
      const publisher = await Peer.connect(broker, { protocolVersion });
      publisher.sendBytes(publishBytes('30', fieldOf(''), protocolVersion === V3_1_1 ? '' : '00'));
      await publisher.expectDisconnect(PROTOCOL_ERROR);
    },
  );

  it.each(VERSIONS)(
    'what is sent to a subscriber matches its filter, and has the name it was published with: $version [MQTT-3.3.2-3] [v3.1.1 MQTT-3.3.2-3]',
    async ({ protocolVersion }) => {
      const base = uniqueTopic();
      const matching = [`${base}/1/temperature`, `${base}//temperature`, `${base}/Ünter 🌡/temperature`];
      const others = [
        `${base}/1`,
        `${base}/1/humidity`,
        `${base}/1/temperature/x`,
        base,
        `${base}/1/Temperature`,
      ];
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(`${base}/+/temperature`, { qos: 1 });
      const published = [others, matching, others].flat();
      await publishOnce(broker, ...published.map((topicName) => ({ topicName, qos: 1 })));
      const messages = publishesOf(await subscriber.drain());
      expect(messages.map(({ topicName }) => topicName)).toEqual(matching);
    },
  );
});

describeBroker('PUBLISH: overlapping subscriptions', (broker) => {
  it.each(VERSIONS.flatMap((one) => [0, 1, 2].map((qos) => ({ ...one, qos }))))(
    'a message of QoS $qos comes with the highest QoS that the matching subscriptions allow: $version [MQTT-3.3.4-2] [v3.1.1 MQTT-3.3.5-1]',
    async ({ protocolVersion, qos }) => {
      const base = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(`${base}/#`, { qos: 0 });
      await subscriber.subscribe(`${base}/+`, { qos: 2 });
      await subscriber.subscribe(`${base}/a`, { qos: 1 });
      await publishOnce(broker, { topicName: `${base}/a`, qos });
      // One copy, or one for each subscription: the standard leaves it to the server.
      const copies = publishesOf(await subscriber.drain());
      expect([1, 3]).toContain(copies.length);
      expect(Math.max(...copies.map((copy) => copy.qos ?? 0))).toBe(qos);
    },
  );

  it.each([0, 1, 2])(
    'the identifiers of all matching subscriptions come with the message, QoS %i [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]',
    async (qos) => {
      const copies = await subscribeAndPublish(broker, qos, [7, 268_435_455, 0, 128]);
      const identifiers = copies.map((copy) => copy.properties?.subscriptionIdentifiers ?? []);
      expect(identifiers.flat().sort((a, b) => a - b)).toEqual([7, 128, 268_435_455]);
      // One copy that has all, or a copy for each subscription with its own.
      if (copies.length > 1) expect(identifiers.map((list) => list.length).sort()).toEqual([0, 1, 1, 1]);
    },
  );

  it('an identifier that two matching subscriptions share comes twice [MQTT-3.3.4-4] [MQTT-3.3.4-5]', async () => {
    const copies = await subscribeAndPublish(broker, 1, [5, 5]);
    expect(copies.flatMap((copy) => copy.properties?.subscriptionIdentifiers ?? [])).toEqual([5, 5]);
  });

  it('no identifier comes when no matching subscription has one [MQTT-3.3.4-3]', async () => {
    const base = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(`${base}/other`, { properties: { subscriptionIdentifiers: [9] } });
    await subscriber.subscribe(`${base}/a`);
    await publishOnce(broker, { topicName: `${base}/a` });
    expect((await subscriber.nextOf('PUBLISH')).properties).toBeUndefined();
  });

  it('messages that waited for their session have the identifiers as well [MQTT-3.3.4-3]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession();
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 1, properties: { subscriptionIdentifiers: [11] } });
    await before.disconnect();
    await publishOnce(broker, { topicName, qos: 1 });
    const [message] = await takeMessages(await Peer.connect(broker, session), 1);
    expect(message.properties).toEqual({ subscriptionIdentifiers: [11] });
  });

  it('retained messages have the identifier of the subscription they are sent for [MQTT-3.3.4-3]', async () => {
    const topicName = uniqueTopic();
    await publishOnce(broker, { topicName, qos: 1, retain: true, payload: hexOf('kept') });
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 1, properties: { subscriptionIdentifiers: [12] } });
    const [message] = await takeMessages(subscriber, 1);
    expect(message.properties).toEqual({ subscriptionIdentifiers: [12] });
    await publishOnce(broker, { topicName, retain: true });
  });

  it('a Subscription Identifier from a client is a protocol error [MQTT-3.3.4-6]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName);
    const publisher = await Peer.connect(broker);
    publisher.send({ type: 'PUBLISH', topicName, properties: { subscriptionIdentifiers: [1] } });
    await publisher.expectDisconnect(PROTOCOL_ERROR);
    expect(await subscriber.drain()).toEqual([]);
  });
});

describeWith({}, 'PUBLISH: overlapping subscriptions as our broker has them', (broker) => {
  it('one copy has the identifiers of all of them [MQTT-3.3.4-4]', async () => {
    const copies = await subscribeAndPublish(broker, 2, [3, 2, 0, 1]);
    expect(copies).toHaveLength(1);
    expect(copies[0].properties?.subscriptionIdentifiers?.toSorted()).toEqual([1, 2, 3]);
  });
});

/** Overlapping subscriptions with these identifiers (0: none) and the copies that come of one message. */
async function subscribeAndPublish(
  broker: BrokerUnderTest,
  qos: number,
  identifiers: number[],
): Promise<PublishObject[]> {
  const base = uniqueTopic();
  const filters = [`${base}/#`, `${base}/a/+`, `${base}/+/b`, `${base}/a/b`];
  const subscriber = await Peer.connect(broker);
  for (const [index, identifier] of identifiers.entries()) {
    const properties = identifier === 0 ? {} : { properties: { subscriptionIdentifiers: [identifier] } };
    await subscriber.subscribe(filters[index], { qos: 2, ...properties });
  }
  await publishOnce(broker, { topicName: `${base}/a/b`, qos });
  return publishesOf(await subscriber.drain());
}

describeBroker('PUBLISH: who gets a message', (broker) => {
  it.each(VERSIONS_AND_QOS)(
    'an acknowledged message is added to every session with a matching subscription, connected or not: QoS $qos, $version [MQTT-4.5.0-1] [v3.1.1 MQTT-4.5.0-1]',
    async ({ protocolVersion, qos }) => {
      const topicName = uniqueTopic();
      const connected = await Peer.connect(broker, { protocolVersion });
      await connected.subscribe(topicName, { qos });
      const session = keptSession(protocolVersion);
      const absent = await Peer.connect(broker, session);
      await absent.subscribe(topicName, { qos });
      await absent.disconnect();
      const other = await Peer.connect(broker, { protocolVersion });
      await other.subscribe(`${topicName}/other`, { qos });

      const publisher = await Peer.connect(broker, { protocolVersion });
      await publisher.publish({ topicName, qos, payload: hexOf('one') });
      publisher.destroy();
      expect(textsOf(await takeMessages(connected, 1))).toEqual(['one']);
      const back = await Peer.connect(broker, session);
      expect(back.connack.sessionPresent).toBe(true);
      expect(textsOf(await takeMessages(back, 1))).toEqual(['one']);
      expect(await other.drain()).toEqual([]);
    },
  );

  it('messages go from 5.0 to 3.1.1 and back, without what 3.1.1 does not have [MQTT-4.5.0-1]', async () => {
    const topicName = uniqueTopic();
    const [newer, older] = [
      await Peer.connect(broker),
      await Peer.connect(broker, { protocolVersion: V3_1_1 }),
    ];
    for (const peer of [newer, older]) await peer.subscribe(topicName, { qos: 1 });
    await newer.publish({
      topicName,
      qos: 1,
      payload: hexOf('5'),
      properties: { contentType: 'text/plain' },
    });
    await older.publish({ topicName, qos: 1, payload: hexOf('3') });
    const atNewer = await takeMessages(newer, 2);
    expect(atNewer.map(({ properties }) => properties)).toEqual([{ contentType: 'text/plain' }, undefined]);
    expect(textsOf(atNewer)).toEqual(['5', '3']);
    expect(textsOf(await takeMessages(older, 2))).toEqual(['5', '3']);
  });
});

describe('PUBLISH: a QoS beyond the Maximum QoS', () => {
  describeWith({ maximumQos: 1 }, 'when that is 1', (broker) => {
    it('ends the connection with 0x9B (3.3.1.2)', async () => {
      const publisher = await Peer.connect(broker);
      expect(publisher.connack.properties?.maximumQos).toBe(1);
      publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos: 2, packetId: 1 });
      await publisher.expectDisconnect(QOS_NOT_SUPPORTED);
    });
    it('ends the connection of a 3.1.1 client, which cannot be told', async () => {
      const publisher = await Peer.connect(broker, { protocolVersion: V3_1_1 });
      publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos: 2, packetId: 1 });
      await publisher.expectDisconnect();
    });
    it('is not reached by QoS 1', async () => {
      const publisher = await Peer.connect(broker);
      expect((await publisher.publish({ topicName: uniqueTopic(), qos: 1 }))?.type).toBe('PUBACK');
    });
  });
  describeWith({ maximumQos: 0 }, 'when that is 0', (broker) => {
    it.each([1, 2])('ends the connection with 0x9B: QoS %i (3.3.1.2)', async (qos) => {
      const publisher = await Peer.connect(broker);
      expect(publisher.connack.properties?.maximumQos).toBe(0);
      publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), qos, packetId: 1 });
      await publisher.expectDisconnect(QOS_NOT_SUPPORTED);
    });
  });
});
