/**
 * Shared subscriptions (4.8.2): what names one, who of its members gets a message and with which QoS, and what becomes of
 * a message whose member is gone or refuses it. 3.1.1 knows nothing of them.
 */
import { expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker } from '../broker-under-test.ts';
import { Peer, uniqueClientId, uniqueTopic } from '../peer.ts';
import { drainEach, members, numbers, shareOf, sorted } from '../sharing.ts';
import {
  SUBSCRIBE_BYTE,
  acknowledge,
  expectFilterRefused,
  lasting,
  messageOf,
  rawRequest,
  stringField,
  textOf,
  textsOf,
} from '../subscribing.ts';

describeBroker('the name of a shared subscription', (broker) => {
  it.each(['$share/', '$share//', '$share//t', '$share///t'])(
    '%s is refused, since a ShareName has a character [MQTT-4.8.2-1]',
    async (filter) => {
      const peer = await Peer.connect(broker);
      const bytes = stringField(Buffer.from(filter));
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 5, bytes, Uint8Array.of(0)));
      await expectFilterRefused(peer);
    },
  );

  it.each([
    '$share/g',
    '$share/g/',
    '$share/+/t',
    '$share/#/t',
    '$share/g+/t',
    '$share/g#/t',
    '$share/#',
    '$share/+',
  ])(
    '%s is refused, since behind a ShareName without wildcards come a slash and a filter [MQTT-4.8.2-2]',
    async (filter) => {
      const peer = await Peer.connect(broker);
      const bytes = stringField(Buffer.from(filter));
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 5, bytes, Uint8Array.of(0)));
      await expectFilterRefused(peer);
    },
  );

  it.each(['$share/g/a#', '$share/g/#/a', '$share/g/a+', '$share/g/a/+b'])(
    '%s is refused, since its filter breaks the rules of filters [MQTT-4.8.2-2], [MQTT-4.7.1-1], [MQTT-4.7.1-2]',
    async (filter) => {
      const peer = await Peer.connect(broker);
      const bytes = stringField(Buffer.from(filter));
      peer.sendBytes(rawRequest(SUBSCRIBE_BYTE, 5, bytes, Uint8Array.of(0)));
      await expectFilterRefused(peer);
    },
  );

  it.each(['g', 'G', '$', '$share', 'ü 日本', '%20', 'x'.repeat(200)])(
    'has the ShareName %s, and the filter behind it [MQTT-4.8.2-1], [MQTT-4.8.2-2]',
    async (shareName) => {
      const peer = await Peer.connect(broker);
      const root = uniqueTopic();
      for (const filter of [root, `${root}/+`, `/${root}/#`]) {
        expect((await peer.subscribe(shareOf(filter, shareName))).reasonCodes).toEqual([0]);
      }
      for (const topic of [root, `${root}/a`, `${root}/a/b`, `/${root}`, `/${root}/a/b`]) {
        await peer.publish(messageOf(topic, topic, 1));
      }
      expect(textsOf(await peer.drain())).toEqual([root, `${root}/a`, `/${root}`, `/${root}/a/b`]);
    },
  );

  it('is not that of a topic: who subscribes to the filter alone is no member [MQTT-4.8.2-1]', async () => {
    const topic = uniqueTopic();
    const [shared] = await members(broker, 1, shareOf(topic));
    const [plain] = await members(broker, 1, topic);
    await plain.publish(messageOf(topic, 'x', 1));
    expect(await drainEach([shared, plain])).toEqual([['x'], ['x']]);
  });
});

