/**
 * What single clients could do to everybody else, one after the other: ask for the same a thousand times over, never
 * take an answer, never acknowledge, hold everything that may be held, or be ended in the middle of what they do. Work
 * is counted, not timed.
 */
import { describe, expect, it, vi } from 'vitest';
import { OutputPool, Output } from '../../sim/broker/output.ts';
import type { PacketObject, SubscriptionObject } from '../../src/packets/inspect.ts';
import { CoreStage, PlayedClient } from './core-stage.ts';

const PINGREQ: PacketObject = { type: 'PINGREQ' };
const PAYLOAD = new Uint8Array(10);

function subscribe(client: PlayedClient, ...subscriptions: SubscriptionObject[]): void {
  client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions });
}

/** Has it send as many pings as it may without taking the answers, where 4096 bytes may wait, and more behind them. */
function flood(client: PlayedClient, ...behind: PacketObject[]): void {
  client.isReading = false;
  // Two bytes each, up to twice the limit.
  client.send(...Array.from({ length: 4096 }, () => PINGREQ), ...behind);
  expect(client.isPaused).toBe(true);
}

describe('a client that does not read', () => {
  it('has its answers copied a few times, not once for each', () => {
    const pool = new OutputPool();
    const take = vi.spyOn(pool, 'take');
    const stage = new CoreStage();
    const output = new Output(pool, new PlayedClient(stage, 5, ''));
    for (let count = 0; count < 500_000; count++) {
      output.reserve(2);
      output.end += 2;
    }
    expect(output.byteLength()).toBe(1_000_000);
    expect(take.mock.calls.length).toBeLessThan(20);
  });

  it('is not read from when its answers reach twice the limit', () => {
    const stage = new CoreStage({ limits: { outputBytesMax: 4096 } });
    const client = stage.connect();
    const { packetsReceived } = stage.core.counters;
    flood(client, PINGREQ);
    expect(stage.core.counters.packetsReceived - packetsReceived).toBe(4096);
    expect(stage.core.counters.limitHits.outputBytesMax).toBe(1);
    client.send(PINGREQ);
    expect(stage.core.counters.packetsReceived - packetsReceived).toBe(4096);
    client.read();
    expect(client.take()).toHaveLength(4098);
  });

  it('and whose session another one takes over hears of nothing that it sent before', () => {
    const stage = new CoreStage({ limits: { outputBytesMax: 4096 } });
    const client = stage.connect({ clientId: 'c' });
    const watcher = stage.connect();
    subscribe(watcher, { topicFilter: '#' });
    watcher.take();
    // An AUTH, which is an offence without a method, and a PUBLISH lie behind what made the broker stop reading.
    flood(client, { type: 'AUTH' }, { type: 'PUBLISH', topicName: 't' });
    stage.connect({ clientId: 'c' });
    client.read();
    const packets = client.take().filter(({ type }) => type !== 'PINGRESP');
    expect(packets).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x8e }]);
    expect(watcher.take()).toEqual([]);
    expect(stage.core.counters.connectsRefused).toBe(0);
    stage.advance(60_000);
    expect(stage.core.gauges().connections).toBe(2);
  });
});

describe('a client that is not read from for its rate', () => {
  it('and is cut off meanwhile, is not gone on with', () => {
    const stage = new CoreStage({ limits: { messagesPerSecondMax: 1 } });
    const client = stage.connect({ clientId: 'c' });
    client.isClosing = false;
    const message: PacketObject = { type: 'PUBLISH', topicName: 't' };
    client.send(message, { type: 'AUTH' }, message);
    stage.connect({ clientId: 'c' });
    stage.advance(5000);
    expect(client.take()).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x8e }]);
    expect(stage.core.counters).toMatchObject({ publishReceived: 1, connectsRefused: 0 });
    stage.advance(60_000);
    expect(stage.core.gauges().connections).toBe(1);
  });
});

