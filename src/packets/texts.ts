/**
 * Names and sentences for people: violations and reason codes as text. No device needs it; tools and the promise
 * client do.
 */

/** Stable name and sentence of each violation, by number. */
const VIOLATIONS: readonly (readonly [string, string])[] = [
  ['NO_VIOLATION', 'nothing is wrong'],
  [
    'MALFORMED_VARIABLE_BYTE_INTEGER',
    'a Variable Byte Integer is longer than four bytes or not in its shortest form',
  ],
  ['RESERVED_PACKET_TYPE', 'a packet type that this protocol version does not have'],
  ['RESERVED_FLAGS', 'reserved bits do not have their fixed value'],
  ['INVALID_QOS', 'a QoS of 3'],
  ['DUP_WITHOUT_QOS', 'DUP is set on a PUBLISH of QoS 0'],
  ['FIELD_TRUNCATED', 'a field reaches beyond the packet or property section that holds it'],
  ['TRAILING_BYTES', 'bytes are left over behind the last field'],
  ['INVALID_UTF8', 'a string is not well-formed UTF-8, or holds U+0000'],
  ['PACKET_ID_ZERO', 'a Packet Identifier of 0'],
  ['UNKNOWN_PROPERTY', 'a property identifier that the standard does not define'],
  ['MISPLACED_PROPERTY', 'a property that must not be in this packet'],
  ['DUPLICATE_PROPERTY', 'a property that may be there only once is repeated'],
  ['PROPERTY_OUT_OF_RANGE', 'a property has a value that the standard rules out'],
  ['INVALID_REASON_CODE', 'a reason code that this packet must not carry'],
  ['INVALID_TOPIC_NAME', 'a Topic Name holds a wildcard'],
  ['MISSING_TOPIC_NAME', 'an empty Topic Name without a Topic Alias'],
  ['INVALID_TOPIC_FILTER', 'a Topic Filter is empty or not well-formed'],
  ['TOO_LARGE', 'the packet is larger than the maximum packet size'],
  ['WRONG_SENDER', 'a packet type that this side never sends'],
  ['UNSUPPORTED_VERSION', 'the protocol name or version is not supported'],
  ['INVALID_CONNECT_FLAGS', 'the CONNECT flags contradict each other'],
  ['SESSION_PRESENT_WITH_ERROR', 'Session Present is set although the connection is refused'],
  ['EMPTY_LIST', 'the packet holds no Topic Filter or no reason code'],
  ['INVALID_SUBSCRIPTION_OPTIONS', 'Subscription Options hold a QoS or Retain Handling of 3'],
  ['INVALID_TOPIC_ALIAS', 'a Topic Alias of 0 or above the announced maximum'],
  ['AUTHENTICATION_DATA_WITHOUT_METHOD', 'Authentication Data, or an AUTH, without an Authentication Method'],
  ['NO_LOCAL_ON_SHARED', 'No Local is set on a Shared Subscription'],
  ['PROPERTY_FROM_WRONG_SENDER', 'a property that this side must not send in this packet'],
  ['UNEXPECTED_PACKET', 'a packet that is not allowed in this state of the connection'],
  ['RECEIVE_MAXIMUM_BROKEN', 'more unacknowledged PUBLISH packets than the Receive Maximum'],
  ['REASON_CODE_COUNT', 'not one reason code for each Topic Filter'],
  ['UNKNOWN_TOPIC_ALIAS', 'a Topic Alias that was never given a Topic Name on this connection'],
  ['QOS_NOT_GRANTED', 'an acknowledgement that does not fit the QoS of the message'],
  ['SESSION_NOT_ASKED_FOR', 'Session Present is set although this client holds no session'],
  ['AUTHENTICATION_METHOD_CHANGED', 'an Authentication Method other than the one of CONNECT'],
  ['HEAD_TOO_LARGE', 'the packet does not fit into the receive window'],
  ['UNKNOWN_PACKET_ID', 'an acknowledgement for a Packet Identifier that is not in use'],
];

/** The stable upper-case code of a violation. */
export function violationName(violation: number): string {
  return violation < VIOLATIONS.length ? VIOLATIONS[violation][0] : 'UNKNOWN_VIOLATION';
}

/** One clause in English that says what is wrong. */
export function violationText(violation: number): string {
  return violation < VIOLATIONS.length ? VIOLATIONS[violation][1] : 'something unknown is wrong';
}

/** The standard's names of the reason codes (2.4); code 0 is named by its packet. */
// prettier-ignore
const REASONS: readonly (readonly [number, string])[] = [
  [0x00, 'Success'],
  [0x01, 'Granted QoS 1'],
  [0x02, 'Granted QoS 2'],
  [0x04, 'Disconnect with Will Message'],
  [0x10, 'No matching subscribers'],
  [0x11, 'No subscription existed'],
  [0x18, 'Continue authentication'],
  [0x19, 'Re-authenticate'],
  [0x80, 'Unspecified error'],
  [0x81, 'Malformed Packet'],
  [0x82, 'Protocol Error'],
  [0x83, 'Implementation specific error'],
  [0x84, 'Unsupported Protocol Version'],
  [0x85, 'Client Identifier not valid'],
  [0x86, 'Bad User Name or Password'],
  [0x87, 'Not authorized'],
  [0x88, 'Server unavailable'],
  [0x89, 'Server busy'],
  [0x8a, 'Banned'],
  [0x8b, 'Server shutting down'],
  [0x8c, 'Bad authentication method'],
  [0x8d, 'Keep Alive timeout'],
  [0x8e, 'Session taken over'],
  [0x8f, 'Topic Filter invalid'],
  [0x90, 'Topic Name invalid'],
  [0x91, 'Packet Identifier in use'],
  [0x92, 'Packet Identifier not found'],
  [0x93, 'Receive Maximum exceeded'],
  [0x94, 'Topic Alias invalid'],
  [0x95, 'Packet too large'],
  [0x96, 'Message rate too high'],
  [0x97, 'Quota exceeded'],
  [0x98, 'Administrative action'],
  [0x99, 'Payload format invalid'],
  [0x9a, 'Retain not supported'],
  [0x9b, 'QoS not supported'],
  [0x9c, 'Use another server'],
  [0x9d, 'Server moved'],
  [0x9e, 'Shared Subscriptions not supported'],
  [0x9f, 'Connection rate exceeded'],
  [0xa0, 'Maximum connect time'],
  [0xa1, 'Subscription Identifiers not supported'],
  [0xa2, 'Wildcard Subscriptions not supported'],
];

/** 3.1.1's CONNACK return codes (v3.1.1 table 3.1), by number. */
const RETURN_CODES: readonly string[] = [
  'Connection Accepted',
  'Connection Refused, unacceptable protocol version',
  'Connection Refused, identifier rejected',
  'Connection Refused, Server unavailable',
  'Connection Refused, bad user name or password',
  'Connection Refused, not authorized',
];

/** The standard's name of a 5.0 reason code, such as `Quota exceeded`. */
export function reasonCodeName(code: number): string {
  for (const row of REASONS) if (row[0] === code) return row[1];
  return 'Unknown reason code ' + String(code);
}

/** The standard's name of a 3.1.1 CONNACK return code. */
export function returnCodeName(code: number): string {
  return code < RETURN_CODES.length ? RETURN_CODES[code] : 'Unknown return code ' + String(code);
}
