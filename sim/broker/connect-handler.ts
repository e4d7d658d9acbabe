/**
 * CONNECT and AUTH from the server's side (3.1.4, 3.2, 3.15, 4.12): who is let in, with what, and who is told why not.
 */
import { encodeConnack } from '../../src/packets/connect.ts';
import { byteLengthAt, type Packet } from '../../src/packets/packet.ts';
import {
  P_ASSIGNED_CLIENT_IDENTIFIER,
  P_AUTHENTICATION_DATA,
  P_AUTHENTICATION_METHOD,
  P_MAXIMUM_PACKET_SIZE,
  P_MAXIMUM_QOS,
  P_REASON_STRING,
  P_RECEIVE_MAXIMUM,
  P_RESPONSE_INFORMATION,
  P_RETAIN_AVAILABLE,
  P_SERVER_KEEP_ALIVE,
  P_SERVER_REFERENCE,
  P_SESSION_EXPIRY_INTERVAL,
  P_SHARED_SUBSCRIPTION_AVAILABLE,
  P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
  P_TOPIC_ALIAS_MAXIMUM,
  P_WILDCARD_SUBSCRIPTION_AVAILABLE,
} from '../../src/packets/property-table.ts';
import { CONTINUE_AUTHENTICATION, RE_AUTHENTICATE } from '../../src/packets/reason-codes.ts';
import { AUTH, V5 } from '../../src/packets/types.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import type { ConnectRequest } from './connect-request.ts';
import { AUTHENTICATING, CONNECTED, PAUSED_BY_AUTHENTICATION, type ServerConnection } from './connection.ts';
import type { AuthenticationStep, ConnectAttempt, Verdict } from './hooks.ts';
import { countLevels } from './publisher.ts';
import {
  BAD_AUTHENTICATION_METHOD,
  BAD_USER_NAME_OR_PASSWORD,
  CLIENT_IDENTIFIER_NOT_VALID,
  CONNECTION_RATE_EXCEEDED,
  IMPLEMENTATION_SPECIFIC_ERROR,
  NOT_AUTHORIZED,
  PROTOCOL_ERROR,
  QOS_NOT_SUPPORTED,
  QUOTA_EXCEEDED,
  RETAIN_NOT_SUPPORTED,
  SERVER_BUSY,
  SUCCESS,
  TOPIC_NAME_INVALID,
  UNSPECIFIED_ERROR,
  USE_ANOTHER_SERVER,
  returnCodeOf,
} from './reasons.ts';

/** Fixed header, flags, code and property length, at their largest. */
const CONNACK_HEAD_BYTES = 9;

/** What a refusal says beside its code. */
interface Refusal {
  reasonCode: number;
  reasonString: string;
  serverReference?: string | undefined;
}

/** What a connection waits with while it is being authenticated. */
interface Pending {
  request: ConnectRequest;
  attempt: ConnectAttempt;
}

export class ConnectHandler {
  /** Goes on with the bytes that a connection has kept while it was paused. Set by the core. */
  proceed: (connection: ServerConnection, nowMs: number) => void = () => {};
  private readonly pending = new WeakMap<ServerConnection, Pending>();

  handleConnect(connection: ServerConnection, request: ConnectRequest, nowMs: number): void {
    connection.protocolVersion = request.protocolVersion;
    connection.maximumPacketSize = request.maximumPacketSize;
    connection.isProblemInformationWanted = request.isProblemInformationWanted;
    connection.state = AUTHENTICATING;
    const { origin } = connection;
    const { clientId, userName, password, protocolVersion, cleanStart } = request;
    const attempt = { clientId, userName, password, protocolVersion, cleanStart, origin, nowMs };
    this.pending.set(connection, { request, attempt });
    const refusal = this.findRefusal(connection, request);
    if (refusal !== null) {
      this.refuse(connection, refusal, nowMs);
    } else if (request.authenticationMethod !== null) {
      this.beginExchange(connection, request.authenticationMethod, attempt, nowMs);
      this.step(connection, request.authenticationData, nowMs);
    } else {
      // Where nobody asks for credentials, a user name is a claim and no more.
      const anyone = { reasonCode: SUCCESS, userName: null };
      const verdict = connection.rooms.context.hooks.authenticate?.(attempt) ?? anyone;
      this.await(connection, verdict, true, nowMs, (settled, atMs) =>
        this.handleVerdict(connection, settled, atMs),
      );
    }
  }

