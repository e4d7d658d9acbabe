/**
 * How a session's buffers grow and shrink where memory is there to be asked for: to stated limits, by doubling, and back
 * once a burst is over. On a device nothing of this is used: buffers stay as they were given.
 */
import { RESERVED_TRANSMIT_BYTES } from '../limits.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import type { PropertyWriter } from '../packets/properties.ts';
import type { FilterList } from '../session/filter-list.ts';
import type { Session } from '../session/session.ts';

/** From here on what was written goes out at once instead of at the end of the turn. */
export const FLUSH_BYTES = 65536;
/** A transmit ring or outbox that is kept although it is empty. */
const KEPT_BUFFER_BYTES_MAX = 1048576;
const LEAST_BYTES = 512;
/** Bytes of a subscription record beyond what its filter takes in a list. */
const SUBSCRIPTION_EXTRA_BYTES = 16;

/** The next power of two times `least` that is at least `byteLength`. */
export function sizeFor(byteLength: number, least: number): number {
  let size = least;
  while (size < byteLength) size *= 2;
  return size;
}

/** Makes room for CONNECT. */
export function growForConnect(session: Session, bytesMax: number): void {
  const { connect, authenticationData } = session.state;
  growTransmit(session, 16 + connect.length + (authenticationData?.length ?? 0), bytesMax);
}

/** Makes the transmit ring larger, if it is too small for a packet of `byteLength` or merely small; or returns false. */
export function growTransmit(session: Session, byteLength: number, bytesMax: number): boolean {
  const ring = session.transmit;
  const needed = byteLength + RESERVED_TRANSMIT_BYTES;
  let size = needed;
  if (ring.bytes.length < FLUSH_BYTES && ring.freeByteLength() < needed) size += ring.byteLength();
  if (size <= ring.bytes.length || needed > bytesMax) return false;
  session.replaceTransmit(new Uint8Array(sizeFor(size, LEAST_BYTES)));
  return true;
}

/** Makes the transmit ring large enough for what waits in the outbox to go out in few writes, on a connection that is up. */
export function growForWaiting(session: Session, bytesMax: number): void {
  const { outbox } = session.state;
  const byteLength = outbox.end - outbox.start;
  if (byteLength > session.transmit.bytes.length && session.isConnected()) {
    growForWritten(session, byteLength, bytesMax);
  }
}

/** Makes the transmit ring larger after one turn of the event loop wrote `byteLength` bytes and filled it more than once. */
export function growForWritten(session: Session, byteLength: number, bytesMax: number): void {
  const { length } = session.transmit.bytes;
  if (byteLength <= length || length >= FLUSH_BYTES) return;
  const size = sizeFor(Math.min(byteLength, FLUSH_BYTES), LEAST_BYTES);
  if (size <= bytesMax) session.replaceTransmit(new Uint8Array(size));
}

/** Makes the outbox larger, by `byteLength` at least and twice as a rule; or returns false. */
export function growOutbox(session: Session, byteLength: number, bytesMax: number): boolean {
  const { outbox } = session.state;
  const size = outbox.end - outbox.start + byteLength;
  if (outbox.bytes.length >= bytesMax || size > bytesMax) return false;
  const doubled = sizeFor(Math.max(size, outbox.bytes.length * 2), LEAST_BYTES);
  session.replaceOutbox(new Uint8Array(Math.min(doubled, bytesMax)));
  return true;
}

/** Gives back what a burst or a large message needed, once nothing is left of it. */
export function shrink(session: Session): void {
  const { outbox } = session.state;
  if (outbox.count > 0 || session.transmit.byteLength() > 0) return;
  if (session.transmit.bytes.length > KEPT_BUFFER_BYTES_MAX) {
    session.replaceTransmit(new Uint8Array(FLUSH_BYTES * 2));
  }
  if (outbox.bytes.length > KEPT_BUFFER_BYTES_MAX) session.replaceOutbox(NO_BYTES);
}

/** Makes room for the filters of `list`, in the records and in the transmit ring. */
export function makeSubscriptionRoom(
  session: Session,
  list: FilterList,
  userProperties: PropertyWriter | null,
  transmitBytesMax: number,
): void {
  const { subscriptions } = session.state;
  const extra = userProperties?.byteLength ?? 0;
  const records =
    list.byteLength + list.count * SUBSCRIPTION_EXTRA_BYTES + extra + SUBSCRIPTION_EXTRA_BYTES + 1;
  const size = subscriptions.end + records;
  if (size > subscriptions.bytes.length) session.replaceSubscriptions(new Uint8Array(sizeFor(size, 128)));
  growTransmit(session, list.byteLength + extra + 64, transmitBytesMax);
}
