/**
 * What the host of a device may want to hear: a board's main program to sleep at the right moment, a fleet to keep its
 * books. Every method may be missing. They are called from within the device's work: to be quick, and free to call the
 * device's verbs.
 */
import type { SessionEvent } from '../session/event.ts';

export interface DeviceOwner {
  /** The server took the connection; `sessionPresent` is 0 or 1. */
  handleConnected?(sessionPresent: number): void;
  /** Commands and configuration reach the device from now on. After each connection. */
  handleReady?(): void;
  /** The connection ended or did not come about: cause, reason code, time of the next attempt are in `event`, alive until this returns. */
  handleDisconnected?(event: SessionEvent): void;
  /**
   * Telemetry message `sequence` with `sampleCount` samples was handed to the session. `ticket` 0: QoS 0, and this is all
   * that will be heard of it; else `handlePublished` follows.
   */
  handleSent?(sequence: number, sampleCount: number, ticket: number): void;
  /** Telemetry message `sequence` is done: `status` is OK or why it failed here, `reasonCode` what the server said. */
  handlePublished?(sequence: number, status: number, reasonCode: number): void;
  /** A command was answered. */
  handleCommand?(name: string, isOk: boolean): void;
  /** A configuration came. */
  handleConfiguration?(isOk: boolean): void;
  /**
   * Everything there was to send is with the server, and the next reading is due in `nextSampleInMs` (Infinity: never):
   * a good time for `sleep`. Called when it becomes true, and after a reading that there was nothing to tell of.
   */
  handleIdle?(nextSampleInMs: number): void;
  /** Something went wrong that the device goes on from: ERR_READ, ERR_STATUS, ERR_SUBSCRIBE, ERR_SEND, ERR_RESTORE. */
  handleError?(code: string, message: string): void;
}
