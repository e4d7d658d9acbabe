/**
 * What the naive broker finds wrong with clients: each with the clause it names, and with the end of the connection where the
 * standard wants it.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import type { NaiveOptions } from '../../sim/world/naive-broker.ts';
import { LASTING, message, messages, stageOf, subscribe } from './naive-stage.ts';
import type { PlayedClient } from './world-stage.ts';

const qos1 = (packetId: number, payload = '01'): PacketObject => message('a', { qos: 1, packetId, payload });
const qos2 = (packetId: number, payload = '01'): PacketObject => message('a', { qos: 2, packetId, payload });
const dup = (packet: PacketObject): PacketObject => ({ ...packet, dup: true }) as PacketObject;
const pubrel = (packetId: number): PacketObject => ({ type: 'PUBREL', packetId });
const subscription = (packetId: number, ...filters: string[]): PacketObject => ({
  type: 'SUBSCRIBE',
  packetId,
  subscriptions: filters.map((topicFilter) => ({ topicFilter, qos: 2 })),
});

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

/** What a connected client does wrong. */
interface Wrong {
  what: string;
  does: (client: PlayedClient) => void;
  options?: NaiveOptions;
  /** Clauses of 5.0, and of 3.1.1 if it can be done there. */
  v5: string;
  v311?: string;
  /** What the connection ends with; absent: it goes on. */
  reasonCode?: number;
}

