/**
 * Random packets for comparing decoders: right ones, nearly right ones and wild ones, of every type, with the weight on
 * what the WASM codec describes. Made byte by byte, a microsecond each: millions are wanted.
 */
import {
  PROPERTY_COUNT,
  PROPERTY_TABLE,
  TYPE_PAIR,
  TYPE_UTF8,
  TYPE_VARINT,
} from '../src/packets/property-table.ts';
import { V5 } from '../src/packets/types.ts';
import { writeVarint } from '../src/wire/varint.ts';

/** A small fast source of random numbers (mulberry32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** A whole number from 0 up to and without `below`. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  }

  pick<T>(list: ArrayLike<T>): T {
    return list[this.below(list.length)];
  }
}

const encoder = new TextEncoder();
const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));

/** Texts that are right, about as long as a block of sixteen bytes and its neighbours. */
const TEXTS = [
  '',
  'a',
  '/',
  'a/b/c',
  'fleet/0001/temp',
  'fleet/0001/tempe',
  'fleet/0001/temper',
  'fleet/0001/temperature/of/the/engine/room',
  'é',
  'fleet/été/température',
  '東京都千代田区/気温',
  'fleet/0001/tempera/🌡',
  '\ufeffmark',
  '\u0001\u007f',
  '\ud7ff\ue000\ufffd\u{10ffff}',
  'abcdefghijklmnopqrstuvwxyz0123456789/ABCDEFGHIJKLMNOPQRSTUVWXYZ/äöü',
].map((text) => encoder.encode(text));

/** Texts that are wrong, or wrong as a Topic Name. */
const BAD_TEXTS = [
  ...['00', '80', 'bf', 'c0af', 'c1bf', 'c2', 'e08080', 'e09fbf', 'eda080', 'edbfbf', 'f0808080', 'f08fbfbf'],
  ...['f4908080', 'f5808080', 'ff', 'e282', 'f09f98', 'c241', 'e28241', 'f09f9841', '23', '2b', '612f23'],
].map(hex);

const WORD = encoder.encode('fleet/0001/0123');
const EDGES = hex('000102030405067f80fffe232b2f24c0c2e0edf0f4203031323a3b40506270829092b0d0e0f00b1f26c8');

export class PacketMaker {
  private readonly random: Random;
  /** What is being written, from 0 to `end`. */
  readonly bytes = new Uint8Array(4096);
  end = 0;
  private readonly body = new Uint8Array(2048);
  private at = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** Appends one packet to `bytes`. */
  add(protocolVersion: number): void {
    const { random } = this;
    const isV5 = protocolVersion === V5;
    const kind = random.below(60);
    this.at = 0;
    let first: number;
    if (kind < 16) {
      this.addAliased();
      return;
    }
    if (kind < 38) first = this.writePublish(isV5);
    else if (kind < 49) {
      const type = 4 + random.below(4);
      first = (type << 4) | (type === 6 ? 2 : 0);
      this.writeAck(type, isV5);
    } else if (kind < 56) {
      const type = random.pick([9, 9, 11]);
      first = type << 4;
      this.writeList(type, isV5);
    } else if (kind < 58) first = random.below(6) === 0 ? 0xc0 : 0xd0;
    else if (kind === 58) {
      first = random.pick([0x10, 0x20, 0x82, 0xa2, 0xe0, 0xf0]);
      for (let count = random.below(8); count > 0; count--) this.body[this.at++] = random.pick(EDGES);
    } else {
      first = random.below(256);
      for (let count = random.below(24); count > 0; count--) this.body[this.at++] = random.below(256);
    }
    if (random.below(100) === 0) first ^= 1 << random.below(8);
    this.close(first);
  }

  /** Changes one byte somewhere, takes some away or doubles some. */
  mutate(): void {
    const { random, bytes } = this;
    if (this.end === 0) return;
    const at = random.below(this.end);
    switch (random.below(5)) {
      case 0:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
        bytes[at] = random.pick(EDGES);
        break;
      case 2:
        bytes[at] += random.pick([1, -1]);
        break;
      case 3: {
        const count = Math.min(1 + random.below(4), this.end - at);
        bytes.copyWithin(at, at + count, this.end);
        this.end -= count;
        break;
      }
      default:
        bytes.copyWithin(at + 1, at, this.end);
        this.end++;
    }
  }

  /** The shortest PUBLISH there is, in all its lengths. */
  private addAliased(): void {
    const { random, bytes } = this;
    const payloadByteLength = random.pick([0, 1, 2, 16, 64, 64, 64, 121, 122]);
    const alias = random.below(60);
    bytes[this.end] = 0x30 | (random.below(8) === 0 ? 1 : 0);
    this.end = writeVarint(bytes, this.end + 1, 6 + payloadByteLength);
    bytes.set([0, 0, 3, 0x23, alias === 1 ? 1 : 0, alias], this.end);
    this.end += 6;
    for (let i = 0; i < payloadByteLength; i++) bytes[this.end++] = i;
  }

