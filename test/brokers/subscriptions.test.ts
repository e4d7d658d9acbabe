/**
 * Subscriptions: wildcards, several that overlap, shared ones, ended ones, refused ones; iterators that hold up a
 * server faster than they are, and messages acknowledged by hand.
 */
import { describe, expect, it } from 'vitest';
import { SubscribeError } from '../../targets/node/index.ts';
import type { Message, Subscription } from '../../targets/node/index.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';
import type { Ground } from './matrix.ts';

/** Takes `count` messages from an iterator. */
async function take(subscription: Subscription, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const next = await withDeadline(subscription.next(), 5000, `message ${texts.length + 1} of ${count}`);
    if (next.done === true) break;
    texts.push(next.value.text());
  }
  return texts;
}

/** Messages that wait in an iterator. */
function bufferedOf(subscription: Subscription): number {
  return (subscription as unknown as { buffered: Message[] }).buffered.length;
}

describeEveryBroker('subscriptions', { mosquitto: { maxQueuedMessages: 10_000 } }, (ground) => {
  it('wildcards match as the standard says [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-4]', async () => {
    const topic = freshName('wild');
    const client = await ground.connect();
    const filters = ['#', '+', '+/+', 'a/#', 'a/+', '+/b', '/#', '/+', 'a//b', 'a/+/b', 'a/b/#'];
    const names = ['', '/', 'a', 'b', 'a/b', 'a/', '/b', 'a//b', 'a/b/c', '/a/b', 'A/b'];
    const heard: Record<string, string[]> = {};
    for (const filter of filters) {
      heard[filter] = [];
      await client.subscribe(`${topic}/${filter}`, { qos: 1 }, ({ topicName }) => {
        const name = topicName.slice(topic.length + 1);
        if (!heard[filter].includes(name)) heard[filter].push(name);
      });
    }
    let isOver = false;
    await client.subscribe(`${topic}-over`, { qos: 1 }, () => (isOver = true));
    for (const name of names) await client.publish(`${topic}/${name}`, '', { qos: 1 });
    await client.publish(`${topic}-over`, '', { qos: 1 });
    await eventually(() => isOver, { what: 'the end' });
    const levels = (name: string) => name.split('/');
    const isMatch = (filter: string, name: string): boolean => {
      const [first, ...rest] = levels(filter);
      if (first === '#') return true;
      const [level, ...others] = levels(name);
      if (first !== '+' && first !== level) return false;
      if (rest.length === 0) return others.length === 0;
      if (others.length === 0) return rest[0] === '#';
      return isMatch(rest.join('/'), others.join('/'));
    };
    for (const filter of filters) {
      const expected = names.filter((name) => isMatch(filter, name));
      expect([...heard[filter]].sort(), filter).toEqual(expected.sort());
    }
  });

  it('several to one filter are told of each message once, until each is ended', async () => {
    const topic = freshName('same');
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const first = await client.subscribe(topic, { qos: 1 });
    const second = await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, 'a', { qos: 1 });
    expect([await take(first, 1), await take(second, 1)]).toEqual([['a'], ['a']]);
    await first.unsubscribe();
    expect(await first.next()).toEqual({ done: true, value: undefined });
    await client.publish(topic, 'b', { qos: 1 });
    expect(await take(second, 1)).toEqual(['b']);
    expect(packetsOf(proxy, 'toServer', 'UNSUBSCRIBE')).toHaveLength(0);
    await second.unsubscribe();
    expect(packetsOf(proxy, 'toServer', 'UNSUBSCRIBE')).toHaveLength(1);
    expect([bufferedOf(first), bufferedOf(second)]).toEqual([0, 0]);
  });

  it('one subscription to several filters is one SUBSCRIBE, and one UNSUBSCRIBE [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.10.4-6]', async () => {
    const topic = freshName('several');
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const subscription = await client.subscribe([`${topic}/a`, `${topic}/b`, `${topic}/c/#`], { qos: 1 });
    expect(subscription.reasonCodes).toEqual([1, 1, 1]);
    for (const name of ['a', 'b', 'c', 'c/d', 'e'])
      await client.publish(`${topic}/${name}`, name, { qos: 1 });
    expect(await take(subscription, 4)).toEqual(['a', 'b', 'c', 'c/d']);
    const codes = await client.unsubscribe([`${topic}/a`, `${topic}/b`, `${topic}/c/#`, `${topic}/never`]);
    expect(codes).toEqual(ground.isV5 ? [0, 0, 0, 0x11] : []);
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    expect(packetsOf(proxy, 'toServer', 'SUBSCRIBE')).toHaveLength(1);
    expect(packetsOf(proxy, 'toServer', 'UNSUBSCRIBE')).toHaveLength(1);
  });

  it('leaving a loop over messages unsubscribes', async () => {
    const topic = freshName('loop');
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const subscription = await client.subscribe(topic, { qos: 1 });
    for (let i = 0; i < 5; i++) await client.publish(topic, String(i), { qos: 1 });
    const seen: string[] = [];
    for await (const message of subscription) {
      seen.push(message.text());
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(['0', '1', '2']);
    expect(packetsOf(proxy, 'toServer', 'UNSUBSCRIBE')).toHaveLength(1);
  });

  it('a disconnect ends loops after what has come already', async () => {
    const topic = freshName('loop');
    const client = await ground.connect();
    const subscription = await client.subscribe(topic, { qos: 1 });
    for (let i = 0; i < 5; i++) await client.publish(topic, String(i), { qos: 1 });
    await eventually(() => bufferedOf(subscription) === 5, { what: 'the messages' });
    await client.disconnect();
    const seen: string[] = [];
    for await (const message of subscription) seen.push(message.text());
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
  });

  describe('an iterator that is slow', () => {
    it('holds up the server, and loses nothing of 2,000 messages', async () => {
      const topic = freshName('slow');
      const client = await ground.connect();
      const subscription = await client.subscribe(topic, { qos: 1, bufferedMessagesMax: 16 });
      const publisher = await ground.connect();
      const texts = Array.from({ length: 2000 }, (_, i) => String(i));
      const published = Promise.all(texts.map((text) => publisher.publish(topic, text, { qos: 1 })));
      await eventually(() => bufferedOf(subscription) >= 16, { what: 'a full buffer' });
      // aedes takes no more from the publisher either.
      if (!ground.isAedes) await published;
      const seen: string[] = [];
      let most = 0;
      for await (const message of subscription) {
        seen.push(message.text());
        most = Math.max(most, bufferedOf(subscription));
        if (seen.length === texts.length) break;
        if (seen.length % 50 === 0) await new Promise(setImmediate);
      }
      await published;
      expect(seen).toEqual(texts);
      expect(most).toBeLessThanOrEqual(16);
    });

    it('does not hold up who waits for an answer of the server in its own loop', async () => {
      const topic = freshName('echo');
      const client = await ground.connect();
      const answers = await collect(await ground.connect(), `${topic}/answer`, { qos: 2 });
      const subscription = await client.subscribe(`${topic}/question`, { qos: 1, bufferedMessagesMax: 4 });
      const publisher = await ground.connect();
      const texts = Array.from({ length: 300 }, (_, i) => String(i));
      const published = Promise.all(
        texts.map((text) => publisher.publish(`${topic}/question`, text, { qos: 1 })),
      );
      let count = 0;
      for await (const message of subscription) {
        // Its acknowledgement is behind messages that nobody takes while this waits.
        await client.publish(`${topic}/answer`, message.payload, { qos: 2 });
        if (++count % 100 === 0)
          await (await client.subscribe(`${topic}/${count}`, { qos: 1 })).unsubscribe();
        if (count === texts.length) break;
      }
      await published;
      await untilCount(answers, texts.length);
      expect(textsOf(answers)).toEqual(texts);
    });

    it('does not keep a goodbye from being said', async () => {
      const topic = freshName('full');
      const client = await ground.connect();
      const subscription = await client.subscribe(topic, { qos: 1, bufferedMessagesMax: 2 });
      const publisher = await ground.connect();
      await Promise.all(Array.from({ length: 50 }, () => publisher.publish(topic, 'x', { qos: 1 })));
      await eventually(() => bufferedOf(subscription) >= 2, { what: 'a full buffer' });
      const last = client.publish(topic, 'last', { qos: 2 });
      await client.disconnect();
      await last;
    });
  });

  describe('acknowledged by hand', () => {
    it.each([1, 2] as const)(
      'a message that was not is given again, one that was is not, QoS %i [MQTT-4.4.0-1]',
      async (qos) => {
        const topic = freshName('manual');
        const options = { ...ground.lasting(), manualAcknowledgement: true };
        const first = await ground.connect(options);
        const heard = await collect(first, topic, { qos });
        const publisher = await ground.connect();
        for (const text of ['a', 'b', 'c']) await publisher.publish(topic, text, { qos });
        await untilCount(heard, 3);
        heard[0].acknowledge();
        heard[0].acknowledge(); // again does nothing
        await publisher.publish(topic, 'd', { qos });
        await untilCount(heard, 4);
        first.destroy();
        const again: Message[] = [];
        const second = ground.create(options);
        second.on('message', (message) => {
          again.push(message);
          message.acknowledge();
        });
        await untilCount(again, 3);
        await publisher.publish(topic, 'end', { qos });
        await eventually(() => again.at(-1)?.text() === 'end', { what: 'the end' });
        const texts = textsOf(again);
        // aedes gives a message of QoS 2 again that was acknowledged, and leaves DUP out.
        const expected = ['b', 'c', 'd', 'end'];
        if (!ground.isAedes) expect(texts).toEqual(expected);
        else expect(texts).toEqual(expect.arrayContaining(expected));
        if (!ground.isAedes) expect(again.map(({ dup }) => dup)).toEqual([true, true, true, false]);
      },
    );

    it('messages come again on the next connection of the same client, QoS 1', async () => {
      const topic = freshName('manual');
      const proxy = await ground.proxy();
      const client = await ground.connect({ ...ground.lasting(), manualAcknowledgement: true }, proxy.port);
      const heard = await collect(client, topic, { qos: 1 });
      const publisher = await ground.connect();
      await publisher.publish(topic, 'a', { qos: 1 });
      await publisher.publish(topic, 'b', { qos: 1 });
      await untilCount(heard, 2);
      heard[0].acknowledge();
      await eventually(() => packetsOf(proxy, 'toServer', 'PUBACK').length === 1, { what: 'PUBACK' });
      proxy.cutAll();
      await untilCount(heard, 3);
      heard[1].acknowledge(); // too late: that connection is gone
      heard[2].acknowledge();
      await publisher.publish(topic, 'end', { qos: 1 });
      await untilCount(heard, 4);
      expect(textsOf(heard)).toEqual(['a', 'b', 'b', 'end']);
      // aedes leaves DUP out.
      expect(heard.map(({ dup }) => dup)).toEqual([false, false, !ground.isAedes, false]);
    });

    it('what nobody subscribed to is acknowledged, or it would be in the way for ever', async () => {
      const topic = freshName('manual');
      const options = { ...ground.lasting(), manualAcknowledgement: true };
      const first = await ground.connect(options);
      await first.subscribe(topic, { qos: 1 });
      await first.disconnect();
      const publisher = await ground.connect();
      for (let i = 0; i < 50; i++) await publisher.publish(topic, 'x'.repeat(100_000), { qos: 1 });
      const proxy = await ground.proxy();
      ground.create({ ...options, receiveWindowBytes: 4096 }, proxy.port);
      await eventually(() => packetsOf(proxy, 'toServer', 'PUBACK').length >= 50, { what: 'all PUBACKs' });
    });
  });
});

