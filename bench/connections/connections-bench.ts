/**
 * What a connection costs in a process that has 2,000 of them, and how fast they are made: bare sockets, our session with
 * its driver, our promise client, MQTT.js. Each time in a fresh process, to a server that does next to nothing.
 */
import { calibration, median, spread } from '../measure.ts';
import type { CrowdKind } from './crowd.ts';
import type { OpenResult } from './crowd-child.ts';
import { CrowdProcess, startBareServer } from './crowd-process.ts';

const KINDS: readonly CrowdKind[] = ['bare', 'driver', 'client', 'theirs'];
const TITLES: Record<CrowdKind, string> = {
  bare: 'bare socket',
  driver: 'ours: session and driver',
  client: 'ours: promise client',
  theirs: 'MQTT.js',
};

export interface ConnectionSettings {
  readonly rounds: number;
  readonly connections: number;
}

export const SETTINGS: ConnectionSettings = { rounds: 5, connections: 2000 };

/** To see that all works: nothing can be learned from its figures. */
export const QUICK_SETTINGS: ConnectionSettings = { rounds: 1, connections: 50 };

type Results = Record<CrowdKind, OpenResult[]>;

/** Opens connections of each kind in turns, each time in a fresh process. */
export async function measureConnections(
  kinds: readonly CrowdKind[],
  { rounds, connections }: ConnectionSettings,
): Promise<Results> {
  const results: Results = { bare: [], driver: [], client: [], theirs: [] };
  const server = await startBareServer();
  for (let round = 0; round < rounds; round++) {
    calibration.run();
    for (let turn = 0; turn < kinds.length; turn++) {
      const kind = kinds[(round + turn) % kinds.length];
      const crowd = await CrowdProcess.start(kind, server.port);
      results[kind].push(await crowd.open(connections));
      await crowd.stop();
    }
  }
  await server.stop();
  return results;
}

export function medianOf(results: readonly OpenResult[], name: keyof OpenResult): number {
  return median(results.map((result) => result[name]));
}

/** Of one kind, for each connection. */
export interface ConnectionFigures {
  rssBytes: number;
  heapBytes: number;
  bufferBytes: number;
  perSecond: number;
  cpuMicroseconds: number;
}

/** Every ratio: larger is better for us. */
export interface ConnectionResult {
  /** What MQTT.js adds to a bare socket over what our client does. */
  extraMemoryRatio: number;
  /** Our connects a second over bare sockets'. */
  connectVsSocket: number;
  driverExtraMemoryRatio: number;
  driverConnectVsSocket: number;
  theirConnectVsSocket: number;
  kinds: Record<CrowdKind, ConnectionFigures>;
}

const kib = (bytes: number): string => (bytes / 1024).toFixed(1);

/** Prints a table; gives ratios (larger is better for us) and what they come from. */
export async function runConnections(
  isWanted: (name: string) => boolean,
  settings: ConnectionSettings = SETTINGS,
): Promise<ConnectionResult | Record<string, never>> {
  if (!isWanted('connection')) return {};
  console.log(
    `\nconnections: ${settings.connections} in a fresh process, 50 being opened at a time, medians of ${settings.rounds}\n` +
      `  ${''.padEnd(26)}${'KiB of RSS'.padStart(12)}${'beyond bare'.padStart(13)}${'heap'.padStart(8)}` +
      `${'connects/s'.padStart(12)}${'µs of processor'.padStart(17)}   spread of RSS / rate`,
  );
  const results = await measureConnections(KINDS, settings);
  const rss = (kind: CrowdKind): number => medianOf(results[kind], 'rssBytes');
  const rate = (kind: CrowdKind): number => medianOf(results[kind], 'perSecond');
  for (const kind of KINDS) {
    const beyond = kind === 'bare' ? '' : kib(rss(kind) - rss('bare'));
    const heap = medianOf(results[kind], 'heapBytes') + medianOf(results[kind], 'bufferBytes');
    const noise = (['rssBytes', 'perSecond'] as const)
      .map((name) => `${(spread(results[kind].map((one) => one[name])) * 100).toFixed(0)}%`)
      .join(' / ');
    console.log(
      `  ${TITLES[kind].padEnd(26)}${kib(rss(kind)).padStart(12)}${beyond.padStart(13)}${kib(heap).padStart(8)}` +
        `${Math.round(rate(kind)).toLocaleString('en').padStart(12)}${medianOf(results[kind], 'cpuMicroseconds').toFixed(0).padStart(17)}   ${noise}`,
    );
  }
  const extra = (kind: CrowdKind): number => rss(kind) - rss('bare');
  const figuresOf = (kind: CrowdKind): ConnectionFigures => ({
    rssBytes: rss(kind),
    heapBytes: medianOf(results[kind], 'heapBytes'),
    bufferBytes: medianOf(results[kind], 'bufferBytes'),
    perSecond: rate(kind),
    cpuMicroseconds: medianOf(results[kind], 'cpuMicroseconds'),
  });
  return {
    extraMemoryRatio: extra('theirs') / extra('client'),
    connectVsSocket: rate('client') / rate('bare'),
    driverExtraMemoryRatio: extra('theirs') / extra('driver'),
    driverConnectVsSocket: rate('driver') / rate('bare'),
    theirConnectVsSocket: rate('theirs') / rate('bare'),
    kinds: {
      bare: figuresOf('bare'),
      driver: figuresOf('driver'),
      client: figuresOf('client'),
      theirs: figuresOf('theirs'),
    },
  };
}
