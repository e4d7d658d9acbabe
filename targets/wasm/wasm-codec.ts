/**
 * A codec that has a chunk of packets described in linear memory by one call, and answers from that table as long as it
 * is asked for one packet after the other. Whatever is not there, rare packets, those that break the standard, those that
 * are not whole, and bytes that are not in the memory, the decoder in TypeScript reads: it is the only one that says what
 * is wrong and where.
 */
import { Decoder } from '../../src/packets/codec.ts';
import type { Codec, RequestDecoder } from '../../src/packets/codec.ts';
import type { Packet } from '../../src/packets/packet.ts';
import {
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_REASON_STRING,
  P_RESPONSE_TOPIC,
  P_SUBSCRIPTION_IDENTIFIER,
  P_TOPIC_ALIAS,
  P_USER_PROPERTY,
} from '../../src/packets/property-table.ts';
import {
  FROM_CLIENT,
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
} from '../../src/packets/types.ts';
import { OK } from '../../src/status.ts';
import { ACK, ASK, LIST, MORE, PING, PUBLISH_BARE, PUBLISH_FULL, ROWS_BYTES_MIN } from './table-rows.ts';
import { TABLE_AT, TABLE_BYTES } from './wasm-memory.ts';
import type { WasmMemory } from './wasm-memory.ts';

/**
 * Chunks shorter than this are read in TypeScript: the call costs more than it saves. Measured by
 * `npm run bench -- --only wasm.smallChunks`.
 */
export const SCAN_BYTES_MIN = 512;

/** Rows that a scan fills at least: as few when nobody asks for what it finds. */
const ROWS_BYTES_FEWEST = 4 * ROWS_BYTES_MIN;

const DESCRIBED = [PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP];
const IS_V5 = 1 << 16;
const IS_FROM_CLIENT = 1 << 17;

/** What a PUBLISH has, from the words of its row, properties apart. */
function fillPublish(
  at: number,
  head: number,
  fields: number,
  payloadOffset: number,
  packetEnd: number,
  packet: Packet,
): void {
  const qos = (head >> 1) & 3;
  const topicByteLength = fields & 0xffff;
  // Sums of offsets in memory: `| 0` spares the engine from looking whether they are still integers.
  const topicOffset = (at + ((head >> 8) & 15) + 2) | 0;
  packet.type = PUBLISH;
  packet.offset = at;
  packet.end = packetEnd;
  packet.dup = (head >> 3) & 1;
  packet.qos = qos;
  packet.retain = head & 1;
  packet.packetId = fields >>> 16;
  packet.topicOffset = topicOffset;
  packet.topicByteLength = topicByteLength;
  packet.propertiesOffset = (topicOffset + topicByteLength + ((head >> 12) & 15)) | 0;
  packet.propertiesEnd = payloadOffset;
  packet.payloadOffset = payloadOffset;
  packet.payloadByteLength = (packetEnd - payloadOffset) | 0;
}

/** What an acknowledgement, a list or a PINGRESP has, from the words of its row, as if there were no properties. */
function fillAck(at: number, head: number, fields: number, packetEnd: number, packet: Packet): void {
  packet.offset = at;
  packet.type = fields & 15;
  packet.end = packetEnd;
  packet.packetId = fields >>> 16;
  packet.reasonCode = head >>> 16;
  packet.present = 0;
  packet.propertiesOffset = packetEnd;
  packet.propertiesEnd = packetEnd;
}

export class WasmCodec implements Codec {
  /** Reads what the table does not describe. */
  private readonly decoder: Decoder;
  private readonly memory: WasmMemory;
  private readonly rows: Int32Array;
  /** What the table describes, as long as it is this codec's: `bytes` up to `end`, from where the row at `row` begins. */
  private bytes: Uint8Array | null = null;
  private end = 0;
  private row = 0;
  /** Words of the table that the last scan filled, and bytes that the next one may. */
  private filled = 0;
  private rowsBytes = TABLE_BYTES;
  private settings = 0;
  private codesAt = 0;
  /** See SCAN_BYTES_MIN; tests lower it. */
  scanBytesMin = SCAN_BYTES_MIN;

  /** As a Decoder's, on `memory`. */
  constructor(memory: WasmMemory, protocolVersion: number, sender: number, requests: RequestDecoder | null) {
    this.memory = memory;
    this.rows = memory.rows;
    this.decoder = new Decoder(protocolVersion, sender, requests);
    this.applySettings();
  }

  // What a packet is read as may change between two packets of a chunk: nothing that was found out before holds then.

  get protocolVersion(): number {
    return this.decoder.protocolVersion;
  }

  set protocolVersion(value: number) {
    this.decoder.protocolVersion = value;
    this.applySettings();
  }

  get sender(): number {
    return this.decoder.sender;
  }

  set sender(value: number) {
    this.decoder.sender = value;
    this.applySettings();
  }

  get maximumPacketSize(): number {
    return this.decoder.maximumPacketSize;
  }

  set maximumPacketSize(value: number) {
    this.decoder.maximumPacketSize = value;
    this.forget();
  }

  get windowByteLength(): number {
    return this.decoder.windowByteLength;
  }

  set windowByteLength(value: number) {
    this.decoder.windowByteLength = value;
  }

