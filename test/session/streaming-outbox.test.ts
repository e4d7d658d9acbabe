/**
 * Messages that are put together in the outbox piece by piece, and messages too large for the transmit ring, which leave
 * it piece by piece: order, what is lost with a connection and what is not, stores, and room.
 */
import { describe, expect, it } from 'vitest';
import type { PublishObject } from '../../src/packets/inspect.ts';
import { toHex } from '../../src/packets/inspect.ts';
import { P_MESSAGE_EXPIRY_INTERVAL } from '../../src/packets/property-table.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { OVERFLOW_DROP_OLDEST_QOS_0 } from '../../src/session/options.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { STORED_MESSAGE, STORED_PROGRESS } from '../../src/session/store.ts';
import { CLOSED, NOT_FOUND, NO_SPACE, OK, PACKET_TOO_LARGE, STORE_FAILED } from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf, propertiesOf } from '../support/session-driver.ts';
import { begin, give, giveAll, payloadOf } from './pieces.ts';

const VERSIONS = [V5, V3_1_1];
const SECONDS = 1000;
const ACKS = ['', 'PUBACK', 'PUBREC'] as const;

/** A store in memory. */
class MemoryStore implements SessionStore {
  readonly records = new Map<string, Uint8Array>();
  isFailing = false;

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    if (!this.isFailing) this.records.set(`${kind} ${number}`, bytes.slice(at, at + byteLength));
    return !this.isFailing;
  }

  remove(kind: number, number: number): boolean {
    this.records.delete(`${kind} ${number}`);
    return true;
  }

  keys(): string[] {
    return Array.from(this.records.keys());
  }

  restoreInto({ session, nowMs }: SessionDriver): void {
    for (const key of this.keys().sort()) {
      const [kind, number] = key.split(' ').map(Number);
      const bytes = this.records.get(key)!;
      expect(session.restore(kind, number, bytes, 0, bytes.length, nowMs)).toBe(OK);
    }
  }
}

/** The PUBLISH packets sent since last asked. */
function published(driver: SessionDriver): PublishObject[] {
  return driver.sent().filter((packet) => packet.type === 'PUBLISH');
}

/** Their payloads, by length where they are one of `payloadOf`, as text where not. */
function payloads(driver: SessionDriver): (string | number)[] {
  return published(driver).map(({ payload = '' }) => {
    const byteLength = payload.length / 2;
    const isOurs = payload === toHex(payloadOf(byteLength)) && byteLength > 2;
    return isOurs ? byteLength : Buffer.from(payload, 'hex').toString();
  });
}