  /** What can be said before anybody is asked for a name. */
  private findRefusal(connection: ServerConnection, request: ConnectRequest): Refusal | null {
    const { context, connections } = connection.rooms;
    const { limits, offer, faults } = context;
    const { will } = request;
    if (faults.refuseConnects !== 0) return refusal(faults.refuseConnects, 'the server was told to refuse');
    if (offer.serverReference !== null) {
      const { serverReference } = offer;
      return { ...refusal(USE_ANOTHER_SERVER, 'this server sends its clients elsewhere'), serverReference };
    }
    if (connections > limits.connectionsMax) {
      context.hit('connectionsMax');
      return refusal(SERVER_BUSY, 'the server has as many connections as it takes');
    }
    // [v3.1.1 MQTT-3.1.3-8]: who asks for a kept session must name it.
    if (request.isAssigned && request.protocolVersion !== V5 && !request.cleanStart) {
      return refusal(CLIENT_IDENTIFIER_NOT_VALID, 'a kept session needs a client identifier');
    }
    if (request.clientIdByteLength > limits.clientIdBytesMax) {
      context.hit('clientIdBytesMax');
      return refusal(CLIENT_IDENTIFIER_NOT_VALID, `more than ${limits.clientIdBytesMax} bytes`);
    }
    if (will === null) return null;
    if (will.message.qos > offer.maximumQos) {
      return refusal(QOS_NOT_SUPPORTED, 'the QoS of the will is above the Maximum QoS'); // [MQTT-3.2.2-12]
    }
    if (will.message.isRetain && !offer.isRetainAvailable) {
      return refusal(RETAIN_NOT_SUPPORTED, 'the will is to be retained, which is not supported'); // [MQTT-3.2.2-13]
    }
    if (countLevels(will.message.topicName) > limits.topicLevelsMax) {
      context.hit('topicLevelsMax');
      return refusal(TOPIC_NAME_INVALID, 'the topic of the will has too many levels');
    }
    return null;
  }

  // --- Authentication ----------------------------------------------------------------------------------------------

  private beginExchange(
    connection: ServerConnection,
    name: string,
    attempt: ConnectAttempt,
    nowMs: number,
  ): void {
    const method = connection.rooms.context.hooks.methods?.find((one) => one.name === name);
    if (method === undefined) {
      // [MQTT-4.12.0-1]
      this.refuse(connection, refusal(BAD_AUTHENTICATION_METHOD, 'an unknown authentication method'), nowMs);
      return;
    }
    connection.authenticationMethod = name;
    connection.exchange = method.begin(attempt);
  }

  /** Handles AUTH: the next step of an exchange, or the first of another (4.12.1). */
  handleAuth(connection: ServerConnection, packet: Packet, bytes: Uint8Array, nowMs: number): void {
    const method = textOf(packet, bytes, P_AUTHENTICATION_METHOD);
    const isAgain = packet.reasonCode === RE_AUTHENTICATE;
    const pending = this.pending.get(connection);
    // The same method throughout [MQTT-4.12.0-5], [MQTT-4.12.1-1]; and none without one [MQTT-4.12.0-6].
    if (connection.authenticationMethod === null || method !== connection.authenticationMethod) {
      this.violate(connection, 'an AUTH of another method than that of CONNECT, or of none', nowMs);
      return;
    }
    if (isAgain === (connection.exchange !== null) || (isAgain && connection.state !== CONNECTED)) {
      this.violate(connection, 'an AUTH that does not fit the exchange', nowMs);
      return;
    }
    if (isAgain && pending !== undefined) {
      pending.attempt = { ...pending.attempt, nowMs };
      this.beginExchange(connection, method, pending.attempt, nowMs);
    }
    this.step(connection, datumOf(packet, bytes, P_AUTHENTICATION_DATA), nowMs);
  }

  private violate(connection: ServerConnection, text: string, nowMs: number): void {
    if (connection.state === CONNECTED) connection.end(PROTOCOL_ERROR, text, nowMs);
    else this.refuse(connection, refusal(PROTOCOL_ERROR, text), nowMs);
  }

