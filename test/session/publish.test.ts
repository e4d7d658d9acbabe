/**
 * Messages out: the three QoS, flow control, packet identifiers, what is full and what expires.
 */
import { describe, expect, it } from 'vitest';
import type { PublishObject } from '../../src/packets/inspect.ts';
import {
  P_CONTENT_TYPE,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_RECEIVE_MAXIMUM,
  P_RESPONSE_TOPIC,
  P_SUBSCRIPTION_IDENTIFIER,
  P_TOPIC_ALIAS,
} from '../../src/packets/property-table.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { OVERFLOW_DROP_OLDEST_QOS_0 } from '../../src/session/options.ts';
import { CLOSED, NOT_CONNECTED, NO_SPACE, PACKET_TOO_LARGE } from '../../src/status.ts';
import { Random, SEED } from '../seed.ts';
import { SessionDriver, bytesOf, hexOf, propertiesOf, textOf } from '../support/session-driver.ts';

const VERSIONS = [V5, V3_1_1];

/** The payloads of the PUBLISH packets sent since last asked, as text. */
function sentPayloads(driver: SessionDriver): string[] {
  return driver
    .sent()
    .filter((packet) => packet.type === 'PUBLISH')
    .map((packet) => textOf(packet.payload));
}

describe.each(VERSIONS)('version %i', (protocolVersion) => {
  const connected = (): SessionDriver => new SessionDriver({ protocolVersion }).connected();

  it('sends QoS 0 at once, with DUP 0, no identifier, and says no more of it [MQTT-2.2.1-2], [MQTT-3.3.1-2], [MQTT-4.3.1-1]', () => {
    const driver = connected();
    expect(driver.publish('a/ü', 'x', 0, 1)).toBe(0);
    expect(driver.sent()).toEqual([
      { type: 'PUBLISH', dup: false, qos: 0, retain: true, topicName: 'a/ü', payload: hexOf('x') },
    ]);
    expect(driver.events()).toEqual([]);
    expect(driver.session.isBusy()).toBe(false);
  });

  it('sends QoS 1 until PUBACK [MQTT-4.3.2-1], [MQTT-4.3.2-2], [MQTT-4.3.2-3], [MQTT-2.2.1-3], [MQTT-3.3.1-1]', () => {
    const driver = connected();
    const ticket = driver.publish('a', 'x', 1);
    expect(ticket).toBeGreaterThan(0);
    expect(driver.sent()).toEqual([
      {
        type: 'PUBLISH',
        dup: false,
        qos: 1,
        retain: false,
        topicName: 'a',
        packetId: 1,
        payload: hexOf('x'),
      },
    ]);
    expect(driver.session.isBusy()).toBe(true);
    driver.advance(30_000);
    expect(driver.sent()).toEqual([]); // not again on the same connection [MQTT-4.4.0-1]
    driver.ack('PUBACK', 1);
    expect(driver.events()).toEqual([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0 }]);
    expect(driver.session.isBusy()).toBe(false);
  });

  it(
    'sends QoS 2 by PUBREC, PUBREL, PUBCOMP [MQTT-4.3.3-1], [MQTT-4.3.3-2], [MQTT-4.3.3-3], [MQTT-4.3.3-4], ' +
      '[MQTT-4.3.3-5], [MQTT-4.3.3-6], [MQTT-4.3.3-7], [MQTT-3.6.1-1], [MQTT-2.2.1-5]',
    () => {
      const driver = connected();
      const ticket = driver.publish('a', 'x', 2);
      expect(driver.sent()).toMatchObject([{ type: 'PUBLISH', dup: false, qos: 2, packetId: 1 }]);
      driver.ack('PUBREC', 1);
      expect(driver.sent()).toEqual([{ type: 'PUBREL', packetId: 1 }]);
      expect(driver.events()).toEqual([]);
      // A PUBREC repeated is answered like the first; the PUBLISH does not go out again.
      driver.ack('PUBREC', 1);
      expect(driver.sent()).toEqual([{ type: 'PUBREL', packetId: 1 }]);
      driver.ack('PUBCOMP', 1);
      expect(driver.events()).toEqual([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0 }]);
      expect(driver.session.isBusy()).toBe(false);
    },
  );

  it('answers a PUBREC it knows nothing of, and lets stray PUBACK and PUBCOMP pass', () => {
    const driver = connected();
    driver.ack('PUBREC', 77).ack('PUBACK', 78).ack('PUBCOMP', 79);
    const isV5 = protocolVersion === V5;
    expect(driver.sent()).toEqual([{ type: 'PUBREL', packetId: 77, ...(isV5 ? { reasonCode: 0x92 } : {}) }]);
    expect(driver.events()).toEqual([]);
    expect(driver.session.isConnected()).toBe(true);
  });

  it.each([
    [1, [], 'PUBREC'],
    [1, [], 'PUBCOMP'],
    [2, [], 'PUBACK'],
    [2, [], 'PUBCOMP'],
    [2, ['PUBREC'], 'PUBACK'],
  ] as const)('takes it for a Protocol Error when QoS %i after %o gets %s', (qos, before, type) => {
    const driver = connected();
    driver.publish('a', 'x', qos);
    for (const one of before) driver.ack(one, 1);
    driver.sent();
    driver.ack(type, 1);
    expect(driver.events()).toMatchObject([
      { event: 'DISCONNECTED', cause: 'VIOLATION', violation: 'QOS_NOT_GRANTED' },
    ]);
    const isV5 = protocolVersion === V5;
    expect(driver.sent()).toEqual(isV5 ? [{ type: 'DISCONNECT', reasonCode: 0x82 }] : []);
    expect(driver.session.isBusy()).toBe(true);
  });

  it('never has more identifiers under way than there are slots', () => {
    const driver = new SessionDriver({ protocolVersion, inflightMax: 2 }).connected();
    for (const payload of ['a', 'b', 'c']) driver.publish('t', payload, 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBLISH 2']);
    driver.ack('PUBACK', 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 3']);
  });

  it('begins with identifiers that are free when it has used all 65,535 [MQTT-2.2.1-3]', () => {
    const driver = new SessionDriver({ protocolVersion, inflightMax: 9 }).connected();
    driver.publish('stays', 'x', 2); // 1
    driver.publish('goes', 'x', 1); // 2
    driver.subscribe(['stays']); // 3
    driver.sent();
    driver.ack('PUBREC', 1).ack('PUBACK', 2);
    driver.session.state.lastPacketId = 65533;
    driver.session.state.freePacketIds = 0;
    for (let i = 0; i < 5; i++) driver.publish('t', String(i), 1);
    expect(driver.sentTypes()).toEqual([
      'PUBREL 1',
      'PUBLISH 65534',
      'PUBLISH 65535',
      'PUBLISH 2',
      'PUBLISH 4',
      'PUBLISH 5',
    ]);
  });

  it('goes round all 65,535 identifiers and uses each once [MQTT-2.2.1-3]', () => {
    const driver = new SessionDriver({ protocolVersion }).connected();
    driver.publish('stays', 'x', 2);
    driver.sent();
    driver.onPacket = (packet) => {
      if (packet.type === 'PUBLISH')
        driver.bytes(driver.encode({ type: 'PUBACK', packetId: packet.packetId! }));
    };
    const seen = new Set<number>();
    for (let i = 0; i < 65534; i++) {
      driver.publish('t', '', 1);
      seen.add((driver.sent()[0] as PublishObject).packetId!);
      driver.run();
    }
    expect(seen.size).toBe(65534);
    expect(seen.has(1)).toBe(false);
  });
});

