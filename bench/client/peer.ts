/**
 * What is compared: a client of an MQTT server, ours or another, or a bare socket, behind verbs that each does in its own
 * best way. None of them measures anything.
 */

export type Qos = 0 | 1 | 2;

export type PeerKind = 'ours' | 'theirs' | 'bare';

export interface PeerTarget {
  readonly port: number;
  readonly clientId: string;
  readonly topicName: string;
  readonly payloadByteLength: number;
}

export interface Peer {
  /**
   * Publishes batches of `batch` messages until `ms` have passed, never more than two batches unfinished, and resolves when
   * the server has taken them all: to how many there were.
   */
  publish(qos: Qos, ms: number, batch: number): Promise<number>;
  /**
   * Subscribes to the target's topic, and to so many `others` that match nothing. `onMessages` is told how many messages
   * came: 1, or those of a chunk.
   */
  subscribe(qos: Qos, others: number, onMessages: (count: number) => void): Promise<void>;
  close(): Promise<void>;
}

const VARIATIONS = 16;

/** Payloads that differ, so that nobody can work anything out beforehand: 16 of them. */
export function makePayloads(byteLength: number): Uint8Array[] {
  return Array.from({ length: VARIATIONS }, (_, index) =>
    Uint8Array.from({ length: byteLength }, (_byte, at) => (index * 7 + at) & 255),
  );
}

/** Keeps what came of received messages, so that reading them is not without effect. */
export const sink = { sum: 0 };

/**
 * Has `start` begin batch after batch until `ms` have passed. It resolves when its batch is finished, and at most two are
 * under way, so that the server has work while the next batch is made. Resolves to the number of batches.
 */
export async function runBatches(ms: number, start: () => Promise<unknown>): Promise<number> {
  const endMs = performance.now() + ms;
  let batches = 0;
  let previous: Promise<unknown> = Promise.resolve();
  do {
    const current = start();
    batches++;
    await previous;
    previous = current;
  } while (performance.now() < endMs);
  await previous;
  return batches;
}

/** Filters that match nothing that is published. */
export function otherFilters(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `bench/other/${index}/+`);
}
