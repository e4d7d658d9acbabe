/**
 * SCRAM-SHA-256 as enhanced authentication of a session run by events (4.12), against a server written from the RFCs.
 */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/packets/inspect.ts';
import type { PacketObject, PropertiesObject } from '../../src/packets/inspect.ts';
import { ScramAuthenticator } from '../../src/scram/authenticator.ts';
import type { AuthenticationHost } from '../../src/scram/authenticator.ts';
import { ScramClient } from '../../src/scram/client.ts';
import { SoftwareCrypto } from '../../src/scram/sha256.ts';
import { NOT_CONNECTED, OK } from '../../src/status.ts';
import { Random, SEED } from '../seed.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver } from '../support/session-driver.ts';
import { RfcServer } from './rfc-server.ts';
import type { RfcServerOptions } from './rfc-server.ts';

const METHOD = 'SCRAM-SHA-256';
const ROUNDS_PER_SLICE = 500;
/** Slices that the key takes. */
const SLICES = 9;

const said = (data: Uint8Array): PropertiesObject => ({
  authenticationMethod: METHOD,
  authenticationData: toHex(data),
});

/** The Authentication Data of a packet. */
function dataOf(packet: PacketObject | undefined): Buffer {
  const { properties } = packet as { properties?: PropertiesObject };
  expect(properties?.authenticationMethod).toBe(METHOD); // [MQTT-4.12.0-5]
  return Buffer.from(properties?.authenticationData ?? '', 'hex');
}

/** A session, its authenticator, and what a Line would be for them. */
class Stage implements AuthenticationHost {
  readonly driver: SessionDriver;
  readonly scram: ScramAuthenticator;
  readonly session;
  readonly board;
  /** Timers that are due as soon as somebody looks. */
  readonly timers: [callback: () => void, ms: number][] = [];
  /** Kinds of events that went on to the application. */
  readonly told: string[] = [];
  server = new RfcServer();

  constructor(options: DriverOptions = {}, password = 'pencil') {
    const random = new Random(SEED);
    const crypto = new SoftwareCrypto(() => random.below(4294967296));
    this.scram = new ScramAuthenticator(new ScramClient(crypto, 'user', password, 10_000), ROUNDS_PER_SLICE);
    this.driver = new SessionDriver({ authenticationMethod: this.scram.method, ...options });
    this.session = this.driver.session;
    this.board = {
      nowMs: () => this.driver.nowMs,
      setTimer: (callback: () => void, ms: number) => this.timers.push([callback, ms]),
    };
    this.driver.onEvent = (event) => {
      const isHandled = this.scram.handleEvent(this, event, this.driver.nowMs);
      this.told.push(isHandled ? 'handled' : String(event.kind));
    };
  }

  run(): void {
    this.driver.run();
  }

  /** Runs timers until there are none; returns how many there were. */
  runTimers(): number {
    let count = 0;
    for (; this.timers.length > 0; count++) this.timers.shift()![0]();
    return count;
  }

  /** The client's first message, and the server's, by AUTH. */
  challenge(type: 'CONNECT' | 'AUTH' = 'CONNECT', options: RfcServerOptions = {}): this {
    this.server = new RfcServer(options);
    const [packet] = this.driver.sent();
    expect(packet.type).toBe(type);
    const first = this.server.first(dataOf(packet));
    this.driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said(first) });
    return this;
  }

  /** The client's last message; returns the server's. */
  response(): Buffer {
    this.runTimers();
    const [auth] = this.driver.sent();
    expect(auth).toMatchObject({ type: 'AUTH', reasonCode: 0x18 }); // [MQTT-4.12.0-3]
    return this.server.final(dataOf(auth));
  }

  accept(properties: PropertiesObject, reasonCode = 0): this {
    this.driver.server({ type: 'CONNACK', reasonCode, properties });
    return this;
  }

  /** All of it, as it should be. */
  connected(): this {
    this.driver.open();
    this.accept(said(this.challenge().response()));
    this.driver.events();
    this.driver.sent();
    this.told.length = 0;
    return this;
  }
}