describe.each(VERSIONS)('version %i', (protocolVersion) => {
  const make = (options: DriverOptions = {}): SessionDriver => {
    const lasting = protocolVersion === V5 ? { sessionExpirySeconds: 1000 } : { cleanStart: false };
    return new SessionDriver({
      protocolVersion,
      ...lasting,
      transmitBytes: 64,
      outboxBytes: 1000,
      ...options,
    });
  };

  describe.each([1, 2])('QoS %i', (qos) => {
    it('is one message, wherever it is split', () => {
      const payload = payloadOf(40);
      for (let first = 0; first <= 40; first++) {
        const driver = make().connected();
        const ticket = begin(driver, 40, qos);
        expect(ticket).toBeGreaterThan(0);
        expect(give(driver, payload, 0, first)).toBe(first);
        expect(driver.session.unsentPayloadByteLength()).toBe(40 - first);
        if (first < 40) expect(driver.sent()).toEqual([]);
        expect(give(driver, payloadOf(100), first)).toBe(first === 40 ? NOT_FOUND : 40 - first);
        expect(driver.sent()).toEqual([
          {
            type: 'PUBLISH',
            dup: false,
            qos,
            retain: false,
            topicName: 'to/server',
            packetId: 1,
            payload: toHex(payload),
          },
        ]);
        expect(driver.session.unsentPayloadByteLength()).toBe(0);
        driver.ack(ACKS[qos] as 'PUBACK', 1);
        if (qos === 2) driver.ack('PUBCOMP', 1);
        expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK' }]);
        expect(driver.session.isBusy()).toBe(false);
      }
    });

    it('may be larger than the ring, however little is written at a time', () => {
      for (const step of [1, 7, 48, 64]) {
        const driver = make().connected().drain(0);
        const tickets = [begin(driver, 700, qos)];
        giveAll(driver, payloadOf(700));
        tickets.push(driver.publish('t', 'behind', 1));
        expect(driver.session.publishTo(payloadOf(0), payloadOf(2000), 2000, qos, 0, null, 0)).toBe(
          PACKET_TOO_LARGE,
        );
        for (let i = 0; i < 800 / step; i++) driver.drain(step);
        const packets = published(driver);
        expect(packets.map(({ payload }) => payload)).toEqual([toHex(payloadOf(700)), hexOf('behind')]);
        driver.ack(ACKS[qos] as 'PUBACK', 1).ack('PUBACK', packets[1].packetId!);
        if (qos === 2) driver.ack('PUBCOMP', 1);
        const told = driver.events().map(({ ticket }) => ticket);
        expect(told.sort()).toEqual(tickets.sort());
      }
    });

    it('larger than the ring goes out whole again, with DUP, wherever the connection was lost [MQTT-3.3.1-1]', () => {
      const byteLength = 150;
      for (let cutAt = 0; cutAt <= byteLength + 20; cutAt++) {
        const driver = make().connected().drain(0);
        const ticket = begin(driver, byteLength, qos);
        giveAll(driver, payloadOf(byteLength));
        driver.publish('t', 'second', 1);
        driver.drain(cutAt);
        const before = published(driver).map(({ packetId }) => packetId);
        const isSecondSent = driver.session.state.inflight.used === 2;
        expect(before.length).toBeLessThanOrEqual(isSecondSent ? 2 : 1);
        driver.cut().drain().skip();
        driver.accept({ sessionPresent: true });
        const again = published(driver);
        expect(again.map(({ dup, payload }) => [dup, payload])).toEqual([
          [true, toHex(payloadOf(byteLength))],
          [isSecondSent, hexOf('second')],
        ]);
        expect(again.map(({ packetId }) => packetId).slice(0, before.length)).toEqual(before);
        expect(again[0].packetId).toBe(1);
        driver.ack(ACKS[qos] as 'PUBACK', 1);
        if (qos === 2) driver.ack('PUBCOMP', 1);
        expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK' }]);
      }
    });

    it('goes on being put together while there is no connection, and on the next one', () => {
      const driver = make();
      expect(begin(driver, 300, qos)).toBe(1);
      give(driver, payloadOf(300), 0, 100);
      driver.connected();
      give(driver, payloadOf(300), 100, 150);
      driver.cut();
      give(driver, payloadOf(300), 150, 200);
      driver.skip();
      driver.accept({ sessionPresent: true });
      expect(driver.sent()).toEqual([]);
      giveAll(driver, payloadOf(300));
      expect(published(driver)).toMatchObject([{ dup: false, payload: toHex(payloadOf(300)) }]);
    });

    it('is in the store from its last byte on, and not before', () => {
      const store = new MemoryStore();
      const driver = make({ store }).connected();
      expect(begin(driver, 300, qos)).toBe(1);
      give(driver, payloadOf(300), 0, 299);
      expect(store.keys()).toEqual([]);
      expect(begin(make({ store }), 300, qos)).toBe(1); // after a power cut there is nothing of it
      driver.drain(0);
      expect(give(driver, payloadOf(300), 299)).toBe(1);
      expect(store.keys()).toEqual([`${STORED_MESSAGE} 1`, `${STORED_PROGRESS} 1`]);

      const next = make({ store });
      store.restoreInto(next);
      next.open();
      next.accept({ sessionPresent: true });
      expect(published(next)).toMatchObject([{ dup: true, packetId: 1, payload: toHex(payloadOf(300)) }]);
      next.ack(ACKS[qos] as 'PUBACK', 1);
      if (qos === 2) next.ack('PUBCOMP', 1);
      expect(store.keys()).toEqual([]);
    });

    it('that the store refuses is dropped with its last byte', () => {
      const store = new MemoryStore();
      const driver = make({ store }).connected();
      begin(driver, 30, qos);
      driver.publish('t', 'behind', 1);
      expect(give(driver, payloadOf(30), 0, 29)).toBe(29);
      store.isFailing = true;
      expect(give(driver, payloadOf(30), 29)).toBe(STORE_FAILED);
      store.isFailing = false;
      expect(give(driver, payloadOf(30), 29)).toBe(NOT_FOUND);
      driver.run();
      expect(payloads(driver)).toEqual(['behind']);
    });

    it('that is abandoned leaves nothing behind', () => {
      const store = new MemoryStore();
      const driver = make({ store }).connected();
      begin(driver, 300, qos);
      give(driver, payloadOf(300), 0, 299);
      driver.publish('t', 'behind', 1);
      expect(payloads(driver)).toEqual([]);
      expect(driver.session.abandonPublish(driver.nowMs)).toBe(OK);
      driver.run();
      expect(driver.session.unsentPayloadByteLength()).toBe(0);
      expect(driver.session.abandonPublish(driver.nowMs)).toBe(NOT_FOUND);
      expect(payloads(driver)).toEqual(['behind']);
      driver.ack('PUBACK', 1);
      expect(driver.session.isBusy()).toBe(false);
      expect(store.keys()).toEqual([]);
      expect(driver.session.isConnected()).toBe(true);
    });

    it('that the server acknowledges before it can have it is acknowledged when it can', () => {
      const driver = make().connected().drain(0);
      begin(driver, 300, qos);
      giveAll(driver, payloadOf(300));
      driver.ack(ACKS[qos] as 'PUBACK', 1);
      expect(driver.events()).toEqual([]);
      driver.drain();
      expect(payloads(driver)).toEqual([300]);
      if (qos === 2) driver.ack('PUBCOMP', 1);
      expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', status: 'OK' }]);
    });
  });

  it('a lost connection is no matter for who gives no bytes to it', () => {
    const driver = make().connected().drain(20);
    begin(driver, 200, 1);
    giveAll(driver, payloadOf(200));
    driver.cut();
    expect(give(driver, payloadOf(1))).toBe(NOT_FOUND);
  });

  it('one that is not finished ends with the session', () => {
    const driver = make();
    begin(driver, 200, 1);
    give(driver, payloadOf(200), 0, 100);
    driver.session.close(driver.nowMs);
    expect(driver.session.unsentPayloadByteLength()).toBe(0);
    expect(give(driver, payloadOf(200), 100)).toBe(CLOSED);
    expect(driver.session.abandonPublish(driver.nowMs)).toBe(NOT_FOUND);
  });

  it('messages leave in the order in which they were begun [MQTT-4.6.0-1]', () => {
    const driver = make().connected();
    driver.publish('t', 'before', 1);
    begin(driver, 300, 1);
    driver.publish('t', 'behind', 2);
    driver.publish('t', 'past it', 0);
    expect(payloads(driver)).toEqual(['before', 'past it']);
    driver.ack('PUBACK', 1);
    driver.subscribe(['f']);
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 2']);
    giveAll(driver, payloadOf(300));
    expect(payloads(driver)).toEqual([300, 'behind']);
  });

  it('while one leaves piece by piece another may be put together', () => {
    const driver = make().connected().drain(0);
    begin(driver, 200, 1);
    giveAll(driver, payloadOf(200));
    expect(begin(driver, 150, 2)).toBeGreaterThan(0);
    expect(begin(driver, 5, 0)).toBe(NO_SPACE);
    give(driver, payloadOf(150), 0, 100);
    driver.drain(100);
    give(driver, payloadOf(150), 100);
    expect(begin(driver, 100, 0)).toBeGreaterThan(0); // into the outbox: the ring ends in half a packet
    giveAll(driver, payloadOf(100));
    driver.drain();
    expect(payloads(driver)).toEqual([200, 150, 100]);
  });

  it('nothing gets between the pieces: acknowledgements, PINGREQ, subscriptions, DISCONNECT', () => {
    const driver = make({ keepAliveSeconds: 20, manualAcknowledgement: true }).connected();
    driver.server({ type: 'PUBLISH', topicName: 'in', qos: 2, packetId: 9 });
    const [{ receipt }] = driver.events();
    driver.drain(0);
    begin(driver, 300, 1);
    giveAll(driver, payloadOf(300));
    driver.subscribe(['f']);
    driver.acknowledge(receipt!);
    for (let i = 0; i < 30; i++) {
      driver.drain(5);
      driver.advance(15 * SECONDS);
    }
    expect(driver.sent()).toEqual([]);
    driver.drain();
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBREC 9', 'SUBSCRIBE 2']);
    driver.publish('t', 'x'.repeat(300), 1);
    driver.drain(0);
    driver.publish('t', 'x'.repeat(300), 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 3']);
    driver.disconnect();
    driver.drain();
    expect(driver.sent()).toEqual([]);
  });

  it('pieces leave also while the application wants no events', () => {
    const driver = make({ keepAliveSeconds: 20 }).connected().drain(0);
    const zero = driver.publish('t', 'z'.repeat(100), 0);
    driver.publish('t', 'o'.repeat(100), 1);
    driver.isPaused = true;
    driver.drain().advance(45 * SECONDS);
    expect(payloads(driver)).toEqual(['z'.repeat(100)]);
    expect(driver.session.isConnected()).toBe(true);
    driver.server({ type: 'PINGRESP' });
    driver.isPaused = false;
    driver.run();
    expect(driver.events()).toEqual([{ event: 'PUBLISHED', ticket: zero, status: 'OK', reasonCode: 0 }]);
    expect(payloads(driver)).toEqual(['o'.repeat(100)]);
  });

  it('the connection ends when the transport takes no piece for the keep-alive time, and all begins anew', () => {
    const driver = make({ keepAliveSeconds: 20 }).connected();
    driver.drain(20);
    driver.publish('t', 'o'.repeat(100), 1);
    driver.advance(20 * SECONDS);
    expect(driver.events()).toMatchObject([{ cause: 'UNFINISHED' }]);
    driver.drain().skip();
    driver.accept({ sessionPresent: true });
    expect(payloads(driver)).toEqual(['o'.repeat(100)]);
  });

  it('replays keep their order, and the pieces together [MQTT-4.4.0-1]', () => {
    const driver = make().connected();
    driver.publish('t', 'l'.repeat(200), 1);
    driver.publish('t', 'x', 2);
    driver.publish('t', 'm'.repeat(100), 2);
    driver.publish('t', 'y', 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBLISH 2', 'PUBLISH 3', 'PUBLISH 4']);
    driver.ack('PUBREC', 2);
    driver.sent();
    driver.cut().drain().skip();
    driver.accept({ sessionPresent: true });
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBREL 2', 'PUBLISH 3', 'PUBLISH 4']);
  });

  it('a Topic Name that nearly fills the ring is no matter for a message without payload', () => {
    const driver = make().connected();
    const name = 't'.repeat(35);
    driver.publish(name, '', 1);
    expect(driver.publish('t', 'x', 0)).toBe(0);
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBLISH']);
    driver.ack('PUBACK', 1);
    expect(driver.session.isBusy()).toBe(false);
  });

  describe('QoS 0 larger than the ring', () => {
    it('goes through the outbox, in order, and is told when it is in the ring', () => {
      const driver = make().connected();
      const ticket = driver.publish('t', 'z'.repeat(200));
      expect(ticket).toBeGreaterThan(0);
      expect(payloads(driver)).toEqual(['z'.repeat(200)]);
      expect(driver.events()).toEqual([{ event: 'PUBLISHED', ticket, status: 'OK', reasonCode: 0 }]);
      driver.drain(0);
      const tickets = ['a', 'b'].map((letter) => driver.publish('t', letter.repeat(100)));
      driver.drain(150);
      expect(driver.events().map((event) => event.ticket)).toEqual(tickets.slice(0, 1));
      expect(driver.publish('t', 'c')).toBeGreaterThan(0);
      driver.drain();
      expect(payloads(driver)).toEqual(['a'.repeat(100), 'b'.repeat(100), 'c']);
      expect(driver.publish('t', 'direct')).toBe(0);
    });

    it('goes out anew, and only once, when the connection is lost before its last byte was written', () => {
      const byteLength = 150;
      for (let cutAt = 0; cutAt <= byteLength + 20; cutAt++) {
        const driver = make().connected().drain(0);
        driver.publish('t', 'z'.repeat(byteLength));
        driver.drain(cutAt);
        const before = payloads(driver).length;
        const isTold = driver.events().length > 0;
        expect(before).toBeLessThanOrEqual(isTold ? 1 : 0);
        driver.cut().drain().skip();
        driver.accept({ sessionPresent: true });
        // Told once it is in the ring, which is lost with the connection, as for any QoS 0.
        expect(payloads(driver)).toHaveLength(isTold ? 0 : 1);
        expect(driver.session.isBusy()).toBe(false);
      }
    });

    it('that was written whole while nobody listened is told on the next connection, and not sent again', () => {
      const driver = make({ keepAliveSeconds: 20 }).connected().drain(0);
      const ticket = driver.publish('t', 'z'.repeat(60));
      driver.publish('t', 'o', 1);
      driver.isPaused = true;
      driver.drain().advance(25 * SECONDS);
      expect(payloads(driver)).toEqual(['z'.repeat(60)]);
      driver.isPaused = false;
      driver.session.handleClosed(driver.nowMs);
      driver.cut().skip();
      driver.accept({ sessionPresent: false });
      driver.run();
      expect(payloads(driver)).toEqual(['o']);
      expect(driver.session.state.outbox.findTicket(ticket)).toBe(-1);
    });
  });

  it('room: what is put together, and what leaves piece by piece, is moved and grown, but never dropped', () => {
    const driver = make({ outboxBytes: 700, overflow: OVERFLOW_DROP_OLDEST_QOS_0 }).connected();
    driver.publish('t', 'f'.repeat(80), 1); // a hole at the front, later
    driver.drain(0);
    const sending = driver.publish('t', 's'.repeat(200));
    const filling = begin(driver, 200, 0);
    give(driver, payloadOf(200), 0, 77);
    const waiting = driver.publish('t', 'w'.repeat(80));
    driver.ack('PUBACK', 1);
    driver.events();
    // Moved to the front, for room.
    const large = driver.publish('t', 'l'.repeat(100), 1);
    expect(large).toBeGreaterThan(0);
    // The one that waits is dropped, the two others are not.
    expect(driver.publish('t', 'x'.repeat(65), 1)).toBeGreaterThan(0);
    expect(driver.events()).toMatchObject([{ ticket: waiting, status: 'DROPPED' }]);
    expect(driver.publish('t', 'x'.repeat(100), 1)).toBe(NO_SPACE);
    driver.drain(70);
    driver.session.replaceOutbox(new Uint8Array(3000));
    driver.session.replaceTransmit(new Uint8Array(70));
    give(driver, payloadOf(200), 77, 150);
    driver.drain(40);
    expect(driver.publish('t', 'x'.repeat(100), 1)).toBeGreaterThan(0);
    driver.drain();
    expect(payloads(driver)).toEqual(['f'.repeat(80), 's'.repeat(200)]);
    give(driver, payloadOf(200), 150);
    expect(payloads(driver)).toEqual([200, 'l'.repeat(100), 'x'.repeat(65), 'x'.repeat(100)]);
    expect(driver.events().map(({ ticket }) => ticket)).toEqual([sending, filling]);
  });

  it('what has no room is refused, and what never will have', () => {
    const driver = make({ outboxBytes: 100 }).connected();
    expect(begin(driver, 100, 1)).toBe(PACKET_TOO_LARGE);
    driver.publish('t', 'x', 1);
    expect(begin(driver, 60, 1)).toBe(NO_SPACE);
    expect(begin(driver, 5, 1, 't'.repeat(60))).toBe(PACKET_TOO_LARGE);
    expect(give(driver, payloadOf(5))).toBe(NOT_FOUND);
  });
});

describe('5.0', () => {
  it('the server’s maximum holds for what leaves piece by piece [MQTT-3.2.2-15]', () => {
    const driver = new SessionDriver({ transmitBytes: 64 });
    const ticket = driver.publish('t', 'x'.repeat(200), 1);
    const begun = begin(driver, 200, 1);
    driver.connected({ properties: { maximumPacketSize: 100 } });
    driver.events();
    giveAll(driver, payloadOf(200));
    expect(driver.sent()).toEqual([]);
    expect(begin(driver, 200, 1)).toBe(PACKET_TOO_LARGE);
    expect(driver.session.state.outbox.count).toBe(0);
    expect([ticket, begun]).toEqual([1, 2]);
  });

  it('what expires while it is put together is not sent', () => {
    const driver = new SessionDriver({ transmitBytes: 64 }).connected();
    const properties = propertiesOf((writer) => writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, 10));
    const ticket = begin(driver, 200, 1, 't', 0, properties);
    driver.advance(11 * SECONDS);
    expect(driver.events()).toEqual([]);
    giveAll(driver, payloadOf(200));
    expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'EXPIRED' }]);
    expect(driver.sent()).toEqual([]);
  });

  it('replays are paced by the server’s Receive Maximum, large ones too [MQTT-4.9.0-2]', () => {
    const driver = new SessionDriver({ transmitBytes: 64, sessionExpirySeconds: 100 }).connected();
    for (const letter of ['a', 'b', 'c']) driver.publish('t', letter.repeat(100), 1);
    expect(payloads(driver)).toHaveLength(3);
    driver.cut().skip();
    driver.accept({ sessionPresent: true, properties: { receiveMaximum: 1 } });
    for (const [i, letter] of ['a', 'b', 'c'].entries()) {
      expect(payloads(driver)).toEqual([letter.repeat(100)]);
      driver.ack('PUBACK', i + 1);
    }
    expect(driver.session.isBusy()).toBe(false);
  });
});
