/**
 * What PUBACK and PUBREC say beyond success (3.4.2.1, 3.5.2.1), why a server may say it, and the Reason String that may go
 * with it (3.4.2.2, 3.1.2.11.7). Asked of our broker: a foreign one would have to be set up for it.
 */
import { expect, it } from 'vitest';
import { encodeObject, type AckObject, type PublishObject } from '../../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../../src/packets/types.ts';
import { describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic, type ConnectFields } from '../peer.ts';
import { publishesOf, publishOnce, retainedOf, takeMessages, textsOf } from './messages.ts';

const NO_MATCHING_SUBSCRIBERS = 0x10;
const NOT_AUTHORIZED = 0x87;
const TOPIC_NAME_INVALID = 0x90;
const QUOTA_EXCEEDED = 0x97;
const PAYLOAD_FORMAT_INVALID = 0x99;

const FORBIDDEN = 'forbidden';
/** Everybody may subscribe to everything, nobody publish to the one topic. */
const authorise = (_client: unknown, access: string, topic: string): boolean =>
  access === 'subscribe' || topic !== FORBIDDEN;

/** Publishes at QoS 1 or 2 and returns the first answer, PUBACK or PUBREC. */
async function answerTo(publisher: Peer, message: Omit<PublishObject, 'type'>): Promise<AckObject> {
  publisher.send({ type: 'PUBLISH', packetId: 1, ...message });
  return publisher.nextOf(message.qos === 1 ? 'PUBACK' : 'PUBREC');
}

/** At a refused message: the connection of a 3.1.1 client is closed, or it is told that all is well; nothing else. */
async function expectClosedOrAcknowledged(peer: Peer, message: Omit<PublishObject, 'type'>): Promise<void> {
  peer.send({ type: 'PUBLISH', packetId: 1, ...message });
  const answer = await peer.next().catch(() => null);
  if (answer === null) await peer.expectClosedSilently();
  else expect(answer).toEqual({ type: message.qos === 1 ? 'PUBACK' : 'PUBREC', packetId: 1 });
}

describeWith({}, 'PUBACK and PUBREC of 0x10', (broker) => {
  it.each([1, 2])('say that nobody is subscribed: QoS %i (3.4.2.1, 3.5.2.1) [MQTT-4.3.3-11]', async (qos) => {
    const topicName = uniqueTopic();
    const publisher = await Peer.connect(broker);
    const subscriber = await Peer.connect(broker);
    expect((await answerTo(publisher, { topicName, qos })).reasonCode).toBe(NO_MATCHING_SUBSCRIBERS);
    if (qos === 2) {
      // It is no failure, so the exchange goes on.
      publisher.send({ type: 'PUBREL', packetId: 1 });
      expect((await publisher.nextOf('PUBCOMP')).reasonCode ?? 0).toBe(0);
    }
    await subscriber.subscribe(topicName);
    expect((await answerTo(publisher, { topicName, qos, packetId: 2 })).reasonCode ?? 0).toBe(0);
  });

  it.each([1, 2])('are not for 3.1.1, whose acknowledgements say nothing: QoS %i', async (qos) => {
    const publisher = await Peer.connect(broker, { protocolVersion: V3_1_1 });
    const answer = await answerTo(publisher, { topicName: uniqueTopic(), qos });
    expect(answer).not.toHaveProperty('reasonCode');
  });
});

