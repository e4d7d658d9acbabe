/**
 * Schedules of faults: what a seed draws, and the texts that people keep of them.
 */
import { describe, expect, it } from 'vitest';
import {
  FAULT_KINDS,
  FAULT_NAMES,
  OF_BROKER,
  drawFaults,
  formatFault,
  parseFault,
  type Fault,
} from '../../sim/world/faults.ts';
import { SimRandom } from '../../sim/world/random.ts';
import { formatSchedule, optionsOfSchedule, parseSchedule } from '../../sim/world/schedule.ts';

const HOUR_MS = 3_600_000;
const draw = (seed: number, allowed = FAULT_NAMES): Fault[] =>
  drawFaults(new SimRandom(seed), 5, 10_000, 10_000 + HOUR_MS, allowed);

describe('what a seed draws', () => {
  it('is in order, in its time, and of devices that there are', () => {
    for (let seed = 1; seed <= 100; seed++) {
      let before = 10_000;
      for (const fault of draw(seed)) {
        expect(fault.atMs).toBeGreaterThanOrEqual(before);
        expect(fault.atMs + fault.ms).toBeLessThanOrEqual(10_000 + HOUR_MS);
        expect(fault.ms).toBeLessThanOrEqual(FAULT_KINDS[fault.kind]);
        if (OF_BROKER.includes(fault.kind)) expect(fault.device).toBe(-1);
        else expect([0, 1, 2, 3, 4]).toContain(fault.device);
        before = fault.atMs;
      }
    }
  });

  it('has every kind in some seed, and in no seed every kind', () => {
    const kindsOf = (seed: number): Set<string> => new Set(draw(seed).map(({ kind }) => kind));
    const seeds = Array.from({ length: 100 }, (_, seed) => kindsOf(seed));
    for (const kind of FAULT_NAMES) expect(seeds.some((kinds) => kinds.has(kind))).toBe(true);
    for (const kinds of seeds) expect(kinds.size).toBeLessThan(FAULT_NAMES.length);
  });

  it('is the same without a kind but for that kind', () => {
    for (const left of FAULT_NAMES) {
      const others = FAULT_NAMES.filter((kind) => kind !== left);
      for (let seed = 1; seed <= 10; seed++) {
        expect(draw(seed, others)).toEqual(draw(seed).filter(({ kind }) => kind !== left));
      }
    }
    expect(draw(1, [])).toEqual([]);
  });
});

describe('a fault as text', () => {
  it('is read back', () => {
    for (const fault of draw(3)) expect(parseFault(formatFault(fault))).toEqual(fault);
  });

  it.each(['', '1 reset 0', '1 rest 0 5', '1.5 reset 0 5', 'x reset 0 5', '1 reset 0 5s'])(
    'is not %j',
    (line) => {
      expect(() => parseFault(line)).toThrow(SyntaxError);
    },
  );
});

describe('a schedule as text', () => {
  const schedule = { seed: 4_294_967_295, devices: 5, durationMs: HOUR_MS / 2, faults: draw(8).slice(0, 9) };

  it('is read back, with comments, spaces and other line ends', () => {
    const text = formatSchedule(schedule, 'motemq sim\nqos2-twice: #3');
    expect(text).toMatch(/^# motemq sim\n# qos2-twice: #3\nseed 4294967295\ndevices 5\nhours 0.5\n/);
    expect(parseSchedule(text)).toEqual(schedule);
    expect(parseSchedule(text.replaceAll(' ', '   ').replaceAll('\n', ' # so\r\n'))).toEqual(schedule);
    expect(optionsOfSchedule(schedule)).toEqual(schedule);
  });

  it('may name the broker', () => {
    const named = { ...schedule, broker: 'naive' } as const;
    expect(formatSchedule(named, '')).toContain('\nbroker naive\n');
    expect(parseSchedule(formatSchedule(named, ''))).toEqual(named);
    expect(optionsOfSchedule(named)).toEqual(named);
  });

  it('is put in order', () => {
    const lines = 'seed 1\n20000 reset 0 5\n15000 stall 1 7\nhours 1\ndevices 2';
    expect(parseSchedule(lines).faults.map(({ kind }) => kind)).toEqual(['stall', 'reset']);
  });

  it.each([
    ['seed 1\ndevices 2\nhours 1\n20000 reset 2 5', 'line 4: there is no device 2 of 2'],
    ['seed 1\ndevices 2\nhours 1\n20000 reset -1 5', 'line 4: there is no device -1 of 2'],
    [
      'seed 1\ndevices 2\nhours 1\n\n20000 slow-disk 0 5',
      "line 5: slow-disk is the broker's: its device is -1",
    ],
    ['seed 1\ndevices 2\nhours 1\n9999 reset 0 5', 'line 4: faults begin at 10000 ms, not at 9999'],
    ['seed 1\ndevices 2\nhours 1\n20000 reset 0 5001', 'line 4: reset lasts 0 to 5000 ms, not 5001'],
    ['seed 1\ndevices 2\nhours 1\n20000 reset 0 -1', 'line 4: reset lasts 0 to 5000 ms, not -1'],
    [
      'seed 1\ndevices 2\nhours 1\n3610000 reset 0 5',
      'line 4: it goes on to 3610005 ms, and faults end at 3610000',
    ],
    ['seed 1\n20000 rest 0 5', 'line 2: not a fault: 20000 rest 0 5'],
    ['# so\nsed 1', 'line 2: neither a fault nor seed, devices, hours or broker: sed 1'],
    ['seed -1', 'line 1: seed is a whole number from 0 to 4294967295, not "-1"'],
    ['seed 1 2', 'line 1: seed is a whole number from 0 to 4294967295, not "1 2"'],
    ['seed', 'line 1: seed is a whole number from 0 to 4294967295, not ""'],
    ['devices 0', 'line 1: devices is a whole number from 1 to 1000, not "0"'],
    ['hours 0', 'line 1: hours is a number from 0.001 to 10000, not "0"'],
    ['hours many', 'line 1: hours is a number from 0.001 to 10000, not "many"'],
    ['seed 1\nseed 1', 'line 2: seed is there twice'],
    ['seed 1\nbroker other', 'line 2: broker is ours or naive, not "other"'],
    ['broker ours\nbroker naive', 'line 2: broker is there twice'],
    ['seed 1\nhours 1\n', 'line 3: there is no line "devices …"'],
  ])('is not %j', (text, message) => {
    expect(() => parseSchedule(text)).toThrow(new SyntaxError(message));
  });
});
