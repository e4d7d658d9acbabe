/**
 * Reads a broker's state out of an LMDB store, in one scan in the order of the keys: sessions first, then what belongs
 * to them.
 */
import type { RootDatabase } from 'lmdb';
import { StoredSessionState } from './store-changes.ts';
import { reasonOf, StoreError } from './store-error.ts';
import * as records from './store-records.ts';
import type { StoredSession, StoredState } from './store.ts';

export class LmdbReader {
  readonly state: StoredState = { sessions: [], messages: new Map(), retained: new Map() };
  /** What the store knows of the sessions, by client id. */
  readonly sessions = new Map<string, StoredSessionState>();
  sessionNumberMax = 0;
  messageIdMax = 0;
  private readonly byNumber = new Map<number, { session: StoredSession; known: StoredSessionState }>();

  /** Throws a StoreError when something is in there that a broker did not write. */
  read(database: RootDatabase<Uint8Array, Uint8Array>): void {
    try {
      for (const entry of database.getRange({ start: records.kindKey(records.KIND_SESSION) })) {
        this.readRecord(toBuffer(entry.key), toBuffer(entry.value));
      }
    } catch (error) {
      throw new StoreError('ERR_STORE_CORRUPT', `the store is damaged: ${reasonOf(error)}`, { cause: error });
    }
  }

  private readRecord(key: Buffer, value: Buffer): void {
    switch (key[0]) {
      case records.KIND_SESSION:
        this.readSession(records.numberOf(key), value);
        return;
      case records.KIND_SUBSCRIPTION:
        this.of(key).session.subscriptions.push(records.decodeSubscription(key, value));
        return;
      case records.KIND_DELIVERY:
        this.readDelivery(key, value);
        return;
      case records.KIND_RECEIVED:
        this.of(key).session.receivedIds.push(records.packetIdOf(key));
        return;
      case records.KIND_MESSAGE:
        this.messageIdMax = records.numberOf(key);
        this.state.messages.set(this.messageIdMax, records.decodeMessage(value));
        return;
      case records.KIND_RETAINED: {
        const { topicName, messageId } = records.decodeRetained(key, value);
        this.state.retained.set(topicName, messageId);
        return;
      }
      default:
        throw new RangeError(`there is no kind of record ${key[0]}`);
    }
  }

  private readSession(number: number, value: Buffer): void {
    const record = records.decodeSession(value);
    const session = { ...record, subscriptions: [], deliveries: [], receivedIds: [] };
    const known = new StoredSessionState(number);
    known.isWritten = true;
    this.state.sessions.push(session);
    this.byNumber.set(number, { session, known });
    this.sessions.set(record.clientId, known);
    this.sessionNumberMax = number;
  }

  private readDelivery(key: Buffer, value: Buffer): void {
    const { session, known } = this.of(key);
    const delivery = records.decodeDelivery(key, value);
    session.deliveries.push(delivery);
    known.writtenSequenceMax = delivery.sequence;
  }

  private of(key: Buffer): { session: StoredSession; known: StoredSessionState } {
    const number = records.numberOf(key);
    const found = this.byNumber.get(number);
    if (found === undefined) throw new RangeError(`there is no session ${number}`);
    return found;
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
