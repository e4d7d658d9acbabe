/**
 * What a client needs of the place it runs in: clock, timers, random, byte streams. Each target provides one.
 */
import type { Packet } from '../packets/packet.ts';
import type { Transport } from '../pump.ts';
import type { SessionEvent } from '../session/event.ts';
import type { TopicNames } from './topic-names.ts';

/** Gets what a transport has to report. Never called from within the transport's own methods. */
export interface TransportReceiver {
  handleOpened(): void;
  /** Bytes came: `bytes[at]` up to `end`, to be used during the call only. */
  handleBytes(bytes: Uint8Array, at: number, end: number): void;
  /** What was written is on its way, and there is room for more. */
  handleWritable(): void;
  /** Closed, or not opened; `error` says why if it was not the plain end of the stream. */
  handleClosed(error?: Error): void;
}

/** A byte stream that can also be told to stop reading for a while, and that counts. */
export interface ClientTransport extends Transport {
  pauseReading(): void;
  resumeReading(): void;
  /** Bytes handed to `write`, and delivered, since it was made; connections added up. */
  bytesOut: number;
  bytesIn: number;
  /** Bytes it was handed still wait to leave; `handleWritable` will say when they have. */
  readonly isCongested?: boolean;
}

/** Somebody to be called at the end of this turn of the event loop. */
export interface Deferred {
  flush(): void;
}

export interface Platform {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number;
  setTimer(callback: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Has `flush` called once before the event loop turns; asking twice is the caller's to avoid. */
  defer(deferred: Deferred): void;
  /** Gives integers, 0 to 4,294,967,295. */
  readonly random: () => number;
  /** Makes a transport that reports to `receiver`. */
  createTransport(receiver: TransportReceiver): ClientTransport;
  /** Records that all sessions of this thread share, for none of their polls nest. */
  packet: Packet;
  event: SessionEvent;
  /** Names heard before, likewise. */
  readonly topicNames: TopicNames;
  /** Small transmit rings that nobody uses at the moment, likewise; without it every connection keeps its own. */
  readonly rings?: Uint8Array[];
  /** Whether one of those sessions is being polled now. */
  isPolling: boolean;
}
