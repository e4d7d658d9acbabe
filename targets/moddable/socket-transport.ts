/**
 * The sockets of ECMA-419 as a transport: TCP, or TLS on top of it, to a host found by a resolver in the same style.
 * Which classes those are the options say; nothing of Moddable is imported here.
 *
 * What these sockets ask of whoever uses them: a read or write of more bytes than there are, or than there is room for,
 * throws; both take a whole array and no range, so that a view is made for each length, and the few lengths of steady
 * traffic are remembered; a socket that is closed while received bytes are unread resets the connection, and with that
 * takes back what was written before, so that a goodbye is followed by reading on.
 */
import { codedError } from '../../src/assert.ts';
import type { BoardReceiver, BoardTransport } from '../../src/line.ts';
import type { Ring } from '../../src/wire/ring.ts';
import type { IoOptions, Resolver, Socket, SocketOptions, Timers } from './io.ts';
import { guardTls } from './tls-guard.ts';
import type { TlsGuardOwner } from './tls-guard.ts';
import { Views } from './views.ts';

export type { IoOptions, Resolver, Socket, SocketCallbacks, SocketOptions, Timers } from './io.ts';

/** How long a closed socket may wait for the server to acknowledge what was written last. */
const LINGER_MS = 1000;
/** Most bytes of one write: a TLS record holds no more. */
const WRITE_BYTES_MAX = 16384;
/** What a TLS record may be longer than its content, beyond the 32 bytes that Moddable's TLS sockets leave for it. */
const TLS_EXTRA_BYTES = 64;
/** Bytes thrown away at a time. */
const DISCARD_BYTES = 64;

/** What a connection has to report, as bits. */
const OPENED = 1;
const READABLE = 2;
const WRITABLE = 4;
const CLOSED = 8;

/** Whether `host` is an address and not a name. */
function isAddress(host: string): boolean {
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code === 58) return true; // a colon: IPv6
    if (code !== 46 && (code < 48 || code > 57)) return false;
  }
  return host.length > 0;
}

/** One connection from its beginning to its end; its callbacks know it, so that a later one never hears of it. */
class Connection implements TlsGuardOwner {
  private readonly transport: SocketTransport;
  private socket: Socket | undefined = undefined;
  private resolver: Resolver | undefined = undefined;
  private timer: unknown = undefined;
  /** Bytes the socket holds, and bytes it has room for; and the most room that it had. */
  private readable = 0;
  private writable = 0;
  private writableMax = 0;
  private isOpen = false;
  /** With TLS: whether what is written from now on is encrypted. */
  private isEncrypted = false;
  private isFailed = false;
  private isCongested = false;
  /** Nobody wants to hear of it any more: it only waits for the last bytes to be acknowledged. */
  private isLeft = false;
  private isOver = false;
  /** One of the socket's methods runs, or one of ours: what is to be reported has to wait. */
  private isBusy = false;
  /** OPENED … CLOSED that are to be reported. */
  private due = 0;
  private error: unknown = undefined;
  /** What the receiver threw last. */
  private thrown: unknown = undefined;

  constructor(transport: SocketTransport) {
    this.transport = transport;
  }

  // What the transport asks for.

  open(): void {
    const { address, host, dns } = this.transport.options;
    this.isBusy = true;
    try {
      if (address !== undefined || host === undefined || dns === undefined || isAddress(host)) {
        this.connect(address ?? host);
      } else {
        this.resolve(host, dns);
      }
    } catch (error) {
      this.fail(error);
    }
    this.isBusy = false;
  }

  read(ring: Ring): boolean {
    let count = this.readable;
    if (count === 0) return false;
    if (this.socket === undefined) return false;
    if (count > ring.bytes.length - ring.end) {
      const free = ring.freeByteLength();
      if (free < count) count = free;
      if (count === 0 || !ring.reserve(count)) return true;
    }
    this.isBusy = true;
    try {
      const byteLength = this.socket.read(
        ring.end > 0
          ? ring.bytes.subarray(ring.end, ring.end + count)
          : this.transport.received.get(ring.bytes, count),
      );
      if (byteLength === undefined) this.readable = 0;
      else {
        ring.end += byteLength;
        this.readable -= byteLength;
      }
    } catch (error) {
      this.readable = 0;
      this.fail(error);
    }
    this.isBusy = false;
    if (this.readable > 0) return true;
    // The end was held back for these bytes.
    if (this.isFailed) this.defer();
    return false;
  }

