/**
 * The made-up devices of a run: has each publish when its time has come, sends them commands, and keeps the counts of
 * both. Time is passed in; what a device says on the wire is its own.
 */
import type { Platform } from '../../src/client/platform.ts';
import { V5 } from '../../src/packets/types.ts';
import { statusName } from '../../src/status.ts';
import { Admissions } from './admissions.ts';
import { Device, type DeviceWorld } from './device.ts';
import { reasonText, type Ending } from './failure.ts';
import { formatCount } from './format.ts';
import { HostReadings } from './host-readings.ts';
import type { Ledger } from './ledger.ts';
import type { FleetSettings } from './settings.ts';
import type { TelemetryTraffic } from './telemetry-traffic.ts';
import { Wheel } from './wheel.ts';
import type { Pool, PoolWorld } from './workload.ts';

/** Connections on their way at once: a broker's backlog is often 100. */
const PENDING_MAX = 100;
/** Messages after which the caller looks after its sockets first. */
const TURN_MESSAGES_MAX = 1000;
/** A device that is later than this leaves readings out instead of catching up. */
const LATE_MS_MAX = 5000;
const GOODBYES_A_TURN = 200;
const COMMANDS_PER_SECOND_MAX = 20;

export class DevicePool implements DeviceWorld, Pool {
  readonly settings: FleetSettings;
  readonly platform: Platform;
  readonly protocolVersion: number;
  readonly isRetainAvailable: boolean;
  readonly clientIdPrefix: string;
  readonly ledger: Ledger;
  readonly host = new HostReadings();
  readonly admissions: Admissions;
  readonly isGone = false;
  commandsReceived = 0;
  private readonly world: PoolWorld;
  private readonly traffic: TelemetryTraffic;
  /** By index; made when they first connect. */
  private readonly devices: (Device | undefined)[];
  private readonly publishes: Wheel;
  /** Per device: messages that came due so far. */
  private readonly rounds: Uint32Array;
  private sendFromMs = Infinity;
  private nextCommandMs = Infinity;
  /** Readings that were due and left out: no room for them, or nobody who would have seen them. */
  private heldBack = 0;
  private unwatched = 0;
  private refusedMessages = 0;

  constructor(settings: FleetSettings, clientIdPrefix: string, traffic: TelemetryTraffic, world: PoolWorld) {
    const { devices, rampPerSecond } = settings;
    const { protocolVersion, log, random, startedMs, fail } = world;
    this.world = world;
    this.settings = settings;
    this.traffic = traffic;
    this.platform = world.platform;
    this.protocolVersion = protocolVersion;
    this.isRetainAvailable = world.isRetainAvailable;
    this.clientIdPrefix = clientIdPrefix;
    this.ledger = world.ledger;
    this.devices = new Array<Device | undefined>(devices).fill(undefined);
    this.admissions = new Admissions({
      devices,
      rampPerSecond,
      pendingMax: PENDING_MAX,
      protocolVersion,
      twins: 'is another fleet running with the same seed?',
      log,
      random,
      startedMs,
      connect: (index) => {
        const device = (this.devices[index] ??= new Device(this, index));
        device.connect();
      },
      fail,
    });
    this.publishes = new Wheel(devices, startedMs);
    this.rounds = new Uint32Array(devices);
  }

  /** From now on everyone publishes, evenly spread, so that the load is the same at every moment. */
  startSending(nowMs: number): void {
    this.sendFromMs = nowMs;
    this.nextCommandMs = nowMs;
    for (let index = 0; index < this.devices.length; index++) this.scheduleNext(index);
  }

  get isSending(): boolean {
    return this.publishes.size > 0;
  }

  stopSending(isEarly: boolean): void {
    const { intervalMs, durationMs } = this.settings;
    const count = this.devices.length;
    this.sendFromMs = Infinity;
    if (isEarly) return;
    for (let index = 0; index < count; index++) {
      const due = Math.ceil((durationMs - (intervalMs * index) / count) / intervalMs);
      this.heldBack += Math.max(0, due - this.rounds[index]);
    }
  }

  advance(nowMs: number): boolean {
    const isRunning = this.sendFromMs !== Infinity;
    const isBehind = isRunning && this.publishDue(nowMs);
    this.admissions.advance(nowMs);
    if (isRunning && nowMs >= this.nextCommandMs) this.sendCommand(nowMs);
    return isBehind;
  }

