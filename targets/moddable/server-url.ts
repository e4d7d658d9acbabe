/**
 * URLs of MQTT servers, read without the class URL, which XS does not have.
 */
import { ArgumentError } from '../../src/client/errors.ts';

export interface ServerUrl {
  isSecure: boolean;
  /** A name or an address, that of IPv6 without its brackets. */
  host: string;
  port: number;
  userName: string | undefined;
  password: string | undefined;
}

function invalid(message: string): ArgumentError {
  return new ArgumentError('ERR_INVALID_URL', message);
}

function isSecureScheme(scheme: string): boolean {
  switch (scheme) {
    case 'mqtt':
    case 'tcp':
      return false;
    case 'mqtts':
    case 'ssl':
    case 'tls':
      return true;
    default:
      throw invalid('the URL must begin with mqtt: or mqtts:, not ' + scheme + ':');
  }
}

/** A user name or password as it was before it was put into a URL. */
function credential(text: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw invalid('user name and password in the URL must be percent-encoded');
  }
}

function portOf(text: string, isSecure: boolean): number {
  if (text === '') return isSecure ? 8883 : 1883;
  const port = Number(text);
  for (let i = 0; i < text.length; i++) {
    if (text[i] < '0' || text[i] > '9') throw invalid('the port must be a number, not ' + text);
  }
  if (port < 1 || port > 65535) throw invalid('the port must be from 1 to 65535, not ' + text);
  return port;
}

/**
 * Reads `mqtt://user:password@host:1883`, likewise with `tcp:`, and with `mqtts:`, `ssl:` or `tls:` for TLS; whatever
 * follows the port is of no interest. Throws ERR_INVALID_URL naming what is wrong, never showing a password.
 */
export function parseServerUrl(url: string): ServerUrl {
  const schemeEnd = url.indexOf('://');
  if (schemeEnd < 0) throw invalid('the server must be a URL such as mqtt://localhost:1883');
  const isSecure = isSecureScheme(url.slice(0, schemeEnd).toLowerCase());
  let end = schemeEnd + 3;
  while (end < url.length && url[end] !== '/' && url[end] !== '?' && url[end] !== '#') end++;
  const authority = url.slice(schemeEnd + 3, end);
  const at = authority.lastIndexOf('@');
  const credentials = at < 0 ? '' : authority.slice(0, at);
  const colon = credentials.indexOf(':');
  const server = authority.slice(at + 1);
  const bracket = server.startsWith('[') ? server.indexOf(']') : 0;
  if (bracket < 0) throw invalid('the URL has an address without its closing bracket');
  const hostEnd = server.indexOf(':', bracket);
  const name = hostEnd < 0 ? server : server.slice(0, hostEnd);
  const host = bracket > 0 ? name.slice(1, -1) : name;
  if (host === '') throw invalid('the URL has no host');
  return {
    isSecure,
    host,
    port: portOf(hostEnd < 0 ? '' : server.slice(hostEnd + 1), isSecure),
    userName: credential(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: credential(colon < 0 ? '' : credentials.slice(colon + 1)),
  };
}
