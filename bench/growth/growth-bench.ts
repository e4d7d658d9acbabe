/**
 * How costs grow: with the payload, the properties, the filters of a packet, the filters a client holds, and the
 * connections of a process. Ours and theirs, as curves.
 */
import { startNodeBroker } from '../broker/brokers.ts';
import type { PeerKind } from '../client/peer.ts';
import { PeerProcess } from '../client/peer-process.ts';
import { Feeder } from '../client/feeder.ts';
import type { Case } from '../codec-cases.ts';
import { checkSame, worksOf } from '../codec.ts';
import { measureConnections, medianOf } from '../connections/connections-bench.ts';
import { measure, median, type Patience, type Work } from '../measure.ts';
import { publishOfPayload, publishOfProperties, subscribeOfFilters } from './growth-cases.ts';

/** One cost by one size. `theirs` is undefined where theirs was not measured. */
export interface Curve {
  readonly title: string;
  readonly xTitle: string;
  readonly unit: string;
  readonly points: { readonly x: number; readonly ours: number; readonly theirs: number }[];
}

export interface GrowthSettings {
  readonly patience: Patience;
  readonly payloads: readonly number[];
  readonly properties: readonly number[];
  readonly filters: readonly number[];
  readonly heldFilters: readonly number[];
  readonly connections: readonly number[];
  /** Of the clients, in ms. */
  readonly warmUpMs: number;
  readonly roundMs: number;
  readonly rounds: number;
}

export const GROWTH_SETTINGS: GrowthSettings = {
  patience: { rounds: 7, roundMs: 15, warmUpMs: 120 },
  payloads: [16, 256, 4096, 65_536, 262_144],
  properties: [0, 1, 2, 4, 8, 16],
  filters: [1, 4, 16, 64, 256],
  heldFilters: [1, 10, 100, 900],
  connections: [250, 500, 1000, 2000, 4000],
  warmUpMs: 400,
  roundMs: 100,
  rounds: 3,
};

/** To see that all works: nothing can be learned from its figures. */
export const QUICK_SETTINGS: GrowthSettings = {
  patience: { rounds: 1, roundMs: 1, warmUpMs: 1 },
  payloads: [16, 256],
  properties: [0, 2],
  filters: [1, 4],
  heldFilters: [1, 3],
  connections: [20, 40],
  warmUpMs: 10,
  roundMs: 10,
  rounds: 1,
};

const nsOf = (perSecond: readonly number[]): number => 1e9 / median(perSecond);

function compare(ours: Work, theirs: Work, patience: Patience): { ours: number; theirs: number } {
  const contenders = [
    { name: 'ours', work: ours },
    { name: 'theirs', work: theirs },
  ];
  const [mine, other] = measure(contenders, patience);
  return { ours: nsOf(mine.perSecond), theirs: nsOf(other.perSecond) };
}

/** Encode and decode of `makeCase(x)` for every x. */
function codecCurves(
  what: string,
  xTitle: string,
  sizes: readonly number[],
  makeCase: (size: number) => Case,
  patience: Patience,
): [encode: Curve, decode: Curve] {
  const encode: Curve = { title: `encode ${what}`, xTitle, unit: 'ns', points: [] };
  const decode: Curve = { title: `decode ${what}`, xTitle, unit: 'ns', points: [] };
  for (const x of sizes) {
    const one = makeCase(x);
    checkSame(one);
    const works = worksOf(one);
    encode.points.push({ x, ...compare(works.encode, works.theirEncode, patience) });
    decode.points.push({ x, ...compare(works.decode, works.theirDecode, patience) });
  }
  return [encode, decode];
}

/** Bytes of a batch, about: what large payloads make of batches of messages. */
const BATCH_BYTES = 262_144;
const BATCH_MAX: Record<PeerKind, number> = { ours: 500, theirs: 100, bare: 500 };

async function publishCpu(
  port: number,
  kind: PeerKind,
  payloadByteLength: number,
  { warmUpMs, roundMs, rounds }: GrowthSettings,
): Promise<number> {
  const target = { port, clientId: `growth-${kind}`, topicName: 'bench/growth', payloadByteLength };
  const peer = await PeerProcess.start(kind, target);
  const batch = Math.max(2, Math.min(BATCH_MAX[kind], Math.floor(BATCH_BYTES / payloadByteLength)));
  await peer.publish(0, warmUpMs, batch);
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { cpuMicroseconds, count } = await peer.publish(0, roundMs, batch);
    cpu.push(cpuMicroseconds / count);
  }
  await peer.stop();
  return median(cpu);
}

/** Messages received to warm up, and in a round. */
const MESSAGES = 20_000;

