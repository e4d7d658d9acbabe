/**
 * QoS 0 in pieces, straight through the transmit ring: every split, what may come between (nothing) and what has to wait
 * for it, and the ways it can end before its last byte. What is put together in the outbox is streaming-outbox.test.ts's.
 */
import { describe, expect, it } from 'vitest';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { toHex } from '../../src/packets/inspect.ts';
import { P_CONTENT_TYPE, P_TOPIC_ALIAS } from '../../src/packets/property-table.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import {
  CLOSED,
  NOT_CONNECTED,
  NOT_FOUND,
  NOT_SUPPORTED_BY_SERVER,
  NO_SPACE,
  OK,
  PACKET_TOO_LARGE,
} from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf, propertiesOf } from '../support/session-driver.ts';
import { begin, give, giveAll, payloadOf } from './pieces.ts';

const VERSIONS = [V5, V3_1_1];
const SECONDS = 1000;

/** The PUBLISH packets that were sent, by topic and payload; anything else by its type. */
function wireOf(packets: PacketObject[]): string[] {
  return packets.map((packet) =>
    packet.type === 'PUBLISH' ? `${packet.topicName} ${packet.payload ?? ''}` : packet.type,
  );
}

function whole(bytes: Uint8Array): string {
  return `to/server ${toHex(bytes)}`;
}

