/**
 * From readings to messages on the wire: when, how many, in which order, with which numbers; what becomes of them
 * without a connection, with a slow one, and with a server that wants less.
 */
import { describe, expect, it } from 'vitest';
import { defineDevice } from '../../src/device/index.ts';
import type { DeviceDefinition } from '../../src/device/index.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { readCbor } from './cbor-reader.ts';
import { DeviceBench } from './device-bench.ts';
import type { BenchOptions, TelemetryMessage } from './device-bench.ts';

interface Sensors {
  temperature: number | boolean | null | undefined;
  humidity: number;
  /** Readings taken. */
  count: number;
}

const sensors = (): Sensors => ({ temperature: 21.34, humidity: 55, count: 0 });

/** One metric a second, and what is said besides. */
function device(more: Partial<DeviceDefinition<Sensors>> = {}): DeviceDefinition<Sensors> {
  return defineDevice({
    id: 'g',
    metrics: {
      temperature: {
        everyMs: 1000,
        digits: 1,
        read(board: Sensors) {
          board.count++;
          return board.temperature;
        },
      },
    },
    ...more,
  });
}

const both: DeviceDefinition<Sensors>['metrics'] = {
  temperature: { everyMs: 1000, digits: 1, read: (board) => board.temperature },
  humidity: { everyMs: 2000, digits: 0, read: (board) => board.humidity },
};

function bench(
  more: Partial<DeviceDefinition<Sensors>> = {},
  options: BenchOptions = {},
): DeviceBench<Sensors> & { io: Sensors } {
  const io = sensors();
  return Object.assign(new DeviceBench(device(more), io, options), { io });
}

/** Samples in all messages, oldest first, with the time at which they were taken. */
function samplesOf(messages: TelemetryMessage[]): [atMs: number, name: string, value: number | null][] {
  return messages.flatMap(({ ts, samples }) =>
    samples.flatMap(({ age, ...values }) =>
      Object.entries(values).map(([name, value]): [number, string, number | null] => [
        ts - age!,
        name,
        value,
      ]),
    ),
  );
}

