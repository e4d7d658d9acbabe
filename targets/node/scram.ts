/**
 * SCRAM-SHA-256 with Node's cryptography: the key is derived on another thread.
 */
import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { typed } from '../../src/client/errors.ts';
import type { Authentication } from '../../src/client/options.ts';
import { scramAuthentication } from '../../src/client/scram.ts';
import type { ScramOptions } from '../../src/client/scram.ts';
import { ScramClient } from '../../src/scram/client.ts';
import { HASH_BYTES } from '../../src/scram/crypto.ts';
import type { Mac, ScramCrypto } from '../../src/scram/crypto.ts';

const deriveKey = promisify(pbkdf2);

/** Rounds that a server may ask for: some 300 ms of one thread. */
const ITERATIONS_MAX = 1_000_000;

class NodeMac implements Mac {
  private readonly key: Uint8Array;

  constructor(key: Uint8Array) {
    this.key = Uint8Array.from(key);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return createHmac('sha256', this.key).update(bytes).digest();
  }

  iterate(block: Uint8Array, sum: Uint8Array, rounds: number): void {
    for (let n = 0; n < rounds; n++) {
      block.set(this.sign(block));
      for (let i = 0; i < HASH_BYTES; i++) sum[i] ^= block[i];
    }
  }
}

/** Node's cryptography for src/scram. */
export class NodeScramCrypto implements ScramCrypto {
  sha256(bytes: Uint8Array): Uint8Array {
    return createHash('sha256').update(bytes).digest();
  }

  createMac(key: Uint8Array): Mac {
    return new NodeMac(key);
  }

  randomBytes(byteLength: number): Uint8Array {
    return randomBytes(byteLength);
  }

  pbkdf2(password: Uint8Array, salt: Uint8Array, iterations: number): Uint8Array {
    return pbkdf2Sync(password, salt, iterations, HASH_BYTES, 'sha256');
  }

  normalize(text: string): string {
    return text.normalize('NFKC');
  }
}

/**
 * The option `authentication` that proves knowledge of a password without sending it, and has the server prove the same
 * (RFC 7677). For one client: make one for each. The password is kept, as bytes, for servers that change the salt;
 * reconnecting derives no key anew while they do not. Throws ERR_SCRAM_TEXT for a user name or password that cannot be
 * one, ERR_OUT_OF_RANGE for `iterationsMax`, of which the default is 1,000,000. When the server fails to prove itself the
 * client ends with ERR_AUTHENTICATION, whose `cause` has a code ERR_SCRAM_*.
 */
export function scramSha256({ userName, password, iterationsMax }: ScramOptions): Authentication {
  const client = typed(
    () => new ScramClient(new NodeScramCrypto(), userName, password, iterationsMax ?? ITERATIONS_MAX),
  );
  return scramAuthentication(client, async ({ password: secret, salt, iterations }) => {
    client.setSaltedPassword(salt, await deriveKey(secret, salt, iterations, HASH_BYTES, 'sha256'));
  });
}
