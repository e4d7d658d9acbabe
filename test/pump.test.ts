/**
 * The pump between a session and a transport that does what the test says: who is called when, and that nothing goes
 * wrong when everybody calls everybody from within everything.
 */
import { describe, expect, it } from 'vitest';
import { encodeObject, decodeObjects } from '../src/packets/inspect.ts';
import type { PacketObject } from '../src/packets/inspect.ts';
import { FROM_CLIENT, V5 } from '../src/packets/types.ts';
import { Pump } from '../src/pump.ts';
import type { EventSink, Transport } from '../src/pump.ts';
import { EVENT_CONNECTED, EVENT_DISCONNECTED, EVENT_MESSAGE, EVENT_PUBLISHED } from '../src/session/event.ts';
import type { SessionEvent } from '../src/session/event.ts';
import type { SessionOptions } from '../src/session/options.ts';
import { Session } from '../src/session/session.ts';
import type { Ring } from '../src/wire/ring.ts';
import { bytesOf, hexOf } from './support/session-driver.ts';

const KINDS = new Map([
  [EVENT_CONNECTED, 'CONNECTED'],
  [EVENT_DISCONNECTED, 'DISCONNECTED'],
  [EVENT_MESSAGE, 'MESSAGE'],
  [EVENT_PUBLISHED, 'PUBLISHED'],
]);

/** A pump with a transport and a sink that keep a common diary. */
class Bench implements Transport, EventSink {
  readonly session: Session;
  readonly pump: Pump;
  /** `open`, `write 12`, `close`, `event CONNECTED`, in order. */
  readonly diary: string[] = [];
  /** Bytes the transport takes at a time. */
  chunk = Infinity;
  /** Bytes the transport takes before it is congested. */
  writable = Infinity;
  deadlineMs = Infinity;
  nowMs = 1000;
  onEvent: ((event: SessionEvent) => void) | undefined;
  private wire: number[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = new Session({
      clientId: 'c',
      random: () => 0,
      ...options,
      buffers: {
        receive: new Uint8Array(256),
        transmit: new Uint8Array(128),
        outbox: new Uint8Array(1024),
        subscriptions: new Uint8Array(256),
      },
    });
    this.pump = new Pump(this.session, this, this);
  }

  open(): void {
    this.diary.push('open');
  }

  write(ring: Ring): void {
    const count = Math.min(ring.byteLength(), this.chunk, this.writable);
    for (let i = 0; i < count; i++) this.wire.push(ring.bytes[ring.start + i]);
    ring.consume(count);
    this.writable -= count;
    if (count > 0) this.diary.push(`write ${count}`);
  }

  close(): void {
    this.diary.push('close');
  }

  handleEvent(event: SessionEvent): void {
    this.diary.push(`event ${KINDS.get(event.kind) ?? event.kind}`);
    this.onEvent?.(event);
  }

  handleDeadline(atMs: number): void {
    expect(atMs).not.toBe(this.deadlineMs);
    this.deadlineMs = atMs;
  }

  // What happens.

  connected(): this {
    this.session.connect(this.nowMs);
    this.pump.run(this.nowMs);
    this.pump.handleOpened(this.nowMs);
    this.receive({ type: 'CONNACK' });
    this.diary.length = 0;
    this.sent();
    return this;
  }

  /** Bytes come into the window without anybody being told. */
  arrive(...packets: PacketObject[]): void {
    const ring = this.session.receive;
    for (const packet of packets) {
      const bytes = encodeObject(packet, { protocolVersion: V5 });
      if (!ring.reserve(bytes.length)) throw new Error('the window is full');
      ring.bytes.set(bytes, ring.end);
      ring.end += bytes.length;
    }
  }

  receive(...packets: PacketObject[]): void {
    this.arrive(...packets);
    this.pump.run(this.nowMs);
  }

  publish(payload: string, qos = 0): number {
    const bytes = bytesOf(payload);
    return this.session.publishTo(bytesOf('t'), bytes, bytes.length, qos, 0, null, this.nowMs);
  }

