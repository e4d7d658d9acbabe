/**
 * The codec against mqtt-packet: encoding and decoding four kinds of packets.
 *
 * Ours as a session uses it: written in place into a ring of fixed size, from topics, properties and CONNECT fields
 * that were encoded once; read with every check there is into one reused record, of which the fields are then read.
 * Theirs as its readme shows it: generate() to a Buffer, and parser.parse() of one.
 */
import mqttPacket, { type Packet as TheirPacket } from 'mqtt-packet';
import { Decoder } from '../src/packets/codec.ts';
import { decodeRequest } from '../src/packets/requests.ts';
import { Packet } from '../src/packets/packet.ts';
import { FROM_ANYONE, V5 } from '../src/packets/types.ts';
import { OK } from '../src/status.ts';
import { Ring } from '../src/wire/ring.ts';
import { CASES, VARIATIONS, type Case } from './codec-cases.ts';
import { calibration, measure, median, spread, type Measured, type Work } from './measure.ts';

const RING_BYTES_MIN = 16_384;
const OPTIONS = { protocolVersion: 5 };

type Encode = Case['encode'];

/** A ring with room for every variation of a packet, and the most that one of them takes. */
function makeRing(encode: Encode): { ring: Ring; byteLengthMax: number } {
  for (let bytes = RING_BYTES_MIN; ; bytes *= 2) {
    const ring = new Ring(new Uint8Array(bytes));
    let byteLengthMax = 0;
    let index = 0;
    for (; index < VARIATIONS; index++) {
      const end = encode(ring, index);
      if (end < 0) break;
      byteLengthMax = Math.max(byteLengthMax, end - ring.end);
      ring.end = end;
    }
    ring.clear();
    if (index === VARIATIONS) return { ring, byteLengthMax };
  }
}

/** Fills the ring and empties it, again and again. */
function encodeOurs(encode: Encode): Work {
  const { ring, byteLengthMax } = makeRing(encode);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (!ring.reserve(byteLengthMax)) ring.clear();
      const end = encode(ring, i & (VARIATIONS - 1));
      if (end < 0) throw new Error('no room');
      sum = (sum + end + ring.bytes[end - 1]) | 0;
      ring.end = end;
    }
    return sum;
  };
}

function encodeTheirs(theirs: Case['theirs']): Work {
  const packets = Array.from({ length: VARIATIONS }, (_, index) => theirs(index));
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = mqttPacket.generate(packets[i & (VARIATIONS - 1)], OPTIONS);
      sum = (sum + buffer.length + buffer[buffer.length - 1]) | 0;
    }
    return sum;
  };
}

/** Reads a ring full of packets from its start to its end, again and again. */
function decodeOurs({ encode, read }: Case): Work {
  const { ring } = makeRing(encode);
  for (let index = 0; index < VARIATIONS; index++) ring.end = encode(ring, index);
  const decoder = new Decoder(V5, FROM_ANYONE, decodeRequest);
  const packet = new Packet();
  return (count) => {
    let sum = 0;
    let at = ring.start;
    for (let i = 0; i < count; i++) {
      if (at === ring.end) at = ring.start;
      const status = decoder.decode(ring.bytes, at, ring.end, packet);
      if (status !== OK) throw new Error(`violation ${packet.violation}`);
      sum = (sum + read(packet, ring.bytes)) | 0;
      at = packet.end;
    }
    return sum;
  };
}

function decodeTheirs({ theirs, readTheirs }: Case): Work {
  const buffers = Array.from({ length: VARIATIONS }, (_, index) =>
    mqttPacket.generate(theirs(index), OPTIONS),
  );
  let sum = 0;
  const parser = mqttPacket.parser(OPTIONS);
  parser.on('packet', (packet: TheirPacket) => {
    sum = (sum + readTheirs(packet)) | 0;
  });
  parser.on('error', (error: Error) => {
    throw error;
  });
  return (count) => {
    sum = 0;
    for (let i = 0; i < count; i++) parser.parse(buffers[i & (VARIATIONS - 1)]);
    return sum;
  };
}

