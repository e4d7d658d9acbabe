/**
 * When reading pauses and when it must not, over servers that are played in virtual time.
 */
import { describe, expect, it } from 'vitest';
import { PAUSE_MS, ReadPacer } from '../../../targets/node/read-pacer.ts';

/** How long a read and what follows from it take here. */
const READ_MS = 0.01;

interface Heard {
  readonly packets: number;
  readonly reads: number;
}

/**
 * A server that has a packet ready every `intervalMs`, `window` of them at most before the client has read them, and a
 * client that reads whatever is there for `ms`.
 */
function play(intervalMs: number, window: number, packetBytes: number, ms: number, isPaced = true): Heard {
  const pacer = new ReadPacer(0);
  let nowMs = 0;
  let sentAtMs = 0; // when the last packet was ready
  let unread = 0;
  let packets = 0;
  let reads = 0;
  while (nowMs < ms) {
    while (unread < window && sentAtMs + intervalMs <= nowMs) {
      sentAtMs += intervalMs;
      unread++;
    }
    if (unread === 0) {
      nowMs = sentAtMs + intervalMs;
      continue;
    }
    const isHeldUp = unread === window;
    const byteLength = unread * packetBytes;
    packets += unread;
    reads++;
    unread = 0;
    nowMs += READ_MS;
    // A server that waited for the client goes on from now.
    if (isHeldUp) sentAtMs = nowMs;
    if (isPaced && pacer.handleRead(byteLength, nowMs)) nowMs += PAUSE_MS;
  }
  return { packets, reads };
}

describe('reading', () => {
  it('pauses while a server sends many packets one by one, and loses none of its speed', () => {
    const paced = play(0.02, Infinity, 100, 1000);
    const other = play(0.02, Infinity, 100, 1000, false);
    expect(paced.packets).toBeGreaterThan(other.packets * 0.99);
    expect(paced.reads).toBeLessThan(other.reads / 20);
  });

  it('does not pause for packets that come now and then', () => {
    expect(play(0.25, Infinity, 100, 1000)).toEqual(play(0.25, Infinity, 100, 1000, false));
  });

  it('does not pause for packets that are large', () => {
    expect(play(0.02, Infinity, 4096, 1000)).toEqual(play(0.02, Infinity, 4096, 1000, false));
  });

  it.each([1, 10, 20])('hardly slows down a server that waits after %i packets', (window) => {
    const paced = play(0.02, window, 100, 20_000);
    const other = play(0.02, window, 100, 20_000, false);
    expect(paced.packets).toBeGreaterThan(other.packets * 0.95);
  });

  it('goes on pausing after a while in which nothing came', () => {
    const pacer = new ReadPacer(0);
    let nowMs = 0;
    let pauses = 0;
    for (let burst = 0; burst < 5; burst++, nowMs += 1000) {
      for (let i = 0; i < 1000; i++) {
        nowMs += 0.02;
        if (!pacer.handleRead(100, nowMs)) continue;
        pauses++;
        nowMs += PAUSE_MS;
        i += PAUSE_MS / 0.02;
      }
    }
    expect(pauses).toBeGreaterThan(5);
  });
});