  sent(): string[] {
    const bytes = Uint8Array.from(this.wire);
    const { packets, consumed, error } = decodeObjects(bytes, { protocolVersion: V5, sender: FROM_CLIENT });
    expect(error).toBeUndefined();
    this.wire = this.wire.slice(consumed);
    return packets.map(({ type }) => type);
  }
}

const message = (payload: string, qos = 0, packetId = 1): PacketObject => ({
  type: 'PUBLISH',
  topicName: 't',
  payload: hexOf(payload),
  qos,
  ...(qos > 0 ? { packetId } : {}),
});

describe('opening', () => {
  it('opens the transport, writes CONNECT once it is open, and sets the deadline [MQTT-3.1.0-1]', () => {
    const bench = new Bench();
    bench.session.connect(bench.nowMs);
    bench.pump.run(bench.nowMs);
    expect(bench.diary).toEqual(['open']);
    expect(bench.deadlineMs).toBe(11_000);
    bench.pump.handleOpened(bench.nowMs);
    expect(bench.sent()).toEqual(['CONNECT']);
    bench.receive({ type: 'CONNACK' });
    expect(bench.diary.at(-1)).toBe('event CONNECTED');
    expect(bench.deadlineMs).toBe(61_000);
  });

  it('that fails is told, and tried again when the deadline comes', () => {
    const bench = new Bench();
    bench.session.connect(bench.nowMs);
    bench.pump.run(bench.nowMs);
    bench.pump.handleClosed(bench.nowMs);
    expect(bench.diary).toEqual(['open', 'event DISCONNECTED']);
    expect(bench.deadlineMs).toBe(1500);
    bench.pump.handleTimeout(1500);
    expect(bench.diary.at(-1)).toBe('open');
  });

  it('that fails is told even while paused, once resumed; the next attempt does not wait for that', () => {
    const bench = new Bench();
    bench.session.connect(bench.nowMs);
    bench.pump.run(bench.nowMs);
    bench.pump.pause();
    bench.pump.handleClosed(bench.nowMs);
    expect(bench.deadlineMs).toBe(1500);
    bench.pump.resume(bench.nowMs);
    expect(bench.diary).toEqual(['open', 'event DISCONNECTED']);
  });
});

describe('writing', () => {
  it('goes on as the transport takes it, piece by piece', () => {
    const bench = new Bench().connected();
    bench.chunk = 7;
    for (let i = 0; i < 20; i++) bench.publish(`message ${i}`, i % 2);
    bench.pump.run(bench.nowMs);
    expect(bench.sent()).toEqual(Array(20).fill('PUBLISH'));
    expect(bench.diary.filter((line) => line.startsWith('write')).every((line) => line <= 'write 7')).toBe(
      true,
    );
  });

  it('stops while the transport is congested, and goes on when it is writable', () => {
    const bench = new Bench().connected();
    bench.writable = 10;
    for (let i = 0; i < 20; i++) bench.publish(`message ${i}`);
    bench.pump.run(bench.nowMs);
    expect(bench.sent().length).toBeLessThan(2);
    bench.writable = Infinity;
    bench.pump.run(bench.nowMs);
    bench.pump.run(bench.nowMs);
    expect(bench.sent().length).toBeGreaterThanOrEqual(19);
    expect(bench.session.isBusy()).toBe(false);
  });

  it('does not ask a transport that is gone', () => {
    const bench = new Bench().connected();
    bench.pump.handleClosed(bench.nowMs);
    bench.diary.length = 0;
    bench.publish('x', 1);
    bench.pump.run(bench.nowMs);
    expect(bench.diary).toEqual([]);
  });
});

