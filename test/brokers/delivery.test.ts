/**
 * Messages through real brokers: every pair of qualities of service, payloads of every size, and everything that
 * travels with a payload, unaltered.
 */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

type Qos = 0 | 1 | 2;
const LEVELS: readonly Qos[] = [0, 1, 2];
const PAIRS = LEVELS.flatMap((published) => LEVELS.map((subscribed) => [published, subscribed] as const));

const LARGE = { motemq: { broker: { limits: { maximumPacketSize: 3_000_000 } } } };

describeEveryBroker('delivery', LARGE, (ground) => {
  it.each(PAIRS)(
    'QoS %i to a subscription of QoS %i [MQTT-4.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1]',
    async (published, subscribed) => {
      const topic = freshName('qos');
      const subscriber = await ground.connect();
      const messages: string[] = [];
      const subscription = await subscriber.subscribe(topic, { qos: subscribed }, (message) => {
        messages.push(
          `${message.topicName} ${message.text()} ${message.qos} ${message.retain} ${message.dup}`,
        );
      });
      expect(subscription.reasonCodes).toEqual([subscribed]);
      const publisher = await ground.connect();
      for (const text of ['first', 'second']) {
        const result = await publisher.publish(topic, text, { qos: published });
        expect(result).toEqual({ reasonCode: 0, reasonName: 'Success' });
      }
      await eventually(() => messages.length >= 2, { what: 'both messages' });
      const qos = Math.min(published, subscribed);
      expect(messages).toEqual(['first', 'second'].map((text) => `${topic} ${text} ${qos} false false`));
    },
  );

  it('each QoS has its own packets, and each its own identifier [MQTT-2.2.1-3] [MQTT-4.3.3-4]', async () => {
    const topic = freshName('packets');
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    await client.publish(topic, 'x', { qos: 0 });
    await client.publish(topic, 'x', { qos: 1 });
    await client.publish(topic, 'x', { qos: 2 });
    const count = (type: Parameters<typeof packetsOf>[2]): [number, number] => [
      packetsOf(proxy, 'toServer', type).length,
      packetsOf(proxy, 'toClient', type).length,
    ];
    expect(count('PUBLISH')).toEqual([3, 0]);
    expect([count('PUBACK'), count('PUBREC'), count('PUBREL'), count('PUBCOMP')]).toEqual([
      [0, 1],
      [0, 1],
      [1, 0],
      [0, 1],
    ]);
    const idOf = (bytes: Uint8Array, at: number) => (bytes[at] << 8) | bytes[at + 1];
    const [puback, pubrec] = [packetsOf(proxy, 'toClient', 'PUBACK'), packetsOf(proxy, 'toClient', 'PUBREC')];
    expect(idOf(puback[0], 2)).not.toBe(0);
    expect(idOf(pubrec[0], 2)).not.toBe(0);
    expect(idOf(pubrec[0], 2)).not.toBe(idOf(puback[0], 2));
    expect(idOf(packetsOf(proxy, 'toServer', 'PUBREL')[0], 2)).toBe(idOf(pubrec[0], 2));
  });

  it.each(LEVELS)('an empty payload arrives empty, QoS %i', async (qos) => {
    const topic = freshName('empty');
    const client = await ground.connect();
    const messages = await collect(client, topic, { qos });
    await client.publish(topic, '', { qos });
    await client.publish(topic, null, { qos });
    await client.publish(topic, new Uint8Array(0), { qos });
    await untilCount(messages, 3);
    expect(messages.map((message) => message.payload.length)).toEqual([0, 0, 0]);
  });

  it.each(LEVELS)('a payload of 1 MB goes both ways, QoS %i', async (qos) => {
    const topic = freshName('large');
    const client = await ground.connect();
    const messages = await collect(client, topic, { qos });
    const payload = randomBytes(1_000_000);
    await client.publish(topic, payload, { qos });
    await client.publish(topic, 'behind it', { qos });
    await untilCount(messages, 2);
    expect(Buffer.compare(messages[0].payload, payload)).toBe(0);
    expect(messages[1].text()).toBe('behind it');
  });

  it('payloads of every length around the limits of the length field arrive whole', async () => {
    const topic = freshName('lengths');
    const client = await ground.connect({ receiveWindowBytes: 4096 });
    const messages = await collect(client, topic, { qos: 1 });
    const around = [1, 127, 128, 4096, 16_383, 16_384, 65_535, 65_536, 2_097_152];
    const lengths = around.flatMap((length) =>
      [-24, -20, -1, 0, 1].map((more) => Math.max(0, length + more)),
    );
    const sent = lengths.map((length, i) => {
      const payload = Buffer.alloc(length, i + 1);
      void client.publish(topic, payload, { qos: 1 });
      return payload;
    });
    await untilCount(messages, sent.length);
    for (let i = 0; i < sent.length; i++) {
      expect(messages[i].payload.length).toBe(lengths[i]);
      expect(Buffer.compare(messages[i].payload, sent[i])).toBe(0);
    }
  });

  it('topics and payloads of many scripts arrive unaltered [MQTT-1.5.4-1]', async () => {
    const topic = `${freshName('scripts')}/温度/Ωмега/🌡️`;
    const client = await ground.connect();
    const messages = await collect(client, `${topic.split('/')[0]}/#`, { qos: 1 });
    await client.publish(topic, 'Grüße, 世界 🌍', { qos: 1 });
    await untilCount(messages, 1);
    expect(messages[0].topicName).toBe(topic);
    expect(messages[0].text()).toBe('Grüße, 世界 🌍');
  });

  it('what the client publishes in a burst arrives in the order of its calls [MQTT-4.6.0-5]', async () => {
    const topic = freshName('order');
    const subscriber = await ground.connect();
    const publisher = await ground.connect();
    for (const qos of LEVELS) {
      const messages = await collect(subscriber, `${topic}/${qos}`, { qos });
      const texts = Array.from({ length: 300 }, (_, i) => String(i));
      await Promise.all(texts.map((text) => publisher.publish(`${topic}/${qos}`, text, { qos })));
      await untilCount(messages, texts.length);
      expect(textsOf(messages)).toEqual(texts);
    }
  });
});

