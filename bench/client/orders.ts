/**
 * What the bench tells a client's process to do, and what that answers.
 */
import type { Qos } from './peer.ts';

export type Order =
  /** Publishes batches for about `ms`. Answered when the server has them all. */
  | { kind: 'publish'; qos: Qos; ms: number; batch: number }
  /** Subscribes to the topic, and to `others` filters that match nothing. */
  | { kind: 'subscribe'; qos: Qos; others: number }
  /** Answered with 'ready' at once, with progress meanwhile, and with 'done' when `count` messages have come. */
  | { kind: 'receive'; count: number };

/** What one order took of the process. */
export interface Taken {
  count: number;
  ms: number;
  /** User and system time. */
  cpuMicroseconds: number;
  /** Calls of read and write, and bytes; 0 where the system does not tell. */
  reads: number;
  writes: number;
  bytesRead: number;
  bytesWritten: number;
  /** Bytes allocated in the heap and in buffers outside, and collections meanwhile; with --expose-gc alone, else 0. */
  heapBytes: number;
  bufferBytes: number;
  collections: number;
}

export type Report =
  | { kind: 'ready' }
  /** Messages received since the order. */
  | { kind: 'progress'; count: number }
  | { kind: 'done'; taken: Taken }
  | { kind: 'failed'; text: string };