const WRONGS: Wrong[] = [
  {
    what: 'a second CONNECT',
    does: (client) =>
      client.send({ type: 'CONNECT', clientId: 'c', protocolVersion: client.protocolVersion }),
    v5: 'MQTT-3.1.0-2',
    v311: 'MQTT-3.1.0-2',
    reasonCode: 0x82,
  },
  {
    what: 'reserved bits that are not as they must be',
    does: (client) => client.sendBytes(bytesOf('80 03 00 01 00')),
    v5: 'MQTT-3.8.1-1',
    v311: 'MQTT-2.2.2-1',
    reasonCode: 0x81,
  },
  {
    what: 'a SUBSCRIBE without Topic Filter',
    does: (client) =>
      client.sendBytes(bytesOf(client.protocolVersion === 5 ? '82 03 00 01 00' : '82 02 00 01')),
    v5: 'MQTT-3.8.3-2',
    v311: 'MQTT-3.8.3-3',
    reasonCode: 0x82,
  },
  {
    what: 'an UNSUBSCRIBE without Topic Filter',
    does: (client) =>
      client.sendBytes(bytesOf(client.protocolVersion === 5 ? 'a2 03 00 01 00' : 'a2 02 00 01')),
    v5: 'MQTT-3.10.3-2',
    v311: 'MQTT-3.10.3-2',
    reasonCode: 0x82,
  },
  {
    what: 'a Remaining Length of five bytes',
    does: (client) => client.sendBytes(bytesOf('30 80 80 80 80 01')),
    v5: 'MQTT-2.1.4',
    v311: 'MQTT-2.2.3',
    reasonCode: 0x81,
  },
  {
    what: 'a packet that only servers send',
    does: (client) => client.send({ type: 'PINGRESP' }),
    v5: 'MQTT-2.1.2',
    v311: 'MQTT-2.2.1',
    reasonCode: 0x82,
  },
  {
    what: 'a reason code that PUBACK has not',
    does: (client) => client.sendBytes(bytesOf('40 03 00 01 01')),
    v5: 'MQTT-3.4.2-1',
    reasonCode: 0x82,
  },
  {
    what: 'a wildcard in a Topic Name',
    does: (client) =>
      client.sendBytes(bytesOf(client.protocolVersion === 5 ? '30 04 00 01 23 00' : '30 03 00 01 23')),
    v5: 'MQTT-3.3.2-2',
    v311: 'MQTT-3.3.2-2',
    reasonCode: 0x90,
  },
  {
    what: 'a packet larger than it was told',
    does: (client) => client.send(message('a', { payload: '00'.repeat(60) })),
    options: { maximumPacketSize: 50 },
    v5: 'MQTT-3.2.2-15',
    reasonCode: 0x95,
  },
  {
    what: 'AUTH without a method',
    does: (client) =>
      client.send({ type: 'AUTH', reasonCode: 0x19, properties: { authenticationMethod: 'X' } }),
    v5: 'MQTT-4.12.0-7',
    reasonCode: 0x82,
  },
  {
    what: 'a Topic Alias above the maximum',
    does: (client) => client.send(message('a', { properties: { topicAlias: 3 } })),
    options: { topicAliasMaximum: 2 },
    v5: 'MQTT-3.3.2-9',
    reasonCode: 0x94,
  },
  {
    what: 'a Topic Alias where there are none',
    does: (client) => client.send(message('a', { properties: { topicAlias: 1 } })),
    options: { topicAliasMaximum: 0 },
    v5: 'MQTT-3.2.2-18',
    reasonCode: 0x94,
  },
  {
    what: 'a Topic Alias that was not set',
    does: (client) => client.send(message('', { properties: { topicAlias: 1 } })),
    v5: 'MQTT-3.3.4',
    reasonCode: 0x82,
  },
  {
    what: 'a QoS above the maximum',
    does: (client) => client.send(qos2(1)),
    options: { maximumQos: 1 },
    v5: 'MQTT-3.2.2-11',
    reasonCode: 0x9b,
  },
  {
    what: 'RETAIN where it is not available',
    does: (client) => client.send(message('a', { retain: true })),
    options: { retainAvailable: false },
    v5: 'MQTT-3.2.2-14',
    reasonCode: 0x9a,
  },
  {
    what: 'a wildcard where there are none',
    does: (client) => client.send(subscription(1, 'a', '+')),
    options: { wildcardSubscriptionAvailable: false },
    v5: 'MQTT-3.2.2.3.11',
    reasonCode: 0xa2,
  },
  {
    what: 'a Subscription Identifier where there are none',
    does: (client) =>
      client.send({
        type: 'SUBSCRIBE',
        packetId: 1,
        subscriptions: [{ topicFilter: 'a' }],
        properties: { subscriptionIdentifiers: [1] },
      }),
    options: { subscriptionIdentifiersAvailable: false },
    v5: 'MQTT-3.2.2.3.12',
    reasonCode: 0xa1,
  },
  {
    what: 'a Shared Subscription where there are none',
    does: (client) => client.send(subscription(1, '$share/g/a')),
    options: { sharedSubscriptionAvailable: false },
    v5: 'MQTT-3.2.2.3.13',
    reasonCode: 0x9e,
  },
  {
    what: 'a payload that is not the text it is said to be',
    does: (client) => client.send(message('a', { payload: 'ff', properties: { payloadFormatIndicator: 1 } })),
    v5: 'MQTT-3.3.2.3.2',
    reasonCode: 0x99,
  },
  {
    what: 'a Session Expiry Interval at the end where there was none at the beginning',
    does: (client) => client.send({ type: 'DISCONNECT', properties: { sessionExpiryInterval: 1 } }),
    v5: 'MQTT-3.14.2.2.2',
    reasonCode: 0x82,
  },
  {
    what: 'PUBACK for nothing',
    does: (client) => client.send({ type: 'PUBACK', packetId: 1 }),
    v5: 'MQTT-2.2.1-5',
    v311: 'MQTT-2.3.1-6',
  },
  {
    what: 'PUBCOMP for nothing',
    does: (client) => client.send({ type: 'PUBCOMP', packetId: 1 }),
    v5: 'MQTT-2.2.1-5',
    v311: 'MQTT-2.3.1-6',
  },
  {
    what: 'PUBREL for nothing in a new session',
    does: (client) => client.send(pubrel(1)),
    v5: 'MQTT-4.3.3-4',
  },
  {
    what: 'PUBREL twice',
    does: (client) => client.send(qos2(1)).send(pubrel(1)).send(pubrel(1)),
    v5: 'MQTT-4.4.0-1',
  },
  {
    what: 'DUP for the first time in a new session, QoS 1',
    does: (client) => client.send(dup(qos1(1))),
    v5: 'MQTT-4.3.2-2',
  },
  {
    what: 'DUP for the first time in a new session, QoS 2',
    does: (client) => client.send(dup(qos2(1))),
    v5: 'MQTT-4.3.3-2',
  },
  {
    what: 'a PUBLISH again on the same connection',
    does: (client) => client.send(qos2(1)).send(dup(qos2(1))),
    v5: 'MQTT-4.4.0-1',
  },
  {
    what: 'a Packet Identifier in use, for another message',
    does: (client) => client.send(qos2(1)).send(qos2(1, '02')),
    v5: 'MQTT-2.2.1-3',
    v311: 'MQTT-2.3.1-2',
  },
  {
    what: 'a Packet Identifier in use, for SUBSCRIBE',
    does: (client) => client.send(qos2(1)).send(subscription(1, 'a')),
    v5: 'MQTT-2.2.1-3',
    v311: 'MQTT-2.3.1-2',
  },
  {
    what: 'a Packet Identifier in use by SUBSCRIBE',
    does: (client) => client.send(subscription(1, 'a'), qos1(1)),
    options: { acknowledgementDelayMs: 50 },
    v5: 'MQTT-2.2.1-3',
    v311: 'MQTT-2.3.1-2',
  },
  {
    what: 'a Packet Identifier before its PUBACK',
    does: (client) => client.send(qos1(1), qos1(1, '02')),
    options: { acknowledgementDelayMs: 50 },
    v5: 'MQTT-2.2.1-3',
    v311: 'MQTT-2.3.1-2',
  },
  {
    what: 'a Packet Identifier before its PUBCOMP',
    does: (client) => client.send(qos2(1), pubrel(1)).send(qos2(1, '02')),
    options: { acknowledgementDelayMs: 50 },
    v5: 'MQTT-4.3.3-4 MQTT-2.2.1-3',
    v311: 'MQTT-4.3.3-1 v3.1.1 MQTT-2.3.1-2',
  },
  {
    what: 'more than the Receive Maximum',
    does: (client) => client.send(qos1(1), qos2(2), qos1(3)),
    options: { acknowledgementDelayMs: 50, receiveMaximum: 2 },
    v5: 'MQTT-3.3.4-7',
    reasonCode: 0x93,
  },
  {
    what: 'PUBREL packets in another order than PUBREC',
    does: (client) => client.send(qos2(1), qos2(2)).send(pubrel(2), pubrel(1)),
    v5: 'MQTT-4.6.0-4',
    v311: 'MQTT-4.6.0-4',
  },
  {
    what: 'PUBACK packets in another order than PUBLISH',
    does: (client) => {
      subscribe(client, { topicFilter: 'b', qos: 1 });
      client.send(message('b', { qos: 1, packetId: 1 }), message('b', { qos: 1, packetId: 2 }));
      client.send({ type: 'PUBACK', packetId: 2 }, { type: 'PUBACK', packetId: 1 });
    },
    v5: 'MQTT-4.6.0-2',
    v311: 'MQTT-4.6.0-2',
  },
  {
    what: 'PUBREC packets in another order than PUBLISH',
    does: (client) => {
      subscribe(client, { topicFilter: 'b', qos: 2 });
      client.send(message('b', { qos: 2, packetId: 1 }), message('b', { qos: 2, packetId: 2 }));
      client.send({ type: 'PUBREC', packetId: 2 }, { type: 'PUBREC', packetId: 1 });
    },
    v5: 'MQTT-4.6.0-3',
    v311: 'MQTT-4.6.0-3',
  },
  {
    what: 'PUBACK for QoS 2',
    does: (client) => {
      subscribe(client, { topicFilter: 'b', qos: 2 });
      client.send(message('b', { qos: 2, packetId: 1 }));
      client.send({ type: 'PUBACK', packetId: 1 });
    },
    v5: 'MQTT-3.3.4-1',
    v311: 'MQTT-3.3.4-1',
    reasonCode: 0x82,
  },
];

