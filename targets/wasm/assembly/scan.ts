/**
 * Reads a chunk packet by packet and describes each in a table of rows of four words (table-rows.ts in the folder above
 * says what is in them). Only what is whole, right, and of a frequent type is described. Of everything else, the packet
 * that breaks the standard included, the row says: ask the decoder in TypeScript. A packet ends where the next row's does
 * begin; the last row is of what nothing is known of.
 */
import { NO_VARINT, readTwoBytes, readVarint } from './bytes';
import { REFUSED, scanAckProperties, scanPublishProperties } from './properties';
import { isName } from './text';

/** Kinds of rows. */
const PUBLISH_BARE: u32 = 0 << 4;
const PUBLISH_FULL: u32 = 1 << 4;
const ACK: u32 = 2 << 4;
const ACK_FULL: u32 = 3 << 4;
const LIST: u32 = 4 << 4;
const PING: u32 = 5 << 4;
const ASK: u32 = 6 << 4;
const MORE: u32 = 7 << 4;

/** A row, and the longest there is. */
const ROW_BYTES: u32 = 16;
const ROW_BYTES_MAX: u32 = 64;

/** Bits of the settings beyond those of the packet types that may come and are described. */
const IS_V5: u32 = 1 << 16;
const IS_FROM_CLIENT: u32 = 1 << 17;

const CONNECT: u32 = 1;
const PUBLISH: u32 = 3;
const PUBACK: u32 = 4;
const PUBREL: u32 = 6;
const PUBCOMP: u32 = 7;
const SUBACK: u32 = 9;
const UNSUBACK: u32 = 11;
const PINGRESP: u32 = 13;

/**
 * The shortest PUBLISH of 5.0, as its first eight bytes are read at once: QoS 0, no Topic Name but an alias, nothing else.
 * Free are RETAIN, a Remaining Length of one byte, and the alias.
 */
const ALIASED_MASK: u64 = 0x0000ffffffff80fe;
const ALIASED_HEAD: u64 = 0x0000230300000030;

/** Writes the first word, where the packet begins, and two more. */
// @ts-ignore: decorator
@inline
function writeRow(row: u32, head: u32, begin: u32, fields: u32, offset: u32): void {
  store<u64>(row, (head as u64) | ((begin as u64) << 32));
  store<u64>(row, (fields as u64) | ((offset as u64) << 32), 8);
}

