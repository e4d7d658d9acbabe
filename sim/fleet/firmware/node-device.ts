/**
 * A device that runs firmware in this process: the runtime on Node's clock and sockets.
 */
import { DeviceRuntime, STOP_AND_ERASE, STOP_SILENTLY, type DeviceOwner } from '../../../src/device/index.ts';
import type { ClientTransport } from '../../../src/client/platform.ts';
import type { Packet } from '../../../src/packets/packet.ts';
import { CAUSE_CLIENT, type SessionEvent } from '../../../src/session/event.ts';
import { NodeBoard } from '../../../targets/node/board.ts';
import { AliasSavings } from './alias-savings.ts';
import { deviceOptions, type FirmwareDevice, type FirmwareWorld } from './firmware-device.ts';
import { runSimulate } from './simulate.ts';
import { SimulatedBoard } from './simulated-io.ts';

/** What devices share, for their polls never nest. */
export interface SharedRecords {
  packet: Packet;
  event: SessionEvent;
}

export class NodeDevice implements FirmwareDevice, DeviceOwner {
  readonly index: number;
  readonly clientId: string;
  attempts = 0;
  admissions = 0;
  isAway = false;
  private readonly world: FirmwareWorld;
  private readonly runtime: DeviceRuntime<object>;
  private readonly savings = new AliasSavings();
  private transport: ClientTransport | undefined;
  private isConnected = false;

  constructor(world: FirmwareWorld, index: number, records: SharedRecords) {
    const { firmware, settings, server, names } = world;
    this.world = world;
    this.index = index;
    this.clientId = names.idOf(index);
    const board = new NodeBoard((receiver) => (this.transport = server.createTransport(receiver)));
    const { seed } = settings;
    const io =
      firmware.simulate === undefined
        ? new SimulatedBoard(seed, index, Date.now)
        : runSimulate(firmware.simulate, seed, index);
    const options = { ...deviceOptions(world, index), ...records, epochMs: Date.now };
    this.runtime = new DeviceRuntime(firmware.definition, board, io, options, this);
  }

  get isBusy(): boolean {
    const { samples, outstanding, session } = this.runtime;
    return samples.count > 0 || outstanding.count > 0 || session.isBusy();
  }

  get bytesOut(): number {
    return this.transport?.bytesOut ?? 0;
  }

  get bytesIn(): number {
    return this.transport?.bytesIn ?? 0;
  }

  connect(): void {
    if (this.runtime.isStarted) this.runtime.connect();
    else this.runtime.start();
  }

  finish(): void {
    this.runtime.schedule.stop();
    this.runtime.flush();
  }

  leave(): Promise<void> {
    this.runtime.stop(STOP_AND_ERASE);
    return this.close();
  }

  close(): Promise<void> {
    this.runtime.stop(STOP_SILENTLY);
    return Promise.resolve();
  }

  handleConnected(): void {
    this.isConnected = true;
    this.savings.reset();
    this.world.handleConnected(this);
  }

  handleReady(): void {
    this.world.handleReady(this);
  }

  handleDisconnected(event: SessionEvent): void {
    if (event.cause === CAUSE_CLIENT) return;
    const wasConnected = this.isConnected;
    this.isConnected = false;
    this.world.handleLost(this, {
      cause: event.cause,
      reasonCode: event.reasonCode,
      violation: event.violation,
      error: this.runtime.line.transportError as Error | undefined,
      protocolVersion: this.world.protocolVersion,
      wasConnected,
    });
  }

  handleSent(sequence: number, sampleCount: number): void {
    const { telemetry, telemetryTopic } = this.runtime;
    const saved = this.savings.take(telemetryTopic.alias, telemetryTopic.bytes.length);
    this.world.handleSent(this, sequence, sampleCount, telemetry.droppedTold, saved);
  }

  handlePublished(sequence: number, status: number, reasonCode: number): void {
    this.world.handlePublished(this, sequence, status < 0 ? status : reasonCode);
  }

  handleCommand(name: string, isOk: boolean): void {
    this.world.handleCommand(this, name, isOk);
  }

  handleError(code: string, message: string): void {
    this.world.handleError(this, code, message);
  }
}
