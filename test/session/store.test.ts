/**
 * Power cuts: after every operation on the store and after every byte transmitted, a new session made from what the
 * store holds goes on. Nothing accepted is lost, nothing of QoS 2 happens twice, and nothing stays in the store.
 */
import { describe, expect, it } from 'vitest';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { EVENT_MESSAGE } from '../../src/session/event.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import { NO_SPACE, OK, STORE_FAILED } from '../../src/status.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { P_MESSAGE_EXPIRY_INTERVAL } from '../../src/packets/property-table.ts';
import { Random, SEED } from '../seed.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, hexOf, propertiesOf } from '../support/session-driver.ts';
import { ModelServer } from './model-server.ts';

class PowerCut extends Error {}

/** A store in memory that can fail, and that the power can leave. */
class MemoryStore implements SessionStore {
  readonly records = new Map<string, Uint8Array>();
  /** Operations until the power is cut, before the next one is done. */
  operationsLeft = Infinity;
  operations = 0;
  isFailing = false;
  isRemovalFailing = false;
  onPut: ((kind: number, number: number) => void) | undefined;

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    this.count();
    if (this.isFailing) return false;
    this.records.set(`${kind} ${number}`, bytes.slice(at, at + byteLength));
    this.onPut?.(kind, number);
    return true;
  }

  remove(kind: number, number: number): boolean {
    this.count();
    if (this.isRemovalFailing) return false;
    this.records.delete(`${kind} ${number}`);
    return true;
  }

  private count(): void {
    if (this.operationsLeft <= 0) throw new PowerCut();
    this.operationsLeft--;
    this.operations++;
  }

  /** Everything, in the order in which a session wants it back. */
  restoreInto(driver: SessionDriver): number {
    for (const wanted of [STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED]) {
      const list = Array.from(this.records, ([key, bytes]) => ({ key: key.split(' ').map(Number), bytes }))
        .filter(({ key }) => key[0] === wanted)
        .sort((a, b) => a.key[1] - b.key[1]);
      for (const { key, bytes } of list) {
        // From somewhere inside a larger array, as a store on flash would have it.
        const page = new Uint8Array(bytes.length + 7).fill(0xee);
        page.set(bytes, 5);
        const status = driver.session.restore(key[0], key[1], page, 5, bytes.length, driver.nowMs);
        if (status !== OK) return status;
      }
    }
    return OK;
  }
}

interface Cuts {
  /** Store operations of each life but the last. */
  operations?: number[];
  /** Bytes transmitted in each life but the last. */
  bytes?: number[];
}

/** Publishes and receives `count` messages each, through as many lives as `cuts` say; then looks at what came of it. */
function live(
  protocolVersion: number,
  qos: number,
  count: number,
  cuts: Cuts,
  options: DriverOptions = {},
): MemoryStore {
  const store = new MemoryStore();
  const server = new ModelServer(protocolVersion);
  const accepted: string[] = [];
  const attempted: string[] = [];
  const delivered: string[] = [];
  const toDeliver = Array.from({ length: count }, (_, i) => `in ${i}`);
  const lives = (cuts.operations ?? cuts.bytes ?? []).length;
  let published = 0;
  let isDelivering = false;

  for (let life = 0; life <= lives; life++) {
    store.operationsLeft = Infinity;
    const lasting = protocolVersion === V5 ? { sessionExpirySeconds: 1000 } : {};
    const driver = new SessionDriver({
      protocolVersion,
      ...lasting,
      cleanStart: false,
      store,
      startMs: life * 1_000_000,
      ...options,
    });
    let pending: string | undefined;
    store.onPut = (kind) => {
      // The application's own state is kept together with the identifier.
      if (kind !== STORED_RECEIVED || pending === undefined) return;
      delivered.push(pending);
      pending = undefined;
    };
    driver.onEvent = (event) => {
      if (event.kind !== EVENT_MESSAGE) return;
      const payload = decodeUtf8(
        event.bytes,
        event.payloadOffset,
        event.payloadOffset + event.payloadByteLength,
      );
      if (event.qos === 2) pending = payload;
      else delivered.push(payload);
    };
    driver.onOpened = () => server.cut();
    expect(store.restoreInto(driver)).toBe(OK);
    if (life < lives) {
      store.operationsLeft = cuts.operations?.[life] ?? Infinity;
      driver.writable = cuts.bytes?.[life] ?? Infinity;
    }
    try {
      driver.open();
      for (let idle = 0; idle < 3;) {
        if (driver.writable === 0) throw new PowerCut();
        const packets = driver.sent();
        const answers = packets.flatMap((packet) => server.handle(packet));
        if (driver.session.isConnected() && !isDelivering) {
          for (const payload of toDeliver) server.deliver(payload, qos);
          isDelivering = true;
        }
        answers.push(...server.next());
        for (const answer of answers) {
          driver.server(answer);
          if (driver.writable === 0) throw new PowerCut();
        }
        if (published < count) {
          const payload = `out ${published}`;
          published++;
          attempted.push(payload);
          driver.publish('t', payload, qos);
          accepted.push(payload);
        }
        idle = packets.length === 0 && published === count ? idle + 1 : 0;
      }
      break; // this life was long enough
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      // The publish that was under way was neither accepted nor refused: it may come or not.
    }
    server.cut();
  }

  const once = (list: string[]): string[] => list.filter((one, i) => list.indexOf(one) === i);
  expect(once(server.taken).filter((payload) => accepted.includes(payload))).toEqual(accepted);
  expect(once(server.taken).every((payload) => attempted.includes(payload))).toBe(true);
  expect(once(delivered).sort()).toEqual(toDeliver.sort());
  if (qos === 2) {
    expect(server.taken).toEqual(once(server.taken));
    expect(delivered).toEqual(once(delivered));
  }
  expect(Array.from(store.records.keys())).toEqual([]);
  return store;
}

