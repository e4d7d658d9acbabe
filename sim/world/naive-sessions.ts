/**
 * The end of connections and of sessions: wills, expiry, and what becomes of a shared subscriber's messages (3.1.2.5, 3.1.3.2,
 * 4.1, 4.8.2). For the naive broker.
 */
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import { leaveShare, publish, sendToShare } from './naive-routing.ts';
import { NEVER_EXPIRES, NEVER_MS, type NaiveSession } from './naive-state.ts';

/** Publishes the will of a session, if it has one [MQTT-3.1.2-8]. */
export function publishWill(context: NaiveContext, session: NaiveSession, nowMs: number): void {
  const { will } = session;
  session.will = null; // [MQTT-3.1.2-10]
  session.willMs = NEVER_MS;
  // Its Message Expiry Interval begins with its publication (3.1.3.2.4).
  if (will === null) return;
  context.watcher?.handleWill(will.message.topicName);
  publish(context, { ...will.message, publishedMs: nowMs }, nowMs);
}

/** Ends a session whose connection is gone [MQTT-4.1.0-2]. */
export function endSession(context: NaiveContext, session: NaiveSession, nowMs: number): void {
  const { state } = context;
  state.sessions = state.sessions.filter((one) => one !== session);
  for (const { isShared, topicFilter } of session.subscriptions) {
    if (isShared) leaveShare(context, topicFilter, session.clientId);
  }
  publishWill(context, session, nowMs);
  // What a Shared Subscription chose this client for goes to another, but QoS 2 that was begun [MQTT-4.8.2-5].
  for (const { message, qos, stage, sharedBy } of [...session.inflight, ...session.waiting]) {
    if (sharedBy === '' || (stage !== 'waiting' && qos === 2)) continue;
    const share = state.shares.find((one) => one.topicFilter === sharedBy);
    if (share !== undefined) sendToShare(context, share, message, nowMs);
  }
}

/** A session has no connection any more. */
export function leaveSession(context: NaiveContext, session: NaiveSession, nowMs: number): void {
  session.isConnected = false;
  // SUBSCRIBE and UNSUBSCRIBE are not sent again: their identifiers are free with the connection.
  session.uses = session.uses.filter(({ kind }) => kind === 'PUBLISH');
  if (session.expirySeconds === 0) {
    endSession(context, session, nowMs);
    return;
  }
  session.endsMs = session.expirySeconds === NEVER_EXPIRES ? NEVER_MS : nowMs + session.expirySeconds * 1000;
  if (session.will === null) return;
  session.willMs = nowMs + session.will.delaySeconds * 1000; // [MQTT-3.1.3-9]
  if (session.will.delaySeconds === 0) publishWill(context, session, nowMs);
}

/** Ends a connection: what was said still leaves. */
export function closeConnection(context: NaiveContext, connection: NaiveConnection, nowMs: number): void {
  const { session } = connection;
  connection.session = null;
  connection.finish(nowMs);
  if (session === null) return;
  leaveSession(context, session, nowMs);
  context.watcher?.handleDisconnected(session.clientId, connection.isGoodbye);
}

/** Ends a connection because of something that is wrong, or over: with CONNACK or DISCONNECT where there are such. */
export function refuse(
  context: NaiveContext,
  connection: NaiveConnection,
  reasonCode: number,
  nowMs: number,
): void {
  if (connection.isOver) return;
  context.ends.push({ atMs: nowMs, clientId: connection.clientId, reasonCode });
  // [MQTT-3.14.0-1]; a server of 3.1.1 has no DISCONNECT.
  if (connection.hasConnected && connection.isV5) connection.send({ type: 'DISCONNECT', reasonCode });
  closeConnection(context, connection, nowMs);
}