  write(ring: Ring): void {
    let count = ring.end - ring.start;
    if (count > this.writable) count = this.writable;
    if (count > WRITE_BYTES_MAX) count = WRITE_BYTES_MAX;
    if (this.socket === undefined) return;
    if (count <= 0) {
      if (ring.end > ring.start) this.isCongested = true;
      return;
    }
    this.isBusy = true;
    try {
      const room = this.socket.write(
        ring.start > 0
          ? ring.bytes.subarray(ring.start, ring.start + count)
          : this.transport.written.get(ring.bytes, count),
      );
      if (room === undefined) this.fail(codedError('ERR_SOCKET', 'the socket took no more bytes'));
      else this.writable = room - this.transport.reservedBytes;
    } catch (error) {
      this.fail(error);
    }
    this.isBusy = false;
    if (this.isFailed) return;
    if (count < ring.end - ring.start) {
      ring.start += count;
      this.write(ring);
    } else ring.clear();
  }

  /** Bytes that the socket would take now. */
  room(): number {
    return this.writable > 0 ? this.writable : 0;
  }

  /** Closes at once if the server has all that was written, else when it has, or has closed, or time is up. */
  leave(): void {
    this.isLeft = true;
    this.due = 0;
    if (!this.isOpen || this.isFailed || this.writable >= this.writableMax) {
      this.end();
      return;
    }
    this.discard();
    this.stopTimer();
    this.timer = this.transport.timers.setTimer(() => {
      this.timer = undefined;
      this.end();
    }, LINGER_MS);
  }

  /** Closes now. */
  end(): void {
    if (this.isOver) return;
    this.discard();
    this.isOver = true;
    this.stopTimer();
    this.transport.handleOver(this);
    this.closeResolver();
    const { socket } = this;
    this.socket = undefined;
    if (socket !== undefined) socket.close();
  }

  // On the way to a socket.

  private resolve(host: string, dns: IoOptions<Resolver>): void {
    // What the callbacks do may come before the constructor and `resolve` have returned.
    const resolver = new dns.io({ ...dns } as never);
    this.resolver = resolver;
    resolver.resolve({
      host,
      onResolved: (_, address) => {
        if (this.isOver || this.resolver !== resolver) return;
        this.closeResolver();
        const wasBusy = this.isBusy;
        this.isBusy = true;
        try {
          this.connect(address);
        } catch (error) {
          this.fail(error);
        }
        this.isBusy = wasBusy;
      },
      onError: () => {
        if (this.isOver || this.resolver !== resolver) return;
        this.closeResolver();
        this.fail(codedError('ERR_HOST_NOT_FOUND', 'the address of ' + host + ' could not be found'));
      },
    });
  }

  private closeResolver(): void {
    const { resolver } = this;
    this.resolver = undefined;
    resolver?.close?.();
  }

  private connect(address: string | undefined): void {
    const { host, port, socket } = this.transport.options;
    const options = {
      // Small packets must not wait for the acknowledgement of the ones before.
      nodelay: true,
      ...socket,
      ...(socket.TCP !== undefined && { TCP: { ...socket.TCP, io: guardTls(socket.TCP.io, this) } }),
      address,
      host,
      port,
      onReadable: (byteLength: number) => {
        this.handleReadable(byteLength);
      },
      onWritable: (byteLength: number) => {
        this.handleWritable(byteLength);
      },
      onError: (error?: unknown) => {
        this.handleError(error);
      },
    };
    this.socket = new socket.io(options as never);
  }

  // What the socket reports.

  private handleReadable(byteLength: number): void {
    this.readable = byteLength;
    if (this.isOpen && !this.isLeft && !this.isBusy && this.due === 0 && !this.transport.isSecure) {
      this.transport.receiver.handleReadable(); // the short way
      return;
    }
    if (this.isLeft) this.discard();
    else this.report(READABLE);
  }

  private handleWritable(byteLength: number): void {
    if (this.isOver || this.isFailed) return;
    this.writable = byteLength;
    if (byteLength > this.writableMax) this.writableMax = byteLength;
    if (this.isLeft) {
      if (byteLength >= this.writableMax) this.end();
    } else if (!this.isOpen) {
      if (this.transport.isSecure && !this.isEncrypted) {
        this.fail(codedError('ERR_TLS', 'the TLS handshake was cut short'));
        return;
      }
      this.isOpen = true;
      this.report(OPENED);
    } else if (this.isCongested) {
      this.isCongested = false;
      this.report(WRITABLE);
    }
  }

