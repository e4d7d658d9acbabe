/**
 * What server and client allow each other: unacknowledged messages, packet sizes, topic aliases, lifetimes of messages.
 * Counted from the packets on the wire, not from what either side says of itself.
 */
import { describe, expect, it } from 'vitest';
import { PublishError } from '../../targets/node/index.ts';
import type { Message } from '../../targets/node/index.ts';
import { PACKET_TYPE, packetType } from '../support/fault-proxy.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

/** Counts, as packets pass, the messages of QoS 1 and 2 that are sent to the server and not acknowledged. */
function countUnacknowledged(proxy: FaultProxy): { now: number; most: number } {
  const count = { now: 0, most: 0 };
  proxy.onPacket('toServer', (bytes) => {
    if (packetType(bytes) === PACKET_TYPE.PUBLISH && (bytes[0] & 6) !== 0) count.now++;
    count.most = Math.max(count.most, count.now);
    return 'pass';
  });
  proxy.onPacket('toClient', (bytes) => {
    const type = packetType(bytes);
    const isRefused = type === PACKET_TYPE.PUBREC && bytes[1] > 2 && bytes[4] >= 0x80;
    if (type === PACKET_TYPE.PUBACK || type === PACKET_TYPE.PUBCOMP || isRefused) count.now--;
    return 'pass';
  });
  return count;
}

describeEveryBroker(
  'a server that allows one unacknowledged message',
  { mosquitto: { receiveMaximum: 1 }, motemq: { broker: { limits: { receiveMaximum: 1 } } } },
  (ground) => {
    it.each([1, 2] as const)('never has two of them, QoS %i [MQTT-4.9.0-2] [MQTT-4.9.0-3]', async (qos) => {
      const topic = freshName('quota');
      const observer = await ground.connect();
      const messages = await collect(observer, topic, { qos });
      const proxy = await ground.proxy();
      // 3.1.1 servers cannot say it: there the application does.
      const client = await ground.connect(ground.isV5 ? {} : { inflightMax: 1 }, proxy.port);
      const count = countUnacknowledged(proxy);
      const texts = Array.from({ length: 200 }, (_, i) => String(i));
      await Promise.all(texts.map((text) => client.publish(topic, text, { qos })));
      await untilCount(messages, texts.length);
      expect(count).toEqual({ now: 0, most: 1 });
      expect(textsOf(messages)).toEqual(texts);
    });
  },
);

describeEveryBroker('a client with much waiting for it', {}, (ground) => {
  it.each([1, 2] as const)('gets it all on one connection, QoS %i', async (qos) => {
    const topic = freshName('waiting');
    const options = ground.lasting();
    const away = await ground.connect(options);
    await away.subscribe(topic, { qos }, () => {});
    await away.disconnect();
    const publisher = await ground.connect();
    // Mosquitto 2.0.11 sends up to twenty more for each that is acknowledged: hundreds are under way at once.
    const texts = Array.from({ length: 900 }, (_, i) => String(i));
    await Promise.all(texts.map((text) => publisher.publish(topic, text, { qos })));
    const client = ground.create(options);
    const messages: Message[] = [];
    let connections = 0;
    client.on('message', (message) => messages.push(message));
    client.on('connect', () => connections++);
    await untilCount(messages, texts.length);
    expect(textsOf(messages)).toEqual(texts);
    expect(connections).toBe(1);
  });

  it('in 3.1.1 the application never has more than it bears', async () => {
    const topic = freshName('bearable');
    const client = await ground.connect(
      // Where the server can be told, Mosquitto 2.0.11 breaks the limit, which ends the connection.
      ground.isV5 ? { manualAcknowledgement: true } : { manualAcknowledgement: true, receiveMaximum: 3 },
    );
    const unacknowledged: Message[] = [];
    const texts: string[] = [];
    let most = 0;
    await client.subscribe(topic, { qos: 2 }, (message) => {
      texts.push(message.text());
      unacknowledged.push(message);
      most = Math.max(most, unacknowledged.length);
    });
    const publisher = await ground.connect();
    const sent = Array.from({ length: 60 }, (_, i) => publisher.publish(topic, String(i), { qos: 2 }));
    await Promise.all(sent);
    const acknowledgeOne = () => {
      unacknowledged.shift()?.acknowledge();
      return texts.length === sent.length && unacknowledged.length === 0;
    };
    await eventually(acknowledgeOne, { what: 'all messages' });
    expect(texts).toEqual(sent.map((_, i) => String(i)));
    if (!ground.isV5) expect(most).toBeLessThanOrEqual(3);
  });
});

