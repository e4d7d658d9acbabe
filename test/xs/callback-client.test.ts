/**
 * Session, line, sockets and callback client as they ship, in a machine of an ESP32's size, over real TCP against real
 * brokers.
 */
import { expect, it } from 'vitest';
import {
  SOON,
  collect,
  describeEveryBroker,
  freshName,
  packetsOf,
  textsOf,
  untilCount,
  type Ground,
} from '../brokers/matrix.ts';
import { eventually } from '../support/wait.ts';
import { Checksum, patternAt } from './pattern.ts';
import { Remote } from './remote.ts';

const V5 = 5;
const V3_1_1 = 4;
const OK = 0;
const NO_MATCHING_SUBSCRIBERS = 0x10;
const CAUSE_TRANSPORT = 4;
const CAUSE_PING_TIMEOUT = 7;

const LARGE_BYTES = 20_000;
const LARGE = Uint8Array.from({ length: LARGE_BYTES }, (_, i) => patternAt(i));

async function start(ground: Ground): Promise<Remote> {
  const remote = await Remote.start('test/xs/guest/callback-app.ts', { uses: ['core'] });
  ground.after(() => remote.stop());
  return remote;
}

async function open(
  ground: Ground,
  options: Record<string, unknown> = {},
  port = ground.broker.tcpPort,
): Promise<Remote> {
  const remote = await start(ground);
  const protocolVersion = ground.isV5 ? V5 : V3_1_1;
  const clientId = freshName('xs');
  const status = await remote.call(
    'open',
    { host: '127.0.0.1', port },
    { protocolVersion, clientId, reconnect: SOON, ...options },
  );
  expect(status).toBe(OK);
  expect(await remote.next('connected')).toEqual([0]);
  return remote;
}

async function subscribe(remote: Remote, filter: string, qos: number): Promise<void> {
  expect(await remote.call('subscribe', filter, qos)).toBeGreaterThan(0);
  expect(await remote.next('subscribed')).toEqual([OK, qos]);
}