describe('reason codes', () => {
  it.each([0x10, 0x80, 0x83, 0x87, 0x90, 0x97, 0x99])(
    'of PUBACK (%i) are told, and it is done',
    (reasonCode) => {
      const driver = new SessionDriver().connected();
      const ticket = driver.publish('a', 'x', 1);
      driver.ack('PUBACK', 1, reasonCode);
      expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode }]);
      expect(driver.session.isBusy()).toBe(false);
    },
  );

  it.each([1, 2])('that refuse at QoS %i are final: nothing is sent again [MQTT-4.4.0-2]', (qos) => {
    const driver = new SessionDriver({ sessionExpirySeconds: 100 }).connected();
    driver.publish('a', 'x', qos);
    driver.sent();
    driver.ack(qos === 1 ? 'PUBACK' : 'PUBREC', 1, 0x87);
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    expect(driver.sent()).toEqual([]);
  });

  it('of PUBREC that refuse end it: no PUBREL, and the identifier is free [MQTT-4.3.3-4]', () => {
    const driver = new SessionDriver({ inflightMax: 1 }).connected();
    const ticket = driver.publish('a', 'x', 2);
    driver.sent();
    driver.ack('PUBREC', 1, 0x97);
    expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0x97 }]);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.isBusy()).toBe(false);
    driver.publish('a', 'y', 2);
    expect(driver.sentTypes()).toEqual(['PUBLISH 2']);
  });

  it('of PUBREC that say nobody listened go on', () => {
    const driver = new SessionDriver().connected();
    driver.publish('a', 'x', 2);
    driver.sent();
    driver.ack('PUBREC', 1, 0x10);
    expect(driver.sentTypes()).toEqual(['PUBREL 1']);
  });

  it('of PUBCOMP are no failure: the server had the message at PUBREC (3.7.2.1)', () => {
    const driver = new SessionDriver().connected();
    driver.publish('a', 'x', 2);
    driver.ack('PUBREC', 1).ack('PUBCOMP', 1, 0x92);
    expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', reasonCode: 0 }]);
  });
});

