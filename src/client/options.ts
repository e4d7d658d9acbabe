/**
 * The options of the promise client, and the session options they make.
 */
import { check, checkInteger, codedError } from '../assert.ts';
import { FOUR_BYTE_INTEGER_MAX, RECEIVE_WINDOW_BYTES_MIN, TRANSMIT_RING_BYTES_MIN } from '../limits.ts';
import { isReasonCodeValid } from '../packets/reason-codes.ts';
import { DISCONNECT, FROM_CLIENT, V3_1_1, V5 } from '../packets/types.ts';
import type { ReconnectOptions, UserProperties, WillOptions } from '../session/options.ts';
import { OVERFLOW_DROP_OLDEST_QOS_0, OVERFLOW_REFUSE, refuseOn311 } from '../session/options.ts';
import type { PersistentStore } from '../session/store.ts';
import type { BufferLimits, DriverSessionOptions } from './driver.ts';
import type { PacketProperties } from './message.ts';

/** Enhanced authentication (4.12): what to say, in bytes only the method understands. */
export interface Authentication {
  /** The Authentication Method, such as `SCRAM-SHA-256`. */
  method: string;
  /** The first data, for each CONNECT anew. */
  start(): Uint8Array | null | Promise<Uint8Array | null>;
  /** The answer to the server's data. */
  next(data: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>;
  /** The server has accepted; `data` is its last word. What is thrown ends the connection. */
  finish?(data: Uint8Array | undefined): void;
}

export interface ClientOptions extends BufferLimits {
  /** Default '5.0'. */
  protocol?: '5.0' | '3.1.1' | undefined;
  /** Default: the server assigns one. */
  clientId?: string | undefined;
  /** Default true. */
  cleanStart?: boolean | undefined;
  /** 0 (off) to 65,535; default 60. */
  keepAliveSeconds?: number | undefined;
  /** 5.0. How long the session outlives its connection; default 0. */
  sessionExpirySeconds?: number | undefined;
  /**
   * Incoming QoS 1 and 2 messages that may be unacknowledged. Default 65,535, which is no limit: Mosquitto 2.0.11 breaks
   * lower ones, and with that the connection, whenever much waits for the client.
   */
  receiveMaximum?: number | undefined;
  /** 5.0. Bytes of the largest packet the server may send. */
  maximumPacketSize?: number | undefined;
  /** 5.0. Aliases the server may use; default 32. */
  topicAliasMaximum?: number | undefined;
  /** 5.0. Aliases to use at most, as far as the server allows; default 64. */
  outgoingAliasesMax?: number | undefined;
  /**
   * Outgoing QoS 1 and 2 messages in flight; default 1,024, or what the server allows. A 3.1.1 server cannot say what
   * it allows, and may lose what is beyond without a word: there the default is 20, all that Mosquitto bears.
   */
  inflightMax?: number | undefined;
  userName?: string | undefined;
  password?: Uint8Array | string | undefined;
  will?: WillOptions | undefined;
  /** 5.0. Of CONNECT. */
  userProperties?: UserProperties | undefined;
  /** 5.0. */
  requestResponseInformation?: boolean | undefined;
  /** 5.0. */
  requestProblemInformation?: boolean | undefined;
  /** 5.0. */
  authentication?: Authentication | undefined;
  /** Default: for ever, from 1 s up to 60 s apart; false: never. */
  reconnect?: ReconnectOptions | false | undefined;
  /** Also reconnect when the very first attempt fails; default false: `connect` rejects. */
  retryFirstConnect?: boolean | undefined;
  connectTimeoutMs?: number | undefined;
  pingTimeoutMs?: number | undefined;
  /** Messages are acknowledged by their `acknowledge`; default false. */
  manualAcknowledgement?: boolean | undefined;
  /** QoS 0 waits while there is no connection; default true. */
  queueQos0?: boolean | undefined;
  /** A full outbox: 'refuse' (default) new messages, or 'drop-oldest-qos-0' that wait. */
  overflow?: 'refuse' | 'drop-oldest-qos-0' | undefined;
  /** Where in-flight state is kept across restarts. */
  store?: PersistentStore | undefined;
}

/** What `publish` may be given; with 3.1.1 only QoS and retain. */
export interface PublishOptions {
  /** Default 0. */
  qos?: 0 | 1 | 2 | undefined;
  /** Default false. */
  retain?: boolean | undefined;
  messageExpirySeconds?: number | undefined;
  /** 1: the payload is UTF-8. */
  payloadFormatIndicator?: 0 | 1 | undefined;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  correlationData?: Uint8Array | undefined;
  userProperties?: UserProperties | undefined;
}

export interface SubscribeOptions {
  /** Default 0. */
  qos?: 0 | 1 | 2 | undefined;
  /** 5.0: not this client's own messages. */
  noLocal?: boolean | undefined;
  /** 5.0. */
  retainAsPublished?: boolean | undefined;
  /** 5.0: 0 retained messages at subscribing, 1 only if it is new, 2 none. */
  retainHandling?: 0 | 1 | 2 | undefined;
  /** 5.0. */
  userProperties?: UserProperties | undefined;
  /**
   * Messages that wait for the iterator before the server is held up; default 64. It is not held up, and more may come,
   * while somebody waits for an answer of the server (`publish`, `subscribe`, `request` …), which is behind them.
   */
  bufferedMessagesMax?: number | undefined;
}

/** How to say goodbye. */
export interface DisconnectOptions {
  /** 5.0. 0 (default), 4 to have the will published all the same, or another that a client may send. */
  reasonCode?: number | undefined;
  /** 5.0. The session outlives the connection so long instead of as CONNECT said. */
  sessionExpirySeconds?: number | undefined;
  /** Milliseconds to wait for what is under way; default 5,000, 0 for not at all. */
  timeoutMs?: number | undefined;
}

/** CONNACK, as the server sent it. */
export interface Connack {
  sessionPresent: boolean;
  properties: PacketProperties;
}

/** How a publish, a subscribe or an unsubscribe went. */
export interface PublishResult {
  readonly reasonCode: number;
  readonly reasonName: string;
}

/** The session options that `options` make. Throws coded errors for what is the caller's mistake. */
export function sessionOptionsOf(options: ClientOptions): DriverSessionOptions {
  const { protocol = '5.0' } = options;
  if ((protocol as string) !== '5.0' && (protocol as string) !== '3.1.1') {
    throw codedError(
      'ERR_INVALID_ARGUMENT',
      `protocol must be '5.0' or '3.1.1', not '${protocol as string}'`,
    );
  }
  const { overflow = 'refuse' } = options;
  if ((overflow as string) !== 'refuse' && (overflow as string) !== 'drop-oldest-qos-0') {
    throw codedError('ERR_INVALID_ARGUMENT', "overflow must be 'refuse' or 'drop-oldest-qos-0'");
  }
  checkBufferLimits(options);
  const isV5 = protocol === '5.0';
  if (!isV5 && options.authentication !== undefined) {
    throw codedError('ERR_UNSUPPORTED_ON_3_1_1', 'authentication needs MQTT 5.0, and the protocol is 3.1.1');
  }
  return {
    protocolVersion: isV5 ? V5 : V3_1_1,
    clientId: options.clientId,
    cleanStart: options.cleanStart,
    keepAliveSeconds: options.keepAliveSeconds,
    sessionExpirySeconds: options.sessionExpirySeconds,
    receiveMaximum: options.receiveMaximum ?? 65535,
    maximumPacketSize: options.maximumPacketSize,
    topicAliasMaximum: options.topicAliasMaximum ?? (isV5 ? 32 : undefined),
    outgoingAliasesMax: options.outgoingAliasesMax ?? (isV5 ? 64 : undefined),
    inflightMax: options.inflightMax ?? (isV5 ? 1024 : 20),
    userName: options.userName,
    password: options.password,
    will: options.will,
    userProperties: options.userProperties,
    requestResponseInformation: options.requestResponseInformation,
    requestProblemInformation: options.requestProblemInformation,
    authenticationMethod: options.authentication?.method,
    reconnect: options.reconnect,
    connectTimeoutMs: options.connectTimeoutMs,
    pingTimeoutMs: options.pingTimeoutMs,
    manualAcknowledgement: options.manualAcknowledgement,
    queueQos0: options.queueQos0,
    overflow: overflow === 'drop-oldest-qos-0' ? OVERFLOW_DROP_OLDEST_QOS_0 : OVERFLOW_REFUSE,
    store: options.store,
  };
}

function checkBufferLimits(limits: BufferLimits): void {
  const { receiveWindowBytes, transmitBytes, transmitBytesMax, outboxBytes, outboxBytesMax } = limits;
  checkInteger(receiveWindowBytes ?? 65536, RECEIVE_WINDOW_BYTES_MIN, 0x7fffffff, 'receiveWindowBytes');
  checkInteger(transmitBytes ?? 512, TRANSMIT_RING_BYTES_MIN, 0x7fffffff, 'transmitBytes');
  checkInteger(transmitBytesMax ?? 65536, TRANSMIT_RING_BYTES_MIN, 0x7fffffff, 'transmitBytesMax');
  checkInteger(outboxBytes ?? 0, 0, 0x7fffffff, 'outboxBytes');
  checkInteger(outboxBytesMax ?? 0, 0, 0x7fffffff, 'outboxBytesMax');
}

/** Throws a coded error for a goodbye that cannot be said; `before` is the session expiry that CONNECT had. */
export function checkDisconnectOptions(
  options: DisconnectOptions,
  isV5: boolean,
  before: number | undefined,
): void {
  const { reasonCode = 0, sessionExpirySeconds, timeoutMs = 0 } = options;
  check(timeoutMs >= 0, 'ERR_OUT_OF_RANGE', 'timeoutMs must not be below 0');
  if (!isV5 && (reasonCode !== 0 || sessionExpirySeconds !== undefined)) {
    refuseOn311('a reason or expiry on disconnect');
  }
  check(
    isReasonCodeValid(DISCONNECT, reasonCode, FROM_CLIENT, V5),
    'ERR_OUT_OF_RANGE',
    'reasonCode must be one that a client may send in DISCONNECT [MQTT-3.14.2-1]',
  );
  if (sessionExpirySeconds === undefined) return;
  checkInteger(sessionExpirySeconds, 0, FOUR_BYTE_INTEGER_MAX, 'sessionExpirySeconds');
  check(
    sessionExpirySeconds === 0 || (before !== undefined && before > 0),
    'ERR_INVALID_ARGUMENT',
    'sessionExpirySeconds must stay 0 when CONNECT said 0 (3.14.2.2.2)',
  );
}
