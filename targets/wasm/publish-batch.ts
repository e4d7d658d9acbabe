/**
 * Many PUBLISH packets written in one call, from descriptors in linear memory: for who sends the same kind of message
 * over and over, such as a gateway. Topic, properties and payload are where the descriptors say, in the same memory, and
 * are not looked at before `encode`. Nothing is checked: neither is a topic, nor are properties.
 */
import { V5 } from '../../src/packets/types.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { RESULT_AT } from './wasm-memory.ts';
import type { WasmMemory } from './wasm-memory.ts';

/**
 * Words of a descriptor: flags, from bit 16 the alias; packet identifier, from bit 16 the length of the topic; address of
 * the topic; address and length of the payload; address and length of the properties; one to fill up.
 */
const DESCRIPTOR_WORDS = 8;

export class PublishBatch {
  /** Messages that wait for `encode`. */
  count = 0;
  readonly countMax: number;
  private readonly memory: WasmMemory;
  private readonly descriptors: Uint8Array;
  private readonly words: Int32Array;
  private readonly isV5: number;

  private constructor(
    memory: WasmMemory,
    descriptors: Uint8Array,
    protocolVersion: number,
    countMax: number,
  ) {
    this.memory = memory;
    this.descriptors = descriptors;
    this.words = new Int32Array(memory.buffer, descriptors.byteOffset, countMax * DESCRIPTOR_WORDS);
    this.isV5 = protocolVersion === V5 ? 1 : 0;
    this.countMax = countMax;
  }

  /** A batch of at most `countMax` messages, or undefined when the arena has no room for it (32 bytes a message). */
  static create(memory: WasmMemory, protocolVersion: number, countMax: number): PublishBatch | undefined {
    const descriptors = memory.allocate(countMax * DESCRIPTOR_WORDS * 4);
    return descriptors && new PublishBatch(memory, descriptors, protocolVersion, countMax);
  }

  /**
   * Adds a message. `flags` come from publishFlags, `packetId` is 0 at QoS 0, `alias` 0 for none, properties are what a
   * PropertyWriter holds without a Topic Alias; the three addresses are byte offsets in the memory. False: it is full.
   */
  add(
    flags: number,
    packetId: number,
    alias: number,
    topic: number,
    topicByteLength: number,
    properties: number,
    propertiesByteLength: number,
    payload: number,
    payloadByteLength: number,
  ): boolean {
    if (this.count === this.countMax) return false;
    const { words } = this;
    const at = this.count * DESCRIPTOR_WORDS;
    words[at] = flags | (alias << 16);
    words[at + 1] = packetId | (topicByteLength << 16);
    words[at + 2] = topic;
    words[at + 3] = payload;
    words[at + 4] = payloadByteLength;
    words[at + 5] = properties;
    words[at + 6] = propertiesByteLength;
    this.count++;
    return true;
  }

  /**
   * Writes the messages to the end of `ring`, whose bytes come from the same memory, as far as there is room in one
   * piece, and forgets them. Returns how many were written; the others are still there, as the first ones.
   */
  encode(ring: Ring): number {
    const { memory, words, count } = this;
    const base = ring.bytes.byteOffset;
    if (ring.bytes.buffer !== memory.buffer)
      throw new RangeError('the ring is not in the memory of the batch');
    const written = memory.exports.encodePublishes(
      this.descriptors.byteOffset,
      count,
      base + ring.end,
      base + ring.bytes.length,
      this.isV5,
      RESULT_AT,
    );
    ring.end = memory.words[RESULT_AT / 4] - base;
    if (written < count) words.copyWithin(0, written * DESCRIPTOR_WORDS, count * DESCRIPTOR_WORDS);
    this.count = count - written;
    return written;
  }

  /** Gives the descriptors back to the arena. Nothing may be called any more. */
  release(): void {
    this.memory.release(this.descriptors);
  }
}
