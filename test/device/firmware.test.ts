/**
 * The firmware files of manifests/firmware, run as they are: what they send, obey and survive. They import nothing but
 * 'motemq/device', and so does whoever runs them elsewhere.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { DeviceDefinition } from '../../src/device/index.ts';
import { readCbor } from './cbor-reader.ts';
import { DeviceBench } from './device-bench.ts';
import type { BenchOptions, TelemetryMessage } from './device-bench.ts';

const FOLDER = fileURLToPath(new URL('../../manifests/firmware/', import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));

async function bench<Io>(name: string, io: Io, options: BenchOptions = {}): Promise<DeviceBench<Io>> {
  const module = (await import(`${FOLDER}${name}.js`)) as { default: DeviceDefinition<Io> };
  return new DeviceBench(module.default, io, options);
}

describe('firmware files', () => {
  it('are these', () => {
    expect(FILES).toEqual(['climate.js', 'meter.js', 'switch.js']);
  });

  it.each(FILES)('%s imports nothing but motemq/device', (name) => {
    const specifiers = [...readFileSync(FOLDER + name, 'utf8').matchAll(/\bfrom '([^']*)'|\bimport\(/g)];
    expect(specifiers.map(([, specifier]) => specifier)).toEqual(['motemq/device']);
  });
});

describe('climate', () => {
  const board = (): { t: number; h: number; version: string } & Record<string, unknown> => ({
    t: 21.04,
    h: 50,
    version: '2.1',
    temperature() {
      return this.t;
    },
    humidity() {
      return this.h;
    },
    batteryVolts: () => 3.712,
  });

  it('tells what changed, in few messages', async () => {
    const device = await bench('climate', board());
    const { io } = device.device;
    device.start();
    expect(device.json('status')).toEqual([
      { state: 'online', reason: 'start', info: { firmware: 'climate', version: '2.1' } },
    ]);
    device.advance(59_999);
    expect(device.telemetry()).toEqual([]);
    device.advance(1);
    expect(device.telemetry()).toMatchObject([
      { device: 'climate-1', samples: [{ age: 60_000, temperature: 21, humidity: 50, battery: 3.71 }] },
    ]);
    for (let i = 0; i < 20; i++) {
      io.t += 0.11;
      device.advance(10_000);
    }
    const messages = device.telemetry();
    const told = messages.flatMap(({ samples }) => samples.map(({ temperature }) => temperature));
    expect(told.length).toBeGreaterThanOrEqual(8);
    expect(told.length).toBeLessThanOrEqual(10);
    expect(messages.length).toBeLessThan(told.length / 2);
  });

  it('is silent for ten minutes at most', async () => {
    const device = await bench('climate', board());
    device.start().advance(3_600_000);
    const samples = device.telemetry().flatMap((message: TelemetryMessage) => message.samples);
    // The seventh waits for company.
    expect(samples.filter(({ temperature }) => temperature !== undefined)).toHaveLength(6);
    expect(samples.filter(({ battery }) => battery !== undefined)).toHaveLength(12);
  });

  it('keeps two hours of a quiet room while offline', async () => {
    const device = await bench('climate', board());
    device
      .start()
      .cut()
      .advance(2 * 3_600_000);
    device.restore().advance(120_000);
    const messages = device.telemetry();
    expect(messages.flatMap(({ samples }) => samples).length).toBeGreaterThan(24);
    expect(messages.some(({ dropped }) => dropped !== undefined)).toBe(false);
  });
});

describe('switch', () => {
  const board = (): { isOn: boolean } & Record<string, unknown> => ({
    isOn: false,
    setRelay(on: boolean) {
      this.isOn = on;
    },
    relay() {
      return this.isOn;
    },
    watts: () => 41.53,
  });

  it.each([5, 4])('obeys, answers, and tells what it did (protocol version %d)', async (protocolVersion) => {
    const device = await bench('switch', board(), { protocolVersion });
    device.start();
    device.telemetry();
    device.message('devices/switch-1/command/set', { on: true, id: 1 });
    expect(device.json('reply/set')).toEqual([{ ok: true, id: 1, result: { on: true, was: false } }]);
    device.message('devices/switch-1/command/toggle');
    device.message('devices/switch-1/command/toggle');
    expect(device.json('reply/toggle')).toEqual([
      { ok: true, result: { on: false } },
      { ok: true, result: { on: true } },
    ]);
    device.message('devices/switch-1/command/report');
    expect(device.json('reply/report')).toEqual([{ ok: true, result: { on: true, watts: 41.53 } }]);
    device.message('devices/switch-1/command/set', { on: 'yes' });
    expect(device.json('reply/set')).toEqual([
      { ok: false, error: { code: 'ERR_BAD_ARGUMENTS', message: 'on must be true or false' } },
    ]);
    device.advance(5000);
    expect(device.telemetry().map(({ samples }) => samples)).toEqual([
      [{ age: 0, on: 1 }],
      [{ age: 0, power: 41.5 }],
    ]);
  });

  it('can be told to keep its power to itself', async () => {
    const device = await bench('switch', board());
    device.start().message('devices/switch-1/config', { metrics: { power: { enabled: false } } });
    device.telemetry();
    device.message('devices/switch-1/command/toggle').advance(60_000);
    expect(device.telemetry().map(({ samples }) => samples)).toEqual([[{ age: 0, on: 1 }]]);
  });
});

describe('meter', () => {
  it('tells its readings in CBOR, and is idle in between', async () => {
    let litres = 123456;
    const board = { litres: () => litres, litresPerMinute: () => 0.25 };
    const device = await bench('meter', board, { epochMs: () => 1750498200123 });
    device.start();
    expect(readCbor(device.published('telemetry')[0].payload)).toMatchObject({
      device: 'meter-1',
      clock: 'epoch',
      samples: [{ age: 0, volume: 123456, flow: 0.25 }],
    });
    expect(device.device.isIdle()).toBe(true);
    expect(device.device.nextSampleInMs()).toBe(900_000);
    litres += 7;
    device.advance(900_000);
    const [message] = device.published('telemetry');
    expect(message.properties).toEqual({ messageExpiryInterval: 86400 });
    expect(readCbor(message.payload)).toMatchObject({ seq: 1, samples: [{ volume: 123463 }] });
    // Two days without a way to the server.
    device.cut().advance(172_800_000).restore().advance(120_000);
    const after = device.published('telemetry').map(({ payload }) => readCbor(payload) as TelemetryMessage);
    expect(after.flatMap(({ samples }) => samples)).toHaveLength(96);
    expect(after[0].dropped).toBe(192);
  });
});
