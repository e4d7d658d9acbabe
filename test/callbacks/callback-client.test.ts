/**
 * The callback client on a played board, connecting and publishing: who is called, when, how often, and with what.
 */
import { describe, expect, it } from 'vitest';
import { CallbackClient } from '../../src/callbacks/callback-client.ts';
import type { CallbackClientOptions } from '../../src/callbacks/callback-client.ts';
import { P_CONTENT_TYPE } from '../../src/packets/property-table.ts';
import {
  CAUSE_CLIENT,
  CAUSE_REFUSED,
  CAUSE_TRANSPORT,
  EVENT_CONNECTED,
  EVENT_CONNECTING,
  EVENT_MESSAGE,
} from '../../src/session/event.ts';
import {
  CLOSED,
  DROPPED,
  NOT_CONNECTED,
  NOT_SUPPORTED_BY_SERVER,
  NO_SPACE,
  OK,
  PACKET_TOO_LARGE,
} from '../../src/status.ts';
import { PlayedBoard, bytesOf, hexOf, message } from '../support/played-board.ts';
import { propertiesOf } from '../support/session-driver.ts';
import { connected, stage } from './stage.ts';
import type { Stage } from './stage.ts';

/** A stage whose transport takes nothing, with its transmit ring full. */
function congested(options: CallbackClientOptions = {}): Stage {
  const made = connected({ outboxBytes: 64, transmitBytes: 64, ...options });
  made.board.writable = 0;
  const topic = made.client.createTopic('t');
  while (made.client.publish(topic, 'x'.repeat(16), 0, false) >= 0);
  return made;
}

describe('the connection', () => {
  it('is told when it comes and goes, and comes again', () => {
    const { board, client, diary } = connected();
    expect(client.isConnected()).toBe(true);
    board.lost();
    expect(client.isConnected()).toBe(false);
    board.clock.advance(1000);
    board.accept();
    expect(diary).toEqual([
      ['disconnected', CAUSE_TRANSPORT],
      ['connected', 0],
    ]);
  });

  it('that is refused is told as that', () => {
    const { board, client, diary } = stage();
    client.connect();
    board.accept({ reasonCode: 0x87 });
    expect(diary).toEqual([['disconnected', CAUSE_REFUSED]]);
    board.clock.advance(1e6);
    expect(board.openings).toBe(1);
  });

  it('ends with a goodbye, behind what was published before', () => {
    const { board, client, diary } = connected();
    client.publishTo('t', 'last', 1, false);
    expect(client.disconnect()).toBe(OK);
    expect(board.sentTypes()).toEqual(['PUBLISH', 'DISCONNECT']);
    expect(diary).toEqual([['disconnected', CAUSE_CLIENT]]);
    expect(client.disconnect()).toBe(NOT_CONNECTED);
    expect(client.connect()).toBe(OK);
    expect(board.openings).toBe(2);
  });

  it('ends for good without one, and whoever waits is told', () => {
    const { board, client, diary, done } = connected();
    client.publishTo('t', 'x', 1, false, done('publish'));
    client.subscribe('t', 0, done('subscribe'));
    board.sent();
    client.close();
    client.close();
    expect(board.sent()).toEqual([]);
    expect(board.clock.left).toEqual([]);
    expect(diary).toEqual([
      ['disconnected', CAUSE_CLIENT],
      ['publish', CLOSED, 0],
      ['subscribe', CLOSED, 0],
    ]);
    expect(client.connect()).toBe(CLOSED);
    expect(client.publishTo('t', 'x', 0, false)).toBe(CLOSED);
  });

  it('is given up and tried again when the network says so', () => {
    const { board, client, take } = connected();
    client.drop(new Error('no Wi-Fi'));
    expect(take()).toEqual([['disconnected', CAUSE_TRANSPORT]]);
    client.retry();
    expect(board.openings).toBe(2);
  });

  it('hands every event on first', () => {
    const kinds: number[] = [];
    const { board, client } = stage({
      authenticationMethod: 'm',
      onEvent: ({ kind }, nowMs) => {
        kinds.push(kind);
        expect(nowMs).toBe(0);
        if (kind === EVENT_CONNECTING) client.session.setAuthenticationData(bytesOf('secret'));
      },
    });
    client.connect();
    board.opened();
    expect(board.sent()).toMatchObject([
      { type: 'CONNECT', properties: { authenticationMethod: 'm', authenticationData: hexOf('secret') } },
    ]);
    board.send({ type: 'CONNACK', properties: { authenticationMethod: 'm' } });
    expect(kinds).toEqual([EVENT_CONNECTING, EVENT_CONNECTED]);
  });

  it('tells nothing of an event that was dealt with', () => {
    const { board, diary } = connected({
      onEvent: (event) => event.kind === EVENT_MESSAGE && event.payloadByteLength === 1,
    });
    board.send(message('1'), message('22'));
    expect(diary).toEqual([['t', '22']]);
  });

  it('needs none of the callbacks', () => {
    const board = new PlayedBoard();
    const client = new CallbackClient(board, { outboxBytes: 64, transmitBytes: 64 });
    client.connect();
    board.accept({ properties: { assignedClientIdentifier: 'x' } });
    board.send(message('x'));
    board.writable = 0;
    while (client.publishTo('t', 'x', 0, false) >= 0);
    board.drained();
    client.subscribe('#', 0);
    const [{ packetId }] = board.sent().slice(-1) as { packetId: number }[];
    board.send({ type: 'SUBACK', packetId, reasonCodes: [0x87] });
    board.lost();
    expect(client.isConnected()).toBe(false);
  });
});

