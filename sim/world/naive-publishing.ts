/**
 * PUBLISH and PUBREL from a client: whether it may send them, what they mean, and their answers (3.3, 3.6, 4.3). For the
 * naive broker.
 */
import type { AckObject, PropertiesObject, PublishObject } from '../../src/packets/inspect.ts';
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import { publish } from './naive-routing.ts';
import { refuse } from './naive-sessions.ts';
import type { NaiveMessage, NaiveSession, NaiveUse } from './naive-state.ts';
import { isHexUtf8 } from './naive-utf8.ts';

/** What of PUBLISH's properties goes on to the subscribers as it is (3.3.2.3). */
export function forwardedProperties(properties: PropertiesObject): PropertiesObject {
  const forwarded: PropertiesObject = {};
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  if (payloadFormatIndicator !== undefined) forwarded.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) forwarded.contentType = contentType;
  if (responseTopic !== undefined) forwarded.responseTopic = responseTopic;
  if (correlationData !== undefined) forwarded.correlationData = correlationData;
  if (userProperties !== undefined) forwarded.userProperties = userProperties;
  return forwarded;
}

/** The Topic Name that a PUBLISH is for, or null when the connection was ended for its Topic Alias (3.3.4). */
function resolveTopic(
  context: NaiveContext,
  connection: NaiveConnection,
  packet: PublishObject,
  nowMs: number,
): string | null {
  const topicName = packet.topicName ?? '';
  const alias = packet.properties?.topicAlias;
  if (alias === undefined) return topicName;
  const maximum = context.options.topicAliasMaximum;
  if (alias === 0 || alias > maximum) {
    const clause = maximum === 0 ? 'MQTT-3.2.2-18' : 'MQTT-3.3.2-9';
    context.note(connection, clause, '', `Topic Alias ${alias}, Topic Alias Maximum ${maximum}`, nowMs);
    refuse(context, connection, 0x94, nowMs);
    return null;
  }
  if (topicName !== '') {
    connection.aliasesIn.set(alias, topicName);
    return topicName;
  }
  const known = connection.aliasesIn.get(alias);
  if (known !== undefined) return known;
  context.note(connection, 'MQTT-3.3.4', '', `Topic Alias ${alias} stands for nothing yet`, nowMs);
  refuse(context, connection, 0x82, nowMs);
  return null;
}

/** Whether the server offers what the PUBLISH uses; if not, the connection was ended. */
function isOffered(
  context: NaiveContext,
  connection: NaiveConnection,
  packet: PublishObject,
  nowMs: number,
): boolean {
  const { maximumQos, retainAvailable } = context.options;
  if ((packet.qos ?? 0) > maximumQos) {
    context.note(connection, 'MQTT-3.2.2-11', 'MQTT-3.3.1.2', `PUBLISH of QoS ${packet.qos ?? 0}`, nowMs);
    refuse(context, connection, 0x9b, nowMs);
    return false;
  }
  if (packet.retain === true && !retainAvailable) {
    context.note(connection, 'MQTT-3.2.2-14', 'MQTT-3.3.1.3', 'PUBLISH with RETAIN', nowMs);
    refuse(context, connection, 0x9a, nowMs);
    return false;
  }
  return true;
}

/** Counts a QoS 1 or 2 PUBLISH. False: one too many, and the connection was ended [MQTT-3.3.4-7]. */
function isWithinQuota(
  context: NaiveContext,
  connection: NaiveConnection,
  packetId: number,
  nowMs: number,
): boolean {
  const { unanswered } = connection;
  if (unanswered.includes(packetId)) return true;
  if (connection.isV5 && unanswered.length >= context.options.receiveMaximum) {
    const text = `PUBLISH ${packetId} beyond a Receive Maximum of ${context.options.receiveMaximum}`;
    context.note(connection, 'MQTT-3.3.4-7', '', text, nowMs);
    refuse(context, connection, 0x93, nowMs);
    return false;
  }
  unanswered.push(packetId);
  return true;
}

