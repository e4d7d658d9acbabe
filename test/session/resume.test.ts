/**
 * What a lost connection means, in every state of a delivery, with a server that kept the session and one that lost it.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { Random, SEED } from '../seed.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf, textOf } from '../support/session-driver.ts';
import { ModelServer } from './model-server.ts';

/** A session that outlives its connection. */
function lasting(protocolVersion: number, options: DriverOptions = {}): SessionDriver {
  const expiry = protocolVersion === V5 ? { sessionExpirySeconds: 1000 } : { cleanStart: false };
  return new SessionDriver({ protocolVersion, ...expiry, ...options });
}

/** The connection is lost; another one begins, and CONNACK comes. Returns what was sent behind CONNECT. */
function reconnect(driver: SessionDriver, sessionPresent: boolean, receiveMaximum?: number): PacketObject[] {
  driver.cut();
  driver.sent();
  driver.skip();
  expect(driver.sent()).toMatchObject([{ type: 'CONNECT', cleanStart: false }]);
  const properties = receiveMaximum === undefined ? {} : { properties: { receiveMaximum } };
  driver.server({ type: 'CONNACK', sessionPresent, ...properties });
  return driver.sent();
}

describe.each([V5, V3_1_1])('version %i', (protocolVersion) => {
  const connected = (options?: DriverOptions): SessionDriver => lasting(protocolVersion, options).connected();
  const published = (driver: SessionDriver): unknown[] =>
    driver.events().filter(({ event }) => event === 'PUBLISHED');

  it('asks for its session again [MQTT-3.1.2-23], [MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6]', () => {
    const driver = lasting(protocolVersion);
    const [first] = driver.open().sent();
    expect(first).toMatchObject({ cleanStart: protocolVersion === V5 });
    driver.server({ type: 'CONNACK' });
    reconnect(driver, true);
  });

  it.each([1, 2])(
    'QoS %i, PUBLISH sent, session there: the same again with DUP [MQTT-3.3.1-1], [MQTT-3.3.1-3], [MQTT-4.4.0-1]',
    (qos) => {
      const driver = connected();
      const ticket = driver.publish('a', 'x', qos, 1);
      const [first] = driver.sent();
      const again = reconnect(driver, true);
      expect(again).toEqual([{ ...first, dup: true }]);
      expect(published(driver)).toEqual([]);
      driver.ack(qos === 1 ? 'PUBACK' : 'PUBREC', 1);
      if (qos === 2) driver.ack('PUBCOMP', 1);
      expect(published(driver)).toEqual([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0 }]);
      expect(driver.session.isBusy()).toBe(false);
    },
  );

  it.each([1, 2])(
    'QoS %i, PUBLISH sent, session lost: as a new message without DUP [MQTT-3.3.1-3], [MQTT-3.2.2-5], [MQTT-4.1.0-1]',
    (qos) => {
      const driver = connected();
      driver.publish('other', 'x', 1);
      driver.ack('PUBACK', 1);
      const ticket = driver.publish('a', 'x', qos);
      const [, first] = driver.sent();
      const again = reconnect(driver, false);
      expect(again).toEqual([{ ...first, dup: false, packetId: 3 }]);
      driver.events();
      driver.ack(qos === 1 ? 'PUBACK' : 'PUBREC', 3);
      if (qos === 2) driver.ack('PUBCOMP', 3);
      expect(published(driver)).toMatchObject([{ ticket, status: 'OK' }]);
      expect(driver.session.isBusy()).toBe(false);
    },
  );

  it('QoS 2, PUBREC received, session there: PUBREL again, never PUBLISH [MQTT-4.3.3-7], [MQTT-4.4.0-1]', () => {
    const driver = connected();
    const ticket = driver.publish('a', 'x', 2);
    driver.ack('PUBREC', 1);
    expect(reconnect(driver, true)).toEqual([{ type: 'PUBREL', packetId: 1 }]);
    expect(reconnect(driver, true)).toEqual([{ type: 'PUBREL', packetId: 1 }]);
    driver.ack('PUBCOMP', 1, protocolVersion === V5 ? 0x92 : 0);
    expect(published(driver)).toMatchObject([{ ticket }]);
    expect(driver.session.isBusy()).toBe(false);
  });

  it('QoS 2, PUBREC received, session lost: the server had it, so it is done', () => {
    const driver = connected();
    const ticket = driver.publish('a', 'x', 2);
    driver.ack('PUBREC', 1);
    expect(reconnect(driver, false)).toEqual([]);
    expect(published(driver)).toEqual([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0 }]);
    expect(driver.session.isBusy()).toBe(false);
  });

  it('goes through all of it in the order of sending [MQTT-4.6.0-1], [MQTT-4.6.0-4]', () => {
    const driver = connected();
    for (let i = 1; i <= 6; i++) driver.publish('t', String(i), 1 + (i % 2));
    driver.sent();
    driver.ack('PUBREC', 1).ack('PUBACK', 4).ack('PUBREC', 5);
    driver.publish('t', '7', 1);
    driver.cut();
    driver.publish('t', '8', 1);
    driver.publish('t', '9', 0);
    const types = reconnect(driver, true).map((packet) => [
      packet.type,
      (packet as { packetId?: number }).packetId,
      (packet as { dup?: boolean }).dup,
    ]);
    expect(types).toEqual([
      ['PUBREL', 1, undefined],
      ['PUBLISH', 2, true],
      ['PUBLISH', 3, true],
      ['PUBREL', 5, undefined],
      ['PUBLISH', 6, true],
      ['PUBLISH', 7, true],
      ['PUBLISH', 8, false],
      ['PUBLISH', undefined, false],
    ]);
  });

  it('begins anew in the order of publishing when the session is lost', () => {
    const driver = connected();
    for (let i = 1; i <= 6; i++) driver.publish('t', String(i), 1 + (i % 2));
    driver.ack('PUBREC', 1).ack('PUBACK', 4).ack('PUBREC', 5);
    driver.cut();
    driver.publish('t', '7', 2);
    driver.publish('t', '8', 0);
    const again = reconnect(driver, false);
    expect(again.map((packet) => packet.type)).toEqual(Array(5).fill('PUBLISH'));
    expect(again.map((packet) => textOf((packet as { payload?: string }).payload))).toEqual([
      '2',
      '3',
      '6',
      '7',
      '8',
    ]);
    expect(again.every((packet) => (packet as { dup?: boolean }).dup === false)).toBe(true);
  });

  it('makes subscriptions again when the session is lost, and only then', () => {
    const driver = connected();
    driver.subscribe(['a', 1], ['b', 2]);
    driver.subscribe(['c']);
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [1, 2] });
    driver.server({ type: 'SUBACK', packetId: 2, reasonCodes: [0] });
    expect(reconnect(driver, true)).toEqual([]);
    expect(reconnect(driver, false)).toMatchObject([
      {
        type: 'SUBSCRIBE',
        subscriptions: [
          { topicFilter: 'a', qos: 1 },
          { topicFilter: 'b', qos: 2 },
        ],
      },
      { type: 'SUBSCRIBE', subscriptions: [{ topicFilter: 'c', qos: 0 }] },
    ]);
  });

  it('makes them again, too, when a CONNACK that may have said so never came', () => {
    const driver = connected();
    driver.subscribe(['a', 1]);
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [1] });
    driver.cut().skip().cut();
    driver.sent();
    expect(reconnect(driver, true)).toMatchObject([
      { type: 'SUBSCRIBE', subscriptions: [{ topicFilter: 'a', qos: 1 }] },
    ]);
    driver.server({ type: 'SUBACK', packetId: 2, reasonCodes: [1] });
    expect(reconnect(driver, true)).toEqual([]);
  });

  it('may be cut again in the middle of it, any number of times', () => {
    const driver = connected({ transmitBytes: 128 });
    for (let i = 1; i <= 6; i++) driver.publish('t', `message number ${i}`, 1 + (i % 2));
    driver.ack('PUBREC', 1);
    for (const byteLength of [0, 3, 30, 60, 90]) {
      driver.cut().skip();
      driver.sent();
      driver.writable = byteLength;
      driver.server({ type: 'CONNACK', sessionPresent: true });
      driver.writable = Infinity;
    }
    const types = reconnect(driver, true).map(
      (packet) => `${packet.type} ${(packet as { packetId?: number }).packetId}`,
    );
    expect(types).toEqual(['PUBREL 1', 'PUBLISH 2', 'PUBLISH 3', 'PUBLISH 4', 'PUBLISH 5', 'PUBLISH 6']);
  });

  it('forgets nothing of what it received at QoS 2 [MQTT-4.3.3-10], [MQTT-4.1.0-1]', () => {
    const driver = connected();
    const message: PacketObject = {
      type: 'PUBLISH',
      topicName: 'a',
      qos: 2,
      packetId: 5,
      payload: hexOf('x'),
    };
    driver.server(message);
    driver.events();
    expect(driver.sentTypes()).toEqual(['PUBREC 5']);
    reconnect(driver, true);
    driver.events();
    driver.server({ ...message, dup: true });
    expect(driver.events()).toEqual([]);
    expect(driver.sentTypes()).toEqual(['PUBREC 5']);
    driver.ack('PUBREL', 5);
    expect(driver.sentTypes()).toEqual(['PUBCOMP 5']);
    driver.server(message);
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE', payload: 'x' }]);
  });

  it('takes the same identifier for another message when the session is lost [MQTT-3.2.2-5]', () => {
    const driver = connected();
    driver.server({ type: 'PUBLISH', topicName: 'a', qos: 2, packetId: 5, payload: hexOf('old') });
    reconnect(driver, false);
    driver.events();
    driver.server({ type: 'PUBLISH', topicName: 'a', qos: 2, packetId: 5, payload: hexOf('new') });
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE', payload: 'new' }]);
  });

  it('acknowledges what the application was looking at when the connection went', () => {
    const driver = connected();
    driver.onEvent = ({ kind }) => {
      if (kind !== 4) return;
      driver.onEvent = undefined;
      driver.session.handleClosed(driver.nowMs);
    };
    const message: PacketObject = {
      type: 'PUBLISH',
      topicName: 'a',
      qos: 2,
      packetId: 5,
      payload: hexOf('x'),
    };
    driver.server(message);
    expect(driver.events()).toMatchObject([
      { event: 'MESSAGE' },
      { event: 'DISCONNECTED', cause: 'TRANSPORT' },
    ]);
    const again = reconnect(driver, true);
    driver.server({ ...message, dup: true });
    expect(driver.events()).toMatchObject([{ event: 'CONNECTED' }]);
    expect([...again, ...driver.sent()]).toContainEqual({ type: 'PUBREC', packetId: 5 });
    driver.sent();
    driver.ack('PUBREL', 5);
    expect(driver.sentTypes()).toEqual(['PUBCOMP 5']);
  });
});

