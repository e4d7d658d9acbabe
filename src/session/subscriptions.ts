/**
 * The subscriptions a session wants, in fixed storage of the caller's: what has to be sent, what is under way, and
 * what the server holds, so that it can all be made again with a server that lost the session.
 *
 * A record is a head of 17 bytes and a Topic Filter (or, first in its group, the user properties of the packet). The
 * records of one SUBSCRIBE or UNSUBSCRIBE stand together and share a ticket. Removing moves the rest down: subscribing
 * is rare.
 */
import { readTwoBytes, writeTwoBytes } from '../packets/fields.ts';
import { NO_SPACE } from '../status.ts';
import { copyRange, isEqualRange, moveDown } from '../wire/bytes.ts';
import { readFourBytes, writeFourBytes } from './outbox.ts';

/** What a record is for. */
export const FOR_SUBSCRIBE = 0;
export const FOR_UNSUBSCRIBE = 1;
/** User properties of the group that follows. */
export const FOR_PROPERTIES = 2;

/** To be sent as soon as there is a connection. */
export const TO_SEND = 0;
/** Sent, to be acknowledged. */
export const SENT = 1;
/** Granted. */
export const ACTIVE = 2;

/** Bytes of a record before its filter. */
export const SUBSCRIPTION_HEAD_BYTES = 17;
const KIND = 4;
const STATE = 5;
const PACKET_ID = 6;
const TICKET = 8;
const IDENTIFIER = 12;
const OPTIONS = 16;

