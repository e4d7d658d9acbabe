/**
 * PUBLISH as a server sends it (3.3): one message, encoded for many receivers. What is the same for all of them is encoded
 * once and copied; packet identifiers are written into the copy. Written apart from the client's encoder on purpose: two
 * readings of the standard meet on the wire.
 */
import { copyRange } from '../../src/wire/bytes.ts';
import { varintByteLength, writeVarint } from '../../src/wire/varint.ts';
import { V5 } from '../../src/packets/types.ts';
import type { Message } from './message.ts';
import type { Output } from './output.ts';

const PAYLOAD_BYTES_OF_TEMPLATES_MAX = 16_384;

/** A packet to be copied. */
class Template {
  bytes = new Uint8Array(256);
  byteLength = 0;
  /** Where its packet identifier is; 0 at QoS 0. */
  packetIdOffset = 0;
}

export class PublishEncoder {
  private message: Message | null = null;
  /** Seconds that are left of the Message Expiry Interval, or -1 [MQTT-3.3.2-6]. */
  private expirySeconds = -1;
  /** By version, QoS and RETAIN: see indexOf. A byteLength of 0 says that it is not made. */
  private readonly templates: Template[] = Array.from({ length: 16 }, () => new Template());
  private areTemplatesUsed = false;

  /** Goes on with another message. It must not be expired. */
  begin(message: Message, nowMs: number): void {
    this.message = message;
    this.expirySeconds =
      message.expiresAtMs === Infinity ? -1 : Math.max(0, Math.ceil((message.expiresAtMs - nowMs) / 1000));
    if (this.areTemplatesUsed) for (const template of this.templates) template.byteLength = 0;
    this.areTemplatesUsed = false;
  }

  current(): Message {
    return this.message as Message;
  }

  /**
   * Bytes of the whole packet. `packetId` 0 at QoS 0; `alias` 0 for none, `hasTopic` whether the Topic Name is in it.
   */
  byteLength(
    protocolVersion: number,
    qos: number,
    alias: number,
    hasTopic: boolean,
    identifiers: readonly number[],
  ): number {
    const length = this.remainingLength(protocolVersion, qos, alias, hasTopic, identifiers);
    return 1 + varintByteLength(length) + length;
  }

  /** Appends the packet to `output`, which makes the room. */
  write(
    output: Output,
    protocolVersion: number,
    qos: number,
    isRetain: boolean,
    isDup: boolean,
    packetId: number,
    alias: number,
    hasTopic: boolean,
    identifiers: readonly number[],
  ): void {
    const message = this.current();
    if (
      alias === 0 &&
      identifiers.length === 0 &&
      message.payloadByteLength <= PAYLOAD_BYTES_OF_TEMPLATES_MAX
    ) {
      this.copyTemplate(output, protocolVersion, qos, isRetain, isDup, packetId);
      return;
    }
    const length = this.remainingLength(protocolVersion, qos, alias, hasTopic, identifiers);
    output.reserve(5 + length);
    const flags = (isDup ? 8 : 0) | (qos << 1) | (isRetain ? 1 : 0);
    output.end = this.encode(
      output.bytes,
      output.end,
      flags,
      length,
      protocolVersion,
      packetId,
      alias,
      hasTopic,
      identifiers,
    );
  }

  private copyTemplate(
    output: Output,
    protocolVersion: number,
    qos: number,
    isRetain: boolean,
    isDup: boolean,
    packetId: number,
  ): void {
    const template = this.templates[indexOf(protocolVersion, qos, isRetain)];
    if (template.byteLength === 0) this.makeTemplate(template, protocolVersion, qos, isRetain);
    const { byteLength, packetIdOffset } = template;
    output.reserve(byteLength);
    const out = output.bytes;
    const at = output.end;
    copyRange(template.bytes, 0, byteLength, out, at);
    if (isDup) out[at] |= 8;
    if (packetIdOffset !== 0) {
      out[at + packetIdOffset] = packetId >>> 8;
      out[at + packetIdOffset + 1] = packetId & 255;
    }
    output.end = at + byteLength;
  }

