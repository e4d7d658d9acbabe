/**
 * The servers that a broker listens with: TCP, TLS, WebSocket, and WebSocket over TLS. Each connection becomes a link.
 * Knows of MQTT the name of its WebSocket subprotocol.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer, TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { hostAndPort, plainAddress } from './addresses.ts';
import type { LinkTransport } from './link.ts';
import type { LinkHost } from './link-host.ts';
import { certificateName, TcpLink } from './tcp-link.ts';
import type { Identity } from './tls-files.ts';
import { WebSocketLink } from './ws-link.ts';

/** Connections that the system keeps until they are accepted. */
const BACKLOG = 4096;
const SUBPROTOCOL = 'mqtt';
/** No compression of what is small; and milliseconds that the other side has to answer a close. */
const WEB_SOCKET_OPTIONS = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  autoPong: false, // the link does it, within bounds
  closeTimeout: 5000,
};
/** A WebSocket message may carry several packets; this much of them at least. */
const MESSAGE_BYTES_MIN = 1_048_576;

/** Without delay for small packets; and hosts that vanished are noticed though their clients wanted no keep alive. */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };

/** What listens where. */
export interface Listener {
  readonly transport: LinkTransport;
  readonly host: string;
  readonly port: number;
  /** As in the URL of a client: mqtt, mqtts, ws, wss. */
  readonly scheme: string;
}

export interface ListenerOptions {
  readonly host: string;
  /** Null or absent: none. 0: a free one. */
  readonly ports: Partial<Record<LinkTransport, number | null>>;
  /** For `tls` and `wss`. */
  readonly identity: Identity | undefined;
  readonly webSocketPath: string | undefined;
  /** Milliseconds for a handshake, of TLS and of WebSocket each. */
  readonly handshakeMsMax: number;
  /** Bytes of a packet. */
  readonly maximumPacketSize: number;
  /** Told what is wrong with a listener that was open. */
  readonly handleError: (error: Error) => void;
}

const SCHEMES: Record<string, string> = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' };
const TRANSPORTS: readonly LinkTransport[] = ['tcp', 'tls', 'ws', 'wss'];

export class Listeners {
  /** In the order TCP, TLS, WebSocket, WebSocket over TLS. */
  readonly open: readonly Listener[];
  private readonly servers: readonly Server[];
  /** Everything that was accepted, also before it is a link, so that closing is certain to end it. */
  private readonly sockets: ReadonlySet<Socket>;

  private constructor(open: readonly Listener[], servers: readonly Server[], sockets: ReadonlySet<Socket>) {
    this.open = open;
    this.servers = servers;
    this.sockets = sockets;
  }

  /** Opens all of them or none. Rejects with an error whose message names the listener, and `code`. */
  static async start(options: ListenerOptions, linkHost: LinkHost): Promise<Listeners> {
    const open: Listener[] = [];
    const servers: Server[] = [];
    const sockets = new Set<Socket>();
    const listeners = new Listeners(open, servers, sockets);
    // One function for all sockets.
    const forget = function (this: Socket): void {
      sockets.delete(this);
    };
    try {
      for (const transport of TRANSPORTS) {
        const port = options.ports[transport] ?? null;
        if (port === null) continue;
        const server = createServerOf(transport, options, linkHost);
        server.on('connection', (socket: Socket) => {
          sockets.add(socket);
          socket.on('close', forget);
        });
        servers.push(server);
        open.push(await listen(server, transport, options.host, port));
        server.on('error', options.handleError);
      }
    } catch (error) {
      await listeners.close();
      throw error;
    }
    return listeners;
  }

  /** Shows this to whoever comes from now on. */
  setIdentity(identity: Identity): void {
    for (const server of this.servers) if (server instanceof TlsServer) server.setSecureContext(identity);
  }

  /** Accepts nothing more, from the next turn of the event loop on. */
  stopAccepting(): void {
    for (const server of this.servers) if (server.listening) server.close();
  }

  /** Ends what is open, and resolves when the ports are free. */
  async close(): Promise<void> {
    const closed = this.servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }
}