describeEveryBroker(
  'subscriptions that aedes cannot do',
  {},
  (ground) => {
    it('overlapping ones get each message once each [MQTT-3.3.4-2] [MQTT-3.3.4-3]', async () => {
      const topic = freshName('overlap');
      const client = await ground.connect();
      const heard: string[] = [];
      for (const filter of ['#', 'a/#', 'a/+', 'a/b', '+/b']) {
        await client.subscribe(`${topic}/${filter}`, { qos: 1 }, (message) => {
          heard.push(`${filter} ${message.text()}`);
        });
      }
      for (const text of ['1', '2', '3']) await client.publish(`${topic}/a/b`, text, { qos: 1 });
      await client.publish(`${topic}/z`, 'end', { qos: 1 });
      await eventually(() => heard.includes('# end'), { what: 'the end' });
      const expected = ['#', 'a/#', 'a/+', 'a/b', '+/b'].flatMap((filter) =>
        ['1', '2', '3'].map((text) => `${filter} ${text}`),
      );
      // 3.1.1 has no identifiers: a server may send one copy for each, and nobody can tell what for.
      const told = ground.isV5 ? heard : [...new Set(heard)];
      expect([...told].sort()).toEqual([...expected, '# end'].sort());
    });
  },
  { brokers: ['mosquitto', 'motemq'] },
);

