/**
 * The Control Packet types (2.1.2), protocol versions and who sent a packet: the numbers everything above agrees on.
 */
import { fillTable } from '../wire/table.ts';

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;
export const AUTH = 15;

/** The standard's names, by type. */
export const PACKET_NAMES: readonly string[] = [
  'RESERVED',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
];

/** Protocol Version byte of MQTT 3.1.1. */
export const V3_1_1 = 4;
/** Protocol Version byte of MQTT 5.0. */
export const V5 = 5;

/** Who sends the packets that a decoder reads: bits, so that `FROM_ANYONE` is both. */
export const FROM_CLIENT = 1;
export const FROM_SERVER = 2;
export const FROM_ANYONE = 3;

/** Who may send each packet type (2.1.2), by type; 3.1.1's DISCONNECT comes from the client alone. */
export const SENDERS = fillTable(new Uint8Array(16), 1, '0123333312121233');

/** Bits of the CONNECT flags (3.1.2.3). */
export const CONNECT_CLEAN_START = 0x02;
export const CONNECT_WILL = 0x04;
export const CONNECT_WILL_RETAIN = 0x20;
export const CONNECT_PASSWORD = 0x40;
export const CONNECT_USER_NAME = 0x80;

/** Bits of the Subscription Options (3.8.3.1). */
export const SUBSCRIBE_NO_LOCAL = 0x04;
export const SUBSCRIBE_RETAIN_AS_PUBLISHED = 0x08;