describe('telemetry', () => {
  it('goes out as it is read, to its topic, not retained', () => {
    const it = bench().start().advance(2500);
    expect(it.published('telemetry')).toMatchObject([
      { qos: 1, retain: false },
      { qos: 1, retain: false },
      { qos: 1, retain: false },
    ]);
    it.advance(1000);
    expect(it.telemetry()).toEqual([
      { device: 'g', seq: 3, ts: 3000, clock: 'uptime', samples: [{ age: 0, temperature: 21.3 }] },
    ]);
  });

  it('puts what is read at the same time into one row', () => {
    const it = bench({ metrics: both }).start().advance(2000);
    expect(it.telemetry().map(({ samples }) => samples)).toEqual([
      [{ age: 0, temperature: 21.3, humidity: 55 }],
      [{ age: 0, temperature: 21.3 }],
      [{ age: 0, temperature: 21.3, humidity: 55 }],
    ]);
  });

  it('tells the time since 1970 once the clock is set, also of what was read before', () => {
    let epochMs = 0;
    const it = bench({ batchSamples: 2 }, { epochMs: () => epochMs });
    it.start().advance(1000);
    expect(it.telemetry()).toMatchObject([
      { clock: 'uptime', ts: 1000, samples: [{ age: 1000 }, { age: 0 }] },
    ]);
    it.advance(1000);
    epochMs = 1750498200123.75;
    it.advance(1000);
    expect(it.telemetry()).toMatchObject([
      { clock: 'epoch', ts: 1750498200124, samples: [{ age: 1000 }, { age: 0 }] },
    ]);
  });

  it('tells fractions of a millisecond where they are asked for', () => {
    const it = bench({}, { epochMs: () => 1750498200123.456, timeDigits: 3, sequence: 41 });
    expect(it.start().telemetry()).toMatchObject([{ seq: 41, ts: 1750498200123.456 }]);
  });

  it('counts true and false, tells null for no value, and nothing for undefined', () => {
    const it = bench().start();
    for (const value of [true, false, null, NaN, Infinity, undefined, 7]) {
      it.io.temperature = value;
      it.advance(1000);
    }
    const values = samplesOf(it.telemetry()).map(([, , value]) => value);
    expect(values).toEqual([21.3, 1, 0, null, null, null, 7]);
  });

  it('tells null for a sensor that throws, and goes on', () => {
    const metrics: DeviceDefinition<Sensors>['metrics'] = {
      broken: {
        everyMs: 1000,
        read() {
          throw new Error('no answer on I2C');
        },
      },
      humidity: { everyMs: 1000, read: (board) => board.humidity },
    };
    const it = bench({ metrics }).start();
    expect(it.telemetry()[0].samples).toEqual([{ age: 0, broken: null, humidity: 55 }]);
    expect(it.toldOf('error')).toEqual([['ERR_READ', 'no answer on I2C']]);
  });

  it('is CBOR where that is asked for', () => {
    const it = bench({ format: 'cbor', metrics: both }, { epochMs: () => 1750498200123 }).start();
    expect(readCbor(it.published('telemetry')[0].payload)).toEqual({
      device: 'g',
      seq: 0,
      ts: 1750498200123,
      clock: 'epoch',
      samples: [{ age: 0, temperature: Math.fround(21.3), humidity: 55 }],
    });
  });

  it.each([0, 1, 2])('is sent with QoS %d', (qos) => {
    const it = bench({ qos }).start().advance(3000);
    expect(it.published('telemetry').map((message) => message.qos)).toEqual([qos, qos, qos, qos]);
    const tickets = it.toldOf('sent').map(([, , ticket]) => ticket as number);
    expect(tickets.map((ticket) => ticket > 0)).toEqual([0, 1, 2, 3].map(() => qos > 0));
    expect(it.toldOf('published')).toEqual(qos === 0 ? [] : [0, 1, 2, 3].map((sequence) => [sequence, 0, 0]));
  });

  it('takes the QoS of the host before that of the firmware, and no more than the server has', () => {
    expect(bench({ qos: 0 }, { qos: 2 }).start().published('telemetry')[0].qos).toBe(2);
    const it = bench({ qos: 2 });
    it.connack = { properties: { maximumQos: 0 } };
    expect(it.start().published('telemetry')[0].qos).toBe(0);
  });

  it('carries its expiry in 5.0, and an alias where the server allows', () => {
    const it = bench({ messageExpirySeconds: 600, qos: 0 });
    it.connack = { properties: { topicAliasMaximum: 3 } };
    it.start().advance(2000);
    const packets = it.sent().filter((packet) => packet.type === 'PUBLISH');
    expect(packets.at(-1)).toMatchObject({
      topicName: '',
      properties: { topicAlias: 3, messageExpiryInterval: 600 },
    });
    expect(it.published('telemetry')).toHaveLength(3);
    const older = bench({ messageExpirySeconds: 600 }, { protocolVersion: 4 }).start();
    expect(older.published('telemetry')).toHaveLength(1);
  });

  it('begins when the host says', () => {
    const it = bench({}, { firstSampleInMs: 700 }).start().advance(699);
    expect(it.telemetry()).toEqual([]);
    it.advance(1001);
    expect(it.telemetry().map(({ ts }) => ts)).toEqual([700, 1700]);
  });

  it('keeps to the grid for hours, with one timer besides the line', () => {
    const it = bench({}, { keepAliveSeconds: 0 }).start();
    for (let hour = 0; hour < 3; hour++) {
      it.advance(3_600_000);
      expect(it.timerCount).toBeLessThanOrEqual(2);
      const times = it.telemetry().map(({ ts }) => ts);
      expect(times.length).toBeGreaterThanOrEqual(3600);
      for (const ts of times) expect(ts % 1000).toBe(0);
    }
    expect(it.io.count).toBe(3 * 3600 + 1);
  });

  it('reads once after a pause, not once for each reading that was missed', () => {
    const it = bench({}, { keepAliveSeconds: 0 }).start();
    it.telemetry();
    it.freeze(60_300);
    expect(it.telemetry().map(({ ts }) => ts)).toEqual([60_300]);
    it.advance(700);
    expect(it.telemetry().map(({ ts }) => ts)).toEqual([61_000]);
  });
});