describe.each(VERSIONS)('version %i', (protocolVersion) => {
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ protocolVersion, transmitBytes: 64, outboxBytes: 400, ...options }).connected();

  /** A connected session with the first 500 bytes of a QoS 0 message of 1,000 given, some of them not written. */
  const halfWay = (options: DriverOptions = {}): SessionDriver => {
    const driver = connected(options);
    expect(begin(driver, 1000)).toBe(0);
    const payload = payloadOf(1000);
    for (let at = 0; at < 480;) at += give(driver, payload, at, 480);
    driver.drain(0);
    expect(give(driver, payload, 480, 500)).toBe(20);
    driver.events();
    expect(driver.sent()).toEqual([]);
    return driver;
  };

  /** Gives the rest of it. */
  const finish = (driver: SessionDriver): void => {
    driver.drain();
    giveAll(driver, payloadOf(1000));
  };

  it('is one PUBLISH, wherever it is split', () => {
    const payload = payloadOf(40);
    for (let first = 0; first <= 40; first++) {
      const driver = connected();
      expect(begin(driver, 40)).toBe(0);
      expect(driver.session.isBusy()).toBe(true);
      driver.run();
      expect(give(driver, payload, 0, first)).toBe(first);
      expect(driver.session.unsentPayloadByteLength()).toBe(40 - first);
      if (first < 40) expect(driver.sent()).toEqual([]);
      // More than the payload has is not taken.
      expect(give(driver, payloadOf(100), first)).toBe(first === 40 ? NOT_FOUND : 40 - first);
      expect(driver.sent()).toEqual([
        {
          type: 'PUBLISH',
          dup: false,
          qos: 0,
          retain: false,
          topicName: 'to/server',
          payload: toHex(payload),
        },
      ]);
      expect(driver.session.unsentPayloadByteLength()).toBe(0);
      expect(driver.session.isBusy()).toBe(false);
      expect(driver.events()).toEqual([]);
    }
  });

  it('goes through a ring of 64 bytes, whatever is in it and however little is written at a time', () => {
    const payload = payloadOf(300);
    for (let before = 0; before <= 30; before++) {
      for (const step of [1, 2, 3, 7, 31, 48, 49, 64]) {
        const driver = connected();
        driver.drain(0);
        expect(driver.publish('b', 'x'.repeat(before))).toBe(0);
        driver.drain(before >> 1); // the content does not begin at the front
        const ticket = begin(driver, 300);
        if (ticket > 0) {
          // There was no room for its head, hence the outbox took it.
          expect(before).toBeGreaterThan(20);
          continue;
        }
        for (let at = 0; at < 300;) {
          const taken = give(driver, payload, at, Math.min(300, at + 50));
          at += taken;
          expect(driver.session.transmit.freeByteLength()).toBeGreaterThanOrEqual(16);
          if (taken === 0) driver.drain(step);
        }
        driver.drain();
        expect(wireOf(driver.sent())).toEqual([`b ${hexOf('x'.repeat(before))}`, whole(payload)]);
      }
    }
  });

  it('may be larger than all memory there is', () => {
    const driver = connected().drain(0);
    expect(begin(driver, 3_000_000)).toBe(0);
    let byteLength = 0;
    // Not decoded as a whole: counted as it leaves, fixed header, Topic Name and properties included.
    const head = 1 + 4 + 2 + 9 + (protocolVersion === V5 ? 1 : 0);
    const piece = payloadOf(1000);
    const { session } = driver;
    while (session.unsentPayloadByteLength() > 0) {
      session.continuePublish(piece, 0, piece.length, driver.nowMs);
      byteLength += session.transmit.byteLength();
      session.transmit.clear();
    }
    expect(byteLength).toBe(head + 3_000_000);
  });

  it('of no bytes at all is a PUBLISH like any other', () => {
    const driver = connected();
    expect(begin(driver, 0)).toBe(0);
    expect(give(driver, payloadOf(1))).toBe(NOT_FOUND);
    expect(driver.publish('t', '')).toBe(0); // nothing is in its way
    expect(wireOf(driver.sent())).toEqual(['to/server ', 't ']);
  });

  it('lets nothing in between: all that waits comes behind it, in its order', () => {
    const driver = halfWay();
    expect(driver.publish('q', 'zero', 0)).toBeGreaterThan(0);
    expect(driver.publish('q', 'one', 1)).toBeGreaterThan(0);
    expect(driver.publish('q', 'more', 0)).toBeGreaterThan(0);
    expect(driver.subscribe(['f'])).toBeGreaterThan(0);
    expect(driver.unsubscribe('g')).toBeGreaterThan(0);
    expect(driver.session.isBusy()).toBe(true);
    driver.drain();
    expect(driver.sent()).toEqual([]);
    finish(driver);
    expect(wireOf(driver.sent())).toEqual([
      whole(payloadOf(1000)),
      'SUBSCRIBE',
      'UNSUBSCRIBE',
      `q ${hexOf('zero')}`,
      `q ${hexOf('one')}`,
      `q ${hexOf('more')}`,
    ]);
  });

  it('lets in what asks for no answer', () => {
    const driver = connected({ keepAliveSeconds: 20, receiveBytes: 64 });
    const ticket = driver.publish('q', 'x', 1);
    const completed = driver.publish('q', 'x', 2);
    driver.subscribe(['f']);
    driver.ack('PUBREC', 2);
    driver.advance(20 * SECONDS);
    driver.sent();
    begin(driver, 10);
    driver.server({ type: 'PUBLISH', topicName: 'in', payload: hexOf('small') });
    driver.server({ type: 'PUBLISH', topicName: 'in', payload: hexOf('-'.repeat(200)) });
    driver.server({ type: 'PINGRESP' });
    driver.ack('PUBACK', 1).ack('PUBCOMP', 2);
    driver.server({ type: 'SUBACK', packetId: 3, reasonCodes: [0] });
    const events = driver.events();
    expect(events.filter(({ event, isLast }) => event === 'MESSAGE' && isLast)).toHaveLength(2);
    expect(events.filter(({ event }) => event !== 'MESSAGE')).toMatchObject([
      { event: 'PUBLISHED', ticket },
      { event: 'PUBLISHED', ticket: completed },
      { event: 'SUBSCRIBED' },
    ]);
    driver.advance(15 * SECONDS); // PINGRESP was seen: no time-out
    expect(driver.session.isConnected()).toBe(true);
  });

  it('holds back what asks for an answer, and takes it once that can be written', () => {
    const held: [PacketObject, string][] = [
      [{ type: 'PUBLISH', topicName: 'in', qos: 1, packetId: 7, payload: '' }, 'PUBACK 7'],
      [{ type: 'PUBLISH', topicName: 'in', qos: 2, packetId: 8, payload: '' }, 'PUBREC 8'],
      [{ type: 'PUBREC', packetId: 9 }, 'PUBREL 9'],
      [{ type: 'PUBREL', packetId: 9 }, 'PUBCOMP 9'],
    ];
    for (const [packet, answer] of held) {
      const driver = halfWay();
      driver.server(packet, { type: 'PUBLISH', topicName: 'in', payload: hexOf('behind') });
      expect(driver.events()).toEqual([]);
      finish(driver);
      expect(driver.sentTypes()).toEqual(['PUBLISH', answer]);
      expect(driver.events().at(-1)).toMatchObject({ event: 'MESSAGE', payload: 'behind' });
    }
  });

  it.each([1, 2])(
    'may be begun while a message of QoS %i is looked at: its answer comes behind [MQTT-4.6.0-2], [MQTT-4.6.0-3]',
    (qos) => {
      const driver = connected();
      driver.onEvent = (event) => {
        if (event.payloadByteLength === 4) {
          expect(begin(driver, 5)).toBe(0);
        }
      };
      const message = { type: 'PUBLISH', topicName: 'in', qos } as const;
      driver.server({ ...message, packetId: 7, payload: hexOf('call') });
      driver.server({ ...message, packetId: 8, payload: hexOf('next') });
      expect(driver.events()).toHaveLength(1);
      driver.onEvent = undefined;
      expect(driver.sent()).toEqual([]);
      give(driver, payloadOf(5));
      const answer = qos === 1 ? 'PUBACK' : 'PUBREC';
      expect(driver.sentTypes()).toEqual(['PUBLISH', `${answer} 7`, `${answer} 8`]);
      expect(driver.events()).toMatchObject([{ payload: 'next' }]);
      begin(driver, 5);
      give(driver, payloadOf(5));
      expect(driver.sentTypes()).toEqual(['PUBLISH']);
    },
  );

  it.each([1, 2])('may be open when a message of QoS %i that comes in fragments ends', (qos) => {
    const driver = connected({ receiveBytes: 64 });
    const bytes = driver.encode({
      type: 'PUBLISH',
      topicName: 'in',
      qos,
      packetId: 7,
      payload: hexOf('-'.repeat(200)),
    });
    driver.bytes(bytes.subarray(0, 100));
    begin(driver, 5);
    driver.bytes(bytes.subarray(100));
    expect(driver.events().at(-1)).toMatchObject({ event: 'MESSAGE', isLast: true });
    driver.server({ type: 'PUBLISH', topicName: 'in', qos, packetId: 8 });
    expect(driver.events()).toEqual([]);
    give(driver, payloadOf(5));
    const answer = qos === 1 ? 'PUBACK' : 'PUBREC';
    expect(driver.sentTypes()).toEqual(['PUBLISH', `${answer} 7`, `${answer} 8`]);
  });

  it('has an acknowledgement by hand wait for it', () => {
    const driver = connected({ manualAcknowledgement: true });
    driver.server({ type: 'PUBLISH', topicName: 'in', qos: 1, packetId: 7 });
    driver.server({ type: 'PUBLISH', topicName: 'in', qos: 2, packetId: 8 });
    const receipts = driver.events().map(({ receipt }) => receipt!);
    begin(driver, 5);
    for (const receipt of receipts) expect(driver.acknowledge(receipt)).toBe(OK);
    expect(driver.sent()).toEqual([]);
    give(driver, payloadOf(5));
    expect(driver.sentTypes()).toEqual(['PUBLISH', 'PUBACK 7', 'PUBREC 8']);
  });

  it('keeps the connection alive by its bytes, and PINGREQ out of it [MQTT-3.1.2-20]', () => {
    const driver = connected({ keepAliveSeconds: 20 });
    begin(driver, 10);
    for (let i = 0; i < 10; i++) {
      // Twice the keep-alive without a word from the server would ask it, if that were possible.
      driver.advance(20 * SECONDS - 1);
      expect(give(driver, payloadOf(10), i, i + 1)).toBe(1);
    }
    expect(wireOf(driver.sent())).toEqual([whole(payloadOf(10))]);
    driver.skip();
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
    expect(driver.events()).toEqual([]);
  });

  it('ends the connection when the application gives nothing for the keep-alive time', () => {
    const driver = connected({ keepAliveSeconds: 20, will: { topicName: 'w' } });
    begin(driver, 10);
    driver.advance(5 * SECONDS);
    give(driver, payloadOf(10), 0, 3);
    driver.advance(20 * SECONDS - 1);
    expect(driver.session.isConnected()).toBe(true);
    driver.advance(1);
    const [event] = driver.events();
    expect(event).toMatchObject({ event: 'DISCONNECTED', cause: 'UNFINISHED', reasonCode: 0 });
    expect(event.reconnectInMs).toBeGreaterThanOrEqual(0);
    expect(give(driver, payloadOf(10), 3)).toBe(NOT_CONNECTED);
    expect(driver.sent()).toEqual([]);
    driver.skip();
    expect(driver.sentTypes()).toEqual(['CONNECT']);
  });

  it('ends the connection when the transport takes nothing for the keep-alive time', () => {
    const driver = connected({ keepAliveSeconds: 20 });
    begin(driver, 1000);
    driver.drain(0);
    while (give(driver, payloadOf(1000)) > 0);
    driver.advance(20 * SECONDS);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'UNFINISHED' }]);
  });

  it('waits as long as it takes without keep-alive', () => {
    const driver = connected({ keepAliveSeconds: 0 });
    begin(driver, 10);
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
    driver.advance(10_000 * SECONDS);
    give(driver, payloadOf(10));
    expect(wireOf(driver.sent())).toEqual([whole(payloadOf(10))]);
  });

  it('leaves a PINGREQ that went out before it its time-out [MQTT-3.1.2-22]', () => {
    const driver = connected({ keepAliveSeconds: 20 });
    driver.advance(20 * SECONDS);
    begin(driver, 10);
    driver.advance(10 * SECONDS);
    expect(driver.events()).toMatchObject([{ cause: 'PING_TIMEOUT' }]);
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
  });

  it('is followed by no DISCONNECT when it is not finished', () => {
    const goodbye = halfWay();
    const { transmit } = goodbye.session;
    const byteLength = transmit.byteLength();
    expect(byteLength).toBe(20);
    expect(goodbye.session.disconnect(0, -1, goodbye.nowMs)).toBe(OK);
    expect(transmit.byteLength()).toBe(byteLength);
    goodbye.run();
    expect(goodbye.events()).toMatchObject([{ cause: 'CLIENT', reconnectInMs: -1 }]);
    const wronged = halfWay();
    wronged.onEvent = () => expect(wronged.session.transmit.byteLength()).toBe(byteLength);
    wronged.bytes(Uint8Array.of(0x36, 0));
    expect(wronged.events()).toMatchObject([{ cause: 'VIOLATION' }]);
    const closed = halfWay();
    closed.session.close(closed.nowMs);
    closed.run();
    expect(closed.events()).toMatchObject([{ cause: 'CLIENT' }]);
    expect(closed.session.unsentPayloadByteLength()).toBe(0);
    expect(give(closed, payloadOf(1))).toBe(CLOSED);
    expect(begin(closed, 1)).toBe(CLOSED);
    for (const driver of [goodbye, closed, wronged]) {
      expect(driver.sent()).toEqual([]);
      expect(driver.closings).toBe(1);
      expect(driver.session.isBusy()).toBe(false);
    }
  });

  it('is followed by DISCONNECT when it is, however full the ring', () => {
    const driver = connected();
    begin(driver, 40);
    driver.drain(0);
    driver.publish('t', 'takes what is left of the ring');
    let given = 0;
    while (driver.session.unsentPayloadByteLength() > 0) {
      const taken = give(driver, payloadOf(40), given);
      if (taken === 0) driver.drain(1);
      given += taken;
    }
    expect(driver.session.transmit.byteLength()).toBeGreaterThan(40);
    driver.writable = Infinity;
    driver.disconnect();
    expect(wireOf(driver.sent())).toEqual([whole(payloadOf(40)), 'DISCONNECT']);
  });

  it('is lost with its connection: no event names it, the next bytes are refused', () => {
    const driver = halfWay();
    driver.cut();
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'TRANSPORT' }]);
    expect(driver.session.unsentPayloadByteLength()).toBe(0);
    expect(driver.session.isBusy()).toBe(false);
    expect(give(driver, payloadOf(9))).toBe(NOT_CONNECTED);
    driver.drain().skip();
    driver.accept();
    expect(give(driver, payloadOf(9))).toBe(NOT_CONNECTED);
    // Nothing of it gets into the new connection.
    driver.publish('t', 'x');
    expect(wireOf(driver.sent())).toEqual([`t ${hexOf('x')}`]);
    expect(begin(driver, 3)).toBe(0);
    expect(give(driver, payloadOf(3))).toBe(3);
    expect(give(driver, payloadOf(3))).toBe(NOT_FOUND);
    expect(wireOf(driver.sent())).toEqual([whole(payloadOf(3))]);
  });

  it('drops the answer that was to follow with the connection: the server sends QoS 1 again', () => {
    const driver = connected();
    driver.onEvent = () => {
      driver.onEvent = undefined;
      begin(driver, 5);
    };
    driver.server({ type: 'PUBLISH', topicName: 'in', qos: 1, packetId: 7 });
    driver.cut().skip();
    driver.accept({ sessionPresent: false });
    begin(driver, 1);
    give(driver, payloadOf(1));
    expect(driver.sentTypes()).toEqual(['PUBLISH']);
  });

  it('that is abandoned ends the connection, and the next one begins', () => {
    const driver = halfWay({ will: { topicName: 'w' } });
    expect(driver.session.abandonPublish(driver.nowMs)).toBe(OK);
    driver.drain();
    expect(driver.sent()).toEqual([]);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'UNFINISHED' }]);
    expect(driver.session.abandonPublish(driver.nowMs)).toBe(NOT_FOUND);
    expect(give(driver, payloadOf(1))).toBe(NOT_FOUND);
    driver.skip();
    driver.accept();
    expect(driver.session.isConnected()).toBe(true);
  });

  it('that was lost may be abandoned, too', () => {
    const driver = halfWay().cut();
    expect(driver.session.abandonPublish(driver.nowMs)).toBe(OK);
    expect(give(driver, payloadOf(1))).toBe(NOT_FOUND);
  });

  it('is one at a time', () => {
    const driver = halfWay();
    expect(begin(driver, 5)).toBe(NO_SPACE);
    expect(begin(driver, 5, 1)).toBe(NO_SPACE);
    finish(driver);
    expect(begin(driver, 5)).toBe(0);
  });

  it('takes what publish takes, and refuses what publish refuses', () => {
    const offline = new SessionDriver({ protocolVersion, outboxBytes: 100, transmitBytes: 64 });
    expect(begin(offline, 100)).toBe(NOT_CONNECTED); // too large to wait
    expect(begin(new SessionDriver({ protocolVersion, queueQos0: false }), 5)).toBe(NOT_CONNECTED);
    const driver = connected();
    expect(() => begin(driver, -1)).toThrow('payloadByteLength');
    expect(() => begin(driver, 1.5)).toThrow('payloadByteLength');
    expect(() => begin(driver, 268_435_456)).toThrow('payloadByteLength');
    expect(() => begin(driver, 5, 3)).toThrow('qos');
    expect(begin(driver, 268_435_455)).toBe(PACKET_TOO_LARGE); // with its head
    expect(begin(driver, 5, 0, 't'.repeat(60))).toBe(PACKET_TOO_LARGE); // the head goes in one piece
    expect(driver.session.unsentPayloadByteLength()).toBe(0);
    expect(give(driver, payloadOf(5))).toBe(NOT_FOUND);
    driver.drain(0);
    driver.publish('t', 'x'.repeat(30));
    expect(begin(driver, 1000)).toBe(NO_SPACE); // no room for its head now
    driver.drain();
    expect(begin(driver, 1000)).toBe(0);
  });
});

