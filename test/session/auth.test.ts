/**
 * Enhanced authentication (4.12): before CONNACK, and anew on a living connection.
 */
import { describe, expect, it } from 'vitest';
import type { PropertiesObject } from '../../src/packets/inspect.ts';
import { NOT_CONNECTED, NO_SPACE, OK, PACKET_TOO_LARGE } from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, bytesOf, hexOf } from '../support/session-driver.ts';

const METHOD = 'SCRAM-SHA-256';
const said = (data: string): PropertiesObject => ({
  authenticationMethod: METHOD,
  authenticationData: hexOf(data),
});

/** A session whose application answers `server-n` with `client-n`. */
function answering(options: DriverOptions = {}): SessionDriver {
  const driver = new SessionDriver({ authenticationMethod: METHOD, ...options });
  let count = 0;
  driver.onEvent = ({ kind }) => {
    if (kind === 1) driver.session.setAuthenticationData(bytesOf('client-first'));
    if (kind !== 8) return;
    count++;
    expect(driver.session.authenticate(bytesOf(`client-${count}`), driver.nowMs)).toBe(OK);
  };
  return driver;
}

/** One that is connected. */
function connected(options: DriverOptions = {}): SessionDriver {
  const driver = answering(options).open();
  driver.accept({ properties: said('server-final') });
  return driver;
}

describe('enhanced authentication', () => {
  it(
    'goes back and forth before CONNACK [MQTT-4.12.0-2], [MQTT-4.12.0-3], [MQTT-4.12.0-4], [MQTT-4.12.0-5], ' +
      '[MQTT-3.15.1-1], [MQTT-3.15.2-1]',
    () => {
      const driver = answering().open();
      expect(driver.events()).toEqual([{ event: 'CONNECTING' }]);
      const [connect] = driver.sent();
      expect(connect).toMatchObject({ type: 'CONNECT', properties: said('client-first') });
      for (const i of [1, 2, 3]) {
        driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said(`server-${i}`) });
        expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x18, properties: said(`client-${i}`) }]);
      }
      expect(driver.events()).toMatchObject([
        { event: 'AUTHENTICATE', packet: { properties: said('server-1') } },
        { event: 'AUTHENTICATE' },
        { event: 'AUTHENTICATE' },
      ]);
      driver.server({ type: 'CONNACK', properties: said('server-final') });
      expect(driver.events()).toMatchObject([
        { event: 'CONNECTED', packet: { properties: said('server-final') } },
      ]);
    },
  );

  it('has data of its own for each connection', () => {
    const driver = connected();
    driver.cut().skip();
    expect(driver.sent()).toMatchObject([{ type: 'CONNECT', properties: said('client-first') }]);
    expect(driver.events().map(({ event }) => event)).toEqual(['DISCONNECTED', 'CONNECTING']);
  });

  it('may answer later, and without data', () => {
    const driver = new SessionDriver({ authenticationMethod: METHOD }).open();
    expect(driver.sent()).toMatchObject([{ properties: { authenticationMethod: METHOD } }]);
    driver.server({ type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: METHOD } });
    driver.advance(100);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.authenticate(null, driver.nowMs)).toBe(OK);
    driver.run();
    expect(driver.sent()).toEqual([
      { type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: METHOD } },
    ]);
  });

  it('fails with a CONNACK that says so [MQTT-4.12.0-1]', () => {
    const driver = answering().open();
    driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said('server-1') });
    driver.server({ type: 'CONNACK', reasonCode: 0x8c });
    expect(driver.events().at(-1)).toMatchObject({ cause: 'REFUSED', reasonCode: 0x8c, reconnectInMs: -1 });
  });

  it('does not go on for ever', () => {
    const driver = answering({ connectTimeoutMs: 5000 }).open();
    for (let i = 0; i < 10 && driver.isUp; i++) {
      driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said('again') });
      driver.advance(1000);
    }
    expect(driver.events().at(-1)).toMatchObject({ cause: 'CONNECT_TIMEOUT' });
  });

  it.each([
    [
      'AUTH with another method',
      { type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: 'PLAIN' } },
    ],
    [
      'CONNACK with another method',
      { type: 'CONNACK', properties: { authenticationMethod: 'SCRAM-SHA-25' } },
    ],
    ['CONNACK without the method', { type: 'CONNACK' }],
    ['AUTH that says success', { type: 'AUTH', reasonCode: 0, properties: { authenticationMethod: METHOD } }],
  ] as const)('%s is a Protocol Error [MQTT-4.12.0-5]', (_, packet) => {
    const driver = answering().open();
    driver.sent();
    driver.server(packet);
    expect(driver.events().at(-1)).toMatchObject({
      event: 'DISCONNECTED',
      cause: 'VIOLATION',
      reasonCode: 0x82,
    });
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x82 }]);
    expect(driver.isUp).toBe(false);
  });

  it('was not asked for: AUTH, or a method in CONNACK, is a Protocol Error [MQTT-4.12.0-6], [MQTT-4.12.0-7], [MQTT-3.1.2-30]', () => {
    for (const packet of [
      { type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: METHOD } },
      { type: 'CONNACK', properties: { authenticationMethod: METHOD } },
    ] as const) {
      const driver = new SessionDriver().open();
      driver.sent();
      driver.server(packet);
      expect(driver.events()).toMatchObject([{ cause: 'VIOLATION', reasonCode: 0x82 }]);
      expect(driver.sentTypes()).toEqual(['DISCONNECT']);
    }
    const driver = new SessionDriver().connected();
    expect(driver.session.authenticate(null, 0)).toBe(NOT_CONNECTED);
    expect(driver.session.reauthenticate(null, 0)).toBe(NOT_CONNECTED);
    driver.run();
    expect(driver.sent()).toEqual([]);
  });

  it('sends no AUTH before CONNECT [MQTT-3.1.0-1]', () => {
    const driver = new SessionDriver({ authenticationMethod: METHOD });
    const results: number[] = [];
    driver.onEvent = () => results.push(driver.session.authenticate(bytesOf('early'), driver.nowMs));
    expect(driver.session.authenticate(null, 0)).toBe(NOT_CONNECTED);
    driver.open();
    expect(results).toEqual([NOT_CONNECTED]);
    expect(driver.sentTypes()).toEqual(['CONNECT']);
  });

  it('refuses data that no property can hold', () => {
    const driver = connected();
    expect(() => driver.session.reauthenticate(new Uint8Array(65536), driver.nowMs)).toThrow(/65,535/);
  });
});

