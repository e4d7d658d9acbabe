/**
 * Messages however they are cut: in one piece, byte by byte, in fragments because they are larger than the window.
 */
import { describe, expect, it } from 'vitest';
import { encodeObject } from '../../src/packets/inspect.ts';
import type { Message } from '../../targets/node/index.ts';
import type { Client } from '../../targets/node/index.ts';
import { connected, eventOf, hexOf, soon } from './played-server.ts';

/** The next `count` messages. */
function messagesOf(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  const all = new Promise<Message[]>((resolve) => {
    client.on('message', (message) => {
      messages.push(message);
      if (messages.length === count) resolve(messages);
    });
  });
  return soon(all, `${count} messages`);
}

/** Text of `length` characters that differ. */
function textOf(length: number): string {
  return Array.from({ length }, (_, i) => String.fromCharCode(97 + ((i * 7 + (i >> 8)) % 26))).join('');
}

describe('a message', () => {
  it('of 200 KB is put together from fragments of 64 KB windows', async () => {
    const { client, peer } = await connected();
    const heard: string[] = [];
    const subscribing = client.subscribe('big', { qos: 1 }, ({ payload }) => heard.push(hexOfBytes(payload)));
    await peer.grant();
    await subscribing;
    const payload = hexOf(textOf(200_000));
    for (const packetId of [1, 2]) {
      const properties = { contentType: 'x', subscriptionIdentifiers: [1] };
      await peer.send({ type: 'PUBLISH', topicName: 'big', qos: 1, packetId, payload, properties });
      expect(await peer.next('PUBACK')).toMatchObject({ packetId });
    }
    await peer.publish('small', 'behind');
    expect(heard.map((one) => one === payload)).toEqual([true, true]);
  });

  it('larger than the window is put together when it comes byte by byte', async () => {
    const { client, peer } = await connected({ receiveWindowBytes: 64 });
    const all = messagesOf(client, 2);
    const text = textOf(500);
    const packet = { type: 'PUBLISH' as const, topicName: 'a/b', qos: 2, packetId: 3, payload: hexOf(text) };
    const [big, small] = [packet, { ...packet, qos: 0, packetId: undefined, payload: '78' }].map((one) =>
      encodeObject(one, { protocolVersion: 5 }),
    );
    await peer.connection.sendByteByByte(big);
    await peer.connection.sendByteByByte(small);
    const [first, second] = await all;
    expect([first.text() === text, first.topicName, first.qos]).toEqual([true, 'a/b', 2]);
    expect(second.text()).toBe('x');
    expect(await peer.next('PUBREC')).toMatchObject({ packetId: 3 });
  });

  it.each(['5.0', '3.1.1'] as const)(
    'and everything around it may come byte by byte on %s',
    async (protocol) => {
      const { client, peer } = await connected({ protocol });
      const { protocolVersion } = peer;
      const subscribing = client.subscribe('t', { qos: 2 });
      const { packetId } = await peer.next('SUBSCRIBE');
      const say = (packet: Parameters<typeof encodeObject>[0]): Promise<void> =>
        peer.connection.sendByteByByte(encodeObject(packet, { protocolVersion }));
      await say({ type: 'SUBACK', packetId, reasonCodes: [2] });
      const subscription = await soon(subscribing, 'SUBACK');
      await say({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9, payload: '6162' });
      expect(await peer.next('PUBREC')).toMatchObject({ packetId: 9 });
      await say({ type: 'PUBREL', packetId: 9 });
      expect(await peer.next('PUBCOMP')).toMatchObject({ packetId: 9 });
      expect((await subscription.next()).value?.text()).toBe('ab');
      const publishing = client.publish('t', 'x', { qos: 1 });
      const { packetId: id } = await peer.next('PUBLISH');
      await say({ type: 'PUBACK', packetId: id });
      await soon(publishing, 'PUBACK');
    },
  );

  it('many to a read, of every size around the window, come whole and in order', async () => {
    const { client, peer } = await connected({ receiveWindowBytes: 256 });
    const sizes = Array.from({ length: 300 }, (_, i) => i * 2);
    const all = messagesOf(client, sizes.length);
    const packets = sizes.map((size) =>
      encodeObject({ type: 'PUBLISH', topicName: 't', payload: hexOf(textOf(size)) }, { protocolVersion: 5 }),
    );
    await peer.connection.send(Buffer.concat(packets));
    const texts = (await all).map((message) => message.text());
    expect(texts.map((text) => text.length)).toEqual(sizes);
    expect(texts.every((text, i) => text === textOf(sizes[i]))).toBe(true);
  });

  it('that a lost connection cut off is forgotten, and comes again whole', async () => {
    const options = {
      sessionExpirySeconds: 9,
      reconnect: { firstMs: 1, maximumMs: 1 },
      receiveWindowBytes: 64,
    };
    const { client, peer, nextPeer } = await connected(options);
    const all = messagesOf(client, 1);
    const packet = {
      type: 'PUBLISH' as const,
      topicName: 't',
      qos: 2,
      packetId: 5,
      payload: hexOf(textOf(400)),
    };
    await peer.connection.send(encodeObject(packet, { protocolVersion: 5 }).subarray(0, 300));
    const ended = eventOf(client, 'disconnect');
    peer.connection.end();
    await ended;
    const second = await nextPeer();
    await second.accept(undefined, true);
    await second.send({ ...packet, dup: true });
    const [message] = await all;
    expect([message.text() === textOf(400), message.dup]).toEqual([true, true]);
    expect(await second.next('PUBREC')).toMatchObject({ packetId: 5 });
  });

  it('is delivered once although QoS 2 brings it twice [MQTT-4.3.3-10]', async () => {
    const { client, peer } = await connected();
    const all = messagesOf(client, 2);
    const packet = { type: 'PUBLISH' as const, topicName: 't', qos: 2, packetId: 5, payload: '31' };
    await peer.send(packet, { ...packet, dup: true });
    await peer.next('PUBREC');
    await peer.next('PUBREC');
    await peer.publish('t', '2');
    expect((await all).map((message) => message.text())).toEqual(['1', '2']);
  });

  it('behind an alias has the name the alias stands for [MQTT-3.3.2-12]', async () => {
    const { client, peer } = await connected();
    const all = messagesOf(client, 3);
    await peer.publish('a/long/name', '1', { topicAlias: 1 });
    await peer.publish('', '2', { topicAlias: 1 });
    await peer.publish('other', '3', { topicAlias: 1 });
    expect((await all).map(({ topicName }) => topicName)).toEqual(['a/long/name', 'a/long/name', 'other']);
  });
});

function hexOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
