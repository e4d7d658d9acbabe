/**
 * Section 3.2, and what CONNECT says of the packets that a client wants, asked of a broker: what CONNACK says and when
 * it comes, and that Maximum Packet Size, Topic Alias Maximum and the two requests for information are kept to.
 */
import { expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { connectHex, exchange, integerHex, textHex } from '../bytes.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';
import { keptSession, publishesOf, publishOnce, takeMessages, textsOf } from './messages.ts';

describeBroker('3.2 CONNACK', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.2.0-1] [v3.1.1 MQTT-3.2.0-1] comes before everything else, messages that waited as well, version %i',
    async (protocolVersion) => {
      const fields = keptSession(protocolVersion);
      const topicName = uniqueTopic();
      const before = await Peer.connect(broker, fields);
      await before.subscribe(topicName, { qos: 1 });
      await before.disconnect();
      await publishOnce(broker, { topicName, qos: 1 }, { topicName, qos: 1 });
      const peer = await Peer.open(broker, protocolVersion);
      peer.send({ type: 'CONNECT', ...fields }, { type: 'PINGREQ' });
      expect(await peer.nextOf('CONNACK')).toMatchObject({ reasonCode: 0 });
      await peer.nextOf('PUBLISH');
    },
  );

  it.each(PROTOCOL_VERSIONS)('[MQTT-3.2.0-2] comes once, version %i', async (protocolVersion) => {
    const peer = await Peer.connect(broker, { protocolVersion });
    await peer.subscribe(uniqueTopic());
    expect(await peer.drain()).toEqual([]);
  });

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.2.2-1] has zeros for its reserved flags, with a session and without, version %i',
    async (version) => {
      const clientId = uniqueClientId();
      const flags = 0x00; // Clean Start 0
      const properties = '110000003c'; // Session Expiry Interval: a minute
      const connect = connectHex({
        protocolVersion: version,
        flags,
        properties,
        payload: [textHex(clientId)],
      });
      const acknowledgeFlags = (hex: string): string => hex.slice(0, 2) + hex.slice(4, 6);
      expect(acknowledgeFlags(await exchange(broker, `${connect}e000`))).toBe('2000');
      expect(acknowledgeFlags(await exchange(broker, `${connect}e000`))).toBe('2001');
    },
  );

  it('[MQTT-3.2.2-8] [MQTT-3.2.2-6] [MQTT-3.2.2-7] refuses with one of its reason codes, without a session, and closes', async () => {
    const peer = await Peer.open(broker);
    const authenticationMethod = 'no such method';
    peer.send({ type: 'CONNECT', clientId: uniqueClientId(), properties: { authenticationMethod } });
    await peer.expectRejected(0x8c, 0x87);
  });
});

describeWith(
  { hooks: { authenticate: ({ userName }) => ({ reasonCode: userName === 'stranger' ? 0x87 : 0 }) } },
  '3.2.2.1.1 Session Present of a refusal',
  (broker) => {
    it.each(PROTOCOL_VERSIONS)(
      '[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-4.13.2-1] [v3.1.1 MQTT-3.2.2-4] is 0 though there is a session, version %i',
      async (protocolVersion) => {
        const fields = keptSession(protocolVersion);
        await (await Peer.connect(broker, fields)).disconnect();
        const stranger = await Peer.open(broker, protocolVersion);
        stranger.send({ type: 'CONNECT', ...fields, userName: 'stranger' });
        await stranger.expectRefusal(protocolVersion === 5 ? 0x87 : 5);
        // And the session is its owner's still.
        const owner = await Peer.connect(broker, fields);
        expect(owner.connack).toMatchObject({ sessionPresent: true });
      },
    );
  },
);