describe('re-authentication', () => {
  it('begins with AUTH of ours, and ends with success [MQTT-4.12.1-1]', () => {
    const driver = connected();
    expect(driver.session.reauthenticate(bytesOf('again'), driver.nowMs)).toBe(OK);
    driver.run();
    expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x19, properties: said('again') }]);
    driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said('server-1') });
    expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x18, properties: said('client-1') }]);
    // Everything else goes on meanwhile.
    driver.publish('t', 'x', 1);
    driver.ack('PUBACK', 1);
    driver.server({ type: 'AUTH', reasonCode: 0, properties: said('server-final') });
    expect(driver.events().map(({ event }) => event)).toEqual(['AUTHENTICATE', 'PUBLISHED', 'AUTHENTICATED']);
    expect(driver.session.isConnected()).toBe(true);
  });

  it('that fails is the end, by DISCONNECT [MQTT-4.12.1-2]', () => {
    const driver = connected();
    driver.session.reauthenticate(null, driver.nowMs);
    driver.server({ type: 'DISCONNECT', reasonCode: 0x87 });
    expect(driver.events()).toMatchObject([{ cause: 'SERVER', reasonCode: 0x87 }]);
  });

  it('is for connections that are up', () => {
    const driver = answering();
    expect(driver.session.reauthenticate(null, 0)).toBe(NOT_CONNECTED);
    driver.open();
    expect(driver.session.reauthenticate(null, 0)).toBe(NOT_CONNECTED);
  });

  it('is not larger than the server takes, first message or answer [MQTT-3.2.2-15]', () => {
    const driver = answering().open();
    const properties = { ...said('server-final'), maximumPacketSize: 40 };
    driver.accept({ properties });
    driver.sent();
    expect(driver.session.reauthenticate(bytesOf('x'.repeat(30)), driver.nowMs)).toBe(PACKET_TOO_LARGE);
    expect(driver.session.authenticate(bytesOf('x'.repeat(30)), driver.nowMs)).toBe(PACKET_TOO_LARGE);
    driver.run();
    expect(driver.sent()).toEqual([]);
    expect(driver.session.reauthenticate(bytesOf('fits'), driver.nowMs)).toBe(OK);
    driver.run();
    expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x19, properties: said('fits') }]);
  });

  it('leaves the room for answers alone', () => {
    const driver = connected({ transmitBytes: 128 });
    driver.drain(0);
    const results: number[] = [];
    const answer = driver.onEvent;
    driver.onEvent = (event) => {
      if (event.kind !== 4) return answer!(event);
      for (let i = 0; i < 5; i++)
        results.push(driver.session.reauthenticate(bytesOf('x'.repeat(i)), driver.nowMs));
    };
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 9 });
    expect(results).toContain(NO_SPACE);
    driver.drain();
    expect(driver.sentTypes()).toContain('PUBACK 9');
  });
});
