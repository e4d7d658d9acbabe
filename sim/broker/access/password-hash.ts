/**
 * Passwords as a file keeps them: scrypt (RFC 7914) in the text form of PHC, and what `mosquitto_passwd` writes, PBKDF2
 * with HMAC-SHA-512. Derives on other threads. How many at a time is for the caller to say: check-queue.ts.
 */
import { pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { decodeBase64, encodeBase64 } from '../../../src/scram/base64.ts';

const deriveScrypt = promisify(
  (
    password: Uint8Array,
    salt: Uint8Array,
    byteLength: number,
    options: { N: number; r: number; p: number; maxmem: number },
    callback: (error: Error | null, key: Buffer) => void,
  ) => {
    scrypt(password, salt, byteLength, options, callback);
  },
);
const derivePbkdf2 = promisify(pbkdf2);

/** Of the hashes that are made here: 2^14 blocks of 8 · 128 bytes, so 16 MiB, some 30 ms. */
const LOG2_COST = 14;
const BLOCK_SIZE = 8;
const PARALLELISM = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Bytes that checking one password may take, and rounds: a file must not be able to stop a broker. */
const SCRYPT_BYTES_MAX = 64 * 1024 * 1024;
const SCRYPT_PARALLELISM_MAX = 16;
const ITERATIONS_MAX = 10_000_000;
const SALT_BYTES_MAX = 64;
/** A hash of fewer bytes could be met by chance. */
const HASH_BYTES_MIN = 16;
const HASH_BYTES_MAX = 64;

/** `$scrypt$ln=14,r=8,p=1$salt$hash` */
interface ScryptHash {
  readonly kind: 'scrypt';
  readonly text: string;
  readonly log2Cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Mosquitto's `$7$iterations$salt$hash` */
interface Pbkdf2Hash {
  readonly kind: 'pbkdf2-sha512';
  readonly text: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** A password, hashed. `text` is how a file says it. */
export type PasswordHash = ScryptHash | Pbkdf2Hash;

/** Base64 with or without its padding, from `min` to `max` bytes. Throws an Error that names it `what`. */
export function decodeField(text: string, min: number, max: number, what: string): Uint8Array {
  const bytes = decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='));
  if (bytes === null || bytes.length < min || bytes.length > max) {
    throw new Error(`the ${what} must be ${min === max ? min : `${min} to ${max}`} bytes in Base64`);
  }
  return bytes;
}

/** Base64 without padding, as PHC has it. */
export function encodeField(bytes: Uint8Array): string {
  return encodeBase64(bytes).replace(/=+$/, '');
}

/** A number of decimal digits from 1 to `max`. Throws an Error that names it `what`. */
export function decodeCount(text: string, max: number, what: string): number {
  const value = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new Error(`${what} must be a number from 1 to ${max}`);
  return value;
}

/** What `text` says, `$` and all. Throws an Error in words that do not repeat it. */
export function parsePasswordHash(text: string): PasswordHash {
  const fields = text.split('$');
  if (fields[0] === '' && fields[1] === 'scrypt' && fields.length === 5) return parseScrypt(text, fields);
  if (fields[0] === '' && fields[1] === '7' && fields.length === 5) {
    return {
      kind: 'pbkdf2-sha512',
      text,
      iterations: decodeCount(fields[2], ITERATIONS_MAX, 'the iterations of $7$'),
      salt: decodeField(fields[3], 1, SALT_BYTES_MAX, 'salt'),
      hash: decodeField(fields[4], HASH_BYTES_MIN, HASH_BYTES_MAX, 'hash'),
    };
  }
  throw new Error(
    'not a password hash that is known here: $scrypt$ln=…,r=…,p=…$salt$hash (of motemq passwd) or ' +
      '$7$iterations$salt$hash (of mosquitto_passwd, sha512-pbkdf2)',
  );
}

function parseScrypt(text: string, fields: readonly string[]): ScryptHash {
  const parameters = /^ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})$/.exec(fields[2]);
  if (parameters === null) throw new Error('the parameters of $scrypt$ must be ln=…,r=…,p=…');
  const [log2Cost, blockSize, parallelism] = parameters.slice(1).map(Number);
  const isPossible = log2Cost > 0 && blockSize > 0 && parallelism > 0;
  if (!isPossible || scryptBytes(log2Cost, blockSize, parallelism) > SCRYPT_BYTES_MAX) {
    throw new Error('the parameters of $scrypt$ must be positive, and need no more than 64 MiB');
  }
  if (parallelism > SCRYPT_PARALLELISM_MAX) {
    throw new Error(`p of $scrypt$ must be at most ${SCRYPT_PARALLELISM_MAX}`);
  }
  return {
    kind: 'scrypt',
    text,
    log2Cost,
    blockSize,
    parallelism,
    salt: decodeField(fields[3], 1, SALT_BYTES_MAX, 'salt'),
    hash: decodeField(fields[4], HASH_BYTES_MIN, HASH_BYTES_MAX, 'hash'),
  };
}

/** Bytes that OpenSSL takes for it. */
function scryptBytes(log2Cost: number, blockSize: number, parallelism: number): number {
  return 128 * blockSize * (2 ** log2Cost + parallelism + 2);
}

/** The text of a new hash of `password`, with a salt of its own. */
export async function hashPassword(password: Uint8Array): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await runScrypt(password, salt, HASH_BYTES, LOG2_COST, BLOCK_SIZE, PARALLELISM);
  const parameters = `ln=${LOG2_COST},r=${BLOCK_SIZE},p=${PARALLELISM}`;
  return `$scrypt$${parameters}$${encodeField(salt)}$${encodeField(hash)}`;
}

/** Whether `password` is the one that was hashed. The time it takes tells nothing of where the hashes differ. */
export async function isPassword(password: Uint8Array, hashed: PasswordHash): Promise<boolean> {
  const { salt, hash } = hashed;
  const derived =
    hashed.kind === 'scrypt'
      ? await runScrypt(password, salt, hash.length, hashed.log2Cost, hashed.blockSize, hashed.parallelism)
      : await derivePbkdf2(password, salt, hashed.iterations, hash.length, 'sha512');
  return timingSafeEqual(derived, hash);
}

function runScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  byteLength: number,
  log2Cost: number,
  blockSize: number,
  parallelism: number,
): Promise<Uint8Array> {
  return deriveScrypt(password, salt, byteLength, {
    N: 2 ** log2Cost,
    r: blockSize,
    p: parallelism,
    maxmem: 2 * SCRYPT_BYTES_MAX,
  });
}
