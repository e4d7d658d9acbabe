/**
 * mosquitto's `-L mqtt(s)://[user[:password]@]host[:port]/topic`, and ws(s):// besides, whose path is the WebSocket's.
 * Not the URL standard's parser: a topic may hold `#`, and a password what people type there.
 */
import { UsageError } from './exit-status.ts';

export type Scheme = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** What a URL says; what it does not say is undefined. */
export interface ServerUrl {
  readonly scheme: Scheme;
  readonly userName: string | undefined;
  readonly password: string | undefined;
  /** An IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** With mqtt and mqtts: topic name or filter. */
  readonly topic: string | undefined;
  /** With ws and wss, from its `/` on. */
  readonly path: string | undefined;
}

/** A percent sign that escapes nothing is one. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Throws UsageError, without showing the URL: it may hold a password. */
export function parseServerUrl(text: string): ServerUrl {
  const schemeOf = /^(mqtts?|wss?):\/\/(.*)$/is.exec(text);
  if (!schemeOf) throw new UsageError('-L: the URL must begin with mqtt://, mqtts://, ws:// or wss://');
  const [, schemeWord, rest] = schemeOf;
  const scheme = schemeWord.toLowerCase() as Scheme;
  const parts = /^(?:([^/]*)@)?(?:\[([^\]]*)\]|([^:/@]*))(?::([^/]*))?(?:\/(.*))?$/s.exec(rest);
  const host = parts && ((parts[2] as string | undefined) ?? parts[3]);
  if (!parts || !host) throw new UsageError('-L: the URL has no host');
  const [, user, , , portWord, behind] = parts as (string | undefined)[];
  const port = portWord === undefined || !/^\d{1,5}$/.test(portWord) ? undefined : Number(portWord);
  if (portWord !== undefined && (port === undefined || port < 1 || port > 65535)) {
    throw new UsageError('-L: the port must be a number from 1 to 65535');
  }
  const colon = user?.indexOf(':') ?? -1;
  const isWebSocket = scheme === 'ws' || scheme === 'wss';
  return {
    scheme,
    userName: user && decodePercent(colon < 0 ? user : user.slice(0, colon)),
    password: user && colon >= 0 ? decodePercent(user.slice(colon + 1)) : undefined,
    host,
    port,
    topic: isWebSocket || !behind ? undefined : behind,
    path: isWebSocket && behind !== undefined ? `/${behind}` : undefined,
  };
}
