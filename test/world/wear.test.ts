/**
 * What a message costs its store, in flash and in a file: the figures of docs/stores.md and of the stores' own headers.
 */
import { describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import type { PersistentStore } from '../../src/session/store.ts';
import { Power } from '../../sim/world/power.ts';
import { DiskMedium, FlashMedium, WorldStore } from '../../sim/world/stores.ts';
import { shareOf } from '../seed.ts';
import { NO_DICE } from './store-benches.ts';

/** Of an outbox record: 24 bytes, and 60 for topic, properties and payload. */
const RECORD_BYTES = 84;
const RECORD = new Uint8Array(RECORD_BYTES).fill(5);
const NO_BYTES = new Uint8Array(0);

function put(store: PersistentStore, kind: number, number: number, bytes: Uint8Array): void {
  if (!store.put(kind, number, bytes, 0, bytes.length)) throw new Error(`refused: ${kind} ${number}`);
}

function send(store: PersistentStore, number: number): void {
  put(store, STORED_MESSAGE, number, RECORD);
  put(store, STORED_PROGRESS, number, Uint8Array.of(0, 1, 0));
}

/** What a session asks of its store for one message, in its order. */
const LIVES: Record<string, (store: PersistentStore, number: number) => void> = {
  'QoS 1': (store, number) => {
    send(store, number);
    store.remove(STORED_MESSAGE, number);
    store.remove(STORED_PROGRESS, number);
  },
  'QoS 2': (store, number) => {
    send(store, number);
    put(store, STORED_PROGRESS, number, Uint8Array.of(0, 1, 1));
    store.remove(STORED_MESSAGE, number);
    store.remove(STORED_PROGRESS, number);
  },
  'received QoS 2': (store, number) => {
    const packetId = 1 + (number % 65535);
    put(store, STORED_RECEIVED, packetId, NO_BYTES);
    store.remove(STORED_RECEIVED, packetId);
  },
};

function flashBench(): { medium: FlashMedium; store: WorldStore } {
  const medium = new FlashMedium(new Power(NO_DICE));
  return { medium, store: new WorldStore(medium) };
}

describe('in flash', () => {
  it.each([
    ['QoS 1', 6, 13, 224],
    ['QoS 2', 7, 16, 264],
    ['received QoS 2', 1, 3, 40],
  ])('%s takes %i entries; programming %i times, %i bytes', (name, entries, programs, bytes) => {
    const { medium, store } = flashBench();
    LIVES['received QoS 2'](store, 1); // the domain's name
    const { flash } = medium;
    const before = { programs: flash.programs, bytes: flash.programmedBytes };
    const emptyBefore = emptyEntries(medium);
    LIVES[name](store, 1);
    expect(emptyBefore - emptyEntries(medium)).toBe(entries);
    expect(flash.programs - before.programs).toBe(programs);
    expect(flash.programmedBytes - before.bytes).toBe(bytes);
    expect(flash.erasureCount).toBe(0);
  });

  it.each([
    ['QoS 1', 21],
    ['QoS 2', 18],
    ['received QoS 2', 126],
  ])('%s: %i messages for each erasure, which all sectors but one share', (name, messagesPerErasure) => {
    const { medium, store } = flashBench();
    const count = shareOf(20_000);
    for (let number = 1; number <= count; number++) LIVES[name](store, number);
    const { erasures, erasureCount } = medium.flash;
    // The first four sectors were empty, and need not be erased.
    expect(count / (erasureCount + 5)).toBeGreaterThan(messagesPerErasure * 0.98);
    // The one with the domain's name has something of use.
    const worn = [...erasures].sort((a, b) => b - a);
    expect(worn[0] - worn[4]).toBeLessThanOrEqual(1);
    expect(worn[5]).toBe(0);
    // So many until the first sector has seen 100,000 erasures.
    const messagesMax = (count / worn[0]) * 100_000;
    expect(messagesMax / 1_000_000).toBeGreaterThan(((messagesPerErasure * 5) / 10) * 0.97);
  });

  it.each([
    [0, 21, 10],
    [20, 18, 7],
    [52, 11, 3.3],
    [70, 7, 1.4],
    [90, 3, 0.6],
  ])('%i messages of QoS 1 that stay: %i for each erasure', (staying, messagesPerErasure, millions) => {
    const { medium, store } = flashBench();
    const count = shareOf(20_000);
    let left = staying;
    for (let number = 1; number <= count; number++) {
      // Among those that go, so that all pages have some.
      if (left > 0 && number % 7 === 0) {
        send(store, number);
        left--;
      } else LIVES['QoS 1'](store, number);
    }
    const { erasures, erasureCount } = medium.flash;
    expect(count / (erasureCount + 5)).toBeGreaterThan(messagesPerErasure * 0.97);
    // The sectors with what stays are left alone: the others wear out the sooner.
    const messagesMax = (count / Math.max(...erasures)) * 100_000;
    if (count >= 20_000) expect(messagesMax / 1_000_000).toBeGreaterThan(millions * 0.97);
    // Twice as much for each message when half of the entries are in use, no more.
    const share = 1 - (staying * 6) / (5 * 126);
    expect(count / (erasureCount + 5)).toBeGreaterThan(20 * share);
  });

  it('an outbox of 2 KB takes 42% of the entries at most', () => {
    const { medium, store } = flashBench();
    // The smallest records there are: a topic of one character, no payload; 16 of them sent.
    const smallest = new Uint8Array(25);
    for (let number = 1; number * 25 <= 2048; number++) {
      put(store, STORED_MESSAGE, number, smallest);
      if (number <= 16) put(store, STORED_PROGRESS, number, Uint8Array.of(0, 1, 0));
    }
    expect(medium.nvs!.usedEntries).toBeLessThanOrEqual(0.42 * 5 * 126);
  });

  it('a received message that comes again costs nothing', () => {
    const { medium, store } = flashBench();
    store.put(STORED_RECEIVED, 1, NO_BYTES, 0, 0);
    const { programs } = medium.flash;
    for (let times = 0; times < 10; times++) expect(store.put(STORED_RECEIVED, 1, NO_BYTES, 0, 0)).toBe(true);
    expect(medium.flash.programs).toBe(programs);
  });

  it('a message that is refused for want of room costs an erasure at most, anything smaller none', () => {
    const { medium, store } = flashBench();
    let number = 1;
    while (store.put(STORED_MESSAGE, number, RECORD, 0, RECORD_BYTES)) number++;
    expect(number).toBeGreaterThan(100);
    let { erasureCount } = medium.flash;
    for (let i = 0; i < 20; i++)
      expect(store.put(STORED_MESSAGE, number, RECORD, 0, RECORD_BYTES)).toBe(false);
    expect(medium.flash.erasureCount - erasureCount).toBeLessThanOrEqual(20);
    let packetId = 1;
    while (store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0)) packetId++;
    ({ erasureCount } = medium.flash);
    for (let i = 0; i < 20; i++) {
      expect(store.put(STORED_RECEIVED, packetId, NO_BYTES, 0, 0)).toBe(false);
      expect(store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 0), 0, 3)).toBe(false);
    }
    expect(medium.flash.erasureCount).toBe(erasureCount);
  });
});