/** The connection ended by us, for the reason `code`; nothing but DISCONNECT was said, and nothing follows. */
function expectFailure(stage: Stage, code: string): void {
  expect(stage.scram.error).toMatchObject({ code });
  const { driver } = stage;
  expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x83 }]);
  expect(driver.events().at(-1)).toMatchObject({ cause: 'CLIENT', reasonCode: 0x83, reconnectInMs: -1 });
  expect(driver.isUp).toBe(false);
  expect(driver.session.nextTimeoutMs()).toBe(Infinity);
  // The owner was not told that it is connected.
  expect(stage.told).not.toContain('2');
}

describe('a connection by SCRAM', () => {
  it('is made in five packets [MQTT-4.12.0-2], [MQTT-4.12.0-3], [MQTT-4.12.0-5]', () => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge();
    expect(stage.driver.sent()).toEqual([]);
    const final = stage.response();
    expect(final.toString()).toMatch(/^v=/);
    stage.accept(said(final));
    expect(stage.driver.events().map(({ event }) => event)).toEqual([
      'CONNECTING',
      'AUTHENTICATE',
      'CONNECTED',
    ]);
    expect(stage.told).toEqual(['handled', 'handled', '2']);
    expect(stage.scram.error).toBeNull();
    stage.driver.publish('t', 'x', 1);
    expect(stage.driver.sentTypes()).toEqual(['PUBLISH 1']);
  });

  it('derives the key in slices, between which everything goes on', () => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge();
    let count = 0;
    while (stage.timers.length > 0) {
      expect(stage.timers).toHaveLength(1);
      const [callback, ms] = stage.timers.shift()!;
      expect(ms).toBe(0);
      expect(stage.driver.sent()).toEqual([]);
      callback();
      count++;
    }
    expect(count).toBe(SLICES);
    expect(stage.driver.sentTypes()).toEqual(['AUTH']);
  });

  it('is made again without deriving anything', () => {
    const stage = new Stage().connected();
    for (let i = 0; i < 3; i++) {
      stage.driver.cut().skip();
      stage.challenge();
      expect(stage.timers).toEqual([]);
      stage.accept(said(stage.response()));
      expect(stage.driver.session.isConnected()).toBe(true);
    }
  });

  it('that ends while the key is derived leaves that to the next one', () => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge();
    stage.timers.shift()![0]();
    stage.driver.cut();
    expect(stage.runTimers()).toBe(SLICES - 1);
    expect(stage.driver.sent()).toEqual([]);
    stage.driver.skip();
    stage.challenge();
    expect(stage.timers).toEqual([]);
    stage.accept(said(stage.response()));
    expect(stage.driver.session.isConnected()).toBe(true);
  });

  it('that takes the server too long ends as any does', () => {
    const stage = new Stage({ connectTimeoutMs: 5000 });
    stage.driver.open();
    stage.challenge().driver.advance(5000);
    expect(stage.driver.events().at(-1)).toMatchObject({ cause: 'CONNECT_TIMEOUT' });
    expect(stage.told.at(-1)).toBe('3');
  });

  it('that the server refuses is refused [MQTT-4.12.0-4]', () => {
    const stage = new Stage({}, 'wrong');
    stage.driver.open();
    const final = stage.challenge().response();
    expect(final.toString()).toBe('e=invalid-proof');
    stage.accept({}, 0x87);
    expect(stage.driver.events().at(-1)).toMatchObject({ cause: 'REFUSED', reasonCode: 0x87 });
    expect(stage.scram.error).toBeNull();
  });
});

describe('an answer without room in the transmit ring', () => {
  /** One that has been tried twice, in a re-authentication. */
  function waiting(): Stage {
    const stage = new Stage({ transmitBytes: 192 }).connected();
    expect(stage.scram.reauthenticate(stage, stage.driver.nowMs)).toBe(OK);
    stage.run();
    stage.server = new RfcServer();
    const first = stage.server.first(dataOf(stage.driver.sent()[0]));
    stage.driver.drain(0);
    while (stage.driver.publish('t', 'x'.repeat(20)) >= 0);
    stage.driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said(first) });
    expect(stage.timers.map(([, ms]) => ms)).toEqual([20]);
    stage.timers.shift()![0]();
    expect(stage.timers.map(([, ms]) => ms)).toEqual([20]);
    return stage;
  }

  it('is tried again until there is room', () => {
    const stage = waiting();
    stage.driver.drain();
    expect(stage.runTimers()).toBe(1);
    expect(stage.driver.sentTypes().at(-1)).toBe('AUTH');
  });

  it('is not for another connection', () => {
    const stage = waiting();
    stage.driver.cut().drain().skip();
    expect(stage.driver.sentTypes().at(-1)).toBe('CONNECT');
    expect(stage.runTimers()).toBe(1);
    expect(stage.driver.sent()).toEqual([]);
  });
});

