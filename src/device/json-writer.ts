/**
 * Telemetry as JSON, written in place:
 *
 *   {"device":"greenhouse-1","seq":17,"ts":1750498200123,"clock":"epoch","samples":[{"age":0,"temperature":21.3}]}
 *
 * Names are encoded once; numbers by decimal.ts.
 */
import { encodeText } from '../wire/text.ts';
import { DECIMAL_BYTES_MAX, writeDecimal, writeInteger } from './decimal.ts';
import { Phrases } from './phrases.ts';
import { HEAD_SEQUENCE, HEAD_TIMESTAMP } from './telemetry-writer.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';

const COMMA = 0x2c;
const CLOSE = 0x7d;

/** Phrases, behind `{"device":"greenhouse-1","seq":`; behind them the names of the metrics: `,"temperature":`. */
const PHRASES: readonly string[] = [
  ',"ts":',
  ',"clock":"epoch"',
  ',"clock":"uptime"',
  ',"dropped":',
  ',"samples":[',
  '{"age":',
];
const DEVICE = 0;
const TIME = 1;
const EPOCH = 2;
const UPTIME = 3;
const DROPPED = 4;
const SAMPLES = 5;
const AGE = 6;
const NAMES = 7;

/** Digits of an integer up to 4,294,967,295. */
const INTEGER_BYTES_MAX = 10;
/** Of a row: the end of the one before, comma, brace, age. */
const ROW_BYTES_MAX = 2 + 7 + INTEGER_BYTES_MAX;
/** The end of row and message. */
const END_BYTES = 3;

export class JsonWriter implements TelemetryWriter {
  bytes: Uint8Array;
  at: number;
  byteLengthMin: number;
  phrases: Phrases;
  /** Whether a row is open. */
  isInRow: boolean;
  parts: Float64Array;

  /** @param bytes Storage, the writer's from now on. */
  constructor(id: string, names: readonly string[], bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    const pieces = [encodeText('{"device":' + JSON.stringify(id) + ',"seq":')];
    for (let i = 0; i < PHRASES.length; i++) pieces.push(encodeText(PHRASES[i]));
    for (let i = 0; i < names.length; i++) pieces.push(encodeText(',' + JSON.stringify(names[i]) + ':'));
    this.phrases = new Phrases(pieces);
    this.isInRow = false;
    this.parts = new Float64Array(2);
    const head = this.phrases.ends[SAMPLES] - this.phrases.byteLength(EPOCH); // it is one clock or the other
    const fixed = head + ROW_BYTES_MAX + END_BYTES;
    this.byteLengthMin =
      fixed + INTEGER_BYTES_MAX + this.phrases.byteLengthMax(NAMES) + 3 * DECIMAL_BYTES_MAX;
  }

  begin(head: Float64Array, timeDigits: number, isEpoch: boolean, dropped: number): void {
    const bytes = this.bytes;
    const phrases = this.phrases;
    let at = phrases.write(DEVICE, bytes, 0);
    at = writeDecimal(bytes, at, head, HEAD_SEQUENCE, 0, this.parts);
    at = phrases.write(TIME, bytes, at);
    at = writeDecimal(bytes, at, head, HEAD_TIMESTAMP, timeDigits, this.parts);
    at = phrases.write(isEpoch ? EPOCH : UPTIME, bytes, at);
    if (dropped > 0) at = writeInteger(bytes, phrases.write(DROPPED, bytes, at), dropped);
    this.at = phrases.write(SAMPLES, bytes, at);
    this.isInRow = false;
  }

  hasRoom(metric: number, limit: number): boolean {
    return (
      this.at + ROW_BYTES_MAX + this.phrases.byteLength(NAMES + metric) + DECIMAL_BYTES_MAX + END_BYTES <=
      limit
    );
  }

  beginRow(age: number): void {
    const bytes = this.bytes;
    let at = this.at;
    if (this.isInRow) {
      bytes[at++] = CLOSE;
      bytes[at++] = COMMA;
    }
    this.at = writeInteger(bytes, this.phrases.write(AGE, bytes, at), age);
    this.isInRow = true;
  }

  addSample(metric: number, values: Float64Array, index: number, digits: number): void {
    const at = this.phrases.write(NAMES + metric, this.bytes, this.at);
    this.at = writeDecimal(this.bytes, at, values, index, digits, this.parts);
  }

  finish(): void {
    if (this.isInRow) this.bytes[this.at++] = CLOSE;
    this.bytes[this.at++] = 0x5d;
    this.bytes[this.at++] = CLOSE;
  }
}
