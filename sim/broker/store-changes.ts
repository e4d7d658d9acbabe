/**
 * What a broker has put and removed since its store last began to write: the newest word on each key alone, so that what
 * came and went in between is never written. Knows nothing of how it is written.
 */
import type { Message } from './message.ts';
import { encodeDelivery, encodeSession, encodeSubscription } from './store-records.ts';
import type { DeliveryRecord, SessionRecord, SubscriptionRecord } from './store.ts';

/** A session as the store knows it. */
export class StoredSessionState {
  /** In place of the client id in keys. Never used for another session. */
  readonly number: number;
  /** The highest sequence that was ever written, or may have been. One above it is in no file. */
  writtenSequenceMax = 0;
  /** Whether anything of it was ever written, or may have been. */
  isWritten = false;
  isRemoved = false;

  constructor(number: number) {
    this.number = number;
  }
}

/** Values by key; null where it is removed. */
export class SessionChanges {
  record: Buffer | null = null;
  readonly subscriptions = new Map<string, Buffer | null>();
  readonly deliveries = new Map<number, Buffer | null>();
  /** The highest sequence that was put. */
  sequenceMax = 0;
  /** Whether the packet identifier is received now. */
  readonly received = new Map<number, boolean>();
}

export class StoreChanges {
  readonly sessions = new Map<StoredSessionState, SessionChanges>();
  /** Those of which something was written. */
  readonly removedSessions: StoredSessionState[] = [];
  readonly messages = new Map<number, Message | null>();
  /** The highest id that was put. */
  messageIdMax = 0;
  /** Message ids; 0 where it is removed. */
  readonly retained = new Map<string, number>();

  isEmpty(): boolean {
    return (
      this.sessions.size === 0 &&
      this.removedSessions.length === 0 &&
      this.messages.size === 0 &&
      this.retained.size === 0
    );
  }

  putSession(session: StoredSessionState, record: SessionRecord): void {
    this.of(session).record = encodeSession(record);
  }

  removeSession(session: StoredSessionState): void {
    session.isRemoved = true;
    this.sessions.delete(session);
    if (session.isWritten) this.removedSessions.push(session);
  }

  putSubscription(session: StoredSessionState, subscription: SubscriptionRecord): void {
    this.of(session).subscriptions.set(subscription.topicFilter, encodeSubscription(subscription));
  }

  removeSubscription(session: StoredSessionState, topicFilter: string): void {
    this.of(session).subscriptions.set(topicFilter, null);
  }

  putDelivery(session: StoredSessionState, delivery: DeliveryRecord): void {
    const changes = this.of(session);
    changes.deliveries.set(delivery.sequence, encodeDelivery(delivery));
    if (delivery.sequence > changes.sequenceMax) changes.sequenceMax = delivery.sequence;
  }

  removeDelivery(session: StoredSessionState, sequence: number): void {
    const { deliveries } = this.of(session);
    if (sequence > session.writtenSequenceMax) deliveries.delete(sequence);
    else deliveries.set(sequence, null);
  }

  setReceived(session: StoredSessionState, packetId: number, isReceived: boolean): void {
    this.of(session).received.set(packetId, isReceived);
  }

  putMessage(id: number, message: Message): void {
    this.messages.set(id, message);
    if (id > this.messageIdMax) this.messageIdMax = id;
  }

  /** `writtenIdMax`: the highest message id that was ever written, or may have been. */
  removeMessage(id: number, writtenIdMax: number): void {
    if (id > writtenIdMax) this.messages.delete(id);
    else this.messages.set(id, null);
  }

  putRetained(topicName: string, messageId: number): void {
    this.retained.set(topicName, messageId);
  }

  removeRetained(topicName: string): void {
    this.retained.set(topicName, 0);
  }

  /** Notes in the sessions that all this may have been written from now on. */
  noteWritten(): void {
    for (const [session, { sequenceMax }] of this.sessions) {
      session.isWritten = true;
      if (sequenceMax > session.writtenSequenceMax) session.writtenSequenceMax = sequenceMax;
    }
  }

  /** Takes in `older` changes, which could not be written: what is newer stands. */
  absorb(older: StoreChanges): void {
    for (const [session, changes] of older.sessions) if (!session.isRemoved) this.absorbOf(session, changes);
    this.removedSessions.push(...older.removedSessions);
    addMissing(this.messages, older.messages);
    addMissing(this.retained, older.retained);
  }

  private absorbOf(session: StoredSessionState, older: SessionChanges): void {
    const changes = this.of(session);
    changes.record ??= older.record;
    addMissing(changes.subscriptions, older.subscriptions);
    addMissing(changes.deliveries, older.deliveries);
    addMissing(changes.received, older.received);
  }

  private of(session: StoredSessionState): SessionChanges {
    let changes = this.sessions.get(session);
    if (changes === undefined) {
      changes = new SessionChanges();
      this.sessions.set(session, changes);
    }
    return changes;
  }
}

function addMissing<K, V>(target: Map<K, V>, older: ReadonlyMap<K, V>): void {
  for (const [key, value] of older) if (!target.has(key)) target.set(key, value);
}
