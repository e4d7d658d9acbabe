/**
 * Everything in the broker that takes its time: keep alive, timeouts, delayed wills, sessions and messages that expire.
 * Time is virtual: each test says what is so one millisecond before, and what at the very millisecond.
 */
import { describe, expect, it } from 'vitest';
import type { AuthenticationStep, Verdict } from '../../sim/broker/hooks.ts';
import type { PacketObject, PropertiesObject, PublishObject } from '../../src/packets/inspect.ts';
import { CoreStage, type ConnectFields, type PlayedClient } from './core-stage.ts';

const PINGREQ: PacketObject = { type: 'PINGREQ' };
const PINGRESP: PacketObject = { type: 'PINGRESP' };
const hexOf = (text: string): string => Buffer.from(text).toString('hex');

function subscribe(client: PlayedClient, topicFilter = '#', qos = 1): void {
  client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter, qos }] });
  expect(client.take()[0]).toMatchObject({ type: 'SUBACK', reasonCodes: [qos] });
}

/** The messages that came, and nothing else may have. */
function messagesOf(client: PlayedClient): PublishObject[] {
  const packets = client.take();
  for (const { type } of packets) expect(type).toBe('PUBLISH');
  return packets as PublishObject[];
}

const topicsOf = (client: PlayedClient): string[] =>
  messagesOf(client).map(({ topicName = '' }) => topicName);

/** Comes back to a session that is kept. What waited for it stays to be taken. */
function comeBack(stage: CoreStage, clientId: string, fields: ConnectFields = {}): PlayedClient {
  return stage.connect({ clientId, cleanStart: false, ...fields });
}

function willOf(willTopic: string, willProperties?: PropertiesObject): ConnectFields {
  const will = { willTopic, willQos: 1, willRetain: false, willPayload: hexOf('gone') };
  return willProperties === undefined ? will : { ...will, willProperties };
}

/** It lets `ms - 1` milliseconds pass, has `before` say what is so, and then the last one. */
function advanceTo(stage: CoreStage, ms: number, before: () => void): void {
  stage.advance(ms - 1);
  before();
  stage.advance(1);
}

