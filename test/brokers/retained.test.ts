/**
 * Retained messages: set, replaced, cleared by an empty payload, and in MQTT 5.0 given out as the subscriber asks.
 */
import { expect, it } from 'vitest';
import { eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, textsOf, untilCount } from './matrix.ts';

describeEveryBroker('retained messages', {}, (ground) => {
  it('are given to who subscribes later, with RETAIN set, and to who is there without [MQTT-3.3.1-5] [MQTT-3.3.1-8]', async () => {
    const topic = freshName('retained');
    const publisher = await ground.connect();
    const live = await collect(publisher, topic, { qos: 1 });
    await publisher.publish(topic, 'first', { qos: 1, retain: true });
    await publisher.publish(topic, 'second', { qos: 2, retain: true });
    await untilCount(live, 2);
    const late = await collect(await ground.connect(), topic, { qos: 2 });
    await untilCount(late, 1);
    await publisher.publish(topic, 'not retained', { qos: 1 });
    await untilCount(live, 3);
    await untilCount(late, 2);
    expect(live.map(({ retain }) => retain)).toEqual([false, false, false]);
    expect(textsOf(late)).toEqual(['second', 'not retained']);
    expect(late.map(({ retain, qos }) => [retain, qos])).toEqual([
      [true, 2],
      [false, 1],
    ]);
  });

  it('are cleared by an empty payload [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
    const topic = freshName('cleared');
    const publisher = await ground.connect();
    await publisher.publish(`${topic}/a`, 'kept', { qos: 1, retain: true });
    await publisher.publish(`${topic}/b`, 'cleared', { qos: 1, retain: true });
    await publisher.publish(`${topic}/b`, '', { qos: 1, retain: true });
    const late = await collect(await ground.connect(), `${topic}/#`, { qos: 1 });
    await untilCount(late, 1);
    await publisher.publish(`${topic}/end`, 'end', { qos: 1 });
    await untilCount(late, 2);
    expect(textsOf(late)).toEqual(['kept', 'end']);
  });

  it('a hundred of them come to one who subscribes', async () => {
    const topic = freshName('many');
    const publisher = await ground.connect();
    const names = Array.from({ length: 100 }, (_, i) => `${topic}/${i}`);
    await Promise.all(names.map((name) => publisher.publish(name, name, { qos: 1, retain: true })));
    const late = await collect(await ground.connect(), `${topic}/+`, { qos: 1 });
    await untilCount(late, names.length);
    expect(textsOf(late).sort()).toEqual([...names].sort());
  });
});

describeEveryBroker(
  'retained messages of MQTT 5.0',
  {},
  (ground) => {
    it.each([
      [0, ['retained', 'retained', 'end']],
      [1, ['retained', 'end']],
      [2, ['end']],
    ] as const)(
      'retain handling %i, subscribed twice: %j [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4]',
      async (retainHandling, expected) => {
        const topic = freshName('handling');
        const publisher = await ground.connect();
        await publisher.publish(topic, 'retained', { qos: 1, retain: true });
        const client = await ground.connect();
        const texts: string[] = [];
        client.on('message', (message) => texts.push(message.text()));
        await client.subscribe(topic, { qos: 1, retainHandling }, () => {});
        await client.subscribe(topic, { qos: 1, retainHandling }, () => {});
        await publisher.publish(topic, 'end', { qos: 1 });
        await eventually(() => texts.includes('end'), { what: 'the end' });
        expect(texts).toEqual(expected);
      },
    );

    it('retain as published keeps RETAIN as it was [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
      const topic = freshName('as-published');
      const client = await ground.connect();
      const kept = await collect(client, `${topic}/#`, { qos: 1, retainAsPublished: true });
      const other = await collect(await ground.connect(), `${topic}/#`, { qos: 1 });
      await client.publish(`${topic}/a`, 'x', { qos: 1, retain: true });
      await client.publish(`${topic}/a`, 'x', { qos: 1, retain: false });
      await untilCount(kept, 2);
      await untilCount(other, 2);
      expect(kept.map(({ retain }) => retain)).toEqual([true, false]);
      expect(other.map(({ retain }) => retain)).toEqual([false, false]);
    });

    it('no local keeps a client from hearing itself [MQTT-3.8.3-3]', async () => {
      const topic = freshName('no-local');
      const client = await ground.connect();
      const own = await collect(client, topic, { qos: 1, noLocal: true });
      const other = await ground.connect();
      await client.publish(topic, 'own', { qos: 1 });
      await other.publish(topic, "another's", { qos: 1 });
      await untilCount(own, 1);
      expect(textsOf(own)).toEqual(["another's"]);
    });
  },
  { protocol: '5.0' },
);
