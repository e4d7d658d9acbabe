/**
 * What the fleet and the machine of a device say to each other besides MQTT. Numbers go as 64-bit floats from one array
 * that the machine makes once, so that telling takes nothing of the heap that is measured; texts as JSON.
 *
 * The machine asks once for its settings, and then for what its simulated board reads: the name of a function, and
 * behind it, when there are any, its arguments as a JSON list. The answer is JSON, or empty for undefined.
 */

/** To the machine: one byte. */
export const DO_CONNECT = 1;
/** No more readings; what waits for a batch goes out. Answered by TOLD_BUSY. */
export const DO_FINISH = 2;
export const DO_LEAVE = 3;
/** Nothing: the answer is the machine's state. */
export const DO_NOTHING = 4;

/** From the machine: one of these, and behind it the numbers that the names say. */
export const TOLD_CONNECTED = 1;
export const TOLD_READY = 2;
/** cause, reasonCode, violation */
export const TOLD_DISCONNECTED = 3;
/** sequence, sampleCount, droppedCount, savedBytes */
export const TOLD_SENT = 4;
/** sequence, code: a negative status or a reason code */
export const TOLD_PUBLISHED = 5;
/** 1 when the server does not have everything yet, else 0 */
export const TOLD_BUSY = 6;
/** With what it is about; at most. */
export const TOLD_NUMBERS = 5;

/** Texts from the machine. */
export type ToldText =
  { error: string; message: string } | { command: string; isOk: boolean } | { missing: string };

/** Asked for before the machine is a board's. */
export const ASK_SETTINGS = 'settings';

/** The device's configuration, in flash as `mc/config` is. */
export interface GuestSettings {
  seed: number;
  index: number;
  host: string;
  port: number;
  /** Of the runtime, plain values. */
  options: object;
  /** What the simulated board can do. */
  functions: string[];
}
