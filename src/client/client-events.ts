/**
 * What a client tells its listeners.
 */
import type { MotemqError } from './errors.ts';
import type { Message } from './message.ts';
import type { Connack } from './options.ts';

/** How a connection ended. */
export interface Disconnect {
  /** Why; undefined after the client's own `disconnect`. */
  error: MotemqError | undefined;
  /** The reason code of the server's DISCONNECT or refusal, or of what this client told the server. */
  reasonCode: number;
  /** Milliseconds until the next attempt, undefined when there will be none. */
  reconnectInMs: number | undefined;
}

export interface ClientEvents {
  /** CONNACK: connected, for the first time or again. */
  connect: Connack;
  disconnect: Disconnect;
  /** The next attempt begins in `inMs`. */
  reconnecting: { inMs: number };
  /** Every message, whoever else gets it. */
  message: Message;
  /** What nobody waits for: a subscription that could not be made again, a responder that failed. */
  error: Error;
  /** Nothing will happen any more. */
  close: undefined;
}