for (const maximumQos of [0, 1] as const) {
  describeWith({ maximumQos }, `3.2.2.3.4 Maximum QoS ${maximumQos}`, (broker) => {
    it('[MQTT-3.2.2-9] is in CONNACK', async () => {
      const peer = await Peer.connect(broker);
      expect(peer.connack.properties).toMatchObject({ maximumQos });
    });

    it.each([0, 1, 2])('[MQTT-3.2.2-10] SUBSCRIBE may ask for QoS %i', async (qos) => {
      const peer = await Peer.connect(broker);
      const topicName = uniqueTopic();
      const { reasonCodes } = await peer.subscribe(topicName, { qos });
      expect(reasonCodes).toEqual([Math.min(qos, maximumQos)]);
      await peer.publish({ topicName, qos: maximumQos });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ qos: Math.min(qos, maximumQos) });
    });

    it('[MQTT-3.2.2-12] a will of a higher QoS is refused', async () => {
      const peer = await Peer.open(broker);
      peer.send({ type: 'CONNECT', clientId: uniqueClientId(), willTopic: 'a', willQos: maximumQos + 1 });
      await peer.expectRejected(0x9b);
    });

    it('[MQTT-3.2.2-12] a will of this QoS is taken', async () => {
      await Peer.connect(broker, { willTopic: uniqueTopic(), willQos: maximumQos });
    });
  });
}

describeBroker('3.2.2.3.4 Maximum QoS absent', (broker) => {
  it('[MQTT-3.2.2-9] means that QoS 2 is taken', async () => {
    const peer = await Peer.connect(broker);
    expect(peer.connack.properties ?? {}).not.toHaveProperty('maximumQos');
    const topicName = uniqueTopic();
    const { reasonCodes } = await peer.subscribe(topicName, { qos: 2 });
    expect(reasonCodes).toEqual([2]);
    await peer.publish({ topicName, qos: 2 });
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ qos: 2 });
  });
});

describeWith({ retainAvailable: false }, '3.2.2.3.5 Retain Available 0', (broker) => {
  it('[MQTT-3.2.2-13] is in CONNACK, and a will to be retained is refused', async () => {
    const other = await Peer.connect(broker, { willTopic: uniqueTopic() });
    expect(other.connack.properties).toMatchObject({ retainAvailable: 0 });
    const peer = await Peer.open(broker);
    peer.send({ type: 'CONNECT', clientId: uniqueClientId(), willTopic: 'a', willRetain: true });
    await peer.expectRejected(0x9a);
  });
});

describeWith(
  {
    hooks: { authenticate: () => ({ reasonCode: 0x87, reasonString: 'for a reason that takes many words' }) },
  },
  '3.2.2.3.9 Reason String of CONNACK',
  (broker) => {
    const flags = 0x02;
    const payload = [textHex('c')];

    it('[MQTT-3.2.2-19] [MQTT-3.2.2-20] is left out when it does not fit into Maximum Packet Size', async () => {
      const maximumPacketSize = 20;
      const properties = `27${integerHex(maximumPacketSize, 4)}`;
      const answer = await exchange(broker, connectHex({ flags, properties, payload }));
      expect(answer).toBe('2003008700');
    });

    it('[MQTT-3.2.2-19] may be there when it fits', async () => {
      const peer = await Peer.open(broker);
      peer.sendBytes(connectHex({ flags, payload }));
      const { properties } = await peer.expectRefusal(0x87);
      expect(properties).toEqual({ reasonString: 'for a reason that takes many words' });
    });
  },
);

