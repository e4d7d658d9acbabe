/**
 * Topic aliases at the server, both ways (3.3.2.3.4): those that a client sets and the server has to understand, and those
 * that the server may set where a client allows it.
 */
import { expect, it } from 'vitest';
import type { PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic } from '../peer.ts';
import { keptSession, publishesOf, publishOnce, takeMessages, textsOf } from './messages.ts';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const TOPIC_ALIAS_INVALID = 0x94;

/** A connection whose server takes aliases, and the highest that it takes. */
async function connectWithAliases(broker: BrokerUnderTest): Promise<{ publisher: Peer; maximum: number }> {
  const publisher = await Peer.connect(broker);
  const maximum = publisher.connack.properties?.topicAliasMaximum ?? 0;
  expect(maximum, 'these tests need a server that takes aliases').toBeGreaterThan(0);
  return { publisher, maximum };
}

/** Reads messages as a client does: keeps what aliases stand for, and holds the server to the client's maximum. */
class AliasReader {
  readonly names = new Map<number, string>();
  private readonly maximum: number;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** The message's Topic Name. */
  read(message: PublishObject): string {
    const topicName = message.topicName ?? '';
    const alias = message.properties?.topicAlias;
    if (alias === undefined) {
      expect(topicName, 'a Topic Name where there is no alias').not.toBe('');
      return topicName;
    }
    expect(alias).toBeGreaterThan(0); // [MQTT-3.3.2-8]
    expect(alias).toBeLessThanOrEqual(this.maximum); // [MQTT-3.3.2-11]
    if (topicName !== '') this.names.set(alias, topicName);
    const name = this.names.get(alias);
    expect(name, `what alias ${alias} stands for`).toBeDefined();
    return name!;
  }
}