describe('the server’s Receive Maximum', () => {
  it.each([1, 2])(
    '%i is never exceeded, whatever is acknowledged in whatever order [MQTT-3.3.4-7], [MQTT-4.9.0-1], [MQTT-4.9.0-2]',
    (receiveMaximum) => {
      const random = new Random(SEED + receiveMaximum);
      for (let round = 0; round < 200; round++) {
        const driver = new SessionDriver().connected({ properties: { receiveMaximum } });
        const count = 3 + random.below(4);
        const tickets = [];
        for (let i = 0; i < count; i++) tickets.push(driver.publish('t', String(i), 1 + random.below(2)));
        const waiting = new Map<number, string>();
        const payloads: string[] = [];
        for (;;) {
          for (const packet of driver.sent()) {
            if (packet.type === 'PUBLISH') {
              payloads.push(textOf(packet.payload));
              waiting.set(packet.packetId!, packet.qos === 1 ? 'PUBACK' : 'PUBREC');
            } else waiting.set((packet as { packetId: number }).packetId, 'PUBCOMP');
          }
          expect(waiting.size).toBeLessThanOrEqual(receiveMaximum);
          if (waiting.size === 0) break;
          const packetId = random.pick(Array.from(waiting.keys()));
          const type = waiting.get(packetId) as 'PUBACK' | 'PUBREC' | 'PUBCOMP';
          const isRefused = type !== 'PUBCOMP' && random.below(5) === 0;
          if (type !== 'PUBREC' || isRefused) waiting.delete(packetId);
          driver.ack(type, packetId, isRefused ? 0x97 : 0);
        }
        expect(payloads).toEqual(tickets.map((_, i) => String(i))); // in order [MQTT-4.6.0-1]
        expect(
          driver
            .events()
            .map(({ ticket }) => ticket)
            .sort(),
        ).toEqual(tickets.sort());
      }
    },
  );

  it('at zero holds back nothing but PUBLISH of QoS 1 and 2 [MQTT-4.9.0-3]', () => {
    const driver = new SessionDriver({ keepAliveSeconds: 10 }).connected({
      properties: { receiveMaximum: 1 },
    });
    driver.publish('a', '1', 1);
    driver.publish('a', '2', 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 1']);
    driver.publish('a', '0', 0);
    driver.subscribe(['a']);
    driver.server({ type: 'PUBLISH', topicName: 'in', qos: 1, packetId: 9 });
    driver.advance(10_000);
    expect(driver.sentTypes()).toEqual(['PUBLISH', 'SUBSCRIBE 2', 'PUBACK 9', 'PINGREQ']);
  });

  it('is 65,535 when the server does not say', () => {
    const driver = new SessionDriver({ inflightMax: 300, outboxBytes: 20_000 }).connected();
    for (let i = 0; i < 300; i++) driver.publish('t', '', 1);
    expect(driver.sent()).toHaveLength(300);
  });
});

describe('a transmit ring that is full', () => {
  it('has QoS 0 wait in the outbox, in order, and tells when it goes', () => {
    const driver = new SessionDriver({ transmitBytes: 64, startMs: 0 }).connected();
    driver.drain(0);
    const results = [0, 1, 2, 3].map((i) => driver.publish('topic', `payload ${i} `, 0));
    expect(results[0]).toBe(0);
    expect(results.slice(2).every((ticket) => ticket > 0)).toBe(true);
    expect(driver.session.isBusy()).toBe(true);
    driver.drain();
    expect(sentPayloads(driver)).toEqual([0, 1, 2, 3].map((i) => `payload ${i} `));
    expect(driver.events().map(({ ticket, status }) => [ticket, status])).toEqual(
      results.filter((ticket) => ticket > 0).map((ticket) => [ticket, 'OK']),
    );
    // And now that the outbox is empty it goes straight out again.
    expect(driver.publish('topic', 'direct')).toBe(0);
  });

  it('has later QoS 0 wait behind earlier QoS 0, even if it would fit', () => {
    const driver = new SessionDriver({ transmitBytes: 64 }).connected();
    driver.drain(0);
    driver.publish('t', 'x'.repeat(30), 0);
    driver.publish('t', 'y'.repeat(30), 0);
    driver.publish('t', 'z', 0);
    driver.drain();
    expect(sentPayloads(driver).map((payload) => payload[0])).toEqual(['x', 'y', 'z']);
  });

  it('takes a byte at a time', () => {
    const driver = new SessionDriver({ transmitBytes: 64 }).connected();
    driver.drain(0);
    for (let i = 0; i < 5; i++) driver.publish('t', `message number ${i}`, i % 3);
    while (driver.session.transmit.byteLength() > 0) driver.drain(1);
    expect(sentPayloads(driver).sort()).toEqual([0, 1, 2, 3, 4].map((i) => `message number ${i}`));
  });
});

describe('the outbox', () => {
  it('that is full refuses', () => {
    const driver = new SessionDriver({ outboxBytes: 100 });
    expect(driver.publish('t', 'x'.repeat(25), 1)).toBe(1);
    expect(driver.publish('t', 'x'.repeat(25), 0)).toBe(2);
    expect(driver.publish('t', 'x', 1)).toBe(NO_SPACE);
    expect(driver.publish('t', 'x', 0)).toBe(NO_SPACE);
    expect(driver.publish('t', 'x'.repeat(76), 1)).toBe(PACKET_TOO_LARGE);
    driver.connected();
    expect(sentPayloads(driver)).toHaveLength(2);
    driver.ack('PUBACK', 1);
    expect(driver.publish('t', 'x', 1)).toBe(3);
  });

  it('that is full drops the oldest waiting QoS 0, as many as it takes, and tells each', () => {
    const driver = new SessionDriver({ outboxBytes: 200, overflow: OVERFLOW_DROP_OLDEST_QOS_0 });
    const kept = driver.publish('t', 'q1', 1);
    const dropped = [0, 1, 2, 3, 4].map((i) =>
      driver.session.publishTo(bytesOf('t'), bytesOf(`${i}`), 1, 0, 0, null, 0),
    );
    const large = driver.session.publishTo(bytesOf('t'), new Uint8Array(125).fill(65), 125, 2, 0, null, 0);
    expect(large).toBeGreaterThan(0);
    expect(driver.session.publishTo(bytesOf('t'), new Uint8Array(60), 60, 1, 0, null, 0)).toBe(NO_SPACE);
    driver.run();
    expect(driver.events()).toEqual(
      dropped.map((ticket) => ({ event: 'PUBLISHED', ticket, status: 'DROPPED', reasonCode: 0 })),
    );
    driver.connected();
    expect(sentPayloads(driver)).toEqual(['q1', 'A'.repeat(125)]);
    expect([kept, large]).toHaveLength(2);
  });

  it('does not take QoS 0 while there is no connection, if it is told not to', () => {
    const driver = new SessionDriver({ queueQos0: false });
    expect(driver.publish('t', 'x', 0)).toBe(NOT_CONNECTED);
    expect(driver.publish('t', 'x', 1)).toBe(1);
    driver.open();
    expect(driver.publish('t', 'x', 0)).toBe(NOT_CONNECTED);
  });

  it('takes nothing once the session is closed', () => {
    const driver = new SessionDriver();
    driver.session.close(driver.nowMs);
    expect(driver.publish('t', 'x', 1)).toBe(CLOSED);
    expect(driver.subscribe(['t'])).toBe(CLOSED);
    expect(driver.session.connect(driver.nowMs)).toBe(CLOSED);
  });
});

describe('Message Expiry', () => {
  const expiring = (seconds: number): ReturnType<typeof propertiesOf> =>
    propertiesOf((writer) => {
      writer.addPair('before', 'x');
      writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, seconds);
      writer.addText(P_CONTENT_TYPE, 'text');
    });
  const intervals = (driver: SessionDriver): (number | undefined)[] =>
    driver.sent().flatMap((packet) => {
      return packet.type === 'PUBLISH' ? [packet.properties?.messageExpiryInterval] : [];
    });

  it.each([0, 1, 999, 1_700_000_000_123])('counts down while a message waits (clock at %i)', (startMs) => {
    const driver = new SessionDriver({ startMs });
    for (const qos of [0, 1, 2]) driver.publish('t', 'x', qos, 0, expiring(10));
    driver.advance(4000);
    driver.connected();
    expect(intervals(driver)).toEqual([6, 6, 6]);
    driver.publish('t', 'x', 1, 0, expiring(10));
    expect(intervals(driver)).toEqual([10]);
  });

  it.each([0, 1, 500, 999])(
    'drops what expired before it could be sent, and not a moment early (%i)',
    (startMs) => {
      for (const qos of [0, 1, 2]) {
        const driver = new SessionDriver({ startMs });
        const ticket = driver.publish('t', 'x', qos, 0, expiring(2));
        driver.advance(1999);
        driver.open();
        driver.sent();
        driver.advance(2001);
        driver.server({ type: 'CONNACK' });
        expect(driver.events().slice(1)).toEqual([
          { event: 'PUBLISHED', ticket, status: 'EXPIRED', reasonCode: 0 },
        ]);
        expect(driver.sent()).toEqual([]);
        expect(driver.session.isBusy()).toBe(false);

        const other = new SessionDriver({ startMs });
        other.publish('t', 'x', qos, 0, expiring(2));
        other.advance(1999);
        other.connected();
        expect(intervals(other)).toEqual([1]);
      }
    },
  );

  it('of a message in flight does not end what was begun [MQTT-4.3.3-7]', () => {
    const driver = new SessionDriver({ sessionExpirySeconds: 1000 }).connected();
    driver.publish('t', 'x', 1, 0, expiring(2));
    driver.cut().advance(5000);
    driver.sent();
    driver.server({ type: 'CONNACK', sessionPresent: true });
    expect(driver.sent()).toMatchObject([{ dup: true, properties: { messageExpiryInterval: 1 } }]);
  });
});