  private makeTemplate(template: Template, protocolVersion: number, qos: number, isRetain: boolean): void {
    const length = this.remainingLength(protocolVersion, qos, 0, true, []);
    if (template.bytes.length < length + 5) template.bytes = new Uint8Array((length + 5) * 2);
    const flags = (qos << 1) | (isRetain ? 1 : 0);
    template.byteLength = this.encode(template.bytes, 0, flags, length, protocolVersion, 1, 0, true, []);
    template.packetIdOffset =
      qos === 0 ? 0 : 1 + varintByteLength(length) + 2 + this.current().topicByteLength;
    this.areTemplatesUsed = true;
  }

  private remainingLength(
    protocolVersion: number,
    qos: number,
    alias: number,
    hasTopic: boolean,
    identifiers: readonly number[],
  ): number {
    const message = this.current();
    let length = 2 + message.payloadByteLength + (hasTopic ? message.topicByteLength : 0);
    if (qos !== 0) length += 2;
    if (protocolVersion === V5) {
      const properties = this.propertiesByteLength(alias, identifiers);
      length += varintByteLength(properties) + properties;
    }
    return length;
  }

  private propertiesByteLength(alias: number, identifiers: readonly number[]): number {
    let length = this.current().propertiesByteLength;
    if (alias !== 0) length += 3;
    if (this.expirySeconds >= 0) length += 5;
    for (const identifier of identifiers) length += 1 + varintByteLength(identifier);
    return length;
  }

  private encode(
    out: Uint8Array,
    at: number,
    flags: number,
    remainingLength: number,
    protocolVersion: number,
    packetId: number,
    alias: number,
    hasTopic: boolean,
    identifiers: readonly number[],
  ): number {
    const message = this.current();
    out[at++] = 0x30 | flags;
    at = writeVarint(out, at, remainingLength);
    const topicByteLength = hasTopic ? message.topicByteLength : 0;
    out[at++] = topicByteLength >>> 8;
    out[at++] = topicByteLength & 255;
    at = copyPart(message.topicBytes, message.topicOffset, topicByteLength, out, at);
    if ((flags & 6) !== 0) {
      out[at++] = packetId >>> 8;
      out[at++] = packetId & 255;
    }
    if (protocolVersion === V5) {
      at = writeVarint(out, at, this.propertiesByteLength(alias, identifiers));
      if (alias !== 0) {
        out[at++] = 0x23;
        out[at++] = alias >>> 8;
        out[at++] = alias & 255;
      }
      if (this.expirySeconds >= 0) {
        out[at++] = 0x02;
        out[at++] = this.expirySeconds >>> 24;
        out[at++] = this.expirySeconds >>> 16;
        out[at++] = this.expirySeconds >>> 8;
        out[at++] = this.expirySeconds;
      }
      for (const identifier of identifiers) {
        out[at++] = 0x0b;
        at = writeVarint(out, at, identifier);
      }
      // Unaltered, and User Properties in their order [MQTT-3.3.2-17], [MQTT-3.3.2-18].
      at = copyPart(message.propertyBytes, message.propertiesOffset, message.propertiesByteLength, out, at);
    }
    return copyPart(message.bytes, message.payloadOffset, message.payloadByteLength, out, at);
  }
}

function indexOf(protocolVersion: number, qos: number, isRetain: boolean): number {
  return (protocolVersion === V5 ? 8 : 0) | (qos << 1) | (isRetain ? 1 : 0);
}

function copyPart(
  bytes: Uint8Array,
  offset: number,
  byteLength: number,
  out: Uint8Array,
  at: number,
): number {
  copyRange(bytes, offset, offset + byteLength, out, at);
  return at + byteLength;
}
