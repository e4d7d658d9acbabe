/**
 * The naive broker on played links: what it does, clause by clause, for clients that keep to the standard.
 */
import { describe, expect, it } from 'vitest';
import { doesFilterMatch, splitShared } from '../../sim/world/naive-topics.ts';
import { isHexUtf8 } from '../../sim/world/naive-utf8.ts';
import { encodeObject } from '../../src/packets/inspect.ts';
import type { PropertiesObject, PublishObject } from '../../src/packets/inspect.ts';
import { LASTING, message, messages, payloads, stageOf, subscribe } from './naive-stage.ts';

describe('topics', () => {
  it.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a/B', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['+', '/finance', false],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['a/+/#', 'a', false],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
    ['$SYS/+', '$SYS/a', true],
  ])('[MQTT-4.7.1-2] [MQTT-4.7.2-1] %s against %s: %s', (filter, topicName, isMatch) => {
    expect(doesFilterMatch(filter, topicName)).toBe(isMatch);
  });

  it('[MQTT-4.8.2-2] takes shared filters apart', () => {
    expect(splitShared('$share/g//finance')).toEqual({ shareName: 'g', filter: '/finance' });
    expect(splitShared('$shared/g/a')).toBe(null);
    expect(splitShared('a/$share/b')).toBe(null);
  });

  it.each([
    ['', true],
    ['00', true],
    ['c3a4', true],
    ['efbfbf', true],
    ['f48fbfbf', true],
    ['80', false],
    ['c0af', false],
    ['e08080', false],
    ['eda080', false],
    ['f4908080', false],
    ['c3', false],
    ['c341', false],
    ['ff', false],
  ])('knows UTF-8: %s %s', (hex, isText) => expect(isHexUtf8(hex)).toBe(isText));
});

