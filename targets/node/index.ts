/**
 * motemq for Node: the promise client over TCP, TLS and WebSocket.
 */
export { NodeBoard } from './board.ts';
export { connect, createClient, transportTo } from './connect.ts';
export type { ConnectOptions } from './connect.ts';
export { FileStore } from './file-store.ts';
export type { FileStoreOptions } from './file-store.ts';
export type { PersistentStore } from '../../src/session/store.ts';
export { NodePlatform } from './platform.ts';
export type { TransportFactory } from './platform.ts';
export { NodeScramCrypto, scramSha256 } from './scram.ts';
export type { ScramOptions } from '../../src/client/scram.ts';
export { Client } from '../../src/client/client.ts';
export type { ClientEvents, Disconnect } from '../../src/client/client-events.ts';
export { Driver } from '../../src/client/driver.ts';
export type { BufferLimits, DriverOwner, DriverSessionOptions } from '../../src/client/driver.ts';
export {
  ArgumentError,
  ConnectionError,
  ConnectionRefusedError,
  InvalidTopicError,
  MotemqError,
  ProtocolError,
  PublishError,
  SubscribeError,
  TimeoutError,
  UnsupportedError,
} from '../../src/client/errors.ts';
export { Message } from '../../src/client/message.ts';
export type { PacketProperties } from '../../src/client/message.ts';
export type {
  Authentication,
  ClientOptions,
  Connack,
  PublishOptions,
  PublishResult,
  SubscribeOptions,
} from '../../src/client/options.ts';
export type { Payload } from '../../src/client/payload.ts';
export type { RequestOptions, RespondOptions, Responder } from '../../src/client/requests.ts';
export { Subscription } from '../../src/client/subscription.ts';
export type { MessageListener } from '../../src/client/subscription.ts';
export { Topic } from '../../src/client/topic-publisher.ts';
export { reasonCodeName } from '../../src/packets/texts.ts';
