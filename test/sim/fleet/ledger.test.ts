/**
 * The account of every message against a naive model, and the verdict.
 */
import { describe, expect, it } from 'vitest';
import { Ledger, verdict, type LedgerTotals } from '../../../sim/fleet/ledger.ts';
import { Random } from '../../../sim/fleet/random.ts';

/** The same accounts with sets and no cleverness. */
class NaiveLedger {
  sent = new Map<number, number>();
  acknowledged = new Set<string>();
  delivered = new Set<string>();
  highest = new Map<number, number>();
  totals: LedgerTotals = {
    sent: 0,
    resent: 0,
    acknowledged: 0,
    unacknowledged: 0,
    delivered: 0,
    lost: 0,
    lostAcknowledged: 0,
    overtaken: 0,
    duplicated: 0,
    outOfOrder: 0,
    unexpected: 0,
  };

  recordSent(device: number, sequence: number): void {
    if (sequence < (this.sent.get(device) ?? 0)) this.totals.resent += 1;
    else this.sent.set(device, sequence + 1);
  }
  recordDelivered(device: number, sequence: number): void {
    const key = `${device}/${sequence}`;
    const highest = this.highest.get(device) ?? -1;
    if (!(sequence >= 0 && sequence < (this.sent.get(device) ?? 0))) this.totals.unexpected += 1;
    else if (this.delivered.has(key)) this.totals.duplicated += 1;
    else {
      this.delivered.add(key);
      if (sequence < highest) this.totals.outOfOrder += 1;
      this.highest.set(device, Math.max(highest, sequence));
    }
  }
  count(): LedgerTotals {
    const totals = { ...this.totals, acknowledged: this.acknowledged.size, delivered: this.delivered.size };
    for (const [device, sent] of this.sent) {
      totals.sent += sent;
      for (let sequence = 0; sequence < sent; sequence++) {
        const key = `${device}/${sequence}`;
        if (this.delivered.has(key)) continue;
        totals.lost += 1;
        if (this.acknowledged.has(key)) totals.lostAcknowledged += 1;
        if (sequence < (this.highest.get(device) ?? -1)) totals.overtaken += 1;
      }
    }
    totals.unacknowledged = totals.sent - totals.acknowledged;
    return totals;
  }
}

