/**
 * The end on purpose: disconnect, which waits for what is under way, `await using`, destroy; and what comes after.
 */
import { describe, expect, it } from 'vitest';
import { afterIo } from '../support/wait.ts';
import type { Client } from '../../targets/node/index.ts';
import { clientOf, connected, eventOf, failureOf, serve, soon } from './played-server.ts';

/** The names of the events from now on. */
function namesOf(client: Client): string[] {
  const names: string[] = [];
  for (const name of ['connect', 'disconnect', 'reconnecting', 'error', 'close'] as const) {
    client.on(name, () => names.push(name));
  }
  return names;
}

describe('disconnect', () => {
  it.each(['5.0', '3.1.1'] as const)(
    'of %s sends DISCONNECT and closes [MQTT-3.14.4-1]',
    async (protocol) => {
      const { client, peer } = await connected({ protocol });
      const names = namesOf(client);
      const ended = eventOf(client, 'disconnect');
      await soon(client.disconnect(), 'the goodbye');
      expect(await peer.next('DISCONNECT')).toEqual({ type: 'DISCONNECT' });
      await peer.closed();
      expect(await ended).toEqual({ error: undefined, reasonCode: 0, reconnectInMs: undefined });
      expect([names, client.isConnected]).toEqual([['disconnect', 'close'], false]);
      await soon(client.disconnect(), 'another goodbye');
      expect(names).toHaveLength(2);
    },
  );

  it('waits for what is under way, then says why it goes [MQTT-3.14.4-2]', async () => {
    const { client, peer } = await connected({ sessionExpirySeconds: 5 });
    const first = client.publish('t', '1', { qos: 1 });
    const second = client.publish('t', '2', { qos: 2 });
    const gone = client.disconnect({ reasonCode: 4, sessionExpirySeconds: 60 });
    await peer.next('PUBLISH');
    await peer.next('PUBLISH');
    await afterIo();
    expect(peer.receivedTypes).toEqual(['CONNECT', 'PUBLISH', 'PUBLISH']);
    await peer.send({ type: 'PUBREC', packetId: 2 });
    await peer.next('PUBREL');
    await peer.send({ type: 'PUBCOMP', packetId: 2 }, { type: 'PUBACK', packetId: 1 });
    const properties = { sessionExpiryInterval: 60 };
    expect(await peer.next('DISCONNECT')).toEqual({ type: 'DISCONNECT', reasonCode: 4, properties });
    await soon(Promise.all([first, second, gone]), 'the end');
  });

  it('does not wait longer than told: what is not done rejects', async () => {
    for (const timeoutMs of [0, 10]) {
      const { client, peer } = await connected();
      const publishing = failureOf(client.publish('t', '1', { qos: 1 }));
      await soon(client.disconnect({ timeoutMs }), 'the goodbye');
      expect(await publishing).toMatchObject({ code: 'ERR_CLOSED' });
      // With no time at all the message may have stayed here.
      if (timeoutMs > 0) await peer.next('PUBLISH');
      await peer.next('DISCONNECT');
    }
  });

  it('does not wait for a connection', async () => {
    const { url, server } = await serve();
    const client = clientOf(url);
    const publishing = failureOf(client.publish('t', '1'));
    const first = failureOf(client.firstConnect);
    await soon(client.disconnect(), 'the goodbye');
    expect([await publishing, await first]).toMatchObject([{ code: 'ERR_CLOSED' }, { code: 'ERR_CLOSED' }]);
    await afterIo();
    for (const { received } of server.connections) expect(received).toEqual([]);
  });

  it('from within a listener is heard', async () => {
    const { client, peer } = await connected();
    const closed = eventOf(client, 'close');
    client.on('message', () => void client.disconnect());
    await peer.publish('t', 'x');
    await peer.next('DISCONNECT');
    await closed;
  });

  it('that is wrong rejects, and the client lives on', async () => {
    const { client, peer } = await connected();
    expect(await failureOf(client.disconnect({ reasonCode: 1 }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    await client.publish('t', 'x');
    await peer.next('PUBLISH');
    await soon(client.disconnect(), 'the goodbye');
    await peer.next('DISCONNECT');
  });

  it('is what `await using` does', async () => {
    const { client, peer } = await connected();
    {
      await using using = client;
      expect(using.isConnected).toBe(true);
    }
    expect(client.isConnected).toBe(false);
    await peer.next('DISCONNECT');
  });

  it('is told although the application took no more messages', async () => {
    const { client, peer } = await connected();
    const subscribing = client.subscribe('t', { bufferedMessagesMax: 1 });
    await peer.grant();
    const subscription = await subscribing;
    const names = namesOf(client);
    for (const text of ['1', '2', '3']) await peer.publish('t', text);
    await afterIo();
    await soon(client.disconnect(), 'the goodbye');
    await peer.next('DISCONNECT');
    expect(names).toEqual(['disconnect', 'close']);
    expect((await subscription.next()).value?.text()).toBe('1');
  });
});

describe('destroy', () => {
  it('closes without a word: who waits is told', async () => {
    const { client, peer } = await connected();
    const names = namesOf(client);
    const waiting = [client.publish('t', '1', { qos: 1 }), client.subscribe('t'), client.unsubscribe('u')];
    const failures = Promise.all(waiting.map((one) => failureOf(one)));
    client.destroy();
    client.destroy();
    for (const error of await failures) expect(error).toMatchObject({ code: 'ERR_CLOSED' });
    await peer.closed();
    expect(peer.receivedTypes).not.toContain('DISCONNECT');
    expect(names).toEqual(['disconnect', 'close']);
  });

  it('ends the attempts to connect', async () => {
    const { url, server, nextPeer } = await serve();
    const client = clientOf(url, { retryFirstConnect: true, reconnect: { firstMs: 1, maximumMs: 1 } });
    (await nextPeer()).connection.reset();
    await eventOf(client, 'reconnecting');
    client.destroy();
    expect(await failureOf(client.firstConnect)).toMatchObject({ code: 'ERR_CLOSED' });
    const { length } = server.connections;
    for (let i = 0; i < 20; i++) await afterIo();
    expect(server.connections).toHaveLength(length);
  });
});

describe('a client that is closed', () => {
  it('rejects whatever is asked of it', async () => {
    const { client } = await connected();
    const topic = client.topic('t');
    await client.disconnect();
    const asked = [
      client.publish('t', 'x'),
      topic.publishSettled('x'),
      client.subscribe('t'),
      client.unsubscribe('t'),
      client.request('t', 'x'),
      client.respond('t', () => 'x'),
    ];
    for (const promise of asked) expect(await failureOf(promise)).toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => topic.publish(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    await soon(client.whenDrained(), 'nothing');
    expect(() => client.destroy()).not.toThrow();
  });
});
