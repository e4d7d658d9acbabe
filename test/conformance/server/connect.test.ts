/**
 * Section 3.1 asked of a broker: which CONNECT packets it takes, what it does with those that it does not, and who
 * a client is. What follows from a good one, sessions and wills have files of their own.
 */
import { expect, it } from 'vitest';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { binaryHex, connectHex, exchange, integerHex, packetHex, textHex } from '../bytes.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';

/** Nothing, or CONNACK with Unsupported Protocol Version in the layout of 5.0 or of 3.1.1. */
const UNSUPPORTED_VERSION = /^(20..0084.*|20020001|)$/;

const SESSION_EXPIRY_INTERVAL = '11';
const RECEIVE_MAXIMUM = '21';
const MAXIMUM_PACKET_SIZE = '27';
const REQUEST_PROBLEM_INFORMATION = '17';
const REQUEST_RESPONSE_INFORMATION = '19';

function connectWith(protocolVersion: number, flags: number, ...fields: string[]): string {
  return connectHex({ protocolVersion, flags, payload: [textHex(uniqueClientId()), ...fields] });
}

describeBroker('3.1 CONNECT: the first packet', (broker) => {
  it.each([
    ['PINGREQ', 'c000'],
    ['PUBLISH', packetHex(0x30, textHex('a'), '00')],
    ['SUBSCRIBE', packetHex(0x82, '000100', textHex('a'), '00')],
    ['DISCONNECT', 'e000'],
    ['AUTH', 'f000'],
    ['CONNACK', '2003000000'],
    ['something that is no MQTT', hexOf('GET / HTTP/1.1\r\n\r\n')],
  ])('[MQTT-3.1.0-1] [MQTT-3.14.0-1] closes without a word when it is %s', async (_what, hex) => {
    expect(await exchange(broker, hex)).toBe('');
  });

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.0-2] [MQTT-3.2.0-2] closes when there is a second one, version %i',
    async (protocolVersion) => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.send({ type: 'CONNECT', protocolVersion, clientId: peer.clientId });
      await peer.expectDisconnect(0x82);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.0-2] [MQTT-3.2.0-2] answers but the first of two in one piece, version %i',
    async (protocolVersion) => {
      const peer = await Peer.open(broker, protocolVersion);
      const clientId = uniqueClientId();
      peer.send(
        { type: 'CONNECT', protocolVersion, clientId },
        { type: 'CONNECT', protocolVersion, clientId },
      );
      await peer.nextOf('CONNACK');
      await peer.expectDisconnect(0x82);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.4-5] is answered with CONNACK and Success, version %i',
    async (version) => {
      const peer = await Peer.open(broker, version);
      expect(await peer.requestConnection()).toMatchObject({ reasonCode: 0 });
      expect(await peer.drain()).toEqual([]);
    },
  );
});

