/**
 * The fleet's bookkeeping: every message sent is accounted for, exactly, by device and sequence number, as sent,
 * acknowledged, delivered, lost, duplicated or out of order. Also the verdict that decides the exit status. Knows
 * neither MQTT nor the clock: sequence numbers and times come in.
 */
import { LatencyRecorder, type LatencyBin, type LatencySummary } from './latency.ts';
import { SEEN_BEFORE, SEEN_LATE, SequenceSet } from './sequence-set.ts';

export type { LatencyBin, LatencySummary } from './latency.ts';

/** Counts of messages. `sent = delivered + lost`, always. */
export interface LedgerTotals {
  /** Distinct messages the devices published. */
  sent: number;
  /** Publishes of a sequence number that was sent before: the devices' own retransmissions. */
  resent: number;
  /** Distinct messages whose QoS handshake completed at the device. Stays 0 at QoS 0. */
  acknowledged: number;
  /** `sent - acknowledged`. Means nothing at QoS 0. */
  unacknowledged: number;
  /** Distinct messages the collector received. */
  delivered: number;
  /** Sent and not delivered. While messages are still under way these count as well: see `overtaken`. */
  lost: number;
  /** The part of `lost` the broker had acknowledged: it took responsibility, and the message is gone. */
  lostAcknowledged: number;
  /** The part of `lost` with a later message of the same device delivered: what looks lost while the run goes on. */
  overtaken: number;
  /** Deliveries beyond the first of a message. */
  duplicated: number;
  /** Distinct messages delivered after a later one of the same device. */
  outOfOrder: number;
  /** Deliveries no device of this run sent: a retained leftover, another run on the same topic, a damaged payload. */
  unexpected: number;
}

/** One device's part of the totals. */
export interface DeviceTotals {
  /** The device's index, from 0. */
  device: number;
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
  /** The longest latency; 0 if nothing was delivered. */
  latencyMaxMs: number;
}

/** Whether the run kept the promise of its QoS. */
export interface Verdict {
  ok: boolean;
  /** Why not, one sentence each; empty when `ok`. */
  reasons: string[];
  /** What a reader should know though it fails nothing. */
  remarks: string[];
}

const SEQUENCE_MAX = 0xfffffffe;

/** Accounts for the messages of a fixed number of devices, each numbering its own from 0. */
export class Ledger {
  readonly devices: number;
  private readonly sentCount: Uint32Array;
  private readonly deliveredCount: Uint32Array;
  private readonly duplicatedCount: Uint32Array;
  private readonly outOfOrderCount: Uint32Array;
  private readonly latencyMaxMs: Float32Array;
  private readonly acknowledged: SequenceSet;
  private readonly delivered: SequenceSet;
  private readonly latencies = new LatencyRecorder();
  private sentTotal = 0;
  private resentTotal = 0;
  private acknowledgedTotal = 0;
  private deliveredTotal = 0;
  private duplicatedTotal = 0;
  private outOfOrderTotal = 0;
  private unexpectedTotal = 0;
  private firstSentMs = NaN;
  private lastSentMs = NaN;

  /** @param devices how many; their indexes are 0 … devices - 1 */
  constructor(devices: number) {
    this.devices = devices;
    this.sentCount = new Uint32Array(devices);
    this.deliveredCount = new Uint32Array(devices);
    this.duplicatedCount = new Uint32Array(devices);
    this.outOfOrderCount = new Uint32Array(devices);
    this.latencyMaxMs = new Float32Array(devices);
    this.acknowledged = new SequenceSet(devices);
    this.delivered = new SequenceSet(devices);
  }

