/**
 * Configuration by retained message: what it changes, what it must not, and what is told of it.
 */
import { describe, expect, it } from 'vitest';
import { defineDevice } from '../../src/device/index.ts';
import { DeviceBench } from './device-bench.ts';
import type { BenchOptions } from './device-bench.ts';

const CONFIG = 'devices/g/config';
const DEFINED = {
  batchMs: 0,
  batchSamples: 1,
  metrics: {
    t: { unit: 'Cel', everyMs: 1000, deadband: 0, maxSilenceMs: 0, enabled: true },
    h: { everyMs: 5000, deadband: 2, maxSilenceMs: 60000, enabled: false },
    fast: { everyMs: 20, deadband: 1e9, maxSilenceMs: 0, enabled: true },
  },
};

function bench(options: BenchOptions = {}): DeviceBench<object> {
  const definition = defineDevice({
    id: 'g',
    metrics: {
      t: { unit: 'Cel', everyMs: 1000, read: () => 20 },
      h: { everyMs: 5000, deadband: 2, maxSilenceMs: 60000, enabled: false, read: () => 50 },
      fast: { everyMs: 20, deadband: 1e9, read: () => 1 },
    },
  });
  return new DeviceBench(definition, {}, options).start();
}

/** Names in the samples since this was last asked. */
function names(it: DeviceBench<object>): string[] {
  return it
    .telemetry()
    .flatMap(({ samples }) => samples.flatMap(({ age: _, ...values }) => Object.keys(values)));
}

describe.each([5, 4])('in protocol version %d', (protocolVersion) => {
  it('what is in force is told after the start, retained', () => {
    const it = bench({ protocolVersion });
    const [applied] = it.published('config/applied');
    expect(applied).toMatchObject({ qos: 1, retain: true });
    expect(JSON.parse(applied.payload.toString())).toEqual(DEFINED);
  });

  it('intervals, deadbands, silence and use of metrics are changed', () => {
    const it = bench({ protocolVersion });
    it.advance(100);
    names(it);
    it.json('config/applied');
    it.message(
      CONFIG,
      { id: 'v2', metrics: { t: { everyMs: 250, deadband: 1, maxSilenceMs: 500 }, h: { enabled: true } } },
      { retain: true },
    );
    expect(it.json('config/applied')).toEqual([
      {
        ...DEFINED,
        id: 'v2',
        metrics: {
          ...DEFINED.metrics,
          t: { unit: 'Cel', everyMs: 250, deadband: 1, maxSilenceMs: 500, enabled: true },
          h: { ...DEFINED.metrics.h, enabled: true },
        },
      },
    ]);
    expect(it.toldOf('configuration')).toEqual([[true]]);
    it.advance(1900);
    expect(names(it)).toEqual(['h', 't', 't', 't', 't']);
  });

  it('a configuration is whole: the next one begins with what is defined', () => {
    const it = bench({ protocolVersion });
    it.message(CONFIG, { batchMs: 5000, metrics: { t: { everyMs: 250 }, fast: { enabled: false } } });
    it.message(CONFIG, { metrics: { t: { deadband: 3 } } });
    expect(it.json('config/applied').at(-1)).toEqual({
      ...DEFINED,
      metrics: { ...DEFINED.metrics, t: { ...DEFINED.metrics.t, deadband: 3 } },
    });
    it.message(CONFIG, '');
    expect(it.json('config/applied')).toEqual([DEFINED]);
  });

  it('the same configuration again moves no reading', () => {
    const it = bench({ protocolVersion });
    it.message(CONFIG, { metrics: { t: { everyMs: 400 }, fast: { enabled: false } } });
    it.telemetry();
    it.advance(500);
    it.message(CONFIG, { metrics: { t: { everyMs: 400 }, fast: { enabled: false } } });
    it.advance(500);
    expect(it.telemetry().map(({ ts }) => ts)).toEqual([400, 800]);
  });
});

describe('batching', () => {
  it.each([
    [{ batchMs: 60000 }, { batchMs: 60000, batchSamples: 0 }],
    [{ batchSamples: 10 }, { batchMs: 0, batchSamples: 10 }],
    [
      { batchMs: 100, batchSamples: 10 },
      { batchMs: 100, batchSamples: 10 },
    ],
    [
      { batchMs: 0, batchSamples: 0 },
      { batchMs: 0, batchSamples: 0 },
    ],
    [{}, { batchMs: 0, batchSamples: 1 }],
  ])('%j means %j', (configuration, applied) => {
    const it = bench();
    it.message(CONFIG, configuration);
    expect(it.json('config/applied').at(-1)).toMatchObject(applied);
  });

  it('is changed for samples that wait already', () => {
    const it = bench();
    it.message(CONFIG, { batchSamples: 100 });
    it.advance(3000);
    names(it);
    it.message(CONFIG, { batchMs: 1000 });
    expect(names(it)).toEqual(['t', 't', 't']);
  });
});