describe('a server that is not who it should be', () => {
  const replaced = (from: RegExp | string, to: string) => (message: string) => message.replace(from, to);

  it.each<[string, (message: string) => string, string]>([
    ['changes the nonce', replaced(/r=./, 'r=!'), 'ERR_SCRAM_NONCE'],
    ['wants few rounds', replaced('4096', '4095'), 'ERR_SCRAM_ITERATIONS'],
    ['wants many rounds', replaced('4096', '10001'), 'ERR_SCRAM_ITERATIONS'],
    ['wants an extension', replaced(/^/, 'm=x,'), 'ERR_SCRAM_EXTENSION'],
    ['says half of it', (message) => message.slice(0, message.length / 2), 'ERR_SCRAM_MALFORMED'],
    ['says nothing', () => '', 'ERR_SCRAM_MALFORMED'],
  ])('%s, and is left without a proof', (_, tamperFirst, code) => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge('CONNECT', { tamperFirst });
    expectFailure(stage, code);
    expect(stage.runTimers()).toBe(0);
  });

  it('does not know the password, and hears nothing of what waits for it', () => {
    const stage = new Stage();
    stage.driver.publish('secret', 'x', 1);
    stage.driver.subscribe(['secret/#']);
    stage.driver.open();
    stage.challenge('CONNECT', { tamperFinal: () => `v=${'A'.repeat(43)}=` });
    const final = stage.response();
    stage.accept(said(final));
    expectFailure(stage, 'ERR_SCRAM_SERVER_SIGNATURE');
  });

  it.each<[string, PropertiesObject]>([
    ['its last message', { authenticationMethod: METHOD }],
    ['any sense', said(Buffer.from('ok'))],
  ])('accepts without %s', (_, properties) => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge().response();
    stage.accept(properties);
    expect(stage.scram.error?.code).toMatch(/^ERR_SCRAM_(SERVER_SIGNATURE|MALFORMED)$/);
    expectFailure(stage, stage.scram.error!.code);
  });

  it.each([0, 1])('accepts after %i of its two messages', (count) => {
    const stage = new Stage();
    stage.driver.open();
    if (count > 0) stage.challenge();
    else stage.driver.sent();
    stage.accept(said(Buffer.from(`v=${'A'.repeat(43)}=`)));
    expectFailure(stage, 'ERR_SCRAM_STATE');
    // What was begun is of use for another connection, and says nothing on this one.
    stage.runTimers();
    expect(stage.driver.sent()).toEqual([]);
  });

  it('delivers nothing along with its CONNACK', () => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge().response();
    const { driver } = stage;
    const connack = driver.encode({ type: 'CONNACK', properties: { authenticationMethod: METHOD } });
    const publish = driver.encode({ type: 'PUBLISH', topicName: 'do', payload: '78' });
    driver.bytes(Uint8Array.from([...connack, ...publish]));
    expectFailure(stage, 'ERR_SCRAM_SERVER_SIGNATURE');
    expect(stage.told).toEqual(['handled', 'handled', 'handled', '3']);
  });

  it('asks again where nothing was asked', () => {
    const stage = new Stage().connected();
    const data = Buffer.from('r=x,s=QQ==,i=4096');
    stage.driver.server({ type: 'AUTH', reasonCode: 0x18, properties: said(data) });
    expectFailure(stage, 'ERR_SCRAM_STATE');
  });

  it('is tried again only when somebody says so', () => {
    const stage = new Stage();
    stage.driver.open();
    stage.challenge('CONNECT', { tamperFirst: () => '' });
    expectFailure(stage, 'ERR_SCRAM_MALFORMED');
    stage.driver.open();
    expect(stage.scram.error).toBeNull();
    stage.accept(said(stage.challenge().response()));
    expect(stage.driver.session.isConnected()).toBe(true);
  });
});

