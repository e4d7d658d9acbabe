/**
 * SHA-256, HMAC and PBKDF2 of every place that SCRAM runs in: published vectors, then Node's own as the judge.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Pbkdf2, randomBytes } from '../../src/scram/crypto.ts';
import type { ScramCrypto } from '../../src/scram/crypto.ts';
import { SoftwareCrypto } from '../../src/scram/sha256.ts';
import { DigestCrypto } from '../../targets/moddable/digest-crypto.ts';
import type { Digest } from '../../targets/moddable/digest-crypto.ts';
import { NodeScramCrypto } from '../../targets/node/scram.ts';
import { Random, SEED } from '../seed.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ascii = (text: string): Uint8Array => Buffer.from(text);
const unhex = (text: string): Uint8Array => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** Moddable's class as its documentation has it, and as strict: one hash at a time, and none after its end. */
class FakeDigest implements Digest {
  private hash: ReturnType<typeof createHash> | undefined = createHash('sha256');

  reset(): void {
    this.hash = createHash('sha256');
  }

  write(bytes: ArrayBuffer | Uint8Array): void {
    this.hash!.update(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  }

  close(): ArrayBuffer {
    const digest = this.hash!.digest();
    this.hash = undefined;
    return Uint8Array.from(digest).buffer;
  }
}

const random = new Random(SEED);
const word = (): number => random.below(4294967296);
const bytesOf = (length: number): Uint8Array => randomBytes(word, length);

describe.each<[string, ScramCrypto]>([
  ['JavaScript', new SoftwareCrypto(word)],
  ['a native digest', new DigestCrypto(new FakeDigest(), word)],
  ['Node', new NodeScramCrypto()],
])('the cryptography of %s', (_, crypto) => {
  // FIPS 180-2, B, and the example of two blocks that NIST publishes beside it.
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    [
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
      'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ])('hashes NIST’s examples', (text, expected) => {
    expect(hex(crypto.sha256(ascii(text)))).toBe(expected);
  });

  it('hashes every length around a block’s end', () => {
    for (let length = 0; length < 200; length++) {
      const bytes = bytesOf(length);
      expect(hex(crypto.sha256(bytes)), `${length}`).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });

  it.each([
    [
      '0b'.repeat(20),
      hex(ascii('Hi There')),
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
    [
      hex(ascii('Jefe')),
      hex(ascii('what do ya want for nothing?')),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      'aa'.repeat(131),
      hex(ascii('Test Using Larger Than Block-Size Key - Hash Key First')),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('signs as RFC 4231 says', (key, data, expected) => {
    const mac = crypto.createMac(unhex(key));
    expect(hex(mac.sign(unhex(data)))).toBe(expected);
    mac.sign(ascii('something else'));
    expect(hex(mac.sign(unhex(data)))).toBe(expected);
  });

  it('signs under keys of every length around a block’s', () => {
    for (let length = 0; length < 140; length++) {
      const key = bytesOf(length);
      const bytes = bytesOf(length * 2);
      const expected = createHmac('sha256', key).update(bytes).digest('hex');
      const mac = crypto.createMac(key);
      // The key is the caller's again.
      key.fill(0);
      expect(hex(mac.sign(bytes)), `${length}`).toBe(expected);
    }
  });

  it('keeps what it has returned', () => {
    const mac = crypto.createMac(ascii('k'));
    const first = mac.sign(ascii('a'));
    const hash = crypto.sha256(ascii('a'));
    const before = [hex(first), hex(hash)];
    mac.sign(ascii('b'));
    crypto.sha256(ascii('b'));
    expect([hex(first), hex(hash)]).toEqual(before);
  });

  it('derives keys as RFC 7914, 11 says', () => {
    const derivation = new Pbkdf2(crypto, ascii('passwd'), ascii('salt'), 1);
    expect(derivation.step(10)).toBe(true);
    expect(hex(derivation.sum)).toBe('55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc');
  });

  it.each([1, 7, 1000, 4095, 5000])('derives the same key in slices of %i rounds', (rounds) => {
    const password = bytesOf(70);
    const salt = bytesOf(16);
    const derivation = new Pbkdf2(crypto, password, salt, 4096);
    let slices = 1;
    while (!derivation.step(rounds)) slices++;
    expect(slices).toBe(Math.ceil(4095 / rounds));
    expect(hex(derivation.sum)).toBe(pbkdf2Sync(password, salt, 4096, 32, 'sha256').toString('hex'));
  });

  it('gives random bytes, as many as asked for', () => {
    for (const length of [0, 1, 15, 16, 18]) expect(crypto.randomBytes(length)).toHaveLength(length);
    const seen = new Set(Array.from({ length: 100 }, () => hex(crypto.randomBytes(18))));
    expect(seen.size).toBe(100);
  });
});

describe('bytes of a random source', () => {
  it('are all of each number’s', () => {
    const words = [0x04030201, 0xfffefdfc];
    expect(hex(randomBytes(() => words.shift()!, 7))).toBe('01020304fcfdfe');
  });
});
