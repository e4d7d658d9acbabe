/**
 * What wrong credentials cost an address, on a clock of our own.
 */
import { describe, expect, it } from 'vitest';
import { AttemptLimiter, networkOf } from '../../../sim/broker/access/attempt-limiter.ts';

const ADDRESS = '192.0.2.1';
const START_MS = 1_700_000_000_000;

/** Fails so often at once. */
function fail(limiter: AttemptLimiter, count: number, nowMs: number, address = ADDRESS): void {
  for (let n = 0; n < count; n++) limiter.handleFailure(address, nowMs);
}

describe('an address', () => {
  it('is refused for 10 seconds after so many failures within a minute', () => {
    const limiter = new AttemptLimiter(3);
    fail(limiter, 2, START_MS);
    expect(limiter.isRefused(ADDRESS, START_MS)).toBe(false);
    fail(limiter, 1, START_MS + 59_999);
    expect(limiter.isRefused(ADDRESS, START_MS + 59_999)).toBe(true);
    expect(limiter.isRefused('192.0.2.2', START_MS + 59_999)).toBe(false);
    expect(limiter.isRefused(ADDRESS, START_MS + 69_998)).toBe(true);
    expect(limiter.isRefused(ADDRESS, START_MS + 69_999)).toBe(false);
  });

  it('is not refused for failures that are further apart', () => {
    const limiter = new AttemptLimiter(3);
    for (let n = 0; n < 100; n++) {
      limiter.handleFailure(ADDRESS, START_MS + n * 30_000);
      expect(limiter.isRefused(ADDRESS, START_MS + n * 30_000)).toBe(false);
    }
  });

  it('is refused twice as long each time, up to 10 minutes', () => {
    const limiter = new AttemptLimiter(2);
    let nowMs = START_MS;
    for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600]) {
      fail(limiter, 2, nowMs);
      nowMs += seconds * 1000;
      expect(limiter.isRefused(ADDRESS, nowMs - 1), `${seconds} s`).toBe(true);
      expect(limiter.isRefused(ADDRESS, nowMs), `${seconds} s`).toBe(false);
    }
  });

  it('needs as many failures for each further round', () => {
    const limiter = new AttemptLimiter(2);
    fail(limiter, 2, START_MS);
    fail(limiter, 1, START_MS + 10_000);
    expect(limiter.isRefused(ADDRESS, START_MS + 10_000)).toBe(false);
    fail(limiter, 1, START_MS + 10_001);
    expect(limiter.isRefused(ADDRESS, START_MS + 10_001)).toBe(true);
  });

  it('is not punished for what it does while it is refused', () => {
    const limiter = new AttemptLimiter(2);
    fail(limiter, 100, START_MS);
    expect(limiter.isRefused(ADDRESS, START_MS + 10_000)).toBe(false);
    fail(limiter, 1, START_MS + 10_000);
    expect(limiter.isRefused(ADDRESS, START_MS + 10_000)).toBe(false);
  });

  it('begins anew after an hour without failures', () => {
    const limiter = new AttemptLimiter(1);
    fail(limiter, 1, START_MS);
    const laterMs = START_MS + 10_000 + 3_600_001;
    fail(limiter, 1, laterMs);
    expect(limiter.isRefused(ADDRESS, laterMs + 10_000)).toBe(false);
    fail(limiter, 1, laterMs + 10_000);
    expect(limiter.isRefused(ADDRESS, laterMs + 29_999)).toBe(true);
  });

  it('that is none is never refused', () => {
    const limiter = new AttemptLimiter(1);
    fail(limiter, 5, START_MS, '');
    expect(limiter.isRefused('', START_MS)).toBe(false);
  });

  it('is forgotten when too many others failed since', () => {
    const limiter = new AttemptLimiter(1, 3);
    for (const host of [1, 2, 3, 2]) fail(limiter, 1, START_MS + host, `192.0.2.${host}`);
    fail(limiter, 1, START_MS + 9, '192.0.2.4');
    const refused = [1, 2, 3, 4].filter((host) => limiter.isRefused(`192.0.2.${host}`, START_MS + 9));
    expect(refused).toEqual([2, 3, 4]);
  });
});

describe('addresses of one network', () => {
  it('are counted as one where whoever has one has them all', () => {
    const limiter = new AttemptLimiter(2);
    fail(limiter, 1, START_MS, '2001:db8:1:2::1');
    fail(limiter, 1, START_MS, '2001:db8:1:2:aaaa:bbbb:cccc:dddd');
    expect(limiter.isRefused('2001:db8:1:2:3::', START_MS)).toBe(true);
    expect(limiter.isRefused('2001:db8:1:3::1', START_MS)).toBe(false);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['2001:0DB8::1:2', '2001:db8:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('%s is in %s', (address, network) => expect(networkOf(address)).toBe(network));
});
