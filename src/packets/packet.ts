/**
 * The one record that a decoder fills, again and again: numbers, and where in the decoder's bytes the rest is.
 *
 * All offsets count from the start of the array that was decoded, and hold until those bytes move or are released.
 * Only the fields of the packet's own type are meaningful; the others keep whatever they had.
 */
import { VIOLATION } from '../status.ts';
import { PROPERTY_COUNT } from './property-table.ts';
import { NO_VIOLATION } from './violations.ts';

/** What only a CONNECT has. */
export class ConnectPart {
  /** V3_1_1 or V5. */
  protocolVersion: number;
  /** The flags byte, CONNECT_* bits. */
  flags: number;
  /** Seconds, 0 to 65,535. */
  keepAliveSeconds: number;
  clientIdOffset: number;
  clientIdByteLength: number;
  /** Both equal where there are none. */
  willPropertiesOffset: number;
  willPropertiesEnd: number;
  userNameOffset: number;
  userNameByteLength: number;
  passwordOffset: number;
  passwordByteLength: number;

  constructor() {
    this.protocolVersion = 0;
    this.flags = 0;
    this.keepAliveSeconds = 0;
    this.clientIdOffset = 0;
    this.clientIdByteLength = 0;
    this.willPropertiesOffset = 0;
    this.willPropertiesEnd = 0;
    this.userNameOffset = 0;
    this.userNameByteLength = 0;
    this.passwordOffset = 0;
    this.passwordByteLength = 0;
  }
}

/** Bytes of the string or binary datum whose first byte is `bytes[at]`: its length is right before it. */
export function byteLengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at - 2] << 8) | bytes[at - 1];
}

export class Packet {
  /** Control Packet type, 1 to 15. */
  type: number;
  /** First byte of the packet. */
  offset: number;
  /** Behind the packet's last byte; beyond the bytes at hand when the payload streams. */
  end: number;
  /** PUBLISH: 0 or 1. */
  dup: number;
  /** PUBLISH: 0 to 2. */
  qos: number;
  /** PUBLISH: 0 or 1. */
  retain: number;
  /** Packet Identifier, 1 to 65,535; 0 where the packet has none. */
  packetId: number;
  /** CONNACK (also 3.1.1's return code), PUBACK … PUBCOMP, DISCONNECT, AUTH: 0 where it was left out. */
  reasonCode: number;
  /** CONNACK: 0 or 1. */
  sessionPresent: number;

  /** PUBLISH: the Topic Name, CONNECT: the Will Topic. */
  topicOffset: number;
  topicByteLength: number;
  /** PUBLISH: the Application Message, CONNECT: the Will Payload. The length is the whole, even if it streams. */
  payloadOffset: number;
  payloadByteLength: number;
  /** SUBSCRIBE, UNSUBSCRIBE: Topic Filters with their options; SUBACK, UNSUBACK: the reason codes. */
  listOffset: number;
  listEnd: number;
  /** How many Topic Filters or reason codes. */
  listCount: number;
  /** CONNECT: what else it says. Made by whoever decodes the first one, so that a client has none. */
  connect: ConnectPart | null;

  /** The properties behind their length; both equal where there are none. Walk them with `readProperty`. */
  propertiesOffset: number;
  propertiesEnd: number;
  /** Bit n is set when the property of row n is there. Here and below a will's properties do not count: walk those. */
  present: number;
  /**
   * By row: the number, or for strings and binary data the offset behind their length, which `byteLengthAt` reads; the
   * first if repeated, of a user property the key.
   */
  values: Uint32Array;

  /** What is wrong, one of violations.ts, when decode returned VIOLATION. */
  violation: number;
  /** Where: the offset of the first byte of what is wrong. */
  violationOffset: number;

  constructor() {
    this.type = 0;
    this.offset = 0;
    this.end = 0;
    this.dup = 0;
    this.qos = 0;
    this.retain = 0;
    this.packetId = 0;
    this.reasonCode = 0;
    this.sessionPresent = 0;
    this.topicOffset = 0;
    this.topicByteLength = 0;
    this.payloadOffset = 0;
    this.payloadByteLength = 0;
    this.listOffset = 0;
    this.listEnd = 0;
    this.listCount = 0;
    this.connect = null;
    this.propertiesOffset = 0;
    this.propertiesEnd = 0;
    this.present = 0;
    this.values = new Uint32Array(PROPERTY_COUNT);
    this.violation = NO_VIOLATION;
    this.violationOffset = 0;
  }

  /** Whether the property of `row` (a P_* number) is in the packet. */
  has(row: number): boolean {
    return (this.present & (1 << row)) !== 0;
  }

  /** Notes what the peer got wrong and where; returns VIOLATION, for the caller to return. */
  refuse(violation: number, offset: number): number {
    this.violation = violation;
    this.violationOffset = offset;
    return VIOLATION;
  }
}
