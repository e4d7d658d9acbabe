/**
 * What tests written for Node expect around them and an XS machine does not have: as much of Buffer, TextEncoder,
 * TextDecoder and URL as they use. UTF-8 is written out here a second time on purpose: it is what src/wire/utf8.ts is
 * compared with.
 */

function encode(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    let code = character.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63));
      bytes.push(0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
  }
  return Uint8Array.from(bytes);
}

/** Of the lead bytes of sequences: how many bytes follow, and the least code point so long a sequence may stand for. */
function leadOf(lead: number): { count: number; bits: number; least: number } | undefined {
  if (lead < 0x80) return { count: 0, bits: lead, least: 0 };
  if (lead >> 5 === 6) return { count: 1, bits: lead & 31, least: 0x80 };
  if (lead >> 4 === 14) return { count: 2, bits: lead & 15, least: 0x800 };
  if (lead >> 3 === 30) return { count: 3, bits: lead & 7, least: 0x10000 };
  return undefined;
}

/** The code point that begins at `at`, and its length; undefined when there is none. */
function codePointAt(bytes: Uint8Array, at: number): { code: number; byteLength: number } | undefined {
  const lead = leadOf(bytes[at]);
  if (lead === undefined || at + lead.count >= bytes.length) return undefined;
  let code = lead.bits;
  for (let i = 1; i <= lead.count; i++) {
    if (bytes[at + i] >> 6 !== 2) return undefined;
    code = code * 64 + (bytes[at + i] & 63);
  }
  if (code < lead.least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return { code, byteLength: lead.count + 1 };
}

function decode(bytes: Uint8Array, isFatal: boolean): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const found = codePointAt(bytes, at);
    if (found === undefined && isFatal) throw new TypeError('not UTF-8');
    // One replacement a byte: the tests look at where the text is the same, not at what replaces what is wrong.
    text += found === undefined ? '\ufffd' : String.fromCodePoint(found.code);
    at += found?.byteLength ?? 1;
  }
  return text;
}

class XsTextEncoder {
  encode(text: string): Uint8Array {
    return encode(text);
  }
}

/** Keeps a byte order mark, as `ignoreBOM` says. */
class XsTextDecoder {
  private readonly isFatal: boolean;

  constructor(_label: string, options: { fatal?: boolean; ignoreBOM: true }) {
    this.isFatal = options.fatal === true;
  }

  decode(bytes: Uint8Array): string {
    return decode(bytes, this.isFatal);
  }
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let digit = 0; digit < 4; digit++) {
      text += i + digit > bytes.length ? '=' : BASE64[(bits >> (18 - digit * 6)) & 63];
    }
  }
  return text;
}

function decodeBase64(text: string): XsBuffer {
  const digits = text.replace(/[^A-Za-z0-9+/]/g, '');
  const bytes = new XsBuffer((digits.length * 6) >> 3);
  let bits = 0;
  for (let i = 0, at = 0; i < digits.length; i++) {
    bits = ((bits << 6) | BASE64.indexOf(digits[i])) & 0xffffff;
    if (i % 4 > 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
  }
  return bytes;
}

class XsBuffer extends Uint8Array {
  static override from(source: unknown, encoding?: unknown): XsBuffer {
    if (typeof source !== 'string') return new XsBuffer(source as ArrayLike<number>);
    if (encoding === 'base64') return decodeBase64(source);
    if (encoding !== 'hex') return new XsBuffer(encode(source));
    const bytes = new XsBuffer(source.length >> 1);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(source.slice(i * 2, i * 2 + 2), 16);
    return bytes;
  }

  static alloc(byteLength: number): XsBuffer {
    return new XsBuffer(byteLength);
  }

  static concat(pieces: readonly Uint8Array[]): XsBuffer {
    const all = new XsBuffer(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  /** 0 when they are the same, else something else. */
  static compare(a: Uint8Array, b: Uint8Array): number {
    if (a.length !== b.length) return a.length - b.length;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
    return 0;
  }

  override toString(encoding?: string): string {
    if (encoding === 'base64') return encodeBase64(this);
    if (encoding !== 'hex') return decode(this, false);
    let text = '';
    for (const byte of this) text += (byte < 16 ? '0' : '') + byte.toString(16);
    return text;
  }
}

/** Joins paths, if only of files beside one another. */
class XsUrl {
  readonly href: string;

  constructor(path: string, base: XsUrl | string) {
    const from = typeof base === 'string' ? base : base.href;
    this.href = from.slice(0, from.lastIndexOf('/') + 1) + path;
  }
}

/** fast-check names it and does not call it unless a property takes promises. */
function refuse(): never {
  throw new Error('nothing that runs here waits');
}

export {
  refuse as setTimeout,
  refuse as clearTimeout,
  XsBuffer as Buffer,
  XsTextDecoder as TextDecoder,
  XsTextEncoder as TextEncoder,
  XsUrl as URL,
};
