/**
 * TCP sockets and a resolver of ECMA-419 that behave as Moddable's on lwIP do, throwing included: nothing is reported
 * from within a call, a read of more than there is throws and so does a write of more than there is room for, an end
 * is told once everything is read, and a socket that is closed with unread bytes in it resets the connection and takes
 * back what the server has not got. The test plays the server, and says when the network moves.
 */

interface TcpOptions {
  address: string;
  host?: string;
  port: number;
  onReadable?(this: object, byteLength: number): void;
  onWritable?(this: object, byteLength: number): void;
  onError?(this: object): void;
}

const READABLE = 1;
const WRITABLE = 2;
const ERROR = 4;

export class PlayedSocket {
  readonly options: TcpOptions;
  /** What the server has got. */
  readonly arrived: number[] = [];
  /** Every array that `read` and `write` were given. */
  readonly arrays: Uint8Array[] = [];
  isClosed = false;
  /** The connection ended with a reset: the client closed with bytes unread. */
  isReset = false;
  isReady = false;
  private readonly network: PlayedNetwork;
  /** Written, and not yet with the server: these take room. */
  private sending: number[] = [];
  private received: number[] = [];
  private isEnded = false;
  private isError = false;
  private triggered = 0;

  constructor(network: PlayedNetwork, options: TcpOptions) {
    if (!/^[\d.]+$/.test(options.address)) throw new Error('invalid address');
    this.network = network;
    this.options = options;
    network.sockets.push(this);
    network.later(() => {
      if (network.isRefusing) this.trigger(ERROR);
      else if (!network.isHeld) this.connected();
    });
  }

  // What a program calls.

  read(bytes: Uint8Array): number | undefined {
    this.check();
    this.arrays.push(bytes);
    if (this.received.length === 0) return undefined;
    if (bytes.length === 0 || bytes.length > this.received.length) throw new Error('invalid');
    bytes.set(this.received.splice(0, bytes.length));
    if (this.received.length === 0 && this.isError) this.trigger(ERROR);
    return bytes.length;
  }

  write(bytes: Uint8Array): number | undefined {
    this.check();
    this.arrays.push(bytes);
    if (!this.isReady) throw new Error('not ready');
    if (this.isEnded) return undefined;
    if (bytes.byteLength > this.room) throw new Error('would block');
    this.sending.push(...new Uint8Array(bytes)); // of an ArrayBuffer, too
    this.network.later(() => this.transmit());
    return this.room;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.received.length > 0) {
      this.isReset = true;
      this.sending = [];
    }
    this.network.later(() => this.transmit());
  }

  // What the server does.

  /** The connection is there. */
  connected(): void {
    this.isReady = true;
    this.trigger(WRITABLE);
  }

  send(bytes: Iterable<number>): void {
    // lwIP has given the connection up, and says so to whoever still sends.
    if (this.isClosed) {
      this.isReset = true;
      this.sending = [];
      return;
    }
    this.received.push(...bytes);
    this.trigger(READABLE);
  }

  /** The server closes, or the connection breaks. */
  end(): void {
    this.isEnded = true;
    this.trigger(ERROR);
  }

  // The network.

  get unread(): number {
    return this.received.length;
  }

  get room(): number {
    return this.network.sendBytes - this.sending.length;
  }

  /** What was written reaches the server, unless the network is held, and is acknowledged. */
  transmit(): void {
    if (this.network.isHeld || this.sending.length === 0) return;
    this.arrived.push(...this.sending);
    this.sending = [];
    this.trigger(WRITABLE);
  }

  private check(): void {
    if (this.isClosed) throw new Error('the socket is closed');
  }

  private trigger(what: number): void {
    if (this.triggered === 0) this.network.later(() => this.deliver());
    this.triggered |= what;
  }

  private deliver(): void {
    const { triggered, options } = this;
    this.triggered = 0;
    if (triggered & ERROR) {
      this.isError = true;
      this.isReady = false;
    }
    if (triggered & READABLE && this.received.length > 0 && !this.isClosed)
      options.onReadable?.call(this, this.received.length);
    if (this.isError) {
      if (this.received.length === 0 && !this.isClosed) options.onError?.call(this);
    } else if (triggered & WRITABLE && !this.isClosed) {
      options.onWritable?.call(this, this.room);
    }
  }
}

export class PlayedNetwork {
  readonly sockets: PlayedSocket[] = [];
  /** Names and addresses; what is missing is not found. */
  readonly names: Record<string, string> = { broker: '10.0.0.1' };
  /** Names asked for, and resolvers closed. */
  readonly asked: string[] = [];
  resolversClosed = 0;
  /** Connections are refused. */
  isRefusing = false;
  /** Nothing gets through, in either direction: neither connections nor what was written. */
  isHeld = false;
  /** Bytes a socket takes before the server has them. */
  sendBytes = 1000;
  readonly TCP: new (options: never) => PlayedSocket;
  readonly Resolver: new (options: never) => object;
  private queue: (() => void)[] = [];

  constructor() {
    const open = (options: TcpOptions): PlayedSocket => new PlayedSocket(this, options);
    this.TCP = function (options: TcpOptions) {
      return open(options);
    } as unknown as typeof this.TCP;
    const { asked, names } = this;
    const later = (call: () => void): void => this.later(call);
    const closed = (): void => {
      this.resolversClosed++;
    };
    this.Resolver = class {
      close(): void {
        closed();
      }

      resolve(options: {
        host: string;
        onResolved(host: string, address: string): void;
        onError(): void;
      }): void {
        asked.push(options.host);
        later(() => {
          const address = names[options.host];
          if (address === undefined) options.onError();
          else options.onResolved(options.host, address);
        });
      }
    };
  }

  /** Has `call` made by the network's next turn. */
  later(call: () => void): void {
    this.queue.push(call);
  }

  /** The network moves until there is nothing left to do. */
  run(): void {
    for (let call = this.queue.shift(); call !== undefined; call = this.queue.shift()) call();
  }

  /** What was held up gets through. */
  release(): void {
    this.isHeld = false;
    for (const socket of this.sockets) socket.transmit();
    this.run();
  }

  /** The socket made last. */
  get socket(): PlayedSocket {
    return this.sockets[this.sockets.length - 1];
  }
}