describe('batching', () => {
  it('waits for so many samples', () => {
    const it = bench({ batchSamples: 5 }).start().advance(3999);
    expect(it.telemetry()).toEqual([]);
    it.advance(1);
    const [message] = it.telemetry();
    expect(message.samples.map(({ age }) => age)).toEqual([4000, 3000, 2000, 1000, 0]);
  });

  it('waits so long for more, and not for a reading to send', () => {
    const it = bench({ batchMs: 2500 }).start().advance(2499);
    expect(it.telemetry()).toEqual([]);
    it.advance(1);
    expect(it.telemetry()).toMatchObject([
      { ts: 2500, samples: [{ age: 2500 }, { age: 1500 }, { age: 500 }] },
    ]);
    it.advance(2999);
    expect(it.telemetry()).toEqual([]);
    it.advance(1);
    expect(it.telemetry()).toHaveLength(1);
  });

  it('does what comes first', () => {
    const it = bench({ batchMs: 2500, batchSamples: 2, metrics: both }).start();
    expect(it.telemetry()).toHaveLength(1); // two samples at once
    it.advance(1000);
    expect(it.telemetry()).toHaveLength(0);
    it.advance(1000);
    expect(it.telemetry()).toHaveLength(1); // three
  });

  it('sends what waits when it is told to', () => {
    const it = bench({ batchSamples: 50 }).start().advance(2000);
    it.device.flush();
    it.advance(0);
    expect(it.telemetry()).toMatchObject([{ samples: [{ age: 2000 }, { age: 1000 }, { age: 0 }] }]);
    it.advance(5000);
    expect(it.telemetry()).toEqual([]);
  });

  it('never drops for the sake of a batch that the buffer cannot hold', () => {
    const it = bench({ batchSamples: 100, offlineSamples: 8 }).start().advance(31_000);
    const messages = it.telemetry();
    expect(messages).toHaveLength(4);
    expect(samplesOf(messages)).toHaveLength(32);
    expect(messages.some((message) => 'dropped' in message)).toBe(false);
  });

  it('fills messages as far as they go', () => {
    const it = bench({ batchSamples: 64 }, { payloadBytes: 300 }).start().advance(63_000);
    const sizes = it.published('telemetry').map(({ payload }) => payload.length);
    expect(sizes.length).toBeGreaterThan(5);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(300);
    // None but the last leaves room for another row.
    for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(220);
  });
});

describe('rows', () => {
  const many = Object.fromEntries(
    Array.from({ length: 7 }, (_, i) => [`metric-${i}`, { everyMs: 1000, read: () => i * 1111 }]),
  );

  it('are not torn between messages', () => {
    const it = bench({ metrics: many, batchSamples: 60 }, { payloadBytes: 420 }).start().advance(8000);
    const messages = it.telemetry();
    expect(messages.length).toBeGreaterThan(4);
    for (const { samples } of messages) for (const row of samples) expect(Object.keys(row)).toHaveLength(8);
    expect(messages.flatMap(({ ts, samples }) => samples.map(({ age }) => ts - age!))).toEqual(
      Array.from({ length: 9 }, (_, n) => n * 1000),
    );
  });

  it('are two when a metric was read twice within a millisecond', () => {
    const { samples, telemetry } = bench().device;
    for (const value of [1, 2]) {
      const index = samples.add();
      samples.values[index] = value;
      samples.ticks[index] = 7000.25 + value / 4;
      samples.metrics[index] = 0;
    }
    expect(telemetry.encode(7001, 500)).toBe(2);
    const message = JSON.parse(
      decodeUtf8(telemetry.writer.bytes, 0, telemetry.writer.at),
    ) as TelemetryMessage;
    expect(message.samples).toEqual([
      { age: 1, temperature: 1 },
      { age: 1, temperature: 2 },
    ]);
  });

  it('are, when one is longer than a message', () => {
    const it = bench({ metrics: many }, { payloadBytes: 210 }).start().advance(1000);
    const messages = it.telemetry();
    const together: Record<string, number | null> = {};
    for (const { samples } of messages.slice(0, messages.length / 2)) Object.assign(together, ...samples);
    expect(Object.keys(together)).toHaveLength(8);
    expect(messages.length).toBeGreaterThan(2);
  });
});

describe('without a connection', () => {
  it('samples wait with their times, and go out in order on return', () => {
    const it = bench().start();
    it.telemetry();
    it.cut().advance(20_500);
    expect(it.telemetry()).toEqual([]);
    it.restore().advance(60_000);
    const messages = it.telemetry();
    const samples = samplesOf(messages);
    expect(samples.map(([atMs]) => atMs)).toEqual(
      Array.from({ length: samples.length }, (_, n) => 1000 + n * 1000),
    );
    expect(samples.length).toBeGreaterThan(60);
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n + 1));
    // Twenty of them needed few messages.
    expect(messages[0].samples.length).toBeGreaterThan(5);
  });

  it('the oldest give way, and the next message says how many', () => {
    const it = bench({ offlineSamples: 10 }).start().advance(2000);
    it.telemetry();
    it.cut().advance(30_000).restore();
    it.device.connect();
    it.advance(0);
    const messages = it.telemetry();
    const [first, ...others] = messages;
    expect(first.dropped).toBe(20);
    for (const other of others) expect(other.dropped).toBeUndefined();
    expect(it.advance(1000).telemetry()[0].dropped).toBeUndefined();
    expect(samplesOf(messages).map(([atMs]) => atMs)).toEqual(
      Array.from({ length: 10 }, (_, n) => 23_000 + n * 1000),
    );
  });

  it('a device that never gets in keeps what it can', () => {
    const it = bench({ offlineSamples: 5 });
    it.isReachable = false;
    it.start().advance(600_000);
    expect(it.openings).toBeGreaterThan(10);
    it.restore().advance(120_000);
    const [first] = it.telemetry();
    expect(first.dropped).toBeGreaterThan(590);
  });

  it('readings are compared as ever', () => {
    const metrics: DeviceDefinition<Sensors>['metrics'] = {
      temperature: { everyMs: 1000, deadband: 0.5, maxSilenceMs: 10_000, read: (board) => board.temperature },
    };
    const it = bench({ metrics }).start();
    it.telemetry();
    it.cut().advance(25_000).restore().advance(60_000);
    const times = samplesOf(it.telemetry()).map(([atMs]) => atMs);
    expect(times.slice(0, 3)).toEqual([10_000, 20_000, 30_000]);
  });
});

