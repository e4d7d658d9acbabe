/**
 * What MQTT 3.1.1 has otherwise than 5.0, asked of a broker: return codes, silence instead of DISCONNECT, sessions by
 * Clean Session alone. The rules that both have are with the sections of 5.0.
 */
import { expect, it } from 'vitest';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { binaryHex, connectHex, exchange, integerHex, packetHex, textHex } from '../bytes.ts';
import { hexOf, Peer, uniqueClientId, uniqueTopic, type ConnectFields } from '../peer.ts';
import { publishOnce, takeMessages } from './messages.ts';

function connect(broker: Parameters<typeof Peer.connect>[0], fields: ConnectFields = {}): Promise<Peer> {
  return Peer.connect(broker, { ...fields, protocolVersion: 4 });
}

describeBroker('3.1.1: CONNECT and CONNACK', (broker) => {
  it('[v3.1.1 MQTT-3.1.2-22] closes on a Password without a User Name, without a CONNACK', async () => {
    const peer = await Peer.open(broker, 4);
    const payload = [textHex(uniqueClientId()), binaryHex('01')];
    peer.sendBytes(connectHex({ protocolVersion: 4, flags: 0x42, payload }));
    await peer.expectClosedSilently();
  });

  it('[v3.1.1 MQTT-3.1.3-6] gives a client without an identifier one of its own', async () => {
    const peers = [await connect(broker, { clientId: '' }), await connect(broker, { clientId: '' })];
    for (const peer of peers) {
      expect(peer.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName);
      await peer.publish({ topicName });
      await peer.nextOf('PUBLISH');
    }
    for (const peer of peers) expect(await peer.drain()).toEqual([]);
  });

  it('[v3.1.1 MQTT-3.1.3-8] refuses a client without an identifier that wants to keep its session', async () => {
    const peer = await Peer.open(broker, 4);
    peer.sendBytes(connectHex({ protocolVersion: 4, flags: 0x00, payload: [textHex('')] }));
    await peer.expectRefusal(2);
  });

  it.each([
    ['a reserved flag', connectHex({ protocolVersion: 4, flags: 0x03, payload: [textHex('a')] })],
    ['Will QoS 3', connectHex({ protocolVersion: 4, flags: 0x1e, payload: ['a', 'b', 'c'].map(textHex) })],
    ['no payload', connectHex({ protocolVersion: 4, payload: [] })],
    ['bytes too many', connectHex({ protocolVersion: 4, payload: [textHex('a'), '00'] })],
    [
      'a wildcard in the Will Topic',
      connectHex({ protocolVersion: 4, flags: 6, payload: ['a', '#', 'b'].map(textHex) }),
    ],
  ])('[v3.1.1 MQTT-3.1.4-1] closes without a CONNACK on %s', async (_what, hex) => {
    expect(await exchange(broker, hex)).toBe('');
  });

  it('[v3.1.1 MQTT-3.2.2-1] [v3.1.1 MQTT-3.2.2-2] [v3.1.1 MQTT-3.2.2-3] says whether there is a session', async () => {
    const clientId = uniqueClientId();
    const expectSession = async (cleanStart: boolean, sessionPresent: boolean): Promise<void> => {
      const peer = await connect(broker, { clientId, cleanStart });
      expect(peer.connack).toEqual({ type: 'CONNACK', sessionPresent, reasonCode: 0 });
      await peer.disconnect();
    };
    await expectSession(false, false);
    await expectSession(false, true);
    await expectSession(true, false);
    await expectSession(false, false);
    await expectSession(false, true);
  });

  it('[v3.1.1 MQTT-3.1.2-6] a clean session lasts as long as its connection', async () => {
    const clientId = uniqueClientId();
    const topicName = uniqueTopic();
    const peer = await connect(broker, { clientId, cleanStart: true });
    await peer.subscribe(topicName, { qos: 1 });
    await peer.disconnect();
    await publishOnce(broker, { topicName, qos: 1 });
    const again = await connect(broker, { clientId, cleanStart: false });
    expect(again.connack).toMatchObject({ sessionPresent: false });
    await publishOnce(broker, { topicName, qos: 1 });
    expect(await again.drain()).toEqual([]);
  });

  it('[v3.1.1 MQTT-3.1.2-5] a session that is kept gets the QoS 1 and 2 messages of the meantime', async () => {
    const topicName = uniqueTopic();
    const clientId = uniqueClientId();
    const peer = await connect(broker, { clientId, cleanStart: false });
    await peer.subscribe(topicName, { qos: 2 });
    await peer.disconnect();
    await publishOnce(broker, { topicName, qos: 1, payload: '01' }, { topicName, qos: 2, payload: '02' });
    const again = await connect(broker, { clientId, cleanStart: false });
    expect(await takeMessages(again, 2)).toMatchObject([
      { payload: '01', qos: 1 },
      { payload: '02', qos: 2 },
    ]);
  });

  it('[v3.1.1 MQTT-3.1.2-7] retained messages are no part of the session', async () => {
    const topicName = uniqueTopic();
    const peer = await connect(broker);
    await peer.publish({ topicName, retain: true, qos: 1, payload: '01' });
    await peer.disconnect();
    const other = await connect(broker);
    await other.subscribe(topicName);
    expect(await other.nextOf('PUBLISH')).toMatchObject({ retain: true, payload: '01' });
  });

  it('a session goes from one version to the other and back', async () => {
    const topicName = uniqueTopic();
    const clientId = uniqueClientId();
    const properties = { sessionExpiryInterval: 600 };
    const old = await connect(broker, { clientId, cleanStart: false });
    await old.subscribe(topicName, { qos: 1 });
    await old.disconnect();
    await publishOnce(broker, { topicName, qos: 1, payload: '01' });
    const modern = await Peer.connect(broker, { clientId, cleanStart: false, properties });
    expect(modern.connack).toMatchObject({ sessionPresent: true });
    expect(await takeMessages(modern, 1)).toMatchObject([{ payload: '01' }]);
    await modern.disconnect();
    const again = await connect(broker, { clientId, cleanStart: false });
    expect(again.connack).toMatchObject({ sessionPresent: true });
  });
});

