/**
 * What every store of a broker does, tried on each: what was committed comes back as it was, and in its order; what was
 * removed, or not committed, does not.
 */
import { describe, expect, it } from 'vitest';
import {
  deliveryOf,
  messageOf,
  meaningOf,
  onlySession,
  sessionOf,
  stateValues,
  subscriptionOf,
} from './store-stage.ts';
import { SUBJECTS, type Subject } from './store-subjects.ts';

describe.each(Object.keys(SUBJECTS))('a store in %s', (name) => {
  /** A store that was loaded, as every broker does first. */
  async function open(): Promise<Subject> {
    const subject = await SUBJECTS[name]();
    await subject.store.load();
    return subject;
  }

  it('is empty at first', async () => {
    const { store } = await SUBJECTS[name]();
    expect(stateValues(await store.load())).toEqual({ sessions: [], messages: [], retained: [] });
    expect(store.hasChanges()).toBe(false);
  });

  it('gives back sessions as they were', async () => {
    const { store, crash } = await open();
    const records = [
      sessionOf('plain'),
      sessionOf('with user', { userName: 'ünicode 🛰' }),
      sessionOf('with an empty user name', { userName: '' }),
      sessionOf('', { expirySeconds: 4_294_967_295, endedAtMs: 1_700_000_000_123.456 }),
      sessionOf('with will', {
        willMessageId: 2 ** 48 - 1,
        willDelaySeconds: 4_294_967_295,
        willExpirySeconds: 4_294_967_295,
      }),
      sessionOf('with will that expires at once', { willMessageId: 1, willExpirySeconds: 0 }),
    ];
    for (const record of records) store.putSession(record);
    await store.commit();
    const { sessions } = await (await crash()).load();
    const nothing = { subscriptions: [], deliveries: [], receivedIds: [] };
    expect(sessions).toEqual(records.map((record) => ({ ...record, ...nothing })));
  });

  it('gives back what belongs to sessions, to each its own', async () => {
    const { store, crash } = await open();
    const subscriptions = [
      subscriptionOf('a/+/#', { options: 0x2e, identifier: 268_435_455 }),
      subscriptionOf('$share/group/a', { isShared: true, options: 1 }),
      subscriptionOf('grüße/🛰'),
    ];
    const deliveries = [
      deliveryOf(1, 7, { packetId: 65_535, isReleased: true, qos: 2, isRetain: true }),
      deliveryOf(2, 2 ** 48 - 1, { identifiers: [1, 268_435_455, 300] }),
      deliveryOf(2 ** 48 - 1, 8, { qos: 2 }),
    ];
    for (const clientId of ['one', 'two']) {
      store.putSession(sessionOf(clientId));
      for (const subscription of subscriptions) store.putSubscription(clientId, subscription);
    }
    for (const delivery of deliveries) store.putDelivery('two', delivery);
    for (const packetId of [1, 300, 65_535]) store.putReceived('two', packetId);
    await store.commit();
    expect(stateValues(await (await crash()).load())).toMatchObject({
      sessions: [
        { clientId: 'one', deliveries: [], receivedIds: [] },
        { clientId: 'two', deliveries, receivedIds: [1, 300, 65_535] },
      ],
    });
    const { sessions } = await store.load();
    for (const session of sessions) {
      expect(new Set(session.subscriptions)).toEqual(new Set(subscriptions));
    }
  });

  it('gives back messages as they were, in bytes of their own', async () => {
    const { store, crash } = await open();
    const messages = [
      messageOf({ topicName: 'a', payload: new Uint8Array(0), qos: 0, publisherId: '' }),
      messageOf({
        topicName: 'grüße/🛰',
        payload: Buffer.from('text'),
        properties: Buffer.from('03000474657874', 'hex'),
        qos: 2,
        isRetain: true,
        expiresAtMs: 1_700_000_000_123.456,
        publisherId: 'jemand/ä',
      }),
      messageOf({ topicName: 'large', payload: Buffer.alloc(300_000, 7), properties: Buffer.alloc(70_000) }),
    ];
    messages.forEach((message, index) => {
      message.storeId = 9;
      message.storeReferences = 4;
      store.putMessage(index + 1, message);
    });
    await store.commit();
    const loaded = (await (await crash()).load()).messages;
    expect([...loaded.keys()].sort()).toEqual([1, 2, 3]);
    messages.forEach((message, index) => {
      const back = loaded.get(index + 1);
      expect(back && meaningOf(back)).toEqual(meaningOf(message));
      expect(back?.keep()).toBe(back);
      expect([back?.storeId, back?.storeReferences]).toEqual([0, 0]);
    });
  });

  it('gives back retained messages by topic name', async () => {
    const { store, crash } = await open();
    store.putRetained('a', 1);
    store.putRetained('a/b', 2);
    store.putRetained('grüße/🛰', 2 ** 48 - 1);
    store.putRetained('gone', 4);
    store.removeRetained('gone');
    await store.commit();
    store.putRetained('a', 5);
    store.removeRetained('a/b');
    await store.commit();
    expect((await (await crash()).load()).retained).toEqual(
      new Map([
        ['a', 5],
        ['grüße/🛰', 2 ** 48 - 1],
      ]),
    );
  });

  it('gives back deliveries in the order of their sequence', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    for (const sequence of [300, 2, 70_000, 1, 256, 65_536]) {
      store.putDelivery('one', deliveryOf(sequence, sequence));
      await store.commit();
    }
    const { deliveries } = await onlySession(await crash());
    expect(deliveries.map(({ sequence }) => sequence)).toEqual([1, 2, 256, 300, 65_536, 70_000]);
  });

  it('keeps the newest of what is put again', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    store.putSubscription('one', subscriptionOf('a', { options: 1 }));
    store.putDelivery('one', deliveryOf(1, 1, { qos: 2 }));
    await store.commit();
    store.putDelivery('one', deliveryOf(1, 1, { qos: 2, packetId: 5 }));
    await store.commit();
    store.putSession(sessionOf('one', { endedAtMs: 17 }));
    store.putSubscription('one', subscriptionOf('a', { options: 2, identifier: 3 }));
    store.putDelivery('one', deliveryOf(1, 1, { qos: 2, packetId: 5, isReleased: true }));
    await store.commit();
    expect(await onlySession(await crash())).toEqual({
      ...sessionOf('one', { endedAtMs: 17 }),
      subscriptions: [subscriptionOf('a', { options: 2, identifier: 3 })],
      deliveries: [deliveryOf(1, 1, { qos: 2, packetId: 5, isReleased: true })],
      receivedIds: [],
    });
  });

  it('takes what it is given as it is then', async () => {
    const { store, crash } = await open();
    const session = sessionOf('one');
    const subscription = subscriptionOf('a', { options: 1 });
    const identifiers = [1];
    const delivery = deliveryOf(1, 1, { identifiers });
    store.putSession(session);
    store.putSubscription('one', subscription);
    store.putDelivery('one', delivery);
    session.endedAtMs = 5;
    subscription.options = 2;
    delivery.packetId = 3;
    identifiers.push(2);
    await store.commit();
    expect(await onlySession(await crash())).toEqual({
      ...sessionOf('one'),
      subscriptions: [subscriptionOf('a', { options: 1 })],
      deliveries: [deliveryOf(1, 1, { identifiers: [1] })],
      receivedIds: [],
    });
  });

  it('forgets what is removed, in the commit that put it and in a later one', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    for (const [filter, sequence, packetId] of [['a', 1, 1] as const, ['b', 2, 2] as const]) {
      store.putSubscription('one', subscriptionOf(filter));
      store.putDelivery('one', deliveryOf(sequence, sequence));
      store.putReceived('one', packetId);
      store.putMessage(sequence, messageOf('a'));
    }
    store.removeSubscription('one', 'a');
    store.removeDelivery('one', 1);
    store.removeReceived('one', 1);
    store.removeMessage(1);
    await store.commit();
    const first = await store.load();
    expect(first.sessions[0]).toMatchObject({
      subscriptions: [{ topicFilter: 'b' }],
      deliveries: [{ sequence: 2 }],
      receivedIds: [2],
    });
    expect([...first.messages.keys()]).toEqual([2]);
    store.removeSubscription('one', 'b');
    store.removeDelivery('one', 2);
    store.removeReceived('one', 2);
    store.removeMessage(2);
    await store.commit();
    expect(stateValues(await (await crash()).load())).toMatchObject({
      sessions: [{ subscriptions: [], deliveries: [], receivedIds: [] }],
      messages: [],
    });
  });

  it('forgets what was written, put again and removed in one commit', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    store.putDelivery('one', deliveryOf(1, 1));
    store.putMessage(1, messageOf('a'));
    await store.commit();
    store.putDelivery('one', deliveryOf(1, 1, { packetId: 1 }));
    store.putMessage(1, messageOf('a'));
    store.removeDelivery('one', 1);
    store.removeMessage(1);
    await store.commit();
    expect(stateValues(await (await crash()).load())).toMatchObject({
      sessions: [{ deliveries: [] }],
      messages: [],
    });
  });

  it('forgets with a session everything that belongs to it, and nothing of another', async () => {
    const { store, crash } = await open();
    for (const clientId of ['one', 'two', 'three']) {
      store.putSession(sessionOf(clientId));
      store.putSubscription(clientId, subscriptionOf('a'));
      store.putSubscription(clientId, subscriptionOf('b'.repeat(3000)));
      for (let sequence = 1; sequence <= 300; sequence++) {
        store.putDelivery(clientId, deliveryOf(sequence, sequence));
      }
      store.putReceived(clientId, 1);
    }
    await store.commit();
    store.putDelivery('two', deliveryOf(301, 1));
    store.removeSession('two');
    await store.commit();
    const { sessions } = await (await crash()).load();
    expect(sessions.map(({ clientId, deliveries }) => [clientId, deliveries.length])).toEqual([
      ['one', 300],
      ['three', 300],
    ]);
  });

  it('knows nothing of a session that is gone in another of the same name', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    store.putSubscription('one', subscriptionOf('old'));
    store.putDelivery('one', deliveryOf(5, 5));
    await store.commit();
    store.removeSession('one');
    store.putSession(sessionOf('one', { expirySeconds: 7 }));
    store.putDelivery('one', deliveryOf(1, 1));
    await store.commit();
    // One that was never committed leaves nothing either.
    store.removeSession('one');
    store.putSession(sessionOf('one', { expirySeconds: 8 }));
    store.putReceived('one', 1);
    store.removeSession('one');
    store.putSession(sessionOf('one', { expirySeconds: 9 }));
    store.putDelivery('one', deliveryOf(2, 2));
    await store.commit();
    const after = await crash();
    expect(await onlySession(after)).toEqual({
      ...sessionOf('one', { expirySeconds: 9 }),
      subscriptions: [],
      deliveries: [deliveryOf(2, 2)],
      receivedIds: [],
    });
    after.removeSession('one');
    after.putSession(sessionOf('one'));
    await after.commit();
    expect((await onlySession(after)).deliveries).toEqual([]);
  });

  it('does not mind what is removed twice, or was never there', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    store.removeSubscription('one', 'a');
    store.removeDelivery('one', 1);
    store.removeReceived('one', 1);
    store.removeMessage(1);
    store.removeRetained('a');
    await store.commit();
    for (const clientId of ['one', 'one', 'nobody']) store.removeSession(clientId);
    store.removeSubscription('one', 'a');
    store.removeDelivery('one', 1);
    store.removeReceived('one', 1);
    await store.commit();
    expect(stateValues(await (await crash()).load())).toEqual({ sessions: [], messages: [], retained: [] });
  });

  it('refuses what belongs to no session', async () => {
    const { store } = await open();
    expect(() => store.putSubscription('one', subscriptionOf('a'))).toThrow("no session 'one'");
    expect(() => store.putDelivery('one', deliveryOf(1, 1))).toThrow("no session 'one'");
    expect(() => store.putReceived('one', 1)).toThrow("no session 'one'");
  });

  it('forgets in a crash what was not committed', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    await store.commit();
    store.putSession(sessionOf('two'));
    store.putSubscription('one', subscriptionOf('a'));
    store.putMessage(1, messageOf('a'));
    store.putRetained('a', 1);
    const after = await crash();
    expect(stateValues(await after.load())).toMatchObject({
      sessions: [{ clientId: 'one', subscriptions: [] }],
      messages: [],
      retained: [],
    });
    expect(after.hasChanges()).toBe(false);
  });

  it('goes on where the broker before it ended', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    store.putDelivery('one', deliveryOf(5, 5));
    store.putMessage(5, messageOf('a'));
    await store.commit();
    const after = await crash();
    await after.load();
    after.putSession(sessionOf('two'));
    after.putSubscription('two', subscriptionOf('b'));
    after.putDelivery('two', deliveryOf(1, 6));
    after.putDelivery('one', deliveryOf(6, 6));
    after.removeDelivery('one', 5);
    after.putMessage(6, messageOf('b'));
    after.removeMessage(5);
    await after.commit();
    expect(stateValues(await after.load())).toMatchObject({
      sessions: [
        { clientId: 'one', subscriptions: [], deliveries: [{ sequence: 6 }] },
        { clientId: 'two', subscriptions: [{ topicFilter: 'b' }], deliveries: [{ sequence: 1 }] },
      ],
      messages: [[6, {}]],
    });
  });

  it('says whether there is something to commit', async () => {
    const { store } = await open();
    await store.commit();
    store.putSession(sessionOf('one'));
    expect(store.hasChanges()).toBe(true);
    const commit = store.commit();
    expect(store.hasChanges()).toBe(false);
    store.putReceived('one', 1);
    expect(store.hasChanges()).toBe(true);
    await commit;
    expect(store.hasChanges()).toBe(true);
    await store.commit();
    expect(store.hasChanges()).toBe(false);
  });

  it('takes commits while others are under way, each for all before it', async () => {
    const { store, crash } = await open();
    store.putSession(sessionOf('one'));
    const commits: Promise<void>[] = [];
    for (let sequence = 1; sequence <= 50; sequence++) {
      store.putDelivery('one', deliveryOf(sequence, sequence));
      commits.push(store.commit());
      if (sequence % 10 === 0) await commits[sequence - 5];
    }
    await commits[49];
    const { deliveries } = await onlySession(await crash());
    expect(deliveries.map(({ sequence }) => sequence)).toEqual(Array.from(commits, (_, index) => index + 1));
    await Promise.all(commits);
  });

  it('keeps long names apart', async () => {
    const { store, crash } = await open();
    const long = (last: string): string => 'ä'.repeat(32_767) + last;
    const names = [long('a'), long('b'), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(65_535)];
    names.forEach((topicName, index) => store.putRetained(topicName, index + 1));
    for (const clientId of [long('a'), long('b')]) {
      store.putSession(sessionOf(clientId, { userName: 'u'.repeat(65_535) }));
      names.forEach((topicFilter, index) =>
        store.putSubscription(clientId, subscriptionOf(topicFilter, { identifier: index + 1 })),
      );
    }
    store.putMessage(
      1,
      messageOf({ topicName: long('a'), payload: Buffer.from('1'), publisherId: long('b') }),
    );
    await store.commit();
    store.removeRetained(names[1]);
    store.removeSubscription(long('b'), names[4]);
    await store.commit();
    const { sessions, messages, retained } = await (await crash()).load();
    expect([...retained].every(([topicName, id]) => names[id - 1] === topicName)).toBe(true);
    expect([...retained.values()].sort()).toEqual([1, 3, 4, 5]);
    for (const { clientId, userName, subscriptions } of sessions) {
      expect(userName?.length).toBe(65_535);
      const identifiers = subscriptions.map(({ topicFilter, identifier }) => {
        expect(names[identifier - 1] === topicFilter).toBe(true);
        return identifier;
      });
      expect(identifiers.sort()).toEqual(clientId === long('a') ? [1, 2, 3, 4, 5] : [1, 2, 3, 4]);
    }
    expect(sessions.map(({ clientId }) => clientId === long('a') || clientId === long('b'))).toEqual([
      true,
      true,
    ]);
    expect(messages.get(1)?.topicName === long('a') && messages.get(1)?.publisherId === long('b')).toBe(true);
  });
});
