/**
 * Writes many PUBLISH packets from a table of descriptors (publish-batch.ts in the folder above says what is in them).
 */
import { copyBytes, varintByteLength, writeTwoBytes, writeVarint } from './bytes';

const DESCRIPTOR_BYTES: u32 = 32;

/**
 * Writes the packets that `count` descriptors at `descriptor` describe, from `at`, none beyond `limit`. Returns how many
 * were written; where the last one ends goes to `result`.
 */
export function encodePublishes(
  descriptor: u32,
  count: u32,
  at: u32,
  limit: u32,
  isV5: bool,
  result: u32,
): u32 {
  let written: u32 = 0;
  for (; written < count; written++) {
    const payload = load<u32>(descriptor, 12);
    const payloadByteLength = load<u32>(descriptor, 16);
    const head = load<u64>(descriptor);
    // The shortest PUBLISH of 5.0: an alias, and nothing else in front of few bytes of payload.
    if (isV5 && head >> 32 == 0 && head > 0xffff && load<u32>(descriptor, 24) == 0 && payloadByteLength <= 121) {
      if (at + 8 + payloadByteLength > limit) break;
      const alias: u64 = bswap<u16>((head >> 16) as u16);
      const length: u64 = 6 + payloadByteLength;
      store<u64>(at, 0x0000230300000030 | (head & 15) | (length << 8) | (alias << 48));
      copyBytes(at + 8, payload, payloadByteLength);
      at += 8 + payloadByteLength;
      descriptor += DESCRIPTOR_BYTES;
      continue;
    }
    const flags: u32 = load<u16>(descriptor);
    const alias: u32 = load<u16>(descriptor, 2);
    const packetId: u32 = load<u16>(descriptor, 4);
    const topicByteLength: u32 = load<u16>(descriptor, 6);
    const topic = load<u32>(descriptor, 8);
    const properties = load<u32>(descriptor, 20);
    const propertiesByteLength = load<u32>(descriptor, 24);

    let remainingLength = 2 + topicByteLength + payloadByteLength;
    if (packetId != 0) remainingLength += 2;
    const sectionByteLength = propertiesByteLength + (alias != 0 ? 3 : 0);
    if (isV5) remainingLength += varintByteLength(sectionByteLength) + sectionByteLength;
    if (at + 1 + varintByteLength(remainingLength) + remainingLength > limit) break;

    store<u8>(at++, 0x30 | flags);
    at = writeVarint(at, remainingLength);
    writeTwoBytes(at, topicByteLength);
    at += 2;
    copyBytes(at, topic, topicByteLength);
    at += topicByteLength;
    if (packetId != 0) {
      writeTwoBytes(at, packetId);
      at += 2;
    }
    if (isV5) {
      at = writeVarint(at, sectionByteLength);
      if (alias != 0) {
        store<u8>(at, 0x23);
        writeTwoBytes(at + 1, alias);
        at += 3;
      }
      copyBytes(at, properties, propertiesByteLength);
      at += propertiesByteLength;
    }
    copyBytes(at, payload, payloadByteLength);
    at += payloadByteLength;
    descriptor += DESCRIPTOR_BYTES;
  }
  store<u32>(result, at);
  return written;
}
