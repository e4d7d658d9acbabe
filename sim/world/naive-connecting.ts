/**
 * CONNECT and DISCONNECT (3.1, 3.2, 3.14), for the naive broker.
 */
import type { ConnectObject, PropertiesObject, ReasonObject } from '../../src/packets/inspect.ts';
import type { NaiveConnection } from './naive-connection.ts';
import type { NaiveContext } from './naive-context.ts';
import { resume } from './naive-delivering.ts';
import { forwardedProperties } from './naive-publishing.ts';
import { closeConnection, endSession, refuse } from './naive-sessions.ts';
import { NEVER_EXPIRES, NEVER_MS, type NaiveSession, type NaiveWill } from './naive-state.ts';

/** Refuses a CONNECT; `returnCode` is 3.1.1's, or -1 to say nothing. */
export function refuseConnect(
  context: NaiveContext,
  connection: NaiveConnection,
  reasonCode: number,
  returnCode: number,
  nowMs: number,
): void {
  const code = connection.isV5 ? reasonCode : returnCode;
  if (code >= 0) connection.send({ type: 'CONNACK', sessionPresent: false, reasonCode: code }); // [MQTT-3.2.2-6]
  refuse(context, connection, reasonCode, nowMs);
}

/** A Client Identifier that no session has [MQTT-3.2.2-16]. */
function assignClientId(context: NaiveContext): string {
  let clientId = `naive${context.random().toString(16)}`;
  while (context.session(clientId) !== undefined) clientId += 'x';
  return clientId;
}

function willOf(packet: ConnectObject, clientId: string, nowMs: number): NaiveWill | null {
  const { willTopic, willQos = 0, willRetain = false, willPayload = '', willProperties = {} } = packet;
  if (willTopic === undefined) return null;
  return {
    delaySeconds: willProperties.willDelayInterval ?? 0,
    message: {
      topicName: willTopic,
      qos: willQos,
      retain: willRetain, // [MQTT-3.1.2-14], [MQTT-3.1.2-15]
      payload: willPayload,
      properties: forwardedProperties(willProperties),
      messageExpiryInterval: willProperties.messageExpiryInterval ?? null,
      publishedMs: nowMs,
      publisherId: clientId,
    },
  };
}

/** What the server tells in a CONNACK that accepts (3.2.2.3). */
function connackProperties(context: NaiveContext, assignedClientId: string): PropertiesObject {
  const { options } = context;
  const properties: PropertiesObject = {};
  if (options.receiveMaximum < 65_535) properties.receiveMaximum = options.receiveMaximum;
  if (options.maximumPacketSize < 268_435_460) properties.maximumPacketSize = options.maximumPacketSize;
  if (options.topicAliasMaximum > 0) properties.topicAliasMaximum = options.topicAliasMaximum;
  if (options.maximumQos < 2) properties.maximumQos = options.maximumQos;
  if (!options.retainAvailable) properties.retainAvailable = 0;
  if (!options.wildcardSubscriptionAvailable) properties.wildcardSubscriptionAvailable = 0;
  if (!options.subscriptionIdentifiersAvailable) properties.subscriptionIdentifiersAvailable = 0;
  if (!options.sharedSubscriptionAvailable) properties.sharedSubscriptionAvailable = 0;
  if (options.serverKeepAliveSeconds > 0) properties.serverKeepAlive = options.serverKeepAliveSeconds;
  if (assignedClientId !== '') properties.assignedClientIdentifier = assignedClientId; // [MQTT-3.1.3-7]
  return properties;
}

/** Takes what CONNECT says of the connection. */
function readConnect(context: NaiveContext, connection: NaiveConnection, packet: ConnectObject): void {
  const { properties = {} } = packet;
  const { serverKeepAliveSeconds } = context.options;
  connection.keepAliveSeconds = packet.keepAlive ?? 0; // [MQTT-3.2.2-22]
  if (connection.isV5) {
    if (serverKeepAliveSeconds > 0) connection.keepAliveSeconds = serverKeepAliveSeconds;
    connection.expirySeconds = properties.sessionExpiryInterval ?? 0;
    connection.receiveMaximum = properties.receiveMaximum ?? 65_535;
    connection.maximumPacketSize = properties.maximumPacketSize ?? connection.maximumPacketSize;
    connection.topicAliasMaximum = properties.topicAliasMaximum ?? 0;
  } else {
    // Clean Session 1 ends with the connection, 0 does not end by itself [v3.1.1 MQTT-3.1.2-4 to 6].
    connection.expirySeconds = packet.cleanStart === true ? 0 : NEVER_EXPIRES;
  }
}

