/**
 * A session store in a device's small key-value storage: on an ESP32 that is NVS in flash, which survives a power cut
 * at any moment and spreads its wear by itself. Reached through ECMA-419's storage, or through `preference`.
 *
 * One value for each record. The names have 8 characters at most, of NVS's 15: a letter for the kind and the number in
 * base 36. How far a message came has two letters, for before and after PUBREC, so that no value is ever replaced:
 * `preference` does that by erasing first, and a power cut in between would send a QoS 2 message a second time.
 *
 * What a message costs, by NVS's format of 32-byte entries, 126 to a page of flash: 2 entries and one for each 32 bytes
 * of its outbox record (24 bytes, topic, properties, payload) when it is accepted, 1 when it is sent, with QoS 2 1 more
 * at PUBREC; a received QoS 2 message costs 1, and nothing when it comes again; removing costs none. With a record of 84
 * bytes and QoS 1 that is 6 entries, 21 messages for each time a page is erased. Moddable's default partition has 6 pages,
 * one of them always free, and one is left alone, as the domain's name is in it: at 100,000 erasures each, some 10
 * million messages in the life of the flash. One message a minute wears it out in 20 years, ten a second in 12 days.
 * What waits for long makes it less: docs/stores.md. QoS 0 never comes here.
 */
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import type { PersistentStore } from '../../src/session/store.ts';

/** Small values under names of 15 characters at most. What is written, or deleted, is lasting when the call returns. */
export interface Values {
  keys(): string[];
  readBytes(key: string): Uint8Array | undefined;
  readNumber(key: string): number | undefined;
  /** Throw when there is no room. Numbers are integers from 0 to 65,535. */
  writeBytes(key: string, bytes: ArrayBuffer): void;
  writeNumber(key: string, value: number): void;
  /** Does nothing when there is no such value. */
  delete(key: string): void;
}

/** The default export of the module `preference`. */
export interface PreferenceModule {
  keys(domain: string): string[];
  get(domain: string, key: string): unknown;
  set(domain: string, key: string, value: ArrayBuffer | number): void;
  delete(domain: string, key: string): void;
}

/** What the `open` of ECMA-419's module `embedded:storage/key-value` returns. */
export interface KeyValueStorage extends Iterable<string> {
  format: string;
  read(key: string): unknown;
  write(key: string, value: ArrayBuffer | number): void;
  delete(key: string): void;
}

/** Values in `preference`; `domain`, of 15 characters at most, must hold nothing else. */
export function preferenceValues(preference: PreferenceModule, domain: string): Values {
  return {
    keys: () => preference.keys(domain),
    readBytes: (key) => bytesOf(preference.get(domain, key)),
    readNumber: (key) => numberOf(preference.get(domain, key)),
    writeBytes: (key, bytes) => {
      preference.set(domain, key, bytes);
    },
    writeNumber: (key, value) => {
      preference.set(domain, key, value);
    },
    delete: (key) => {
      preference.delete(domain, key);
    },
  };
}

/** Values in a storage that was opened with a path of its own, of 15 characters at most: `open({path: 'motemq'})`. */
export function storageValues(storage: KeyValueStorage): Values {
  const as = (format: string): KeyValueStorage => {
    storage.format = format;
    return storage;
  };
  return {
    keys: () => [...storage],
    readBytes: (key) => bytesOf(as('buffer').read(key)),
    readNumber: (key) => numberOf(as('uint16').read(key)),
    writeBytes: (key, bytes) => {
      as('buffer').write(key, bytes);
    },
    writeNumber: (key, value) => {
      as('uint16').write(key, value);
    },
    delete: (key) => {
      storage.delete(key);
    },
  };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

// First letters of names.
const MESSAGE = 'm';
const SENT = 's';
const RELEASED = 'r';
const RECEIVED = 'q';

function kindOf(letter: string): number {
  switch (letter) {
    case MESSAGE:
      return STORED_MESSAGE;
    case SENT:
    case RELEASED:
      return STORED_PROGRESS;
    case RECEIVED:
      return STORED_RECEIVED;
    default:
      return 0;
  }
}

interface Kept {
  key: string;
  kind: number;
  number: number;
}

/** Orders by kind and number; after PUBREC comes before before PUBREC. */
function compare(a: Kept, b: Kept): number {
  return a.kind - b.kind || a.number - b.number || (a.key < b.key ? -1 : 1);
}

export class FlashStore implements PersistentStore {
  private readonly values: Values;
  /** Names of values that could not be deleted, oldest first: nothing else is changed before they are. */
  private readonly undeleted: string[] = [];

  constructor(values: Values) {
    this.values = values;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    const { values } = this;
    const name = number.toString(36);
    try {
      this.settle();
      if (kind === STORED_MESSAGE) {
        values.writeBytes(MESSAGE + name, bytes.slice(at, at + byteLength).buffer);
      } else if (kind === STORED_RECEIVED) {
        // It is there already when the server sends its message again, for want of a PUBREC.
        if (values.readNumber(RECEIVED + name) === undefined) values.writeNumber(RECEIVED + name, 1);
      } else {
        const packetId = (bytes[at] << 8) | bytes[at + 1];
        values.writeNumber((bytes[at + 2] === 1 ? RELEASED : SENT) + name, packetId);
      }
      return true;
    } catch {
      return false;
    }
  }

  remove(kind: number, number: number): boolean {
    const name = number.toString(36);
    if (kind === STORED_MESSAGE) return this.delete(MESSAGE + name);
    if (kind === STORED_RECEIVED) return this.delete(RECEIVED + name);
    // In this order a power cut in between leaves what says more.
    this.delete(SENT + name);
    return this.delete(RELEASED + name);
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    const all: Kept[] = [];
    for (const key of this.values.keys()) {
      const kind = kindOf(key[0]);
      const number = parseInt(key.slice(1), 36);
      if (kind !== 0 && number > 0 && key.slice(1) === number.toString(36)) all.push({ key, kind, number });
    }
    all.sort(compare);
    all.forEach(({ key, kind, number }, i) => {
      // What was so before PUBREC does not count any more.
      if (i > 0 && all[i - 1].kind === kind && all[i - 1].number === number) return;
      const bytes = this.bytesOf(key, kind);
      if (bytes !== undefined) visit(kind, number, bytes);
    });
  }

  private bytesOf(key: string, kind: number): Uint8Array | undefined {
    if (kind === STORED_MESSAGE) return this.values.readBytes(key);
    if (kind === STORED_RECEIVED) return new Uint8Array(0);
    const packetId = this.values.readNumber(key);
    if (packetId === undefined) return undefined;
    return Uint8Array.of(packetId >> 8, packetId & 255, key.startsWith(RELEASED) ? 1 : 0);
  }

  private delete(key: string): boolean {
    if (!this.undeleted.includes(key)) this.undeleted.push(key);
    try {
      this.settle();
      return true;
    } catch {
      // Later, before the next change.
      return false;
    }
  }

  private settle(): void {
    while (this.undeleted.length > 0) {
      this.values.delete(this.undeleted[0]);
      this.undeleted.shift();
    }
  }
}