  private step(connection: ServerConnection, data: Uint8Array | null, nowMs: number): void {
    const { exchange } = connection;
    if (exchange === null) return;
    let result: AuthenticationStep | Promise<AuthenticationStep>;
    try {
      result = exchange.step(data);
    } catch {
      result = { kind: 'failure', reasonCode: UNSPECIFIED_ERROR };
    }
    // While a connected client authenticates anew, everything else goes on (4.12.1).
    const mustWait = connection.state === AUTHENTICATING;
    this.await(connection, result, mustWait, nowMs, (settled, atMs) =>
      this.handleStep(connection, settled, atMs),
    );
  }

  /** Calls `then` with what `result` becomes, unless the connection is over by then. */
  private await<T extends object>(
    connection: ServerConnection,
    result: T | Promise<T>,
    mustPause: boolean,
    nowMs: number,
    then: (settled: T | null, nowMs: number) => void,
  ): void {
    if (!(result instanceof Promise)) {
      then(result, nowMs);
      return;
    }
    const before = connection.state;
    if (mustPause) connection.pause(PAUSED_BY_AUTHENTICATION);
    const settle = (settled: T | null): void => {
      if (connection.state !== before) return;
      const atMs = connection.rooms.nowMs;
      then(settled, atMs);
      if (connection.resume(PAUSED_BY_AUTHENTICATION)) this.proceed(connection, atMs);
    };
    result.then(settle, () => settle(null));
  }

  private handleStep(connection: ServerConnection, step: AuthenticationStep | null, nowMs: number): void {
    const pending = this.pending.get(connection);
    if (pending === undefined || connection.authenticationMethod === null) return;
    const { request, attempt } = pending;
    const isNew = connection.state === AUTHENTICATING;
    if (step?.kind === 'continue') {
      this.writeAuth(connection, CONTINUE_AUTHENTICATION, step.data, nowMs); // [MQTT-4.12.0-2]
      return;
    }
    connection.exchange = null;
    const { hooks, counters } = connection.rooms.context;
    if (step?.kind === 'success' && (isNew || step.userName === connection.view.userName)) {
      hooks.authenticated?.(attempt, true);
      if (isNew) this.accept(connection, request, step.userName, step.data, nowMs);
      else this.writeAuth(connection, SUCCESS, step.data, nowMs);
      return;
    }
    hooks.authenticated?.(attempt, false);
    counters.authenticationFailures++;
    const failed = step?.kind === 'failure' ? step : null;
    const reasonCode = failed?.reasonCode ?? (step === null ? UNSPECIFIED_ERROR : NOT_AUTHORIZED);
    if (reasonCode === CONNECTION_RATE_EXCEEDED) connection.rooms.context.hit('authenticationFailuresMax');
    const reasonString = failed?.reasonString ?? 'the authentication failed';
    // [MQTT-4.12.0-4]; of one who was connected the connection ends [MQTT-4.12.1-2].
    if (isNew) this.refuse(connection, refusal(reasonCode, reasonString), nowMs);
    else connection.end(reasonCode, reasonString, nowMs);
  }

  private handleVerdict(connection: ServerConnection, verdict: Verdict | null, nowMs: number): void {
    const pending = this.pending.get(connection);
    if (pending === undefined) return;
    const { request, attempt } = pending;
    const { hooks, counters } = connection.rooms.context;
    const reasonCode = verdict?.reasonCode ?? UNSPECIFIED_ERROR;
    hooks.authenticated?.(attempt, reasonCode === SUCCESS);
    if (verdict === null || reasonCode !== SUCCESS) {
      if (reasonCode === BAD_USER_NAME_OR_PASSWORD || reasonCode === NOT_AUTHORIZED) {
        counters.authenticationFailures++;
      } else if (reasonCode === CONNECTION_RATE_EXCEEDED) {
        connection.rooms.context.hit('authenticationFailuresMax');
      }
      const reasonString = verdict?.reasonString ?? 'the server does not let this client in';
      this.refuse(connection, { reasonCode, reasonString, serverReference: verdict?.serverReference }, nowMs);
      return;
    }
    const { userName = request.userName } = verdict;
    this.accept(connection, request, userName, null, nowMs);
  }

  // --- Answers -----------------------------------------------------------------------------------------------------