/** Notes what is wrong with sending a PUBLISH whose Packet Identifier is in use. */
function checkReuse(
  context: NaiveContext,
  connection: NaiveConnection,
  use: NaiveUse,
  fingerprint: string,
  dup: boolean,
  nowMs: number,
): void {
  const { packetId } = use;
  if (use.fingerprint !== fingerprint) {
    const text = `Packet Identifier ${packetId} is in use for another ${use.kind}`;
    context.note(connection, 'MQTT-2.2.1-3', 'MQTT-2.3.1-2', text, nowMs);
    return;
  }
  if (use.stage === 'released') {
    const text = `PUBLISH ${packetId} again after its PUBREL`;
    context.note(connection, 'MQTT-4.3.3-6', 'MQTT-4.3.3-1', text, nowMs);
  }
  const isHere = use.connectionNumber === connection.number;
  if (!dup) {
    context.note(connection, 'MQTT-3.3.1-1', 'MQTT-3.3.1-1', `PUBLISH ${packetId} again without DUP`, nowMs);
  }
  if (isHere) {
    // 3.1.1 does not forbid it.
    if (!connection.isV5) return;
    const text = `PUBLISH ${packetId} again on the same connection`;
    context.note(connection, 'MQTT-4.4.0-1', '', text, nowMs);
    return;
  }
  if (use.order === 0) return;
  if (use.order < connection.lastResentOrder) {
    const text = `PUBLISH ${packetId} again behind one that was sent later`;
    context.note(connection, 'MQTT-4.6.0-1', 'MQTT-4.6.0-1', text, nowMs);
  }
  connection.lastResentOrder = use.order;
}

function without(list: number[], packetId: number): number[] {
  return list.filter((one) => one !== packetId);
}

function forget(session: NaiveSession, use: NaiveUse): void {
  session.uses = session.uses.filter((one) => one !== use);
}

/** Answers a QoS 1 or 2 PUBLISH. */
function acknowledge(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  use: NaiveUse,
  reasonCode: number,
  nowMs: number,
): void {
  const { packetId, qos } = use;
  const isSpoken = connection.isV5 && reasonCode !== 0;
  const packet: AckObject = {
    type: qos === 1 ? 'PUBACK' : 'PUBREC',
    packetId,
    ...(isSpoken ? { reasonCode } : {}),
  };
  const handleWritten = (): void => {
    if (qos === 1 || reasonCode >= 0x80) {
      connection.unanswered = without(connection.unanswered, packetId);
      forget(session, use);
      return;
    }
    if (use.stage === 'open') use.stage = 'received';
    if (!connection.pubrecs.includes(packetId)) connection.pubrecs.push(packetId);
  };
  context.answer(connection, packet, handleWritten, nowMs);
}

