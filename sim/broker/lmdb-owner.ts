/**
 * What an LMDB store says of itself: that it is a broker's, in which format, and whose it is while it is open. Knows
 * nothing of sessions and messages.
 */
import type { RootDatabase } from 'lmdb';
import { clearAway, Doorbell, isAnswered } from './doorbell.ts';
import { fillUp } from './lmdb-files.ts';
import { StoreError } from './store-error.ts';
import { aboutKey } from './store-records.ts';

type Database = RootDatabase<Uint8Array, Uint8Array>;

const FORMAT = 'motemq broker store';
/** Another number for every change of what `store-records.ts` says. */
const VERSION = 1;
const FORMAT_KEY = aboutKey('format');
/** The name of a doorbell. */
const OWNER_KEY = aboutKey('owner');

/** Makes the store in `directory` this process's, or throws a StoreError. Its sign of life is to be given back. */
export async function takeOwnership(database: Database, directory: string): Promise<Doorbell> {
  const doorbell = await Doorbell.hang(directory);
  try {
    for (let dead: string | null = null; ;) {
      const owner = exchangeOwner(database, directory, dead, doorbell.name);
      if (owner === null) return doorbell;
      if (await isAnswered(directory, owner)) {
        throw new StoreError('ERR_STORE_IN_USE', `the store in ${directory} is in use by another broker`);
      }
      clearAway(directory, owner);
      dead = owner;
    }
  } catch (error) {
    await doorbell.remove();
    throw error;
  }
}

/** Before the store is closed, which is before the doorbell is taken down. */
export async function giveUpOwnership(database: Database): Promise<void> {
  try {
    await database.remove(OWNER_KEY);
  } catch {
    // A full disk: whoever comes next finds that nobody answers the doorbell.
  }
}

/**
 * Puts `next` in the place of the owner `known` (or of none), and returns null; when another is there, changes nothing
 * and returns that. One process at a time does so, for it is a transaction.
 */
function exchangeOwner(
  database: Database,
  directory: string,
  known: string | null,
  next: string,
): string | null {
  return database.transactionSync(() => {
    fillUp(directory);
    checkFormat(database, directory);
    const owner = readText(database, OWNER_KEY);
    if (owner !== null && owner !== known) return owner;
    database.putSync(OWNER_KEY, Buffer.from(next));
    return null;
  });
}

/** Marks an empty store as one of ours; throws when it is another's, or of another version. */
function checkFormat(database: Database, directory: string): void {
  const text = readText(database, FORMAT_KEY);
  if (text === `${FORMAT} ${VERSION}`) return;
  if (text?.startsWith(`${FORMAT} `)) {
    throw new StoreError(
      'ERR_STORE_VERSION',
      `the store in ${directory} has version ${text.slice(FORMAT.length + 1)}, this broker reads ${VERSION}`,
    );
  }
  if (text !== null || !isEmpty(database)) {
    throw new StoreError('ERR_STORE_FOREIGN', `${directory} holds a database, but not of a motemq broker`);
  }
  database.putSync(FORMAT_KEY, Buffer.from(`${FORMAT} ${VERSION}`));
}

function readText(database: Database, key: Uint8Array): string | null {
  const bytes = database.get(key);
  return bytes === undefined ? null : Buffer.from(bytes).toString();
}

function isEmpty(database: Database): boolean {
  for (const _key of database.getKeys({ start: Buffer.from([0]), limit: 1 })) return false;
  return true;
}
