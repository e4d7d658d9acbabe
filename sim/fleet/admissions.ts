/**
 * Who of a run's devices is let in to the server and when, who is lost, who comes back, and when there is no point in
 * trying. Keeps the counts of it. Time is passed in; what devices do once they are in is their own.
 */
import { V5 } from '../../src/packets/types.ts';
import { isTransient } from '../../src/session/connection.ts';
import { CAUSE_REFUSED, CAUSE_SERVER } from '../../src/session/event.ts';
import { Connector } from './connector.ts';
import type { EventLog } from './event-log.ts';
import { endingText, FleetError, isExhausted, type Ending } from './failure.ts';
import { formatCount } from './format.ts';
import type { Random } from './random.ts';
import { Wheel } from './wheel.ts';

/** A device that never got in gives up after so many attempts, and the run with it. */
const FIRST_ATTEMPTS_MAX = 5;
const RETRY_FIRST_MS = 200;
const RETRY_MS_MAX = 5000;
/** 5.0: two clients with one identifier. */
const SESSION_TAKEN_OVER = 0x8e;

/** A device, as far as coming and going is concerned. */
export interface Member {
  readonly index: number;
  readonly clientId: string;
  /** Attempts in a row that came to nothing. */
  attempts: number;
  /** How often it came in: connected, and subscribed to its commands. */
  admissions: number;
  /** It was in, and is not now. */
  isAway: boolean;
}

export interface AdmissionsOptions {
  devices: number;
  /** Connections begun per second, 0 for no limit. */
  rampPerSecond: number;
  /** Connections on their way at once. */
  pendingMax: number;
  protocolVersion: number;
  /** What else goes by the devices' names, if anything does: a question. */
  twins: string;
  log: EventLog;
  random: Random;
  /** On the same clock as everything below. */
  startedMs: number;
  /** Begins to connect one. */
  connect: (index: number) => void;
  /** The run cannot go on. */
  fail: (error: FleetError) => void;
}

export class Admissions {
  connected = 0;
  /** Devices that have been let in at least once. */
  admitted = 0;
  connects = 0;
  reconnects = 0;
  refused = 0;
  failures = 0;
  private readonly options: AdmissionsOptions;
  private readonly connector: Connector;
  private readonly retries: Wheel;
  /** Devices lost since the last time all were there. */
  private away = 0;
  /** Devices that will not come any more. */
  private gone = 0;

  constructor(options: AdmissionsOptions) {
    const { devices, rampPerSecond, pendingMax, startedMs } = options;
    this.options = options;
    this.connector = new Connector(devices, rampPerSecond, pendingMax, (index) => options.connect(index));
    this.retries = new Wheel(devices, startedMs);
  }

  /** Everyone is to connect. */
  connectAll(): void {
    for (let index = 0; index < this.options.devices; index++) this.connector.request(index);
  }

  /** While true nobody connects; who is connected stays. */
  set isHeld(value: boolean) {
    this.connector.isHeld = value;
  }

  /** Whether every device has been in, and none is on its way now. */
  get isComplete(): boolean {
    return this.admitted + this.gone >= this.options.devices && this.connector.isIdle;
  }

  /** Refused, failed and lost connections. */
  get errors(): number {
    return this.refused + this.failures;
  }

  /** Lets in and brings back whom it may. */
  advance(nowMs: number): void {
    this.retries.advance(nowMs, Infinity, (index) => this.connector.request(index));
    this.connector.advance(nowMs);
  }

  /** When somebody may try again next: a time up to which nobody does. */
  nextMs(): number {
    return this.retries.nextMs();
  }

  /** Nobody is to be let in any more. */
  end(): void {
    this.connector.clear();
  }

  /** The server accepted a connection. */
  handleConnected(member: Member): void {
    member.attempts = 0;
    this.connects += 1;
    this.connected += 1;
  }

  /** It is in: the way is free for another. */
  handleReady(member: Member): void {
    this.connector.settle(member.index);
    member.admissions += 1;
    if (member.admissions === 1) {
      this.admitted += 1;
      return;
    }
    if (!member.isAway) return;
    member.isAway = false;
    this.reconnects += 1;
    this.away -= 1;
    if (this.away === 0) this.tellAllBack();
  }

  /** The connection ended or did not come about, other than by its own will. */
  handleLost(member: Member, ending: Ending): void {
    this.connector.settle(member.index);
    if (ending.wasConnected) {
      this.connected -= 1;
      if (member.admissions > 0 && !member.isAway) {
        member.isAway = true;
        this.away += 1;
      }
    } else {
      member.attempts += 1;
    }
    const isRefused = ending.cause === CAUSE_REFUSED;
    if (isRefused) this.refused += 1;
    else this.failures += 1;
    const { log, random } = this.options;
    const text = endingText(ending);
    log.gather(this.elapsedMs, isRefused ? 'refused' : 'fault', text, member.clientId);
    if (!this.isWorthRetrying(member, ending, text)) return;
    const stepMs = Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** Math.min(member.attempts, 10));
    const jitterMs = (stepMs / 2) * (random.nextU32() / 0x100000000);
    this.retries.schedule(member.index, performance.now() + stepMs / 2 + jitterMs);
  }

  /** It is gone for good, connected (`wasConnected`) or not: nobody waits for it. */
  handleGone(member: Member, wasConnected: boolean): void {
    this.connector.settle(member.index);
    this.retries.cancel(member.index);
    if (wasConnected) this.connected -= 1;
    if (member.admissions === 0) this.gone += 1;
    if (!member.isAway) return;
    member.isAway = false;
    this.away -= 1;
  }

  /** Fails the run where the device's trouble is everybody's. */
  private isWorthRetrying(member: Member, ending: Ending, text: string): boolean {
    const { devices, protocolVersion, twins, fail } = this.options;
    const isHopeless =
      ending.cause === CAUSE_REFUSED
        ? !isTransient(ending.reasonCode, protocolVersion === V5)
        : isExhausted(ending.error);
    if (member.admissions === 0 && (isHopeless || member.attempts >= FIRST_ATTEMPTS_MAX)) {
      const counts = `${formatCount(this.admitted)} of ${formatCount(devices)} devices are connected`;
      const attempts = isHopeless ? '' : ` after ${member.attempts} attempts`;
      fail(new FleetError(`${member.clientId} cannot connect${attempts}: ${text}; ${counts}`));
      return false;
    }
    if (ending.cause === CAUSE_SERVER && ending.reasonCode === SESSION_TAKEN_OVER) {
      fail(new FleetError(`another client calls itself ${member.clientId}: ${twins}`));
      return false;
    }
    return !isHopeless;
  }

  private tellAllBack(): void {
    const { log, devices } = this.options;
    log.add(this.elapsedMs, 'reconnect', `all ${formatCount(devices)} devices are back`);
  }

  private get elapsedMs(): number {
    return performance.now() - this.options.startedMs;
  }
}
