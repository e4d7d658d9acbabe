/**
 * A thousand devices that each publish at an interval, from one process: as our fleet has them (sessions with
 * their drivers), and as `mqttx bench pub` has them (MQTT.js clients). Publishing alone: what `motemq fleet` does
 * besides, receiving all of it and keeping books of every message, is in neither.
 */
import { startMosquitto, startNodeBroker } from '../broker/brokers.ts';
import { calibration, median, spread } from '../measure.ts';
import type { Qos } from '../client/peer.ts';
import type { CrowdKind } from './crowd.ts';
import type { PublishResult } from './crowd-child.ts';
import { CrowdProcess } from './crowd-process.ts';

const KINDS: readonly CrowdKind[] = ['bare', 'driver', 'theirs'];
const TITLES: Record<CrowdKind, string> = {
  bare: 'bare sockets',
  driver: 'our devices',
  client: 'our promise clients',
  theirs: 'MQTT.js, as mqttx bench pub',
};

export interface FleetSettings {
  readonly rounds: number;
  readonly devices: number;
  readonly intervalMs: number;
  readonly warmUpMs: number;
  readonly ms: number;
}

export const SETTINGS: FleetSettings = {
  rounds: 3,
  devices: 1000,
  intervalMs: 100,
  warmUpMs: 1500,
  ms: 2000,
};

/** To see that all works: nothing can be learned from its figures. */
export const QUICK_SETTINGS: FleetSettings = {
  rounds: 1,
  devices: 20,
  intervalMs: 20,
  warmUpMs: 20,
  ms: 50,
};

const QOS: Record<string, Qos> = { publish0: 0, publish1: 1 };

async function measureFleet(
  port: number,
  qos: Qos,
  { rounds, devices, intervalMs, warmUpMs, ms }: FleetSettings,
): Promise<Record<CrowdKind, PublishResult[]>> {
  const results: Record<CrowdKind, PublishResult[]> = { bare: [], driver: [], client: [], theirs: [] };
  for (let round = 0; round < rounds; round++) {
    calibration.run();
    for (let turn = 0; turn < KINDS.length; turn++) {
      const kind = KINDS[(round + turn) % KINDS.length];
      const crowd = await CrowdProcess.start(kind, port);
      await crowd.open(devices);
      results[kind].push(await crowd.publish({ qos, intervalMs, warmUpMs, ms }));
      await crowd.stop();
    }
  }
  return results;
}

/** Of one QoS. Every ratio: larger is better for us. */
export interface FleetFigures {
  /** Their processor time for a message over ours. */
  cpuRatio: number;
  /** Their resident memory a device over ours, and what each adds to a bare socket. */
  memoryRatio: number;
  extraMemoryRatio: number;
  cpuMicroseconds: number;
  theirCpuMicroseconds: number;
  bareCpuMicroseconds: number;
  rssBytes: number;
  theirRssBytes: number;
  bareRssBytes: number;
}

/** Prints a table; gives ratios (larger is better for us) and what they come from. */
export async function runFleet(
  isWanted: (name: string) => boolean,
  settings: FleetSettings = SETTINGS,
): Promise<Record<string, FleetFigures>> {
  const wanted = Object.keys(QOS).filter((name) => isWanted(name));
  if (wanted.length === 0) return {};
  const mosquitto = await startMosquitto();
  if (mosquitto === undefined)
    console.log('\nMOSQUITTO IS NOT INSTALLED: the fleet is measured on our broker');
  const broker = mosquitto ?? (await startNodeBroker('motemq'));
  console.log(
    `\nfleet: ${settings.devices} devices, a message of 64 bytes every ${settings.intervalMs} ms each, on ${broker.name}, ` +
      `medians of ${settings.rounds}`,
  );
  const figures: Record<string, FleetFigures> = {};
  for (const name of wanted) {
    const results = await measureFleet(broker.port, QOS[name], settings);
    const of = (kind: CrowdKind, key: keyof PublishResult): number =>
      median(results[kind].map((result) => result[key]));
    console.log(`  QoS ${QOS[name]}`);
    for (const kind of KINDS) {
      const noise = spread(results[kind].map(({ cpuMicroseconds }) => cpuMicroseconds));
      console.log(
        `    ${TITLES[kind].padEnd(28)}${of(kind, 'cpuMicroseconds').toFixed(1).padStart(7)} µs of processor a message ` +
          `±${(noise * 100).toFixed(0)} %, ${(of(kind, 'rssBytes') / 1024).toFixed(1).padStart(5)} KiB of RSS a device, ` +
          `${Math.round(of(kind, 'perSecond')).toLocaleString('en')} messages/s`,
      );
    }
    const extra = (kind: CrowdKind): number => of(kind, 'rssBytes') - of('bare', 'rssBytes');
    figures[name] = {
      cpuRatio: of('theirs', 'cpuMicroseconds') / of('driver', 'cpuMicroseconds'),
      memoryRatio: of('theirs', 'rssBytes') / of('driver', 'rssBytes'),
      extraMemoryRatio: extra('theirs') / extra('driver'),
      cpuMicroseconds: of('driver', 'cpuMicroseconds'),
      theirCpuMicroseconds: of('theirs', 'cpuMicroseconds'),
      bareCpuMicroseconds: of('bare', 'cpuMicroseconds'),
      rssBytes: of('driver', 'rssBytes'),
      theirRssBytes: of('theirs', 'rssBytes'),
      bareRssBytes: of('bare', 'rssBytes'),
    };
  }
  await broker.stop();
  return figures;
}
