/**
 * Keep Alive: PINGREQ when nothing else is sent, and how long the answer may take.
 */
import { describe, expect, it } from 'vitest';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { NOT_CONNECTED } from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf } from '../support/session-driver.ts';

const SECONDS = 1000;

describe.each([V5, V3_1_1])('version %i', (protocolVersion) => {
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ protocolVersion, keepAliveSeconds: 20, ...options }).connected();

  it('PINGREQ goes out when nothing was sent for as long as Keep Alive says [MQTT-3.1.2-20]', () => {
    const driver = connected();
    driver.advance(20 * SECONDS - 1);
    expect(driver.sent()).toEqual([]);
    driver.advance(1);
    expect(driver.sent()).toEqual([{ type: 'PINGREQ' }]);
    driver.server({ type: 'PINGRESP' });
    driver.advance(20 * SECONDS - 1);
    expect(driver.sent()).toEqual([]);
    driver.advance(1);
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
  });

  it('counts from CONNECT, not from CONNACK [MQTT-3.1.2-20]', () => {
    const driver = new SessionDriver({ protocolVersion, keepAliveSeconds: 20 }).open();
    driver.advance(5 * SECONDS);
    driver.accept();
    driver.advance(15 * SECONDS);
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
  });

  it.each(['publish', 'subscribe', 'acknowledgement'])('anything sent puts it off: %s', (what) => {
    const driver = connected();
    driver.advance(19 * SECONDS);
    if (what === 'publish') driver.publish('t', 'x');
    if (what === 'subscribe') driver.subscribe(['t']);
    if (what === 'acknowledgement') driver.server({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1 });
    expect(driver.sent()).toHaveLength(1);
    driver.advance(19 * SECONDS);
    expect(driver.sent()).toEqual([]);
    driver.advance(1 * SECONDS);
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
  });

  it('without an answer in 10 seconds the connection is over, and the next one begins [MQTT-3.1.2-22]', () => {
    const driver = connected();
    driver.advance(20 * SECONDS);
    driver.advance(10 * SECONDS - 1);
    expect(driver.events()).toEqual([]);
    driver.advance(1);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'PING_TIMEOUT' }]);
    expect(driver.isUp).toBe(false);
    driver.sent();
    driver.skip();
    expect(driver.sentTypes()).toEqual(['CONNECT']);
  });

  it('the answer has no longer than Keep Alive, or pingTimeoutMs', () => {
    for (const [options, ms] of [
      [{ keepAliveSeconds: 3 }, 3000],
      [{ keepAliveSeconds: 3, pingTimeoutMs: 500 }, 500],
      [{ keepAliveSeconds: 30, pingTimeoutMs: 25_000 }, 25_000],
    ] as const) {
      const driver = connected(options);
      driver.advance(options.keepAliveSeconds * SECONDS + ms - 1);
      expect(driver.events()).toEqual([]);
      driver.advance(1);
      expect(driver.events()).toMatchObject([{ cause: 'PING_TIMEOUT' }]);
    }
  });

  it('0 turns it off', () => {
    const driver = connected({ keepAliveSeconds: 0 });
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
    driver.publish('t', 'x');
    driver.advance(10_000 * SECONDS);
    expect(driver.sentTypes()).toEqual(['PUBLISH']);
    expect(driver.session.isConnected()).toBe(true);
  });

  it('goes on while the answer is out longer than Keep Alive [MQTT-3.1.2-20]', () => {
    const driver = connected({ keepAliveSeconds: 5, pingTimeoutMs: 60_000 });
    driver.advance(16 * SECONDS);
    expect(driver.sentTypes()).toEqual(['PINGREQ', 'PINGREQ', 'PINGREQ']);
    driver.server({ type: 'PINGRESP' });
    driver.advance(63 * SECONDS);
    expect(driver.session.isConnected()).toBe(true);
  });

  it('asks a server that is silent, even if this side sends all the time', () => {
    const driver = connected({ keepAliveSeconds: 5 });
    let pings = 0;
    for (let i = 0; i < 10; i++) {
      driver.advance(1 * SECONDS);
      driver.publish('t', 'x');
      pings += driver.sent().filter(({ type }) => type === 'PINGREQ').length;
    }
    expect(pings).toBe(1);
    for (let i = 0; i < 5; i++) {
      driver.advance(1 * SECONDS);
      if (driver.isUp) driver.publish('t', 'x');
    }
    expect(driver.events().at(-1)).toMatchObject({ cause: 'PING_TIMEOUT' });
  });

  it('bytes that the application has not taken may hold the answer', () => {
    const driver = connected();
    driver.advance(20 * SECONDS);
    driver.isPaused = true;
    driver.server({ type: 'PUBLISH', topicName: 't', payload: hexOf('x') }, { type: 'PINGRESP' });
    driver.advance(100 * SECONDS);
    expect(driver.session.isConnected()).toBe(true);
    // And the server goes on to hear from us.
    expect(driver.sent().filter(({ type }) => type === 'PINGREQ')).toHaveLength(6);
    driver.isPaused = false;
    driver.run();
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE' }]);
    driver.advance(19 * SECONDS);
    expect(driver.session.isConnected()).toBe(true);
  });

  it('the beginning of a packet whose rest does not come does not', () => {
    const driver = connected();
    driver.advance(20 * SECONDS);
    driver.bytes(Uint8Array.of(0x30, 0x20, 0x00));
    driver.advance(10 * SECONDS);
    expect(driver.events()).toMatchObject([{ cause: 'PING_TIMEOUT' }]);
  });

  it('nor does the head of a message that is larger than the window, however often it is looked at', () => {
    const driver = connected({ receiveBytes: 64 });
    driver.advance(20 * SECONDS);
    const big = driver.encode({ type: 'PUBLISH', topicName: 't', payload: hexOf('x'.repeat(400)) });
    driver.bytes(big.subarray(0, big.length - 400));
    for (let second = 0; second < 10; second++) {
      driver.run();
      driver.advance(1 * SECONDS);
    }
    expect(driver.events()).toMatchObject([{ cause: 'PING_TIMEOUT' }]);
  });

  it('a large message that is still coming puts the end off', () => {
    for (const receiveBytes of [64, 512]) {
      const driver = connected({ receiveBytes });
      driver.advance(20 * SECONDS);
      const big = driver.encode({ type: 'PUBLISH', topicName: 't', payload: hexOf('x'.repeat(400)) });
      for (let at = 0; at < 400; at += 10) {
        driver.bytes(big.subarray(at, at + 10));
        driver.advance(3 * SECONDS);
        expect(driver.session.isConnected()).toBe(true);
      }
      driver.advance(7 * SECONDS);
      expect(driver.events().at(-1)).toMatchObject({ cause: 'PING_TIMEOUT' });
    }
  });

  it('does not eat the room for answers while the ring does not drain', () => {
    const driver = connected({ keepAliveSeconds: 1, pingTimeoutMs: 1_000_000, transmitBytes: 64 });
    driver.drain(0);
    for (let i = 0; i < 5; i++) driver.publish('t', 'x'.repeat(20));
    driver.advance(100 * SECONDS);
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 9 });
    driver.drain();
    expect(driver.sentTypes()).toContain('PUBACK 9');
  });

  it('bytes that wait for room to answer in hold no answer while the ring does not drain [MQTT-3.1.2-22]', () => {
    const driver = connected({ transmitBytes: 64 });
    driver.drain(0);
    while (driver.session.transmit.byteLength() < 40) driver.publish('t', 'x', 1);
    for (let packetId = 1; packetId < 8; packetId++) {
      driver.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId });
    }
    expect(driver.session.receive.byteLength()).toBeGreaterThan(0);
    driver.events();
    driver.advance(60 * SECONDS);
    expect(driver.events()[0]).toMatchObject({ event: 'DISCONNECTED', cause: 'PING_TIMEOUT' });
  });

  it('a stalled ring is a dead connection', () => {
    const driver = connected();
    driver.drain(0);
    driver.publish('t', 'x');
    driver.advance(31 * SECONDS);
    expect(driver.events()).toMatchObject([{ cause: 'PING_TIMEOUT' }]);
  });
});

describe('deadlines', () => {
  it('called too early do nothing, and there are none without a connection', () => {
    const driver = new SessionDriver();
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
    driver.session.handleTimeout(driver.nowMs + 1e9);
    expect(driver.session.disconnect(0, -1, driver.nowMs)).toBe(NOT_CONNECTED);
    driver.connected();
    driver.session.handleTimeout(driver.nowMs);
    driver.run();
    expect(driver.sent()).toEqual([]);
    driver.disconnect();
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
  });
});
