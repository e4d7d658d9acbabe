/**
 * What the machine of the bench has in flash: the whole client, and the transport over a board's sockets.
 */
export { CallbackClient } from '../../src/callbacks/callback-client.ts';
export { SocketTransport } from '../../targets/moddable/socket-transport.ts';
