/**
 * A broker's store that survives a crash of the broker, but not the process: for tests and simulations, where the disk is
 * as slow, as broken and as forgetful as they say. Keeps what was committed; `crash` forgets the rest.
 */
import { Message } from './message.ts';
import type {
  BrokerStore,
  DeliveryRecord,
  SessionRecord,
  StoredSession,
  StoredState,
  SubscriptionRecord,
} from './store.ts';

/**
 * How long the disk takes: it calls `finish` when a commit is done, at once or later, or with an error when it fails.
 * Commits may be finished in any order; one that is done takes those before it along.
 */
export type Disk = (finish: (error?: Error) => void) => void;

/** What a session has, by what it is put and removed by. */
interface KeptSession {
  record: SessionRecord;
  readonly subscriptions: Map<string, SubscriptionRecord>;
  readonly deliveries: Map<number, DeliveryRecord>;
  readonly receivedIds: Set<number>;
}

/** `target`: how many changes will ever have come to the disk when it is done. */
interface CommitUnderWay {
  readonly target: number;
}

export class MemoryStore implements BrokerStore {
  /** May be exchanged at any time; holds for commits that begin from then on. */
  disk: Disk;
  /** What is on the disk. */
  private readonly sessions = new Map<string, KeptSession>();
  private readonly messages = new Map<number, Message>();
  private readonly retained = new Map<string, number>();
  /** What is not yet, in order. */
  private readonly changes: (() => void)[] = [];
  /** How many changes ever came to the disk. */
  private writtenCount = 0;
  private readonly underWay: CommitUnderWay[] = [];
  /** Sessions as they will be when all changes are on the disk: what belongs to a session is put after it. */
  private known = new Set<string>();
  private isChanged = false;

  constructor(disk: Disk = (finish) => finish()) {
    this.disk = disk;
  }

  load(): Promise<StoredState> {
    const messages = new Map<number, Message>();
    for (const [id, message] of this.messages) messages.set(id, copyMessage(message));
    return Promise.resolve({
      sessions: [...this.sessions.values()].map(copySession),
      messages,
      retained: new Map(this.retained),
    });
  }

  putSession(session: SessionRecord): void {
    const record = { ...session };
    this.known.add(record.clientId);
    this.change(() => {
      const kept = this.sessions.get(record.clientId);
      if (kept !== undefined) kept.record = record;
      else {
        this.sessions.set(record.clientId, {
          record,
          subscriptions: new Map(),
          deliveries: new Map(),
          receivedIds: new Set(),
        });
      }
    });
  }

  removeSession(clientId: string): void {
    if (!this.known.delete(clientId)) return;
    this.change(() => this.sessions.delete(clientId));
  }

  putSubscription(clientId: string, subscription: SubscriptionRecord): void {
    const record = { ...subscription };
    this.put(clientId, ({ subscriptions }) => subscriptions.set(record.topicFilter, record));
  }

  removeSubscription(clientId: string, topicFilter: string): void {
    this.remove(clientId, ({ subscriptions }) => subscriptions.delete(topicFilter));
  }

  putMessage(id: number, message: Message): void {
    this.change(() => this.messages.set(id, message));
  }

  removeMessage(id: number): void {
    this.change(() => this.messages.delete(id));
  }

  putDelivery(clientId: string, delivery: DeliveryRecord): void {
    const record = { ...delivery, identifiers: [...delivery.identifiers] };
    this.put(clientId, ({ deliveries }) => deliveries.set(record.sequence, record));
  }

  removeDelivery(clientId: string, sequence: number): void {
    this.remove(clientId, ({ deliveries }) => deliveries.delete(sequence));
  }

  putReceived(clientId: string, packetId: number): void {
    this.put(clientId, ({ receivedIds }) => receivedIds.add(packetId));
  }

  removeReceived(clientId: string, packetId: number): void {
    this.remove(clientId, ({ receivedIds }) => receivedIds.delete(packetId));
  }

  putRetained(topicName: string, messageId: number): void {
    this.change(() => this.retained.set(topicName, messageId));
  }

  removeRetained(topicName: string): void {
    this.change(() => this.retained.delete(topicName));
  }

  private put(clientId: string, change: (session: KeptSession) => unknown): void {
    if (!this.known.has(clientId)) throw new Error(`there is no session '${clientId}' in the store`);
    this.changeOf(clientId, change);
  }

  private remove(clientId: string, change: (session: KeptSession) => unknown): void {
    if (this.known.has(clientId)) this.changeOf(clientId, change);
  }

  private changeOf(clientId: string, change: (session: KeptSession) => unknown): void {
    this.change(() => {
      const session = this.sessions.get(clientId);
      if (session !== undefined) change(session);
    });
  }

  private change(change: () => unknown): void {
    this.isChanged = true;
    this.changes.push(change);
  }

  hasChanges(): boolean {
    return this.isChanged;
  }

  /** How many commits have neither succeeded nor failed. */
  get commitsUnderWay(): number {
    return this.underWay.length;
  }

  commit(): Promise<void> {
    this.isChanged = false;
    const commit: CommitUnderWay = { target: this.writtenCount + this.changes.length };
    const { target } = commit;
    this.underWay.push(commit);
    return new Promise((resolve, reject) => {
      this.disk((error) => {
        const index = this.underWay.indexOf(commit);
        if (index < 0) return; // ended, or of a broker that crashed
        this.underWay.splice(index, 1);
        if (error === undefined) {
          this.writeUpTo(target);
          resolve();
        } else {
          // What it was for waits for another commit.
          this.isChanged = true;
          reject(error);
        }
      });
    });
  }

  private writeUpTo(target: number): void {
    const count = target - this.writtenCount;
    if (count <= 0) return;
    for (const change of this.changes.splice(0, count)) change();
    this.writtenCount = target;
  }

  /**
   * The broker's process dies: what was not committed is forgotten, and commits under way never end. Of those, the first
   * `landedCount` had come to the disk, though nobody was told. What is there is for another broker to `load`.
   */
  crash(landedCount = 0): void {
    for (const { target } of this.underWay.slice(0, landedCount)) this.writeUpTo(target);
    this.changes.length = 0;
    this.underWay.length = 0;
    this.isChanged = false;
    this.known = new Set(this.sessions.keys());
  }

  /** Whether what is on the disk has a session of this client that subscribes to something. */
  hasSubscription(clientId: string): boolean {
    return (this.sessions.get(clientId)?.subscriptions.size ?? 0) > 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function copySession({ record, subscriptions, deliveries, receivedIds }: KeptSession): StoredSession {
  return {
    ...record,
    subscriptions: [...subscriptions.values()].map((subscription) => ({ ...subscription })),
    deliveries: [...deliveries.values()]
      .sort((a, b) => a.sequence - b.sequence)
      .map((delivery) => ({ ...delivery, identifiers: [...delivery.identifiers] })),
    receivedIds: [...receivedIds].sort((a, b) => a - b),
  };
}

/** Another object: what a broker counts on one, the next must not find. */
function copyMessage(message: Message): Message {
  return new Message(
    message.bytes,
    message.topicOffset,
    message.topicByteLength,
    message.propertiesOffset,
    message.propertiesByteLength,
    message.payloadOffset,
    message.payloadByteLength,
    message.qos,
    message.isRetain,
    message.expiresAtMs,
    message.publisherId,
    message.topicName,
    false,
  );
}
