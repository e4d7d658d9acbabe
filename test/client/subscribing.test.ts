/**
 * Subscriptions: what is asked of the server, what becomes of its answers, and how messages reach iterators and
 * listeners, however slow those are.
 */
import { describe, expect, it } from 'vitest';
import { ProtocolError, SubscribeError } from '../../targets/node/index.ts';
import type { ConnectOptions, SubscribeOptions, Subscription } from '../../targets/node/index.ts';
import { afterIo } from '../support/wait.ts';
import { connected, eventOf, failureOf, soon, unhandledDuring } from './played-server.ts';
import type { Pair } from './played-server.ts';

interface Subscribed extends Pair {
  readonly subscription: Subscription;
}

async function subscribed(
  filters: string | string[],
  options: SubscribeOptions = {},
  connectOptions: ConnectOptions = {},
): Promise<Subscribed> {
  const pair = await connected(connectOptions);
  const subscribing = pair.client.subscribe(filters, options);
  await pair.peer.grant();
  return { ...pair, subscription: await soon(subscribing, 'SUBACK') };
}

/** The texts of the messages until the iteration ends. */
async function textsOf(subscription: Subscription): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of subscription) texts.push(message.text());
  return texts;
}

describe('subscribe', () => {
  it('asks once for all filters, and tells what was granted [MQTT-3.8.4-6]', async () => {
    const { client, peer } = await connected();
    const userProperties: [string, string][] = [['a', 'b']];
    const options = {
      qos: 2,
      noLocal: true,
      retainAsPublished: true,
      retainHandling: 1,
      userProperties,
    } as const;
    const subscribing = client.subscribe(['a/+', 'b'], options);
    const packet = await peer.next('SUBSCRIBE');
    const said = { qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 1 };
    expect(packet).toMatchObject({
      properties: { subscriptionIdentifiers: [1], userProperties },
      subscriptions: [{ topicFilter: 'a/+', ...said }, { topicFilter: 'b', ...said }], // prettier-ignore
    });
    await peer.send({ type: 'SUBACK', packetId: packet.packetId, reasonCodes: [2, 0] });
    const subscription = await soon(subscribing, 'SUBACK');
    expect(subscription.topicFilters).toEqual(['a/+', 'b']);
    expect(subscription.reasonCodes).toEqual([2, 0]);
  });

  it('rejects when the server refuses one of the filters, and gives the others back', async () => {
    const { client, peer } = await connected();
    const heard: string[] = [];
    const subscribing = failureOf(
      client.subscribe(['good', 'bad'], {}, ({ topicName }) => heard.push(topicName)),
    );
    const { packetId } = await peer.next('SUBSCRIBE');
    await peer.send({ type: 'SUBACK', packetId, reasonCodes: [1, 0x87] });
    const unsubscribe = await peer.next('UNSUBSCRIBE');
    expect(unsubscribe.topicFilters).toContain('good');
    await peer.publish('good', 'late');
    const reasonCodes = unsubscribe.topicFilters.map(() => 0);
    await peer.send({ type: 'UNSUBACK', packetId: unsubscribe.packetId, reasonCodes });
    const error = await subscribing;
    expect(error).toBeInstanceOf(SubscribeError);
    expect(error).toMatchObject({
      code: 'ERR_SUBSCRIBE_REFUSED',
      topicFilters: ['good', 'bad'],
      reasonCodes: [1, 0x87],
      message: 'subscription refused: "bad": Not authorized',
    });
    expect(heard).toEqual([]);
  });

  it('rejects as refused also when the connection ends before the others are given back', async () => {
    const { client, peer } = await connected({ reconnect: false });
    const subscribing = failureOf(client.subscribe(['good', 'bad']));
    const { packetId } = await peer.next('SUBSCRIBE');
    await peer.send({ type: 'SUBACK', packetId, reasonCodes: [0, 0x80] });
    await peer.next('UNSUBSCRIBE');
    peer.connection.reset();
    expect(await subscribing).toBeInstanceOf(SubscribeError);
  });

  it('on 3.1.1 rejects at 0x80, and gives no identifier', async () => {
    const { client, peer } = await connected({ protocol: '3.1.1' });
    const subscribing = failureOf(client.subscribe('t', { qos: 1 }));
    const { packetId, properties } = await peer.next('SUBSCRIBE');
    expect(properties).toBeUndefined();
    await peer.send({ type: 'SUBACK', packetId, reasonCodes: [0x80] });
    await peer.send({ type: 'UNSUBACK', packetId: (await peer.next('UNSUBSCRIBE')).packetId });
    expect(await subscribing).toMatchObject({ code: 'ERR_SUBSCRIBE_REFUSED', reasonCodes: [0x80] });
  });

  it.each([
    ['SUBACK', 'subscribe'],
    ['UNSUBACK', 'unsubscribe'],
  ] as const)(
    '%s with too few codes ends the connection [MQTT-3.8.4-6], [MQTT-3.11.3-1]',
    async (type, verb) => {
      const { client, peer } = await connected({ reconnect: false });
      const ended = eventOf(client, 'disconnect');
      const asking = failureOf(client[verb](['a', 'b']));
      const { packetId } = await peer.next(verb === 'subscribe' ? 'SUBSCRIBE' : 'UNSUBSCRIBE');
      await peer.send({ type, packetId, reasonCodes: [0] });
      const { error } = await ended;
      expect(error).toBeInstanceOf(ProtocolError);
      expect(error?.message).toMatch(/^REASON_CODE_COUNT/);
      expect(await asking).toBe(error);
      expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x82 });
    },
  );

  it.each([
    ['a/#', { wildcardSubscriptionAvailable: 0 }],
    ['$share/g/a', { sharedSubscriptionAvailable: 0 }],
  ])('does not ask for %s when the server has none of it [MQTT-3.2.2-14]', async (filter, connack) => {
    const { client, peer } = await connected({}, connack);
    expect(await failureOf(client.subscribe(filter))).toMatchObject({ code: 'ERR_NOT_SUPPORTED_BY_SERVER' });
    expect(peer.receivedTypes).toEqual(['CONNECT']);
  });

  it('gives no identifiers to a server without them; the filters decide', async () => {
    const { client, peer } = await connected({}, { subscriptionIdentifiersAvailable: 0 });
    const heard: string[] = [];
    const subscribing = client.subscribe('a/+', {}, (message) => heard.push(message.text()));
    expect((await peer.grant()).properties?.subscriptionIdentifiers).toBeUndefined();
    await subscribing;
    await peer.publish('b', 'no');
    await peer.publish('a/1', 'yes');
    await eventOf(client, 'message');
    if (heard.length === 0) await eventOf(client, 'message');
    expect(heard).toEqual(['yes']);
  });

  it('is done again when the server lost the session; what it refuses then is an event', async () => {
    const options = { sessionExpirySeconds: 100, reconnect: { firstMs: 1, maximumMs: 1 } };
    const { client, peer, nextPeer, subscription } = await subscribed('t', { qos: 1 }, options);
    peer.connection.reset();
    const second = await nextPeer();
    await second.accept(undefined, false);
    expect((await second.grant()).subscriptions).toMatchObject([{ topicFilter: 't', qos: 1 }]);
    await second.publish('t', 'again', { subscriptionIdentifiers: [1] });
    expect((await subscription.next()).value?.text()).toBe('again');
    second.connection.reset();
    const third = await nextPeer();
    const told = eventOf(client, 'error');
    await third.accept(undefined, false);
    const { packetId } = await third.next('SUBSCRIBE');
    await third.send({ type: 'SUBACK', packetId, reasonCodes: [0x87] });
    expect(await told).toMatchObject({ code: 'ERR_SUBSCRIBE_REFUSED' });
  });
});

