/**
 * Watches when a device tries to connect: after a wait that doubles with each failure, within the bounds that its options
 * say, and neither sooner nor much later.
 */

import type { Packet } from '../../src/packets/packet.ts';
import { CONNACK } from '../../src/packets/types.ts';
import type { PacketWatcher } from './packet-stream.ts';

/** Milliseconds that a timer may be late. */
const LATE_MS = 100;

export interface AttemptOptions {
  readonly firstMs: number;
  readonly maximumMs: number;
  /** Of the device's clock. */
  readonly driftPerMille: number;
  report: (rule: string, text: string) => void;
  nowMs: () => number;
}

export class AttemptChecker implements PacketWatcher {
  private readonly options: AttemptOptions;
  /** Connections and attempts that ended since the last success. */
  private failureCount = 0;
  /** When the last one was over, and the step of the wait behind it; -1 when nothing follows from that. */
  private endedMs = -1;
  private stepMs = 0;
  /** A timer that was set before the clock jumped may still be waited for, once. */
  private isLateAllowed = false;

  constructor(options: AttemptOptions) {
    this.options = options;
  }

  /** The power was off: it begins anew. */
  reset(): void {
    this.handleAsked();
    this.isLateAllowed = false;
  }

  /** Somebody asked for a connection, now. A timer that was set before the clock jumped may still be there. */
  handleAsked(): void {
    this.failureCount = 0;
    this.endedMs = -1;
  }

  /** The device's clock jumped: what it waits for now may come at any time. */
  handleClockJump(): void {
    this.endedMs = -1;
    this.isLateAllowed = true;
  }

  handleSent(): void {
    // What it sends says nothing about attempts.
  }

  handleReceived({ type, reasonCode }: Packet): void {
    if (type === CONNACK && reasonCode === 0) this.failureCount = 0;
  }

  begin(): void {
    // The attempt has been looked at.
  }

  /** A connection is over, or did not come about. */
  handleOver(): void {
    const { firstMs, maximumMs, nowMs } = this.options;
    this.endedMs = nowMs();
    this.stepMs = Math.min(firstMs * 2 ** Math.min(this.failureCount, 30), maximumMs);
    this.failureCount++;
  }

  /** It begins to connect, whatever comes of it. */
  handleAttempt(): void {
    if (this.endedMs < 0) return;
    const { driftPerMille, report, nowMs } = this.options;
    const { stepMs } = this;
    const gapMs = nowMs() - this.endedMs;
    const leastMs = Math.floor(((stepMs - (stepMs >> 1)) * 1000) / (1000 + Math.max(0, driftPerMille))) - 2;
    const mostMs = Math.ceil((stepMs * 1000) / (1000 + Math.min(0, driftPerMille))) + LATE_MS;
    if (gapMs < leastMs) report('backoff', `tried again after ${gapMs} ms, before ${leastMs}`);
    if (gapMs <= mostMs) return;
    if (!this.isLateAllowed) report('late-attempt', `tried again after ${gapMs} ms, behind ${mostMs}`);
    this.isLateAllowed = false;
  }
}
