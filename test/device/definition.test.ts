/**
 * What a firmware file may say, and what it is told when it says something else.
 */
import { describe, expect, it } from 'vitest';
import { badArguments, checkDefinition, defineDevice } from '../../src/device/index.ts';
import { DeviceBench } from './device-bench.ts';

const read = (): number => 1;
const metric = { everyMs: 1000, read };

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/** The error that `act` throws. */
function errorOf(act: () => unknown): { code: string; message: string } {
  try {
    act();
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, message };
  }
  throw new Error('nothing was thrown');
}

describe('defineDevice', () => {
  it('gives back what it was given, and changes nothing of it', () => {
    const definition = freeze({
      id: 'greenhouse-1',
      root: 'plant/{id}',
      format: 'cbor' as const,
      qos: 2,
      metrics: {
        temperature: {
          unit: 'Cel',
          everyMs: 10,
          deadband: 0.2,
          maxSilenceMs: 0,
          digits: 9,
          enabled: false,
          read,
        },
      },
      commands: { led: () => ({}) },
      status: () => ({}),
      batchMs: 0,
      batchSamples: 65535,
      offlineSamples: 1,
      keepAliveSeconds: 0,
      sessionExpirySeconds: 4294967295,
      messageExpirySeconds: 0,
      willDelaySeconds: 0,
    });
    expect(defineDevice(definition)).toBe(definition);
  });

  it('takes a device that only exists', () => {
    expect(() => defineDevice({ id: 'x' })).not.toThrow();
  });

  it('lets a frozen definition serve devices, and be configured', () => {
    const definition = freeze(defineDevice({ id: 'x', metrics: { a: { everyMs: 1000, read } } }));
    const bench = new DeviceBench(definition, {}).start();
    bench.message('devices/x/config', { metrics: { a: { everyMs: 500 } } }).advance(1000);
    expect(bench.telemetry()).toHaveLength(3);
    expect(definition.metrics!['a'].everyMs).toBe(1000);
  });

  it.each<[unknown, string, RegExp]>([
    [undefined, 'ERR_INVALID_ARGUMENT', /^the definition must be an object$/],
    [[], 'ERR_INVALID_ARGUMENT', /^the definition must be an object$/],
    [{}, 'ERR_INVALID_TOPIC', /^id must be text/],
    [{ id: '' }, 'ERR_INVALID_TOPIC', /^id /],
    [{ id: 7 }, 'ERR_INVALID_TOPIC', /^id /],
    [{ id: 'a/b' }, 'ERR_INVALID_TOPIC', /^id /],
    [{ id: 'a+' }, 'ERR_INVALID_TOPIC', /^id /],
    [{ id: '#' }, 'ERR_INVALID_TOPIC', /^id /],
    [
      { id: 'a', metric: {} },
      'ERR_INVALID_ARGUMENT',
      /^the definition must not have a field metric, only id, root/,
    ],
    [{ id: 'a', root: 1 }, 'ERR_INVALID_ARGUMENT', /^root /],
    [{ id: 'a', format: 'xml' }, 'ERR_INVALID_ARGUMENT', /^format must be "json" or "cbor", not xml$/],
    [{ id: 'a', qos: 3 }, 'ERR_OUT_OF_RANGE', /^qos must be an integer from 0 to 2, not 3$/],
    [{ id: 'a', metrics: [] }, 'ERR_INVALID_ARGUMENT', /^metrics must be an object$/],
    [{ id: 'a', metrics: { '': metric } }, 'ERR_INVALID_ARGUMENT', /^metrics must have names of/],
    [{ id: 'a', metrics: { 'a b': metric } }, 'ERR_INVALID_ARGUMENT', /not "a b"$/],
    [{ id: 'a', metrics: { ['a'.repeat(65)]: metric } }, 'ERR_INVALID_ARGUMENT', /^metrics must have names/],
    [{ id: 'a', metrics: { age: metric } }, 'ERR_INVALID_ARGUMENT', /^metrics must not be named age/],
    [{ id: 'a', metrics: { t: null } }, 'ERR_INVALID_ARGUMENT', /^metrics\.t must be an object$/],
    [{ id: 'a', metrics: { t: { read } } }, 'ERR_OUT_OF_RANGE', /^metrics\.t\.everyMs must be an integer/],
    [{ id: 'a', metrics: { t: { everyMs: 9, read } } }, 'ERR_OUT_OF_RANGE', /from 10 to 2147483647, not 9$/],
    [{ id: 'a', metrics: { t: { everyMs: 10.5, read } } }, 'ERR_OUT_OF_RANGE', /^metrics\.t\.everyMs/],
    [{ id: 'a', metrics: { t: { everyMs: '10', read } } }, 'ERR_OUT_OF_RANGE', /^metrics\.t\.everyMs/],
    [
      { id: 'a', metrics: { t: { everyMs: 10 } } },
      'ERR_INVALID_ARGUMENT',
      /^metrics\.t\.read must be a function$/,
    ],
    [{ id: 'a', metrics: { t: { ...metric, deadBand: 1 } } }, 'ERR_INVALID_ARGUMENT', /field deadBand, only/],
    [
      { id: 'a', metrics: { t: { ...metric, deadband: -1 } } },
      'ERR_OUT_OF_RANGE',
      /^metrics\.t\.deadband .* not -1$/,
    ],
    [{ id: 'a', metrics: { t: { ...metric, deadband: NaN } } }, 'ERR_OUT_OF_RANGE', /^metrics\.t\.deadband/],
    [
      { id: 'a', metrics: { t: { ...metric, deadband: Infinity } } },
      'ERR_OUT_OF_RANGE',
      /^metrics\.t\.deadband/,
    ],
    [
      { id: 'a', metrics: { t: { ...metric, maxSilenceMs: -1 } } },
      'ERR_OUT_OF_RANGE',
      /^metrics\.t\.maxSilenceMs/,
    ],
    [{ id: 'a', metrics: { t: { ...metric, digits: 10 } } }, 'ERR_OUT_OF_RANGE', /^metrics\.t\.digits/],
    [{ id: 'a', metrics: { t: { ...metric, unit: 3 } } }, 'ERR_INVALID_ARGUMENT', /^metrics\.t\.unit/],
    [
      { id: 'a', metrics: { t: { ...metric, enabled: 1 } } },
      'ERR_INVALID_ARGUMENT',
      /enabled must be true or false/,
    ],
    [{ id: 'a', commands: { led: {} } }, 'ERR_INVALID_ARGUMENT', /^commands\.led must be a function$/],
    [{ id: 'a', commands: { 'a/b': read } }, 'ERR_INVALID_ARGUMENT', /^commands must have names/],
    [{ id: 'a', status: {} }, 'ERR_INVALID_ARGUMENT', /^status must be a function$/],
    [{ id: 'a', batchMs: -1 }, 'ERR_OUT_OF_RANGE', /^batchMs /],
    [{ id: 'a', batchSamples: 65536 }, 'ERR_OUT_OF_RANGE', /^batchSamples /],
    [{ id: 'a', offlineSamples: 0 }, 'ERR_OUT_OF_RANGE', /^offlineSamples /],
    [{ id: 'a', keepAliveSeconds: 65536 }, 'ERR_OUT_OF_RANGE', /^keepAliveSeconds /],
    [{ id: 'a', sessionExpirySeconds: -1 }, 'ERR_OUT_OF_RANGE', /^sessionExpirySeconds /],
    [{ id: 'a', messageExpirySeconds: 1.5 }, 'ERR_OUT_OF_RANGE', /^messageExpirySeconds /],
    [{ id: 'a', willDelaySeconds: 'x' }, 'ERR_OUT_OF_RANGE', /^willDelaySeconds /],
  ])('refuses %j', (definition, code, message) => {
    const thrown = errorOf(() => defineDevice(definition as never));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(message);
    expect(() => checkDefinition(definition)).toThrow();
  });

  it('refuses more metrics than a sample can name', () => {
    const metrics = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`m${i}`, metric]));
    expect(errorOf(() => defineDevice({ id: 'a', metrics })).message).toMatch(
      /^metrics must be 255 at most$/,
    );
  });
});

