/**
 * A fleet of made-up devices, as settings describe it: all of them publish to topics of one pattern, in one interval.
 */
import { clientIdOf } from './device.ts';
import { DevicePool } from './device-pool.ts';
import { formatDuration, formatInterval } from './format.ts';
import type { Ledger } from './ledger.ts';
import type { FleetReportOptions } from './report.ts';
import type { FleetSettings } from './settings.ts';
import { TelemetryTraffic } from './telemetry-traffic.ts';
import type { PoolWorld, Workload } from './workload.ts';

export class TelemetryWorkload implements Workload {
  readonly qos: 0 | 1 | 2;
  readonly clientIdPrefix: string;
  readonly traffic: TelemetryTraffic;
  readonly isSilent = false;
  private readonly settings: FleetSettings;

  constructor(settings: FleetSettings, ledger: Ledger) {
    this.settings = settings;
    this.qos = settings.qos;
    this.clientIdPrefix = `mote-${settings.seed.toString(36)}-`;
    this.traffic = new TelemetryTraffic(settings, this.clientIdPrefix, ledger);
  }

  get sendingText(): string {
    const { durationMs, intervalMs, qos } = this.settings;
    const seconds = formatDuration(durationMs);
    return `sending for ${seconds} at QoS ${qos}, each device every ${formatInterval(intervalMs)}`;
  }

  get reportOptions(): FleetReportOptions {
    const { settings } = this;
    return {
      devices: settings.devices,
      intervalMs: settings.intervalMs,
      durationSeconds: settings.durationMs / 1000,
      qos: settings.qos,
      topic: settings.pattern.text,
      rampPerSecond: settings.rampPerSecond,
      seed: settings.seed,
    };
  }

  clientIdOf(index: number): string {
    return clientIdOf(this.clientIdPrefix, index);
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  makePool(world: PoolWorld): DevicePool {
    return new DevicePool(this.settings, this.clientIdPrefix, this.traffic, world);
  }
}
