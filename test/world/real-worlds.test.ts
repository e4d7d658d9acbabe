/**
 * What worlds in real time are made of, as far as it needs no socket: the schedule is that of the world on virtual time, the
 * store tears where the power goes, and who watches a broker's end knows what a death of the broker may have cost.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeObject, type PacketObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../src/packets/types.ts';
import { STORED_MESSAGE } from '../../src/session/store.ts';
import { FAULT_NAMES } from '../../sim/world/faults.ts';
import { PacketStream } from '../../sim/world/packet-stream.ts';
import { SimRandom } from '../../sim/world/random.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import { drawEveryKind, drawSchedule, PLAYABLE, scaledFault } from '../../sim/world/real/scale.ts';
import { RealStore } from '../../sim/world/real/real-store.ts';
import { SessionObserver } from '../../sim/world/real/session-observer.ts';
import { DURATION_MS_DEFAULT, runWorld } from '../../sim/world/world.ts';

describe('the schedule', () => {
  it('is the one that the seed draws on virtual time', async () => {
    for (const seed of [1, 4_000_000_000]) {
      const { faults } = await runWorld({ seed, devices: 3, durationMs: 600_000 });
      expect(faults.length).toBeGreaterThan(0);
      expect(drawSchedule(seed, 3, 600_000, FAULT_NAMES)).toEqual(faults);
    }
  });

  it('has every kind that can be played where that is asked for', () => {
    const faults = drawEveryKind(1, 5, DURATION_MS_DEFAULT, PLAYABLE);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(PLAYABLE));
    expect(PLAYABLE).not.toContain('slow-disk');
  });

  it('is played by one factor, and nothing is too short for real timers', () => {
    const fault = { atMs: 110_000, kind: 'stall', device: 0, ms: 60_000 } as const;
    expect(scaledFault(fault, 100)).toEqual({ atMs: 1000, ms: 600 });
    expect(scaledFault({ ...fault, ms: 5 }, 100).ms).toBe(20);
    expect(scaledFault({ ...fault, ms: 0 }, 100).ms).toBe(0);
  });
});

describe('a store in a file', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'motemq-real-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (store: RealStore, number: number): boolean =>
    store.put(STORED_MESSAGE, number, new Uint8Array(30).fill(number), 0, 30);
  const numbersIn = (store: RealStore): number[] => {
    const numbers: number[] = [];
    store.each((_kind, number, bytes) => {
      expect(bytes).toEqual(new Uint8Array(30).fill(number));
      numbers.push(number);
    });
    return numbers;
  };

  it('has after a cut in a write what was kept before, and of the rest all or nothing', () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const store = new RealStore(join(folder, `${seed}.log`), new SimRandom(seed));
      store.revive();
      store.cutAfter(2);
      expect([put(store, 1), put(store, 2)]).toEqual([true, true]);
      expect(() => put(store, 3)).toThrow(PowerLost);
      store.revive();
      const numbers = numbersIn(store);
      expect([1, 2, 3].slice(0, numbers.length)).toEqual(numbers);
      lengths.add(numbers.length);
      // It goes on from there.
      expect(put(store, 4)).toBe(true);
      store.close();
    }
    expect(lengths).toEqual(new Set([2, 3]));
  });

  it('refuses while it fails, and takes more when that is over', () => {
    const store = new RealStore(join(folder, 'store.log'), new SimRandom(1));
    store.revive();
    put(store, 1);
    store.setFailing(true);
    expect(put(store, 2)).toBe(false);
    store.setFailing(false);
    expect(put(store, 3)).toBe(true);
    store.revive();
    expect(numbersIn(store)).toEqual([1, 3]);
    store.close();
  });
});

/** A client's connections to a broker, played, and what the observer says of them. */
class ObservedClient {
  nowMs = 0;
  readonly reports: string[] = [];
  readonly swallowed: string[] = [];
  sessionsOver = 0;
  readonly observer = new SessionObserver('d0', ['cmd/d0/#'], {
    report: (rule) => this.reports.push(rule),
    nowMs: () => this.nowMs,
    note: () => {},
    touch: () => {},
    handleSessionOver: () => this.sessionsOver++,
    handleSwallowed: (name) => this.swallowed.push(name),
  });

  send(packet: PacketObject): void {
    const stream = new PacketStream(FROM_CLIENT);
    const bytes = encodeObject(packet, { protocolVersion: 5 });
    stream.take(bytes, (one, whole) => this.observer.handleSent(one, whole));
  }

  receive(packet: PacketObject): void {
    const stream = new PacketStream(FROM_SERVER);
    const bytes = encodeObject(packet, { protocolVersion: 5 });
    stream.take(bytes, (one, whole) => this.observer.handleReceived(one, whole));
  }

  connect(sessionPresent: boolean): void {
    this.observer.begin();
    const properties = { sessionExpiryInterval: 4_294_967_295 };
    this.send({
      type: 'CONNECT',
      clientId: 'd0',
      protocolVersion: 5,
      cleanStart: false,
      keepAlive: 0,
      properties,
    });
    this.receive({ type: 'CONNACK', reasonCode: 0, sessionPresent });
  }

  subscribe(): void {
    this.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'cmd/d0/#', qos: 2 }] });
    this.receive({ type: 'SUBACK', packetId: 1, reasonCodes: [2] });
  }

  /** A QoS 2 message that is answered, and not released. */
  half(packetId: number, name: string): void {
    const payload = Buffer.from(`${name} `).toString('hex');
    this.receive({ type: 'PUBLISH', packetId, qos: 2, topicName: 'cmd/d0/1', payload });
    this.send({ type: 'PUBREC', packetId });
  }
}

describe('who watches the broker of a real world', () => {
  it('says when a session that must be there is not [MQTT-3.1.2-5]', () => {
    const client = new ObservedClient();
    client.connect(false);
    client.connect(true);
    expect(client.reports).toEqual([]);
    client.connect(false);
    expect(client.reports).toEqual(['session-lost']);
    expect(client.sessionsOver).toBe(1);
  });

  it('says when there is a session that cannot be [MQTT-3.2.2-3]', () => {
    const client = new ObservedClient();
    client.connect(false);
    client.observer.handleCrash(-1);
    client.connect(true);
    expect(client.reports).toEqual(['session-kept']);
  });

  it('expects of a broker that died what it had saved, and no more', () => {
    const client = new ObservedClient();
    client.connect(false);
    client.subscribe();
    client.nowMs = 100;
    client.observer.handleCrash(50);
    expect(client.observer.hasSubscription('cmd/d0/1')).toBe(true);
    expect(client.observer.isDoubtful).toBe(false);
    client.observer.handleCrash(0);
    expect(client.observer.hasSubscription('cmd/d0/1')).toBe(false);
    expect(client.observer.isDoubtful).toBe(true);
    client.connect(false);
    expect(client.reports).toEqual([]);
  });

  it('says when an identifier in use is used for another message [MQTT-2.2.1-4], unless the broker forgot that', () => {
    const client = new ObservedClient();
    client.connect(false);
    client.nowMs = 100;
    client.half(7, 'collector.1');
    client.half(7, 'collector.2');
    expect([client.reports, client.swallowed]).toEqual([['packet-id'], []]);
    client.observer.handleCrash(50);
    client.half(7, 'collector.3');
    expect([client.reports, client.swallowed]).toEqual([['packet-id'], ['collector.3']]);
  });
});