describeBroker('3.1.1: everything after', (broker) => {
  it.each([
    ['a reserved packet type', '0000'],
    ['reserved flags', packetHex(0x60, '0001')],
    ['QoS 3', packetHex(0x36, textHex('a'), '0001')],
    ['a packet identifier of 0', packetHex(0x82, '0000', textHex('a'), '00')],
    ['a Topic Name with a wildcard', packetHex(0x30, textHex('a/#'))],
  ])(
    '[v3.1.1 MQTT-4.8.0-1] closes on %s without a DISCONNECT, which only clients send',
    async (_what, hex) => {
      const peer = await connect(broker);
      peer.sendBytes(hex);
      await peer.expectClosedSilently();
    },
  );

  it('[v3.1.1 MQTT-4.8.0-1] closes on AUTH, which 3.1.1 has not', async () => {
    for (const hex of ['f000', 'f0021800']) {
      const peer = await connect(broker);
      peer.sendBytes(hex);
      await peer.expectClosedSilently();
    }
  });

  it('[v3.1.1 MQTT-4.8.0-1] closes on a DISCONNECT with a reason code', async () => {
    const peer = await connect(broker);
    peer.sendBytes('e00104');
    await peer.expectClosedSilently();
  });

  it.each([0x03, 0x04, 0x08, 0x10, 0x20, 0x80])(
    '[v3.1.1 MQTT-3.8.3-4] closes on Subscription Options of 5.0 and other bits beside QoS: %i',
    async (options) => {
      const peer = await connect(broker);
      peer.sendBytes(packetHex(0x82, '0001', textHex('a'), integerHex(options, 1)));
      await peer.expectClosedSilently();
    },
  );

  it('its acknowledgements are a packet identifier and nothing more', async () => {
    const clientId = uniqueClientId();
    const topic = textHex(uniqueTopic());
    const parts = [
      connectHex({ protocolVersion: 4, payload: [textHex(clientId)] }),
      packetHex(0x32, topic, '0001'),
      packetHex(0x34, topic, '0002'),
      packetHex(0x62, '0002'),
      packetHex(0x82, '0003', topic, '01'),
      packetHex(0xa2, '0004', topic, textHex('never subscribed')),
      'c000',
      'e000',
    ];
    const answers = ['20020000', '40020001', '50020002', '70020002', '9003000301', 'b0020004', 'd000'];
    expect(await exchange(broker, parts.join(''))).toBe(answers.join(''));
  });

  it('PUBREL of a packet identifier that is not in use is answered all the same', async () => {
    const peer = await connect(broker);
    peer.send({ type: 'PUBREL', packetId: 77 });
    expect(await peer.nextOf('PUBCOMP')).toEqual({ type: 'PUBCOMP', packetId: 77 });
  });

  it('messages lose their properties on the way to 3.1.1, and nothing else', async () => {
    const peer = await connect(broker);
    const topicName = uniqueTopic();
    await peer.subscribe(topicName, { qos: 1 });
    const properties = {
      contentType: 'text/plain',
      messageExpiryInterval: 60,
      userProperties: [['a', 'b']] as [string, string][],
    };
    await publishOnce(broker, { topicName, qos: 1, payload: hexOf('text'), properties });
    const message = await peer.nextOf('PUBLISH');
    expect(message).toMatchObject({ topicName, qos: 1, payload: hexOf('text'), dup: false, retain: false });
    expect(message).not.toHaveProperty('properties');
  });

  it('messages from 3.1.1 come without properties', async () => {
    const peer = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await peer.subscribe(topicName);
    const old = await connect(broker);
    await old.publish({ topicName, qos: 1, payload: hexOf('text') });
    const message = await peer.nextOf('PUBLISH');
    expect(message).toMatchObject({ payload: hexOf('text') });
    expect(message.properties ?? {}).toEqual({});
  });

  it('gets its own messages: there is no No Local', async () => {
    const peer = await connect(broker);
    const topicName = uniqueTopic();
    await peer.subscribe(topicName);
    await peer.publish({ topicName, payload: '01' });
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: '01' });
  });
});

