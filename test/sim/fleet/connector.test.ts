/** The gate that devices come in through, and the log that gathers what happens to many. */
import { describe, expect, it } from 'vitest';
import { Connector } from '../../../sim/fleet/connector.ts';
import { EventLog } from '../../../sim/fleet/event-log.ts';

function make(rate: number, pendingMax: number): { connector: Connector; begun: number[] } {
  const begun: number[] = [];
  const connector = new Connector(100, rate, pendingMax, (index) => begun.push(index));
  connector.isHeld = false;
  for (let index = 0; index < 100; index++) connector.request(index);
  return { connector, begun };
}

describe('Connector', () => {
  it('begins as many a second as it may, in order', () => {
    const { connector, begun } = make(50, 100);
    for (let nowMs = 0; nowMs <= 1000; nowMs += 10) connector.advance(nowMs);
    expect(begun).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });

  it('has no more under way than it may', () => {
    const { connector, begun } = make(0, 3);
    connector.advance(0);
    expect(begun).toEqual([0, 1, 2]);
    connector.settle(1);
    connector.settle(1);
    connector.advance(1);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it('makes no burst of a pause', () => {
    const { connector, begun } = make(100, 100);
    connector.isHeld = true;
    connector.advance(0);
    connector.advance(60_000);
    expect(begun).toEqual([]);
    connector.isHeld = false;
    connector.advance(60_001);
    expect(begun.length).toBeLessThanOrEqual(10);
  });

  it('takes each once, and again after it has settled', () => {
    const begun: number[] = [];
    const connector = new Connector(2, 0, 2, (index) => begun.push(index));
    connector.isHeld = false;
    connector.request(1);
    connector.request(1);
    connector.advance(0);
    connector.settle(1);
    expect(connector.isIdle).toBe(true);
    connector.request(1);
    connector.request(0);
    connector.advance(1);
    expect(begun).toEqual([1, 1, 0]);
  });
});

describe('EventLog', () => {
  it('makes one event of what happens to many', () => {
    const told: string[] = [];
    const log = new EventLog((event) => told.push(event.text));
    for (let index = 0; index < 1500; index++) log.gather(100 + index / 10, 'fault', 'gone', `mote-${index}`);
    log.gather(150, 'refused', 'no', 'mote-3');
    log.flush(200);
    expect(told).toEqual([]);
    log.flush(2000);
    expect(told).toEqual(['1,500 devices: gone', 'mote-3: no']);
    log.gather(2100, 'fault', 'gone', 'mote-1');
    log.flush(2100, true);
    expect(log.events.at(-1)).toEqual({ atMs: 2100, kind: 'fault', text: 'mote-1: gone' });
  });
});
