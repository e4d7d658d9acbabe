/**
 * Messages in: the three QoS, duplicates, aliases, who acknowledges and in which order, what waits for room, and what
 * ends the connection.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject, PublishObject } from '../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { NOT_FOUND, OK } from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf } from '../support/session-driver.ts';

function message(
  payload: string,
  qos = 0,
  packetId?: number,
  more: Partial<PublishObject> = {},
): PublishObject {
  const id = packetId === undefined ? {} : { packetId };
  return { type: 'PUBLISH', topicName: 't', payload: hexOf(payload), qos, ...id, ...more };
}

describe.each([V5, V3_1_1])('version %i', (protocolVersion) => {
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ protocolVersion, ...options }).connected();

  it('delivers QoS 0 and answers nothing [MQTT-4.3.1-1]', () => {
    const driver = connected();
    driver.server(message('hello', 0, undefined, { topicName: 'a/ü', retain: true }));
    expect(driver.events()).toMatchObject([
      {
        event: 'MESSAGE',
        topic: 'a/ü',
        payload: 'hello',
        qos: 0,
        retain: 1,
        dup: 0,
        isLast: true,
        receipt: 0,
      },
    ]);
    expect(driver.sent()).toEqual([]);
  });

  it('delivers QoS 1 and acknowledges it, again if it comes again [MQTT-4.5.0-2], [MQTT-4.3.2-4], [MQTT-4.3.2-5], [MQTT-3.3.4-1]', () => {
    const driver = connected();
    driver.server(message('x', 1, 7));
    expect(driver.sent()).toEqual([{ type: 'PUBACK', packetId: 7 }]);
    driver.server(message('x', 1, 7, { dup: true }));
    expect(driver.sent()).toEqual([{ type: 'PUBACK', packetId: 7 }]);
    expect(driver.events()).toMatchObject([{ dup: 0 }, { dup: 1 }]);
  });

  it(
    'delivers QoS 2 once [MQTT-4.3.3-8], [MQTT-4.3.3-9], [MQTT-4.3.3-10], [MQTT-4.3.3-11], [MQTT-4.3.3-12], ' +
      '[MQTT-3.3.4-1], [MQTT-2.2.1-5]',
    () => {
      const driver = connected();
      driver.server(message('x', 2, 7));
      expect(driver.sent()).toEqual([{ type: 'PUBREC', packetId: 7 }]);
      driver.server(message('x', 2, 7, { dup: true })).server(message('x', 2, 7, { dup: true }));
      expect(driver.sentTypes()).toEqual(['PUBREC 7', 'PUBREC 7']);
      expect(driver.events()).toMatchObject([{ event: 'MESSAGE', payload: 'x', qos: 2 }]);
      driver.ack('PUBREL', 7);
      expect(driver.sent()).toEqual([{ type: 'PUBCOMP', packetId: 7 }]);
      // From here on it is another message.
      driver.server(message('x', 2, 7));
      expect(driver.events()).toMatchObject([{ event: 'MESSAGE', payload: 'x' }]);
    },
  );

  it('answers a PUBREL it knows nothing of [MQTT-4.3.3-11], [MQTT-3.7.2-1]', () => {
    const driver = connected();
    driver.ack('PUBREL', 9);
    const isV5 = protocolVersion === V5;
    expect(driver.sent()).toEqual([{ type: 'PUBCOMP', packetId: 9, ...(isV5 ? { reasonCode: 0x92 } : {}) }]);
  });

  it('acknowledges in the order of arrival [MQTT-4.6.0-2], [MQTT-4.6.0-3]', () => {
    const driver = connected();
    const bytes = [1, 2, 3, 4, 5, 6].flatMap((id) =>
      Array.from(driver.encode(message('x', 1 + (id % 2), id))),
    );
    driver.bytes(Uint8Array.from(bytes));
    expect(driver.sentTypes()).toEqual([
      'PUBREC 1',
      'PUBACK 2',
      'PUBREC 3',
      'PUBACK 4',
      'PUBREC 5',
      'PUBACK 6',
    ]);
    driver.ack('PUBREL', 3).ack('PUBREL', 1).ack('PUBREL', 5);
    expect(driver.sentTypes()).toEqual(['PUBCOMP 3', 'PUBCOMP 1', 'PUBCOMP 5']);
  });

  it('takes its packets in any pieces', () => {
    const packets: PacketObject[] = [
      message('a', 0),
      message('b'.repeat(40), 1, 1),
      message('c', 2, 2),
      { type: 'PUBREL', packetId: 2 },
      { type: 'PINGRESP' },
      message('', 1, 3),
    ];
    const whole = connected();
    const bytes = packets.flatMap((packet) => Array.from(whole.encode(packet)));
    whole.bytes(Uint8Array.from(bytes));
    const events = whole.events();
    const sent = whole.sent();
    expect(events).toHaveLength(4);
    for (const step of [1, 2, 3, 5, 7, 11, 50]) {
      const driver = connected({ receiveBytes: 64 });
      driver.bytes(Uint8Array.from(bytes), step);
      expect(driver.sent()).toEqual(sent);
      expect(driver.events()).toEqual(events);
    }
  });

  it.each([0, 1, 2])('streams a PUBLISH larger than the window, QoS %i', (qos) => {
    const payload = Array.from({ length: 1000 }, (_, i) => String(i % 10)).join('');
    for (const step of [1, 3, 64, 1000]) {
      const driver = connected({ receiveBytes: 64 });
      const big = message(payload, qos, qos === 0 ? undefined : 7, { topicName: 'big' });
      driver.bytes(driver.encode(big), step);
      const events = driver.events();
      expect(events.length).toBeGreaterThan(10);
      expect(events[0]).toMatchObject({ topic: 'big', payloadTotalByteLength: 1000, isLast: false, qos });
      let at = 0;
      for (const event of events) {
        expect(event).toMatchObject({
          event: 'MESSAGE',
          fragmentOffset: at,
          payloadTotalByteLength: 1000,
          qos,
        });
        at += event.payload!.length;
        expect(event.isLast).toBe(at === 1000);
      }
      expect(events.map((event) => event.payload).join('')).toBe(payload);
      expect(driver.sentTypes()).toEqual(qos === 0 ? [] : [qos === 1 ? 'PUBACK 7' : 'PUBREC 7']);
      driver.server(message('next', 0));
      expect(driver.events()).toMatchObject([{ topic: 't', payload: 'next', isLast: true }]);
    }
  });

  it('answers nothing before the whole payload is there', () => {
    const driver = connected({ receiveBytes: 64 });
    const bytes = driver.encode(message('x'.repeat(200), 1, 7));
    driver.bytes(bytes.subarray(0, bytes.length - 1));
    expect(driver.sent()).toEqual([]);
    driver.bytes(bytes.subarray(bytes.length - 1));
    expect(driver.sentTypes()).toEqual(['PUBACK 7']);
  });

  it('tells a QoS 2 message that was cut in the middle again, from its beginning', () => {
    const lasting = protocolVersion === V5 ? { sessionExpirySeconds: 100 } : { cleanStart: false };
    const driver = connected({ receiveBytes: 64, ...lasting });
    const big = message('x'.repeat(200), 2, 7);
    driver.bytes(driver.encode(big).subarray(0, 150));
    expect(driver.events().at(-1)).toMatchObject({ isLast: false });
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    driver.sent();
    driver.server({ ...big, dup: true });
    const events = driver.events();
    expect(events.map(({ payload }) => payload).join('')).toBe('x'.repeat(200));
    expect(events[0]).toMatchObject({ fragmentOffset: 0, dup: 1 });
    expect(driver.sentTypes()).toEqual(['PUBREC 7']);
  });

  it('passes over a duplicate that is larger than the window [MQTT-4.3.3-10]', () => {
    const driver = connected({ receiveBytes: 64 });
    const big = message('x'.repeat(200), 2, 7);
    driver.server(big);
    driver.events();
    driver.sent();
    driver.server({ ...big, dup: true }, message('next'));
    expect(driver.events()).toMatchObject([{ payload: 'next' }]);
    expect(driver.sentTypes()).toEqual(['PUBREC 7']);
  });

  it('leaves packets where they are while there is no room for the answers, and drops none', () => {
    const driver = connected({ receiveBytes: 256, transmitBytes: 64 });
    driver.drain(0);
    const bytes = Uint8Array.from(
      Array.from({ length: 60 }, (_, i) =>
        Array.from(driver.encode(message(String(i), 1 + (i % 2), i + 1))),
      ).flat(),
    );
    let at = 0;
    for (let taken = 1; taken > 0; at += taken) taken = driver.offer(bytes, at);
    const before = driver.events().length;
    expect(before).toBeLessThan(20);
    // Acknowledged is what could be told; the rest of the room stays for PINGREQ and DISCONNECT.
    expect(driver.session.transmit.freeByteLength()).toBeGreaterThanOrEqual(8);
    expect(driver.session.isConnected()).toBe(true);
    const told: string[] = [];
    for (let i = 0; i < 1000; i++) {
      driver.drain(3);
      at += driver.offer(bytes, at);
      told.push(...driver.events().map(({ payload }) => payload!));
      for (const packet of driver.sent()) if (packet.type === 'PUBREC') driver.onPacket = undefined;
      if (protocolVersion === V5 && told.length + before >= 30) break; // Receive Maximum is 16
    }
    const all = Array.from({ length: 60 }, (_, i) => String(i));
    expect(told).toEqual(all.slice(before, before + told.length));
  });

  it('writes acknowledgements behind publishes that fill the ring', () => {
    const driver = connected({ transmitBytes: 64 });
    driver.drain(0);
    for (let i = 0; i < 10; i++) driver.publish('t', 'x'.repeat(20), 0);
    driver.server(message('in', 1, 7));
    driver.drain();
    expect(driver.sentTypes()).toContain('PUBACK 7');
    expect(driver.events().filter(({ event }) => event === 'MESSAGE')).toHaveLength(1);
  });

  it.each([
    ['a reserved packet type', [0x00, 0x00], 0x81],
    ['reserved flags', [0x41, 0x02, 0x00, 0x01], 0x81],
    ['a QoS of 3', [0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01], 0x81],
    ['a topic with a wildcard', [0x30, 0x04, 0x00, 0x01, 0x23, 0x00], 0x90],
    ['a PUBLISH from a server that is a SUBSCRIBE', [0x82, 0x02, 0x00, 0x01], 0x82],
    ['a length that never ends', [0x30, 0xff, 0xff, 0xff, 0xff], 0x81],
    ['U+0000', [0x30, 0x04, 0x00, 0x01, 0x00, 0x00], 0x81],
    ['ill-formed UTF-8', [0x30, 0x04, 0x00, 0x01, 0xc0, 0x00], 0x81],
    ['packet identifier 0', [0x40, 0x02, 0x00, 0x00], 0x82],
  ])(
    'ends the connection for %s, 5.0 with DISCONNECT first [MQTT-4.13.1-1], [MQTT-3.14.1-1], [MQTT-3.3.1-4], ' +
      '[MQTT-3.3.2-1], [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-1.5.5-1], [MQTT-2.1.3-1]',
    (_, bytes, reasonCode) => {
      const driver = connected();
      driver.bytes(Uint8Array.from(bytes));
      expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'VIOLATION', reasonCode }]);
      expect(driver.isUp).toBe(false);
      expect(driver.sent()).toEqual(protocolVersion === V5 ? [{ type: 'DISCONNECT', reasonCode }] : []);
      expect(driver.session.nextTimeoutMs()).toBeLessThan(Infinity);
    },
  );

  it('tells what came before the violation, and nothing of what comes behind it', () => {
    const driver = connected();
    const bytes = [
      ...driver.encode(message('before', 1, 7)),
      0x00,
      0x00,
      ...driver.encode(message('behind')),
    ];
    driver.bytes(Uint8Array.from(bytes));
    expect(driver.events()).toMatchObject([{ payload: 'before' }, { event: 'DISCONNECTED' }]);
    expect(driver.sentTypes()[0]).toBe('PUBACK 7');
  });
});

describe('manual acknowledgement', () => {
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ manualAcknowledgement: true, ...options }).connected();

  it('waits for the application, and keeps the order [MQTT-4.6.0-2], [MQTT-4.6.0-3]', () => {
    const driver = connected();
    for (const id of [1, 2, 3, 4]) driver.server(message('x', 1 + (id % 2), id));
    const receipts = driver.events().map(({ receipt }) => receipt!);
    expect(new Set(receipts).size).toBe(4);
    expect(driver.sent()).toEqual([]);
    expect(driver.acknowledge(receipts[1])).toBe(OK);
    expect(driver.acknowledge(receipts[3])).toBe(OK);
    expect(driver.sent()).toEqual([]);
    driver.acknowledge(receipts[0]);
    expect(driver.sentTypes()).toEqual(['PUBREC 1', 'PUBACK 2']);
    driver.acknowledge(receipts[2]);
    expect(driver.sentTypes()).toEqual(['PUBREC 3', 'PUBACK 4']);
    expect(driver.acknowledge(receipts[0])).toBe(NOT_FOUND);
    expect(driver.acknowledge(12345)).toBe(NOT_FOUND);
    driver.ack('PUBREL', 1).ack('PUBREL', 3);
    expect(driver.sentTypes()).toEqual(['PUBCOMP 1', 'PUBCOMP 3']);
  });

  it('may come from within the event, or from within another one', () => {
    const driver = connected();
    let last = 0;
    driver.onEvent = (event) => {
      if (last !== 0) driver.session.acknowledge(last);
      last = event.receipt;
    };
    driver.server(message('a', 1, 1), message('b', 2, 2), message('c', 1, 3));
    expect(driver.sentTypes()).toEqual(['PUBACK 1', 'PUBREC 2']);
  });

  it('has no receipt for QoS 0', () => {
    const driver = connected();
    driver.server(message('x'));
    expect(driver.events()).toMatchObject([{ receipt: 0 }]);
    expect(driver.acknowledge(0)).toBe(NOT_FOUND);
  });

  it('of a QoS 1 message is over with its connection', () => {
    const driver = connected({ sessionExpirySeconds: 100 });
    driver.server(message('x', 1, 1));
    const [{ receipt }] = driver.events();
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    expect(driver.acknowledge(receipt!)).toBe(NOT_FOUND);
    driver.server(message('x', 1, 1, { dup: true }));
    const [again] = driver.events();
    expect(again.receipt).not.toBe(receipt);
    driver.acknowledge(again.receipt!);
    expect(driver.sentTypes()).toEqual(['PUBACK 1']);
  });

  it('of a QoS 2 message outlives it, for the message does not come again', () => {
    const driver = connected({ sessionExpirySeconds: 100 });
    driver.server(message('x', 2, 1));
    const [{ receipt }] = driver.events();
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    driver.server(message('x', 2, 1, { dup: true }));
    expect(driver.events()).toEqual([]);
    expect(driver.sent()).toEqual([]);
    expect(driver.acknowledge(receipt!)).toBe(OK);
    expect(driver.sentTypes()).toEqual(['PUBREC 1']);
    driver.ack('PUBREL', 1);
    expect(driver.sentTypes()).toEqual(['PUBCOMP 1']);
  });

  it('of a streamed message comes with every fragment', () => {
    const driver = connected({ receiveBytes: 64 });
    driver.server(message('x'.repeat(200), 1, 1));
    const events = driver.events();
    expect(new Set(events.map(({ receipt }) => receipt)).size).toBe(1);
    expect(driver.sent()).toEqual([]);
    driver.acknowledge(events[0].receipt!);
    expect(driver.sentTypes()).toEqual(['PUBACK 1']);
  });
});

describe('our Receive Maximum', () => {
  it('exceeded is answered with DISCONNECT 0x93 [MQTT-3.3.4-9], [MQTT-4.13.1-1]', () => {
    for (const options of [{ manualAcknowledgement: true }, {}]) {
      const driver = new SessionDriver({ receiveMaximum: 3, ...options }).connected();
      for (const id of [1, 2, 3]) driver.server(message('x', 2, id));
      expect(driver.session.isConnected()).toBe(true);
      driver.sent();
      driver.server(message('y', 2, 4));
      expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x93 }]);
      expect(driver.events().at(-1)).toMatchObject({
        cause: 'VIOLATION',
        violation: 'RECEIVE_MAXIMUM_BROKEN',
      });
    }
  });

  it('does not count QoS 0, what is completed, or the same message again', () => {
    const driver = new SessionDriver({ receiveMaximum: 2 }).connected();
    driver.server(message('x', 2, 1), message('x', 2, 2), message('x', 2, 2, { dup: true }));
    driver.server(message('z', 0), message('z', 0));
    driver.ack('PUBREL', 2);
    driver.server(message('x', 2, 3));
    expect(driver.session.isConnected()).toBe(true);
  });

  it('begins anew with each connection: what is left over does not count', () => {
    const driver = new SessionDriver({ receiveMaximum: 2, sessionExpirySeconds: 9 }).connected();
    driver.server(message('a', 2, 1), message('b', 2, 2));
    driver.sent();
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    // Of the first two, the server has had PUBREC; it may send two more before it comes back to them.
    driver.server(message('c', 2, 3), message('d', 2, 4));
    expect(driver.session.isConnected()).toBe(true);
    driver.ack('PUBREL', 1).ack('PUBREL', 2).ack('PUBREL', 3);
    driver.sent();
    driver.server(message('e', 2, 5));
    expect(driver.session.isConnected()).toBe(true);
    driver.server(message('f', 2, 6));
    expect(driver.sentTypes()).toEqual(['PUBREC 5', 'DISCONNECT']);

    // What comes again on this connection counts on this connection.
    driver.skip();
    driver.accept({ sessionPresent: true });
    for (const id of [4, 5]) driver.server(message('again', 2, id, { dup: true }));
    driver.server(message('f', 2, 6));
    expect(driver.sentTypes().at(-1)).toBe('DISCONNECT');
  });

  it('is no limit to a 3.1.1 server, which is not told: PUBREL gets through behind any number of messages', () => {
    const driver = new SessionDriver({ protocolVersion: V3_1_1, receiveMaximum: 2 }).connected();
    for (let id = 1; id <= 100; id++) driver.server(message('x', 2, id));
    expect(driver.events()).toHaveLength(100);
    expect(driver.sent()).toHaveLength(100);
    for (let id = 1; id <= 100; id++) driver.ack('PUBREL', id);
    expect(driver.sent()).toHaveLength(100);
  });

  it('holds a 3.1.1 server up while the application has that many to acknowledge', () => {
    const driver = new SessionDriver({
      protocolVersion: V3_1_1,
      receiveMaximum: 2,
      manualAcknowledgement: true,
    }).connected();
    for (const id of [1, 2, 3, 4]) driver.server(message(String(id), 1 + (id % 2), id));
    const receipts = driver.events().map(({ receipt }) => receipt!);
    expect(receipts).toHaveLength(2);
    driver.acknowledge(receipts[0]);
    driver.acknowledge(receipts[1]);
    expect(driver.events()).toMatchObject([{ payload: '3' }, { payload: '4' }]);
    expect(driver.sentTypes()).toEqual(['PUBREC 1', 'PUBACK 2']);
  });
});

describe('incoming topic aliases', () => {
  const aliased = (topicName: string, topicAlias: number, payload = 'x'): PublishObject =>
    message(payload, 0, undefined, { topicName, properties: { topicAlias } });
  const connected = (): SessionDriver =>
    new SessionDriver({ topicAliasMaximum: 3, sessionExpirySeconds: 10 }).connected();

  it('stand for the topic they came with, until they come with another [MQTT-3.3.2-12]', () => {
    const driver = connected();
    const long = 'long/'.repeat(20);
    driver.server(aliased('a', 1), aliased(long, 3), aliased('', 1), aliased('', 3));
    driver.server(aliased('b', 1), aliased('', 1), aliased('', 3));
    expect(driver.events().map(({ topic }) => topic)).toEqual(['a', long, 'a', long, 'b', 'b', long]);
  });

  it('above our maximum or 0 end the connection with 0x94 [MQTT-3.3.2-9], [MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-8]', () => {
    const driver = connected();
    driver.server(aliased('a', 4));
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x94 }]);
    const other = connected();
    other.bytes(Uint8Array.of(0x30, 0x07, 0, 1, 0x61, 3, 0x23, 0, 0));
    expect(other.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x94 }]);
    const none = new SessionDriver().connected();
    none.server(aliased('a', 1));
    expect(none.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x94 }]);
  });

  it('that nobody introduced are a Protocol Error [MQTT-3.3.2-7]', () => {
    const driver = connected();
    driver.server(aliased('', 2));
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x82 }]);
    expect(driver.events()).toMatchObject([{ violation: 'UNKNOWN_TOPIC_ALIAS' }]);
  });

  it('are forgotten with the connection [MQTT-3.3.2-7]', () => {
    const driver = connected();
    driver.server(aliased('a', 1));
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    driver.server(aliased('', 1));
    expect(driver.events()).toMatchObject([{ violation: 'UNKNOWN_TOPIC_ALIAS' }]);
  });

  it('are learnt from a message that is a duplicate, too', () => {
    const driver = connected();
    driver.server(message('x', 2, 1));
    driver.server(message('x', 2, 1, { dup: true, topicName: 'learnt', properties: { topicAlias: 1 } }));
    driver.events();
    driver.server(aliased('', 1));
    expect(driver.events()).toMatchObject([{ topic: 'learnt' }]);
  });
});

describe('packets that are too large', () => {
  it('for our Maximum Packet Size are answered with 0x95 from their header [MQTT-3.1.2-24]', () => {
    const driver = new SessionDriver({ maximumPacketSize: 30 }).connected();
    driver.server(message('x'.repeat(24)));
    expect(driver.events()).toHaveLength(1);
    driver.bytes(driver.encode(message('x'.repeat(25))).subarray(0, 2));
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x95 }]);
  });

  it('for the window are answered with 0x95, unless they are PUBLISH', () => {
    const driver = new SessionDriver({ receiveBytes: 64 }).connected();
    const properties = { reasonString: 'x'.repeat(80) };
    driver.bytes(driver.encode({ type: 'PUBACK', packetId: 1, reasonCode: 0, properties }));
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x95 }]);
    const other = new SessionDriver({ receiveBytes: 64 }).connected();
    other.bytes(other.encode(message('x', 0, undefined, { topicName: 'x'.repeat(80) })));
    expect(other.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x95 }]);
  });
});

describe('properties of a message', () => {
  it('are the event’s', () => {
    const driver = new SessionDriver().connected();
    const properties = {
      payloadFormatIndicator: 1,
      messageExpiryInterval: 5,
      contentType: 'text',
      responseTopic: 'r',
      correlationData: 'ff',
      subscriptionIdentifiers: [1, 268435455],
      userProperties: [['a', 'b']] as [string, string][],
    };
    driver.server(message('x', 1, 1, { properties }));
    expect((driver.events()[0].packet as PublishObject).properties).toEqual(properties);
  });
});
