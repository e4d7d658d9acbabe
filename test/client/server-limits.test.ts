/**
 * What a server says that it bears, and what it cannot do, is kept to in every packet, also where a connection is lost
 * and what was under way goes out again.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import type { ScriptedConnection } from '../support/scripted-server.ts';
import { afterIo, eventually } from '../support/wait.ts';
import { bytesOf, cleanUp, connectedTo, ofType, receivedOn, serve } from './stage.ts';

afterEach(cleanUp);

const LIMITS = { properties: { receiveMaximum: 2, maximumPacketSize: 200 } };

/** Holds answers back, and keeps count of what the client has under way by what the server has got and said. */
class Quota {
  most = 0;
  largest = 0;
  private now = 0;
  private readonly held: (() => void)[] = [];

  /** To be called for each packet: answers to messages are held back until `release`. */
  async answer(packet: PacketObject, connection: ScriptedConnection): Promise<string | undefined> {
    this.largest = Math.max(this.largest, ...connection.received.map(({ length }) => length));
    if (packet.type === 'CONNECT') this.now = 0;
    if (packet.type === 'PUBREL') {
      this.now--;
      return undefined;
    }
    if (packet.type !== 'PUBLISH' || packet.qos === 0) return undefined;
    const { qos, packetId = 0 } = packet;
    this.now++;
    this.most = Math.max(this.most, this.now);
    this.held.push(() => {
      if (qos === 1) this.now--;
      void connection.send(bytesOf({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId }));
    });
    return '';
  }

  /** Answers the oldest, if there is one. */
  release(): boolean {
    const answer = this.held.shift();
    answer?.();
    return answer !== undefined;
  }

  /** Those of a connection that is gone. */
  forget(): void {
    this.held.length = 0;
  }
}

describe('a server that bears two unacknowledged messages of up to 200 bytes', () => {
  it.each([1, 2] as const)(
    'never gets more, however many are published, QoS %i [MQTT-4.9.0-2]',
    async (qos) => {
      const quota = new Quota();
      const server = await serve({
        connack: LIMITS,
        answer: (packet, connection) => quota.answer(packet, connection),
      });
      const client = await connectedTo(server);
      let settled = 0;
      const published = Array.from({ length: 50 }, (_, i) =>
        client.publish('a/topic', String(i), { qos }).then(() => settled++),
      );
      await eventually(
        async () => {
          // Whatever could come has come before the next answer.
          await afterIo();
          quota.release();
          return settled === published.length;
        },
        { what: 'all messages' },
      );
      expect(quota.most).toBe(2);
      const sent = ofType(receivedOn(server.connections[0]), 'PUBLISH');
      expect(sent.map(({ payload }) => Buffer.from(payload!, 'hex').toString())).toEqual(
        published.map((_, i) => String(i)),
      );
    },
  );

  it.each([1, 2] as const)('nor after a connection was lost, QoS %i [MQTT-4.4.0-1]', async (qos) => {
    const quota = new Quota();
    const server = await serve({
      answer: async (packet, connection) => {
        // The second connection is the first to have limits: more was under way than it bears.
        if (packet.type === 'CONNECT' && connection.index > 0) {
          await quota.answer(packet, connection);
          await connection.send(bytesOf({ type: 'CONNACK', sessionPresent: true, ...LIMITS }));
          return '';
        }
        return quota.answer(packet, connection);
      },
    });
    const client = await connectedTo(server, {
      sessionExpirySeconds: 60,
      reconnect: { firstMs: 1, maximumMs: 1 },
    });
    let settled = 0;
    const published = Array.from({ length: 20 }, () =>
      client.publish('a', 'x', { qos }).then(() => settled++),
    );
    await eventually(() => quota.most === 20, { what: 'all messages to be under way' });
    quota.forget();
    quota.most = 0;
    server.connections[0].reset();
    await eventually(
      async () => {
        await afterIo();
        quota.release();
        return settled === published.length;
      },
      { what: 'all messages' },
    );
    expect(quota.most).toBe(2);
    const again = ofType(receivedOn(server.connections[1]), 'PUBLISH');
    expect(again).toHaveLength(20);
    expect(again.every(({ dup }) => dup)).toBe(true);
    const first = ofType(receivedOn(server.connections[0]), 'PUBLISH');
    expect(again.map(({ packetId }) => packetId)).toEqual(first.map(({ packetId }) => packetId));
  });

  it('never gets a larger packet of any kind, and who asked is told [MQTT-3.2.2-15]', async () => {
    const server = await serve({ connack: LIMITS });
    const client = await connectedTo(server);
    const tooLarge = { code: 'ERR_PACKET_TOO_LARGE' };
    for (const qos of [0, 1, 2] as const) {
      for (const length of [190, 200, 508, 100_000]) {
        await expect(client.publish('a/topic', new Uint8Array(length), { qos })).rejects.toMatchObject(
          tooLarge,
        );
      }
      await expect(
        client.publish('a', '', { qos, userProperties: [['key', 'x'.repeat(200)]] }),
      ).rejects.toMatchObject(tooLarge);
    }
    await expect(client.publish('x'.repeat(200), '', { qos: 1 })).rejects.toMatchObject(tooLarge);
    await expect(client.subscribe('x'.repeat(200))).rejects.toMatchObject({
      name: 'MotemqError',
      ...tooLarge,
    });
    await expect(client.unsubscribe(['x'.repeat(100), 'y'.repeat(100)])).rejects.toMatchObject(tooLarge);
    await expect(client.request('a', 'x'.repeat(200))).rejects.toMatchObject(tooLarge);
    await client.publish('a/topic', new Uint8Array(180), { qos: 1 });
    await client.disconnect();
    await server.connections[0].closed;
    const sizes = server.connections[0].received.slice(1).map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
    expect(sizes).toHaveLength(3);
    expect(server.connections).toHaveLength(1);
  });

  it('gets a message to the byte, with a topic or with its alias', async () => {
    const connack = { properties: { maximumPacketSize: 200, topicAliasMaximum: 5 } };
    const server = await serve({ connack });
    const client = await connectedTo(server);
    const topic = 't'.repeat(50);
    // 2 + 2 + 50 + 1: the alias does not fit beside the topic, so the topic goes without.
    await client.publish(topic, new Uint8Array(200 - 3 - 2 - 50 - 1), { qos: 0 });
    await expect(client.publish(topic, new Uint8Array(200 - 3 - 2 - 50), { qos: 0 })).rejects.toThrow();
    await client.publish(topic, '', { qos: 0 });
    // With the alias there is room for more.
    await client.publish(topic, new Uint8Array(200 - 3 - 2 - 4), { qos: 0 });
    await expect(client.publish(topic, new Uint8Array(200 - 3 - 2 - 3), { qos: 0 })).rejects.toThrow();
    await client.publish(topic, '', { qos: 1 });
    const sizes = server.connections[0].received.slice(1).map(({ length }) => length);
    expect(sizes).toEqual([200, 2 + 2 + 50 + 4, 200, 2 + 2 + 2 + 4]);
  });
});

