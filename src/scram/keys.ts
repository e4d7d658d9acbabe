/**
 * The computations of SCRAM (RFC 5802, 3), for both sides: from the salted password to keys, proofs and signatures.
 */
import { HASH_BYTES } from './crypto.ts';
import type { ScramCrypto } from './crypto.ts';
import { bytesOfText } from './messages.ts';

/** What a client needs instead of its password, for one salt and count. */
export interface ScramKeys {
  clientKey: Uint8Array;
  /** The hash of `clientKey`. Together with `serverKey` it is what a server keeps. */
  storedKey: Uint8Array;
  serverKey: Uint8Array;
}

/** The keys of a salted password. */
export function deriveKeys(crypto: ScramCrypto, saltedPassword: Uint8Array): ScramKeys {
  const mac = crypto.createMac(saltedPassword);
  const clientKey = mac.sign(bytesOfText('Client Key'));
  return {
    clientKey,
    storedKey: crypto.sha256(clientKey),
    serverKey: mac.sign(bytesOfText('Server Key')),
  };
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) bytes[i] = a[i] ^ b[i];
  return bytes;
}

/** What shows the server that the client knows the password. */
export function clientProof(crypto: ScramCrypto, keys: ScramKeys, authMessage: Uint8Array): Uint8Array {
  return xor(keys.clientKey, crypto.createMac(keys.storedKey).sign(authMessage));
}

/** Whether `proof` is the client's to `authMessage`. */
export function isProofValid(
  crypto: ScramCrypto,
  storedKey: Uint8Array,
  authMessage: Uint8Array,
  proof: Uint8Array,
): boolean {
  if (proof.length !== HASH_BYTES) return false;
  const clientKey = xor(proof, crypto.createMac(storedKey).sign(authMessage));
  return isSecretEqual(crypto.sha256(clientKey), storedKey);
}

/** What shows the client that the server knows the keys. */
export function serverSignature(
  crypto: ScramCrypto,
  serverKey: Uint8Array,
  authMessage: Uint8Array,
): Uint8Array {
  return crypto.createMac(serverKey).sign(authMessage);
}

/** Whether both are the same. The time it takes tells nothing of where they differ. */
export function isSecretEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}