describe.each([
  [V5, 1],
  [V5, 2],
  [V3_1_1, 1],
  [V3_1_1, 2],
])('version %i, QoS %i', (protocolVersion, qos) => {
  it('without a cut takes so many operations, and they leave nothing', () => {
    const { operations } = live(protocolVersion, qos, 1, {});
    // Message, progress, both removed; at QoS 2 progress again, and the identifier received and removed.
    expect(operations).toBe(qos === 1 ? 4 : 7);
  });

  it('goes on after a power cut before and after every operation on the store [MQTT-4.1.0-1], [MQTT-4.1.0-2]', () => {
    const { operations } = live(protocolVersion, qos, 4, {});
    for (let at = 0; at < operations; at++) live(protocolVersion, qos, 4, { operations: [at] });
  });

  it('goes on after a power cut behind every byte transmitted', () => {
    for (let at = 1; at < 150; at++) live(protocolVersion, qos, 4, { bytes: [at] });
  });

  it('goes on after any number of them (seed from MOTEMQ_SEED)', () => {
    const random = new Random(SEED + qos);
    for (let round = 0; round < 100; round++) {
      const list = Array.from({ length: 1 + random.below(8) }, () => random.below(12));
      live(
        protocolVersion,
        qos,
        6,
        { operations: list },
        { inflightMax: 8, outboxBytes: 512, transmitBytes: 64 },
      );
    }
  });
});

