/**
 * Requests and their answers through real brokers: by response topic and correlation data in MQTT 5.0, by an agreed
 * topic in 3.1.1; answers that do not come, and requests that nobody waits for any more.
 */
import { expect, it } from 'vitest';
import type { RequestOptions } from '../../targets/node/index.ts';
import { eventually } from '../support/wait.ts';
import { describeEveryBroker, freshName, packetsOf } from './matrix.ts';
import type { Ground } from './matrix.ts';

/** How this protocol asks: 3.1.1 needs to say where the answer goes. */
function asking(ground: Ground, topic: string, options: RequestOptions = {}): RequestOptions {
  return ground.isV5 ? options : { replyTopic: `${topic}/reply`, ...options };
}

describeEveryBroker('requests', {}, (ground) => {
  it.each([0, 1, 2] as const)('are answered, QoS %i [MQTT-3.3.2-15] [MQTT-3.3.2-16]', async (qos) => {
    const topic = freshName('request');
    const server = await ground.connect();
    const replyTopic = `${topic}/reply`;
    await server.respond(
      topic,
      (request) => `${request.text()}?`,
      ground.isV5 ? { qos } : { qos, replyTopic },
    );
    const client = await ground.connect();
    const options = asking(ground, topic, { qos });
    expect((await client.request(topic, 'one', options)).text()).toBe('one?');
    expect((await client.request(topic, 'two', options)).text()).toBe('two?');
  });

  it('many at once are answered each with its own, on one subscription', async () => {
    const topic = freshName('request');
    const server = await ground.connect();
    await server.respond(topic, ({ payload }) => payload, { replyTopic: `${topic}/reply` });
    const proxy = await ground.proxy();
    const client = await ground.connect({}, proxy.port);
    const texts = Array.from({ length: 100 }, (_, i) => String(i));
    const answers = await Promise.all(
      texts.map((text) => client.request(topic, text, asking(ground, topic, { qos: 1 }))),
    );
    expect(answers.map((answer) => answer.text())).toEqual(texts);
    expect(packetsOf(proxy, 'toServer', 'SUBSCRIBE')).toHaveLength(1);
  });

  it('are answered in whatever order, and by responders that take their time', async () => {
    const topic = freshName('request');
    const server = await ground.connect();
    const held: (() => void)[] = [];
    await server.respond(
      `${topic}/+`,
      async (request) => {
        await new Promise<void>((resolve) => held.push(resolve));
        return request.text();
      },
      { replyTopic: (request) => `${request.topicName}/reply` },
    );
    const client = await ground.connect();
    const ask = (name: string) =>
      client.request(`${topic}/${name}`, name, asking(ground, `${topic}/${name}`));
    const answers = ['a', 'b', 'c'].map(ask);
    await eventually(() => held.length === 3, { what: 'all requests' });
    for (const answer of held.reverse()) answer();
    expect((await Promise.all(answers)).map((answer) => answer.text())).toEqual(['a', 'b', 'c']);
  });

  it('without an answer end in time, and a late answer disturbs nobody', async () => {
    const topic = freshName('request');
    const client = await ground.connect();
    const options = asking(ground, topic, { timeoutMs: 20 });
    await expect(client.request(topic, 'x', options)).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'ERR_REQUEST_TIMEOUT',
      message: expect.stringContaining(topic),
    });
    const server = await ground.connect();
    await server.respond(topic, () => 'late', { replyTopic: `${topic}/reply` });
    expect((await client.request(topic, 'y', { ...options, timeoutMs: 5000 })).text()).toBe('late');
  });

  it('end when their signal says so, with its reason, and leave nothing behind', async () => {
    const topic = freshName('request');
    const client = await ground.connect();
    const aborted = AbortSignal.abort(new Error('never mind'));
    const options = asking(ground, topic, { signal: aborted });
    await expect(client.request(topic, 'x', options)).rejects.toThrow('never mind');
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const timedOut = client.request(topic, 'x', { ...options, signal, timeoutMs: 5 });
    await expect(timedOut).rejects.toMatchObject({ code: 'ERR_REQUEST_TIMEOUT' });
    const waiting = client.request(topic, 'x', { ...options, signal });
    expect(listeners).toBe(1);
    controller.abort(new Error('changed my mind'));
    await expect(waiting).rejects.toThrow('changed my mind');
    expect(listeners).toBe(0);
  });

  it('are answered over a connection that was lost in between', async () => {
    const topic = freshName('request');
    const server = await ground.connect();
    await server.respond(topic, ({ payload }) => payload, { replyTopic: `${topic}/reply` });
    const proxy = await ground.proxy();
    const client = await ground.connect(ground.lasting(), proxy.port);
    await client.request(topic, 'x', asking(ground, topic));
    const cut = proxy.cutNext('toServer', 'PUBLISH', 'cutAfter');
    const answer = client.request(topic, 'y', asking(ground, topic, { qos: 2 }));
    await cut;
    expect((await answer).text()).toBe('y');
  });

  it('end with the client', async () => {
    const topic = freshName('request');
    const client = await ground.connect();
    const waiting = client.request(topic, 'x', asking(ground, topic));
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await client.disconnect();
    await outcome;
    await expect(client.request(topic, 'x', asking(ground, topic))).rejects.toMatchObject({
      code: 'ERR_CLOSED',
    });
  });

  it('a responder that fails is told of as an error of the client', async () => {
    const topic = freshName('request');
    const server = await ground.connect();
    const errors: Error[] = [];
    server.on('error', (error) => errors.push(error));
    await server.respond(
      topic,
      () => {
        throw new Error('no idea');
      },
      { replyTopic: `${topic}/reply` },
    );
    await server.respond(`${topic}/none`, () => 'to nobody');
    const client = await ground.connect();
    await client.publish(`${topic}/none`, 'without a response topic', { qos: 1 });
    await eventually(() => errors.length === 1, { what: 'the first error' });
    expect(errors[0]).toMatchObject({ code: 'ERR_NO_RESPONSE_TOPIC' });
    const failing = client.request(topic, 'x', asking(ground, topic, { timeoutMs: 5000 }));
    const outcome = expect(failing).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await eventually(() => errors.length === 2, { what: 'the second error' });
    expect(errors[1].message).toBe('no idea');
    client.destroy();
    await outcome;
  });
});

describeEveryBroker(
  'requests of MQTT 5.0',
  {},
  (ground) => {
    it('take the topic for answers that the application names, and send its properties', async () => {
      const topic = freshName('request');
      const server = await ground.connect();
      const seen: unknown[] = [];
      await server.respond(topic, ({ properties }) => {
        seen.push(properties.responseTopic, properties.contentType, properties.correlationData?.length);
        return 'answer';
      });
      const client = await ground.connect();
      const answer = await client.request(topic, 'x', {
        replyTopic: `${topic}/mine`,
        contentType: 'text/plain',
      });
      expect(answer.topicName).toBe(`${topic}/mine`);
      expect(seen).toEqual([`${topic}/mine`, 'text/plain', 8]);
    });
  },
  { protocol: '5.0' },
);
