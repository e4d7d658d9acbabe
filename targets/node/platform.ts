/**
 * Node as a platform for clients: its clock, timers, random, and the transport that a URL asks for.
 */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { ClientTransport, Deferred, Platform, TransportReceiver } from '../../src/client/platform.ts';
import { TopicNames } from '../../src/client/topic-names.ts';
import { Packet } from '../../src/packets/packet.ts';
import { SessionEvent } from '../../src/session/event.ts';

/** What all clients of this thread share: the records their sessions fill, and the end of the turn. */
class Turn {
  readonly packet = new Packet();
  readonly event = new SessionEvent(this.packet);
  readonly topicNames = new TopicNames();
  readonly rings: Uint8Array[] = [];
  isPolling = false;
  private waiting: Deferred[] = [];
  private spare: Deferred[] = [];

  defer(deferred: Deferred): void {
    // After the poll phase, so that everything one turn of the loop wrote goes out in one write a connection.
    if (this.waiting.length === 0) setImmediate(this.flush);
    this.waiting.push(deferred);
  }

  private readonly flush = (): void => {
    const due = this.waiting;
    this.waiting = this.spare;
    for (const deferred of due) deferred.flush();
    due.length = 0;
    this.spare = due;
  };
}

const turn = new Turn();

const randomWords = new Uint32Array(256);
let randomAt = randomWords.length;

/** Random from the system, 32 bits, gathered in blocks. */
export function systemRandom(): number {
  if (randomAt === randomWords.length) {
    randomFillSync(randomWords);
    randomAt = 0;
  }
  return randomWords[randomAt++];
}

/** Makes a transport to one server, again for each attempt to connect. */
export type TransportFactory = (receiver: TransportReceiver) => ClientTransport;

export class NodePlatform implements Platform {
  readonly packet = turn.packet;
  readonly event = turn.event;
  readonly topicNames = turn.topicNames;
  readonly rings = turn.rings;
  readonly createTransport: TransportFactory;
  readonly random = systemRandom;

  constructor(createTransport: TransportFactory) {
    this.createTransport = createTransport;
  }

  get isPolling(): boolean {
    return turn.isPolling;
  }

  set isPolling(value: boolean) {
    turn.isPolling = value;
  }

  nowMs(): number {
    return performance.now();
  }

  setTimer(callback: () => void, ms: number): unknown {
    // Longer than 2^31 - 1 ms would fire at once; the driver asks again when a timer came too early.
    return setTimeout(callback, Math.min(ms, 0x7fffffff));
  }

  clearTimer(timer: unknown): void {
    clearTimeout(timer as NodeJS.Timeout);
  }

  defer(deferred: Deferred): void {
    turn.defer(deferred);
  }
}
