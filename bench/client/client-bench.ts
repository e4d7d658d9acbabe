/**
 * Our client against MQTT.js and a bare socket, on Mosquitto and on our own broker: processor time for each message, and
 * messages a second. Each client is a process of its own that stays connected over the rounds; one works at a time.
 */
import { startMosquitto, startNodeBroker, type BenchedBroker } from '../broker/brokers.ts';
import { calibration, median, spread } from '../measure.ts';
import { Feeder } from './feeder.ts';
import type { Taken } from './orders.ts';
import type { PeerKind, Qos } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

export interface ClientCase {
  readonly name: string;
  readonly title: string;
  readonly verb: 'publish' | 'receive';
  readonly qos: Qos;
  /** Messages of a batch, of which two are under way: what suits each best, found by trying (docs/performance.md). */
  readonly batch: Record<PeerKind, number>;
}

const KINDS: readonly PeerKind[] = ['ours', 'theirs', 'bare'];

export const CASES: readonly ClientCase[] = [
  {
    name: 'publish0',
    title: 'publish, QoS 0',
    verb: 'publish',
    qos: 0,
    batch: { ours: 500, theirs: 100, bare: 500 },
  },
  {
    name: 'publish1',
    title: 'publish, QoS 1',
    verb: 'publish',
    qos: 1,
    batch: { ours: 250, theirs: 100, bare: 250 },
  },
  {
    name: 'publish2',
    title: 'publish, QoS 2',
    verb: 'publish',
    qos: 2,
    batch: { ours: 250, theirs: 100, bare: 250 },
  },
  {
    name: 'receive0',
    title: 'receive, QoS 0',
    verb: 'receive',
    qos: 0,
    batch: { ours: 0, theirs: 0, bare: 0 },
  },
  {
    name: 'receive1',
    title: 'receive, QoS 1',
    verb: 'receive',
    qos: 1,
    batch: { ours: 0, theirs: 0, bare: 0 },
  },
];

export interface ClientSettings {
  readonly rounds: number;
  /** Milliseconds of a round for each client, about; and before the first. */
  readonly roundMs: number;
  readonly warmUpMs: number;
  readonly payloadByteLength: number;
  /** Our broker is measured on beside Mosquitto. */
  readonly isOnBoth: boolean;
  /** In place of those of the cases. */
  readonly batch?: Partial<Record<PeerKind, number>> | undefined;
}

export const SETTINGS: ClientSettings = {
  rounds: 7,
  roundMs: 300,
  warmUpMs: 1000,
  payloadByteLength: 64,
  isOnBoth: true,
};

/** To see that all works: nothing can be learned from its figures. */
export const QUICK_SETTINGS: ClientSettings = {
  ...SETTINGS,
  rounds: 1,
  roundMs: 10,
  warmUpMs: 10,
  isOnBoth: false,
};

/** What came of one case on one broker. Every ratio: larger is better for us. */
export interface ClientFigures {
  /** Their processor time for a message over ours. */
  cpuRatio: number;
  /** Our messages a second over the bare socket's. */
  vsSocket: number;
  cpuMicroseconds: number;
  theirCpuMicroseconds: number;
  bareCpuMicroseconds: number;
  perSecond: number;
  theirPerSecond: number;
  barePerSecond: number;
  calls: Record<PeerKind, Calls>;
}

/** Calls of read and write, and bytes, for a message. */
export interface Calls {
  reads: number;
  writes: number;
  bytesRead: number;
  bytesWritten: number;
}

const CALLS = ['reads', 'writes', 'bytesRead', 'bytesWritten'] as const;

/** What was measured of one contender, round by round; all but the rate is for one message. */
interface Measured {
  readonly cpu: number[];
  readonly perSecond: number[];
  readonly calls: Record<keyof Calls, number[]>;
}

function nothingYet(): Measured {
  return { cpu: [], perSecond: [], calls: { reads: [], writes: [], bytesRead: [], bytesWritten: [] } };
}

/** One client of one case, warmed up, and how to have it work for a round. */
interface Contender {
  readonly kind: PeerKind;
  readonly work: () => Promise<Taken>;
  readonly stop: () => Promise<void>;
}

async function startPublisher(
  port: number,
  one: ClientCase,
  kind: PeerKind,
  settings: ClientSettings,
): Promise<Contender> {
  const { payloadByteLength, roundMs, warmUpMs } = settings;
  const topicName = `bench/${one.name}/${kind}`;
  const peer = await PeerProcess.start(kind, {
    port,
    clientId: `bench-${kind}`,
    topicName,
    payloadByteLength,
  });
  const batch = settings.batch?.[kind] ?? one.batch[kind];
  await peer.publish(one.qos, warmUpMs, batch);
  return { kind, work: () => peer.publish(one.qos, roundMs, batch), stop: () => peer.stop() };
}

async function startReceiver(
  port: number,
  one: ClientCase,
  kind: PeerKind,
  settings: ClientSettings,
): Promise<Contender> {
  const { payloadByteLength, roundMs, warmUpMs } = settings;
  const topicName = `bench/${one.name}/${kind}`;
  const peer = await PeerProcess.start(kind, {
    port,
    clientId: `bench-${kind}`,
    topicName,
    payloadByteLength,
  });
  const feeder = await Feeder.open(port, topicName, one.qos, payloadByteLength);
  await peer.subscribe(one.qos);
  // As many as come in about the time of a round.
  let count = 1000;
  for (let totalMs = 0; totalMs < warmUpMs;) {
    const { ms } = await peer.receive(feeder, count);
    totalMs += ms;
    count = Math.ceil((count * roundMs) / ms);
  }
  return {
    kind,
    work: () => peer.receive(feeder, count),
    stop: async () => {
      feeder.close();
      await peer.stop();
    },
  };
}

