/**
 * What a broker asks of a place that survives it. The core puts and removes as things happen, asks for a commit, and sends
 * nothing that says "I have it" before that is done. Which message is still referred to, the core knows; a store only
 * keeps. A memory-only broker has none.
 */
import type { Message } from './message.ts';

/** A session, without what has keys of its own. */
export interface SessionRecord {
  clientId: string;
  userName: string | null;
  /** Session Expiry Interval; 4,294,967,295 is "never". */
  expirySeconds: number;
  /** When its connection ended, or Infinity while it is connected. Milliseconds of the core's clock, which is the wall's. */
  endedAtMs: number;
  /** The will that is still to be published if the broker dies now, by its message's id; 0 for none. */
  willMessageId: number;
  willDelaySeconds: number;
  /** Its Message Expiry Interval, which begins when it is published; -1 for none. */
  willExpirySeconds: number;
}

export interface SubscriptionRecord {
  topicFilter: string;
  /** Whether it is a Shared Subscription: to a client of 3.1.1 `$share/…` is a filter like any other. */
  isShared: boolean;
  /** The Subscription Options byte. */
  options: number;
  /** 0 for none. */
  identifier: number;
}

/** A message in a session's queue, or on its way to the client. */
export interface DeliveryRecord {
  /** Position in the session: ascends in the order of delivery. At least 1. */
  sequence: number;
  messageId: number;
  /** 0 while it waits. */
  packetId: number;
  /** QoS 2: the client said PUBREC, PUBREL is next. */
  isReleased: boolean;
  /** As it is delivered. */
  qos: number;
  isRetain: boolean;
  /** Subscription Identifiers. */
  identifiers: readonly number[];
}

export interface StoredSession extends SessionRecord {
  subscriptions: SubscriptionRecord[];
  /** In the order of their sequence. */
  deliveries: DeliveryRecord[];
  /** Packet identifiers of QoS 2 messages from the client that it has not released. */
  receivedIds: number[];
}

/** What a store gives back when a broker starts. */
export interface StoredState {
  sessions: StoredSession[];
  /** By id, at least 1. Their bytes are their own. */
  messages: Map<number, Message>;
  /** Message ids by topic name. */
  retained: Map<string, number>;
}

/** None of the calls but `load`, `commit` and `close` waits for anything. */
export interface BrokerStore {
  /** Once, before anything else. */
  load(): Promise<StoredState>;

  putSession(session: SessionRecord): void;
  /** With everything that is keyed by the session. */
  removeSession(clientId: string): void;
  putSubscription(clientId: string, subscription: SubscriptionRecord): void;
  removeSubscription(clientId: string, topicFilter: string): void;
  /** `message` is kept already: its bytes do not change. */
  putMessage(id: number, message: Message): void;
  removeMessage(id: number): void;
  putDelivery(clientId: string, delivery: DeliveryRecord): void;
  removeDelivery(clientId: string, sequence: number): void;
  putReceived(clientId: string, packetId: number): void;
  removeReceived(clientId: string, packetId: number): void;
  putRetained(topicName: string, messageId: number): void;
  removeRetained(topicName: string): void;

  /** Whether anything was put or removed since the last commit began. */
  hasChanges(): boolean;
  /** Resolves when everything put and removed before the call will survive the process and the power; rejects when it cannot. */
  commit(): Promise<void>;
  /** After a last commit. */
  close(): Promise<void>;
}
