/**
 * Every limit of limits.ts: up to it everything is in order and nothing is counted, beyond it a client hears what
 * limits.ts says, and the limit's counter, and no other, has grown. In virtual time.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAccess } from '../../sim/broker/access/access.ts';
import { LIMITS, LIMIT_NAMES, resolveLimits, type LimitName, type Limits } from '../../sim/broker/limits.ts';
import type { PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import { eventually } from '../support/wait.ts';
import { CoreStage, type ConnectFields, type PlayedClient } from './core-stage.ts';

function stageOf(limits: Partial<Limits>): CoreStage {
  return new CoreStage({ limits });
}

/** Sends CONNECT over a connection of its own. */
function ask(stage: CoreStage, fields: ConnectFields = {}): PlayedClient {
  const client = stage.open();
  client.send({ type: 'CONNECT', clientId: 'asking', cleanStart: true, ...fields });
  return client;
}

/** The only packet that came, and whether the connection is over. */
function answerOf(client: PlayedClient): object {
  const packets = client.take();
  expect(packets).toHaveLength(1);
  const [{ type }] = packets;
  const reasonCode = 'reasonCode' in packets[0] ? (packets[0].reasonCode ?? 0) : 0;
  return { type, reasonCode, isClosed: client.isClosed };
}

const ACCEPTED = { type: 'CONNACK', reasonCode: 0, isClosed: false };
const refusedWith = (reasonCode: number): object => ({ type: 'CONNACK', reasonCode, isClosed: true });
const endedWith = (reasonCode: number): object => ({ type: 'DISCONNECT', reasonCode, isClosed: true });
const pubackOf = (reasonCode: number): object => ({ type: 'PUBACK', reasonCode, isClosed: false });

/** Publishes with QoS 1 and returns the PUBACK's reason code. */
function publish(client: PlayedClient, topicName: string, rest: Partial<PublishObject> = {}): number {
  client.send({ type: 'PUBLISH', topicName, qos: 1, packetId: 1, ...rest });
  const [puback] = client.take();
  if (puback?.type !== 'PUBACK') throw new Error(`no PUBACK came: ${JSON.stringify(puback)}`);
  return puback.reasonCode ?? 0;
}

/** Subscribes to one filter and returns the reason code. */
function subscribe(client: PlayedClient, topicFilter: string, qos = 1): number {
  client.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter, qos }] });
  const [suback] = client.take();
  if (suback?.type !== 'SUBACK') throw new Error(`no SUBACK came: ${JSON.stringify(suback)}`);
  return suback.reasonCodes[0];
}

/** A session that is kept, with nobody connected to it. */
function keepSession(stage: CoreStage, clientId: string, topicFilter: string): void {
  const client = stage.connect({ clientId, properties: { sessionExpiryInterval: 100 } });
  subscribe(client, topicFilter);
  client.send({ type: 'DISCONNECT' });
}

const payloadOf = (byteLength: number): string => '78'.repeat(byteLength);
const payloadsOf = (packets: PacketObject[]): string[] =>
  packets.map((packet) => Buffer.from((packet as PublishObject).payload ?? '', 'hex').toString());
const textOf = (text: string): string => Buffer.from(text).toString('hex');

/** What a message with a topic of one character is reckoned with beside its payload. */
const COST_BESIDE_PAYLOAD = 65;

