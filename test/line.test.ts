/**
 * A line on a played board: its one timer, its small window, and what its owner may do from within what it is told.
 */
import { describe, expect, it } from 'vitest';
import { Line } from '../src/line.ts';
import type { LineOptions, LineOwner } from '../src/line.ts';
import * as events from '../src/session/event.ts';
import type { SessionEvent } from '../src/session/event.ts';
import { STORED_MESSAGE } from '../src/session/store.ts';
import { CLOSED, NO_SPACE, OK } from '../src/status.ts';
import { decodeUtf8 } from '../src/wire/utf8.ts';
import { PlayedBoard, bytesOf, message } from './support/played-board.ts';

const NAMES = new Map<number, string>(
  Object.entries(events)
    .filter(([name]) => name.startsWith('EVENT_'))
    .map(([name, value]) => [value as number, name.slice(6)]),
);

class Bench implements LineOwner {
  readonly board = new PlayedBoard();
  readonly line: Line;
  /** Events by name, a message with its payload. */
  readonly diary: string[] = [];
  idles = 0;
  onEvent: ((event: SessionEvent) => void) | undefined;
  onIdle: ((nowMs: number) => void) | undefined;

  constructor(options: Partial<LineOptions> = {}, receiveBytes = 128) {
    this.line = new Line(
      this.board,
      {
        clientId: 'c',
        ...options,
        buffers: {
          receive: new Uint8Array(receiveBytes),
          transmit: new Uint8Array(128),
          outbox: new Uint8Array(256),
          subscriptions: new Uint8Array(64),
        },
      },
      this,
    );
  }

  connected(): this {
    this.line.connect();
    this.board.accept();
    expect(this.take()).toEqual(['CONNECTED']);
    return this;
  }

  publish(payload: string, qos = 0): number {
    const bytes = bytesOf(payload);
    const nowMs = this.board.nowMs();
    return this.line.session.publishTo(bytesOf('t'), bytes, bytes.length, qos, 0, null, nowMs);
  }

  take(): string[] {
    return this.diary.splice(0);
  }

  handleEvent(event: SessionEvent): void {
    const { payloadOffset: at, payloadByteLength } = event;
    const payload =
      event.kind === events.EVENT_MESSAGE ? ` ${decodeUtf8(event.bytes, at, at + payloadByteLength)}` : '';
    this.diary.push(`${NAMES.get(event.kind)!}${payload}`);
    this.onEvent?.(event);
  }

  handleIdle(nowMs: number): void {
    this.idles++;
    this.onIdle?.(nowMs);
  }
}

describe('options', () => {
  it('are not changed', () => {
    const board = new PlayedBoard();
    const options = Object.freeze({
      buffers: {
        receive: new Uint8Array(64),
        transmit: new Uint8Array(64),
        outbox: new Uint8Array(0),
        subscriptions: new Uint8Array(0),
      },
    });
    const line = new Line(board, options, new Bench());
    expect(line.session.state.random).toBe(board.random);
  });

  it('may have a random of their own', () => {
    const random = (): number => 7;
    expect(new Bench({ random }).line.session.state.random).toBe(random);
  });
});

describe('messages', () => {
  it('larger together than the window come one after the other', () => {
    const bench = new Bench().connected();
    const payloads = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(60));
    bench.board.send(...payloads.map((payload) => message(payload)));
    expect(bench.diary).toEqual(payloads.map((payload) => `MESSAGE ${payload}`));
    expect(bench.board.unread).toBe(0);
  });

  it('stay with the transport while the line is paused', () => {
    const bench = new Bench().connected();
    bench.line.pause();
    bench.board.send(...['a', 'b', 'c'].map((letter) => message(letter.repeat(60))));
    expect(bench.diary).toEqual([]);
    expect(bench.board.unread).toBeGreaterThan(0);
    bench.line.resume(bench.board.nowMs());
    expect(bench.diary).toHaveLength(3);
    expect(bench.board.unread).toBe(0);
  });

  it('that came before the end are told before it', () => {
    const bench = new Bench().connected();
    bench.board.arrive(message('a'.repeat(60)), message('b'.repeat(60)), message('c'.repeat(60)));
    bench.board.lost();
    expect(bench.diary.map((line) => line.slice(0, 9))).toEqual([
      'MESSAGE a',
      'MESSAGE b',
      'MESSAGE c',
      'DISCONNEC',
    ]);
  });

  it('are acknowledged and answered from within their events', () => {
    const bench = new Bench().connected();
    bench.onEvent = (event) => {
      if (event.kind === events.EVENT_MESSAGE) {
        bench.publish('answer');
        bench.line.run(bench.board.nowMs());
      }
    };
    bench.board.send(message('a', 1));
    expect(bench.board.sentTypes().sort()).toEqual(['PUBACK', 'PUBLISH']);
  });
});

