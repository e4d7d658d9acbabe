/**
 * A telemetry message as bytes: JSON written into one buffer that every device uses in turn, and read back without
 * parsing JSON. Neither makes garbage, as both run once per message. Also the small messages around it.
 *
 *   {"device":"mote-1x7-00042","seq":17,"ts":1750498200123.456,"temperature":21.34,"humidity":55.1,
 *    "battery":3.712,"rssi":-67}
 *
 * `ts` is the moment of publishing: milliseconds since 1970, to the microsecond.
 */
import { performance } from 'node:perf_hooks';
import type { HostSample } from './host-readings.ts';
import type { Readings } from './readings.ts';

/** Bytes of the longest telemetry: a client id, the readings, the host's. */
const TELEMETRY_BYTES_MAX = 1024;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

const DEVICE = ascii('{"device":"');
const SEQUENCE = ascii('","seq":');
const TIME = ascii(',"ts":');
const TEMPERATURE = ascii(',"temperature":');
const HUMIDITY = ascii(',"humidity":');
const BATTERY = ascii(',"battery":');
const RSSI = ascii(',"rssi":');
const HOST = ascii(',"host":{"memoryAvailable":');
const LOAD = ascii(',"load":');
const CPU_CELSIUS = ascii(',"celsius":');
const NETWORK_RECEIVED = ascii(',"received":');
const NETWORK_SENT = ascii(',"sent":');
const END = ascii('}');

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const POINT = 46;

/** Milliseconds since 1970, to the microsecond, on a clock that never goes back: devices and collector share it. */
export function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Writes messages into {@link bytes}; what is in there holds until the next one is written. */
export class MessageWriter {
  readonly bytes = new Uint8Array(TELEMETRY_BYTES_MAX);
  byteLength = 0;

  /** @param host the machine's own readings, for a device that reports them too */
  writeTelemetry(
    clientId: Uint8Array,
    sequence: number,
    sentMs: number,
    readings: Readings,
    host: HostSample | undefined,
  ): void {
    this.byteLength = 0;
    this.put(DEVICE);
    this.put(clientId);
    this.put(SEQUENCE);
    this.putInteger(sequence);
    this.put(TIME);
    this.putFixed(sentMs, 3);
    this.put(TEMPERATURE);
    this.putFixed(readings.temperatureCelsius, 2);
    this.put(HUMIDITY);
    this.putFixed(readings.humidityPercent, 1);
    this.put(BATTERY);
    this.putFixed(readings.batteryVolts, 3);
    this.put(RSSI);
    this.putFixed(readings.rssiDbm, 0);
    if (host !== undefined) this.putHost(host);
    this.put(END);
  }

  /** Writes `before`, a number, and `}`: `{"command":17}`. */
  writeNumbered(before: Uint8Array, value: number): void {
    this.byteLength = 0;
    this.put(before);
    this.putInteger(value);
    this.put(END);
  }

  private putHost(host: HostSample): void {
    this.put(HOST);
    this.putInteger(host.memoryAvailableBytes);
    if (host.load1 !== undefined) {
      this.put(LOAD);
      this.putFixed(host.load1, 2);
    }
    const temperature = host.temperatures?.[0];
    if (temperature !== undefined) {
      this.put(CPU_CELSIUS);
      this.putFixed(temperature.celsius, 1);
    }
    const network = host.network?.[0];
    if (network !== undefined) {
      this.put(NETWORK_RECEIVED);
      this.putInteger(network.receivedBytes);
      this.put(NETWORK_SENT);
      this.putInteger(network.sentBytes);
    }
    this.put(END);
  }

  private put(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) this.bytes[this.byteLength + index] = bytes[index];
    this.byteLength += bytes.length;
  }

  /** `value` is an integer from 0 to 2^53. */
  private putInteger(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits += 1;
    this.putDigits(value, digits);
  }

  /** Digits from the last to the first, in halves small enough for integer arithmetic. */
  private putDigits(value: number, digits: number): void {
    let high = Math.floor(value / 1e8);
    let low = value - high * 1e8;
    const start = this.byteLength;
    for (let index = digits - 1; index >= 0; index--) {
      if (digits - 1 - index === 8) {
        low = high % 1e8;
        high = Math.floor(high / 1e8);
      }
      const rest = Math.floor(low / 10);
      this.bytes[start + index] = ZERO + (low - rest * 10);
      low = rest;
    }
    this.byteLength += digits;
  }

  private putFixed(value: number, decimals: number): void {
    let scale = 1;
    for (let index = 0; index < decimals; index++) scale *= 10;
    let scaled = Math.round(value * scale);
    if (scaled < 0) {
      this.bytes[this.byteLength++] = MINUS;
      scaled = -scaled;
    }
    const whole = Math.floor(scaled / scale);
    this.putInteger(whole);
    if (decimals === 0) return;
    this.bytes[this.byteLength++] = POINT;
    this.putDigits(scaled - whole * scale, decimals);
  }
}

/** Finds device, sequence number and time in a telemetry message of this run. */
export class TelemetryReader {
  device = 0;
  sequence = 0;
  sentMs = 0;
  private readonly head: Uint8Array;
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;

  /** @param clientIdPrefix what every client id of the run begins with; the device's index follows */
  constructor(clientIdPrefix: string) {
    this.head = ascii(`{"device":"${clientIdPrefix}`);
  }

  /** Looks at `bytes[at]` up to `end`; false when that is no telemetry of this run. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    if (!this.skip(this.head)) return false;
    this.device = this.readInteger();
    if (!this.skip(SEQUENCE)) return false;
    this.sequence = this.readInteger();
    if (!this.skip(TIME)) return false;
    const milliseconds = this.readInteger();
    if (this.at >= this.end || this.bytes[this.at] !== POINT) return false;
    this.at += 1;
    this.sentMs = milliseconds + this.readInteger() / 1000;
    return this.sentMs > 0;
  }

  private skip(expected: Uint8Array): boolean {
    if (this.end - this.at < expected.length) return false;
    for (let index = 0; index < expected.length; index++) {
      if (this.bytes[this.at + index] !== expected[index]) return false;
    }
    this.at += expected.length;
    return true;
  }

  private readInteger(): number {
    const value = readDigits(this.bytes, this.at, this.end);
    while (this.at < this.end && isDigit(this.bytes[this.at])) this.at += 1;
    return value;
  }
}

/** The number that begins at `at`; NaN when there is none. */
export function readDigits(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || !isDigit(bytes[at])) return NaN;
  let value = 0;
  for (; at < end && isDigit(bytes[at]); at++) value = value * 10 + (bytes[at] - ZERO);
  return value;
}

/** Whether `bytes[at]` up to `end` begins with `expected`. */
export function startsWith(bytes: Uint8Array, at: number, end: number, expected: Uint8Array): boolean {
  if (end - at < expected.length) return false;
  for (let index = 0; index < expected.length; index++)
    if (bytes[at + index] !== expected[index]) return false;
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