describe('what is restored', () => {
  it('goes out as it would have: DUP and the identifier for what was sent, in order [MQTT-3.3.1-1], [MQTT-4.4.0-1]', () => {
    const store = new MemoryStore();
    const before = new SessionDriver({ store, sessionExpirySeconds: 100 }).connected({
      properties: { receiveMaximum: 3 },
    });
    for (let i = 1; i <= 5; i++) before.publish('t', `${i}`, 1 + (i % 2), i % 2);
    before.publish('t', 'not kept', 0);
    before.ack('PUBREC', 1);
    const driver = new SessionDriver({ store, sessionExpirySeconds: 100 });
    expect(store.restoreInto(driver)).toBe(OK);
    expect(driver.session.isBusy()).toBe(true);
    driver.open();
    expect(driver.accept({ sessionPresent: true })).toMatchObject({ cleanStart: false });
    expect(driver.sent()).toEqual([
      { type: 'PUBREL', packetId: 1 },
      { type: 'PUBLISH', topicName: 't', payload: hexOf('2'), qos: 1, retain: false, dup: true, packetId: 2 },
      { type: 'PUBLISH', topicName: 't', payload: hexOf('3'), qos: 2, retain: true, dup: true, packetId: 3 },
      {
        type: 'PUBLISH',
        topicName: 't',
        payload: hexOf('4'),
        qos: 1,
        retain: false,
        dup: false,
        packetId: 4,
      },
      { type: 'PUBLISH', topicName: 't', payload: hexOf('5'), qos: 2, retain: true, dup: false, packetId: 5 },
    ]);
    // Tickets go on behind those that are in use.
    expect(driver.publish('t', '6', 1)).toBeGreaterThan(5);
  });

  it('is not delivered again [MQTT-4.3.3-10]', () => {
    const store = new MemoryStore();
    const before = new SessionDriver({ store, sessionExpirySeconds: 100 }).connected();
    before.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9 });
    const driver = new SessionDriver({ store, sessionExpirySeconds: 100 });
    store.restoreInto(driver);
    driver.connected({ sessionPresent: true });
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9, dup: true });
    expect(driver.events()).toEqual([]);
    expect(driver.sentTypes()).toEqual(['PUBREC 9']);
    driver.ack('PUBREL', 9);
    expect(Array.from(store.records.keys())).toEqual([]);
  });

  it('makes no duplicate of a message of another session, of which no CONNACK told [MQTT-3.3.1-1], [MQTT-4.3.3-10]', () => {
    const store = new MemoryStore();
    const before = new SessionDriver({ store, sessionExpirySeconds: 100 }).connected();
    for (const packetId of [8, 9]) before.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId });
    const driver = new SessionDriver({ store, sessionExpirySeconds: 100 });
    store.restoreInto(driver);
    driver.connected({ sessionPresent: true });
    const message = { type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9 } as const;
    // As long as the identifier is kept the message waits: the power may go before it is delivered.
    store.isRemovalFailing = true;
    driver.server(message);
    expect([driver.events(), driver.sent()]).toEqual([[], []]);
    store.isRemovalFailing = false;
    driver.run();
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE' }]);
    expect(driver.sentTypes()).toEqual(['PUBREC 9']);
    // Again on the same connection it is one, whatever it says.
    driver.server(message, { ...message, dup: true, packetId: 8 });
    expect(driver.events()).toEqual([]);
    expect(driver.sentTypes()).toEqual(['PUBREC 9', 'PUBREC 8']);
    driver.ack('PUBREL', 8).ack('PUBREL', 9);
    expect(store.records.size).toBe(0);
  });

  it('is sent as new messages to a server that lost the session', () => {
    const store = new MemoryStore();
    const before = new SessionDriver({ store, sessionExpirySeconds: 100 }).connected();
    for (let i = 1; i <= 3; i++) before.publish('t', `${i}`, 2);
    before.ack('PUBREC', 1);
    before.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9 });
    const driver = new SessionDriver({ store, sessionExpirySeconds: 100 });
    store.restoreInto(driver);
    driver.connected({ sessionPresent: false });
    expect(driver.sent()).toMatchObject([
      { payload: hexOf('2'), dup: false },
      { payload: hexOf('3'), dup: false },
    ]);
    expect(Array.from(store.records.keys()).sort()).toEqual(['1 2', '1 3', '2 2', '2 3']);
  });

  it('is all sent after a power cut anywhere while a lost session begins anew [MQTT-4.1.0-1]', () => {
    for (let operations = 0; operations < 12; operations++) {
      const store = new MemoryStore();
      const before = new SessionDriver({ store, sessionExpirySeconds: 100 }).connected();
      for (let i = 1; i <= 4; i++) before.publish('t', `${i}`, 1);
      before.ack('PUBACK', 1);
      const lost = new SessionDriver({ store, sessionExpirySeconds: 100 });
      store.restoreInto(lost);
      store.operationsLeft = operations;
      try {
        lost.connected({ sessionPresent: false });
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
      store.operationsLeft = Infinity;
      const driver = new SessionDriver({ store, sessionExpirySeconds: 100 });
      store.restoreInto(driver);
      driver.connected({ sessionPresent: true });
      const sent = driver.sent().map((packet) => ('payload' in packet ? packet.payload : ''));
      expect(sent, `cut after ${operations}`).toEqual(['2', '3', '4'].map(hexOf));
    }
  });

  it('keeps its Message Expiry', () => {
    const store = new MemoryStore();
    const properties = propertiesOf((writer) => writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, 10));
    new SessionDriver({ store }).publish('t', 'x', 1, 0, properties);
    const driver = new SessionDriver({ store, startMs: 500 });
    store.restoreInto(driver);
    driver.advance(3000);
    driver.connected();
    expect(driver.sent()).toMatchObject([{ properties: { messageExpiryInterval: 7 } }]);
  });

  it('must fit', () => {
    const store = new MemoryStore();
    const before = new SessionDriver({ store }).connected();
    for (let i = 0; i < 4; i++) before.publish('t', 'x'.repeat(50), 1);
    expect(store.restoreInto(new SessionDriver({ store, outboxBytes: 200 }))).toBe(NO_SPACE);
    expect(store.restoreInto(new SessionDriver({ store, inflightMax: 2 }))).toBe(NO_SPACE);
  });
});

