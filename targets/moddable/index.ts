/**
 * motemq for Moddable: a board's line and the callback client on it, sockets, storage, Wi-Fi. The promise client
 * (client.ts), the ECMA-419 class (mqtt-client.ts) and SCRAM (scram.ts) are imported by themselves: an app carries
 * every module that it imports, used or not.
 */
export { ModdableBoard } from './board.ts';
export { FlashStore, preferenceValues, storageValues } from './flash-store.ts';
export type { KeyValueStorage, PreferenceModule, Values } from './flash-store.ts';
export { SocketTransport } from './socket-transport.ts';
export type {
  IoOptions,
  Resolver,
  Socket,
  SocketCallbacks,
  SocketOptions,
  Timers,
} from './socket-transport.ts';
export { WifiKeeper, WifiWatch } from './wifi.ts';
export type { NetworkUser, WifiClass, WifiInterface } from './wifi.ts';
export { CallbackClient } from '../../src/callbacks/callback-client.ts';
export type { CallbackClientOptions, DoneCallback } from '../../src/callbacks/callback-client.ts';
export type { ReceivedMessage } from '../../src/callbacks/received-message.ts';
export { Line } from '../../src/line.ts';
export type { Board, BoardReceiver, BoardTransport, LineOptions, LineOwner } from '../../src/line.ts';
export * from '../../src/index.ts';
