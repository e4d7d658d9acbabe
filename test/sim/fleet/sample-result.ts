/** A made-up but plausible FleetResult, the same every time: what the summary's and the report's tests look at. */
import { Ledger, verdict } from '../../../sim/fleet/ledger.ts';
import { NOISE_SIGMA, Random } from '../../../sim/fleet/random.ts';
import {
  FLEET_RESULT_FORMAT,
  ratesOf,
  TimelineRecorder,
  type FleetEvent,
  type FleetResult,
} from '../../../sim/fleet/report.ts';

export interface SampleOptions {
  devices?: number;
  seconds?: number;
  qos?: 0 | 1 | 2;
  /** Messages that vanish although they were acknowledged. */
  isLossy?: boolean;
}

/** The sample as if its devices had run firmware. */
export function withFirmware(sample: FleetResult, engine: 'node' | 'xs'): FleetResult {
  const { intervalMs: _, ...options } = sample.options;
  const spread = (median: number): { median: number; max: number } => ({ median, max: median + 7 });
  const machines = {
    count: options.devices,
    died: 1,
    slotsMax: 2048,
    chunkBytesMax: 32_768,
    slots: spread(760),
    chunkBytes: spread(8592),
    slotsPeak: spread(2040),
    chunkBytesPeak: spread(32_000),
    computronsPerSecond: spread(33_602),
  };
  return {
    ...sample,
    options: { ...options, topic: 'devices/{id}/telemetry' },
    firmware: {
      file: 'climate.js',
      id: 'climate-1',
      format: 'cbor',
      engine,
      samples: 123_456,
      dropped: 12,
      flushed: 3,
      errors: 4,
      ...(engine === 'xs' && { machines }),
    },
  };
}