describeEveryBroker(
  'a server that takes packets up to 2,000 bytes',
  { mosquitto: { maxPacketSize: 2000 }, motemq: { broker: { limits: { maximumPacketSize: 2000 } } } },
  (ground) => {
    it('is sent no larger one, and stays connected [MQTT-3.2.2-15]', async () => {
      const topic = freshName('size');
      const proxy = await ground.proxy();
      const client = await ground.connect({}, proxy.port);
      expect(client.connack?.properties.maximumPacketSize).toBe(2000);
      const messages = await collect(client, topic, { qos: 1 });
      const head = 1 + 2 + 2 + topic.length;
      const largest = 2000 - head - 1; // QoS 0: no packet identifier, and no properties
      for (const length of [2000, 20_000, 5_000_000, largest + 1]) {
        for (const qos of [0, 1, 2] as const) {
          const error: unknown = await client
            .publish(topic, new Uint8Array(length), { qos })
            .catch((reason: unknown) => reason);
          expect(error).toBeInstanceOf(PublishError);
          expect(error).toMatchObject({ code: 'ERR_PACKET_TOO_LARGE' });
        }
      }
      await client.publish(topic, new Uint8Array(largest), { qos: 0 });
      await client.publish(topic, new Uint8Array(largest - 2), { qos: 1 });
      await client.publish(topic, new Uint8Array(largest - 2), { qos: 2 });
      await untilCount(messages, 3);
      expect(Math.max(...packetsOf(proxy, 'toServer', 'PUBLISH').map((bytes) => bytes.length))).toBe(2000);
      expect(proxy.connectionCount()).toBe(1);
      // What was refused has left nothing behind: no buffer grew for it.
      const { transmit, state } = client.driver.session;
      expect(transmit.bytes.length + state.outbox.bytes.length).toBeLessThan(100_000);
    });

    it('refuses what waited for it and turns out to be too large', async () => {
      const topic = freshName('size');
      const proxy = await ground.proxy();
      proxy.refuse(true);
      const client = ground.create({ retryFirstConnect: true }, proxy.port);
      const tooLarge = client.publish(topic, new Uint8Array(3000), { qos: 1 });
      const fitting = client.publish(topic, new Uint8Array(1000), { qos: 1 });
      proxy.refuse(false);
      await expect(tooLarge).rejects.toMatchObject({ code: 'ERR_PACKET_TOO_LARGE' });
      expect((await fitting).reasonCode).toBeLessThan(0x80);
      expect(proxy.connectionCount()).toBe(1);
    });
  },
  { protocol: '5.0' },
);

