/**
 * What a peer can get wrong, each with a small number, the reason code the standard gives for it, a stable name and
 * a sentence for people. The decoder and the session report violations by number.
 */
import {
  MALFORMED_PACKET,
  PROTOCOL_ERROR,
  REASON_PACKET_TOO_LARGE,
  RECEIVE_MAXIMUM_EXCEEDED,
  TOPIC_ALIAS_INVALID,
  TOPIC_FILTER_INVALID,
  TOPIC_NAME_INVALID,
  UNSUPPORTED_PROTOCOL_VERSION,
} from './reason-codes.ts';

export const NO_VIOLATION = 0;
export const MALFORMED_VARIABLE_BYTE_INTEGER = 1;
export const RESERVED_PACKET_TYPE = 2;
export const RESERVED_FLAGS = 3;
export const INVALID_QOS = 4;
export const DUP_WITHOUT_QOS = 5;
export const FIELD_TRUNCATED = 6;
export const TRAILING_BYTES = 7;
export const INVALID_UTF8 = 8;
export const PACKET_ID_ZERO = 9;
export const UNKNOWN_PROPERTY = 10;
export const MISPLACED_PROPERTY = 11;
export const DUPLICATE_PROPERTY = 12;
export const PROPERTY_OUT_OF_RANGE = 13;
export const INVALID_REASON_CODE = 14;
export const INVALID_TOPIC_NAME = 15;
export const MISSING_TOPIC_NAME = 16;
export const INVALID_TOPIC_FILTER = 17;
export const TOO_LARGE = 18;
export const WRONG_SENDER = 19;
export const UNSUPPORTED_VERSION = 20;
export const INVALID_CONNECT_FLAGS = 21;
export const SESSION_PRESENT_WITH_ERROR = 22;
export const EMPTY_LIST = 23;
export const INVALID_SUBSCRIPTION_OPTIONS = 24;
export const INVALID_TOPIC_ALIAS = 25;
export const AUTHENTICATION_DATA_WITHOUT_METHOD = 26;
export const NO_LOCAL_ON_SHARED = 27;
export const PROPERTY_FROM_WRONG_SENDER = 28;
// What a session finds out.
export const UNEXPECTED_PACKET = 29;
export const RECEIVE_MAXIMUM_BROKEN = 30;
export const REASON_CODE_COUNT = 31;
export const UNKNOWN_TOPIC_ALIAS = 32;
export const QOS_NOT_GRANTED = 33;
export const SESSION_NOT_ASKED_FOR = 34;
export const AUTHENTICATION_METHOD_CHANGED = 35;
export const HEAD_TOO_LARGE = 36;
export const UNKNOWN_PACKET_ID = 37;

/** The reason code that the standard gives for `violation` [MQTT-4.13.1-1]. */
export function violationReasonCode(violation: number): number {
  switch (violation) {
    case PACKET_ID_ZERO:
    case DUPLICATE_PROPERTY:
    case PROPERTY_OUT_OF_RANGE:
    case INVALID_REASON_CODE:
    case MISSING_TOPIC_NAME:
    case WRONG_SENDER:
    case SESSION_PRESENT_WITH_ERROR:
    case EMPTY_LIST:
    case INVALID_SUBSCRIPTION_OPTIONS:
    case AUTHENTICATION_DATA_WITHOUT_METHOD:
    case NO_LOCAL_ON_SHARED:
    case PROPERTY_FROM_WRONG_SENDER:
    case UNEXPECTED_PACKET:
    case REASON_CODE_COUNT:
    case UNKNOWN_TOPIC_ALIAS:
    case QOS_NOT_GRANTED:
    case SESSION_NOT_ASKED_FOR:
    case AUTHENTICATION_METHOD_CHANGED:
    case UNKNOWN_PACKET_ID:
      return PROTOCOL_ERROR;
    case INVALID_TOPIC_NAME:
      return TOPIC_NAME_INVALID;
    case INVALID_TOPIC_FILTER:
      return TOPIC_FILTER_INVALID;
    case TOO_LARGE:
    case HEAD_TOO_LARGE:
      return REASON_PACKET_TOO_LARGE;
    case UNSUPPORTED_VERSION:
      return UNSUPPORTED_PROTOCOL_VERSION;
    case INVALID_TOPIC_ALIAS:
      return TOPIC_ALIAS_INVALID;
    case RECEIVE_MAXIMUM_BROKEN:
      return RECEIVE_MAXIMUM_EXCEEDED;
    default:
      return MALFORMED_PACKET;
  }
}