describeBroker('a shared subscription', (broker) => {
  it.each([0, 1, 2])('brings each message of QoS %i to one member: 4.8.2', async (qos) => {
    const topic = uniqueTopic();
    const peers = await members(broker, 3, shareOf(topic), qos);
    const publisher = await Peer.connect(broker);
    for (const text of numbers(12)) await publisher.publish(messageOf(topic, text, qos));
    await publisher.drain();
    const texts = await drainEach(peers);
    expect(sorted(texts.flat())).toEqual(numbers(12));
    // Each gets its own in the order in which they were published.
    for (const own of texts) expect(own).toEqual(sorted(own));
  });

  it('is another one for each ShareName, letters apart, and for each filter: 4.8.2', async () => {
    const topic = uniqueTopic();
    const filters = [
      shareOf(topic, 'a'),
      shareOf(topic, 'b'),
      shareOf(topic, 'A'),
      shareOf(`${topic}/#`, 'a'),
      topic,
    ];
    const groups: Peer[][] = [];
    for (const filter of filters) groups.push(await members(broker, 2, filter, 1));
    const publisher = await Peer.connect(broker);
    for (const text of numbers(6)) await publisher.publish(messageOf(topic, text, 1));
    for (const [index, peers] of groups.entries()) {
      const texts = await drainEach(peers);
      if (filters[index] === topic) expect(texts).toEqual([numbers(6), numbers(6)]);
      else expect(sorted(texts.flat()), filters[index]).toEqual(numbers(6));
    }
  });

  it('is apart from other subscriptions of the same session: 4.8.2', async () => {
    const peer = await Peer.connect(broker);
    const topic = uniqueTopic();
    await peer.subscribe(topic);
    await peer.subscribe(shareOf(topic, 'a'));
    await peer.subscribe(shareOf(topic, 'b'));
    await peer.publish(messageOf(topic, 'x', 1));
    expect(textsOf(await peer.drain())).toEqual(['x', 'x', 'x']);
  });

  it('brings each member’s own Subscription Identifier [MQTT-3.3.4-3]', async () => {
    const topic = uniqueTopic();
    const peers: Peer[] = [];
    for (const identifier of [11, 22]) {
      const peer = await Peer.connect(broker);
      await peer.subscribe(shareOf(topic), { properties: { subscriptionIdentifiers: [identifier] } });
      peers.push(peer);
    }
    for (const text of numbers(8)) await peers[0].publish(messageOf(topic, text, 1));
    const came = [await peers[0].drain(), await peers[1].drain()];
    expect(came.flat()).toHaveLength(8);
    for (const [index, identifier] of [11, 22].entries()) {
      for (const packet of came[index]) {
        expect((packet as PublishObject).properties?.subscriptionIdentifiers).toEqual([identifier]);
      }
    }
  });

  it('comes with the QoS that the member was granted, at most [MQTT-4.8.2-3]', async () => {
    const topic = uniqueTopic();
    const peers: Peer[] = [];
    for (const qos of [0, 1, 2]) peers.push(...(await members(broker, 1, shareOf(topic), qos)));
    const publisher = await Peer.connect(broker);
    // Each QoS three times in a row: members that take turns get each.
    const qosOf = (text: string): number => Math.floor(Number(text) / 3) % 3;
    for (const text of numbers(18)) await publisher.publish(messageOf(topic, text, qosOf(text)));
    await publisher.drain();
    const texts: string[] = [];
    for (const [granted, peer] of peers.entries()) {
      for (const packet of await peer.drain()) {
        const message = packet as PublishObject;
        texts.push(textOf(message));
        expect(message.qos).toBe(Math.min(granted, qosOf(textOf(message))));
      }
    }
    expect(sorted(texts)).toEqual(numbers(18));
  });

  it('replaced by the same one with another QoS goes by the new one [MQTT-3.8.4-3], [MQTT-4.8.2-3]', async () => {
    const peer = await Peer.connect(broker);
    const topic = uniqueTopic();
    for (const qos of [0, 2, 1]) {
      expect((await peer.subscribe(shareOf(topic), { qos })).reasonCodes).toEqual([qos]);
      await peer.publish(messageOf(topic, 'x', 2));
      const came = await peer.drain();
      expect(came).toMatchObject([{ type: 'PUBLISH', qos }]);
      acknowledge(peer, came[0] as PublishObject);
      if (qos !== 2) continue;
      const { packetId } = await peer.nextOf('PUBREL');
      peer.send({ type: 'PUBCOMP', packetId });
    }
  });

  it('has no retained messages sent, whatever Retain Handling says: 4.8.2', async () => {
    const topic = uniqueTopic();
    const publisher = await Peer.connect(broker);
    await publisher.publish({ ...messageOf(topic, 'kept', 1), retain: true });
    for (const retainHandling of [0, 1, 2]) {
      const peer = await Peer.connect(broker);
      await peer.subscribe(shareOf(topic), { retainHandling });
      await peer.subscribe(shareOf(topic), { retainHandling });
      expect(await peer.drain()).toEqual([]);
    }
    const plain = await Peer.connect(broker);
    await plain.subscribe(topic);
    expect(textsOf(await plain.drain())).toEqual(['kept']);
  });

  it('brings retained messages like others once they are published: 4.8.2', async () => {
    const topic = uniqueTopic();
    const [peer] = await members(broker, 1, shareOf(topic));
    await peer.publish({ ...messageOf(topic, 'kept', 1), retain: true });
    expect(await peer.drain()).toMatchObject([{ type: 'PUBLISH', retain: false }]);
  });

  it('matches no topic that begins with $ by a wildcard in front [MQTT-4.7.2-1]', async () => {
    const level = uniqueTopic().split('/')[1];
    const peer = await Peer.connect(broker);
    for (const filter of ['#', `+/${level}`]) await peer.subscribe(shareOf(filter, level));
    const publisher = await Peer.connect(broker);
    await publisher.publish(messageOf(`$x/${level}`, 'hidden', 1)).catch(() => publisher.expectClosed());
    await peer.publish(messageOf(`x/${level}`, 'seen', 1));
    const texts = textsOf(await peer.drain());
    expect(texts.filter((text) => text === 'seen')).toHaveLength(2);
    expect(texts).not.toContain('hidden');
  });
});

