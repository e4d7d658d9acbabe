/**
 * Enhanced authentication (4.12) between an application's method and a session: also when the method takes its time.
 */
import { codedError } from '../assert.ts';
import { PAUSED_BY_AUTHENTICATION } from './driver.ts';
import type { Driver } from './driver.ts';
import type { Authentication } from './options.ts';
import type { Platform } from './platform.ts';

/** No Authentication Data came with the packet. */
const NO_DATA = new Uint8Array(0);

export class Authenticator {
  private readonly driver: Driver;
  private readonly platform: Platform;
  private readonly method: Authentication;
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
        this.driver.session.setAuthenticationData(data);
        this.driver.resume(PAUSED_BY_AUTHENTICATION);
      },
    );
  }

  /** EVENT_AUTHENTICATE: the server said `data`. */
  handleData(data: Uint8Array | undefined): void {
    this.ask(
      () => this.method.next(data ?? NO_DATA),
      (answer) => {
        this.driver.session.authenticate(answer, this.platform.nowMs());
        this.driver.run();
      },
    );
  }

  /** CONNACK, or the AUTH that ends a re-authentication. */
  handleConnected(data: Uint8Array | undefined): void {
    try {
      this.method.finish?.(data);
      this.again_?.resolve();
    } catch (error) {
      this.again_?.reject(error as Error);
      this.giveUp();
    }
    this.again_ = undefined;
  }

  handleDisconnected(error: Error | undefined): void {
    this.again_?.reject(error ?? codedError('ERR_CLOSED', 'the client was closed'));
    this.again_ = undefined;
  }

  /** Begins to authenticate anew; resolves when the server has accepted. */
  again(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.again_ = { resolve, reject };
      this.ask(
        () => this.method.start(),
        (data) => {
          const status = this.driver.session.reauthenticate(data, this.platform.nowMs());
          if (status < 0) this.handleDisconnected(codedError('ERR_NOT_CONNECTED', 'there is no connection'));
          this.driver.run();
        },
      );
    });
  }

  /** Calls the method outside the session's loop, and goes on with what it answers. */
  private ask(
    question: () => Uint8Array | null | Promise<Uint8Array | null>,
    goOn: (data: Uint8Array | null) => void,
  ): void {
    Promise.resolve()
      .then(question)
      .then(goOn)
      .catch((error: unknown) => {
        this.handleDisconnected(error as Error);
        this.giveUp();
      });
  }

  /** The method failed: this side does not trust the server, or cannot answer it. */
  private giveUp(): void {
    this.platform.defer({
      flush: () => {
        this.driver.resume(PAUSED_BY_AUTHENTICATION);
        this.driver.disconnect(0x83, -1);
      },
    });
  }
}
