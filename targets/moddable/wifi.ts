/**
 * Wi-Fi that goes and comes back: tells whoever has a connection at once, instead of letting it find out by time-outs,
 * and connects the device again, which nothing in the SDK does by itself. The SDK's modules are not imported here: the
 * class is handed over, or the events are.
 */
import type { Timers } from './socket-transport.ts';

/** Who is told: a Line, a callback client, the promise client's `driver`. */
export interface NetworkUser {
  /** The network is gone. */
  drop(error: Error): void;
  /** The network is back. */
  retry(): void;
}

/** ECMA-419's `connection`: there is an address, and everything works. */
const READY = 500;
/** ECMA-419's `connection`: neither connected nor connecting. */
const DISCONNECTED = 200;

/** From events to drop and retry, each once. */
export class WifiWatch {
  private readonly user: NetworkUser;
  private isLost = false;

  constructor(user: NetworkUser) {
    this.user = user;
  }

  /** What the constructor of the module `wifi` calls back with: `new WiFi(options, (message) => watch.handleNotify(message))`. */
  handleNotify(message: string): void {
    if (message === 'gotIP') this.handleReady();
    else if (message === 'disconnect' || message === 'lostIP') this.handleLost();
  }

  /** What ECMA-419's Wi-Fi has as `connection` when it calls `onChanged`. */
  handleConnection(connection: number): void {
    if (connection >= READY) this.handleReady();
    else this.handleLost();
  }

  handleLost(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.user.drop(new Error('the network is gone'));
  }

  handleReady(): void {
    this.isLost = false;
    this.user.retry();
  }
}

/** ECMA-419's Wi-Fi, `embedded:network/interface/wifi`, as far as it is used here. */
export interface WifiInterface {
  readonly connection: number;
  connect(access: object): void;
  disconnect(): void;
  close(): void;
}

export type WifiClass = new (options: { onChanged: (property: string) => void }) => WifiInterface;

/** The Wi-Fi stack's own disconnects while it gets ready to connect are over by then. */
const RETRY_MS = 5000;
/** An attempt that has brought no address by then will bring none. */
const ATTEMPT_MS = 30000;

/** Keeps a device connected to its access point, and its user told. */
export class WifiKeeper {
  readonly watch: WifiWatch;
  private readonly wifi: WifiInterface;
  private readonly access: object;
  private readonly timers: Timers;
  private timer: unknown = undefined;

  /**
   * @param WiFi The class of `embedded:network/interface/wifi`.
   * @param access What its `connect` takes: `{SSID, password, secure: true}`. Kept.
   * @param timers A board.
   */
  constructor(WiFi: WifiClass, access: object, user: NetworkUser, timers: Timers) {
    this.watch = new WifiWatch(user);
    this.access = access;
    this.timers = timers;
    this.wifi = new WiFi({
      onChanged: () => {
        this.handleChanged();
      },
    });
    if (this.wifi.connection <= DISCONNECTED) this.connect();
  }

  /** Stops looking after the connection, which stays as it is. */
  close(): void {
    this.stopTimer();
    this.wifi.close();
  }

  private handleChanged(): void {
    const { connection } = this.wifi;
    if (connection >= READY) this.stopTimer();
    else if (connection <= DISCONNECTED) this.startTimer(RETRY_MS);
    this.watch.handleConnection(connection);
  }

  private connect(): void {
    try {
      this.wifi.connect(this.access);
      this.startTimer(ATTEMPT_MS);
    } catch {
      this.startTimer(RETRY_MS);
    }
  }

  private startTimer(ms: number): void {
    this.stopTimer();
    this.timer = this.timers.setTimer(() => {
      this.timer = undefined;
      if (this.wifi.connection <= DISCONNECTED) {
        this.connect();
      } else {
        // Half connected for too long. It does not report the end of that.
        this.wifi.disconnect();
        this.startTimer(RETRY_MS);
      }
    }, ms);
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.timers.clearTimer(this.timer);
    this.timer = undefined;
  }
}
