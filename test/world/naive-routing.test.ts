/**
 * Who gets what from the naive broker: subscriptions and their options, retained messages, shared subscriptions, wills; and
 * what of all that survives the broker.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import { LASTING, message, messages, payloads, stageOf, subscribe } from './naive-stage.ts';
import type { PlayedClient } from './world-stage.ts';

function retained(topicName: string, payload: string): PublishObject {
  return message(topicName, { payload, retain: true });
}

describe('subscriptions', () => {
  it('[MQTT-3.3.4-2] [MQTT-3.3.4-4] makes one copy of those that overlap', () => {
    const { stage } = stageOf();
    const client = stage.connect('c');
    [
      { topicFilter: 'a', qos: 1 },
      { topicFilter: '+', qos: 2 },
      { topicFilter: '#', qos: 0 },
    ].forEach((subscription, index) => {
      const properties = { subscriptionIdentifiers: [index + 7] };
      client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [subscription], properties });
      expect(client.takeOne('SUBACK').reasonCodes).toEqual([subscription.qos]);
    });
    stage.connect('s').send(message('a', { qos: 2, packetId: 1 }));
    expect(messages(client)).toMatchObject([{ qos: 2, properties: { subscriptionIdentifiers: [7, 8, 9] } }]);
  });

  it('[MQTT-3.8.4-8] delivers at the lower QoS', () => {
    const { stage } = stageOf();
    const client = stage.connect('c');
    subscribe(client, { topicFilter: 'a', qos: 1 });
    const sender = stage.connect('s');
    for (const qos of [0, 1, 2]) sender.send(message('a', qos > 0 ? { qos, packetId: qos } : {}));
    expect(messages(client).map(({ qos }) => qos)).toEqual([0, 1, 1]);
  });

  it('[MQTT-3.8.3-3] keeps from a client what it sent, with No Local', () => {
    const { stage } = stageOf();
    const client = stage.connect('c');
    subscribe(client, { topicFilter: 'a', noLocal: true });
    client.send(message('a'));
    expect(client.take()).toEqual([]);
    stage.connect('s').send(message('a'));
    expect(messages(client)).toHaveLength(1);
    subscribe(client, { topicFilter: '+' });
    client.send(message('a'));
    expect(messages(client)).toHaveLength(1);
  });

  it('[MQTT-3.3.1-12] [MQTT-3.3.1-13] keeps RETAIN as the option says', () => {
    const { stage } = stageOf();
    const [plain, exact] = ['plain', 'exact'].map((clientId) => stage.connect(clientId));
    subscribe(plain, { topicFilter: 'a' });
    subscribe(exact, { topicFilter: 'a', retainAsPublished: true });
    stage.connect('s').send(retained('a', '01'), message('a'));
    expect(messages(plain).map(({ retain }) => retain)).toEqual([false, false]);
    expect(messages(exact).map(({ retain }) => retain)).toEqual([true, false]);
  });

  it('[MQTT-3.10.4-1] [MQTT-3.10.4-5] ends subscriptions', () => {
    const { stage } = stageOf();
    const client = stage.connect('c');
    subscribe(client, { topicFilter: 'a' }, { topicFilter: 'b' });
    client.send({ type: 'UNSUBSCRIBE', packetId: 5, topicFilters: ['a', '+'] });
    expect(client.takeOne('UNSUBACK')).toMatchObject({ packetId: 5, reasonCodes: [0, 0x11] });
    client.send(message('a', { payload: '0a' }), message('b', { payload: '0b' }));
    expect(payloads(client)).toEqual(['0b']);
  });

  it('[MQTT-3.3.2-17] [MQTT-3.3.2-18] passes on properties, but none to 3.1.1', () => {
    const { stage } = stageOf();
    const [client, old] = [stage.connect('c'), stage.connect('o', { protocolVersion: 4 })];
    for (const one of [client, old]) subscribe(one, { topicFilter: 'a' });
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'x',
      responseTopic: 'r',
      correlationData: '00ff',
      userProperties: [
        ['k', '2'],
        ['k', '1'],
      ] as [string, string][],
    };
    const packet = message('a', { properties });
    stage.connect('s').send(packet);
    expect(messages(client)[0].properties).toEqual(properties);
    expect(messages(old)[0].properties).toBeUndefined();
  });
});

describe('retained messages', () => {
  it('[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] are the last of their topic', () => {
    const { stage } = stageOf();
    const sender = stage.connect('s');
    sender.send(retained('a', '01'), retained('a', '02'), retained('b', '03'), retained('b', ''));
    sender.send(message('a', { payload: '04' })); // [MQTT-3.3.1-8]
    const client = stage.connect('c').send({
      type: 'SUBSCRIBE',
      packetId: 1,
      subscriptions: [{ topicFilter: '#' }],
    });
    // Before SUBACK, as a server may (3.8.4).
    expect(client.take()).toMatchObject([
      { topicName: 'a', payload: '02', retain: true },
      { type: 'SUBACK' },
    ]);
  });

  it.each([
    [0, [1, 1]],
    [1, [1, 0]],
    [2, [0, 0]],
  ])('[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] Retain Handling %i', (retainHandling, counts) => {
    const { stage } = stageOf();
    const client = stage.connect('c').send(retained('a', '01'));
    for (const count of counts) {
      const subscriptions = [{ topicFilter: 'a', retainHandling }];
      client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions });
      expect(client.take()).toHaveLength(1 + count);
    }
  });

  it('expire', () => {
    const { stage, broker } = stageOf();
    const properties = { messageExpiryInterval: 5 };
    stage.connect('s').send(message('a', { retain: true, properties }));
    stage.pass(4000);
    const client = stage.connect('c');
    const request: PacketObject = { type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'a' }] };
    expect(client.send(request).take()[0]).toMatchObject({ properties: { messageExpiryInterval: 1 } });
    stage.pass(1000);
    client.send(request).takeOne('SUBACK');
    expect(broker.snapshot().retained).toEqual([]);
  });
});

describe('shared subscriptions', () => {
  const share = { topicFilter: '$share/g/a', qos: 1 };

  it('go round, past those that are not connected', () => {
    const { stage } = stageOf();
    const members = ['m0', 'm1', 'm2'].map((clientId) => stage.connect(clientId, LASTING));
    for (const member of members) subscribe(member, share);
    members[1].drop();
    const sender = stage.connect('s');
    for (const payload of ['01', '02', '03', '04']) sender.send(message('a', { payload }));
    expect(payloads(members[0])).toEqual(['01', '03']);
    expect(payloads(members[2])).toEqual(['02', '04']);
    // A copy of its own for who subscribes apart from that.
    subscribe(members[0], { topicFilter: '#' });
    for (const payload of ['05', '06']) sender.send(message('a', { payload }));
    expect(payloads(members[0])).toEqual(['05', '05', '06']);
    expect(payloads(members[2])).toEqual(['06']);
  });

  it('are left once, however often they were joined', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c').send(retained('a', '01'));
    // No retained messages.
    subscribe(client, share);
    subscribe(client, share);
    client.send({ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: [share.topicFilter] });
    expect(client.takeOne('UNSUBACK').reasonCodes).toEqual([0]);
    expect(broker.snapshot().shares).toEqual([]);
  });

  it.each([
    [1, ['01', '02', '03']],
    [2, ['02', '03']],
  ])('[MQTT-4.8.2-5] hand on what a member leaves, but QoS %i that was begun', (qos, handedOn) => {
    const { stage } = stageOf();
    const first = stage.connect('m0', { properties: { receiveMaximum: 1 } });
    subscribe(first, { ...share, qos });
    const sender = stage.connect('s');
    for (const packetId of [1, 2, 3]) sender.send(message('a', { qos, packetId, payload: `0${packetId}` }));
    const second = stage.connect('m1');
    subscribe(second, { ...share, qos });
    first.drop();
    expect(payloads(second)).toEqual(handedOn);
  });

  it('are Topic Filters like any other to 3.1.1', () => {
    const { stage, broker } = stageOf();
    const client = stage.connect('c', { protocolVersion: 4 });
    subscribe(client, { topicFilter: '$share/g/a' });
    stage.connect('s').send(message('a'), message('$share/g/a', { payload: '02' }));
    expect(payloads(client)).toEqual(['02']);
    expect(broker.snapshot().shares).toEqual([]);
  });
});

describe('wills', () => {
  function watcherOf(stage: ReturnType<typeof stageOf>['stage']): PlayedClient {
    const watcher = stage.connect('watcher');
    subscribe(watcher, { topicFilter: 'w', retainAsPublished: true });
    return watcher;
  }

  const will = { willTopic: 'w', willPayload: '77', willRetain: true };

  it('[MQTT-3.1.2-8] [MQTT-3.1.2-15] come when a connection breaks', () => {
    const { stage } = stageOf();
    const watcher = watcherOf(stage);
    stage.connect('c', will).drop();
    expect(messages(watcher)).toMatchObject([{ payload: '77', retain: true }]);
  });

  it.each([
    [0, 0],
    [4, 1],
    [0x80, 1],
  ])('[MQTT-3.14.4-3] after DISCONNECT with reason code %i: %i', (reasonCode, count) => {
    const { stage } = stageOf();
    const watcher = watcherOf(stage);
    stage.connect('c', will).send({ type: 'DISCONNECT', reasonCode });
    expect(messages(watcher)).toHaveLength(count);
  });

  it('[MQTT-3.1.3-9] wait for the Will Delay Interval, and for the session to end', () => {
    const { stage } = stageOf();
    const watcher = watcherOf(stage);
    const delayed = { ...will, willProperties: { willDelayInterval: 10, messageExpiryInterval: 9 } };
    stage.connect('long', { ...delayed, ...LASTING }).drop();
    stage.connect('short', { ...delayed, properties: { sessionExpiryInterval: 4 } }).drop();
    stage.connect('back', { ...delayed, ...LASTING }).drop();
    stage.pass(3999);
    expect(messages(watcher)).toEqual([]);
    stage.connect('back', { cleanStart: false, ...LASTING });
    stage.pass(1);
    expect(messages(watcher)).toHaveLength(1);
    stage.pass(6000);
    // It expires from its publication on.
    expect(messages(watcher)).toMatchObject([{ properties: { messageExpiryInterval: 9 } }]);
    stage.pass(1_000_000);
    expect(messages(watcher)).toEqual([]);
  });

  it.each([
    [true, 10, 1],
    [false, 10, 0],
    [false, 0, 1],
  ])(
    'with Clean Start %s and a delay of %i seconds, taking over: %i',
    (cleanStart, willDelayInterval, count) => {
      const { stage } = stageOf();
      const watcher = watcherOf(stage);
      stage.connect('c', { ...will, willProperties: { willDelayInterval }, ...LASTING });
      stage.connect('c', { cleanStart, ...LASTING });
      expect(messages(watcher)).toHaveLength(count);
    },
  );
});

describe('a snapshot', () => {
  it('is all that a broker needs to go on', () => {
    const { stage, broker } = stageOf();
    const receiver = stage.connect('r', LASTING);
    subscribe(receiver, { topicFilter: 'a', qos: 2 });
    const sender = stage.connect('s', { ...LASTING, willTopic: 'a', willPayload: '77', willQos: 1 });
    sender.send(message('a', { qos: 2, packetId: 1, retain: true }));
    const [{ packetId }] = messages(receiver);
    stage.connect('short', { willTopic: 'a', willPayload: '99', willQos: 1 });
    stage.pass(5000);

    const snapshot = broker.snapshot();
    const next = stageOf({ snapshot, startedMs: 6000 });
    // Both wills: the session that did not last is over, the other lost its connection.
    const again = next.stage.open().send({ type: 'CONNECT', clientId: 'r', cleanStart: false });
    expect(again.take()).toMatchObject([
      { type: 'CONNACK', sessionPresent: true },
      { type: 'PUBLISH', dup: true, packetId, qos: 2, payload: '01' },
      { type: 'PUBLISH', dup: false, payload: '77' },
      { type: 'PUBLISH', dup: false, payload: '99' },
    ]);
    const back = next.stage.connect('s', { cleanStart: false, ...LASTING });
    // The message that was received is known.
    back.send(message('a', { qos: 2, packetId: 1, retain: true, dup: true })).takeOne('PUBREC');
    expect(again.take()).toEqual([]);
    expect(next.broker.snapshot().retained).toHaveLength(1);
    expect(next.broker.violations).toEqual([]);
    // It shares nothing with the broker it came from.
    expect(snapshot).toEqual(broker.snapshot());
  });

  it('may be left out: then everything is lost', () => {
    const { stage } = stageOf({ startedMs: 6000 });
    expect(stage.connect('r', { cleanStart: false }).connack.sessionPresent).toBe(false);
  });
});
