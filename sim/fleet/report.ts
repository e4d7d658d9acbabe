/**
 * The result of a fleet run as one JSON-serialisable value: what `--json` prints, what the summary and the HTML report
 * show. Units are in the names: Ms is milliseconds, Bytes is bytes, PerSecond is a rate, a Ratio runs from 0 to 1.
 * Responsible for the shape and for the recorder that fills the timeline; runs nothing and draws nothing.
 */
import type { DeviceTotals, LatencyBin, LatencySummary, LedgerTotals, Verdict } from './ledger.ts';

/** What this version writes into {@link FleetResult.format}; a change that breaks readers changes it. */
export const FLEET_RESULT_FORMAT = 'motemq-fleet/1';

export interface FleetResult {
  format: typeof FLEET_RESULT_FORMAT;
  /** ISO 8601, UTC: when the first device began to connect. */
  startedAt: string;
  /** From `startedAt` until the last message was accounted for or given up. */
  elapsedMs: number;
  options: FleetReportOptions;
  /** Of devices that ran firmware. */
  firmware?: FleetFirmware;
  broker: FleetBroker;
  protocol: FleetProtocol;
  host: FleetHost;
  totals: LedgerTotals;
  /** From a device's publish to the collector's receipt; null if nothing was delivered. */
  latency: LatencySummary | null;
  /** How the latencies are spread: neighbouring bins, ten a decade, none missing between the first and the last. */
  latencyDistribution: LatencyBin[];
  rates: FleetRates;
  connections: FleetConnections;
  bytes: FleetBytes;
  memory: FleetMemory;
  timeline: FleetTimeline;
  outliers: FleetOutliers;
  /** In order of time. */
  events: FleetEvent[];
  verdict: Verdict;
}

/** What the run was asked to do. */
export interface FleetReportOptions {
  devices: number;
  /** Between two messages of one device; not there where that is the firmware's affair. */
  intervalMs?: number;
  durationSeconds: number;
  qos: 0 | 1 | 2;
  /** Of telemetry: the pattern, with its `%c` and `%i` still in it, or with the firmware's `{id}`. */
  topic: string;
  /** Connections started per second; 0 means all at once. */
  rampPerSecond: number;
  seed: number;
}

/** The firmware that every device ran, and what it did apart from messages. */
export interface FleetFirmware {
  /** Name of the file, without its folder. */
  file: string;
  /** The definition's. */
  id: string;
  format: 'json' | 'cbor';
  /** `node`: the runtime on this process's sockets. `xs`: each device in an XS machine of an ESP32's size. */
  engine: 'node' | 'xs';
  /** Samples in the messages that were sent. */
  samples: number;
  /** Samples that devices lost: their buffers were full, or a message was refused. */
  dropped: number;
  /** Messages that went out at the end of the run although no batch was full or old enough. */
  flushed: number;
  /** What devices reported as gone wrong: a sensor that threw, a subscription that was refused. */
  errors: number;
  machines?: FleetMachines;
}

/** XS machines: figures of all that were alive at the end, or that have ended by themselves. */
export interface FleetMachines {
  count: number;
  /** Ended by themselves: memory full, an exception nobody caught. A board would have reset. */
  died: number;
  /** Sizes of each. A slot has 16 bytes on an ESP32, whatever it has here. */
  slotsMax: number;
  chunkBytesMax: number;
  /** What is needed: the most that collections left, once all were connected and after the run. */
  slots: FleetSpread;
  chunkBytes: FleetSpread;
  /** High-water marks. Garbage counts until it is collected, and it is collected when there is no room. */
  slotsPeak: FleetSpread;
  chunkBytesPeak: FleetSpread;
  /** Instructions and the like while sending, drain included. */
  computronsPerSecond: FleetSpread;
}

/** Of one figure over all machines. */
export interface FleetSpread {
  median: number;
  max: number;
}

export interface FleetBroker {
  /** Without credentials: see {@link redactUrl}. */
  url: string;
  /** True if this process started the broker itself. */
  embedded: boolean;
  /** Such as `mosquitto 2.0.18`, where it is known. */
  name?: string;
}

export interface FleetProtocol {
  version: '5.0' | '3.1.1';
  transport: string;
  /** Whether devices published by topic alias: MQTT 5.0, and the broker allows some. */
  topicAliases: boolean;
  /** The broker's Topic Alias Maximum, where it sent one. */
  topicAliasMaximum?: number;
  /** The broker's Receive Maximum, where it sent one. */
  receiveMaximum?: number;
}

export interface FleetHost {
  platform: string;
  architecture: string;
  cpuModel: string;
  cpuCount: number;
  memoryTotalBytes: number;
  nodeVersion: string;
  motemqVersion: string;
}

/** Means are over the time from the first message sent to the last; the highest are of one timeline interval. */
export interface FleetRates {
  sentPerSecondMean: number;
  sentPerSecondMax: number;
  deliveredPerSecondMean: number;
  deliveredPerSecondMax: number;
}

