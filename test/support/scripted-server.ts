/**
 * A TCP server that says exactly what a test tells it to, right or wrong, one script for each connection: for
 * behaviour that no real broker shows. It finds the client's packets in the stream and understands nothing of them.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { PacketSplitter, resetSocket } from './fault-proxy.ts';
import { afterIo, withDeadline } from './wait.ts';

/** One connection as the script sees it. */
export interface ScriptedConnection {
  /** 0 for the first connection the server accepted. */
  readonly index: number;
  /** Every whole packet the client sent so far, those already handed out included. */
  readonly received: readonly Uint8Array[];
  /**
   * The client's next whole packet, each given once. Rejects with a {@link ClientClosedError} once the client has closed
   * and everything it sent is handed out, and with an Error when what comes is no MQTT packet.
   */
  nextPacket(): Promise<Uint8Array>;
  /** Writes bytes, given as such or in hexadecimal, spaces and line ends allowed. Resolves once they are handed over. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** As `send`, every byte in a write of its own with a turn of the event loop in between. */
  sendByteByByte(bytes: string | Uint8Array): Promise<void>;
  /** Resolves once the connection is closed, whoever closed it and however. */
  readonly closed: Promise<void>;
  /** Ends the server's side in order, after everything sent. */
  end(): void;
  /** Closes with a reset, so that the client sees an error; after `end()` without one. */
  reset(): void;
}

/** What the server does with one connection. When it returns or resolves the connection stays open. */
export type ScriptedHandler = (connection: ScriptedConnection) => void | Promise<void>;

/** A running scripted server. */
export interface ScriptedServer {
  readonly host: string;
  readonly port: number;
  /** All connections so far, the closed ones included. */
  readonly connections: readonly ScriptedConnection[];
  /**
   * Resets every connection and stops listening. Rejects with the first error a handler ended in, so that a script's
   * failed expectation fails the test; that a client closed while the script waited for a packet does not count. Calling it
   * again does nothing.
   */
  close(): Promise<void>;
}

/** What `nextPacket()` rejects with when there will be no next packet. */
export class ClientClosedError extends Error {
  override name = 'ClientClosedError';
}

/** The bytes that hexadecimal text stands for; white space between bytes is allowed. */
export function bytesOfHex(hex: string): Uint8Array {
  const digits = hex.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not whole bytes in hexadecimal: ${hex}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** A script that waits for packets or for `closed` ends as soon as its connection does; others get this long. */
const SCRIPT_END_MS_MAX = 1000;

interface Waiter {
  readonly resolve: (packet: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

class SocketConnection implements ScriptedConnection {
  readonly index: number;
  readonly received: Uint8Array[] = [];
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private readonly splitter = new PacketSplitter();
  private readonly waiters: Waiter[] = [];
  private handedOutCount = 0;
  private failure: Error | undefined;

  constructor(index: number, socket: Socket) {
    this.index = index;
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {}); // 'close' follows
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk) => {
      this.received.push(...this.splitter.push(chunk));
      if (this.splitter.malformed) this.failure ??= new Error('the client sent no MQTT packet');
      this.serve();
    });
    const onGone = () => {
      this.failure ??= new ClientClosedError(`the client closed connection ${index}`);
      this.serve();
    };
    socket.once('end', onGone);
    socket.once('close', onGone);
  }

  nextPacket(): Promise<Uint8Array> {
    const next = new Promise<Uint8Array>((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.serve();
    });
    next.catch(() => {}); // a script may ask ahead and not wait
    return next;
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    await this.write(typeof bytes === 'string' ? bytesOfHex(bytes) : bytes);
  }

  async sendByteByByte(bytes: string | Uint8Array): Promise<void> {
    for (const byte of typeof bytes === 'string' ? bytesOfHex(bytes) : bytes) {
      await this.write(Uint8Array.of(byte));
      await afterIo();
    }
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    resetSocket(this.socket);
  }

  /** Resolves also when the client is gone: what it does then is what the test is about. */
  private write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.writable) this.socket.write(bytes, () => resolve());
      else resolve();
    });
  }

  private serve(): void {
    while (this.waiters.length > 0) {
      if (this.handedOutCount < this.received.length) {
        this.waiters.shift()?.resolve(this.received[this.handedOutCount++]);
      } else if (this.failure !== undefined) {
        this.waiters.shift()?.reject(this.failure);
      } else return;
    }
  }
}

/** Starts a server on a free port of 127.0.0.1 that runs `handler` for every connection. */
export async function startScriptedServer(handler: ScriptedHandler): Promise<ScriptedServer> {
  const connections: SocketConnection[] = [];
  const scripts: Promise<void>[] = [];
  const failures: Error[] = [];

  async function run(connection: SocketConnection): Promise<void> {
    try {
      await handler(connection);
    } catch (error) {
      if (error instanceof ClientClosedError) return;
      failures.push(error instanceof Error ? error : new Error(String(error)));
      connection.reset();
    }
  }

  const listener = createServer((socket) => {
    const connection = new SocketConnection(connections.length, socket);
    connections.push(connection);
    scripts.push(run(connection));
  });
  listener.on('error', () => {});
  const listening = once(listener, 'listening');
  listener.listen(0, '127.0.0.1');
  await listening;
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the scripted server has no port');

  return {
    host: '127.0.0.1',
    port: address.port,
    connections,
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const connection of connections) connection.reset();
      await closed;
      await withDeadline(Promise.all(scripts), SCRIPT_END_MS_MAX, 'the scripts of a scripted server to end');
      const [failure] = failures.splice(0);
      if (failure !== undefined) throw failure;
    },
  };
}
