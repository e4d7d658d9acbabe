/**
 * Who gets an Application Message: subscriptions that match (3.3.4), one member of each Shared Subscription (4.8.2), and
 * later subscribers if it is retained (3.3.1.3). For the naive broker.
 */
import { deliver, isExpired } from './naive-delivering.ts';
import type { NaiveContext } from './naive-context.ts';
import type { NaiveMessage, NaiveSession, NaiveShare, NaiveSubscription } from './naive-state.ts';
import { doesFilterMatch, splitShared } from './naive-topics.ts';

/** Keeps or removes the retained message of a topic. */
function retain(context: NaiveContext, message: NaiveMessage): void {
  const { state } = context;
  state.retained = state.retained.filter(({ topicName }) => topicName !== message.topicName);
  if (message.payload !== '') state.retained.push(message); // [MQTT-3.3.1-5], [MQTT-3.3.1-7]
}

/** One copy for all subscriptions of a session that match. */
function sendToSession(
  context: NaiveContext,
  session: NaiveSession,
  message: NaiveMessage,
  nowMs: number,
): boolean {
  const isOwn = message.publisherId === session.clientId;
  const matching = session.subscriptions.filter(
    ({ isShared, filter, noLocal }) =>
      !isShared && !(noLocal && isOwn) && doesFilterMatch(filter, message.topicName), // [MQTT-3.8.3-3]
  );
  if (matching.length === 0) return false;
  let granted = 0;
  for (const { qos } of matching) granted = Math.max(granted, qos); // [MQTT-3.3.4-2]
  const terms = {
    qos: Math.min(message.qos, granted), // [MQTT-3.8.4-8]
    // [MQTT-3.3.1-12], [MQTT-3.3.1-13]: with several subscriptions, one that wants to know is enough.
    retain: message.retain && matching.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: matching.map(({ identifier }) => identifier).filter((identifier) => identifier !== 0),
    sharedBy: '',
  };
  deliver(context, session, message, terms, nowMs); // [MQTT-3.3.4-4]
  return true;
}

/** Whose turn it is: the next that is connected, or the next if none is. */
function takeTurn(context: NaiveContext, share: NaiveShare): NaiveSession | undefined {
  const count = share.clientIds.length;
  if (count === 0) return undefined;
  let chosen = share.next % count;
  for (let step = 0; step < count; step++) {
    const index = (share.next + step) % count;
    if (context.session(share.clientIds[index])?.isConnected === true) {
      chosen = index;
      break;
    }
  }
  share.next = chosen + 1;
  return context.session(share.clientIds[chosen]);
}

/** Sends a message to one member of a Shared Subscription. False: it has none. */
export function sendToShare(
  context: NaiveContext,
  share: NaiveShare,
  message: NaiveMessage,
  nowMs: number,
): boolean {
  const session = takeTurn(context, share);
  const subscription = session?.subscriptions.find((one) => one.topicFilter === share.topicFilter);
  if (session === undefined || subscription === undefined) return false;
  const terms = {
    qos: Math.min(message.qos, subscription.qos), // [MQTT-4.8.2-3]
    retain: message.retain && subscription.retainAsPublished,
    identifiers: subscription.identifier === 0 ? [] : [subscription.identifier],
    sharedBy: share.topicFilter,
  };
  deliver(context, session, message, terms, nowMs);
  return true;
}

/** Publishes a message: false when nobody subscribes. */
export function publish(context: NaiveContext, message: NaiveMessage, nowMs: number): boolean {
  if (message.retain) retain(context, message);
  let isWanted = false;
  for (const session of [...context.state.sessions]) {
    if (sendToSession(context, session, message, nowMs)) isWanted = true;
  }
  for (const share of [...context.state.shares]) {
    const filter = splitShared(share.topicFilter)?.filter ?? '';
    if (!doesFilterMatch(filter, message.topicName)) continue;
    if (sendToShare(context, share, message, nowMs)) isWanted = true;
  }
  return isWanted;
}

/** Sends the retained messages that a new subscription matches. */
export function sendRetained(
  context: NaiveContext,
  session: NaiveSession,
  subscription: NaiveSubscription,
  nowMs: number,
): void {
  const { state } = context;
  state.retained = state.retained.filter((message) => !isExpired(message, nowMs));
  for (const message of state.retained) {
    if (!doesFilterMatch(subscription.filter, message.topicName)) continue;
    if (subscription.noLocal && message.publisherId === session.clientId) continue; // [MQTT-3.8.3-3]
    const terms = {
      qos: Math.min(message.qos, subscription.qos),
      retain: true,
      identifiers: subscription.identifier === 0 ? [] : [subscription.identifier],
      sharedBy: '',
    };
    deliver(context, session, message, terms, nowMs);
  }
}

/** Makes a session a member of a Shared Subscription, which may be new. It is a member but once (4.8.2). */
export function joinShare(context: NaiveContext, topicFilter: string, clientId: string): void {
  const { shares } = context.state;
  const share = shares.find((one) => one.topicFilter === topicFilter);
  if (share === undefined) shares.push({ topicFilter, clientIds: [clientId], next: 0 });
  else if (!share.clientIds.includes(clientId)) share.clientIds.push(clientId);
}

/** Detaches a session from a Shared Subscription, which ends with its last member. */
export function leaveShare(context: NaiveContext, topicFilter: string, clientId: string): void {
  const { state } = context;
  for (const share of state.shares) {
    const index = share.topicFilter === topicFilter ? share.clientIds.indexOf(clientId) : -1;
    if (index < 0) continue;
    share.clientIds.splice(index, 1);
    if (index < share.next) share.next--;
  }
  state.shares = state.shares.filter(({ clientIds }) => clientIds.length > 0);
}
