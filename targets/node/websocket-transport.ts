/**
 * MQTT over WebSocket (6): binary messages with the sub-protocol `mqtt`; where packets begin and end has nothing to do
 * with where messages do [MQTT-6.0.0-1], [MQTT-6.0.0-3].
 */
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import type { ClientTransport, TransportReceiver } from '../../src/client/platform.ts';
import type { Ring } from '../../src/wire/ring.ts';

/** Bytes that may wait in the WebSocket before nothing more is handed to it. */
const CONGESTED_BYTES = 262144;

/** No compression of what is small; and milliseconds that the server has to answer a close. */
const OPTIONS = { perMessageDeflate: false, closeTimeout: 1000 };

export class WebSocketTransport implements ClientTransport {
  bytesOut = 0;
  bytesIn = 0;
  private readonly url: string;
  private readonly options: ClientOptions;
  private readonly receiver: TransportReceiver;
  private webSocket: WebSocket | undefined = undefined;

  constructor(url: string, options: ClientOptions, receiver: TransportReceiver) {
    this.url = url;
    this.options = options;
    this.receiver = receiver;
  }

  get isCongested(): boolean {
    return this.webSocket !== undefined && this.webSocket.bufferedAmount > 0;
  }

  open(): void {
    const webSocket = new WebSocket(this.url, 'mqtt', { ...OPTIONS, ...this.options });
    this.webSocket = webSocket;
    let failure: Error | undefined;
    webSocket.binaryType = 'nodebuffer';
    webSocket.once('open', () => {
      if (this.webSocket === webSocket) this.receiver.handleOpened();
    });
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.webSocket !== webSocket) return;
      if (!isBinary) {
        failure = new Error('the server sent a text message over WebSocket [MQTT-6.0.0-1]');
        webSocket.terminate();
        return;
      }
      this.bytesIn += data.length;
      this.receiver.handleBytes(data, 0, data.length);
    });
    webSocket.on('error', (error: Error) => {
      failure = error;
    });
    webSocket.once('close', () => {
      if (this.webSocket !== webSocket) return;
      this.webSocket = undefined;
      this.receiver.handleClosed(failure);
    });
  }

  write(ring: Ring): void {
    const webSocket = this.webSocket;
    if (webSocket?.readyState !== WebSocket.OPEN || webSocket.bufferedAmount > CONGESTED_BYTES) return;
    const byteLength = ring.byteLength();
    this.bytesOut += byteLength;
    webSocket.send(Buffer.from(ring.bytes.subarray(ring.start, ring.end)), { binary: true }, this.handleSent);
    ring.consume(byteLength);
  }

  private readonly handleSent = (error?: Error | null): void => {
    if (!error && this.webSocket !== undefined) this.receiver.handleWritable();
  };

  close(): void {
    const webSocket = this.webSocket;
    this.webSocket = undefined;
    if (webSocket === undefined) return;
    if (webSocket.readyState === WebSocket.CONNECTING) webSocket.terminate();
    else webSocket.close(1000);
  }

  pauseReading(): void {
    this.webSocket?.pause();
  }

  resumeReading(): void {
    this.webSocket?.resume();
  }
}
