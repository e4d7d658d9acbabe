/**
 * How `motemq pub` and `motemq sub` end: mosquitto's exit statuses, and one line on stderr that says what went wrong.
 * A refused connection's status is CONNACK's reason code; the others are libmosquitto's numbers, 1 before it came to
 * a connection.
 */
import { UNSUPPORTED_PROTOCOL_VERSION } from '../../src/packets/reason-codes.ts';
import {
  ConnectionError,
  ConnectionRefusedError,
  ProtocolError,
  PublishError,
  TimeoutError,
  reasonCodeName,
} from '../node/index.ts';

/** Wrong flags, a file that cannot be read, a server that cannot be reached. */
export const EXIT_FAILURE = 1;
export const EXIT_PROTOCOL = 2;
export const EXIT_CONNECTION_LOST = 7;
export const EXIT_TLS = 8;
export const EXIT_NOT_SUPPORTED = 10;
export const EXIT_OVERSIZE_PACKET = 25;
export const EXIT_TIMEOUT = 27;

/** A failure of ours with its words and its exit status. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly status: number;

  constructor(message: string, status = EXIT_FAILURE) {
    super(message);
    this.status = status;
  }
}

/** Flags that make no sense: what mosquitto says even with --quiet. */
export class UsageError extends CommandError {
  override name = 'UsageError';
}

/** Where it was when it failed. */
export interface Circumstances {
  /** `host:port`. */
  readonly where: string;
  readonly isTls: boolean;
  /** Whether the server had accepted the connection. */
  readonly wasConnected: boolean;
}

/** Before it is known where to connect. */
export const NOWHERE: Circumstances = { where: 'the broker', isTls: false, wasConnected: false };

/** What goes to stderr, and the exit status. */
export interface Ending {
  readonly text: string;
  readonly status: number;
}

/** OpenSSL's and Node's codes for a handshake or a certificate that is no good. */
const TLS_CODES =
  /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_)/;

/** 3.1.1's return code for what is 0x84 in 5.0. */
const UNACCEPTABLE_VERSION = 0x01;

function inHex(reasonCode: number): string {
  return `0x${reasonCode.toString(16).padStart(2, '0')}`;
}

/** What the operating system or the TLS library called it; a socket that tried several addresses has several. */
function codeOf(cause: Error & { code?: unknown; errors?: unknown }): string | undefined {
  if (typeof cause.code === 'string') return cause.code;
  const [first] = Array.isArray(cause.errors) ? (cause.errors as (Error & { code?: unknown })[]) : [];
  return typeof first?.code === 'string' ? first.code : undefined;
}

function describeRefusal({ reasonCode, reasonName, reasonString }: ConnectionRefusedError): Ending {
  const name = reasonName.replace(/^Connection Refused, /, '');
  let details = reasonString === undefined ? '' : `: ${reasonString}`;
  if (reasonCode === UNSUPPORTED_PROTOCOL_VERSION) details = '; try -V 311';
  if (reasonCode === UNACCEPTABLE_VERSION) details = '; try -V 5';
  return { text: `connection refused: ${name} (${inHex(reasonCode)})${details}`, status: reasonCode };
}

function describeConnection(error: ConnectionError, { where, isTls, wasConnected }: Circumstances): Ending {
  if (error.reasonCode !== undefined) {
    return { text: `${error.message} (${inHex(error.reasonCode)})`, status: EXIT_CONNECTION_LOST };
  }
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const code = cause && codeOf(cause);
  if (code !== undefined && TLS_CODES.test(code)) {
    return { text: `TLS with ${where} failed: ${error.message.replace(/[:\s]+$/, '')}`, status: EXIT_TLS };
  }
  if (wasConnected) {
    const why = code === undefined ? '' : `: ${code}`;
    return { text: `the connection to ${where} was lost${why}`, status: EXIT_CONNECTION_LOST };
  }
  if (cause === undefined || code === 'ECONNRESET') {
    const question = isTls ? 'does it speak TLS?' : 'does it want TLS?';
    const text = `${where} closed the connection without an answer: ${question}`;
    return { text, status: isTls ? EXIT_TLS : EXIT_CONNECTION_LOST };
  }
  return { text: `cannot reach ${where}: ${code ?? error.message}`, status: EXIT_FAILURE };
}

function describeRefusedMessage(reasonCode: number): Ending {
  const text = `the broker refused the message: ${reasonCodeName(reasonCode)} (${inHex(reasonCode)})`;
  return { text, status: reasonCode };
}

/** What to say of `error`, and how to end. */
export function describeFailure(error: unknown, circumstances: Circumstances): Ending {
  const { where } = circumstances;
  if (error instanceof CommandError) return { text: error.message, status: error.status };
  if (error instanceof ConnectionRefusedError) return describeRefusal(error);
  if (error instanceof ConnectionError) return describeConnection(error, circumstances);
  if (error instanceof TimeoutError) return { text: `${where}: ${error.message}`, status: EXIT_TIMEOUT };
  if (error instanceof ProtocolError) {
    return { text: `${where} broke the protocol: ${error.message}`, status: EXIT_PROTOCOL };
  }
  if (error instanceof PublishError) {
    const { reasonCode } = error;
    if (reasonCode !== undefined) return describeRefusedMessage(reasonCode);
    const status = error.code === 'ERR_PACKET_TOO_LARGE' ? EXIT_OVERSIZE_PACKET : EXIT_NOT_SUPPORTED;
    return { text: error.message, status };
  }
  // What the client says of options, and whatever else has a code.
  const { code } = error as { code?: unknown };
  if (error instanceof Error && typeof code === 'string') {
    return { text: error.message, status: EXIT_FAILURE };
  }
  throw error;
}
