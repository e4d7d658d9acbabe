/**
 * The other end of the fleet: one session that subscribes to everything the devices publish, and hands each message to
 * the run's traffic. It looks at a message's first bytes only and keeps nothing of it, so that it takes a small part of
 * the time that the devices take.
 */
import { Driver, type DriverSessionOptions } from '../../src/client/driver.ts';
import type { Platform } from '../../src/client/platform.ts';
import { P_RECEIVE_MAXIMUM, P_TOPIC_ALIAS_MAXIMUM } from '../../src/packets/property-table.ts';
import { V5 } from '../../src/packets/types.ts';
import {
  CAUSE_CLIENT,
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_SUBSCRIBED,
  type SessionEvent,
} from '../../src/session/event.ts';
import { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
import { reasonText, type Ending } from './failure.ts';
import type { FleetSettings } from './settings.ts';
import type { CommandSender, Traffic } from './workload.ts';

/** Messages the server may have under way to the collector; what it allows itself is less, as a rule. */
const RECEIVE_MAXIMUM = 65_535;
const SESSION_EXPIRY_SECONDS = 300;
const KEEP_ALIVE_SECONDS = 15;
/** What is kept of a message that comes in fragments: see Traffic. */
const HEAD_BYTES = 256;

/** Whom the collector tells how it fares. */
export interface CollectorOwner {
  /** Subscribed, for the first time or again: from now on nothing gets past it. */
  handleCollectorReady(): void;
  /** Not connected (any more); `reconnectInMs` is below 0 if it will not try again. */
  handleCollectorLost(ending: Ending, reconnectInMs: number): void;
  /** The server does not let it see what the devices send: half a sentence. */
  handleCollectorRefused(why: string): void;
}

export interface CollectorOptions {
  settings: FleetSettings;
  platform: Platform;
  protocolVersion: number;
  clientId: string;
  traffic: Traffic;
}

export class Collector implements CommandSender {
  readonly clientId: string;
  readonly driver: Driver;
  /** Subscribed on a living connection. */
  isReady = false;
  /** What the server said in CONNACK. */
  topicAliasMaximum: number | undefined;
  receiveMaximum: number | undefined;
  private readonly owner: CollectorOwner;
  private readonly protocolVersion: number;
  private readonly traffic: Traffic;
  /** The beginning of a message that comes in fragments. */
  private readonly head = new Uint8Array(HEAD_BYTES);
  private headByteLength = 0;
  private wasConnected = false;
  private isConnected = false;

  constructor(options: CollectorOptions, owner: CollectorOwner) {
    const { settings, platform, protocolVersion, clientId } = options;
    this.owner = owner;
    this.protocolVersion = protocolVersion;
    this.clientId = clientId;
    this.traffic = options.traffic;
    const session: DriverSessionOptions = {
      protocolVersion,
      clientId,
      // Its session must outlive a cut: what is published meanwhile waits for it on the server.
      cleanStart: protocolVersion === V5,
      keepAliveSeconds: KEEP_ALIVE_SECONDS,
      userName: settings.userName,
      password: settings.password,
      receiveMaximum: RECEIVE_MAXIMUM,
      reconnect: { firstMs: 100, maximumMs: 1000 },
    };
    if (protocolVersion === V5) session.sessionExpirySeconds = SESSION_EXPIRY_SECONDS;
    this.driver = new Driver(platform, session, { transmitBytes: 4096 }, this);
  }

  connect(): void {
    this.driver.connect();
  }

  publish(topicName: Uint8Array, payload: Uint8Array, payloadByteLength: number): boolean {
    if (!this.isReady) return false;
    return this.driver.publish(null, topicName, payload, payloadByteLength, 1, 0, null) >= 0;
  }

  goodbye(): void {
    if (this.isConnected) this.driver.disconnect(0, this.protocolVersion === V5 ? 0 : -1);
    this.close();
  }

  close(): void {
    this.driver.close();
    this.isConnected = false;
    this.isReady = false;
  }

  handleEvent(event: SessionEvent): void {
    switch (event.kind) {
      case EVENT_MESSAGE:
        this.handleMessage(event);
        break;
      case EVENT_CONNECTED:
        this.handleConnected(event);
        break;
      case EVENT_SUBSCRIBED:
        this.handleSubscribed(event);
        break;
      case EVENT_DISCONNECTED:
        this.handleDisconnected(event);
        break;
    }
  }

  private handleConnected(event: SessionEvent): void {
    const isFirst = !this.wasConnected;
    this.isConnected = true;
    this.wasConnected = true;
    if (isFirst) {
      const { packet } = event;
      if (packet.has(P_TOPIC_ALIAS_MAXIMUM)) this.topicAliasMaximum = packet.values[P_TOPIC_ALIAS_MAXIMUM];
      if (packet.has(P_RECEIVE_MAXIMUM)) this.receiveMaximum = packet.values[P_RECEIVE_MAXIMUM];
      this.subscribe();
    } else if (event.sessionPresent === 1) {
      this.isReady = true;
      this.owner.handleCollectorReady();
    }
  }

  private subscribe(): void {
    const list = new FilterList(new Uint8Array(8192));
    for (const { topicFilter, qos } of this.traffic.filters) {
      list.add(topicFilter, subscriptionOptions(qos, false, false, 0));
    }
    this.driver.subscribe(list, 0, null);
  }

  private handleSubscribed(event: SessionEvent): void {
    const [{ topicFilter, qos }] = this.traffic.filters;
    if (event.status < 0) {
      this.owner.handleCollectorRefused('the server does not support subscriptions with wildcards');
      return;
    }
    const granted = event.bytes[event.packet.listOffset];
    if (granted >= 0x80) {
      const why = this.protocolVersion === V5 ? `: ${reasonText(granted, V5)}` : '';
      this.owner.handleCollectorRefused(
        `the server refused the collector's subscription to ${topicFilter}${why}`,
      );
      return;
    }
    if (granted < qos) {
      this.owner.handleCollectorRefused(`the server grants subscriptions QoS ${granted} at most`);
      return;
    }
    this.isReady = true;
    this.owner.handleCollectorReady();
  }

  private handleDisconnected(event: SessionEvent): void {
    if (event.cause === CAUSE_CLIENT) return;
    const wasConnected = this.isConnected;
    this.isConnected = false;
    this.isReady = false;
    this.owner.handleCollectorLost(
      {
        cause: event.cause,
        reasonCode: event.reasonCode,
        violation: event.violation,
        error: this.driver.transportError,
        protocolVersion: this.protocolVersion,
        wasConnected,
      },
      event.reconnectInMs,
    );
  }

  private handleMessage(event: SessionEvent): void {
    const { bytes, payloadOffset, payloadByteLength } = event;
    const isWhole = event.fragmentOffset === 0 && event.isLast;
    if (isWhole) {
      // What the server had retained was said before this connection, by this run or another.
      if (event.retain === 0)
        this.traffic.take(event, bytes, payloadOffset, payloadOffset + payloadByteLength);
      return;
    }
    if (event.fragmentOffset === 0) this.headByteLength = 0;
    const byteLength = Math.min(payloadByteLength, this.head.length - this.headByteLength);
    for (let index = 0; index < byteLength; index++) {
      this.head[this.headByteLength + index] = bytes[payloadOffset + index];
    }
    this.headByteLength += byteLength;
    if (event.isLast) this.traffic.take(event, this.head, 0, this.headByteLength);
  }
}