export function handlePublish(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packet: PublishObject,
  nowMs: number,
): void {
  if (!isOffered(context, connection, packet, nowMs)) return;
  const topicName = resolveTopic(context, connection, packet, nowMs);
  if (topicName === null) return;
  const { qos = 0, retain = false, dup = false, payload = '', packetId = 0, properties = {} } = packet;
  const message: NaiveMessage = {
    topicName,
    qos,
    retain,
    payload,
    properties: forwardedProperties(properties),
    messageExpiryInterval: properties.messageExpiryInterval ?? null,
    publishedMs: nowMs,
    publisherId: session.clientId,
  };
  const isText = properties.payloadFormatIndicator !== 1 || isHexUtf8(payload);
  if (!isText) {
    const text = 'the payload is not the UTF-8 that its Payload Format Indicator tells of';
    context.note(connection, 'MQTT-3.3.2.3.2', '', text, nowMs);
  }
  if (qos === 0) {
    if (isText) publish(context, message, nowMs);
    else refuse(context, connection, 0x99, nowMs);
    return;
  }
  if (!isWithinQuota(context, connection, packetId, nowMs)) return;
  const fingerprint = `${qos} ${retain ? 'retain ' : ''}${payload} ${topicName}`;
  const earlier = session.uses.find((one) => one.packetId === packetId);
  if (earlier !== undefined) {
    checkReuse(context, connection, earlier, fingerprint, dup, nowMs);
  } else if (dup && connection.isV5 && !connection.isSessionPresent) {
    const text = `PUBLISH ${packetId} with DUP in a session in which it cannot have been sent`;
    context.note(connection, qos === 1 ? 'MQTT-4.3.2-2' : 'MQTT-4.3.3-2', '', text, nowMs);
  }
  const isAgain = earlier?.fingerprint === fingerprint;
  // With DUP it may have been sent before others that came: who knows.
  const order = dup ? 0 : ++session.publishCount;
  const use: NaiveUse = {
    packetId,
    kind: 'PUBLISH',
    qos,
    stage: 'open',
    fingerprint,
    order: isAgain ? earlier.order : order,
    connectionNumber: connection.number,
  };
  session.uses = [...session.uses.filter((one) => one.packetId !== packetId), use];
  connection.completed = without(connection.completed, packetId);
  // Until PUBREL the server answers with PUBREC, and delivers nothing again [MQTT-4.3.3-10].
  const isOwned = qos === 2 && earlier?.kind === 'PUBLISH' && earlier.qos === 2;
  if (isOwned && earlier.stage !== 'released') use.stage = earlier.stage;
  if (!isText) {
    acknowledge(context, connection, session, use, 0x99, nowMs);
    return;
  }
  const isDelivered = isOwned && (earlier.stage !== 'released' || isAgain);
  const isWanted = isDelivered || publish(context, message, nowMs);
  acknowledge(context, connection, session, use, isWanted ? 0 : 0x10, nowMs);
}

export function handlePubrel(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packet: AckObject,
  nowMs: number,
): void {
  const { packetId } = packet;
  const use = session.uses.find((one) => one.packetId === packetId && one.qos === 2);
  if (use === undefined) {
    if (connection.isV5 && !connection.isSessionPresent && !connection.completed.includes(packetId)) {
      const text = `PUBREL ${packetId} in a session in which there was no such PUBREC`;
      context.note(connection, 'MQTT-4.3.3-4', '', text, nowMs);
    }
  } else if (use.stage === 'open') {
    const text = `PUBREL ${packetId} before PUBREC`;
    context.note(connection, 'MQTT-4.3.3-4', 'MQTT-4.3.3-1', text, nowMs);
  }
  const isRepeated = use === undefined ? connection.completed.includes(packetId) : use.stage === 'released';
  const isHere = use === undefined || use.connectionNumber === connection.number;
  if (isRepeated && isHere && connection.isV5) {
    context.note(connection, 'MQTT-4.4.0-1', '', `PUBREL ${packetId} again on the same connection`, nowMs);
  }
  if (connection.pubrecs.indexOf(packetId) > 0) {
    const text = `PUBREL ${packetId} before that of an earlier PUBREC`;
    context.note(connection, 'MQTT-4.6.0-4', 'MQTT-4.6.0-4', text, nowMs);
  }
  connection.pubrecs = without(connection.pubrecs, packetId);
  if (use !== undefined) {
    use.stage = 'released';
    use.connectionNumber = connection.number;
  }
  const isSpoken = use === undefined && connection.isV5;
  // [MQTT-4.3.3-11]; 0x92 is no error in a session that goes on (3.7.2.1).
  const answer: AckObject = { type: 'PUBCOMP', packetId, ...(isSpoken ? { reasonCode: 0x92 } : {}) };
  const handleWritten = (): void => {
    if (use?.stage === 'released') forget(session, use);
    connection.unanswered = without(connection.unanswered, packetId);
    if (!connection.completed.includes(packetId)) connection.completed.push(packetId);
  };
  context.answer(connection, answer, handleWritten, nowMs);
}