  /**
   * A device publishes. Call before the bytes leave, so that the delivery cannot come first.
   *
   * @param sequence the device's next number: 0, 1, 2 …; a number used before counts as resent, a skipped one throws
   * @param nowMs any clock in ms; gives {@link sendingMs}
   */
  recordSent(device: number, sequence: number, nowMs: number): void {
    this.checkDevice(device);
    const expected = this.sentCount[device];
    if (!Number.isInteger(sequence) || sequence < 0 || sequence > expected || sequence > SEQUENCE_MAX) {
      throw new RangeError(`sequence: device ${device} sent ${sequence}, the next is ${expected}`);
    }
    if (sequence < expected) {
      this.resentTotal += 1;
      return;
    }
    this.sentCount[device] = sequence + 1;
    this.sentTotal += 1;
    if (Number.isNaN(this.firstSentMs)) this.firstSentMs = nowMs;
    this.lastSentMs = nowMs;
  }

  /** The QoS handshake of a message completed at the device. Repeating it changes nothing; what was not sent throws. */
  recordAcknowledged(device: number, sequence: number): void {
    this.checkDevice(device);
    if (!this.isSent(device, sequence)) {
      throw new RangeError(`sequence: device ${device} has not sent ${sequence}`);
    }
    if (this.acknowledged.mark(device, sequence) !== SEEN_BEFORE) this.acknowledgedTotal += 1;
  }

  /**
   * The collector received a message. `device` and `sequence` come from its payload, so anything goes: what was not
   * sent counts as unexpected.
   *
   * @param latencyMs from publish to here; below 0 counts as 0, NaN if unknown. A duplicate's latency is not counted.
   */
  recordDelivered(device: number, sequence: number, latencyMs: number): void {
    if (!this.isSent(device, sequence)) {
      this.unexpectedTotal += 1;
      return;
    }
    const seen = this.delivered.mark(device, sequence);
    if (seen === SEEN_BEFORE) {
      this.duplicatedCount[device] += 1;
      this.duplicatedTotal += 1;
      return;
    }
    if (seen === SEEN_LATE) {
      this.outOfOrderCount[device] += 1;
      this.outOfOrderTotal += 1;
    }
    this.deliveredCount[device] += 1;
    this.deliveredTotal += 1;
    this.latencies.record(latencyMs);
    if (latencyMs > this.latencyMaxMs[device]) this.latencyMaxMs[device] = latencyMs;
  }

  /** Messages sent and not delivered so far, without the work of {@link totals}. */
  get inFlight(): number {
    return this.sentTotal - this.deliveredTotal;
  }

  /** From the first message sent to the last, in ms; 0 before there are two. */
  get sendingMs(): number {
    return Number.isNaN(this.firstSentMs) ? 0 : this.lastSentMs - this.firstSentMs;
  }

  /** The counts as of now. Looks at every device that misses something: once a second is fine, per message is not. */
  totals(): LedgerTotals {
    let lostAcknowledged = 0;
    let overtaken = 0;
    for (let device = 0; device < this.devices; device++) {
      const sent = this.sentCount[device];
      if (this.deliveredCount[device] === sent) continue;
      overtaken += this.delivered.skippedCount(device);
      if (this.acknowledgedTotal === 0) continue;
      this.delivered.forEachMissing(device, sent, (start, end) => {
        for (let sequence = start; sequence < end; sequence++) {
          if (this.acknowledged.has(device, sequence)) lostAcknowledged += 1;
        }
      });
    }
    return {
      sent: this.sentTotal,
      resent: this.resentTotal,
      acknowledged: this.acknowledgedTotal,
      unacknowledged: this.sentTotal - this.acknowledgedTotal,
      delivered: this.deliveredTotal,
      lost: this.sentTotal - this.deliveredTotal,
      lostAcknowledged,
      overtaken,
      duplicated: this.duplicatedTotal,
      outOfOrder: this.outOfOrderTotal,
      unexpected: this.unexpectedTotal,
    };
  }

  deviceTotals(device: number): DeviceTotals {
    this.checkDevice(device);
    return {
      device,
      sent: this.sentCount[device],
      delivered: this.deliveredCount[device],
      lost: this.sentCount[device] - this.deliveredCount[device],
      duplicated: this.duplicatedCount[device],
      outOfOrder: this.outOfOrderCount[device],
      latencyMaxMs: Math.round(this.latencyMaxMs[device] * 1000) / 1000,
    };
  }

