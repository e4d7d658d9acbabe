/**
 * What of the broker's state goes to its store, and when: sessions that outlive their connection, what they wait for, and
 * retained messages. Counts who refers to a message, so that it is stored once and removed with the last. Does nothing
 * without a store.
 */
import type { Message } from './message.ts';
import type { Delivery, Session, Subscription } from './session.ts';
import type { BrokerStore } from './store.ts';

export class Keeper {
  private readonly store: BrokerStore | null;
  private lastMessageId = 0;
  /** Wills in the store, by session. */
  private readonly wills = new Map<string, Message>();

  constructor(store: BrokerStore | null) {
    this.store = store;
  }

  /** Has message ids continue behind those that a store gave back. */
  startBehind(messageId: number): void {
    this.lastMessageId = Math.max(this.lastMessageId, messageId);
  }

  /** Counts a reference that the store already has. */
  adoptReference(message: Message, id: number): void {
    message.storeId = id;
    message.storeReferences++;
  }

  adoptWill(clientId: string, message: Message, id: number): void {
    this.adoptReference(message, id);
    this.wills.set(clientId, message);
  }

  /** Notes that `session` has changed in what its record says, and stores or forgets it as its expiry asks. */
  putSession(session: Session): void {
    if (this.store === null) return;
    if (session.expirySeconds === 0) {
      this.removeSession(session);
      return;
    }
    const isNew = !session.isStored;
    session.isStored = true;
    const before = this.wills.get(session.clientId);
    const will = session.will?.message ?? null;
    if (will !== null && will !== before) this.refer(will);
    this.store.putSession({
      clientId: session.clientId,
      userName: session.userName,
      expirySeconds: session.expirySeconds,
      endedAtMs: session.endedAtMs,
      willMessageId: will?.storeId ?? 0,
      willDelaySeconds: session.will?.delaySeconds ?? 0,
      willExpirySeconds: session.will?.expirySeconds ?? -1,
    });
    if (will !== before) this.replaceWill(session.clientId, before, will);
    if (isNew) this.putContents(session);
  }

  private replaceWill(clientId: string, before: Message | undefined, will: Message | null): void {
    if (before !== undefined) this.unrefer(before);
    if (will === null) this.wills.delete(clientId);
    else this.wills.set(clientId, will);
  }

  private putContents(session: Session): void {
    for (const subscription of session.subscriptions.values()) this.putSubscription(subscription);
    for (const delivery of session.inflight.values()) this.putDelivery(session, delivery, false);
    for (const delivery of session.released.values()) this.putDelivery(session, delivery, true);
    for (const delivery of session.queue) this.putDelivery(session, delivery, false);
    for (const packetId of session.receivedIds) this.store?.putReceived(session.clientId, packetId);
  }

  removeSession(session: Session): void {
    if (this.store === null || !session.isStored) return;
    session.isStored = false;
    this.store.removeSession(session.clientId);
    const will = this.wills.get(session.clientId);
    if (will !== undefined) this.replaceWill(session.clientId, will, null);
    for (const delivery of session.inflight.values()) this.forget(delivery);
    for (const delivery of session.released.values()) this.forget(delivery);
    for (const delivery of session.queue) this.forget(delivery);
  }

  private forget(delivery: Delivery): void {
    if (!delivery.isStored) return;
    delivery.isStored = false;
    this.unrefer(delivery.message);
  }

  putSubscription({ session, topicFilter, options, identifier, group }: Subscription): void {
    if (!session.isStored) return;
    const isShared = group !== null;
    this.store?.putSubscription(session.clientId, { topicFilter, isShared, options, identifier });
  }

  removeSubscription(session: Session, topicFilter: string): void {
    if (session.isStored) this.store?.removeSubscription(session.clientId, topicFilter);
  }

  /** Stores a delivery of QoS 1 or 2 as it is now. */
  putDelivery(session: Session, delivery: Delivery, isReleased: boolean): void {
    if (this.store === null || !session.isStored || delivery.qos === 0) return;
    if (!delivery.isStored) {
      delivery.isStored = true;
      this.refer(delivery.message);
    }
    const { sequence, packetId, qos, isRetain, identifiers, message } = delivery;
    this.store.putDelivery(session.clientId, {
      sequence,
      messageId: message.storeId,
      packetId,
      isReleased,
      qos,
      isRetain,
      identifiers,
    });
  }

  removeDelivery(session: Session, delivery: Delivery): void {
    if (!delivery.isStored) return;
    this.store?.removeDelivery(session.clientId, delivery.sequence);
    this.forget(delivery);
  }

  putReceived(session: Session, packetId: number): void {
    if (session.isStored) this.store?.putReceived(session.clientId, packetId);
  }

  removeReceived(session: Session, packetId: number): void {
    if (session.isStored) this.store?.removeReceived(session.clientId, packetId);
  }

  /** `before` is what `message` replaced. */
  putRetained(message: Message, before: Message | undefined): void {
    if (this.store === null) return;
    this.refer(message);
    this.store.putRetained(message.topicName, message.storeId);
    if (before !== undefined) this.unrefer(before);
  }

  removeRetained(message: Message): void {
    if (this.store === null || message.storeReferences === 0) return;
    this.store.removeRetained(message.topicName);
    this.unrefer(message);
  }

  private refer(message: Message): void {
    if (message.storeReferences === 0) {
      this.lastMessageId++;
      message.storeId = this.lastMessageId;
      this.store?.putMessage(message.storeId, message);
    }
    message.storeReferences++;
  }

  private unrefer(message: Message): void {
    message.storeReferences--;
    if (message.storeReferences > 0) return;
    this.store?.removeMessage(message.storeId);
    message.storeId = 0;
  }
}
