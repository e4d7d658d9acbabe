/**
 * All devices of a run that run firmware, whatever the engine: lets them connect, ends their readings, and keeps the
 * books of what they tell. When they read and send is the firmware's affair.
 */
import { V5 } from '../../../src/packets/types.ts';
import { statusName } from '../../../src/status.ts';
import { Admissions } from '../admissions.ts';
import { FleetError, reasonText, type Ending } from '../failure.ts';
import { formatBytes, formatCount } from '../format.ts';
import type { FleetEventKind, FleetFirmware } from '../report.ts';
import type { Server } from '../server.ts';
import type { FleetSettings } from '../settings.ts';
import type { Pool, PoolWorld } from '../workload.ts';
import type { FirmwareDevice, FirmwareWorld } from './firmware-device.ts';
import type { Firmware } from './firmware-file.ts';
import type { FirmwareTraffic } from './firmware-traffic.ts';
import { machinesText, summariseMachines } from './machine-figures.ts';
import type { FirmwareNames } from './names.ts';
import { XsDevice } from './xs-device.ts';

/** Dead machines that a verdict names. */
const NAMED_MAX = 3;
const GOODBYES_A_TURN = 50;
/** Devices that are told to finish before sockets have their turn: a message that waits for the others is no slow one. */
const FINISHED_A_TURN = 20;

/** What a pool is made of. */
export interface FirmwareFleet {
  settings: FleetSettings;
  firmware: Firmware;
  names: FirmwareNames;
  traffic: FirmwareTraffic;
  engine: 'node' | 'xs';
  /** Connections, or machines, on their way at once. */
  pendingMax: number;
  makeDevice(world: FirmwareWorld, index: number): FirmwareDevice;
}

export class FirmwarePool implements Pool, FirmwareWorld {
  readonly settings: FleetSettings;
  readonly firmware: Firmware;
  readonly names: FirmwareNames;
  readonly server: Server;
  readonly protocolVersion: number;
  readonly admissions: Admissions;
  commandsReceived = 0;
  private readonly fleet: FirmwareFleet;
  private readonly world: PoolWorld;
  /** By index; made when they first connect. */
  private readonly devices: (FirmwareDevice | undefined)[];
  /** Devices that wait to be told that the time of sending is over; empty before it is. */
  private unfinished: FirmwareDevice[] = [];
  private isFinishing = false;
  private samples = 0;
  private dropped = 0;
  private flushed = 0;
  private saved = 0;
  private errors = 0;
  private refusedMessages = 0;
  /** Machines that ended by themselves: name and reason. */
  private readonly died: string[] = [];

  constructor(fleet: FirmwareFleet, world: PoolWorld) {
    const { settings, firmware, names } = fleet;
    const { protocolVersion, log, random, startedMs, fail } = world;
    this.fleet = fleet;
    this.world = world;
    this.settings = settings;
    this.firmware = firmware;
    this.names = names;
    this.server = world.server;
    this.protocolVersion = protocolVersion;
    this.devices = new Array<FirmwareDevice | undefined>(settings.devices).fill(undefined);
    this.admissions = new Admissions({
      devices: settings.devices,
      rampPerSecond: settings.rampPerSecond,
      pendingMax: fleet.pendingMax,
      protocolVersion,
      twins: 'is another fleet running with this firmware? --id gives this one other names',
      log,
      random,
      startedMs,
      connect: (index) => this.connect(index),
      fail,
    });
  }

  /** Devices have sent since they connected. */
  readonly isSending = false;

  get isGone(): boolean {
    return this.died.length === this.settings.devices;
  }

  startSending(): void {
    for (const machine of this.machines()) void machine.begin();
  }

  stopSending(): void {
    this.isFinishing = true;
    this.unfinished = this.present();
  }

  advance(nowMs: number): boolean {
    this.admissions.advance(nowMs);
    for (const device of this.unfinished.splice(0, FINISHED_A_TURN)) device.finish();
    return this.unfinished.length > 0;
  }

  nextMs(): number {
    return this.unfinished.length > 0 ? 0 : this.admissions.nextMs();
  }

  busyCount(): number {
    let count = this.unfinished.length;
    for (const device of this.present()) if (device.isBusy) count += 1;
    return count;
  }

  async measure(): Promise<void> {
    await Promise.all(this.machines().map((machine) => machine.measure()));
  }

  async leave(nextTurn: () => Promise<void>): Promise<void> {
    this.admissions.end();
    const devices = this.present();
    for (let first = 0; first < devices.length; first += GOODBYES_A_TURN) {
      const some = devices.slice(first, first + GOODBYES_A_TURN);
      await Promise.all(some.map((device) => device.leave()));
      await nextTurn();
    }
  }

  lastingSessions(): string[] {
    return this.present().map((device) => device.clientId);
  }

  async close(): Promise<void> {
    await Promise.all(this.present().map((device) => device.close()));
  }

  bytes(): { out: number; in: number; saved: number } {
    const sum = { out: 0, in: 0, saved: this.saved };
    for (const device of this.present()) {
      sum.out += device.bytesOut;
      sum.in += device.bytesIn;
    }
    return sum;
  }