  private accept(
    connection: ServerConnection,
    request: ConnectRequest,
    userName: string | null,
    data: Uint8Array | null,
    nowMs: number,
  ): void {
    const { rooms } = connection;
    const { context, sessions } = rooms;
    const { clientId, protocolVersion, cleanStart, will } = request;
    const view = { clientId, userName, protocolVersion, origin: connection.origin };
    const existing = sessions.get(clientId);
    if (existing !== undefined && existing.userName !== userName) {
      // Knowing a client identifier is not enough to have what waits for it.
      this.refuse(connection, refusal(NOT_AUTHORIZED, "this client identifier is another user's"), nowMs);
      return;
    }
    if (will !== null && context.hooks.authorise?.(view, 'publish', will.message.topicName) === false) {
      this.refuse(
        connection,
        refusal(NOT_AUTHORIZED, 'the will is to a topic that this client may not publish to'),
        nowMs,
      );
      return;
    }
    if (existing === undefined && sessions.count >= context.limits.sessionsMax) {
      context.hit('sessionsMax');
      this.refuse(connection, refusal(QUOTA_EXCEEDED, 'the server keeps as many sessions as it can'), nowMs);
      return;
    }
    connection.view = view;
    connection.receiveMaximum = Math.min(request.receiveMaximum, context.limits.inflightMax);
    connection.outgoingAliasMaximum = Math.min(
      request.topicAliasMaximum,
      context.limits.outgoingTopicAliasMax,
    );
    connection.keepAliveSeconds = this.keepAliveOf(connection, request);
    connection.askedExpirySeconds = request.sessionExpirySeconds;
    const expirySeconds = Math.min(request.sessionExpirySeconds, context.limits.sessionExpirySecondsMax);
    // A session of 3.1.1 asks for no time: it is not counted.
    if (connection.isV5 && expirySeconds < request.sessionExpirySeconds) {
      context.hit('sessionExpirySecondsMax');
    }
    this.fillConnack(connection, request, expirySeconds, data);
    if (CONNACK_HEAD_BYTES + rooms.properties.byteLength > connection.maximumPacketSize) {
      const reasonString = 'its CONNACK is larger than the client takes'; // [MQTT-3.1.2-24]
      this.refuse(connection, refusal(IMPLEMENTATION_SPECIFIC_ERROR, reasonString), nowMs);
      return;
    }
    const { session, isPresent } = sessions.open(connection, cleanStart, expirySeconds, will, nowMs);
    connection.session = session;
    connection.state = CONNECTED;
    // Filled in anew: what opening it had to say to others was written with the same writer.
    this.fillConnack(connection, request, expirySeconds, data);
    this.writeConnack(connection, isPresent, SUCCESS);
    // Only who may authenticate anew needs what it said again.
    if (request.authenticationMethod === null) this.pending.delete(connection);
    context.counters.connectsAccepted++;
    connection.startKeepAlive(nowMs);
    // Before anybody can think of something new to send: what was sent before goes first.
    if (isPresent) rooms.deliveries.resume(session, nowMs);
    context.hooks.connected?.(view, isPresent);
  }

  private keepAliveOf({ rooms }: ServerConnection, { keepAliveSeconds }: ConnectRequest): number {
    const { offer, limits } = rooms.context;
    if (offer.serverKeepAliveSeconds > 0) return offer.serverKeepAliveSeconds;
    const max = limits.keepAliveSecondsMax;
    if (max === 0 || (keepAliveSeconds > 0 && keepAliveSeconds <= max)) return keepAliveSeconds;
    rooms.context.hit('keepAliveSecondsMax');
    return max;
  }

