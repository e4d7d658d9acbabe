/**
 * What the naive broker knows, as plain data that JSON can copy: sessions, retained messages, shared subscriptions. No
 * behaviour but copying.
 */
import type { PropertiesObject } from '../../src/packets/inspect.ts';

/** A time that never comes. JSON has no Infinity. */
export const NEVER_MS = Number.MAX_SAFE_INTEGER;
/** A Session Expiry Interval that never passes (3.1.2.11.2). */
export const NEVER_EXPIRES = 0xffffffff;

/** An Application Message as its publisher sent it. */
export interface NaiveMessage {
  topicName: string;
  qos: number;
  retain: boolean;
  /** Hex. */
  payload: string;
  /** What is forwarded unaltered: no Topic Alias, Message Expiry Interval or Subscription Identifier among it. */
  properties: PropertiesObject;
  /** Seconds; null: does not expire. */
  messageExpiryInterval: number | null;
  publishedMs: number;
  publisherId: string;
}

export interface NaiveSubscription {
  /** As the client gave it. */
  topicFilter: string;
  /** What Topic Names are matched against. */
  filter: string;
  isShared: boolean;
  qos: number;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** 0: none was given. */
  identifier: number;
}

/** A message of QoS 1 or 2 on its way to one client. */
export interface NaiveDelivery {
  message: NaiveMessage;
  qos: number;
  retain: boolean;
  identifiers: number[];
  /** 0 until it is sent. */
  packetId: number;
  /** `waiting`: never sent. `published`: sent, not acknowledged. `released`: PUBREC came, PUBCOMP has not. */
  stage: 'waiting' | 'published' | 'released';
  /** Topic Filter of the Shared Subscription that chose this client; empty for none. */
  sharedBy: string;
}

/** A Packet Identifier that the client uses: it is in use until what ends that was written to the link (2.2.1). */
export interface NaiveUse {
  packetId: number;
  kind: 'PUBLISH' | 'SUBSCRIBE' | 'UNSUBSCRIBE';
  qos: number;
  /** `open`: not answered. `received`: PUBREC was written. `released`: PUBREL came, PUBCOMP is not written. */
  stage: 'open' | 'received' | 'released';
  /** What tells messages apart: topic, payload, QoS and RETAIN. */
  fingerprint: string;
  /** Counts the session's PUBLISH packets: the order in which they were sent first; 0 when it is not known. */
  order: number;
  /** The network connection it came on last. */
  connectionNumber: number;
}

export interface NaiveWill {
  message: NaiveMessage;
  delaySeconds: number;
}

export interface NaiveSession {
  clientId: string;
  isConnected: boolean;
  /** Seconds; NEVER_EXPIRES for ever. */
  expirySeconds: number;
  /** While not connected: when it ends. */
  endsMs: number;
  subscriptions: NaiveSubscription[];
  /** Not sent yet, in order. */
  waiting: NaiveDelivery[];
  /** Sent and not completed, in the order of the first sending. */
  inflight: NaiveDelivery[];
  lastPacketId: number;
  /** The client's Packet Identifiers in use. */
  uses: NaiveUse[];
  publishCount: number;
  will: NaiveWill | null;
  /** While not connected: when the will is published. */
  willMs: number;
}

/** The members of a Shared Subscription in the order in which they came. */
export interface NaiveShare {
  topicFilter: string;
  clientIds: string[];
  /** Index of whose turn it is; behind the last: the first's, or that of who comes before then. */
  next: number;
}

export interface NaiveState {
  sessions: NaiveSession[];
  retained: NaiveMessage[];
  shares: NaiveShare[];
  /** Connections there have been: their numbers begin with 1. */
  connectionCount: number;
}

export function emptyState(): NaiveState {
  return { sessions: [], retained: [], shares: [], connectionCount: 0 };
}

/** A copy that shares nothing. */
export function copyState(state: NaiveState): NaiveState {
  return JSON.parse(JSON.stringify(state)) as NaiveState;
}
