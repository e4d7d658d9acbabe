/**
 * When the next connection begins, and when there is none.
 */
import { describe, expect, it } from 'vitest';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { backoffMs } from '../../src/session/backoff.ts';
import { OK } from '../../src/status.ts';
import { Random, SEED } from '../seed.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver } from '../support/session-driver.ts';

/** Milliseconds that the session waited before each of `count` attempts, all of which fail. */
function waits(options: DriverOptions, count: number): number[] {
  const driver = new SessionDriver(options);
  driver.isOpeningItself = false;
  driver.open();
  const list: number[] = [];
  for (let i = 0; i < count; i++) {
    driver.cut();
    const [{ reconnectInMs }] = driver.events();
    list.push(reconnectInMs!);
    if (reconnectInMs! < 0) break;
    const { openings } = driver;
    driver.advance(reconnectInMs! - 1);
    expect(driver.openings).toBe(openings);
    driver.advance(1);
    expect(driver.openings).toBe(openings + 1);
  }
  return list;
}

describe('waiting', () => {
  it('doubles, with jitter between half and whole, up to a maximum', () => {
    expect(waits({ random: () => 0 }, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    const most = waits({ random: () => 4294967295 }, 8);
    expect(most.map((ms) => ms + 1)).toEqual([1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
    const reconnect = { firstMs: 10, maximumMs: 35 };
    expect(waits({ random: () => 0, reconnect }, 4)).toEqual([5, 10, 18, 18]);
  });

  it('is different each time (seed from MOTEMQ_SEED)', () => {
    const random = new Random(SEED);
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const ms = backoffMs(0, 1000, 60000, random.below(4294967296));
      expect(ms).toBeGreaterThanOrEqual(500);
      expect(ms).toBeLessThanOrEqual(1000);
      expect(Number.isInteger(ms)).toBe(true);
      seen.add(ms);
    }
    expect(seen.size).toBeGreaterThan(300);
  });

  it('takes random numbers of either sign', () => {
    expect(backoffMs(0, 1000, 60000, -1)).toBe(999);
  });

  it('has an end after attemptsMax, until somebody asks again', () => {
    const options = { random: () => 0, reconnect: { attemptsMax: 2 } };
    expect(waits(options, 5)).toEqual([500, 1000, -1]);
    const driver = new SessionDriver(options);
    driver.isOpeningItself = false;
    driver.open();
    for (let i = 0; i < 2; i++) driver.cut().skip();
    driver.cut();
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
    driver.events();
    driver.open().cut();
    expect(driver.events()).toMatchObject([{ reconnectInMs: 500 }]);
  });

  it('begins from the front after a connection that was accepted', () => {
    const driver = new SessionDriver({ random: () => 0 });
    driver.isOpeningItself = false;
    driver.open();
    for (let i = 0; i < 5; i++) driver.cut().skip();
    driver.events();
    driver.opened().accept();
    driver.cut();
    expect(driver.events()).toMatchObject([{ reconnectInMs: 500 }]);
  });

  it('is not, with reconnect: false', () => {
    expect(waits({ reconnect: false }, 3)).toEqual([-1]);
  });

  it('is cut short by connect', () => {
    const driver = new SessionDriver().connected();
    driver.cut();
    expect(driver.openings).toBe(1);
    driver.open();
    expect(driver.openings).toBe(2);
    expect(driver.sentTypes()).toEqual(['CONNECT']);
    // And nothing is left of the wait.
    driver.server({ type: 'CONNACK' });
    driver.advance(50_000);
    expect(driver.openings).toBe(2);
  });

  it('is ended by disconnect, which is told', () => {
    const driver = new SessionDriver().connected();
    driver.cut();
    driver.events();
    expect(driver.disconnect()).toBe(OK);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CLIENT', reconnectInMs: -1 }]);
    driver.advance(1_000_000);
    expect(driver.openings).toBe(1);
  });

  it('is ended by close', () => {
    const driver = new SessionDriver().connected();
    driver.cut();
    driver.session.close(driver.nowMs);
    driver.run();
    driver.advance(1_000_000);
    expect(driver.openings).toBe(1);
  });
});

describe('connect', () => {
  it('while connecting or connected changes nothing', () => {
    const driver = new SessionDriver().open();
    driver.open();
    driver.accept();
    driver.open();
    expect(driver.openings).toBe(1);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.isConnected()).toBe(true);
  });

  it('from within the event that tells the end begins at once, with the old transport closed', () => {
    const driver = new SessionDriver().connected();
    driver.onEvent = ({ kind }) => {
      if (kind === 3) driver.session.connect(driver.nowMs);
    };
    driver.server({ type: 'DISCONNECT', reasonCode: 0x8b });
    expect([driver.openings, driver.closings]).toEqual([2, 1]);
    expect(driver.sentTypes()).toEqual(['CONNECT']);
  });
});

describe('the server’s DISCONNECT', () => {
  it.each([0x00, 0x80, 0x81, 0x82, 0x83, 0x89, 0x8b, 0x8d, 0x93, 0x95, 0x97, 0x98, 0x9c, 0xa0])(
    'with %i is followed by another attempt, and never by packets of ours [MQTT-3.14.4-1]',
    (reasonCode) => {
      const driver = new SessionDriver().connected();
      driver.server({ type: 'DISCONNECT', reasonCode, properties: { reasonString: 'why' } });
      const [event] = driver.events();
      expect(event).toMatchObject({ event: 'DISCONNECTED', cause: 'SERVER', reasonCode });
      expect(event.packet).toMatchObject({ properties: { reasonString: 'why' } });
      expect(event.reconnectInMs).toBeGreaterThan(0);
      expect(driver.isUp).toBe(false);
      expect(driver.sent()).toEqual([]);
    },
  );

  it.each([0x87, 0x8e, 0x9d])('with %i (not authorized, taken over, moved) is the end', (reasonCode) => {
    const driver = new SessionDriver().connected();
    driver.server({ type: 'DISCONNECT', reasonCode });
    expect(driver.events()).toMatchObject([{ cause: 'SERVER', reasonCode, reconnectInMs: -1 }]);
    driver.advance(1_000_000);
    expect(driver.openings).toBe(1);
  });

  it('that the session was taken over may be due to a CONNECT of its own that was held back [MQTT-3.1.4-3]', () => {
    const driver = new SessionDriver({
      keepAliveSeconds: 0,
      connectTimeoutMs: 1000,
      reconnect: { firstMs: 100 },
    });
    driver.open();
    // CONNECT is on its way, and nobody answers.
    driver.advance(1000);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CONNECT_TIMEOUT' }]);
    driver.advance(100);
    driver.accept();
    driver.server({ type: 'DISCONNECT', reasonCode: 0x8e });
    const [event] = driver.events().slice(-1);
    expect(event).toMatchObject({ cause: 'SERVER', reasonCode: 0x8e });
    expect(event.reconnectInMs).toBeGreaterThan(0);
    driver.advance(event.reconnectInMs!);
    driver.accept();
    // By now it has arrived, or never will.
    driver.advance(301_000);
    driver.server({ type: 'DISCONNECT', reasonCode: 0x8e });
    expect(driver.events().slice(-1)).toMatchObject([{ reasonCode: 0x8e, reconnectInMs: -1 }]);
  });

  it('is not one of 3.1.1', () => {
    const driver = new SessionDriver({ protocolVersion: V3_1_1 }).connected();
    driver.bytes(Uint8Array.of(0xe0, 0x00));
    expect(driver.events()).toMatchObject([{ cause: 'VIOLATION', violation: 'WRONG_SENDER' }]);
  });

  it('is heard although the transport closes at once', () => {
    const driver = new SessionDriver({ protocolVersion: V5 }).connected();
    driver.isPaused = true;
    driver.server({ type: 'DISCONNECT', reasonCode: 0x8e });
    driver.isPaused = false;
    driver.cut();
    expect(driver.events()).toMatchObject([{ cause: 'SERVER', reasonCode: 0x8e, reconnectInMs: -1 }]);
  });
});