describeWith(
  {
    hooks: {
      authenticate: ({ userName }) => ({ reasonCode: Number(userName ?? 0) }),
      authorise: (_client, _access, topic) => !topic.startsWith('forbidden/'),
    },
  },
  '3.1.1: refusals',
  (broker) => {
    it.each([
      ['Client Identifier not valid', 0x85, 2],
      ['Server unavailable', 0x88, 3],
      ['Bad User Name or Password', 0x86, 4],
      ['Not authorized', 0x87, 5],
    ])(
      '[v3.1.1 MQTT-3.2.2-4] [v3.1.1 MQTT-3.2.2-5] %s has a return code',
      async (_what, reasonCode, returnCode) => {
        const peer = await Peer.open(broker, 4);
        const userName = String(reasonCode);
        peer.send({ type: 'CONNECT', protocolVersion: 4, clientId: uniqueClientId(), userName });
        await peer.expectRefusal(returnCode);
      },
    );

    it.each([0x80, 0x83, 0x89, 0x8a, 0x97, 0x9c, 0x9f])(
      '[v3.1.1 MQTT-3.2.2-6] other reasons close, with a return code that there is or without: %i',
      async (reasonCode) => {
        const peer = await Peer.open(broker, 4);
        const userName = String(reasonCode);
        peer.send({ type: 'CONNECT', protocolVersion: 4, clientId: uniqueClientId(), userName });
        await peer.expectClosed();
        const packet = await peer.next().catch(() => null);
        // Server unavailable and Not authorized: which one says it most nearly is left to the server.
        if (packet !== null) expect([3, 5]).toContain('reasonCode' in packet && packet.reasonCode);
      },
    );

    it('[v3.1.1 MQTT-3.8.4-5] [v3.1.1 MQTT-3.9.3-2] a subscription that is refused is answered with 0x80', async () => {
      const peer = await connect(broker);
      const topic = uniqueTopic();
      const subscriptions = [
        { topicFilter: `${topic}/a`, qos: 2 },
        { topicFilter: 'forbidden/a', qos: 1 },
        { topicFilter: `${topic}/b`, qos: 0 },
      ];
      peer.send({ type: 'SUBSCRIBE', packetId: 5, subscriptions });
      expect(await peer.nextOf('SUBACK')).toEqual({ type: 'SUBACK', packetId: 5, reasonCodes: [2, 0x80, 0] });
    });

    it('[v3.1.1 MQTT-3.3.5-2] a message that is refused is acknowledged as if it were not, or ends the connection', async () => {
      const listener = await Peer.connect(broker);
      await listener.subscribe('#');
      for (const qos of [0, 1, 2]) {
        const peer = await connect(broker);
        // 3.1.1 has no way to say that it is refused.
        await peer.publish({ topicName: 'forbidden/a', qos }).catch(() => peer.expectClosedSilently());
      }
      await publishOnce(broker, { topicName: uniqueTopic(), payload: hexOf('allowed') });
      expect(await listener.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('allowed') });
    });
  },
);
