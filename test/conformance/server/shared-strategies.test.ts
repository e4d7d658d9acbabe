/**
 * Shared subscriptions of our broker (4.8.2): every strategy gives each message to one member, prefers members that are
 * there, and gives on what a member that is gone for good did not get; and nothing is lost while members come and go.
 */
import { describe, expect, it } from 'vitest';
import { SHARE_STRATEGIES } from '../../../sim/broker/options.ts';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { Peer, uniqueClientId, uniqueTopic } from '../peer.ts';
import { drainEach, members, numbers, shareOf, sorted } from '../sharing.ts';
import { acknowledge, lasting, messageOf, textOf, textsOf } from '../subscribing.ts';

for (const shareStrategy of SHARE_STRATEGIES) {
  describeWith({ shareStrategy }, `our broker with the strategy ${shareStrategy}`, (broker) => {
    it.each([1, 2])('brings each message of QoS %i to one member: 4.8.2', async (qos) => {
      const topic = uniqueTopic();
      const peers = await members(broker, 4, shareOf(`${topic}/#`), qos);
      const publishers = [await Peer.connect(broker), await Peer.connect(broker)];
      for (const [index, text] of numbers(40).entries()) {
        await publishers[index % 2].publish(messageOf(`${topic}/${index % 5}`, text, qos));
      }
      const texts = await drainEach(peers);
      expect(sorted(texts.flat())).toEqual(numbers(40));
      for (const own of texts) {
        for (const publisher of [0, 1]) {
          const fromOne = own.filter((text) => Number(text) % 2 === publisher);
          expect(fromOne).toEqual(sorted(fromOne));
        }
      }
      if (shareStrategy === 'round-robin') expect(texts.map((own) => own.length)).toEqual([10, 10, 10, 10]);
    });

    it('prefers members that are connected: 4.8.2', async () => {
      const topic = uniqueTopic();
      const away = await Peer.connect(broker, lasting(5, uniqueClientId()));
      await away.subscribe(shareOf(topic), { qos: 1 });
      const peers = await members(broker, 2, shareOf(topic), 1);
      await away.disconnect();
      for (const text of numbers(9)) await peers[0].publish(messageOf(topic, text, 1));
      expect(sorted((await drainEach(peers)).flat())).toEqual(numbers(9));
    });

    it('keeps messages for a session that is away when all are, and for one alone: 4.8.2', async () => {
      const topic = uniqueTopic();
      const all = [lasting(5, uniqueClientId()), lasting(5, uniqueClientId())];
      for (const fields of all) {
        const peer = await Peer.connect(broker, fields);
        await peer.subscribe(shareOf(topic), { qos: 1 });
        await peer.disconnect();
      }
      const publisher = await Peer.connect(broker);
      for (const text of numbers(6)) await publisher.publish(messageOf(topic, text, 1));
      const texts: string[] = [];
      for (const fields of all) {
        const peer = await Peer.connect(broker, fields);
        const came = await peer.drain();
        for (const packet of came) acknowledge(peer, packet as PublishObject);
        texts.push(...textsOf(came));
        await peer.drain();
      }
      expect(sorted(texts)).toEqual(numbers(6));
    });

    it('gives a QoS 1 message to another when the session it was sent to ends, as 4.8.2 says it should', async () => {
      const topic = uniqueTopic();
      const filter = shareOf(topic);
      const doomed = await Peer.connect(broker);
      await doomed.subscribe(filter, { qos: 1 });
      for (const text of numbers(5)) await doomed.publish(messageOf(topic, text, 1));
      expect(textsOf(await doomed.drain())).toEqual(numbers(5));
      const [heir] = await members(broker, 1, filter, 1);
      doomed.destroy();
      const texts: string[] = [];
      while (texts.length < 5) texts.push(textOf(await heir.nextOf('PUBLISH')));
      expect(texts).toEqual(numbers(5));
      expect(await heir.drain()).toEqual([]);
    });

    it('gives what waited behind a Receive Maximum to another when the session ends, of QoS 2, too', async () => {
      const topic = uniqueTopic();
      const filter = shareOf(topic);
      const slow = await Peer.connect(broker, { properties: { receiveMaximum: 1 } });
      await slow.subscribe(filter, { qos: 2 });
      for (const text of numbers(4)) await slow.publish(messageOf(topic, text, 2));
      expect(textsOf(await slow.drain())).toEqual(['0']);
      const [heir] = await members(broker, 1, filter, 2);
      slow.destroy();
      // The first was begun [MQTT-4.8.2-5]; the others were not.
      const texts: string[] = [];
      while (texts.length < 3) texts.push(textOf(await heir.nextOf('PUBLISH')));
      expect(texts).toEqual(['1', '2', '3']);
      expect(await heir.drain()).toEqual([]);
    });
  });
}

describe('members that come and go while messages do', () => {
  describeBroker('a shared subscription', (broker) => {
    it('loses no message of QoS 1, and brings none twice to living members: 4.8.2', async () => {
      const topic = uniqueTopic();
      const filter = shareOf(topic);
      const [steady] = await members(broker, 1, filter, 1);
      const publisher = await Peer.connect(broker);
      const texts: string[] = [];
      for (let round = 0; round < 10; round++) {
        const [guest] = await members(broker, 1, filter, 1);
        const own = numbers(4).map((text) => String(round * 4 + Number(text)));
        await Promise.all(own.map((text) => publisher.publish(messageOf(topic, text, 1))));
        await guest.unsubscribe(filter);
        for (const peer of [guest, steady]) {
          const came = await peer.drain();
          for (const packet of came) acknowledge(peer, packet as PublishObject);
          texts.push(...textsOf(came));
        }
        await guest.disconnect();
      }
      expect(sorted(texts)).toEqual(numbers(40));
      expect(await steady.drain()).toEqual([]);
    });
  });
});
