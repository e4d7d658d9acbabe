/**
 * What a device holds of the heap of an XS machine, and that it makes no object while it reads and sends. Of the bytes
 * of texts only V8 is asked (test/device/allocations.test.ts): here, unlike on a board, the literals of a program are
 * copied each time they are used.
 */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { XsState } from '../../sim/xs/machine.ts';
import { Bench, stopAll } from './bench.ts';
import { ROOT, writeModule } from './bundle.ts';
import { shippedModules } from './shipped.ts';

afterEach(stopAll);

const FIRMWARE = `
  import { defineDevice } from 'motemq/device';
  const readings = [21.34, -0.5, 1013.25, 55, NaN, 123456.789, 0.001, 7.5];
  let turn = 0;
  function read() {
    turn = (turn + 1) & 7;
    return readings[turn];
  }
  const metric = { everyMs: 1000, digits: 2, read };
  export const one = (more) => defineDevice(Object.assign({
    id: 'greenhouse-1',
    metrics: { temperature: metric, humidity: metric, pressure: { everyMs: 2000, digits: 0, read } },
    commands: { led: (args) => args },
  }, more));
  /** Metrics with names of eight characters. */
  export function many(count, offlineSamples) {
    const metrics = {};
    for (let i = 0; i < count; i++) metrics['metric' + (10 + i)] = metric;
    return defineDevice({ id: 'g', metrics, qos: 0, offlineSamples });
  }
`;

/** A machine with the device runtime loaded, and `device` (fixtures/device.js) and `firmware` at hand. */
async function load(preload: string[] = []): Promise<Bench> {
  const modules = {
    ...(await shippedModules()),
    fixture: join(ROOT, 'test/xs/fixtures/device.js'),
    firmware: writeModule('device-firmware', FIRMWARE),
    main: writeModule(
      'device-main',
      `import * as device from 'fixture'; import * as firmware from 'firmware';
       globalThis.device = device; globalThis.firmware = firmware;`,
    ),
  };
  const bench = await Bench.start({}, { modules, preload, virtualMs: 0 });
  await bench.machine.import('main');
  return bench;
}

type Cost = Pick<XsState, 'slots' | 'chunkBytes'>;

/** Slots and bytes of chunks that `act` leaves in the heap. */
async function costOf({ machine }: Bench, act: string): Promise<Cost> {
  const { slots, chunkBytes } = await machine.collect();
  await machine.evaluate(`${act}; 1`);
  const after = await machine.collect();
  return { slots: after.slots - slots, chunkBytes: after.chunkBytes - chunkBytes };
}

describe('a device on XS', () => {
  it.each([
    ['JSON at QoS 0', '{ qos: 0 }'],
    ['CBOR at QoS 0', "{ qos: 0, format: 'cbor' }"],
    ['JSON at QoS 1', '{ qos: 1 }'],
    ['batches', '{ qos: 1, batchSamples: 10, messageExpirySeconds: 60 }'],
  ])('makes no object: %s', async (_, more) => {
    const { machine } = await load(['motemq/device']);
    await machine.evaluate(`device.make(firmware.one(${more}), {}, {}); device.start(); device.run(100);`);
    const made: number[] = [];
    for (const rounds of [1, 500]) {
      const { slots } = machine.state;
      await machine.evaluate(`device.run(${rounds})`);
      made.push(machine.state.slots - slots);
    }
    // What is not collected yet counts: all there is is what the evaluation itself takes.
    expect(made[1]).toBe(made[0]);
    expect(await machine.evaluate('device.run(100)')).toBeGreaterThanOrEqual(20);
  });

  it('takes a third of an ESP32’s heap, with the session and all buffers, and no more later', async () => {
    const bench = await load();
    const device = await costOf(
      bench,
      'device.make(firmware.one({}), {}, {}); device.start(); device.run(100)',
    );
    expect(device.slots).toBeLessThan(700);
    expect(device.chunkBytes).toBeLessThan(10_000);
    expect(await costOf(bench, 'device.run(1000)')).toEqual({ slots: 0, chunkBytes: 0 });
  });

  it('takes two slots and some bytes for a metric, and 13 bytes for a sample', async () => {
    const bench = await load();
    const make = (metrics: number, samples: number): string =>
      `device.make(firmware.many(${metrics}, ${samples}), {}, { payloadBytes: 512, outboxBytes: 4096 })`;
    await costOf(bench, make(10, 1));
    const metrics = await costOf(bench, make(110, 1));
    // One of them is the definition's.
    expect(metrics.slots).toBeLessThanOrEqual(200);
    // 64 of numbers, 13 of name; a slot in each of two arrays, which are twice as large here as on a board.
    expect(metrics.chunkBytes / 100).toBeLessThan(64 + 13 + 2 * 32 + 16);
    expect(await costOf(bench, make(110, 1001))).toEqual({ slots: 0, chunkBytes: 13_000 });
  });
});
