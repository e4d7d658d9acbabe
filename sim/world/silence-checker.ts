/**
 * Watches that a client finds out when nobody is there any more: it may not go on for long without hearing anything, however
 * much it has to say itself [MQTT-3.1.2-22].
 */
import type { Packet } from '../../src/packets/packet.ts';
import { CONNECT } from '../../src/packets/types.ts';
import type { PacketWatcher } from './packet-stream.ts';

export interface SilenceOptions {
  readonly connectTimeoutMs: number;
  readonly pingTimeoutMs: number;
  /** Of the device's clock. */
  readonly driftPerMille: number;
  report: (rule: string, text: string) => void;
  nowMs: () => number;
}

/** Milliseconds that timers, and the rest of a packet, may take. */
const LATE_MS = 3000;

export class SilenceChecker implements PacketWatcher {
  private readonly options: SilenceOptions;
  private keepAliveMs = 0;
  private heardMs = 0;
  private isOpen = false;
  /** The clock has not jumped: a timer that was set before could come late. */
  private isSteady = true;
  private isStoreFailing = false;

  constructor(options: SilenceOptions) {
    this.options = options;
  }

  handleClockJump(): void {
    this.isSteady = false;
  }

  /** A client whose store takes nothing cannot answer, and so reads nothing. */
  handleStore(isFailing: boolean): void {
    this.check();
    this.isStoreFailing = isFailing;
    this.heardMs = this.options.nowMs();
  }

  begin(): void {
    this.heardMs = this.options.nowMs();
    this.isOpen = true;
    this.isSteady = true;
  }

  handleSent({ type, connect }: Packet): void {
    if (type === CONNECT) this.keepAliveMs = (connect?.keepAliveSeconds ?? 0) * 1000;
    this.check();
  }

  handleReceived(): void {
    this.heardMs = this.options.nowMs();
  }

  handleOver(): void {
    this.check();
    this.isOpen = false;
  }

  /** To be called whenever something happens, and at the end. */
  check(): void {
    const { connectTimeoutMs, pingTimeoutMs, driftPerMille, report, nowMs } = this.options;
    if (!this.isOpen || !this.isSteady || this.isStoreFailing) return;
    // Twice the keep alive for a client that sends all the time, and then the time of a PINGRESP; twice as much where it
    // has half a packet in its ring when PINGREQ is due.
    const boundMs = Math.max(5 * this.keepAliveMs + pingTimeoutMs, connectTimeoutMs);
    const mostMs = (boundMs * 1000) / (1000 + Math.min(0, driftPerMille)) + LATE_MS;
    const gapMs = nowMs() - this.heardMs;
    if (gapMs <= mostMs) return;
    this.isOpen = false;
    report(
      'half-open',
      `went on for ${gapMs} ms though nothing came, over ${Math.floor(mostMs)} [MQTT-3.1.2-22]`,
    );
  }
}