describe('Ledger', () => {
  it('agrees with a naive model on random traffic', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const devices = random.nextBetween(1, 4);
      const ledger = new Ledger(devices);
      const naive = new NaiveLedger();
      const next = new Array<number>(devices).fill(0);
      // From orderly to wild: how far back a delivery may reach.
      const reach = 1 + random.nextBelow(1 << random.nextBelow(9));
      for (let step = 0; step < 1500; step++) {
        const device = random.nextBelow(devices);
        const recent = next[device] - 1 - random.nextBelow(reach);
        const action = random.nextBelow(20);
        if (action < 8) {
          ledger.recordSent(device, next[device], step);
          naive.recordSent(device, next[device]);
          next[device] += 1;
        } else if (action < 9 && recent >= 0) {
          ledger.recordSent(device, recent, step);
          naive.recordSent(device, recent);
        } else if (action < 13 && recent >= 0) {
          ledger.recordAcknowledged(device, recent);
          naive.acknowledged.add(`${device}/${recent}`);
        } else if (action < 14) {
          ledger.recordDelivered(device, next[device] + random.nextBelow(3), 1);
          naive.recordDelivered(device, next[device]);
        } else {
          ledger.recordDelivered(device, recent, 1);
          naive.recordDelivered(device, recent);
        }
        if (step % 100 === 99) expect(ledger.totals(), `seed ${seed}, step ${step}`).toEqual(naive.count());
      }
      expect(ledger.inFlight, `seed ${seed}`).toBe(naive.count().lost);
      let lost = 0;
      for (let device = 0; device < devices; device++) lost += ledger.deviceTotals(device).lost;
      expect(lost, `seed ${seed}`).toBe(naive.count().lost);
    }
  });

  it('recognises every duplicate and late arrival, far back too', () => {
    const ledger = new Ledger(1);
    for (let sequence = 0; sequence < 10_000; sequence++) ledger.recordSent(0, sequence, sequence);
    for (let sequence = 1; sequence < 10_000; sequence += 2) ledger.recordDelivered(0, sequence, 1);
    for (let sequence = 9998; sequence >= 0; sequence -= 2) ledger.recordDelivered(0, sequence, 1);
    for (let sequence = 0; sequence < 10_000; sequence++) ledger.recordDelivered(0, sequence, 1);
    expect(ledger.totals()).toMatchObject({
      delivered: 10_000,
      lost: 0,
      outOfOrder: 5000,
      duplicated: 10_000,
    });
    expect(ledger.sendingMs).toBe(9999);
  });

  it('takes anything for a delivery and nothing wrong for a send', () => {
    const ledger = new Ledger(2);
    ledger.recordSent(1, 0, 0);
    for (const [device, sequence] of [[0, 0], [1, 1], [2, 0], [-1, 0], [1, -1], [0.5, 0], [1, 0.5], [NaN, NaN], [1e9, 0]]) {
      ledger.recordDelivered(device, sequence, 1);
    } // prettier-ignore
    expect(ledger.totals()).toMatchObject({ sent: 1, delivered: 0, unexpected: 9 });
    expect(() => ledger.recordSent(1, 2, 0)).toThrow('device 1 sent 2, the next is 1');
    expect(() => ledger.recordSent(2, 0, 0)).toThrow(/device: must be/);
    expect(() => ledger.recordAcknowledged(1, 1)).toThrow(/has not sent 1/);
  });

  it('measures latency to the microsecond, and by interval', () => {
    const ledger = new Ledger(3);
    expect(ledger.latency()).toBeNull();
    expect(ledger.latencyDistribution()).toEqual([]);
    for (let sequence = 0; sequence < 1000; sequence++) {
      ledger.recordSent(0, sequence, 0);
      ledger.recordDelivered(0, sequence, (sequence + 1) / 100);
    }
    const latency = ledger.latency()!;
    expect(latency.count).toBe(1000);
    expect(latency.minMs).toBeCloseTo(0.01, 3);
    expect(Math.abs(latency.p50Ms - 5) / 5).toBeLessThan(0.002);
    expect(Math.abs(latency.p99Ms - 9.9) / 9.9).toBeLessThan(0.002);
    expect(Math.abs(latency.maxMs - 10) / 10).toBeLessThan(0.002);
    const bins = ledger.latencyDistribution();
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(1000);
    expect(bins[0]).toMatchObject({ fromMs: 0.01, toMs: 0.0125, count: 1 });
    bins.slice(1).forEach((bin, index) => expect(bin.fromMs).toBe(bins[index].toMs));
    expect(ledger.takeLatencyInterval()?.count).toBe(1000);
    expect(ledger.takeLatencyInterval()).toBeNull();

    ledger.recordSent(2, 0, 0);
    ledger.recordSent(2, 1, 0);
    ledger.recordDelivered(2, 0, -5);
    ledger.recordDelivered(2, 1, NaN);
    expect(ledger.takeLatencyInterval()).toMatchObject({ count: 1, maxMs: 0.001 });
    ledger.recordSent(1, 0, 0);
    expect(ledger.worstByLatency(10).map((device) => device.device)).toEqual([0]);
    expect(ledger.worstByLost(10)).toMatchObject([{ device: 1, sent: 1, delivered: 0, lost: 1 }]);
  });
});

describe('verdict', () => {
  const clean: LedgerTotals = {
    sent: 100,
    resent: 0,
    acknowledged: 100,
    unacknowledged: 0,
    delivered: 100,
    lost: 0,
    lostAcknowledged: 0,
    overtaken: 0,
    duplicated: 0,
    outOfOrder: 0,
    unexpected: 0,
  };

  it('passes a clean run without a word', () => {
    for (const qos of [0, 1, 2]) expect(verdict(clean, qos)).toEqual({ ok: true, reasons: [], remarks: [] });
  });

  it.each([
    [0, true],
    [1, false],
    [2, false],
  ])('loss at QoS %i passes: %s', (qos, ok) => {
    const result = verdict({ ...clean, delivered: 99, lost: 1, lostAcknowledged: 1 }, qos);
    expect(result.ok).toBe(ok);
    expect([...result.reasons, ...result.remarks][0]).toContain(`1 message of 100 lost at QoS ${qos}`);
  });

  it.each([
    [0, true],
    [1, true],
    [2, false],
  ])('duplicates at QoS %i pass: %s', (qos, ok) => {
    const result = verdict({ ...clean, duplicated: 3 }, qos);
    expect(result.ok).toBe(ok);
    expect([...result.reasons, ...result.remarks][0]).toContain('3 duplicate deliveries');
  });

  it('does not pass a run that sent nothing', () => {
    expect(verdict({ ...clean, sent: 0, delivered: 0, acknowledged: 0 }, 0).ok).toBe(false);
  });
});
