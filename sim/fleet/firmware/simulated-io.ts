/**
 * What firmware gets as its `board` in a fleet: sensors and switches of no device in particular, made up from the
 * fleet's seed and the device's index. What it reads is a function of the seconds since it was made, so two runs of one
 * seed read much the same. Functions take and return numbers and truth values only: machines call them from afar.
 */
import { DeviceReadings, dailyCurve, emptyReadings, type Readings } from '../readings.ts';
import { hashU32, NOISE_SIGMA, Random } from '../random.ts';

/** Readings are those of a midsummer's day, whenever the run is. */
const READINGS_EPOCH_MS = Date.UTC(2025, 5, 21, 9);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** How long an input stays as it is. */
const INPUT_MS = 10_000;
const LIGHT_LUX_MAX = 60_000;
/** Tells the board's stream of random numbers apart from the weather's. */
const BOARD_SALT = 1;

/** Where a board is: its time, its weather, its chances. */
class Surroundings {
  /** Of its own: 32 bits. */
  readonly seed: number;
  /** 0 to 2π: where in their cycles the slow things are. */
  readonly phase: number;
  readonly random: Random;
  readonly readings: DeviceReadings;
  private readonly nowMs: () => number;
  private readonly startedMs: number;
  private readonly sampled = emptyReadings();
  private sampledSecond = -1;

  constructor(seed: number, index: number, nowMs: () => number) {
    this.readings = new DeviceReadings(seed, index);
    this.random = new Random(seed + BOARD_SALT, index);
    this.seed = this.random.nextU32();
    this.phase = (this.seed % 628) / 100;
    this.nowMs = nowMs;
    this.startedMs = nowMs();
  }

  elapsedMs(): number {
    return Math.max(0, this.nowMs() - this.startedMs);
  }

  /** All sensors of one second, read at once. */
  sample(): Readings {
    const second = Math.floor(this.elapsedMs() / 1000);
    if (second !== this.sampledSecond) {
      this.sampledSecond = second;
      this.readings.read(READINGS_EPOCH_MS + second * 1000, this.sampled);
    }
    return this.sampled;
  }

  /** Of the day, where the device is: 0 up to but not including 24. */
  hour(): number {
    const hour = (READINGS_EPOCH_MS + this.elapsedMs()) / HOUR_MS + this.readings.longitudeDegrees / 15;
    return ((hour % 24) + 24) % 24;
  }

  /** A hash that stays the same for as long as inputs do. */
  input(salt: number): number {
    return hashU32(this.seed ^ salt, Math.floor(this.elapsedMs() / INPUT_MS));
  }

  noise(sigma: number): number {
    return (sigma * this.random.nextNoise()) / NOISE_SIGMA;
  }
}

/** The board of one device. */
export class SimulatedBoard {
  readonly version = 'simulated';
  private readonly around: Surroundings;
  private isLedOn = false;
  private isRelayOn = false;
  /** By number: what the firmware has set. */
  private readonly pins: (number | undefined)[] = [];
  private meterLitres: number;
  private meteredMs = 0;

  /** @param nowMs any clock in milliseconds; where it is now is the beginning */
  constructor(seed: number, index: number, nowMs: () => number) {
    this.around = new Surroundings(seed, index, nowMs);
    this.meterLitres = this.around.random.nextBetween(10_000, 900_000);
  }

  /** °C, to 0.01. */
  temperature(): number {
    return this.around.sample().temperatureCelsius;
  }

  /** %, to 0.1. */
  humidity(): number {
    return this.around.sample().humidityPercent;
  }

  /** hPa, to 0.1: high and low pass by in two and a half days. */
  pressure(): number {
    const { around } = this;
    const swing = 12 * Math.sin((2 * Math.PI * around.elapsedMs()) / (60 * HOUR_MS) + around.phase);
    return Math.round((1013 + swing + around.noise(0.1)) * 10) / 10;
  }

  /** Lux of daylight. */
  light(): number {
    const height = dailyCurve(this.around.hour());
    const lux = height <= 0 ? 0 : LIGHT_LUX_MAX * height * height;
    return Math.max(0, Math.round(lux * (1 + this.around.noise(0.02))));
  }

  /** Volts of one lithium cell, to 0.001. */
  battery(): number {
    return this.around.sample().batteryVolts;
  }

  /** The same, under a name that says the unit. */
  batteryVolts(): number {
    return this.around.sample().batteryVolts;
  }

  /** dBm. */
  rssi(): number {
    return this.around.sample().rssiDbm;
  }

  /** Whether something moves. */
  motion(): boolean {
    return this.around.input(0x6d6f74) % 5 === 0;
  }

  /** An analog input: 0 to 1 of its range, up and down once an hour. */
  readLevel(): number {
    const { around } = this;
    const swing = Math.sin((2 * Math.PI * around.elapsedMs()) / HOUR_MS + around.phase);
    return Math.min(1, Math.max(0, 0.5 + 0.45 * swing + around.noise(0.002)));
  }

  /** 0 or 1: what was set, or, where nothing was, an input that changes now and then. */
  pin(number: number): number {
    return this.pins[number] ?? this.around.input(0x70696e + number) & 1;
  }

  setPin(number: number, value: number | boolean): void {
    this.pins[number] = Number(value);
  }

  led(): boolean {
    return this.isLedOn;
  }

  setLed(on: boolean): void {
    this.isLedOn = on;
  }

  relay(): boolean {
    return this.isRelayOn;
  }

  setRelay(on: boolean): void {
    this.isRelayOn = on;
  }

  /** Of what the relay switches, while it is on, to 0.1. */
  watts(): number {
    if (!this.isRelayOn) return 0;
    const usual = 20 + (this.around.seed % 180);
    return Math.round(usual * (1 + this.around.noise(0.01)) * 10) / 10;
  }

  /** All that ever ran through a water meter, to 0.001. */
  litres(): number {
    const nowMs = this.around.elapsedMs();
    while (this.meteredMs < nowMs) {
      const minute = Math.floor(this.meteredMs / MINUTE_MS);
      const untilMs = Math.min(nowMs, (minute + 1) * MINUTE_MS);
      this.meterLitres += (flowIn(this.around.seed, minute) * (untilMs - this.meteredMs)) / MINUTE_MS;
      this.meteredMs = untilMs;
    }
    return Math.round(this.meterLitres * 1000) / 1000;
  }

  litresPerMinute(): number {
    return flowIn(this.around.seed, Math.floor(this.around.elapsedMs() / MINUTE_MS));
  }
}

/** Litres a minute: somebody lets water run in one minute of four. */
function flowIn(seed: number, minute: number): number {
  const drawn = hashU32(seed ^ 0x666c6f77, minute);
  return drawn % 4 === 0 ? 4 + ((drawn >>> 8) % 800) / 100 : 0;
}

/** What the simulated board can do. */
export function simulatedFunctions(): string[] {
  return Object.getOwnPropertyNames(SimulatedBoard.prototype)
    .filter((name) => name !== 'constructor')
    .sort();
}