/** Whether CONNECT can be accepted; if not, the connection was ended. */
function isAcceptable(
  context: NaiveContext,
  connection: NaiveConnection,
  packet: ConnectObject,
  nowMs: number,
): boolean {
  const { maximumQos, retainAvailable } = context.options;
  if (packet.properties?.authenticationMethod !== undefined) {
    refuseConnect(context, connection, 0x8c, -1, nowMs); // [MQTT-4.12.0-1]
  } else if (packet.willTopic !== undefined && (packet.willQos ?? 0) > maximumQos) {
    refuseConnect(context, connection, 0x9b, -1, nowMs); // [MQTT-3.2.2-12]
  } else if (packet.willRetain === true && !retainAvailable) {
    refuseConnect(context, connection, 0x9a, -1, nowMs); // [MQTT-3.2.2-13]
  } else if (!connection.isV5 && packet.clientId === '' && packet.cleanStart !== true) {
    context.note(connection, '', 'MQTT-3.1.3-7', 'no Client Identifier, and Clean Session 0', nowMs);
    refuseConnect(context, connection, 0x85, 2, nowMs); // [v3.1.1 MQTT-3.1.3-8]
  }
  return !connection.isOver;
}

export function handleConnect(
  context: NaiveContext,
  connection: NaiveConnection,
  packet: ConnectObject,
  nowMs: number,
): void {
  connection.protocolVersion = packet.protocolVersion ?? 5;
  readConnect(context, connection, packet);
  if (!isAcceptable(context, connection, packet, nowMs)) return;
  const assignedClientId = packet.clientId === '' ? assignClientId(context) : '';
  const clientId = assignedClientId || (packet.clientId ?? '');
  connection.clientId = clientId;

  // 1. The Client Identifier may be connected: the session may end with that connection [MQTT-3.1.4-3].
  const rival = context.connections.find((one) => one.session?.clientId === clientId);
  if (rival !== undefined) refuse(context, rival, 0x8e, nowMs);
  // 2. Clean Start [MQTT-3.1.4-4].
  let session = context.session(clientId);
  if (session !== undefined && packet.cleanStart === true) {
    endSession(context, session, nowMs); // [MQTT-3.1.2-4]
    session = undefined;
  }
  connection.isSessionPresent = session !== undefined;
  if (session === undefined) {
    session = newSession(clientId); // [MQTT-3.1.2-6]
    context.state.sessions.push(session);
  }
  session.isConnected = true;
  session.expirySeconds = connection.expirySeconds;
  session.endsMs = NEVER_MS;
  session.will = willOf(packet, clientId, nowMs); // An earlier one is not published [MQTT-3.1.3-9].
  session.willMs = NEVER_MS;
  connection.session = session;
  connection.hasConnected = true;
  context.watcher?.handleConnected(clientId);

  // 3. CONNACK [MQTT-3.1.4-5], [MQTT-3.2.2-2], [MQTT-3.2.2-3].
  const properties = connection.isV5 ? { properties: connackProperties(context, assignedClientId) } : {};
  const { isSessionPresent: sessionPresent } = connection;
  if (!connection.send({ type: 'CONNACK', sessionPresent, reasonCode: 0, ...properties })) {
    closeConnection(context, connection, nowMs);
    return;
  }
  // 4. Message delivery.
  resume(context, session, nowMs);
}

function newSession(clientId: string): NaiveSession {
  return {
    clientId,
    isConnected: true,
    expirySeconds: 0,
    endsMs: NEVER_MS,
    subscriptions: [],
    waiting: [],
    inflight: [],
    lastPacketId: 0,
    uses: [],
    publishCount: 0,
    will: null,
    willMs: NEVER_MS,
  };
}

export function handleDisconnect(
  context: NaiveContext,
  connection: NaiveConnection,
  session: NaiveSession,
  packet: ReasonObject,
  nowMs: number,
): void {
  const { reasonCode = 0, properties = {} } = packet;
  const expirySeconds = properties.sessionExpiryInterval;
  if (expirySeconds !== undefined && expirySeconds > 0 && connection.expirySeconds === 0) {
    const text = 'DISCONNECT with a Session Expiry Interval, after CONNECT without one';
    context.note(connection, 'MQTT-3.14.2.2.2', '', text, nowMs);
    refuse(context, connection, 0x82, nowMs);
    return;
  }
  if (expirySeconds !== undefined) session.expirySeconds = expirySeconds;
  if (reasonCode === 0) session.will = null; // [MQTT-3.14.4-3]
  connection.isGoodbye = reasonCode === 0;
  connection.hasDisconnected = true;
  closeConnection(context, connection, nowMs);
}