  private handleError(error: unknown): void {
    if (this.isOver) return;
    if (this.isLeft) this.end();
    else this.fail(error);
  }

  /** See TlsGuardOwner. */
  handleEncrypted(): void {
    this.isEncrypted = true;
  }

  /** See TlsGuardOwner. What the receiver threw is only passed on. */
  handleThrown(error: unknown): void {
    if (error === this.thrown) throw error;
    this.fail(error);
  }

  /** It is over, because of `error` if there is one: to be told once what was received is read. */
  private fail(error: unknown): void {
    if (this.isFailed || this.isOver) return;
    this.isFailed = true;
    this.writable = 0;
    const { host, address, port } = this.transport.options;
    this.error =
      error === undefined && !this.isOpen
        ? codedError('ERR_SOCKET', `no connection to ${host ?? address ?? ''}:${port}`)
        : error;
    this.report(CLOSED);
  }

  private report(what: number): void {
    this.due |= what;
    if (this.isBusy) this.defer();
    else this.flush();
  }

  /** Reports after the call that is under way, whosever it is. */
  private defer(): void {
    if (this.timer !== undefined || this.isLeft) return;
    this.timer = this.transport.timers.setTimer(() => {
      this.timer = undefined;
      this.flush();
    }, 0);
  }

  private flush(): void {
    try {
      this.tell();
    } catch (error) {
      this.thrown = error;
      throw error;
    }
  }

  /** Tells what is due in the order in which it makes sense. The receiver may leave the connection at any of it. */
  private tell(): void {
    const { receiver } = this.transport;
    if (this.take(OPENED)) receiver.handleOpened();
    // Bytes that came with the opening, or before.
    if (this.isOpen && this.take(READABLE)) receiver.handleReadable();
    if (this.take(WRITABLE)) receiver.handleWritable();
    if (this.isLeft || (this.due & CLOSED) === 0) return;
    if (this.isOpen && this.readable > 0) return;
    this.isLeft = true;
    this.end();
    receiver.handleClosed(this.error);
  }

  private take(what: number): boolean {
    if (this.isLeft || (this.due & what) === 0) return false;
    this.due &= ~what;
    return true;
  }

  /** Reads what there is for nobody. */
  private discard(): void {
    const { socket } = this;
    if (socket === undefined) return;
    try {
      while (this.readable > 0) {
        const count = this.readable < DISCARD_BYTES ? this.readable : DISCARD_BYTES;
        const byteLength = socket.read(new Uint8Array(count));
        this.readable = byteLength === undefined ? 0 : this.readable - byteLength;
      }
    } catch {
      this.readable = 0;
    }
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.transport.timers.clearTimer(this.timer);
    this.timer = undefined;
  }
}

export class SocketTransport implements BoardTransport {
  readonly receiver: BoardReceiver;
  readonly options: SocketOptions;
  readonly timers: Timers;
  readonly isSecure: boolean;
  /** Of the room that the socket says it has, what is not for content. */
  readonly reservedBytes: number;
  /** Parts of the ring that was written from, and of the one that was read into. */
  readonly written = new Views();
  readonly received = new Views();
  private current: Connection | undefined = undefined;
  /** One that was closed and waits for its last bytes to be acknowledged. */
  private lingering: Connection | undefined = undefined;

  constructor(receiver: BoardReceiver, options: SocketOptions, timers: Timers) {
    this.receiver = receiver;
    this.options = options;
    this.timers = timers;
    this.isSecure = options.socket.TCP !== undefined;
    this.reservedBytes = this.isSecure ? TLS_EXTRA_BYTES : 0;
  }

  open(): void {
    this.close();
    // Memory for two TLS connections is more than a board has.
    this.lingering?.end();
    this.current = new Connection(this);
    this.current.open();
  }

  read(ring: Ring): boolean {
    return this.current?.read(ring) === true;
  }

  write(ring: Ring): void {
    this.current?.write(ring);
  }

  /** Bytes that `write` would take now. */
  writableByteLength(): number {
    return this.current === undefined ? 0 : this.current.room();
  }

  close(): void {
    const { current } = this;
    if (current === undefined) return;
    this.lingering?.end();
    this.current = undefined;
    this.lingering = current;
    current.leave();
  }

  /** For connections only: `connection` is closed. */
  handleOver(connection: Connection): void {
    if (this.current === connection) this.current = undefined;
    if (this.lingering === connection) this.lingering = undefined;
  }
}
