/**
 * What a simulated field device measures: air temperature, relative humidity, battery voltage and radio signal, from
 * models that keep to physics (a day and a year, dew point, discharge, fading) and to the device's seed. Responsible
 * for the numbers; does not know how they are encoded, when they are sent, or what the host measures.
 */
import { hashU32, NOISE_SIGMA, Random } from './random.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365.2425 * DAY_MS;
/** Weather changes about this often: the knots between which {@link DeviceReadings} interpolates. */
const FRONT_PERIOD_MS = 36 * HOUR_MS;
/** The hottest day of the northern year, 20 July, as a part of the year. */
const HOTTEST_PART_OF_YEAR = 200 / 365;
const COLDEST_HOUR = 5;
const HOTTEST_HOUR = 15;
/** What a DS18B20 reports when it lost power between conversion and read: the outlier every collector meets. */
export const SPIKE_CELSIUS = 85;

/** `spike`: one reading at {@link SPIKE_CELSIUS}; `stuck`: the temperature repeats for a while. */
export type SensorFault = 'none' | 'spike' | 'stuck';

/** One sample. Every value is finite, rounded as such a sensor reports it, and inside {@link READING_BOUNDS}. */
export interface Readings {
  /** Air temperature, rounded to 0.01 °C. */
  temperatureCelsius: number;
  /** Relative humidity, rounded to 0.1 %. */
  humidityPercent: number;
  /** One lithium cell under load, rounded to 1 mV. */
  batteryVolts: number;
  /** Received signal strength, whole dBm. */
  rssiDbm: number;
  /** Whether the temperature can be believed. A real device would not know. */
  fault: SensorFault;
}

/** The least and the most each value can be: the sensors' own ranges. */
export const READING_BOUNDS = {
  temperatureCelsius: [-40, 85],
  humidityPercent: [0, 100],
  batteryVolts: [2.9, 4.2],
  rssiDbm: [-96, -30],
} as const;

export interface ReadingsOptions {
  /** How many reads of a million start a sensor fault. Default 20; 0 turns faults off. */
  faultsPerMillion?: number;
}

/**
 * The sensors of one device. Its place on Earth, its sensors' errors and its battery come from `seed` and `device`.
 * The weather is a function of time alone, so two runs with different intervals see the same day; noise, fading and
 * faults come from the device's stream, so the same reads at the same times give the same values.
 */
export class DeviceReadings {
  /** Degrees north; a negative number is south. */
  readonly latitudeDegrees: number;
  /** Degrees east of Greenwich: sets the local time of day. */
  readonly longitudeDegrees: number;

  private readonly random: Random;
  private readonly weatherSeed: number;
  private readonly faultsPerMillion: number;
  private readonly annualMeanCelsius: number;
  private readonly annualAmplitudeCelsius: number;
  private readonly dailyAmplitudeCelsius: number;
  private readonly offsetCelsius: number;
  private readonly driftCelsiusPerYear: number;
  private readonly dewPointSpreadCelsius: number;
  private readonly chargeAtStart: number;
  private readonly batteryLifeMs: number;
  private readonly rssiMeanDbm: number;
  private rssiDbm: number;
  private startedMs = NaN;
  private stuckReads = 0;
  private stuckCelsius = 0;

  /**
   * @param seed the fleet's seed
   * @param device the device's index, from 0
   */
  constructor(seed: number, device: number, options: ReadingsOptions = {}) {
    const random = new Random(seed, device);
    this.random = random;
    this.faultsPerMillion = options.faultsPerMillion ?? 20;
    this.weatherSeed = random.nextU32();
    this.latitudeDegrees = random.nextBetween(-55, 65);
    this.longitudeDegrees = random.nextBetween(-180, 179);

    // Annual mean near 27 °C at the equator falling to about -1 °C at 60°; seasons grow with latitude and turn round
    // south of the equator. Good to a few degrees at sea level, which is all "plausible" asks.
    const latitude = this.latitudeDegrees;
    this.annualMeanCelsius = 27 - 0.0078 * latitude * latitude + random.nextBetween(-200, 200) / 100;
    this.annualAmplitudeCelsius = 0.26 * latitude;
    this.dailyAmplitudeCelsius = random.nextBetween(200, 750) / 100;

    this.offsetCelsius = (0.15 * random.nextNoise()) / NOISE_SIGMA;
    this.driftCelsiusPerYear = (0.1 * random.nextNoise()) / NOISE_SIGMA;
    this.dewPointSpreadCelsius = random.nextBetween(200, 1100) / 100;
    this.chargeAtStart = random.nextBetween(550, 1000) / 1000;
    this.batteryLifeMs = random.nextBetween(300, 900) * DAY_MS;
    this.rssiMeanDbm = random.nextBetween(-84, -48);
    this.rssiDbm = this.rssiMeanDbm;
  }

  /**
   * Samples every sensor.
   *
   * @param nowMs milliseconds since 1970, UTC; must not go backwards
   * @param into is filled and returned; a new object unless told
   */
  read(nowMs: number, into: Readings = emptyReadings()): Readings {
    if (Number.isNaN(this.startedMs)) this.startedMs = nowMs;
    const ageMs = Math.max(0, nowMs - this.startedMs);
    const air = this.airCelsius(nowMs);

    const measured =
      air +
      this.offsetCelsius +
      (this.driftCelsiusPerYear * ageMs) / YEAR_MS +
      (0.06 * this.random.nextNoise()) / NOISE_SIGMA;
    const fault = this.nextFault(measured);
    const reported = fault === 'spike' ? SPIKE_CELSIUS : fault === 'stuck' ? this.stuckCelsius : measured;

    into.temperatureCelsius = round(within(reported, READING_BOUNDS.temperatureCelsius), 100);
    into.humidityPercent = round(within(this.humidity(air, nowMs), READING_BOUNDS.humidityPercent), 10);
    into.batteryVolts = round(within(this.battery(air, ageMs), READING_BOUNDS.batteryVolts), 1000);
    into.rssiDbm = Math.round(within(this.nextRssi(), READING_BOUNDS.rssiDbm));
    into.fault = fault;
    return into;
  }

