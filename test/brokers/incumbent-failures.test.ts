/**
 * Where other clients are known to fail, this one must not: more publishes at once than a server bears, connections cut
 * again and again, a hundred thousand publishes that nobody awaits, an outbox that is full. What needs a server that
 * misbehaves is in test/client.
 */
import { expect, it } from 'vitest';
import type { Client, Message } from '../../targets/node/index.ts';
import { eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

const QUEUES = {
  mosquitto: { maxQueuedMessages: 200_000 },
  motemq: { broker: { limits: { queuedMessagesMax: 200_000 } } },
};

/** The texts `0` up to `count - 1`. */
function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** What is in one list and not in the other, and what is there twice: all empty when each arrived once. */
function differences(texts: readonly string[], expected: readonly string[]) {
  const seen = new Set(texts);
  return {
    missing: expected.filter((text) => !seen.has(text)).slice(0, 10),
    extra: texts.length - seen.size,
  };
}
const NONE = { missing: [], extra: 0 };

describeEveryBroker('a burst', QUEUES, (ground) => {
  it('2,000 messages of QoS 2 at once all arrive, on one connection', async () => {
    const topic = freshName('burst');
    const messages = await collect(await ground.connect(), topic, { qos: 2 });
    const proxy = await ground.proxy({ record: false });
    const client = await ground.connect({}, proxy.port);
    const results = await Promise.all(numbers(2000).map((text) => client.publish(topic, text, { qos: 2 })));
    await untilCount(messages, 2000);
    expect(results.every(({ reasonCode }) => reasonCode === 0)).toBe(true);
    expect(textsOf(messages)).toEqual(numbers(2000));
    expect(proxy.connectionCount()).toBe(1);
  });

  it.each([0, 1] as const)(
    '100,000 publishes of QoS %i that nobody awaits',
    { timeout: 60_000 },
    async (qos) => {
      const topic = freshName('flood');
      const client = await ground.connect();
      const outboxBytesMax = 16 * 1024 * 1024;
      const payload = new Uint8Array(64);
      // QoS 0 has no answers: the broker has read it all when it has read what comes behind.
      const last = await collect(await ground.connect(), `${topic}/last`, { qos: 1 });
      let settled = 0;
      let most = 0;
      const published = Array.from({ length: 100_000 }, () =>
        client.publish(topic, payload, { qos }).then(() => {
          if (++settled % 1000 === 0) most = Math.max(most, capacityOf(client));
        }),
      );
      most = capacityOf(client);
      await Promise.all(published);
      await client.publish(`${topic}/last`, '', { qos: 1 });
      await untilCount(last, 1);
      expect(settled).toBe(100_000);
      expect(most).toBeLessThanOrEqual(outboxBytesMax + 4 * 65536);
      await client.whenDrained();
      // What the burst needed is given back.
      expect(capacityOf(client)).toBeLessThan(2_500_000);
    },
  );

  it('an outbox that is full refuses, and everything that it took arrives', async () => {
    const topic = freshName('full');
    const messages = await collect(await ground.connect(), topic, { qos: 1 });
    const outboxBytesMax = 20_000;
    const client = await ground.connect({ outboxBytesMax, inflightMax: 20 });
    const accepted: string[] = [];
    const errors: unknown[] = [];
    let most = 0;
    await Promise.all(
      numbers(2000).map((text) => {
        const published = client.publish(topic, text.padEnd(64), { qos: 1 });
        most = Math.max(most, client.driver.session.state.outbox.bytes.length);
        return published.then(
          () => accepted.push(text),
          (error: unknown) => errors.push(error),
        );
      }),
    );
    expect(most).toBeLessThanOrEqual(outboxBytesMax);
    expect(accepted.length).toBeGreaterThan(100);
    expect(errors.length).toBe(2000 - accepted.length);
    expect(errors.length).toBeGreaterThan(100);
    for (const error of errors) {
      expect(error).toMatchObject({
        name: 'PublishError',
        code: 'ERR_NO_SPACE',
        message: 'the message was not accepted: the outbox is full',
      });
    }
    // There is room again.
    await client.publish(topic, 'end', { qos: 1 });
    await untilCount(messages, accepted.length + 1);
    expect(textsOf(messages).map((text) => text.trim())).toEqual([...accepted, 'end']);
  });

  it('with drop-oldest-qos-0 it is the oldest that goes, and its publisher is told', async () => {
    const topic = freshName('drop');
    const messages = await collect(await ground.connect(), topic, { qos: 1 });
    const proxy = await ground.proxy();
    const client = await ground.connect(
      { outboxBytesMax: 10_000, overflow: 'drop-oldest-qos-0' },
      proxy.port,
    );
    proxy.refuse(true);
    proxy.cutAll();
    await eventually(() => !client.isConnected, { what: 'the client to notice' });
    const kept = client.publish(topic, 'kept', { qos: 1 });
    const outcomes = numbers(500).map((text) => client.publish(topic, text.padEnd(64), { qos: 0 }));
    proxy.refuse(false);
    const settled = await Promise.allSettled(outcomes);
    await kept;
    const sent = numbers(500).filter((_, i) => settled[i].status === 'fulfilled');
    const dropped = settled.filter(({ status }) => status === 'rejected');
    expect(sent.length).toBeGreaterThan(50);
    expect(sent).toEqual(numbers(500).slice(-sent.length));
    for (const outcome of dropped) {
      expect(outcome).toMatchObject({ reason: { name: 'PublishError', code: 'ERR_DROPPED' } });
    }
    await untilCount(messages, sent.length + 1);
    const texts = textsOf(messages).map((text) => text.trim());
    // aedes lets QoS 0 overtake.
    expect(texts.filter((text) => text !== 'kept')).toEqual(sent);
  });
});

describeEveryBroker('connections cut every 80 ms', QUEUES, (ground) => {
  it(
    '2,000 messages of QoS 2 arrive exactly once from a client that is cut',
    { timeout: 60_000 },
    async () => {
      const topic = freshName('cut');
      const messages = await collect(await ground.connect(), topic, { qos: 2 });
      const proxy = await ground.proxy({ record: false });
      const client = await ground.connect(ground.lasting(), proxy.port);
      // aedes says that there is no session where there is no subscription.
      await client.subscribe(`${topic}/other`, { qos: 2 }, () => {});
      proxy.cutEveryMs(80);
      const texts = numbers(2000);
      let published = Promise.resolve();
      // A piece at a time, so that there is always something under way.
      for (let i = 0; i < texts.length; i += 100) {
        const piece = texts.slice(i, i + 100).map((text) => client.publish(topic, text, { qos: 2 }));
        published = Promise.all([published, ...piece]).then(() => undefined);
        const connections = proxy.connectionCount();
        await eventually(() => proxy.connectionCount() > connections, { what: 'the next cut' });
      }
      await published;
      await untilCount(messages, texts.length, 20_000);
      proxy.cutEveryMs(0);
      await client.publish(topic, 'end', { qos: 2 });
      await eventually(() => messages.some((message) => message.text() === 'end'), { what: 'the end' });
      expect(differences(textsOf(messages), [...texts, 'end'])).toEqual(NONE);
      expect(proxy.connectionCount()).toBeGreaterThan(20);
    },
  );

  it('subscriptions survive a cut in the middle of QoS 2, of either kind of session', async () => {
    for (const options of [ground.lasting(), {}]) {
      const topic = freshName('survive');
      const proxy = await ground.proxy();
      const client = await ground.connect(options, proxy.port);
      const messages = await collect(client, topic, { qos: 2 });
      const cut = proxy.cutNext('toClient', 'PUBREC', 'cut');
      const published = client.publish(topic, 'x', { qos: 2 });
      await cut;
      await published;
      await client.publish(topic, 'y', { qos: 2 });
      await eventually(() => has(messages, ['y']), { what: 'the second message' });
      const isAgain = packetsOf(proxy, 'toServer', 'SUBSCRIBE').length === 2;
      expect(isAgain).toBe(!('clientId' in options));
    }
  });
});

// aedes forgets what it had under way: it begins exchanges anew that were at PUBREL, and uses identifiers for new messages
// before their exchanges are over, which no client can tell from a message that is sent again.
describeEveryBroker(
  'connections of a subscriber cut every 80 ms',
  QUEUES,
  (ground) => {
    it(
      '2,000 messages of QoS 2 arrive exactly once at a client that is cut',
      { timeout: 60_000 },
      async () => {
        const topic = freshName('cut');
        const proxy = await ground.proxy({ record: false });
        const client = await ground.connect(ground.lasting(), proxy.port);
        const messages = await collect(client, topic, { qos: 2 });
        const publisher = await ground.connect();
        proxy.cutEveryMs(80);
        const texts = numbers(2000);
        for (let i = 0; i < texts.length; i += 100) {
          const connections = proxy.connectionCount();
          await Promise.all(
            texts.slice(i, i + 100).map((text) => publisher.publish(topic, text, { qos: 2 })),
          );
          await eventually(() => proxy.connectionCount() > connections, { what: 'the next cut' });
        }
        await publisher.publish(topic, 'end', { qos: 2 });
        await eventually(() => has(messages, [...texts, 'end']), { what: 'all messages', withinMs: 20_000 });
        proxy.cutEveryMs(0);
        expect(differences(textsOf(messages), [...texts, 'end'])).toEqual(NONE);
        expect(proxy.connectionCount()).toBeGreaterThan(20);
      },
    );
  },
  { brokers: ['mosquitto', 'motemq'] },
);

/** Bytes that a client has set aside for what it sends. */
function capacityOf(client: Client): number {
  const { transmit, state } = client.driver.session;
  return transmit.bytes.length + state.outbox.bytes.length;
}

function has(messages: readonly Message[], texts: readonly string[]): boolean {
  const seen = new Set(textsOf(messages));
  return texts.every((text) => seen.has(text));
}