describe('a transport that takes nothing for a while', () => {
  it.each([0, 1])('gets everything afterwards, in order (QoS %d)', (qos) => {
    const it = bench({ qos }).start();
    it.telemetry();
    it.isWritable = false;
    it.advance(30_000);
    expect(it.telemetry()).toEqual([]);
    it.drain();
    it.advance(0);
    const messages = it.telemetry();
    expect(samplesOf(messages).map(([atMs]) => atMs)).toEqual(
      Array.from({ length: 30 }, (_, n) => 1000 + n * 1000),
    );
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n + 1));
    expect(it.device.outstanding.count).toBe(0);
    expect(it.device.isIdle()).toBe(true);
  });
});

describe('a server that is slow', () => {
  it('has no more messages on its hands than agreed, and samples wait', () => {
    const it = bench({}, { inflightMax: 2 });
    it.start().advance(0);
    it.isAcknowledging = false;
    it.telemetry();
    it.sent();
    it.advance(20_000);
    const held = it.sent().filter((packet) => packet.type === 'PUBLISH');
    expect(held).toHaveLength(2);
    expect(it.device.samples.count).toBe(18);
    it.isAcknowledging = true;
    for (const { packetId } of held) it.server({ type: 'PUBACK', packetId: packetId! });
    it.advance(0);
    expect(it.device.samples.count).toBe(0);
    const messages = it.telemetry();
    expect(samplesOf(messages).map(([atMs]) => atMs)).toEqual(
      Array.from({ length: 20 }, (_, n) => 1000 + n * 1000),
    );
    expect(messages.length).toBeLessThan(8);
  });

  it('gets what it did not acknowledge again, once', () => {
    const it = bench().start();
    it.isAcknowledging = false;
    it.connack = { sessionPresent: true };
    it.advance(1000);
    it.sent();
    it.cut();
    it.isAcknowledging = true;
    it.restore();
    it.device.connect();
    it.advance(0);
    const again = it.sent().filter((packet) => packet.type === 'PUBLISH' && packet.dup);
    expect(again).toHaveLength(1);
    it.advance(1000);
    expect(it.toldOf('published').map(([sequence]) => sequence)).toEqual([0, 1, 2]);
  });
});

describe('a message that waits for room', () => {
  it('is not asked for again and again', () => {
    const it = bench({ batchMs: 500 }, { inflightMax: 1 }).start();
    it.isAcknowledging = false;
    it.advance(60_000);
    // The readings, and some of the line's own.
    expect(it.timersGoneOff).toBeLessThan(70);
    expect(it.telemetry()).toHaveLength(1);
  });
});

describe('a server that wants less', () => {
  it('gets messages that it takes', () => {
    const it = bench({ batchSamples: 20 });
    it.connack = { properties: { maximumPacketSize: 250 } };
    it.start().advance(19_000);
    const sizes = it.published('telemetry').map(({ payload }) => payload.length);
    expect(sizes.length).toBeGreaterThan(2);
    for (const size of sizes) expect(size).toBeLessThan(250);
    expect(it.toldOf('error')).toEqual([]);
  });

  it('gets nothing when it takes no sample at all, and the device goes on', () => {
    const it = bench();
    it.connack = { properties: { maximumPacketSize: 70 } };
    it.start().advance(3000);
    expect(it.published('telemetry')).toEqual([]);
    const errors = it.toldOf('error').map(([code]) => code);
    expect(errors.filter((code) => code === 'ERR_SEND').length).toBeGreaterThanOrEqual(4);
    expect(it.device.samples.dropped).toBe(4);
    expect(it.isUp).toBe(true);
  });

  it('that refuses a message makes its samples dropped ones', () => {
    const it = bench().start();
    it.isAcknowledging = false;
    it.telemetry();
    it.advance(1000);
    const [{ packetId }] = it.published('telemetry');
    it.server({ type: 'PUBACK', packetId: packetId!, reasonCode: 0x97 });
    expect(it.toldOf('published').at(-1)).toEqual([1, 0, 0x97]);
    it.advance(1000);
    expect(it.telemetry()).toMatchObject([{ seq: 2, dropped: 1 }]);
  });
});