describe('closing', () => {
  it('writes DISCONNECT before it closes, and tells the end after [MQTT-3.14.4-1]', () => {
    const bench = new Bench().connected();
    bench.publish('x');
    bench.session.disconnect(0, -1, bench.nowMs);
    bench.pump.run(bench.nowMs);
    expect(bench.sent()).toEqual(['PUBLISH', 'DISCONNECT']);
    expect(bench.diary.filter((line) => !line.startsWith('event'))).toEqual(['write 9', 'close']);
    expect(bench.diary).toContain('event DISCONNECTED');
    expect(bench.deadlineMs).toBe(Infinity);
  });

  it('writes the DISCONNECT for a violation before it closes', () => {
    const bench = new Bench().connected();
    bench.receive({ type: 'CONNACK' });
    expect(bench.sent()).toEqual(['DISCONNECT']);
    expect(bench.diary.slice(-2)).toEqual(['write 3', 'close']);
  });

  it('for good says nothing', () => {
    const bench = new Bench().connected();
    bench.publish('x');
    bench.session.close(bench.nowMs);
    bench.pump.run(bench.nowMs);
    expect(bench.sent()).toEqual([]);
    expect(bench.diary).toEqual(['event DISCONNECTED', 'close']);
    bench.pump.handleClosed(bench.nowMs);
    bench.pump.handleTimeout(bench.nowMs + 1e9);
    expect(bench.diary).toHaveLength(2);
  });

  it('by the other side tells first what it delivered before', () => {
    const bench = new Bench().connected();
    bench.arrive(message('a', 1, 1), message('b', 1, 2), { type: 'DISCONNECT', reasonCode: 0x8e });
    bench.pump.handleClosed(bench.nowMs);
    expect(bench.diary).toEqual(['event MESSAGE', 'event MESSAGE', 'event DISCONNECTED']);
    expect(bench.session.state.connection).toBe(0); // taken over: no other attempt
  });

  it('by the other side does so even if there is no room for answers any more', () => {
    const bench = new Bench().connected();
    bench.writable = 0;
    for (let i = 0; i < 20; i++) bench.publish(`message ${i}`);
    for (let i = 1; i <= 10; i++) bench.arrive(message('x', 1, i));
    bench.pump.run(bench.nowMs);
    bench.pump.handleClosed(bench.nowMs);
    expect(bench.diary.filter((line) => line === 'event MESSAGE')).toHaveLength(10);
    expect(bench.diary.at(-1)).toBe('event DISCONNECTED');
  });

  it('by the other side while paused waits for resume with what came before', () => {
    const bench = new Bench().connected();
    bench.pump.pause();
    bench.arrive(message('a'), message('b'));
    bench.pump.handleClosed(bench.nowMs);
    expect(bench.diary).toEqual([]);
    bench.pump.resume(bench.nowMs);
    expect(bench.diary).toEqual(['event MESSAGE', 'event MESSAGE', 'event DISCONNECTED']);
  });

  it('by the other side is of no interest once the session has given up by itself', () => {
    const bench = new Bench().connected();
    bench.pump.pause();
    bench.arrive(message('a'));
    bench.pump.handleClosed(bench.nowMs);
    bench.session.disconnect(0, -1, bench.nowMs);
    bench.session.connect(bench.nowMs);
    bench.pump.resume(bench.nowMs);
    expect(bench.diary).toEqual(['event DISCONNECTED', 'open']);
    bench.pump.handleOpened(bench.nowMs);
    bench.receive({ type: 'CONNACK' });
    expect(bench.diary.at(-1)).toBe('event CONNECTED');
  });
});

describe('pausing', () => {
  it('holds events back, from within an event too, and resumes where it was', () => {
    const bench = new Bench().connected();
    bench.onEvent = () => bench.pump.pause();
    bench.receive(message('a', 1, 1), message('b', 1, 2), message('c', 1, 3));
    expect(bench.diary.filter((line) => line === 'event MESSAGE')).toHaveLength(1);
    expect(bench.sent()).toEqual([]);
    bench.pump.resume(bench.nowMs);
    expect(bench.sent()).toEqual(['PUBACK']);
    bench.onEvent = undefined;
    bench.pump.resume(bench.nowMs);
    expect(bench.sent()).toEqual(['PUBACK', 'PUBACK']);
    expect(bench.diary.filter((line) => line === 'event MESSAGE')).toHaveLength(3);
  });

  it('and resuming within one event is as if nothing had been', () => {
    const bench = new Bench().connected();
    bench.onEvent = () => {
      bench.pump.pause();
      bench.pump.resume(bench.nowMs);
    };
    bench.receive(message('a'), message('b'));
    expect(bench.diary.filter((line) => line === 'event MESSAGE')).toHaveLength(2);
  });

  it('over the end of a connection and into the next loses nothing of the next', () => {
    const bench = new Bench().connected();
    bench.onEvent = () => bench.pump.pause();
    bench.receive({ type: 'DISCONNECT', reasonCode: 0x8b });
    bench.onEvent = undefined;
    expect(bench.diary.at(-1)).toBe('close');
    bench.pump.handleTimeout(bench.nowMs + 500);
    bench.pump.handleOpened(bench.nowMs + 500);
    bench.arrive({ type: 'CONNACK' });
    bench.pump.resume(bench.nowMs + 500);
    expect(bench.diary.at(-1)).toBe('event CONNECTED');
  });
});

