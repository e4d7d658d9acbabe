/**
 * All devices of a run: lets them in to the server, brings back those that lost their connection, and has each publish
 * when its time has come. Time is passed in; what a device says on the wire is its own.
 */
import type { Platform } from '../../src/client/platform.ts';
import { V5 } from '../../src/packets/types.ts';
import { isTransient } from '../../src/session/connection.ts';
import { CAUSE_REFUSED, CAUSE_SERVER } from '../../src/session/event.ts';
import { statusName } from '../../src/status.ts';
import { Connector } from './connector.ts';
import { Device, type DeviceWorld } from './device.ts';
import type { EventLog } from './event-log.ts';
import { endingText, FleetError, isExhausted, reasonText, type Ending } from './failure.ts';
import { formatCount } from './format.ts';
import { HostReadings } from './host-readings.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { FleetSettings } from './settings.ts';
import { Wheel } from './wheel.ts';

/** Connections on their way at once: a broker's backlog is often 100. */
const PENDING_MAX = 100;
/** Messages after which the caller looks after its sockets first. */
const TURN_MESSAGES_MAX = 1000;
/** A device that is later than this leaves readings out instead of catching up. */
const LATE_MS_MAX = 5000;
/** A device that never got in gives up after so many attempts, and the run with it. */
const FIRST_ATTEMPTS_MAX = 5;
const RETRY_FIRST_MS = 200;
const RETRY_MS_MAX = 5000;
const GOODBYES_A_TURN = 200;
/** 5.0: two clients with one identifier. */
const SESSION_TAKEN_OVER = 0x8e;

export interface PoolOptions {
  settings: FleetSettings;
  platform: Platform;
  protocolVersion: number;
  isRetainAvailable: boolean;
  clientIdPrefix: string;
  ledger: Ledger;
  log: EventLog;
  random: Random;
  /** On the same clock as everything below. */
  startedMs: number;
  /** The run cannot go on. */
  fail(error: FleetError): void;
}

export class DevicePool implements DeviceWorld {
  readonly settings: FleetSettings;
  readonly platform: Platform;
  readonly protocolVersion: number;
  readonly isRetainAvailable: boolean;
  readonly clientIdPrefix: string;
  readonly ledger: Ledger;
  readonly host = new HostReadings();
  /** By index; made when they first connect. */
  readonly devices: (Device | undefined)[];
  connected = 0;
  /** Devices that have been let in at least once. */
  admitted = 0;
  connects = 0;
  reconnects = 0;
  refused = 0;
  failures = 0;
  commandsReceived = 0;
  /** Readings that were due and left out: no room for them, or nobody who would have seen them. */
  heldBack = 0;
  unwatched = 0;
  refusedMessages = 0;
  private readonly options: PoolOptions;
  private readonly connector: Connector;
  private readonly retries: Wheel;
  private readonly publishes: Wheel;
  /** Devices lost since the last time all were there. */
  private away = 0;
  /** Per device: messages that came due so far. */
  private readonly rounds: Uint32Array;
  private sendFromMs = Infinity;

  constructor(options: PoolOptions) {
    const { settings, startedMs } = options;
    this.options = options;
    this.settings = settings;
    this.platform = options.platform;
    this.protocolVersion = options.protocolVersion;
    this.isRetainAvailable = options.isRetainAvailable;
    this.clientIdPrefix = options.clientIdPrefix;
    this.ledger = options.ledger;
    const { devices, rampPerSecond } = settings;
    this.devices = new Array<Device | undefined>(devices).fill(undefined);
    this.connector = new Connector(devices, rampPerSecond, PENDING_MAX, (index) => {
      const device = (this.devices[index] ??= new Device(this, index));
      device.connect();
    });
    this.retries = new Wheel(devices, startedMs);
    this.publishes = new Wheel(devices, startedMs);
    this.rounds = new Uint32Array(devices);
  }

  /** Everyone is to connect. */
  connectAll(): void {
    for (let index = 0; index < this.devices.length; index++) this.connector.request(index);
  }

  /** While true nobody connects; who is connected stays. */
  set isHeld(value: boolean) {
    this.connector.isHeld = value;
  }

  /** Whether every device has been in, and none is on its way now. */
  get isComplete(): boolean {
    return this.admitted === this.devices.length && this.connector.isIdle;
  }

  /** Refused, failed and lost connections. */
  get errors(): number {
    return this.refused + this.failures;
  }

  /** Lets in and brings back whom it may. */
  advanceConnections(nowMs: number): void {
    this.retries.advance(nowMs, Infinity, (index) => this.connector.request(index));
    this.connector.advance(nowMs);
  }

  /** From now on everyone publishes, evenly spread, so that the load is the same at every moment. */
  startSending(nowMs: number): void {
    this.sendFromMs = nowMs;
    for (let index = 0; index < this.devices.length; index++) this.scheduleNext(index);
  }

  /** Whether anybody has still something to publish. */
  get isSending(): boolean {
    return this.publishes.size > 0;
  }

  /** The time of sending is over: what was due and did not get its turn is left out. */
  stopSending(): void {
    const { intervalMs, durationMs } = this.settings;
    const count = this.devices.length;
    for (let index = 0; index < count; index++) {
      const due = Math.ceil((durationMs - (intervalMs * index) / count) / intervalMs);
      this.heldBack += Math.max(0, due - this.rounds[index]);
    }
  }