/** Entries that were never written, of all pages. */
function emptyEntries(medium: FlashMedium): number {
  const { content } = medium.flash;
  let count = 0;
  for (let at = 0; at < content.length; at += 32) {
    if (content.subarray(at, at + 32).every((byte) => byte === 0xff)) count++;
  }
  return count;
}

describe('in a file', () => {
  it.each([
    ['QoS 1', 143, 2],
    ['QoS 2', 160, 3],
    ['received QoS 2', 28, 2],
  ])(
    '%s takes %i bytes and %i syncs, and the file stays below 66 KB over 100,000 messages',
    (name, bytes, syncs) => {
      const medium = new DiskMedium(new Power(NO_DICE));
      const store = new WorldStore(medium);
      const { disk } = medium;
      LIVES[name](store, 1);
      const before = { bytes: disk.writtenBytes, syncs: disk.syncs };
      LIVES[name](store, 2);
      expect(disk.writtenBytes - before.bytes).toBe(bytes);
      expect(disk.syncs - before.syncs).toBe(syncs);
      const count = shareOf(100_000);
      for (let number = 3; number <= count; number++) LIVES[name](store, number);
      expect(disk.logBytesMax).toBeLessThan(66_000);
      // Writing anew is next to nothing.
      expect(disk.writtenBytes / count).toBeLessThan(bytes * 1.005);
      expect(disk.syncs / count).toBeLessThan(syncs * 1.005);
      store.revive();
      let left = 0;
      store.each(() => left++);
      // What was not synced.
      expect(left).toBeLessThanOrEqual(2);
    },
  );

  it('a received message that comes again takes 14 bytes and a sync', () => {
    const medium = new DiskMedium(new Power(NO_DICE));
    const store = new WorldStore(medium);
    put(store, STORED_RECEIVED, 1, NO_BYTES);
    const { writtenBytes, syncs } = medium.disk;
    put(store, STORED_RECEIVED, 1, NO_BYTES);
    expect(medium.disk.writtenBytes - writtenBytes).toBe(14);
    expect(medium.disk.syncs - syncs).toBe(1);
  });

  it('stays below four times what is of use', () => {
    const medium = new DiskMedium(new Power(NO_DICE));
    const store = new WorldStore(medium);
    const staying = 500;
    for (let number = 1; number <= staying; number++) send(store, number);
    const live = medium.disk.logBytes;
    for (let number = staying + 1; number <= shareOf(20_000); number++) LIVES['QoS 2'](store, number);
    expect(medium.disk.logBytesMax).toBeLessThan(4 * live + 1000);
    store.revive();
    let left = 0;
    store.each(() => left++);
    expect(left).toBeGreaterThanOrEqual(2 * staying);
  });
});
