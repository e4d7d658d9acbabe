/**
 * The outbox: outgoing messages in the order they were accepted, in fixed storage of the caller's. QoS 1 and 2 stay
 * until the server took them over, whatever happens to the connection; QoS 0 waits here while it cannot be sent. One
 * record at a time may have its payload filled in piece by piece, and one at a time may be sent so.
 *
 * A record is a head of 24 bytes, the Topic Name, the properties, the payload. Records never wrap. Freed records are
 * holes until they reach the front; when room is short the live ones move down, as long as that frees an eighth of
 * the storage, so that the bytes moved stay in proportion to the bytes accepted. Knows nothing of connections.
 */
import { copyRange, moveDown } from '../wire/bytes.ts';
import { readTwoBytes, writeTwoBytes } from '../packets/fields.ts';
import { NO_SPACE, PACKET_TOO_LARGE } from '../status.ts';

/** Bytes before the Topic Name: length 4, ticket 4, expiry deadline 4, flags 1, state 1, packet id 2, topic handle 2, topic length 2, properties length 4. */
export const RECORD_HEAD_BYTES = 24;

const TICKET = 4;
const DEADLINE = 8;
const FLAGS = 12;
const STATE = 13;
const PACKET_ID = 14;
const HANDLE = 16;
const TOPIC_LENGTH = 18;
const PROPERTIES_LENGTH = 20;

/** Waiting to be sent. */
export const RECORD_QUEUED = 0;
/** Sent at least once and not completed. */
export const RECORD_SENT = 1;
/** A hole. */
export const RECORD_FREE = 2;

/** No expiry. Zero, because engines keep small integers without allocating, and nearly every message has this one. */
export const NO_DEADLINE = 0;
/** No topic handle. */
export const NO_HANDLE = 0xffff;