async function measureCase(
  port: number,
  one: ClientCase,
  settings: ClientSettings,
): Promise<Record<PeerKind, Measured>> {
  const start = one.verb === 'publish' ? startPublisher : startReceiver;
  const contenders: Contender[] = [];
  for (const kind of KINDS) contenders.push(await start(port, one, kind, settings));
  const measured = { ours: nothingYet(), theirs: nothingYet(), bare: nothingYet() };
  for (let round = 0; round < settings.rounds; round++) {
    calibration.run();
    for (let turn = 0; turn < contenders.length; turn++) {
      const { kind, work } = contenders[(round + turn) % contenders.length];
      const taken = await work();
      const { cpu, perSecond, calls } = measured[kind];
      cpu.push(taken.cpuMicroseconds / taken.count);
      perSecond.push((taken.count * 1000) / taken.ms);
      for (const name of CALLS) calls[name].push(taken[name] / taken.count);
    }
  }
  for (const { stop } of contenders) await stop();
  return measured;
}

function figuresOf({ ours, theirs, bare }: Record<PeerKind, Measured>): ClientFigures {
  const cpuMicroseconds = median(ours.cpu);
  const theirCpuMicroseconds = median(theirs.cpu);
  const perSecond = median(ours.perSecond);
  const barePerSecond = median(bare.perSecond);
  return {
    cpuRatio: theirCpuMicroseconds / cpuMicroseconds,
    vsSocket: perSecond / barePerSecond,
    cpuMicroseconds,
    theirCpuMicroseconds,
    bareCpuMicroseconds: median(bare.cpu),
    perSecond,
    theirPerSecond: median(theirs.perSecond),
    barePerSecond,
    calls: { ours: callsOf(ours), theirs: callsOf(theirs), bare: callsOf(bare) },
  };
}

function callsOf({ calls }: Measured): Calls {
  const { reads, writes, bytesRead, bytesWritten } = calls;
  return {
    reads: median(reads),
    writes: median(writes),
    bytesRead: median(bytesRead),
    bytesWritten: median(bytesWritten),
  };
}

function line(one: ClientCase, measured: Record<PeerKind, Measured>, figures: ClientFigures): string {
  const micros = KINDS.map((kind) => median(measured[kind].cpu).toFixed(2).padStart(8)).join('');
  const rates = KINDS.map((kind) =>
    Math.round(median(measured[kind].perSecond)).toLocaleString('en').padStart(10),
  ).join('');
  const noise = KINDS.map((kind) => `${(spread(measured[kind].cpu) * 100).toFixed(0)}%`).join('/');
  const ratios = [
    figures.cpuRatio.toFixed(1).padStart(7) + 'x',
    figures.vsSocket.toFixed(2).padStart(8) + 'x',
  ];
  return `  ${one.title.padEnd(17)}${micros}${ratios[0]}${rates}${ratios[1]}   ${noise}`;
}

const HEAD =
  `  ${''.padEnd(17)}${'µs of processor a message'.padStart(24)}${'theirs'.padStart(8)}` +
  `${'messages a second'.padStart(30)}${'ours'.padStart(9)}\n` +
  `  ${''.padEnd(17)}${'ours'.padStart(8)}${'theirs'.padStart(8)}${'bare'.padStart(8)}${'/ours'.padStart(8)}` +
  `${'ours'.padStart(10)}${'theirs'.padStart(10)}${'bare'.padStart(10)}${'/bare'.padStart(9)}   spread of processor time`;

/** Measures the cases that are wanted on one broker, and prints a table. */
export async function measureOn(
  broker: BenchedBroker,
  isWanted: (name: string) => boolean,
  settings: ClientSettings,
): Promise<Record<string, ClientFigures>> {
  console.log(`\non ${broker.name}\n${HEAD}`);
  const results: Record<string, ClientFigures> = {};
  for (const one of CASES) {
    if (!isWanted(one.name)) continue;
    const measured = await measureCase(broker.port, one, settings);
    results[one.name] = figuresOf(measured);
    console.log(line(one, measured, results[one.name]));
  }
  return results;
}

/** Of one case: on Mosquitto, and the same on our broker. */
export type ClientResult = ClientFigures & { onMotemq?: ClientFigures };

/** Figures on Mosquitto, or where that is not installed on our broker; and those on our broker beside them. */
export async function runClient(
  isWanted: (name: string) => boolean,
  settings: ClientSettings = SETTINGS,
): Promise<Record<string, ClientResult>> {
  if (!CASES.some(({ name }) => isWanted(name))) return {};
  console.log(
    `client against MQTT.js 5 and a bare socket: MQTT 5.0, payloads of ${settings.payloadByteLength} bytes, a process each,\n` +
      `medians of ${settings.rounds} rounds in turns; start-up, connecting and warming up are not in it`,
  );
  const onBroker = async (broker: BenchedBroker): Promise<Record<string, ClientFigures>> => {
    try {
      return await measureOn(broker, isWanted, settings);
    } finally {
      await broker.stop();
    }
  };
  const mosquitto = await startMosquitto();
  if (mosquitto === undefined) {
    console.log('\nMOSQUITTO IS NOT INSTALLED (apt-get install mosquitto): measured on our own broker alone');
    return onBroker(await startNodeBroker('motemq'));
  }
  const results: Record<string, ClientResult> = await onBroker(mosquitto);
  if (!settings.isOnBoth) return results;
  const onOurs = await onBroker(await startNodeBroker('motemq'));
  for (const [name, figures] of Object.entries(onOurs))
    results[name] = { ...results[name], onMotemq: figures };
  return results;
}
