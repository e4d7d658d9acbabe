/**
 * Telemetry in both formats: what comes out is read back by JSON.parse and by a CBOR reader of the tests' own, and is
 * the same; CBOR's numbers are those of RFC 8949, Appendix A.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CborWriter } from '../../src/device/cbor-writer.ts';
import { JsonWriter } from '../../src/device/json-writer.ts';
import type { TelemetryWriter } from '../../src/device/telemetry-writer.ts';
import { runs } from '../seed.ts';
import { readCbor } from './cbor-reader.ts';

interface Sample {
  age: number;
  metric: number;
  value: number;
  digits: number;
}

const NAMES = [
  'temperature',
  'humidity',
  'p',
  'a-metric.with_a-name.of.sixty.four.characters.which.is.the.longest',
];

function write(
  writer: TelemetryWriter,
  samples: readonly Sample[],
  head: { seq: number; ts: number; timeDigits?: number; isEpoch?: boolean; dropped?: number },
): Uint8Array {
  writer.begin(
    Float64Array.of(head.seq, head.ts),
    head.timeDigits ?? 0,
    head.isEpoch ?? true,
    head.dropped ?? 0,
  );
  let age = -1;
  for (const sample of samples) {
    if (sample.age !== age) writer.beginRow(sample.age);
    age = sample.age;
    writer.addSample(sample.metric, Float64Array.of(0, sample.value), 1, sample.digits);
  }
  writer.finish();
  return writer.bytes.slice(0, writer.at);
}

const json = (id: string, byteLength = 4096): TelemetryWriter =>
  new JsonWriter(id, NAMES, new Uint8Array(byteLength));
const cbor = (id: string, byteLength = 4096): TelemetryWriter =>
  new CborWriter(id, NAMES, new Uint8Array(byteLength));
const parse = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

describe.each([
  ['JSON', json, parse],
  ['CBOR', cbor, readCbor],
] as const)('%s', (_, make, read) => {
  it('says device, number, time and samples', () => {
    const bytes = write(
      make('greenhouse-1'),
      [
        { age: 10000, metric: 0, value: 21.52, digits: 1 },
        { age: 10000, metric: 1, value: 55, digits: 0 },
        { age: 0, metric: 0, value: -0.5, digits: 1 },
      ],
      { seq: 17, ts: 1750498200123 },
    );
    expect(read(bytes)).toEqual({
      device: 'greenhouse-1',
      seq: 17,
      ts: 1750498200123,
      clock: 'epoch',
      samples: [
        { age: 10000, temperature: 21.5, humidity: 55 },
        { age: 0, temperature: -0.5 },
      ],
    });
  });

  it('says what was dropped, that the clock counts uptime, and fractions of a millisecond', () => {
    const bytes = write(make('g'), [{ age: 0, metric: 2, value: NaN, digits: 3 }], {
      seq: 4294967296,
      ts: 60000.125,
      timeDigits: 3,
      isEpoch: false,
      dropped: 4000000000,
    });
    expect(read(bytes)).toEqual({
      device: 'g',
      seq: 4294967296,
      ts: 60000.125,
      clock: 'uptime',
      dropped: 4000000000,
      samples: [{ age: 0, p: null }],
    });
  });

  it('writes one message after the other', () => {
    const writer = make('g');
    write(writer, [{ age: 5, metric: 0, value: 1, digits: 0 }], { seq: 0, ts: 1e12, dropped: 3 });
    const second = write(writer, [{ age: 6, metric: 1, value: 2, digits: 0 }], { seq: 1, ts: 2 });
    expect(read(second)).toEqual({
      device: 'g',
      seq: 1,
      ts: 2,
      clock: 'epoch',
      samples: [{ age: 6, humidity: 2 }],
    });
  });

  it.each(['quote"', 'back\\slash', 'tab\t', 'größer', '漢字', '😀', 'x'.repeat(300)])(
    'takes %j for an id',
    (id) => {
      expect(read(write(make(id), [], { seq: 0, ts: 0 }))).toMatchObject({ device: id, samples: [] });
    },
  );

  it('needs no more room than it says, whatever the numbers', () => {
    for (const id of ['g', 'ü'.repeat(40)]) {
      const { byteLengthMin } = make(id);
      const writer = make(id, byteLengthMin);
      const value = -99999999999999983616;
      const sample = { age: 4294967295, metric: 3, value, digits: 9 };
      const head = {
        seq: 99999999999999980000,
        ts: 99999999999999980000,
        isEpoch: false,
        dropped: 4294967295,
      };
      const bytes = write(writer, [sample], { ...head, timeDigits: 3 });
      expect(bytes.length).toBeLessThanOrEqual(byteLengthMin);
      expect(read(bytes)).toMatchObject({ samples: [{ age: 4294967295, [NAMES[3]]: value }] });
    }
  });

  const sample = fc.record({
    age: fc.integer({ min: 0, max: 4294967295 }),
    metric: fc.integer({ min: 0, max: 3 }),
    value: fc.oneof(
      fc.double(),
      fc.double({ min: -1e4, max: 1e4, noNaN: true }),
      fc.integer({ min: -1e7, max: 1e7 }).map((whole) => whole / 100),
    ),
    digits: fc.integer({ min: 0, max: 9 }),
  });

  it('stops before the limit when asked whether there is room', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 250, max: 600 }),
        (all, limit) => {
          const writer = make('greenhouse-1', 4096);
          writer.begin(Float64Array.of(1, 2), 0, true, 0);
          let count = 0;
          for (const { metric, age, value, digits } of all) {
            if (!writer.hasRoom(metric, limit)) break;
            writer.beginRow(age);
            writer.addSample(metric, Float64Array.of(value), 0, digits);
            count++;
          }
          writer.finish();
          const message = read(writer.bytes.slice(0, writer.at)) as { samples: unknown[] };
          return (
            writer.at <= limit &&
            message.samples.length === count &&
            (count > 0 || limit < writer.byteLengthMin)
          );
        },
      ),
      runs(500),
    );
  });
});

describe('both formats', () => {
  it('say the same', () => {
    const value = fc.oneof(
      fc.double(),
      fc.double({ min: -1e4, max: 1e4, noNaN: true }),
      fc.integer().map((whole) => whole / 1000),
      fc.maxSafeInteger(),
    );
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 9 }), (reading, digits) => {
        const sample = [{ age: 0, metric: 2, value: reading, digits }];
        const head = { seq: 0, ts: 0 };
        const [a, b] = [parse(write(json('g'), sample, head)), readCbor(write(cbor('g'), sample, head))].map(
          (message) => (message as { samples: { p: number | null }[] }).samples[0].p,
        );
        if (a === null || b === null) return a === b;
        // A single-precision float stands for the decimal that it rounds to.
        return a === b || Math.abs(a - b) < 0.5 * 10 ** -digits;
      }),
      runs(20_000),
    );
  });
});

describe('JSON', () => {
  it('is this to the byte', () => {
    const bytes = write(json('greenhouse-1'), [{ age: 0, metric: 0, value: 21.3, digits: 1 }], {
      seq: 17,
      ts: 1750498200123,
    });
    expect(Buffer.from(bytes).toString()).toBe(
      '{"device":"greenhouse-1","seq":17,"ts":1750498200123,"clock":"epoch","samples":[{"age":0,"temperature":21.3}]}',
    );
  });
});

describe('CBOR', () => {
  /** The bytes that `value` becomes. */
  function number(value: number, digits: number): string {
    const writer = new CborWriter('g', ['p'], new Uint8Array(200));
    const end = writer.writeNumber(3, Float64Array.of(value), 0, digits);
    return Buffer.from(writer.bytes.subarray(3, end)).toString('hex');
  }

  // RFC 8949, Appendix A. Of its floats those that are not half-precision, which is not written.
  it.each([
    [0, 0, '00'],
    [1, 0, '01'],
    [10, 0, '0a'],
    [23, 0, '17'],
    [24, 0, '1818'],
    [25, 0, '1819'],
    [100, 0, '1864'],
    [1000, 0, '1903e8'],
    [1000000, 0, '1a000f4240'],
    [1000000000000, 0, '1b000000e8d4a51000'],
    [-1, 0, '20'],
    [-10, 0, '29'],
    [-100, 0, '3863'],
    [-1000, 0, '3903e7'],
    [1.1, 9, 'fb3ff199999999999a'],
    [-4.1, 9, 'fbc010666666666666'],
    [1e300, 0, 'fb7e37e43c8800759c'],
    [3.4028234663852886e38, 0, 'fa7f7fffff'],
  ])('writes %d with %d digits as %s', (value, digits, hex) => {
    expect(number(value, digits)).toBe(hex);
  });

  it.each([
    [-0, 3, '00'],
    [21.0001, 1, '15'],
    [255, 0, '18ff'],
    [256, 0, '190100'],
    [65535, 0, '19ffff'],
    [65536, 0, '1a00010000'],
    [2147483647, 0, '1a7fffffff'],
    [2147483648, 0, '1a80000000'],
    [4294967295, 0, '1affffffff'],
    [4294967296, 0, '1b0000000100000000'],
    [-4294967296, 0, '3affffffff'],
    [-4294967297, 0, '3b0000000100000000'],
    [9007199254740991, 0, '1b001fffffffffffff'],
    [-9007199254740991, 0, '3b001ffffffffffffe'],
    [9007199254740992, 0, 'fa5a000000'],
    [9007199254740994, 0, 'fb4340000000000001'],
    [NaN, 3, 'f6'],
    [Infinity, 3, 'f6'],
    [21.5, 1, 'fa41ac0000'],
    [21.3, 1, 'fa41aa6666'],
    [21.3, 9, 'fb40354ccccccccccd'],
    [-3.712, 3, 'fac06d9168'],
    [123456.789, 3, 'fa47f12065'],
    // Eleven digits are more than a single holds.
    [123456.789, 5, 'fb40fe240c9fbe76c9'],
  ])('writes %d with %d digits as %s', (value, digits, hex) => {
    expect(number(value, digits)).toBe(hex);
  });

  it('is this to the byte', () => {
    const bytes = write(cbor('g'), [{ age: 300, metric: 2, value: 21.5, digits: 1 }], { seq: 1, ts: 24 });
    const text = (value: string): string =>
      (0x60 + value.length).toString(16) + Buffer.from(value).toString('hex');
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `a5${text('device')}${text('g')}${text('seq')}01${text('ts')}1818${text('clock')}${text('epoch')}` +
        `${text('samples')}9fbf${text('age')}19012c${text('p')}fa41ac0000ffff`,
    );
  });
});