describe('5.0', () => {
  const connected = (properties: object): SessionDriver =>
    new SessionDriver({ transmitBytes: 64 }).connected({ properties });

  it('the server’s limits hold [MQTT-3.2.2-15], [MQTT-3.2.2-14]', () => {
    const driver = connected({ maximumPacketSize: 100, retainAvailable: 0 });
    const head = 1 + 1 + 2 + 9 + 1;
    expect(begin(driver, 100 - head + 1)).toBe(PACKET_TOO_LARGE);
    expect(begin(driver, 5, 0, 't', 1)).toBe(NOT_SUPPORTED_BY_SERVER);
    expect(begin(driver, 100 - head)).toBe(0);
  });

  it('a handle’s alias is introduced, used, and kept by what comes behind [MQTT-3.3.2-8]', () => {
    const driver = connected({ topicAliasMaximum: 1 });
    const topic = driver.session.createTopic('some/long/topic');
    const properties = propertiesOf((writer) => writer.addText(P_CONTENT_TYPE, 'c'));
    const aliases = [];
    for (const given of [null, properties]) {
      expect(begin(driver, 100, 0, topic, 0, given)).toBe(0);
      giveAll(driver, payloadOf(100));
      aliases.push(...driver.sent());
    }
    expect(aliases).toMatchObject([
      { topicName: 'some/long/topic', properties: { topicAlias: 1 }, payload: toHex(payloadOf(100)) },
      { topicName: '', properties: { topicAlias: 1, contentType: 'c' }, payload: toHex(payloadOf(100)) },
    ]);
    const alias = propertiesOf((writer) => writer.addNumber(P_TOPIC_ALIAS, 1));
    expect(() => begin(driver, 5, 0, topic, 0, alias)).toThrow('topic aliases are given by the session');
  });

  it('AUTH waits, both ways [MQTT-4.12.1-1]', () => {
    const method = { authenticationMethod: 'm' };
    const driver = new SessionDriver({ ...method, transmitBytes: 64 }).connected({ properties: method });
    const { session } = driver;
    expect(session.reauthenticate(null, driver.nowMs)).toBe(OK);
    begin(driver, 5);
    driver.server({ type: 'AUTH', reasonCode: 0x18, properties: method });
    expect(driver.events()).toEqual([]);
    expect(session.authenticate(null, driver.nowMs)).toBe(NO_SPACE);
    give(driver, payloadOf(5));
    expect(driver.events()).toMatchObject([{ event: 'AUTHENTICATE' }]);
    expect(session.authenticate(null, driver.nowMs)).toBe(OK);
    driver.run();
    expect(driver.sentTypes()).toEqual(['AUTH', 'PUBLISH', 'AUTH']);
  });
});