describe('connecting', () => {
  it('[MQTT-3.2.2-2] [MQTT-3.2.2-3] tells whether there is a session', () => {
    const { stage } = stageOf();
    const first = stage.connect('c', { cleanStart: false, ...LASTING });
    expect(first.connack.sessionPresent).toBe(false);
    first.drop();
    const second = stage.connect('c', { cleanStart: false, ...LASTING });
    expect(second.connack.sessionPresent).toBe(true);
    second.drop();
    expect(stage.connect('c', { cleanStart: true }).connack.sessionPresent).toBe(false);
  });

  it('[MQTT-4.1.0-2] forgets a session when its Session Expiry Interval has passed', () => {
    const { stage, broker } = stageOf();
    stage.connect('c', LASTING).drop();
    stage.pass(999_999);
    expect(broker.snapshot().sessions).toHaveLength(1);
    stage.pass(1);
    expect(broker.snapshot().sessions).toHaveLength(0);
    expect(broker.nextDeadlineMs()).toBe(Infinity);
  });

  it.each([5, 4] as const)('keeps a session that does not expire, version %i', (protocolVersion) => {
    const { stage, broker } = stageOf();
    const properties = protocolVersion === 5 ? { properties: { sessionExpiryInterval: 0xffffffff } } : {};
    stage.connect('c', { protocolVersion, cleanStart: false, ...properties }).drop();
    expect(broker.nextDeadlineMs()).toBe(Infinity);
    stage.pass(10_000_000_000);
    expect(stage.connect('c', { cleanStart: false }).connack.sessionPresent).toBe(true);
  });

  it('takes the Session Expiry Interval of DISCONNECT', () => {
    const { stage, broker } = stageOf();
    const properties = { sessionExpiryInterval: 0 };
    const client = stage.connect('c', LASTING).send({ type: 'DISCONNECT', properties });
    expect(client.isClosed).toBe(true);
    expect(broker.snapshot().sessions).toHaveLength(0);
  });

  it('[MQTT-3.1.3-7] [MQTT-3.2.2-16] assigns a Client Identifier', () => {
    const { connack } = stageOf().stage.connect('');
    expect(connack.properties?.assignedClientIdentifier).toBe('naivebeef');
  });

  it('[MQTT-3.1.4-3] ends the connection of the same client', () => {
    const { stage, broker } = stageOf();
    const first = stage.connect('c', LASTING);
    const second = stage.connect('c', { cleanStart: false, ...LASTING });
    expect(first.takeOne('DISCONNECT').reasonCode).toBe(0x8e);
    expect(first.isClosed).toBe(true);
    expect(second.connack.sessionPresent).toBe(true);
    expect(broker.ends).toEqual([{ atMs: 0, clientId: 'c', reasonCode: 0x8e }]);
    expect(broker.violations).toEqual([]);
  });

  it('refuses what it does not offer', () => {
    const { stage } = stageOf({ maximumQos: 1, retainAvailable: false });
    const will = { willTopic: 'w' };
    expect(stage.connect('a', { ...will, willQos: 2 }).connack.reasonCode).toBe(0x9b); // [MQTT-3.2.2-12]
    expect(stage.connect('b', { ...will, willRetain: true }).connack.reasonCode).toBe(0x9a); // [MQTT-3.2.2-13]
    const properties = { authenticationMethod: 'X' };
    const refused = stage.connect('c', { properties });
    expect(refused.connack).toMatchObject({ sessionPresent: false, reasonCode: 0x8c });
    expect(refused.isClosed).toBe(true);
  });

  it('tells its limits', () => {
    const options = {
      receiveMaximum: 3,
      maximumPacketSize: 99,
      topicAliasMaximum: 2,
      maximumQos: 1,
    } as const;
    const { stage } = stageOf({ ...options, retainAvailable: false, serverKeepAliveSeconds: 7 });
    const serverKeepAlive = 7;
    const expected: PropertiesObject = { ...options, retainAvailable: 0, serverKeepAlive };
    expect(stage.connect('c').connack.properties).toEqual(expected);
  });

  it('[MQTT-3.1.2-22] ends a connection that is silent for one and a half times the keep alive', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c', { keepAlive: 10 });
    stage.pass(14_999);
    client.send({ type: 'PINGREQ' }).takeOne('PINGRESP');
    stage.pass(14_999);
    expect(client.isClosed).toBe(false);
    stage.pass(1);
    expect(client.takeOne('DISCONNECT').reasonCode).toBe(0x8d);
    expect(client.isClosed).toBe(true);
    // The network may have been at fault.
    expect(broker.violations).toEqual([]);
  });

  it('does not wait for CONNECT, or for a client that does not read, for ever', () => {
    const { stage } = stageOf({ connectTimeoutSeconds: 5 });
    const silent = stage.open();
    stage.pass(5000);
    expect(silent.isClosed).toBe(true);
    const deaf = stage.connect('c');
    deaf.isReading = false;
    deaf.send({ type: 'PINGREQ' }).send({ type: 'DISCONNECT' });
    expect(deaf.isClosed).toBe(false);
    stage.pass(10_000);
    expect(deaf.isClosed).toBe(true);
  });

  it('takes the stream in any pieces, and writes once at a time', () => {
    const { stage } = stageOf();
    const client = stage.open();
    const options = { protocolVersion: 5 };
    const bytes = [
      ...encodeObject({ type: 'CONNECT', clientId: 'c' }, options),
      ...encodeObject({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'a' }] }, options),
      ...encodeObject(message('a'), options),
    ];
    client.isReading = false;
    for (const byte of bytes) client.sendBytes(Uint8Array.of(byte));
    expect(client.take()).toEqual([]);
    client.isReading = true;
    stage.settle();
    expect(client.take().map(({ type }) => type)).toEqual(['CONNACK', 'SUBACK', 'PUBLISH']);
  });
});

