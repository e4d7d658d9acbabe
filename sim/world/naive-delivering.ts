/**
 * Messages on their way to one client: what waits, what was sent, what is sent again (3.3.4, 4.3, 4.4, 4.9), for the naive
 * broker. Who gets which message is decided elsewhere.
 */
import type { PropertiesObject } from '../../src/packets/inspect.ts';
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import type { NaiveDelivery, NaiveMessage, NaiveSession } from './naive-state.ts';

/** Whether its Message Expiry Interval has passed [MQTT-3.3.2-5]. */
export function isExpired(message: NaiveMessage, nowMs: number): boolean {
  if (message.messageExpiryInterval === null) return false;
  return nowMs - message.publishedMs >= message.messageExpiryInterval * 1000;
}

/** Properties of a PUBLISH to a client of 5.0. */
function propertiesOf(delivery: NaiveDelivery, nowMs: number): PropertiesObject {
  const { message, identifiers } = delivery;
  const properties: PropertiesObject = { ...message.properties };
  if (message.messageExpiryInterval !== null) {
    // [MQTT-3.3.2-6]; a message that was sent once does not expire, so there may be nothing left.
    const waitedSeconds = Math.floor((nowMs - message.publishedMs) / 1000);
    properties.messageExpiryInterval = Math.max(0, message.messageExpiryInterval - waitedSeconds);
  }
  if (identifiers.length > 0) properties.subscriptionIdentifiers = identifiers;
  return properties;
}

/** Sends PUBLISH. False: it is too large for the client. */
function sendPublish(
  connection: NaiveConnection,
  delivery: NaiveDelivery,
  dup: boolean,
  nowMs: number,
): boolean {
  const { message, qos, retain, packetId } = delivery;
  const { topicName, payload } = message;
  const head = { type: 'PUBLISH', dup, qos, retain, payload } as const;
  const id = qos === 0 ? {} : { packetId };
  if (!connection.isV5) return connection.send({ ...head, ...id, topicName });
  const properties = propertiesOf(delivery, nowMs);
  const { aliasesOut, topicAliasMaximum } = connection;
  const known = aliasesOut.get(topicName);
  if (known !== undefined) {
    return connection.send({
      ...head,
      ...id,
      topicName: '',
      properties: { ...properties, topicAlias: known },
    });
  }
  if (topicAliasMaximum > 0) {
    // One alias after the other, from the first again: so the client sees them change their meaning (3.3.2.3.4).
    const topicAlias = (connection.lastAlias % topicAliasMaximum) + 1; // [MQTT-3.1.2-26]
    if (connection.send({ ...head, ...id, topicName, properties: { ...properties, topicAlias } })) {
      for (const [name, alias] of [...aliasesOut]) if (alias === topicAlias) aliasesOut.delete(name);
      aliasesOut.set(topicName, topicAlias);
      connection.lastAlias = topicAlias;
      return true;
    }
  }
  return connection.send({ ...head, ...id, topicName, properties });
}

/** A Packet Identifier that the server does not use in this session [MQTT-2.2.1-4]. */
function nextPacketId(session: NaiveSession): number {
  do session.lastPacketId = (session.lastPacketId % 65_535) + 1;
  while (session.inflight.some(({ packetId }) => packetId === session.lastPacketId));
  return session.lastPacketId;
}

/** Sends a QoS 1 or 2 message, and counts it; what is too large is done [MQTT-3.1.2-25]. */
function sendCounted(
  connection: NaiveConnection,
  session: NaiveSession,
  delivery: NaiveDelivery,
  dup: boolean,
  nowMs: number,
): void {
  if (!sendPublish(connection, delivery, dup, nowMs)) {
    session.inflight = session.inflight.filter((one) => one !== delivery);
    return;
  }
  connection.unacknowledged.push(delivery.packetId);
  if (delivery.qos === 1) connection.awaitedPubacks.push(delivery.packetId);
  else connection.awaitedPubrecs.push(delivery.packetId);
}

/** Whether another QoS 1 or 2 message may be sent [MQTT-3.3.4-9], [MQTT-4.9.0-2]. */
function hasQuota(context: NaiveContext, connection: NaiveConnection): boolean {
  const maximum = Math.min(connection.receiveMaximum, context.options.inflightMax);
  return connection.unacknowledged.length < maximum;
}

/** Sends what may be sent: first what is sent again, in its order, then what waits. */
export function sendWaiting(context: NaiveContext, session: NaiveSession, nowMs: number): void {
  const connection = context.connectionOf(session);
  if (connection === undefined) return;
  while (connection.toResend.length > 0 && hasQuota(context, connection)) {
    const delivery = connection.toResend[0];
    connection.toResend.shift();
    sendCounted(connection, session, delivery, true, nowMs); // [MQTT-3.3.1-1]
  }
  while (session.waiting.length > 0 && hasQuota(context, connection)) {
    const delivery = session.waiting[0];
    session.waiting.shift();
    if (isExpired(delivery.message, nowMs)) continue; // [MQTT-3.3.2-5]
    delivery.packetId = nextPacketId(session);
    delivery.stage = 'published';
    session.inflight.push(delivery);
    sendCounted(connection, session, delivery, false, nowMs);
  }
}

/** A session goes on with a new connection: sends again what was not acknowledged [MQTT-4.4.0-1]. */
export function resume(context: NaiveContext, session: NaiveSession, nowMs: number): void {
  const connection = context.connectionOf(session);
  if (connection === undefined) return;
  for (const delivery of session.inflight) {
    if (delivery.stage === 'released') {
      // Whatever the quota is [MQTT-3.3.4-10].
      connection.send({ type: 'PUBREL', packetId: delivery.packetId });
      connection.awaitedPubcomps.push(delivery.packetId);
    } else {
      connection.toResend.push(delivery);
    }
  }
  sendWaiting(context, session, nowMs);
}

/** What `deliver` is told of the subscription, or subscriptions, that a message is sent for. */
export interface DeliveryTerms {
  qos: number;
  retain: boolean;
  identifiers: number[];
  /** Topic Filter of a Shared Subscription, or empty. */
  sharedBy: string;
}

/** Sends a message to a client, at once or when it can be. */
export function deliver(
  context: NaiveContext,
  session: NaiveSession,
  message: NaiveMessage,
  terms: DeliveryTerms,
  nowMs: number,
): void {
  const delivery: NaiveDelivery = { ...terms, message, packetId: 0, stage: 'waiting' };
  if (terms.qos === 0) {
    // QoS 0 is neither kept (4.1) nor held back by the quota (4.9).
    const connection = context.connectionOf(session);
    if (connection !== undefined && !isExpired(message, nowMs)) {
      sendPublish(connection, delivery, false, nowMs); // [MQTT-3.3.1-2]
    }
    return;
  }
  session.waiting.push(delivery);
  sendWaiting(context, session, nowMs);
}
