/**
 * A broker that can be reached: a core with listeners, clock, timers, files and metrics around it.
 */
import { packageVersion } from '../../targets/node/package-version.ts';
import { hostAndPort, reachableHost } from './addresses.ts';
import { checkOptions } from './check-options.ts';
import { combineHooks } from './combine-hooks.ts';
import { CoreDriver } from './core-driver.ts';
import type { Faults, LocalPublishOptions, SessionView } from './core.ts';
import type { Counters, Gauges } from './counters.ts';
import type { AccessHooks } from './access/access.ts';
import type { ClientView } from './hooks.ts';
import { resolveLimits, type Limits } from './limits.ts';
import type { LinkTransport } from './link.ts';
import { Listeners, type Listener, type ListenerOptions } from './listeners.ts';
import { logHooks } from './log-hooks.ts';
import type { Message } from './message.ts';
import type { MetricsServer } from './metrics.ts';
import type { BrokerOptions, CoreOptions, Log } from './options.ts';
import type { BrokerStore } from './store.ts';
import { loadIdentity } from './tls-files.ts';

const SERVER_SHUTTING_DOWN = 0x8b;
const GRACE_MS = 1000;
const HOST = '127.0.0.1';

export interface StopOptions {
  /** What clients of 5.0 are told. Default 0x8B Server shutting down. */
  reasonCode?: number | undefined;
  /** Milliseconds for clients to take what is theirs and go, and for the store to have it. Default 1000. */
  graceMs?: number | undefined;
}

export interface RestartOptions {
  /** Whether sessions, retained messages and counters are still there afterwards. Default true. */
  keepState?: boolean | undefined;
}

/** A subscription of this process, which outlives a restart. */
interface LocalSubscription {
  readonly topicFilter: string;
  readonly handler: (message: Message) => void;
  unsubscribe: () => void;
}

export class Broker {
  private readonly options: BrokerOptions;
  private readonly coreOptions: CoreOptions;
  private readonly access: AccessHooks | undefined;
  private readonly log: Log;
  private listenerOptions: ListenerOptions;
  private store: BrokerStore | undefined;
  private driver: CoreDriver;
  private readonly locals = new Set<LocalSubscription>();
  private listening: Listeners | undefined = undefined;
  private metrics: MetricsServer | undefined = undefined;
  private stopping: Promise<void> | undefined = undefined;
  private failure: Error | null = null;
  private handleEnded: (failure: Error | null) => void = () => {};
  /**
   * Resolves when it has stopped: with null when it was told to, with an error when its store failed. Nothing that the
   * store did not keep was acknowledged then.
   */
  readonly ended: Promise<Error | null>;