/** Ramps up, runs, and meets a broker restart at two thirds: every chart has something to show. */
export function sampleResult(options: SampleOptions = {}): FleetResult {
  const devices = options.devices ?? 1000;
  const seconds = options.seconds ?? 90;
  const qos = options.qos ?? 1;
  const random = new Random(42);
  const ledger = new Ledger(devices);
  const recorder = new TimelineRecorder();
  const events: FleetEvent[] = [
    { atMs: 0, kind: 'phase', text: `connecting ${devices} devices, 100 a second` },
  ];
  const sequences = new Uint32Array(devices);
  const held: { device: number; sequence: number; sentMs: number }[] = [];
  const restartSecond = Math.floor((seconds * 2) / 3);
  let reconnects = 0;
  let errors = 0;

  const deliver = (device: number, sequence: number, latencyMs: number): void => {
    if (qos > 0) ledger.recordAcknowledged(device, sequence);
    if (options.isLossy === true && random.nextBelow(4000) === 0) return;
    ledger.recordDelivered(device, sequence, latencyMs);
  };
  for (let second = 0; second < seconds; second++) {
    const isDown = second === restartSecond || second === restartSecond + 1;
    const sinceUp = second - restartSecond - 2;
    const connected = isDown
      ? 0
      : Math.min(devices, sinceUp >= 0 ? (sinceUp + 1) * 400 : (second + 1) * Math.ceil(devices / 10));
    if (second === restartSecond) {
      errors += devices;
      events.push({ atMs: second * 1000 + 210, kind: 'fault', text: 'the broker closed every connection' });
      events.push({
        atMs: second * 1000 + 480,
        kind: 'refused',
        text: 'reason code 0x88 Server unavailable, “restarting”, 37 devices',
      });
    }
    if (sinceUp >= 0 && sinceUp * 400 < devices) {
      reconnects += Math.min(400, devices - sinceUp * 400);
      events.push({
        atMs: second * 1000 + 950,
        kind: 'reconnect',
        text: `${connected} of ${devices} devices are back`,
      });
    }
    const started = second * 1000;
    for (let device = 0; device < devices; device++) {
      const wasConnected = second < restartSecond ? device < connected : true;
      if (!wasConnected || second >= seconds - 2) continue;
      if (random.nextBelow(60) === 0) continue; // intervals jitter: now and then a second has none
      const sequence = sequences[device]++;
      const sentMs = started + random.nextBelow(1000);
      ledger.recordSent(device, sequence, sentMs);
      if (device >= connected) {
        held.push({ device, sequence, sentMs });
        continue;
      }
      const slow = device === 404 ? 3 : 1;
      const spread = Math.exp((0.45 * random.nextNoise()) / NOISE_SIGMA);
      const tail = random.nextBelow(140) === 0 ? 6 + random.nextBelow(30) / 2 : 1;
      const latencyMs = 1.35 * slow * spread * tail;
      deliver(device, sequence, latencyMs);
      if (qos === 1 && random.nextBelow(9000) === 0) ledger.recordDelivered(device, sequence, latencyMs + 8);
    }
    for (let index = held.length - 1; index >= 0; index--) {
      const message = held[index];
      if (message.device >= connected) continue;
      deliver(message.device, message.sequence, started + 500 + random.nextBelow(400) - message.sentMs);
      held.splice(index, 1);
    }
    const totals = ledger.totals();
    recorder.add(
      { sent: totals.sent, delivered: totals.delivered, connected, errors },
      ledger.takeLatencyInterval(),
    );
    if (second === 9) events.push({ atMs: 9870, kind: 'phase', text: `all ${devices} devices connected` });
  }
  events.push({ atMs: (seconds - 2) * 1000, kind: 'phase', text: 'sending stopped, draining' });

  const totals = ledger.totals();
  const wireOut = totals.sent * 61 + (devices + reconnects) * 148;
  const outWithoutAliases = totals.sent * 93 + (devices + reconnects) * 148;
  const named = (device: number): string => `mote-${String(device).padStart(5, '0')}`;
  return {
    format: FLEET_RESULT_FORMAT,
    startedAt: '2025-06-21T09:30:00.000Z',
    elapsedMs: seconds * 1000,
    options: {
      devices,
      intervalMs: 1000,
      durationSeconds: seconds,
      qos,
      topic: 'fleet/%c/telemetry',
      rampPerSecond: 100,
      seed: 42,
    },
    broker: { url: 'mqtt://broker.example:1883', embedded: false, name: 'mosquitto 2.0.18' },
    protocol: {
      version: '5.0',
      transport: 'tcp',
      topicAliases: true,
      topicAliasMaximum: 10,
      receiveMaximum: 20,
    },
    host: {
      platform: 'linux',
      architecture: 'x64',
      cpuModel: 'AMD EPYC 7R13 Processor',
      cpuCount: 2,
      memoryTotalBytes: 8_201_482_240,
      nodeVersion: 'v20.20.2',
      motemqVersion: '0.1.0',
    },
    totals,
    latency: ledger.latency(),
    latencyDistribution: ledger.latencyDistribution(),
    rates: ratesOf(totals, recorder.timeline, ledger.sendingMs),
    connections: {
      connects: devices + reconnects,
      reconnects,
      refused: 37,
      failures: devices,
      births: devices + reconnects,
      wills: devices,
      commandsSent: 200,
      commandsReceived: 200,
      commandsAnswered: 199,
    },
    bytes: {
      wireOut,
      wireIn: totals.sent * 4 + (devices + reconnects) * 31,
      outWithoutAliases,
      savedByAliasesRatio: 1 - wireOut / outWithoutAliases,
    },
    memory: {
      rssBeforeBytes: 71_303_168,
      rssMaxBytes: 98_566_144,
      rssBytesPerDevice: 27_262,
      heapBytesPerDevice: 9_420,
      externalBytesPerDevice: 8_704,
    },
    timeline: recorder.timeline,
    outliers: {
      byLatency: ledger.worstByLatency(10).map((device) => ({ ...device, clientId: named(device.device) })),
      byLost: ledger.worstByLost(10).map((device) => ({ ...device, clientId: named(device.device) })),
    },
    events,
    verdict: verdict(totals, qos),
  };
}