describe('keep alive', () => {
  it('ends a silent connection at one and a half times [MQTT-3.1.2-22]', () => {
    const stage = new CoreStage();
    const client = stage.connect({ keepAlive: 10 });
    advanceTo(stage, 15_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    expect(client.take()).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x8d }]);
  });

  it('closes a connection of 3.1.1 without a word [v3.1.1 MQTT-3.1.2-24]', () => {
    const stage = new CoreStage();
    const client = stage.connect({ keepAlive: 10, protocolVersion: 4 });
    advanceTo(stage, 15_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    expect(client.take()).toEqual([]);
  });

  it('begins anew with every packet', () => {
    const stage = new CoreStage();
    const client = stage.connect({ keepAlive: 10 });
    for (let count = 0; count < 5; count++) {
      stage.advance(14_999);
      client.send(PINGREQ);
    }
    advanceTo(stage, 15_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
  });

  it('of 0 never ends a connection', () => {
    const stage = new CoreStage();
    const client = stage.connect({ keepAlive: 0 });
    stage.advance(86_400_000);
    expect(client.isClosed).toBe(false);
  });

  it('has the will published', () => {
    const stage = new CoreStage();
    const watcher = stage.connect();
    subscribe(watcher);
    stage.connect({ keepAlive: 10, ...willOf('will') });
    advanceTo(stage, 15_000, () => expect(topicsOf(watcher)).toEqual([]));
    expect(topicsOf(watcher)).toEqual(['will']);
  });

  it('does not run while a client is not read from, and runs anew from then', () => {
    const stage = new CoreStage({ limits: { outputBytesMax: 1024 } });
    const client = stage.connect({ keepAlive: 10 });
    client.isReading = false;
    client.send(...Array.from({ length: 2000 }, () => PINGREQ));
    expect(client.isPaused).toBe(true);
    stage.advance(40_000);
    client.read();
    expect(client.take()).toHaveLength(2000);
    advanceTo(stage, 15_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
  });
});

describe('the connect timeout', () => {
  const limits = { connectTimeoutMs: 5000 };
  const connect: PacketObject = { type: 'CONNECT', clientId: 'c', cleanStart: true };

  it('is not put off by a CONNECT that comes byte by byte', () => {
    const stage = new CoreStage({ limits });
    const client = stage.open();
    const bytes = Buffer.from('100e00044d51545405020000000001', 'hex');
    for (const byte of bytes) {
      client.sendBytes(Buffer.from([byte]));
      stage.advance(333);
    }
    expect(client.isClosed).toBe(false);
    stage.advance(5);
    expect(client.isClosed).toBe(true);
    expect(client.take()).toEqual([]);
    expect(stage.core.gauges().connections).toBe(0);
  });

  it('holds for a hook that does not answer', async () => {
    let answer: (verdict: Verdict) => void = () => {};
    const authenticate = (): Promise<Verdict> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const stage = new CoreStage({ limits, hooks: { authenticate } });
    const client = stage.open();
    client.send(connect);
    advanceTo(stage, 5000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    // Too late.
    answer({ reasonCode: 0 });
    await Promise.resolve();
    stage.settle();
    expect(client.take()).toEqual([]);
    expect(stage.core.gauges()).toMatchObject({ connections: 0, sessions: 0 });
  });

  it('holds for an authentication in steps, however busy', () => {
    const step = (): AuthenticationStep => ({ kind: 'continue', data: new Uint8Array([1]) });
    const stage = new CoreStage({ limits, hooks: { methods: [{ name: 'M', begin: () => ({ step }) }] } });
    const client = stage.open();
    const properties = { authenticationMethod: 'M' };
    client.send({ ...connect, properties });
    for (let count = 0; count < 4; count++) {
      stage.advance(1000);
      client.send({ type: 'AUTH', reasonCode: 0x18, properties });
    }
    expect(client.take()).toHaveLength(5);
    advanceTo(stage, 1000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    expect(stage.core.counters.limitHits.connectTimeoutMs).toBe(1);
  });

  it('is over when the client is let in', () => {
    const stage = new CoreStage({ limits });
    const client = stage.open();
    stage.advance(4999);
    client.send(connect);
    stage.advance(3_600_000);
    expect(client.isClosed).toBe(false);
  });
});

describe('the write timeout', () => {
  it('begins anew with every write', () => {
    const stage = new CoreStage({ limits: { writeTimeoutMs: 5000 } });
    const client = stage.connect();
    client.isReading = false;
    for (let count = 0; count < 10; count++) {
      client.send(PINGREQ);
      stage.advance(3000);
      client.readOnce();
    }
    expect(client.isClosed).toBe(false);
    client.send(PINGREQ);
    advanceTo(stage, 5000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    expect(client.take()).toHaveLength(10);
  });

  it('has a session kept, with what was not acknowledged', () => {
    const stage = new CoreStage({ limits: { writeTimeoutMs: 5000 } });
    const client = stage.connect({ clientId: 'slow', properties: { sessionExpiryInterval: 60 } });
    subscribe(client);
    client.isReading = false;
    stage.connect().send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1 });
    stage.advance(5000);
    expect(client.isClosed).toBe(true);
    expect(messagesOf(comeBack(stage, 'slow'))).toMatchObject([{ topicName: 't', dup: true }]);
  });

  it('does not wait longer than ten seconds for who is told to go', () => {
    const stage = new CoreStage();
    const client = stage.connect({ clientId: 'x' });
    client.isReading = false;
    stage.connect({ clientId: 'x' });
    advanceTo(stage, 10_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
  });

  it('does not wait longer for who takes its DISCONNECT and does not close', () => {
    const stage = new CoreStage();
    const client = stage.connect({ clientId: 'x' });
    client.isClosing = false;
    stage.connect({ clientId: 'x' });
    expect(client.isEnded).toBe(true);
    advanceTo(stage, 10_000, () => expect(client.isClosed).toBe(false));
    expect(client.isClosed).toBe(true);
    expect(stage.core.gauges().connections).toBe(1);
  });
});

describe('a delayed will', () => {
  const sessionExpiryInterval = 100;

  function stageWithWill(willDelayInterval: number): [CoreStage, PlayedClient] {
    const stage = new CoreStage();
    const watcher = stage.connect();
    subscribe(watcher);
    const fields = { properties: { sessionExpiryInterval }, ...willOf('will', { willDelayInterval }) };
    stage.connect({ clientId: 'w', ...fields }).cut();
    return [stage, watcher];
  }

  it('is published when its delay has passed', () => {
    const [stage, watcher] = stageWithWill(30);
    advanceTo(stage, 30_000, () => expect(topicsOf(watcher)).toEqual([]));
    expect(topicsOf(watcher)).toEqual(['will']);
    stage.advance(200_000);
    expect(topicsOf(watcher)).toEqual([]); // once [MQTT-3.1.2-10]
  });

  it('is published when the session ends before [MQTT-3.1.2-8]', () => {
    const [stage, watcher] = stageWithWill(1000);
    advanceTo(stage, 100_000, () => expect(topicsOf(watcher)).toEqual([]));
    expect(topicsOf(watcher)).toEqual(['will']);
  });

  it('is not published when its client is back in time [MQTT-3.1.3-9]', () => {
    const [stage, watcher] = stageWithWill(30);
    advanceTo(stage, 30_000, () => comeBack(stage, 'w', { properties: { sessionExpiryInterval } }));
    stage.advance(100_000);
    expect(topicsOf(watcher)).toEqual([]);
    expect(stage.core.counters.willsPublished).toBe(0);
  });

  it('begins its message expiry when it is published', () => {
    const stage = new CoreStage();
    const properties = { sessionExpiryInterval };
    subscribe(stage.connect({ clientId: 'away', properties }));
    stage.core.faults.cut('away');
    const will = willOf('will', { willDelayInterval: 30, messageExpiryInterval: 20 });
    stage.connect({ properties, ...will }).cut();
    stage.advance(45_000);
    const [message] = messagesOf(comeBack(stage, 'away'));
    expect(message.properties?.messageExpiryInterval).toBe(5);
  });
});

describe('a session', () => {
  it.each([5, 4] as const)('of version %i that is not to be kept ends with its connection', (version) => {
    const stage = new CoreStage();
    const client = stage.connect({ protocolVersion: version });
    subscribe(client);
    client.cut();
    expect(stage.core.gauges()).toMatchObject({ sessions: 0, subscriptions: 0 });
  });

  it('ends when its time is over, counted from the end of the connection [MQTT-3.1.2-23]', () => {
    const stage = new CoreStage();
    const client = stage.connect({ clientId: 's', properties: { sessionExpiryInterval: 10 } });
    subscribe(client);
    stage.advance(60_000);
    client.cut();
    advanceTo(stage, 10_000, () => expect(stage.core.gauges().sessions).toBe(1));
    expect(stage.core.gauges()).toMatchObject({ sessions: 0, subscriptions: 0 });
    expect(stage.core.counters.sessionsExpired).toBe(1);
    expect(comeBack(stage, 's').connack.sessionPresent).toBe(false);
  });

  it('that somebody comes back to does not end', () => {
    const stage = new CoreStage();
    const fields = { properties: { sessionExpiryInterval: 10 } };
    let client = stage.connect({ clientId: 's', ...fields });
    for (let count = 0; count < 3; count++) {
      client.cut();
      stage.advance(9999);
      client = comeBack(stage, 's', fields);
      expect(client.connack.sessionPresent).toBe(true);
    }
    stage.advance(60_000);
    expect(stage.core.gauges().sessions).toBe(1);
  });

  it('lasts as long as DISCONNECT says', () => {
    const stage = new CoreStage();
    const client = stage.connect({ properties: { sessionExpiryInterval: 10 } });
    client.send({ type: 'DISCONNECT', properties: { sessionExpiryInterval: 20 } });
    advanceTo(stage, 20_000, () => expect(stage.core.gauges().sessions).toBe(1));
    expect(stage.core.gauges().sessions).toBe(0);
  });

  it('lasts no longer than the limit, whatever DISCONNECT says', () => {
    const stage = new CoreStage({ limits: { sessionExpirySecondsMax: 20 } });
    const client = stage.connect({ properties: { sessionExpiryInterval: 10 } });
    client.send({ type: 'DISCONNECT', properties: { sessionExpiryInterval: 4_294_967_295 } });
    expect(stage.core.counters.limitHits.sessionExpirySecondsMax).toBe(1);
    advanceTo(stage, 20_000, () => expect(stage.core.gauges().sessions).toBe(1));
    expect(stage.core.gauges().sessions).toBe(0);
  });

  it('that never expires does not, when the limit allows that', () => {
    const stage = new CoreStage({ limits: { sessionExpirySecondsMax: 4_294_967_295 } });
    stage.connect({ properties: { sessionExpiryInterval: 4_294_967_295 } }).cut();
    stage.connect({ protocolVersion: 4, cleanStart: false }).cut();
    stage.advance(86_400_000);
    expect([...stage.core.sessions()].map(({ expiresAtMs }) => expiresAtMs)).toEqual([Infinity, Infinity]);
  });
});

describe('a message that expires', () => {
  const properties = { messageExpiryInterval: 10 };

  it.each([1, 2])('says what is left when it waited, QoS %i [MQTT-3.3.2-6]', (qos) => {
    const stage = new CoreStage();
    subscribe(stage.connect({ clientId: 'away', properties: { sessionExpiryInterval: 60 } }), '#', qos);
    stage.core.faults.cut('away');
    stage.connect().send({ type: 'PUBLISH', topicName: 't', qos, packetId: 1, properties });
    stage.advance(7_500);
    const [message] = messagesOf(comeBack(stage, 'away'));
    expect(message.properties?.messageExpiryInterval).toBe(3);
  });

  it('is not sent when its time is over, and those behind it are [MQTT-3.3.2-5]', () => {
    const stage = new CoreStage();
    subscribe(stage.connect({ clientId: 'away', properties: { sessionExpiryInterval: 60 } }));
    stage.core.faults.cut('away');
    const publisher = stage.connect();
    publisher.send({ type: 'PUBLISH', topicName: 'short', qos: 1, packetId: 1, properties });
    publisher.send({ type: 'PUBLISH', topicName: 'long', qos: 1, packetId: 2 });
    stage.advance(10_000);
    expect(topicsOf(comeBack(stage, 'away'))).toEqual(['long']);
    expect(stage.core.counters.droppedExpired).toBe(1);
  });

  it('is counted down while it waits behind what is not acknowledged', () => {
    const stage = new CoreStage();
    const client = stage.connect({ properties: { receiveMaximum: 1 } });
    subscribe(client);
    const publisher = stage.connect();
    for (const topicName of ['1', '2', '3'])
      publisher.send({ type: 'PUBLISH', topicName, qos: 1, packetId: 1, properties });
    expect(topicsOf(client)).toEqual(['1']);
    stage.advance(4000);
    client.send({ type: 'PUBACK', packetId: 1 });
    expect(messagesOf(client)).toMatchObject([{ topicName: '2', properties: { messageExpiryInterval: 6 } }]);
    stage.advance(6000);
    client.send({ type: 'PUBACK', packetId: 2 });
    expect(client.take()).toEqual([]);
    expect(stage.core.gauges()).toMatchObject({ queuedMessages: 0, queuedBytes: 0, inflight: 0 });
  });

  it('is sent again after its time, when its delivery had begun', () => {
    const stage = new CoreStage();
    const client = stage.connect({ clientId: 'c', properties: { sessionExpiryInterval: 60 } });
    subscribe(client);
    stage.connect().send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, properties });
    expect(topicsOf(client)).toEqual(['t']);
    client.cut();
    stage.advance(20_000);
    expect(messagesOf(comeBack(stage, 'c'))).toMatchObject([{ topicName: 't', dup: true }]);
  });

  it('is retained until then, and says what is left', () => {
    const stage = new CoreStage();
    stage.connect().send({ type: 'PUBLISH', topicName: 't', retain: true, payload: '78', properties });
    stage.advance(9_000);
    const late = stage.connect();
    late.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 't' }] });
    expect(late.take()[1]).toMatchObject({ retain: true, properties: { messageExpiryInterval: 1 } });
    stage.advance(1000);
    const tooLate = stage.connect();
    subscribe(tooLate, 't');
    expect(tooLate.take()).toEqual([]);
    // It is removed within a second, whether anybody asks or not.
    stage.advance(1000);
    expect(stage.core.gauges()).toMatchObject({ retainedMessages: 0, retainedBytes: 0 });
    expect(tooLate.take()).toEqual([]);
  });
});

it('answers a ping at any time of all this', () => {
  const stage = new CoreStage();
  const client = stage.connect({ keepAlive: 1 });
  for (let count = 0; count < 100; count++) {
    stage.advance(1499);
    client.send(PINGREQ);
    expect(client.take()).toEqual([PINGRESP]);
  }
});