describe('clients of 5.0', () => {
  it.each(WRONGS.map((wrong) => [wrong.v5, wrong.what, wrong] as const))('[%s] %s', (v5, _, wrong) => {
    const { does, options, reasonCode = 0 } = wrong;
    const { stage, broker } = stageOf(options);
    const client = stage.connect('c');
    does(client);
    expect(broker.violations.map(({ clause }) => clause).join(' ')).toBe(v5);
    expect(broker.violations[0]).toMatchObject({ atMs: 0, clientId: 'c' });
    const last = client.take().at(-1);
    if (reasonCode > 0) expect(last).toEqual({ type: 'DISCONNECT', reasonCode });
    expect(client.isClosed).toBe(reasonCode > 0);
    expect(broker.ends.map((end) => end.reasonCode)).toEqual(reasonCode > 0 ? [reasonCode] : []);
  });
});

describe('clients of 3.1.1', () => {
  const wrongs = WRONGS.flatMap((wrong) =>
    wrong.v311 === undefined ? [] : [[wrong.v311, wrong.what, wrong] as const],
  );

  it.each(wrongs)('[v3.1.1 %s] %s', (v311, _, { does, options, reasonCode = 0 }) => {
    const { stage, broker } = stageOf(options);
    const client = stage.connect('c', { protocolVersion: 4 });
    does(client);
    expect(broker.violations.map(({ clause }) => clause).join(' ')).toBe(`v3.1.1 ${v311}`);
    expect(client.take().filter(({ type }) => type === 'DISCONNECT')).toEqual([]);
    expect(client.isClosed).toBe(reasonCode > 0);
  });

  it('[v3.1.1 MQTT-3.1.3-7] [v3.1.1 MQTT-3.1.3-8] without Client Identifier, and with a session to keep', () => {
    const { stage, broker } = stageOf();
    const { connack, isClosed } = stage.connect('', { protocolVersion: 4, cleanStart: false });
    expect([connack.reasonCode, isClosed]).toEqual([2, true]);
    expect(broker.violations).toMatchObject([{ clause: 'v3.1.1 MQTT-3.1.3-7' }]);
  });

  it('may send again on the same connection', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c', { protocolVersion: 4 });
    client
      .send(qos2(1))
      .send(dup(qos2(1)), pubrel(1))
      .send(pubrel(1));
    expect(client.take().map(({ type }) => type)).toEqual(['PUBREC', 'PUBREC', 'PUBCOMP', 'PUBCOMP']);
    expect(broker.violations).toEqual([]);
  });
});