describe('what the caller gets wrong is thrown', () => {
  const driver = new SessionDriver().connected();
  const publishWith = (fill: Parameters<typeof propertiesOf>[0]) => (): number =>
    driver.publish('t', 'x', 0, 0, propertiesOf(fill));

  it('topics: empty, with wildcards, with U+0000, too long [MQTT-3.3.2-2], [MQTT-4.7.3-1], [MQTT-4.7.0-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3]', () => {
    for (const topic of ['', 'a/#', '+', 'a+b', '\0']) {
      expect(() => driver.session.createTopic(topic)).toThrow();
    }
    expect(driver.session.createTopic(' /$x//y').bytes).toEqual(bytesOf(' /$x//y'));
    expect(() => driver.session.createTopic('x'.repeat(65536))).toThrow();
  });

  it('QoS 3 and RETAIN 2 [MQTT-3.3.1-4]', () => {
    expect(() => driver.publish('t', 'x', 3)).toThrow(/qos/);
    expect(() => driver.publish('t', 'x', -1)).toThrow(/qos/);
    expect(() => driver.publish('t', 'x', 0, 2)).toThrow(/retain/);
  });

  it('properties that no client’s PUBLISH has [MQTT-3.3.4-6], [MQTT-3.3.2-14], [MQTT-2.2.2-1]', () => {
    expect(publishWith((writer) => writer.addNumber(P_RECEIVE_MAXIMUM, 1))).toThrow(/PUBLISH/);
    expect(publishWith((writer) => writer.addNumber(P_SUBSCRIPTION_IDENTIFIER, 1))).toThrow(/MQTT-3.3.4-6/);
    expect(publishWith((writer) => writer.addNumber(P_TOPIC_ALIAS, 1))).toThrow(/alias/);
    expect(publishWith((writer) => writer.addText(P_RESPONSE_TOPIC, 'a/+'))).toThrow(/MQTT-3.3.2-14/);
    expect(publishWith((writer) => writer.addText(P_RESPONSE_TOPIC, ''))).toThrow(/MQTT-3.3.2-14/);
    expect(
      publishWith((writer) => {
        writer.addText(P_CONTENT_TYPE, 'a');
        writer.addText(P_CONTENT_TYPE, 'b');
      }),
    ).toThrow(/twice/);
    expect(driver.sent()).toEqual([]);
  });

  it('any property under 3.1.1', () => {
    const old = new SessionDriver({ protocolVersion: V3_1_1 }).connected();
    const properties = propertiesOf((writer) => writer.addPair('a', 'b'));
    expect(() => old.publish('t', 'x', 0, 0, properties)).toThrow(/5\.0/);
    expect(old.sent()).toEqual([]);
  });

  it('and nothing else: every property a client may set is sent as it was given', () => {
    driver.publish(
      't',
      'x',
      1,
      0,
      propertiesOf((writer) => {
        writer.addNumber(P_PAYLOAD_FORMAT_INDICATOR, 1);
        writer.addText(P_RESPONSE_TOPIC, 'answer');
        writer.addPair('a', '1');
        writer.addPair('a', '2');
      }),
    );
    expect((driver.sent()[0] as PublishObject).properties).toEqual({
      payloadFormatIndicator: 1,
      responseTopic: 'answer',
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
    });
  });
});