describeWith(
  { hooks: { authorise } },
  'a message that its publisher is not authorised to publish',
  (broker) => {
    const topicName = FORBIDDEN;

    it.each([1, 2])('is refused with 0x87, and goes to nobody: QoS %i (3.4.2.1, 3.5.2.1)', async (qos) => {
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(topicName, { qos: 2 });
      const publisher = await Peer.connect(broker);
      const answer = await answerTo(publisher, { topicName, qos, retain: true, payload: hexOf('x') });
      expect(answer.reasonCode).toBe(NOT_AUTHORIZED);
      expect(await subscriber.drain()).toEqual([]);
      expect(await retainedOf(broker, topicName)).toEqual([]);
    });

    it('after PUBREC 0x87 the identifier is free: a further PUBLISH is a new message [MQTT-4.3.3-9]', async () => {
      const allowed = uniqueTopic();
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(allowed, { qos: 2 });
      const publisher = await Peer.connect(broker);
      expect((await answerTo(publisher, { topicName, qos: 2 })).reasonCode).toBe(NOT_AUTHORIZED);
      for (const dup of [false, true]) {
        await publisher.publish({ topicName: allowed, qos: 2, packetId: 1, dup, payload: hexOf('new') });
      }
      expect(textsOf(await takeMessages(subscriber, 2))).toEqual(['new', 'new']);
    });

    it('at QoS 0 is dropped, or ends the connection (4.13)', async () => {
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(topicName);
      const publisher = await Peer.connect(broker);
      publisher.send({ type: 'PUBLISH', topicName }, { type: 'PINGREQ' });
      const answer = await publisher.next();
      if (answer.type === 'DISCONNECT') expect(answer.reasonCode).toBe(NOT_AUTHORIZED);
      else expect(answer).toEqual({ type: 'PINGRESP' });
      expect(await subscriber.drain()).toEqual([]);
    });

    it.each([1, 2])(
      'is acknowledged under 3.1.1, or closes the connection, and goes to nobody: QoS %i [v3.1.1 MQTT-3.3.5-2]',
      async (qos) => {
        const subscriber = await Peer.connect(broker);
        await subscriber.subscribe(topicName, { qos: 2 });
        await expectClosedOrAcknowledged(await Peer.connect(broker, { protocolVersion: V3_1_1 }), {
          topicName,
          qos,
        });
        expect(await subscriber.drain()).toEqual([]);
      },
    );
  },
);

describeWith(
  { limits: { retainedMessagesMax: 1 } },
  'a message for which there is no more room to retain',
  (broker) => {
    it('is delivered, but refused with 0x97 (3.4.2.1)', async () => {
      const [kept, further] = [uniqueTopic(), uniqueTopic()];
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(further, { qos: 1 });
      const publisher = await Peer.connect(broker);
      const message = { qos: 1, retain: true, payload: hexOf('x') };
      await publisher.publish({ ...message, topicName: kept });
      for (const qos of [1, 2]) {
        const answer = await answerTo(publisher, { ...message, topicName: further, qos, packetId: 10 + qos });
        expect(answer.reasonCode).toBe(QUOTA_EXCEEDED);
      }
      expect(textsOf(await takeMessages(subscriber, 2))).toEqual(['x', 'x']);
      expect(await retainedOf(broker, further)).toEqual([]);
      // What replaces the one there is needs no further room.
      expect(
        (await publisher.publish({ ...message, topicName: kept, payload: hexOf('y') }))?.reasonCode,
      ).not.toBe(QUOTA_EXCEEDED);
      expect(textsOf(await retainedOf(broker, kept))).toEqual(['y']);
    });
  },
);

describeWith({ limits: { topicLevelsMax: 3 } }, 'a Topic Name of too many levels', (broker) => {
  it.each([1, 2])('is refused with 0x90: QoS %i (3.4.2.1, 3.5.2.1)', async (qos) => {
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe('deep/#', { qos: 2 });
    const publisher = await Peer.connect(broker);
    const refused = await answerTo(publisher, { topicName: 'deep/2/3/4', qos });
    expect(refused.reasonCode).toBe(TOPIC_NAME_INVALID);
    expect(await subscriber.drain()).toEqual([]);
    const accepted = await answerTo(publisher, { topicName: 'deep/2/3', qos, packetId: 2 });
    expect(accepted.reasonCode ?? 0).toBe(0);
  });

  it('is acknowledged under 3.1.1, or closes the connection, and goes to nobody', async () => {
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe('deep/#');
    const publisher = await Peer.connect(broker, { protocolVersion: V3_1_1 });
    await expectClosedOrAcknowledged(publisher, { topicName: 'deep/2/3/4', qos: 1 });
    expect(await subscriber.drain()).toEqual([]);
  });
});

describeWith({}, 'a payload that says it is UTF-8, and is not', (broker) => {
  const payload = 'c328';
  const properties = { payloadFormatIndicator: 1 };

  it.each([1, 2])('is refused with 0x99: QoS %i (3.3.2.3.2)', async (qos) => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 2 });
    const publisher = await Peer.connect(broker);
    const answer = await answerTo(publisher, { topicName, qos, payload, properties });
    expect(answer.reasonCode).toBe(PAYLOAD_FORMAT_INVALID);
    expect(await subscriber.drain()).toEqual([]);
  });

  it('is nobody’s business where the Payload Format Indicator does not say so (3.3.2.3.2)', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 1 });
    const bytes = { payloadFormatIndicator: 0 };
    await publishOnce(
      broker,
      { topicName, qos: 1, payload },
      { topicName, qos: 1, payload, properties: bytes },
    );
    expect((await takeMessages(subscriber, 2)).map((message) => message.payload)).toEqual([payload, payload]);
  });
});

