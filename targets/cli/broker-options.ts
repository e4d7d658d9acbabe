/**
 * From the flags of `motemq broker`, and the file they name, to the options of a broker.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LIMITS, LIMIT_NAMES, type LimitName, type Limits } from '../../sim/broker/limits.ts';
import type { BrokerOptions, ShareStrategy, TlsOptions } from '../../sim/broker/options.ts';
import { OPTION_NAMES, TLS_OPTION_NAMES } from '../../sim/broker/check-options.ts';
import { CommandError, UsageError } from './exit-status.ts';
import { nearestName } from './nearest.ts';

/** As commander gives them. */
export interface BrokerFlags {
  host?: string;
  /** Null: none. */
  port?: number | null;
  tlsPort?: number;
  wsPort?: number;
  wssPort?: number;
  wsPath?: string;
  cert?: string;
  key?: string;
  ca?: string;
  requireClientCertificate?: true;
  users?: string;
  acl?: string;
  /** False with --no-anonymous. */
  anonymous: boolean;
  persist?: string;
  config?: string;
  set?: string[];
  metricsPort?: number;
  shareStrategy?: ShareStrategy;
  verbose?: true;
  helpLimits?: true;
}

const DEFAULT_PORT = 1883;

/** What a file cannot say. */
const NOT_IN_FILES = ['hooks', 'log'];
/** What is a path where it is in a file: relative to that. */
const PATHS = ['users', 'acl', 'persist'] as const;
const TLS_PATHS = ['cert', 'key', 'ca'] as const;

/** Flags go before the file. Throws a CommandError for a file that cannot be used and for limits that do not exist. */
export function brokerOptions(flags: BrokerFlags): BrokerOptions {
  const file = flags.config === undefined ? {} : readConfig(flags.config);
  const { host, port, tlsPort, wsPort, wssPort, wsPath, users, acl, persist, metricsPort, shareStrategy } =
    flags;
  const limits = { ...file.limits, ...limitsOf(flags.set ?? []) };
  const given: BrokerOptions = {
    host,
    port: port === undefined ? (file.port === undefined ? DEFAULT_PORT : file.port) : port,
    tlsPort,
    wsPort,
    wssPort,
    webSocketPath: wsPath,
    tls: tlsOf(flags, file),
    users,
    acl,
    anonymous: flags.anonymous ? undefined : false,
    persist,
    metricsPort,
    shareStrategy,
    limits,
  };
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...file, ...known };
}

function tlsOf(flags: BrokerFlags, file: BrokerOptions): TlsOptions | undefined {
  const { cert = file.tls?.cert, key = file.tls?.key, ca = file.tls?.ca } = flags;
  const requireClientCertificate = flags.requireClientCertificate ?? file.tls?.requireClientCertificate;
  const usedBy = (['tlsPort', 'wssPort'] as const).find(
    (name) => (flags[name] ?? file[name] ?? null) !== null,
  );
  if (cert === undefined || key === undefined) {
    if (cert !== undefined || key !== undefined) throw new UsageError('--cert and --key go together');
    if (usedBy !== undefined) {
      throw new UsageError(`--${usedBy === 'tlsPort' ? 'tls' : 'wss'}-port needs --cert and --key`);
    }
    if (ca !== undefined || requireClientCertificate === true) {
      throw new UsageError('--ca and --require-client-certificate need --tls-port or --wss-port');
    }
    return undefined;
  }
  if (requireClientCertificate === true && ca === undefined) {
    throw new UsageError('--require-client-certificate needs --ca, which vouches for certificates');
  }
  return { ...file.tls, cert, key, ca, requireClientCertificate };
}

/** Whether other machines may do everything on it without saying who they are. */
export function isOpenToAll({ host = '127.0.0.1', users, acl, anonymous, tls }: BrokerOptions): boolean {
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return false;
  if (acl !== undefined || tls?.requireClientCertificate === true) return false;
  return anonymous ?? users === undefined;
}

// --- Limits --------------------------------------------------------------------------------------------------------

function limitsOf(settings: readonly string[]): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const setting of settings) {
    const [name, value = '', ...rest] = setting.split('=');
    checkLimitName(name, '--set');
    const { min, max } = LIMITS[name];
    const number = /^\d+$/.test(value) && rest.length === 0 ? Number(value) : NaN;
    if (!(number >= min && number <= max)) {
      throw new UsageError(`--set ${name}: it must be a whole number from ${min} to ${max}`);
    }
    limits[name] = number;
  }
  return limits;
}

function checkLimitName(name: string, where: string): asserts name is LimitName {
  if (Object.hasOwn(LIMITS, name)) return;
  throw new UsageError(
    `${where}: there is no limit ${name}${meant(name, LIMIT_NAMES)}; --help-limits lists them all`,
  );
}

function meant(word: string, names: readonly string[]): string {
  const name = nearestName(word, names);
  return name === undefined ? '' : `, but ${name}`;
}

/** Every limit with its default, its range, and what it does: two lines each. */
export function limitsText(): string {
  return LIMIT_NAMES.map((name) => {
    const { default: usual, min, max, text } = LIMITS[name];
    return `${name} = ${usual}   (${min} to ${max})\n    ${text}\n`;
  }).join('');
}

// --- The file ------------------------------------------------------------------------------------------------------

function readConfig(path: string): BrokerOptions {
  const words = (text: string): CommandError => new CommandError(`--config: ${path}: ${text}`);
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === undefined ? words(message) : new CommandError(`--config: cannot read ${path}: ${code}`);
  }
  if (!isObject(file)) throw words('it must be an object of options');
  const names = OPTION_NAMES.filter((name) => !NOT_IN_FILES.includes(name));
  for (const name of Object.keys(file)) {
    if (!names.includes(name)) throw words(`there is no option ${name}${meant(name, names)}`);
  }
  const options = { ...file } as BrokerOptions;
  const beside = (value: string): string => resolve(dirname(path), value);
  for (const name of PATHS) if (typeof file[name] === 'string') options[name] = beside(file[name]);
  if (isObject(file['limits'])) {
    for (const name of Object.keys(file['limits'])) checkLimitName(name, `--config: ${path}`);
  }
  if (isObject(file['tls'])) options.tls = tlsBeside(file['tls'], beside, words);
  return options;
}

function tlsBeside(
  tls: Record<string, unknown>,
  beside: (value: string) => string,
  words: (text: string) => Error,
): TlsOptions {
  for (const name of Object.keys(tls)) {
    if (!TLS_OPTION_NAMES.includes(name)) {
      throw words(`there is no option tls.${name}${meant(name, TLS_OPTION_NAMES)}`);
    }
  }
  const copy = { ...tls } as unknown as TlsOptions;
  for (const name of TLS_PATHS) {
    const value = tls[name];
    if (typeof value === 'string' && !value.includes('-----BEGIN ')) copy[name] = beside(value);
  }
  return copy;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
