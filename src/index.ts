/**
 * The core's public face: codec, session, pump. What every target builds on; no I/O in it.
 */
export * from './status.ts';
export * from './limits.ts';
export * from './topic.ts';
export { Ring } from './wire/ring.ts';
export { decodeUtf8, encodeUtf8, findBadUtf8 } from './wire/utf8.ts';
export * from './packets/types.ts';
export * from './packets/reason-codes.ts';
export * from './packets/property-table.ts';
export { Property, PropertyWriter, readProperty } from './packets/properties.ts';
export { ConnectPart, Packet, byteLengthAt } from './packets/packet.ts';
export { Decoder } from './packets/codec.ts';
export type { Codec, RequestDecoder } from './packets/codec.ts';
export { decodeRequest } from './packets/requests.ts';
export { ConnectFields, encodeConnack, encodeConnect } from './packets/connect.ts';
export { encodeAck } from './packets/acks.ts';
export { encodePublish, publishFlags } from './packets/publish.ts';
export { encodeList, writeFilter } from './packets/subscribe.ts';
export { encodePing, encodeReason } from './packets/control.ts';
export { reasonCodeName, returnCodeName, violationName, violationText } from './packets/texts.ts';
export { violationReasonCode } from './packets/violations.ts';
export * from './session/event.ts';
export { FilterList, subscriptionOptions } from './session/filter-list.ts';
export { OVERFLOW_DROP_OLDEST_QOS_0, OVERFLOW_REFUSE } from './session/options.ts';
export type {
  ReconnectOptions,
  SessionBuffers,
  SessionOptions,
  UserProperties,
  WillOptions,
} from './session/options.ts';
export { Session } from './session/session.ts';
export type { SessionStore } from './session/store.ts';
export { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from './session/store.ts';
export type { TopicHandle } from './session/topic-aliases.ts';
export { ScramAuthenticator } from './scram/authenticator.ts';
export type { AuthenticationHost } from './scram/authenticator.ts';
export { SCRAM_ITERATIONS_MAX_DEFAULT, ScramClient } from './scram/client.ts';
export type { Mac, ScramCrypto } from './scram/crypto.ts';
export { SCRAM_ITERATIONS_MIN, SCRAM_SHA_256 } from './scram/messages.ts';
export { SoftwareCrypto } from './scram/sha256.ts';
export { Pump } from './pump.ts';
export type { EventSink, Transport } from './pump.ts';
