/**
 * One client in a process of its own: `node child.js ours|theirs|bare PORT CLIENT_ID TOPIC PAYLOAD_BYTES`. Does what its
 * parent orders, one thing at a time, and answers with the processor time that it took. Start-up, connecting and what the
 * parent has it do first to warm up are in no answer. Ends with its parent.
 */
import { openBare } from './bare.ts';
import type { Order, Report } from './orders.ts';
import { openOurs } from './ours.ts';
import type { Peer, PeerKind, PeerTarget } from './peer.ts';
import { openTheirs } from './theirs.ts';
import { measureUsage } from './usage.ts';

/** How many messages come between two words of progress. */
const PROGRESS_EVERY = 1000;

const OPENERS: Record<PeerKind, (target: PeerTarget) => Promise<Peer>> = {
  ours: openOurs,
  theirs: openTheirs,
  bare: openBare,
};

const [kind, port, clientId, topicName, payloadByteLength] = process.argv.slice(2);
const peer = await OPENERS[kind as PeerKind]({
  port: Number(port),
  clientId,
  topicName,
  payloadByteLength: Number(payloadByteLength),
});

function send(message: Report): void {
  process.send?.(message);
}

async function measured(work: () => Promise<number>): Promise<void> {
  send({ kind: 'done', taken: await measureUsage(work) });
}

let received = 0;
let told = 0;
let awaited = Infinity;
let tellAll = (): void => {};

function handleMessages(count: number): void {
  received += count;
  if (received - told >= PROGRESS_EVERY) {
    told = received;
    send({ kind: 'progress', count: received });
  }
  if (received >= awaited) tellAll();
}

/** Until `count` messages have come from now on. */
async function receive(count: number): Promise<number> {
  received = 0;
  told = 0;
  awaited = count;
  await new Promise<void>((resolve) => (tellAll = resolve));
  awaited = Infinity;
  return count;
}

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'publish':
      return measured(() => peer.publish(order.qos, order.ms, order.batch));
    case 'subscribe':
      await peer.subscribe(order.qos, order.others, handleMessages);
      return send({ kind: 'ready' });
    case 'receive':
      return measured(() => {
        send({ kind: 'ready' });
        return receive(order.count);
      });
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => send({ kind: 'failed', text: String(error) }));
});
send({ kind: 'ready' });
