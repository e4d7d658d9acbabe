/**
 * Telemetry as CBOR (RFC 8949), written in place: the same map as in JSON, with text keys. Arrays and maps whose length
 * is not known when they begin are of indefinite length (3.2.2).
 *
 * What is an integer after rounding goes as an integer in its shortest form. What is not goes as a single-precision
 * float if that rounds to the same decimals, else as a double.
 */
import { encodeText } from '../wire/text.ts';
import { NEGATIVE, NO_VALUE, SCALES, splitDecimal } from './decimal.ts';
import { Phrases } from './phrases.ts';
import { HEAD_SEQUENCE, HEAD_TIMESTAMP } from './telemetry-writer.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';

/** Major types (3.1), in place. */
const UNSIGNED = 0x00;
const NEGATIVE_INTEGER = 0x20;
const TEXT = 0x60;
const MAP = 0xa0;
const ARRAY_OPEN = 0x9f;
const MAP_OPEN = 0xbf;
const BREAK = 0xff;
const NULL = 0xf6;
const FLOAT_32 = 0xfa;
const FLOAT_64 = 0xfb;

/** Phrases, behind device, its id and "seq"; behind them the names of the metrics. */
const PHRASES: readonly (readonly string[])[] = [
  ['ts'],
  ['clock', 'epoch'],
  ['clock', 'uptime'],
  ['dropped'],
  ['samples'],
  ['age'],
];
const DEVICE = 0;
const TIME = 1;
const EPOCH = 2;
const UPTIME = 3;
const DROPPED = 4;
const SAMPLES = 5;
const AGE = 6;
const NAMES = 7;

/** Bytes of the longest number: head and eight more. */
const NUMBER_BYTES_MAX = 9;
/** The end of a row, the beginning of another, its age. */
const ROW_BYTES_MAX = 2 + 4 + NUMBER_BYTES_MAX;
const END_BYTES = 2;
/** Integers that are one with their double. */
const INTEGER_MAX = 9007199254740991;
const TWO_TO_32 = 4294967296;

/** Writes the head of an item: `major`, and `value` (an integer from 0 to 4,294,967,295) in its shortest form. */
function writeHead(bytes: Uint8Array, at: number, major: number, value: number): number {
  if (value < 24) {
    bytes[at++] = major | value;
    return at;
  }
  let count = 1;
  if (value > 0xff) count = value > 0xffff ? 4 : 2;
  bytes[at++] = major | (count === 1 ? 24 : count === 2 ? 25 : 26);
  for (let shift = (count - 1) * 8; shift >= 0; shift -= 8) bytes[at++] = (value >>> shift) & 255;
  return at;
}

/** Text strings (major type 3), one behind the other. */
function items(texts: readonly string[]): Uint8Array {
  let byteLengthMax = 0;
  for (let i = 0; i < texts.length; i++) byteLengthMax += 5 + 3 * texts[i].length;
  const bytes = new Uint8Array(byteLengthMax);
  let at = 0;
  for (let i = 0; i < texts.length; i++) {
    const text = encodeText(texts[i]);
    at = writeHead(bytes, at, TEXT, text.length);
    bytes.set(text, at);
    at += text.length;
  }
  return bytes.subarray(0, at);
}

export class CborWriter implements TelemetryWriter {
  bytes: Uint8Array;
  at: number;
  byteLengthMin: number;
  view: DataView;
  phrases: Phrases;
  isInRow: boolean;
  parts: Float64Array;
  single: Float32Array;

  /** @param bytes Storage, the writer's from now on. */
  constructor(id: string, names: readonly string[], bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const pieces = [items(['device', id, 'seq'])];
    for (let i = 0; i < PHRASES.length; i++) pieces.push(items(PHRASES[i]));
    for (let i = 0; i < names.length; i++) pieces.push(items([names[i]]));
    this.phrases = new Phrases(pieces);
    this.isInRow = false;
    this.parts = new Float64Array(2);
    this.single = new Float32Array(1);
    const head = this.phrases.ends[SAMPLES] - this.phrases.byteLength(EPOCH); // it is one clock or the other
    // The heads of map and array are two bytes.
    const fixed = 2 + head + ROW_BYTES_MAX + END_BYTES;
    this.byteLengthMin = fixed + this.phrases.byteLengthMax(NAMES) + 4 * NUMBER_BYTES_MAX;
  }