describe('a runtime', () => {
  it.each<[object, string, RegExp]>([
    [{ id: 'a/b' }, 'ERR_INVALID_TOPIC', /^options\.id /],
    [{ root: 'a/#' }, 'ERR_INVALID_TOPIC', /^root must not contain/],
    [{ root: '' }, 'ERR_INVALID_TOPIC', /^root must not be empty/],
    [{ protocolVersion: 3 }, 'ERR_INVALID_ARGUMENT', /^options\.protocolVersion must be 5 or 4$/],
    [{ qos: 3 }, 'ERR_OUT_OF_RANGE', /^options\.qos /],
    [{ statusQos: -1 }, 'ERR_OUT_OF_RANGE', /^options\.statusQos /],
    [{ commandQos: 9 }, 'ERR_OUT_OF_RANGE', /^options\.commandQos /],
    [{ timeDigits: 4 }, 'ERR_OUT_OF_RANGE', /^options\.timeDigits /],
    [{ sequence: -1 }, 'ERR_OUT_OF_RANGE', /^options\.sequence /],
    [{ firstSampleInMs: -1 }, 'ERR_OUT_OF_RANGE', /^options\.firstSampleInMs /],
    [{ inflightMax: 0 }, 'ERR_OUT_OF_RANGE', /^options\.inflightMax /],
    [{ payloadBytes: 63 }, 'ERR_OUT_OF_RANGE', /^options\.payloadBytes /],
    [
      { payloadBytes: 100 },
      'ERR_OUT_OF_RANGE',
      /leave 100 bytes for a message, and one with one sample may take \d+$/,
    ],
    [{ outboxBytes: 100 }, 'ERR_OUT_OF_RANGE', /^options\.payloadBytes and outboxBytes leave 31 bytes/],
    [{ receiveBytes: 10 }, 'ERR_OUT_OF_RANGE', /^options\.receiveBytes /],
    [{ transmitBytes: 10 }, 'ERR_OUT_OF_RANGE', /^options\.transmitBytes /],
  ])('refuses the options %j', (options, code, message) => {
    const definition = defineDevice({ id: 'a', metrics: { t: metric } });
    const thrown = errorOf(() => new DeviceBench(definition, {}, options));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(message);
  });

  it('refuses what is no definition', () => {
    expect(errorOf(() => new DeviceBench({ id: 'a', metrics: { t: {} } } as never, {})).message).toMatch(
      /^metrics\.t\.everyMs/,
    );
  });
});

it('badArguments makes an error with a code', () => {
  const thrown = errorOf(() => {
    throw badArguments('on must be there');
  });
  expect(thrown).toEqual({ code: 'ERR_BAD_ARGUMENTS', message: 'on must be there' });
});