describe('a Receive Maximum smaller than before', () => {
  it('paces what is sent again [MQTT-4.9.0-2]', () => {
    const driver = lasting(V5).connected();
    for (let i = 1; i <= 5; i++) driver.publish('t', String(i), i === 1 ? 2 : 1);
    driver.ack('PUBREC', 1);
    const types = (packets: PacketObject[]): string[] =>
      packets.map((packet) => `${packet.type} ${(packet as { packetId?: number }).packetId}`);
    expect(types(reconnect(driver, true, 2))).toEqual(['PUBREL 1', 'PUBLISH 2']);
    driver.ack('PUBCOMP', 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 3']);
    driver.ack('PUBACK', 3);
    driver.ack('PUBACK', 2);
    expect(driver.sent()).toMatchObject([
      { packetId: 4, dup: true },
      { packetId: 5, dup: true },
    ]);
    driver.publish('t', '6', 1);
    expect(driver.sent()).toEqual([]);
    driver.ack('PUBACK', 4);
    expect(driver.sent()).toMatchObject([{ packetId: 6, dup: false }]);
  });
});

describe('a server that takes less than before', () => {
  it('is not sent what it does not support any more', () => {
    const driver = lasting(V5).connected();
    const tickets = [
      driver.publish('t', 'x', 2),
      driver.publish('t', 'x', 1),
      driver.publish('t', 'x', 1, 1),
    ];
    driver.cut().skip();
    driver.sent();
    driver.events();
    driver.server({
      type: 'CONNACK',
      sessionPresent: true,
      properties: { maximumQos: 1, retainAvailable: 0 },
    });
    expect(driver.sentTypes()).toEqual(['PUBLISH 2']);
    expect(driver.events().slice(1)).toMatchObject([
      { ticket: tickets[0], status: 'NOT_SUPPORTED_BY_SERVER' },
      { ticket: tickets[2], status: 'NOT_SUPPORTED_BY_SERVER' },
    ]);
  });
});

describe('a session without expiry', () => {
  it('begins anew each time, and so do its messages', () => {
    const driver = new SessionDriver().connected();
    const ticket = driver.publish('t', 'x', 1);
    driver.sent();
    driver.cut().skip();
    expect(driver.accept()).toMatchObject({ cleanStart: true });
    expect(driver.sent()).toMatchObject([{ type: 'PUBLISH', dup: false }]);
    driver.ack('PUBACK', 2);
    expect(driver.events()).toMatchObject([{ ticket, status: 'OK' }]);
  });
});

describe('2,000 messages through a connection that is cut again and again', () => {
  it.each([
    [V5, 2],
    [V5, 1],
    [V3_1_1, 2],
    [V3_1_1, 1],
  ])(
    'version %i, QoS %i: each arrives, at QoS 2 once, in order (seed from MOTEMQ_SEED)',
    (protocolVersion, qos) => {
      const random = new Random(SEED + qos + protocolVersion);
      const server = new ModelServer(protocolVersion, { receiveMaximum: () => 1 + random.below(10) });
      const driver = lasting(protocolVersion, {
        transmitBytes: 256,
        outboxBytes: 1024,
        reconnect: { firstMs: 1 },
      });
      const done = new Set<number>();
      const accepted: number[] = [];
      let toServer: PacketObject[] = [];
      let toClient: Uint8Array[] = [];
      driver.onOpened = () => {
        driver.sent();
        server.cut();
        toServer = [];
        toClient = [];
      };
      driver.open();
      while (accepted.length < 2000 || driver.session.isBusy()) {
        const what = random.below(100);
        if (what < 40 && accepted.length < 2000) {
          const ticket = driver.publish('t', String(accepted.length), qos);
          if (ticket > 0) accepted.push(ticket);
        } else if (what < 70 && toServer.length > 0) {
          const answers = server.handle(toServer.shift()!);
          toClient.push(...answers.map((answer) => driver.encode(answer)));
        } else if (what < 98 && toClient.length > 0) {
          const bytes = toClient.shift()!;
          const count = random.below(4) === 0 ? random.below(bytes.length) : bytes.length;
          driver.bytes(bytes.subarray(0, count));
          if (count < bytes.length) toClient.unshift(bytes.subarray(count));
        } else if (what >= 98 && driver.isUp) {
          driver.cut();
        }
        driver.advance(driver.isUp ? 0 : 1 + random.below(100));
        toServer.push(...driver.sent());
        for (const event of driver.events()) if (event.event === 'PUBLISHED') done.add(event.ticket!);
      }
      expect(done).toEqual(new Set(accepted));
      const once = server.taken.filter((payload, i) => server.taken.indexOf(payload) === i);
      expect(once).toEqual(accepted.map((_, i) => String(i)));
      if (qos === 2) expect(server.taken).toEqual(once);
      expect(server.resumed).toBeGreaterThan(20);
    },
  );
});