describe('delivery', () => {
  it('[MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] answers by QoS', () => {
    const client = stageOf().stage.connect('c');
    expect(client.send(message('a')).take()).toEqual([]);
    client.send(message('a', { qos: 1, packetId: 1 }));
    expect(client.takeOne('PUBACK')).toEqual({ type: 'PUBACK', packetId: 1, reasonCode: 0x10 });
    client.send(message('a', { qos: 2, packetId: 2 }));
    expect(client.takeOne('PUBREC').packetId).toBe(2);
    client.send({ type: 'PUBREL', packetId: 2 });
    expect(client.takeOne('PUBCOMP')).toEqual({ type: 'PUBCOMP', packetId: 2 });
  });

  it('[MQTT-4.3.3-10] delivers a QoS 2 message that is sent again once', () => {
    const { stage, broker } = stageOf();
    const receiver = stage.connect('r');
    subscribe(receiver, { topicFilter: 'a' });
    const packet = message('a', { qos: 2, packetId: 2 });
    stage.connect('s', LASTING).send(packet).drop();
    const sender = stage.connect('s', { cleanStart: false, ...LASTING }).send({ ...packet, dup: true });
    expect(sender.takeOne('PUBREC').reasonCode).toBeUndefined();
    sender.send({ type: 'PUBREL', packetId: 2 }).takeOne('PUBCOMP');
    // [MQTT-4.3.3-12]
    sender.send(packet).takeOne('PUBREC');
    expect(payloads(receiver)).toEqual(['01', '01']);
    expect(broker.violations).toEqual([]);
  });

  it('[MQTT-3.3.1-1] [MQTT-4.4.0-1] sends again in order what was not acknowledged', () => {
    const { stage } = stageOf();
    const receiver = stage.connect('r', LASTING);
    subscribe(receiver, { topicFilter: 'a', qos: 2 });
    const sender = stage.connect('s');
    const ids = [1, 2, 1, 2].map((qos, index) => {
      sender.send(message('a', { qos, packetId: index + 1, payload: `0${index}` }));
      return messages(receiver)[0].packetId ?? 0;
    });
    receiver.send({ type: 'PUBREC', packetId: ids[1] });
    expect(receiver.takeOne('PUBREL').packetId).toBe(ids[1]);
    receiver.drop();
    sender.send(message('a', { qos: 1, packetId: 9, payload: '09' }));
    const again = stage.open().send({ type: 'CONNECT', clientId: 'r', cleanStart: false });
    expect(again.take()).toMatchObject([
      { type: 'CONNACK', sessionPresent: true },
      { type: 'PUBREL', packetId: ids[1] },
      { type: 'PUBLISH', dup: true, packetId: ids[0], payload: '00' },
      { type: 'PUBLISH', dup: true, packetId: ids[2], payload: '02' },
      { type: 'PUBLISH', dup: true, packetId: ids[3], payload: '03' },
      { type: 'PUBLISH', dup: false, payload: '09' },
    ]);
  });

  it('[MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-2] keeps to the Receive Maximum', () => {
    const { stage } = stageOf();
    const receiver = stage.connect('r', { properties: { receiveMaximum: 1, sessionExpiryInterval: 9 } });
    subscribe(receiver, { topicFilter: 'a', qos: 2 });
    const sender = stage.connect('s');
    for (let packetId = 1; packetId <= 3; packetId++) {
      sender.send(message('a', { qos: 2, packetId, payload: `0${packetId}` }));
    }
    sender.send(message('a', { payload: '0a' }));
    const came = messages(receiver);
    expect(came.map(({ payload }) => payload)).toEqual(['01', '0a']);
    receiver.send({ type: 'PUBREC', packetId: came[0].packetId ?? 0 }).takeOne('PUBREL');
    receiver.drop();
    const properties = { receiveMaximum: 1, sessionExpiryInterval: 9 };
    const again = stage.open().send({ type: 'CONNECT', clientId: 'r', cleanStart: false, properties });
    // What is released counts no more: the quota begins anew (4.9).
    expect(again.take().map(({ type }) => type)).toEqual(['CONNACK', 'PUBREL', 'PUBLISH']);
    again.send({ type: 'PUBCOMP', packetId: came[0].packetId ?? 0 });
    expect(again.take()).toEqual([]);
  });

  it('[MQTT-4.4.0-2] counts a refusal as an acknowledgement', () => {
    const { stage, broker } = stageOf();
    const receiver = stage.connect('r', { properties: { receiveMaximum: 1 } });
    subscribe(receiver, { topicFilter: 'a', qos: 2 });
    const sender = stage.connect('s');
    for (const packetId of [1, 2, 3]) sender.send(message('a', { qos: (packetId % 2) + 1, packetId }));
    const first = messages(receiver)[0];
    receiver.send({ type: 'PUBREC', packetId: first.packetId ?? 0, reasonCode: 0x83 });
    const second = messages(receiver)[0];
    receiver.send({ type: 'PUBACK', packetId: second.packetId ?? 0, reasonCode: 0x97 });
    expect(messages(receiver)).toHaveLength(1);
    expect(broker.snapshot().sessions[0].inflight).toHaveLength(1);
  });

  it('[MQTT-3.3.2-5] [MQTT-3.3.2-6] counts the Message Expiry Interval down', () => {
    const { stage } = stageOf();
    const receiver = stage.connect('r', LASTING);
    subscribe(receiver, { topicFilter: 'a', qos: 1 });
    receiver.drop();
    const sender = stage.connect('s');
    const expiring = (packetId: number, messageExpiryInterval: number): PublishObject =>
      message('a', { qos: 1, packetId, properties: { messageExpiryInterval } });
    sender.send(expiring(1, 3), expiring(2, 10));
    stage.pass(3000);
    const again = stage.open().send({ type: 'CONNECT', clientId: 'r', cleanStart: false });
    const [, one, ...others] = again.take();
    expect(one).toMatchObject({ dup: false, properties: { messageExpiryInterval: 7 } });
    expect(others).toEqual([]);
  });

  it('[MQTT-3.1.2-24] [MQTT-3.1.2-25] leaves out what is too large', () => {
    const { stage } = stageOf();
    const receiver = stage.connect('r', { properties: { maximumPacketSize: 30, receiveMaximum: 1 } });
    subscribe(receiver, { topicFilter: 'a', qos: 1 });
    const sender = stage.connect('s');
    sender.send(message('a', { qos: 1, packetId: 1, payload: '02'.repeat(30) }));
    sender.send(message('a', { qos: 1, packetId: 2 }));
    expect(payloads(receiver)).toEqual(['01']);
  });

  it('[MQTT-3.1.2-26] [MQTT-3.3.2-11] uses Topic Aliases, each for one topic after the other', () => {
    const { stage } = stageOf();
    const receiver = stage.connect('r', { properties: { topicAliasMaximum: 2 } });
    subscribe(receiver, { topicFilter: '#' });
    const sender = stage.connect('s');
    for (const topicName of ['a', 'a', 'b', 'c', 'b', 'a']) sender.send(message(topicName));
    const came = messages(receiver).map(({ topicName, properties }) => [topicName, properties?.topicAlias]);
    expect(came).toEqual([
      ['a', 1],
      ['', 1],
      ['b', 2],
      ['c', 1],
      ['', 2],
      ['a', 2],
    ]);
  });

  it('[MQTT-3.3.2-12] takes Topic Aliases', () => {
    const { stage } = stageOf({ topicAliasMaximum: 1 });
    const client = stage.connect('c');
    subscribe(client, { topicFilter: '#' });
    for (const topicName of ['a', '', 'b', '']) {
      client.send(message(topicName, { properties: { topicAlias: 1 } }));
    }
    expect(messages(client).map(({ topicName }) => topicName)).toEqual(['a', 'a', 'b', 'b']);
  });
});
