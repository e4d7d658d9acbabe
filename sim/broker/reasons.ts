/**
 * The reason codes that a server gives (2.4), by their names in the standard, and what a 3.1.1 client hears instead.
 */
export { SUCCESS, NO_MATCHING_SUBSCRIBERS, DISCONNECT_WITH_WILL } from '../../src/packets/reason-codes.ts';

export const NO_SUBSCRIPTION_EXISTED = 0x11;
export const UNSPECIFIED_ERROR = 0x80;
export const MALFORMED_PACKET = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const IMPLEMENTATION_SPECIFIC_ERROR = 0x83;
export const UNSUPPORTED_PROTOCOL_VERSION = 0x84;
export const CLIENT_IDENTIFIER_NOT_VALID = 0x85;
export const BAD_USER_NAME_OR_PASSWORD = 0x86;
export const NOT_AUTHORIZED = 0x87;
export const SERVER_UNAVAILABLE = 0x88;
export const SERVER_BUSY = 0x89;
export const BAD_AUTHENTICATION_METHOD = 0x8c;
export const KEEP_ALIVE_TIMEOUT = 0x8d;
export const SESSION_TAKEN_OVER = 0x8e;
export const TOPIC_FILTER_INVALID = 0x8f;
export const TOPIC_NAME_INVALID = 0x90;
export const PACKET_IDENTIFIER_NOT_FOUND = 0x92;
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
export const TOPIC_ALIAS_INVALID = 0x94;
export const QUOTA_EXCEEDED = 0x97;
export const ADMINISTRATIVE_ACTION = 0x98;
export const PAYLOAD_FORMAT_INVALID = 0x99;
export const RETAIN_NOT_SUPPORTED = 0x9a;
export const QOS_NOT_SUPPORTED = 0x9b;
export const USE_ANOTHER_SERVER = 0x9c;
export const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e;
export const CONNECTION_RATE_EXCEEDED = 0x9f;
export const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xa1;
export const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xa2;

/** The return code of a 3.1.1 CONNACK that says most nearly what `reasonCode` says [v3.1.1 MQTT-3.2.2-4]. */
export function returnCodeOf(reasonCode: number): number {
  switch (reasonCode) {
    case 0:
      return 0;
    case UNSUPPORTED_PROTOCOL_VERSION:
      return 1;
    case CLIENT_IDENTIFIER_NOT_VALID:
      return 2;
    case BAD_USER_NAME_OR_PASSWORD:
      return 4;
    case NOT_AUTHORIZED:
    case 0x8a: // Banned
      return 5;
    default:
      return 3;
  }
}
