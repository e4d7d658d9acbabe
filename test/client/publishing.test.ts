/**
 * How a publish ends: with the server's answer, or with why there is none; and what the server's limits do to it.
 */
import { describe, expect, it } from 'vitest';
import { afterIo } from '../support/wait.ts';
import { PublishError } from '../../targets/node/index.ts';
import type { Client, PublishOptions } from '../../targets/node/index.ts';
import { clientOf, connected, failureOf, hexOf, serve, soon } from './played-server.ts';
import type { Peer } from './played-server.ts';

const SUCCESS = { reasonCode: 0, reasonName: 'Success' };

/** Both ways to publish and be told how it went. */
const WAYS: [string, (client: Client, options: PublishOptions) => ReturnType<Client['publish']>][] = [
  ['publish', (client, options) => client.publish('t', 'x', options)],
  ['topic().publishSettled', (client, options) => client.topic('t', options).publishSettled('x')],
];

const codeOf = (error: unknown): string => (error as PublishError).code;

async function acknowledge(peer: Peer, type: 'PUBACK' | 'PUBREC' | 'PUBCOMP', packetId = 0, reasonCode = 0) {
  await peer.send({ type, packetId, reasonCode });
}

describe.each(WAYS)('%s', (_, publish) => {
  it('of QoS 0 resolves without an answer [MQTT-4.3.1-1]', async () => {
    const { client, peer } = await connected();
    expect(await soon(publish(client, {}), 'the publish')).toEqual(SUCCESS);
    expect(await peer.next('PUBLISH')).toMatchObject({ topicName: 't', payload: '78' });
  });

  it.each([
    [0x00, 'Success'],
    [0x10, 'No matching subscribers'],
  ])('of QoS 1 resolves with the PUBACK 0x%x [MQTT-4.3.2-2]', async (reasonCode, reasonName) => {
    const { client, peer } = await connected();
    const publishing = publish(client, { qos: 1 });
    const packet = await peer.next('PUBLISH');
    expect(packet).toMatchObject({ qos: 1, packetId: 1 });
    await acknowledge(peer, 'PUBACK', 1, reasonCode);
    expect(await soon(publishing, 'PUBACK')).toEqual({ reasonCode, reasonName });
  });

  it('of QoS 1 rejects when the server refuses', async () => {
    const { client, peer } = await connected();
    const publishing = failureOf(publish(client, { qos: 1 }));
    await peer.next('PUBLISH');
    await acknowledge(peer, 'PUBACK', 1, 0x87);
    const error = await publishing;
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ code: 'ERR_PUBLISH_REFUSED', reasonCode: 0x87 });
    expect(error.message).toBe('the server refused: Not authorized');
  });

  it('of QoS 2 resolves at PUBCOMP, or rejects at PUBREC [MQTT-4.3.3-4]', async () => {
    const { client, peer } = await connected();
    const publishing = publish(client, { qos: 2 });
    await peer.next('PUBLISH');
    await acknowledge(peer, 'PUBREC', 1, 0x10);
    await peer.next('PUBREL');
    await acknowledge(peer, 'PUBCOMP', 1);
    expect(await soon(publishing, 'PUBCOMP')).toMatchObject({ reasonCode: 0 });
    const refused = failureOf(publish(client, { qos: 2 }));
    const { packetId } = await peer.next('PUBLISH');
    await acknowledge(peer, 'PUBREC', packetId, 0x97);
    expect(await refused).toMatchObject({ code: 'ERR_PUBLISH_REFUSED', reasonCode: 0x97 });
    expect(peer.receivedTypes.filter((type) => type === 'PUBREL')).toHaveLength(1);
  });

  it('has retain and properties on the wire', async () => {
    const { client, peer } = await connected();
    await publish(client, {
      retain: true,
      messageExpirySeconds: 60,
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'r',
      correlationData: Uint8Array.of(1, 2),
      userProperties: [['a', 'b'], ['a', 'c']], // prettier-ignore
    });
    expect(await peer.next('PUBLISH')).toMatchObject({
      retain: true,
      properties: {
        messageExpiryInterval: 60,
        payloadFormatIndicator: 1,
        contentType: 'text/plain',
        responseTopic: 'r',
        correlationData: '0102',
        userProperties: [['a', 'b'], ['a', 'c']], // prettier-ignore
      },
    });
  });

  it('what the server announced not to take is refused here [MQTT-3.2.2-11], [MQTT-3.2.2-14]', async () => {
    const { client } = await connected({}, { maximumQos: 1, retainAvailable: 0 });
    for (const options of [{ qos: 2 }, { retain: true }] as const) {
      const error = await failureOf(publish(client, options));
      expect(error).toBeInstanceOf(PublishError);
      expect(error.code).toBe('ERR_NOT_SUPPORTED_BY_SERVER');
    }
  });
});

