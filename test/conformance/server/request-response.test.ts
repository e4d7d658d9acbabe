/**
 * Request and response over a server (4.10): what passes between a requester and those who answer, and Response
 * Information for those who ask for it (3.1.2.11.6, 3.2.2.3.15).
 */
import { expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import { takeMessages, textsOf } from './messages.ts';

/** Answers a request as 4.10.1 says: to its Response Topic, with its Correlation Data. */
async function answer(responder: Peer, request: PublishObject, text: string): Promise<void> {
  const { responseTopic, correlationData } = request.properties!;
  const properties = correlationData === undefined ? undefined : { correlationData };
  await responder.publish({ topicName: responseTopic, qos: 1, payload: hexOf(text), properties });
}

describeBroker('request and response', (broker) => {
  it('a response finds its request by Response Topic and Correlation Data [MQTT-3.3.2-15] [MQTT-3.3.2-16]', async () => {
    const [requestTopic, responseTopic] = [uniqueTopic(), uniqueTopic()];
    const responder = await Peer.connect(broker);
    await responder.subscribe(requestTopic, { qos: 1 });
    const requester = await Peer.connect(broker);
    await requester.subscribe(responseTopic, { qos: 1 });
    for (const correlationData of ['01', '02ff00']) {
      const properties = { responseTopic, correlationData };
      await requester.publish({ topicName: requestTopic, qos: 1, payload: hexOf('?'), properties });
    }
    const requests = await takeMessages(responder, 2);
    expect(requests.map(({ properties }) => properties)).toEqual([
      { responseTopic, correlationData: '01' },
      { responseTopic, correlationData: '02ff00' },
    ]);
    // The second is answered first.
    await answer(responder, requests[1], 'second');
    await answer(responder, requests[0], 'first');
    const responses = await takeMessages(requester, 2);
    expect(textsOf(responses)).toEqual(['second', 'first']);
    expect(responses.map(({ properties }) => properties)).toEqual([
      { correlationData: '02ff00' },
      { correlationData: '01' },
    ]);
  });

  it('each of several responders gets the whole request, and a request needs no Correlation Data [MQTT-3.3.2-15]', async () => {
    const [requestTopic, responseTopic] = [uniqueTopic(), uniqueTopic()];
    const responders = [await Peer.connect(broker), await Peer.connect(broker)];
    for (const responder of responders) await responder.subscribe(requestTopic, { qos: 2 });
    const requester = await Peer.connect(broker);
    await requester.subscribe(responseTopic, { qos: 1 });
    await requester.publish({ topicName: requestTopic, qos: 2, properties: { responseTopic } });
    for (const [index, responder] of responders.entries()) {
      const [request] = await takeMessages(responder, 1);
      expect(request.properties).toEqual({ responseTopic });
      await answer(responder, request, `responder ${index}`);
    }
    const responses = await takeMessages(requester, 2);
    expect(textsOf(responses)).toEqual(['responder 0', 'responder 1']);
    expect(responses.map(({ properties }) => properties)).toEqual([undefined, undefined]);
  });

  it('a response may ask back [MQTT-3.3.2-15]', async () => {
    const [requestTopic, responseTopic, backTopic] = [uniqueTopic(), uniqueTopic(), uniqueTopic()];
    const responder = await Peer.connect(broker);
    for (const topic of [requestTopic, backTopic]) await responder.subscribe(topic, { qos: 1 });
    const requester = await Peer.connect(broker);
    await requester.subscribe(responseTopic, { qos: 1 });
    await requester.publish({ topicName: requestTopic, qos: 1, properties: { responseTopic } });
    await takeMessages(responder, 1);
    const properties = { responseTopic: backTopic, correlationData: 'aa' };
    await responder.publish({ topicName: responseTopic, qos: 1, properties });
    const [response] = await takeMessages(requester, 1);
    expect(response.properties).toEqual(properties);
    await answer(requester, response, 'back');
    const [back] = await takeMessages(responder, 1);
    expect(textsOf([back])).toEqual(['back']);
    expect(back.properties).toEqual({ correlationData: 'aa' });
  });

  it('Response Information goes to nobody who did not ask for it [MQTT-3.1.2-28]', async () => {
    for (const requestResponseInformation of [undefined, 0]) {
      const peer = await Peer.connect(broker, { properties: { requestResponseInformation } });
      expect(peer.connack.properties ?? {}).not.toHaveProperty('responseInformation');
    }
  });
});

describeWith({ responseInformation: 'replies/%c' }, 'Response Information of our broker', (broker) => {
  it('goes to who asks for it, with the client’s own name in it (3.2.2.3.15)', async () => {
    const requester = await Peer.connect(broker, { properties: { requestResponseInformation: 1 } });
    const responseTopic = requester.connack.properties?.responseInformation;
    expect(responseTopic).toBe(`replies/${requester.clientId}`);
    // It is the basis of a Response Topic.
    const requestTopic = uniqueTopic();
    const responder = await Peer.connect(broker);
    await responder.subscribe(requestTopic, { qos: 1 });
    await requester.subscribe(responseTopic!, { qos: 1 });
    await requester.publish({ topicName: requestTopic, qos: 1, properties: { responseTopic } });
    const [request] = await takeMessages(responder, 1);
    await answer(responder, request, 'here');
    expect(textsOf(await takeMessages(requester, 1))).toEqual(['here']);
  });

  it('has the name that the server assigned where the client had none (3.2.2.3.15)', async () => {
    const properties = { requestResponseInformation: 1 };
    const requester = await Peer.connect(broker, { clientId: '', properties });
    expect(requester.clientId).not.toBe('');
    expect(requester.connack.properties?.responseInformation).toBe(`replies/${requester.clientId}`);
  });

  it('goes to nobody else [MQTT-3.1.2-28]', async () => {
    for (const requestResponseInformation of [undefined, 0]) {
      const peer = await Peer.connect(broker, { properties: { requestResponseInformation } });
      expect(peer.connack.properties ?? {}).not.toHaveProperty('responseInformation');
    }
  });
});
