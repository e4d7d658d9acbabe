/**
 * Taking a session's state back out of a store, record by record.
 */
import { FOUR_BYTE_INTEGER_MAX, TWO_BYTE_INTEGER_MAX } from '../limits.ts';
import { readTwoBytes } from '../packets/fields.ts';
import { NOT_FOUND, NO_SPACE, OK } from '../status.ts';
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC } from './delivery.ts';
import { AWAIT_PUBREL } from './incoming.ts';
import { checkProperties } from './publishing.ts';
import type { SessionState } from './state.ts';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from './store.ts';

/** See Session.restore. */
export function restoreRecord(
  s: SessionState,
  kind: number,
  number: number,
  bytes: Uint8Array,
  at: number,
  byteLength: number,
  nowMs: number,
): number {
  s.hasSession = true;
  if (kind === STORED_RECEIVED) {
    s.isSessionDoubted = true;
    s.incoming.add(number, AWAIT_PUBREL, 2, 0, 0);
    return OK;
  }
  if (number >= s.nextTicket) s.nextTicket = number === FOUR_BYTE_INTEGER_MAX ? 1 : number + 1;
  const outbox = s.outbox;
  if (kind === STORED_MESSAGE) {
    const record = outbox.restore(bytes, at, byteLength);
    if (record < 0) return record;
    const propertiesAt = outbox.propertiesOffset(record);
    const deadline = checkProperties(
      outbox.bytes.subarray(propertiesAt),
      outbox.propertiesByteLength(record),
      nowMs,
    );
    outbox.setDeadlineSeconds(record, deadline);
    return OK;
  }
  if (kind !== STORED_PROGRESS || byteLength < 3) return NOT_FOUND;
  if (!s.inflight.hasRoom()) return NO_SPACE;
  const packetId = readTwoBytes(bytes, at);
  const record = outbox.findTicket(number);
  if (packetId > 0 && packetId <= TWO_BYTE_INTEGER_MAX) s.lastPacketId = packetId;
  if (bytes[at + 2] === 1) {
    // PUBREC was there: the message itself may be left over from a power cut in between.
    if (record >= 0) {
      outbox.free(record);
      if (s.store !== null) s.store.remove(STORED_MESSAGE, number);
    }
    s.inflight.add(packetId, AWAIT_PUBCOMP, -1, number);
  } else if (record >= 0) {
    outbox.markSent(record);
    s.inflight.add(packetId, outbox.qos(record) === 1 ? AWAIT_PUBACK : AWAIT_PUBREC, record, number);
  } else if (s.store !== null) {
    // Done: the power was cut between the removal of the message and that of its progress.
    s.store.remove(STORED_PROGRESS, number);
  }
  return OK;
}
