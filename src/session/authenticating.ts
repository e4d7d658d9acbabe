/**
 * AUTH on its way out (4.12): what the application answers with, as a packet.
 */
import { checkRange } from '../assert.ts';
import { RESERVED_TRANSMIT_BYTES, STRING_BYTES_MAX } from '../limits.ts';
import { NOT_CONNECTED, NO_SPACE, OK, PACKET_TOO_LARGE } from '../status.ts';
import { packetByteLength, sectionByteLength } from '../packets/fields.ts';
import { PropertyWriter } from '../packets/properties.ts';
import { P_AUTHENTICATION_DATA, P_AUTHENTICATION_METHOD } from '../packets/property-table.ts';
import { AUTH } from '../packets/types.ts';
import { CONNECTED } from './connection.ts';
import { writeReason } from './ending.ts';
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
