/**
 * As many devices as the descriptors of one process allow, up to 20,000, as `motemq fleet` runs them: against the embedded
 * broker in another process. Tells its parent what came of it, and ends.
 */
import { execSync } from 'node:child_process';
import { runFleet } from '../../sim/fleet/index.ts';

/** Of the whole fleet, its collector and its books included. */
export interface ManyFigures {
  devices: number;
  sent: number;
  delivered: number;
  lost: number;
  sentPerSecond: number;
  /** Resident memory for each device. */
  rssBytes: number;
  p50Ms: number;
  p99Ms: number;
}

const DEVICES_MAX = 20_000;
/** Descriptors that the process needs beside those of the devices. */
const OTHER_DESCRIPTORS = 1000;

function affordable(): number {
  const limit = execSync('ulimit -n', { shell: '/bin/sh' }).toString().trim();
  return limit === 'unlimited' ? DEVICES_MAX : Math.min(DEVICES_MAX, Number(limit) - OTHER_DESCRIPTORS);
}

const wanted = Number(process.argv[2]);
const devices = Math.min(wanted, affordable());
const { latency, memory, rates, totals } = await runFleet({
  devices,
  qos: 1,
  intervalMs: 1000,
  durationSeconds: 5,
  rampPerSecond: 0,
});
const figures: ManyFigures = {
  devices,
  sent: totals.sent,
  delivered: totals.delivered,
  lost: totals.lost,
  sentPerSecond: rates.sentPerSecondMean,
  rssBytes: memory.rssBytesPerDevice,
  p50Ms: latency?.p50Ms ?? 0,
  p99Ms: latency?.p99Ms ?? 0,
};
process.send?.(figures);
process.disconnect();
