/**
 * A crowd of connections in a fresh process: `node --expose-gc crowd-child.js bare|driver|client|theirs PORT`. Does what
 * its parent's messages say, answers each with one, and ends with its parent.
 */
import type { Qos } from '../client/peer.ts';
import { openMany, type Crowd, type CrowdKind } from './crowd.ts';

export type CrowdOrder =
  /** Opens connections that stay. Answered with an OpenResult. */
  | { kind: 'open'; count: number }
  /** Each publishes once an interval from now on; answered, for `ms` from `warmUpMs` on, with a PublishResult. */
  | { kind: 'publish'; qos: Qos; intervalMs: number; warmUpMs: number; ms: number };

export interface OpenResult {
  perSecond: number;
  cpuMicroseconds: number;
  /** Bytes for each connection by which the process grew, garbage collected. */
  rssBytes: number;
  heapBytes: number;
  bufferBytes: number;
}

export interface PublishResult {
  perSecond: number;
  /** Of processor time a message. */
  cpuMicroseconds: number;
  /** Bytes of resident memory a connection, above what the process had before the first. */
  rssBytes: number;
}

/** Connections being opened at a time. */
const WIDTH = 50;

/** Loads what this kind needs and nothing else, so that no kind stands on another's memory. */
async function makeCrowd(kind: CrowdKind, port: number): Promise<Crowd> {
  switch (kind) {
    case 'bare':
      return new (await import('./bare-crowd.ts')).BareCrowd(port);
    case 'driver':
      return new (await import('./our-crowds.ts')).DriverCrowd(port);
    case 'client':
      return new (await import('./our-crowds.ts')).ClientCrowd(port);
    case 'theirs':
      return new (await import('./their-crowd.ts')).TheirCrowd(port);
  }
}

const [kind, port] = process.argv.slice(2);
const crowd = await makeCrowd(kind as CrowdKind, Number(port));
let count = 0;

function memory(): NodeJS.MemoryUsage {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  return process.memoryUsage();
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Code and first buffers are no connection's: one is opened before. */
await crowd.open();
const before = memory();

async function open(more: number): Promise<OpenResult> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await openMany(crowd, more, WIDTH);
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  count += more;
  const { rss, heapUsed, external } = memory();
  return {
    perSecond: (more * 1000) / ms,
    cpuMicroseconds: (user + system) / more,
    rssBytes: (rss - before.rss) / count,
    heapBytes: (heapUsed - before.heapUsed) / count,
    bufferBytes: (external - before.external) / count,
  };
}

async function publish(order: Extract<CrowdOrder, { kind: 'publish' }>): Promise<PublishResult> {
  crowd.startPublishing(order.qos, order.intervalMs);
  await wait(order.warmUpMs);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const { published } = crowd;
  await wait(order.ms);
  const { user, system } = process.cpuUsage(cpu);
  const messages = crowd.published - published;
  const ms = performance.now() - startedMs;
  return {
    perSecond: (messages * 1000) / ms,
    cpuMicroseconds: (user + system) / messages,
    rssBytes: (memory().rss - before.rss) / count,
  };
}

process.on('disconnect', () => process.exit());
process.on('message', (order: CrowdOrder) => {
  const answer = order.kind === 'open' ? open(order.count) : publish(order);
  answer.then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.send?.('ready');