describe('a SUBSCRIBE', () => {
  const limits = { queuedMessagesMax: 10, retainedMessagesMax: 10, outputBytesMax: 1024 };

  function stageWithRetained(): CoreStage {
    const stage = new CoreStage({ limits });
    for (let count = 0; count < 10; count++) {
      stage.core.publish(`r/${count}`, PAYLOAD, { retain: true }, stage.nowMs);
    }
    return stage;
  }

  it('of thousands of filters that match the same has it looked for as long as there is room', () => {
    const stage = stageWithRetained();
    const client = stage.connect();
    client.isReading = false;
    subscribe(client, ...Array.from({ length: 5000 }, () => ({ topicFilter: '#' })));
    const { publishSent, droppedQos0, limitHits } = stage.core.counters;
    expect(publishSent + droppedQos0).toBeLessThanOrEqual(30);
    expect(limitHits.queuedMessagesMax).toBeGreaterThan(0);
  });

  it('of thousands of filters that match what the client does not take, as well', () => {
    const stage = new CoreStage({ limits: { ...limits, outputBytesMax: 10_000 } });
    const client = stage.connect({ properties: { maximumPacketSize: 10_000 } });
    stage.core.publish('large', new Uint8Array(20_000), { retain: true }, stage.nowMs);
    subscribe(client, ...Array.from({ length: 5000 }, () => ({ topicFilter: 'large' })));
    const { droppedTooLarge } = stage.core.counters;
    expect(droppedTooLarge).toBeGreaterThan(0);
    expect(droppedTooLarge).toBeLessThanOrEqual(30);
  });

  it('of a client whose queue is full has nothing looked for', () => {
    const stage = stageWithRetained();
    const client = stage.connect();
    client.isReading = false;
    const many = Array.from({ length: 100 }, () => ({ topicFilter: '#' }));
    subscribe(client, ...many);
    subscribe(client, ...many);
    const { droppedQos0 } = stage.core.counters;
    for (let count = 0; count < 20; count++) subscribe(client, ...many);
    expect(stage.core.counters.droppedQos0).toBe(droppedQos0);
  });

  it('whose answer the client does not take ends its session, and leaves nothing behind', () => {
    const stage = new CoreStage();
    stage.core.publish('t', PAYLOAD, { retain: true, qos: 1 }, stage.nowMs);
    const client = stage.connect({ properties: { maximumPacketSize: 24 } });
    subscribe(client, ...Array.from({ length: 30 }, () => ({ topicFilter: 't', qos: 1 })));
    expect(client.take()).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x83 }]);
    expect(stage.core.gauges()).toMatchObject({ sessions: 0, queuedMessages: 0, queuedBytes: 0 });
  });
});

describe('a client that never completes its QoS 2 messages', () => {
  it('gets no more of them than there are packet identifiers, however often it comes back', () => {
    const stage = new CoreStage({ limits: { inflightMax: 65_535, outputBytesMax: 10_000_000 } });
    const fields = { clientId: 'c', properties: { sessionExpiryInterval: 60 } };
    let client = stage.connect(fields);
    subscribe(client, { topicFilter: 't', qos: 2 });
    client.take();
    for (let count = 0; count < 65_535; count++) stage.core.publish('t', PAYLOAD, { qos: 2 }, stage.nowMs);
    stage.settle();
    const releases = (packets: PacketObject[]): PacketObject[] =>
      packets.map((packet) => ({ type: 'PUBREC', packetId: (packet as { packetId: number }).packetId }));
    client.send(...releases(client.take()));
    expect(client.take()).toHaveLength(65_535);
    client.cut();
    client = stage.connect({ ...fields, cleanStart: false });
    expect(client.take()).toHaveLength(65_535);
    for (let count = 0; count < 10; count++) stage.core.publish('t', PAYLOAD, { qos: 2 }, stage.nowMs);
    stage.settle();
    expect(client.take()).toEqual([]);
    expect(stage.core.gauges()).toMatchObject({ inflight: 65_535, queuedMessages: 10 });
    // An identifier that is free again is used again [MQTT-2.2.1-4].
    client.send({ type: 'PUBCOMP', packetId: 7 });
    expect(client.take()).toMatchObject([{ type: 'PUBLISH', packetId: 7 }]);
  });
});

