/**
 * ECMA-419's TCP socket and resolver on Node's, with what a board has that Node hides: little room, on both sides, and
 * errors thrown at whoever asks for more. A name that ends in `.invalid` is not found.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Bytes that lwIP on an ESP32 takes before it says no, and holds before it stops the other end. */
const SOCKET_BYTES = 5744;

interface TcpOptions {
  address: string;
  port: number;
  onReadable?: (this: TCP, count: number) => void;
  onWritable?: (this: TCP, count: number) => void;
  onError?: (this: TCP) => void;
}

export class TCP {
  /** Most bytes of room; tests make it less. */
  static roomBytes = SOCKET_BYTES;
  private readonly options: TcpOptions;
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private room = 0;
  private isOpen = false;
  private isEnded = false;
  private isClosed = false;

  constructor(options: TcpOptions) {
    this.options = options;
    const { roomBytes } = TCP;
    const socket = connect({ host: options.address, port: options.port });
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('connect', () => {
      this.isOpen = true;
      this.room = roomBytes;
      options.onWritable?.call(this, this.room);
    });
    socket.on('data', (chunk) => {
      if (this.isClosed) return;
      this.received = Buffer.concat([this.received, chunk]);
      if (this.received.length >= SOCKET_BYTES) socket.pause();
      options.onReadable?.call(this, this.received.length);
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      this.isEnded = true;
      this.tellEnd();
    });
  }

  read(target?: number | ArrayBuffer | ArrayBufferView): ArrayBuffer | number | undefined {
    if (this.isClosed) throw new Error('closed');
    const available = this.received.length;
    if (available === 0) return undefined;
    const isBuffer = typeof target === 'object';
    const count = isBuffer ? target.byteLength : (target ?? available);
    if (count <= 0 || count > available) throw new Error('invalid');
    const bytes = Uint8Array.from(this.received.subarray(0, count));
    this.received = this.received.subarray(count);
    if (this.received.length < SOCKET_BYTES) this.socket.resume();
    if (this.received.length === 0 && this.isEnded) {
      setImmediate(() => {
        this.tellEnd();
      });
    }
    if (!isBuffer) return bytes.buffer;
    const view = ArrayBuffer.isView(target)
      ? new Uint8Array(target.buffer, target.byteOffset, count)
      : new Uint8Array(target);
    view.set(bytes);
    return count;
  }

  write(data: ArrayBuffer | Uint8Array): number | undefined {
    if (this.isClosed || !this.isOpen) throw new Error('not ready');
    if (this.isEnded) return undefined;
    const { byteLength } = data;
    if (byteLength > this.room) throw new Error('would block');
    this.room -= byteLength;
    // A copy: what is written is the writer's again when this returns.
    this.socket.write(Uint8Array.from(new Uint8Array(data as ArrayBuffer)), (error) => {
      this.room += byteLength;
      if (!error && !this.isClosed) this.options.onWritable?.call(this, this.room);
    });
    return this.room;
  }

  close(): void {
    this.isClosed = true;
    this.socket.end();
    this.socket.resume();
  }

  /** The end comes behind what was received. */
  private tellEnd(): void {
    if (!this.isClosed && this.received.length === 0) this.options.onError?.call(this);
  }
}

interface ResolveOptions {
  host: string;
  onResolved?: (host: string, address: string) => void;
  onError?: (host: string) => void;
}

export class Resolver {
  resolve({ host, onResolved, onError }: ResolveOptions): void {
    setImmediate(() => {
      if (host.endsWith('.invalid')) onError?.(host);
      else onResolved?.(host, '127.0.0.1');
    });
  }

  close(): void {}
}
