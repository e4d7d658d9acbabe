/**
 * What this process takes of the machine: before the first device, with all of them connected, and at its highest.
 * Knows nothing of devices but how many there are.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { FleetMemory } from './report.ts';

interface Sample {
  rss: number;
  heap: number;
  external: number;
}

export class MemoryMeter {
  private before: Sample = { rss: 0, heap: 0, external: 0 };
  private connected: Sample | undefined;
  private rssMax = 0;

  /** Nothing is connected yet. */
  markBefore(): void {
    this.before = settled();
    this.rssMax = this.before.rss;
  }

  /** Every device is connected, and has not sent anything but its birth. */
  markConnected(): void {
    this.sample();
    this.connected = settled();
  }

  /** Looks whether more is taken than ever before. */
  sample(): void {
    this.rssMax = Math.max(this.rssMax, process.memoryUsage.rss());
  }

  /** Resident set of one of `devices`, null before they are connected. */
  bytesPerDevice(devices: number): number | null {
    const { before, connected } = this;
    if (connected === undefined) return null;
    return Math.max(0, Math.round((connected.rss - before.rss) / devices));
  }

  report(devices: number): FleetMemory {
    this.sample();
    const { before, connected = before } = this;
    const each = (now: number, then: number): number => Math.max(0, Math.round((now - then) / devices));
    return {
      rssBeforeBytes: before.rss,
      rssMaxBytes: this.rssMax,
      rssBytesPerDevice: each(connected.rss, before.rss),
      heapBytesPerDevice: each(connected.heap, before.heap),
      externalBytesPerDevice: each(connected.external, before.external),
    };
  }
}

let collectGarbage: (() => void) | undefined;

/** What is in use once the garbage is out: without that, two runs of the same differ by megabytes. */
function settled(): Sample {
  if (collectGarbage === undefined) {
    setFlagsFromString('--expose-gc');
    collectGarbage = runInNewContext('gc') as () => void;
  }
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, external };
}
