/**
 * How names that nobody has are answered, so that nobody finds out which names there are: each with something that looks
 * as a user's would, always the same for a name for as long as the process lives, and that fits no password.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { ScramCredentials } from '../../../src/scram/server.ts';

/** Nobody outside can tell what is made with it from what is random. */
const SECRET = randomBytes(32);
const KEY_BYTES = 32;

function digest(purpose: string, name: string): Buffer {
  return createHmac('sha512', SECRET).update(`${purpose}\0${name}`).digest();
}

/** Which of `count` users a name is treated like, from 0. `count` is at least 1. */
export function decoyIndex(name: string, count: number): number {
  return digest('index', name).readUInt32BE() % count;
}

/** What SCRAM is answered with for a name, with a salt as long as that of `like`, and as many iterations. */
export function decoyCredentials(name: string, like: ScramCredentials): ScramCredentials {
  return {
    salt: digest('salt', name).subarray(0, like.salt.length),
    iterations: like.iterations,
    storedKey: digest('stored key', name).subarray(0, KEY_BYTES),
    serverKey: digest('server key', name).subarray(0, KEY_BYTES),
  };
}
