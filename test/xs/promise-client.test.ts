/**
 * The promise client as it ships, in a machine of an ESP32's size, over real TCP against real brokers.
 */
import { describe, expect, it } from 'vitest';
import { ESP32_HEAP } from '../../sim/xs/machine.ts';
import {
  SOON,
  collect,
  describeEveryBroker,
  freshName,
  textsOf,
  untilCount,
  type Ground,
} from '../brokers/matrix.ts';
import { freePort } from '../support/wait.ts';
import { Remote } from './remote.ts';

/** An ESP32's, but for the stack, which promises want to be deeper. */
const HEAP = { ...ESP32_HEAP, stack: 512 };

async function start(after: (step: () => unknown) => void): Promise<Remote> {
  const remote = await Remote.start('test/xs/guest/promise-app.ts', { uses: ['client'], heap: HEAP });
  after(() => remote.stop());
  return remote;
}

async function connect(
  ground: Ground,
  options: Record<string, unknown> = {},
  port = ground.broker.tcpPort,
): Promise<Remote> {
  const remote = await start((step) => {
    ground.after(step);
  });
  const clientId = freshName('xs');
  const all = { protocol: ground.protocol, clientId, reconnect: SOON, ...options };
  expect(await remote.call('connect', `mqtt://localhost:${port}`, all)).toBe(true);
  return remote;
}

describeEveryBroker('an XS machine with the promise client', {}, (ground) => {
  it('publishes at QoS 0, 1 and 2', async () => {
    const topic = freshName('out');
    const messages = await collect(await ground.connect(), topic, { qos: 2 });
    const remote = await connect(ground);
    for (const qos of [0, 1, 2]) {
      expect(await remote.call('publish', topic, `m${qos} é€😀`, { qos })).toMatchObject({ reasonCode: 0 });
    }
    await untilCount(messages, 3);
    expect(textsOf(messages)).toEqual(['m0 é€😀', 'm1 é€😀', 'm2 é€😀']);
    expect(messages.map(({ qos }) => qos)).toEqual([0, 1, 2]);
  });

  it('receives at QoS 0, 1 and 2, by a listener', async () => {
    const topic = freshName('in');
    const remote = await connect(ground);
    expect(await remote.call('subscribe', `${topic}/#`, { qos: 2 })).toEqual([2]);
    const peer = await ground.connect();
    for (const qos of [0, 1, 2] as const) {
      await peer.publish(`${topic}/${qos}`, `m${qos}`, { qos });
      const [message] = await remote.next('message');
      expect(message).toEqual({ topicName: `${topic}/${qos}`, qos, retain: false, text: `m${qos}` });
    }
    await remote.call('unsubscribe', `${topic}/#`);
  });

  it('receives by an iterator, and many at once', async () => {
    const topic = freshName('iterated');
    const remote = await connect(ground);
    const texts = remote.call('iterate', topic, 50, { qos: 1, bufferedMessagesMax: 4 });
    await remote.next('iterating');
    const peer = await ground.connect();
    const wanted = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    await Promise.all(wanted.map((text) => peer.publish(topic, text, { qos: 1 })));
    expect(await texts).toEqual(wanted);
  });

  it('publishes what it was given while the server was away, and subscribes again', async () => {
    const topic = freshName('away');
    const proxy = await ground.proxy();
    const remote = await connect(ground, {}, proxy.port);
    await remote.call('subscribe', `${topic}/in`, { qos: 1 });
    proxy.refuse(true);
    proxy.cutAll();
    await remote.next('disconnected');
    const done = remote.call('publish', `${topic}/out`, 'kept', { qos: 1, retain: true });
    await ground.broker.restart();
    proxy.refuse(false);
    expect(await done).toMatchObject({ reasonCode: expect.any(Number) as number });
    await remote.next('connected');
    const peer = await ground.connect();
    const messages = await collect(peer, `${topic}/out`, { qos: 1 });
    await untilCount(messages, 1);
    expect(textsOf(messages)).toEqual(['kept']);
    await remote.call('subscribe', `${topic}/marker`, { qos: 1 });
    await peer.publish(`${topic}/in`, 'back', { qos: 1 });
    expect(await remote.next('message')).toMatchObject([{ text: 'back' }]);
  });

  it('asks and answers', async () => {
    const topic = freshName('question');
    // 3.1.1 has to agree on where the answer goes.
    const replyTo = (replyTopic: string): { replyTopic?: string } => (ground.isV5 ? {} : { replyTopic });
    const remote = await connect(ground);
    const peer = await ground.connect();
    await remote.call('respond', topic, replyTo(`${topic}/reply`));
    expect((await peer.request(topic, 'here', replyTo(`${topic}/reply`))).text()).toBe('here!');
    await peer.respond(`${topic}/peer`, (request) => `${request.text()}?`, replyTo(`${topic}/answer`));
    const answer = await remote.call('request', `${topic}/peer`, 'there', replyTo(`${topic}/answer`));
    expect(answer).toBe('there?');
  });

  it('says goodbye when all is done', async () => {
    const topic = freshName('goodbye');
    const messages = await collect(await ground.connect(), topic, { qos: 1 });
    const remote = await connect(ground);
    const published = remote.call('publish', topic, 'last', { qos: 1 });
    await remote.call('disconnect');
    await published;
    await untilCount(messages, 1);
    await expect(remote.call('publish', topic, 'too late', { qos: 1 })).rejects.toMatchObject({
      code: 'ERR_CLOSED',
    });
  });

  it('leaves no more in its heap after many messages than after some', async () => {
    const topic = freshName('many');
    const remote = await connect(ground);
    await remote.call('subscribe', topic, { qos: 1 });
    const exchange = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) {
        await remote.call('publish', topic, `message ${i}`, { qos: 1 });
        await remote.next('message');
      }
      return (await remote.machine.collect()).slots;
    };
    const slots = await exchange(10);
    await exchange(40);
    // What is under way when it is looked at differs by a few.
    expect((await exchange(10)) - slots).toBeLessThan(40);
  });
});

describe('an XS machine with the promise client, alone', () => {
  it('rejects with what kept it from connecting', async () => {
    const steps: (() => unknown)[] = [];
    try {
      const remote = await start((step) => steps.push(step));
      const port = await freePort();
      await expect(
        remote.call('connect', `mqtt://127.0.0.1:${port}`, { clientId: 'a' }),
      ).rejects.toMatchObject({
        code: 'ERR_CONNECTION',
      });
      await expect(remote.call('connect', 'mqtt://broker.invalid', { clientId: 'a' })).rejects.toThrow(
        /broker\.invalid/,
      );
      await expect(remote.call('connect', 'mqtt://127.0.0.1', { keepAliveSeconds: -1 })).rejects.toThrow(
        /keepAliveSeconds/,
      );
    } finally {
      for (const step of steps) await step();
    }
  });
});
