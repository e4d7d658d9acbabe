/**
 * The files of an LMDB environment, looked at before and beside LMDB: it trusts what it maps into memory, and a file that
 * is not one of its own, or was cut short, would end the process instead of being an error. Knows nothing of what is kept.
 */
import * as fs from 'node:fs';
import { endianness } from 'node:os';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { reasonOf, StoreError } from './store-error.ts';

const DATA_FILE = 'data.mdb';
const LOCK_FILE = 'lock.mdb';

/** Entries that a directory may have for which a store is made. */
const IGNORED = /^(\..*|lost\+found|lock\.mdb|broker-[0-9a-f]+\.sock)$/;

/*
 * A meta page, of which there are two at the file's beginning, on a machine of 64 bits with the low byte first: page
 * header (24 bytes, flags at 18), magic (4), version (4), …, page size at 48, last page at 144, transaction at 152.
 */
const META_BYTES = 160;
const FLAGS_OFFSET = 18;
const FLAG_META = 8;
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;
const PAGE_SIZE_OFFSET = 48;
const LAST_PAGE_OFFSET = 144;
const TRANSACTION_OFFSET = 152;

/** LMDB's codes for files that are not as they should be: the first and the last of them. */
const PAGE_NOT_FOUND = -30797;
const INVALID = -30793;

const IS_KNOWN_LAYOUT = endianness() === 'LE' && !['arm', 'ia32', 'mipsel'].includes(process.arch);

/** Makes `directory` where it is not, and throws a StoreError where no store can be. */
export function prepareDirectory(directory: string): void {
  const file = join(directory, DATA_FILE);
  try {
    makeDirectory(directory);
    const entries = fs.readdirSync(directory);
    if (entries.includes(DATA_FILE)) {
      if (IS_KNOWN_LAYOUT && fs.statSync(file).size > 0) readMeta(file);
    } else if (!entries.every((entry) => IGNORED.test(entry))) {
      throw new StoreError('ERR_STORE_FOREIGN', `${directory} holds other files, and no store of a broker`);
    }
  } catch (error) {
    throw openError(directory, error);
  }
}

/** A StoreError for whatever kept the store in `directory` from being opened. */
export function openError(directory: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'number' && code >= PAGE_NOT_FOUND && code <= INVALID) {
    return new StoreError('ERR_STORE_CORRUPT', `the store in ${directory} is damaged: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const text = `cannot open the store in ${directory}: ${reasonOf(error)}`;
  return new StoreError('ERR_STORE_OPEN', text, { cause: error });
}

/** A directory's name lasts once the directory that it lies in is on the disk. */
function makeDirectory(directory: string): void {
  const first = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let path = directory; path.length >= first.length; path = dirname(path)) syncDirectory(dirname(path));
}

/** Has the names of the files in a directory last. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return; // has no such thing
  const descriptor = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Opens the environment in `directory`, which is prepared. */
export function openEnvironment(directory: string): RootDatabase<Uint8Array, Uint8Array> {
  try {
    const database = open<Uint8Array, Uint8Array>(directory, {
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      // One transaction is under way at a time, and a put that has resolved is on the disk.
      overlappingSync: false,
    });
    for (const file of [DATA_FILE, LOCK_FILE]) fs.chmodSync(join(directory, file), 0o600);
    return database;
  } catch (error) {
    throw openError(directory, error);
  }
}

/** Bytes that the file of a whole database has, or less: LMDB does not write free pages at the end. */
function readMeta(file: string): number {
  const descriptor = fs.openSync(file, 'r');
  try {
    const first = readMetaPage(0);
    const pageSize = first.readUInt32LE(PAGE_SIZE_OFFSET);
    const second = readMetaPage(pageSize);
    const isFirst = first.readBigUInt64LE(TRANSACTION_OFFSET) > second.readBigUInt64LE(TRANSACTION_OFFSET);
    return (Number((isFirst ? first : second).readBigUInt64LE(LAST_PAGE_OFFSET)) + 1) * pageSize;
  } finally {
    fs.closeSync(descriptor);
  }

  function readMetaPage(position: number): Buffer {
    const page = Buffer.alloc(META_BYTES);
    const byteLength = fs.readSync(descriptor, page, 0, META_BYTES, position);
    const isMeta = (page.readUInt16LE(FLAGS_OFFSET) & FLAG_META) !== 0;
    if (byteLength === META_BYTES && isMeta && page.readUInt32LE(MAGIC_OFFSET) === MAGIC) return page;
    throw new StoreError('ERR_STORE_CORRUPT', `${file} is not, or not any more, a store of a broker`);
  }
}

/**
 * Gives a file that was cut short its length again, with pages of zeros, which LMDB takes for what they are: an error. To
 * be called while nobody writes: in a transaction.
 */
export function fillUp(directory: string): void {
  if (!IS_KNOWN_LAYOUT) return;
  const file = join(directory, DATA_FILE);
  const byteLength = readMeta(file);
  if (fs.statSync(file).size < byteLength) fs.truncateSync(file, byteLength);
}
