/**
 * A broker's store in a directory, on LMDB: one file that is whole at every moment, also after a power cut. Changes are
 * collected in memory; a commit writes what is left of them in one transaction, and one is under way at a time: those
 * that are asked for meanwhile share the next. `store-records.ts` says what the records look like.
 */
import * as nodePath from 'node:path';
import type { RootDatabase } from 'lmdb';
import type { Doorbell } from './doorbell.ts';
import { openEnvironment, openError, prepareDirectory, syncDirectory } from './lmdb-files.ts';
import { giveUpOwnership, takeOwnership } from './lmdb-owner.ts';
import { LmdbReader } from './lmdb-reader.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import type { Message } from './message.ts';
import { StoreChanges, StoredSessionState } from './store-changes.ts';
import { StoreError } from './store-error.ts';
import type { BrokerStore, DeliveryRecord, SessionRecord, StoredState, SubscriptionRecord } from './store.ts';

const DONE = Promise.resolve();

/**
 * Opens the store in `directory`, or makes one; a directory that is made is its owner's alone (0700). Rejects with a
 * StoreError.
 */
export async function openLmdbStore(directory: string): Promise<BrokerStore> {
  const path = nodePath.resolve(directory);
  prepareDirectory(path);
  const database = openEnvironment(path);
  try {
    const doorbell = await takeOwnership(database, path);
    syncDirectory(path);
    return new LmdbStore(database, doorbell);
  } catch (error) {
    await database.close();
    throw openError(path, error);
  }
}

class LmdbStore implements BrokerStore {
  private readonly database: RootDatabase<Uint8Array, Uint8Array>;
  private readonly doorbell: Doorbell;
  private readonly writer: LmdbWriter;
  private sessions = new Map<string, StoredSessionState>();
  /** 0 until `load` has seen which are taken. */
  private nextSessionNumber = 0;
  /** The highest message id that was ever written, or may have been. */
  private writtenMessageIdMax = 0;
  private changes = new StoreChanges();
  private isChanged = false;
  /** The transaction under way. */
  private running: Promise<void> | null = null;
  /** The one that begins after it. */
  private next: Promise<void> | null = null;
  private isClosed = false;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, doorbell: Doorbell) {
    this.database = database;
    this.doorbell = doorbell;
    this.writer = new LmdbWriter(database);
  }

  load(): Promise<StoredState> {
    return new Promise((resolve) => {
      const reader = new LmdbReader();
      reader.read(this.database);
      this.sessions = reader.sessions;
      this.nextSessionNumber = reader.sessionNumberMax + 1;
      this.writtenMessageIdMax = reader.messageIdMax;
      resolve(reader.state);
    });
  }

  // --- Changing --------------------------------------------------------------------------------------------------

  putSession(record: SessionRecord): void {
    this.isChanged = true;
    let session = this.sessions.get(record.clientId);
    if (session === undefined) {
      if (this.nextSessionNumber === 0) throw new Error('a store is loaded before it is changed');
      session = new StoredSessionState(this.nextSessionNumber++);
      this.sessions.set(record.clientId, session);
    }
    this.changes.putSession(session, record);
  }

  removeSession(clientId: string): void {
    const session = this.sessions.get(clientId);
    if (session === undefined) return;
    this.isChanged = true;
    this.sessions.delete(clientId);
    this.changes.removeSession(session);
  }

  putSubscription(clientId: string, subscription: SubscriptionRecord): void {
    this.isChanged = true;
    this.changes.putSubscription(this.sessionOf(clientId), subscription);
  }

  removeSubscription(clientId: string, topicFilter: string): void {
    const session = this.sessions.get(clientId);
    if (session === undefined) return;
    this.isChanged = true;
    this.changes.removeSubscription(session, topicFilter);
  }

  putMessage(id: number, message: Message): void {
    this.isChanged = true;
    this.changes.putMessage(id, message);
  }

  removeMessage(id: number): void {
    this.isChanged = true;
    this.changes.removeMessage(id, this.writtenMessageIdMax);
  }

  putDelivery(clientId: string, delivery: DeliveryRecord): void {
    this.isChanged = true;
    this.changes.putDelivery(this.sessionOf(clientId), delivery);
  }

  removeDelivery(clientId: string, sequence: number): void {
    const session = this.sessions.get(clientId);
    if (session === undefined) return;
    this.isChanged = true;
    this.changes.removeDelivery(session, sequence);
  }

  putReceived(clientId: string, packetId: number): void {
    this.isChanged = true;
    this.changes.setReceived(this.sessionOf(clientId), packetId, true);
  }

  removeReceived(clientId: string, packetId: number): void {
    const session = this.sessions.get(clientId);
    if (session === undefined) return;
    this.isChanged = true;
    this.changes.setReceived(session, packetId, false);
  }

  putRetained(topicName: string, messageId: number): void {
    this.isChanged = true;
    this.changes.putRetained(topicName, messageId);
  }

  removeRetained(topicName: string): void {
    this.isChanged = true;
    this.changes.removeRetained(topicName);
  }

  /** What belongs to a session is put after the session. */
  private sessionOf(clientId: string): StoredSessionState {
    const session = this.sessions.get(clientId);
    if (session === undefined) throw new Error(`there is no session '${clientId}' in the store`);
    return session;
  }

  // --- Writing ---------------------------------------------------------------------------------------------------

  hasChanges(): boolean {
    return this.isChanged;
  }

  commit(): Promise<void> {
    this.isChanged = false;
    if (this.isClosed) return Promise.reject(new StoreError('ERR_STORE_CLOSED', 'the store is closed'));
    if (this.changes.isEmpty()) return this.running ?? DONE;
    if (this.next !== null) return this.next;
    if (this.running === null) return this.begin();
    const begin = (): Promise<void> => this.begin();
    this.next = this.running.then(begin, begin);
    return this.next;
  }

  /** Begins a transaction with all there is. */
  private begin(): Promise<void> {
    this.next = null;
    const { changes } = this;
    this.changes = new StoreChanges();
    changes.noteWritten();
    this.writtenMessageIdMax = Math.max(this.writtenMessageIdMax, changes.messageIdMax);
    this.running = this.write(changes);
    return this.running;
  }

  private async write(changes: StoreChanges): Promise<void> {
    try {
      await this.writer.write(changes);
    } catch (error) {
      // They are still to be written: a later commit must not say that it is done without them.
      this.changes.absorb(changes);
      this.isChanged = true;
      throw error;
    } finally {
      this.running = null;
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (let last = this.next ?? this.running; last !== null; last = this.next ?? this.running) {
      try {
        await last;
      } catch {
        // Who asked for it is told.
      }
    }
    await giveUpOwnership(this.database);
    await this.database.close();
    await this.doorbell.remove();
  }
}
