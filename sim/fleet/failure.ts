/**
 * What went wrong with a connection, in the words of somebody who has to do something about it. Knows the codes of the
 * standard, of the operating system and of TLS; nothing of the fleet.
 */
import { reasonCodeName, returnCodeName, violationText } from '../../src/packets/texts.ts';
import { V5 } from '../../src/packets/types.ts';
import {
  CAUSE_CONNECT_TIMEOUT,
  CAUSE_NOT_OPENED,
  CAUSE_PING_TIMEOUT,
  CAUSE_REFUSED,
  CAUSE_SERVER,
  CAUSE_TRANSPORT,
  CAUSE_VIOLATION,
} from '../../src/session/event.ts';

/** A run that cannot go on, or options that make no sense: the message is one line for a person to read. */
export class FleetError extends Error {
  override name = 'FleetError';
  /** The option that is wrong, if one is. */
  readonly option: string | undefined;
  /** The message without the option's name. */
  readonly reason: string;

  constructor(reason: string, option?: string) {
    super(option === undefined ? reason : `${option}: ${reason}`);
    this.reason = reason;
    this.option = option;
  }
}

/** How a connection ended or did not come about. */
export interface Ending {
  /** CAUSE_*. */
  cause: number;
  reasonCode: number;
  violation: number;
  /** The transport's own words, if it had any. */
  error: Error | undefined;
  protocolVersion: number;
  /** Whether the server had accepted the connection. */
  wasConnected: boolean;
}

/** Codes of the operating system with what they mean to the user. */
const SYSTEM_CODES: Record<string, string> = {
  ECONNREFUSED: 'connection refused, nothing listens there',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EMFILE: 'too many open files: raise the limit (ulimit -n) or run fewer devices',
  ENFILE: 'too many open files on this machine',
  EADDRNOTAVAIL: 'this machine has no free port left for another connection to that address',
};

/** Codes of which more of the same follow however often it is tried. */
const EXHAUSTED = ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL'];

const TLS_CODES =
  /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** What the system or the TLS library called it; a socket that tried several addresses has several. */
export function errorCode(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined;
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  const [first] = Array.isArray(errors) ? (errors as { code?: unknown }[]) : [];
  return typeof first?.code === 'string' ? first.code : undefined;
}

/** Whether this machine has run out of something that trying again does not bring back. */
export function isExhausted(error: Error | undefined): boolean {
  return EXHAUSTED.includes(errorCode(error) ?? '');
}

/** `Quota exceeded (0x97)`, in the words of the version. */
export function reasonText(reasonCode: number, protocolVersion: number): string {
  const hex = `0x${reasonCode.toString(16).padStart(2, '0')}`;
  if (protocolVersion === V5) return `${reasonCodeName(reasonCode)} (${hex})`;
  return `${returnCodeName(reasonCode).replace(/^Connection Refused, /, '')} (${hex})`;
}

/** Why the transport failed, or undefined if it just ended. */
function transportText(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined;
  const code = errorCode(error);
  const firstLine = error.message.trim().split('\n')[0];
  if (code === undefined) return firstLine;
  if (SYSTEM_CODES[code] !== undefined) return SYSTEM_CODES[code];
  return TLS_CODES.test(code)
    ? `TLS failed: ${firstLine} (--cafile names a CA to trust, --insecure checks nothing)`
    : firstLine;
}

/** Half a sentence: what the server, or the way to it, did. */
export function endingText({
  cause,
  reasonCode,
  violation,
  error,
  protocolVersion,
  wasConnected,
}: Ending): string {
  const why = transportText(error);
  switch (cause) {
    case CAUSE_REFUSED:
      return `refused: ${reasonText(reasonCode, protocolVersion)}`;
    case CAUSE_SERVER:
      return `disconnected by the server: ${reasonText(reasonCode, V5)}`;
    case CAUSE_NOT_OPENED:
      return why ?? 'the connection did not open';
    case CAUSE_CONNECT_TIMEOUT:
      return 'no answer within 10 s';
    case CAUSE_PING_TIMEOUT:
      return 'no answer to a ping';
    case CAUSE_VIOLATION:
      return `the server broke the standard: ${violationText(violation)}`;
    case CAUSE_TRANSPORT:
      if (why !== undefined) return why;
      return wasConnected
        ? 'the server closed the connection'
        : 'the server closed the connection without an answer';
    default:
      return why ?? 'the connection ended';
  }
}