export class Subscriptions {
  bytes: Uint8Array;
  end: number;
  /** Records in TO_SEND, so that nobody has to look when there are none. */
  toSend: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = 0;
    this.toSend = 0;
  }

  /** Appends a record. Returns OK (0) or NO_SPACE. */
  add(
    kind: number,
    ticket: number,
    identifier: number,
    options: number,
    filter: Uint8Array,
    from: number,
    to: number,
  ): number {
    const length = SUBSCRIPTION_HEAD_BYTES + to - from;
    if (this.end + length > this.bytes.length) return NO_SPACE;
    const at = this.end;
    writeFourBytes(this.bytes, at, length);
    this.bytes[at + KIND] = kind;
    this.bytes[at + STATE] = TO_SEND;
    writeTwoBytes(this.bytes, at + PACKET_ID, 0);
    writeFourBytes(this.bytes, at + TICKET, ticket);
    writeFourBytes(this.bytes, at + IDENTIFIER, identifier);
    this.bytes[at + OPTIONS] = options;
    copyRange(filter, from, to, this.bytes, at + SUBSCRIPTION_HEAD_BYTES);
    this.end = at + length;
    this.toSend++;
    return 0;
  }

  /** Offset of the record behind. */
  next(at: number): number {
    return at + readFourBytes(this.bytes, at);
  }

  kind(at: number): number {
    return this.bytes[at + KIND];
  }

  state(at: number): number {
    return this.bytes[at + STATE];
  }

  packetId(at: number): number {
    return readTwoBytes(this.bytes, at + PACKET_ID);
  }

  ticket(at: number): number {
    return readFourBytes(this.bytes, at + TICKET);
  }

  identifier(at: number): number {
    return readFourBytes(this.bytes, at + IDENTIFIER);
  }

  options(at: number): number {
    return this.bytes[at + OPTIONS];
  }

  /** Where the filter begins; it goes up to `next(at)`. */
  filterOffset(at: number): number {
    return at + SUBSCRIPTION_HEAD_BYTES;
  }

  setState(at: number, state: number): void {
    if (this.bytes[at + STATE] === TO_SEND) this.toSend--;
    if (state === TO_SEND) this.toSend++;
    this.bytes[at + STATE] = state;
  }

  /** Offset of the first record in TO_SEND, or -1. */
  firstToSend(): number {
    if (this.toSend === 0) return -1;
    for (let at = 0; at < this.end; at = this.next(at)) if (this.state(at) === TO_SEND) return at;
    return -1;
  }

  /** Offset behind the last record of the group that begins at `at`. */
  groupEnd(at: number): number {
    const ticket = this.ticket(at);
    while (at < this.end && this.ticket(at) === ticket) at = this.next(at);
    return at;
  }

  /** Notes that the group at `at` goes out under `packetId`. */
  markGroupSent(at: number, packetId: number): void {
    const end = this.groupEnd(at);
    for (; at < end; at = this.next(at)) {
      writeTwoBytes(this.bytes, at + PACKET_ID, packetId);
      this.setState(at, SENT);
    }
  }

  /** Offset of the first record of the group under way as `packetId`, or -1. */
  findSent(packetId: number): number {
    for (let at = 0; at < this.end; at = this.next(at)) {
      if (this.packetId(at) === packetId && this.state(at) === SENT) return at;
    }
    return -1;
  }

  /** Offset of the first record of the group at `at` that is no properties. */
  firstFilter(at: number): number {
    return this.kind(at) === FOR_PROPERTIES ? this.next(at) : at;
  }

  /** Filters (not properties) in the group at `at`. */
  filterCount(at: number): number {
    const end = this.groupEnd(at);
    let count = 0;
    for (; at < end; at = this.next(at)) if (this.kind(at) !== FOR_PROPERTIES) count++;
    return count;
  }

  /**
   * The group at `at` was acknowledged: `codes[codesAt]` on holds a reason code for each filter, or `codesAt` is -1
   * for 3.1.1's UNSUBACK. Granted subscriptions become active and replace others to the same filter; refused ones
   * and unsubscriptions go.
   */
  handleAcknowledged(at: number, codes: Uint8Array, codesAt: number): void {
    const ticket = this.ticket(at);
    let i = at;
    // Records that go are marked by ticket 0, a ticket nobody has, and swept at the end.
    while (i < this.end && this.ticket(i) === ticket) {
      const isGood = codesAt < 0 || this.kind(i) === FOR_PROPERTIES || codes[codesAt] < 0x80;
      if (this.kind(i) !== FOR_PROPERTIES && codesAt >= 0) codesAt++;
      const next = this.next(i);
      if (isGood && this.kind(i) !== FOR_PROPERTIES) this.dropFilter(this.filterOffset(i), next, ticket);
      const isKept = isGood && this.kind(i) !== FOR_UNSUBSCRIBE;
      this.setState(i, ACTIVE);
      writeTwoBytes(this.bytes, i + PACKET_ID, 0);
      if (!isKept) writeFourBytes(this.bytes, i + TICKET, 0);
      i = next;
    }
    this.sweep();
  }

  /**
   * Marks active subscriptions to the filter in `bytes[from]` up to `to`, but those of `ticket`, to be swept: those
   * that stand before, for what was asked for later holds whatever is acknowledged first.
   */
  dropFilter(from: number, to: number, ticket: number): void {
    for (let at = 0; at < from; at = this.next(at)) {
      if (this.kind(at) !== FOR_SUBSCRIBE || this.state(at) !== ACTIVE || this.ticket(at) === ticket)
        continue;
      const filter = this.filterOffset(at);
      if (this.next(at) - filter !== to - from) continue;
      if (isEqualRange(this.bytes, filter, this.bytes, from, to - from)) {
        writeFourBytes(this.bytes, at + TICKET, 0);
      }
    }
  }

  /** Takes the group of `ticket` out: it cannot be sent. */
  removeGroup(ticket: number): void {
    for (let at = 0; at < this.end; at = this.next(at)) {
      if (this.ticket(at) === ticket) {
        this.setState(at, ACTIVE);
        writeFourBytes(this.bytes, at + TICKET, 0);
      }
    }
    this.sweep();
  }

  /** Takes out records with ticket 0, and then properties whose group is gone. */
  sweep(): void {
    for (let at = 0; at < this.end;) {
      if (this.ticket(at) === 0) this.remove(at);
      else at = this.next(at);
    }
    for (let at = 0; at < this.end;) {
      const next = this.next(at);
      if (this.kind(at) === FOR_PROPERTIES && (next >= this.end || this.ticket(next) !== this.ticket(at))) {
        this.remove(at);
      } else at = next;
    }
  }

  remove(at: number): void {
    const next = this.next(at);
    moveDown(this.bytes, at, next, this.end);
    this.end -= next - at;
  }

  /**
   * A connection was accepted. What was under way has to be sent again; with a new session of the server, or one that
   * may be new (`isSessionDoubted`), so has what was active.
   */
  handleConnected(isSessionDoubted: boolean): void {
    for (let at = 0; at < this.end; at = this.next(at)) {
      if (this.state(at) === SENT || (isSessionDoubted && this.state(at) === ACTIVE))
        this.setState(at, TO_SEND);
    }
  }

  /** Goes on with other storage, at least as large as what is stored. */
  replace(bytes: Uint8Array): void {
    copyRange(this.bytes, 0, this.end, bytes, 0);
    this.bytes = bytes;
  }
}