describe('idle', () => {
  it('is told after events, and again when what it does makes the line run, never from within itself', () => {
    const bench = new Bench();
    let depth = 0;
    let toDo = 3;
    bench.onIdle = (nowMs) => {
      expect(++depth).toBe(1);
      if (bench.line.session.isConnected() && toDo-- > 0) {
        bench.publish(`${toDo}`);
        bench.line.run(nowMs);
      }
      depth--;
    };
    bench.connected();
    expect(bench.board.sentTypes()).toEqual(['PUBLISH', 'PUBLISH', 'PUBLISH']);
    expect(bench.idles).toBe(6); // connect, opened, CONNACK, and once more for each
  });

  it('is told again after what it threw', () => {
    const bench = new Bench();
    bench.onIdle = () => {
      throw new Error('mine');
    };
    expect(() => bench.line.connect()).toThrow('mine');
    bench.onIdle = undefined;
    bench.board.accept();
    expect(bench.idles).toBe(3);
  });

  it('is told when there is room again', () => {
    const bench = new Bench().connected();
    bench.board.writable = 0;
    while (bench.publish('x'.repeat(20)) !== NO_SPACE) bench.line.run(bench.board.nowMs());
    bench.idles = 0;
    bench.board.drained();
    expect(bench.idles).toBe(1);
    expect(bench.publish('x'.repeat(20))).not.toBe(NO_SPACE);
  });
});

describe('the timer', () => {
  it('is one, and is not set anew for every packet', () => {
    const bench = new Bench({ keepAliveSeconds: 10 }).connected();
    const { board } = bench;
    expect(board.clock.left).toEqual([10_000]); // it was the time-out of CONNACK, and would go off as early as that
    const { setCount } = board.clock;
    for (let second = 0; second < 15; second++) {
      board.clock.advance(1000);
      bench.publish('x');
      bench.line.run(board.nowMs());
      expect(board.clock.left).toHaveLength(1);
    }
    expect(board.sentTypes()).not.toContain('PINGREQ');
    expect(board.clock.setCount - setCount).toBe(1);
  });

  it('pings, and finds a dead connection [MQTT-3.1.2-20], [MQTT-3.1.2-22]', () => {
    const bench = new Bench({ keepAliveSeconds: 60 }).connected();
    const { board } = bench;
    board.clock.advance(60_000);
    expect(board.sentTypes()).toEqual(['PINGREQ']);
    board.send({ type: 'PINGRESP' });
    board.clock.advance(60_000);
    expect(board.sentTypes()).toEqual(['PINGREQ']);
    board.clock.advance(20_000);
    expect(bench.take()).toEqual(['DISCONNECTED']);
    expect(board.closings).toBe(1);
  });

  it('connects again, and stops when there is nothing to wait for', () => {
    const bench = new Bench({ keepAliveSeconds: 0 }).connected();
    const { board } = bench;
    board.clock.advance(100_000);
    expect(board.clock.left).toEqual([]);
    const error = new Error('reset');
    board.lost(error);
    expect(bench.take()).toEqual(['DISCONNECTED']);
    expect(bench.line.transportError).toBe(error);
    board.clock.advance(1000);
    expect(board.openings).toBe(2);
    board.accept();
    expect(bench.take()).toEqual(['CONNECTED']);
    expect(bench.line.transportError).toBeUndefined();
  });

  it('goes on after what an owner threw', () => {
    const bench = new Bench({ keepAliveSeconds: 60 }).connected();
    const { board } = bench;
    bench.onIdle = () => {
      throw new Error('mine');
    };
    expect(() => board.clock.advance(60_000)).toThrow('mine');
    bench.onIdle = undefined;
    board.clock.advance(10_000);
    expect(bench.take()).toEqual(['DISCONNECTED']);
    board.clock.advance(1000);
    expect(board.openings).toBe(2);
  });

  it('is set for what comes next when an owner throws at what is told', () => {
    const bench = new Bench({ keepAliveSeconds: 60 }).connected();
    const { board } = bench;
    board.clock.advance(60_000);
    bench.onEvent = () => {
      throw new Error('mine');
    };
    expect(() => board.clock.advance(10_000)).toThrow('mine');
    expect(board.clock.left).toEqual([500]);
  });

  it('never runs for longer than a board can', () => {
    const bench = new Bench({ reconnect: { firstMs: 1e12, maximumMs: 1e12 } }).connected();
    bench.board.lost();
    bench.board.clock.advance(10_000); // what is left of an earlier one
    expect(bench.board.clock.left).toEqual([0x7fffffff]);
    bench.board.clock.advance(0x7fffffff);
    expect(bench.board.clock.left).toEqual([0x7fffffff]);
    expect(bench.board.openings).toBe(1);
  });
});