function describeSharing(ground: Ground): void {
  it('members of a shared one share the messages, each goes to one (4.8.2)', async () => {
    const topic = freshName('shared');
    const members = await Promise.all([ground.connect(), ground.connect()]);
    const [first, second] = await Promise.all(
      members.map((member) => collect(member, `$share/group/${topic}/+`, { qos: 1 })),
    );
    const other = await collect(await ground.connect(), `$share/other/${topic}/#`, { qos: 1 });
    const publisher = await ground.connect();
    const texts = Array.from({ length: 40 }, (_, i) => String(i));
    await Promise.all(texts.map((text) => publisher.publish(`${topic}/a`, text, { qos: 1 })));
    await untilCount(other, texts.length);
    await eventually(() => first.length + second.length >= texts.length, { what: 'all messages' });
    expect(first.length).toBeGreaterThan(0);
    expect(second.length).toBeGreaterThan(0);
    expect([...textsOf(first), ...textsOf(second)].sort()).toEqual([...texts].sort());
    expect(textsOf(other)).toEqual(texts);
  });
}

describeEveryBroker('shared subscriptions', {}, describeSharing, { protocol: '5.0' });
// 3.1.1 knows none; Mosquitto has them there as well.
describeEveryBroker('shared subscriptions', {}, describeSharing, {
  protocol: '3.1.1',
  brokers: ['mosquitto'],
});

