/**
 * One network connection as the broker's core sees it. Whoever owns a socket implements it; in a simulation that is the
 * world. Knows nothing of MQTT.
 */

/** What carries the bytes; `local` is no socket at all. */
export type LinkTransport = 'tcp' | 'tls' | 'ws' | 'wss' | 'local';

/** Where a connection comes from. */
export interface Origin {
  readonly transport: LinkTransport;
  /** The peer's address without its port, as limits count it; empty where there is none. */
  readonly remoteAddress: string;
  /** Common name of the client's certificate, if it showed one that the listener's CA vouches for; else null. */
  readonly certificateName: string | null;
}

/** What the core does to a connection. Its owner calls the core's Connection back: never before the call here returned. */
export interface Link {
  readonly origin: Origin;
  /**
   * Sends `bytes`, lent until the owner calls `Connection.handleWritten`. There is never more than one write at a time.
   */
  write(bytes: Uint8Array): void;
  /** Reads no more until `resume`: what has been read already may still be given to `receive`. */
  pause(): void;
  resume(): void;
  /** Closes once what was written has left. No `write` follows. */
  end(): void;
  /** Closes now. No `write` follows; `Connection.handleClose` still has to be called. */
  destroy(): void;
}
