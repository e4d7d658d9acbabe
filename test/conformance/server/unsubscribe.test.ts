/**
 * UNSUBSCRIBE and UNSUBACK (3.10, 3.11): what is compared with what, what is answered, what still comes afterwards, and
 * what is malformed.
 */
import { describe, expect, it } from 'vitest';
import type { UnsubackObject } from '../../../src/packets/inspect.ts';
import { describeBroker } from '../broker-under-test.ts';
import { Peer, uniqueClientId, uniqueTopic } from '../peer.ts';
import {
  UNSUBSCRIBE_BYTE,
  VERSIONS,
  byteLengthOf,
  lasting,
  messageOf,
  rawRequest,
  receive,
  stringField,
  textsOf,
} from '../subscribing.ts';

const T = stringField(Buffer.from('t'));
const NO_SUBSCRIPTION_EXISTED = 0x11;

describeBroker('UNSUBSCRIBE', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    /** What UNSUBACK has to say: the codes in 5.0, nothing in 3.1.1. */
    const answer = (packetId: number, ...reasonCodes: number[]): UnsubackObject =>
      protocolVersion === 5 ? { type: 'UNSUBACK', packetId, reasonCodes } : { type: 'UNSUBACK', packetId };

    it('is answered with UNSUBACK of the same packet identifier [MQTT-3.10.4-4], [MQTT-3.11.3-2], [v3.1.1 MQTT-3.10.4-4]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      for (const packetId of [1, 65535, 256]) {
        const topicFilter = uniqueTopic();
        await peer.subscribe(topicFilter);
        peer.send({ type: 'UNSUBSCRIBE', packetId, topicFilters: [topicFilter] });
        expect(await peer.nextOf('UNSUBACK')).toEqual(answer(packetId, 0));
      }
    });

    it('is answered when there was nothing to end [MQTT-3.10.4-5], [MQTT-3.11.3-2], [v3.1.1 MQTT-3.10.4-5]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.send({ type: 'UNSUBSCRIBE', packetId: 7, topicFilters: [uniqueTopic()] });
      expect(await peer.nextOf('UNSUBACK')).toEqual(answer(7, NO_SUBSCRIPTION_EXISTED));
    });

    it(
      'of several filters is handled like as many packets, with one answer and a code for each in their order ' +
        '[MQTT-3.10.4-6], [MQTT-3.11.3-1], [MQTT-3.11.3-2], [v3.1.1 MQTT-3.10.4-6]',
      async () => {
        const peer = await Peer.connect(broker, { protocolVersion });
        const [a, b, c, none] = [uniqueTopic(), uniqueTopic(), uniqueTopic(), uniqueTopic()];
        for (const topic of [a, b, c]) await peer.subscribe(topic);
        peer.send({ type: 'UNSUBSCRIBE', packetId: 8, topicFilters: [none, c, a, c] });
        const [gone, not] = [0, NO_SUBSCRIPTION_EXISTED];
        expect(await peer.nextOf('UNSUBACK')).toEqual(answer(8, not, gone, gone, not));
        expect(await peer.drain()).toEqual([]);
        for (const topic of [a, b, c]) await peer.publish(messageOf(topic, topic, 1));
        expect(textsOf(await peer.drain())).toEqual([b]);
      },
    );

    it(
      'ends the subscription to the very same filter, not to others that match the same [MQTT-3.10.4-1], ' +
        '[v3.1.1 MQTT-3.10.4-1]',
      async () => {
        const peer = await Peer.connect(broker, { protocolVersion });
        const root = uniqueTopic();
        const filter = `${root}/+/End`;
        await peer.subscribe(filter);
        for (const other of [
          `${root}/x/End`,
          `${root}/+/end`,
          `${root}/+/End/`,
          `${root}/+/+`,
          `${root}/#`,
          `${root}/+/End/#`,
          `/${filter}`,
          '#',
        ]) {
          expect((await peer.unsubscribe(other)).reasonCodes, other).toEqual(
            answer(1, NO_SUBSCRIPTION_EXISTED).reasonCodes,
          );
        }
        await peer.publish(messageOf(`${root}/x/End`, 'still', 1));
        expect(textsOf(await peer.drain())).toEqual(['still']);
        expect((await peer.unsubscribe(filter)).reasonCodes).toEqual(answer(1, 0).reasonCodes);
        await peer.publish(messageOf(`${root}/x/End`, 'gone', 1));
        expect(await peer.drain()).toEqual([]);
      },
    );

    it('leaves other subscriptions that match the same messages [MQTT-3.10.4-1], [v3.1.1 MQTT-3.10.4-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const other = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      await peer.subscribe(topic);
      await peer.subscribe(`${topic}/#`);
      await other.subscribe(topic);
      await peer.unsubscribe(topic);
      await peer.publish(messageOf(topic, 'x', 1));
      expect(textsOf(await peer.drain())).toEqual(['x']);
      expect(textsOf(await other.drain())).toEqual(['x']);
    });

    it.each([0, 1, 2])(
      'has no message of QoS %i added any more [MQTT-3.10.4-2], [v3.1.1 MQTT-3.10.4-2]',
      async (qos) => {
        const subscriber = await Peer.connect(broker, { protocolVersion });
        const publisher = await Peer.connect(broker, { protocolVersion });
        const topic = uniqueTopic();
        await subscriber.subscribe(topic, { qos: 2 });
        await publisher.publish(messageOf(topic, 'before', 1));
        await receive(subscriber, 1);
        await subscriber.unsubscribe(topic);
        await publisher.publish(messageOf(topic, 'after', qos));
        await publisher.drain();
        expect(await subscriber.drain()).toEqual([]);
      },
    );

    it('lets deliveries that began go on to their end [MQTT-3.10.4-3], [v3.1.1 MQTT-3.10.4-3]', async () => {
      const subscriber = await Peer.connect(broker, { protocolVersion });
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      await subscriber.subscribe(topic, { qos: 2 });
      for (const qos of [1, 2, 2]) await publisher.publish(messageOf(topic, 'x', qos));
      const once = await subscriber.nextOf('PUBLISH');
      const [first, second] = [await subscriber.nextOf('PUBLISH'), await subscriber.nextOf('PUBLISH')];
      // One of the two is halfway, the other was only sent.
      subscriber.send({ type: 'PUBREC', packetId: first.packetId! });
      expect(await subscriber.nextOf('PUBREL')).toMatchObject({ packetId: first.packetId });
      await subscriber.unsubscribe(topic);
      subscriber.send({ type: 'PUBACK', packetId: once.packetId! });
      subscriber.send({ type: 'PUBCOMP', packetId: first.packetId! });
      subscriber.send({ type: 'PUBREC', packetId: second.packetId! });
      expect(await subscriber.nextOf('PUBREL')).toEqual({ type: 'PUBREL', packetId: second.packetId });
      subscriber.send({ type: 'PUBCOMP', packetId: second.packetId! });
      expect(await subscriber.drain()).toEqual([]);
    });

    it('lets deliveries that began go on over the next connection [MQTT-3.10.4-3], [v3.1.1 MQTT-3.10.4-3]', async () => {
      const fields = lasting(protocolVersion, uniqueClientId());
      const subscriber = await Peer.connect(broker, fields);
      const publisher = await Peer.connect(broker, { protocolVersion });
      const topic = uniqueTopic();
      await subscriber.subscribe(topic, { qos: 2 });
      for (const qos of [1, 2, 2]) await publisher.publish(messageOf(topic, `at ${qos}`, qos));
      const once = await subscriber.nextOf('PUBLISH');
      const [first, second] = [await subscriber.nextOf('PUBLISH'), await subscriber.nextOf('PUBLISH')];
      subscriber.send({ type: 'PUBREC', packetId: first.packetId! });
      await subscriber.nextOf('PUBREL');
      await subscriber.unsubscribe(topic);
      subscriber.destroy();
      await publisher.publish(messageOf(topic, 'too late', 1));
      const again = await Peer.connect(broker, fields);
      expect(again.connack.sessionPresent).toBe(true);
      const came = await again.drain();
      expect(came).toHaveLength(3);
      expect(came).toContainEqual({ ...once, dup: true });
      expect(came).toContainEqual({ type: 'PUBREL', packetId: first.packetId });
      expect(came).toContainEqual({ ...second, dup: true });
    });

    it('with other flags than 0010 is malformed [MQTT-3.10.1-1], [v3.1.1 MQTT-3.10.1-1]', async () => {
      for (let flags = 0; flags < 16; flags++) {
        if (flags === 2) continue;
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(0xa0 | flags, protocolVersion, T));
        await peer.expectDisconnect(0x81);
      }
    });

    it('without a filter is a Protocol Error [MQTT-3.10.3-2], [v3.1.1 MQTT-3.10.3-2]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawRequest(UNSUBSCRIBE_BYTE, protocolVersion));
      await peer.expectDisconnect(0x82);
    });

    it('that ends in the middle of a filter is malformed [MQTT-3.10.3-1], [v3.1.1 MQTT-3.10.3-1]', async () => {
      for (const payload of [Uint8Array.of(0), Uint8Array.of(0, 2, 0x74), Uint8Array.from([...T, 0])]) {
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(rawRequest(UNSUBSCRIBE_BYTE, protocolVersion, payload));
        await peer.expectDisconnect(0x81);
      }
    });

    it.each([
      ['a byte that UTF-8 does not have', [0x61, 0xff]],
      ['half a character', [0x61, 0xe2, 0x82]],
      ['a surrogate', [0xed, 0xa0, 0x80]],
    ])('with a filter of %s is malformed [MQTT-3.10.3-1], [v3.1.1 MQTT-3.10.3-1]', async (_, bytes) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes(rawRequest(UNSUBSCRIBE_BYTE, protocolVersion, T, stringField(Uint8Array.from(bytes))));
      await peer.expectDisconnect(0x81);
    });

    it('finds a filter of many scripts again [MQTT-3.10.3-1], [MQTT-3.10.4-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      const filter = `${uniqueTopic()}/ü/日本/😀/#`;
      await peer.subscribe(filter);
      await peer.unsubscribe(filter);
      await peer.publish(messageOf(filter.replace('#', 'x'), 'x', 1));
      expect(await peer.drain()).toEqual([]);
    });
  });

  it('is answered within the client’s Maximum Packet Size [MQTT-3.11.2-1], [MQTT-3.11.2-2]', async () => {
    const maximumPacketSize = 200;
    const peer = await Peer.connect(broker, { properties: { maximumPacketSize } });
    // So many that UNSUBACK without properties is of that size to the byte: 6 bytes, and a code for each.
    const topicFilters = Array.from({ length: maximumPacketSize - 6 }, () => uniqueTopic());
    peer.send({ type: 'UNSUBSCRIBE', packetId: 1, topicFilters });
    const unsuback = await peer.nextOf('UNSUBACK');
    expect(unsuback.properties).toBeUndefined();
    expect(unsuback.reasonCodes).toHaveLength(topicFilters.length);
    expect(byteLengthOf(unsuback, 5)).toBe(maximumPacketSize);
  });
});