describe('connections', () => {
  it('[MQTT-3.1.0-1] begin with CONNECT', () => {
    const { stage, broker } = stageOf();
    const client = stage.open().send({ type: 'PINGREQ' });
    expect([client.take(), client.isClosed]).toEqual([[], true]);
    expect(broker.violations).toMatchObject([{ clientId: '', clause: 'MQTT-3.1.0-1' }]);
  });

  it('begin with a CONNECT that is right', () => {
    const { stage, broker } = stageOf();
    // A Will QoS without a will [MQTT-3.1.2-11].
    const client = stage.open().sendBytes(bytesOf('10 0d 00 04 4d515454 05 08 0000 00 0000'));
    expect(client.takeOne('CONNACK').reasonCode).toBe(0x81);
    expect(client.isClosed).toBe(true);
    const old = stage.open(4).sendBytes(bytesOf('10 0c 00 04 4d515454 04 08 0000 0000'));
    expect([old.take(), old.isClosed]).toEqual([[], true]);
    expect(broker.violations.map(({ clause }) => clause)).toEqual(['MQTT-3.1.2.3', 'v3.1.1 MQTT-3.1.2.3']);
  });

  it('[MQTT-3.14.4-1] end with DISCONNECT', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c');
    // Nobody has closed yet when the next packet comes.
    client.isReading = false;
    client.send({ type: 'PINGREQ' }).send({ type: 'DISCONNECT' }).send({ type: 'PINGREQ' });
    expect(broker.violations).toMatchObject([{ clause: 'MQTT-3.14.4-1' }]);
  });
});

