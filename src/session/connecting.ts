/**
 * CONNECT between options and wire. It is kept as the bytes behind its fixed header, and each connection puts in what is
 * its own: Clean Start, Authentication Data, and once the server has assigned one, the Client Identifier.
 */
import { byteLengthAt } from '../packets/packet.ts';
import { checkRoom, writeBinary } from '../packets/fields.ts';
import { CONNECT_PROPERTIES } from '../packets/connect.ts';
import { P_ASSIGNED_CLIENT_IDENTIFIER } from '../packets/property-table.ts';
import { CONNECT } from '../packets/types.ts';
import { copyRange } from '../wire/bytes.ts';
import { readVarint, varintByteLength, writeVarint } from '../wire/varint.ts';
import { CONNECTING } from './connection.ts';
import { endConnection } from './ending.ts';
import { CAUSE_CONNECT_TOO_LARGE } from './event.ts';
import { noteSent } from './keep-alive.ts';
import type { SessionState } from './state.ts';

/** Offset of the length of the Client Identifier. */
export function clientIdOffset(s: SessionState): number {
  if (!s.isV5) return CONNECT_PROPERTIES;
  const byteLength = readVarint(s.connect, CONNECT_PROPERTIES, s.connect.length);
  return CONNECT_PROPERTIES + varintByteLength(byteLength) + byteLength;
}

/** The identifier that the server assigned in CONNACK is this client's from now on [MQTT-3.2.2-16]. */
export function keepClientId(s: SessionState): void {
  const connect = s.connect;
  const at = clientIdOffset(s);
  const restAt = at + 2 + byteLengthAt(connect, at + 2);
  const assignedAt = s.packet.values[P_ASSIGNED_CLIENT_IDENTIFIER] - 2;
  const byteLength = 2 + byteLengthAt(s.receive.bytes, assignedAt + 2);
  s.connect = new Uint8Array(at + byteLength + connect.length - restAt);
  copyRange(connect, 0, at, s.connect, 0);
  copyRange(s.receive.bytes, assignedAt, assignedAt + byteLength, s.connect, at);
  copyRange(connect, restAt, connect.length, s.connect, at + byteLength);
}

/** Writes CONNECT; ends the connection when it does not fit. */
export function writeConnect(s: SessionState, nowMs: number): void {
  const transmit = s.transmit;
  const out = transmit.bytes;
  const connect = s.connect;
  const data = s.isV5 ? s.authenticationData : null;
  let restAt = CONNECT_PROPERTIES;
  let remaining = connect.length;
  let properties = 0;
  if (s.isV5) {
    properties = readVarint(connect, restAt, connect.length);
    restAt += varintByteLength(properties);
    if (data !== null) properties += 3 + data.length;
    remaining = connect.length + CONNECT_PROPERTIES - restAt + varintByteLength(properties);
    if (data !== null) remaining += 3 + data.length;
  }
  s.connection = CONNECTING;
  let at = transmit.end;
  if (checkRoom(at, out.length, remaining) < 0) {
    endConnection(s, CAUSE_CONNECT_TOO_LARGE, 0, nowMs);
    return;
  }
  out[at] = CONNECT << 4;
  at = writeVarint(out, at + 1, remaining);
  copyRange(connect, 0, CONNECT_PROPERTIES, out, at);
  at += CONNECT_PROPERTIES;
  if (s.isV5) at = writeVarint(out, at, properties);
  if (data !== null) {
    out[at] = 0x16; // Authentication Data
    at = writeBinary(out, at + 1, data);
  }
  copyRange(connect, restAt, connect.length, out, at);
  transmit.end = at + connect.length - restAt;
  noteSent(s, nowMs);
}
