/**
 * Ids and topics of devices with firmware, there and back.
 */
import { describe, expect, it } from 'vitest';
import { FirmwareNames, STATUS, TELEMETRY } from '../../../../sim/fleet/firmware/names.ts';

function read(names: FirmwareNames, topic: string): { index: number; kind: number } | undefined {
  const bytes = Buffer.from(`xx${topic}yy`);
  if (!names.read(bytes, 2, bytes.length - 2)) return undefined;
  return { index: names.index, kind: names.kind };
}

describe('names of devices with firmware', () => {
  it('are the id and a number, from one', () => {
    const names = new FirmwareNames('climate-1');
    expect(names.prefix).toBe('climate-1-');
    expect([names.idOf(0), names.idOf(99_998), names.idOf(99_999)]).toEqual([
      'climate-1-00001',
      'climate-1-99999',
      'climate-1-100000',
    ]);
  });

  it.each([
    [undefined, 'devices/+/telemetry'],
    ['{id}', '+/telemetry'],
    ['plant/{id}', 'plant/+/telemetry'],
    ['plant/unit {id}/a', 'plant/+/a/telemetry'],
    ['{id}/{id}', '+/+/telemetry'],
  ])('are covered by one filter: %j', (root, filter) => {
    expect(new FirmwareNames('a', root).filterOf('telemetry')).toBe(filter);
  });

  it.each([undefined, '{id}', 'plant/unit {id}/a', '{id}/{id}', 'Größe/{id}'])(
    'are found again in topics: %j',
    (root) => {
      const names = new FirmwareNames('m-1', root);
      for (const index of [0, 9, 12_345, 99_999]) {
        const topic = (root ?? 'devices/{id}').replaceAll('{id}', names.idOf(index));
        expect(read(names, `${topic}/telemetry`)).toEqual({ index, kind: TELEMETRY });
        expect(read(names, `${topic}/status`)).toEqual({ index, kind: STATUS });
      }
    },
  );

  it.each([
    'devices/m-1/telemetry',
    'devices/m-1-/telemetry',
    'devices/m-1-7/telemetry',
    'devices/m-1-00000/telemetry',
    'devices/m-2-00001/telemetry',
    'devices/m-1-00001/reply/telemetries',
    'devices/m-1-00001/config',
    'devices/m-1-00001',
    'devices/',
    '',
  ])('are not found in %j', (topic) => {
    expect(read(new FirmwareNames('m-1'), topic)).toBeUndefined();
  });

  it('need the id in the root', () => {
    expect(() => new FirmwareNames('a', 'plant/line 1')).toThrow(/its root must have \{id\} in it/);
  });
});
