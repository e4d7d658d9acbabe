/**
 * Wills: published when a connection is lost, not after a goodbye, and in MQTT 5.0 also after a goodbye that asks for
 * it, and only after a delay in which the client did not come back.
 */
import { expect, it } from 'vitest';
import type { ConnectOptions } from '../../targets/node/index.ts';
import { afterIo, eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, textsOf, untilCount } from './matrix.ts';

describeEveryBroker('wills', {}, (ground) => {
  const withWill = (topicName: string, payload = 'gone', qos = 1): ConnectOptions => ({
    reconnect: false,
    will: { topicName, payload, qos },
  });

  it('a will is published when the connection is cut [MQTT-3.1.2-8]', async () => {
    const topic = freshName('will');
    const messages = await collect(await ground.connect(), topic, { qos: 2 });
    for (const [i, qos] of [0, 1, 2].entries()) {
      const proxy = await ground.proxy();
      const client = await ground.connect(withWill(topic, `gone ${qos}`, qos), proxy.port);
      const closed = new Promise((resolve) => client.once('close', resolve));
      proxy.cutAll();
      await closed;
      await untilCount(messages, i + 1);
    }
    expect(messages.map((message) => [message.text(), message.qos])).toEqual([
      ['gone 0', 0],
      ['gone 1', 1],
      ['gone 2', 2],
    ]);
  });

  it('destroy leaves without a goodbye, so the will is published', async () => {
    const topic = freshName('will');
    const messages = await collect(await ground.connect(), topic, { qos: 1 });
    const client = await ground.connect(withWill(topic));
    client.destroy();
    await untilCount(messages, 1);
    expect(textsOf(messages)).toEqual(['gone']);
  });

  it('a will is retained when it says so [MQTT-3.1.2-15]', async () => {
    const topic = freshName('will');
    const live = await collect(await ground.connect(), topic, { qos: 1 });
    const client = await ground.connect({
      reconnect: false,
      will: { topicName: topic, payload: 'gone', qos: 1, retain: true },
    });
    client.destroy();
    await untilCount(live, 1);
    const late = await collect(await ground.connect(), topic, { qos: 1 });
    await untilCount(late, 1);
    expect(late[0].retain).toBe(true);
  });

  it('no will is published after a goodbye [MQTT-3.14.4-3]', async () => {
    const topic = freshName('will');
    const observer = await ground.connect();
    const messages = await collect(observer, topic, { qos: 1 });
    const client = await ground.connect(withWill(topic));
    await client.disconnect();
    // The broker closes when it has read the goodbye: what a later client publishes is behind it.
    const second = await ground.connect(withWill(topic, 'second'));
    second.destroy();
    await untilCount(messages, 1);
    expect(textsOf(messages)).toEqual(['second']);
  });

  it('the goodbye of a client that says it while it hears a message is one, too', async () => {
    const topic = freshName('will');
    const observer = await ground.connect();
    const messages = await collect(observer, `${topic}/#`, { qos: 1 });
    const client = await ground.connect(withWill(`${topic}/will`));
    const closed = new Promise((resolve) => client.once('close', resolve));
    await client.subscribe(`${topic}/command`, { qos: 1 }, () => void client.disconnect());
    await observer.publish(`${topic}/command`, 'leave', { qos: 1 });
    await closed;
    const second = await ground.connect(withWill(`${topic}/will`, 'second'));
    second.destroy();
    await untilCount(messages, 2);
    expect(textsOf(messages)).toEqual(['leave', 'second']);
  });

  it('a goodbye waits for what was published before it, whatever the QoS', async () => {
    const topic = freshName('will');
    const observer = await ground.connect();
    const messages = await collect(observer, `${topic}/#`, { qos: 1 });
    const client = await ground.connect(withWill(`${topic}/will`));
    const large = new Uint8Array(100_000);
    for (const qos of [0, 1, 2] as const) {
      for (let i = 0; i < 10; i++) void client.publish(`${topic}/${qos}`, large, { qos });
    }
    await client.disconnect();
    const second = await ground.connect(withWill(`${topic}/will`, 'second'));
    second.destroy();
    await untilCount(messages, 31);
    expect(messages.map(({ topicName }) => topicName).sort()).toEqual([
      ...Array.from({ length: 10 }, () => `${topic}/0`),
      ...Array.from({ length: 10 }, () => `${topic}/1`),
      ...Array.from({ length: 10 }, () => `${topic}/2`),
      `${topic}/will`,
    ]);
  });
});

