/**
 * Where a URL points, and the transports that lead there: TCP, TLS, WebSocket. Knows nothing of MQTT but its ports.
 */
import { isIP } from 'node:net';
import type { ClientTransport, TransportReceiver } from '../../src/client/platform.ts';
import { SocketTransport, type SocketTarget } from '../../targets/node/socket-transport.ts';
import { WebSocketTransport } from '../../targets/node/websocket-transport.ts';
import { FleetError } from './failure.ts';

/** What a TLS connection is checked against. */
export interface TrustOptions {
  /** PEM: CAs to trust instead of the system's. */
  ca: string | undefined;
  /** Takes any certificate. */
  isInsecure: boolean;
}

/** A server, as a URL names it. */
export interface Server {
  url: string;
  /** `host:port`, for sentences. */
  name: string;
  /** What the report calls it: `TCP`, `TLS`, `WebSocket`, `WebSocket over TLS`. */
  transport: string;
  /** Where a socket leads to it; undefined for WebSocket. */
  target: SocketTarget | undefined;
  userName: string | undefined;
  password: string | undefined;
  createTransport(receiver: TransportReceiver): ClientTransport;
}

const SCHEMES: Record<string, { transport: string; port: number; isTls: boolean; isWebSocket: boolean }> = {
  'mqtt:': { transport: 'TCP', port: 1883, isTls: false, isWebSocket: false },
  'tcp:': { transport: 'TCP', port: 1883, isTls: false, isWebSocket: false },
  'mqtts:': { transport: 'TLS', port: 8883, isTls: true, isWebSocket: false },
  'ssl:': { transport: 'TLS', port: 8883, isTls: true, isWebSocket: false },
  'ws:': { transport: 'WebSocket', port: 80, isTls: false, isWebSocket: true },
  'wss:': { transport: 'WebSocket over TLS', port: 443, isTls: true, isWebSocket: true },
};

/** Reads `mqtt://user:password@host:port` and its like; a text without a scheme is a host with or without a port. */
export function parseServer(text: string, trust: TrustOptions): Server {
  const wrong = (why: string): FleetError => new FleetError(`${why}: ${text}`, 'url');
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `mqtt://${text}`);
  } catch {
    throw wrong('this is none');
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) throw wrong('it must begin with mqtt://, mqtts://, ws:// or wss://');
  if (url.hostname === '') throw wrong('there is no host in it');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? scheme.port : Number(url.port);
  const tls = {
    ca: trust.ca,
    rejectUnauthorized: !trust.isInsecure,
    // A name to ask for, and to check; an address is no name.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
  const target: SocketTarget = scheme.isTls ? { host, port, tls } : { host, port };
  const webSocketUrl = `${url.protocol}//${url.host}${url.pathname === '' || url.pathname === '/' ? '/mqtt' : url.pathname}${url.search}`;
  return {
    url: text.includes('://') ? text : `mqtt://${text}`,
    name: `${url.hostname}:${port}`,
    transport: scheme.transport,
    target: scheme.isWebSocket ? undefined : target,
    userName: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    createTransport: scheme.isWebSocket
      ? (receiver) =>
          new WebSocketTransport(webSocketUrl, scheme.isTls ? { ...tls, ca: trust.ca } : {}, receiver)
      : (receiver) => new SocketTransport(target, receiver),
  };
}
