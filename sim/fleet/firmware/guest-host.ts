/**
 * What a device's machine has in its global scope (docs/xs-engine.md), as far as a guest uses it; and its configuration,
 * asked for while modules are preloaded, so that it takes no heap.
 */
import { ASK_SETTINGS, type GuestSettings } from './guest-protocol.ts';

interface Globals {
  host: {
    post(message: string | Uint8Array): void;
    ask(message: string): ArrayBuffer | undefined;
  };
  onHostMessage: (bytes: ArrayBuffer) => void;
}

/** XS has it; TypeScript does not know it. */
interface XsString {
  fromArrayBuffer(buffer: ArrayBuffer): string;
}

const globals = globalThis as unknown as Globals;

/** Tells the fleet. */
export function post(message: string | Uint8Array): void {
  globals.host.post(message);
}

/** What the fleet says is handed to `handle` from now on. */
export function listen(handle: (bytes: ArrayBuffer) => void): void {
  globals.onHostMessage = handle;
}

/** Asks the fleet and waits. */
export function ask(message: string): unknown {
  const answer = globals.host.ask(message);
  if (answer === undefined) return undefined;
  return JSON.parse((String as unknown as XsString).fromArrayBuffer(answer));
}

export const settings = ask(ASK_SETTINGS) as GuestSettings;
