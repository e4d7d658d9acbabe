/**
 * Brokers that go away and come back: with the session or without it, soon or later. What was accepted before and
 * meanwhile arrives, and subscriptions hold without anybody asking again.
 */
import { expect, it } from 'vitest';
import type { Client } from '../../targets/node/index.ts';
import { PACKET_TYPE, packetType } from '../support/fault-proxy.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

function comesBack(client: Client): Promise<void> {
  return new Promise((resolve) => void client.once('connect', () => resolve()));
}

describeEveryBroker('a broker that goes away', {}, (ground) => {
  it('and comes back without the session gets what was under way as new, and the subscriptions again', async () => {
    const topic = freshName('lost');
    const proxy = await ground.proxy();
    const client = await ground.connect(ground.lasting(), proxy.port);
    const messages = await collect(client, [`${topic}/a`, `${topic}/b`], { qos: 2 });
    const more = await collect(client, `${topic}/+`, { qos: 1 });
    // The server's answers are lost, then the server, then it comes back and knows nothing.
    let lost = 0;
    const off = proxy.onPacket('toClient', (bytes) => {
      const type = packetType(bytes);
      if (type !== PACKET_TYPE.PUBACK && type !== PACKET_TYPE.PUBREC) return 'pass';
      lost++;
      return 'drop';
    });
    const sent = ([1, 2] as const).map((qos) =>
      client.publish(`${topic}/under-way/${qos}`, `${qos}`, { qos, retain: true }),
    );
    await eventually(() => lost === 2, { what: 'the answers to both' });
    off();
    const isBack = comesBack(client);
    await ground.broker.restart();
    await withDeadline(isBack, 10_000, 'the client to come back');
    expect(client.connack?.sessionPresent).toBe(false);
    await Promise.all(sent);
    const retained = await collect(await ground.connect(), `${topic}/under-way/+`, { qos: 2 });
    await untilCount(retained, 2);
    expect(textsOf(retained).sort()).toEqual(['1', '2']);
    for (const name of ['a', 'b']) await client.publish(`${topic}/${name}`, name, { qos: 2 });
    await eventually(() => textsOf(messages).includes('b') && textsOf(more).includes('b'), {
      what: 'the end',
    });
    expect(new Set(textsOf(messages))).toEqual(new Set(['a', 'b']));
    expect(new Set(textsOf(more))).toEqual(new Set(['a', 'b']));
    // New messages: not duplicates of ones that this server has never seen.
    const again = packetsOf(proxy, 'toServer', 'PUBLISH', proxy.connectionCount() - 1);
    expect(again.map((bytes) => bytes[0] & 8)).toEqual([0, 0, 0, 0]);
  });

  it('does not get subscriptions that were ended before it went', async () => {
    const topic = freshName('ended');
    const client = await ground.connect();
    const kept = await collect(client, `${topic}/kept`, { qos: 1 });
    const ended = await client.subscribe(`${topic}/ended`, { qos: 1 });
    await ended.unsubscribe();
    const isBack = comesBack(client);
    await ground.broker.restart();
    await withDeadline(isBack, 10_000, 'the client to come back');
    const heard: string[] = [];
    client.on('message', (message) => heard.push(message.text()));
    await client.publish(`${topic}/ended`, 'ended', { qos: 1 });
    await client.publish(`${topic}/kept`, 'kept', { qos: 1 });
    await untilCount(kept, 1);
    expect(heard).toEqual(['kept']);
  });

  it('is tried again after growing times with some chance in them, and found', async () => {
    const proxy = await ground.proxy();
    const client = await ground.connect({ reconnect: { firstMs: 16, maximumMs: 100 } }, proxy.port);
    const waits: number[] = [];
    client.on('reconnecting', ({ inMs }) => waits.push(inMs));
    proxy.refuse(true);
    proxy.cutAll();
    await eventually(() => waits.length >= 6, { what: 'six attempts' });
    const isBack = comesBack(client);
    proxy.refuse(false);
    await withDeadline(isBack, 5000, 'the client to come back');
    for (const [i, step] of [16, 32, 64, 100, 100, 100].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(step / 2);
      expect(waits[i]).toBeLessThanOrEqual(step);
    }
    // Once it was connected it begins anew.
    const before = waits.length;
    proxy.cutAll();
    await eventually(() => waits.length > before, { what: 'the next attempt' });
    expect(waits[before]).toBeLessThanOrEqual(16);
  });

  it('is given up after the attempts that were allowed', async () => {
    const proxy = await ground.proxy();
    const client = await ground.connect(
      { reconnect: { firstMs: 1, maximumMs: 2, attemptsMax: 3 } },
      proxy.port,
    );
    const ends: unknown[] = [];
    client.on('disconnect', (end) => ends.push(end.reconnectInMs));
    const closed = new Promise((resolve) => client.once('close', resolve));
    proxy.refuse(true);
    const waiting = client.publish('a', 'x', { qos: 1 });
    proxy.cutAll();
    await closed;
    expect(ends).toEqual([expect.any(Number), expect.any(Number), expect.any(Number), undefined]);
    await waiting.catch((error: unknown) => expect(error).toMatchObject({ code: 'ERR_CONNECTION' }));
    await expect(client.publish('a', 'x')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('gets what was published while it was away, in order, QoS by QoS [MQTT-4.6.0-5]', async () => {
    const topic = freshName('offline');
    const observer = await ground.connect();
    const messages = await collect(observer, `${topic}/#`, { qos: 2 });
    const proxy = await ground.proxy();
    const client = await ground.connect(ground.lasting(), proxy.port);
    const isAway = new Promise((resolve) => client.once('disconnect', resolve));
    proxy.refuse(true);
    proxy.cutAll();
    await isAway;
    const texts = Array.from({ length: 60 }, (_, i) => String(i));
    const published = texts.map((text, i) => {
      const qos = (i % 3) as 0 | 1 | 2;
      return client.publish(`${topic}/${qos}`, text, { qos });
    });
    let attempts = 0;
    client.on('reconnecting', () => attempts++);
    await eventually(() => attempts >= 2, { what: 'attempts in vain' });
    proxy.refuse(false);
    await Promise.all(published);
    await untilCount(messages, texts.length);
    for (const qos of [0, 1, 2]) {
      const own = messages.filter(({ topicName }) => topicName === `${topic}/${qos}`);
      expect(textsOf(own)).toEqual(texts.filter((_, i) => i % 3 === qos));
      expect(own.every((message) => message.qos === qos)).toBe(true);
    }
  });

  it('refuses QoS 0 while it is away, where that is asked for', async () => {
    const proxy = await ground.proxy();
    const client = await ground.connect({ queueQos0: false }, proxy.port);
    proxy.refuse(true);
    proxy.cutAll();
    await eventually(() => !client.isConnected, { what: 'the client to notice' });
    await expect(client.publish('a', 'x')).rejects.toMatchObject({
      name: 'PublishError',
      code: 'ERR_NOT_CONNECTED',
    });
  });

  it('may be away from the beginning, where that is asked for', async () => {
    const topic = freshName('first');
    const observer = await ground.connect();
    const messages = await collect(observer, topic, { qos: 1 });
    const proxy = await ground.proxy();
    proxy.refuse(true);
    const client = ground.create({ retryFirstConnect: true }, proxy.port);
    const published = client.publish(topic, 'x', { qos: 1 });
    const subscribed = client.subscribe(topic, { qos: 1 });
    let attempts = 0;
    client.on('reconnecting', () => attempts++);
    await eventually(() => attempts >= 3, { what: 'attempts in vain' });
    proxy.refuse(false);
    await client.firstConnect;
    await published;
    await subscribed;
    await untilCount(messages, 1);
  });
});

describeEveryBroker(
  'a broker that keeps sessions',
  { mosquitto: { persistence: true }, motemq: { persistence: true } },
  (ground) => {
    it('goes on with them after a restart: nothing twice, nothing asked for again', async () => {
      const topic = freshName('kept');
      const proxy = await ground.proxy();
      const client = await ground.connect(ground.lasting(), proxy.port);
      const messages = await collect(client, topic, { qos: 2 });
      const published: Promise<unknown>[] = [];
      const texts = Array.from({ length: 100 }, (_, i) => String(i));
      const isBack = comesBack(client);
      for (const text of texts) published.push(client.publish(topic, text, { qos: 2 }));
      await untilCount(messages, 10);
      await ground.broker.restart();
      await withDeadline(isBack, 10_000, 'the client to come back');
      await Promise.all(published);
      await eventually(() => new Set(textsOf(messages)).size === texts.length, { what: 'all messages' });
      await client.publish(topic, 'end', { qos: 2 });
      await eventually(() => textsOf(messages).includes('end'), { what: 'the end' });
      expect(textsOf(messages)).toHaveLength(texts.length + 1);
      // A CONNECT that nobody answered may have begun a session anew: only then is it asked for again.
      const isMissed =
        packetsOf(proxy, 'toServer', 'CONNECT').length > packetsOf(proxy, 'toClient', 'CONNACK').length;
      expect(packetsOf(proxy, 'toServer', 'SUBSCRIBE')).toHaveLength(isMissed ? 2 : 1);
    });
  },
  { brokers: ['mosquitto', 'motemq'] },
);

describeEveryBroker(
  'a session of MQTT 5.0',
  {},
  (ground) => {
    it('is kept after a goodbye as long as CONNECT said, or as the goodbye says [MQTT-3.1.2-23]', async () => {
      const options = ground.lasting();
      const first = await ground.connect(options);
      await first.subscribe('a', { qos: 1 }, () => {});
      await first.disconnect();
      const second = await ground.connect(options);
      expect(second.connack?.sessionPresent).toBe(true);
      await second.disconnect({ sessionExpirySeconds: 0 });
      const third = await ground.connect(options);
      expect(third.connack?.sessionPresent).toBe(false);
    });
  },
  { protocol: '5.0' },
);