describeBroker('3.1.2.11.4 Maximum Packet Size', (broker) => {
  /** Bytes of the largest packet, and a payload that makes a PUBLISH at `qos` to the topic that large. */
  const maximumPacketSize = 100;
  const fitting = (topicName: string, qos: number): string =>
    '61'.repeat(maximumPacketSize - 2 - 2 - topicName.length - (qos > 0 ? 2 : 0) - 1);

  it.each([0, 1, 2])(
    '[MQTT-3.1.2-24] [MQTT-3.1.2-25] a message that is too large is left out, QoS %i',
    async (qos) => {
      const properties = { maximumPacketSize, receiveMaximum: 1 };
      const peer = await Peer.connect(broker, { properties });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName, { qos: 2 });
      const payload = fitting(topicName, qos);
      const other = await Peer.connect(broker);
      await other.subscribe(topicName, { qos: 2 });
      // One byte too many, far too many, and one that just fits: the quota of one is still free for that.
      await publishOnce(
        broker,
        { topicName, qos, payload: `${payload}61` },
        { topicName, qos, payload: '62'.repeat(5000) },
        { topicName, qos, payload },
      );
      expect(await takeMessages(peer, 1)).toMatchObject([{ payload }]);
      expect(publishesOf(await peer.drain())).toEqual([]);
      // Others get all of them.
      expect(await takeMessages(other, 3)).toHaveLength(3);
    },
  );

  it('[MQTT-3.1.2-25] a message that is too large is not kept for later either', async () => {
    const fields = keptSession(5, uniqueClientId(), { maximumPacketSize });
    const topicName = uniqueTopic();
    const peer = await Peer.connect(broker, fields);
    await peer.subscribe(topicName, { qos: 1 });
    await publishOnce(broker, { topicName, qos: 1, payload: '62'.repeat(500) });
    expect(await peer.drain()).toEqual([]);
    await peer.disconnect();
    const again = await Peer.connect(broker, keptSession(5, fields.clientId));
    expect(again.connack).toMatchObject({ sessionPresent: true });
    expect(await again.drain()).toEqual([]);
  });

  it('[MQTT-3.1.2-24] holds for messages that waited for the client, and for retained ones', async () => {
    const topic = uniqueTopic();
    const before = await Peer.connect(broker, keptSession());
    await before.subscribe(`${topic}/queued`, { qos: 1 });
    await before.disconnect();
    const large = '62'.repeat(500);
    await publishOnce(
      broker,
      { topicName: `${topic}/queued`, qos: 1, payload: large },
      { topicName: `${topic}/queued`, qos: 1, payload: hexOf('queued') },
      { topicName: `${topic}/retained/1`, qos: 1, retain: true, payload: large },
      { topicName: `${topic}/retained/2`, qos: 1, retain: true, payload: hexOf('retained') },
    );
    const peer = await Peer.connect(broker, keptSession(5, before.clientId, { maximumPacketSize }));
    expect(textsOf(await takeMessages(peer, 1))).toEqual(['queued']);
    await peer.subscribe(`${topic}/retained/+`);
    expect(textsOf(await peer.drain())).toEqual(['retained']);
  });

  it.each([1, 3, 4, 5, 8, 12, 20])(
    '[MQTT-3.1.2-24] [MQTT-3.2.0-1] [MQTT-3.14.0-1] holds for CONNACK, and nothing comes in its place: %i bytes',
    async (byteLengthMax) => {
      const properties = `27${integerHex(byteLengthMax, 4)}`;
      const connect = connectHex({ properties, payload: [textHex(uniqueClientId())] });
      const answer = Buffer.from(await exchange(broker, `${connect}e000`), 'hex');
      if (answer.length === 0) return; // What is left to a server whose CONNACK does not fit.
      expect(answer[0]).toBe(0x20);
      expect(answer.length).toBe(2 + answer[1]);
      expect(answer.length).toBeLessThanOrEqual(byteLengthMax);
    },
  );

  it('[MQTT-3.1.2-24] holds for every packet: answers to many filters at once', async () => {
    const peer = await Peer.connect(broker, { properties: { maximumPacketSize: 50 } });
    const topic = uniqueTopic();
    // A SUBACK for 60 filters takes 67 bytes at least. What a server does that must answer and cannot is left to it,
    // as long as it sends nothing larger: it may end the connection.
    const subscriptions = Array.from({ length: 60 }, (_, index) => ({ topicFilter: `${topic}/${index}` }));
    peer.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions }, { type: 'PINGREQ' });
    const packet = await peer.next().catch(() => null);
    expect(packet?.type).not.toBe('SUBACK');
  });
});

