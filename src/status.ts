/**
 * The small integers that calls in the core return. Zero and above is success, below zero is "not done, and
 * nothing was changed": an encoder, for instance, returns the offset after what it wrote, or one of these.
 */

/** Done. */
export const OK = 0;
/** The bytes at hand end before the packet does: call again when there are more. Nothing was consumed. */
export const NEED_DATA = 1;
/** A PUBLISH longer than the window: its head is decoded, its payload follows in fragments. */
export const PAYLOAD_STREAMS = 2;

/** No room: in the transmit ring, the outbox, the in-flight slots. Nothing was changed; try again after a drain. */
export const NO_SPACE = -1;
/** The peer broke the standard: the packet record's `violation`, `violationOffset` say how and where. */
export const VIOLATION = -2;
/** Not possible while the connection is in this state. */
export const NOT_CONNECTED = -3;
/** The packet would be larger than the server's Maximum Packet Size, or than the buffer that has to hold it; see Session.publish. */
export const PACKET_TOO_LARGE = -4;
/** The server announced that it does not support this (Maximum QoS, Retain Available, wildcard, shared, identifiers). */
export const NOT_SUPPORTED_BY_SERVER = -5;
/** No such message, subscription or packet identifier is waiting. */
export const NOT_FOUND = -6;
/** The session was closed for good: no verb but the constructor helps. */
export const CLOSED = -7;
/** The store could not keep it, so it was not accepted. */
export const STORE_FAILED = -8;

/** The message's expiry interval ran out before it could be sent. */
export const EXPIRED = -9;
/** The message was dropped from the full outbox to make room, as the overflow option says. */
export const DROPPED = -10;

/** The stable upper-case name of a status, for errors and logs. */
export function statusName(status: number): string {
  // From OK on, up or down.
  const names =
    status > 0
      ? 'OK NEED_DATA PAYLOAD_STREAMS'
      : 'OK NO_SPACE VIOLATION NOT_CONNECTED PACKET_TOO_LARGE NOT_SUPPORTED_BY_SERVER NOT_FOUND CLOSED STORE_FAILED EXPIRED DROPPED';
  const name = names.split(' ')[status > 0 ? status : -status] as string | undefined;
  return name ?? (status > 0 ? 'OK' : 'UNKNOWN');
}