  /**
   * Starts it, and resolves when every listener accepts connections. Rejects with a TypeError or RangeError that names
   * the option that is wrong; with an error that has a `code`, and a message for people, when a port cannot be had or a
   * file not be read. Nothing is left open then.
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    checkOptions(options);
    const log = options.log ?? warn;
    const limits = resolveLimits(options.limits);
    const listenerOptions: ListenerOptions = {
      host: options.host ?? HOST,
      ports: {
        tcp: options.port === undefined ? 0 : options.port,
        tls: options.tlsPort ?? null,
        ws: options.wsPort ?? null,
        wss: options.wssPort ?? null,
      },
      identity: options.tls && loadIdentity(options.tls),
      webSocketPath: options.webSocketPath,
      handshakeMsMax: limits.connectTimeoutMs,
      maximumPacketSize: limits.maximumPacketSize,
      handleError: (error) => log('error', `a listener failed: ${error.message}`),
    };
    const access = await accessOf(options, limits);
    const logging = options.log && logHooks(options.log);
    const hooks = combineHooks([options.hooks, access, logging].filter((one) => one !== undefined));
    const store = await openStore(options.persist);
    try {
      const broker = new Broker(
        options,
        { version: packageVersion(), ...options, hooks },
        access,
        log,
        listenerOptions,
        store,
      );
      await broker.open();
      return broker;
    } catch (error) {
      await store?.close();
      throw error;
    }
  }

  private constructor(
    options: BrokerOptions,
    coreOptions: CoreOptions,
    access: AccessHooks | undefined,
    log: Log,
    listenerOptions: ListenerOptions,
    store: BrokerStore | undefined,
  ) {
    this.options = options;
    this.coreOptions = coreOptions;
    this.access = access;
    this.log = log;
    this.listenerOptions = listenerOptions;
    this.store = store;
    this.ended = new Promise((resolve) => {
      this.handleEnded = resolve;
    });
    this.driver = this.createDriver();
  }

  private createDriver(): CoreDriver {
    return new CoreDriver(this.coreOptions, this.store, {
      handleFault: (error) => {
        const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.log('error', `a mistake in the broker or in a hook, which may have cost a connection: ${words}`);
      },
      handleStoreFailure: (error) => {
        this.handleStoreFailure(error);
        void this.stop({ graceMs: 0 });
      },
    });
  }

  private handleStoreFailure(error: unknown): void {
    this.failure = error instanceof Error ? error : new Error(String(error));
    this.log('error', `the store failed, and the broker ends: ${this.failure.message}`);
  }

  private async open(): Promise<void> {
    try {
      await this.driver.restore();
      await this.listen();
      const { metricsPort } = this.options;
      if (typeof metricsPort === 'number') {
        const { startMetrics } = await import('./metrics.ts');
        this.metrics = await startMetrics(this, this.listenerOptions.host, metricsPort);
      }
    } catch (error) {
      this.driver.stop();
      await this.listening?.close();
      throw error;
    }
  }

  /** On the same ports every time. */
  private async listen(): Promise<void> {
    this.listening = await Listeners.start(this.listenerOptions, this.driver);
    const ports = { ...this.listenerOptions.ports };
    for (const { transport, port } of this.listening.open) ports[transport] = port;
    this.listenerOptions = { ...this.listenerOptions, ports };
  }

  /** What listens where, in the order TCP, TLS, WebSocket, WebSocket over TLS. */
  get listeners(): readonly Listener[] {
    return this.listening?.open ?? [];
  }

  /** Undefined where there is no such listener, like the next three. */
  get tcpPort(): number | undefined {
    return this.portOf('tcp');
  }

  get tlsPort(): number | undefined {
    return this.portOf('tls');
  }

  get wsPort(): number | undefined {
    return this.portOf('ws');
  }

  get wssPort(): number | undefined {
    return this.portOf('wss');
  }

  private portOf(transport: LinkTransport): number | undefined {
    return this.listeners.find((listener) => listener.transport === transport)?.port;
  }

  /** Where metrics are, or undefined. */
  get metricsUrl(): string | undefined {
    if (this.metrics === undefined) return undefined;
    return `http://${hostAndPort(reachableHost(this.listenerOptions.host), this.metrics.port)}/metrics`;
  }

  /** What a client of this machine connects to: the first of `listeners`. Throws when there is none. */
  get url(): string {
    const [first] = this.listeners;
    if (first === undefined) throw new Error('this broker listens nowhere');
    return `${first.scheme}://${hostAndPort(reachableHost(first.host), first.port)}`;
  }

  /**
   * Publishes a message of this process. Returns a reason code of PUBACK: 0, 0x10 when nobody had subscribed, from 0x80
   * when it was refused. Throws for a Topic Name or a property that the standard forbids.
   */
  publish(topicName: string, payload: string | Uint8Array, options: LocalPublishOptions = {}): number {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    return this.driver.call((core, nowMs) => core.publish(topicName, bytes, options, nowMs));
  }

  /**
   * Has `handler` called with every message that matches from now on, and with retained ones. A message is lent for the
   * call: `message.keep()` is a copy. Returns what ends it. Throws for a Topic Filter that the standard forbids.
   */
  subscribe(topicFilter: string, handler: (message: Message) => void): () => void {
    const local = { topicFilter, handler, unsubscribe: () => {} };
    this.subscribeAgain(local);
    this.locals.add(local);
    return () => {
      this.locals.delete(local);
      local.unsubscribe();
    };
  }

  private subscribeAgain(local: LocalSubscription): void {
    local.unsubscribe = this.driver.call((core, nowMs) =>
      core.subscribe(local.topicFilter, local.handler, nowMs),
    );
  }

  /** The clients that are connected. */
  clients(): ClientView[] {
    return [...this.driver.core.clients()];
  }

  /** The sessions, connected or kept. */
  sessions(): SessionView[] {
    return [...this.driver.core.sessions()];
  }

