/**
 * SCRAM-SHA-256 on a board under Moddable: hashes by the native `crypt`, the key derived in slices between which the
 * board does what else there is to do. `createScram` is for sessions run by events (a Line, the callback client),
 * `scramSha256` for the promise client.
 */
import { Digest } from 'crypt';
import Timer from 'timer';
import { scramAuthentication } from '../../src/client/scram.ts';
import type { ScramOptions } from '../../src/client/scram.ts';
import type { Authentication } from '../../src/client/options.ts';
import { ScramAuthenticator } from '../../src/scram/authenticator.ts';
import { SCRAM_ITERATIONS_MAX_DEFAULT, ScramClient } from '../../src/scram/client.ts';
import { DigestCrypto } from './digest-crypto.ts';

/** Rounds of PBKDF2 between which the board gets its turn. */
const ROUNDS_PER_SLICE = 50;

/** 32 bits. XS makes these of the ESP32's own random, which is unpredictable while the radio is on. */
function random(): number {
  return (((Math.random() * 0x10000) << 16) | (Math.random() * 0x10000)) >>> 0;
}

function createClient(options: ScramOptions): ScramClient {
  const crypto = new DigestCrypto(new Digest('SHA256'), random);
  const { userName, password, iterationsMax = SCRAM_ITERATIONS_MAX_DEFAULT } = options;
  return new ScramClient(crypto, userName, password, iterationsMax);
}

/**
 * What to hand every event of one session to; its option `authenticationMethod` must be the `method` of this. Throws
 * ERR_SCRAM_TEXT for a user name or password that cannot be one, ERR_OUT_OF_RANGE for `iterationsMax`, of which the
 * default is 65,536.
 */
export function createScram(options: ScramOptions): ScramAuthenticator {
  return new ScramAuthenticator(createClient(options), ROUNDS_PER_SLICE);
}

/** The promise client's option `authentication`, for one client; throws likewise. */
export function scramSha256(options: ScramOptions): Authentication {
  return scramAuthentication(createClient(options), deriveInSlices);
}

function deriveInSlices(client: ScramClient): Promise<void> {
  return new Promise((resolve) => {
    const slice = (): void => {
      if (client.derive(ROUNDS_PER_SLICE)) resolve();
      else Timer.set(slice, 0);
    };
    slice();
  });
}