export interface FleetConnections {
  /** CONNACKs that accepted, reconnects included. */
  connects: number;
  /** Accepted connections after a device's first. */
  reconnects: number;
  /** CONNACKs that refused. */
  refused: number;
  /** Connections that ended without the device wanting it, and attempts that reached no CONNACK. */
  failures: number;
  /** Birth messages the collector saw. */
  births: number;
  /** Wills the collector saw. */
  wills: number;
  /** Commands sent to devices, those a device received, and those whose answer the collector saw. */
  commandsSent: number;
  commandsReceived: number;
  commandsAnswered: number;
}

/** MQTT bytes of all devices, without TCP, TLS or WebSocket framing; the collector's own are not in it. */
export interface FleetBytes {
  /** Bytes the devices wrote. */
  wireOut: number;
  /** Bytes the devices read. */
  wireIn: number;
  /** What `wireOut` would have been with every topic spelled out. */
  outWithoutAliases: number;
  /** `1 - wireOut / outWithoutAliases`. */
  savedByAliasesRatio: number;
}

/** Of this process, which runs the devices and the collector. */
export interface FleetMemory {
  /** Resident set before the first device, and at its highest during the run. */
  rssBeforeBytes: number;
  rssMaxBytes: number;
  /** (all connected - before) / devices, garbage collected both times: the sockets' user-space share is in it. */
  rssBytesPerDevice: number;
  /** The same of the JavaScript heap. */
  heapBytesPerDevice: number;
  /** The same of buffers outside the heap. */
  externalBytesPerDevice: number;
}

/** One number for each interval, all arrays equally long; index 0 is the interval that begins at `startedAt`. */
export interface FleetTimeline {
  intervalMs: number;
  /** Messages in the interval. */
  sent: number[];
  delivered: number[];
  /** Devices connected at the interval's end. */
  connected: number[];
  /** Of the messages delivered in the interval; null where there were none. */
  latencyP50Ms: (number | null)[];
  latencyP99Ms: (number | null)[];
  /** Refused, failed and lost connections in the interval. */
  errors: number[];
}

/** A device worth looking at. */
export interface FleetOutlier extends DeviceTotals {
  clientId: string;
}

/** The ten worst, worst first; devices without any latency or loss are not in it. */
export interface FleetOutliers {
  byLatency: FleetOutlier[];
  byLost: FleetOutlier[];
}

/** `phase` and `note` are news, `reconnect` and `fault` are warnings, `refused` and `error` are trouble. */
export type FleetEventKind = 'phase' | 'note' | 'reconnect' | 'fault' | 'refused' | 'error';

export interface FleetEvent {
  /** Since `startedAt`. */
  atMs: number;
  kind: FleetEventKind;
  text: string;
}

/** Counters that only grow, but for `connected`; the recorder takes the differences. */
export interface TimelineCounters {
  sent: number;
  delivered: number;
  connected: number;
  errors: number;
}

/** Fills a {@link FleetTimeline} from counters read at regular times. */
export class TimelineRecorder {
  readonly timeline: FleetTimeline;
  private sent = 0;
  private delivered = 0;
  private errors = 0;

  constructor(intervalMs = 1000) {
    this.timeline = {
      intervalMs,
      sent: [],
      delivered: [],
      connected: [],
      latencyP50Ms: [],
      latencyP99Ms: [],
      errors: [],
    };
  }

  /** Ends an interval. `latency` is of this interval alone: `ledger.takeLatencyInterval()`. */
  add(counters: TimelineCounters, latency: LatencySummary | null): void {
    const timeline = this.timeline;
    timeline.sent.push(counters.sent - this.sent);
    timeline.delivered.push(counters.delivered - this.delivered);
    timeline.errors.push(counters.errors - this.errors);
    timeline.connected.push(counters.connected);
    timeline.latencyP50Ms.push(latency === null ? null : latency.p50Ms);
    timeline.latencyP99Ms.push(latency === null ? null : latency.p99Ms);
    this.sent = counters.sent;
    this.delivered = counters.delivered;
    this.errors = counters.errors;
  }
}

/** Rates from totals and a timeline. `sendingMs` is the ledger's: first message sent to last. */
export function ratesOf(totals: LedgerTotals, timeline: FleetTimeline, sendingMs: number): FleetRates {
  const seconds = Math.max(sendingMs, timeline.intervalMs) / 1000;
  const highest = (counts: readonly number[]): number =>
    counts.reduce((most, count) => Math.max(most, count), 0) * (1000 / timeline.intervalMs);
  const tenths = (value: number): number => Math.round(value * 10) / 10;
  return {
    sentPerSecondMean: tenths(totals.sent / seconds),
    sentPerSecondMax: tenths(highest(timeline.sent)),
    deliveredPerSecondMean: tenths(totals.delivered / seconds),
    deliveredPerSecondMax: tenths(highest(timeline.delivered)),
  };
}

/** The URL without user name, password and query, so that a report can be shown around. */
export function redactUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1').replace(/[?#].*$/s, '');
}