  /** Writes fixed header and body; now and then with a length that is not right. */
  private close(first: number): void {
    const { random, bytes } = this;
    bytes[this.end] = first;
    let remainingLength = this.at;
    if (random.below(120) === 0)
      remainingLength = Math.max(0, remainingLength + random.pick([1, -1, 2, -2, 100]));
    this.end = writeVarint(bytes, this.end + 1, remainingLength);
    if (random.below(100) === 0) {
      // Not the shortest form.
      bytes[this.end - 1] |= 0x80;
      bytes[this.end++] = 0;
    }
    bytes.set(this.body.subarray(0, this.at), this.end);
    this.end += this.at;
  }

  private writeData(data: Uint8Array): void {
    const { body } = this;
    body[this.at++] = data.length >>> 8;
    body[this.at++] = data.length & 255;
    body.set(data, this.at);
    this.at += data.length;
  }

  private text(): Uint8Array {
    const { random } = this;
    if (random.below(60) > 0)
      return random.below(3) > 0 ? random.pick(TEXTS) : WORD.subarray(random.below(15));
    // Somewhere in a text that is right.
    const bad = random.pick(BAD_TEXTS);
    const text = random.pick(TEXTS);
    const cut = random.below(text.length + 1);
    const all = new Uint8Array(text.length + bad.length);
    all.set(text.subarray(0, cut));
    all.set(bad, cut);
    all.set(text.subarray(cut), cut + bad.length);
    return all;
  }

  private writeId(): void {
    const { random } = this;
    const id = random.below(100) === 0 ? 0 : 1 + random.below(65_535);
    this.body[this.at++] = id >>> 8;
    this.body[this.at++] = id & 255;
  }

  private writePublish(isV5: boolean): number {
    const { random } = this;
    const flags = random.below(20) === 0 ? random.below(16) : random.pick([0, 0, 1, 2, 3, 4, 10, 11, 12]);
    this.writeData(this.text());
    if ((flags & 6) !== 0) this.writeId();
    if (isV5) this.writeProperties(3);
    for (let count = random.pick([0, 1, 20, 64, 150]); count > 0; count--) this.body[this.at++] = count;
    return 0x30 | flags;
  }

  private writeAck(type: number, isV5: boolean): void {
    const { random } = this;
    this.writeId();
    if (!isV5 && random.below(20) > 0) return;
    const form = random.below(4);
    if (form > 0) this.body[this.at++] = this.code(type);
    if (form > 1) this.writeProperties(type);
    if (random.below(60) === 0) this.body[this.at++] = 0;
  }

  private writeList(type: number, isV5: boolean): void {
    const { random } = this;
    this.writeId();
    if (isV5) this.writeProperties(type);
    if (type === 11 && !isV5 && random.below(10) > 0) return;
    for (let count = random.below(30) && 1 + random.below(5); count > 0; count--)
      this.body[this.at++] = this.code(type);
  }

  /** A reason code, mostly one that packets of `type` have. */
  private code(type: number): number {
    const { random } = this;
    if (random.below(30) === 0) return random.below(256);
    if (type === 6 || type === 7) return random.pick([0, 0x92]);
    return type === 9 ? random.pick([0, 1, 2, 0x80]) : random.pick([0, 0, 0x80, 0x83, 0x87, 0x91]);
  }

  /** A section of properties that packets of `type` may have, mostly. */
  private writeProperties(type: number): void {
    const { random, body } = this;
    const start = this.at;
    // One byte of length, moved when it turns out to take two.
    this.at++;
    let seen = 0;
    for (let count = random.pick([0, 0, 1, 1, 2, 3, 5, 7]); count > 0; count--) {
      const row = random.below(PROPERTY_COUNT);
      const isWild = random.below(80) === 0;
      if ((PROPERTY_TABLE[row * 3 + 2] & (1 << type)) === 0 && !isWild) continue;
      if ((seen & (1 << row)) !== 0 && row !== 5 && row !== 22 && !isWild) continue;
      seen |= 1 << row;
      this.writeProperty(row);
    }
    if (random.below(8) === 0 && type === 3 && this.at === start + 1) {
      body.set([0x23, 0, random.below(4)], this.at);
      this.at += 3;
    }
    let byteLength = this.at - start - 1;
    if (random.below(60) === 0) byteLength = Math.max(0, byteLength + random.pick([1, -1]));
    if (byteLength > 127) {
      body.copyWithin(start + 2, start + 1, this.at);
      this.at++;
    }
    writeVarint(body, start, byteLength);
  }

  private writeProperty(row: number): void {
    const { random, body } = this;
    const type = PROPERTY_TABLE[row * 3 + 1];
    body[this.at++] = PROPERTY_TABLE[row * 3];
    if (type < TYPE_VARINT) {
      // One, two or four bytes.
      for (let i = 1 << type; i > 1; i--) body[this.at++] = random.below(4) > 0 ? 0 : random.below(256);
      body[this.at++] = random.below(type === 0 ? 2 : 256) + (random.below(60) === 0 ? 2 : 0);
      return;
    }
    if (type === TYPE_VARINT) {
      this.at = writeVarint(
        body,
        this.at,
        random.pick([1, 5, 127, 128, 16_384, 268_435_455, random.below(20)]),
      );
      return;
    }
    this.writeData(type === TYPE_UTF8 || type === TYPE_PAIR ? this.text() : random.pick(BAD_TEXTS));
    if (type === TYPE_PAIR) this.writeData(this.text());
  }
}
