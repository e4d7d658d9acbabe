/**
 * One direction of one connection: bytes to packets, for those who watch. Decodes strictly. Knows no rules but those of the
 * format.
 */
import { Decoder } from '../../src/packets/codec.ts';
import { Packet } from '../../src/packets/packet.ts';
import { decodeRequest } from '../../src/packets/requests.ts';
import { V5 } from '../../src/packets/types.ts';
import { OK } from '../../src/status.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';

/** Watches whole packets of one end, in the order in which it sent and received them. They are lent for the call. */
export interface PacketWatcher {
  /** A new connection begins. */
  begin: () => void;
  handleSent: (packet: Packet, bytes: Uint8Array) => void;
  handleReceived: (packet: Packet, bytes: Uint8Array) => void;
  /** The connection is over for this end. */
  handleOver: () => void;
}

export class PacketStream {
  readonly packet = new Packet();
  private readonly decoder: Decoder;
  /** The beginning of a packet that is not whole: `restEnd` bytes. */
  private rest = NO_BYTES;
  private restEnd = 0;

  /** `sender` is FROM_CLIENT or FROM_SERVER. */
  constructor(sender: number) {
    this.decoder = new Decoder(V5, sender, decodeRequest);
  }

  /** Calls `visit` for each packet that is whole now. Returns false for bytes that are no packet. */
  take(bytes: Uint8Array, visit: (packet: Packet, bytes: Uint8Array) => void): boolean {
    if (this.restEnd > 0) this.append(bytes);
    const whole = this.restEnd > 0 ? this.rest : bytes;
    const end = this.restEnd > 0 ? this.restEnd : bytes.length;
    let at = 0;
    while (at < end) {
      const status = this.decoder.decode(whole, at, end, this.packet);
      if (status < OK) return false;
      if (status !== OK) break;
      at = this.packet.end;
      visit(this.packet, whole);
    }
    if (this.restEnd > 0) {
      this.rest.copyWithin(0, at, end);
      this.restEnd = end - at;
    } else if (at < end) {
      this.append(bytes.subarray(at));
    }
    return true;
  }

  private append(bytes: Uint8Array): void {
    const end = this.restEnd + bytes.length;
    if (end > this.rest.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.rest.subarray(0, this.restEnd), 0);
      this.rest = larger;
    }
    this.rest.set(bytes, this.restEnd);
    this.restEnd = end;
  }
}

/** The value of a property of `packet`, or `otherwise` when it has none. */
export function valueOf(packet: Packet, row: number, otherwise: number): number {
  return packet.has(row) ? packet.values[row] : otherwise;
}

/** Bytes as text, one character each: to be compared, not read. */
export function textOf(bytes: Uint8Array, offset: number, byteLength: number): string {
  let text = '';
  for (let at = offset; at < offset + byteLength; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

/** What a world's message calls itself: its payload up to the first blank. */
export function nameOf(packet: Packet, bytes: Uint8Array): string {
  const { payloadOffset, payloadByteLength } = packet;
  const end = bytes.indexOf(0x20, payloadOffset);
  const isIn = end >= 0 && end < payloadOffset + payloadByteLength;
  return textOf(bytes, payloadOffset, isIn ? end - payloadOffset : payloadByteLength);
}
