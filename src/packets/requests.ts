/**
 * The packets that only clients send, as brokers and tools read them: what a decoder is given so as to know them. A client
 * does without.
 */
import { decodeConnect } from './connect.ts';
import { decodeEmpty } from './control.ts';
import type { Packet } from './packet.ts';
import { decodeFilters } from './subscribe.ts';
import { CONNECT, PINGREQ } from './types.ts';

/** Decodes what is behind the fixed header of a CONNECT, SUBSCRIBE, UNSUBSCRIBE or PINGREQ. See RequestDecoder. */
export function decodeRequest(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  packet: Packet,
): number {
  if (packet.type === CONNECT) return decodeConnect(bytes, at, packet);
  if (packet.type === PINGREQ) return decodeEmpty(at, packet);
  return decodeFilters(bytes, at, protocolVersion, packet);
}
