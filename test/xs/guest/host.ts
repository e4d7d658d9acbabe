/**
 * What an XS machine of sim/xs has in its global scope, as types: see docs/xs-engine.md. For code that runs there.
 */

/** The natives of a worker. */
export interface Host {
  /** Instructions and the like since the machine began. */
  meter(): number;
  /** Slots in use, garbage included. */
  slots(): number;
  /** Bytes of chunks in use, garbage included. */
  chunkBytes(): number;
  collect(): void;
  print(text: string): void;
  /** A message to the process outside. */
  post(message: string | ArrayBuffer | Uint8Array): void;
  /** Asks the process outside and waits; undefined when the answer is empty. */
  ask(message: string | ArrayBuffer | Uint8Array): ArrayBuffer | undefined;
}

interface Globals {
  host: Host;
  /** Called with what the process outside posts. */
  onHostMessage: ((bytes: ArrayBuffer) => void) | undefined;
}

const globals = globalThis as unknown as Globals;

export const host = globals.host;

export function onMessage(handle: (bytes: ArrayBuffer) => void): void {
  globals.onHostMessage = handle;
}