describeEveryBroker('an XS machine with the callback client', {}, (ground) => {
  it('publishes at QoS 0, 1 and 2', async () => {
    const topic = freshName('out');
    const messages = await collect(await ground.connect(), topic, { qos: 2 });
    const remote = await open(ground);
    expect(await remote.call('publish', topic, 'zero', 0, false)).toBe(0);
    for (const [qos, text] of [
      [1, 'one é€😀'],
      [2, 'two'],
    ] as const) {
      expect(await remote.call('publish', topic, text, qos, false)).toBeGreaterThan(0);
      expect(await remote.next('published')).toEqual([OK, 0]);
    }
    await untilCount(messages, 3);
    expect(textsOf(messages)).toEqual(['zero', 'one é€😀', 'two']);
    expect(messages.map(({ qos }) => qos)).toEqual([0, 1, 2]);
  });

  it('receives at QoS 0, 1 and 2 what it subscribes to, until it unsubscribes', async () => {
    const topic = freshName('in');
    const remote = await open(ground);
    await subscribe(remote, `${topic}/+`, 2);
    const peer = await ground.connect();
    for (const qos of [0, 1, 2] as const) {
      await peer.publish(`${topic}/${qos}`, `m${qos}`, { qos });
      expect(await remote.next('message')).toMatchObject([
        { topic: `${topic}/${qos}`, qos, retain: 0, text: `m${qos}`, fragments: 1 },
      ]);
    }
    expect(await remote.call('unsubscribe', `${topic}/+`)).toBeGreaterThan(0);
    expect(await remote.next('unsubscribed')).toEqual([OK, 0]);
    await subscribe(remote, `${topic}/0`, 0);
    await peer.publish(`${topic}/1`, 'not wanted', { qos: 1 });
    await peer.publish(`${topic}/0`, 'wanted');
    expect(await remote.next('message')).toMatchObject([{ text: 'wanted' }]);
    expect(remote.all('message')).toEqual([]);
  });

  it('has a retained message kept, and gets one', async () => {
    const topic = freshName('retained');
    const remote = await open(ground);
    await remote.call('publish', topic, 'kept', 1, true);
    await remote.next('published');
    await subscribe(remote, topic, 1);
    expect(await remote.next('message')).toMatchObject([{ topic, text: 'kept', retain: 1, qos: 1 }]);
    await remote.call('publish', topic, '', 1, true);
    expect(await remote.next('published')).toEqual([OK, 0]);
  });

  it.each([0, 1, 2] as const)(
    'receives a payload forty times its window in fragments, QoS %i',
    async (qos) => {
      const topic = freshName('large');
      const remote = await open(ground);
      await subscribe(remote, topic, 2);
      await (await ground.connect()).publish(topic, LARGE, { qos });
      const [message] = await remote.next('message');
      const checksum = new Checksum();
      checksum.add(LARGE);
      expect(message).toMatchObject({ topic, qos, byteLength: LARGE_BYTES, checksum: checksum.value() });
      expect(message.fragments).toBeGreaterThanOrEqual(40);
      // The connection goes on.
      await remote.call('publish', topic, 'after', 1, false);
      expect(await remote.next('message')).toMatchObject([{ text: 'after' }]);
    },
  );

  it('sends a payload forty times its buffers in pieces', async () => {
    const topic = freshName('large');
    const messages = await collect(await ground.connect(), topic);
    const remote = await open(ground);
    expect(await remote.call('publishLarge', topic, LARGE_BYTES)).toBe(0);
    await remote.next('sent');
    await untilCount(messages, 1);
    expect(Buffer.compare(messages[0].payload, LARGE)).toBe(0);
  });

  it('keeps what it published while the server is away, and subscribes again at one that knows nothing', async () => {
    const topic = freshName('away');
    const proxy = await ground.proxy();
    const remote = await open(ground, {}, proxy.port);
    await subscribe(remote, `${topic}/in`, 1);
    proxy.refuse(true);
    proxy.cutAll();
    expect((await remote.next('disconnected'))[0]).toBe(CAUSE_TRANSPORT);
    for (let i = 0; i < 5; i++) {
      expect(await remote.call('publish', `${topic}/out`, `m${i}`, 1, true)).toBeGreaterThan(0);
    }
    expect(await remote.call('isConnected')).toBe(false);
    await ground.broker.restart();
    proxy.refuse(false);
    expect(await remote.next('connected')).toEqual([0]);
    // aedes alone does not say that nobody subscribes to it.
    const codes = ground.isV5 && !ground.isAedes ? [OK, NO_MATCHING_SUBSCRIBERS] : [OK, 0];
    for (let i = 0; i < 5; i++) expect(await remote.next('published')).toEqual(codes);
    const peer = await ground.connect();
    const messages = await collect(peer, `${topic}/out`, { qos: 1 });
    await untilCount(messages, 1);
    expect(textsOf(messages)).toEqual(['m4']);
    await eventually(
      async () => {
        await peer.publish(`${topic}/in`, 'back', { qos: 1 });
        return remote.all('message').length > 0;
      },
      { what: 'a message on the subscription made again', withinMs: 10_000 },
    );
    expect(remote.all('error')).toEqual([]);
  });

  it('goes on with its session after the connection was cut in the middle of things', async () => {
    const topic = freshName('cut');
    const proxy = await ground.proxy();
    const messages = await collect(await ground.connect(), topic, { qos: 2 });
    const kept = ground.isV5 ? { sessionExpirySeconds: 600 } : {};
    const remote = await open(ground, { cleanStart: false, ...kept }, proxy.port);
    // aedes keeps no session without a subscription.
    await subscribe(remote, `${topic}/other`, 1);
    for (const type of ['PUBLISH', 'PUBREL'] as const) {
      const cut = proxy.cutNext('toServer', type, 'cutAfter');
      await remote.call('publish', topic, type, 2, false);
      await cut;
      expect(await remote.next('connected')).toEqual([1]);
      expect(await remote.next('published')).toEqual([OK, 0]);
    }
    await untilCount(messages, 2);
    expect(textsOf(messages)).toEqual(['PUBLISH', 'PUBREL']);
  });

  it('keeps a quiet connection alive, and finds out when it is dead', async () => {
    const proxy = await ground.proxy();
    const remote = await open(ground, { keepAliveSeconds: 1, pingTimeoutMs: 1000 }, proxy.port);
    const pings = (): number => packetsOf(proxy, 'toClient', 'PINGRESP', 0).length;
    await eventually(() => pings() >= 2, { what: 'two answers to pings', withinMs: 10_000 });
    expect(remote.all('disconnected')).toEqual([]);
    proxy.stall();
    expect((await remote.next('disconnected'))[0]).toBe(CAUSE_PING_TIMEOUT);
    proxy.resume();
    expect(await remote.next('connected')).toEqual([0]);
  });

  it('says goodbye', async () => {
    const proxy = await ground.proxy();
    const remote = await open(ground, {}, proxy.port);
    expect(await remote.call('disconnect')).toBe(OK);
    await remote.next('disconnected');
    await eventually(() => proxy.openCount() === 0, { what: 'the end of the connection' });
    expect(packetsOf(proxy, 'toServer', 'DISCONNECT')).toHaveLength(1);
    expect(await remote.call('isConnected')).toBe(false);
  });

  it('leaves no more in its heap after a thousand messages than after a hundred', async () => {
    const topic = freshName('many');
    const messages = await collect(await ground.connect(), topic, { qos: 1 });
    const remote = await open(ground);
    await subscribe(remote, topic, 1);
    const exchange = async (): Promise<[slots: number, chunkBytes: number]> => {
      messages.length = 0;
      for (let sent = 0; sent < 100;) {
        sent += await remote.call('publishMany', topic, Math.min(10, 100 - sent), 1);
        await untilCount(messages, sent);
      }
      for (let i = 0; i < 100; i++) await remote.next('message');
      const { slots, chunkBytes } = await remote.machine.collect();
      return [slots, chunkBytes];
    };
    const first = await exchange();
    for (let round = 0; round < 8; round++) await exchange();
    expect(await exchange()).toEqual(first);
  });
});