describeBroker('3.1.2.11.5 Topic Alias Maximum', (broker) => {
  /** What comes of three messages to each of four topics. */
  async function receive(topicAliasMaximum: number | undefined): Promise<PublishObject[]> {
    const peer = await Peer.connect(broker, { properties: { topicAliasMaximum } });
    const topic = uniqueTopic();
    await peer.subscribe(`${topic}/#`);
    const names = [1, 2, 3, 4].map((index) => `${topic}/${index}`);
    await publishOnce(broker, ...[...names, ...names, ...names].map((topicName) => ({ topicName })));
    const messages = await takeMessages(peer, 12);
    const aliases = new Map<number, string>();
    const resolved = messages.map(({ topicName, properties }) => {
      const alias = properties?.topicAlias;
      if (alias !== undefined && topicName) aliases.set(alias, topicName);
      return topicName || aliases.get(alias ?? 0);
    });
    expect(resolved).toEqual([...names, ...names, ...names]);
    return messages;
  }

  it.each([
    ['absent', undefined],
    ['0', 0],
  ])('[MQTT-3.1.2-27] %s: no aliases come', async (_what, topicAliasMaximum) => {
    for (const message of await receive(topicAliasMaximum)) {
      expect(message.properties ?? {}).not.toHaveProperty('topicAlias');
    }
  });

  it.each([1, 2, 65_535])('[MQTT-3.1.2-26] %i: no higher ones come', async (topicAliasMaximum) => {
    for (const message of await receive(topicAliasMaximum)) {
      // Whether there are any is left to the server.
      expect(message.properties?.topicAlias ?? 1).toBeLessThanOrEqual(topicAliasMaximum);
    }
  });

  it('[MQTT-3.1.2-27] a client that wants aliases does not get them for one that does not', async () => {
    await receive(10);
    for (const message of await receive(undefined)) expect(message).toMatchObject({ topicName: /./ });
  });
});

describeWith({ responseInformation: 'answers/%c' }, '3.1.2.11.6 Request Response Information', (broker) => {
  it.each([
    ['absent', undefined],
    ['0', 0],
  ])('[MQTT-3.1.2-28] %s: no Response Information comes', async (_what, requestResponseInformation) => {
    const peer = await Peer.connect(broker, { properties: { requestResponseInformation } });
    expect(peer.connack.properties ?? {}).not.toHaveProperty('responseInformation');
  });

  it('[MQTT-3.1.2-28] 1: it comes', async () => {
    const peer = await Peer.connect(broker, { properties: { requestResponseInformation: 1 } });
    expect(peer.connack.properties).toMatchObject({ responseInformation: `answers/${peer.clientId}` });
  });

  it('[MQTT-3.1.2-28] 1: it comes, whatever the client is called', async () => {
    const clientId = `${uniqueClientId()}-$&-$1-%c`;
    const peer = await Peer.connect(broker, { clientId, properties: { requestResponseInformation: 1 } });
    expect(peer.connack.properties).toMatchObject({ responseInformation: `answers/${clientId}` });
  });
});

describeWith(
  { hooks: { authorise: (_client, _access, topic) => !topic.startsWith('forbidden/') } },
  '3.1.2.11.7 Request Problem Information',
  (broker) => {
    it('[MQTT-3.1.2-29] 0: no acknowledgement says more than its reason code', async () => {
      const peer = await Peer.connect(broker, { properties: { requestProblemInformation: 0 } });
      const answers = [
        await peer.subscribe('forbidden/a'),
        await peer.subscribe(uniqueTopic()),
        await peer.unsubscribe('never/subscribed'),
        await peer.publish({ topicName: 'forbidden/a', qos: 1 }),
        await peer.publish({ topicName: 'forbidden/a', qos: 2 }),
        await peer.publish({ topicName: uniqueTopic(), qos: 1 }),
      ];
      peer.send({ type: 'PUBREL', packetId: 999 });
      answers.push(await peer.nextOf('PUBCOMP'));
      for (const answer of answers) expect(answer?.properties ?? {}).toEqual({});
      expect(answers).toMatchObject([
        { reasonCodes: [0x87] },
        { reasonCodes: [0] },
        { reasonCodes: [0x11] },
        { reasonCode: 0x87 },
        { reasonCode: 0x87 },
        { type: 'PUBACK' },
        { reasonCode: 0x92 },
      ]);
    });

    it('[MQTT-3.1.2-29] 0: the User Properties of messages come all the same', async () => {
      const peer = await Peer.connect(broker, { properties: { requestProblemInformation: 0 } });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName);
      const userProperties: [string, string][] = [['a', 'b']];
      await peer.publish({ topicName, properties: { userProperties } });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ properties: { userProperties } });
    });
  },
);
