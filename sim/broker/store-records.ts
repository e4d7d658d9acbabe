/**
 * How a broker's records lie in an ordered store: keys that scan in the order in which a broker is put together again,
 * and values as small as they are simple. Numbers are big-endian. Knows nothing of files and transactions.
 *
 * A key begins with its kind. Sessions have numbers, so that a long client id is written once; a topic name or filter is
 * in the key as it is, or as its hash when it is long, and then whole in the value.
 *
 *     about         name
 *     session       number (6)
 *     subscription  session (6)  0, topic filter | 1, SHA-256
 *     delivery      session (6)  sequence (6)
 *     received      session (6)  packet identifier (2)
 *     message       id (6)
 *     retained      0, topic name | 1, SHA-256
 */
import { createHash } from 'node:crypto';
import { copyRange } from '../../src/wire/bytes.ts';
import { Message } from './message.ts';
import type { DeliveryRecord, SessionRecord, SubscriptionRecord } from './store.ts';

export const KIND_ABOUT = 1;
export const KIND_SESSION = 2;
export const KIND_SUBSCRIPTION = 3;
export const KIND_DELIVERY = 4;
export const KIND_RECEIVED = 5;
export const KIND_MESSAGE = 6;
export const KIND_RETAINED = 7;

/** Kinds of which a session may have many. */
export const KINDS_OF_SESSION: readonly number[] = [KIND_SUBSCRIPTION, KIND_DELIVERY, KIND_RECEIVED];

/** A name of more bytes is hashed: keys have a limit, and long ones make a tree deep. */
const NAME_BYTES_MAX = 255;
const NAME_WHOLE = 0;
const NAME_HASHED = 1;

/** Bytes of a session number, sequence or message id: at a million a second, enough for nine years. */
const ID_BYTES = 6;

const HAS_USER_NAME = 1;

const IS_SHARED = 1;

const QOS_BITS = 3;
const IS_RETAIN = 4;
const IS_RELEASED = 8;

/** What a received identifier is stored with: its key says everything. */
export const NOTHING = Buffer.from([0]);

// --- Keys --------------------------------------------------------------------------------------------------------

export function aboutKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([KIND_ABOUT]), Buffer.from(name)]);
}

/** Of a kind alone: where its records begin, or where those of the kind before end. */
export function kindKey(kind: number): Buffer {
  return Buffer.from([kind]);
}

/** Of a session or message; of a session's kinds, where its records begin. */
export function numberedKey(kind: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(1 + ID_BYTES);
  key[0] = kind;
  key.writeUIntBE(number, 1, ID_BYTES);
  return key;
}

export function deliveryKey(session: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(1 + 2 * ID_BYTES);
  key[0] = KIND_DELIVERY;
  key.writeUIntBE(session, 1, ID_BYTES);
  key.writeUIntBE(sequence, 1 + ID_BYTES, ID_BYTES);
  return key;
}

export function receivedKey(session: number, packetId: number): Buffer {
  const key = Buffer.allocUnsafe(1 + ID_BYTES + 2);
  key[0] = KIND_RECEIVED;
  key.writeUIntBE(session, 1, ID_BYTES);
  key.writeUInt16BE(packetId, 1 + ID_BYTES);
  return key;
}

export function subscriptionKey(session: number, topicFilter: string): Buffer {
  const key = allocateNamedKey(1 + ID_BYTES, topicFilter);
  key[0] = KIND_SUBSCRIPTION;
  key.writeUIntBE(session, 1, ID_BYTES);
  return key;
}

export function retainedKey(topicName: string): Buffer {
  const key = allocateNamedKey(1, topicName);
  key[0] = KIND_RETAINED;
  return key;
}

/** A key whose first `headBytes` are the caller's, with `name` behind them. */
function allocateNamedKey(headBytes: number, name: string): Buffer {
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > NAME_BYTES_MAX) {
    const hash = createHash('sha256').update(name).digest();
    return Buffer.concat([Buffer.allocUnsafe(headBytes), Buffer.from([NAME_HASHED]), hash]);
  }
  const key = Buffer.allocUnsafe(headBytes + 1 + nameBytes);
  key[headBytes] = NAME_WHOLE;
  key.write(name, headBytes + 1);
  return key;
}

