/** Telemetry as bytes: what JSON makes of them, and what the reader does. */
import { describe, expect, it } from 'vitest';
import type { HostSample } from '../../../sim/fleet/host-readings.ts';
import { DeviceReadings, type Readings } from '../../../sim/fleet/readings.ts';
import { MessageWriter, TelemetryReader, wallClockMs } from '../../../sim/fleet/telemetry.ts';

const PREFIX = 'mote-7-';
const CLIENT_ID = new TextEncoder().encode(`${PREFIX}00042`);
const READINGS: Readings = {
  temperatureCelsius: -0.05,
  humidityPercent: 100,
  batteryVolts: 3.007,
  rssiDbm: -67,
  fault: 'none',
};
const HOST: HostSample = {
  takenMs: 0,
  cpuCount: 2,
  memoryTotalBytes: 8e9,
  memoryAvailableBytes: 7_123_456_789,
  load1: 0.25,
  temperatures: [{ name: 'cpu', celsius: 48.5 }],
  network: [{ name: 'eth0', receivedBytes: 1e15, sentBytes: 0, receivedPackets: 1, sentPackets: 2 }],
};

function write(sequence: number, sentMs: number, readings = READINGS, host?: HostSample): string {
  const writer = new MessageWriter();
  writer.writeTelemetry(CLIENT_ID, sequence, sentMs, readings, host);
  return new TextDecoder().decode(writer.bytes.subarray(0, writer.byteLength));
}

describe('telemetry', () => {
  it('is JSON with every number as it was', () => {
    expect(JSON.parse(write(17, 1750498200123.456))).toEqual({
      device: `${PREFIX}00042`,
      seq: 17,
      ts: 1750498200123.456,
      temperature: -0.05,
      humidity: 100,
      battery: 3.007,
      rssi: -67,
    });
    expect(JSON.parse(write(0, 0.001, READINGS, HOST))).toMatchObject({
      ts: 0.001,
      host: { memoryAvailable: 7_123_456_789, load: 0.25, celsius: 48.5, received: 1e15, sent: 0 },
    });
    const { takenMs, cpuCount, memoryTotalBytes } = HOST;
    const bare = { takenMs, cpuCount, memoryTotalBytes, memoryAvailableBytes: 5 };
    expect(JSON.parse(write(0, 1, READINGS, bare))).toMatchObject({ host: { memoryAvailable: 5 } });
  });

  it('writes what the models read, and is read back', () => {
    const writer = new MessageWriter();
    const reader = new TelemetryReader(PREFIX);
    const device = new DeviceReadings(3, 1);
    for (let sequence = 0; sequence < 3000; sequence++) {
      const readings = device.read(sequence * 60_000_000);
      const sentMs = wallClockMs();
      writer.writeTelemetry(CLIENT_ID, sequence * 7, sentMs, readings, undefined);
      const text = new TextDecoder().decode(writer.bytes.subarray(0, writer.byteLength));
      expect(JSON.parse(text)).toMatchObject({
        temperature: readings.temperatureCelsius + 0,
        humidity: readings.humidityPercent,
        battery: readings.batteryVolts,
        rssi: readings.rssiDbm,
      });
      expect(reader.read(writer.bytes, 0, writer.byteLength)).toBe(true);
      expect([reader.device, reader.sequence]).toEqual([42, sequence * 7]);
      expect(Math.abs(reader.sentMs - sentMs)).toBeLessThan(0.001);
    }
  });

  it('reads nothing into what is cut short, damaged or of another run', () => {
    const whole = write(17, 1750498200123.456);
    const reader = new TelemetryReader(PREFIX);
    const read = (text: string): boolean => reader.read(new TextEncoder().encode(text), 0, text.length);
    expect(read(whole)).toBe(true);
    const head = whole.indexOf(',"temperature"');
    for (let length = 0; length < head - 4; length++) expect(read(whole.slice(0, length))).toBe(false);
    expect(read(whole.replace('mote-7-', 'mote-8-'))).toBe(false);
    expect(read(whole.replace('"seq":', '"seq":x'))).toBe(false);
    expect(read('online')).toBe(false);
  });
});
