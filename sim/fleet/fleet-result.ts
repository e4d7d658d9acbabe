/**
 * Puts the result of a run together from the books of those who took part. Computes, decides nothing.
 */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { V5 } from '../../src/packets/types.ts';
import type { Collector } from './collector.ts';
import type { DevicePool } from './device-pool.ts';
import { verdict, type DeviceTotals, type Ledger } from './ledger.ts';
import {
  FLEET_RESULT_FORMAT,
  ratesOf,
  type FleetBytes,
  type FleetEvent,
  type FleetHost,
  type FleetMemory,
  type FleetOutlier,
  type FleetProtocol,
  type FleetResult,
  type FleetTimeline,
} from './report.ts';
import type { FleetSettings } from './settings.ts';

const OUTLIERS = 10;

export interface ResultParts {
  startedAt: Date;
  elapsedMs: number;
  settings: FleetSettings;
  protocolVersion: number;
  broker: { url: string; embedded: boolean; name: string | undefined };
  transport: string;
  collector: Collector;
  pool: DevicePool;
  memory: FleetMemory;
  timeline: FleetTimeline;
  events: FleetEvent[];
  ledger: Ledger;
  /** What the verdict should also mention. */
  remarks: readonly string[];
  clientIdOf(index: number): string;
}

export function makeResult(parts: ResultParts): FleetResult {
  const { settings, ledger, collector, pool, timeline, broker } = parts;
  const totals = ledger.totals();
  const judged = verdict(totals, settings.qos);
  const named = (device: DeviceTotals): FleetOutlier => ({
    ...device,
    clientId: parts.clientIdOf(device.device),
  });
  return {
    format: FLEET_RESULT_FORMAT,
    startedAt: parts.startedAt.toISOString(),
    elapsedMs: Math.round(parts.elapsedMs),
    options: {
      devices: settings.devices,
      intervalMs: settings.intervalMs,
      durationSeconds: settings.durationMs / 1000,
      qos: settings.qos,
      topic: settings.pattern.text,
      rampPerSecond: settings.rampPerSecond,
      seed: settings.seed,
    },
    broker: {
      url: broker.url,
      embedded: broker.embedded,
      ...(broker.name === undefined ? {} : { name: broker.name }),
    },
    protocol: protocolOf(parts),
    host: hostOf(),
    totals,
    latency: ledger.latency(),
    latencyDistribution: ledger.latencyDistribution(),
    rates: ratesOf(totals, timeline, ledger.sendingMs),
    connections: {
      connects: pool.connects,
      reconnects: pool.reconnects,
      refused: pool.refused,
      failures: pool.failures,
      births: collector.births,
      wills: collector.wills,
      commandsSent: collector.commandsSent,
      commandsReceived: pool.commandsReceived,
      commandsAnswered: collector.commandsAnswered,
    },
    bytes: bytesOf(pool),
    memory: parts.memory,
    timeline,
    outliers: {
      byLatency: ledger.worstByLatency(OUTLIERS).map(named),
      byLost: ledger.worstByLost(OUTLIERS).map(named),
    },
    // What happened to many was told late, under the time of the first.
    events: [...parts.events].sort((left, right) => left.atMs - right.atMs),
    verdict: { ...judged, remarks: [...judged.remarks, ...parts.remarks] },
  };
}

function protocolOf({ protocolVersion, transport, collector }: ResultParts): FleetProtocol {
  const { topicAliasMaximum, receiveMaximum } = collector;
  return {
    version: protocolVersion === V5 ? '5.0' : '3.1.1',
    transport,
    topicAliases: (topicAliasMaximum ?? 0) > 0,
    ...(topicAliasMaximum === undefined ? {} : { topicAliasMaximum }),
    ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
  };
}

function bytesOf({ devices }: DevicePool): FleetBytes {
  let wireOut = 0;
  let wireIn = 0;
  let saved = 0;
  for (const device of devices) {
    if (device === undefined) continue;
    const { transport } = device.driver;
    wireOut += transport.bytesOut;
    wireIn += transport.bytesIn;
    saved += device.savedByteLength;
  }
  const outWithoutAliases = wireOut + saved;
  const ratio = outWithoutAliases === 0 ? 0 : 1 - wireOut / outWithoutAliases;
  return { wireOut, wireIn, outWithoutAliases, savedByAliasesRatio: Math.round(ratio * 1e6) / 1e6 };
}

function hostOf(): FleetHost {
  return {
    platform: platform(),
    architecture: arch(),
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cpuCount: availableParallelism(),
    memoryTotalBytes: totalmem(),
    nodeVersion: process.version,
    motemqVersion: packageVersion(),
  };
}

/** The version that package.json names; it is found above this file, in the sources as in the build. */
function packageVersion(): string {
  for (const up of ['../..', '../../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // The other one, then.
    }
  }
  return 'unknown';
}