  /** Latency of the whole run, or null if nothing was delivered. */
  latency(): LatencySummary | null {
    return this.latencies.summary();
  }

  /** Latency since the last call of this method, or null: what a timeline samples once a second. */
  takeLatencyInterval(): LatencySummary | null {
    return this.latencies.takeInterval();
  }

  /** How the latencies are spread, in ten bins a decade. */
  latencyDistribution(): LatencyBin[] {
    return this.latencies.distribution();
  }

  /** The `count` devices with the longest latency, worst first; those without any are left out. */
  worstByLatency(count: number): DeviceTotals[] {
    return this.worst(count, (device) => this.latencyMaxMs[device]);
  }

  /** The `count` devices that lost most, worst first; those without loss are left out. */
  worstByLost(count: number): DeviceTotals[] {
    return this.worst(count, (device) => this.sentCount[device] - this.deliveredCount[device]);
  }

  private worst(count: number, badness: (device: number) => number): DeviceTotals[] {
    const devices: number[] = [];
    for (let device = 0; device < this.devices; device++) if (badness(device) > 0) devices.push(device);
    devices.sort((left, right) => badness(right) - badness(left) || left - right);
    return devices.slice(0, count).map((device) => this.deviceTotals(device));
  }

  /** False also for what is no device or no sequence number at all, such as a fraction or NaN. */
  private isSent(device: number, sequence: number): boolean {
    // A typed array gives undefined for an index it does not have, and comparing with that is false.
    return Number.isInteger(sequence) && sequence >= 0 && sequence < this.sentCount[device];
  }

  private checkDevice(device: number): void {
    if (!(Number.isInteger(device) && device >= 0 && device < this.devices)) {
      throw new RangeError(`device: must be an integer from 0 to ${this.devices - 1}, got ${device}`);
    }
  }
}

/**
 * Judges a finished run. It fails if QoS 1 or 2 lost a message, if QoS 2 delivered one twice, or if nothing was sent:
 * a run that tried nothing proves nothing. QoS 0 may lose, QoS 1 may duplicate: those are remarks.
 *
 * @param totals taken after the drain, when nothing is under way any more
 * @param isSilent devices may have nothing to send: then it is no failure that nothing was
 */
export function verdict(totals: LedgerTotals, qos: number, isSilent = false): Verdict {
  const reasons: string[] = [];
  const remarks: string[] = [];
  const count = (value: number): string => value.toLocaleString('en-US');
  const messages = (value: number): string => `${count(value)} ${value === 1 ? 'message' : 'messages'}`;

  if (totals.sent === 0 && !isSilent) reasons.push('Nothing was sent.');
  if (totals.lost > 0) {
    const text = `${messages(totals.lost)} of ${count(totals.sent)} lost at QoS ${qos}`;
    if (qos === 0) remarks.push(`${text}, which QoS 0 allows.`);
    else reasons.push(`${text}; the broker had acknowledged ${count(totals.lostAcknowledged)} of them.`);
  }
  if (totals.duplicated > 0) {
    const text = `${count(totals.duplicated)} duplicate ${totals.duplicated === 1 ? 'delivery' : 'deliveries'} at QoS ${qos}`;
    if (qos === 2) reasons.push(`${text}, which promises exactly once.`);
    else remarks.push(qos === 1 ? `${text}, which QoS 1 allows.` : `${text}.`);
  }
  if (totals.outOfOrder > 0) {
    remarks.push(`${messages(totals.outOfOrder)} arrived after a later one of the same device.`);
  }
  if (qos > 0 && totals.unacknowledged > 0) {
    remarks.push(`${messages(totals.unacknowledged)} never acknowledged to the device.`);
  }
  if (totals.unexpected > 0) remarks.push(`${messages(totals.unexpected)} came from outside this run.`);
  return { ok: reasons.length === 0, reasons, remarks };
}
