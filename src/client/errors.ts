/**
 * The errors of the promise client: each kind of failure a class, each failure a stable `code`.
 */
import { statusName } from '../status.ts';
import { UNSUPPORTED_PROTOCOL_VERSION } from '../packets/reason-codes.ts';
import { reasonCodeName, returnCodeName, violationName, violationText } from '../packets/texts.ts';
import { CONNACK } from '../packets/types.ts';
import { INVALID_REASON_CODE } from '../packets/violations.ts';
import type { SessionEvent } from '../session/event.ts';
import {
  CAUSE_CLIENT,
  CAUSE_CONNECT_TIMEOUT,
  CAUSE_CONNECT_TOO_LARGE,
  CAUSE_PING_TIMEOUT,
  CAUSE_REFUSED,
  CAUSE_SERVER,
  CAUSE_UNFINISHED,
  CAUSE_VIOLATION,
} from '../session/event.ts';

/** What all errors of the client are. */
export class MotemqError extends Error {
  /** Stable, upper-case: what to test for. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    // Not by assignment: XS freezes what this would inherit from, and refuses.
    Object.defineProperty(this, 'name', { value: new.target.name, writable: true, configurable: true });
    this.code = code;
  }
}

/** The server answered CONNECT with a refusal: `reasonCode`, in 3.1.1 the return code. */
export class ConnectionRefusedError extends MotemqError {
  readonly reasonCode: number;
  readonly reasonName: string;
  readonly reasonString: string | undefined;
  readonly serverReference: string | undefined;

  constructor(reasonCode: number, reasonName: string, reasonString?: string, serverReference?: string) {
    const details = reasonString === undefined ? '' : ': ' + reasonString;
    super(
      'ERR_CONNECTION_REFUSED',
      `connection refused: ${reasonName} (0x${reasonCode.toString(16).padStart(2, '0')})${details}`,
    );
    this.reasonCode = reasonCode;
    this.reasonName = reasonName;
    this.reasonString = reasonString;
    this.serverReference = serverReference;
  }
}

/** The connection could not be made, or is gone: `cause` is the transport's error, if it had one. */
export class ConnectionError extends MotemqError {
  /** The reason code of the server's DISCONNECT, where it sent one. */
  readonly reasonCode: number | undefined;

  constructor(code: string, message: string, reasonCode?: number, options?: ErrorOptions) {
    super(code, message, options);
    this.reasonCode = reasonCode;
  }
}

/** Something did not happen in time. */
export class TimeoutError extends MotemqError {}

/** The server broke the standard; the connection was ended with `reasonCode`. */
export class ProtocolError extends MotemqError {
  readonly reasonCode: number;
  /** Offset in the packet of what was wrong. */
  readonly offset: number;

  constructor(violation: number, reasonCode: number, offset: number) {
    super(
      'ERR_PROTOCOL',
      `${violationName(violation)}: ${violationText(violation)}, at byte ${String(offset)}`,
    );
    this.reasonCode = reasonCode;
    this.offset = offset;
  }
}

/** The server refused at least one of the filters: `reasonCodes` has one for each. */
export class SubscribeError extends MotemqError {
  readonly topicFilters: readonly string[];
  readonly reasonCodes: readonly number[];

  constructor(topicFilters: readonly string[], reasonCodes: readonly number[]) {
    const refused: string[] = [];
    topicFilters.forEach((filter, i) => {
      if (reasonCodes[i] >= 0x80) refused.push(`"${filter}": ${reasonCodeName(reasonCodes[i])}`);
    });
    super('ERR_SUBSCRIBE_REFUSED', 'subscription refused: ' + refused.join(', '));
    this.topicFilters = topicFilters;
    this.reasonCodes = reasonCodes;
  }
}

/** The message was not taken on, or the server refused it: `reasonCode` then says why. */
export class PublishError extends MotemqError {
  readonly reasonCode: number | undefined;

  constructor(code: string, message: string, reasonCode?: number) {
    super(code, message);
    this.reasonCode = reasonCode;
  }
}

/** The caller's mistake: an option or argument that cannot be. The message names it and the rule. */
export class ArgumentError extends MotemqError {}

/** The caller's mistake: ERR_INVALID_TOPIC for a Topic Name, ERR_INVALID_TOPIC_FILTER for a Topic Filter. */
export class InvalidTopicError extends MotemqError {}

/** The caller's mistake: something of MQTT 5.0 was asked of a 3.1.1 client. Nothing was sent. */
export class UnsupportedError extends MotemqError {}

function classOf(code: string): typeof ArgumentError {
  switch (code) {
    case 'ERR_INVALID_TOPIC':
    case 'ERR_INVALID_TOPIC_FILTER':
      return InvalidTopicError;
    case 'ERR_UNSUPPORTED_ON_3_1_1':
      return UnsupportedError;
    default:
      return ArgumentError;
  }
}

/**
 * The core's coded error as one of these classes, with its code, message and stack, and itself as the cause; whatever
 * else `error` is stays as it is, also the TypeErrors and RangeErrors of Node that have such codes.
 */
export function typedError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'Error') return error;
  const { code } = error as Error & { code?: unknown };
  if (typeof code !== 'string' || !code.startsWith('ERR_')) return error;
  const typed = new (classOf(code))(code, error.message, { cause: error });
  if (error.stack !== undefined) typed.stack = error.stack.replace(/^Error\b/, typed.name);
  return typed;
}