describeBroker('topic aliases of a client', (broker) => {
  it('stand for the Topic Name that they were sent with [MQTT-3.3.2-12]', async () => {
    const [first, second] = [uniqueTopic(), uniqueTopic()];
    const subscriber = await Peer.connect(broker);
    for (const topic of [first, second]) await subscriber.subscribe(topic, { qos: 2 });
    const { publisher, maximum } = await connectWithAliases(broker);
    const low = { topicAlias: 1 };
    const high = { topicAlias: maximum };
    await publisher.publish({ topicName: first, properties: low, payload: hexOf('1') });
    await publisher.publish({ topicName: second, qos: 1, properties: high, payload: hexOf('2') });
    await publisher.publish({ topicName: '', qos: 0, properties: low, payload: hexOf('3') });
    await publisher.publish({ topicName: '', qos: 2, properties: high, payload: hexOf('4') });
    await publisher.publish({ topicName: '', qos: 1, properties: low, payload: hexOf('5') });
    const messages = await takeMessages(subscriber, 5);
    expect(messages.map(({ topicName }) => topicName)).toEqual([first, second, first, second, first]);
    expect(textsOf(messages)).toEqual(['1', '2', '3', '4', '5']);
    // An alias belongs to the connection it was sent on; this subscriber allows none.
    expect(messages.map(({ properties }) => properties)).toEqual(new Array(5).fill(undefined));
  });

  it('may be any from 1 to the Topic Alias Maximum [MQTT-3.3.2-12]', async () => {
    const base = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(`${base}/+`);
    const { publisher, maximum } = await connectWithAliases(broker);
    const aliases = Array.from({ length: maximum }, (_, index) => index + 1);
    for (const topicAlias of aliases) {
      await publisher.publish({ topicName: `${base}/${topicAlias}`, properties: { topicAlias } });
    }
    for (const topicAlias of aliases) await publisher.publish({ topicName: '', properties: { topicAlias } });
    const names = (await takeMessages(subscriber, 2 * maximum)).map(({ topicName }) => topicName);
    const expected = aliases.map((alias) => `${base}/${alias}`);
    expect(names).toEqual([...expected, ...expected]);
  });

  it('stand for another topic as soon as they are sent with one (3.3.2.3.4)', async () => {
    const base = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(`${base}/+`);
    const { publisher } = await connectWithAliases(broker);
    const properties = { topicAlias: 1 };
    for (const topicName of [`${base}/a`, '', `${base}/b`, ''])
      await publisher.publish({ topicName, properties });
    const names = (await takeMessages(subscriber, 4)).map(({ topicName }) => topicName);
    expect(names).toEqual(['a', 'a', 'b', 'b'].map((last) => `${base}/${last}`));
  });

  it('are set by a message that nobody is subscribed to (3.3.2.3.4)', async () => {
    const topicName = uniqueTopic();
    const { publisher } = await connectWithAliases(broker);
    const properties = { topicAlias: 1 };
    await publisher.publish({ topicName, qos: 1, properties });
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName);
    await publisher.publish({ topicName: '', properties });
    expect((await subscriber.nextOf('PUBLISH')).topicName).toBe(topicName);
  });

  it('are of their connection alone: another client’s mean something else [MQTT-3.3.2-12]', async () => {
    const base = uniqueTopic();
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(`${base}/+`, { qos: 1 });
    const { publisher: one } = await connectWithAliases(broker);
    const { publisher: other } = await connectWithAliases(broker);
    const aliased = { qos: 1, properties: { topicAlias: 1 } };
    await one.publish({ ...aliased, topicName: `${base}/one` });
    await other.publish({ ...aliased, topicName: `${base}/other` });
    await one.publish({ ...aliased, topicName: '' });
    await other.publish({ ...aliased, topicName: '' });
    const names = (await takeMessages(subscriber, 4)).map(({ topicName }) => topicName);
    expect(names).toEqual(['one', 'other', 'one', 'other'].map((last) => `${base}/${last}`));
  });

  it('leave nothing in what is queued and retained but the Topic Name [MQTT-3.3.2-12]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession();
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 1 });
    await before.disconnect();
    const { publisher } = await connectWithAliases(broker);
    const aliased = { qos: 1, retain: true, properties: { topicAlias: 1 } };
    await publisher.publish({ ...aliased, topicName, payload: hexOf('1') });
    await publisher.publish({ ...aliased, topicName: '', payload: hexOf('2') });
    await publisher.disconnect();
    const queued = await takeMessages(await Peer.connect(broker, session), 2);
    const subscriber = await Peer.connect(broker);
    await subscriber.subscribe(topicName, { qos: 1 });
    const [retained] = await takeMessages(subscriber, 1);
    const messages = [...queued, retained];
    expect(textsOf(messages)).toEqual(['1', '2', '2']);
    for (const message of messages) {
      expect(message.topicName).toBe(topicName);
      expect(message.properties).toBeUndefined();
    }
  });

  it('0 is no alias [MQTT-3.3.2-8]', async () => {
    const { publisher } = await connectWithAliases(broker);
    publisher.sendBytes('30 07 0001 61 03 23 0000');
    // The standard does not say which code.
    await publisher.expectDisconnect(TOPIC_ALIAS_INVALID, MALFORMED, PROTOCOL_ERROR);
  });

  it('above the Topic Alias Maximum end the connection: 0x94 [MQTT-3.2.2-17]', async () => {
    const { publisher, maximum } = await connectWithAliases(broker);
    publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), properties: { topicAlias: maximum + 1 } });
    await publisher.expectDisconnect(TOPIC_ALIAS_INVALID);
  });

  it('that stand for nothing are a protocol error (3.3.2.3.4)', async () => {
    const { publisher } = await connectWithAliases(broker);
    publisher.send({ type: 'PUBLISH', topicName: '', properties: { topicAlias: 1 } });
    await publisher.expectDisconnect(PROTOCOL_ERROR);
  });

  it.each([true, false])(
    'are forgotten with their connection, though the session stays: ended in order: %s [MQTT-3.3.2-7]',
    async (isInOrder) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker);
      await subscriber.subscribe(topicName);
      const session = keptSession();
      const before = await Peer.connect(broker, session);
      await before.publish({ topicName, qos: 1, properties: { topicAlias: 1 }, payload: hexOf('before') });
      if (isInOrder) await before.disconnect();
      else before.destroy();
      const after = await Peer.connect(broker, session);
      expect(after.connack.sessionPresent).toBe(true);
      after.send({ type: 'PUBLISH', topicName: '', properties: { topicAlias: 1 }, payload: hexOf('after') });
      await after.expectDisconnect(PROTOCOL_ERROR);
      expect(textsOf(await subscriber.drain())).toEqual(['before']);
    },
  );
});

