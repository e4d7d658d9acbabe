/**
 * The one table of the 27 properties (2.2.2.2): identifier, type of the value, packets. Only numbers; reading and
 * writing by it is in properties.ts.
 */
import { fillTable } from '../wire/table.ts';

/**
 * Types of values (1.5). A flag is a byte that may only be 0 or 1. Integers of fixed length come first, 1 << type bytes;
 * what comes behind TYPE_VARINT is no number.
 */
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

/** The table: identifier, type of the value, packets it may be in (bit `type`, or IN_WILL): three numbers a row. */
export const PROPERTY_TABLE = fillTable(
  new Uint16Array(PROPERTY_COUNT * 3),
  4,
  '000100000009' + // Payload Format Indicator: PUBLISH, will
    '000200020009' + // Message Expiry Interval: PUBLISH, will
    '000300040009' + // Content Type: PUBLISH, will
    '000800040009' + // Response Topic: PUBLISH, will
    '000900050009' + // Correlation Data: PUBLISH, will
    '000b00030108' + // Subscription Identifier: PUBLISH, SUBSCRIBE
    '001100024006' + // Session Expiry Interval: CONNECT, CONNACK, DISCONNECT
    '001200040004' + // Assigned Client Identifier: CONNACK
    '001300010004' + // Server Keep Alive: CONNACK
    '001500048006' + // Authentication Method: CONNECT, CONNACK, AUTH
    '001600058006' + // Authentication Data: CONNECT, CONNACK, AUTH
    '001700000002' + // Request Problem Information: CONNECT
    '001800020001' + // Will Delay Interval: will
    '001900000002' + // Request Response Information: CONNECT
    '001a00040004' + // Response Information: CONNACK
    '001c00044004' + // Server Reference: CONNACK, DISCONNECT
    '001f0004caf4' + // Reason String: CONNACK, acknowledgements, DISCONNECT, AUTH
    '002100010006' + // Receive Maximum: CONNECT, CONNACK
    '002200010006' + // Topic Alias Maximum: CONNECT, CONNACK
    '002300010008' + // Topic Alias: PUBLISH
    '002400000004' + // Maximum QoS: CONNACK
    '002500000004' + // Retain Available: CONNACK
    '00260006cfff' + // User Property: every packet but PINGREQ and PINGRESP, will
    '002700020006' + // Maximum Packet Size: CONNECT, CONNACK
    '002800000004' + // Wildcard Subscription Available: CONNACK
    '002900000004' + // Subscription Identifiers Available: CONNACK
    '002a00000004', // Shared Subscription Available: CONNACK
);

/** Row by identifier, 255 where the standard defines none. */
export const PROPERTY_ROWS = new Uint8Array(43).fill(255);
for (let row = 0; row < PROPERTY_COUNT; row++) PROPERTY_ROWS[PROPERTY_TABLE[row * 3]] = row;