describeEveryBroker('goodbyes to a server that is slow', {}, (ground) => {
  it('QoS 0 that the network has not taken yet goes before the goodbye', async () => {
    const topic = freshName('slow');
    const observer = await ground.connect();
    const messages = await collect(observer, topic, { qos: 1 });
    const proxy = await ground.proxy();
    const will = { topicName: topic, payload: 'gone', qos: 1 };
    const client = await ground.connect({ reconnect: false, will }, proxy.port);
    proxy.stall();
    const large = new Uint8Array(1_000_000);
    let count = 0;
    for (; client.driver.transport.isCongested !== true; count++) {
      void client.publish(topic, large, { qos: 0 });
      await afterIo();
    }
    await client.publish(topic, 'the last', { qos: 0 });
    const leaving = client.disconnect();
    void Promise.resolve().then(() => proxy.resume());
    await leaving;
    const second = await ground.connect({ reconnect: false, will: { ...will, payload: 'second' } });
    await untilCount(messages, count + 1);
    second.destroy();
    await untilCount(messages, count + 2);
    expect(messages.map(({ payload }) => payload.length)).toEqual([
      ...Array.from({ length: count }, () => large.length),
      'the last'.length,
      'second'.length,
    ]);
  });
});

describeEveryBroker(
  'wills of MQTT 5.0',
  {},
  (ground) => {
    it('reason code 4 has the will published after a goodbye', async () => {
      const topic = freshName('will');
      const messages = await collect(await ground.connect(), topic, { qos: 1 });
      const client = await ground.connect({ will: { topicName: topic, payload: 'gone', qos: 1 } });
      await client.disconnect({ reasonCode: 4 });
      await untilCount(messages, 1);
      expect(textsOf(messages)).toEqual(['gone']);
    });

    it('a will has properties of its own', async () => {
      const topic = freshName('will');
      const messages = await collect(await ground.connect(), topic, { qos: 1 });
      const client = await ground.connect({
        will: {
          topicName: topic,
          payload: Buffer.from([0, 255]),
          qos: 1,
          payloadFormatIndicator: 0,
          messageExpirySeconds: 60,
          contentType: 'application/octet-stream',
          responseTopic: 'where/to',
          correlationData: Buffer.from([1, 2, 3]),
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      });
      await client.disconnect({ reasonCode: 4 });
      await untilCount(messages, 1);
      expect([...messages[0].payload]).toEqual([0, 255]);
      const { properties } = messages[0];
      expect(properties).toMatchObject({
        contentType: 'application/octet-stream',
        responseTopic: 'where/to',
        userProperties: [
          ['a', '1'],
          ['a', '2'],
        ],
      });
      expect([...properties.correlationData!]).toEqual([1, 2, 3]);
      expect(properties.messageExpiryInterval).toBeLessThanOrEqual(60);
    });

    it('a delayed will is published only if the client stays away [MQTT-3.1.3-9]', async () => {
      const topic = freshName('will');
      const messages = await collect(await ground.connect(), topic, { qos: 1 });
      const delayed = (payload: string): ConnectOptions => ({
        ...ground.lasting(),
        will: { topicName: topic, payload, qos: 1, willDelaySeconds: 1 },
      });
      const proxy = await ground.proxy();
      const returning = await ground.connect(delayed('returned'), proxy.port);
      const isBack = new Promise((resolve) => returning.once('connect', resolve));
      proxy.cutAll();
      await isBack;
      const leaving = await ground.connect({ ...delayed('stayed away'), reconnect: false });
      const cutAt = performance.now();
      leaving.destroy();
      await eventually(() => messages.length > 0, { what: 'the delayed will', withinMs: 10_000 });
      expect(performance.now() - cutAt).toBeGreaterThan(500);
      expect(textsOf(messages)).toEqual(['stayed away']);
    });
  },
  { protocol: '5.0' },
);
