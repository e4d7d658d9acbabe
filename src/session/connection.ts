/**
 * The states of a connection, and which packets the server may send in each (3.1, 3.2, 4.12): as data.
 *
 * IDLE: nothing was asked for, or the end was. OPENING: the transport is on its way up. With enhanced
 * authentication, once it is: ANNOUNCING, EVENT_CONNECTING is to be told; CONNECT_DUE, it was told, and CONNECT is to be
 * written by the next poll. CONNECTING: CONNECT is sent,
 * CONNACK awaited, an authentication exchange may come before it. CONNECTED: CONNACK said yes. WAITING: for the next
 * attempt. CLOSED: for good.
 */
import {
  AUTH,
  CONNACK,
  DISCONNECT,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  UNSUBACK,
} from '../packets/types.ts';

export const IDLE = 0;
export const OPENING = 1;
export const CONNECTING = 2;
export const CONNECTED = 3;
export const WAITING = 4;
export const CLOSED_FOR_GOOD = 5;
export const ANNOUNCING = 6;
export const CONNECT_DUE = 7;

/** Whether the transport is open in this state. */
export function isUp(state: number): boolean {
  return state === CONNECTING || state === CONNECTED || state >= ANNOUNCING;
}

/** Bits of the packet types a server may send to who waits for CONNACK, and to who has it. */
const ALLOWED_CONNECTING = (1 << CONNACK) | (1 << DISCONNECT) | (1 << AUTH);
const ALLOWED_CONNECTED =
  (1 << PUBLISH) |
  (1 << PUBACK) |
  (1 << PUBREC) |
  (1 << PUBREL) |
  (1 << PUBCOMP) |
  (1 << SUBACK) |
  (1 << UNSUBACK) |
  (1 << PINGRESP) |
  (1 << DISCONNECT) |
  (1 << AUTH);

/** Whether the server may send a packet of `type` now [MQTT-3.2.0-1], [MQTT-3.2.0-2]. */
export function isAllowed(state: number, type: number): boolean {
  const allowed = state === CONNECTED ? ALLOWED_CONNECTED : state === CONNECTING ? ALLOWED_CONNECTING : 0;
  return (allowed & (1 << type)) !== 0;
}

/** What the pump has to do with the transport. */
export const TRANSPORT_NONE = 0;
export const TRANSPORT_OPEN = 1;
/** Write what is in the transmit ring, then close. */
export const TRANSPORT_CLOSE = 2;

/**
 * Refusals that trying again may cure: everything else in 3.2.2.2 needs somebody to change something first. 3.1.1:
 * server unavailable.
 */
export function isTransient(reasonCode: number, isV5: boolean): boolean {
  if (!isV5) return reasonCode === 3;
  switch (reasonCode) {
    case 0x80: // unspecified
    case 0x83: // implementation specific
    case 0x88: // server unavailable
    case 0x89: // server busy
    case 0x97: // quota exceeded
    case 0x9f: // connection rate exceeded
      return true;
    default:
      return false;
  }
}

/**
 * Whether to come back after the server's DISCONNECT. Not when the session was taken over, for two clients would go
 * on throwing each other out; but if a CONNECT of our own `mayBeLate`, that may have been the other client
 * [MQTT-3.1.4-3]. Nor when it was moved or banned.
 */
export function isReturnWelcome(reasonCode: number, mayBeLate: boolean): boolean {
  switch (reasonCode) {
    case 0x8e: // session taken over
      return mayBeLate;
    case 0x87: // not authorized
    case 0x9d: // server moved
      return false;
    default:
      return true;
  }
}
