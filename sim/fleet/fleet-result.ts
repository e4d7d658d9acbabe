/**
 * Puts the result of a run together from the books of those who took part. Computes, decides nothing.
 */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { V5 } from '../../src/packets/types.ts';
import type { Collector } from './collector.ts';
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
import type { Pool, Workload } from './workload.ts';

const OUTLIERS = 10;

export interface ResultParts {
  startedAt: Date;
  elapsedMs: number;
  workload: Workload;
  protocolVersion: number;
  broker: { url: string; embedded: boolean; name: string | undefined };
  transport: string;
  collector: Collector;
  pool: Pool;
  memory: FleetMemory;
  timeline: FleetTimeline;
  events: FleetEvent[];
  ledger: Ledger;
  /** What the verdict should also mention. */
  remarks: readonly string[];
}

export function makeResult(parts: ResultParts): FleetResult {
  const { workload, ledger, pool, timeline, broker } = parts;
  const { traffic } = workload;
  const { admissions } = pool;
  const totals = ledger.totals();
  const judged = verdict(totals, workload.qos, workload.isSilent);
  const reasons = [...judged.reasons, ...pool.reasons()];
  const firmware = pool.report();
  const named = (device: DeviceTotals): FleetOutlier => ({
    ...device,
    clientId: workload.clientIdOf(device.device),
  });
  return {
    format: FLEET_RESULT_FORMAT,
    startedAt: parts.startedAt.toISOString(),
    elapsedMs: Math.round(parts.elapsedMs),
    options: workload.reportOptions,
    ...(firmware === undefined ? {} : { firmware }),
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
      connects: admissions.connects,
      reconnects: admissions.reconnects,
      refused: admissions.refused,
      failures: admissions.failures,
      births: traffic.births,
      wills: traffic.wills,
      commandsSent: traffic.commandsSent,
      commandsReceived: pool.commandsReceived,
      commandsAnswered: traffic.commandsAnswered,
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
    verdict: { ok: reasons.length === 0, reasons, remarks: [...judged.remarks, ...parts.remarks] },
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

function bytesOf(pool: Pool): FleetBytes {
  const { out: wireOut, in: wireIn, saved } = pool.bytes();
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
