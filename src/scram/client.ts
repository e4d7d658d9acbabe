/**
 * The client of SCRAM-SHA-256 (RFC 5802, RFC 7677) without I/O, time and threads: messages in, messages out. Knows no
 * packet and no session.
 *
 *   first()              -> the client's first message
 *   handleServerFirst()  -> its last, or null: the key must be derived first. `derive` does that in slices, or somebody
 *                           else does and calls `setSaltedPassword`; then `final()` gives the message
 *   handleServerFinal()  returns when the server has shown that it knows the password as well
 *
 * What the server gets wrong is thrown, with codes ERR_SCRAM_*, and ends the exchange: only `first` goes on from there.
 * A key once derived is kept for as long as the server names the same salt and count, so that a connection made again
 * costs nothing; deriving goes on over the end of an exchange for the same reason.
 */
import { checkInteger, codedError } from '../assert.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { encodeBase64 } from './base64.ts';
import { Pbkdf2 } from './crypto.ts';
import type { ScramCrypto } from './crypto.ts';
import { clientProof, deriveKeys, isSecretEqual, serverSignature } from './keys.ts';
import type { ScramKeys } from './keys.ts';
import {
  AttributeReader,
  CHANNEL_BINDING,
  GS2_HEADER,
  SCRAM_ITERATIONS_MIN,
  bytesOfText,
  escapeName,
  isNonce,
  textOfMessage,
} from './messages.ts';
import { prepareText } from './prepare.ts';

/** Rounds of PBKDF2 that a server may ask for: 16 times the least there may be. */
export const SCRAM_ITERATIONS_MAX_DEFAULT = 65536;
/** No server's count is beyond this, whatever the option says. */
const ITERATIONS_BOUND = 100000000;
/** Random bytes of our part of the nonce; RFC 5802's example has as many. */
const NONCE_BYTES = 18;

/** No exchange, or one that failed. */
const IDLE = 0;
const AWAIT_SERVER_FIRST = 1;
/** The server's first message is there: `final` needs the keys. */
const AWAIT_KEYS = 2;
const AWAIT_SERVER_FINAL = 3;
const VERIFIED = 4;

export class ScramClient {
  crypto: ScramCrypto;
  /** Prepared and escaped. */
  userName: string;
  /** Prepared, in UTF-8. Empty once it is forgotten. */
  password: Uint8Array;
  iterationsMax: number;
  /** Of the server's first message, the last there was. */
  salt: Uint8Array;
  iterations: number;
  /** For `salt` and `iterations`; null until they are derived. */
  keys: ScramKeys | null;
  derivation: Pbkdf2 | null;
  state: number;
  /** Counts the exchanges begun: for who waits for keys, and wants to know whether it is for the same still. */
  exchange: number;
  /** Ours, then both parts. */
  nonce: string;
  firstBare: string;
  serverFirst: string;
  /** What the server's signature must be. */
  signature: Uint8Array;

  /**
   * `iterationsMax`, 4,096 to 100,000,000, bounds the time that a server can make us spend. Throws ERR_SCRAM_TEXT for a
   * name or password that cannot be one. Keeps the password, as bytes of its own, until `forgetPassword`.
   */
  constructor(crypto: ScramCrypto, userName: string, password: string, iterationsMax: number) {
    checkInteger(iterationsMax, SCRAM_ITERATIONS_MIN, ITERATIONS_BOUND, 'iterationsMax');
    this.crypto = crypto;
    this.userName = escapeName(prepareText(userName, 'userName', crypto.normalize));
    this.password = bytesOfText(prepareText(password, 'password', crypto.normalize));
    this.iterationsMax = iterationsMax;
    this.salt = NO_BYTES;
    this.iterations = 0;
    this.keys = null;
    this.derivation = null;
    this.state = IDLE;
    this.exchange = 0;
    this.nonce = '';
    this.firstBare = '';
    this.serverFirst = '';
    this.signature = NO_BYTES;
  }

  /** Begins an exchange, whatever became of the one before. */
  first(): Uint8Array {
    this.exchange++;
    this.nonce = encodeBase64(this.crypto.randomBytes(NONCE_BYTES));
    this.firstBare = 'n=' + this.userName + ',r=' + this.nonce;
    this.state = AWAIT_SERVER_FIRST;
    return bytesOfText(GS2_HEADER + this.firstBare);
  }

  /** The exchange is over, its connection gone. */
  abandon(): void {
    this.state = IDLE;
  }

  /** Whether an exchange is under way. */
  isUnderWay(): boolean {
    return this.state !== IDLE && this.state !== VERIFIED;
  }

  /** Leaves `state`, for good unless the caller sets the next; throws ERR_SCRAM_STATE in any other. */
  leave(state: number, what: string): void {
    const before = this.state;
    this.state = IDLE;
    if (before !== state) throw codedError('ERR_SCRAM_STATE', what);
  }

