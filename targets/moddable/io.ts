/**
 * What ECMA-419 asks of sockets and resolvers, as far as it is used here. Types only.
 */

/** A TCP or TLS socket of ECMA-419, as far as it is used here. */
export interface Socket {
  /** Fills `bytes`; returns how many were there, or undefined for none. */
  read(bytes: Uint8Array): number | undefined;
  /** Takes all of `bytes`; returns the bytes there is room for now, or undefined once the connection is gone. */
  write(bytes: Uint8Array): number | undefined;
  close(): void;
}

export interface SocketCallbacks {
  onReadable(byteLength: number): void;
  onWritable(byteLength: number): void;
  onError(error?: unknown): void;
}

/** A resolver of ECMA-419. */
export interface Resolver {
  resolve(options: {
    host: string;
    onResolved(host: string, address: string): void;
    onError(error?: unknown): void;
  }): void;
  close?(): void;
}

/** A class and what its constructor is given besides what the transport adds. */
export interface IoOptions<T> {
  io: new (options: never) => T;
  [option: string]: unknown;
}

/** Where to connect, and with what: `socket` and `dns` as ECMA-419 has them in `device.network.mqtt`. */
export interface SocketOptions {
  /** A name, or an address. */
  host?: string | undefined;
  /** The server's address, where no name needs to be found; `host` is then what TLS asks the server's name for. */
  address?: string | undefined;
  /** 1 to 65,535. */
  port: number;
  /** The socket's class as `io`; with TLS also `TCP: {io}`, the class below it, and `secure`, its options. */
  socket: IoOptions<Socket> & { TCP?: IoOptions<Socket> };
  /** The resolver's class as `io`, and its options: `servers`, `socket`. Without it the socket is given the host. */
  dns?: IoOptions<Resolver> | undefined;
}

/** What of a board a transport needs. */
export interface Timers {
  setTimer(callback: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}