/** The number in a key of `numberedKey`, and in all keys of a session's kinds. */
export function numberOf(key: Buffer): number {
  return key.readUIntBE(1, ID_BYTES);
}

export function sequenceOf(key: Buffer): number {
  return key.readUIntBE(1 + ID_BYTES, ID_BYTES);
}

export function packetIdOf(key: Buffer): number {
  return key.readUInt16BE(1 + ID_BYTES);
}

/** The name of a key, or of its value, where it begins at `offset` behind what else is in there. */
function nameOf(key: Buffer, headBytes: number, value: Buffer, offset: number): string {
  if (key[headBytes] === NAME_HASHED) return value.toString('utf8', offset);
  checkLength(value, offset);
  return key.toString('utf8', headBytes + 1);
}

/** The room that a name's value needs behind what else is in there. */
function nameRoom(name: string): number {
  const nameBytes = Buffer.byteLength(name);
  return nameBytes > NAME_BYTES_MAX ? nameBytes : 0;
}

// --- Values ------------------------------------------------------------------------------------------------------

/** Throws unless a value is as long as what it says of itself, or longer where `isOpenEnded`. */
function checkLength(value: Buffer, byteLength: number, isOpenEnded = false): void {
  if (value.length === byteLength || (isOpenEnded && value.length > byteLength)) return;
  throw new RangeError(`a value of ${value.length} bytes should have ${byteLength}`);
}

export function encodeSession(session: SessionRecord): Buffer {
  const clientId = Buffer.from(session.clientId);
  const userName = Buffer.from(session.userName ?? '');
  const value = Buffer.allocUnsafe(31 + clientId.length + userName.length);
  value[0] = session.userName === null ? 0 : HAS_USER_NAME;
  value.writeUInt32BE(session.expirySeconds, 1);
  value.writeDoubleBE(session.endedAtMs, 5);
  value.writeUIntBE(session.willMessageId, 13, ID_BYTES);
  value.writeUInt32BE(session.willDelaySeconds, 19);
  value.writeIntBE(session.willExpirySeconds, 23, ID_BYTES);
  value.writeUInt16BE(clientId.length, 29);
  value.set(clientId, 31);
  value.set(userName, 31 + clientId.length);
  return value;
}

/** Like all decoders: throws a RangeError for what no encoder makes. */
export function decodeSession(value: Buffer): SessionRecord {
  const userNameOffset = 31 + value.readUInt16BE(29);
  const hasUserName = value[0] === HAS_USER_NAME;
  checkLength(value, userNameOffset, hasUserName);
  return {
    clientId: value.toString('utf8', 31, userNameOffset),
    userName: hasUserName ? value.toString('utf8', userNameOffset) : null,
    expirySeconds: value.readUInt32BE(1),
    endedAtMs: value.readDoubleBE(5),
    willMessageId: value.readUIntBE(13, ID_BYTES),
    willDelaySeconds: value.readUInt32BE(19),
    willExpirySeconds: value.readIntBE(23, ID_BYTES),
  };
}

export function encodeSubscription(subscription: SubscriptionRecord): Buffer {
  const { topicFilter, isShared, options, identifier } = subscription;
  const value = Buffer.allocUnsafe(6 + nameRoom(topicFilter));
  value[0] = options;
  value[1] = isShared ? IS_SHARED : 0;
  value.writeUInt32BE(identifier, 2);
  if (value.length > 6) value.write(topicFilter, 6);
  return value;
}

export function decodeSubscription(key: Buffer, value: Buffer): SubscriptionRecord {
  return {
    topicFilter: nameOf(key, 1 + ID_BYTES, value, 6),
    isShared: value.readUInt8(1) === IS_SHARED,
    options: value.readUInt8(0),
    identifier: value.readUInt32BE(2),
  };
}