  /** The true air temperature: season + time of day + weather. A function of time only. */
  private airCelsius(nowMs: number): number {
    return (
      this.dayMeanCelsius(nowMs) +
      this.dailyAmplitudeCelsius * dailyCurve(this.localHour(nowMs)) +
      3 * smoothNoise(this.weatherSeed, nowMs / FRONT_PERIOD_MS)
    );
  }

  private dayMeanCelsius(nowMs: number): number {
    const partOfYear = nowMs / YEAR_MS - HOTTEST_PART_OF_YEAR;
    return this.annualMeanCelsius + this.annualAmplitudeCelsius * Math.cos(2 * Math.PI * partOfYear);
  }

  private localHour(nowMs: number): number {
    const hour = (nowMs / HOUR_MS + this.longitudeDegrees / 15) % 24;
    return hour < 0 ? hour + 24 : hour;
  }

  /**
   * Relative humidity is the vapour there is over the vapour the air could hold. The vapour (dew point) changes with
   * the weather, hardly with the hour, so the same air reads drier as it warms: that is the anti-correlation.
   */
  private humidity(air: number, nowMs: number): number {
    const weather = smoothNoise(this.weatherSeed ^ 0x68756d69, nowMs / FRONT_PERIOD_MS);
    const dewPoint = this.dayMeanCelsius(nowMs) - this.dewPointSpreadCelsius + 3 * weather;
    const relative = (100 * vapourPressureHpa(Math.min(dewPoint, air))) / vapourPressureHpa(air);
    return relative + (0.8 * this.random.nextNoise()) / NOISE_SIGMA;
  }

  private battery(air: number, ageMs: number): number {
    const charge = Math.max(0, this.chargeAtStart - ageMs / this.batteryLifeMs);
    // Cold raises a cell's internal resistance, so the same load pulls the voltage lower.
    const coldSag = air < 20 ? 0.0028 * (20 - air) : 0;
    return cellVolts(charge) - coldSag + (0.003 * this.random.nextNoise()) / NOISE_SIGMA;
  }

  /** A walk that is pulled back to the link's mean, plus fast fading: people and doors, then multipath. */
  private nextRssi(): number {
    this.rssiDbm += 0.08 * (this.rssiMeanDbm - this.rssiDbm) + (0.9 * this.random.nextNoise()) / NOISE_SIGMA;
    return this.rssiDbm + (1.2 * this.random.nextNoise()) / NOISE_SIGMA;
  }

  private nextFault(measured: number): SensorFault {
    // The draw happens on every read, faulty or not: the rest of the stream must not depend on the fault option.
    const drawn = this.random.nextBelow(1_000_000);
    if (this.stuckReads > 0) {
      this.stuckReads -= 1;
      return 'stuck';
    }
    if (drawn >= this.faultsPerMillion) return 'none';
    if (drawn % 4 !== 0) return 'spike';
    this.stuckReads = 20 + (drawn % 60);
    this.stuckCelsius = measured;
    return 'stuck';
  }
}

/** A record for {@link DeviceReadings.read} to fill. */
export function emptyReadings(): Readings {
  return { temperatureCelsius: 0, humidityPercent: 0, batteryVolts: 0, rssiDbm: 0, fault: 'none' };
}

/** -1 at {@link COLDEST_HOUR}, +1 at {@link HOTTEST_HOUR}: a morning warms faster than a night cools. */
export function dailyCurve(hour: number): number {
  const sinceColdest = (hour - COLDEST_HOUR + 24) % 24;
  const warmingHours = HOTTEST_HOUR - COLDEST_HOUR;
  return sinceColdest < warmingHours
    ? -Math.cos((Math.PI * sinceColdest) / warmingHours)
    : Math.cos((Math.PI * (sinceColdest - warmingHours)) / (24 - warmingHours));
}

/** Saturation vapour pressure over water, hPa, by the Magnus formula; good from -45 to 60 °C. */
export function vapourPressureHpa(celsius: number): number {
  return 6.112 * Math.exp((17.62 * celsius) / (243.12 + celsius));
}

/** A lithium cell's resting voltage by charge (0 empty … 1 full): steep at both ends, flat between. */
const CELL_CURVE = [3.0, 3.45, 3.6, 3.67, 3.72, 3.77, 3.83, 3.91, 3.98, 4.06, 4.17];

function cellVolts(charge: number): number {
  const position = Math.min(charge, 1) * (CELL_CURVE.length - 1);
  const index = Math.min(Math.floor(position), CELL_CURVE.length - 2);
  return CELL_CURVE[index] + (CELL_CURVE[index + 1] - CELL_CURVE[index]) * (position - index);
}

/** Noise in -1 … 1 that is a smooth function of `position`: hashed knots at whole numbers, eased between. */
function smoothNoise(seed: number, position: number): number {
  const knot = Math.floor(position);
  const part = position - knot;
  const eased = part * part * (3 - 2 * part);
  const from = hashU32(seed, knot) / 0x7fffffff - 1;
  const to = hashU32(seed, knot + 1) / 0x7fffffff - 1;
  return from + (to - from) * eased;
}

function within(value: number, bounds: readonly [number, number]): number {
  return Math.min(bounds[1], Math.max(bounds[0], value));
}

function round(value: number, perUnit: number): number {
  return Math.round(value * perUnit) / perUnit;
}
