/**
 * What `motemq flash` builds into an app: network, broker and further configuration, which the app reads from the
 * module `mc/config`. Knows which of it is secret; where it is written, others know.
 */
import { networkInterfaces } from 'node:os';
import { UsageError } from './exit-status.ts';
import { REDACTED } from './redactor.ts';
import { parseServerUrl } from './server-url.ts';
import type { Target } from './moddable-target.ts';

/** As commander gives them. */
export interface ConfigFlags {
  ssid?: string;
  broker?: string;
  config?: string[];
}

export interface AppConfig {
  /** Names and values, as the app gets them. */
  readonly values: Readonly<Record<string, string>>;
  /** As `values`, to be shown. */
  readonly shown: Readonly<Record<string, string>>;
  /** What must never be printed. */
  readonly secrets: readonly string[];
}

/** IEEE 802.11: 1 to 32 bytes. */
const SSID_BYTES_MAX = 32;
const SECRET_NAME = /pass(word|phrase)?$|secret|token|psk|private|api_?key/i;
/** Shorter ones occur everywhere, and hiding them would hide the output. */
const SECRET_LENGTH_MIN = 4;

/** Throws UsageError, without showing the password, unless WPA can have it. An empty one is none. */
export function checkWifiPassword(password: string): void {
  if (password === '' || /^[0-9a-f]{64}$/i.test(password)) return;
  // Measured in bytes: what is beyond ASCII is sent as UTF-8.
  const byteLength = Buffer.byteLength(password);
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u001f\u007f]/.test(password)) {
    throw new UsageError('the Wi-Fi password contains a line end or another control character');
  }
  if (byteLength < 8 || byteLength > 63) {
    throw new UsageError(`a Wi-Fi password has 8 to 63 characters, and this one ${byteLength}`);
  }
}

/** This computer's address in its network, for advice. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
}

/** The URL's user name and password hidden. */
function shownUrl(url: string, password: string | undefined): string {
  if (password === undefined) return url;
  return url.replace(/^(\w+:\/\/[^:/@]*:).*@/s, `$1${REDACTED}@`);
}

interface BrokerSecrets {
  shown: string;
  secrets: string[];
}

/** Throws UsageError for a URL that the app could not use. */
function checkBroker(url: string, target: Target): BrokerSecrets {
  let parsed: ReturnType<typeof parseServerUrl>;
  try {
    parsed = parseServerUrl(url);
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/^-L/, '--broker'));
  }
  const { host, password } = parsed;
  if (!target.runsHere && /^(localhost|127\..*|::1|0\.0\.0\.0)$/.test(host)) {
    const own = ownAddress();
    const hint = own === undefined ? '' : `; this computer is ${own} in its network`;
    throw new UsageError(`--broker: on a board, ${host} is the board itself${hint}`);
  }
  if (!password) return { shown: url, secrets: [] };
  const raw = /^\w+:\/\/[^:/@]*:(.*)@/s.exec(url)?.[1] ?? password;
  const secrets = [...new Set([raw, password])];
  return {
    shown: shownUrl(url, password),
    secrets: [
      url,
      ...secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN),
      ...secrets.map((secret) => `:${secret}@`),
    ],
  };
}

/** Throws UsageError for what makes no sense. `password` undefined or empty is an open network. */
export function planConfig(flags: ConfigFlags, password: string | undefined, target: Target): AppConfig {
  const values: Record<string, string> = {};
  const shown: Record<string, string> = {};
  const secrets: string[] = [];
  const add = (name: string, value: string, showAs = value): void => {
    values[name] = value;
    shown[name] = showAs;
  };
  for (const pair of flags.config ?? []) {
    const [, name, value] = /^([A-Za-z_$][\w$]*)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) throw new UsageError('--config: it must be NAME=VALUE, NAME being an identifier');
    const isSecret = SECRET_NAME.test(name);
    if (isSecret && value.length >= SECRET_LENGTH_MIN) secrets.push(value);
    add(name, value, isSecret ? REDACTED : value);
  }
  if (flags.ssid !== undefined) {
    const byteLength = Buffer.byteLength(flags.ssid);
    if (byteLength < 1 || byteLength > SSID_BYTES_MAX) {
      throw new UsageError(`--ssid: a network's name has 1 to ${SSID_BYTES_MAX} bytes`);
    }
    add('ssid', flags.ssid);
  }
  if (password) {
    if (flags.ssid === undefined) throw new UsageError('a Wi-Fi password is given, but no --ssid');
    checkWifiPassword(password);
    add('password', password, REDACTED);
    secrets.push(password);
  }
  if (flags.broker !== undefined) {
    const broker = checkBroker(flags.broker, target);
    add('broker', flags.broker, broker.shown);
    secrets.push(...broker.secrets);
  }
  return { values, shown, secrets };
}