export function encodeDelivery(delivery: DeliveryRecord): Buffer {
  const { identifiers } = delivery;
  const value = Buffer.allocUnsafe(9 + 4 * identifiers.length);
  value[0] = delivery.qos | (delivery.isRetain ? IS_RETAIN : 0) | (delivery.isReleased ? IS_RELEASED : 0);
  value.writeUIntBE(delivery.messageId, 1, ID_BYTES);
  value.writeUInt16BE(delivery.packetId, 7);
  for (let i = 0; i < identifiers.length; i++) value.writeUInt32BE(identifiers[i], 9 + 4 * i);
  return value;
}

export function decodeDelivery(key: Buffer, value: Buffer): DeliveryRecord {
  const identifiers: number[] = [];
  for (let offset = 9; offset < value.length; offset += 4) identifiers.push(value.readUInt32BE(offset));
  const flags = value.readUInt8(0);
  return {
    sequence: sequenceOf(key),
    messageId: value.readUIntBE(1, ID_BYTES),
    packetId: value.readUInt16BE(7),
    isReleased: (flags & IS_RELEASED) !== 0,
    qos: flags & QOS_BITS,
    isRetain: (flags & IS_RETAIN) !== 0,
    identifiers,
  };
}

export function encodeRetained(topicName: string, messageId: number): Buffer {
  const value = Buffer.allocUnsafe(ID_BYTES + nameRoom(topicName));
  value.writeUIntBE(messageId, 0, ID_BYTES);
  if (value.length > ID_BYTES) value.write(topicName, ID_BYTES);
  return value;
}

export function decodeRetained(key: Buffer, value: Buffer): { topicName: string; messageId: number } {
  return { topicName: nameOf(key, 1, value, ID_BYTES), messageId: value.readUIntBE(0, ID_BYTES) };
}

export function encodeMessage(message: Message): Buffer {
  const { bytes, topicByteLength, propertiesByteLength, payloadByteLength, publisherId } = message;
  const publisherByteLength = Buffer.byteLength(publisherId);
  const topicOffset = 17 + publisherByteLength;
  const propertiesOffset = topicOffset + topicByteLength;
  const payloadOffset = propertiesOffset + propertiesByteLength;
  const value = Buffer.allocUnsafe(payloadOffset + payloadByteLength);
  value[0] = message.qos | (message.isRetain ? IS_RETAIN : 0);
  value.writeDoubleBE(message.expiresAtMs, 1);
  value.writeUInt16BE(topicByteLength, 9);
  value.writeUInt32BE(propertiesByteLength, 11);
  value.writeUInt16BE(publisherByteLength, 15);
  value.write(publisherId, 17);
  copyPart(bytes, message.topicOffset, topicByteLength, value, topicOffset);
  copyPart(bytes, message.propertiesOffset, propertiesByteLength, value, propertiesOffset);
  copyPart(bytes, message.payloadOffset, payloadByteLength, value, payloadOffset);
  return value;
}

function copyPart(bytes: Uint8Array, offset: number, byteLength: number, target: Buffer, at: number): void {
  copyRange(bytes, offset, offset + byteLength, target, at);
}

/** The message keeps `value`. */
export function decodeMessage(value: Buffer): Message {
  const topicOffset = 17 + value.readUInt16BE(15);
  const propertiesOffset = topicOffset + value.readUInt16BE(9);
  const payloadOffset = propertiesOffset + value.readUInt32BE(11);
  checkLength(value, payloadOffset, true);
  const flags = value.readUInt8(0);
  return new Message(
    value,
    topicOffset,
    propertiesOffset - topicOffset,
    propertiesOffset,
    payloadOffset - propertiesOffset,
    payloadOffset,
    value.length - payloadOffset,
    flags & QOS_BITS,
    (flags & IS_RETAIN) !== 0,
    value.readDoubleBE(1),
    value.toString('utf8', 17, topicOffset),
    value.toString('utf8', topicOffset, propertiesOffset),
    false,
  );
}