describeEveryBroker(
  'limits of MQTT 5.0',
  {},
  (ground) => {
    it('the server sends no packet larger than the client takes [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
      const topic = freshName('size');
      const proxy = await ground.proxy();
      const client = await ground.connect({ maximumPacketSize: 500 }, proxy.port);
      const messages = await collect(client, topic, { qos: 1 });
      const publisher = await ground.connect();
      await publisher.publish(topic, 'x'.repeat(1000), { qos: 1 });
      await publisher.publish(topic, 'small', { qos: 1 });
      await untilCount(messages, 1);
      expect(textsOf(messages)).toEqual(['small']);
      for (const bytes of packetsOf(proxy, 'toClient', 'PUBLISH')) expect(bytes.length).toBeLessThan(500);
    });

    describe('a message that expires', () => {
      it('is not given to who comes too late, and tells the others what is left [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
        const topic = freshName('expiry');
        const options = ground.lasting();
        const away = await ground.connect(options);
        await away.subscribe(`${topic}/#`, { qos: 1 }, () => {});
        await away.disconnect();
        const publisher = await ground.connect();
        const since = performance.now();
        await publisher.publish(`${topic}/a`, 'short', { qos: 1, messageExpirySeconds: 1, retain: true });
        await publisher.publish(`${topic}/a`, 'long', { qos: 1, messageExpirySeconds: 600 });
        await publisher.publish(`${topic}/a`, 'for ever', { qos: 1 });
        // The retained copy of the short one shows when its time is over.
        await eventually(
          async () => {
            const late = await ground.connect();
            const messages = await collect(late, `${topic}/#`, { qos: 1 });
            await late.publish(`${topic}/b`, 'end', { qos: 1 });
            await eventually(() => textsOf(messages).includes('end'), { what: 'the end' });
            late.destroy();
            // Mosquitto counts whole seconds.
            return !textsOf(messages).includes('short') && performance.now() - since > 2000;
          },
          { what: 'the short one to expire', withinMs: 10_000 },
        );
        const messages: { text: string; left: number | undefined }[] = [];
        const client = ground.create({ ...options, cleanStart: false });
        client.on('message', (message) => {
          messages.push({ text: message.text(), left: message.properties.messageExpiryInterval });
        });
        await eventually(() => messages.some(({ text }) => text === 'for ever'), { what: 'what is left' });
        const own = messages.filter(({ text }) => text !== 'end');
        expect(own).toEqual([
          { text: 'long', left: expect.any(Number) },
          { text: 'for ever', left: undefined },
        ]);
        expect(own[0].left).toBeLessThan(600);
        expect(own[0].left).toBeGreaterThan(500);
      });

      it('expires in the client, too, and the time it waited there counts', async () => {
        const topic = freshName('expiry');
        const observer = await ground.connect();
        const messages = await collect(observer, topic, { qos: 1 });
        const proxy = await ground.proxy();
        const client = await ground.connect({}, proxy.port);
        proxy.refuse(true);
        proxy.cutAll();
        await eventually(() => !client.isConnected, { what: 'the client to notice' });
        const since = performance.now();
        const short = client.publish(topic, 'short', { qos: 1, messageExpirySeconds: 1 });
        const long = client.publish(topic, 'long', { qos: 1, messageExpirySeconds: 600 });
        await eventually(() => performance.now() - since > 2100, { what: 'two seconds to pass' });
        proxy.refuse(false);
        await expect(short).rejects.toMatchObject({ name: 'PublishError', code: 'ERR_EXPIRED' });
        await long;
        await untilCount(messages, 1);
        expect(textsOf(messages)).toEqual(['long']);
        expect(messages[0].properties.messageExpiryInterval).toBeLessThanOrEqual(598);
      });
    });

    it('a topic is sent once, then its alias instead, on each connection anew [MQTT-3.3.2-7]', async () => {
      const topic = freshName('alias');
      const other = freshName('other');
      const observer = await ground.connect();
      const messages = await collect(observer, [topic, other], { qos: 2 });
      const proxy = await ground.proxy();
      const client = await ground.connect({}, proxy.port);
      for (const qos of [0, 1, 2] as const) {
        await client.publish(topic, `${qos}`, { qos });
        await client.publish(other, `${qos}`, { qos });
      }
      const isBack = new Promise((resolve) => client.once('connect', resolve));
      proxy.cutAll();
      await isBack;
      await client.publish(topic, 'again', { qos: 1 });
      await client.publish(topic, 'and again', { qos: 1 });
      await untilCount(messages, 8);
      expect(messages.filter(({ topicName }) => topicName === topic).map((m) => m.text())).toEqual([
        '0',
        '1',
        '2',
        'again',
        'and again',
      ]);
      const sent = proxy.recorded.toServer.filter(({ bytes }) => packetType(bytes) === PACKET_TYPE.PUBLISH);
      const seen = sent.map(({ connection, bytes }) => {
        const nameLength = (bytes[2] << 8) | bytes[3];
        const name = Buffer.from(bytes.subarray(4, 4 + nameLength)).toString();
        const at = 4 + nameLength + ((bytes[0] & 6) === 0 ? 0 : 2);
        expect([...bytes.subarray(at, at + 2)]).toEqual([3, 0x23]);
        return [connection, name, (bytes[at + 2] << 8) | bytes[at + 3]];
      });
      expect(seen).toEqual([
        [0, topic, 1],
        [0, other, 2],
        [0, '', 1],
        [0, '', 2],
        [0, '', 1],
        [0, '', 2],
        [1, topic, 1],
        [1, '', 1],
      ]);
    });

    it('more topics than aliases all arrive under their names [MQTT-3.3.2-9]', async () => {
      const topic = freshName('aliases');
      const proxy = await ground.proxy();
      const client = await ground.connect({ outgoingAliasesMax: 5 }, proxy.port);
      const messages = await collect(client, `${topic}/#`, { qos: 1 });
      const names = Array.from({ length: 200 }, (_, i) => `${topic}/${(i * 7) % 23}`);
      await Promise.all(names.map((name) => client.publish(name, name, { qos: 1 })));
      await untilCount(messages, names.length);
      expect(messages.map(({ topicName }) => topicName)).toEqual(names);
      expect(textsOf(messages)).toEqual(names);
    });

    it('none are used where the server has none, or the application wants none [MQTT-3.2.2-18]', async () => {
      const topic = freshName('none');
      const proxy = await ground.proxy();
      const client = await ground.connect({ outgoingAliasesMax: 0 }, proxy.port);
      await client.publish(topic, 'x', { qos: 0 });
      await client.publish(topic, 'x', { qos: 1 });
      for (const bytes of packetsOf(proxy, 'toServer', 'PUBLISH')) {
        expect((bytes[2] << 8) | bytes[3]).toBe(topic.length);
      }
    });
  },
  { protocol: '5.0' },
);

describeEveryBroker(
  'a server that lays down the keep-alive',
  { mosquitto: { maxKeepAliveSeconds: 10 }, motemq: { broker: { limits: { keepAliveSecondsMax: 10 } } } },
  (ground) => {
    it('is obeyed [MQTT-3.1.2-21] [MQTT-3.2.2-21]', async () => {
      const client = await ground.connect({ keepAliveSeconds: 100 });
      expect(client.connack?.properties.serverKeepAlive).toBe(10);
      expect(client.driver.session.state.keepAliveMs).toBe(10_000);
    });
  },
  { protocol: '5.0' },
);

describeEveryBroker(
  'a server without QoS 2',
  { mosquitto: { extraListenerLines: ['max_qos 1'] }, motemq: { broker: { maximumQos: 1 } } },
  (ground) => {
    it('is sent none, and who asks for it is told [MQTT-3.2.2-11]', async () => {
      const client = await ground.connect();
      await expect(client.publish('a', 'x', { qos: 2 })).rejects.toMatchObject({
        name: 'PublishError',
        code: 'ERR_NOT_SUPPORTED_BY_SERVER',
      });
      await client.publish('a', 'x', { qos: 1 });
      expect(client.isConnected).toBe(true);
    });
  },
  { protocol: '5.0' },
);
