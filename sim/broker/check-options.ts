/**
 * Whether a Broker's own options are what their types say: they may come from a file. The core checks its own.
 */
import { inspect } from 'node:util';
import type { BrokerOptions } from './options.ts';

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isBoolean: Check = (value) => typeof value === 'boolean';
const isFunction: Check = (value) => typeof value === 'function';
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumber: Check = (value) => typeof value === 'number';
const isPort: Check = (value) =>
  value === null || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65535);

const TEXT: [Check, string] = [isText, 'a text that is not empty'];
const BOOLEAN: [Check, string] = [isBoolean, 'true or false'];
const PORT: [Check, string] = [isPort, 'a port from 0 to 65535, or null'];
const FILE: [Check, string] = [isText, 'a path'];
const PEM: [Check, string] = [isText, 'PEM, or the path of a PEM file'];
const OBJECT: [Check, string] = [isObject, 'an object'];
const FUNCTION: [Check, string] = [isFunction, 'a function'];
const NUMBER: [Check, string] = [isNumber, 'a number'];

/** Every option there is. Of the core's only the kind is looked at. */
const OPTIONS: Record<keyof BrokerOptions, [Check, string]> = {
  host: TEXT,
  port: PORT,
  tlsPort: PORT,
  wsPort: PORT,
  wssPort: PORT,
  tls: OBJECT,
  webSocketPath: [(value) => isText(value) && String(value).startsWith('/'), 'a path that begins with /'],
  users: FILE,
  acl: FILE,
  anonymous: BOOLEAN,
  persist: FILE,
  metricsPort: PORT,
  log: FUNCTION,
  maximumQos: NUMBER,
  retainAvailable: BOOLEAN,
  wildcardSubscriptionAvailable: BOOLEAN,
  subscriptionIdentifiersAvailable: BOOLEAN,
  sharedSubscriptionAvailable: BOOLEAN,
  serverKeepAliveSeconds: NUMBER,
  responseInformation: TEXT,
  serverReference: TEXT,
  shareStrategy: TEXT,
  limits: OBJECT,
  hooks: OBJECT,
  version: TEXT,
  sysIntervalSeconds: NUMBER,
};

const TLS_OPTIONS: Record<string, [Check, string]> = {
  cert: PEM,
  key: PEM,
  passphrase: TEXT,
  ca: PEM,
  requireClientCertificate: BOOLEAN,
};

export const OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);
export const TLS_OPTION_NAMES: readonly string[] = Object.keys(TLS_OPTIONS);

/** Throws a TypeError that names the option: one that does not exist, or has not the type that it must have. */
export function checkOptions(options: BrokerOptions): void {
  checkEach('', options, OPTIONS);
  const { tls, tlsPort, wssPort, users, anonymous, hooks } = options;
  if (anonymous === false && users === undefined && tls?.ca === undefined) {
    const isDecided = hooks?.authenticate !== undefined || hooks?.methods !== undefined;
    if (!isDecided) throw new TypeError('anonymous: false lets nobody in without users or tls.ca');
  }
  if (tls !== undefined) {
    checkEach('tls.', tls, TLS_OPTIONS);
    if (tls.cert === undefined || tls.key === undefined) throw new TypeError('tls must have cert and key');
    if (tls.requireClientCertificate === true && tls.ca === undefined) {
      throw new TypeError('tls.requireClientCertificate needs tls.ca, which vouches for certificates');
    }
  } else if ((tlsPort ?? null) !== null || (wssPort ?? null) !== null) {
    throw new TypeError(`${(tlsPort ?? null) === null ? 'wssPort' : 'tlsPort'} needs tls: cert and key`);
  }
}

function checkEach(prefix: string, values: object, checks: Record<string, [Check, string]>): void {
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    if (!Object.hasOwn(checks, name)) throw new TypeError(`${prefix}${name}: there is no such option`);
    const [check, words] = checks[name];
    if (value !== undefined && !check(value)) {
      throw new TypeError(`${prefix}${name} must be ${words}, not ${inspect(value)}`);
    }
  }
}