describe('a client', () => {
  it("copies a payload before the call returns, and takes Topic.publish's length", async () => {
    const { client, peer } = await connected();
    const payload = Buffer.from('abcdef');
    const topic = client.topic('t', { qos: 1 });
    const publishing = client.publish('t', payload, { qos: 1 });
    topic.publish(payload, 3);
    payload.fill(0);
    expect(await peer.next('PUBLISH')).toMatchObject({ payload: hexOf('abcdef') });
    expect(await peer.next('PUBLISH')).toMatchObject({ payload: hexOf('abc') });
    await acknowledge(peer, 'PUBACK', 1);
    await soon(publishing, 'PUBACK');
  });

  it('keeps what is published before it is connected, in order [MQTT-4.6.0-1]', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const waiting = ['a', 'b', 'c'].map((text, i) => client.publish('t', text, { qos: i === 1 ? 1 : 0 }));
    const peer = await nextPeer();
    await peer.accept();
    for (const text of ['a', 'b', 'c']) {
      expect(await peer.next('PUBLISH')).toMatchObject({ payload: hexOf(text) });
    }
    await acknowledge(peer, 'PUBACK', 1);
    expect(await soon(Promise.all(waiting), 'all of them')).toEqual([SUCCESS, SUCCESS, SUCCESS]);
  });

  it('keeps no QoS 0 with queueQos0 false', async () => {
    const { url } = await serve();
    const client = clientOf(url, { queueQos0: false });
    expect(await failureOf(client.publish('t', 'x'))).toMatchObject({ code: 'ERR_NOT_CONNECTED' });
  });

  it('sends no packet larger than the server takes [MQTT-3.2.2-15]', async () => {
    const { client, peer } = await connected({}, { maximumPacketSize: 30 });
    const fits = 'x'.repeat(30 - 2 - 3 - 1);
    await client.publish('t', fits);
    expect((await peer.next('PUBLISH')).payload).toBe(hexOf(fits));
    for (const qos of [0, 1, 2] as const) {
      const error = await failureOf(client.publish('t', fits + 'x', { qos }));
      expect(error).toBeInstanceOf(PublishError);
      expect(error.code).toBe('ERR_PACKET_TOO_LARGE');
    }
    expect(peer.receivedTypes).toEqual(['CONNECT', 'PUBLISH']);
  });

  it('drops what turns out too large for the server it meets', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const error = failureOf(client.publish('t', 'x'.repeat(100), { qos: 1 }));
    await (await nextPeer()).accept({ maximumPacketSize: 50 });
    expect(await error).toMatchObject({ code: 'ERR_PACKET_TOO_LARGE' });
  });

  it.each([1, 2] as const)(
    'keeps to Receive Maximum and Maximum Packet Size under 100 publishes of QoS %i at once [MQTT-3.3.4-7], [MQTT-4.9.0-2]',
    async (qos) => {
      const limit = 3;
      const { client, peer } = await connected({}, { receiveMaximum: limit, maximumPacketSize: 200 });
      const publishing = Array.from({ length: 100 }, (_, i) =>
        client.publish(`t/${i % 7}`, String(i), { qos }),
      );
      const payloads: (string | undefined)[] = [];
      const open: (number | undefined)[] = [];
      while (payloads.length < 100 || open.length > 0) {
        if (payloads.length < 100 && open.length < limit) {
          const { payload, packetId } = await peer.next('PUBLISH');
          payloads.push(payload);
          open.push(packetId);
          continue;
        }
        await afterIo();
        expect(peer.receivedTypes.filter((type) => type === 'PUBLISH')).toHaveLength(payloads.length);
        const packetId = open.shift();
        await acknowledge(peer, qos === 1 ? 'PUBACK' : 'PUBREC', packetId);
        if (qos === 1) continue;
        expect((await peer.next('PUBREL')).packetId).toBe(packetId);
        await acknowledge(peer, 'PUBCOMP', packetId);
      }
      await soon(Promise.all(publishing), 'all publishes');
      expect(payloads).toEqual(Array.from({ length: 100 }, (_, i) => hexOf(String(i))));
      for (const bytes of peer.connection.received) expect(bytes.length).toBeLessThanOrEqual(200);
    },
  );

  it('gives names aliases as the server allows, and the names come along once [MQTT-3.2.2-17]', async () => {
    const { client, peer } = await connected({}, { topicAliasMaximum: 1 });
    for (let i = 0; i < 3; i++) await client.publish('long/name', 'x');
    const packets = [await peer.next('PUBLISH'), await peer.next('PUBLISH'), await peer.next('PUBLISH')];
    expect(packets.map(({ topicName }) => topicName ?? '')).toEqual(['long/name', '', '']);
    expect(packets.map(({ properties }) => properties?.topicAlias)).toEqual([1, 1, 1]);
  });

  it('sends one of 300 KB whole', async () => {
    const { client, peer } = await connected();
    const payload = Buffer.alloc(300_000, 'abc');
    await soon(client.publish('t', payload), 'the publish');
    expect((await peer.next('PUBLISH')).payload).toBe(payload.toString('hex'));
  });
});