function createServerOf(transport: LinkTransport, options: ListenerOptions, linkHost: LinkHost): Server {
  const { identity, handshakeMsMax } = options;
  if (transport === 'tcp') {
    return createServer(SOCKET_OPTIONS, (socket) => new TcpLink(socket, 'tcp', null, linkHost));
  }
  if (transport === 'ws') {
    const server = createHttpServer({ ...SOCKET_OPTIONS, ...httpTimeouts(handshakeMsMax) }, refuseRequest);
    acceptWebSockets(server, 'ws', options, linkHost);
    return server;
  }
  const tls = { ...SOCKET_OPTIONS, ...identity, handshakeTimeout: handshakeMsMax };
  if (transport === 'tls') {
    const server = createTlsServer(
      tls,
      (socket) => new TcpLink(socket, 'tls', certificateName(socket), linkHost),
    );
    // A handshake that takes too long is told, but leaves the socket open.
    return server.on('tlsClientError', (_error, socket) => socket.destroy());
  }
  const server = createHttpsServer({ ...tls, ...httpTimeouts(handshakeMsMax) }, refuseRequest);
  acceptWebSockets(server, 'wss', options, linkHost);
  return server;
}

async function listen(
  server: Server,
  transport: LinkTransport,
  host: string,
  port: number,
): Promise<Listener> {
  const scheme = SCHEMES[transport];
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      reject(listenError(`${scheme}://${hostAndPort(host, port)}`, error));
    server.once('error', fail);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', fail);
      resolve();
    });
  });
  return { transport, host, port: (server.address() as AddressInfo).port, scheme };
}

const LISTEN_ERRORS: Record<string, string> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host',
};

/** An error whose message is a line for people, with the system's code. */
export function listenError(url: string, error: NodeJS.ErrnoException): Error {
  const { code = 'ERR_LISTEN' } = error;
  const why = LISTEN_ERRORS[code] ?? error.message;
  return Object.assign(new Error(`cannot listen on ${url}: ${why} (${code})`, { cause: error }), { code });
}

// --- WebSocket -----------------------------------------------------------------------------------------------------

/** Until the request that becomes a WebSocket is there. */
function httpTimeouts(handshakeMsMax: number): object {
  return {
    headersTimeout: handshakeMsMax,
    requestTimeout: handshakeMsMax,
    connectionsCheckingInterval: Math.min(handshakeMsMax, 30_000),
  };
}

function acceptWebSockets(
  server: Server,
  transport: 'ws' | 'wss',
  { webSocketPath, maximumPacketSize }: ListenerOptions,
  linkHost: LinkHost,
): void {
  const webSockets = new WebSocketServer({
    ...WEB_SOCKET_OPTIONS,
    // It is put together in memory before it comes here.
    maxPayload: Math.max(maximumPacketSize + 5, MESSAGE_BYTES_MIN),
    handleProtocols: () => SUBPROTOCOL, // [MQTT-6.0.0-4]; it was offered, or we would not be here
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (webSocketPath !== undefined && request.url?.split('?')[0] !== webSocketPath) {
      refuseUpgrade(socket, `404 Not Found`, `MQTT is at ${webSocketPath}.`);
    } else if (!offersMqtt(request)) {
      refuseUpgrade(socket, '400 Bad Request', 'The subprotocol has to be mqtt.'); // [MQTT-6.0.0-3]
    } else {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const { remoteAddress } = request.socket;
        const name = request.socket instanceof TLSSocket ? certificateName(request.socket) : null;
        const origin = { transport, remoteAddress: plainAddress(remoteAddress), certificateName: name };
        new WebSocketLink(webSocket, origin, linkHost);
      });
    }
  });
}

function offersMqtt(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

function refuseUpgrade(socket: Duplex, status: string, text: string): void {
  socket.on('error', () => {}); // it closes anyway
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${text.length + 1}\r\n\r\n${text}\n`,
  );
}

function refuseRequest(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' });
  response.end('This is MQTT over WebSocket, subprotocol mqtt.\n');
}