describeWith(
  { limits: { topicAliasMaximum: 0 } },
  'topic aliases of a client: a server that takes none',
  (broker) => {
    it('says so, and ends the connection with 0x94 [MQTT-3.2.2-18]', async () => {
      const publisher = await Peer.connect(broker);
      expect(publisher.connack.properties?.topicAliasMaximum ?? 0).toBe(0);
      publisher.send({ type: 'PUBLISH', topicName: uniqueTopic(), properties: { topicAlias: 1 } });
      await publisher.expectDisconnect(TOPIC_ALIAS_INVALID);
    });
  },
);

describeBroker('topic aliases of the server', (broker) => {
  it.each([undefined, 0])(
    'are none where the Topic Alias Maximum is %s [MQTT-3.3.2-11]',
    async (topicAliasMaximum) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { properties: { topicAliasMaximum } });
      await subscriber.subscribe(topicName, { qos: 1 });
      await publishOnce(broker, { topicName, qos: 1 }, { topicName, qos: 0 }, { topicName, qos: 1 });
      const messages = await takeMessages(subscriber, 3);
      expect(messages.map((message) => message.topicName)).toEqual([topicName, topicName, topicName]);
      expect(messages.map(({ properties }) => properties)).toEqual([undefined, undefined, undefined]);
    },
  );

  it.each([1, 3, 65_535])(
    'are from 1 to the client’s maximum, and stand for what they say: %i [MQTT-3.3.2-11]',
    async (topicAliasMaximum) => {
      const base = uniqueTopic();
      const subscriber = await Peer.connect(broker, { properties: { topicAliasMaximum } });
      await subscriber.subscribe(`${base}/+`, { qos: 1 });
      const names = [1, 2, 1, 3, 4, 5, 1, 1, 4, 2, 3, 5, 5].map((last) => `${base}/${last}`);
      await publishOnce(broker, ...names.map((topicName, index) => ({ topicName, qos: index % 2 })));
      const reader = new AliasReader(topicAliasMaximum);
      const messages = await takeMessages(subscriber, names.length);
      expect(messages.map((message) => reader.read(message))).toEqual(names);
    },
  );

  it('begin anew with each connection, of redelivered messages too [MQTT-3.3.2-7]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession(5, undefined, { topicAliasMaximum: 5 });
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 1 });
    await publishOnce(
      broker,
      ...['1', '2', '3'].map((text) => ({ topicName, qos: 1, payload: hexOf(text) })),
    );
    const unacknowledged = publishesOf(await before.drain());
    const reader = new AliasReader(5);
    expect(unacknowledged.map((message) => reader.read(message))).toEqual([topicName, topicName, topicName]);
    before.destroy();

    const after = await Peer.connect(broker, session);
    await publishOnce(broker, { topicName, qos: 1, payload: hexOf('4') });
    const messages = await takeMessages(after, 4);
    const newReader = new AliasReader(5);
    expect(messages.map((message) => newReader.read(message))).toEqual(new Array(4).fill(topicName));
    expect(textsOf(messages)).toEqual(['1', '2', '3', '4']);
  });

  it('are not those of a connection that allows none, after one that did [MQTT-3.3.2-7] [MQTT-3.3.2-11]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession(5, undefined, { topicAliasMaximum: 5 });
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 1 });
    await publishOnce(broker, { topicName, qos: 1 }, { topicName, qos: 1 });
    await before.drain();
    before.destroy();
    const after = await Peer.connect(broker, keptSession(5, before.clientId));
    const messages = await takeMessages(after, 2);
    expect(messages.map((message) => message.topicName)).toEqual([topicName, topicName]);
    expect(messages.map(({ properties }) => properties)).toEqual([undefined, undefined]);
  });
});

describeWith({}, 'topic aliases of our broker', (broker) => {
  it('are used: a topic that comes again comes as its alias [MQTT-3.3.2-11]', async () => {
    const topicName = uniqueTopic();
    const subscriber = await Peer.connect(broker, { properties: { topicAliasMaximum: 2 } });
    await subscriber.subscribe(topicName, { qos: 1 });
    const message = { topicName, qos: 1 };
    await publishOnce(broker, message, message, message, message);
    const names = (await takeMessages(subscriber, 4)).map((one) => one.topicName);
    expect(names[0]).toBe(topicName);
    expect(names[3]).toBe('');
  });
});
