/**
 * The simulated board: plausible, the same for the same seed, and enough for every firmware that comes with the package.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadFirmware } from '../../../../sim/fleet/firmware/firmware-file.ts';
import { runSimulate } from '../../../../sim/fleet/firmware/simulate.ts';
import { SimulatedBoard, simulatedFunctions } from '../../../../sim/fleet/firmware/simulated-io.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const DAY_MS = 86_400_000;

/** A board whose clock the test moves. */
function boardAt(seed: number, index: number): { board: SimulatedBoard; clock: { ms: number } } {
  const clock = { ms: 1_000_000 };
  return { board: new SimulatedBoard(seed, index, () => clock.ms), clock };
}

type Sensor = 'temperature' | 'humidity' | 'pressure' | 'light' | 'battery' | 'rssi' | 'readLevel';

describe('the simulated board', () => {
  it.each<[Sensor, number, number]>([
    ['temperature', -40, 85],
    ['humidity', 0, 100],
    ['pressure', 980, 1050],
    ['light', 0, 100_000],
    ['battery', 2.9, 4.2],
    ['rssi', -96, -30],
    ['readLevel', 0, 1],
  ])('keeps %s within %d and %d, and moves it', (sensor, least, most) => {
    const seen = new Set<number>();
    for (let index = 0; index < 5; index++) {
      const { board, clock } = boardAt(7, index);
      for (let hour = 0; hour < 24; hour++) {
        clock.ms = 1_000_000 + (hour * DAY_MS) / 24;
        const value = board[sensor]();
        expect(value).toBeGreaterThanOrEqual(least);
        expect(value).toBeLessThanOrEqual(most);
        seen.add(value);
      }
    }
    expect(seen.size).toBeGreaterThan(20);
  });

  it('reads the same for the same seed, device and second, and else something else', () => {
    const readings = (seed: number, index: number): number[] => {
      const { board, clock } = boardAt(seed, index);
      const values: number[] = [];
      for (let second = 0; second < 20; second++) {
        clock.ms = 1_000_000 + second * 1000 + (index % 1000);
        values.push(board.temperature(), board.humidity(), board.battery(), board.litres(), board.pin(4));
      }
      return values;
    };
    expect(readings(7, 3)).toEqual(readings(7, 3));
    expect(readings(7, 3)).not.toEqual(readings(8, 3));
    expect(readings(7, 3)).not.toEqual(readings(7, 4));
  });

  it('reads all sensors of a second at once, however often it is asked', () => {
    const { board, clock } = boardAt(7, 0);
    const first = [board.temperature(), board.humidity(), board.batteryVolts()];
    clock.ms += 999;
    expect([board.temperature(), board.humidity(), board.battery()]).toEqual(first);
    clock.ms += 1;
    expect([board.temperature(), board.humidity(), board.battery()]).not.toEqual(first);
  });

  it('has a meter that only grows, by what flows', () => {
    const { board, clock } = boardAt(11, 0);
    const begun = board.litres();
    let expected = begun;
    for (let minute = 0; minute < 600; minute++) {
      const flow = board.litresPerMinute();
      const before = board.litres();
      clock.ms += 60_000;
      expected += flow;
      expect(board.litres()).toBeGreaterThanOrEqual(before);
      expect(board.litres()).toBeCloseTo(expected, 1);
    }
    expect(expected - begun).toBeGreaterThan(100);
    // However long nobody looks.
    const { board: other, clock: otherClock } = boardAt(11, 0);
    otherClock.ms += 600 * 60_000;
    expect(other.litres()).toBeCloseTo(expected, 1);
  });

  it('does what it is told', () => {
    const { board, clock } = boardAt(7, 0);
    expect([board.relay(), board.watts(), board.led()]).toEqual([false, 0, false]);
    board.setRelay(true);
    board.setLed(true);
    expect([board.relay(), board.led()]).toEqual([true, true]);
    expect(board.watts()).toBeGreaterThan(15);
    const pins = new Set<number>();
    for (let second = 0; second < 300; second += 10) {
      clock.ms = 1_000_000 + second * 1000;
      pins.add(board.pin(5));
    }
    expect([...pins].sort()).toEqual([0, 1]);
    board.setPin(5, true);
    clock.ms += DAY_MS;
    expect(board.pin(5)).toBe(1);
  });

  it('takes and returns nothing that could not go through JSON', () => {
    const { board } = boardAt(7, 0);
    const functions = board as unknown as Record<string, (...args: number[]) => unknown>;
    for (const name of simulatedFunctions()) {
      const value = functions[name](1, 1);
      expect(['number', 'boolean', 'undefined']).toContain(typeof value);
    }
    expect(simulatedFunctions()).toEqual(expect.arrayContaining(['battery', 'light', 'pin', 'temperature']));
  });

  it.each([
    ...readdirSync(`${ROOT}manifests/firmware`).map((name) => `manifests/firmware/${name}`),
    'manifests/examples/sensor/firmware.js',
  ])('is enough for %s', async (path) => {
    const { definition } = await loadFirmware(ROOT + path);
    const { board } = boardAt(7, 0);
    for (const [name, { read }] of Object.entries(definition.metrics ?? {})) {
      expect(['number', 'boolean'], name).toContain(typeof read(board));
    }
    for (const [name, command] of Object.entries(definition.commands ?? {})) {
      expect(command({ on: true }, board), name).toBeTypeOf('object');
    }
    expect(() => definition.status?.(board)).not.toThrow();
  });
});

describe('simulate of a firmware file', () => {
  it('gets the index, and numbers that are the same for the same seed and index', () => {
    const drawn = (seed: number, index: number): unknown[] => {
      const io = runSimulate((given, random) => ({ given, numbers: [random(), random()] }), seed, index);
      return Object.values(io);
    };
    expect(drawn(7, 3)).toEqual(drawn(7, 3));
    expect(drawn(7, 3)[0]).toBe(3);
    expect(drawn(7, 3)[1]).not.toEqual(drawn(7, 4)[1]);
    for (const number of drawn(7, 3)[1] as number[]) {
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(1);
    }
  });

  it.each([undefined, null, 7])('must return an object, not %j', (value) => {
    expect(() => runSimulate(() => value, 7, 0)).toThrow('simulate() must return an object');
  });
});