describeBroker('unsubscribing from a shared subscription', (broker) => {
  it('needs its whole name [MQTT-3.10.4-1]', async () => {
    const topic = uniqueTopic();
    const [peer] = await members(broker, 1, shareOf(topic));
    expect((await peer.unsubscribe(topic, shareOf(topic, 'h'), shareOf(topic, 'G'))).reasonCodes).toEqual([
      0x11, 0x11, 0x11,
    ]);
    await peer.publish(messageOf(topic, 'x', 1));
    expect(textsOf(await peer.drain())).toEqual(['x']);
    expect((await peer.unsubscribe(shareOf(topic))).reasonCodes).toEqual([0]);
    await peer.publish(messageOf(topic, 'x', 1));
    expect(await peer.drain()).toEqual([]);
  });

  it('leaves the messages to the other members, and the last one’s to nobody [MQTT-3.10.4-2]', async () => {
    const topic = uniqueTopic();
    const peers = await members(broker, 3, shareOf(topic));
    const publisher = await Peer.connect(broker);
    for (const left of [2, 1, 0]) {
      expect((await peers[left].unsubscribe(shareOf(topic))).reasonCodes).toEqual([0]);
      for (const text of numbers(6)) await publisher.publish(messageOf(topic, text, 1));
      const texts = await drainEach(peers);
      expect(sorted(texts.slice(0, left).flat())).toEqual(left === 0 ? [] : numbers(6));
      expect(texts.slice(left).flat()).toEqual([]);
    }
  });

  it('lets the member’s deliveries that began go on to their end [MQTT-3.10.4-3]', async () => {
    const topic = uniqueTopic();
    const [peer] = await members(broker, 1, shareOf(topic), 2);
    await peer.publish(messageOf(topic, 'x', 2));
    const { packetId } = await peer.nextOf('PUBLISH');
    await peer.unsubscribe(shareOf(topic));
    peer.send({ type: 'PUBREC', packetId: packetId! });
    expect(await peer.nextOf('PUBREL')).toEqual({ type: 'PUBREL', packetId });
    peer.send({ type: 'PUBCOMP', packetId: packetId! });
    expect(await peer.drain()).toEqual([]);
  });

  it('leaves a subscription of the same session to the filter alone [MQTT-3.10.4-1]', async () => {
    const topic = uniqueTopic();
    const [peer] = await members(broker, 1, shareOf(topic));
    await peer.subscribe(topic);
    await peer.unsubscribe(shareOf(topic));
    await peer.publish(messageOf(topic, 'x', 1));
    expect(textsOf(await peer.drain())).toEqual(['x']);
  });
});

