/**
 * A device that runs firmware, as its pool sees it, and the pool, as its devices see it: the same for every engine.
 * Types, and what the engines set a device up with.
 */
import type { DeviceOptions } from '../../../src/device/index.ts';
import type { Member } from '../admissions.ts';
import type { Ending } from '../failure.ts';
import type { Server } from '../server.ts';
import type { FleetSettings } from '../settings.ts';
import type { Firmware } from './firmware-file.ts';
import type { FirmwareNames } from './names.ts';

export interface FirmwareDevice extends Member {
  /** It has messages or samples that the server has not taken over, and may still get to it. */
  readonly isBusy: boolean;
  /** Bytes of MQTT. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Begins to run, and to connect; later: connects again. */
  connect(): void;
  /** No more readings; what waits for a batch goes out. */
  finish(): void;
  /** Leaves without a trace on the server; resolves when it has said so. */
  leave(): Promise<void>;
  /** Ends, however it is. */
  close(): Promise<void>;
}

/** Whom devices tell. */
export interface FirmwareWorld {
  readonly settings: FleetSettings;
  readonly firmware: Firmware;
  readonly names: FirmwareNames;
  readonly server: Server;
  readonly protocolVersion: number;
  handleConnected(device: FirmwareDevice): void;
  handleReady(device: FirmwareDevice): void;
  /** The connection ended or did not come about, other than by `leave`. */
  handleLost(device: FirmwareDevice, ending: Ending): void;
  /**
   * A message of telemetry is about to leave, with so many samples; it tells of so many that were dropped, and an alias
   * saved so many bytes of its Topic Name (below 0: announcing it cost them).
   */
  handleSent(
    device: FirmwareDevice,
    sequence: number,
    sampleCount: number,
    droppedCount: number,
    saved: number,
  ): void;
  /** At QoS 1 and 2: the server has it, or will not: a negative status, or a reason code. */
  handlePublished(device: FirmwareDevice, sequence: number, code: number): void;
  handleCommand(device: FirmwareDevice, name: string, isOk: boolean): void;
  /** Something went wrong that the device goes on from. */
  handleError(device: FirmwareDevice, code: string, message: string): void;
  /** The firmware asked the simulated board for something that it does not have: to call it, or just to know. */
  handleMissing(device: FirmwareDevice, name: string): void;
  /** The firmware said something: `trace`. */
  handleTrace(device: FirmwareDevice, text: string): void;
  /** It has ended by itself, and nothing more comes from it. */
  handleDied(device: FirmwareDevice, why: string, wasConnected: boolean): void;
}

/** Readings begin within so much of the run: the load is to be even, and everyone is to have its turn. */
const SPREAD_OF_RUN = 0.25;

/** Milliseconds over which the first readings of all devices are spread. */
function spreadMs({ firmware, settings }: FirmwareWorld): number {
  let shortestMs = settings.durationMs * SPREAD_OF_RUN;
  for (const { everyMs, enabled } of Object.values(firmware.definition.metrics ?? {})) {
    if (enabled !== false) shortestMs = Math.min(shortestMs, everyMs);
  }
  return shortestMs;
}

/** What every engine tells the runtime of the device at `index`: plain values. */
export function deviceOptions(world: FirmwareWorld, index: number): DeviceOptions {
  const { settings, names, protocolVersion } = world;
  return {
    id: names.idOf(index),
    protocolVersion,
    userName: settings.userName,
    password: settings.password,
    reconnect: false, // the fleet says when: a thousand devices must not come back at once
    firstSampleInMs: Math.round((spreadMs(world) * index) / settings.devices),
  };
}