async function receiveCpu(
  port: number,
  kind: PeerKind,
  others: number,
  { rounds }: GrowthSettings,
): Promise<number> {
  const topicName = `bench/growth/${kind}`;
  const target = { port, clientId: `growth-${kind}`, topicName, payloadByteLength: 64 };
  const peer = await PeerProcess.start(kind, target);
  const feeder = await Feeder.open(port, topicName, 0, 64);
  await peer.subscribe(0, others);
  await peer.receive(feeder, MESSAGES);
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { cpuMicroseconds, count } = await peer.receive(feeder, MESSAGES);
    cpu.push(cpuMicroseconds / count);
  }
  feeder.close();
  await peer.stop();
  return median(cpu);
}

async function clientCurve(
  title: string,
  xTitle: string,
  sizes: readonly number[],
  cpuOf: (port: number, kind: PeerKind, size: number) => Promise<number>,
): Promise<Curve> {
  const curve: Curve = { title, xTitle, unit: 'µs of CPU', points: [] };
  const broker = await startNodeBroker('motemq');
  try {
    for (const x of sizes) {
      const ours = await cpuOf(broker.port, 'ours', x);
      curve.points.push({ x, ours, theirs: await cpuOf(broker.port, 'theirs', x) });
    }
  } finally {
    await broker.stop();
  }
  return curve;
}

async function connectionCurves(sizes: readonly number[]): Promise<[memory: Curve, cpu: Curve]> {
  const xTitle = 'connections';
  const memory: Curve = { title: 'memory a connection', xTitle, unit: 'KiB of RSS', points: [] };
  const cpu: Curve = { title: 'connecting', xTitle, unit: 'µs of CPU', points: [] };
  for (const x of sizes) {
    const settings = { rounds: 1, connections: x };
    const { client, theirs } = await measureConnections(['client', 'theirs'], settings);
    const kib = (results: typeof client): number => medianOf(results, 'rssBytes') / 1024;
    memory.points.push({ x, ours: kib(client), theirs: kib(theirs) });
    const cpuOf = (results: typeof client): number => medianOf(results, 'cpuMicroseconds');
    cpu.points.push({ x, ours: cpuOf(client), theirs: cpuOf(theirs) });
  }
  return [memory, cpu];
}

function print({ title, xTitle, unit, points }: Curve): void {
  const row = (head: string, cells: string[]): string =>
    `    ${head.padEnd(14)}${cells.map((cell) => cell.padStart(11)).join('')}`;
  const figure = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });
  console.log(`  ${title}, ${unit}`);
  console.log(
    row(
      xTitle,
      points.map(({ x }) => x.toLocaleString('en')),
    ),
  );
  console.log(
    row(
      'ours',
      points.map(({ ours }) => figure(ours)),
    ),
  );
  console.log(
    row(
      'theirs',
      points.map(({ theirs }) => figure(theirs)),
    ),
  );
}

/** Measures the curves that are wanted, and prints them as tables. */
export async function runGrowth(
  isWanted: (name: string) => boolean,
  settings: GrowthSettings = GROWTH_SETTINGS,
): Promise<Record<string, Curve>> {
  console.log('\ngrowth: one operation, ours and theirs');
  const curves: Record<string, Curve> = {};
  const add = (name: string, curve: Curve): void => {
    curves[name] = curve;
    print(curve);
  };
  const { patience } = settings;
  if (isWanted('payload')) {
    const [encode, decode] = codecCurves(
      'PUBLISH',
      'payload bytes',
      settings.payloads,
      publishOfPayload,
      patience,
    );
    add('payloadEncode', encode);
    add('payloadDecode', decode);
    const publish = (port: number, kind: PeerKind, size: number) => publishCpu(port, kind, size, settings);
    add(
      'payloadPublish',
      await clientCurve('client: publish, QoS 0', 'payload bytes', settings.payloads, publish),
    );
  }
  if (isWanted('properties')) {
    const xTitle = 'properties';
    const [encode, decode] = codecCurves(
      'PUBLISH',
      xTitle,
      settings.properties,
      publishOfProperties,
      patience,
    );
    add('propertiesEncode', encode);
    add('propertiesDecode', decode);
  }
  if (isWanted('filters')) {
    const [encode, decode] = codecCurves(
      'SUBSCRIBE',
      'filters',
      settings.filters,
      subscribeOfFilters,
      patience,
    );
    add('filtersEncode', encode);
    add('filtersDecode', decode);
    const receive = (port: number, kind: PeerKind, size: number) =>
      receiveCpu(port, kind, size - 1, settings);
    const title = 'client: receive, QoS 0, filters held';
    add('filtersReceive', await clientCurve(title, 'filters', settings.heldFilters, receive));
  }
  if (isWanted('connections')) {
    const [memory, cpu] = await connectionCurves(settings.connections);
    add('connectionsMemory', memory);
    add('connectionsCpu', cpu);
  }
  return curves;
}
