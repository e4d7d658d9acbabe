/**
 * A CBOR reader by the book (RFC 8949), to read what the device writes: every kind of item that JSON has, definite and
 * indefinite lengths, half, single and double floats. Throws for what it does not know and for bytes left over.
 */

import { decodeUtf8 } from '../../src/wire/utf8.ts';

const INDEFINITE = 31;
const BREAK = Symbol('break');

class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** Offset of the next `count` bytes, which are taken. */
  private take(count: number): number {
    if (this.at + count > this.bytes.length) throw new Error('CBOR: the end comes too soon');
    this.at += count;
    return this.at - count;
  }

  /** The argument of an item's head (3): -1 for an indefinite length. */
  private argument(information: number): number {
    if (information < 24) return information;
    if (information === 24) return this.view.getUint8(this.take(1));
    if (information === 25) return this.view.getUint16(this.take(2));
    if (information === 26) return this.view.getUint32(this.take(4));
    if (information === 27)
      return this.view.getUint32(this.take(4)) * 2 ** 32 + this.view.getUint32(this.take(4));
    if (information === INDEFINITE) return -1;
    throw new Error(`CBOR: additional information ${information} is reserved`);
  }

  private float16(): number {
    const half = this.view.getUint16(this.take(2));
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    let value = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    if (exponent === 31) value = fraction === 0 ? Infinity : NaN;
    return half >> 15 === 1 ? -value : value;
  }

  private simple(information: number): unknown {
    switch (information) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return this.float16();
      case 26:
        return this.view.getFloat32(this.take(4));
      case 27:
        return this.view.getFloat64(this.take(8));
      case INDEFINITE:
        return BREAK;
      default:
        throw new Error(`CBOR: simple value ${information}`);
    }
  }

  private text(byteLength: number): string {
    const at = this.take(byteLength);
    return decodeUtf8(this.bytes, at, at + byteLength);
  }

  item(): unknown {
    const first = this.view.getUint8(this.take(1));
    const major = first >> 5;
    const information = first & 31;
    if (major === 7) return this.simple(information);
    const argument = this.argument(information);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1 - argument;
      case 3:
        return this.text(argument);
      case 4:
        return this.array(argument);
      case 5:
        return this.map(argument);
      default:
        throw new Error(`CBOR: major type ${major}`);
    }
  }

  private array(count: number): unknown[] {
    const items: unknown[] = [];
    while (count < 0 || items.length < count) {
      const item = this.item();
      if (item === BREAK && count < 0) break;
      items.push(item);
    }
    return items;
  }

  private map(count: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (let n = 0; count < 0 || n < count; n++) {
      const key = this.item();
      if (key === BREAK && count < 0) break;
      if (typeof key !== 'string') throw new Error('CBOR: a key that is no text');
      if (key in map) throw new Error(`CBOR: the key ${key} is there twice`);
      map[key] = this.item();
    }
    return map;
  }
}

/** The one item that `bytes` are. */
export function readCbor(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const item = reader.item();
  if (item === BREAK) throw new Error('CBOR: a break outside of anything');
  if (!reader.isAtEnd) throw new Error('CBOR: bytes are left over');
  return item;
}
