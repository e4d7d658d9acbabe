/**
 * AUTH (4.12): what the server's means, and what the application answers with, as a packet.
 */
import { checkRange } from '../assert.ts';
import { RESERVED_TRANSMIT_BYTES, STRING_BYTES_MAX } from '../limits.ts';
import { NOT_CONNECTED, NO_SPACE, OK, PACKET_TOO_LARGE } from '../status.ts';
import { packetByteLength, sectionByteLength } from '../packets/fields.ts';
import { byteLengthAt } from '../packets/packet.ts';
import { PropertyWriter } from '../packets/properties.ts';
import { P_AUTHENTICATION_DATA, P_AUTHENTICATION_METHOD } from '../packets/property-table.ts';
import { CONTINUE_AUTHENTICATION } from '../packets/reason-codes.ts';
import { AUTH } from '../packets/types.ts';
import {
  AUTHENTICATION_DATA_WITHOUT_METHOD,
  AUTHENTICATION_METHOD_CHANGED,
  UNEXPECTED_PACKET,
} from '../packets/violations.ts';
import { isEqualRange } from '../wire/bytes.ts';
import { CONNECTED, CONNECTING } from './connection.ts';
import { writeReason } from './ending.ts';
import { EVENT_AUTHENTICATE, EVENT_AUTHENTICATED } from './event.ts';
import { noteSent } from './keep-alive.ts';
import type { SessionState } from './state.ts';

export function checkAuthenticationData(data: Uint8Array | null): void {
  checkRange(
    data === null || data.length <= STRING_BYTES_MAX,
    'authentication data must be of 65,535 bytes at most',
  );
}

/**
 * Writes AUTH behind a CONNECT that was sent. Returns OK, NOT_CONNECTED without enhanced authentication, NO_SPACE, or
 * PACKET_TOO_LARGE once the server has said what it takes.
 */
export function writeAuth(
  s: SessionState,
  reasonCode: number,
  data: Uint8Array | null,
  nowMs: number,
): number {
  const method = s.authenticationMethod;
  if (method === null) return NOT_CONNECTED;
  checkAuthenticationData(data);
  const properties = new PropertyWriter(
    new Uint8Array(6 + method.length + (data === null ? 0 : data.length)),
  );
  properties.addBytes(P_AUTHENTICATION_METHOD, method); // [MQTT-4.12.0-5]
  if (data !== null) properties.addBytes(P_AUTHENTICATION_DATA, data);
  const isTooLarge =
    packetByteLength(1 + sectionByteLength(true, properties.byteLength)) > s.serverMaximumPacketSize;
  if (s.connection === CONNECTED && isTooLarge) return PACKET_TOO_LARGE; // [MQTT-3.2.2-15]
  if (!writeReason(s, AUTH, reasonCode, properties, RESERVED_TRANSMIT_BYTES)) return NO_SPACE;
  noteSent(s, nowMs);
  return OK;
}

/** Whether the packet names another Authentication Method than CONNECT did [MQTT-4.12.0-5]. */
export function isMethodChanged(s: SessionState): boolean {
  const packet = s.packet;
  if (!packet.has(P_AUTHENTICATION_METHOD)) return false;
  const method = s.authenticationMethod;
  const bytes = s.receive.bytes;
  const at = packet.values[P_AUTHENTICATION_METHOD];
  if (method === null || byteLengthAt(bytes, at) !== method.length) return true;
  return !isEqualRange(bytes, at, method, 0, method.length);
}

/** AUTH came: returns the event that it is, or VIOLATION. */
export function handleAuth(s: SessionState): number {
  const packet = s.packet;
  if (s.authenticationMethod === null) {
    return packet.refuse(AUTHENTICATION_DATA_WITHOUT_METHOD, packet.offset); // [MQTT-4.12.0-6]
  }
  if (isMethodChanged(s)) return packet.refuse(AUTHENTICATION_METHOD_CHANGED, packet.offset);
  s.event.hasPacket = true;
  s.event.reasonCode = packet.reasonCode;
  if (packet.reasonCode === CONTINUE_AUTHENTICATION) {
    s.event.kind = EVENT_AUTHENTICATE;
    return EVENT_AUTHENTICATE;
  }
  // Before CONNACK it is CONNACK that says it is done.
  if (s.connection === CONNECTING) return packet.refuse(UNEXPECTED_PACKET, packet.offset);
  s.event.kind = EVENT_AUTHENTICATED;
  return EVENT_AUTHENTICATED;
}