describe('a re-authentication by SCRAM', () => {
  it('goes on while messages do, and ends with the server’s signature [MQTT-4.12.1-1]', () => {
    const stage = new Stage().connected();
    expect(stage.scram.reauthenticate(stage, stage.driver.nowMs)).toBe(OK);
    stage.run();
    expect(() => stage.scram.reauthenticate(stage, stage.driver.nowMs)).toThrow(/under way/);
    // With another salt, so that there is something to derive.
    stage.challenge('AUTH', { salt: Buffer.from('another salt') });
    stage.timers.shift()![0]();
    stage.driver.publish('t', 'x', 1);
    expect(stage.driver.sentTypes()).toEqual(['PUBLISH 1']);
    stage.driver.ack('PUBACK', 1);
    const final = stage.response();
    stage.driver.server({ type: 'AUTH', reasonCode: 0, properties: said(final) });
    expect(stage.told).toEqual(['handled', '5', '9']);
    expect(stage.driver.session.isConnected()).toBe(true);
    expect(stage.scram.reauthenticate(stage, stage.driver.nowMs)).toBe(OK);
  });

  it('keeps the connection alive while the key is derived [MQTT-3.1.2-20]', () => {
    const stage = new Stage({ keepAliveSeconds: 10 }).connected();
    stage.scram.reauthenticate(stage, stage.driver.nowMs);
    stage.run();
    stage.challenge('AUTH', { salt: Buffer.from('another salt') });
    for (let i = 0; i < 3; i++) {
      stage.timers.shift()![0]();
      stage.driver.advance(10_000);
      expect(stage.driver.sentTypes()).toEqual(['PINGREQ']);
      stage.driver.server({ type: 'PINGRESP' });
    }
    stage.driver.server({ type: 'AUTH', reasonCode: 0, properties: said(stage.response()) });
    expect(stage.told.at(-1)).toBe('9');
  });

  it.each<[string, RfcServerOptions]>([
    ['another signature', { tamperFinal: () => `v=${'A'.repeat(43)}=` }],
    ['an error', { tamperFinal: () => 'e=other-error' }],
  ])('that ends in %s ends the connection [MQTT-4.12.1-2]', (_, options) => {
    const stage = new Stage().connected();
    stage.scram.reauthenticate(stage, stage.driver.nowMs);
    stage.run();
    const final = stage.challenge('AUTH', options).response();
    stage.driver.server({ type: 'AUTH', reasonCode: 0, properties: said(final) });
    expect(stage.told).toEqual(['handled', 'handled', '3']);
    expectFailure(stage, stage.scram.error!.code);
  });

  it('that the server only says is done is not', () => {
    const stage = new Stage().connected();
    stage.scram.reauthenticate(stage, stage.driver.nowMs);
    stage.run();
    stage.driver.sent();
    stage.driver.server({ type: 'AUTH', reasonCode: 0, properties: { authenticationMethod: METHOD } });
    expectFailure(stage, 'ERR_SCRAM_STATE');
  });

  it('ends with its connection', () => {
    const stage = new Stage().connected();
    stage.scram.reauthenticate(stage, stage.driver.nowMs);
    stage.run();
    stage.challenge('AUTH', { salt: Buffer.from('another salt') });
    stage.driver.cut();
    expect(stage.scram.reauthenticate(stage, stage.driver.nowMs)).toBe(NOT_CONNECTED);
    stage.runTimers();
    expect(stage.driver.sent()).toEqual([]);
    stage.driver.skip();
    stage.accept(said(stage.challenge().response()));
    expect(stage.told.at(-1)).toBe('2');
  });

  it('needs a connection, and may be asked for again then', () => {
    const stage = new Stage();
    expect(stage.scram.reauthenticate(stage, 0)).toBe(NOT_CONNECTED);
    stage.connected();
    expect(stage.scram.reauthenticate(stage, stage.driver.nowMs)).toBe(OK);
  });
});