  client(clientId: string): ClientView | undefined {
    return this.driver.core.client(clientId);
  }

  /** Ends a client's connection. Returns whether there was one. */
  disconnect(clientId: string, reasonCode: number): boolean {
    return this.driver.call((core, nowMs) => core.disconnect(clientId, reasonCode, nowMs));
  }

  get counters(): Counters {
    return this.driver.core.counters;
  }

  gauges(): Gauges {
    return this.driver.core.gauges();
  }

  /** Switches by which tests make it fail. */
  get faults(): Faults {
    return this.driver.core.faults;
  }

  /**
   * Reads the files of users, rights and TLS again. What they say counts for whoever connects, and for what clients that
   * are connected do, from then on. Rejects when one of them cannot be used: all stays as it was.
   */
  async reload(): Promise<void> {
    const { tls } = this.options;
    const identity = tls && loadIdentity(tls);
    await this.access?.reload();
    if (identity === undefined) return;
    this.listenerOptions = { ...this.listenerOptions, identity };
    this.listening?.setIdentity(identity);
  }

  /**
   * Ends every connection without a word, as a crash would, and listens again on the same ports. With `persist` the state
   * comes back from there, and cannot be left; otherwise it is kept in memory, or there is a core without any.
   */
  async restart({ keepState = true }: RestartOptions = {}): Promise<void> {
    const { persist } = this.options;
    if (persist !== undefined && !keepState) throw new TypeError('with persist a restart keeps the state');
    if (this.stopping !== undefined) throw new Error('this broker was stopped');
    if (!keepState) this.driver.stop();
    await this.closeConnections();
    if (this.stopping !== undefined) return;
    if (persist !== undefined || !keepState) {
      this.driver.stop();
      await this.store?.close();
      this.store = await openStore(persist);
      this.driver = this.createDriver();
      await this.driver.restore();
      for (const local of this.locals) this.subscribeAgain(local);
    }
    await this.listen();
  }

  private async closeConnections(graceMs = GRACE_MS): Promise<void> {
    const { driver } = this;
    this.listening?.stopAccepting();
    driver.destroyLinks();
    await this.listening?.close();
    await driver.until(() => driver.links.size === 0 && driver.core.isIdle(), graceMs);
  }

  /**
   * Tells every client that it goes, lets them take what is theirs, has the store commit, and closes everything. Calling
   * it again does nothing but wait for the same.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.close(options);
    return this.stopping;
  }

  private async close({ reasonCode = SERVER_SHUTTING_DOWN, graceMs = GRACE_MS }: StopOptions): Promise<void> {
    const { driver } = this;
    this.listening?.stopAccepting();
    driver.call((core, nowMs) => core.shutdown(reasonCode, nowMs));
    await driver.until(() => driver.links.size === 0 && driver.core.isIdle(), graceMs);
    await this.closeConnections(graceMs);
    driver.stop();
    await this.metrics?.close();
    try {
      await this.store?.close();
    } catch (error) {
      // A store that has failed before has said so.
      if (this.failure === null) this.handleStoreFailure(error);
    } finally {
      this.handleEnded(this.failure);
    }
  }
}

/** What is done with a log that nobody wants: errors are not to be missed. */
function warn(level: string, line: string): void {
  if (level === 'error') process.emitWarning(line, 'MotemqBrokerWarning');
}

/** Hooks that go by the files of users and rights, where there is anything to go by. */
async function accessOf(options: BrokerOptions, limits: Limits): Promise<AccessHooks | undefined> {
  const { users, acl, anonymous, tls, hooks } = options;
  if (users === undefined && acl === undefined && anonymous === undefined && tls?.ca === undefined) {
    return undefined;
  }
  const { loadAccess } = await import('./access/access.ts');
  // Where rights or certificates count, nobody may claim a name that nothing has checked.
  const isAnybody = hooks?.authenticate === undefined ? users === undefined : undefined;
  return loadAccess({ users, acl, anonymous: anonymous ?? isAnybody, limits });
}

async function openStore(directory: string | undefined): Promise<BrokerStore | undefined> {
  if (directory === undefined) return undefined;
  const { openLmdbStore } = await import('./lmdb-store.ts');
  return openLmdbStore(directory);
}