describe('a listener', () => {
  it('gets its messages, whole, and each of them once', async () => {
    const { client, peer } = await connected();
    const heard: string[] = [];
    const first = client.subscribe('a/#', {}, (message) => heard.push(`first ${message.text()}`));
    await peer.grant();
    await first;
    const second = client.subscribe(['a/+', 'b'], {}, (message) => heard.push(`second ${message.text()}`));
    await peer.grant();
    await second;
    const all = new Promise<void>((resolve) => {
      client.on('message', ({ topicName }) => {
        if (topicName === 'end') resolve();
      });
    });
    await peer.publish('a/1', '1', { subscriptionIdentifiers: [1, 2] });
    await peer.publish('a/2', '2', { subscriptionIdentifiers: [2] });
    await peer.publish('a/3', '3');
    await peer.publish('a/4', '4', { subscriptionIdentifiers: [99] });
    await peer.publish('end');
    await soon(all, 'the last message');
    const both = (text: string): string[] => [`first ${text}`, `second ${text}`];
    expect(heard).toEqual([...both('1'), 'second 2', ...both('3'), ...both('4')]);
  });

  it('sees what the message says of itself', async () => {
    const { client, peer } = await connected();
    const told = eventOf(client, 'message');
    await peer.send({
      type: 'PUBLISH',
      topicName: 't',
      qos: 1,
      packetId: 7,
      retain: true,
      dup: true,
      payload: '7b7d',
      properties: { contentType: 'json', correlationData: '01', userProperties: [['a', 'b']] },
    });
    const message = await told;
    expect(message).toMatchObject({ topicName: 't', qos: 1, retain: true, dup: true });
    expect(message.json()).toEqual({});
    expect(message.properties).toEqual({
      contentType: 'json',
      correlationData: Uint8Array.of(1),
      userProperties: [['a', 'b']],
    });
    expect(await peer.next('PUBACK')).toEqual({ type: 'PUBACK', packetId: 7 });
  });

  it('that throws hinders nobody: the message is acknowledged, the next one comes', async () => {
    const { client, peer } = await connected();
    const mistake = new Error('mine');
    const heard: string[] = [];
    const subscribing = client.subscribe('t', { qos: 1 }, (message) => {
      heard.push(message.text());
      throw mistake;
    });
    await peer.grant();
    await subscribing;
    const unhandled = await unhandledDuring(async () => {
      await peer.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, payload: '31' });
      await peer.next('PUBACK');
      await peer.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 2, payload: '32' });
      await peer.next('PUBACK');
    });
    expect([heard, unhandled]).toEqual([['1', '2'], [mistake, mistake]]); // prettier-ignore
  });

  it('acknowledges by itself with manualAcknowledgement, in order [MQTT-4.6.0-2]', async () => {
    const { client, peer } = await connected({ manualAcknowledgement: true });
    const acknowledgements: (() => void)[] = [];
    const both = new Promise<void>((resolve) => {
      client.on('message', (message) => {
        acknowledgements.push(() => message.acknowledge());
        if (acknowledgements.length === 2) resolve();
      });
    });
    for (const packetId of [1, 2]) await peer.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId });
    await soon(both, 'both messages');
    await afterIo();
    expect(peer.receivedTypes).toEqual(['CONNECT']);
    acknowledgements[1]();
    acknowledgements[0]();
    acknowledgements[0]();
    expect(await peer.next('PUBACK')).toMatchObject({ packetId: 1 });
    expect(await peer.next('PUBACK')).toMatchObject({ packetId: 2 });
  });
});

