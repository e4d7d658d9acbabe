/**
 * Every message of a world: who published it, whether it was accepted, how often it arrived. What must not happen to one is
 * a violation (4.3, 4.6). Knows no bytes and no time but what it is told.
 */

/** Something that must not happen. */
export interface Violation {
  atMs: number;
  /** A stable name for the rule that was broken. */
  rule: string;
  text: string;
}

export interface Entry {
  /** Who published, and the message's number among its. */
  readonly publisher: string;
  readonly number: number;
  readonly qos: number;
  readonly topicName: string;
  readonly offeredMs: number;
  /** Of its payload. */
  byteLength: number;
  isAccepted: boolean;
  /** The publisher was told that it is done. */
  isAcknowledged: boolean;
  arrivals: number;
  /** The receiver's application has seen it: it arrived, or was shown to who subscribed. */
  isSeen: boolean;
  /** Lives of the receiver, counted by its power cuts, at its first arrival. */
  arrivedInLife: number;
  /** The receiver has said by PUBREC that it is here. */
  isReceiptSent: boolean;
  /** The broker lost its state when it had, or might have had, this message: it may be lost, or come twice. */
  isExcused: boolean;
}

export class Ledger {
  readonly violations: Violation[] = [];
  private readonly entries = new Map<string, Entry>();
  /** Those that may still be excused, and some that are done with. */
  private open: Entry[] = [];
  /** Highest number that arrived, by publisher, topic and QoS. */
  private readonly highest = new Map<string, number>();
  offeredCount = 0;
  arrivedCount = 0;
  duplicateCount = 0;

  violate(atMs: number, rule: string, text: string): void {
    this.violations.push({ atMs, rule, text });
  }

  offer(publisher: string, number: number, qos: number, topicName: string, atMs: number): Entry {
    const entry: Entry = {
      publisher,
      number,
      qos,
      topicName,
      offeredMs: atMs,
      byteLength: 0,
      isAccepted: false,
      isAcknowledged: false,
      arrivals: 0,
      isSeen: false,
      arrivedInLife: 0,
      isReceiptSent: false,
      isExcused: false,
    };
    this.entries.set(`${publisher}.${number}`, entry);
    this.open.push(entry);
    this.offeredCount++;
    return entry;
  }

  /** A message arrived, in the receiver's life `life`. Returns its entry, or undefined when nobody published it. */
  arrive(name: string, qos: number, topicName: string, byteLength: number, life: number, atMs: number): void {
    const entry = this.entries.get(name);
    this.arrivedCount++;
    if (entry === undefined) {
      this.violate(atMs, 'made-up', `${name} arrived, which nobody published`);
      return;
    }
    if (entry.topicName !== topicName) {
      this.violate(atMs, 'wrong-topic', `${name} of ${entry.topicName} arrived as ${topicName}`);
    }
    if (qos > entry.qos) this.violate(atMs, 'wrong-qos', `${name} of QoS ${entry.qos} arrived as ${qos}`);
    if (byteLength !== entry.byteLength) {
      this.violate(atMs, 'torn', `${name} of ${entry.byteLength} bytes arrived with ${byteLength}`);
    }
    entry.isSeen = true;
    entry.arrivals++;
    if (entry.arrivals > 1) {
      this.duplicateCount++;
      this.arriveAgain(entry, name, life, atMs);
      return;
    }
    entry.arrivedInLife = life;
    if (entry.isExcused) return;
    // The first time, messages of one publisher, topic and QoS come in the order in which they were published.
    const lane = `${entry.publisher} ${topicName} ${entry.qos}`;
    const before = this.highest.get(lane) ?? -1;
    if (entry.number < before) {
      this.violate(atMs, 'order', `${name} arrived behind ${entry.publisher}.${before} [MQTT-4.6.0-6]`);
    }
    this.highest.set(lane, Math.max(before, entry.number));
  }

  private arriveAgain(entry: Entry, name: string, life: number, atMs: number): void {
    if (entry.isExcused || entry.qos === 1) return;
    if (entry.qos === 0) {
      this.violate(atMs, 'qos0-twice', `${name} of QoS 0 arrived ${entry.arrivals} times [MQTT-4.3.1]`);
      return;
    }
    // What a device had been given and had not noted when its power went, it is given again; not what it had noted.
    if (life === entry.arrivedInLife || entry.isReceiptSent) {
      this.violate(atMs, 'qos2-twice', `${name} of QoS 2 arrived ${entry.arrivals} times [MQTT-4.3.3]`);
    }
  }

  /** The entry of a message, or undefined when nobody published it. */
  find(name: string): Entry | undefined {
    return this.entries.get(name);
  }

  /** Whether a message is with the application it is for, as far as that is known: true for one that is not noted. */
  isSeen(name: string): boolean {
    return this.entries.get(name)?.isSeen !== false;
  }

  /** A message that the broker had retained was shown to who subscribed: that is no arrival. */
  show(name: string): void {
    const entry = this.entries.get(name);
    if (entry !== undefined) entry.isSeen = true;
  }

  /** The receiver of a QoS 2 message has said that it is here. */
  handleReceipt(name: string): void {
    const entry = this.entries.get(name);
    if (entry !== undefined) entry.isReceiptSent = true;
  }

  /** The broker lost some of its state: what it might have had is excused. Never what is done with. */
  excuse(isConcerned: (entry: Entry) => boolean): void {
    this.open = this.open.filter((entry) => {
      const { arrivals, qos, isAcknowledged } = entry;
      if (arrivals > 0 && (qos === 0 || isAcknowledged)) return false;
      entry.isExcused ||= isConcerned(entry);
      return !entry.isExcused;
    });
  }

  /** Whether everything that was accepted has arrived. */
  isQuiet(): boolean {
    for (const { qos, isAccepted, isExcused, arrivals } of this.entries.values()) {
      if (qos > 0 && isAccepted && !isExcused && arrivals === 0) return false;
    }
    return true;
  }

  /** When all faults are long over: everything that was accepted must have arrived. */
  close(atMs: number): void {
    for (const [name, entry] of this.entries) {
      if (entry.qos === 0 || entry.isExcused || entry.arrivals > 0) continue;
      if (entry.isAcknowledged) {
        this.violate(atMs, 'lost', `${name} of QoS ${entry.qos} was acknowledged and never arrived`);
      } else if (entry.isAccepted) {
        this.violate(atMs, 'stuck', `${name} of QoS ${entry.qos} was accepted and never arrived`);
      }
    }
  }
}
