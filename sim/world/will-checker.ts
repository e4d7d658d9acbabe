/**
 * Whether wills are published exactly when the standard says (3.1.2.5): once for every connection that ended without a
 * DISCONNECT of the client, and never else. Told by the broker. One that dies in the middle leaves some room:
 * nobody knows which of its last connections it had noted.
 */
interface Count {
  /** Wills that must have been published, and that may have been. */
  least: number;
  most: number;
  published: number;
}

/** Milliseconds within which the broker's disk has what it is given. */
const NOTED_MS = 3000;

export class WillChecker {
  private readonly counts = new Map<string, Count>();
  /** When each client was let in last; Infinity for one that is gone. */
  private readonly connectedMs = new Map<string, number>();
  private readonly report: (rule: string, text: string) => void;
  private readonly nowMs: () => number;

  constructor(report: (rule: string, text: string) => void, nowMs: () => number) {
    this.report = report;
    this.nowMs = nowMs;
  }

  /** What the broker publishes by itself. */
  handleWill(topicName: string): void {
    if (topicName.startsWith('will/')) this.countOf(topicName.slice(5)).published++;
  }

  handleConnected(clientId: string): void {
    this.connectedMs.set(clientId, this.nowMs());
  }

  /** `isGoodbye`: by a DISCONNECT that wants no will published. */
  handleDisconnected(clientId: string, isGoodbye: boolean): void {
    this.connectedMs.set(clientId, Infinity);
    if (isGoodbye) return;
    const count = this.countOf(clientId);
    count.least++;
    count.most++;
    this.checkOne(clientId);
  }

  private countOf(clientId: string): Count {
    let count = this.counts.get(clientId);
    if (count === undefined) {
      count = { least: 0, most: 0, published: 0 };
      this.counts.set(clientId, count);
    }
    return count;
  }

  /** The broker dies while these are connected. */
  handleCrash(clientIds: readonly string[], isStateLost: boolean): void {
    for (const count of this.counts.values()) {
      // What it had published and not committed it may publish again, or not know of.
      count.most++;
      if (isStateLost) count.least = Math.min(count.least, count.published);
    }
    if (isStateLost) return;
    for (const clientId of clientIds) {
      const count = this.countOf(clientId);
      count.most++;
      // Whoever has been there for a while is known to its disk, and is gone when it comes back.
      if ((this.connectedMs.get(clientId) ?? Infinity) < this.nowMs() - NOTED_MS) count.least++;
    }
  }

  private checkOne(clientId: string): void {
    const { least, most, published } = this.countOf(clientId);
    if (published < least || published > most) {
      this.report('will', `${published} wills of ${clientId}, not ${least} to ${most} [MQTT-3.1.2-8]`);
    }
  }

  close(): void {
    for (const clientId of this.counts.keys()) this.checkOne(clientId);
  }
}