describe('sessions that go on', () => {
  /** A client whose connection broke, and that is back. */
  function comeBack(packets: PacketObject[]): { client: PlayedClient; clauses: () => string[] } {
    const { stage, broker } = stageOf();
    stage
      .connect('c', LASTING)
      .send(...packets)
      .drop();
    const client = stage.connect('c', { cleanStart: false, ...LASTING });
    return { client, clauses: () => broker.violations.map(({ clause }) => clause) };
  }

  it('may send again what was answered, for the answer may be lost', () => {
    const { client, clauses } = comeBack([qos1(1), qos2(2), qos2(3), pubrel(3)]);
    client.send(dup(qos1(1)), dup(qos2(2)), pubrel(3));
    expect(client.take()).toMatchObject([
      { type: 'PUBACK', packetId: 1 },
      { type: 'PUBREC', packetId: 2 },
      { type: 'PUBCOMP', packetId: 3 },
    ]);
    expect(clauses()).toEqual(['MQTT-4.3.3-4']); // of the first connection: PUBREL 3 did not wait for PUBREC
  });

  it('[MQTT-3.3.1-1] with DUP', () => {
    const { client, clauses } = comeBack([qos2(1)]);
    client.send(qos2(1));
    expect(clauses()).toEqual(['MQTT-3.3.1-1']);
  });

  it('[MQTT-4.6.0-1] in the same order', () => {
    const { client, clauses } = comeBack([qos2(1), qos2(2), qos2(3)]);
    client.send(dup(qos2(1)), dup(qos2(3)), dup(qos2(2)));
    expect(clauses()).toEqual(['MQTT-4.6.0-1']);
  });

  it('[MQTT-2.2.1-3] and not with another message under the same Packet Identifier', () => {
    const { client, clauses } = comeBack([qos2(1)]);
    client.send(qos2(1, '02'));
    expect(clauses()).toEqual(['MQTT-2.2.1-3']);
  });

  it('[MQTT-2.2.1-5] and answer only what was sent on the same connection', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c', { properties: { receiveMaximum: 1, sessionExpiryInterval: 9 } });
    subscribe(client, { topicFilter: 'a', qos: 1 });
    const sender = stage.connect('s');
    sender.send(qos1(1), qos1(2));
    const [{ packetId = 0 }] = messages(client);
    client.send({ type: 'PUBACK', packetId }).drop();
    const back = stage.open().send({ type: 'CONNECT', clientId: 'c', cleanStart: false });
    back.send({ type: 'PUBACK', packetId });
    expect(broker.violations.map(({ clause }) => clause)).toEqual(['MQTT-2.2.1-5']);
  });
});

it('may send again in an order of which the server knows but a part', () => {
  const { stage, broker } = stageOf({ acknowledgementDelayMs: 50 });
  stage.connect('c', LASTING).send(qos1(1), qos2(2));
  stage.pass(50);
  // To the server, message 1 is answered: when it comes again, it may be any message.
  for (let times = 0; times < 2; times++) {
    const client = stage.connect('c', { cleanStart: false, ...LASTING });
    client.send(dup(qos1(1)), dup(qos2(2))).drop();
  }
  expect(broker.violations).toEqual([]);
});

it('may send again what the server was late to answer, and counts it anew', () => {
  const { stage, broker } = stageOf({ acknowledgementDelayMs: 50, receiveMaximum: 1 });
  stage.connect('c', LASTING).send(qos1(1)).drop();
  const client = stage.connect('c', { cleanStart: false, ...LASTING }).send(dup(qos1(1)));
  stage.pass(49);
  expect(client.take()).toEqual([]);
  stage.pass(1);
  client.takeOne('PUBACK');
  client.send(qos1(1, '02'));
  expect(broker.violations).toEqual([]);
});
