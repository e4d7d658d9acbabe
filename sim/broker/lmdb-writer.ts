/**
 * Writes what has changed in a broker's store, in one LMDB transaction. Knows which keys a change makes; does not know
 * when it is written.
 */
import type { RootDatabase } from 'lmdb';
import type { SessionChanges, StoreChanges } from './store-changes.ts';
import { reasonOf, StoreError } from './store-error.ts';
import * as records from './store-records.ts';

const DONE = Promise.resolve();

export class LmdbWriter {
  private readonly database: RootDatabase<Uint8Array, Uint8Array>;
  /** Settles with the transaction that the last operation belongs to. */
  private last: Promise<unknown> = DONE;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>) {
    this.database = database;
  }

  /**
   * Resolves when `changes` are on the disk; rejects with a StoreError when they are not, and then none of them is. The
   * transaction before must have ended.
   */
  async write(changes: StoreChanges): Promise<void> {
    this.last = DONE;
    try {
      this.enqueue(changes);
      await this.last;
    } catch (error) {
      throw await writeError(error);
    }
  }

  /** Hands everything to LMDB in one go, which makes it one transaction. */
  private enqueue(changes: StoreChanges): void {
    // What is to be removed is what the last transaction left.
    if (changes.removedSessions.length > 0) this.database.resetReadTxn();
    for (const { number } of changes.removedSessions) this.removeSession(number);
    for (const [session, one] of changes.sessions) this.writeSession(session.number, one);
    for (const [id, message] of changes.messages) {
      const value = message === null ? null : records.encodeMessage(message);
      this.set(records.numberedKey(records.KIND_MESSAGE, id), value);
    }
    for (const [topicName, id] of changes.retained) {
      this.set(records.retainedKey(topicName), id === 0 ? null : records.encodeRetained(topicName, id));
    }
  }

  private writeSession(
    number: number,
    { record, subscriptions, deliveries, received }: SessionChanges,
  ): void {
    if (record !== null) this.set(records.numberedKey(records.KIND_SESSION, number), record);
    for (const [topicFilter, value] of subscriptions) {
      this.set(records.subscriptionKey(number, topicFilter), value);
    }
    for (const [sequence, value] of deliveries) {
      this.set(records.deliveryKey(number, sequence), value);
    }
    for (const [packetId, isReceived] of received) {
      this.set(records.receivedKey(number, packetId), isReceived ? records.NOTHING : null);
    }
  }

  private removeSession(number: number): void {
    for (const kind of records.KINDS_OF_SESSION) {
      const start = records.numberedKey(kind, number);
      const end = records.numberedKey(kind, number + 1);
      for (const key of this.database.getKeys({ start, end })) this.set(key, null);
    }
    this.set(records.numberedKey(records.KIND_SESSION, number), null);
  }

  private set(key: Uint8Array, value: Buffer | null): void {
    this.last = value === null ? this.database.remove(key) : this.database.put(key, value);
  }
}

/** What LMDB throws says where the reason will be. */
async function writeError(error: unknown): Promise<StoreError> {
  let reason = error;
  try {
    await (error as { commitError?: Promise<unknown> }).commitError;
  } catch (commitError) {
    reason = commitError;
  }
  return new StoreError('ERR_STORE_WRITE', `the store cannot write: ${reasonOf(reason)}`, { cause: reason });
}
