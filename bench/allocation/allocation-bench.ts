/**
 * Bytes allocated for each operation, ours and theirs: by the codecs, and by the clients, on our own broker. Measured in
 * processes whose young heap is so large that nothing is collected meanwhile: what the heap grew by is what was allocated.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startNodeBroker } from '../broker/brokers.ts';
import { CASES, SETTINGS, type ClientCase } from '../client/client-bench.ts';
import { Feeder } from '../client/feeder.ts';
import type { Taken } from '../client/orders.ts';
import type { PeerKind } from '../client/peer.ts';
import { PeerProcess } from '../client/peer-process.ts';
import { median } from '../measure.ts';
import type { CodecAllocation } from './codec-child.ts';

const CODEC_CHILD = fileURLToPath(new URL('./codec-child.js', import.meta.url));
const LARGE_HEAP = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];

export interface AllocationSettings {
  readonly rounds: number;
  readonly warmUpMs: number;
  /** Publishing is done for so long. */
  readonly ms: number;
  /** So many messages are received. */
  readonly messages: number;
}

export const ALLOCATION_SETTINGS: AllocationSettings = { rounds: 3, warmUpMs: 500, ms: 60, messages: 10_000 };

/** To see that all works: nothing can be learned from its figures. */
export const QUICK_SETTINGS: AllocationSettings = { rounds: 1, warmUpMs: 10, ms: 10, messages: 1000 };

/** Bytes for one operation. */
export interface AllocationFigures {
  bytes: number;
  theirBytes: number;
}

async function measureClient(
  port: number,
  one: ClientCase,
  kind: PeerKind,
  settings: AllocationSettings,
): Promise<number> {
  const { payloadByteLength } = SETTINGS;
  const topicName = `bench/allocation/${kind}`;
  const target = { port, clientId: `allocation-${kind}`, topicName, payloadByteLength };
  const peer = await PeerProcess.start(kind, target, LARGE_HEAP);
  const taken: Taken[] = [];
  if (one.verb === 'publish') {
    await peer.publish(one.qos, settings.warmUpMs, one.batch[kind]);
    for (let round = 0; round < settings.rounds; round++) {
      taken.push(await peer.publish(one.qos, settings.ms, one.batch[kind]));
    }
  } else {
    const feeder = await Feeder.open(port, topicName, one.qos, payloadByteLength);
    await peer.subscribe(one.qos);
    for (let round = 0; round < settings.rounds + 2; round++) {
      const result = await peer.receive(feeder, settings.messages);
      if (round >= 2) taken.push(result);
    }
    feeder.close();
  }
  await peer.stop();
  const clean = taken.filter(({ collections }) => collections === 0);
  if (clean.length === 0) return NaN;
  return median(clean.map(({ heapBytes, bufferBytes, count }) => (heapBytes + bufferBytes) / count));
}

async function measureCodec(): Promise<CodecAllocation[]> {
  const child = fork(CODEC_CHILD, [], { execArgv: LARGE_HEAP });
  const [results] = (await once(child, 'message')) as [CodecAllocation[]];
  return results;
}

function printLine(title: string, bytes: number, theirBytes: number): void {
  const cell = (value: number): string => Math.round(value).toLocaleString('en').padStart(12);
  console.log(`  ${title.padEnd(58)}${cell(bytes)}${cell(theirBytes)}`);
}

/** Prints a table; gives bytes for each operation by its name. */
export async function runAllocation(
  isWanted: (name: string) => boolean,
  settings: AllocationSettings = ALLOCATION_SETTINGS,
): Promise<Record<string, AllocationFigures>> {
  console.log(
    `\nallocation: bytes for each operation\n  ${''.padEnd(58)}${'ours'.padStart(12)}${'theirs'.padStart(12)}`,
  );
  const figures: Record<string, AllocationFigures> = {};
  const add = (name: string, title: string, bytes: number, theirBytes: number): void => {
    figures[name] = { bytes, theirBytes };
    printLine(title, bytes, theirBytes);
  };
  if (isWanted('codec')) {
    for (const { name, title, encode, decode, theirEncode, theirDecode } of await measureCodec()) {
      add(`${name}Encode`, `encode ${title}`, encode, theirEncode);
      add(`${name}Decode`, `decode ${title}`, decode, theirDecode);
    }
  }
  const broker = await startNodeBroker('motemq');
  try {
    for (const one of CASES) {
      if (!isWanted(one.name)) continue;
      const ours = await measureClient(broker.port, one, 'ours', settings);
      const theirs = await measureClient(broker.port, one, 'theirs', settings);
      add(one.name, `client: ${one.title}`, ours, theirs);
    }
  } finally {
    await broker.stop();
  }
  return figures;
}