  /**
   * Answers the server's first message. Returns the client's last, or null when the key for the server's salt is not
   * there yet. Throws ERR_SCRAM_NONCE, _ITERATIONS, _EXTENSION, _MALFORMED, _STATE, or _PASSWORD_FORGOTTEN.
   */
  handleServerFirst(message: Uint8Array): Uint8Array | null {
    this.leave(AWAIT_SERVER_FIRST, 'the server sent data that nothing was asked for');
    const text = textOfMessage(message);
    const reader = new AttributeReader(text, 0);
    const nonce = reader.read('r');
    const salt = reader.readBytes('s');
    const iterations = reader.readCount('i');
    reader.readExtensions();
    const own = this.nonce.length;
    // A server that does not add to it could have an old exchange played again to it.
    if (nonce.substring(0, own) !== this.nonce || !isNonce(nonce.substring(own))) {
      throw codedError('ERR_SCRAM_NONCE', 'the nonce of the server does not go on from ours');
    }
    if (iterations < SCRAM_ITERATIONS_MIN || iterations > this.iterationsMax) {
      throw codedError(
        'ERR_SCRAM_ITERATIONS',
        'the server wants ' +
          (iterations === Infinity ? 'more than 999999999' : String(iterations)) +
          ' iterations, not from ' +
          String(SCRAM_ITERATIONS_MIN) +
          ' to ' +
          String(this.iterationsMax),
      );
    }
    if (iterations !== this.iterations || !isSecretEqual(salt, this.salt)) {
      this.keys = null;
      this.derivation = null;
      this.salt = salt;
      this.iterations = iterations;
    }
    this.nonce = nonce;
    this.serverFirst = text;
    if (this.keys === null && this.password.length === 0) {
      throw codedError(
        'ERR_SCRAM_PASSWORD_FORGOTTEN',
        'the server has a new salt, and the password is forgotten',
      );
    }
    this.state = AWAIT_KEYS;
    return this.keys === null ? null : this.final();
  }

  /** Whether a key is to be derived. */
  isDeriving(): boolean {
    return this.keys === null && this.salt.length > 0 && this.password.length > 0;
  }

  /**
   * Does as many as `rounds` rounds of PBKDF2, or all of them where the place can do that at once. Returns whether
   * there is no more to do.
   */
  derive(rounds: number): boolean {
    if (!this.isDeriving()) return true;
    const crypto = this.crypto;
    if (crypto.pbkdf2 !== undefined) {
      this.setSaltedPassword(this.salt, crypto.pbkdf2(this.password, this.salt, this.iterations));
      return true;
    }
    if (this.derivation === null) {
      this.derivation = new Pbkdf2(crypto, this.password, this.salt, this.iterations);
    }
    const derivation = this.derivation;
    if (!derivation.step(rounds)) return false;
    this.setSaltedPassword(this.salt, derivation.sum);
    return true;
  }

  /**
   * Takes what PBKDF2 made of `password`, `salt` and `iterations` elsewhere, and overwrites it with zeros. `salt` is the
   * array that was there then: when the server has named another meanwhile, nothing else happens.
   */
  setSaltedPassword(salt: Uint8Array, saltedPassword: Uint8Array): void {
    if (salt === this.salt) {
      this.keys = deriveKeys(this.crypto, saltedPassword);
      this.derivation = null;
    }
    saltedPassword.fill(0);
  }

  /** Whether `final` is what has to come next, and can. */
  isFinalDue(): boolean {
    return this.state === AWAIT_KEYS && this.keys !== null;
  }

  /** The client's last message, once the keys are there. */
  final(): Uint8Array {
    const keys = this.keys;
    if (keys === null) throw codedError('ERR_SCRAM_STATE', 'the key is not derived yet');
    this.leave(AWAIT_KEYS, 'there is no message of the server to answer');
    const withoutProof = 'c=' + CHANNEL_BINDING + ',r=' + this.nonce;
    const authMessage = bytesOfText(this.firstBare + ',' + this.serverFirst + ',' + withoutProof);
    this.serverFirst = '';
    this.signature = serverSignature(this.crypto, keys.serverKey, authMessage);
    this.state = AWAIT_SERVER_FINAL;
    return bytesOfText(withoutProof + ',p=' + encodeBase64(clientProof(this.crypto, keys, authMessage)));
  }

  /**
   * Checks the server's last message; null when it sent none. Returns when the server is who it has to be, throws
   * ERR_SCRAM_SERVER_SIGNATURE when not, ERR_SCRAM_SERVER_ERROR when it refuses, ERR_SCRAM_STATE when it accepts without
   * having asked, ERR_SCRAM_MALFORMED.
   */
  handleServerFinal(message: Uint8Array | null): void {
    this.leave(AWAIT_SERVER_FINAL, 'the server accepts without having asked for the proof');
    if (message === null) {
      throw codedError('ERR_SCRAM_SERVER_SIGNATURE', 'the server did not show that it knows the password');
    }
    const reader = new AttributeReader(textOfMessage(message), 0);
    if (reader.isNext('e')) {
      const word = reader.read('e');
      throw codedError(
        'ERR_SCRAM_SERVER_ERROR',
        'the server refuses: ' + (isNonce(word) ? word : 'an error of no name'),
      );
    }
    const signature = reader.readBytes('v');
    reader.readExtensions();
    if (!isSecretEqual(signature, this.signature)) {
      throw codedError('ERR_SCRAM_SERVER_SIGNATURE', 'the server does not know the password');
    }
    this.signature = NO_BYTES;
    this.state = VERIFIED;
  }

  /**
   * Overwrites the password with zeros. What was derived goes on to serve until the server changes the salt; then
   * handleServerFirst throws ERR_SCRAM_PASSWORD_FORGOTTEN.
   */
  forgetPassword(): void {
    this.password.fill(0);
    this.password = NO_BYTES;
    this.derivation = null;
  }

  /** Forgets the keys as well: the end. */
  forget(): void {
    this.forgetPassword();
    const keys = this.keys;
    if (keys !== null) {
      keys.clientKey.fill(0);
      keys.storedKey.fill(0);
      keys.serverKey.fill(0);
    }
    this.keys = null;
    this.salt = NO_BYTES;
    this.state = IDLE;
  }
}
