/**
 * The module `motemq/core` that ships: the callback client and what firmware needs beside it. Less than index.ts has, for
 * every name that a preloaded module exports is paid for in flash: codec and packets in their own right are left out, and
 * constants but for those that calls return and events hold.
 */
export { CallbackClient } from '../../src/callbacks/callback-client.ts';
export type { CallbackClientOptions, DoneCallback } from '../../src/callbacks/callback-client.ts';
export type { ReceivedMessage } from '../../src/callbacks/received-message.ts';
export { Line } from '../../src/line.ts';
export type { Board, BoardReceiver, BoardTransport, LineOptions, LineOwner } from '../../src/line.ts';
export { PropertyWriter } from '../../src/packets/properties.ts';
export {
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_REASON_STRING,
  P_RESPONSE_TOPIC,
  P_USER_PROPERTY,
} from '../../src/packets/property-table.ts';
export { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
export * from '../../src/session/event.ts';
export { Session } from '../../src/session/session.ts';
export type { TopicHandle } from '../../src/session/topic-aliases.ts';
export * from '../../src/status.ts';
export { ModdableBoard } from './board.ts';
export { SocketTransport } from './socket-transport.ts';
export type { SocketOptions } from './socket-transport.ts';