  remarks(): string[] {
    const { admissions, dropped, errors, flushed, refusedMessages, firmware } = this;
    const { births } = this.fleet.traffic;
    const { sent } = this.world.ledger.totals();
    const remarks: string[] = [];
    if (sent > 0 && flushed === sent) {
      remarks.push(
        `No batch came due in this time: all messages went out at the end (${firmware.file} says when; -d gives it longer).`,
      );
    }
    if (dropped > 0) {
      remarks.push(
        `Devices dropped ${count(dropped, 'sample')}: their buffers were full, or they were refused.`,
      );
    }
    if (refusedMessages > 0) remarks.push(`The server refused ${count(refusedMessages, 'message')}.`);
    if (errors > 0) remarks.push(`Devices told of ${count(errors, 'error')}, see the events.`);
    if (births < admissions.connects) {
      remarks.push(`${formatCount(births)} births seen of ${count(admissions.connects, 'connection')}.`);
    }
    return remarks;
  }

  reasons(): string[] {
    const { died } = this;
    if (died.length === 0) return [];
    const more = died.length > NAMED_MAX ? ` … and ${formatCount(died.length - NAMED_MAX)} more` : '';
    const names = died.slice(0, NAMED_MAX).join('; ');
    return [
      `${count(died.length, 'machine')} ended by ${died.length === 1 ? 'itself' : 'themselves'}: ${names}${more}.`,
    ];
  }

  liveText(bytesPerDevice: number | null): string {
    const { firmware, fleet } = this;
    if (fleet.engine === 'xs') return `${firmware.file} on XS${machinesText(this.machines())}`;
    const memory = bytesPerDevice === null ? '' : ` · ${formatBytes(bytesPerDevice)} a device`;
    return `${firmware.file} on Node${memory}`;
  }

  report(): FleetFirmware {
    const { fleet, firmware, samples, dropped, flushed, errors, died } = this;
    const machines = summariseMachines(this.machines(), died.length);
    return {
      file: firmware.file,
      id: firmware.definition.id,
      format: firmware.definition.format ?? 'json',
      engine: fleet.engine,
      samples,
      dropped,
      flushed,
      errors,
      ...(fleet.engine === 'xs' && machines !== undefined ? { machines } : {}),
    };
  }

  private connect(index: number): void {
    try {
      const device = (this.devices[index] ??= this.fleet.makeDevice(this, index));
      device.connect();
    } catch (error) {
      // What makes one device fail makes all: the firmware, or what it simulates.
      const { file } = this.firmware;
      this.world.fail(new FleetError(`${file}: ${(error as Error).message}`, 'firmware'));
    }
  }

  private present(): FirmwareDevice[] {
    return this.devices.filter((device) => device !== undefined);
  }

  private machines(): XsDevice[] {
    return this.devices.filter((device) => device instanceof XsDevice);
  }

  // --- What devices tell -----------------------------------------------------------------------------------------

  handleConnected(device: FirmwareDevice): void {
    this.admissions.handleConnected(device);
  }

  handleReady(device: FirmwareDevice): void {
    this.admissions.handleReady(device);
  }

  handleLost(device: FirmwareDevice, ending: Ending): void {
    this.admissions.handleLost(device, ending);
  }

  handleSent(
    device: FirmwareDevice,
    sequence: number,
    sampleCount: number,
    droppedCount: number,
    saved: number,
  ): void {
    this.fleet.traffic.noteSent(device.index, sequence);
    this.samples += sampleCount;
    this.dropped += droppedCount;
    this.saved += saved;
    if (this.isFinishing) this.flushed += 1;
  }

  handlePublished(device: FirmwareDevice, sequence: number, code: number): void {
    if (code >= 0 && code < 0x80) {
      this.world.ledger.recordAcknowledged(device.index, sequence);
      return;
    }
    this.refusedMessages += 1;
    const why = code < 0 ? statusName(code) : reasonText(code, V5);
    this.gather('refused', `a message was refused: ${why}`, device);
  }

  handleCommand(device: FirmwareDevice, name: string, isOk: boolean): void {
    this.commandsReceived += 1;
    if (!isOk) this.gather('fault', `the command ${name} failed`, device);
  }

  handleError(device: FirmwareDevice, code: string, message: string): void {
    this.errors += 1;
    this.gather('error', `${code}: ${message}`, device);
  }

  handleMissing(device: FirmwareDevice, name: string): void {
    this.gather('note', `the simulated board has no ${name}`, device);
  }

  handleTrace(device: FirmwareDevice, text: string): void {
    this.gather('note', text, device);
  }

  handleDied(device: FirmwareDevice, why: string, wasConnected: boolean): void {
    this.admissions.handleGone(device, wasConnected);
    this.died.push(`${device.clientId}: ${why}`);
    this.world.log.add(this.elapsedMs, 'error', `the machine of ${device.clientId} ended: ${why}`);
    if (device.admissions > 0) return;
    // It never ran: nor would the others, for all run the same.
    this.world.fail(
      new FleetError(`the machine of ${device.clientId} ended before it was connected: ${why}`),
    );
  }

  private get elapsedMs(): number {
    return performance.now() - this.world.startedMs;
  }

  private gather(kind: FleetEventKind, text: string, device: FirmwareDevice): void {
    this.world.log.gather(this.elapsedMs, kind, text, device.clientId);
  }
}

function count(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? '' : 's'}`;
}
