/**
 * From a URL to a connected client: the transports of Node behind `mqtt:`, `mqtts:`, `ws:` and `wss:`.
 */
import type { ConnectionOptions } from 'node:tls';
import { Client } from '../../src/client/client.ts';
import { ArgumentError } from '../../src/client/errors.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { NodePlatform } from './platform.ts';
import type { TransportFactory } from './platform.ts';
import { SocketTransport } from './socket-transport.ts';
import type { SocketTarget } from './socket-transport.ts';
import { WebSocketTransport } from './websocket-transport.ts';

/** Client options, and TLS's as node:tls has them: `ca`, `cert`, `key`, `rejectUnauthorized`, `servername`, `ALPNProtocols` … */
export interface ConnectOptions extends ClientOptions {
  tls?: ConnectionOptions | undefined;
  /** WebSocket: headers of the request that opens it. */
  headers?: Record<string, string> | undefined;
}

const PORTS: Record<string, number | undefined> = {
  'mqtt:': 1883,
  'tcp:': 1883,
  'mqtts:': 8883,
  'ssl:': 8883,
  'tls:': 8883,
  'ws:': 80,
  'wss:': 443,
};

/** Reads the URL; throws ERR_INVALID_URL naming what is wrong, never showing a password. */
function parseUrl(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new ArgumentError('ERR_INVALID_URL', 'the server must be a URL such as mqtt://localhost:1883');
  }
  if (PORTS[parsed.protocol] === undefined) {
    throw new ArgumentError(
      'ERR_INVALID_URL',
      `the URL must begin with mqtt:, mqtts:, ws: or wss:, not ${parsed.protocol}`,
    );
  }
  if (parsed.hostname === '') throw new ArgumentError('ERR_INVALID_URL', 'the URL has no host');
  return parsed;
}

/** What opens connections to `url`: for clients, and for whoever drives sessions by hand. */
export function transportTo(
  url: string,
  options: Pick<ConnectOptions, 'tls' | 'headers'> = {},
): TransportFactory {
  const parsed = parseUrl(url);
  const { protocol } = parsed;
  if (protocol === 'ws:' || protocol === 'wss:') {
    parsed.username = '';
    parsed.password = '';
    return webSocketFactory(parsed.href, options);
  }
  return socketFactory(targetOf(parsed, options.tls));
}

// Factories apart from what read the URL: a closure keeps all of its surroundings, and there may be thousands.

function webSocketFactory(
  href: string,
  { headers, tls }: Pick<ConnectOptions, 'tls' | 'headers'>,
): TransportFactory {
  const options = { ...(tls as object), ...(headers && { headers }) };
  return (receiver) => new WebSocketTransport(href, options, receiver);
}

function socketFactory(target: SocketTarget): TransportFactory {
  return (receiver) => new SocketTransport(target, receiver);
}

function targetOf(url: URL, tls: ConnectionOptions | undefined): SocketTarget {
  const port = url.port === '' ? (PORTS[url.protocol] ?? 1883) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'mqtt:' || url.protocol === 'tcp:') return { host, port };
  // Server Name Indication is for names; an address must not be sent.
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host;
  return { host, port, tls: { ...(servername !== undefined && { servername }), ...tls } };
}

/** A user name or password as it was before it was put into a URL. */
function credential(text: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw new ArgumentError('ERR_INVALID_URL', 'user name and password in the URL must be percent-encoded');
  }
}

/** What a URL says of a server: read once for all who connect to it one after the other, as a fleet's clients do. */
interface Server {
  readonly url: string;
  readonly platform: NodePlatform;
  readonly userName: string | undefined;
  readonly password: string | undefined;
}

let lastServer: Server | undefined;

function serverOf(url: string, options: ConnectOptions): Server {
  const isPlain = options.tls === undefined && options.headers === undefined;
  if (isPlain && lastServer?.url === url) return lastServer;
  const platform = new NodePlatform(transportTo(url, options));
  const { username, password } = parseUrl(url);
  const server = { url, platform, userName: credential(username), password: credential(password) };
  // What a server is told of its clients is not kept longer than they are.
  if (isPlain && server.userName === undefined && server.password === undefined) lastServer = server;
  return server;
}

/** Makes a client that begins to connect at once and never gives up, unless told to; failures are its events. */
export function createClient(url: string, options: ConnectOptions = {}): Client {
  const { platform, userName, password } = serverOf(url, options);
  if (userName === undefined && password === undefined) return new Client(platform, options);
  return new Client(platform, {
    ...options,
    userName: options.userName ?? userName,
    password: options.password ?? password,
  });
}

/**
 * Connects. Resolves at CONNACK; rejects with ConnectionRefusedError, ConnectionError, TimeoutError or ProtocolError
 * when the first attempt fails (with `retryFirstConnect`: goes on trying), or with ArgumentError,
 * InvalidTopicError or UnsupportedError for wrong options.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = createClient(url, options);
  await client.firstConnect;
  return client;
}
