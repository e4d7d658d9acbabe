/**
 * A Moddable device as a board: a clock that never goes back although the device's ticks turn over, timers of the length
 * the device has, random, and a line over its sockets.
 */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Line } from '../../../src/line.ts';
import type { LineOwner } from '../../../src/line.ts';
import { EVENT_CONNECTED, EVENT_DISCONNECTED, EVENT_MESSAGE } from '../../../src/session/event.ts';
import type { SessionEvent } from '../../../src/session/event.ts';
import { ModdableBoard } from '../../../targets/moddable/board.ts';
import { encodeObject } from '../../../src/packets/inspect.ts';
import { V5 } from '../../../src/packets/types.ts';
import { bytesOf, message } from '../../support/played-board.ts';
import { clock } from './played-clock.ts';
import { PlayedNetwork } from './played-network.ts';

vi.mock('timer', async () => (await import('./played-clock.ts')).timerModule);
vi.mock('time', async () => (await import('./played-clock.ts')).timeModule);

let network: PlayedNetwork;

beforeEach(() => {
  clock.reset();
  network = new PlayedNetwork();
});

function makeBoard(): ModdableBoard {
  return new ModdableBoard({
    host: 'broker',
    port: 1883,
    socket: { io: network.TCP },
    dns: { io: network.Resolver as never },
  });
}

describe('the clock', () => {
  it.each([
    ['zero', 0],
    ['a second before the ticks turn negative', 0x7fffffff - 1000],
    ['a second before they are back at zero', -1000],
  ])('begins at 0 and goes on from %s', (_, ticksAtStart) => {
    clock.ticksAtStart = ticksAtStart;
    const board = makeBoard();
    expect(board.nowMs()).toBe(0);
    for (let second = 1; second <= 5; second++) {
      clock.advance(1000);
      expect(board.nowMs()).toBe(second * 1000);
    }
  });

  it('counts beyond what the ticks can', () => {
    const board = makeBoard();
    for (let day = 0; day < 100; day++) {
      clock.advance(86_400_000);
      board.nowMs();
    }
    expect(board.nowMs()).toBe(8_640_000_000);
  });

  it('stands still while the date is set back, where ticks are the date', () => {
    clock.ticksAtStart = 1_700_000_000_000;
    const board = makeBoard();
    clock.advance(5000);
    expect(board.nowMs()).toBe(5000);
    clock.ticksAtStart -= 3600_000;
    expect(board.nowMs()).toBe(5000);
    clock.advance(10);
    expect(board.nowMs()).toBe(5010);
  });
});

describe('timers', () => {
  it('go off, or are cleared', () => {
    const board = makeBoard();
    const calls: string[] = [];
    const first = board.setTimer(() => calls.push('first'), 10);
    board.setTimer(() => calls.push('second'), 19.2);
    board.clearTimer(first);
    clock.advance(19);
    expect(calls).toEqual([]);
    clock.advance(1);
    expect(calls).toEqual(['second']);
    board.clearTimer(first);
    board.clearTimer(undefined);
  });

  it('go off early rather than miss a turn of the ticks', () => {
    makeBoard().setTimer(() => undefined, 0x7fffffff);
    expect(clock.left[0]).toBeLessThan(2 ** 31 / 2);
  });
});

describe('random', () => {
  it('gives integers of 32 bits, all of the range', () => {
    const { random } = makeBoard();
    const values = Array.from({ length: 1000 }, () => random());
    expect(values.every((value) => value === value >>> 0)).toBe(true);
    expect(Math.max(...values)).toBeGreaterThan(0xf0000000);
    expect(Math.min(...values)).toBeLessThan(0x10000000);
  });

  it('differs between devices whose Math.random says the same', () => {
    const said = vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const first = makeBoard().random();
    clock.advance(1);
    const second = makeBoard().random();
    said.mockRestore();
    expect(first).not.toBe(second);
  });
});

