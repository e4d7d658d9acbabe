/**
 * Clean Start, Session Expiry Interval, Session Present and section 4.1 asked of a broker: which session a client gets,
 * and how long it lasts.
 */
import { describe, expect, it } from 'vitest';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic, type ConnectFields } from '../peer.ts';
import { keptSession, publishOnce, takeMessages } from './messages.ts';

/** A session with a subscription at QoS 1 to the topic and one message waiting in it. Returns its Client Identifier. */
async function leaveSession(
  broker: BrokerUnderTest,
  fields: ConnectFields,
  topicName: string,
): Promise<string> {
  const peer = await Peer.connect(broker, fields);
  await peer.subscribe(topicName, { qos: 1 });
  await peer.disconnect();
  await publishOnce(broker, { topicName, qos: 1, payload: hexOf('while away') });
  return peer.clientId;
}

/**
 * Connects a client whose session ends after a second and whose will says so, and cuts it. The will, on the topic,
 * tells a test that a Session Expiry Interval of one second that began no later than this has passed.
 */
async function startSecond(broker: BrokerUnderTest, topicName: string): Promise<Peer> {
  const listener = await Peer.connect(broker);
  await listener.subscribe(topicName);
  const second = await Peer.connect(broker, {
    properties: { sessionExpiryInterval: 1 },
    willTopic: topicName,
    willProperties: { willDelayInterval: 1000 },
  });
  second.destroy();
  return listener;
}

describeBroker('3.1.2.4 Clean Start', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [v3.1.1 MQTT-3.1.2-6] 1 discards the session and begins a new one, version %i',
    async (protocolVersion) => {
      const topicName = uniqueTopic();
      const clientId = await leaveSession(broker, keptSession(protocolVersion), topicName);
      const peer = await Peer.connect(broker, {
        ...keptSession(protocolVersion, clientId),
        cleanStart: true,
      });
      expect(peer.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      // Neither its messages nor its subscriptions are there.
      await publishOnce(broker, { topicName, qos: 1 });
      expect(await peer.drain()).toEqual([]);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.1.4-4] [MQTT-3.2.2-3] [v3.1.1 MQTT-3.1.2-4] 0 resumes the session, version %i',
    async (protocolVersion) => {
      const topicName = uniqueTopic();
      const clientId = await leaveSession(broker, keptSession(protocolVersion), topicName);
      const peer = await Peer.connect(broker, keptSession(protocolVersion, clientId));
      expect(peer.connack).toMatchObject({ sessionPresent: true, reasonCode: 0 });
      expect(await takeMessages(peer, 1)).toMatchObject([{ payload: hexOf('while away') }]);
      await publishOnce(broker, { topicName, qos: 1, payload: hexOf('back') });
      expect(await takeMessages(peer, 1)).toMatchObject([{ payload: hexOf('back') }]);
      // Once more: what was acknowledged does not come again.
      await peer.disconnect();
      const again = await Peer.connect(broker, keptSession(protocolVersion, clientId));
      expect(again.connack).toMatchObject({ sessionPresent: true });
      expect(await again.drain()).toEqual([]);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-6] [MQTT-3.2.2-3] [v3.1.1 MQTT-3.2.2-3] 0 begins a session when there is none, version %i',
    async (protocolVersion) => {
      const topicName = uniqueTopic();
      const fields = keptSession(protocolVersion);
      const peer = await Peer.connect(broker, fields);
      expect(peer.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      await peer.subscribe(topicName, { qos: 1 });
      await peer.disconnect();
      const again = await Peer.connect(broker, fields);
      expect(again.connack).toMatchObject({ sessionPresent: true });
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-23] a session outlives a connection that is cut, version %i',
    async (protocolVersion) => {
      const topicName = uniqueTopic();
      const fields = keptSession(protocolVersion);
      const peer = await Peer.connect(broker, fields);
      await peer.subscribe(topicName, { qos: 1 });
      peer.destroy();
      await publishOnce(broker, { topicName, qos: 1 });
      const again = await Peer.connect(broker, fields);
      expect(again.connack).toMatchObject({ sessionPresent: true });
      await takeMessages(again, 1);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-5] a client that takes its session over from a connection of its own resumes it, version %i',
    async (protocolVersion) => {
      const topicName = uniqueTopic();
      const fields = keptSession(protocolVersion);
      const first = await Peer.connect(broker, fields);
      await first.subscribe(topicName, { qos: 1 });
      const second = await Peer.connect(broker, fields);
      expect(second.connack).toMatchObject({ sessionPresent: true });
      await publishOnce(broker, { topicName, qos: 1 });
      await takeMessages(second, 1);
    },
  );
});