/** What `call` returns; a coded error that it throws becomes a typed one. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw typedError(error) as Error;
  }
}

/** What a status of the session means to who called `publish`, `subscribe` or `unsubscribe`. */
export function errorOfStatus<T extends MotemqError>(
  status: number,
  what: string,
  kind: new (code: string, message: string) => T,
): T {
  const name = statusName(status);
  return new kind('ERR_' + name, what + ' was not accepted: ' + (STATUS_TEXTS[name] ?? name));
}

const STATUS_TEXTS: Record<string, string | undefined> = {
  NO_SPACE: 'the outbox is full',
  PACKET_TOO_LARGE: "it is larger than the server's maximum packet size or the outbox",
  NOT_CONNECTED: 'there is no connection',
  NOT_SUPPORTED_BY_SERVER: 'the server announced that it does not support this',
  CLOSED: 'the client is closed',
  STORE_FAILED: 'the store could not keep it',
  EXPIRED: 'its message expiry interval ran out before it could be sent',
  DROPPED: 'it was dropped to make room in the outbox',
};

/** The error that EVENT_DISCONNECTED stands for; undefined after the client's own goodbye. */
export function errorOfEnd(
  event: SessionEvent,
  isV5: boolean,
  reasonString: string | undefined,
  serverReference: string | undefined,
  transportError: Error | undefined,
): MotemqError | undefined {
  const { reasonCode } = event;
  switch (event.cause) {
    case CAUSE_CLIENT:
      return undefined;
    case CAUSE_REFUSED: {
      const name = isV5 ? reasonCodeName(reasonCode) : returnCodeName(reasonCode);
      return new ConnectionRefusedError(reasonCode, name, reasonString, serverReference);
    }
    case CAUSE_SERVER: {
      const details = reasonString === undefined ? '' : ': ' + reasonString;
      const name = reasonCodeName(reasonCode);
      return new ConnectionError(
        'ERR_DISCONNECTED_BY_SERVER',
        `the server disconnected: ${name}${details}`,
        reasonCode,
      );
    }
    case CAUSE_CONNECT_TIMEOUT:
      return new TimeoutError('ERR_CONNECT_TIMEOUT', 'no CONNACK in time');
    case CAUSE_PING_TIMEOUT:
      return new TimeoutError('ERR_KEEP_ALIVE_TIMEOUT', 'no PINGRESP in time: the connection is dead');
    case CAUSE_UNFINISHED:
      return new TimeoutError(
        'ERR_KEEP_ALIVE_TIMEOUT',
        'the rest of a message could not be sent in time: the connection is dead',
      );
    case CAUSE_VIOLATION:
      if (isV5 && isRefusalOf311(event)) {
        return new ConnectionRefusedError(
          UNSUPPORTED_PROTOCOL_VERSION,
          reasonCodeName(UNSUPPORTED_PROTOCOL_VERSION),
          "the server does not speak MQTT 5.0; try protocol '3.1.1'",
        );
      }
      return new ProtocolError(event.violation, reasonCode, event.violationOffset);
    case CAUSE_CONNECT_TOO_LARGE:
      return new ConnectionError('ERR_PACKET_TOO_LARGE', 'CONNECT does not fit into the transmit ring');
    default: {
      const details =
        transportError === undefined ? 'the connection was closed' : transportMessage(transportError);
      return new ConnectionError('ERR_CONNECTION', details, undefined, { cause: transportError });
    }
  }
}

/** A server that knows 3.1.1 only refuses 5.0 in its own words, return code 1, and they are no CONNACK of 5.0. */
function isRefusalOf311({ violation, packet }: SessionEvent): boolean {
  return violation === INVALID_REASON_CODE && packet.type === CONNACK && packet.reasonCode === 1;
}

/** Node puts the addresses it tried into an AggregateError with an empty message. */
function transportMessage(error: Error): string {
  const { errors } = error as Error & { errors?: Error[] };
  if (error.message === '' && errors !== undefined && errors.length > 0) return errors[0].message;
  const { code } = error as Error & { code?: string };
  return error.message === '' ? (code ?? error.name) : error.message;
}