describe('options', () => {
  it('are refused by name', () => {
    const codes = (options: CallbackClientOptions): unknown => {
      try {
        stage(options);
      } catch (error) {
        return [(error as { code: string }).code, (error as Error).message.split(' ')[0]];
      }
      return undefined;
    };
    expect(codes({ receiveBytes: -1 })).toEqual(['ERR_OUT_OF_RANGE', 'receiveBytes']);
    expect(codes({ receiveBytes: 63 })).toEqual(['ERR_OUT_OF_RANGE', 'buffers.receive']);
    expect(codes({ transmitBytes: 1.5 })).toEqual(['ERR_OUT_OF_RANGE', 'transmitBytes']);
    expect(codes({ outboxBytes: NaN })).toEqual(['ERR_OUT_OF_RANGE', 'outboxBytes']);
    expect(codes({ subscriptionBytes: Infinity })).toEqual(['ERR_OUT_OF_RANGE', 'subscriptionBytes']);
    expect(codes({ callbacksMax: 0 })).toEqual(['ERR_OUT_OF_RANGE', 'callbacksMax']);
    expect(codes({ keepAliveSeconds: 70_000 })).toEqual(['ERR_OUT_OF_RANGE', 'keepAliveSeconds']);
  });

  it('have defaults of a board', () => {
    const { state } = stage().client.session;
    expect(state.receive.bytes.length).toBe(512);
    expect(state.transmit.bytes.length).toBe(512);
    expect(state.outbox.bytes.length).toBe(1024);
    expect(state.subscriptions.bytes.length).toBe(256);
  });
});