const EVERY_CODE = [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const published = (message: { topicName: string }): number | undefined => {
  return message.topicName.startsWith('refused/') ? Number(message.topicName.slice(8)) : undefined;
};

describeWith({ hooks: { published } }, 'a message that the application refuses', (broker) => {
  it.each(EVERY_CODE.flatMap((code) => [1, 2].map((qos) => [code, qos] as const)))(
    'is answered with its code, and goes to nobody: %i, QoS %i [MQTT-3.4.2-1] [MQTT-3.5.2-1]',
    async (code, qos) => {
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe('refused/#', { qos: 2 });
      const publisher = await Peer.connect(broker);
      const answer = await answerTo(publisher, { topicName: `refused/${code}`, qos });
      expect(answer.reasonCode).toBe(code);
      expect(await subscriber.drain()).toEqual([]);
    },
  );
});

/** Bytes of the packet. */
function byteLengthOf(packet: AckObject): number {
  return encodeObject(packet, { protocolVersion: V5 }).length;
}

/** The answer to a message that such a client may not publish. */
async function refusalOf(broker: BrokerUnderTest, fields: ConnectFields, qos: 1 | 2): Promise<AckObject> {
  return answerTo(await Peer.connect(broker, fields), { topicName: FORBIDDEN, qos });
}

/** Each of the four packets with a code that a Reason String may go with, as the server sends it to such a client. */
const FAILURES: {
  type: AckObject['type'];
  clauses: string;
  ask: (broker: BrokerUnderTest, fields: ConnectFields) => Promise<AckObject>;
}[] = [
  {
    type: 'PUBACK',
    clauses: '[MQTT-3.4.2-2] [MQTT-3.4.2-3]',
    ask: async (broker, fields) => refusalOf(broker, fields, 1),
  },
  {
    type: 'PUBREC',
    clauses: '[MQTT-3.5.2-2] [MQTT-3.5.2-3]',
    ask: async (broker, fields) => refusalOf(broker, fields, 2),
  },
  {
    type: 'PUBREL',
    clauses: '[MQTT-3.6.2-2] [MQTT-3.6.2-3]',
    ask: async (broker, fields) => {
      const peer = await Peer.connect(broker, fields);
      peer.send({ type: 'PUBREC', packetId: 1 });
      return peer.nextOf('PUBREL');
    },
  },
  {
    type: 'PUBCOMP',
    clauses: '[MQTT-3.7.2-2] [MQTT-3.7.2-3]',
    ask: async (broker, fields) => {
      const peer = await Peer.connect(broker, fields);
      peer.send({ type: 'PUBREL', packetId: 1 });
      return peer.nextOf('PUBCOMP');
    },
  },
];

describeWith({ hooks: { authorise } }, 'the Reason String', (broker) => {
  it.each(FAILURES)(
    'of $type is left out of a packet that would be too large with it $clauses',
    async ({ ask }) => {
      const whole = await ask(broker, {});
      expect(whole.properties?.reasonString).toBeTruthy();
      const maximumPacketSize = byteLengthOf(whole) - 1;
      const limited = await ask(broker, { properties: { maximumPacketSize } });
      expect(limited).toEqual({ type: whole.type, packetId: whole.packetId, reasonCode: whole.reasonCode });
    },
  );

  it.each(FAILURES)(
    'of $type is not sent to who asks for no problem information [MQTT-3.1.2-29]',
    async ({ ask }) => {
      const silent = await ask(broker, { properties: { requestProblemInformation: 0 } });
      expect(silent.reasonCode).toBeGreaterThanOrEqual(0x80);
      expect(silent.properties).toBeUndefined();
      const asking = await ask(broker, { properties: { requestProblemInformation: 1 } });
      expect(asking.properties?.reasonString).toBeTruthy();
    },
  );

  it('and its absence change nothing about the User Properties of messages [MQTT-3.1.2-29] [MQTT-3.3.2-17]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { requestProblemInformation: 0 } });
    await subscriber.subscribe(topicName);
    const properties = { userProperties: [['a', 'b']] as [string, string][] };
    await publishOnce(broker, { topicName, properties });
    expect(publishesOf(await subscriber.drain())[0].properties).toEqual(properties);
  });
});
