/**
 * In what fleets differ: which devices there are and what they say. The run (fleet.ts), the collector and the report
 * know of them what is here. Types only.
 */
import type { Platform } from '../../src/client/platform.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import type { Admissions } from './admissions.ts';
import type { EventLog } from './event-log.ts';
import type { FleetError } from './failure.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { FleetFirmware, FleetReportOptions } from './report.ts';
import type { Server } from './server.ts';

/** What the devices of a run publish, as the collector sees it, and the counts of it that are not the ledger's. */
export interface Traffic {
  /** What covers all of it. The first is telemetry's: where a server does not grant that, there is nothing to count. */
  readonly filters: readonly { readonly topicFilter: string; readonly qos: number }[];
  readonly births: number;
  readonly wills: number;
  readonly commandsSent: number;
  /** Commands that were answered, each counted once. */
  readonly commandsAnswered: number;
  /** A message: `bytes[at]` up to `end`, all of its payload, or 256 bytes of one that came in fragments. */
  take(event: SessionEvent, bytes: Uint8Array, at: number, end: number): void;
}

/** Who publishes to devices. */
export interface CommandSender {
  /** Subscribed on a living connection. */
  readonly isReady: boolean;
  /** Publishes at QoS 1; false when there is no room or no connection. */
  publish(topicName: Uint8Array, payload: Uint8Array, payloadByteLength: number): boolean;
}

/** What a pool finds when it is made: the collector is connected, and nobody else is. */
export interface PoolWorld {
  platform: Platform;
  server: Server;
  protocolVersion: number;
  isRetainAvailable: boolean;
  collector: CommandSender;
  ledger: Ledger;
  log: EventLog;
  /** A stream that no device has. */
  random: Random;
  /** On the clock of performance.now(). */
  startedMs: number;
  /** The run cannot go on. */
  fail: (error: FleetError) => void;
}

/** All devices of a run. */
export interface Pool {
  readonly admissions: Admissions;
  /** Commands that devices obeyed. */
  readonly commandsReceived: number;
  /** Whether anybody has still something to publish that came due before the time of sending was over. */
  readonly isSending: boolean;
  /** Nobody is left, and nobody will come. */
  readonly isGone: boolean;
  /** Everyone is connected: from now on, for the run's duration, everyone publishes. */
  startSending(nowMs: number): void;
  /**
   * The time of sending is over, or (`isEarly`) is cut short: what was due and did not get its turn is left out, what
   * waits goes out.
   */
  stopSending(isEarly: boolean): void;
  /** Does what is due; returns whether there is more right now, so that the caller looks after its sockets first. */
  advance(nowMs: number): boolean;
  /** When something is due next: a time up to which nothing is. */
  nextMs(): number;
  /** Devices with messages that the server has not taken over. */
  busyCount(): number;
  /** The drain is over: what the result is to tell is found out now. */
  measure(): Promise<void>;
  /** Everyone says goodbye; `nextTurn` is awaited now and then. */
  leave(nextTurn: () => Promise<void>): Promise<void>;
  /** Client Identifiers of sessions that a 3.1.1 server keeps for ever unless it is told to forget them. */
  lastingSessions(): string[];
  close(): Promise<void>;
  /** Bytes of MQTT, and those that Topic Aliases saved. */
  bytes(): { out: number; in: number; saved: number };
  /** What the verdict should also mention. */
  remarks(): string[];
  /** What else fails the run, a sentence each. */
  reasons(): string[];
  /**
   * A few words about the devices while they run, for the live view; undefined when there is nothing to say.
   * `bytesPerDevice` is what each takes of this process, null before all are there.
   */
  liveText(bytesPerDevice: number | null): string | undefined;
  /** What the result says of the firmware; undefined without one. */
  report(): FleetFirmware | undefined;
}

/** A kind of fleet. */
export interface Workload {
  /** Of telemetry. */
  readonly qos: 0 | 1 | 2;
  /** What every Client Identifier begins with, the collector's included. */
  readonly clientIdPrefix: string;
  readonly traffic: Traffic;
  /** Devices may have nothing to publish. */
  readonly isSilent: boolean;
  /** What the phase of sending is announced with. */
  readonly sendingText: string;
  readonly reportOptions: FleetReportOptions;
  clientIdOf(index: number): string;
  /** Gets what takes a while, before anything connects; says what it does in words. */
  prepare(tell: (text: string) => void): Promise<void>;
  makePool(world: PoolWorld): Pool;
}
