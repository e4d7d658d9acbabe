/**
 * Enhanced authentication (4.12) between an application's method and a session: also when the method takes its time.
 */
import { PACKET_TOO_LARGE } from '../status.ts';
import { PAUSED_BY_AUTHENTICATION } from './driver.ts';
import type { Driver } from './driver.ts';
import { ConnectionError, MotemqError, errorOfStatus } from './errors.ts';
import type { Authentication } from './options.ts';
import type { Platform } from './platform.ts';

/** No Authentication Data came with the packet. */
const NO_DATA = new Uint8Array(0);

export class Authenticator {
  /** Why the method ended the connection: this side does not trust the server, or cannot answer it. */
  failure: ConnectionError | undefined = undefined;
  private readonly driver: Driver;
  private readonly platform: Platform;
  private readonly method: Authentication;
  /** Changes with every connection: what the method answers to an earlier one is of no use. */
  private era = 0;
  private again_: { resolve(): void; reject(error: Error): void } | undefined = undefined;

  constructor(driver: Driver, platform: Platform, method: Authentication) {
    this.driver = driver;
    this.platform = platform;
    this.method = method;
  }

  /** EVENT_CONNECTING: CONNECT waits until the method has its first data. */
  handleConnecting(): void {
    this.driver.pause(PAUSED_BY_AUTHENTICATION);
    this.ask(
      () => this.method.start(),
      (data) => {
        this.driver.setAuthenticationData(data);
        this.driver.resume(PAUSED_BY_AUTHENTICATION);
      },
    );
  }

  /** EVENT_AUTHENTICATE: the server said `data`. */
  handleData(data: Uint8Array | undefined): void {
    this.ask(
      () => this.method.next(data ?? NO_DATA),
      (answer) => {
        const status = this.driver.authenticate(answer, false);
        // Nobody would ever answer what cannot be sent.
        if (status === PACKET_TOO_LARGE) this.giveUp(errorOfStatus(status, 'the answer', MotemqError));
      },
    );
  }

  /** CONNACK, or the AUTH that ends a re-authentication. Returns whether the method agrees. */
  handleConnected(data: Uint8Array | undefined): boolean {
    try {
      this.method.finish?.(data);
    } catch (error) {
      this.giveUp(error);
      return false;
    }
    this.again_?.resolve();
    this.again_ = undefined;
    return true;
  }

  handleDisconnected(error: Error | undefined): void {
    this.era++;
    this.refuseAgain(error ?? new MotemqError('ERR_CLOSED', 'the client was closed'));
  }

  /** Begins to authenticate anew; resolves when the server has accepted. */
  again(): Promise<void> {
    if (this.again_ !== undefined) {
      return Promise.reject(
        new MotemqError('ERR_AUTHENTICATING', 'a re-authentication is under way already'),
      );
    }
    return new Promise((resolve, reject) => {
      this.again_ = { resolve, reject };
      this.ask(
        () => this.method.start(),
        (data) => {
          const status = this.driver.authenticate(data, true);
          if (status < 0) this.refuseAgain(errorOfStatus(status, 'the re-authentication', MotemqError));
        },
      );
    });
  }

  /** Calls the method outside the session's loop, and goes on with what it answers. */
  private ask(
    question: () => Uint8Array | null | Promise<Uint8Array | null>,
    goOn: (data: Uint8Array | null) => void,
  ): void {
    const { era } = this;
    Promise.resolve()
      .then(question)
      .then((data) => {
        if (this.era === era) goOn(data);
      })
      .catch((error: unknown) => {
        if (this.era === era) this.giveUp(error);
      });
  }

  private refuseAgain(error: Error): void {
    this.again_?.reject(error);
    this.again_ = undefined;
  }

  /** The method threw `cause`: the connection ends, and no other follows. */
  private giveUp(cause: unknown): void {
    const failure = new ConnectionError('ERR_AUTHENTICATION', 'the authentication method failed', undefined, {
      cause,
    });
    this.failure = failure;
    // Nothing that waits goes to such a server, and nothing of it is delivered.
    this.driver.pause(PAUSED_BY_AUTHENTICATION);
    this.refuseAgain(failure);
    // Perhaps from within the session's loop: DISCONNECT must be written before anything else happens.
    this.platform.defer({
      flush: () => {
        this.driver.disconnect(0x83, -1);
      },
    });
  }
}
