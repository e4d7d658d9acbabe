/**
 * Who is let in, who comes back, and when a run has no point any more. Connections are played.
 */
import { describe, expect, it } from 'vitest';
import { Admissions, type Member } from '../../../sim/fleet/admissions.ts';
import { EventLog } from '../../../sim/fleet/event-log.ts';
import type { Ending, FleetError } from '../../../sim/fleet/failure.ts';
import { Random } from '../../../sim/fleet/random.ts';
import { CAUSE_REFUSED, CAUSE_SERVER, CAUSE_TRANSPORT } from '../../../src/session/event.ts';
import { V5 } from '../../../src/packets/types.ts';

const LOST: Ending = {
  cause: CAUSE_TRANSPORT,
  reasonCode: 0,
  violation: 0,
  error: undefined,
  protocolVersion: V5,
  wasConnected: true,
};
const NOT_OPENED: Ending = { ...LOST, wasConnected: false };

class Bench {
  readonly members: Member[];
  readonly admissions: Admissions;
  readonly log = new EventLog(() => {});
  connecting: number[] = [];
  failure: FleetError | undefined;
  private nowMs = performance.now();

  constructor(devices: number) {
    this.members = Array.from({ length: devices }, (_, index) => ({
      index,
      clientId: `d-${index}`,
      attempts: 0,
      admissions: 0,
      isAway: false,
    }));
    this.admissions = new Admissions({
      devices,
      rampPerSecond: 0,
      pendingMax: devices,
      protocolVersion: V5,
      twins: 'are there twins?',
      log: this.log,
      random: new Random(7),
      startedMs: this.nowMs,
      connect: (index) => this.connecting.push(index),
      fail: (error) => (this.failure ??= error),
    });
    this.admissions.isHeld = false;
  }

  /** Time goes on; returns who began to connect meanwhile. */
  pass(ms: number): number[] {
    this.nowMs = Math.max(this.nowMs, performance.now()) + ms;
    this.connecting = [];
    this.admissions.advance(this.nowMs);
    return this.connecting;
  }

  admit(index: number): void {
    this.admissions.handleConnected(this.members[index]);
    this.admissions.handleReady(this.members[index]);
  }
}

/** All are in. */
function running(devices = 3): Bench {
  const bench = new Bench(devices);
  bench.admissions.connectAll();
  bench.pass(0);
  for (let index = 0; index < devices; index++) bench.admit(index);
  return bench;
}

describe('admissions', () => {
  it('are complete when everyone has been in', () => {
    const bench = new Bench(3);
    bench.admissions.connectAll();
    expect(bench.pass(0)).toEqual([0, 1, 2]);
    bench.admit(0);
    bench.admit(1);
    expect(bench.admissions.isComplete).toBe(false);
    bench.admit(2);
    expect(bench.admissions.isComplete).toBe(true);
    expect(bench.admissions).toMatchObject({
      connected: 3,
      admitted: 3,
      connects: 3,
      reconnects: 0,
      errors: 0,
    });
  });

  it('bring back who was lost, and say when all are back', () => {
    const bench = running();
    bench.admissions.handleLost(bench.members[1], LOST);
    expect(bench.admissions).toMatchObject({ connected: 2, failures: 1 });
    expect(bench.members[1].isAway).toBe(true);
    expect(bench.pass(10)).toEqual([]);
    expect(bench.pass(500)).toEqual([1]);
    bench.admit(1);
    expect(bench.admissions).toMatchObject({ connected: 3, connects: 4, reconnects: 1 });
    expect(bench.log.events.map(({ text }) => text)).toEqual(['all 3 devices are back']);
  });

  it('end the run when one that never got in has tried five times', () => {
    const bench = new Bench(2);
    bench.admissions.connectAll();
    bench.pass(0);
    bench.admit(0);
    for (let attempt = 1; attempt < 5; attempt++) {
      bench.admissions.handleLost(bench.members[1], NOT_OPENED);
      expect(bench.failure).toBeUndefined();
      expect(bench.pass(10_000)).toEqual([1]);
    }
    bench.admissions.handleLost(bench.members[1], NOT_OPENED);
    expect(bench.failure?.message).toBe(
      'd-1 cannot connect after 5 attempts: the server closed the connection without an answer; 1 of 2 devices are connected',
    );
  });

  it('end the run at once for a refusal that waiting does not cure', () => {
    const bench = new Bench(1);
    bench.admissions.connectAll();
    bench.pass(0);
    bench.admissions.handleLost(bench.members[0], { ...NOT_OPENED, cause: CAUSE_REFUSED, reasonCode: 0x87 });
    expect(bench.failure?.message).toContain('d-0 cannot connect: refused: Not authorized (0x87)');
    expect(bench.admissions).toMatchObject({ refused: 1, errors: 1 });
  });

  it('end the run when somebody else has a device’s name', () => {
    const bench = running();
    bench.admissions.handleLost(bench.members[2], { ...LOST, cause: CAUSE_SERVER, reasonCode: 0x8e });
    expect(bench.failure?.message).toBe('another client calls itself d-2: are there twins?');
    expect(bench.pass(10_000)).toEqual([]);
  });

  it('wait for nobody who is gone', () => {
    const bench = running();
    bench.admissions.handleLost(bench.members[0], LOST);
    bench.admissions.handleGone(bench.members[0], false);
    bench.admissions.handleGone(bench.members[1], true);
    expect(bench.admissions.connected).toBe(1);
    expect(bench.pass(10_000)).toEqual([]);
    expect(bench.admissions.isComplete).toBe(true);
    // Those who are away are counted without them.
    bench.admissions.handleLost(bench.members[2], LOST);
    expect(bench.pass(10_000)).toEqual([2]);
    bench.admit(2);
    expect(bench.log.events).toHaveLength(1);
  });

  it('are complete without those who were gone before they got in', () => {
    const bench = new Bench(2);
    bench.admissions.connectAll();
    bench.pass(0);
    bench.admit(0);
    bench.admissions.handleGone(bench.members[1], false);
    expect(bench.admissions.isComplete).toBe(true);
  });
});
