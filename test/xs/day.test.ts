/**
 * A day in a machine of an ESP32's size, in seconds: publishes, pings, messages, a lost connection every hour; what the
 * heap holds at the end of each hour, and what it held at most, must be what it was in the first.
 */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { ROOT } from './bundle.ts';
import { Remote } from './remote.ts';
import type { ShippedOptions } from './shipped.ts';
import { VirtualServer } from './virtual-server.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_HOURS = 24;
const DAY_MS_MAX = 120_000;

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(application: string, options: ShippedOptions, server: VirtualServer): Promise<Remote> {
  const remote = await Remote.start(application, { ...options, network: server, virtualMs: 0 });
  undo.push(() => remote.stop());
  return remote;
}

/** What the machine holds, garbage apart, and how much more it held at most in the minute behind that, garbage and all. */
interface Reading {
  slots: number;
  chunkBytes: number;
  slotsMore: number;
  chunkBytesMore: number;
}

/** Lives through a day and some minutes, with the connection cut at the end of each hour; reads five minutes later. */
async function live(
  remote: Remote,
  server: VirtualServer,
  each: (minute: number) => unknown,
): Promise<Reading[]> {
  const { machine } = remote;
  const readings: Reading[] = [];
  for (let minute = 1; minute <= DAY_HOURS * 60 + 6; minute++) {
    await machine.runTo(minute * MINUTE_MS);
    if (minute % 60 === 6) {
      const reading = readings[readings.length - 1];
      reading.slotsMore = machine.state.slotsPeak - reading.slots;
      reading.chunkBytesMore = machine.state.chunkBytesPeak - reading.chunkBytes;
    }
    await each(minute);
    await machine.settled();
    if (minute % 60 === 0) server.cut();
    if (minute % 60 === 5) {
      const { slots, chunkBytes } = await machine.collect();
      readings.push({ slots, chunkBytes, slotsMore: 0, chunkBytesMore: 0 });
      await machine.markPeak();
    }
  }
  return readings;
}

describe('a day of a board', () => {
  it.each([
    ['5.0', V5],
    ['3.1.1', V3_1_1],
  ])(
    'that publishes every ten seconds leaves its heap as it was, MQTT %s',
    { timeout: DAY_MS_MAX },
    async (_, protocolVersion) => {
      const server = new VirtualServer(protocolVersion);
      const remote = await start('test/xs/guest/day-app.ts', { uses: ['core'] }, server);
      await remote.call('work', protocolVersion);
      let packetId = 0;
      const readings = await live(remote, server, (minute) => {
        if (minute % 10 !== 3) return;
        packetId = (packetId % 100) + 1;
        server.send({
          type: 'PUBLISH',
          dup: false,
          qos: 1,
          retain: false,
          topicName: 'day/news',
          packetId,
          payload: '00'.repeat(100),
        });
      });
      // Six a minute; a few at QoS 1 and 2 twice, as the connection was cut below them.
      expect(server.count('PUBLISH')).toBeGreaterThanOrEqual(DAY_HOURS * 360 - 1);
      expect(server.count('PUBLISH 0')).toBeGreaterThan(DAY_HOURS * 200);
      expect(server.count('PUBLISH 1')).toBeGreaterThan(DAY_HOURS * 100);
      expect(server.count('PUBLISH 2')).toBeGreaterThan(DAY_HOURS * 30);
      expect(server.count('PUBACK')).toBe(DAY_HOURS * 6 + 1);
      expect(server.count('PINGREQ')).toBeGreaterThan(DAY_HOURS * 300);
      expect(server.connections).toBe(DAY_HOURS + 1);
      expect(remote.all('disconnected').length).toBe(DAY_HOURS);
      for (const what of ['refused', 'error']) expect(remote.all(what)).toEqual([]);
      // The first hour has no lost connection before it.
      const [, second, ...later] = readings;
      expect(later).toEqual(later.map(() => second));
      expect(later).toHaveLength(DAY_HOURS - 1);
    },
  );

  it.each(['climate', 'meter', 'switch'])(
    'with the firmware %s leaves its heap as it was',
    { timeout: DAY_MS_MAX },
    async (firmware) => {
      const server = new VirtualServer();
      let telemetry = 0;
      server.onPublish = (topicName) => {
        if (topicName.endsWith('/telemetry')) telemetry++;
      };
      const remote = await start(
        'test/xs/guest/device-app.ts',
        {
          uses: ['device'],
          modules: { firmware: join(ROOT, `manifests/firmware/${firmware}.js`) },
          preload: ['firmware'],
        },
        server,
      );
      await remote.call('start', { address: '10.0.0.1', port: 1883 }, true);
      const readings = await live(remote, server, async (minute) => {
        await remote.call('set', 'temperature', 20 + (minute % 10));
        await remote.call('set', 'litres', 1000 + minute);
        await remote.call('set', 'watts', 40 + 5 * (minute % 3));
      });
      expect(telemetry).toBeGreaterThan(50);
      expect(server.connections).toBe(DAY_HOURS + 1);
      expect(remote.all('error')).toEqual([]);
      const [, second, ...later] = readings;
      expect(later).toEqual(later.map(() => second));
    },
  );
});
