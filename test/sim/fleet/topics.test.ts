/** What a fleet is asked to do: topic patterns, URLs, options, and what is refused. */
import { describe, expect, it } from 'vitest';
import { FleetError } from '../../../sim/fleet/failure.ts';
import { parseServer } from '../../../sim/fleet/server.ts';
import { settingsOf, type FleetOptions } from '../../../sim/fleet/settings.ts';
import { TopicPattern } from '../../../sim/fleet/topics.ts';

const NAMES = { clientId: 'mote-1', index: 1, userName: 'alice' };
const TRUST = { ca: undefined, isInsecure: false };

describe('TopicPattern', () => {
  it.each([
    ['fleet/%c/telemetry', 'fleet/mote-1/telemetry', 'fleet/+/telemetry', 'fleet/mote-1/status'],
    ['a/dev-%i/x', 'a/dev-1/x', 'a/+/x', 'a/dev-1/status'],
    ['plant/%u/%c', 'plant/alice/mote-1', 'plant/alice/+', 'plant/alice/mote-1/status'],
    ['%c', 'mote-1', '+', 'mote-1/status'],
    ['data', 'data', 'data', 'data/mote-1/status'],
    ['%c/status', 'mote-1/status', '+/status', 'mote-1/status/status'],
    ['100%%/%i/v', '100%/1/v', '100%/+/v', '100%/1/status'],
    ['%%c/x', '%c/x', '%c/x', '%c/x/mote-1/status'],
  ])('%s gives topics and filters', (text, telemetry, filter, status) => {
    const pattern = new TopicPattern(text, true);
    expect(pattern.telemetry(NAMES)).toBe(telemetry);
    expect(pattern.telemetryFilter('alice')).toBe(filter);
    expect(pattern.control('status', NAMES)).toBe(status);
  });

  it.each(['', 'a/+/b', 'a/#', '$SYS/x', 'a/%x', 'a/%', 'a\u0000b', '%u/%c'])('refuses %j', (text) => {
    expect(() => new TopicPattern(text, false)).toThrow(FleetError);
  });
});

describe('parseServer', () => {
  it.each([
    ['mqtt://broker', 'broker:1883', 'TCP'],
    ['broker.local:2000', 'broker.local:2000', 'TCP'],
    ['mqtts://[::1]', '[::1]:8883', 'TLS'],
    ['ws://broker/path', 'broker:80', 'WebSocket'],
    ['wss://broker:9001', 'broker:9001', 'WebSocket over TLS'],
  ])('%s leads to %s over %s', (url, name, transport) => {
    expect(parseServer(url, TRUST)).toMatchObject({ name, transport });
  });

  it('takes credentials from the URL', () => {
    const server = parseServer('mqtt://al%20ice:p%40ss@broker', TRUST);
    expect(server).toMatchObject({ userName: 'al ice', password: 'p@ss' });
  });

  it.each(['http://broker', 'mqtt://', 'mqtt://a b', 'mqtt://broker:99999'])('refuses %s', (url) => {
    expect(() => parseServer(url, TRUST)).toThrow(FleetError);
  });
});

describe('settingsOf', () => {
  it('has defaults for everything', () => {
    expect(settingsOf({})).toMatchObject({ devices: 1000, intervalMs: 1000, durationMs: 10_000, qos: 1 });
    expect(settingsOf({ seed: 5, durationSeconds: 0.5 })).toMatchObject({ seed: 5, durationMs: 500 });
  });

  it.each<[keyof FleetOptions, FleetOptions]>([
    ['devices', { devices: 0 }],
    ['devices', { devices: 1.5 }],
    ['devices', { devices: NaN }],
    ['intervalMs', { intervalMs: 0 }],
    ['durationSeconds', { durationSeconds: -1 }],
    ['qos', { qos: 3 }],
    ['topic', { topic: '#' }],
    ['rampPerSecond', { rampPerSecond: -1 }],
    ['seed', { seed: -1 }],
    ['mqttVersion', { mqttVersion: '5' as '5.0' }],
    ['password', { password: 'x' }],
    ['url', { url: 'gopher://x' }],
  ])('names %s when it is wrong', (option, options) => {
    expect(() => settingsOf(options)).toThrow(expect.objectContaining({ name: 'FleetError', option }));
  });
});
