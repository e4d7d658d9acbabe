/**
 * The clause that a packet breaks when the codec refuses it, by the codec's name for what is wrong and the packet's type.
 * A clause without a number at its end names the section of a rule that has no number, or of several that the codec does
 * not tell apart.
 */

/** Clauses of 5.0 and 3.1.1. */
type Clauses = readonly [v5: string, v311: string];

const CLAUSES: Readonly<Record<string, Clauses>> = {
  MALFORMED_VARIABLE_BYTE_INTEGER: ['MQTT-1.5.5-1', 'v3.1.1 MQTT-2.2.3'],
  RESERVED_PACKET_TYPE: ['MQTT-2.1.2', 'v3.1.1 MQTT-2.2.1'],
  RESERVED_FLAGS: ['MQTT-2.1.3-1', 'v3.1.1 MQTT-2.2.2-1'],
  INVALID_QOS: ['MQTT-3.3.1-4', 'v3.1.1 MQTT-3.3.1-4'],
  DUP_WITHOUT_QOS: ['MQTT-3.3.1-2', 'v3.1.1 MQTT-3.3.1-2'],
  FIELD_TRUNCATED: ['MQTT-2.1.4', 'v3.1.1 MQTT-2.2.3'],
  TRAILING_BYTES: ['MQTT-2.1.4', 'v3.1.1 MQTT-2.2.3'],
  INVALID_UTF8: ['MQTT-1.5.4', 'v3.1.1 MQTT-1.5.3'],
  PACKET_ID_ZERO: ['MQTT-2.2.1-3', 'v3.1.1 MQTT-2.3.1-1'],
  UNKNOWN_PROPERTY: ['MQTT-2.2.2.2', ''],
  MISPLACED_PROPERTY: ['MQTT-2.2.2.2', ''],
  DUPLICATE_PROPERTY: ['MQTT-2.2.2.2', ''],
  PROPERTY_OUT_OF_RANGE: ['MQTT-2.2.2.2', ''],
  INVALID_TOPIC_NAME: ['MQTT-3.3.2-2', 'v3.1.1 MQTT-3.3.2-2'],
  MISSING_TOPIC_NAME: ['MQTT-3.3.2.1', 'v3.1.1 MQTT-4.7.3-1'],
  INVALID_TOPIC_FILTER: ['MQTT-4.7', 'v3.1.1 MQTT-4.7'],
  WRONG_SENDER: ['MQTT-2.1.2', 'v3.1.1 MQTT-2.2.1'],
  UNSUPPORTED_VERSION: ['MQTT-3.1.2-1', 'v3.1.1 MQTT-3.1.2-1'],
  INVALID_CONNECT_FLAGS: ['MQTT-3.1.2.3', 'v3.1.1 MQTT-3.1.2.3'],
  INVALID_SUBSCRIPTION_OPTIONS: ['MQTT-3.8.3-5', 'v3.1.1 MQTT-3.8.3-4'],
  INVALID_TOPIC_ALIAS: ['MQTT-3.3.2-8', ''],
  AUTHENTICATION_DATA_WITHOUT_METHOD: ['MQTT-3.1.2.11.10', ''],
  NO_LOCAL_ON_SHARED: ['MQTT-3.8.3-4', ''],
  PROPERTY_FROM_WRONG_SENDER: ['MQTT-3.3.4-6', ''],
};

/** By packet type, as the fixed header has it. */
const RESERVED_FLAGS: Readonly<Record<number, string>> = {
  6: 'MQTT-3.6.1-1',
  8: 'MQTT-3.8.1-1',
  10: 'MQTT-3.10.1-1',
  14: 'MQTT-3.14.1-1',
  15: 'MQTT-3.15.1-1',
};
const REASON_CODES: Readonly<Record<number, string>> = {
  4: 'MQTT-3.4.2-1',
  5: 'MQTT-3.5.2-1',
  6: 'MQTT-3.6.2-1',
  7: 'MQTT-3.7.2-1',
  14: 'MQTT-3.14.2-1',
  15: 'MQTT-3.15.2-1',
};
const EMPTY_LISTS: Readonly<Record<number, Clauses>> = {
  8: ['MQTT-3.8.3-2', 'v3.1.1 MQTT-3.8.3-3'],
  10: ['MQTT-3.10.3-2', 'v3.1.1 MQTT-3.10.3-2'],
};

/** The clause that a packet of this type breaks with this violation (DecodeError.code). */
export function clauseOf(code: string, packetType: number, isV5: boolean): string {
  if (code === 'EMPTY_LIST') return EMPTY_LISTS[packetType][isV5 ? 0 : 1];
  if (isV5 && code === 'RESERVED_FLAGS') return RESERVED_FLAGS[packetType] ?? 'MQTT-2.1.3-1';
  if (isV5 && code === 'INVALID_REASON_CODE') return REASON_CODES[packetType] ?? 'MQTT-2.4';
  return CLAUSES[code]?.[isV5 ? 0 : 1] || 'MQTT-4.13.1';
}
