/**
 * A connection killed in every state of a QoS 1 and QoS 2 exchange, in both directions: what was published arrives all
 * the same, at QoS 2 exactly once, and the server's session is gone on with.
 */
import { describe, expect, it } from 'vitest';
import type { Client, Message } from '../../targets/node/index.ts';
import { PACKET_TYPE, packetType } from '../support/fault-proxy.ts';
import type { FaultProxy, PacketTypeName } from '../support/fault-proxy.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, packetsOf, textsOf, untilCount } from './matrix.ts';

/** A packet of the exchange, whether it travels with the message or against it, and what becomes of it. */
type Cut = readonly [
  qos: 1 | 2,
  type: PacketTypeName,
  way: 'with' | 'against',
  when: 'cut' | 'cutInside' | 'cutAfter',
];

const STEPS: readonly (readonly [1 | 2, PacketTypeName, 'with' | 'against'])[] = [
  [1, 'PUBLISH', 'with'],
  [1, 'PUBACK', 'against'],
  [2, 'PUBLISH', 'with'],
  [2, 'PUBREC', 'against'],
  [2, 'PUBREL', 'with'],
  [2, 'PUBCOMP', 'against'],
];
const CUTS: readonly Cut[] = STEPS.flatMap(([qos, type, way]) =>
  (['cut', 'cutInside', 'cutAfter'] as const).map((when) => [qos, type, way, when] as const),
);

const TEXTS = ['one', 'two', 'three'];

/**
 * What is expected of `texts`: exactly these at QoS 2, at least these at QoS 1, in their first order. aedes lets what
 * waited for the client be overtaken by what comes live.
 */
function expectDelivered(
  qos: number,
  texts: readonly string[],
  expected: readonly string[],
  isOrdered: boolean,
): void {
  const seen = qos === 2 ? [...texts] : [...new Set(texts)];
  if (isOrdered) expect(seen).toEqual(expected);
  else expect(seen.sort()).toEqual([...expected].sort());
}

/** Waits for one message: what was published before it has come by then, and everything came again that will. */
async function untilText(messages: Message[], text: string): Promise<void> {
  await eventually(() => messages.some((message) => message.text() === text), { what: `"${text}"` });
}

/** Resolves when the client is connected a second time. */
function comesBack(client: Client): Promise<void> {
  return new Promise((resolve) => void client.once('connect', () => resolve()));
}

/** Packet identifiers of the PUBLISHes with a QoS that went in a direction on one connection, and their DUPs. */
function publishesOf(proxy: FaultProxy, direction: 'toServer' | 'toClient', connection: number) {
  return packetsOf(proxy, direction, 'PUBLISH', connection).map((bytes) => {
    let at = 1;
    while (bytes[at] >= 0x80) at++;
    const idAt = at + 3 + ((bytes[at + 1] << 8) | bytes[at + 2]);
    return { packetId: (bytes[idAt] << 8) | bytes[idAt + 1], isDup: (bytes[0] & 8) !== 0 };
  });
}

describeEveryBroker('a session resumed', {}, (ground) => {
  describe('by a client that publishes', () => {
    it.each(CUTS)(
      'QoS %i, cut at %s %s the message: %s [MQTT-3.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT-4.4.0-1]',
      async (qos, type, way, when) => {
        const topic = freshName('resume');
        const observer = await ground.connect();
        const messages = await collect(observer, topic, { qos: 2 });
        const proxy = await ground.proxy();
        const client = await ground.connect(ground.lasting(), proxy.port);
        // aedes says that there is no session where there is no subscription.
        await client.subscribe(`${topic}/other`, {}, () => {});
        await client.publish(topic, 'before', { qos });
        const cut = proxy.cutNext(way === 'with' ? 'toServer' : 'toClient', type, when);
        const isBack = comesBack(client);
        const published = TEXTS.map((text) => client.publish(topic, text, { qos }));
        await withDeadline(cut, 5000, 'the cut');
        await withDeadline(isBack, 5000, 'the second connection');
        expect((await Promise.all(published)).map(({ reasonCode }) => reasonCode)).toEqual([0, 0, 0]);
        expect(client.connack?.sessionPresent).toBe(true);
        await client.publish(topic, 'after', { qos });
        await untilText(messages, 'after');
        await client.publish(topic, 'end', { qos: 2 });
        await untilText(messages, 'end');
        expectDelivered(qos, textsOf(messages), ['before', ...TEXTS, 'after', 'end'], true);

        // What went out twice went out under the same identifier, the second time as a duplicate.
        const first = new Set(publishesOf(proxy, 'toServer', 0).map(({ packetId }) => packetId));
        const again = publishesOf(proxy, 'toServer', 1).filter(({ packetId }) => first.has(packetId));
        expect(again.filter(({ isDup }) => !isDup)).toEqual([]);
      },
    );
  });

  describe('by a client that receives', () => {
    it.each(CUTS)(
      'QoS %i, cut at %s %s the message: %s [MQTT-4.3.3-8] [MQTT-4.3.3-10]',
      async (qos, type, way, when) => {
        const topic = freshName('resume');
        const publisher = await ground.connect();
        const proxy = await ground.proxy();
        const client = await ground.connect(ground.lasting(), proxy.port);
        const messages = await collect(client, topic, { qos });
        await publisher.publish(topic, 'before', { qos });
        await untilCount(messages, 1);
        const cut = proxy.cutNext(way === 'with' ? 'toClient' : 'toServer', type, when);
        const isBack = comesBack(client);
        for (const text of TEXTS) await publisher.publish(topic, text, { qos });
        await withDeadline(cut, 5000, 'the cut');
        await withDeadline(isBack, 5000, 'the second connection');
        expect(client.connack?.sessionPresent).toBe(true);
        await publisher.publish(topic, 'after', { qos });
        for (const text of [...TEXTS, 'after']) await untilText(messages, text);
        await publisher.publish(topic, 'end', { qos });
        await untilText(messages, 'end');
        expectDelivered(qos, textsOf(messages), ['before', ...TEXTS, 'after', 'end'], !ground.isAedes);
        // The server has kept the subscription: nobody asked for it again.
        expect(packetsOf(proxy, 'toServer', 'SUBSCRIBE')).toHaveLength(1);
      },
    );
  });

  it('goes on after cuts at every packet in turn, in both directions', async () => {
    const topic = freshName('resume');
    const proxy = await ground.proxy();
    const client = await ground.connect(ground.lasting(), proxy.port);
    const messages = await collect(client, topic, { qos: 2 });
    let packets = 0;
    const texts: string[] = [];
    const cutThird = (bytes: Uint8Array) => {
      const isOfExchange =
        packetType(bytes) >= PACKET_TYPE.PUBLISH && packetType(bytes) <= PACKET_TYPE.PUBCOMP;
      return isOfExchange && ++packets % 7 === 0 ? 'cut' : 'pass';
    };
    proxy.onPacket('toServer', cutThird);
    proxy.onPacket('toClient', cutThird);
    for (let i = 0; i < 40; i++) {
      texts.push(String(i));
      await client.publish(topic, String(i), { qos: 2 });
    }
    await untilCount(messages, texts.length);
    await client.publish(topic, 'end', { qos: 2 });
    await untilCount(messages, texts.length + 1);
    expect(textsOf(messages).sort()).toEqual([...texts, 'end'].sort());
    expect(proxy.connectionCount()).toBeGreaterThan(10);
  });
});