describeBroker('3.1.2 CONNECT: the variable header', (broker) => {
  it.each(['mqtt', 'MQTX', 'MQT', 'MQTTT', 'MQIsdp', ''])(
    '[MQTT-3.1.2-1] closes on the Protocol Name "%s"',
    async (protocolName) => {
      const hex = connectHex({ protocolName, payload: [textHex(uniqueClientId())] });
      expect(await exchange(broker, hex)).toMatch(UNSUPPORTED_VERSION);
    },
  );

  it.each([0, 1, 2, 3, 6, 7, 127, 255])(
    '[MQTT-3.1.2-2] [v3.1.1 MQTT-3.1.2-2] closes on Protocol Version %i',
    async (protocolVersion) => {
      const version = integerHex(protocolVersion, 1);
      const hex = packetHex(0x10, textHex('MQTT'), version, '02', '0000', '00', textHex(uniqueClientId()));
      expect(await exchange(broker, hex)).toMatch(UNSUPPORTED_VERSION);
    },
  );

  const wrongFlags = [
    { id: 'MQTT-3.1.2-3', old: 'MQTT-3.1.2-3', what: 'the reserved flag', flags: 0x03, fields: [] },
    { id: 'MQTT-3.1.2-11', old: 'MQTT-3.1.2-13', what: 'Will QoS 1 without a will', flags: 0x0a, fields: [] },
    { id: 'MQTT-3.1.2-11', old: 'MQTT-3.1.2-13', what: 'Will QoS 2 without a will', flags: 0x12, fields: [] },
    {
      id: 'MQTT-3.1.2-13',
      old: 'MQTT-3.1.2-15',
      what: 'Will Retain without a will',
      flags: 0x22,
      fields: [],
    },
    {
      id: 'MQTT-3.1.2-16',
      old: 'MQTT-3.1.2-18',
      what: 'a User Name without its flag',
      flags: 0x02,
      fields: [textHex('alice')],
    },
    {
      id: 'MQTT-3.1.2-17',
      old: 'MQTT-3.1.2-19',
      what: 'the flag without a User Name',
      flags: 0x82,
      fields: [],
    },
    {
      id: 'MQTT-3.1.2-18',
      old: 'MQTT-3.1.2-20',
      what: 'a Password without its flag',
      flags: 0x82,
      fields: [textHex('alice'), binaryHex('01')],
    },
    {
      id: 'MQTT-3.1.2-19',
      old: 'MQTT-3.1.2-21',
      what: 'the flag without a Password',
      flags: 0xc2,
      fields: [textHex('alice')],
    },
    {
      id: 'MQTT-3.1.2-9',
      old: 'MQTT-3.1.2-9',
      what: 'the Will Flag without a will',
      flags: 0x06,
      fields: [],
    },
    {
      id: 'MQTT-3.1.2-9',
      old: 'MQTT-3.1.2-9',
      what: 'a Will Topic without a Will Payload',
      flags: 0x06,
      fields: ['', textHex('a')],
    },
  ];
  const cases = wrongFlags.flatMap((one) => PROTOCOL_VERSIONS.map((version) => ({ ...one, version })));

  it.each(cases)(
    '[$id] [v3.1.1 $old] closes on $what, version $version',
    async ({ flags, fields, version }) => {
      const peer = await Peer.open(broker, version);
      const isWill = (flags & 0x04) !== 0 && fields.length > 0;
      peer.sendBytes(connectWith(version, flags, ...(isWill && version === 5 ? ['00'] : []), ...fields));
      // The standard calls it neither Malformed Packet nor Protocol Error.
      await peer.expectRejected(0x81, 0x82);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-12] [v3.1.1 MQTT-3.1.2-14] closes on Will QoS 3, version %i',
    async (version) => {
      const peer = await Peer.open(broker, version);
      peer.sendBytes(connectWith(version, 0x1e, version === 5 ? '00' : '', textHex('a'), binaryHex('62')));
      await peer.expectRejected(0x81);
    },
  );

  it.each([
    ['Session Expiry Interval twice', `${SESSION_EXPIRY_INTERVAL}00000001`.repeat(2), 0x82],
    ['Receive Maximum twice', `${RECEIVE_MAXIMUM}0001`.repeat(2), 0x82],
    ['Receive Maximum 0', `${RECEIVE_MAXIMUM}0000`, 0x82],
    ['Maximum Packet Size 0', `${MAXIMUM_PACKET_SIZE}00000000`, 0x82],
    ['Request Problem Information 2', `${REQUEST_PROBLEM_INFORMATION}02`, 0x82],
    ['Request Response Information 2', `${REQUEST_RESPONSE_INFORMATION}02`, 0x82],
    ['Authentication Data without a method', `16${binaryHex('01')}`, 0x82],
    ['a property of CONNACK', '130001', 0x81],
    ['a property of the will', '1800000001', 0x81],
    ['a property that there is not', '7e01', 0x81],
    ['half a property', `${SESSION_EXPIRY_INTERVAL}0000`, 0x81],
    ['a User Property without a value', `26${textHex('a')}`, 0x81],
  ])('[MQTT-3.1.4-1] [MQTT-4.13.1-1] closes on %s', async (_what, properties, reasonCode) => {
    const peer = await Peer.open(broker);
    peer.sendBytes(connectHex({ properties, payload: [textHex(uniqueClientId())] }));
    await peer.expectRejected(reasonCode);
  });

  it.each([
    ['a Will Delay Interval twice', '1800000001'.repeat(2), 0x82],
    ['a Payload Format Indicator of 2', '0102', 0x82],
    ['a Topic Alias', '230001', 0x81],
  ])('[MQTT-3.1.4-1] [MQTT-4.13.1-1] closes on %s in the will', async (_what, properties, reasonCode) => {
    const peer = await Peer.open(broker);
    const will = [integerHex(properties.length / 2, 1), properties, textHex('a'), binaryHex('62')];
    peer.sendBytes(connectWith(5, 0x06, ...will));
    await peer.expectRejected(reasonCode);
  });

  it('[MQTT-3.1.4-1] [MQTT-4.13.1-1] closes on a will for a topic with a wildcard', async () => {
    const peer = await Peer.open(broker);
    peer.sendBytes(connectWith(5, 0x06, '00', textHex('a/#'), binaryHex('62')));
    await peer.expectRejected(0x90, 0x82, 0x81);
  });

  it('takes a Password without a User Name (3.1.2.9)', async () => {
    await Peer.connect(broker, { password: '01' });
  });
});

