/**
 * src/scram's cryptography over a native SHA-256 that is written to piece by piece, as Moddable's `crypt` has it. Knows
 * no module of a place: the class of the digest is handed in.
 */
import { HASH_BYTES, randomBytes } from '../../src/scram/crypto.ts';
import type { Mac, ScramCrypto } from '../../src/scram/crypto.ts';

/** As the class `Digest` of Moddable's module `crypt`. */
export interface Digest {
  reset(): void;
  write(bytes: ArrayBuffer | Uint8Array): void;
  /** The hash of what was written since `reset`, which has to come before the next `write`. */
  close(): ArrayBuffer;
}

const BLOCK_BYTES = 64;

/** HMAC (RFC 2104). Not that of Moddable's module `hmac`, which makes a closure and an array for each code. */
class DigestMac implements Mac {
  digest: Digest;
  inner: Uint8Array;
  outer: Uint8Array;

  constructor(digest: Digest, key: Uint8Array) {
    this.digest = digest;
    if (key.length > BLOCK_BYTES) {
      digest.reset();
      digest.write(key);
      key = new Uint8Array(digest.close());
    }
    this.inner = new Uint8Array(BLOCK_BYTES);
    this.outer = new Uint8Array(BLOCK_BYTES);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = i < key.length ? key[i] : 0;
      this.inner[i] = byte ^ 0x36;
      this.outer[i] = byte ^ 0x5c;
    }
  }

  signBuffer(bytes: ArrayBuffer | Uint8Array): ArrayBuffer {
    const digest = this.digest;
    digest.reset();
    digest.write(this.inner);
    digest.write(bytes);
    const hash = digest.close();
    digest.reset();
    digest.write(this.outer);
    digest.write(hash);
    return digest.close();
  }

  sign(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(this.signBuffer(bytes));
  }

  iterate(block: Uint8Array, sum: Uint8Array, rounds: number): void {
    // Whole words: their order is the same on both sides of the xor.
    const sums = new Int32Array(sum.buffer, sum.byteOffset, HASH_BYTES / 4);
    let hash: ArrayBuffer | Uint8Array = block;
    for (let n = 0; n < rounds; n++) {
      const code: ArrayBuffer = this.signBuffer(hash);
      const words = new Int32Array(code);
      sums[0] ^= words[0];
      sums[1] ^= words[1];
      sums[2] ^= words[2];
      sums[3] ^= words[3];
      sums[4] ^= words[4];
      sums[5] ^= words[5];
      sums[6] ^= words[6];
      sums[7] ^= words[7];
      hash = code;
    }
    if (rounds > 0) block.set(new Uint8Array(hash as ArrayBuffer));
  }
}

export class DigestCrypto implements ScramCrypto {
  digest: Digest;
  random: () => number;

  /** `random` gives integers, 0 to 4,294,967,295, that nobody can predict. */
  constructor(digest: Digest, random: () => number) {
    this.digest = digest;
    this.random = random;
  }

  sha256(bytes: Uint8Array): Uint8Array {
    this.digest.reset();
    this.digest.write(bytes);
    return new Uint8Array(this.digest.close());
  }

  createMac(key: Uint8Array): Mac {
    return new DigestMac(this.digest, key);
  }

  randomBytes(byteLength: number): Uint8Array {
    return randomBytes(this.random, byteLength);
  }
}
