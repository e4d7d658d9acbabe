/**
 * Takes the place of node:crypto in an XS machine, as far as tests use it: asks the process outside, which has the real
 * one. What is asked for is a line of JSON, with keys and the like as hexadecimal, and the bytes that it is about behind
 * it; guest-tests.ts answers.
 */
import { host } from './host.ts';

type Bytes = Uint8Array | string;

function hexOf(bytes: Bytes): string {
  return Buffer.from(bytes as string).toString('hex');
}

function ask(data: readonly Uint8Array[], what: string, ...values: (string | number)[]): Buffer {
  const head = Buffer.from(JSON.stringify([what, ...values]) + '\n');
  return Buffer.from(host.ask(Buffer.concat([head, ...data]))! as never);
}

class Hash {
  private readonly what: string;
  private readonly algorithm: string;
  private readonly key: string;
  private readonly data: Uint8Array[] = [];

  constructor(what: string, algorithm: string, key: string) {
    this.what = what;
    this.algorithm = algorithm;
    this.key = key;
  }

  update(bytes: Bytes): this {
    this.data.push(Buffer.from(bytes as string));
    return this;
  }

  digest(): Buffer;
  digest(encoding: 'hex'): string;
  digest(encoding?: 'hex'): Buffer | string {
    const bytes = ask(this.data, this.what, this.algorithm, this.key);
    return encoding === undefined ? bytes : bytes.toString(encoding);
  }
}

export function createHash(algorithm: string): Hash {
  return new Hash('hash', algorithm, '');
}

export function createHmac(algorithm: string, key: Bytes): Hash {
  return new Hash('hmac', algorithm, hexOf(key));
}

export function pbkdf2Sync(
  password: Bytes,
  salt: Bytes,
  iterations: number,
  byteLength: number,
  algorithm: string,
): Buffer {
  return ask([], 'pbkdf2', algorithm, hexOf(password), hexOf(salt), iterations, byteLength);
}

export function randomBytes(byteLength: number): Buffer {
  return ask([], 'random', byteLength);
}

export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) throw new RangeError('not the same length');
  return hexOf(a) === hexOf(b);
}

/** For whoever imports it and does not call it here. */
export function pbkdf2(): never {
  throw new Error('there is no other thread here');
}
