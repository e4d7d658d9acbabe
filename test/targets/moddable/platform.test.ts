/**
 * A board as a platform for the promise client: received bytes are handed over, not asked for, and never while nobody
 * wants them.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { ClientTransport, TransportReceiver } from '../../../src/client/platform.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { BoardPlatform } from '../../../targets/moddable/platform.ts';
import { PlayedBoard, message } from '../../support/played-board.ts';

const READ_BYTES = 64;

let board: PlayedBoard;
let platform: BoardPlatform;
let transport: ClientTransport;
let diary: unknown[];
let onBytes: (() => void) | undefined;

beforeEach(() => {
  board = new PlayedBoard();
  platform = new BoardPlatform(board, READ_BYTES);
  diary = [];
  onBytes = undefined;
  const receiver: TransportReceiver = {
    handleOpened: () => diary.push('opened'),
    handleBytes: (bytes, at, end) => {
      diary.push(end - at);
      expect(bytes.length).toBe(READ_BYTES);
      onBytes?.();
    },
    handleWritable: () => diary.push('writable'),
    handleClosed: (error) => diary.push(['closed', error]),
  };
  transport = platform.createTransport(receiver);
  transport.open();
  board.opened();
  expect(diary.splice(0)).toEqual(['opened']);
});

describe('a transport', () => {
  it('hands over what came, in pieces', () => {
    board.send(message('x'.repeat(150)));
    expect(diary).toEqual([64, 64, 29]);
    expect(transport.bytesIn).toBe(157);
  });

  it('hands over nothing while it is paused, and everything after, but not from within', () => {
    transport.pauseReading();
    board.send(message('x'.repeat(150)));
    expect(diary).toEqual([]);
    transport.resumeReading();
    transport.resumeReading();
    expect(diary).toEqual([]);
    board.clock.advance(0);
    expect(diary).toEqual([64, 64, 29]);
    expect(board.clock.left).toEqual([]);
  });

  it('stops as soon as it is paused', () => {
    onBytes = () => transport.pauseReading();
    board.send(message('x'.repeat(150)));
    expect(diary).toEqual([64]);
    onBytes = undefined;
    transport.resumeReading();
    transport.pauseReading();
    board.clock.advance(0);
    expect(diary).toEqual([64]);
    expect(board.unread).toBe(93);
  });

  it.each([
    ['is closed', () => transport.close()],
    ['has failed', () => board.lost()],
    [
      'is opened anew',
      () => {
        transport.close();
        transport.open();
      },
    ],
  ])('hands over nothing that was held up when it %s', (_, happens) => {
    transport.pauseReading();
    board.send(message('x'));
    transport.resumeReading();
    happens();
    diary.length = 0;
    board.clock.advance(1000);
    expect(diary).toEqual([]);
  });

  it('is not paused any more when it is opened anew', () => {
    transport.pauseReading();
    transport.close();
    transport.open();
    board.opened();
    diary.length = 0;
    board.send(message('x'));
    expect(diary).toHaveLength(1);
  });

  it('counts what it was given', () => {
    const ring = new Ring(new Uint8Array(16));
    ring.end = 10;
    board.writable = 7;
    transport.write(ring);
    expect(transport.bytesOut).toBe(7);
    board.drained();
    transport.write(ring);
    expect(transport.bytesOut).toBe(10);
    expect(diary).toEqual(['writable']);
  });

  it.each([
    ['nothing for a plain end', undefined, undefined],
    ['an error as it is', new TypeError('x'), new TypeError('x')],
    ['an error for whatever else', 'x', new Error('the socket failed')],
  ])('tells %s', (_, error, told) => {
    board.lost(error);
    expect(diary).toEqual([['closed', told]]);
  });
});

describe('the end of a turn', () => {
  it('comes once, for everybody who wants it', async () => {
    const flushed: string[] = [];
    const deferred = (name: string) => ({ flush: () => void flushed.push(name) });
    platform.defer(deferred('a'));
    platform.defer(deferred('b'));
    expect(flushed).toEqual([]);
    await Promise.resolve();
    expect(flushed).toEqual(['a', 'b']);
    await Promise.resolve();
    expect(flushed).toEqual(['a', 'b']);
  });

  it('comes again for who asks at it', async () => {
    let flushes = 0;
    const deferred = {
      flush: () => {
        if (++flushes < 3) platform.defer(deferred);
      },
    };
    platform.defer(deferred);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    expect(flushes).toBe(3);
  });
});

it('is the board in everything else', () => {
  board.clock.advance(123);
  expect(platform.nowMs()).toBe(123);
  expect(platform.random).toBe(board.random);
  const timer = platform.setTimer(() => diary.push('timer'), 5);
  platform.setTimer(() => diary.push('late'), 5);
  platform.clearTimer(timer);
  board.clock.advance(5);
  expect(diary).toEqual(['late']);
});