describeBroker('3.1.2.10 Keep Alive', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-22] [MQTT-3.2.2-22] [v3.1.1 MQTT-3.1.2-24] closes when nothing comes for one and a half times of it, version %i',
    async (protocolVersion) => {
      // Connected first, with a longer one: if time alone closed connections, this would be closed before.
      const patient = await Peer.connect(broker, { protocolVersion, keepAlive: 3 });
      const unbounded = await Peer.connect(broker, { protocolVersion, keepAlive: 0 });
      const peer = await Peer.connect(broker, { protocolVersion, keepAlive: 1 });
      if (protocolVersion === 5) expect(peer.connack.properties).not.toHaveProperty('serverKeepAlive');
      await peer.expectDisconnect(0x8d);
      expect(await patient.drain()).toEqual([]);
      expect(await unbounded.drain()).toEqual([]);
    },
  );

  it('[MQTT-3.1.2-22] half a packet is none', async () => {
    const peer = await Peer.connect(broker, { keepAlive: 1 });
    peer.sendBytes('c0');
    await peer.expectDisconnect(0x8d);
  });

  it('[MQTT-3.1.2-22] counts every packet, and one at a time', async () => {
    const silent = await Peer.connect(broker, { keepAlive: 2 });
    const talkative = await Peer.connect(broker, { keepAlive: 1 });
    const topicName = uniqueTopic();
    const isOver = silent.expectDisconnect(0x8d).then(() => true);
    // Until the silent one is closed, which takes longer than the other may be silent.
    for (let isSilentClosed = false; !isSilentClosed;) {
      await talkative.publish({ topicName, qos: 1 });
      isSilentClosed = await Promise.race([
        isOver,
        new Promise<false>((next) => setTimeout(next, 50, false)),
      ]);
    }
    expect(await talkative.drain()).toEqual([]);
  });
});

describeWith({ serverKeepAliveSeconds: 1 }, '3.2.2.3.14 Server Keep Alive', (broker) => {
  it.each([0, 60])('[MQTT-3.1.2-21] is what holds, whatever CONNECT asks for: %i', async (keepAlive) => {
    const peer = await Peer.connect(broker, { keepAlive });
    expect(peer.connack.properties).toMatchObject({ serverKeepAlive: 1 });
    await peer.expectDisconnect(0x8d);
  });
});

