/**
 * What a broker is made with. The core's part: what it offers to clients, its bounds, its hooks, its clock's friends.
 * The Broker's part: listeners, files and metrics.
 */
import type { Hooks } from './hooks.ts';
import type { Limits } from './limits.ts';
import type { BrokerStore } from './store.ts';

/** How a shared subscription chooses the member that gets a message. */
export type ShareStrategy = 'round-robin' | 'random' | 'hash-client' | 'hash-topic' | 'sticky';

export const SHARE_STRATEGIES: readonly ShareStrategy[] = [
  'round-robin',
  'random',
  'hash-client',
  'hash-topic',
  'sticky',
];

/** What clients are offered. Everything may be left out. */
export interface CoreOptions {
  /** Highest QoS accepted from clients, and granted: 0 to 2. Default 2. */
  maximumQos?: 0 | 1 | 2 | undefined;
  /** Default true, like the next three. */
  retainAvailable?: boolean | undefined;
  wildcardSubscriptionAvailable?: boolean | undefined;
  subscriptionIdentifiersAvailable?: boolean | undefined;
  sharedSubscriptionAvailable?: boolean | undefined;
  /** Seconds told as Server Keep Alive to every client, 1 to 65,535. Default: as the client asks. */
  serverKeepAliveSeconds?: number | undefined;
  /** Told as Response Information to who asks, with `%c` for the client id. Default: none. */
  responseInformation?: string | undefined;
  /** Sends every client elsewhere: CONNACK 0x9C with this as Server Reference. Default: none. */
  serverReference?: string | undefined;
  shareStrategy?: ShareStrategy | undefined;
  limits?: Partial<Limits> | undefined;
  hooks?: Hooks | undefined;
  /** What `$SYS/broker/version` says behind the name. */
  version?: string | undefined;
  /** Seconds between `$SYS` messages; 0 for none. Default 10. */
  sysIntervalSeconds?: number | undefined;
}

/** What the core needs of the place it runs in. */
export interface CoreEnvironment {
  /** Integers, 0 to 4,294,967,295. */
  random(): number;
  /** There is something to flush: have `core.flush` called soon. Called once until it is. */
  wake(): void;
  /** The store could not keep what has happened: every connection was cut, and nothing is answered any more. */
  handleStoreFailure?(error: unknown): void;
  /** Where state survives; absent: in memory alone. */
  store?: BrokerStore | undefined;
}

/** Whom a listener with TLS shows itself as, and whom it asks. `cert`, `key`, `ca`: PEM, or the path of a PEM file. */
export interface TlsOptions {
  cert: string;
  key: string;
  /** Of an encrypted key. */
  passphrase?: string | undefined;
  /** Vouches for clients' certificates; clients are asked for one then. Default: none, and no client is asked. */
  ca?: string | undefined;
  /** Lets in only clients with a certificate of `ca`. Default false: others are let in, without a certificate's name. */
  requireClientCertificate?: boolean | undefined;
}

/**
 * `error`: something is wrong with the broker itself or its files. `info`: a connection came, ended or was refused.
 */
export type LogLevel = 'error' | 'info';
/** Told one line, without its end. What clients sent is quoted and escaped in it. */
export type Log = (level: LogLevel, line: string) => void;

/** A broker with its listeners. Ports: 0 is a free one, null is none; `Broker` says which they are. */
export interface BrokerOptions extends CoreOptions {
  /** The address to listen on, of every listener: `0.0.0.0` or `::` for all. Default 127.0.0.1: this machine alone. */
  host?: string | undefined;
  /** MQTT over TCP. Default 0. */
  port?: number | null | undefined;
  /** MQTT over TLS; needs `tls`. Default null. */
  tlsPort?: number | null | undefined;
  /** MQTT over WebSocket. Default null. */
  wsPort?: number | null | undefined;
  /** MQTT over WebSocket over TLS; needs `tls`. Default null. */
  wssPort?: number | null | undefined;
  tls?: TlsOptions | undefined;
  /** The only path of URLs that WebSocket clients may ask for, such as `/mqtt`. Default: any. */
  webSocketPath?: string | undefined;
  /** Path of a file of users and passwords. Default: nobody has to say who they are. */
  users?: string | undefined;
  /** Path of a file of who may publish and subscribe what. Default: everybody everything. */
  acl?: string | undefined;
  /** Whether clients that give no user name are let in. Default: true without `users`, false with it. */
  anonymous?: boolean | undefined;
  /** Directory in which sessions and messages survive the process. Default: memory alone. */
  persist?: string | undefined;
  /** Prometheus' metrics over HTTP, at /metrics. Default null. */
  metricsPort?: number | null | undefined;
  /** Default: errors become process warnings, and nothing else is said. */
  log?: Log | undefined;
}