  /** See Codec. */
  forget(): void {
    this.bytes = null;
  }

  /** See Codec. */
  decode(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    const rows = this.rows;
    const row = this.row;
    // Rows begin at multiples of four: `|` adds, and cannot overflow.
    if (at !== rows[row | 1] || end !== this.end || bytes !== this.bytes) {
      return this.decodeAnew(bytes, at, end, packet);
    }
    const head = rows[row];
    const kind = head & 0xf0;
    if (kind !== PUBLISH_BARE) {
      if (kind !== ACK) return this.decodeOther(bytes, at, end, packet);
      this.row = row + 4;
      fillAck(at, head, rows[row | 2], rows[(row + 4) | 1], packet);
      return OK;
    }
    this.row = row + 4;
    fillPublish(at, head, rows[row | 2], rows[row | 3], rows[(row + 4) | 1], packet);
    const alias = head >>> 16;
    if (alias === 0) packet.present = 0;
    else {
      packet.present = 1 << P_TOPIC_ALIAS;
      packet.values[P_TOPIC_ALIAS] = alias;
    }
    return OK;
  }

  /** The properties of a PUBLISH that has more than an alias: those that are not there as well, whatever they are. */
  private fillProperties(row: number, packet: Packet): void {
    const rows = this.rows;
    const values = packet.values;
    packet.present = rows[row + 4];
    values[P_PAYLOAD_FORMAT_INDICATOR] = rows[row + 8];
    values[P_MESSAGE_EXPIRY_INTERVAL] = rows[row + 9];
    values[P_CONTENT_TYPE] = rows[row + 10];
    values[P_RESPONSE_TOPIC] = rows[row + 11];
    values[P_CORRELATION_DATA] = rows[row + 12];
    values[P_SUBSCRIPTION_IDENTIFIER] = rows[row + 13];
    values[P_TOPIC_ALIAS] = rows[row + 14];
    values[P_USER_PROPERTY] = rows[row + 15];
  }

  /** From the table what is neither a PUBLISH without properties nor an acknowledgement without any, or from the decoder what is not in the table. */
  private decodeOther(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    const rows = this.rows;
    const row = this.row;
    const head = rows[row];
    const kind = head & 0xf0;
    if (kind >= ASK) {
      if (kind === MORE) return this.decodeAnew(bytes, at, end, packet);
      // The last row stays: it says no more than that the decoder knows.
      if (row + 4 < this.filled) this.row = row + 4;
      return this.decoder.decode(bytes, at, end, packet);
    }
    if (kind === PUBLISH_FULL) {
      this.row = row + 16;
      fillPublish(at, head, rows[row + 2], rows[row + 3], rows[row + 17], packet);
      this.fillProperties(row, packet);
      return OK;
    }
    const next = row + (kind === PING ? 4 : 8);
    const packetEnd = rows[next + 1];
    this.row = next;
    fillAck(at, head, rows[row + 2], packetEnd, packet);
    if (kind === PING) return OK;
    packet.propertiesOffset = rows[row + 3];
    packet.present = rows[row + 4];
    packet.values[P_REASON_STRING] = rows[row + 5];
    packet.values[P_USER_PROPERTY] = rows[row + 6];
    if (kind === LIST) {
      const listOffset = rows[row + 7];
      // 3.1.1 has no properties: these end, as they begin, where the packet does.
      if (this.decoder.protocolVersion === V5) packet.propertiesEnd = listOffset;
      packet.listOffset = listOffset;
      packet.listEnd = packetEnd;
      packet.listCount = packetEnd - listOffset;
    }
    return OK;
  }

  /** Has the packets from `at` on described, if they are where that can be done and many enough, and decodes the first. */
  private decodeAnew(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    const memory = this.memory;
    if (end - at < this.scanBytesMin || bytes.buffer !== memory.buffer) {
      return this.decoder.decode(bytes, at, end, packet);
    }
    // Who did not ask for half of what was found, as when every packet has to be asked for twice, gets less.
    if (this.row * 2 < this.filled) this.rowsBytes = Math.max(ROWS_BYTES_FEWEST, this.rowsBytes >> 1);
    else this.rowsBytes = Math.min(TABLE_BYTES, this.rowsBytes * 2);
    const rowsEnd = memory.exports.scan(
      bytes.byteOffset,
      at,
      end,
      this.settings,
      this.decoder.maximumPacketSize,
      this.codesAt,
      TABLE_AT,
      TABLE_AT + this.rowsBytes,
    );
    if (memory.owner !== this) {
      memory.owner?.forget();
      memory.owner = this;
    }
    this.bytes = bytes;
    this.end = end;
    this.row = 0;
    this.filled = (rowsEnd - TABLE_AT) >> 2;
    return this.decode(bytes, at, end, packet);
  }

  private applySettings(): void {
    const { protocolVersion, sender } = this.decoder;
    this.settings = 0;
    for (const type of DESCRIBED) if ((SENDERS[type] & sender) !== 0) this.settings |= 1 << type;
    if (protocolVersion === V5) this.settings |= IS_V5;
    if (sender === FROM_CLIENT) this.settings |= IS_FROM_CLIENT;
    this.codesAt = this.memory.codesAt(protocolVersion, sender);
    this.forget();
  }
}
