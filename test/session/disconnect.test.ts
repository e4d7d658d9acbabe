/**
 * Going on purpose: DISCONNECT, with reason, expiry and will, and closing without a word.
 */
import { describe, expect, it } from 'vitest';
import { V3_1_1 } from '../../src/packets/types.ts';
import { NOT_CONNECTED, OK } from '../../src/status.ts';
import { SessionDriver, hexOf } from '../support/session-driver.ts';

describe('disconnect', () => {
  it('sends DISCONNECT, nothing behind it, and closes [MQTT-3.14.1-1], [MQTT-3.14.4-1], [MQTT-3.14.4-2]', () => {
    for (const protocolVersion of [5, 4]) {
      const driver = new SessionDriver({ protocolVersion }).connected();
      driver.publish('t', 'before', 1);
      expect(driver.disconnect()).toBe(OK);
      driver.publish('t', 'behind', 1);
      driver.publish('t', 'behind', 0);
      expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'DISCONNECT']);
      expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CLIENT', reconnectInMs: -1 }]);
      expect([driver.isUp, driver.closings]).toEqual([false, 1]);
      expect(driver.disconnect()).toBe(NOT_CONNECTED);
      driver.advance(1_000_000);
      expect(driver.openings).toBe(1);
      // What was accepted is there for a later connection.
      driver.open();
      driver.accept();
      expect(driver.sentTypes().filter((type) => type.startsWith('PUBLISH'))).toHaveLength(3);
    }
  });

  it('leaves out a reason of 0, and has every reason a client may give [MQTT-3.14.2-1]', () => {
    for (const reasonCode of [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
      const driver = new SessionDriver().connected();
      driver.disconnect(reasonCode);
      expect(driver.sent()).toEqual([{ type: 'DISCONNECT', ...(reasonCode === 0 ? {} : { reasonCode }) }]);
    }
    for (const reasonCode of [1, 0x87, 0x89, 0x8b, 0x8e, 0x9d, 0xa2, 0x100, -1]) {
      const driver = new SessionDriver().connected();
      expect(() => driver.disconnect(reasonCode)).toThrow(/reasonCode/);
      expect(driver.sent()).toEqual([]);
      expect(driver.session.isConnected()).toBe(true);
    }
  });

  it('sets the expiry anew, if CONNECT set one', () => {
    const driver = new SessionDriver({ sessionExpirySeconds: 100 }).connected();
    driver.disconnect(4, 4294967295);
    expect(driver.sent()).toEqual([
      { type: 'DISCONNECT', reasonCode: 4, properties: { sessionExpiryInterval: 4294967295 } },
    ]);
    const other = new SessionDriver().connected();
    expect(() => other.disconnect(0, 1)).toThrow(/3\.14\.2\.2\.2/);
    other.disconnect(0, 0);
    expect(other.sent()).toEqual([
      { type: 'DISCONNECT', reasonCode: 0, properties: { sessionExpiryInterval: 0 } },
    ]);
    expect(() =>
      new SessionDriver({ sessionExpirySeconds: 1 }).connected().disconnect(0, 4294967296),
    ).toThrow();
  });

  it('of 3.1.1 has neither', () => {
    const driver = new SessionDriver({ protocolVersion: V3_1_1 }).connected();
    expect(() => driver.disconnect(4)).toThrow(/5\.0/);
    expect(() => driver.disconnect(0, 0)).toThrow(/5\.0/);
    driver.disconnect();
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT' }]);
  });

  it('finds room in a ring full of publishes', () => {
    const driver = new SessionDriver({ transmitBytes: 64, sessionExpirySeconds: 5 }).connected();
    driver.drain(0);
    for (let i = 0; i < 20; i++) driver.publish('t', 'x'.repeat(i));
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1 });
    driver.advance(60_000);
    driver.session.disconnect(4, 10, driver.nowMs);
    driver.drain();
    expect(driver.sent().at(-1)).toMatchObject({ type: 'DISCONNECT', reasonCode: 4 });
  });

  it('finds room in the middle of a streamed message, with everything else written that may be', () => {
    const driver = new SessionDriver({
      transmitBytes: 64,
      receiveBytes: 64,
      sessionExpirySeconds: 5,
      keepAliveSeconds: 5,
      manualAcknowledgement: true,
    }).connected();
    for (let id = 1; id <= 8; id++) driver.server({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: id });
    const receipts = driver.events().map(({ receipt }) => receipt!);
    driver.drain(0);
    for (let i = 0; i < 30; i++) driver.publish('t', 'x'.repeat(i % 7), 0);
    const big = driver.encode({
      type: 'PUBLISH',
      topicName: 't',
      qos: 1,
      packetId: 9,
      payload: hexOf('x'.repeat(99)),
    });
    driver.bytes(big.subarray(0, 90));
    for (const receipt of receipts) driver.acknowledge(receipt);
    driver.advance(5000);
    driver.bytes(big.subarray(90));
    driver.session.disconnect(4, 10, driver.nowMs);
    driver.drain();
    expect(driver.sent().at(-1)).toMatchObject({ type: 'DISCONNECT', reasonCode: 4 });
  });

  it('while the transport opens just closes it', () => {
    const driver = new SessionDriver();
    driver.isOpeningItself = false;
    driver.open();
    expect(driver.disconnect()).toBe(OK);
    expect(driver.closings).toBe(1);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CLIENT' }]);
  });

  it('while CONNACK is out may say DISCONNECT', () => {
    const driver = new SessionDriver().open();
    driver.disconnect();
    expect(driver.sentTypes()).toEqual(['CONNECT', 'DISCONNECT']);
  });

  it('before CONNECT is written says nothing, for CONNECT must be first [MQTT-3.1.0-1]', () => {
    const driver = new SessionDriver({ authenticationMethod: 'm' });
    driver.onEvent = ({ kind }) => {
      if (kind === 1) driver.session.disconnect(0, -1, driver.nowMs);
    };
    driver.open();
    expect(driver.sent()).toEqual([]);
    expect(driver.events()).toMatchObject([
      { event: 'CONNECTING' },
      { event: 'DISCONNECTED', cause: 'CLIENT' },
    ]);
  });

  it('from within an event ends what it tells there', () => {
    const driver = new SessionDriver().connected();
    driver.onEvent = ({ kind }) => {
      if (kind === 4) driver.session.disconnect(0, -1, driver.nowMs);
    };
    const one = driver.encode({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, payload: hexOf('x') });
    driver.bytes(Uint8Array.from([...one, ...one]));
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE', payload: 'x' }, { event: 'DISCONNECTED' }]);
    expect(driver.sentTypes()).toEqual(['DISCONNECT']);
  });
});

