/**
 * The callback client on a played board, subscribing, receiving and restarting: who is called, and with what.
 */
import { describe, expect, it } from 'vitest';
import type { ReceivedMessage } from '../../src/callbacks/received-message.ts';
import { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
import { STORED_MESSAGE } from '../../src/session/store.ts';
import type { PersistentStore } from '../../src/session/store.ts';
import { NO_SPACE, OK } from '../../src/status.ts';
import { bytesOf, hexOf, message } from '../support/played-board.ts';
import { connected, stage } from './stage.ts';

describe('subscribing', () => {
  it('is told what the server granted', () => {
    const { board, client, take, done } = connected();
    expect(client.subscribe('a/+', 1, done('subscribe'))).toBeGreaterThan(0);
    const [{ packetId }] = board.sent() as { packetId: number }[];
    board.send({ type: 'SUBACK', packetId, reasonCodes: [1] });
    expect(take()).toEqual([['subscribe', OK, 1]]);
    board.send(message('hello', 0, 0, 'a/b'));
    expect(take()).toEqual([['a/b', 'hello']]);
    client.unsubscribe('a/+', done('unsubscribe'));
    board.send({
      type: 'UNSUBACK',
      packetId: (board.sent() as { packetId: number }[])[0].packetId,
      reasonCodes: [0x11],
    });
    expect(take()).toEqual([['unsubscribe', OK, 0x11]]);
  });

  it('for several filters tells the worst', () => {
    const { board, client, take, done } = connected();
    const list = new FilterList(new Uint8Array(64));
    list.add('a', subscriptionOptions(1, true, false, 2));
    list.add('b', 2);
    list.add('c', 0);
    client.subscribeTo(list, 7, done('subscribe'));
    const [packet] = board.sent();
    expect(packet).toMatchObject({
      properties: { subscriptionIdentifiers: [7] },
      subscriptions: [
        { topicFilter: 'a', qos: 1, noLocal: true, retainHandling: 2 },
        { topicFilter: 'b', qos: 2 },
        { topicFilter: 'c', qos: 0 },
      ],
    });
    const { packetId } = packet as { packetId: number };
    board.send({ type: 'SUBACK', packetId, reasonCodes: [1, 0x87, 0] });
    expect(take()).toEqual([['subscribe', OK, 0x87]]);
  });

  it('to a 3.1.1 server: the end of it has no reason code', () => {
    const { board, client, take, done } = connected({}, {}, 4);
    client.subscribe('a', 0);
    client.unsubscribe('a', done('unsubscribe'));
    const [, { packetId }] = board.sent() as { packetId: number }[];
    board.send({ type: 'UNSUBACK', packetId });
    expect(take()).toEqual([['unsubscribe', OK, 0]]);
  });

  it('again after the server lost the session: a refusal is an error, for nobody waits', () => {
    const { board, client, take, done } = connected({ sessionExpirySeconds: 100 });
    client.subscribe('a', 0, done('subscribe'));
    board.send({
      type: 'SUBACK',
      packetId: (board.sent() as { packetId: number }[])[0].packetId,
      reasonCodes: [0],
    });
    board.lost();
    board.clock.advance(1000);
    board.accept();
    take();
    const [{ packetId }] = board.sent() as { packetId: number }[];
    board.send({ type: 'SUBACK', packetId, reasonCodes: [0x87] });
    expect(take()).toMatchObject([['error', expect.any(Number), OK, expect.any(Number)]]);
  });

  it('throws for a filter that is none', () => {
    const { client } = connected();
    expect(() => client.subscribe('a/#/b', 0)).toThrow(/MQTT-4\.7\.1-1/);
    expect(() => client.subscribe('a', 3)).toThrow();
    expect(client.subscribe('x'.repeat(300), 0)).toBe(NO_SPACE);
  });
});

describe('receiving', () => {
  it('uses one record for all, of which text is made when asked', () => {
    const seen: ReceivedMessage[] = [];
    const { board, client } = connected({
      onMessage: (received) => {
        seen.push(received);
        expect(received.topicName()).toBe('t/ä');
        expect(received.hasTopic(client.createTopic('t/ä'))).toBe(true);
        expect(received.hasTopic(client.createTopic('t/a'))).toBe(false);
        expect(received.hasTopic(client.createTopic('t/äa'))).toBe(false);
        expect(received.payload()).toEqual(bytesOf(received.text()));
        expect(received.event).toMatchObject({ qos: 1, retain: 0, dup: 0, isLast: true });
      },
    });
    board.send(message('1', 1, 1, 't/ä'), message('zwei ✓', 1, 2, 't/ä'));
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBe(seen[1]);
  });

  it('makes text also of what is not UTF-8', () => {
    const { board, diary } = connected();
    board.send({ type: 'PUBLISH', topicName: 't', payload: '61ff62eda08063f0909080e282' });
    expect(diary).toEqual([['t', 'a\ufffdb\ufffd\ufffd\ufffdc\u{10400}\ufffd\ufffd']]);
  });

  it('gives a message that is longer than the window in pieces', () => {
    const pieces: unknown[] = [];
    let text = '';
    const { board } = connected({
      receiveBytes: 64,
      onMessage: (received) => {
        const { fragmentOffset, payloadTotalByteLength, isLast } = received.event;
        pieces.push([received.topicName(), fragmentOffset === text.length, payloadTotalByteLength, isLast]);
        text += received.text();
      },
    });
    const payload = Array.from({ length: 150 }, (_, i) => String(i % 10)).join('');
    board.send(message(payload));
    expect(text).toBe(payload);
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces[0]).toEqual(['t', true, 150, false]);
    expect(pieces[pieces.length - 1]).toEqual(['', true, 150, true]);
  });

  it('acknowledges by hand', () => {
    const receipts: number[] = [];
    const { board, client } = connected({
      manualAcknowledgement: true,
      onMessage: ({ event }) => receipts.push(event.receipt),
    });
    board.send(message('x', 1, 9));
    expect(board.sent()).toEqual([]);
    expect(client.acknowledge(receipts[0])).toBe(OK);
    expect(board.sent()).toMatchObject([{ type: 'PUBACK', packetId: 9 }]);
  });

  it('can be paused', () => {
    const { board, client, diary } = connected();
    client.pause();
    board.send(message('x'));
    expect(diary).toEqual([]);
    client.resume();
    expect(diary).toEqual([['t', 'x']]);
  });
});

