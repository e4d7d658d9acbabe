/**
 * One application message inside the broker: the bytes that its publisher sent, without what belonged to that connection
 * alone (alias, packet identifier, DUP), and when it expires. One object is shared by all who wait for it.
 */
import { copyRange } from '../../src/wire/bytes.ts';
import { inspectProperties, type PropertiesObject } from '../../src/packets/inspect.ts';

export class Message {
  /** The payload lies in here; topic and properties too, once the message is kept. Never changed. */
  readonly bytes: Uint8Array;
  /** Where the topic and the properties lie: `bytes`, unless a publisher's alias or its own properties led elsewhere. */
  topicBytes: Uint8Array;
  propertyBytes: Uint8Array;
  readonly topicOffset: number;
  readonly topicByteLength: number;
  /**
   * Properties as they were sent and in that order, but Topic Alias, Message Expiry Interval and Subscription Identifier:
   * those are said anew to each receiver.
   */
  readonly propertiesOffset: number;
  readonly propertiesByteLength: number;
  readonly payloadOffset: number;
  readonly payloadByteLength: number;
  /** As published, 0 to 2. */
  readonly qos: number;
  /** As published. */
  readonly isRetain: boolean;
  /** When it expires, or Infinity. The core's clock. */
  readonly expiresAtMs: number;
  /** Client id of the publisher; empty for the broker itself and its process. */
  readonly publisherId: string;
  /** The Topic Name. */
  readonly topicName: string;
  /** Its key in the store while something refers to it there, else 0. Of the store's keeper alone. */
  storeId: number;
  /** How much refers to it in the store. Likewise. */
  storeReferences: number;
  /** This message in bytes of its own: itself, a copy once there is one, or null while its bytes are lent. */
  private kept: Message | null;

  /** `isLent`: the bytes are the caller's, and change when what is under way is done. */
  constructor(
    bytes: Uint8Array,
    topicOffset: number,
    topicByteLength: number,
    propertiesOffset: number,
    propertiesByteLength: number,
    payloadOffset: number,
    payloadByteLength: number,
    qos: number,
    isRetain: boolean,
    expiresAtMs: number,
    publisherId: string,
    topicName: string,
    isLent: boolean,
  ) {
    this.bytes = bytes;
    this.topicBytes = bytes;
    this.propertyBytes = bytes;
    this.topicOffset = topicOffset;
    this.topicByteLength = topicByteLength;
    this.propertiesOffset = propertiesOffset;
    this.propertiesByteLength = propertiesByteLength;
    this.payloadOffset = payloadOffset;
    this.payloadByteLength = payloadByteLength;
    this.qos = qos;
    this.isRetain = isRetain;
    this.expiresAtMs = expiresAtMs;
    this.publisherId = publisherId;
    this.topicName = topicName;
    this.storeId = 0;
    this.storeReferences = 0;
    this.kept = isLent ? null : this;
  }

  /** The message in bytes of its own, copied once however often it is asked for. */
  keep(): Message {
    this.kept ??= this.copy();
    return this.kept;
  }

  private copy(): Message {
    const { topicByteLength, propertiesByteLength, payloadByteLength } = this;
    const bytes = new Uint8Array(topicByteLength + propertiesByteLength + payloadByteLength);
    const payloadOffset = topicByteLength + propertiesByteLength;
    copyPart(this.topicBytes, this.topicOffset, topicByteLength, bytes, 0);
    copyPart(this.propertyBytes, this.propertiesOffset, propertiesByteLength, bytes, topicByteLength);
    copyPart(this.bytes, this.payloadOffset, payloadByteLength, bytes, payloadOffset);
    return this.over(bytes, this.expiresAtMs);
  }

  /** The same message with another time to expire. Only of a kept one, whose bytes the two share. */
  expiringAt(expiresAtMs: number): Message {
    return this.over(this.bytes, expiresAtMs);
  }

  /** This message in `bytes`, which hold topic, properties and payload and nothing else. */
  private over(bytes: Uint8Array, expiresAtMs: number): Message {
    const payloadOffset = this.topicByteLength + this.propertiesByteLength;
    return new Message(
      bytes,
      0,
      this.topicByteLength,
      this.topicByteLength,
      this.propertiesByteLength,
      payloadOffset,
      this.payloadByteLength,
      this.qos,
      this.isRetain,
      expiresAtMs,
      this.publisherId,
      this.topicName,
      false,
    );
  }

  /** Bytes it is reckoned with in limits: topic, properties, payload, and something for the objects. */
  cost(): number {
    return this.topicByteLength + this.propertiesByteLength + this.payloadByteLength + 64;
  }

  isExpired(nowMs: number): boolean {
    return this.expiresAtMs <= nowMs;
  }

  /** The payload: a view, valid as long as the message is. */
  payload(): Uint8Array {
    return this.bytes.subarray(this.payloadOffset, this.payloadOffset + this.payloadByteLength);
  }

  /** The payload as UTF-8 text. */
  text(): string {
    return new TextDecoder().decode(this.payload());
  }

  /** The properties as a plain object; the Message Expiry Interval is `expiresAtMs`, not among them. */
  properties(): PropertiesObject {
    return (
      inspectProperties(
        this.bytes,
        this.propertiesOffset,
        this.propertiesOffset + this.propertiesByteLength,
      ) ?? {}
    );
  }
}

function copyPart(
  bytes: Uint8Array,
  offset: number,
  byteLength: number,
  target: Uint8Array,
  at: number,
): void {
  copyRange(bytes, offset, offset + byteLength, target, at);
}
