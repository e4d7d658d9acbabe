/**
 * The checksum of stored records: CRC-32 as of zlib, Ethernet and ESP-IDF. In JavaScript, because what uses it also runs
 * where there is no zlib.
 */

const TABLE = makeTable();

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[byte] = value;
  }
  return table;
}

/** Of `bytes[start]` up to `end`, and of what `previous` is the checksum of before that; 0 to 4,294,967,295. */
export function crc32(bytes: Uint8Array, start: number, end: number, previous = 0): number {
  let value = ~previous;
  for (let at = start; at < end; at++) value = TABLE[(value ^ bytes[at]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}