describe('a configuration that is wrong', () => {
  it.each([
    ['not JSON', 'ERR_BAD_ARGUMENTS', 'the payload is not JSON'],
    ['[]', 'ERR_INVALID_ARGUMENT', 'the configuration must be an object'],
    [
      '{"batch":1}',
      'ERR_INVALID_ARGUMENT',
      'the configuration must not have a field batch, only id, batchMs',
    ],
    ['{"batchMs":-1}', 'ERR_OUT_OF_RANGE', 'batchMs must be an integer'],
    ['{"batchSamples":1e6}', 'ERR_OUT_OF_RANGE', 'batchSamples must be an integer'],
    ['{"metrics":[]}', 'ERR_INVALID_ARGUMENT', 'metrics must be an object'],
    ['{"metrics":{"x":{}}}', 'ERR_INVALID_ARGUMENT', 'metrics must not have a field x, only t, h, fast'],
    ['{"metrics":{"t":null}}', 'ERR_INVALID_ARGUMENT', 'metrics.t must be an object'],
    ['{"metrics":{"t":{"unit":"K"}}}', 'ERR_INVALID_ARGUMENT', 'metrics.t must not have a field unit'],
    [
      '{"metrics":{"t":{"everyMs":99}}}',
      'ERR_OUT_OF_RANGE',
      'metrics.t.everyMs must be an integer from 100 to',
    ],
    [
      '{"metrics":{"fast":{"everyMs":19}}}',
      'ERR_OUT_OF_RANGE',
      'metrics.fast.everyMs must be an integer from 20',
    ],
    ['{"metrics":{"t":{"everyMs":2147483648}}}', 'ERR_OUT_OF_RANGE', 'metrics.t.everyMs'],
    ['{"metrics":{"t":{"deadband":-1}}}', 'ERR_OUT_OF_RANGE', 'metrics.t.deadband'],
    ['{"metrics":{"t":{"deadband":"1"}}}', 'ERR_OUT_OF_RANGE', 'metrics.t.deadband'],
    ['{"metrics":{"t":{"maxSilenceMs":0.5}}}', 'ERR_OUT_OF_RANGE', 'metrics.t.maxSilenceMs'],
    ['{"metrics":{"t":{"enabled":"no"}}}', 'ERR_INVALID_ARGUMENT', 'metrics.t.enabled must be true or false'],
    // What is right in it does not hold either.
    [
      '{"batchMs":9,"metrics":{"t":{"everyMs":500},"h":{"everyMs":1}}}',
      'ERR_OUT_OF_RANGE',
      'metrics.h.everyMs',
    ],
  ])('%s changes nothing and is told', (payload, code, message) => {
    const it = bench();
    it.message(CONFIG, { id: 1, metrics: { t: { everyMs: 700 } } });
    const [, before] = it.json('config/applied');
    it.message(CONFIG, payload);
    const [applied, ...others] = it.json('config/applied');
    expect(others).toEqual([]);
    expect(applied.error.message).toContain(message);
    expect(applied).toEqual({ ...before, error: { code, message: applied.error.message } });
    expect(it.toldOf('configuration')).toEqual([[true], [false]]);
    // The next right one takes the error back.
    it.message(CONFIG, {});
    expect(it.json('config/applied')).toEqual([DEFINED]);
  });

  it('that is too large is told', () => {
    const it = bench({ receiveBytes: 128 });
    it.message(CONFIG, { id: 'x'.repeat(4000) });
    it.advance(0);
    expect(it.json('config/applied').at(-1)).toEqual({
      ...DEFINED,
      error: { code: 'ERR_TOO_LARGE', message: 'the configuration is too large' },
    });
    expect(it.toldOf('configuration')).toEqual([[false]]);
  });

  it('with an id that is too long to be told again is told as an error', () => {
    const it = bench({ receiveBytes: 8000 });
    it.message(CONFIG, { id: 'x'.repeat(7000) });
    expect(it.toldOf('error')).toEqual([['ERR_SEND', 'status or configuration: PACKET_TOO_LARGE']]);
  });
});

it('has room for what is in force, however many metrics there are', () => {
  const metrics = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      `a-metric-with-quite-a-long-name-${i}`,
      {
        unit: 'µg/m³ of something',
        everyMs: 2147483647,
        deadband: 1.2345678901234567e-8,
        maxSilenceMs: 2147483647,
        read: () => 1,
      },
    ]),
  );
  for (const qos of [0, 1]) {
    const it = new DeviceBench(defineDevice({ id: 'g', metrics, qos }), {}).start();
    expect(Object.keys(it.json('config/applied')[0].metrics)).toHaveLength(100);
    expect(it.toldOf('error')).toEqual([]);
  }
});
