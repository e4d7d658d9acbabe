/**
 * Requests and their answers over publish and subscribe, on both sides.
 */
import { describe, expect, it } from 'vitest';
import type { PublishObject } from '../../src/packets/inspect.ts';
import { TimeoutError } from '../../targets/node/index.ts';
import type { RequestOptions, Responder } from '../../targets/node/index.ts';
import { afterIo } from '../support/wait.ts';
import { connected, eventOf, failureOf, hexOf, soon } from './played-server.ts';
import type { Pair, Peer } from './played-server.ts';

/** The answer to `request`, to be sent. */
function answerTo(request: PublishObject, text: string): PublishObject {
  const { responseTopic, correlationData } = request.properties!;
  return {
    type: 'PUBLISH',
    topicName: responseTopic!,
    payload: hexOf(text),
    properties: { correlationData },
  };
}

/** Makes a first request, whose subscription is granted. */
async function asking(pair: Pair, options: RequestOptions = {}) {
  const { client, peer } = pair;
  const answer = client.request('service', 'question', options);
  answer.catch(() => {});
  const subscribe = await peer.grant();
  return { answer, subscribe, request: await peer.next('PUBLISH') };
}

describe('a request', () => {
  it('names a topic of the client’s own, and resolves with what comes there [MQTT-3.3.2-15]', async () => {
    const pair = await connected();
    const { answer, subscribe, request } = await asking(pair, { qos: 0, contentType: 'x' });
    const { responseTopic, correlationData, contentType } = request.properties!;
    expect(subscribe.subscriptions).toMatchObject([{ topicFilter: responseTopic }]);
    expect([responseTopic?.startsWith('motemq/reply/c/'), contentType]).toEqual([true, 'x']);
    expect(correlationData).toMatch(/^[0-9a-f]{16}$/);
    await pair.peer.send(answerTo(request, 'answer'));
    expect((await soon(answer, 'the answer')).text()).toBe('answer');
  });

  it('begins the topic with what the server said in CONNACK', async () => {
    const pair = await connected(
      { requestResponseInformation: true },
      { responseInformation: 'replies/here' },
    );
    const { request } = await asking(pair);
    expect(request.properties?.responseTopic).toMatch(/^replies\/here\/c\//);
  });

  it('finds its own answer among others, whatever their order; one subscription serves all', async () => {
    const pair = await connected();
    const { client, peer } = pair;
    const first = await asking(pair);
    const later = ['a', 'b', 'c'].map((text) => client.request('service', text));
    const requests = [first.request];
    while (requests.length < 4) requests.push(await peer.next('PUBLISH'));
    const own = requests[0].properties!.responseTopic!;
    await peer.publish(own, 'without correlation data');
    await peer.publish(own, 'of nobody', { correlationData: 'ff' });
    for (const request of [...requests].reverse()) {
      await peer.send(answerTo(request, Buffer.from(request.payload!, 'hex').toString() + '!'));
    }
    const texts = await soon(Promise.all([first.answer, ...later]), 'all answers');
    expect(texts.map((message) => message.text())).toEqual(['question!', 'a!', 'b!', 'c!']);
    expect(peer.receivedTypes.filter((type) => type === 'SUBSCRIBE')).toHaveLength(1);
  });

  it('rejects when no answer comes in time; one that is late or comes twice is ignored', async () => {
    const pair = await connected();
    const { client, peer } = pair;
    const { answer, request } = await asking(pair, { timeoutMs: 15 });
    const error = await failureOf(answer);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({
      code: 'ERR_REQUEST_TIMEOUT',
      message: 'no answer to service within 15 ms',
    });
    await peer.send(answerTo(request, 'late'), answerTo(request, 'twice'));
    const second = client.request('service', 'again');
    const next = await peer.next('PUBLISH');
    await peer.send(answerTo(request, 'late'), answerTo(next, 'good'), answerTo(next, 'twice'));
    expect((await soon(second, 'the answer')).text()).toBe('good');
  });

  it('rejects with the reason of its signal, before or after it is sent', async () => {
    const pair = await connected();
    const stop = new AbortController();
    const { answer, request } = await asking(pair, { signal: stop.signal });
    const reason = Object.assign(new Error('enough'), { code: 'ERR_MINE' });
    stop.abort(reason);
    expect(await failureOf(answer)).toBe(reason);
    await pair.peer.send(answerTo(request, 'late'));
    expect(await failureOf(pair.client.request('service', '', { signal: stop.signal }))).toBe(reason);
    await afterIo();
    expect(pair.peer.receivedTypes).toEqual(['CONNECT', 'SUBSCRIBE', 'PUBLISH']);
  });

  it('rejects when its subscription or its message is refused, and the next one tries again', async () => {
    const { client, peer } = await connected();
    const refused = failureOf(client.request('service', ''));
    const { packetId } = await peer.next('SUBSCRIBE');
    await peer.send({ type: 'SUBACK', packetId, reasonCodes: [0x87] });
    await peer.send({
      type: 'UNSUBACK',
      packetId: (await peer.next('UNSUBSCRIBE')).packetId,
      reasonCodes: [0],
    });
    expect(await refused).toMatchObject({ code: 'ERR_SUBSCRIBE_REFUSED' });
    const second = failureOf(client.request('service', '', { qos: 1 }));
    await peer.grant();
    const request = await peer.next('PUBLISH');
    await peer.send({ type: 'PUBACK', packetId: request.packetId!, reasonCode: 0x87 });
    expect(await second).toMatchObject({ code: 'ERR_PUBLISH_REFUSED', reasonCode: 0x87 });
  });

  it('rejects when the client is closed', async () => {
    const pair = await connected();
    const { answer } = await asking(pair);
    await pair.client.disconnect();
    expect(await failureOf(answer)).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('of 3.1.1 takes the first message on its reply topic; the oldest request gets it', async () => {
    const pair = await connected({ protocol: '3.1.1' });
    const first = await asking(pair, { replyTopic: 'r' });
    expect(first.request.properties).toBeUndefined();
    const second = pair.client.request('service', '2', { replyTopic: 'r' });
    await pair.peer.next('PUBLISH');
    for (const text of ['one', 'two', 'three']) await pair.peer.publish('r', text);
    expect((await soon(first.answer, 'one')).text()).toBe('one');
    expect((await soon(second, 'two')).text()).toBe('two');
  });
});

describe('a responder', () => {
  async function responding(responder: Responder, options = {}, protocol: '5.0' | '3.1.1' = '5.0') {
    const pair = await connected({ protocol });
    const subscribing = pair.client.respond('service/+', responder, options);
    const subscribe = await pair.peer.grant();
    return { ...pair, subscribe, subscription: await soon(subscribing, 'SUBACK') };
  }

  const ask = (peer: Peer, text: string): Promise<void> =>
    peer.publish('service/1', text, { responseTopic: 'back', correlationData: '0102' });

  it('answers where the request says, with its correlation data', async () => {
    const { peer, subscribe } = await responding(async (request) => `${request.text()}!`);
    expect(subscribe.subscriptions).toMatchObject([{ topicFilter: 'service/+', qos: 1 }]);
    await ask(peer, 'hello');
    const answer = await peer.next('PUBLISH');
    expect(answer).toMatchObject({ topicName: 'back', qos: 1, payload: hexOf('hello!') });
    expect(answer.properties).toEqual({ correlationData: '0102' });
  });

  it('that throws, or rejects, is an error event; the next request is answered', async () => {
    const mistake = new Error('mine');
    const { client, peer } = await responding(({ topicName, payload }) => {
      if (payload.length === 1) throw mistake;
      return payload.length === 2 ? Promise.reject(mistake) : topicName;
    });
    for (const text of ['1', '22']) {
      const told = eventOf(client, 'error');
      await ask(peer, text);
      expect(await told).toBe(mistake);
    }
    await ask(peer, '333');
    expect(await peer.next('PUBLISH')).toMatchObject({ payload: hexOf('service/1') });
    expect(peer.receivedTypes.filter((type) => type === 'PUBLISH')).toHaveLength(1);
  });

  it('that nobody listens to errors of fails in silence', async () => {
    const { peer } = await responding(({ payload }) => {
      if (payload.length === 1) throw new Error('mine');
      return 'fine';
    });
    await ask(peer, '1');
    await ask(peer, '22');
    expect(await peer.next('PUBLISH')).toMatchObject({ payload: hexOf('fine') });
  });

  it('without a response topic needs one of its own', async () => {
    const { client, peer } = await responding(() => 'x');
    const told = eventOf(client, 'error');
    await peer.publish('service/1', 'where to?');
    expect(await told).toMatchObject({ code: 'ERR_NO_RESPONSE_TOPIC', name: 'MotemqError' });
  });

  it('of 3.1.1 answers on replyTopic, which may depend on the request; a bad one is an error event', async () => {
    const replyTopic = ({ topicName }: { topicName: string }): string => topicName.replace('service', 'back');
    const { client, peer } = await responding(() => 'x', { replyTopic, qos: 0 }, '3.1.1');
    await peer.publish('service/7');
    expect(await peer.next('PUBLISH')).toMatchObject({ topicName: 'back/7', payload: '78' });
    const bad = await responding(() => 'x', { replyTopic: '#' });
    const told = eventOf(bad.client, 'error');
    await bad.peer.publish('service/1');
    expect(await told).toMatchObject({ code: 'ERR_INVALID_TOPIC', name: 'InvalidTopicError' });
    expect(client.isConnected).toBe(true);
  });
});