  begin(head: Float64Array, timeDigits: number, isEpoch: boolean, dropped: number): void {
    const bytes = this.bytes;
    const phrases = this.phrases;
    bytes[0] = MAP | (dropped > 0 ? 6 : 5);
    let at = phrases.write(DEVICE, bytes, 1);
    at = this.writeNumber(at, head, HEAD_SEQUENCE, 0);
    at = phrases.write(TIME, bytes, at);
    at = this.writeNumber(at, head, HEAD_TIMESTAMP, timeDigits);
    at = phrases.write(isEpoch ? EPOCH : UPTIME, bytes, at);
    if (dropped > 0) at = writeHead(bytes, phrases.write(DROPPED, bytes, at), UNSIGNED, dropped);
    at = phrases.write(SAMPLES, bytes, at);
    bytes[at] = ARRAY_OPEN;
    this.at = at + 1;
    this.isInRow = false;
  }

  hasRoom(metric: number, limit: number): boolean {
    return (
      this.at + ROW_BYTES_MAX + this.phrases.byteLength(NAMES + metric) + NUMBER_BYTES_MAX + END_BYTES <=
      limit
    );
  }

  beginRow(age: number): void {
    const bytes = this.bytes;
    if (this.isInRow) bytes[this.at++] = BREAK;
    bytes[this.at] = MAP_OPEN;
    this.at = writeHead(bytes, this.phrases.write(AGE, bytes, this.at + 1), UNSIGNED, age);
    this.isInRow = true;
  }

  addSample(metric: number, values: Float64Array, index: number, digits: number): void {
    const at = this.phrases.write(NAMES + metric, this.bytes, this.at);
    this.at = this.writeNumber(at, values, index, digits);
  }

  finish(): void {
    if (this.isInRow) this.bytes[this.at++] = BREAK;
    this.bytes[this.at++] = BREAK;
  }

  /** Writes `values[index]` rounded to `digits` decimals at `at`; returns the offset behind it. */
  writeNumber(at: number, values: Float64Array, index: number, digits: number): number {
    const bytes = this.bytes;
    const parts = this.parts;
    const sign = splitDecimal(values, index, digits, parts);
    if (sign === NO_VALUE) {
      bytes[at] = NULL;
      return at + 1;
    }
    if (parts[1] === 0 && parts[0] <= INTEGER_MAX) return this.writeWhole(at, sign);
    const scale = SCALES[digits];
    let value = parts[0];
    // Divided once, it is the double that the decimal means; what is too large for that has no decimals to lose.
    if (value * scale <= INTEGER_MAX) value = (value * scale + parts[1]) / scale;
    else value += parts[1] / scale;
    if (sign === NEGATIVE) value = -value;
    this.single[0] = value;
    const difference = this.single[0] - value;
    if (difference * scale < 0.5 && difference * scale > -0.5) {
      bytes[at] = FLOAT_32;
      this.view.setFloat32(at + 1, value);
      return at + 5;
    }
    bytes[at] = FLOAT_64;
    this.view.setFloat64(at + 1, value);
    return at + 9;
  }

  /** Writes the integer in `parts[0]`, negative ones as their distance from -1 (3.1). */
  writeWhole(at: number, sign: number): number {
    const whole = sign === NEGATIVE ? this.parts[0] - 1 : this.parts[0];
    const major = sign === NEGATIVE ? NEGATIVE_INTEGER : UNSIGNED;
    if (whole < 0x7fffffff) return writeHead(this.bytes, at, major, whole | 0);
    const high = Math.floor(whole / TWO_TO_32);
    if (high === 0) {
      this.bytes[at] = major | 26;
      this.view.setUint32(at + 1, whole);
      return at + 5;
    }
    this.bytes[at] = major | 27;
    this.view.setUint32(at + 1, high);
    this.view.setUint32(at + 5, whole - high * TWO_TO_32);
    return at + 9;
  }
}
