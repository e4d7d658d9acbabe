/**
 * Decoding as the tests of the packets do it: each time in several surroundings, so that a codec that looks beyond
 * its bytes, writes into them or keeps something from one packet to the next gives itself away.
 */
import { Decoder, type Codec } from '../../src/packets/codec.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { inspectPacket, toHex, type PacketObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { FROM_ANYONE, FROM_CLIENT, FROM_SERVER, V3_1_1, V5 } from '../../src/packets/types.ts';
import { violationName, violationText } from '../../src/packets/texts.ts';
import { violationReasonCode } from '../../src/packets/violations.ts';
import { NEED_DATA, OK, VIOLATION, statusName } from '../../src/status.ts';
import { WASM_CODECS } from './wasm-codecs.ts';

/** A codec under test. */
export interface CodecUnderTest {
  readonly name: string;
  readonly create: (protocolVersion: number, sender: number) => Codec;
}

/** Every codec there is: each runs every vector. */
export const CODECS: readonly CodecUnderTest[] = [
  {
    name: 'TypeScript',
    create: (protocolVersion, sender) => new Decoder(protocolVersion, sender, decodeRequest),
  },
  ...WASM_CODECS,
];

export const VERSIONS = [V5, V3_1_1] as const;
export const SENDERS = [FROM_CLIENT, FROM_SERVER, FROM_ANYONE] as const;

/** What a decoder said about one packet, with offsets from the packet's first byte. */
export interface Outcome {
  status: string;
  /** Of a whole packet. */
  byteLength?: number;
  packet?: PacketObject;
  /** Of a violation. */
  violation?: string;
  reasonCode?: number;
  offset?: number;
}

/** Decodes what `bytes` hold from `at` to `end`, with a record that may have been used before. */
export function decodeAt(
  codec: Codec,
  bytes: Uint8Array,
  at: number,
  end: number,
  packet = new Packet(),
): Outcome {
  const status = codec.decode(bytes, at, end, packet);
  if (status === VIOLATION) {
    return {
      status: 'VIOLATION',
      violation: violationName(packet.violation),
      reasonCode: violationReasonCode(packet.violation),
      offset: packet.violationOffset - at,
    };
  }
  if (status !== OK) return { status: statusName(status) };
  const object = inspectPacket(packet, bytes, codec.protocolVersion);
  return { status: 'OK', byteLength: packet.end - at, packet: object };
}

/** The outcome for a violation in words, for messages. */
export function explain(outcome: Outcome, bytes: Uint8Array): string {
  const why = outcome.violation === undefined ? '' : ` ${outcome.violation} at ${String(outcome.offset)}`;
  return `${outcome.status}${why} for ${toHex(bytes)}`;
}

/** What a buffer is filled with around the packet: continuation bits, zeros, text, wildcards. */
const GARBAGE = [0xff, 0x00, 0x61, 0x23];
const MARGIN = 8;

/** A copy of `bytes` in the middle of garbage, `at` bytes from the front. */
export function surround(bytes: Uint8Array, at: number, garbage: number): Uint8Array {
  const buffer = new Uint8Array(at + bytes.length + MARGIN).fill(garbage);
  buffer.set(bytes, at);
  return buffer;
}

/**
 * Whether the outcome is the same wherever the bytes are and whatever is around them, and the bytes stay as they
 * were. Returns the outcome; throws when there is more than one.
 */
export function decodeEverywhere(codec: Codec, bytes: Uint8Array, packet = new Packet()): Outcome {
  const alone = Uint8Array.from(bytes);
  const outcome = decodeAt(codec, alone, 0, alone.length, packet);
  const text = JSON.stringify(outcome);
  if (toHex(alone) !== toHex(bytes)) throw new Error(`decoding changed ${toHex(bytes)}`);
  for (const garbage of GARBAGE) {
    const buffer = surround(bytes, MARGIN, garbage);
    const other = decodeAt(codec, buffer, MARGIN, MARGIN + bytes.length, packet);
    if (JSON.stringify(other) === text) continue;
    const where = `within 0x${garbage.toString(16)}`;
    throw new Error(`alone ${explain(outcome, bytes)}; ${where} ${explain(other, bytes)}`);
  }
  return outcome;
}

/** What holds of every outcome, whatever the bytes: throws when it does not. */
export function checkOutcome(outcome: Outcome, bytes: Uint8Array): void {
  const { status, offset, byteLength, violation } = outcome;
  if (status === 'OK') {
    if (byteLength! < 2 || byteLength! > bytes.length) throw new Error(explain(outcome, bytes));
  } else if (status === 'VIOLATION') {
    if (offset! < 0 || offset! > bytes.length) throw new Error(explain(outcome, bytes));
    if (violation === 'NO_VIOLATION' || violation === 'UNKNOWN_VIOLATION' || violationText(0) === '') {
      throw new Error(explain(outcome, bytes));
    }
  } else if (status !== statusName(NEED_DATA)) {
    throw new Error(explain(outcome, bytes));
  }
}
