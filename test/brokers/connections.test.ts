/**
 * Living connections and how they end: dead links found by keep-alive, clients of the same name, goodbyes, identifiers
 * that the server gives.
 */
import { expect, it } from 'vitest';
import { TimeoutError } from '../../targets/node/index.ts';
import type { Client, Disconnect } from '../../targets/node/index.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

function nextDisconnect(client: Client): Promise<Disconnect> {
  return new Promise((resolve) => void client.once('disconnect', resolve));
}

describeEveryBroker('connections', {}, (ground) => {
  it('a link that died without a word is found dead by keep-alive, and left (3.1.2.10)', async () => {
    const topic = freshName('dead');
    const observer = await ground.connect();
    const messages = await collect(observer, topic, { qos: 2 });
    const proxy = await ground.proxy();
    const client = await ground.connect({ ...ground.lasting(), keepAliveSeconds: 1 }, proxy.port);
    const heard = await collect(client, topic, { qos: 2 });
    await client.publish(topic, 'before', { qos: 2 });
    proxy.stall();
    const stalledAt = performance.now();
    const texts = Array.from({ length: 10 }, (_, i) => String(i));
    const published = texts.map((text) => client.publish(topic, text, { qos: 2 }));
    const end = await withDeadline(nextDisconnect(client), 10_000, 'the client to notice');
    expect(end.error).toBeInstanceOf(TimeoutError);
    expect(end.error).toMatchObject({ code: 'ERR_KEEP_ALIVE_TIMEOUT' });
    // One keep-alive until it asks, one that it waits for the answer.
    expect(performance.now() - stalledAt).toBeGreaterThan(900);
    expect(performance.now() - stalledAt).toBeLessThan(5000);
    proxy.resume();
    await Promise.all(published);
    await untilCount(messages, 11);
    await untilCount(heard, 11);
    await client.publish(topic, 'end', { qos: 2 });
    await untilCount(messages, 12);
    await untilCount(heard, 12);
    expect(textsOf(messages)).toEqual(['before', ...texts, 'end']);
    expect(textsOf(heard).sort()).toEqual(['before', ...texts, 'end'].sort());
  });

  it('an idle connection stays up by pings [MQTT-3.1.2-20] [MQTT-3.12.4-1]', async () => {
    const proxy = await ground.proxy();
    const client = await ground.connect({ keepAliveSeconds: 1 }, proxy.port);
    // Server and client give up after one and a half of them, and after two.
    await eventually(() => packetsOf(proxy, 'toServer', 'PINGREQ').length >= 3, {
      what: 'three pings',
      withinMs: 10_000,
    });
    await eventually(() => packetsOf(proxy, 'toClient', 'PINGRESP').length >= 3, { what: 'the answers' });
    expect(client.isConnected).toBe(true);
    expect(proxy.connectionCount()).toBe(1);
  });

  it('a client is thrown out by one of the same name [MQTT-3.1.4-3]', async () => {
    const clientId = freshName('twin');
    const first = await ground.connect({ clientId, reconnect: false });
    const ended = nextDisconnect(first);
    const closed = new Promise((resolve) => first.once('close', resolve));
    const second = await ground.connect({ clientId });
    const { error, reconnectInMs } = await withDeadline(ended, 5000, 'the end of the first');
    // Mosquitto 2.0.11 does not say why either.
    const isTold = ground.isV5 && !ground.isMosquitto;
    const code = isTold ? 'ERR_DISCONNECTED_BY_SERVER' : 'ERR_CONNECTION';
    expect(error).toMatchObject({ name: 'ConnectionError', code, reasonCode: isTold ? 0x8e : undefined });
    expect(reconnectInMs).toBeUndefined();
    await closed;
    await second.publish('a', 'x', { qos: 1 });
    expect([second.isConnected, first.isConnected]).toEqual([true, false]);
  });

  it('every byte may come and go on its own', async () => {
    const topic = freshName('bytes');
    const proxy = await ground.proxy({ oneByteAtATime: true });
    const client = await ground.connect({}, proxy.port);
    const messages = await collect(client, `${topic}/+`, { qos: 2 });
    for (const qos of [0, 1, 2] as const) await client.publish(`${topic}/${qos}`, 'x'.repeat(150), { qos });
    await untilCount(messages, 3);
    expect(messages.map(({ qos, payload }) => [qos, payload.length]).sort()).toEqual([
      [0, 150],
      [1, 150],
      [2, 150],
    ]);
  });

  it('a client without a name can come and go', async () => {
    const topic = freshName('nameless');
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const messages = await collect(client, topic, { qos: 1 });
    if (ground.isV5) {
      const assigned = client.connack?.properties.assignedClientIdentifier;
      expect(assigned).toMatch(/./);
      expect(client.clientId).toBe(assigned);
    } else {
      expect(client.clientId).toBe('');
    }
    const isBack = new Promise((resolve) => client.once('connect', resolve));
    proxy.cutAll();
    await isBack;
    await client.publish(topic, 'x', { qos: 1 });
    await untilCount(messages, 1);
  });

  it('a goodbye is DISCONNECT and then nothing [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const ends: Disconnect[] = [];
    const order: string[] = [];
    client.on('disconnect', (end) => {
      ends.push(end);
      order.push('disconnect');
    });
    client.on('close', () => order.push('close'));
    await Promise.all([client.disconnect(), client.disconnect()]);
    await eventually(() => proxy.openCount() === 0, { what: 'the end of the connection' });
    expect(ends).toEqual([{ error: undefined, reasonCode: 0, reconnectInMs: undefined }]);
    expect(order).toEqual(['disconnect', 'close']);
    expect(proxy.recorded.toServer.map(({ bytes }) => [...bytes]).at(-1)).toEqual([0xe0, 0]);
    expect(packetsOf(proxy, 'toServer', 'DISCONNECT')).toHaveLength(1);
    expect(proxy.connectionCount()).toBe(1);
  });

  it('what is under way when a client is destroyed fails, and comes to nothing', async () => {
    const client = await ground.connect();
    const outcomes = Promise.allSettled([
      client.publish('a', 'x', { qos: 1 }),
      client.publish('a', 'x', { qos: 2 }),
      client.subscribe('a'),
      client.unsubscribe('a'),
    ]);
    client.destroy();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CLOSED' } });
    }
  });

  it('a hundred clients at once, each with its own messages', async () => {
    const topic = freshName('crowd');
    const clients = await Promise.all(Array.from({ length: 100 }, () => ground.connect()));
    const inboxes = await Promise.all(
      clients.map((client, i) => collect(client, `${topic}/${i}`, { qos: 1 })),
    );
    await Promise.all(
      clients.map((client, i) => client.publish(`${topic}/${(i + 1) % 100}`, String(i), { qos: 2 })),
    );
    for (const [i, inbox] of inboxes.entries()) {
      await untilCount(inbox, 1);
      expect(textsOf(inbox)).toEqual([String((i + 99) % 100)]);
    }
    await Promise.all(clients.map((client) => client.disconnect()));
  });
});