describe('clients that hold as much as may be held', () => {
  it.each(['away', 'connected and silent'])('take nothing from one that acknowledges: %s', (kind) => {
    const stage = new CoreStage({ limits: { queuedBytesTotalMax: 100_000, sessionsMax: 100 } });
    for (let count = 0; count < 3; count++) {
      const hog = stage.connect({ properties: { sessionExpiryInterval: 60 } });
      subscribe(hog, { topicFilter: 'hog', qos: 1 });
      if (kind === 'away') hog.cut();
    }
    const client = stage.connect();
    subscribe(client, { topicFilter: 't', qos: 1 });
    client.take();
    const hits = (): number => stage.core.counters.limitHits.queuedBytesTotalMax;
    while (hits() === 0) stage.core.publish('hog', new Uint8Array(100), { qos: 1 }, stage.nowMs);
    for (let count = 1; count <= 50; count++) {
      expect(stage.core.publish('t', new Uint8Array(500), { qos: 1 }, stage.nowMs)).toBe(0);
      stage.settle();
      expect(client.take()).toMatchObject([{ type: 'PUBLISH', topicName: 't', packetId: count }]);
      client.send({ type: 'PUBACK', packetId: count });
    }
    // More than its share nobody holds then.
    expect(stage.core.publish('t', new Uint8Array(1000), { qos: 1 }, stage.nowMs)).toBe(0x97);
  });
});

describe('a client that a hook ends in the middle of its packet', () => {
  it.each([1, 2])('is sent nothing behind DISCONNECT, QoS %i [MQTT-3.14.4-1]', (qos) => {
    const stage: CoreStage = new CoreStage({
      hooks: {
        published(_message, client) {
          if (client !== null) stage.core.disconnect(client.clientId, 0x98, stage.nowMs);
          return undefined;
        },
      },
    });
    const client = stage.connect();
    client.send({ type: 'PUBLISH', topicName: 't', qos, packetId: 1 }, PINGREQ);
    expect(client.take()).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x98 }]);
    expect(client.isClosed).toBe(true);
  });
});

describe('a CONNECT that is wrong in its fixed header', () => {
  it.each([
    ['too large, 5.0', '10ffffff7f00044d515454050200000000'],
    ['too large, 3.1.1', '10ffffff7f00044d51545404020000'],
    ['with flags', '111000044d51545405020000000003616263'],
    ['with a length of five bytes', '10ffffffff7f'],
  ])('is not answered, whatever has come of it: %s', (_, hex) => {
    const stage = new CoreStage();
    const bytes = Buffer.from(hex, 'hex');
    for (let end = 6; end <= bytes.length; end++) {
      const client = stage.open();
      client.sendBytes(bytes.subarray(0, end));
      expect(client.takeBytes()).toHaveLength(0);
      expect(client.isClosed).toBe(true);
    }
  });
});

it('a second CONNECT is a Protocol Error though it names another version [MQTT-3.1.0-2]', () => {
  const stage = new CoreStage();
  const client = stage.connect();
  client.sendBytes(Buffer.from('101000044d515454090200000000036162630a', 'hex'));
  expect(client.take()).toMatchObject([{ type: 'DISCONNECT', reasonCode: 0x82 }]);
});

describe('connections that say nothing', () => {
  it('keep nobody out: the one that has been silent for longest goes', () => {
    const stage = new CoreStage({ limits: { connectionsMax: 3 } });
    const connected = stage.connect();
    const silent = [stage.open(), stage.open()];
    const next = stage.connect();
    expect(next.connack.reasonCode).toBe(0);
    expect(silent.map(({ isEnded }) => isEnded)).toEqual([true, false]);
    expect(connected.isEnded).toBe(false);
    expect(stage.core.counters.limitHits.connectionsMax).toBe(1);
  });
});
