/**
 * What all parts of the naive broker share: its state, its options, its connections, and what it noted about its clients.
 */
import type { PacketObject } from '../../src/packets/inspect.ts';
import type { BrokerWatcher } from './broker-process.ts';
import type { NaiveConnection } from './naive-connection.ts';
import { copyState, emptyState, type NaiveSession, type NaiveState } from './naive-state.ts';

/** Something that a client did against the standard. */
export interface NaiveViolation {
  atMs: number;
  /** Empty before CONNECT was accepted. */
  clientId: string;
  /** `MQTT-2.2.1-3`; of 3.1.1 `v3.1.1 MQTT-2.3.1-2`. Without the last number: a section whose rule has none. */
  clause: string;
  text: string;
}

/** A connection that the broker ended. */
export interface NaiveEnd {
  atMs: number;
  clientId: string;
  /** The reason code that a client of 5.0 was told. */
  reasonCode: number;
}

/** What the clients are offered. Everything may be left out. */
export interface NaiveOptions {
  /** The client's QoS 1 and 2 messages not yet answered. Default 65,535. */
  receiveMaximum?: number;
  /** Bytes. Default: no limit. */
  maximumPacketSize?: number;
  /** Default 16. */
  topicAliasMaximum?: number;
  maximumQos?: 0 | 1 | 2;
  /** Default true, like the next three. */
  retainAvailable?: boolean;
  wildcardSubscriptionAvailable?: boolean;
  subscriptionIdentifiersAvailable?: boolean;
  sharedSubscriptionAvailable?: boolean;
  /** Told as Server Keep Alive. Default 0: as the client asks. */
  serverKeepAliveSeconds?: number;
  /** Messages on their way to a client, if its Receive Maximum is not less. Default 65,535. */
  inflightMax?: number;
  /** How long a new connection may be silent. Default 30. */
  connectTimeoutSeconds?: number;
  /**
   * Every answer to the client's PUBLISH, PUBREL, SUBSCRIBE and UNSUBSCRIBE is this late: so its quota and its Packet
   * Identifiers mean something. Default 0; a function is asked each time, and does not say 0.
   */
  acknowledgementDelayMs?: number | (() => number);
  /** What an earlier broker's `snapshot` told; its connections are gone. */
  snapshot?: NaiveState;
  /** When this broker starts: what lasted until the snapshot ends now. Needed with one. */
  startedMs?: number;
}

/** What the broker needs of the place it runs in. */
export interface NaiveEnvironment {
  /** Integers, 0 to 4,294,967,295. */
  random(): number;
  /** There is something to flush. Called once until it is. */
  wake(): void;
  /** Is told what happens to clients. */
  watcher?: BrokerWatcher;
}

export class NaiveContext {
  readonly options: Required<Omit<NaiveOptions, 'snapshot' | 'startedMs'>>;
  readonly state: NaiveState;
  readonly violations: NaiveViolation[] = [];
  readonly ends: NaiveEnd[] = [];
  connections: NaiveConnection[] = [];
  readonly random: () => number;
  readonly watcher: BrokerWatcher | undefined;
  private readonly environment: NaiveEnvironment;
  private isAwake = false;

  constructor(options: NaiveOptions, environment: NaiveEnvironment) {
    this.options = {
      receiveMaximum: options.receiveMaximum ?? 65_535,
      maximumPacketSize: options.maximumPacketSize ?? 268_435_460,
      topicAliasMaximum: options.topicAliasMaximum ?? 16,
      maximumQos: options.maximumQos ?? 2,
      retainAvailable: options.retainAvailable ?? true,
      wildcardSubscriptionAvailable: options.wildcardSubscriptionAvailable ?? true,
      subscriptionIdentifiersAvailable: options.subscriptionIdentifiersAvailable ?? true,
      sharedSubscriptionAvailable: options.sharedSubscriptionAvailable ?? true,
      serverKeepAliveSeconds: options.serverKeepAliveSeconds ?? 0,
      inflightMax: options.inflightMax ?? 65_535,
      connectTimeoutSeconds: options.connectTimeoutSeconds ?? 30,
      acknowledgementDelayMs: options.acknowledgementDelayMs ?? 0,
    };
    this.state = options.snapshot === undefined ? emptyState() : copyState(options.snapshot);
    this.environment = environment;
    this.watcher = environment.watcher;
    this.random = () => environment.random();
  }

  wake(): void {
    if (this.isAwake) return;
    this.isAwake = true;
    this.environment.wake();
  }

  /** What `wake` asked for is done. */
  sleep(): void {
    this.isAwake = false;
  }

  session(clientId: string): NaiveSession | undefined {
    return this.state.sessions.find((session) => session.clientId === clientId);
  }

  connectionOf(session: NaiveSession): NaiveConnection | undefined {
    return this.connections.find((connection) => connection.session === session);
  }

  /** Notes that a client broke a clause: that of its protocol version, 3.1.1's without its mark. */
  note(connection: NaiveConnection, v5: string, v311: string, text: string, nowMs: number): void {
    const clause = connection.isV5 ? v5 : `v3.1.1 ${v311}`;
    const { clientId } = connection;
    this.violations.push({ atMs: nowMs, clientId, clause, text });
    this.watcher?.handleBreach(clientId, `${text} [${clause}]`);
  }

  /** Answers what a client sent, as late as the options say. */
  answer(connection: NaiveConnection, packet: PacketObject, handleWritten: () => void, nowMs: number): void {
    const { acknowledgementDelayMs: delay } = this.options;
    const delayMs = typeof delay === 'number' ? delay : delay();
    if (delayMs === 0) connection.send(packet, handleWritten);
    else connection.sendLater(packet, handleWritten, nowMs + delayMs);
  }
}
