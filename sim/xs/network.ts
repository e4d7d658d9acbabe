/**
 * Where the sockets of a machine lead: real TCP, with the small buffers of a board's network stack, so that a program
 * that writes or reads too much at once is found out here.
 */
import { connect, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { u32 } from './frames.ts';

/** Bytes that lwIP on an ESP32 takes for a connection before it says no, and holds before it stops the other end. */
export const BOARD_SOCKET_BYTES = 5744;

/** Bytes of one TCP segment there: what is received comes in pieces no larger. */
export const BOARD_SEGMENT_BYTES = 1436;

/**
 * Tells a machine's socket: 'o' it is open and has so much room, 'w' so much more room, 'r' received bytes, 'z' it is
 * over.
 */
export type SocketNews = (kind: 'o' | 'w' | 'r' | 'z', id: number, bytes: Uint8Array) => void;

/** The other side of a machine's sockets. May tell news from within these methods. */
export interface XsNetwork {
  attach(tell: SocketNews): void;
  open(id: number, port: number, host: string): void;
  /** The bytes are the network's from now on. */
  write(id: number, bytes: Uint8Array): void;
  /** The machine has read so many bytes. */
  consumed(id: number, byteLength: number): void;
  /** The machine has closed the socket. */
  end(id: number): void;
  close(): void;
}

const NOTHING = new Uint8Array(0);

interface Link {
  socket: Socket;
  /** Received and told, not read yet. */
  held: number;
}

export interface TcpNetworkOptions {
  /** Begins a connection, of TCP or TLS; default: TCP to where the machine wants to. */
  connect?: ((port: number, host: string) => Socket) | undefined;
  /** Why a connection ended or did not open; the machine is told no more than that it is over. */
  onError?: ((error: Error) => void) | undefined;
  /** The machine has closed a connection, or it is over. */
  onEnd?: (() => void) | undefined;
}

export class TcpNetwork implements XsNetwork {
  /** Bytes that the machine wrote and read, all connections added up. */
  bytesOut = 0;
  bytesIn = 0;
  private tell: SocketNews = () => undefined;
  private readonly options: TcpNetworkOptions;
  private readonly links = new Map<number, Link>();

  constructor(options: TcpNetworkOptions = {}) {
    this.options = options;
  }

  /** Connections that the machine has not closed and that are not over. */
  get openCount(): number {
    return this.links.size;
  }

  attach(tell: SocketNews): void {
    this.tell = tell;
  }

  open(id: number, port: number, host: string): void {
    const { options } = this;
    const socket = options.connect?.(port, host) ?? connect({ port, host });
    const link: Link = { socket, held: 0 };
    this.links.set(id, link);
    socket.setNoDelay(true);
    socket.on(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      this.tell('o', id, u32(BOARD_SOCKET_BYTES));
    });
    socket.on('readable', () => {
      this.receive(id, link);
    });
    socket.on('error', (error) => {
      options.onError?.(error);
      // `close` follows.
    });
    socket.on('close', () => {
      if (!this.links.delete(id)) return;
      this.tell('z', id, NOTHING);
      options.onEnd?.();
    });
  }

  write(id: number, bytes: Uint8Array): void {
    this.bytesOut += bytes.length;
    this.links.get(id)?.socket.write(bytes, (error) => {
      if (!error && this.links.has(id)) this.tell('w', id, u32(bytes.length));
    });
  }

  consumed(id: number, byteLength: number): void {
    const link = this.links.get(id);
    if (link === undefined) return;
    link.held -= byteLength;
    this.bytesIn += byteLength;
    this.receive(id, link);
  }

  /** Tells what there is, as far as there is room for it. The end of the stream comes after its last byte is taken. */
  private receive(id: number, link: Link): void {
    const { socket } = link;
    for (;;) {
      const room = Math.min(BOARD_SOCKET_BYTES - link.held, BOARD_SEGMENT_BYTES);
      const chunk = socket.read(Math.min(room, socket.readableLength)) as Buffer | null;
      if (chunk === null) return;
      link.held += chunk.length;
      this.tell('r', id, chunk);
    }
  }

  end(id: number): void {
    const link = this.links.get(id);
    this.links.delete(id);
    if (link === undefined) return;
    const { socket } = link;
    // As any TCP does: the other end learns that not everything it sent was read.
    if (link.held > 0 || socket.readableLength > 0) socket.resetAndDestroy();
    else {
      socket.removeAllListeners('readable');
      socket.end();
      socket.resume();
    }
    this.options.onEnd?.();
  }

  close(): void {
    for (const { socket } of this.links.values()) socket.destroy();
    this.links.clear();
  }
}