  /** What the client has to know that it cannot assume (3.2.2.3). */
  private fillConnack(
    connection: ServerConnection,
    request: ConnectRequest,
    expirySeconds: number,
    data: Uint8Array | null,
  ): void {
    const { properties, context } = connection.rooms;
    const { offer, limits } = context;
    properties.clear();
    if (connection.protocolVersion !== V5) return;
    if (expirySeconds !== request.sessionExpirySeconds) {
      properties.addNumber(P_SESSION_EXPIRY_INTERVAL, expirySeconds); // (3.2.2.3.2)
    }
    if (limits.receiveMaximum !== 65_535) properties.addNumber(P_RECEIVE_MAXIMUM, limits.receiveMaximum);
    if (offer.maximumQos !== 2) properties.addNumber(P_MAXIMUM_QOS, offer.maximumQos); // [MQTT-3.2.2-9]
    if (!offer.isRetainAvailable) properties.addNumber(P_RETAIN_AVAILABLE, 0);
    properties.addNumber(P_MAXIMUM_PACKET_SIZE, limits.maximumPacketSize);
    if (request.isAssigned) properties.addText(P_ASSIGNED_CLIENT_IDENTIFIER, request.clientId); // [MQTT-3.2.2-16]
    if (limits.topicAliasMaximum > 0) properties.addNumber(P_TOPIC_ALIAS_MAXIMUM, limits.topicAliasMaximum);
    if (!offer.areWildcardsAvailable) properties.addNumber(P_WILDCARD_SUBSCRIPTION_AVAILABLE, 0);
    if (!offer.areIdentifiersAvailable) properties.addNumber(P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 0);
    if (!offer.areSharedAvailable) properties.addNumber(P_SHARED_SUBSCRIPTION_AVAILABLE, 0);
    if (connection.keepAliveSeconds !== request.keepAliveSeconds) {
      properties.addNumber(P_SERVER_KEEP_ALIVE, connection.keepAliveSeconds); // [MQTT-3.2.2-22]
    }
    if (request.isResponseInformationWanted && offer.responseInformation !== null) {
      const text = offer.responseInformation.replaceAll('%c', () => request.clientId);
      properties.addText(P_RESPONSE_INFORMATION, text);
    }
    if (request.authenticationMethod !== null) {
      properties.addText(P_AUTHENTICATION_METHOD, request.authenticationMethod);
      if (data !== null) properties.addBytes(P_AUTHENTICATION_DATA, data);
    }
  }

  /** Writes CONNACK with what the property writer holds; false when the client does not take one so large. */
  private writeConnack(connection: ServerConnection, isPresent: boolean, reasonCode: number): boolean {
    const { output, rooms, protocolVersion, maximumPacketSize } = connection;
    const { properties } = rooms;
    output.reserve(16 + properties.byteLength);
    const { bytes, end } = output;
    const code = protocolVersion === V5 ? reasonCode : returnCodeOf(reasonCode);
    const behind = encodeConnack(
      bytes,
      end,
      bytes.length,
      protocolVersion,
      isPresent ? 1 : 0,
      code,
      properties.bytes,
      properties.byteLength,
    );
    if (behind - end > maximumPacketSize) return false;
    output.end = behind;
    rooms.context.counters.packetsSent++;
    rooms.touch(connection);
    return true;
  }

  /** Refuses a CONNECT: CONNACK with the code, then the end [MQTT-3.1.4-2], [MQTT-3.2.2-7]. */
  refuse(
    connection: ServerConnection,
    { reasonCode, reasonString, serverReference }: Refusal,
    nowMs: number,
  ): void {
    const { properties } = connection.rooms;
    const clientId = this.pending.get(connection)?.request.clientId ?? '';
    properties.clear();
    if (connection.protocolVersion === V5) {
      if (serverReference !== undefined) properties.addText(P_SERVER_REFERENCE, serverReference);
      if (connection.isProblemInformationWanted) properties.addText(P_REASON_STRING, reasonString);
    }
    if (!this.writeConnack(connection, false, reasonCode)) {
      properties.clear();
      this.writeConnack(connection, false, reasonCode);
    }
    this.pending.delete(connection);
    connection.refuse(clientId, reasonCode, reasonString, nowMs);
  }

  private writeAuth(
    connection: ServerConnection,
    reasonCode: number,
    data: Uint8Array | null,
    nowMs: number,
  ): void {
    const { properties } = connection.rooms;
    properties.clear();
    properties.addText(P_AUTHENTICATION_METHOD, connection.authenticationMethod ?? '');
    if (data !== null) properties.addBytes(P_AUTHENTICATION_DATA, data);
    if (connection.writeReason(AUTH, reasonCode)) return;
    const reasonString = 'its AUTH is larger than the client takes';
    if (connection.state === CONNECTED) connection.end(IMPLEMENTATION_SPECIFIC_ERROR, reasonString, nowMs);
    else this.refuse(connection, refusal(IMPLEMENTATION_SPECIFIC_ERROR, reasonString), nowMs);
  }
}

function refusal(reasonCode: number, reasonString: string): Refusal {
  return { reasonCode, reasonString };
}

function datumOf(packet: Packet, bytes: Uint8Array, row: number): Uint8Array | null {
  if (!packet.has(row)) return null;
  const offset = packet.values[row];
  return bytes.slice(offset, offset + byteLengthAt(bytes, offset));
}

function textOf(packet: Packet, bytes: Uint8Array, row: number): string | null {
  const datum = datumOf(packet, bytes, row);
  return datum === null ? null : decodeUtf8(datum, 0, datum.length);
}
