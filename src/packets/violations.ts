/**
 * What a peer can get wrong, each with a small number, the reason code the standard gives for it, a stable name and
 * a sentence for people. The decoder and the session report violations by number.
 */
import { fillTable } from '../wire/table.ts';

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

/** The reason codes that the standard gives, by violation. */
const REASON_CODES = fillTable(
  new Uint8Array(38),
  2,
  '81818181818181818182' + '818182828290828f9582' + '84818282829482828282' + '9382828282829582',
);

/** The reason code that the standard gives for `violation` [MQTT-4.13.1-1]. */
export function violationReasonCode(violation: number): number {
  return REASON_CODES[violation];
}