/** A PUBLISH whose body is from `at` to `end`. Returns the row behind it, or 0: not one that can be described. */
// @ts-ignore: decorator
@inline
function scanPublish(row: u32, first: u32, begin: u32, at: u32, end: u32, base: u32, settings: u32): u32 {
  const flags = first & 15;
  const qos = (flags >> 1) & 3;
  // [MQTT-3.3.1-4], [MQTT-3.3.1-2]
  if ((flags & 14) != 0 && (qos == 3 || qos == 0)) return 0;
  const headerByteLength = at - begin;
  if (at + 2 > end) return 0;
  const topicByteLength = readTwoBytes(at);
  const topicOffset = at + 2;
  at = topicOffset + topicByteLength;
  if (at > end) return 0;
  if (!isName(topicOffset, at)) return 0; // [MQTT-3.3.2-1], [MQTT-3.3.2-2]
  let packetId: u32 = 0;
  if (qos != 0) {
    if (at + 2 > end) return 0;
    packetId = readTwoBytes(at);
    if (packetId == 0) return 0; // [MQTT-2.2.1-3]
    at += 2;
  }
  let head = flags | PUBLISH_BARE | (headerByteLength << 8) | (qos != 0 ? 2 << 12 : 0);
  let hasAlias = false;
  let behind = row + ROW_BYTES;
  if ((settings & IS_V5) != 0) {
    if (at >= end) return 0;
    let byteLength: u32 = load<u8>(at);
    let varintByteLength: u32 = 1;
    if (byteLength > 127) {
      const varint = readVarint(at, end);
      if (varint == NO_VARINT) return 0;
      byteLength = varint as u32;
      varintByteLength = (varint >> 32) as u32;
    }
    head += varintByteLength << 12;
    const propertiesOffset = at + varintByteLength;
    at = propertiesOffset + byteLength;
    if (at > end) return 0;
    if (byteLength == 3 && load<u8>(propertiesOffset) == 0x23) {
      const alias = readTwoBytes(propertiesOffset + 1);
      if (alias == 0) return 0; // [MQTT-3.3.2-8]
      head |= alias << 16;
      hasAlias = true;
    } else if (byteLength != 0) {
      head += PUBLISH_FULL - PUBLISH_BARE;
      const isFromClient = (settings & IS_FROM_CLIENT) != 0;
      const present = scanPublishProperties(propertiesOffset, at, base, isFromClient, row + 32);
      if (present == REFUSED) return 0;
      store<u32>(row, present, 16);
      hasAlias = ((present >> 19) & 1) != 0;
      behind = row + ROW_BYTES_MAX;
    }
  }
  // An empty name is an alias's [MQTT-3.3.2-8], [MQTT-4.7.3-1].
  if (topicByteLength == 0 && !hasAlias) return 0;
  writeRow(row, head, begin - base, topicByteLength | (packetId << 16), at - base);
  return behind;
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP. */
function scanAck(row: u32, type: u32, begin: u32, at: u32, end: u32, base: u32, settings: u32, codes: u32): u32 {
  if (at + 2 > end) return 0;
  const packetId = readTwoBytes(at);
  if (packetId == 0) return 0; // [MQTT-2.2.1-3]
  at += 2;
  const fields = type | (packetId << 16);
  if (at == end) {
    writeRow(row, ACK, begin - base, fields, end - base);
    return row + ROW_BYTES;
  }
  if ((settings & IS_V5) == 0) return 0;
  const reasonCode: u32 = load<u8>(at++);
  if (((load<u16>(codes + (reasonCode << 1)) >> type) & 1) == 0) return 0; // [MQTT-3.4.2-1] and the like
  const head = ACK | (reasonCode << 16);
  if (at == end) {
    writeRow(row, head, begin - base, fields, end - base);
    return row + ROW_BYTES;
  }
  const varint = readVarint(at, end);
  if (varint == NO_VARINT) return 0;
  at += (varint >> 32) as u32;
  // The properties end where the packet does.
  if (at + (varint as u32) != end) return 0;
  const present = scanAckProperties(at, end, base, row + 20);
  if (present == REFUSED) return 0;
  store<u32>(row, present, 16);
  writeRow(row, head + ACK_FULL - ACK, begin - base, fields, at - base);
  return row + 2 * ROW_BYTES;
}

/** SUBACK and UNSUBACK. */
function scanList(row: u32, type: u32, begin: u32, at: u32, end: u32, base: u32, settings: u32, codes: u32): u32 {
  if (at + 2 > end) return 0;
  const packetId = readTwoBytes(at);
  if (packetId == 0) return 0;
  at += 2;
  let propertiesOffset = end;
  let present: u32 = 0;
  if ((settings & IS_V5) != 0) {
    const varint = readVarint(at, end);
    if (varint == NO_VARINT) return 0;
    propertiesOffset = at + ((varint >> 32) as u32);
    at = propertiesOffset + (varint as u32);
    if (at > end) return 0;
    present = scanAckProperties(propertiesOffset, at, base, row + 20);
    if (present == REFUSED) return 0;
  }
  const isWithoutCodes = type == UNSUBACK && (settings & IS_V5) == 0;
  if ((at == end) != isWithoutCodes) return 0;
  for (let code = at; code < end; code++) {
    // [MQTT-3.9.3-2], [MQTT-3.11.3-2]
    if (((load<u16>(codes + ((load<u8>(code) as u32) << 1)) >> type) & 1) == 0) return 0;
  }
  store<u32>(row, present, 16);
  store<u32>(row, at - base, 28);
  writeRow(row, LIST, begin - base, type | (packetId << 16), propertiesOffset - base);
  return row + 2 * ROW_BYTES;
}

/** A packet of another type than PUBLISH, as above. */
function scanOther(
  row: u32,
  first: u32,
  begin: u32,
  at: u32,
  end: u32,
  base: u32,
  settings: u32,
  codes: u32,
): u32 {
  const type = first >> 4;
  if (((settings >> type) & 1) == 0) {
    writeRow(row, ASK, begin - base, 0, 0);
    return row + ROW_BYTES;
  }
  if ((first & 15) != (type == PUBREL ? 2 : 0)) return 0; // [MQTT-2.1.3-1]
  if (type >= PUBACK && type <= PUBCOMP) return scanAck(row, type, begin, at, end, base, settings, codes);
  if (type != PINGRESP) return scanList(row, type, begin, at, end, base, settings, codes);
  if (at != end) return 0;
  writeRow(row, PING, begin - base, type, 0);
  return row + ROW_BYTES;
}

/**
 * Describes PUBLISH packets of the shortest kind from `begin` as long as there are any. Returns where they end, with the
 * bytes of their rows in the upper half.
 */
// @ts-ignore: decorator
@inline
function scanAliased(
  row: u32,
  begin: u32,
  chunkEnd: u32,
  base: u32,
  maximumPacketSize: u32,
  rowsLimit: u32,
): u64 {
  const firstRow = row;
  let head: u64 = 0;
  let remainingLength: u32 = 0;
  while (begin + 8 <= chunkEnd && row <= rowsLimit) {
    head = load<u64>(begin);
    if ((head & ALIASED_MASK) != ALIASED_HEAD) break;
    remainingLength = ((head as u32) >> 8) & 0x7f;
    const step = remainingLength + 2;
    // Messages of a kind come one after the other. While this one is as long as the one before, where the next begins is
    // known before this one is read: the processor looks at several at once.
    do {
      const alias = ((head >> 56) as u32) | ((((head >> 48) as u32) & 0xff) << 8);
      if (remainingLength < 6 || alias == 0 || begin + step > chunkEnd || step > maximumPacketSize) {
        return (((row - firstRow) as u64) << 32) | (begin as u64);
      }
      const flags = (head as u32) & 1;
      const bits = flags | PUBLISH_BARE | (2 << 8) | (1 << 12) | (alias << 16);
      writeRow(row, bits, begin - base, 0, begin + 8 - base);
      row += ROW_BYTES;
      begin += step;
      if (begin + 8 > chunkEnd || row > rowsLimit) break;
      head = load<u64>(begin);
    } while (
      (head & ALIASED_MASK) == ALIASED_HEAD &&
      (((head as u32) >> 8) & 0x7f) == remainingLength
    );
  }
  return (((row - firstRow) as u64) << 32) | (begin as u64);
}

/**
 * Describes the packets in memory from `base + at` to `base + end` in the rows from `row`, not beyond `rowsEnd`; offsets
 * in rows count from `base`. `codes` are 256 words of two bytes with a bit for each type that the reason code is valid in.
 * Returns where the rows end. The last one is MORE when there was no more room.
 */
export function scan(
  base: u32,
  at: u32,
  end: u32,
  settings: u32,
  maximumPacketSize: u32,
  codes: u32,
  row: u32,
  rowsEnd: u32,
): u32 {
  let begin = base + at;
  const chunkEnd = base + end;
  const isV5 = (settings & IS_V5) != 0;
  const rowsLimit = rowsEnd - ROW_BYTES_MAX - ROW_BYTES;
  while (begin < chunkEnd) {
    if (row > rowsLimit) {
      writeRow(row, MORE, begin - base, 0, 0);
      return row + ROW_BYTES;
    }
    if (isV5 && (load<u8>(begin) & 0xfe) == 0x30) {
      const aliased = scanAliased(row, begin, chunkEnd, base, maximumPacketSize, rowsLimit);
      row += (aliased >> 32) as u32;
      begin = aliased as u32;
      if (row > rowsLimit || begin >= chunkEnd) continue;
    }
    if (begin + 4 <= chunkEnd) {
      // The shortest acknowledgement: a type, two bytes of body, the identifier.
      const word = load<u32>(begin);
      const type = (word >> 4) & 15;
      if (
        (word & 0xff00) == 0x0200 &&
        type - PUBACK <= PUBCOMP - PUBACK &&
        ((settings >> type) & 1) != 0 &&
        (word & 15) == (type == PUBREL ? 2 : 0) &&
        word >> 16 != 0 &&
        maximumPacketSize >= 4
      ) {
        const fields = type | ((bswap<u16>((word >> 16) as u16) as u32) << 16);
        writeRow(row, ACK, begin - base, fields, begin + 4 - base);
        row += ROW_BYTES;
        begin += 4;
        continue;
      }
    }
    const first: u32 = load<u8>(begin);
    let body = begin + 1;
    if (body >= chunkEnd) break;
    let remainingLength: u32 = load<u8>(body);
    if (remainingLength < 128) body++;
    else {
      const varint = readVarint(body, chunkEnd);
      if (varint == NO_VARINT) break;
      remainingLength = varint as u32;
      body += (varint >> 32) as u32;
    }
    const packetEnd = body + remainingLength;
    if (packetEnd > chunkEnd || packetEnd - begin > maximumPacketSize) break;
    const behind =
      first >> 4 == PUBLISH
        ? scanPublish(row, first, begin, body, packetEnd, base, settings)
        : scanOther(row, first, begin, body, packetEnd, base, settings, codes);
    // Behind CONNECT nothing is known: it may change how everything after it is read.
    if (behind == 0 || first >> 4 == CONNECT) break;
    row = behind;
    begin = packetEnd;
  }
  writeRow(row, ASK, begin - base, 0, 0);
  return row + ROW_BYTES;
}