describe('the network', () => {
  it('is gone: the connection is given up at once, what came before is told', () => {
    const bench = new Bench().connected();
    const { board } = bench;
    board.arrive(message('last'));
    const error = new Error('no Wi-Fi');
    let told: unknown;
    bench.onEvent = (event) => {
      if (event.kind === events.EVENT_DISCONNECTED) {
        told = bench.line.transportError;
        expect(event).toMatchObject({ cause: events.CAUSE_TRANSPORT, reconnectInMs: 500 });
      }
    };
    bench.line.drop(error);
    expect(bench.take()).toEqual(['MESSAGE last', 'DISCONNECTED']);
    expect(told).toBe(error);
    expect(board.closings).toBe(1);
    board.clock.advance(500);
    expect(board.openings).toBe(2);
  });

  it('is gone while the connection is being made', () => {
    const bench = new Bench();
    bench.line.connect();
    bench.line.drop(undefined);
    expect(bench.take()).toEqual(['DISCONNECTED']);
    expect(bench.board.closings).toBe(1);
  });

  it('is back: the line connects at once, and has patience anew', () => {
    const bench = new Bench().connected();
    const { board } = bench;
    bench.line.drop(undefined);
    for (let attempt = 0; attempt < 10; attempt++) {
      board.clock.advance(60_000);
      board.lost();
    }
    const { openings } = board;
    expect(board.clock.left[0]).toBeGreaterThan(10_000);
    bench.line.retry();
    expect(board.openings).toBe(openings + 1);
    board.lost();
    expect(board.clock.left).toEqual([500]);
  });

  it.each([
    ['is connected', (bench: Bench) => bench.connected()],
    ['is connecting', (bench: Bench) => bench.line.connect()],
    ['was never asked to connect', () => undefined],
    ['has said goodbye', (bench: Bench) => bench.connected().line.session.disconnect(0, -1, 0)],
    ['is closed', (bench: Bench) => bench.connected().line.close()],
  ])('is back: a line that %s does nothing', (_, happens) => {
    const bench = new Bench();
    happens(bench);
    bench.line.run(bench.board.nowMs());
    const { openings, closings } = bench.board;
    bench.take();
    bench.line.retry();
    expect(bench.board).toMatchObject({ openings, closings });
    expect(bench.take()).toEqual([]);
  });
});

describe('closing', () => {
  it('ends everything without a word', () => {
    const bench = new Bench().connected();
    bench.line.close();
    expect(bench.board.sentTypes()).toEqual([]);
    expect(bench.board.closings).toBe(1);
    expect(bench.board.clock.left).toEqual([]);
    expect(bench.line.connect()).toBe(CLOSED);
    expect(bench.board.openings).toBe(1);
  });

  it('may be done from within an event', () => {
    const bench = new Bench().connected();
    bench.onEvent = () => bench.line.close();
    bench.board.send(message('a'), message('b'));
    expect(bench.diary[0]).toBe('MESSAGE a');
    expect(bench.diary).not.toContain('MESSAGE b');
    expect(bench.board.clock.left).toEqual([]);
  });
});

describe('restoring', () => {
  function storeOf(...payloads: string[]): { put(): boolean; remove(): boolean; each: any } {
    const records: Uint8Array[] = [];
    const kept = new Bench({
      store: {
        put: (_, __, bytes, at, byteLength) => records.push(bytes.slice(at, at + byteLength)) > 0,
        remove: () => true,
      },
    });
    for (const payload of payloads) expect(kept.publish(payload, 1)).toBeGreaterThan(0);
    return {
      put: () => true,
      remove: () => true,
      each: (visit: (kind: number, number: number, bytes: Uint8Array) => void) =>
        records.forEach((bytes, i) => visit(STORED_MESSAGE, i + 1, bytes)),
    };
  }

  it('takes up what a store holds', () => {
    const bench = new Bench();
    expect(bench.line.restore(storeOf('one', 'two'))).toBe(OK);
    bench.line.connect();
    bench.board.accept();
    expect(bench.board.sent()).toMatchObject([
      { type: 'PUBLISH', qos: 1 },
      { type: 'PUBLISH', qos: 1 },
    ]);
  });

  it('says when it does not fit', () => {
    const store = storeOf('x'.repeat(80), 'y'.repeat(80), 'short');
    const bench = new Bench();
    bench.publish('z'.repeat(80), 1);
    expect(bench.line.restore(store)).toBe(NO_SPACE);
  });
});
