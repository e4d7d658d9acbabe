/**
 * The simulated sensors: bounds, determinism, plausible curves.
 */
import { describe, expect, it } from 'vitest';
import {
  dailyCurve,
  DeviceReadings,
  READING_BOUNDS,
  SPIKE_CELSIUS,
  vapourPressureHpa,
  type Readings,
} from '../../../sim/fleet/readings.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2025, 2, 20);

function readMany(seed: number, device: number, count: number, stepMs: number): Readings[] {
  const sensors = new DeviceReadings(seed, device);
  return Array.from({ length: count }, (_, index) => sensors.read(START_MS + index * stepMs));
}

function correlation(left: readonly number[], right: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanLeft, meanRight] = [mean(left), mean(right)];
  let product = 0;
  let squaresLeft = 0;
  let squaresRight = 0;
  left.forEach((value, index) => {
    product += (value - meanLeft) * (right[index] - meanRight);
    squaresLeft += (value - meanLeft) ** 2;
    squaresRight += (right[index] - meanRight) ** 2;
  });
  return product / Math.sqrt(squaresLeft * squaresRight);
}

describe('DeviceReadings', () => {
  it('stays inside the sensors’ ranges over five years, whatever the device', () => {
    for (let device = 0; device < 60; device++) {
      for (const reading of readMany(11, device, 400, 4.6 * DAY_MS)) {
        for (const [name, [least, most]] of Object.entries(READING_BOUNDS)) {
          const value = reading[name as keyof typeof READING_BOUNDS];
          expect(value >= least && value <= most, `device ${device}: ${name} ${value}`).toBe(true);
        }
      }
    }
  });

  it('repeats itself exactly for the same seed, device and times', () => {
    expect(readMany(3, 17, 500, 60_000)).toEqual(readMany(3, 17, 500, 60_000));
    expect(readMany(3, 17, 5, 60_000)).not.toEqual(readMany(3, 18, 5, 60_000));
    expect(readMany(3, 17, 5, 60_000)).not.toEqual(readMany(4, 17, 5, 60_000));
  });

  it('sees the same weather whatever the interval', () => {
    const seldom = readMany(3, 17, 25, HOUR_MS);
    const often = readMany(3, 17, 25 * 60, HOUR_MS / 60);
    seldom.forEach((reading, index) => {
      expect(Math.abs(reading.temperatureCelsius - often[index * 60].temperatureCelsius)).toBeLessThan(0.7);
    });
  });

  it('is warmest in the afternoon and coldest before sunrise, local time', () => {
    expect(dailyCurve(5)).toBeCloseTo(-1);
    expect(dailyCurve(15)).toBeCloseTo(1);
    const sensors = new DeviceReadings(3, 17, { faultsPerMillion: 0 });
    const byHour = new Array<number>(24).fill(0);
    for (let hour = 0; hour < 24 * 60; hour++) {
      const nowMs = START_MS + hour * HOUR_MS;
      const local = Math.floor((((hour + sensors.longitudeDegrees / 15) % 24) + 24) % 24);
      byHour[local] += sensors.read(nowMs).temperatureCelsius;
    }
    expect(byHour.indexOf(Math.max(...byHour))).toBeGreaterThanOrEqual(13);
    expect(byHour.indexOf(Math.max(...byHour))).toBeLessThanOrEqual(17);
    expect(byHour.indexOf(Math.min(...byHour))).toBeGreaterThanOrEqual(3);
    expect(byHour.indexOf(Math.min(...byHour))).toBeLessThanOrEqual(7);
  });

  it('has summer in July north of the equator and in January south of it', () => {
    const meanOf = (sensors: DeviceReadings, month: number): number => {
      let sum = 0;
      for (let hour = 0; hour < 28 * 24; hour++) {
        sum += sensors.read(Date.UTC(2025, month) + hour * HOUR_MS).temperatureCelsius;
      }
      return sum / (28 * 24);
    };
    for (let device = 0; device < 40; device++) {
      const january = meanOf(new DeviceReadings(1, device), 0);
      const sensors = new DeviceReadings(1, device);
      const july = meanOf(sensors, 6);
      if (sensors.latitudeDegrees > 25) expect(july).toBeGreaterThan(january);
      if (sensors.latitudeDegrees < -25) expect(july).toBeLessThan(january);
    }
  });

  it('reads drier air as it warms', () => {
    for (let device = 0; device < 20; device++) {
      const day = readMany(9, device, 144, 10 * 60_000).filter((reading) => reading.fault === 'none');
      const temperatures = day.map((reading) => reading.temperatureCelsius);
      const humidities = day.map((reading) => reading.humidityPercent);
      expect(correlation(temperatures, humidities)).toBeLessThan(-0.5);
    }
    expect(vapourPressureHpa(20)).toBeCloseTo(23.3, 0);
  });

  it('drains the battery over months and lets it sag in the cold', () => {
    const days = readMany(2, 5, 300, DAY_MS).map((reading) => reading.batteryVolts);
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(days.slice(-20))).toBeLessThan(mean(days.slice(0, 20)) - 0.05);
  });

  it('moves the signal in small steps around the link’s mean', () => {
    const signal = readMany(2, 5, 5000, 1000).map((reading) => reading.rssiDbm);
    const steps = signal.slice(1).map((value, index) => Math.abs(value - signal[index]));
    expect(Math.max(...steps)).toBeLessThanOrEqual(14);
    expect(new Set(signal).size).toBeGreaterThan(5);
  });

  it('has faults as often as asked, marked as such, and none when off', () => {
    const broken = new DeviceReadings(6, 1, { faultsPerMillion: 20_000 });
    const faults = Array.from({ length: 5000 }, (_, index) => broken.read(START_MS + index * 1000));
    const spikes = faults.filter((reading) => reading.fault === 'spike');
    const stuck = faults.filter((reading) => reading.fault === 'stuck');
    expect(spikes.length).toBeGreaterThan(20);
    expect(spikes.every((reading) => reading.temperatureCelsius === SPIKE_CELSIUS)).toBe(true);
    expect(stuck.length).toBeGreaterThan(100);
    const healthy = new DeviceReadings(6, 1, { faultsPerMillion: 0 });
    for (let index = 0; index < 5000; index++) {
      const reading = healthy.read(START_MS + index * 1000);
      expect(reading.fault).toBe('none');
      if (faults[index].fault === 'none') expect(reading).toEqual(faults[index]);
    }
  });
});