describeEveryBroker(
  'a server that refuses subscriptions',
  {
    aedes: {
      broker: {
        authorizeSubscribe: (_client, subscription, done) => {
          done(null, subscription.topic.endsWith('secret') ? null : subscription);
        },
      },
    },
    motemq: { broker: { hooks: { authorise: (_client, _access, topic) => !topic.endsWith('secret') } } },
  },
  (ground) => {
    it('who asked is told which and why, and nothing of it is kept', async () => {
      const topic = freshName('refused');
      const proxy = await ground.proxy();
      const client = await ground.connect({}, proxy.port);
      const heard: Message[] = [];
      const filters = [`${topic}/open`, `${topic}/secret`];
      const attempt = client.subscribe(filters, { qos: 1 }, (message) => heard.push(message));
      const error: unknown = await attempt.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SubscribeError);
      expect(error).toMatchObject({
        code: 'ERR_SUBSCRIBE_REFUSED',
        topicFilters: filters,
        reasonCodes: [1, ground.isV5 ? 0x87 : 0x80],
        message: `subscription refused: "${topic}/secret": ${ground.isV5 ? 'Not authorized' : 'Unspecified error'}`,
      });
      const other = await collect(client, `${topic}/other`, { qos: 1 });
      await client.publish(`${topic}/open`, 'x', { qos: 1 });
      await client.publish(`${topic}/other`, 'end', { qos: 1 });
      await untilCount(other, 1);
      expect(heard).toEqual([]);
      expect(packetsOf(proxy, 'toServer', 'UNSUBSCRIBE')).toHaveLength(1);
    });
  },
  { brokers: ['aedes', 'motemq'] },
);
