/**
 * The one table of the 27 properties (2.2.2.2): identifier, type of the value, packets. Only numbers; reading and
 * writing by it is in properties.ts.
 */

/** Types of values (1.5). A flag is a byte that may only be 0 or 1. */
export const TYPE_FLAG = 0;
export const TYPE_TWO_BYTES = 1;
export const TYPE_FOUR_BYTES = 2;
export const TYPE_VARINT = 3;
export const TYPE_UTF8 = 4;
export const TYPE_BINARY = 5;
export const TYPE_PAIR = 6;

/** Rows of the table, ascending by identifier. */
export const P_PAYLOAD_FORMAT_INDICATOR = 0;
export const P_MESSAGE_EXPIRY_INTERVAL = 1;
export const P_CONTENT_TYPE = 2;
export const P_RESPONSE_TOPIC = 3;
export const P_CORRELATION_DATA = 4;
export const P_SUBSCRIPTION_IDENTIFIER = 5;
export const P_SESSION_EXPIRY_INTERVAL = 6;
export const P_ASSIGNED_CLIENT_IDENTIFIER = 7;
export const P_SERVER_KEEP_ALIVE = 8;
export const P_AUTHENTICATION_METHOD = 9;
export const P_AUTHENTICATION_DATA = 10;
export const P_REQUEST_PROBLEM_INFORMATION = 11;
export const P_WILL_DELAY_INTERVAL = 12;
export const P_REQUEST_RESPONSE_INFORMATION = 13;
export const P_RESPONSE_INFORMATION = 14;
export const P_SERVER_REFERENCE = 15;
export const P_REASON_STRING = 16;
export const P_RECEIVE_MAXIMUM = 17;
export const P_TOPIC_ALIAS_MAXIMUM = 18;
export const P_TOPIC_ALIAS = 19;
export const P_MAXIMUM_QOS = 20;
export const P_RETAIN_AVAILABLE = 21;
export const P_USER_PROPERTY = 22;
export const P_MAXIMUM_PACKET_SIZE = 23;
export const P_WILDCARD_SUBSCRIPTION_AVAILABLE = 24;
export const P_SUBSCRIPTION_IDENTIFIERS_AVAILABLE = 25;
export const P_SHARED_SUBSCRIPTION_AVAILABLE = 26;
export const PROPERTY_COUNT = 27;

/** Which packets: bit `type` for a packet, bit 0 for the will's properties in CONNECT. */
export const IN_WILL = 1;
const CT = 1 << 1;
const CA = 1 << 2;
const PB = 1 << 3;
const SU = 1 << 8;
const DI = 1 << 14;
const AU = 1 << 15;
/** PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK. */
const ACKS = 0x0af0;

/** The table: identifier, type of the value, packets it may be in (bit `type`, or IN_WILL): three numbers a row. */
// prettier-ignore
export const PROPERTY_TABLE = new Uint16Array([
  0x01, TYPE_FLAG, PB | IN_WILL, // Payload Format Indicator
  0x02, TYPE_FOUR_BYTES, PB | IN_WILL, // Message Expiry Interval
  0x03, TYPE_UTF8, PB | IN_WILL, // Content Type
  0x08, TYPE_UTF8, PB | IN_WILL, // Response Topic
  0x09, TYPE_BINARY, PB | IN_WILL, // Correlation Data
  0x0b, TYPE_VARINT, PB | SU, // Subscription Identifier
  0x11, TYPE_FOUR_BYTES, CT | CA | DI, // Session Expiry Interval
  0x12, TYPE_UTF8, CA, // Assigned Client Identifier
  0x13, TYPE_TWO_BYTES, CA, // Server Keep Alive
  0x15, TYPE_UTF8, CT | CA | AU, // Authentication Method
  0x16, TYPE_BINARY, CT | CA | AU, // Authentication Data
  0x17, TYPE_FLAG, CT, // Request Problem Information
  0x18, TYPE_FOUR_BYTES, IN_WILL, // Will Delay Interval
  0x19, TYPE_FLAG, CT, // Request Response Information
  0x1a, TYPE_UTF8, CA, // Response Information
  0x1c, TYPE_UTF8, CA | DI, // Server Reference
  0x1f, TYPE_UTF8, CA | ACKS | DI | AU, // Reason String
  0x21, TYPE_TWO_BYTES, CT | CA, // Receive Maximum
  0x22, TYPE_TWO_BYTES, CT | CA, // Topic Alias Maximum
  0x23, TYPE_TWO_BYTES, PB, // Topic Alias
  0x24, TYPE_FLAG, CA, // Maximum QoS
  0x25, TYPE_FLAG, CA, // Retain Available
  0x26, TYPE_PAIR, 0xcffe | IN_WILL, // User Property: every packet but PINGREQ and PINGRESP
  0x27, TYPE_FOUR_BYTES, CT | CA, // Maximum Packet Size
  0x28, TYPE_FLAG, CA, // Wildcard Subscription Available
  0x29, TYPE_FLAG, CA, // Subscription Identifiers Available
  0x2a, TYPE_FLAG, CA, // Shared Subscription Available
]);

/** Row by identifier, 255 where the standard defines none. */
// prettier-ignore
export const PROPERTY_ROWS = new Uint8Array([
  255, 0, 1, 2, 255, 255, 255, 255, 3, 4, 255, 5, 255, 255, 255, 255,
  255, 6, 7, 8, 255, 9, 10, 11, 12, 13, 14, 255, 15, 255, 255, 16,
  255, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
]);