describeBroker('3.1.2.11.2 Session Expiry Interval', (broker) => {
  it.each([
    ['absent', undefined],
    ['0', 0],
  ])('[MQTT-3.1.2-23] %s: the session ends with the connection', async (_what, sessionExpiryInterval) => {
    const clientId = uniqueClientId();
    const peer = await Peer.connect(broker, { clientId, properties: { sessionExpiryInterval } });
    await peer.subscribe(uniqueTopic(), { qos: 1 });
    await peer.disconnect();
    const again = await Peer.connect(broker, { clientId, cleanStart: false });
    expect(again.connack).toMatchObject({ sessionPresent: false });
  });

  it('[MQTT-4.1.0-2] the session is discarded when it has passed', async () => {
    const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 });
    const topicName = uniqueTopic();
    await leaveSession(broker, fields, topicName);
    const listener = await startSecond(broker, uniqueTopic());
    await listener.nextOf('PUBLISH');
    const peer = await Peer.connect(broker, fields);
    expect(peer.connack).toMatchObject({ sessionPresent: false });
    await publishOnce(broker, { topicName, qos: 1 });
    expect(await peer.drain()).toEqual([]);
  });

  it('[MQTT-4.1.0-2] it is the last CONNECT that says how long a session lasts', async () => {
    const clientId = uniqueClientId();
    const first = await Peer.connect(broker, keptSession(5, clientId));
    await first.disconnect();
    const second = await Peer.connect(broker, keptSession(5, clientId, { sessionExpiryInterval: 0 }));
    expect(second.connack).toMatchObject({ sessionPresent: true });
    await second.disconnect();
    const third = await Peer.connect(broker, keptSession(5, clientId));
    expect(third.connack).toMatchObject({ sessionPresent: false });
  });

  it('[MQTT-4.1.0-1] a session stays while it is connected, however long that is', async () => {
    const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 });
    const topicName = uniqueTopic();
    // Ended once and resumed: that its time began to run then does not count.
    const before = await Peer.connect(broker, fields);
    await before.subscribe(topicName, { qos: 1 });
    await before.disconnect();
    const peer = await Peer.connect(broker, fields);
    expect(peer.connack).toMatchObject({ sessionPresent: true });
    const listener = await startSecond(broker, uniqueTopic());
    await listener.nextOf('PUBLISH');
    await publishOnce(broker, { topicName, qos: 1 });
    await takeMessages(peer, 1);
    await peer.disconnect();
    const again = await Peer.connect(broker, fields);
    expect(again.connack).toMatchObject({ sessionPresent: true });
  });

  it('a session for ever outlives others (4,294,967,295)', async () => {
    const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 4_294_967_295 });
    const peer = await Peer.connect(broker, fields);
    await peer.disconnect();
    const listener = await startSecond(broker, uniqueTopic());
    await listener.nextOf('PUBLISH');
    const again = await Peer.connect(broker, fields);
    expect(again.connack).toMatchObject({ sessionPresent: true });
  });
});

describeWith(
  { limits: { sessionExpirySecondsMax: 1 } },
  '3.2.2.3.2 Session Expiry Interval of CONNACK',
  (broker) => {
    it('[MQTT-4.1.0-2] is what holds when the server does not keep a session as long as it should', async () => {
      const fields = keptSession();
      const peer = await Peer.connect(broker, fields);
      expect(peer.connack.properties).toMatchObject({ sessionExpiryInterval: 1 });
      await peer.disconnect();
      const listener = await startSecond(broker, uniqueTopic());
      await listener.nextOf('PUBLISH');
      const again = await Peer.connect(broker, fields);
      expect(again.connack).toMatchObject({ sessionPresent: false });
    });

    it.each([0, 1])('is not there when the server keeps it so long: %i', async (sessionExpiryInterval) => {
      const peer = await Peer.connect(broker, { properties: { sessionExpiryInterval } });
      expect(peer.connack.properties ?? {}).not.toHaveProperty('sessionExpiryInterval');
    });

    it('DISCONNECT cannot raise it either', async () => {
      const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 });
      const peer = await Peer.connect(broker, fields);
      await peer.disconnect(0, { sessionExpiryInterval: 600 });
      const listener = await startSecond(broker, uniqueTopic());
      await listener.nextOf('PUBLISH');
      const again = await Peer.connect(broker, fields);
      expect(again.connack).toMatchObject({ sessionPresent: false });
    });
  },
);

describeBroker('3.14.2.2.2 Session Expiry Interval of DISCONNECT', (broker) => {
  it('takes the place of that of CONNECT: 0 ends the session', async () => {
    const fields = keptSession();
    const peer = await Peer.connect(broker, fields);
    await peer.disconnect(0, { sessionExpiryInterval: 0 });
    const again = await Peer.connect(broker, fields);
    expect(again.connack).toMatchObject({ sessionPresent: false });
  });

  it('[MQTT-4.1.0-2] takes the place of that of CONNECT: a shorter one', async () => {
    const fields = keptSession();
    const peer = await Peer.connect(broker, fields);
    await peer.disconnect(0, { sessionExpiryInterval: 1 });
    const listener = await startSecond(broker, uniqueTopic());
    await listener.nextOf('PUBLISH');
    const again = await Peer.connect(broker, fields);
    expect(again.connack).toMatchObject({ sessionPresent: false });
  });

  it('takes the place of that of CONNECT: a longer one', async () => {
    const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 });
    const peer = await Peer.connect(broker, fields);
    await peer.disconnect(0, { sessionExpiryInterval: 600 });
    const listener = await startSecond(broker, uniqueTopic());
    await listener.nextOf('PUBLISH');
    const again = await Peer.connect(broker, fields);
    expect(again.connack).toMatchObject({ sessionPresent: true });
  });

  describe.each([
    ['absent', undefined],
    ['0', 0],
  ])('with %s in CONNECT', (_what, sessionExpiryInterval) => {
    it('[MQTT-4.13.1-1] it is a Protocol Error unless it is 0', async () => {
      const peer = await Peer.connect(broker, { properties: { sessionExpiryInterval } });
      peer.send({ type: 'DISCONNECT', properties: { sessionExpiryInterval: 60 } });
      await peer.expectDisconnect(0x82);
      const again = await Peer.connect(broker, { clientId: peer.clientId, cleanStart: false });
      expect(again.connack).toMatchObject({ sessionPresent: false });
    });

    it('it may be 0', async () => {
      const peer = await Peer.connect(broker, { properties: { sessionExpiryInterval } });
      peer.send({ type: 'DISCONNECT', properties: { sessionExpiryInterval: 0 } });
      await peer.expectClosedSilently();
    });
  });
});