describe('calls from within an event', () => {
  it('publish, and the pump run again: it goes out afterwards', () => {
    const bench = new Bench().connected();
    bench.onEvent = (event) => {
      if (event.kind !== EVENT_MESSAGE) return;
      bench.publish('answer', 1);
      bench.pump.run(bench.nowMs);
    };
    bench.receive(message('a', 1, 1), message('b', 1, 2));
    expect(bench.sent().sort()).toEqual(['PUBACK', 'PUBACK', 'PUBLISH', 'PUBLISH']);
  });

  it('disconnect and close', () => {
    for (const verb of ['disconnect', 'close'] as const) {
      const bench = new Bench().connected();
      bench.onEvent = (event) => {
        if (event.kind !== EVENT_MESSAGE) return;
        if (verb === 'close') bench.session.close(bench.nowMs);
        else bench.session.disconnect(0, -1, bench.nowMs);
        bench.pump.run(bench.nowMs);
      };
      bench.receive(message('a', 1, 1), message('b', 1, 2));
      expect(bench.sent()).toEqual(verb === 'close' ? [] : ['DISCONNECT']);
      expect(bench.diary.filter((line) => !line.startsWith('write'))).toEqual([
        'event MESSAGE',
        'event DISCONNECTED',
        'close',
      ]);
    }
  });

  it('connect, when the end is told', () => {
    const bench = new Bench().connected();
    bench.onEvent = (event) => {
      if (event.kind === EVENT_DISCONNECTED) bench.session.connect(bench.nowMs);
    };
    bench.receive({ type: 'DISCONNECT', reasonCode: 0x8b });
    expect(bench.diary).toEqual(['event DISCONNECTED', 'close', 'open']);
    bench.pump.handleOpened(bench.nowMs);
    expect(bench.sent()).toEqual(['CONNECT']);
  });

  it('handleClosed, for a transport that notices while it is told', () => {
    const bench = new Bench().connected();
    bench.onEvent = (event) => {
      if (event.kind === EVENT_MESSAGE) bench.pump.handleClosed(bench.nowMs);
    };
    bench.receive(message('a', 1, 1), message('b', 1, 2));
    expect(bench.diary.filter((line) => line.startsWith('event'))).toEqual([
      'event MESSAGE',
      'event MESSAGE',
      'event DISCONNECTED',
    ]);
    expect(bench.deadlineMs).toBe(1500);
  });

  it('that throw leave the pump able to go on', () => {
    const bench = new Bench().connected();
    bench.onEvent = () => {
      throw new Error('mine');
    };
    expect(() => bench.receive(message('a', 1, 1), message('b', 1, 2))).toThrow('mine');
    bench.onEvent = undefined;
    bench.pump.run(bench.nowMs);
    expect(bench.sent()).toEqual(['PUBACK', 'PUBACK']);
  });
});

describe('a slow transport', () => {
  it('gets all of a long exchange through, and every message is told once', () => {
    const bench = new Bench().connected();
    bench.chunk = 3;
    let told = 0;
    bench.onEvent = (event) => {
      if (event.kind === EVENT_PUBLISHED) told++;
    };
    for (let i = 0; i < 200; i++) {
      expect(bench.publish(`m${i}`, 1)).toBeGreaterThan(0);
      bench.pump.run(bench.nowMs);
      bench.receive({ type: 'PUBACK', packetId: i + 1 });
    }
    expect(told).toBe(200);
    expect(bench.session.isBusy()).toBe(false);
  });
});