  /** Has the device publish its next message when its time comes, if that is within the run. */
  private scheduleNext(index: number): void {
    const { intervalMs, durationMs } = this.settings;
    // Counted, not added up: a run of n intervals has n messages a device, whatever the fractions.
    const afterMs = intervalMs * this.rounds[index] + (intervalMs * index) / this.devices.length;
    if (afterMs < durationMs) this.publishes.schedule(index, this.sendFromMs + afterMs);
  }

  /**
   * Has the devices publish that are due.
   *
   * @param isWatched whether the collector would see it; a device without a connection keeps it anyway
   * @returns whether there are more of them
   */
  publishDue(nowMs: number, isWatched: boolean): boolean {
    return this.publishes.advance(nowMs, TURN_MESSAGES_MAX, (index, dueMs) => {
      this.publish(index, dueMs, nowMs, isWatched);
    });
  }

  /** When something is due next: a time up to which nothing is. */
  nextMs(isSending: boolean): number {
    const publishMs = isSending ? this.publishes.nextMs() : Infinity;
    return Math.min(publishMs, this.retries.nextMs());
  }

  /** Devices with messages that the server has not taken over. */
  busyCount(): number {
    let count = 0;
    for (const device of this.devices) if (device?.isBusy === true) count += 1;
    return count;
  }

  /** Everyone says goodbye; `nextTurn` is awaited now and then. */
  async leave(nextTurn: () => Promise<void>): Promise<void> {
    this.connector.clear();
    let count = 0;
    for (const device of this.devices) {
      device?.goodbye();
      count += 1;
      if (count % GOODBYES_A_TURN === 0) await nextTurn();
    }
  }

  close(): void {
    for (const device of this.devices) device?.driver.close();
  }

  private publish(index: number, dueMs: number, nowMs: number, isWatched: boolean): void {
    const device = this.devices[index];
    if (device === undefined) return;
    if (!isWatched && device.isConnected) this.unwatched += 1;
    else if (!device.publish(dueMs - this.sendFromMs)) this.heldBack += 1;
    this.rounds[index] += 1;
    const lateMs = nowMs - dueMs;
    if (lateMs > LATE_MS_MAX) {
      const leftOut = Math.floor(lateMs / this.settings.intervalMs);
      this.heldBack += leftOut;
      this.rounds[index] += leftOut;
    }
    this.scheduleNext(index);
  }

  // --- What devices tell -----------------------------------------------------------------------------------------

  handleDeviceConnected(): void {
    this.connects += 1;
    this.connected += 1;
  }

  handleDeviceReady(device: Device): void {
    this.connector.settle(device.index);
    device.admissions += 1;
    if (device.admissions === 1) {
      this.admitted += 1;
      return;
    }
    if (!device.isAway) return;
    device.isAway = false;
    this.reconnects += 1;
    this.away -= 1;
    if (this.away === 0) this.note('reconnect', `all ${formatCount(this.devices.length)} devices are back`);
  }

  handleDeviceLost(device: Device, ending: Ending): void {
    this.connector.settle(device.index);
    if (ending.wasConnected) {
      this.connected -= 1;
      if (device.admissions > 0 && !device.isAway) {
        device.isAway = true;
        this.away += 1;
      }
    }
    const isRefused = ending.cause === CAUSE_REFUSED;
    if (isRefused) this.refused += 1;
    else this.failures += 1;
    const text = endingText(ending);
    this.gather(isRefused ? 'refused' : 'fault', text, device);
    if (!this.isWorthRetrying(device, ending, text)) return;
    const stepMs = Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** Math.min(device.attempts, 10));
    const jitterMs = (stepMs / 2) * (this.options.random.nextU32() / 0x100000000);
    this.retries.schedule(device.index, performance.now() + stepMs / 2 + jitterMs);
  }

  /** Fails the run where the device's trouble is everybody's. */
  private isWorthRetrying(device: Device, ending: Ending, text: string): boolean {
    const isHopeless =
      ending.cause === CAUSE_REFUSED
        ? !isTransient(ending.reasonCode, this.protocolVersion === V5)
        : isExhausted(ending.error);
    if (device.admissions === 0 && (isHopeless || device.attempts >= FIRST_ATTEMPTS_MAX)) {
      const counts = `${formatCount(this.admitted)} of ${formatCount(this.devices.length)} devices are connected`;
      const attempts = isHopeless ? '' : ` after ${device.attempts} attempts`;
      this.options.fail(new FleetError(`${device.clientId} cannot connect${attempts}: ${text}; ${counts}`));
      return false;
    }
    if (ending.cause === CAUSE_SERVER && ending.reasonCode === SESSION_TAKEN_OVER) {
      const why = 'is another fleet running with the same seed?';
      this.options.fail(new FleetError(`another client calls itself ${device.clientId}: ${why}`));
      return false;
    }
    return !isHopeless;
  }

  handleCommand(): void {
    this.commandsReceived += 1;
  }

  handleMessageRefused(device: Device, code: number): void {
    this.refusedMessages += 1;
    this.gather('refused', `a message was refused: ${codeText(code)}`, device);
  }

  handleSubscriptionRefused(device: Device, code: number): void {
    this.gather('refused', `no commands, the subscription was refused: ${codeText(code)}`, device);
  }

  private get elapsedMs(): number {
    return performance.now() - this.options.startedMs;
  }

  private note(kind: 'reconnect', text: string): void {
    this.options.log.add(this.elapsedMs, kind, text);
  }

  private gather(kind: 'refused' | 'fault', text: string, device: Device): void {
    this.options.log.gather(this.elapsedMs, kind, text, device.clientId);
  }
}

/** A reason code, or a negative status of our own. */
function codeText(code: number): string {
  return code < 0 ? statusName(code) : reasonText(code, V5);
}
