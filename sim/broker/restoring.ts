/**
 * A broker's state out of its store: sessions with what they wait for, retained messages, wills that are still to be
 * published. Every client is gone: its connection ended when the broker did.
 */
import type { Rooms } from './rooms.ts';
import { Delivery, Subscription, type Session } from './session.ts';
import type { StoredSession, StoredState } from './store.ts';

export function restoreState(state: StoredState, rooms: Rooms, nowMs: number): void {
  const { keeper } = rooms.context;
  for (const [id] of state.messages) keeper.startBehind(id);
  for (const id of state.retained.values()) {
    const message = state.messages.get(id);
    if (message === undefined) continue;
    keeper.adoptReference(message, id);
    rooms.publisher.retained.set(message);
  }
  for (const stored of state.sessions) restoreSession(stored, state, rooms, nowMs);
}

function restoreSession(stored: StoredSession, state: StoredState, rooms: Rooms, nowMs: number): void {
  const { sessions, router, context } = rooms;
  const session = sessions.adopt(stored.clientId, stored.userName);
  session.expirySeconds = stored.expirySeconds;
  // Who was connected when the broker died has been gone since now at the latest, as far as anybody knows.
  session.endedAtMs = Math.min(stored.endedAtMs, nowMs);
  for (const { topicFilter, options, identifier, isShared } of stored.subscriptions) {
    const group = isShared ? router.groupOf(topicFilter) : null;
    const subscription = new Subscription(session, topicFilter, options, identifier, group);
    session.subscriptions.set(topicFilter, subscription);
    router.add(subscription);
  }
  for (const packetId of stored.receivedIds) session.receivedIds.add(packetId);
  restoreDeliveries(session, stored, state, rooms);
  const will = state.messages.get(stored.willMessageId);
  if (will !== undefined) {
    const { willDelaySeconds: delaySeconds, willExpirySeconds: expirySeconds } = stored;
    session.will = { message: will, delaySeconds, expirySeconds };
    context.keeper.adoptWill(stored.clientId, will, stored.willMessageId);
  }
  sessions.await(session, nowMs);
}

function restoreDeliveries(
  session: Session,
  stored: StoredSession,
  state: StoredState,
  { deliveries, context }: Rooms,
): void {
  for (const { sequence, messageId, packetId, isReleased, qos, isRetain, identifiers } of stored.deliveries) {
    const message = state.messages.get(messageId);
    if (message === undefined) continue;
    const delivery = new Delivery(message, qos, isRetain, identifiers, null);
    delivery.sequence = sequence;
    delivery.packetId = packetId;
    delivery.isStored = true;
    session.nextSequence = Math.max(session.nextSequence, sequence + 1);
    context.keeper.adoptReference(message, messageId);
    deliveries.hold(session, delivery);
    if (packetId === 0) deliveries.adopt(session, delivery);
    else (isReleased ? session.released : session.inflight).set(packetId, delivery);
  }
}