export function readFourBytes(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function writeFourBytes(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = (value >>> 16) & 255;
  bytes[at + 2] = (value >>> 8) & 255;
  bytes[at + 3] = value & 255;
}

export class Outbox {
  bytes: Uint8Array;
  /** First record. */
  start: number;
  /** Behind the last record. */
  end: number;
  /** First record that was never sent on this session: `end` when there is none. */
  next: number;
  /** Bytes in holes behind `start`. */
  holeBytes: number;
  /**
   * What a new QoS 0 message must queue behind: records waiting to be sent that are QoS 0, and one for the packet,
   * if any, that the transmit ring has only the beginning of.
   */
  queuedQos0: number;
  /** Live records. */
  count: number;
  /** The record whose payload is not all there yet, which neither leaves nor is dropped for room; -1 for none. */
  filling: number;
  /** Payload bytes that it still lacks. */
  unfilledByteLength: number;
  /** The record of which the transmit ring got only the beginning, or, QoS 0, all but nobody was told; -1 for none. */
  sending: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.start = 0;
    this.end = 0;
    this.next = 0;
    this.holeBytes = 0;
    this.queuedQos0 = 0;
    this.count = 0;
    this.filling = -1;
    this.unfilledByteLength = 0;
    this.sending = -1;
  }

  /**
   * Appends a message. Returns its offset, NO_SPACE when it does not fit now, or PACKET_TOO_LARGE when it never will.
   * `deadlineSeconds` is NO_DEADLINE or when it expires. The bytes are copied: of the payload the first
   * `givenByteLength`, and if that is not all of it, the rest has to come by `fill`.
   */
  add(
    ticket: number,
    flags: number,
    handle: number,
    deadlineSeconds: number,
    topic: Uint8Array,
    topicByteLength: number,
    properties: Uint8Array,
    propertiesByteLength: number,
    payload: Uint8Array,
    payloadByteLength: number,
    givenByteLength: number,
  ): number {
    const length = RECORD_HEAD_BYTES + topicByteLength + propertiesByteLength + payloadByteLength;
    if (length > this.bytes.length) return PACKET_TOO_LARGE;
    if (this.bytes.length - this.end < length) return NO_SPACE;
    const bytes = this.bytes;
    const at = this.end;
    writeFourBytes(bytes, at, length);
    writeFourBytes(bytes, at + TICKET, ticket);
    writeFourBytes(bytes, at + DEADLINE, deadlineSeconds);
    bytes[at + FLAGS] = flags;
    bytes[at + STATE] = RECORD_QUEUED;
    writeTwoBytes(bytes, at + PACKET_ID, 0);
    writeTwoBytes(bytes, at + HANDLE, handle);
    writeTwoBytes(bytes, at + TOPIC_LENGTH, topicByteLength);
    writeFourBytes(bytes, at + PROPERTIES_LENGTH, propertiesByteLength);
    let to = at + RECORD_HEAD_BYTES;
    copyRange(topic, 0, topicByteLength, bytes, to);
    to += topicByteLength;
    copyRange(properties, 0, propertiesByteLength, bytes, to);
    copyRange(payload, 0, givenByteLength, bytes, to + propertiesByteLength);
    this.end = at + length;
    this.count++;
    if ((flags & 6) === 0) this.queuedQos0++;
    if (givenByteLength < payloadByteLength) {
      this.filling = at;
      this.unfilledByteLength = payloadByteLength - givenByteLength;
    }
    return at;
  }

  /** Adds to the payload of the record at `filling`, as much as it lacks at most. Returns how many bytes that were. */
  fill(bytes: Uint8Array, from: number, byteLength: number): number {
    const unfilled = this.unfilledByteLength;
    const count = byteLength < unfilled ? byteLength : unfilled;
    const end = this.filling + this.recordByteLength(this.filling);
    copyRange(bytes, from, from + count, this.bytes, end - unfilled);
    this.unfilledByteLength = unfilled - count;
    return count;
  }

  /** Appends a record as `recordByteLength` bytes of an earlier one, from a store. */
  restore(record: Uint8Array, from: number, recordByteLength: number): number {
    if (this.bytes.length - this.end < recordByteLength) return NO_SPACE;
    const at = this.end;
    copyRange(record, from, from + recordByteLength, this.bytes, at);
    this.bytes[at + STATE] = RECORD_QUEUED;
    writeTwoBytes(this.bytes, at + HANDLE, NO_HANDLE);
    this.end = at + recordByteLength;
    this.count++;
    return at;
  }

  /** Whether `compact` would give room for a message of `byteLength`, at a bearable price. */
  isCompactable(byteLength: number): boolean {
    const waste = this.start + this.holeBytes;
    return this.bytes.length - this.end + waste >= byteLength && waste * 8 >= this.bytes.length;
  }

  recordByteLength(at: number): number {
    return readFourBytes(this.bytes, at);
  }

  ticket(at: number): number {
    return readFourBytes(this.bytes, at + TICKET);
  }

  /** Second on the session's clock at which the message expires, or NO_DEADLINE. */
  deadlineSeconds(at: number): number {
    return readFourBytes(this.bytes, at + DEADLINE);
  }

  setDeadlineSeconds(at: number, deadlineSeconds: number): void {
    writeFourBytes(this.bytes, at + DEADLINE, deadlineSeconds);
  }

  /** Where the properties begin; the Topic Name ends there. */
  propertiesOffset(at: number): number {
    return at + RECORD_HEAD_BYTES + this.topicByteLength(at);
  }

  /** Offset of the record of the message with `ticket`, or -1. */
  findTicket(ticket: number): number {
    for (let at = this.start; at < this.end; at += this.recordByteLength(at)) {
      if (this.ticket(at) === ticket && this.bytes[at + STATE] !== RECORD_FREE) return at;
    }
    return -1;
  }

  /** PUBLISH's flags without DUP. */
  flags(at: number): number {
    return this.bytes[at + FLAGS];
  }

  qos(at: number): number {
    return (this.bytes[at + FLAGS] >> 1) & 3;
  }

  state(at: number): number {
    return this.bytes[at + STATE];
  }

  handle(at: number): number {
    return readTwoBytes(this.bytes, at + HANDLE);
  }

  topicByteLength(at: number): number {
    return readTwoBytes(this.bytes, at + TOPIC_LENGTH);
  }

  propertiesByteLength(at: number): number {
    return readFourBytes(this.bytes, at + PROPERTIES_LENGTH);
  }

  /** Says that the record, which must be the one at `next`, goes out; QoS 1 and 2 stay until `free`. */
  markSent(at: number): void {
    this.bytes[at + STATE] = RECORD_SENT;
    if (this.qos(at) === 0) this.queuedQos0--;
    this.next = at + this.recordByteLength(at);
    this.skipHoles();
  }

  /** Makes a hole of the record. Offsets of the other records stay as they are. */
  free(at: number): void {
    const length = this.recordByteLength(at);
    if (this.bytes[at + STATE] === RECORD_QUEUED && this.qos(at) === 0) this.queuedQos0--;
    this.bytes[at + STATE] = RECORD_FREE;
    this.count--;
    this.holeBytes += length;
    if (this.next === at) this.next = at + length;
    while (this.start < this.end && this.bytes[this.start + STATE] === RECORD_FREE) {
      const hole = this.recordByteLength(this.start);
      this.start += hole;
      this.holeBytes -= hole;
    }
    if (this.next < this.start) this.next = this.start;
    if (this.start === this.end) {
      this.start = 0;
      this.end = 0;
      this.next = 0;
    }
    this.skipHoles();
  }

  /** Moves `next` over holes. */
  skipHoles(): void {
    while (this.next < this.end && this.bytes[this.next + STATE] === RECORD_FREE) {
      this.next += this.recordByteLength(this.next);
    }
  }

  /** Makes every record that was sent wait again, from the first one on: the server has lost the session. */
  requeue(): void {
    for (let at = this.start; at < this.end; at += this.recordByteLength(at)) {
      if (this.bytes[at + STATE] === RECORD_SENT) this.bytes[at + STATE] = RECORD_QUEUED;
    }
    this.next = this.start;
    this.skipHoles();
  }

  /** Offset of the first QoS 0 record that waits, whole and with none of it sent, or -1. */
  findOldestQos0(): number {
    for (let at = this.next; at < this.end; at += this.recordByteLength(at)) {
      const isWhole = at !== this.filling && at !== this.sending;
      if (isWhole && this.bytes[at + STATE] === RECORD_QUEUED && this.qos(at) === 0) return at;
    }
    return -1;
  }

  /**
   * Moves the live records to the front. `offsets[i * stride]`, `count` of them, are record offsets (or below 0)
   * held by the in-flight slots: they are moved along.
   */
  compact(offsets: Int32Array, first: number, stride: number): void {
    if (this.holeBytes === 0) {
      moveDown(this.bytes, 0, this.start, this.end);
      this.moveOffsets(offsets, first, stride);
      return;
    }
    let to = 0;
    for (let at = this.start; at < this.end;) {
      const length = this.recordByteLength(at);
      if (this.next === at) this.next = to;
      if (this.bytes[at + STATE] !== RECORD_FREE) {
        moveDown(this.bytes, to, at, at + length);
        // Offsets only ever shrink, and in order: one that was moved is below every one that is still to move.
        for (let i = first; i < offsets.length; i += stride) if (offsets[i] === at) offsets[i] = to;
        if (this.filling === at) this.filling = to;
        if (this.sending === at) this.sending = to;
        to += length;
      }
      at += length;
    }
    if (this.next === this.end) this.next = to;
    this.holeBytes = 0;
    this.start = 0;
    this.end = to;
  }

  /** Says that everything was moved by `start`, to the front. */
  moveOffsets(offsets: Int32Array, first: number, stride: number): void {
    const distance = this.start;
    for (let i = first; i < offsets.length; i += stride) if (offsets[i] >= 0) offsets[i] -= distance;
    if (this.filling >= 0) this.filling -= distance;
    if (this.sending >= 0) this.sending -= distance;
    this.next -= distance;
    this.end -= distance;
    this.start = 0;
  }

  /** Goes on with other storage of at least `end - start` bytes; offsets held elsewhere move as in `compact`. */
  replace(bytes: Uint8Array, offsets: Int32Array, first: number, stride: number): void {
    copyRange(this.bytes, this.start, this.end, bytes, 0);
    this.bytes = bytes;
    this.moveOffsets(offsets, first, stride);
  }
}