describe('close', () => {
  it('says nothing to the server, and nothing to us but that it is over', () => {
    const driver = new SessionDriver().connected();
    driver.publish('t', 'x', 1);
    driver.sent();
    driver.session.close(driver.nowMs);
    driver.run();
    expect(driver.sent()).toEqual([]);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CLIENT', reconnectInMs: -1 }]);
    expect([driver.isUp, driver.closings]).toEqual([false, 1]);
    driver.session.close(driver.nowMs);
    driver.session.handleClosed(driver.nowMs);
    driver.advance(1_000_000);
    expect(driver.events()).toEqual([]);
    expect(driver.disconnect()).toBe(NOT_CONNECTED);
    expect(driver.isClosed()).toBe(true);
  });

  it('of a session that never connected tells nothing', () => {
    const driver = new SessionDriver();
    driver.session.close(driver.nowMs);
    driver.run();
    expect(driver.events()).toEqual([]);
  });

  it('while an end is still to be told tells that there is no other attempt', () => {
    const driver = new SessionDriver().connected();
    driver.isPaused = true;
    driver.cut();
    driver.session.close(driver.nowMs);
    driver.isPaused = false;
    driver.run();
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'TRANSPORT', reconnectInMs: -1 }]);
  });

  it('from within an event is the last thing that happens', () => {
    const driver = new SessionDriver().connected();
    driver.onEvent = ({ kind }) => {
      if (kind === 4) driver.session.close(driver.nowMs);
    };
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 1 });
    expect(driver.events().map(({ event }) => event)).toEqual(['MESSAGE', 'DISCONNECTED']);
    expect(driver.sent()).toEqual([]);
  });
});