describe('publishing', () => {
  it('QoS 0 goes out at once, and the callback hears nothing of it', () => {
    const { board, client, diary, done } = connected();
    const topic = client.createTopic('a/b');
    expect(client.publish(topic, 'häß\0', 0, true, done('publish'))).toBe(0);
    expect(client.publish(topic, bytesOf('x'), 0, false)).toBe(0);
    expect(client.publishTo('c', bytesOf('y'), 0, false)).toBe(0);
    expect(board.sent()).toMatchObject([
      { topicName: 'a/b', payload: hexOf('hä') + 'c39f00', qos: 0, retain: true },
      { topicName: 'a/b', payload: hexOf('x'), retain: false },
      { topicName: 'c', payload: hexOf('y') },
    ]);
    expect(diary).toEqual([]);
    expect(client.callbacks.every((callback) => callback === null)).toBe(true);
  });

  it('QoS 0 that has to wait is told when it is sent', () => {
    const { board, client, diary, done } = stage();
    expect(client.publishTo('t', 'x', 0, false, done('publish'))).toBeGreaterThan(0);
    client.connect();
    board.accept();
    expect(board.sentTypes()).toEqual(['PUBLISH']);
    expect(diary).toEqual([
      ['connected', 0],
      ['publish', OK, 0],
    ]);
  });

  it('QoS 1 and 2 are told with the reason code of their end, each to its own callback', () => {
    const { board, client, take, done } = connected();
    const topic = client.createTopic('t');
    const tickets = [
      client.publish(topic, 'a', 1, false, done('a')),
      client.publish(topic, 'b', 2, false, done('b')),
      client.publish(topic, 'c', 1, false, done('c')),
      client.publish(topic, 'd', 1, false),
    ];
    expect(new Set(tickets).size).toBe(4);
    expect(Math.min(...tickets)).toBeGreaterThan(0);
    const [a, b, c, d] = board.sent() as { packetId: number }[];
    board.send({ type: 'PUBACK', packetId: c.packetId, reasonCode: 0x97 });
    expect(take()).toEqual([['c', OK, 0x97]]);
    board.send({ type: 'PUBACK', packetId: d.packetId }, { type: 'PUBACK', packetId: a.packetId });
    expect(take()).toEqual([['a', OK, 0]]);
    board.send({ type: 'PUBREC', packetId: b.packetId });
    expect(take()).toEqual([]);
    board.send({ type: 'PUBCOMP', packetId: b.packetId });
    expect(take()).toEqual([['b', OK, 0]]);
    expect(client.callbacks.every((callback) => callback === null)).toBe(true);
  });

  it('outlives the connection', () => {
    const { board, client, take, done } = connected({ sessionExpirySeconds: 100 });
    client.publishTo('t', 'x', 1, false, done('publish'));
    board.sent();
    board.lost();
    board.clock.advance(1000);
    board.accept({ sessionPresent: true });
    const [{ packetId }] = board.sent() as { packetId: number }[];
    board.send({ type: 'PUBACK', packetId });
    expect(take()).toEqual([
      ['disconnected', CAUSE_TRANSPORT],
      ['connected', 1],
      ['publish', OK, 0],
    ]);
  });

  it('with properties, of part of an array', () => {
    const { board, client } = connected();
    const properties = propertiesOf((writer) => writer.addText(P_CONTENT_TYPE, 'text/plain'));
    client.publishBytes(client.createTopic('t'), bytesOf('abcdef'), 3, 0, false, properties);
    expect(board.sent()).toMatchObject([
      { payload: hexOf('abc'), properties: { contentType: 'text/plain' } },
    ]);
  });

  it('throws for what is the caller’s mistake, and nothing has happened', () => {
    const { board, client, done } = connected({ callbacksMax: 1 });
    const topic = client.createTopic('t');
    expect(() => client.createTopic('a/#')).toThrow(/MQTT-3\.3\.2-2/);
    expect(() => client.publishTo('', 'x', 0, false)).toThrow(/topicName/);
    expect(() => client.publish(topic, 'x', 3, false, done('publish'))).toThrow(
      /^qos must be an integer from 0 to 2/,
    );
    expect(client.publish(topic, 'x', 1, false, done('publish'))).toBeGreaterThan(0);
    expect(board.sentTypes()).toEqual(['PUBLISH']);
  });

  it('returns why it was not accepted', () => {
    const { client } = connected({}, { properties: { maximumQos: 1 } });
    expect(client.publishTo('t', 'x', 2, false)).toBe(NOT_SUPPORTED_BY_SERVER);
    expect(client.publishTo('t', 'x'.repeat(2000), 1, false)).toBe(PACKET_TOO_LARGE);
    expect(stage({ queueQos0: false }).client.publishTo('t', 'x', 0, false)).toBe(NOT_CONNECTED);
  });

  it('tells when there is room again, once', () => {
    const { board, client, diary } = congested();
    expect(client.publishTo('t', 'x'.repeat(16), 0, false)).toBe(NO_SPACE);
    client.run();
    diary.length = 0;
    board.drained();
    expect(diary).toEqual([]);
  });

  it('tells room from within which it may publish', () => {
    let sent = 0;
    const made = congested({
      onWritable: () => {
        while (made.client.publishTo('t', 'x'.repeat(16), 0, false) >= 0 && sent < 20) sent++;
      },
    });
    made.board.drained();
    expect(sent).toBe(20);
  });

  it('waits for no more callbacks than there are places', () => {
    const { board, client, take, done } = connected({ callbacksMax: 2 });
    const topic = client.createTopic('t');
    client.publish(topic, 'a', 1, false, done('a'));
    client.publish(topic, 'b', 1, false, done('b'));
    board.sent();
    expect(client.publish(topic, 'c', 1, false, done('c'))).toBe(NO_SPACE);
    expect(client.publish(topic, 'c', 0, false, done('c'))).toBe(NO_SPACE);
    expect(client.publishTo('t', 'c', 1, false, done('c'))).toBe(NO_SPACE);
    expect(client.subscribe('t', 0, done('c'))).toBe(NO_SPACE);
    expect(client.unsubscribe('t', done('c'))).toBe(NO_SPACE);
    expect(board.sent()).toEqual([]);
    expect(client.publish(topic, 'd', 1, false)).toBeGreaterThan(0);
    board.sent();
    expect(take()).toEqual(['writable']); // as far as could be known
    expect(client.publish(topic, 'c', 1, false, done('c'))).toBe(NO_SPACE);
    board.send({ type: 'PUBACK', packetId: 1 });
    expect(take()).toEqual([['a', OK, 0], 'writable']);
    expect(client.publish(topic, 'c', 1, false, done('c'))).toBeGreaterThan(0);
  });

  it('tells what was dropped to make room', () => {
    const { board, client, take, done } = stage({ overflow: 1, outboxBytes: 64 });
    client.publishTo('t', 'x'.repeat(20), 0, false, done('first'));
    client.publishTo('t', 'y'.repeat(20), 0, false);
    client.connect();
    board.accept();
    expect(take()).toContainEqual(['first', DROPPED, 0]);
  });
});
