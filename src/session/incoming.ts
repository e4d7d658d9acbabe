/**
 * Incoming QoS 1 and 2 messages that are not completed: which packet identifiers the server has in use, which
 * messages the application still has to acknowledge, and in which order the acknowledgements must go out
 * [MQTT-4.6.0-2], [MQTT-4.6.0-3].
 */

/** The application has it and has not acknowledged it. */
export const WITH_APPLICATION = 1;
/** Acknowledged, PUBACK or PUBREC not yet written. */
export const TO_ACKNOWLEDGE = 2;
/** QoS 2: PUBREC written, PUBREL awaited. */
export const AWAIT_PUBREL = 3;

const STRIDE = 5;
const PACKET_ID = 0;
const STATE = 1;
const QOS = 2;
const RECEIPT = 3;
/** 1 when its PUBLISH came on this connection. */
const IS_NEW = 4;
const FIRST_ENTRIES = 4;
const NO_ENTRIES = new Int32Array(0);

export class Incoming {
  /**
   * Entries in order of arrival. Grows by doubling: beyond `receiveMaximum` only by what earlier connections left
   * (5.0), and by what waits for PUBREL (3.1.1, which knows no Receive Maximum).
   */
  entries: Int32Array;
  count: number;
  /** Entries whose PUBLISH came on this connection: what our Receive Maximum bounds [MQTT-3.3.4-9]. */
  newCount: number;
  /** Entries that are not acknowledged yet: PUBACK or PUBREC not written. */
  openCount: number;
  /** Entries in TO_ACKNOWLEDGE. */
  toAcknowledge: number;

  constructor() {
    this.entries = NO_ENTRIES;
    this.count = 0;
    this.newCount = 0;
    this.openCount = 0;
    this.toAcknowledge = 0;
  }

  /** Index of the entry of `packetId`, or -1. */
  find(packetId: number): number {
    for (let i = 0; i < this.count; i++) if (this.entries[i * STRIDE + PACKET_ID] === packetId) return i;
    return -1;
  }

  findReceipt(receipt: number): number {
    for (let i = 0; i < this.count; i++) {
      if (this.entries[i * STRIDE + RECEIPT] === receipt && this.state(i) === WITH_APPLICATION) return i;
    }
    return -1;
  }

  /** Appends an entry; `isNew` is 1 when its PUBLISH came on this connection, 0 when it comes out of a store. */
  add(packetId: number, state: number, qos: number, receipt: number, isNew: number): void {
    if ((this.count + 1) * STRIDE > this.entries.length) {
      const entries = new Int32Array((this.count === 0 ? FIRST_ENTRIES : this.count * 2) * STRIDE);
      entries.set(this.entries, 0);
      this.entries = entries;
    }
    const at = this.count * STRIDE;
    this.entries[at + PACKET_ID] = packetId;
    this.entries[at + STATE] = state;
    this.entries[at + QOS] = qos;
    this.entries[at + RECEIPT] = receipt;
    this.entries[at + IS_NEW] = isNew;
    this.count++;
    this.newCount += isNew;
    if (state !== AWAIT_PUBREL) this.openCount++;
    if (state === TO_ACKNOWLEDGE) this.toAcknowledge++;
  }

  /** The PUBLISH of the entry came again, on this connection. */
  setNew(i: number): void {
    if (this.entries[i * STRIDE + IS_NEW] === 0) this.newCount++;
    this.entries[i * STRIDE + IS_NEW] = 1;
  }

  /** Whether the PUBLISH of the entry came on this connection. */
  isNew(i: number): boolean {
    return this.entries[i * STRIDE + IS_NEW] === 1;
  }

  packetId(i: number): number {
    return this.entries[i * STRIDE + PACKET_ID];
  }

  state(i: number): number {
    return this.entries[i * STRIDE + STATE];
  }

  qos(i: number): number {
    return this.entries[i * STRIDE + QOS];
  }

  setState(i: number, state: number): void {
    if (this.state(i) === TO_ACKNOWLEDGE) this.toAcknowledge--;
    if (state === TO_ACKNOWLEDGE) this.toAcknowledge++;
    if (this.state(i) !== AWAIT_PUBREL) this.openCount--;
    if (state !== AWAIT_PUBREL) this.openCount++;
    this.entries[i * STRIDE + STATE] = state;
  }

  /**
   * The application has acknowledged it: PUBREC is due, unless its PUBLISH is still to come again on this connection.
   * Before that it would answer nothing, and after it answer twice.
   */
  acknowledge(i: number): void {
    this.setState(i, this.isNew(i) ? TO_ACKNOWLEDGE : AWAIT_PUBREL);
  }

  remove(i: number): void {
    if (this.state(i) === TO_ACKNOWLEDGE) this.toAcknowledge--;
    if (this.state(i) !== AWAIT_PUBREL) this.openCount--;
    this.newCount -= this.entries[i * STRIDE + IS_NEW];
    this.count--;
    const end = this.count * STRIDE;
    for (let at = i * STRIDE; at < end; at++) this.entries[at] = this.entries[at + STRIDE];
  }

  clear(): void {
    this.count = 0;
    this.newCount = 0;
    this.openCount = 0;
    this.toAcknowledge = 0;
  }

  /**
   * The connection is over. QoS 1 starts anew with the server's next PUBLISH, so it is forgotten; QoS 2 is kept, for
   * the same message must not be delivered twice [MQTT-4.3.3-10]. A PUBREC that was not written will be when
   * the server sends its PUBLISH again.
   */
  handleDisconnected(): void {
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.qos(i) === 1) {
        this.remove(i);
        continue;
      }
      this.entries[i * STRIDE + IS_NEW] = 0;
      if (this.state(i) === TO_ACKNOWLEDGE) this.acknowledge(i);
    }
    this.newCount = 0;
  }
}
