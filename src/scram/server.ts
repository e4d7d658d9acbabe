/**
 * The server of SCRAM-SHA-256 (RFC 5802, RFC 7677) without I/O: one object for one exchange. Whoever owns it looks the
 * user up between `handleClientFirst` and `first`. For a name that nobody has it should answer as for any other, with a
 * salt made from the name and a secret, and keys that fit no password: what is refused then is the proof.
 */
import { codedError } from '../assert.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { ScramCrypto } from './crypto.ts';
import { deriveKeys, isProofValid, serverSignature } from './keys.ts';
import { AttributeReader, bytesOfText, isNonce, textOfMessage, unescapeName } from './messages.ts';

const NONCE_BYTES = 18;

/** What a server keeps of a user: enough to check a proof, too little to make one. */
export interface ScramCredentials {
  salt: Uint8Array;
  iterations: number;
  storedKey: Uint8Array;
  serverKey: Uint8Array;
}

/** What to keep of a password that PBKDF2 has salted. The password must have been prepared before: see prepareText. */
export function createCredentials(
  crypto: ScramCrypto,
  saltedPassword: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramCredentials {
  const keys = deriveKeys(crypto, saltedPassword);
  return { salt, iterations, storedKey: keys.storedKey, serverKey: keys.serverKey };
}

/** Nothing came yet. */
const AWAIT_CLIENT_FIRST = 0;
/** The user is known, the credentials are not. */
const AWAIT_CREDENTIALS = 1;
const AWAIT_CLIENT_FINAL = 2;
const VERIFIED = 3;
const FAILED = 4;

export class ScramServer {
  crypto: ScramCrypto;
  state: number;
  credentials: ScramCredentials | null;
  /** The client's part, then both. */
  nonce: string;
  /** What its attribute `c` must say again. */
  gs2Header: string;
  clientFirstBare: string;
  serverFirst: string;

  constructor(crypto: ScramCrypto) {
    this.crypto = crypto;
    this.state = AWAIT_CLIENT_FIRST;
    this.credentials = null;
    this.nonce = '';
    this.gs2Header = '';
    this.clientFirstBare = '';
    this.serverFirst = '';
  }

  /** Leaves `state`, for good unless the caller sets the next. */
  leave(state: number): void {
    const before = this.state;
    this.state = FAILED;
    if (before !== state) throw codedError('ERR_SCRAM_STATE', 'a message of SCRAM out of turn');
  }

  /**
   * Takes the client's first message; returns the user name, as the client prepared it. Throws ERR_SCRAM_MALFORMED,
   * _EXTENSION, _STATE; ERR_SCRAM_CHANNEL_BINDING when the client insists on that, and ERR_SCRAM_AUTHORIZATION when it
   * wants to act as another user: there is neither.
   */
  handleClientFirst(message: Uint8Array): string {
    this.leave(AWAIT_CLIENT_FIRST);
    const text = textOfMessage(message);
    // "y": the client could bind, and believes rightly that we cannot.
    const header = text.substring(0, 3);
    if (header !== 'n,,' && header !== 'y,,') {
      const isBinding = header.startsWith('p=');
      if (!isBinding && text.substring(1, 4) !== ',a=') {
        throw codedError('ERR_SCRAM_MALFORMED', 'not a message of RFC 5802: no header before it');
      }
      throw codedError(
        isBinding ? 'ERR_SCRAM_CHANNEL_BINDING' : 'ERR_SCRAM_AUTHORIZATION',
        isBinding ? 'there is no channel binding' : 'there is no authorization as another user',
      );
    }
    const reader = new AttributeReader(text, header.length);
    const userName = unescapeName(reader.read('n'));
    this.nonce = reader.read('r');
    reader.readExtensions();
    if (!isNonce(this.nonce)) throw codedError('ERR_SCRAM_NONCE', 'the nonce holds what none may');
    this.gs2Header = header;
    this.clientFirstBare = text.substring(header.length);
    this.state = AWAIT_CREDENTIALS;
    return userName;
  }

  /** The server's first message, for the user with these credentials. */
  first(credentials: ScramCredentials): Uint8Array {
    this.leave(AWAIT_CREDENTIALS);
    this.credentials = credentials;
    this.nonce += encodeBase64(this.crypto.randomBytes(NONCE_BYTES));
    this.serverFirst =
      'r=' + this.nonce + ',s=' + encodeBase64(credentials.salt) + ',i=' + String(credentials.iterations);
    this.state = AWAIT_CLIENT_FINAL;
    return bytesOfText(this.serverFirst);
  }

  /**
   * Takes the client's last message; returns the server's, when the client has shown that it knows the password. Throws
   * ERR_SCRAM_PROOF when it has not, ERR_SCRAM_NONCE, _CHANNEL_BINDING, _MALFORMED, _STATE.
   */
  handleClientFinal(message: Uint8Array): Uint8Array {
    this.leave(AWAIT_CLIENT_FINAL);
    const credentials = this.credentials as ScramCredentials;
    const text = textOfMessage(message);
    const reader = new AttributeReader(text, 0);
    const binding = reader.read('c');
    const nonce = reader.read('r');
    // Extensions go before the proof, which is the last. Where there is none, there is a comma in what is decoded.
    const proofAt = text.lastIndexOf(',p=');
    const proof = decodeBase64(text.substring(proofAt + 3));
    if (proof === null) {
      throw codedError('ERR_SCRAM_MALFORMED', 'not a message of RFC 5802: no proof at its end');
    }
    if (binding !== encodeBase64(bytesOfText(this.gs2Header))) {
      throw codedError('ERR_SCRAM_CHANNEL_BINDING', 'the client says another header than before');
    }
    if (nonce !== this.nonce) throw codedError('ERR_SCRAM_NONCE', 'the client says another nonce');
    const authMessage = bytesOfText(
      this.clientFirstBare + ',' + this.serverFirst + ',' + text.substring(0, proofAt),
    );
    if (!isProofValid(this.crypto, credentials.storedKey, authMessage, proof)) {
      throw codedError('ERR_SCRAM_PROOF', 'the client does not know the password');
    }
    this.state = VERIFIED;
    return bytesOfText('v=' + encodeBase64(serverSignature(this.crypto, credentials.serverKey, authMessage)));
  }

  /** Whether the client has shown that it knows the password. */
  isVerified(): boolean {
    return this.state === VERIFIED;
  }
}
