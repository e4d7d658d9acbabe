/**
 * TCP and TLS sockets as a transport: received bytes come in one buffer shared by all connections, and the transmit
 * ring is written from where it is.
 */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { ClientTransport, TransportReceiver } from '../../src/client/platform.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { PAUSE_MS, ReadPacer } from './read-pacer.ts';

/** Where to connect, and how. */
export type SocketTarget =
  | { readonly host: string; readonly port: number; readonly tls?: undefined }
  | { readonly host: string; readonly port: number; readonly tls: tls.ConnectionOptions };

/** Node fills it and hands it over within one callback, so every socket of the thread can read into it. */
const sharedReadBuffer = new Uint8Array(65536);

/** How long a closed socket may wait for the other side to close, too, before it is destroyed. */
const LINGER_MS = 1000;

/** Reads of a connection before anybody asks how often they come. */
const READS_BEFORE_PACING = 64;

/** A socket that knows whose it is, so that thousands of them can share their listeners. */
interface LinkedSocket extends net.Socket {
  transport?: SocketTransport;
  failure?: Error;
}

function handleOpened(this: LinkedSocket): void {
  this.transport?.handleOpened(this);
}

function handleError(this: LinkedSocket, error: Error): void {
  this.failure = error;
}

function handleClosed(this: LinkedSocket): void {
  this.transport?.handleClosed(this, this.failure);
}

function handleRead(this: LinkedSocket, byteLength: number): boolean {
  return this.transport === undefined || this.transport.handleRead(this, byteLength);
}

/** One for all sockets: Node calls the callback on the socket that was read. */
const onread = { buffer: sharedReadBuffer, callback: handleRead };

/** Storage for transmit rings whose own is still being written, kept for the next one, whoever that is. */
const spares: Uint8Array[] = [];
const SPARES_MAX = 8;
/** Smaller ones are as cheap to make anew. */
const SPARE_BYTES_MIN = 16384;

function takeSpare(byteLength: number): Uint8Array {
  const at = spares.findIndex(({ length }) => length === byteLength);
  return at < 0 ? new Uint8Array(byteLength) : spares.splice(at, 1)[0];
}

function keepSpare(bytes: Uint8Array): void {
  if (bytes.length >= SPARE_BYTES_MIN && spares.length < SPARES_MAX) spares.push(bytes);
}

function endPause(transport: SocketTransport): void {
  transport.endPause();
}

export class SocketTransport implements ClientTransport {
  bytesOut = 0;
  bytesIn = 0;
  private readonly target: SocketTarget;
  private readonly receiver: TransportReceiver;
  private socket: LinkedSocket | undefined = undefined;
  isCongested = false;
  /** The ring's storage that the socket still looks at. */
  private leaving: Uint8Array | undefined = undefined;
  private isReady = false;
  private isReadingPaused = false;
  private readCount = 0;
  private pacer: ReadPacer | undefined = undefined;

  constructor(target: SocketTarget, receiver: TransportReceiver) {
    this.target = target;
    this.receiver = receiver;
  }

  open(): void {
    const { host, port, tls: tlsOptions } = this.target;
    let socket: LinkedSocket;
    if (tlsOptions === undefined) {
      // Small packets must not wait for the acknowledgement of the ones before.
      socket = net.connect({ host, port, noDelay: true, onread });
      socket.on('connect', handleOpened);
    } else {
      socket = tls.connect({ ...tlsOptions, host, port, onread } as tls.ConnectionOptions);
      socket.setNoDelay(true);
      socket.on('secureConnect', handleOpened);
    }
    this.socket = socket;
    this.isReady = false;
    this.isCongested = false;
    this.isReadingPaused = false;
    this.leaving = undefined; // the last socket's
    socket.transport = this;
    socket.on('error', handleError);
    socket.on('close', handleClosed);
  }

  /** The socket is open. For the socket's listeners only. */
  handleOpened(socket: net.Socket): void {
    if (this.socket !== socket) return; // one that was closed meanwhile
    this.isReady = true;
    this.receiver.handleOpened();
  }

  /** Bytes are in the shared buffer. Returns whether to go on reading. For the socket's listeners only. */
  handleRead(socket: net.Socket, byteLength: number): boolean {
    if (this.socket !== socket) return true;
    this.bytesIn += byteLength;
    this.receiver.handleBytes(sharedReadBuffer, 0, byteLength);
    return !this.isPauseDue(byteLength);
  }

  /** The socket is gone. For the socket's listeners only. */
  handleClosed(socket: net.Socket, failure: Error | undefined): void {
    if (this.socket !== socket) return;
    this.socket = undefined;
    this.isReady = false;
    this.receiver.handleClosed(failure);
  }

  write(ring: Ring): void {
    const socket = this.socket;
    if (socket === undefined || !this.isReady || this.isCongested || socket.destroyed) return;
    const byteLength = ring.byteLength();
    this.bytesOut += byteLength;
    const { bytes } = ring;
    if (this.target.tls !== undefined) {
      // Encryption looks at the bytes later, every time: a copy of a few is cheaper than new storage for the ring.
      socket.write(bytes.slice(ring.start, ring.end), this.handleWritten);
      ring.consume(byteLength);
      this.isCongested = socket.writableLength > 0;
      return;
    }
    socket.write(new Uint8Array(bytes.buffer, bytes.byteOffset + ring.start, byteLength), this.handleWritten);
    if (socket.writableLength === 0) {
      ring.consume(byteLength); // the kernel has it all
      return;
    }
    // The socket still looks at the bytes: they are its until they are written, and the ring goes on in others.
    this.isCongested = true;
    this.leaving = bytes;
    ring.bytes = takeSpare(bytes.length);
    ring.clear();
  }

  private readonly handleWritten = (): void => {
    if (!this.isCongested || this.socket === undefined || this.socket.writableLength > 0) return;
    this.isCongested = false;
    if (this.leaving !== undefined) keepSpare(this.leaving);
    this.leaving = undefined;
    this.receiver.handleWritable();
  };

  close(): void {
    const socket = this.socket;
    if (socket === undefined) return;
    this.socket = undefined;
    if (!this.isReady) {
      socket.destroy();
      return;
    }
    this.isReady = false;
    // Reading on until the server closes keeps unread bytes from turning the goodbye into a reset.
    socket.resume();
    socket.end();
    const timer = setTimeout(() => {
      socket.destroy();
    }, LINGER_MS);
    timer.unref();
    socket.once('close', () => {
      clearTimeout(timer);
    });
  }

  /** Bytes were read: whether reading is to stop for a moment. It goes on by itself. */
  private isPauseDue(byteLength: number): boolean {
    // A chunk that filled the buffer has more behind it.
    if (byteLength === sharedReadBuffer.length || this.target.tls !== undefined) return false;
    if (this.pacer === undefined) {
      // Most connections never read often enough to need one.
      this.readCount++;
      if (this.readCount < READS_BEFORE_PACING) return false;
      this.pacer = new ReadPacer(performance.now());
    }
    if (!this.pacer.handleRead(byteLength, performance.now()) || this.socket === undefined) return false;
    setTimeout(endPause, PAUSE_MS, this);
    return true;
  }

  /** The moment is over. For the timer only. */
  endPause(): void {
    if (!this.isReadingPaused) this.socket?.resume();
  }

  pauseReading(): void {
    this.isReadingPaused = true;
    this.socket?.pause();
  }

  resumeReading(): void {
    this.isReadingPaused = false;
    this.socket?.resume();
  }
}