describe('an outbox that is full', () => {
  const TEXT = 'x'.repeat(100);

  it('refuses what is new, until there is room', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { outboxBytesMax: 1000 });
    const publishing: Promise<unknown>[] = [];
    const refused: number[] = [];
    for (let i = 0; i < 20; i++) {
      const one = client.publish('t', TEXT, { qos: i % 2 === 0 ? 0 : 1 });
      publishing.push(one.catch(() => refused.push(i)));
    }
    const last = await failureOf(client.publish('t', TEXT));
    expect(last).toBeInstanceOf(PublishError);
    expect(last).toMatchObject({
      code: 'ERR_NO_SPACE',
      message: expect.stringMatching(/the outbox is full/),
    });
    const count = 20 - refused.length;
    expect(count).toBeGreaterThanOrEqual(6);
    expect(refused).toEqual(Array.from({ length: 20 - count }, (_, i) => count + i));
    const peer = await nextPeer();
    await peer.accept();
    for (let i = 0; i < count; i++) {
      const { qos, packetId } = await peer.next('PUBLISH');
      if (qos === 1) await acknowledge(peer, 'PUBACK', packetId);
    }
    await soon(Promise.all(publishing), 'all publishes');
    expect(await client.publish('t', TEXT)).toEqual(SUCCESS);
  });

  it('drops the oldest QoS 0 when told to, and only then, and tells who published it', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { outboxBytesMax: 1000, overflow: 'drop-oldest-qos-0' });
    const told: string[] = [];
    const waiting: Promise<unknown>[] = [];
    const publish = (text: string, qos: 0 | 1): void => {
      const publishing = client.publish('t', text.padEnd(100), { qos });
      const tell = (outcome: string) => told.push(`${text} ${outcome}`);
      waiting.push(publishing.then(() => tell('sent'), (error: unknown) => tell(codeOf(error)))); // prettier-ignore
    };
    for (let i = 0; i < 10; i++) publish(`${i}`, i === 0 ? 1 : 0);
    const peer = await nextPeer();
    await peer.accept();
    const dropped = 2;
    const payloads: string[] = [];
    for (let i = dropped; i < 10; i++) {
      const { payload, qos, packetId } = await peer.next('PUBLISH');
      payloads.push(Buffer.from(payload!, 'hex').toString().trim());
      if (qos === 1) await acknowledge(peer, 'PUBACK', packetId);
    }
    await soon(Promise.all(waiting), 'all publishes');
    expect(payloads).toEqual(['0', '3', '4', '5', '6', '7', '8', '9']);
    expect(told.slice(0, dropped)).toEqual(['1 ERR_DROPPED', '2 ERR_DROPPED']);
    expect(told.slice(dropped).every((one) => one.endsWith(' sent'))).toBe(true);
  });

  it('drops nothing while it may still grow', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { overflow: 'drop-oldest-qos-0' });
    const publishing = Array.from({ length: 100 }, () => client.publish('t', TEXT));
    await (await nextPeer()).accept();
    expect(await soon(Promise.all(publishing), 'all publishes')).toHaveLength(100);
  });

  it('that holds nothing to drop refuses; a message larger than all of it is too large', async () => {
    const { url } = await serve();
    const client = clientOf(url, { outboxBytesMax: 300, overflow: 'drop-oldest-qos-0' });
    for (let i = 0; i < 2; i++) client.publish('t', TEXT, { qos: 1 }).catch(() => {});
    expect(await failureOf(client.publish('t', TEXT))).toMatchObject({ code: 'ERR_NO_SPACE' });
    expect(await failureOf(client.publish('t', TEXT + TEXT + TEXT))).toMatchObject({
      code: 'ERR_PACKET_TOO_LARGE',
    });
  });
});
