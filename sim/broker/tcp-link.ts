/**
 * A TCP or TLS socket as a link. Thousands of them share their listeners: a socket knows its link, and the only closure
 * of a connection is the callback of its writes. Knows nothing of MQTT.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Link, LinkTransport, Origin } from './link.ts';
import type { LinkHost, LinkReceiver } from './link-host.ts';
import { plainAddress } from './addresses.ts';

/**
 * How long a socket that was ended may wait for its last bytes to be taken, and for the other side to close. Reading on
 * for so long keeps bytes under way to us from turning the last packet to them into a reset.
 */
const LINGER_MS = 5000;

interface LinkedSocket extends Socket {
  link?: TcpLink;
}

function handleData(this: LinkedSocket, bytes: Uint8Array): void {
  this.link?.handleData(bytes);
}

function handleClosed(this: LinkedSocket): void {
  this.link?.handleClosed();
}

/** 'close' follows, which is enough to know. */
const ignoreError = (): void => {};

export class TcpLink implements Link {
  readonly origin: Origin;
  private readonly socket: LinkedSocket;
  private readonly host: LinkHost;
  private readonly receiver: LinkReceiver;
  private isEnded = false;
  private lingerTimer: NodeJS.Timeout | null = null;

  /** Takes an open socket over. */
  constructor(socket: Socket, transport: LinkTransport, certificateName: string | null, host: LinkHost) {
    this.socket = socket;
    this.host = host;
    this.origin = { transport, remoteAddress: plainAddress(socket.remoteAddress), certificateName };
    this.socket.link = this;
    socket.on('error', ignoreError);
    socket.on('close', handleClosed);
    this.receiver = host.open(this);
    socket.on('data', handleData);
  }

  /** Of the socket's listeners alone, as the next one. */
  handleData(bytes: Uint8Array): void {
    if (!this.isEnded) this.host.receive(this, this.receiver, bytes);
  }

  handleClosed(): void {
    if (this.lingerTimer !== null) clearTimeout(this.lingerTimer);
    this.host.handleClose(this, this.receiver);
  }

  write(bytes: Uint8Array): void {
    // A socket that the other side has ended is ended here as well, and closes by itself.
    if (this.socket.writable) this.socket.write(bytes, this.handleWritten);
  }

  private readonly handleWritten = (error?: Error | null): void => {
    if (!error && !this.socket.destroyed) this.host.handleWritten(this, this.receiver);
  };

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { socket } = this;
    if (socket.destroyed) return;
    socket.resume();
    socket.end();
    this.lingerTimer = setTimeout(() => socket.destroy(), LINGER_MS);
  }

  destroy(): void {
    this.isEnded = true;
    this.socket.destroy();
  }
}

/** Common name in the certificate that a client showed, if the listener's CA vouches for it; else null. */
export function certificateName(socket: TLSSocket): string | null {
  if (!socket.authorized) return null;
  // A resumed session may have none. Several common names are an array, and name nobody.
  const certificate = socket.getPeerCertificate() as { subject?: { CN?: unknown } } | null;
  const name = certificate?.subject?.CN;
  return typeof name === 'string' ? name : null;
}
