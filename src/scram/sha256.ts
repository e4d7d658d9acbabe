/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) in plain JavaScript, for engines without any of their own. Under XS about a
 * hundred times slower than native code, although a round of PBKDF2 costs two blocks here and four there: the states
 * behind the key's blocks are kept.
 */
import { HASH_BYTES, randomBytes } from './crypto.ts';
import type { Mac, ScramCrypto } from './crypto.ts';

const BLOCK_BYTES = 64;

/** The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
const START = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** Likewise of the cube roots of the first 64. */
const ROUND = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

/** A hash under way. */
export class Sha256 {
  /** Eight words: the hash of the blocks so far. */
  state: Int32Array;
  /** 64 words, of which the first 16 are the next block. */
  words: Int32Array;

  constructor() {
    this.state = new Int32Array(8);
    this.words = new Int32Array(64);
    this.reset(START);
  }

  /** Goes on from `state`, that of another hash or the start of all. */
  reset(state: Int32Array): void {
    this.state.set(state, 0);
  }

  /** Takes in the block that is in `words`. */
  compress(): void {
    const words = this.words;
    const state = this.state;
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
    }
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + (g ^ (e & (f ^ g))) + ROUND[i] + words[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] = (state[0] + a) | 0;
    state[1] = (state[1] + b) | 0;
    state[2] = (state[2] + c) | 0;
    state[3] = (state[3] + d) | 0;
    state[4] = (state[4] + e) | 0;
    state[5] = (state[5] + f) | 0;
    state[6] = (state[6] + g) | 0;
    state[7] = (state[7] + h) | 0;
  }

  /** Takes in all of `bytes` and the padding, `before` bytes having been taken in already; a whole number of blocks. */
  finish(bytes: Uint8Array, before: number): void {
    const words = this.words;
    const length = bytes.length;
    // The byte 0x80 and the length in bits, eight bytes, must fit behind the last bytes.
    const end = (((length + 8) / BLOCK_BYTES) | 0) * BLOCK_BYTES + BLOCK_BYTES;
    for (let at = 0; at < end; at += BLOCK_BYTES) {
      for (let i = 0; i < 16; i++) {
        let word = 0;
        for (let k = at + i * 4; k < at + i * 4 + 4; k++) {
          word = (word << 8) | (k < length ? bytes[k] : k === length ? 0x80 : 0);
        }
        words[i] = word;
      }
      if (at + BLOCK_BYTES === end) {
        const byteLength = before + length;
        words[14] = Math.floor(byteLength / 0x20000000);
        words[15] = byteLength << 3;
      }
      this.compress();
    }
  }

  /** The state as 32 bytes of their own. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(HASH_BYTES);
    wordsToBytes(this.state, bytes);
    return bytes;
  }
}

function wordsToBytes(words: Int32Array, bytes: Uint8Array): void {
  for (let i = 0; i < HASH_BYTES; i++) bytes[i] = words[i >> 2] >> (24 - (i & 3) * 8);
}

function bytesToWords(bytes: Uint8Array, words: Int32Array): void {
  for (let i = 0; i < HASH_BYTES; i += 4) {
    words[i >> 2] = (bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3];
  }
}

/** HMAC with both of the key's blocks taken in once and for all. */
class SoftwareMac implements Mac {
  hash: Sha256;
  inner: Int32Array;
  outer: Int32Array;

  constructor(hash: Sha256, key: Uint8Array) {
    this.hash = hash;
    if (key.length > BLOCK_BYTES) {
      hash.reset(START);
      hash.finish(key, 0);
      key = hash.toBytes();
    }
    this.inner = this.pad(key, 0x36363636);
    this.outer = this.pad(key, 0x5c5c5c5c);
  }

  /** The state behind the block of `key` xored with `word`. */
  pad(key: Uint8Array, word: number): Int32Array {
    const hash = this.hash;
    hash.words.fill(word, 0, 16);
    for (let i = 0; i < key.length; i++) hash.words[i >> 2] ^= key[i] << (24 - (i & 3) * 8);
    hash.reset(START);
    hash.compress();
    const state = new Int32Array(8);
    state.set(hash.state, 0);
    return state;
  }

  sign(bytes: Uint8Array): Uint8Array {
    const hash = this.hash;
    hash.reset(this.inner);
    hash.finish(bytes, BLOCK_BYTES);
    this.padHash();
    this.hashHash(this.outer);
    return hash.toBytes();
  }

  /** Makes of the block one that ends behind a hash, with a key's block before it. */
  padHash(): void {
    const words = this.hash.words;
    words[8] = 0x80000000;
    words.fill(0, 9, 15);
    words[15] = (BLOCK_BYTES + HASH_BYTES) * 8;
  }

  /** Hashes the hash there is, behind the key's block that made `state`. */
  hashHash(state: Int32Array): void {
    const hash = this.hash;
    hash.words.set(hash.state, 0);
    hash.reset(state);
    hash.compress();
  }

  iterate(block: Uint8Array, sum: Uint8Array, rounds: number): void {
    const hash = this.hash;
    const state = hash.state;
    const sums = new Int32Array(8);
    bytesToWords(block, state);
    bytesToWords(sum, sums);
    this.padHash();
    for (let n = 0; n < rounds; n++) {
      this.hashHash(this.inner);
      this.hashHash(this.outer);
      for (let i = 0; i < 8; i++) sums[i] ^= state[i];
    }
    wordsToBytes(state, block);
    wordsToBytes(sums, sum);
  }
}

/** All that SCRAM needs but randomness, in JavaScript. */
export class SoftwareCrypto implements ScramCrypto {
  hash: Sha256;
  random: () => number;

  /** `random` gives integers, 0 to 4,294,967,295, that nobody can predict. */
  constructor(random: () => number) {
    this.hash = new Sha256();
    this.random = random;
  }

  sha256(bytes: Uint8Array): Uint8Array {
    this.hash.reset(START);
    this.hash.finish(bytes, 0);
    return this.hash.toBytes();
  }

  createMac(key: Uint8Array): Mac {
    return new SoftwareMac(this.hash, key);
  }

  randomBytes(byteLength: number): Uint8Array {
    return randomBytes(this.random, byteLength);
  }
}