describeBroker('3.1.3 CONNECT: the payload', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.3-3] [v3.1.1 MQTT-3.1.3-3] closes when there is no Client Identifier, version %i',
    async (version) => {
      const peer = await Peer.open(broker, version);
      peer.sendBytes(connectHex({ protocolVersion: version, payload: [] }));
      await peer.expectRejected(0x81);
    },
  );

  const illFormed = [
    { id: 'MQTT-3.1.3-4', old: 'MQTT-3.1.3-4', what: 'Client Identifier', flags: 0x02, fields: [] },
    {
      id: 'MQTT-3.1.3-11',
      old: 'MQTT-3.1.3-10',
      what: 'Will Topic',
      flags: 0x06,
      fields: [binaryHex('61ff'), binaryHex('62')],
    },
    {
      id: 'MQTT-3.1.3-12',
      old: 'MQTT-3.1.3-11',
      what: 'User Name',
      flags: 0x82,
      fields: [binaryHex('eda080')],
    },
  ];
  it.each(illFormed.flatMap((one) => PROTOCOL_VERSIONS.map((version) => ({ ...one, version }))))(
    '[$id] [v3.1.1 $old] closes on an ill-formed $what, version $version',
    async ({ what, flags, fields, version }) => {
      const peer = await Peer.open(broker, version);
      const clientId = what === 'Client Identifier' ? binaryHex('c328') : textHex(uniqueClientId());
      const willProperties = what === 'Will Topic' && version === 5 ? '00' : '';
      const payload = [clientId, willProperties, ...fields];
      peer.sendBytes(connectHex({ protocolVersion: version, flags, payload }));
      await peer.expectRejected(0x81);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.3-5] [v3.1.1 MQTT-3.1.3-5] takes 1 to 23 letters and digits for a Client Identifier, version %i',
    async (protocolVersion) => {
      for (const clientId of [
        'q',
        '0123456789abcdefghijklm',
        'nopqrstuvwxyzABCDEFGHIJ',
        'KLMNOPQRSTUVWXYZ',
      ]) {
        const peer = await Peer.connect(broker, { protocolVersion, clientId });
        expect(await peer.drain()).toEqual([]);
      }
    },
  );

  it('[MQTT-3.1.3-6] [MQTT-3.2.2-16] gives everybody without a Client Identifier one that nobody has', async () => {
    const taken = await Peer.connect(broker);
    const peers = [
      await Peer.connect(broker, { clientId: '' }),
      await Peer.connect(broker, { clientId: '' }),
    ];
    const clientIds = peers.map(({ connack }) => connack.properties?.assignedClientIdentifier);
    for (const clientId of clientIds) expect(clientId).toMatch(/./);
    expect(new Set([...clientIds, taken.clientId]).size).toBe(3);
    for (const peer of [...peers, taken]) expect(await peer.drain()).toEqual([]);
  });

  it('[MQTT-3.1.3-6] an assigned Client Identifier is as good as one of the client itself', async () => {
    const properties = { sessionExpiryInterval: 60 };
    const first = await Peer.connect(broker, { clientId: '', properties });
    await first.disconnect();
    const { clientId } = first;
    const second = await Peer.connect(broker, { clientId, cleanStart: false, properties });
    expect(second.connack).toMatchObject({ sessionPresent: true });
    expect(second.connack.properties ?? {}).not.toHaveProperty('assignedClientIdentifier');
  });

  it('[MQTT-3.1.3-6] takes none with Clean Start 0 as well, which 5.0 allows', async () => {
    const peer = await Peer.connect(broker, { clientId: '', cleanStart: false });
    expect(peer.connack).toMatchObject({ sessionPresent: false });
    expect(peer.connack.properties?.assignedClientIdentifier).toMatch(/./);
  });
});

describeWith(
  { limits: { clientIdBytesMax: 23 } },
  '3.1.3.1 Client Identifiers a server rejects',
  (broker) => {
    it('[MQTT-3.1.3-8] [MQTT-3.2.2-7] it says so and closes', async () => {
      const peer = await Peer.open(broker);
      peer.send({ type: 'CONNECT', clientId: 'c'.repeat(24) });
      await peer.expectRejected(0x85);
    });

    it('[v3.1.1 MQTT-3.1.3-9] it says so and closes under 3.1.1', async () => {
      const peer = await Peer.open(broker, 4);
      peer.send({ type: 'CONNECT', protocolVersion: 4, clientId: 'c'.repeat(24) });
      await peer.expectRefusal(2);
    });
  },
);