describe('a store', () => {
  function memoryStore(): PersistentStore {
    const kept = new Map<number, [number, number, Uint8Array]>();
    return {
      put: (kind, number, bytes, at, byteLength) => {
        kept.set(kind * 1e6 + number, [kind, number, bytes.slice(at, at + byteLength)]);
        return true;
      },
      remove: (kind, number) => {
        kept.delete(kind * 1e6 + number);
        return true;
      },
      each: (visit) => {
        [...kept.entries()].sort(([a], [b]) => a - b).forEach(([, record]) => visit(...record));
      },
    };
  }

  it('brings back what was accepted before a restart', () => {
    const store = memoryStore();
    stage({ store }).client.publishTo('t', 'kept', 1, false);
    const { board, client } = stage({ store });
    client.connect();
    board.accept();
    const [packet] = board.sent();
    expect(packet).toMatchObject({ type: 'PUBLISH', payload: hexOf('kept'), qos: 1 });
    board.send({ type: 'PUBACK', packetId: (packet as { packetId: number }).packetId });
    const left: number[] = [];
    store.each((kind) => left.push(kind));
    expect(left).toEqual([]);
  });

  it('that holds more than fits is an error', () => {
    const store = memoryStore();
    stage({ store }).client.publishTo('t', 'x'.repeat(100), 1, false);
    const left: number[] = [];
    store.each((kind) => left.push(kind));
    expect(left).toEqual([STORED_MESSAGE]);
    expect(() => stage({ store, outboxBytes: 64 })).toThrow(
      expect.objectContaining({ code: 'ERR_RESTORE_FAILED' }),
    );
  });
});