describe('a server that cannot do everything', () => {
  it('is not asked for what it said it cannot [MQTT-3.2.2-11] [MQTT-3.2.2-14]', async () => {
    const server = await serve({
      connack: {
        properties: {
          maximumQos: 1,
          retainAvailable: 0,
          wildcardSubscriptionAvailable: 0,
          sharedSubscriptionAvailable: 0,
          subscriptionIdentifiersAvailable: 0,
        },
      },
    });
    const client = await connectedTo(server);
    const unsupported = { code: 'ERR_NOT_SUPPORTED_BY_SERVER' };
    await expect(client.publish('a', '', { qos: 2 })).rejects.toMatchObject({
      name: 'PublishError',
      ...unsupported,
    });
    await expect(client.publish('a', '', { retain: true })).rejects.toMatchObject(unsupported);
    await expect(client.subscribe('a/#')).rejects.toMatchObject({ name: 'MotemqError', ...unsupported });
    await expect(client.subscribe('+')).rejects.toMatchObject(unsupported);
    await expect(client.subscribe('$share/g/a')).rejects.toMatchObject(unsupported);
    await expect(client.subscribe(['a', 'b/+'])).rejects.toMatchObject(unsupported);
    await client.subscribe('a');
    await client.publish('a', '', { qos: 1 });
    const packets = receivedOn(server.connections[0]);
    expect(packets.map(({ type }) => type)).toEqual(['CONNECT', 'SUBSCRIBE', 'PUBLISH']);
    expect(packets[1]).not.toHaveProperty('properties.subscriptionIdentifiers');
  });

  it('is not sent what waited for it and it cannot do', async () => {
    const server = await serve({
      answer: ({ type }, { index }) =>
        type === 'CONNECT' && index > 0
          ? bytesOf({ type: 'CONNACK', properties: { maximumQos: 0, retainAvailable: 0 } })
          : undefined,
    });
    const client = await connectedTo(server, { reconnect: { firstMs: 5, maximumMs: 5 } });
    const gone = new Promise((resolve) => client.once('disconnect', resolve));
    server.connections[0].reset();
    await gone;
    const unsupported = { code: 'ERR_NOT_SUPPORTED_BY_SERVER' };
    const outcomes = [
      expect(client.publish('a', '1', { qos: 1 })).rejects.toMatchObject(unsupported),
      expect(client.publish('a', '2', { qos: 2 })).rejects.toMatchObject(unsupported),
      expect(client.publish('a', 'r', { retain: true })).rejects.toMatchObject(unsupported),
      expect(client.publish('a', '0')).resolves.toMatchObject({ reasonCode: 0 }),
    ];
    await Promise.all(outcomes);
    await eventually(() => ofType(receivedOn(server.connections[1]), 'PUBLISH').length === 1, {
      what: 'PUBLISH',
    });
  });

  it('refuses messages, and who published them is told why', async () => {
    const server = await serve({
      answer: (packet) => {
        if (packet.type !== 'PUBLISH' || packet.qos === 0) return undefined;
        const { qos, packetId = 0 } = packet;
        const reasonCode = Number(Buffer.from(packet.payload!, 'hex').toString());
        return bytesOf({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId, reasonCode });
      },
    });
    const client = await connectedTo(server);
    for (const [reasonCode, name] of [
      [0x80, 'Unspecified error'],
      [0x87, 'Not authorized'],
      [0x90, 'Topic Name invalid'],
      [0x91, 'Packet Identifier in use'],
      [0x97, 'Quota exceeded'],
      [0x99, 'Payload format invalid'],
    ] as const) {
      for (const qos of [1, 2] as const) {
        await expect(client.publish('a', String(reasonCode), { qos })).rejects.toMatchObject({
          name: 'PublishError',
          code: 'ERR_PUBLISH_REFUSED',
          reasonCode,
          message: `the server refused: ${name}`,
        });
      }
    }
    expect(await client.publish('a', '16', { qos: 1 })).toEqual({
      reasonCode: 0x10,
      reasonName: 'No matching subscribers',
    });
    // QoS 2 goes on after a PUBREC that is good news, and its result is PUBCOMP's.
    expect(await client.publish('a', '16', { qos: 2 })).toMatchObject({ reasonCode: expect.any(Number) });
    expect(ofType(receivedOn(server.connections[0]), 'PUBREL')).toHaveLength(1);
    expect(client.isConnected).toBe(true);
  });
});