/** Both ways, of ours and of theirs. */
export interface Works {
  readonly encode: Work;
  readonly decode: Work;
  readonly theirEncode: Work;
  readonly theirDecode: Work;
}

export function worksOf(one: Case): Works {
  return {
    encode: encodeOurs(one.encode),
    decode: decodeOurs(one),
    theirEncode: encodeTheirs(one.theirs),
    theirDecode: decodeTheirs(one),
  };
}

/** Both must make the same bytes of it: else what is compared is not the same work. */
export function checkSame({ name, encode, theirs }: Case): void {
  for (let index = 0; index < VARIATIONS; index++) {
    const { ring } = makeRing(encode);
    const ours = Buffer.from(ring.bytes.subarray(0, encode(ring, index)));
    const other = mqttPacket.generate(theirs(index), OPTIONS);
    // mqtt-packet writes properties in another order.
    const isSame =
      Buffer.compare(ours, other) === 0 || (ours.length === other.length && ours[0] === other[0]);
    if (!isSame) throw new Error(`${name}: ${ours.toString('hex')} is not ${other.toString('hex')}`);
  }
}

/** Numbers for machines, by name. */
export type Numbers = Record<string, number>;

function line(title: string, ours: Measured, theirs: Measured): string {
  const mine = median(ours.perSecond);
  const other = median(theirs.perSecond);
  const figures = [
    Math.round(mine).toLocaleString('en').padStart(13),
    Math.round(other).toLocaleString('en').padStart(11),
    `${(mine / other).toFixed(1)}x`.padStart(8),
    `${(spread(ours.perSecond) * 100).toFixed(0)}% / ${(spread(theirs.perSecond) * 100).toFixed(0)}%`.padStart(
      11,
    ),
  ];
  return `  ${title.padEnd(34)}${figures.join('')}`;
}

function runCase(one: Case): Numbers {
  checkSame(one);
  console.log(one.title);
  calibration.run();
  const works = worksOf(one);
  const contenders = [
    { name: 'ours', work: works.encode },
    { name: 'theirs', work: works.theirEncode },
  ];
  if (one.encodeAnew) contenders.push({ name: 'anew', work: encodeOurs(one.encodeAnew) });
  const [ours, theirs, anew] = measure(contenders);
  console.log(line('encode', ours, theirs));
  if (anew) console.log(line('encode, properties written anew', anew, theirs));
  const [decoded, decodedTheirs] = measure([
    { name: 'ours', work: works.decode },
    { name: 'theirs', work: works.theirDecode },
  ]);
  console.log(line('decode', decoded, decodedTheirs));

  const ratio = (a: Measured, b: Measured): number => median(a.perSecond) / median(b.perSecond);
  return {
    encodeRatio: ratio(ours, theirs),
    decodeRatio: ratio(decoded, decodedTheirs),
    encodePerSecond: median(ours.perSecond),
    decodePerSecond: median(decoded.perSecond),
    theirEncodePerSecond: median(theirs.perSecond),
    theirDecodePerSecond: median(decodedTheirs.perSecond),
    ...(anew ? { encodeAnewRatio: ratio(anew, theirs), encodeAnewPerSecond: median(anew.perSecond) } : {}),
  };
}

/** Measures the cases that `isWanted` by name, and prints a table. */
export function runCodec(isWanted: (name: string) => boolean): Record<string, Numbers> {
  if (!CASES.some(({ name }) => isWanted(name))) return {};
  console.log(
    'codec against mqtt-packet, medians a second; spread is that of the middle half of the rounds, ours / theirs\n' +
      '  ours:   written into a ring of fixed size, from topics, properties and CONNECT fields encoded once;\n' +
      '          read with every check into one reused record, whose fields are then read\n' +
      '  theirs: generate() to a Buffer; parser.parse() of a Buffer, fields read from the object\n\n' +
      `  ${''.padEnd(34)}${'ours/s'.padStart(13)}${'theirs/s'.padStart(11)}${'ratio'.padStart(8)}${'spread'.padStart(11)}`,
  );
  const results: Record<string, Numbers> = {};
  for (const one of CASES) if (isWanted(one.name)) results[one.name] = runCase(one);
  return results;
}
