/**
 * What devices with firmware publish, as the collector sees it: telemetry by its number goes into the ledger, births and
 * wills are counted. When a message was sent is what its device has told, so the payload is the firmware's alone.
 */
import type { SessionEvent } from '../../../src/session/event.ts';
import type { Ledger } from '../ledger.ts';
import { startsWith } from '../telemetry.ts';
import type { Traffic } from '../workload.ts';
import { TELEMETRY, type FirmwareNames } from './names.ts';
import { readSequence } from './sequence-reader.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

const ONLINE = ascii('{"state":"online"');
const LOST = ascii('{"state":"offline","reason":"lost"');
/** With which births and wills are published. */
const STATUS_QOS = 1;
/** One number for a device's message: a sequence has 32 bits. */
const DEVICE_FACTOR = 2 ** 32;

export class FirmwareTraffic implements Traffic {
  births = 0;
  wills = 0;
  // Who commands devices with firmware is not the fleet.
  readonly commandsSent = 0;
  readonly commandsAnswered = 0;
  readonly filters: Traffic['filters'];
  private readonly names: FirmwareNames;
  private readonly ledger: Ledger;
  /** When messages that are under way were sent, by device and sequence. */
  private readonly sentMs = new Map<number, number>();

  constructor(names: FirmwareNames, qos: number, ledger: Ledger) {
    this.names = names;
    this.ledger = ledger;
    this.filters = [
      { topicFilter: names.filterOf('telemetry'), qos },
      { topicFilter: names.filterOf('status'), qos: STATUS_QOS },
    ];
  }

  /** A device sends a message: before the bytes leave. */
  noteSent(index: number, sequence: number): void {
    const nowMs = performance.now();
    this.ledger.recordSent(index, sequence, nowMs);
    this.sentMs.set(index * DEVICE_FACTOR + sequence, nowMs);
  }

  take(event: SessionEvent, bytes: Uint8Array, at: number, end: number): void {
    const { names } = this;
    const { topicBytes, topicOffset } = event;
    // Other devices may live under the same root.
    if (at === end || !names.read(topicBytes, topicOffset, topicOffset + event.topicByteLength)) return;
    if (names.kind === TELEMETRY) this.takeTelemetry(names.index, readSequence(bytes, at, end));
    else if (startsWith(bytes, at, end, ONLINE)) this.births += 1;
    else if (startsWith(bytes, at, end, LOST)) this.wills += 1;
  }

  private takeTelemetry(index: number, sequence: number): void {
    const key = index * DEVICE_FACTOR + sequence;
    const sentMs = this.sentMs.get(key);
    this.sentMs.delete(key);
    this.ledger.recordDelivered(index, sequence, sentMs === undefined ? NaN : performance.now() - sentMs);
  }
}
