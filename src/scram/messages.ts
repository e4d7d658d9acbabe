/**
 * The text of SCRAM's messages (RFC 5802, 7): attributes in a fixed order, names, nonces, counts. Both sides read and
 * write with it. Knows no keys.
 */
import { codedError } from '../assert.ts';
import { NO_BYTES } from '../wire/bytes.ts';
import { decodeText } from '../wire/text.ts';
import { encodeUtf8, findBadUtf8 } from '../wire/utf8.ts';
import { decodeBase64 } from './base64.ts';

/** The Authentication Method of CONNECT, AUTH and CONNACK (RFC 7677). */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
/** "No channel binding", and no authorization identity: what our messages begin with. */
export const GS2_HEADER = 'n,,';
/** The same in Base64: the attribute `c` of the client's last message. */
export const CHANNEL_BINDING = 'biws';
/** Least rounds of PBKDF2 (RFC 7677, 4). */
export const SCRAM_ITERATIONS_MIN = 4096;
/** Bytes of the longest message that is looked at. */
export const SCRAM_MESSAGE_BYTES_MAX = 1024;

function malformed(what: string): Error {
  return codedError('ERR_SCRAM_MALFORMED', 'not a message of RFC 5802: ' + what);
}

/** The text of a message that came. Throws ERR_SCRAM_MALFORMED, also for one that is too long. */
export function textOfMessage(message: Uint8Array): string {
  if (message.length > SCRAM_MESSAGE_BYTES_MAX) throw malformed('it is too long');
  if (findBadUtf8(message, 0, message.length) >= 0) throw malformed('it is not UTF-8');
  return decodeText(message, 0, message.length);
}

/** The bytes of a message of ours, all of whose parts are well-formed. */
export function bytesOfText(text: string): Uint8Array {
  return encodeUtf8(text) ?? NO_BYTES;
}

/** `name` as the attribute `n` has it. */
export function escapeName(name: string): string {
  return name.split('=').join('=3D').split(',').join('=2C');
}

/** The name that the attribute `n` stands for. Throws ERR_SCRAM_MALFORMED. */
export function unescapeName(text: string): string {
  const parts = text.split('=');
  let name = parts[0];
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i];
    const code = part.substring(0, 2);
    if (code !== '3D' && code !== '2C') throw malformed('"=" in a name');
    name += (code === '3D' ? '=' : ',') + part.substring(2);
  }
  return name;
}

/** Whether `text` is printable ASCII without a comma, which a nonce has to be. */
export function isNonce(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e || code === 0x2c) return false;
  }
  return text.length > 0;
}

/** Reads the attributes of a message one after the other; what is not as it must be throws a coded error. */
export class AttributeReader {
  text: string;
  at: number;

  /** Begins at `text[at]`. A mandatory extension there is one that nobody knows: ERR_SCRAM_EXTENSION. */
  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
    if (this.isNext('m')) {
      throw codedError('ERR_SCRAM_EXTENSION', 'the other side insists on an extension of SCRAM');
    }
  }

  /** Whether the attribute `name` is the next. */
  isNext(name: string): boolean {
    return this.text.substring(this.at, this.at + 2) === name + '=';
  }

  /** The value of the next attribute, which must be `name`. */
  read(name: string): string {
    if (!this.isNext(name)) throw malformed('no attribute "' + name + '" in its place');
    const text = this.text;
    let end = text.indexOf(',', this.at);
    if (end < 0) end = text.length;
    const value = text.substring(this.at + 2, end);
    if (value.length === 0) throw malformed('nothing in attribute "' + name + '"');
    this.at = end + 1;
    return value;
  }

  /** The bytes of the next attribute, which must be `name`. */
  readBytes(name: string): Uint8Array {
    const bytes = decodeBase64(this.read(name));
    if (bytes === null) throw malformed('no Base64 in attribute "' + name + '"');
    return bytes;
  }

  /** The positive number of the next attribute, Infinity when it is beyond 999,999,999. */
  readCount(name: string): number {
    const digits = this.read(name);
    let value = 0;
    for (let i = 0; i < digits.length; i++) {
      const digit = digits.charCodeAt(i) - 48;
      if (digit < 0 || digit > 9 || (i === 0 && digit === 0)) {
        throw malformed('no number in attribute "' + name + '"');
      }
      value = value * 10 + digit;
    }
    return digits.length > 9 ? Infinity : value;
  }

  /** Passes over what may follow and needs not be understood, to the end of the message. */
  readExtensions(): void {
    while (this.at < this.text.length) {
      const letter = this.text.charCodeAt(this.at) | 32;
      if (letter < 97 || letter > 122) throw malformed('no attribute at its end');
      this.read(this.text.charAt(this.at));
    }
    // A comma that nothing follows.
    if (this.at === this.text.length) throw malformed('a comma at its end');
  }
}
