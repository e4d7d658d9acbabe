/**
 * The codec: what a session needs to turn bytes into a packet record, and the decoder in TypeScript behind it.
 *
 * The encoders are plain functions beside each packet's decoder. A decoder keeps no state between calls but its
 * settings, so a packet that is not whole yet costs nothing but its bytes.
 */
import { NEED_DATA } from '../status.ts';
import { PACKET_BYTES_MAX } from '../limits.ts';
import { fillTable } from '../wire/table.ts';
import { VARINT_TRUNCATED, readVarint, varintByteLength } from '../wire/varint.ts';
import { decodeAck } from './acks.ts';
import { decodeConnack } from './connect.ts';
import { decodeEmpty, decodeReason } from './control.ts';
import type { Packet } from './packet.ts';
import { decodePublish } from './publish.ts';
import { decodeReasonCodes } from './subscribe.ts';
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SENDERS,
  SUBACK,
  UNSUBACK,
  V5,
} from './types.ts';
import {
  HEAD_TOO_LARGE,
  MALFORMED_VARIABLE_BYTE_INTEGER,
  RESERVED_FLAGS,
  RESERVED_PACKET_TYPE,
  TOO_LARGE,
  WRONG_SENDER,
} from './violations.ts';

/** What reads packets for a session: this file's decoder, or one that does the same faster. */
export interface Codec {
  /** V5 or V3_1_1: what the bytes are read as. A CONNECT is read by its own version. */
  protocolVersion: number;
  /** Who sends: FROM_CLIENT, FROM_SERVER or FROM_ANYONE. */
  sender: number;
  /** Larger packets are refused from their fixed header [MQTT-3.1.2-24]. */
  maximumPacketSize: number;
  /** Capacity of the window the bytes are in: what is larger never gets whole. */
  windowByteLength: number;
  /**
   * Decodes the packet at `bytes[at]`, at hand up to `end`, into `packet`.
   * OK: it is whole, its bytes are those up to `packet.end`. NEED_DATA: it is not, nothing else is known.
   * PAYLOAD_STREAMS: a PUBLISH larger than the window, whole up to its payload, some of which may be there.
   * VIOLATION: `packet.violation` and `packet.violationOffset` say why; nothing behind it can be read.
   * Never throws, never reads outside `at` to `end`, allocates nothing.
   */
  decode(bytes: Uint8Array, at: number, end: number, packet: Packet): number;
  /**
   * For a codec that looks ahead, before the bytes behind the last packet are replaced by others. Nobody has to say so who
   * adds bytes behind `end`, or whose next packet is not where the last one ended: the content of a Ring, moved or cleared.
   */
  forget?(): void;
}

/** Flags the fixed header must have, by type; PUBLISH's mean something (2.1.3). */
const FLAGS = fillTable(new Uint8Array(16), 1, '0000002020200000');

/**
 * Reads what is behind the fixed header of the packets that only clients send, as `decodeRequest` in requests.ts does.
 * `at` is where that begins, `packet.end` where it ends; returns OK or VIOLATION.
 */
export type RequestDecoder = (
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  packet: Packet,
) => number;

/** The codec in TypeScript. */
export class Decoder {
  protocolVersion: number;
  sender: number;
  maximumPacketSize: number;
  windowByteLength: number;
  requests: RequestDecoder | null;

  /**
   * Reads `protocolVersion` as sent by `sender`; both limits are the largest there are. `requests` is `decodeRequest`, or
   * null for who only reads what servers send, such as a session, and need not carry it: a client's packets are refused.
   */
  constructor(protocolVersion: number, sender: number, requests: RequestDecoder | null) {
    this.protocolVersion = protocolVersion;
    this.sender = sender;
    this.maximumPacketSize = PACKET_BYTES_MAX;
    this.windowByteLength = PACKET_BYTES_MAX;
    this.requests = requests;
  }

  /** See Codec. */
  decode(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    if (at >= end) return NEED_DATA;
    const offset = at;
    const first = bytes[at];
    const type = first >> 4;
    packet.offset = offset;
    packet.type = type;
    if (type !== PUBLISH) {
      if (type === 0 || (type === AUTH && this.protocolVersion !== V5)) {
        return packet.refuse(RESERVED_PACKET_TYPE, offset);
      }
      if ((first & 15) !== FLAGS[type]) return packet.refuse(RESERVED_FLAGS, offset); // [MQTT-2.1.3-1]
      if (!this.isSender(type)) return packet.refuse(WRONG_SENDER, offset);
    }

    at++;
    let length = at < end ? bytes[at] : 128;
    if (length < 128) at++;
    else {
      length = readVarint(bytes, at, end);
      if (length === VARINT_TRUNCATED) return NEED_DATA;
      if (length < 0) return packet.refuse(MALFORMED_VARIABLE_BYTE_INTEGER, at); // [MQTT-1.5.5-1]
      at += varintByteLength(length);
    }
    const packetEnd = at + length;
    packet.end = packetEnd;
    if (packetEnd - offset > this.maximumPacketSize) return packet.refuse(TOO_LARGE, offset + 1);

    if (packetEnd > end) return this.decodePartial(bytes, at, end, first, packet);
    if (type !== PUBLISH) return this.decodeBody(bytes, at, packet);
    return decodePublish(bytes, at, packetEnd, first, this.protocolVersion, this.sender, packet);
  }

  /** Whether a packet of `type` may come from this side; 3.1.1's servers send no DISCONNECT. */
  isSender(type: number): boolean {
    let senders = SENDERS[type];
    if (type === DISCONNECT && this.protocolVersion !== V5) senders = SENDERS[CONNECT];
    return (senders & this.sender) !== 0;
  }

  /** A packet of which some bytes are not there yet, or never will be at once. */
  decodePartial(bytes: Uint8Array, at: number, end: number, first: number, packet: Packet): number {
    if (packet.end - packet.offset <= this.windowByteLength) return NEED_DATA;
    if (packet.type !== PUBLISH) return packet.refuse(HEAD_TOO_LARGE, packet.offset + 1);
    const status = decodePublish(bytes, at, end, first, this.protocolVersion, this.sender, packet);
    // The window is full and the head is still not there.
    if (status === NEED_DATA && end - packet.offset >= this.windowByteLength) {
      return packet.refuse(HEAD_TOO_LARGE, packet.offset + 1);
    }
    return status;
  }

  /** What is behind the fixed header of a whole packet other than PUBLISH. */
  decodeBody(bytes: Uint8Array, at: number, packet: Packet): number {
    const version = this.protocolVersion;
    // What may be left out.
    packet.reasonCode = 0;
    packet.present = 0;
    packet.propertiesOffset = packet.end;
    packet.propertiesEnd = packet.end;
    switch (packet.type) {
      case CONNACK:
        return decodeConnack(bytes, at, version, this.sender, packet);
      case PUBACK:
      case PUBREC:
      case PUBREL:
      case PUBCOMP:
        return decodeAck(bytes, at, version, this.sender, packet);
      case SUBACK:
      case UNSUBACK:
        return decodeReasonCodes(bytes, at, version, this.sender, packet);
      case PINGRESP:
        return decodeEmpty(at, packet);
      case DISCONNECT:
      case AUTH:
        return decodeReason(bytes, at, version, this.sender, packet);
      default:
        return this.requests === null
          ? packet.refuse(WRONG_SENDER, packet.offset)
          : this.requests(bytes, at, version, packet);
    }
  }
}
