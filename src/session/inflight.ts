/**
 * The in-flight slots: which packet identifier stands for which outbox record, and how far its delivery came. Slots
 * are used in order of sending, so that a replay goes through them from the first to the last [MQTT-4.6.0-1].
 */
import { SLOT_FREE } from './delivery.ts';

/** Integers a slot. */
export const SLOT_STRIDE = 5;
const PACKET_ID = 0;
const STATE = 1;
/** Where, in a slot, the offset of its outbox record is: -1 once the message may be forgotten. */
export const SLOT_RECORD = 2;
const TICKET = 3;
/** 1 when its PUBLISH or PUBREL went out on this connection. */
const ON_WIRE = 4;

const FIRST_SLOTS = 4;
const NO_SLOTS = new Int32Array(0);

export class Inflight {
  /** The slots, used round and round. Grows to `slotsMax` by doubling, never shrinks. */
  slots: Int32Array;
  slotsMax: number;
  /** Index of the oldest slot in use. */
  first: number;
  /** Slots from `first` on that are in use or free between used ones. */
  count: number;
  /** Slots in use. */
  used: number;
  /** Slots whose PUBLISH or PUBREL went out on this connection: what the server's Receive Maximum bounds. */
  onWireCount: number;

  constructor(slotsMax: number) {
    this.slotsMax = slotsMax;
    this.slots = NO_SLOTS;
    this.first = 0;
    this.count = 0;
    this.used = 0;
    this.onWireCount = 0;
  }

  capacity(): number {
    return this.slots.length / SLOT_STRIDE;
  }

  /** Whether `add` would find a slot. */
  hasRoom(): boolean {
    return this.used < this.slotsMax;
  }

  /** Position in `slots` of the `n`th slot in order of sending, 0 to count - 1. */
  position(n: number): number {
    let index = this.first + n;
    const capacity = this.capacity();
    if (index >= capacity) index -= capacity;
    return index * SLOT_STRIDE;
  }

  /** Takes the next slot, which `hasRoom` has promised; returns its position. Those of others may change. */
  add(packetId: number, state: number, record: number, ticket: number): number {
    if (this.count === this.capacity()) {
      // One message that is slow to complete must not hold up the rest: free slots behind it close up.
      const capacity = this.capacity();
      if (this.used * 2 >= capacity && capacity < this.slotsMax) this.grow();
      else this.closeUp();
    }
    const at = this.position(this.count);
    this.count++;
    this.used++;
    this.slots[at + PACKET_ID] = packetId;
    this.slots[at + STATE] = state;
    this.slots[at + SLOT_RECORD] = record;
    this.slots[at + TICKET] = ticket;
    this.slots[at + ON_WIRE] = 0;
    return at;
  }

  grow(): void {
    let capacity = this.capacity() === 0 ? FIRST_SLOTS : this.capacity() * 2;
    if (capacity > this.slotsMax) capacity = this.slotsMax;
    const slots = new Int32Array(capacity * SLOT_STRIDE);
    for (let n = 0; n < this.count; n++) {
      const from = this.position(n);
      for (let i = 0; i < SLOT_STRIDE; i++) slots[n * SLOT_STRIDE + i] = this.slots[from + i];
    }
    this.slots = slots;
    this.first = 0;
  }

  /** Moves the slots in use together, in order. */
  closeUp(): void {
    let used = 0;
    for (let n = 0; n < this.count; n++) {
      const from = this.position(n);
      if (this.slots[from + STATE] === SLOT_FREE) continue;
      const to = this.position(used);
      used++;
      if (to !== from) for (let i = 0; i < SLOT_STRIDE; i++) this.slots[to + i] = this.slots[from + i];
    }
    for (let n = used; n < this.count; n++) this.clear(this.position(n));
    this.count = used;
  }

  clear(at: number): void {
    this.slots[at + STATE] = SLOT_FREE;
    this.slots[at + SLOT_RECORD] = -1;
    this.slots[at + ON_WIRE] = 0;
  }

  /**
   * Position of the slot of `packetId`, or -1. Identifiers are taken in order, so the likely one is as far behind the first
   * slot as the identifier is behind its; else all are looked at, the first first.
   */
  find(packetId: number): number {
    const distance = packetId - this.slots[this.first * SLOT_STRIDE + PACKET_ID];
    if (distance >= 0 && distance < this.count) {
      const at = this.position(distance);
      if (this.slots[at + PACKET_ID] === packetId && this.slots[at + STATE] !== SLOT_FREE) return at;
    }
    for (let n = 0; n < this.count; n++) {
      const at = this.position(n);
      if (this.slots[at + PACKET_ID] === packetId && this.slots[at + STATE] !== SLOT_FREE) return at;
    }
    return -1;
  }

  /** Position of the slot whose message has `ticket`, or -1. */
  findTicket(ticket: number): number {
    for (let n = 0; n < this.count; n++) {
      const at = this.position(n);
      if (this.ticket(at) === ticket && this.slots[at + STATE] !== SLOT_FREE) return at;
    }
    return -1;
  }

  packetId(at: number): number {
    return this.slots[at + PACKET_ID];
  }

  state(at: number): number {
    return this.slots[at + STATE];
  }

  setState(at: number, state: number): void {
    this.slots[at + STATE] = state;
  }

  record(at: number): number {
    return this.slots[at + SLOT_RECORD];
  }

  setRecord(at: number, record: number): void {
    this.slots[at + SLOT_RECORD] = record;
  }

  ticket(at: number): number {
    return this.slots[at + TICKET] >>> 0;
  }

  isOnWire(at: number): boolean {
    return this.slots[at + ON_WIRE] !== 0;
  }

  setOnWire(at: number): void {
    if (this.slots[at + ON_WIRE] === 0) {
      this.slots[at + ON_WIRE] = 1;
      this.onWireCount++;
    }
  }

  free(at: number): void {
    if (this.slots[at + ON_WIRE] !== 0) this.onWireCount--;
    this.clear(at);
    this.used--;
    const capacity = this.capacity();
    while (this.count > 0 && this.slots[this.first * SLOT_STRIDE + STATE] === SLOT_FREE) {
      this.first++;
      if (this.first === capacity) this.first = 0;
      this.count--;
    }
  }

  /** The connection is over: nothing is on the wire any more. */
  clearOnWire(): void {
    for (let at = 0; at < this.slots.length; at += SLOT_STRIDE) this.slots[at + ON_WIRE] = 0;
    this.onWireCount = 0;
  }
}
