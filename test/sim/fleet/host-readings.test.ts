/**
 * This machine's own readings: what is there is plausible, what is not is absent.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  HostReadings,
  parseMemoryAvailable,
  parseNetworkCounters,
} from '../../../sim/fleet/host-readings.ts';

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 223996133    6901    0    0    0     0          0         0   569895    4300    0    0    0     0       0          0
eth0:1:12 1 0 0 0 0 0 0 34 2 0 0 0 0 0 0
`;

describe('HostReadings', () => {
  let root = '';
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const make = (): HostReadings =>
    new HostReadings({ procDirectory: join(root, 'proc'), sysDirectory: join(root, 'sys'), cacheMs: 500 });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'motemq-host-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('reads sensors and counters, zones before monitors, and leaves out what makes no sense', () => {
    put('proc/net/dev', NET_DEV);
    put('proc/meminfo', 'MemTotal:  100 kB\nMemAvailable:   2048 kB\n');
    put('sys/class/thermal/thermal_zone0/type', 'x86_pkg_temp\n');
    put('sys/class/thermal/thermal_zone0/temp', '41500\n');
    put('sys/class/thermal/thermal_zone1/type', 'unpowered\n');
    put('sys/class/thermal/thermal_zone1/temp', '-274000\n');
    put('sys/class/hwmon/hwmon0/name', 'nvme\n');
    put('sys/class/hwmon/hwmon0/temp1_input', '33850\n');
    put('sys/class/hwmon/hwmon0/temp1_label', 'Composite\n');
    put('sys/class/hwmon/hwmon1/name', 'x86_pkg_temp\n');
    put('sys/class/hwmon/hwmon1/temp1_input', '41500\n');
    const sample = make().read(0);
    expect(sample.memoryAvailableBytes).toBe(2048 * 1024);
    expect(sample.temperatures).toEqual([
      { name: 'x86_pkg_temp', celsius: 41.5 },
      { name: 'nvme Composite', celsius: 33.85 },
    ]);
    expect(sample.network?.map((each) => each.name)).toEqual(['eth0', 'eth0:1']);
    expect(sample.network?.[0]).toEqual({
      name: 'eth0',
      receivedBytes: 223996133,
      receivedPackets: 6901,
      sentBytes: 569895,
      sentPackets: 4300,
    });
  });

  it('has no key for what the machine does not have', () => {
    const sample = make().read(0);
    expect('temperatures' in sample).toBe(false);
    expect('network' in sample).toBe(false);
    expect(sample.memoryAvailableBytes).toBeGreaterThan(0);
    expect(sample.cpuCount).toBeGreaterThan(0);
  });

  it('shares one sample among all askers until it is old, also when the clock goes back', () => {
    put('proc/meminfo', 'MemAvailable: 1 kB\n');
    const host = make();
    const first = host.read(1000);
    expect(host.read(1499)).toBe(first);
    put('proc/meminfo', 'MemAvailable: 2 kB\n');
    expect(host.read(1500).memoryAvailableBytes).toBe(2048);
    expect(host.read(10).takenMs).toBe(10);
  });

  it('reads this very machine', () => {
    const sample = new HostReadings().read(0);
    expect(sample.memoryTotalBytes).toBeGreaterThan(sample.memoryAvailableBytes);
  });

  it('parses nothing from nothing', () => {
    expect(parseMemoryAvailable(undefined)).toBeUndefined();
    expect(parseNetworkCounters('no colons, eth0: few columns')).toEqual([]);
  });
});