describeBroker('a message on its way to a member', (broker) => {
  /**
   * A member whose session outlives its connection, who was sent a message and has not answered; and another member, who
   * came later.
   */
  async function halfDelivered(qos: number): Promise<{
    fields: ReturnType<typeof lasting>;
    chosen: Peer;
    other: Peer;
    message: PublishObject;
    topic: string;
  }> {
    const topic = uniqueTopic();
    const fields = lasting(5, uniqueClientId());
    const chosen = await Peer.connect(broker, fields);
    await chosen.subscribe(shareOf(topic), { qos: 2 });
    await chosen.publish(messageOf(topic, 'x', qos));
    const message = await chosen.nextOf('PUBLISH');
    expect(message.qos).toBe(qos);
    const [other] = await members(broker, 1, shareOf(topic), 2);
    return { fields, chosen, other, message, topic };
  }

  it('of QoS 2 is completed to the one it was sent to, before PUBREC [MQTT-4.8.2-4]', async () => {
    const { fields, chosen, other, message } = await halfDelivered(2);
    chosen.destroy();
    expect(await other.drain()).toEqual([]);
    const again = await Peer.connect(broker, fields);
    expect(await again.nextOf('PUBLISH')).toEqual({ ...message, dup: true });
    acknowledge(again, message);
    expect(await again.nextOf('PUBREL')).toEqual({ type: 'PUBREL', packetId: message.packetId });
    again.send({ type: 'PUBCOMP', packetId: message.packetId! });
    expect(await again.drain()).toEqual([]);
    expect(await other.drain()).toEqual([]);
  });

  it('of QoS 2 is completed to the one it was sent to, after PUBREC [MQTT-4.8.2-4]', async () => {
    const { fields, chosen, other, message } = await halfDelivered(2);
    acknowledge(chosen, message);
    await chosen.nextOf('PUBREL');
    chosen.destroy();
    const again = await Peer.connect(broker, fields);
    expect(await again.nextOf('PUBREL')).toEqual({ type: 'PUBREL', packetId: message.packetId });
    again.send({ type: 'PUBCOMP', packetId: message.packetId! });
    expect(await again.drain()).toEqual([]);
    expect(await other.drain()).toEqual([]);
  });

  it('of QoS 2 goes to nobody else when the session it was sent to ends [MQTT-4.8.2-5]', async () => {
    for (const isReleased of [false, true]) {
      const { fields, chosen, other, message, topic } = await halfDelivered(2);
      if (isReleased) {
        acknowledge(chosen, message);
        await chosen.nextOf('PUBREL');
      }
      chosen.destroy();
      // The session ends before this CONNACK.
      const fresh = await Peer.connect(broker, { ...fields, cleanStart: true });
      expect(fresh.connack.sessionPresent).toBe(false);
      expect(await fresh.drain()).toEqual([]);
      expect(await other.drain()).toEqual([]);
      // It is the other who gets what comes from now on.
      await fresh.publish(messageOf(topic, 'next', 2));
      expect(textsOf(await other.drain())).toEqual(['next']);
    }
  });

  it.each([1, 2])(
    'of QoS %i that is refused is discarded, and sent to nobody again [MQTT-4.8.2-6]',
    async (qos) => {
      for (const reasonCode of [0x80, 0x83, 0x87, 0x97, 0x99]) {
        const { fields, chosen, other, message } = await halfDelivered(qos);
        acknowledge(chosen, message, reasonCode);
        expect(await chosen.drain()).toEqual([]);
        expect(await other.drain()).toEqual([]);
        chosen.destroy();
        const again = await Peer.connect(broker, fields);
        expect(again.connack.sessionPresent).toBe(true);
        expect(await again.drain()).toEqual([]);
        expect(await other.drain()).toEqual([]);
      }
    },
  );

  it('of QoS 1 is with one member at a time, until one acknowledges it: 4.8.2', async () => {
    const { fields, chosen, other } = await halfDelivered(1);
    chosen.destroy();
    // A server may go on to the next at once, or wait for the first to come back; either way it is not lost.
    const early = textsOf(await other.drain());
    const again = await Peer.connect(broker, fields);
    const came = await again.drain();
    expect([...early, ...textsOf(came), ...textsOf(await other.drain())]).toEqual(['x']);
  });
});

describeBroker('3.1.1', (broker) => {
  it('has no shared subscriptions: $share/g/t is a filter like any other: 4.7', async () => {
    const topic = uniqueTopic();
    const peer = await Peer.connect(broker, { protocolVersion: 4 });
    for (const filter of [shareOf(topic), '$share/g', '$share/+']) {
      expect((await peer.subscribe(filter)).reasonCodes, filter).toEqual([0]);
    }
    const publisher = await Peer.connect(broker, { protocolVersion: 4 });
    await publisher.publish(messageOf(topic, 'x', 1));
    expect(await peer.drain()).toEqual([]);
  });
});