describe('a line', () => {
  const diary: string[] = [];
  const owner: LineOwner = {
    handleEvent: ({ kind, payloadByteLength }: SessionEvent) => {
      if (kind === EVENT_CONNECTED) diary.push('connected');
      if (kind === EVENT_DISCONNECTED) diary.push('disconnected');
      if (kind === EVENT_MESSAGE) diary.push(`message of ${payloadByteLength}`);
    },
    handleIdle: () => undefined,
  };

  function connected(receiveBytes = 128): { line: Line; board: ModdableBoard } {
    diary.length = 0;
    const board = makeBoard();
    const line = new Line(
      board,
      {
        clientId: 'c',
        buffers: {
          receive: new Uint8Array(receiveBytes),
          transmit: new Uint8Array(128),
          outbox: new Uint8Array(256),
          subscriptions: new Uint8Array(64),
        },
      },
      owner,
    );
    line.connect();
    network.run();
    expect(network.socket.arrived[0]).toBe(0x10); // CONNECT
    network.socket.arrived.length = 0;
    network.socket.send([0x20, 3, 0, 0, 0]);
    network.run();
    expect(diary.splice(0)).toEqual(['connected']);
    return { line, board };
  }

  function packets(...payloads: string[]): number[] {
    return payloads.flatMap((payload) => [...encodeObject(message(payload), { protocolVersion: V5 })]);
  }

  it('receives more than its window holds, and keeps alive', () => {
    connected();
    const { socket } = network;
    socket.send(packets('a'.repeat(60), 'b'.repeat(60), 'c'.repeat(300)));
    network.run();
    expect(diary.slice(0, 2)).toEqual(['message of 60', 'message of 60']);
    expect(socket.unread).toBe(0);
    clock.advance(60_000);
    network.run();
    expect(socket.arrived).toEqual([0xc0, 0]);
  });

  it('reads nothing while it is paused, and everything after', () => {
    const { line, board } = connected();
    const { socket } = network;
    line.pause();
    socket.send(packets(...Array.from({ length: 10 }, () => 'x'.repeat(60))));
    socket.end();
    network.run();
    expect(diary).toEqual([]);
    expect(socket.unread).toBeGreaterThan(400);
    line.resume(board.nowMs());
    network.run();
    clock.advance(0);
    expect(diary).toEqual([...Array.from({ length: 10 }, () => 'message of 60'), 'disconnected']);
  });

  it('publishes more than the socket takes, in order', () => {
    network.sendBytes = 40;
    const { line, board } = connected();
    const { socket } = network;
    const topic = line.session.createTopic('t');
    let sent = 0;
    for (let round = 0; round < 10; round++) {
      while (sent < 20 && line.session.publish(topic, Uint8Array.of(sent), 1, 0, 0, null, board.nowMs()) >= 0)
        sent++;
      line.run(board.nowMs());
      network.run();
    }
    expect(sent).toBe(20);
    const payloads = socket.arrived.filter((_, i) => i % 7 === 6); // 30 05 00 01 74 00 xx
    expect(payloads).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('says goodbye although the server still talks', () => {
    const { line, board } = connected();
    const { socket } = network;
    line.pause();
    socket.send(packets('unread', 'x'.repeat(200)));
    network.run();
    network.isHeld = true;
    line.session.disconnect(0, -1, board.nowMs());
    line.run(board.nowMs());
    network.release();
    expect(socket).toMatchObject({ isClosed: true, isReset: false, arrived: [0xe0, 0] });
  });

  it('is connected anew after the connection broke, with what it could not say', () => {
    const { line, board } = connected();
    const payload = bytesOf('kept');
    network.socket.end();
    network.run();
    expect(diary.splice(0)).toEqual(['disconnected']);
    const topic = line.session.createTopic('t');
    expect(line.session.publish(topic, payload, 4, 1, 0, null, board.nowMs())).toBeGreaterThan(0);
    clock.advance(1000);
    network.run();
    expect(network.sockets).toHaveLength(2);
    network.socket.send([0x20, 3, 0, 0, 0]);
    network.run();
    expect(diary).toEqual(['connected']);
    expect(network.socket.arrived.join()).toContain([...payload].join());
  });

  it('goes on trying while there is no server', () => {
    connected();
    network.isRefusing = true;
    network.socket.end();
    network.run();
    for (let second = 0; second < 60; second++) {
      clock.advance(1000);
      network.run();
    }
    expect(network.sockets.length).toBeGreaterThan(4);
    expect(network.sockets.every(({ isClosed }) => isClosed)).toBe(true);
  });
});