/** For each limit: plays up to it, or one further, says what has to be so, and returns the stage. */
const PLAYS: Record<LimitName, (isBeyond: boolean) => CoreStage | Promise<CoreStage>> = {
  connectionsMax(isBeyond) {
    const stage = stageOf({ connectionsMax: 2 });
    const first = stage.connect();
    if (isBeyond) stage.connect();
    const client = ask(stage);
    expect(answerOf(client)).toEqual(isBeyond ? refusedWith(0x89) : ACCEPTED);
    first.cut();
    stage.connect();
    return stage;
  },

  sessionsMax(isBeyond) {
    const stage = stageOf({ sessionsMax: 2 });
    keepSession(stage, 'kept', 't');
    if (isBeyond) stage.connect();
    expect(answerOf(ask(stage))).toEqual(isBeyond ? refusedWith(0x97) : ACCEPTED);
    // Who has a session may always come back to it.
    expect(stage.connect({ clientId: 'kept', cleanStart: false }).connack.sessionPresent).toBe(true);
    return stage;
  },

  connectTimeoutMs(isBeyond) {
    const stage = stageOf({ connectTimeoutMs: 1000 });
    const client = stage.open();
    stage.advance(isBeyond ? 1000 : 999);
    expect(client.isClosed).toBe(isBeyond);
    expect(client.take()).toEqual([]);
    if (!isBeyond) client.send({ type: 'CONNECT', clientId: 'late', cleanStart: true });
    stage.advance(10_000);
    expect(client.isClosed).toBe(isBeyond);
    return stage;
  },

  writeTimeoutMs(isBeyond) {
    const stage = stageOf({ writeTimeoutMs: 1000 });
    const client = stage.connect();
    stage.advance(5000);
    client.isReading = false;
    client.send({ type: 'PINGREQ' });
    stage.advance(isBeyond ? 1000 : 999);
    expect(client.isClosed).toBe(isBeyond);
    client.read();
    stage.advance(5000);
    expect(client.take()).toEqual(isBeyond ? [] : [{ type: 'PINGRESP' }]);
    return stage;
  },

  keepAliveSecondsMax(isBeyond) {
    const stage = stageOf({ keepAliveSecondsMax: 60 });
    const told = isBeyond ? 60 : undefined;
    const client = stage.connect({ keepAlive: isBeyond ? 61 : 60 });
    expect(client.connack.properties?.serverKeepAlive).toBe(told);
    if (isBeyond) expect(stage.connect({ keepAlive: 0 }).connack.properties?.serverKeepAlive).toBe(60);
    stage.advance(89_999);
    expect(client.isClosed).toBe(false);
    stage.advance(1);
    expect(answerOf(client)).toEqual(endedWith(0x8d));
    return stage;
  },

  sessionExpirySecondsMax(isBeyond) {
    const stage = stageOf({ sessionExpirySecondsMax: 100 });
    const sessionExpiryInterval = isBeyond ? 101 : 100;
    const client = stage.connect({ properties: { sessionExpiryInterval } });
    expect(client.connack.properties?.sessionExpiryInterval).toBe(isBeyond ? 100 : undefined);
    client.cut();
    stage.advance(99_999);
    expect(stage.core.gauges().sessions).toBe(1);
    stage.advance(1);
    expect(stage.core.gauges().sessions).toBe(0);
    return stage;
  },

  clientIdBytesMax(isBeyond) {
    const stage = stageOf({ clientIdBytesMax: 23 });
    const clientId = `${'é'.repeat(11)}${isBeyond ? 'ee' : 'e'}`;
    expect(answerOf(ask(stage, { clientId }))).toEqual(isBeyond ? refusedWith(0x85) : ACCEPTED);
    return stage;
  },

  maximumPacketSize(isBeyond) {
    const stage = stageOf({ maximumPacketSize: 64 });
    const client = stage.connect();
    expect(client.connack.properties?.maximumPacketSize).toBe(64);
    // Beside the payload: two bytes of fixed header, three of topic, two of identifier, one of properties.
    const payload = payloadOf(isBeyond ? 57 : 56);
    client.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, payload });
    expect(answerOf(client)).toEqual(isBeyond ? endedWith(0x95) : pubackOf(0x10));
    return stage;
  },

  receiveMaximum(isBeyond) {
    const stage = stageOf({ receiveMaximum: 3 });
    const client = stage.connect();
    expect(client.connack.properties?.receiveMaximum).toBe(3);
    const message = { type: 'PUBLISH', topicName: 't' } as const;
    client.send({ ...message, qos: 2, packetId: 1 });
    expect(client.take()).toHaveLength(1);
    // Two more at once, which the client cannot have seen acknowledged.
    const more = [2, 3, ...(isBeyond ? [4] : [])];
    client.send(...more.map((packetId) => ({ ...message, qos: 1, packetId })));
    const answers = client.take().map(({ type }) => type);
    expect(answers).toEqual(['PUBACK', 'PUBACK', ...(isBeyond ? ['DISCONNECT'] : [])]);
    expect(client.isClosed).toBe(isBeyond);
    return stage;
  },

  inflightMax(isBeyond) {
    const stage = stageOf({ inflightMax: 2 });
    const [subscriber, publisher] = [stage.connect(), stage.connect()];
    subscribe(subscriber, 't');
    for (let count = isBeyond ? 3 : 2; count > 0; count--) publish(publisher, 't');
    expect(subscriber.take()).toHaveLength(2);
    expect(stage.core.gauges()).toMatchObject({ inflight: 2, queuedMessages: isBeyond ? 1 : 0 });
    subscriber.send({ type: 'PUBACK', packetId: 1 });
    expect(subscriber.take()).toHaveLength(isBeyond ? 1 : 0);
    return stage;
  },

  topicAliasMaximum(isBeyond) {
    const stage = stageOf({ topicAliasMaximum: 2 });
    const client = stage.connect();
    expect(client.connack.properties?.topicAliasMaximum).toBe(2);
    const properties = { topicAlias: isBeyond ? 3 : 2 };
    client.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, properties });
    expect(answerOf(client)).toEqual(isBeyond ? endedWith(0x94) : pubackOf(0x10));
    return stage;
  },

  outgoingTopicAliasMax(isBeyond) {
    const stage = stageOf({ outgoingTopicAliasMax: 2 });
    const client = stage.connect({ properties: { topicAliasMaximum: 10 } });
    subscribe(client, '#');
    for (const topicName of ['a', 'b', 'a', 'b', ...(isBeyond ? ['c', 'c'] : [])]) {
      stage.connect().send({ type: 'PUBLISH', topicName });
    }
    const seen = client.take().map((packet) => packet as PublishObject);
    const names = seen.map(({ topicName, properties }) => [topicName, properties?.topicAlias]);
    const aliased = [
      ['a', 1],
      ['b', 2],
      ['', 1],
      ['', 2],
    ];
    const plain = [
      ['c', undefined],
      ['c', undefined],
    ];
    expect(names).toEqual([...aliased, ...(isBeyond ? plain : [])]);
    return stage;
  },

  queuedMessagesMax(isBeyond) {
    const stage = stageOf({ queuedMessagesMax: 2 });
    keepSession(stage, 'kept', '#');
    const codes = ['1', '2', ...(isBeyond ? ['3'] : [])].map((text) =>
      publish(stage.connect(), 't', { payload: textOf(text) }),
    );
    expect(codes).toEqual([0, 0, ...(isBeyond ? [0x97] : [])]);
    expect(stage.core.counters.droppedQueueFull).toBe(isBeyond ? 1 : 0);
    const client = stage.open();
    client.send({ type: 'CONNECT', clientId: 'kept', cleanStart: false });
    expect(payloadsOf(client.take().slice(1))).toEqual(['1', '2']);
    return stage;
  },

  queuedBytesMax(isBeyond) {
    const stage = stageOf({ queuedBytesMax: 1024 });
    keepSession(stage, 'kept', '#');
    keepSession(stage, 'other', 'u');
    const payload = payloadOf(512 - COST_BESIDE_PAYLOAD);
    expect(publish(stage.connect(), 't', { payload })).toBe(0);
    expect(publish(stage.connect(), 't', { payload: isBeyond ? `${payload}78` : payload })).toBe(
      isBeyond ? 0x97 : 0,
    );
    expect(stage.core.gauges().queuedBytes).toBe(isBeyond ? 512 : 1024);
    return stage;
  },

  queuedBytesTotalMax(isBeyond) {
    const stage = stageOf({ queuedBytesTotalMax: 1024 });
    keepSession(stage, 'one', 't');
    keepSession(stage, 'two', 'u');
    const payload = payloadOf(512 - COST_BESIDE_PAYLOAD);
    expect(publish(stage.connect(), 't', { payload })).toBe(0);
    expect(publish(stage.connect(), 'u', { payload: isBeyond ? `${payload}78` : payload })).toBe(
      isBeyond ? 0x97 : 0,
    );
    expect(stage.core.gauges().queuedBytes).toBe(isBeyond ? 512 : 1024);
    return stage;
  },

  outputBytesMax(isBeyond) {
    const stage = stageOf({ outputBytesMax: 1024 });
    const client = stage.connect();
    subscribe(client, 't', 0);
    client.isReading = false;
    // Packets of 128 bytes: two of fixed header, three of topic, one of properties.
    const texts = Array.from({ length: isBeyond ? 9 : 8 }, (_, index) => String(index).padStart(122, '.'));
    for (const text of texts)
      stage.connect().send({ type: 'PUBLISH', topicName: 't', payload: textOf(text) });
    expect(stage.core.gauges().queuedMessages).toBe(isBeyond ? 1 : 0);
    client.read();
    expect(payloadsOf(client.take())).toEqual(texts);
    return stage;
  },

  subscriptionsMax(isBeyond) {
    const stage = stageOf({ subscriptionsMax: 2 });
    const client = stage.connect();
    expect(subscribe(client, 'a')).toBe(1);
    expect(subscribe(client, 'b')).toBe(1);
    expect(subscribe(client, isBeyond ? 'c' : 'b')).toBe(isBeyond ? 0x97 : 1);
    expect(stage.core.gauges().subscriptions).toBe(2);
    return stage;
  },

  topicLevelsMax(isBeyond) {
    const stage = stageOf({ topicLevelsMax: 3 });
    const client = stage.connect();
    const topic = isBeyond ? 'a/b//' : 'a/b/';
    expect(subscribe(client, topic)).toBe(isBeyond ? 0x8f : 1);
    // The name of a share is no level.
    expect(subscribe(client, `$share/g/${topic}`)).toBe(isBeyond ? 0x8f : 1);
    expect(publish(stage.connect(), topic)).toBe(isBeyond ? 0x90 : 0);
    const will = { willTopic: topic, willQos: 0, willRetain: false, willPayload: '' };
    expect(answerOf(ask(stage, will))).toEqual(isBeyond ? refusedWith(0x90) : ACCEPTED);
    return stage;
  },

  retainedMessagesMax(isBeyond) {
    const stage = stageOf({ retainedMessagesMax: 2 });
    const subscriber = stage.connect();
    subscribe(subscriber, '#', 0);
    const codes = ['a', 'b', isBeyond ? 'c' : 'b'].map((topicName) =>
      publish(stage.connect(), topicName, { retain: true, payload: '78' }),
    );
    expect(codes).toEqual([0, 0, isBeyond ? 0x97 : 0]);
    expect(subscriber.take()).toHaveLength(3);
    expect(stage.core.gauges().retainedMessages).toBe(2);
    return stage;
  },

  retainedBytesMax(isBeyond) {
    const stage = stageOf({ retainedBytesMax: 200 });
    const subscriber = stage.connect();
    subscribe(subscriber, '#', 0);
    const payload = payloadOf(100 - COST_BESIDE_PAYLOAD);
    const larger = isBeyond ? `${payload}78` : payload;
    expect(publish(stage.connect(), 'a', { retain: true, payload })).toBe(0);
    // In place of another one it counts for the difference.
    for (const topicName of ['b', 'b']) {
      expect(publish(stage.connect(), topicName, { retain: true, payload: larger })).toBe(
        isBeyond ? 0x97 : 0,
      );
    }
    expect(subscriber.take()).toHaveLength(3);
    expect(stage.core.gauges().retainedBytes).toBe(isBeyond ? 100 : 200);
    return stage;
  },

  async authenticationFailuresMax(isBeyond) {
    const folder = await mkdtemp(join(tmpdir(), 'motemq-limits-'));
    const users = join(folder, 'users');
    // mosquitto_passwd 2.0.11 with the password "secret".
    const hash =
      '$7$101$/Gzt3EoaBXouCRRO$iLRmKcdRir4gzjr/3Ubaq2XG/6R4AfobTb+cDSJUhEYFL/Vq5vgIylWDy4W9K+T+pvqVbOwxcIXRbZUGW77PxA==';
    await writeFile(users, `alice:${hash}\n`);
    const limits = { authenticationFailuresMax: 2 };
    const hooks = await loadAccess({ users, limits: resolveLimits(limits) });
    await rm(folder, { recursive: true });
    const stage = new CoreStage({ limits, hooks });
    const tryWith = async (password: string): Promise<object> => {
      const client = ask(stage, { userName: 'alice', password: textOf(password) });
      await eventually(() => (stage.settle(), client.receivedByteLength > 0), { what: 'CONNACK' });
      return answerOf(client);
    };
    for (const password of ['no', ...(isBeyond ? ['neither'] : [])]) {
      expect(await tryWith(password)).toEqual(refusedWith(0x86));
    }
    expect(await tryWith('secret')).toEqual(isBeyond ? refusedWith(0x9f) : ACCEPTED);
    stage.advance(10_000);
    expect(await tryWith('secret')).toEqual(ACCEPTED);
    return stage;
  },

  messagesPerSecondMax(isBeyond) {
    const stage = stageOf({ messagesPerSecondMax: 4 });
    const [subscriber, client] = [stage.connect(), stage.connect()];
    subscribe(subscriber, 't', 0);
    const message = { type: 'PUBLISH', topicName: 't' } as const;
    const messages = Array.from({ length: isBeyond ? 6 : 3 }, () => message);
    client.send(...messages, { type: 'PINGREQ' });
    expect(subscriber.take()).toHaveLength(isBeyond ? 4 : 3);
    expect(client.isPaused).toBe(isBeyond);
    if (!isBeyond) return stage;
    stage.advance(249);
    expect(subscriber.take()).toHaveLength(0);
    stage.advance(1);
    expect(subscriber.take()).toHaveLength(1);
    expect(client.take()).toEqual([]);
    stage.advance(500);
    expect(subscriber.take()).toHaveLength(1);
    expect(client.take()).toEqual([{ type: 'PINGRESP' }]);
    return stage;
  },
};

describe.each(LIMIT_NAMES)('%s', (name) => {
  it('up to it everything is in order', async () => {
    const { core } = await PLAYS[name](false);
    const reached = LIMIT_NAMES.filter((other) => core.counters.limitHits[other] > 0);
    expect(reached).toEqual([]);
  });

  it(`beyond it: ${LIMITS[name].text}`, async () => {
    const { core } = await PLAYS[name](true);
    const reached = LIMIT_NAMES.filter((other) => core.counters.limitHits[other] > 0);
    expect(reached).toEqual([name]);
  });
});
