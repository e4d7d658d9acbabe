/**
 * A WebSocket as a link: binary messages, whose borders have nothing to do with those of packets [MQTT-6.0.0-2]. Any
 * other message ends the connection [MQTT-6.0.0-1]. Knows nothing else of MQTT.
 */
import type { WebSocket } from 'ws';
import type { Link, Origin } from './link.ts';
import type { LinkHost, LinkReceiver } from './link-host.ts';

/** Bytes that may wait for a peer that asks whether we are there, and does not read the answers. */
const WAITING_BYTES_MAX = 65536;
const NORMAL_CLOSURE = 1000;
const UNSUPPORTED_DATA = 1003;

interface LinkedWebSocket extends WebSocket {
  link?: WebSocketLink;
}

function handleMessage(this: LinkedWebSocket, bytes: Buffer, isBinary: boolean): void {
  this.link?.handleMessage(bytes, isBinary);
}

function handlePing(this: LinkedWebSocket, bytes: Buffer): void {
  // RFC 6455, 5.5.3: the answer to a later one will do.
  if (this.bufferedAmount < WAITING_BYTES_MAX) this.pong(bytes);
}

function handleClosed(this: LinkedWebSocket): void {
  this.link?.handleClosed();
}

/** 'close' follows, which is enough to know. */
const ignoreError = (): void => {};

const SEND_OPTIONS = { binary: true, compress: false };

export class WebSocketLink implements Link {
  readonly origin: Origin;
  private readonly webSocket: LinkedWebSocket;
  private readonly host: LinkHost;
  private readonly receiver: LinkReceiver;
  private isEnded = false;

  /** Takes an open WebSocket over. */
  constructor(webSocket: WebSocket, origin: Origin, host: LinkHost) {
    this.webSocket = webSocket;
    this.host = host;
    this.origin = origin;
    this.webSocket.link = this;
    webSocket.on('error', ignoreError);
    webSocket.on('close', handleClosed);
    webSocket.on('ping', handlePing);
    this.receiver = host.open(this);
    webSocket.on('message', handleMessage);
  }

  /** Of the WebSocket's listeners alone, as the next one. */
  handleMessage(bytes: Uint8Array, isBinary: boolean): void {
    if (this.isEnded) return;
    if (isBinary) this.host.receive(this, this.receiver, bytes);
    else this.close(UNSUPPORTED_DATA);
  }

  handleClosed(): void {
    this.host.handleClose(this, this.receiver);
  }

  write(bytes: Uint8Array): void {
    if (this.webSocket.readyState === this.webSocket.OPEN) {
      this.webSocket.send(bytes, SEND_OPTIONS, this.handleWritten);
    }
  }

  private readonly handleWritten = (error?: Error | null): void => {
    if (!error && this.webSocket.readyState !== this.webSocket.CLOSED) {
      this.host.handleWritten(this, this.receiver);
    }
  };

  pause(): void {
    this.webSocket.pause();
  }

  resume(): void {
    this.webSocket.resume();
  }

  end(): void {
    if (!this.isEnded) this.close(NORMAL_CLOSURE);
  }

  private close(code: number): void {
    this.isEnded = true;
    this.webSocket.resume();
    this.webSocket.close(code);
  }

  destroy(): void {
    this.isEnded = true;
    this.webSocket.terminate();
  }
}
