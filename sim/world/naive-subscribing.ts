/**
 * SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10), for the naive broker. Retained messages leave before SUBACK, as they may (3.8.4):
 * clients have to live with that.
 */
import type { SubscribeObject, SubscriptionObject, UnsubscribeObject } from '../../src/packets/inspect.ts';
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import { joinShare, leaveShare, sendRetained } from './naive-routing.ts';
import { refuse } from './naive-sessions.ts';
import type { NaiveSession, NaiveSubscription, NaiveUse } from './naive-state.ts';
import { splitShared } from './naive-topics.ts';

/** Packet Identifier in use. */
const IN_USE = 0x91;

/** The use of a Packet Identifier that begins with this request, or null when it is in use [MQTT-2.2.1-3]. */
function beginUse(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  kind: 'SUBSCRIBE' | 'UNSUBSCRIBE',
  packetId: number,
  nowMs: number,
): NaiveUse | null {
  const earlier = session.uses.find((use) => use.packetId === packetId);
  if (earlier !== undefined) {
    const text = `Packet Identifier ${packetId} of ${kind} is in use for ${earlier.kind}`;
    context.note(connection, 'MQTT-2.2.1-3', 'MQTT-2.3.1-2', text, nowMs);
    return null;
  }
  const use: NaiveUse = {
    packetId,
    kind,
    qos: 0,
    stage: 'open',
    fingerprint: '',
    order: 0,
    connectionNumber: connection.number,
  };
  session.uses.push(use);
  return use;
}

/** What the server does not offer and the client asks for: clause, text and reason code; or null. */
function findNotOffered(
  context: NaiveContext,
  packet: SubscribeObject,
): [section: string, text: string, reasonCode: number] | null {
  const { options } = context;
  const filters = packet.subscriptions.map(({ topicFilter }) => splitShared(topicFilter) ?? topicFilter);
  if (packet.properties?.subscriptionIdentifiers && !options.subscriptionIdentifiersAvailable) {
    return ['MQTT-3.2.2.3.12', 'Subscription Identifier', 0xa1];
  }
  if (!options.sharedSubscriptionAvailable && filters.some((filter) => typeof filter !== 'string')) {
    return ['MQTT-3.2.2.3.13', 'Shared Subscription', 0x9e];
  }
  const names = filters.map((filter) => (typeof filter === 'string' ? filter : filter.filter));
  if (!options.wildcardSubscriptionAvailable && names.some((name) => /[+#]/.test(name))) {
    return ['MQTT-3.2.2.3.11', 'Wildcard Subscription', 0xa2];
  }
  return null;
}

/** Makes or replaces one subscription. */
function subscribe(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  asked: SubscriptionObject,
  identifier: number,
  nowMs: number,
): number {
  const { topicFilter, qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0 } = asked;
  const shared = connection.isV5 ? splitShared(topicFilter) : null;
  const subscription: NaiveSubscription = {
    topicFilter,
    filter: shared?.filter ?? topicFilter,
    isShared: shared !== null,
    qos: Math.min(qos, context.options.maximumQos),
    noLocal,
    retainAsPublished,
    identifier,
  };
  const index = session.subscriptions.findIndex((one) => one.topicFilter === topicFilter);
  if (index < 0) session.subscriptions.push(subscription);
  else session.subscriptions[index] = subscription; // [MQTT-3.8.4-3]
  if (shared !== null) {
    joinShare(context, topicFilter, session.clientId); // No retained messages (4.8.2).
  } else if (retainHandling === 0 || (retainHandling === 1 && index < 0)) {
    sendRetained(context, session, subscription, nowMs); // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
  }
  return subscription.qos;
}

export function handleSubscribe(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packet: SubscribeObject,
  nowMs: number,
): void {
  const { packetId, subscriptions } = packet;
  const notOffered = findNotOffered(context, packet);
  if (connection.isV5 && notOffered !== null) {
    context.note(connection, notOffered[0], '', `${notOffered[1]} is not available`, nowMs);
    refuse(context, connection, notOffered[2], nowMs);
    return;
  }
  const use = beginUse(context, connection, session, 'SUBSCRIBE', packetId, nowMs);
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0;
  const reasonCodes: number[] = [];
  for (const asked of subscriptions) {
    if (use === null) reasonCodes.push(connection.isV5 ? IN_USE : 0x80);
    else reasonCodes.push(subscribe(context, connection, session, asked, identifier, nowMs)); // [MQTT-3.8.4-5]
  }
  const handleWritten = (): void => {
    session.uses = session.uses.filter((one) => one !== use);
  };
  context.answer(connection, { type: 'SUBACK', packetId, reasonCodes }, handleWritten, nowMs);
}

export function handleUnsubscribe(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packet: UnsubscribeObject,
  nowMs: number,
): void {
  const { packetId, topicFilters } = packet;
  const use = beginUse(context, connection, session, 'UNSUBSCRIBE', packetId, nowMs);
  const reasonCodes: number[] = [];
  for (const topicFilter of topicFilters) {
    const found = session.subscriptions.find((one) => one.topicFilter === topicFilter); // [MQTT-3.10.4-1]
    if (use === null) {
      reasonCodes.push(IN_USE);
    } else if (found === undefined) {
      reasonCodes.push(0x11);
    } else {
      session.subscriptions = session.subscriptions.filter((one) => one !== found);
      if (found.isShared) leaveShare(context, topicFilter, session.clientId);
      reasonCodes.push(0);
    }
  }
  const handleWritten = (): void => {
    session.uses = session.uses.filter((one) => one !== use);
  };
  const answer = { type: 'UNSUBACK', packetId } as const; // [MQTT-3.10.4-5]
  context.answer(connection, connection.isV5 ? { ...answer, reasonCodes } : answer, handleWritten, nowMs);
}