describeEveryBroker(
  'delivery of MQTT 5.0',
  {},
  (ground) => {
    it('properties of a message arrive unaltered and in order [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
      const topic = freshName('properties');
      const client = await ground.connect();
      const messages = await collect(client, topic, { qos: 2 });
      const correlationData = randomBytes(300);
      const userProperties: [string, string][] = [
        ['', ''],
        ['unit', '°C'],
        ['unit', 'K'],
        ['🌡️', 'x'.repeat(20_000)],
      ];
      await client.publish(topic, '21.5', {
        qos: 2,
        payloadFormatIndicator: 1,
        contentType: 'text/plain; charset=utf-8',
        responseTopic: 'somewhere/else',
        correlationData,
        userProperties,
      });
      await untilCount(messages, 1);
      const { properties } = messages[0];
      const ofTheLastHop = { subscriptionIdentifiers: undefined, topicAlias: undefined };
      expect({ ...properties, ...ofTheLastHop, correlationData: undefined }).toEqual({
        payloadFormatIndicator: 1,
        contentType: 'text/plain; charset=utf-8',
        responseTopic: 'somewhere/else',
        correlationData: undefined,
        userProperties,
      });
      expect(Buffer.compare(properties.correlationData!, correlationData)).toBe(0);
    });

    it('a publish of QoS 1 without subscribers says so, and is no failure', async () => {
      const client = await ground.connect();
      const result = await client.publish(freshName('nobody'), 'x', { qos: 1 });
      expect(result).toEqual({ reasonCode: 0x10, reasonName: 'No matching subscribers' });
    });
  },
  { protocol: '5.0' },
);
