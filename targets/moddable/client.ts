/**
 * From a server to a connected promise client on a board: with the sockets and the resolver that the options or the
 * device's configuration name, and with buffers of a board's size.
 */
import { Client } from '../../src/client/client.ts';
import { ArgumentError } from '../../src/client/errors.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { ModdableBoard } from './board.ts';
import { BoardPlatform } from './platform.ts';
import { parseServerUrl } from './server-url.ts';
import type { SocketOptions } from './socket-transport.ts';

/**
 * Client options, with defaults that fit a board: 512 bytes to receive into and as many to send from, 1,024 for what
 * waits for the server (`receiveWindowBytes`, `transmitBytesMax`, `outboxBytesMax`), 16 messages in flight, and with
 * 5.0 no message above 4,096 bytes, which is what `maximumPacketSize` tells the server: a message is an object, whole.
 */
export interface ConnectOptions extends ClientOptions, Partial<SocketOptions> {}

/**
 * What the device's configuration says about MQTT, as ECMA-419 has it: `device.network.mqtt`, with TLS
 * `device.network.mqtts`.
 */
function configured(isSecure: boolean): Partial<SocketOptions> {
  const network = typeof device === 'undefined' ? undefined : device.network;
  return (isSecure ? network?.mqtts : network?.mqtt) ?? {};
}

function socketOptionsOf(options: ConnectOptions, isSecure: boolean): SocketOptions {
  const { host, address } = options;
  const { socket = configured(isSecure).socket, dns = configured(isSecure).dns } = options;
  if (host === undefined && address === undefined) {
    throw new ArgumentError('ERR_INVALID_ARGUMENT', 'there must be a host');
  }
  if (socket?.io === undefined) {
    throw new ArgumentError(
      'ERR_INVALID_ARGUMENT',
      `there must be a socket: {io: …}, in the options or in device.network.${isSecure ? 'mqtts' : 'mqtt'}`,
    );
  }
  return { host, address, port: options.port ?? (isSecure ? 8883 : 1883), socket, dns };
}

function clientOptionsOf(options: ConnectOptions): ClientOptions {
  const isV5 = options.protocol !== '3.1.1';
  return {
    ...options,
    receiveWindowBytes: options.receiveWindowBytes ?? 512,
    transmitBytesMax: options.transmitBytesMax ?? 512,
    outboxBytesMax: options.outboxBytesMax ?? 1024,
    inflightMax: options.inflightMax ?? 16,
    ...(isV5 && {
      maximumPacketSize: options.maximumPacketSize ?? 4096,
      topicAliasMaximum: options.topicAliasMaximum ?? 8,
      outgoingAliasesMax: options.outgoingAliasesMax ?? 16,
    }),
  };
}

function createFrom(options: ConnectOptions, isSecure: boolean): Client {
  const clientOptions = clientOptionsOf(options);
  const board = new ModdableBoard(socketOptionsOf(options, isSecure));
  return new Client(new BoardPlatform(board, clientOptions.receiveWindowBytes ?? 512), clientOptions);
}

/**
 * Makes a client that begins to connect at once and never gives up, unless told to; failures are its events.
 * @param server A URL, `mqtt://host:port` or `mqtts://host:port`, or options with `host` and `port`.
 */
export function createClient(server: string | ConnectOptions, options: ConnectOptions = {}): Client {
  if (typeof server !== 'string') {
    const all = { ...server, ...options };
    return createFrom(all, all.socket?.TCP !== undefined);
  }
  const { isSecure, host, port, userName, password } = parseServerUrl(server);
  return createFrom(
    {
      ...options,
      host,
      port,
      userName: options.userName ?? userName,
      password: options.password ?? password,
    },
    isSecure,
  );
}

/**
 * Connects. Resolves at CONNACK; rejects with ConnectionRefusedError, ConnectionError, TimeoutError or ProtocolError
 * when the first attempt fails (with `retryFirstConnect`: goes on trying), or with ArgumentError, InvalidTopicError
 * or UnsupportedError for wrong options.
 */
export async function connect(
  server: string | ConnectOptions,
  options: ConnectOptions = {},
): Promise<Client> {
  const client = createClient(server, options);
  await client.firstConnect;
  return client;
}