describe('a store that fails', () => {
  it('refuses the message, and nothing is sent of it', () => {
    const store = new MemoryStore();
    const driver = new SessionDriver({ store }).connected();
    store.isFailing = true;
    expect(driver.publish('t', 'x', 1)).toBe(STORE_FAILED);
    expect(driver.session.isBusy()).toBe(false);
    expect(driver.sent()).toEqual([]);
    expect(driver.publish('t', 'x', 0)).toBe(0);
    store.isFailing = false;
    expect(driver.publish('t', 'x', 1)).toBeGreaterThan(0);
    expect(driver.sentTypes()).toEqual(['PUBLISH', 'PUBLISH 1']);
  });

  it('holds up what must be known before it happens, until it works again', () => {
    const store = new MemoryStore();
    const driver = new SessionDriver({ store }).connected();
    const ticket = driver.publish('t', 'x', 2);
    driver.sent();
    store.isFailing = true;
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 9 });
    driver.ack('PUBREC', 1);
    expect(driver.sent()).toEqual([]);
    store.isFailing = false;
    driver.run();
    expect(driver.sentTypes().sort()).toEqual(['PUBREC 9', 'PUBREL 1']);
    driver.ack('PUBCOMP', 1).ack('PUBREL', 9);
    expect(driver.events()).toMatchObject([{ event: 'MESSAGE' }, { event: 'PUBLISHED', ticket }]);
    expect(store.records.size).toBe(0);
  });

  it.each([V5, V3_1_1])(
    'holds up PUBCOMP, so that the next message with its identifier is no duplicate [MQTT-4.3.3-10] (%i)',
    (protocolVersion) => {
      const expiry = protocolVersion === V5 ? { sessionExpirySeconds: 100 } : { cleanStart: false };
      const options = { protocolVersion, ...expiry };
      const store = new MemoryStore();
      const driver = new SessionDriver({ ...options, store }).connected();
      driver.server({ type: 'PUBLISH', topicName: 't', payload: '01', qos: 2, packetId: 9 });
      expect(driver.sentTypes()).toEqual(['PUBREC 9']);
      store.isRemovalFailing = true;
      driver.ack('PUBREL', 9);
      driver.server({ type: 'PUBLISH', topicName: 't', payload: '02', qos: 0 });
      expect(driver.sent()).toEqual([]);
      expect(driver.events()).toHaveLength(1);
      // After a power cut the server says PUBREL once more: it had no PUBCOMP.
      const later = new SessionDriver({ ...options, store });
      store.restoreInto(later);
      later.connected({ sessionPresent: true }).ack('PUBREL', 9);
      expect(later.sent()).toEqual([]);
      store.isRemovalFailing = false;
      later.run();
      expect(later.sent()).toEqual([{ type: 'PUBCOMP', packetId: 9 }]);
      later.server({ type: 'PUBLISH', topicName: 't', payload: '03', qos: 2, packetId: 9 });
      expect(later.events()).toMatchObject([{ event: 'MESSAGE' }]);
    },
  );

  it('holds up messages accepted before it failed', () => {
    const store = new MemoryStore();
    const driver = new SessionDriver({ store });
    driver.publish('t', 'x', 1);
    store.isFailing = true;
    driver.connected();
    expect(driver.sent()).toEqual([]);
    store.isFailing = false;
    driver.run();
    expect(driver.sentTypes()).toHaveLength(1);
  });

  it('is not asked again and again while the ring is full', () => {
    const store = new MemoryStore();
    const driver = new SessionDriver({ store, transmitBytes: 64 }).connected();
    driver.drain(0);
    for (let i = 0; i < 5; i++) driver.publish('t', 'x'.repeat(20), 1);
    const { operations } = store;
    for (let i = 0; i < 100; i++) driver.run();
    expect(store.operations).toBe(operations);
    driver.drain();
    expect(driver.sent()).toHaveLength(5);
  });
});
