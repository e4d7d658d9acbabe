/**
 * What SCRAM needs of a place's cryptography, and PBKDF2 made of it in slices. Knows no message.
 */

/** Bytes of a SHA-256 hash, hence of every key, proof and signature. */
export const HASH_BYTES = 32;

/** HMAC-SHA-256 under one key. */
export interface Mac {
  /** The code of `bytes`: 32 bytes that the caller may keep. */
  sign(bytes: Uint8Array): Uint8Array;
  /**
   * `rounds` times: `block` becomes its own code, and `sum` is xored with that. Both are arrays of 32 bytes, with a
   * buffer of their own. All the time that PBKDF2 takes is spent here.
   */
  iterate(block: Uint8Array, sum: Uint8Array, rounds: number): void;
}

/** The cryptography of the place SCRAM runs in. */
export interface ScramCrypto {
  /** The hash of `bytes`: 32 bytes that the caller may keep. */
  sha256(bytes: Uint8Array): Uint8Array;
  /** `key` is copied, or not needed any more, when this returns. */
  createMac(key: Uint8Array): Mac;
  /** Unpredictable bytes: a server that could guess them could play an old exchange again. */
  randomBytes(byteLength: number): Uint8Array;
  /** PBKDF2 with HMAC-SHA-256, 32 bytes, in one go: for places where that is so fast that nobody waits. */
  pbkdf2?: (password: Uint8Array, salt: Uint8Array, iterations: number) => Uint8Array;
  /** Unicode's NFKC, where there is one. */
  normalize?: (text: string) => string;
}

/** Bytes from a source of integers, 0 to 4,294,967,295. */
export function randomBytes(random: () => number, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let word = 0;
  for (let i = 0; i < byteLength; i++) {
    if ((i & 3) === 0) word = random();
    bytes[i] = word;
    word >>>= 8;
  }
  return bytes;
}

/** One run of PBKDF2 (RFC 8018, 5.2), as far as SCRAM needs it: one block. RFC 5802 calls it Hi. */
export class Pbkdf2 {
  mac: Mac;
  block: Uint8Array;
  sum: Uint8Array;
  /** Rounds still to do. */
  remaining: number;

  /** Does the first of `iterations` rounds. */
  constructor(crypto: ScramCrypto, password: Uint8Array, salt: Uint8Array, iterations: number) {
    const numbered = new Uint8Array(salt.length + 4);
    numbered.set(salt, 0);
    numbered[salt.length + 3] = 1;
    this.mac = crypto.createMac(password);
    const first = this.mac.sign(numbered);
    this.block = new Uint8Array(HASH_BYTES);
    this.sum = new Uint8Array(HASH_BYTES);
    this.block.set(first, 0);
    this.sum.set(first, 0);
    this.remaining = iterations - 1;
  }

  /** Does as many as `rounds` more. Returns whether that was all, and `sum` is the key. */
  step(rounds: number): boolean {
    const count = rounds < this.remaining ? rounds : this.remaining;
    if (count > 0) this.mac.iterate(this.block, this.sum, count);
    this.remaining -= count;
    return this.remaining === 0;
  }
}