  nextMs(): number {
    const publishMs = this.sendFromMs === Infinity ? Infinity : this.publishes.nextMs();
    return Math.min(publishMs, this.admissions.nextMs());
  }

  busyCount(): number {
    let count = 0;
    for (const device of this.devices) if (device?.isBusy === true) count += 1;
    return count;
  }

  measure(): Promise<void> {
    return Promise.resolve();
  }

  async leave(nextTurn: () => Promise<void>): Promise<void> {
    this.admissions.end();
    let count = 0;
    for (const device of this.devices) {
      device?.goodbye();
      count += 1;
      if (count % GOODBYES_A_TURN === 0) await nextTurn();
    }
  }

  lastingSessions(): string[] {
    if (this.settings.qos < 2) return [];
    return this.devices.flatMap((device) => device?.clientId ?? []);
  }

  close(): Promise<void> {
    for (const device of this.devices) device?.driver.close();
    return Promise.resolve();
  }

  bytes(): { out: number; in: number; saved: number } {
    const sum = { out: 0, in: 0, saved: 0 };
    for (const device of this.devices) {
      if (device === undefined) continue;
      const { transport } = device.driver;
      sum.out += transport.bytesOut;
      sum.in += transport.bytesIn;
      sum.saved += device.savedByteLength;
    }
    return sum;
  }

  remarks(): string[] {
    const { heldBack, unwatched, refusedMessages } = this;
    const remarks: string[] = [];
    const readings = (count: number): string =>
      `${formatCount(count)} ${count === 1 ? 'reading' : 'readings'}`;
    if (heldBack > 0)
      remarks.push(
        `${readings(heldBack)} left out: this machine, the server or a connection did not keep up.`,
      );
    if (unwatched > 0) remarks.push(`${readings(unwatched)} left out while the collector had no connection.`);
    if (refusedMessages > 0) remarks.push(`The server refused ${formatCount(refusedMessages)} messages.`);
    return remarks;
  }

  reasons(): string[] {
    return [];
  }

  liveText(): undefined {
    return undefined;
  }

  report(): undefined {
    return undefined;
  }

  /** Has the device publish its next message when its time comes, if that is within the run. */
  private scheduleNext(index: number): void {
    const { intervalMs, durationMs } = this.settings;
    // Counted, not added up: a run of n intervals has n messages a device, whatever the fractions.
    const afterMs = intervalMs * this.rounds[index] + (intervalMs * index) / this.devices.length;
    if (afterMs < durationMs) this.publishes.schedule(index, this.sendFromMs + afterMs);
  }

  /** Has the devices publish that are due; returns whether there are more of them. */
  private publishDue(nowMs: number): boolean {
    // What nobody sees is not published; a device without a connection keeps it anyway.
    const isWatched = this.world.collector.isReady;
    return this.publishes.advance(nowMs, TURN_MESSAGES_MAX, (index, dueMs) => {
      this.publish(index, dueMs, nowMs, isWatched);
    });
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

  private sendCommand(nowMs: number): void {
    const { devices } = this.settings;
    const perSecond = Math.min(COMMANDS_PER_SECOND_MAX, Math.max(2, devices / 100));
    this.nextCommandMs = nowMs + 1000 / perSecond;
    const index = this.world.random.nextBelow(devices);
    if (this.devices[index]?.isConnected === true) this.traffic.sendCommand(this.world.collector, index);
  }

  // --- What devices tell -----------------------------------------------------------------------------------------

  handleDeviceConnected(device: Device): void {
    this.admissions.handleConnected(device);
  }

  handleDeviceReady(device: Device): void {
    this.admissions.handleReady(device);
  }

  handleDeviceLost(device: Device, ending: Ending): void {
    this.admissions.handleLost(device, ending);
  }

  handleCommand(): void {
    this.commandsReceived += 1;
  }

  handleMessageRefused(device: Device, code: number): void {
    this.refusedMessages += 1;
    this.gatherRefused(`a message was refused: ${codeText(code)}`, device);
  }

  handleSubscriptionRefused(device: Device, code: number): void {
    this.gatherRefused(`no commands, the subscription was refused: ${codeText(code)}`, device);
  }

  private gatherRefused(text: string, device: Device): void {
    const { log, startedMs } = this.world;
    log.gather(performance.now() - startedMs, 'refused', text, device.clientId);
  }
}

/** A reason code, or a negative status of our own. */
function codeText(code: number): string {
  return code < 0 ? statusName(code) : reasonText(code, V5);
}
