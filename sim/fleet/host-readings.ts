/**
 * What this machine itself measures: load, memory, temperatures and network counters, so that a fleet can publish real
 * numbers beside the modelled ones. Reads are shared: however many devices ask, the files are read once per
 * `cacheMs`. What a machine does not have (thermal sensors in a virtual machine, /proc outside Linux) is absent from
 * the result, never zero. Knows nothing of devices or payloads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, freemem, loadavg, platform, totalmem } from 'node:os';
import { join } from 'node:path';

/** One temperature sensor. */
export interface HostTemperature {
  /** What the kernel calls it, such as `x86_pkg_temp` or `coretemp Core 0`. */
  name: string;
  celsius: number;
}

/** The counters of one network interface since it came up; loopback is left out. */
export interface HostNetwork {
  name: string;
  receivedBytes: number;
  sentBytes: number;
  receivedPackets: number;
  sentPackets: number;
}

/** A sample of the host. Treat as read-only: devices share it. */
export interface HostSample {
  /** When it was taken: the `nowMs` of the call that read it. */
  takenMs: number;
  cpuCount: number;
  memoryTotalBytes: number;
  /** Memory that could be had without swapping: MemAvailable on Linux, free memory elsewhere. */
  memoryAvailableBytes: number;
  /** Runnable tasks averaged over 1, 5 and 15 minutes; absent on Windows, which has no such number. */
  load1?: number;
  load5?: number;
  load15?: number;
  temperatures?: readonly HostTemperature[];
  network?: readonly HostNetwork[];
}

export interface HostReadingsOptions {
  /** For how long a sample is handed out again, in ms. Default 1000. */
  cacheMs?: number;
  /** Where procfs and sysfs are; tests point them at a made-up tree. */
  procDirectory?: string;
  sysDirectory?: string;
}

/** Reads the host, at most once per `cacheMs`. One per process is enough. */
export class HostReadings {
  private readonly cacheMs: number;
  private readonly procDirectory: string;
  private readonly temperatureFiles: readonly TemperatureFile[];
  private sample: HostSample | undefined;

  constructor(options: HostReadingsOptions = {}) {
    this.cacheMs = options.cacheMs ?? 1000;
    this.procDirectory = options.procDirectory ?? '/proc';
    // Sensors do not come and go during a run; their values do. Looked up once, as it opens a file for each.
    this.temperatureFiles = findTemperatureFiles(options.sysDirectory ?? '/sys');
  }

  /** @param nowMs any clock in ms, always the same one; decides whether the last sample still serves */
  read(nowMs: number): HostSample {
    const last = this.sample;
    // A clock that was set back must not freeze the readings until it has caught up.
    if (last !== undefined && nowMs >= last.takenMs && nowMs - last.takenMs < this.cacheMs) return last;
    const sample = this.take(nowMs);
    this.sample = sample;
    return sample;
  }

  private take(nowMs: number): HostSample {
    const sample: HostSample = {
      takenMs: nowMs,
      cpuCount: availableParallelism(),
      memoryTotalBytes: totalmem(),
      memoryAvailableBytes: parseMemoryAvailable(readText(join(this.procDirectory, 'meminfo'))) ?? freemem(),
    };
    if (platform() !== 'win32') {
      [sample.load1, sample.load5, sample.load15] = loadavg().map((load) => Math.round(load * 100) / 100);
    }
    const temperatures = readTemperatures(this.temperatureFiles);
    if (temperatures.length > 0) sample.temperatures = temperatures;
    const network = parseNetworkCounters(readText(join(this.procDirectory, 'net', 'dev')));
    if (network.length > 0) sample.network = network;
    return sample;
  }
}

interface TemperatureFile {
  name: string;
  path: string;
}

/** Thermal zones first, then hwmon inputs under names no zone has: many chips appear in both places. */
function findTemperatureFiles(sysDirectory: string): TemperatureFile[] {
  const found: TemperatureFile[] = [];
  const zones = join(sysDirectory, 'class', 'thermal');
  for (const entry of listNames(zones)) {
    if (!entry.startsWith('thermal_zone')) continue;
    const name = readText(join(zones, entry, 'type'))?.trim();
    found.push({ name: name !== undefined && name !== '' ? name : entry, path: join(zones, entry, 'temp') });
  }
  const known = new Set(found.map((file) => file.name));
  const monitors = join(sysDirectory, 'class', 'hwmon');
  for (const entry of listNames(monitors)) {
    const chip = readText(join(monitors, entry, 'name'))?.trim() ?? entry;
    if (known.has(chip)) continue;
    for (const file of listNames(join(monitors, entry))) {
      const input = /^(temp\d+)_input$/.exec(file);
      if (input === null) continue;
      const label = readText(join(monitors, entry, `${input[1]}_label`))?.trim() ?? input[1];
      found.push({ name: `${chip} ${label}`, path: join(monitors, entry, file) });
    }
  }
  return found;
}

function readTemperatures(files: readonly TemperatureFile[]): HostTemperature[] {
  const temperatures: HostTemperature[] = [];
  for (const { name, path } of files) {
    const text = readText(path)?.trim();
    if (text === undefined || !/^-?\d+$/.test(text)) continue;
    const celsius = Number(text) / 1000; // both trees report thousandths of a degree
    // Unpowered sensors read as absolute zero or as the register's maximum: that is no temperature.
    if (celsius > -60 && celsius < 200) temperatures.push({ name, celsius });
  }
  return temperatures;
}

/** MemAvailable of /proc/meminfo in bytes, or undefined where the text does not have it. */
export function parseMemoryAvailable(text: string | undefined): number | undefined {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(text ?? '');
  return line === null ? undefined : Number(line[1]) * 1024;
}

/** The interfaces of /proc/net/dev: two heading lines, then `name: 8 receive columns 8 send columns`. */
export function parseNetworkCounters(text: string | undefined): HostNetwork[] {
  const interfaces: HostNetwork[] = [];
  for (const line of (text ?? '').split('\n')) {
    // The name may itself hold a colon (an alias such as eth0:1): the last one ends it.
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim();
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (name === 'lo' || columns.length < 16 || columns.some(Number.isNaN)) continue;
    interfaces.push({
      name,
      receivedBytes: columns[0],
      receivedPackets: columns[1],
      sentBytes: columns[8],
      sentPackets: columns[9],
    });
  }
  return interfaces;
}

/** The file's text, or undefined: a sensor that fails to read (EIO, ENODATA) is the same as one that is not there. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