describe('an iterator', () => {
  it('ends when unsubscribed, after what it holds', async () => {
    const { client, peer, subscription } = await subscribed('t');
    for (const text of ['1', '2']) await peer.publish('t', text);
    await peer.publish('other');
    await afterIo();
    const texts = textsOf(subscription);
    const unsubscribing = subscription.unsubscribe();
    const { packetId, topicFilters } = await peer.next('UNSUBSCRIBE');
    expect(topicFilters).toEqual(['t']);
    await peer.publish('t', 'late');
    await peer.send({ type: 'UNSUBACK', packetId, reasonCodes: [0] });
    await soon(unsubscribing, 'UNSUBACK');
    expect(await soon(texts, 'the end')).toEqual(['1', '2']);
    await soon(subscription.unsubscribe(), 'nothing more');
    expect(client.isConnected).toBe(true);
  });

  it('ends by `break`, which unsubscribes', async () => {
    const { peer, subscription } = await subscribed('t');
    await peer.publish('t', '1');
    const loop = (async () => {
      for await (const message of subscription) {
        expect(message.text()).toBe('1');
        break;
      }
    })();
    const { packetId } = await peer.next('UNSUBSCRIBE');
    await peer.send({ type: 'UNSUBACK', packetId, reasonCodes: [0] });
    await soon(loop, 'the loop');
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
  });

  it('ends by client.unsubscribe, and by `await using`', async () => {
    const { client, peer, subscription } = await subscribed(['a', 'b']);
    const texts = textsOf(subscription);
    const unsubscribing = client.unsubscribe(['b', 'a', 'c']);
    const { packetId } = await peer.next('UNSUBSCRIBE');
    await peer.send({ type: 'UNSUBACK', packetId, reasonCodes: [0, 0, 0x11] });
    expect(await soon(unsubscribing, 'UNSUBACK')).toEqual([0, 0, 0x11]);
    expect(await soon(texts, 'the end')).toEqual([]);
    const subscribing = client.subscribe('d');
    await peer.grant();
    const disposed = (async () => {
      await using another = await subscribing;
      expect(another.topicFilters).toEqual(['d']);
    })();
    const second = await peer.next('UNSUBSCRIBE');
    expect(second.topicFilters).toEqual(['d']);
    await peer.send({ type: 'UNSUBACK', packetId: second.packetId, reasonCodes: [0] });
    await soon(disposed, 'the end of the block');
  });

  it.each(['disconnect', 'destroy', 'a failed connection'])('ends by %s', async (how) => {
    const { client, peer, subscription } = await subscribed('t', {}, { reconnect: false });
    const iterations = [textsOf(subscription), textsOf(subscription)];
    await peer.publish('t', '1');
    await eventOf(client, 'message');
    if (how === 'disconnect') await client.disconnect();
    else if (how === 'destroy') client.destroy();
    else peer.connection.reset();
    expect((await soon(Promise.all(iterations), 'the end')).flat()).toEqual(['1']);
  });

  it('goes on over a reconnect', async () => {
    const options = { sessionExpirySeconds: 100, reconnect: { firstMs: 1, maximumMs: 1 } };
    const { peer, nextPeer, subscription } = await subscribed('t', {}, options);
    const next = subscription.next();
    peer.connection.reset();
    const second = await nextPeer();
    await second.accept(undefined, true);
    await second.publish('t', 'after');
    expect((await soon(next, 'the message')).value?.text()).toBe('after');
  });

  it('that nobody reads holds the server up, and nothing is lost', async () => {
    const { client, peer, subscription } = await subscribed('t', { bufferedMessagesMax: 4 });
    let emitted = 0;
    client.on('message', () => emitted++);
    const count = 40;
    const text = 'x'.repeat(100_000);
    let sent = 0;
    const sending = (async () => {
      for (; sent < count; sent++) await peer.publish('t', `${sent} ${text}`);
    })();
    // More than fits into the sockets: not all of it leaves the server.
    for (let i = 0; i < 200; i++) await afterIo();
    expect(emitted).toBe(4);
    expect(client.driver.transport.bytesIn).toBeLessThan(10 * text.length);
    for (let i = 0; i < count; i++) {
      const { value } = await soon(subscription.next(), `message ${i}`);
      expect(value?.text().startsWith(`${i} x`)).toBe(true);
      expect(emitted - i).toBeLessThanOrEqual(5);
    }
    await soon(sending, 'the server to be rid of all');
  });

  it('that is full keeps no answer of the server from who waits for it', async () => {
    const { client, peer, subscription } = await subscribed('t', { bufferedMessagesMax: 1 });
    for (let i = 0; i < 10; i++) await peer.publish('t', String(i));
    await afterIo();
    const publishing = client.publish('u', 'x', { qos: 1 });
    const { packetId } = await peer.next('PUBLISH');
    await peer.send({ type: 'PUBACK', packetId: packetId! });
    await soon(publishing, 'PUBACK');
    for (let i = 0; i < 10; i++) expect((await subscription.next()).value?.text()).toBe(String(i));
  });

  it('that is full keeps nothing that came before the end of a connection back', async () => {
    const options = { sessionExpirySeconds: 100, reconnect: { firstMs: 1, maximumMs: 1 } };
    const { client, peer, nextPeer, subscription } = await subscribed(
      't',
      { bufferedMessagesMax: 2 },
      options,
    );
    const ended = eventOf(client, 'disconnect');
    for (let i = 0; i < 9; i++) await peer.publish('t', String(i));
    peer.connection.end();
    for (let i = 0; i < 9; i++) {
      expect((await soon(subscription.next(), `message ${i}`)).value?.text()).toBe(String(i));
    }
    await ended;
    await (await nextPeer()).accept(undefined, true);
    await eventOf(client, 'connect');
  });

  it('that is full without a connection does not hold up CONNACK, but what follows', async () => {
    const options = { sessionExpirySeconds: 100, reconnect: { firstMs: 1, maximumMs: 1 } };
    const { client, peer, nextPeer, subscription } = await subscribed(
      't',
      { bufferedMessagesMax: 2 },
      options,
    );
    const stop = new AbortController();
    const requesting = failureOf(client.request('q', 'x', { signal: stop.signal, replyTopic: 'r' }));
    await peer.grant();
    await peer.next('PUBLISH');
    // Somebody waits for an answer, so all of them come in.
    const messages: string[] = [];
    client.on('message', (message) => messages.push(message.text()));
    for (let i = 0; i < 9; i++) await peer.publish('t', String(i));
    const ended = eventOf(client, 'disconnect');
    peer.connection.end();
    await ended;
    expect(messages).toHaveLength(9);
    stop.abort();
    await requesting;
    const second = await nextPeer();
    const connecting = eventOf(client, 'connect');
    await second.accept(undefined, true);
    await connecting;
    await second.publish('t', '9');
    for (let i = 0; i < 5; i++) await afterIo();
    expect(messages).toHaveLength(9);
    for (let i = 0; i < 10; i++) {
      expect((await soon(subscription.next(), `message ${i}`)).value?.text()).toBe(String(i));
    }
  });
});
